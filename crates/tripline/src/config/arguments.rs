//! The options as clap knows them, and what can be learned from them.

use std::{any::TypeId, net::SocketAddr};

use clap::{Arg, ArgAction, Args, Command, CommandFactory};

use super::file::Value;
use crate::cli::{Cli, SecretText, ServeArgs};

/// Commands whose options may stand in a file.
pub(super) const CONFIGURED: [&[&str]; 3] = [&["serve"], &["demo"], &["config", "check"]];
/// The option that names the file; it cannot stand in one.
pub(super) const FILE_OPTION: &str = "config";
/// Options of which one can be given. At different levels the stronger one holds.
pub(super) const EXCLUSIVE: [[&str; 2]; 1] = [["database-url", "database-url-file"]];

/// Everything that can be typed.
pub(crate) fn command() -> Command {
    let switches: Vec<String> = ServeArgs::augment_args(Command::new("serve"))
        .get_arguments()
        .filter(|arg| is_flag(arg))
        .map(|arg| arg.get_id().to_string())
        .collect();
    let may_be_denied = |arg: Arg| {
        let is_one = switches
            .iter()
            .any(|switch| arg.get_id() == switch.as_str());
        if is_one { deniable(arg) } else { arg }
    };
    CONFIGURED
        .iter()
        .fold(Cli::command(), |command, way| {
            at(command, way, &|command| command.mut_args(may_be_denied))
        })
        .mut_args(|arg| if is_flag(&arg) { deniable(arg) } else { arg })
}

fn is_flag(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue)
}

/// A switch that a weaker level has put on can be put off by a stronger one: `--kafka-tls=false`.
fn deniable(arg: Arg) -> Arg {
    arg.action(ArgAction::Set)
        .num_args(0..=1)
        .require_equals(true)
        .value_name("true|false")
        .default_value("false")
        .default_missing_value("true")
        .hide_default_value(true)
        .value_parser(switch)
}

/// A variable that is set to nothing puts a switch off.
fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" | "" => Ok(false),
        _ => Err("it is neither true nor false".to_owned()),
    }
}

/// Changes the command that is typed in this way.
pub(super) fn at(command: Command, way: &[&str], change: &dyn Fn(Command) -> Command) -> Command {
    match way.split_first() {
        None => change(command),
        Some((name, rest)) => command.mut_subcommand(name, |inner| at(inner, rest, change)),
    }
}

/// The options that may stand in a file: those of `serve`, and those that every command has.
pub(super) fn options() -> Vec<Arg> {
    let command = command();
    let serve = command.find_subcommand("serve");
    let serve = serve.into_iter().flat_map(Command::get_arguments);
    let options = command.get_arguments().chain(serve);
    options
        .filter(|arg| arg.get_long().is_some_and(|long| long != FILE_OPTION))
        .cloned()
        .collect()
}

/// The name of an option, which is a key of the file.
pub(super) fn name(arg: &Arg) -> &str {
    arg.get_long().unwrap_or_default()
}

/// Whether its value is never shown.
pub(super) fn is_secret(arg: &Arg) -> bool {
    arg.is_hide_env_values_set() || arg.get_value_parser().type_id() == TypeId::of::<SecretText>()
}

/// Whether it may be repeated, so that it takes a list.
pub(super) fn is_list(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

/// What an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Switch,
    Whole,
    Decimal,
    Text,
}

pub(super) fn kind(arg: &Arg) -> Kind {
    let id = arg.get_value_parser().type_id();
    let is = |types: &[TypeId]| types.iter().any(|other| id == *other);
    if is(&[TypeId::of::<bool>()]) {
        Kind::Switch
    } else if is(&[
        TypeId::of::<u8>(),
        TypeId::of::<u16>(),
        TypeId::of::<u32>(),
        TypeId::of::<u64>(),
        TypeId::of::<usize>(),
        TypeId::of::<i32>(),
        TypeId::of::<i64>(),
    ]) {
        Kind::Whole
    } else if is(&[TypeId::of::<f32>(), TypeId::of::<f64>()]) {
        Kind::Decimal
    } else {
        Kind::Text
    }
}

/// What an option takes, for people.
pub(super) fn expected(arg: &Arg) -> String {
    let possible: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| value.get_name().to_owned())
        .collect();
    let id = arg.get_value_parser().type_id();
    let one = match kind(arg) {
        Kind::Switch => "true or false".to_owned(),
        _ if !possible.is_empty() => format!("one of {}", possible.join(", ")),
        Kind::Whole => "a whole number".to_owned(),
        Kind::Decimal => "a number".to_owned(),
        Kind::Text if id == TypeId::of::<SocketAddr>() => {
            "an address with a port, such as 127.0.0.1:8000".to_owned()
        }
        Kind::Text if id == TypeId::of::<ipnet::IpNet>() => {
            "a network, such as 10.1.0.0/16".to_owned()
        }
        Kind::Text => "a text".to_owned(),
    };
    if is_list(arg) {
        format!("{one}, or a list of such")
    } else {
        one
    }
}

/// The values that a value of the file stands for, as they would be typed; `None` when the option
/// takes another kind of value.
pub(super) fn typed(arg: &Arg, value: &Value) -> Option<Vec<String>> {
    match (kind(arg), value) {
        (_, Value::List(values)) if is_list(arg) => values
            .iter()
            .map(|value| match value {
                Value::List(_) => None,
                value => typed(arg, value)?.pop(),
            })
            .collect(),
        (Kind::Switch, Value::Switch(value)) => Some(vec![value.to_string()]),
        (Kind::Whole | Kind::Decimal, Value::Whole(text))
        | (Kind::Decimal, Value::Decimal(text))
        | (Kind::Text, Value::Text(text)) => Some(vec![text.clone()]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// clap would see what was typed and not what the file says.
    #[test]
    fn clap_knows_of_no_conflict_between_options() {
        let command = command();
        let serve = command.find_subcommand("serve").unwrap();
        for option in serve.get_arguments() {
            let others = serve.get_arg_conflicts_with(option);
            assert!(
                others.is_empty(),
                "{}: check it after merging",
                name(option)
            );
        }
    }

    #[test]
    fn every_option_has_a_variable_and_a_secret_one_shows_none() {
        for option in options() {
            assert!(option.get_env().is_some(), "{}", name(&option));
            assert_eq!(
                is_secret(&option),
                option.is_hide_env_values_set(),
                "{}",
                name(&option)
            );
        }
    }
}
