use std::{
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use super::{failure::Result, migrations};
use crate::StoreError;

/// How hard a commit tries to survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// A commit survives the end of the process, however it ends. When the machine loses power,
    /// the last commits may be undone, in order and whole.
    #[default]
    ProcessCrash,
    /// A commit also survives the loss of power; each one waits for the disk.
    PowerLoss,
}

/// How a SQLite store is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteOptions {
    /// How long to wait for a lock that another connection holds.
    pub busy_timeout: Duration,
    /// How many reads run at a time; further ones wait for their turn, never for the writer.
    pub readers: usize,
    /// What a commit survives.
    pub durability: Durability,
    /// Memory for pages, for each connection.
    pub cache_bytes: u64,
    /// How much of the file is mapped rather than read.
    pub mmap_bytes: u64,
    /// The size that the database may never exceed; writes beyond it fail as on a full disk.
    pub hard_limit_bytes: Option<u64>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            busy_timeout: Duration::from_secs(5),
            readers: 4,
            durability: Durability::ProcessCrash,
            cache_bytes: 32 << 20,
            mmap_bytes: 1 << 30,
            hard_limit_bytes: None,
        }
    }
}

const PAGE_BYTES: i64 = 8192;

/// Pages in the log, 256 MiB, at which the writer itself copies them into the database and makes
/// everybody wait. [`Store::checkpoint`](crate::Store::checkpoint) does it beside the writer and
/// long before.
const CHECKPOINT_PAGES: i64 = 32_768;
/// Pages to which the log's file is cut back: 64 MiB.
const KEPT_LOG_PAGES: i64 = 8192;

/// Holds the database against a second process for as long as it lives; the system gives it back
/// however the process ends. SQLite's own locks cannot do that, for they come and go.
#[derive(Debug)]
pub(super) struct Ownership {
    _file: File,
}

impl Ownership {
    fn take(database: &Path) -> Result<Self, StoreError> {
        let mut name = database.as_os_str().to_owned();
        name.push(".lock");
        let cannot_open = |error: io::Error| match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                StoreError::ReadOnly {
                    path: database.to_owned(),
                }
            }
            _ => StoreError::CannotOpen {
                path: database.to_owned(),
                source: Box::new(error),
            },
        };
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(PathBuf::from(name))
            .map_err(cannot_open)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse {
                path: database.to_owned(),
            }),
            Err(TryLockError::Error(error)) => Err(cannot_open(error)),
        }
    }
}

/// Opens the one connection that writes, and brings the tables up to date.
pub(super) fn open_writer(path: &Path, options: &SqliteOptions) -> Result<(Connection, Ownership)> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(options.busy_timeout)?;
    migrations::check_is_ours(&connection, path)?;
    let ownership = Ownership::take(path)?;
    if connection.is_readonly("main")? {
        return Err(StoreError::ReadOnly {
            path: path.to_owned(),
        }
        .into());
    }
    set_up_writer(&mut connection, options)?;
    Ok((connection, ownership))
}

pub(super) fn open_in_memory(options: &SqliteOptions) -> Result<Connection> {
    let mut connection = Connection::open_in_memory()?;
    set_up_writer(&mut connection, options)?;
    Ok(connection)
}

fn set_up_writer(connection: &mut Connection, options: &SqliteOptions) -> Result<()> {
    // The first two only act on an empty file and have to come before the journal mode.
    pragma(connection, "page_size", PAGE_BYTES)?;
    pragma(connection, "auto_vacuum", "INCREMENTAL")?;
    pragma(connection, "journal_mode", "WAL")?;
    pragma(connection, "synchronous", synchronous(options))?;
    pragma(connection, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    pragma(
        connection,
        "journal_size_limit",
        KEPT_LOG_PAGES * PAGE_BYTES,
    )?;
    pragma(connection, "temp_store", "MEMORY")?;
    set_up_memory(connection, options)?;
    if let Some(bytes) = options.hard_limit_bytes {
        pragma(
            connection,
            "max_page_count",
            (bytes.cast_signed() / PAGE_BYTES).max(1),
        )?;
    }
    migrations::migrate(connection)
}

fn set_up_memory(connection: &Connection, options: &SqliteOptions) -> Result<()> {
    connection.set_prepared_statement_cache_capacity(64);
    // Negative: KiB rather than pages.
    pragma(
        connection,
        "cache_size",
        -((options.cache_bytes / 1024) as i64),
    )?;
    pragma(connection, "mmap_size", options.mmap_bytes.cast_signed())
}

/// Opens the connection that copies the log into the database.
pub(super) fn open_checkpointer(path: &Path, options: &SqliteOptions) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(options.busy_timeout)?;
    pragma(&connection, "synchronous", synchronous(options))?;
    Ok(connection)
}

fn synchronous(options: &SqliteOptions) -> &'static str {
    match options.durability {
        Durability::ProcessCrash => "NORMAL",
        Durability::PowerLoss => "FULL",
    }
}

fn open_reader(path: &Path, options: &SqliteOptions) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(options.busy_timeout)?;
    set_up_memory(&connection, options)?;
    Ok(connection)
}

fn pragma(connection: &Connection, name: &str, value: impl rusqlite::ToSql) -> Result<()> {
    // Some answer with the new value and some do not.
    connection
        .pragma_update_and_check(None, name, value, |_| Ok(()))
        .or_else(|error| match error {
            rusqlite::Error::QueryReturnedNoRows => Ok(()),
            other => Err(other.into()),
        })
}

/// Read-only connections, handed out one to a call.
#[derive(Debug)]
pub(super) struct Readers {
    idle: Mutex<Vec<Connection>>,
    returned: Condvar,
}

impl Readers {
    pub(super) fn open(path: &Path, options: &SqliteOptions) -> Result<Self> {
        let idle = (0..options.readers.max(1))
            .map(|_| open_reader(path, options))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            idle: Mutex::new(idle),
            returned: Condvar::new(),
        })
    }

    pub(super) fn take(&self) -> Reader<'_> {
        let mut idle = lock(&self.idle);
        loop {
            if let Some(connection) = idle.pop() {
                return Reader {
                    connection: Some(connection),
                    readers: self,
                };
            }
            idle = self
                .returned
                .wait(idle)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A connection that goes back when it is dropped.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    connection: Option<Connection>,
    readers: &'a Readers,
}

impl Reader<'_> {
    pub(super) fn with<T>(&mut self, read: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        match &mut self.connection {
            Some(connection) => read(connection),
            // It is only taken away by `drop`.
            None => Err(rusqlite::Error::InvalidQuery.into()),
        }
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            lock(&self.readers.idle).push(connection);
            self.readers.returned.notify_one();
        }
    }
}

/// A panic elsewhere has rolled its transaction back by dropping it, so what the mutex guards is
/// sound.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
