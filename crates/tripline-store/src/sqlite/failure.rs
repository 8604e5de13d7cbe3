use std::path::Path;

use rusqlite::ErrorCode;

use crate::StoreError;

/// What goes wrong inside: the path is added once, where the connection is known.
#[derive(Debug)]
pub(super) enum Failure {
    Sqlite(rusqlite::Error),
    Store(StoreError),
}

pub(super) type Result<T, E = Failure> = std::result::Result<T, E>;

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Failure {
    pub(super) fn at(self, path: &Path) -> StoreError {
        let error = match self {
            Self::Store(error) => return error,
            Self::Sqlite(error) => error,
        };
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy { path },
            Some(ErrorCode::DiskFull) => StoreError::DiskFull { path },
            Some(ErrorCode::ReadOnly) => StoreError::ReadOnly { path },
            Some(ErrorCode::NotADatabase) => StoreError::NotADatabase { path },
            Some(ErrorCode::CannotOpen) => StoreError::CannotOpen {
                path,
                source: Box::new(error),
            },
            Some(ErrorCode::DatabaseCorrupt) => StoreError::Corrupt {
                path,
                source: Box::new(error),
            },
            _ => StoreError::Backend {
                path,
                source: Box::new(error),
            },
        }
    }
}

/// A stored number that no version of this program writes.
pub(super) fn damaged(column: usize, value: i64) -> Failure {
    Failure::Sqlite(rusqlite::Error::IntegralValueOutOfRange(column, value))
}
