//! The embedded store. One connection writes, behind a mutex; a few others only read and see the
//! last commit, so that no reader ever waits for the writer.

mod append;
mod batches;
mod connection;
mod counters;
mod failure;
mod list;
mod migrations;
mod raw;
mod read;
mod registry;
mod retain;
mod sources;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
};

use rusqlite::Connection;

pub use self::connection::{Durability, SqliteOptions};
use self::{
    append::Interned,
    connection::{Ownership, Readers, lock},
    retain::Step,
};
use crate::{
    AppendOutcome, Batch, BatchCursor, BatchEnd, BatchId, BatchPage, ClassCount, Counts, Health,
    NewBatch, NewStream, NewVerdict, Page, Progress, Provenance, Result, RetentionOutcome,
    RetentionPolicy, Store, StoreSize, StoredSource, StoredVerdict, Stream, Timeline, Timestamp,
    Totals, VerdictFilter, VerdictId,
};

/// A store in one SQLite file, or in memory for tests.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    writer: Mutex<Writer>,
    /// `None` in memory, where another connection would be another database.
    readers: Option<Readers>,
    /// `None` in memory, which has no log.
    checkpointer: Option<Mutex<Connection>>,
    _ownership: Option<Ownership>,
}

#[derive(Debug)]
struct Writer {
    connection: Connection,
    interned: Interned,
}

impl SqliteStore {
    /// Opens the database, makes it if there is none, and brings its tables up to date. What
    /// another process has left running is ended: batches are marked as interrupted, with the
    /// numbers of rows that are really stored, `now`.
    ///
    /// The store owns the file until it is dropped: a second store on it is refused.
    pub fn open(path: &Path, options: &SqliteOptions, now: Timestamp) -> Result<Self> {
        Self::open_file(path, options, now).map_err(|failure| failure.at(path))
    }

    fn open_file(path: &Path, options: &SqliteOptions, now: Timestamp) -> failure::Result<Self> {
        let (mut connection, ownership) = connection::open_writer(path, options)?;
        batches::end_abandoned(&mut connection, now)?;
        let readers = Readers::open(path, options)?;
        let checkpointer = connection::open_checkpointer(path, options)?;
        Ok(Self {
            path: path.to_owned(),
            writer: Mutex::new(Writer {
                connection,
                interned: Interned::default(),
            }),
            readers: Some(readers),
            checkpointer: Some(Mutex::new(checkpointer)),
            _ownership: Some(ownership),
        })
    }

    /// Opens an empty store that goes with the value.
    pub fn open_in_memory() -> Result<Self> {
        let path = PathBuf::from(":memory:");
        let connection = connection::open_in_memory(&SqliteOptions::default())
            .map_err(|failure| failure.at(&path))?;
        Ok(Self {
            path,
            writer: Mutex::new(Writer {
                connection,
                interned: Interned::default(),
            }),
            readers: None,
            checkpointer: None,
            _ownership: None,
        })
    }

    /// How SQLite goes about a list: the lines of its query plan.
    pub fn explain_list(&self, filter: &VerdictFilter, limit: usize) -> Result<Vec<String>> {
        self.read(|connection| list::explain(connection, filter, limit))
    }

    /// Everything read by the closure is from the same moment.
    fn read<T>(&self, read: impl FnOnce(&Connection) -> failure::Result<T>) -> Result<T> {
        let in_transaction = |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            let value = read(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        let result = match &self.readers {
            Some(readers) => readers.take().with(in_transaction),
            None => in_transaction(&mut lock(&self.writer).connection),
        };
        result.map_err(|failure| failure.at(&self.path))
    }

    fn write<T>(&self, write: impl FnOnce(&mut Writer) -> failure::Result<T>) -> Result<T> {
        write(&mut lock(&self.writer)).map_err(|failure| failure.at(&self.path))
    }

    fn delete_oldest(
        &self,
        policy: &RetentionPolicy,
        now: Timestamp,
        outcome: &mut RetentionOutcome,
    ) -> Result<()> {
        let mut before = policy
            .max_age_micros
            .map(|age| Timestamp(now.0.saturating_sub(age)));
        for _ in 0..policy.max_batches {
            match self.write(|writer| retain::step(&mut writer.connection, policy, now))? {
                Step::WithinLimits => {
                    outcome.within_limits = true;
                    break;
                }
                Step::NothingLeft => break,
                Step::Deleted { rows, up_to } => {
                    outcome.rows_deleted += rows;
                    before = before.max(Some(up_to));
                }
            }
        }
        if let Some(before) = before {
            outcome.batches_deleted =
                self.write(|writer| retain::forget_empty_streams(&mut writer.connection, before))?;
        }
        Ok(())
    }

    fn stored_size(&self, connection: &Connection) -> failure::Result<StoreSize> {
        let (database_bytes, free_bytes) = retain::size(connection)?;
        let mut log = self.path.as_os_str().to_owned();
        log.push("-wal");
        // No log is an empty log.
        let log_bytes = fs::metadata(PathBuf::from(log)).map_or(0, |metadata| metadata.len());
        Ok(StoreSize {
            database_bytes,
            free_bytes,
            log_bytes,
        })
    }
}

impl Store for SqliteStore {
    fn backend(&self) -> &'static str {
        "sqlite"
    }

    fn create_batch(&self, batch: &NewBatch) -> Result<Stream> {
        self.write(|writer| batches::create_batch(&mut writer.connection, batch))
    }

    fn open_stream(&self, stream: &NewStream) -> Result<Stream> {
        self.write(|writer| batches::open_stream(&mut writer.connection, stream))
    }

    fn next_sequence(&self, stream: Stream) -> Result<u64> {
        self.read(|connection| batches::next_sequence(connection, stream))
    }

    fn append(
        &self,
        stream: Stream,
        provenance: &Provenance,
        verdicts: &[NewVerdict<'_>],
    ) -> Result<AppendOutcome> {
        self.write(
            |Writer {
                 connection,
                 interned,
             }| { append::append(connection, interned, stream, provenance, verdicts) },
        )
    }

    fn sources(&self) -> Result<Vec<StoredSource>> {
        self.read(sources::all)
    }

    fn put_source(&self, source: &StoredSource) -> Result<()> {
        self.write(|writer| sources::put(&writer.connection, source))
    }

    fn update_progress(&self, batch: BatchId, progress: Progress) -> Result<()> {
        self.write(|writer| batches::update_progress(&writer.connection, batch, progress))
    }

    fn finish_batch(&self, batch: BatchId, end: &BatchEnd) -> Result<()> {
        self.write(|writer| batches::finish(&mut writer.connection, batch, end))
    }

    fn batch(&self, batch: BatchId) -> Result<Option<Batch>> {
        self.read(|connection| batches::get(connection, batch))
    }

    fn batch_report(&self, batch: BatchId) -> Result<Option<String>> {
        self.read(|connection| batches::report(connection, batch))
    }

    fn batches(&self, after: Option<BatchCursor>, limit: usize) -> Result<BatchPage> {
        self.read(|connection| batches::page(connection, after, limit))
    }

    fn batch_rows(
        &self,
        batch: BatchId,
        after_sequence: Option<u64>,
        limit: usize,
    ) -> Result<Vec<StoredVerdict>> {
        self.read(|connection| match batches::stream_of(connection, batch)? {
            Some(stream) => read::of_stream(connection, stream, after_sequence, limit),
            None => Ok(Vec::new()),
        })
    }

    fn stream_rows(
        &self,
        stream: Stream,
        after_sequence: Option<u64>,
        limit: usize,
    ) -> Result<Vec<StoredVerdict>> {
        let number = i64::from(stream.number);
        self.read(|connection| read::of_stream(connection, number, after_sequence, limit))
    }

    fn batch_counts(&self, batch: BatchId) -> Result<Counts> {
        self.read(|connection| match batches::stream_of(connection, batch)? {
            Some(stream) => counters::of_stream(connection, stream),
            None => Ok(Counts::default()),
        })
    }

    fn batch_class_counts(&self, batch: BatchId) -> Result<Vec<ClassCount>> {
        self.read(|connection| match batches::stream_of(connection, batch)? {
            Some(stream) => counters::by_class_of_stream(connection, stream),
            None => Ok(Vec::new()),
        })
    }

    fn get(&self, verdict: VerdictId) -> Result<Option<StoredVerdict>> {
        self.read(|connection| read::get(connection, verdict))
    }

    fn list(&self, filter: &VerdictFilter, limit: usize) -> Result<Page> {
        self.read(|connection| list::page(connection, filter, limit))
    }

    fn count(&self, filter: &VerdictFilter) -> Result<u64> {
        self.read(|connection| list::count(connection, filter))
    }

    fn totals(&self) -> Result<Totals> {
        self.read(|connection| {
            let counts = counters::all(connection)?;
            let (oldest, newest): (Option<i64>, Option<i64>) = connection
                .prepare_cached(
                    "SELECT (SELECT min(created_at) FROM verdicts), \
                     (SELECT max(created_at) FROM verdicts)",
                )?
                .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let (oldest, newest) = (oldest.map(Timestamp), newest.map(Timestamp));
            Ok(Totals {
                counts,
                oldest,
                newest,
            })
        })
    }

    fn class_counts(&self) -> Result<Vec<ClassCount>> {
        self.read(counters::by_class)
    }

    fn timeline(&self, from: Timestamp, to: Timestamp, buckets: u32) -> Result<Timeline> {
        self.read(|connection| counters::timeline(connection, from, to, buckets))
    }

    fn retain(&self, policy: &RetentionPolicy, now: Timestamp) -> Result<RetentionOutcome> {
        let mut outcome = RetentionOutcome::default();
        self.delete_oldest(policy, now, &mut outcome)?;
        for _ in 0..policy.max_batches {
            match self.write(|writer| retain::give_back(&writer.connection))? {
                0 => break,
                bytes => outcome.bytes_freed += bytes,
            }
        }
        if outcome.bytes_freed > 0 {
            self.checkpoint()?;
        }
        Ok(outcome)
    }

    fn checkpoint(&self) -> Result<()> {
        let Some(connection) = &self.checkpointer else {
            return Ok(());
        };
        retain::checkpoint(&lock(connection)).map_err(|failure| failure.at(&self.path))
    }

    fn health(&self) -> Result<Health> {
        self.read(|connection| {
            Ok(Health {
                backend: self.backend(),
                engine_version: rusqlite::version().to_owned(),
                schema_version: migrations::version(connection)?,
                size: self.stored_size(connection)?,
            })
        })
    }

    fn size(&self) -> Result<StoreSize> {
        self.read(|connection| self.stored_size(connection))
    }
}
