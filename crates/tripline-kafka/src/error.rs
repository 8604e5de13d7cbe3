use std::fmt::Display;

use thiserror::Error as ThisError;

/// Why something could not even be tried. What goes wrong later is a [`State`](crate::State).
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// A setting is not what it must be.
    #[error("{key}: {reason}")]
    Setting {
        /// The setting.
        key: &'static str,
        /// What was found and what was expected.
        reason: String,
    },
    /// librdkafka refuses the configuration, for instance because a file cannot be read.
    #[error("the Kafka client cannot be made: {reason}")]
    Client {
        /// Its words, without secrets.
        reason: String,
    },
    /// The system gives no thread.
    #[error("no thread for the Kafka client")]
    Thread(#[source] std::io::Error),
    /// The cluster answered no, or not in time.
    #[error("{what}: {reason}")]
    Cluster {
        /// What was asked of it.
        what: String,
        /// Its answer.
        reason: String,
    },
}

impl Error {
    pub(crate) fn setting(key: &'static str, reason: impl Into<String>) -> Self {
        Self::Setting {
            key,
            reason: reason.into(),
        }
    }

    pub(crate) fn cluster(what: impl Into<String>, reason: impl Display) -> Self {
        Self::Cluster {
            what: what.into(),
            reason: reason.to_string(),
        }
    }

    /// What the client library says when it is made. A refused value may be a password, so only
    /// the key is told.
    pub(crate) fn client(error: &rdkafka::error::KafkaError) -> Self {
        let reason = match error {
            rdkafka::error::KafkaError::ClientConfig(_, _, key, _) => {
                format!("the value of {key} is refused")
            }
            other => other.to_string(),
        };
        Self::Client { reason }
    }
}
