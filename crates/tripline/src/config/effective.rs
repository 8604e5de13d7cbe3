//! What holds, and what has changed.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches};
use sha2::{Digest, Sha256};

use super::{
    arguments::{is_secret, name},
    loader::Origin,
};
use crate::cli::read_capped;

/// Options that name a small file, which is read once: when its content changes, so does what the
/// option says.
const CONTENT_COUNTS: [&str; 9] = [
    "database-url-file",
    "kafka-ca-file",
    "kafka-certificate-file",
    "kafka-key-file",
    "kafka-key-password-file",
    "kafka-password-file",
    "kafka-senders",
    "trusted-keys",
    "webhook-secret-file",
];
/// Largest of those files, of any kind.
const MAX_CONTENT_BYTES: u64 = 4 << 20;

type Fingerprint = [u8; 32];

/// All options, each with its value and its origin.
#[derive(Debug, Clone)]
pub(crate) struct Configuration {
    /// The file, if one is named.
    pub(crate) file: Option<PathBuf>,
    pub(crate) options: Vec<Effective>,
}

/// The value of an option.
#[derive(Debug, Clone)]
pub(crate) struct Effective {
    pub(crate) name: String,
    pub(crate) values: Values,
    pub(crate) origin: Origin,
    /// Of the file that the option names.
    content: Option<Fingerprint>,
}

/// The values that an option has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Values {
    /// As they would be typed.
    Shown(Vec<String>),
    /// So many that are secret; the fingerprint tells whether they have changed.
    Secret(usize, Fingerprint),
}

impl Effective {
    pub(super) fn new(option: &Arg, matches: &ArgMatches, origin: Origin) -> Self {
        let raw = matches.get_raw(option.get_id().as_str());
        let values: Vec<String> = raw
            .into_iter()
            .flatten()
            .map(|value| value.to_string_lossy().into_owned())
            .collect();
        let counts = CONTENT_COUNTS.contains(&name(option));
        let content = values.first().filter(|_| counts).and_then(|path| {
            // That it cannot be read is told by those who need it.
            let text = read_capped(Path::new(path), "", MAX_CONTENT_BYTES).ok()?;
            Some(Sha256::digest(text).into())
        });
        Self {
            name: name(option).to_owned(),
            values: if is_secret(option) {
                let all = Sha256::digest(values.join("\n"));
                Values::Secret(values.len(), all.into())
            } else {
                Values::Shown(values)
            },
            origin,
            content,
        }
    }

    /// Whether another value says the same, wherever it comes from.
    fn is_like(&self, other: &Self) -> bool {
        self.values == other.values && self.content == other.content
    }
}

impl Values {
    /// For people: nothing that is secret.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Shown(values) => values.join(", "),
            Self::Secret(0, _) => String::new(),
            Self::Secret(1, _) => "(set)".to_owned(),
            Self::Secret(count, _) => format!("({count} set)"),
        }
    }
}

impl Configuration {
    /// Names of the options that another configuration gives another value.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let pairs = self.options.iter().zip(&other.options);
        pairs
            .filter(|(one, other)| !one.is_like(other))
            .map(|(one, _)| one.name.clone())
            .collect()
    }

    /// Takes the values of some options from another configuration.
    pub(super) fn take(&mut self, names: &[String], other: &Self) {
        for (one, other) in self.options.iter_mut().zip(&other.options) {
            if names.contains(&one.name) {
                one.clone_from(other);
            }
        }
    }
}
