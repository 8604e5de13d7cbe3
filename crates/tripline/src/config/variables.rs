//! Variables of the environment that look as if they were meant for this program.

use std::{collections::BTreeSet, ffi::OsString};

use super::{arguments::command, loader::nearest};
use crate::cli::SECRET_VARIABLES;

/// How variables of this program begin.
const PREFIX: &str = "TRIPLINE_";

/// Variables that begin like ours and mean nothing, each with the one that may be meant.
pub(crate) fn unknown_variables() -> Vec<String> {
    let set =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    unknown(set)
}

fn unknown(set: impl Iterator<Item = (String, OsString)>) -> Vec<String> {
    let known = known();
    let mut unknown: Vec<String> = set
        .filter(|(name, value)| {
            name.starts_with(PREFIX) && !known.contains(name) && !is_service_link(name, value)
        })
        .map(|(name, _)| {
            // Their common beginning makes all of them look alike.
            let ends = known.iter().filter_map(|known| known.strip_prefix(PREFIX));
            match nearest(&name[PREFIX.len()..], ends) {
                Some(end) => {
                    format!("no option knows the variable {name}; is {PREFIX}{end} meant?")
                }
                None => format!("no option knows the variable {name}"),
            }
        })
        .collect();
    unknown.sort();
    unknown
}

/// What the build and the tests read.
const OF_THE_BUILD: [&str; 6] = [
    "TRIPLINE_KAFKA_HOME",
    "TRIPLINE_POSTGRES_BIN",
    "TRIPLINE_TEST_KAFKA",
    "TRIPLINE_TEST_POSTGRES",
    "TRIPLINE_TOOLS",
    "TRIPLINE_UI",
];

/// Every variable that some command reads, or the build.
fn known() -> BTreeSet<String> {
    fn gather(command: &clap::Command, known: &mut BTreeSet<String>) {
        let names = command.get_arguments().filter_map(clap::Arg::get_env);
        known.extend(names.filter_map(|name| Some(name.to_str()?.to_owned())));
        for command in command.get_subcommands() {
            gather(command, known);
        }
    }
    let mut known = BTreeSet::new();
    gather(&command(), &mut known);
    known.extend(SECRET_VARIABLES.map(str::to_owned));
    known.extend(OF_THE_BUILD.map(str::to_owned));
    known
}

/// Kubernetes gives every container variables about the services beside it: a service called
/// `tripline` brings `TRIPLINE_SERVICE_HOST`, `TRIPLINE_PORT=tcp://…`, `TRIPLINE_PORT_8000_TCP_ADDR`.
fn is_service_link(name: &str, value: &OsString) -> bool {
    let is_address = value.to_str().is_some_and(|value| {
        let value = value.split_once("://").map(|(protocol, _)| protocol);
        matches!(value, Some("tcp" | "udp" | "sctp"))
    });
    let of_port = name.rsplit_once("_PORT_").is_some_and(|(_, rest)| {
        let mut words = rest.split('_');
        let is_number = |word: Option<&str>| word.is_some_and(|word| word.parse::<u16>().is_ok());
        is_number(words.next()) && matches!(words.next(), Some("TCP" | "UDP" | "SCTP"))
    });
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || of_port
        || (name.ends_with("_PORT") && is_address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, value: &str, expected: &[&str]) {
        let set = std::iter::once((name.to_owned(), OsString::from(value)));
        assert_eq!(unknown(set), expected, "{name}");
    }

    #[test]
    fn what_nobody_reads_is_named_with_what_may_be_meant() {
        check(
            "TRIPLINE_RETAIN_DAY",
            "3",
            &["no option knows the variable TRIPLINE_RETAIN_DAY; is TRIPLINE_RETAIN_DAYS meant?"],
        );
        check(
            "TRIPLINE_XYZZY",
            "",
            &["no option knows the variable TRIPLINE_XYZZY"],
        );
    }

    #[test]
    fn what_somebody_reads_is_not_named() {
        for name in [
            "TRIPLINE_RETAIN_DAYS",
            "TRIPLINE_KAFKA_PASSWORD",
            "TRIPLINE_LOG",
            // Of other commands.
            "TRIPLINE_SERVER",
            // Of the build.
            "TRIPLINE_UI",
            "HOME",
        ] {
            check(name, "1", &[]);
        }
    }

    #[test]
    fn what_kubernetes_sets_is_not_named() {
        for name in [
            "TRIPLINE_SERVICE_HOST",
            "TRIPLINE_SERVICE_PORT",
            "TRIPLINE_SERVICE_PORT_HTTP",
            "TRIPLINE_KAFKA_PORT_9092_TCP",
            "TRIPLINE_PORT_8000_TCP_ADDR",
        ] {
            check(name, "10.0.0.7", &[]);
        }
        check("TRIPLINE_PORT", "tcp://10.0.0.7:8000", &[]);
        check(
            "TRIPLINE_PORT",
            "8000",
            &["no option knows the variable TRIPLINE_PORT"],
        );
    }
}
