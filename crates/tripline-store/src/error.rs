use std::{error::Error, path::PathBuf, time::Duration};

use thiserror::Error;

use crate::BatchId;

/// What a backend's own library said; kept as a source, so that the chain of causes can be logged.
pub type BackendError = Box<dyn Error + Send + Sync>;

/// Why the store could not do what it was asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another connection holds the database for longer than the busy timeout.
    #[error("database {path} is locked by another connection")]
    Busy {
        /// The database file.
        path: PathBuf,
    },
    /// Another process has opened the database as its own.
    #[error("database {path} is in use by another process")]
    InUse {
        /// The database file.
        path: PathBuf,
    },
    /// There is no space left; the transaction was rolled back whole.
    #[error("no space left for database {path}")]
    DiskFull {
        /// The database file.
        path: PathBuf,
    },
    /// The file or its folder may not be written.
    #[error("database {path} cannot be written")]
    ReadOnly {
        /// The database file.
        path: PathBuf,
    },
    /// The file does not exist and cannot be created, or cannot be opened.
    #[error("database {path} cannot be opened")]
    CannotOpen {
        /// The database file.
        path: PathBuf,
        /// What the backend said.
        #[source]
        source: BackendError,
    },
    /// The file is not a database at all.
    #[error("{path} is not a SQLite database")]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// The file is a database of another program.
    #[error(
        "{path} is a SQLite database of another program (application id {application_id:#010x})"
    )]
    ForeignDatabase {
        /// The file.
        path: PathBuf,
        /// The application id that the file carries.
        application_id: i32,
    },
    /// The database was written by a newer version of this program.
    #[error(
        "database {path} has schema version {found}, this program knows versions up to {supported}"
    )]
    NewerSchema {
        /// The database file.
        path: PathBuf,
        /// The version that the file carries.
        found: u32,
        /// The newest version that this program can read.
        supported: u32,
    },
    /// The database file is damaged.
    #[error("database {path} is damaged")]
    Corrupt {
        /// The database file.
        path: PathBuf,
        /// What the backend said.
        #[source]
        source: BackendError,
    },
    /// No batch has this identifier.
    #[error("batch {batch} is not known")]
    UnknownBatch {
        /// The identifier that was asked for.
        batch: BatchId,
    },
    /// The stream's number and key do not belong together in this store, or it was removed.
    #[error("stream {key} is not known")]
    UnknownStream {
        /// The key of the stream.
        key: BatchId,
    },
    /// A value is outside of what can be stored.
    #[error("{what} is {found}, expected {expected}")]
    Invalid {
        /// The name of the field.
        what: &'static str,
        /// The value that was given.
        found: String,
        /// What is accepted.
        expected: &'static str,
    },
    /// Something is not as the caller expected it to be; nothing of the step was done.
    #[error("{what} is {found}, expected {expected}")]
    Conflict {
        /// What it is about.
        what: String,
        /// How it is.
        found: String,
        /// How the caller expected it.
        expected: String,
    },
    /// Bytes that are kept under their digest have another one now.
    #[error("the bytes of {what} were altered: their SHA-256 is {found}, expected {expected}")]
    Damaged {
        /// Whose bytes.
        what: String,
        /// The digest they have.
        found: String,
        /// The digest they had.
        expected: String,
    },
    /// There is no connection to the database; it is tried again by itself.
    #[error("database {place} cannot be reached")]
    Unreachable {
        /// The database, without user and password.
        place: String,
        /// Why.
        #[source]
        source: BackendError,
    },
    /// The database took too long; whether it did what was asked is not known.
    #[error("database {place} did not answer within {after:?}")]
    TimedOut {
        /// The database, without user and password.
        place: String,
        /// How long was waited.
        after: Duration,
    },
    /// The schema of the database holds tables of another program.
    #[error("schema '{schema}' of database {place} holds tables of another program")]
    ForeignSchema {
        /// The database, without user and password.
        place: String,
        /// The schema.
        schema: String,
    },
    /// Anything else that the backend reports.
    #[error("database {path} failed")]
    Backend {
        /// The database file.
        path: PathBuf,
        /// What the backend said.
        #[source]
        source: BackendError,
    },
}

impl StoreError {
    /// Whether the same call may succeed later without anybody changing the request: the caller
    /// keeps its rows and tries again.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Busy { .. }
                | Self::DiskFull { .. }
                | Self::Unreachable { .. }
                | Self::TimedOut { .. }
        )
    }

    pub(crate) fn invalid(
        what: &'static str,
        found: impl std::fmt::Display,
        expected: &'static str,
    ) -> Self {
        Self::Invalid {
            what,
            found: found.to_string(),
            expected,
        }
    }
}

/// The result of a store's function.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;
