use std::{error::Error as _, path::PathBuf, time::Duration};

use tokio_postgres::error::SqlState;

use crate::StoreError;

/// What goes wrong inside: the place is added once, where the database is known.
#[derive(Debug)]
pub(super) enum Failure {
    Postgres(tokio_postgres::Error),
    /// Nothing was heard for this long.
    Silence(Duration),
    /// There was no connection, and why the last attempt to get one failed.
    Unreachable(String),
    /// All connections were in use for the whole of the time that locks are waited for.
    NoConnection,
    /// Tables of somebody else are in the schema.
    Foreign(String),
    Newer {
        found: u32,
        supported: u32,
    },
    Store(StoreError),
}

pub(super) type Result<T, E = Failure> = std::result::Result<T, E>;

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Failure {
    pub(super) fn code(&self) -> Option<&SqlState> {
        match self {
            Self::Postgres(error) => error.code(),
            _ => None,
        }
    }

    /// Whether the connection cannot be used any more.
    pub(super) fn ends_connection(&self) -> bool {
        match self {
            Self::Silence(_) => true,
            Self::Postgres(error) => match error.as_db_error() {
                // PostgreSQL closes the connection after a message of these kinds.
                Some(said) => matches!(said.severity(), "FATAL" | "PANIC"),
                None => true,
            },
            _ => false,
        }
    }

    /// Whether two transactions were in each other's way, and the same one may pass now.
    pub(super) fn is_collision(&self) -> bool {
        let code = self.code();
        code == Some(&SqlState::T_R_DEADLOCK_DETECTED)
            || code == Some(&SqlState::T_R_SERIALIZATION_FAILURE)
    }

    /// Whether trying later may help although nobody changes anything on this side.
    pub(super) fn is_absence(&self) -> bool {
        match self {
            Self::Silence(_) | Self::Unreachable(_) => true,
            Self::Postgres(error) => match error.code() {
                Some(code) => is_away(code.code()),
                None => is_lost(error),
            },
            _ => false,
        }
    }

    /// All that is known of it, in one line and without its kind.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Postgres(error) => {
                let mut text = error.to_string();
                let mut cause = error.source();
                while let Some(next) = cause {
                    let said = next.to_string();
                    if !text.contains(&said) {
                        text = format!("{text}: {said}");
                    }
                    cause = next.source();
                }
                text
            }
            Self::Silence(after) => format!("nothing was heard for {after:?}"),
            Self::Unreachable(reason) => reason.clone(),
            other => format!("{other:?}"),
        }
    }

    pub(super) fn at(self, place: &str, statement_timeout: Duration) -> StoreError {
        let path = PathBuf::from(place);
        let place = place.to_owned();
        let error = match self {
            Self::Store(error) => return error,
            Self::Silence(after) => return StoreError::TimedOut { place, after },
            Self::NoConnection => return StoreError::Busy { path },
            Self::Foreign(schema) => return StoreError::ForeignSchema { place, schema },
            Self::Newer { found, supported } => {
                return StoreError::NewerSchema {
                    path,
                    found,
                    supported,
                };
            }
            Self::Unreachable(reason) => {
                let source = reason.into();
                return StoreError::Unreachable { place, source };
            }
            Self::Postgres(error) => error,
        };
        let code = error.code().map(|code| code.code().to_owned());
        let source = Box::new(error);
        match code.as_deref() {
            None if is_lost(&source) => StoreError::Unreachable { place, source },
            Some(code) if is_away(code) => StoreError::Unreachable { place, source },
            // A lock, a deadlock, a serialisation failure.
            Some("55P03" | "40P01" | "40001") => StoreError::Busy { path },
            // The statement's own limit of time, at the server.
            Some("57014") => StoreError::TimedOut {
                place,
                after: statement_timeout,
            },
            Some("53100") => StoreError::DiskFull { path },
            Some("25006" | "42501") => StoreError::ReadOnly { path },
            Some("XX001" | "XX002") => StoreError::Corrupt { path, source },
            Some(code) if code.starts_with("28") || code == "3D000" => {
                StoreError::CannotOpen { path, source }
            }
            _ => StoreError::Backend { path, source },
        }
    }
}

/// Codes of a server that starts, stops, or has no room for one more connection.
fn is_away(code: &str) -> bool {
    code.starts_with("08") || code.starts_with("57P") || code == "53300"
}

fn is_lost(error: &tokio_postgres::Error) -> bool {
    error.is_closed()
        || error
            .source()
            .is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}

/// A stored number that no version of this program writes.
pub(super) fn damaged(what: &'static str, value: i64) -> Failure {
    let expected = "a number that this version of the program knows";
    StoreError::invalid(what, value, expected).into()
}
