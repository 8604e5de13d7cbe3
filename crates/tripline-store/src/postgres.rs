//! The store in a PostgreSQL database, which several processes may share. Calls take a connection
//! from a small pool; a lost one is an error of the call that had it, and the next call connects
//! anew.

mod append;
mod batches;
mod copy;
mod counters;
mod failure;
mod list;
mod migrations;
mod names;
mod options;
mod partitions;
mod pool;
mod read;
mod registry;
mod retain;
mod rows;
mod session;
mod sources;
mod text;
mod tls;

use std::sync::Mutex;

pub use self::{
    copy::{Copied, CopyProgress},
    options::PostgresOptions,
};
use self::{
    pool::Pool,
    retain::Step,
    session::{Mode, Session},
};
use crate::{
    AppendOutcome, Batch, BatchCursor, BatchEnd, BatchId, BatchPage, ClassCount, Counts, Health,
    NewBatch, NewStream, NewVerdict, Page, Progress, Provenance, Result, RetentionOutcome,
    RetentionPolicy, Store, StoreError, StoreSize, StoredSource, StoredVerdict, Stream, Timeline,
    Timestamp, Totals, VerdictFilter, VerdictId,
};

/// A store in a schema of a PostgreSQL database (15 or later).
///
/// Its functions block and must not be called on a thread that drives an async runtime.
///
/// Where it differs from [`SqliteStore`](crate::SqliteStore): several processes may have it open;
/// retention drops whole partitions, so a verdict stays up to
/// [`PostgresOptions::partition`] longer, and the newest partition stays whatever its size.
#[derive(Debug)]
pub struct PostgresStore {
    place: String,
    pool: Pool,
    /// Hears of changed models.
    listener: Mutex<Option<Session>>,
}

impl PostgresStore {
    /// Connects to the database, makes the schema if there is none, and brings its tables up to
    /// date. What processes that are no more have left running is ended: batches are marked as
    /// interrupted, with the numbers of rows that are really stored, `now`.
    pub fn open(options: PostgresOptions, now: Timestamp) -> Result<Self> {
        let store = Self::open_when_reachable(options, now)?;
        store.call(|_| Ok(()))?;
        Ok(store)
    }

    /// The same, but nothing is asked of the database before the first call, and each call tries
    /// again while it cannot be reached: for a server that has to be up before its database is.
    /// Attempts are made at growing, random distances; in between, calls fail at once with the
    /// reason.
    pub fn open_when_reachable(options: PostgresOptions, now: Timestamp) -> Result<Self> {
        let place = options.place();
        let timeout = options.statement_timeout;
        let pool = Pool::new(options, now).map_err(|failure| failure.at(&place, timeout))?;
        Ok(Self {
            place,
            pool,
            listener: Mutex::new(None),
        })
    }

    /// Names the database without user and password.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// How PostgreSQL goes about a list: the lines of its plan, which is carried out for it.
    pub fn explain_list(&self, filter: &VerdictFilter, limit: usize) -> Result<Vec<String>> {
        self.read(|session| list::explain(session, filter, limit))
    }

    fn listen(&self) -> Result<Session> {
        let listening = || {
            let mut session = self.pool.extra()?;
            session.batch(&format!("LISTEN {}", registry::CHANNEL))?;
            Ok(session)
        };
        listening().map_err(|failure| self.named(failure))
    }

    /// One statement, or a transaction of the closure's own.
    fn call<T>(&self, work: impl FnOnce(&mut Session) -> failure::Result<T>) -> Result<T> {
        self.pool
            .take()
            .and_then(|mut session| session.with(work))
            .map_err(|failure| self.named(failure))
    }

    /// Everything read by the closure is from the same moment.
    fn read<T>(&self, work: impl FnOnce(&mut Session) -> failure::Result<T>) -> Result<T> {
        self.call(|session| session.transaction(Mode::Read, work))
    }

    fn named(&self, failure: failure::Failure) -> StoreError {
        failure.at(&self.place, self.pool.options.statement_timeout)
    }
}

impl Store for PostgresStore {
    fn backend(&self) -> &'static str {
        "postgresql"
    }

    fn create_batch(&self, batch: &NewBatch) -> Result<Stream> {
        self.call(|session| batches::create_batch(session, self.pool.owner, batch))
    }

    fn open_stream(&self, stream: &NewStream) -> Result<Stream> {
        self.call(|session| batches::open_stream(session, self.pool.owner, stream))
    }

    fn next_sequence(&self, stream: Stream) -> Result<u64> {
        self.call(|session| batches::next_sequence(session, stream))
    }

    fn append(
        &self,
        stream: Stream,
        provenance: &Provenance,
        verdicts: &[NewVerdict<'_>],
    ) -> Result<AppendOutcome> {
        self.call(|session| append::append(session, stream, provenance, verdicts))
    }

    fn sources(&self) -> Result<Vec<StoredSource>> {
        self.call(sources::all)
    }

    fn put_source(&self, source: &StoredSource) -> Result<()> {
        self.call(|session| sources::put(session, source))
    }

    fn update_progress(&self, batch: BatchId, progress: Progress) -> Result<()> {
        self.call(|session| batches::update_progress(session, batch, progress))
    }

    fn finish_batch(&self, batch: BatchId, end: &BatchEnd) -> Result<()> {
        self.call(|session| batches::finish(session, batch, end))
    }

    fn batch(&self, batch: BatchId) -> Result<Option<Batch>> {
        self.call(|session| batches::get(session, batch))
    }

    fn batch_report(&self, batch: BatchId) -> Result<Option<String>> {
        self.call(|session| batches::report(session, batch))
    }

    fn batches(&self, after: Option<BatchCursor>, limit: usize) -> Result<BatchPage> {
        self.call(|session| batches::page(session, after, limit))
    }

    fn batch_rows(
        &self,
        batch: BatchId,
        after_sequence: Option<u64>,
        limit: usize,
    ) -> Result<Vec<StoredVerdict>> {
        self.read(|session| match batches::stream_of(session, batch)? {
            Some(stream) => read::of_stream(session, stream, after_sequence, limit),
            None => Ok(Vec::new()),
        })
    }

    fn stream_rows(
        &self,
        stream: Stream,
        after_sequence: Option<u64>,
        limit: usize,
    ) -> Result<Vec<StoredVerdict>> {
        let number = stream.number.cast_signed();
        self.read(|session| read::of_stream(session, number, after_sequence, limit))
    }

    fn batch_counts(&self, batch: BatchId) -> Result<Counts> {
        self.read(|session| match batches::stream_of(session, batch)? {
            Some(stream) => counters::of_stream(session, stream),
            None => Ok(Counts::default()),
        })
    }

    fn batch_class_counts(&self, batch: BatchId) -> Result<Vec<ClassCount>> {
        self.read(|session| match batches::stream_of(session, batch)? {
            Some(stream) => counters::by_class_of_stream(session, stream),
            None => Ok(Vec::new()),
        })
    }

    fn get(&self, verdict: VerdictId) -> Result<Option<StoredVerdict>> {
        self.call(|session| read::get(session, verdict))
    }

    fn list(&self, filter: &VerdictFilter, limit: usize) -> Result<Page> {
        self.read(|session| list::page(session, filter, limit))
    }

    fn count(&self, filter: &VerdictFilter) -> Result<u64> {
        self.read(|session| list::count(session, filter))
    }

    fn totals(&self) -> Result<Totals> {
        self.read(|session| {
            let counts = counters::all(session)?;
            let row = session.query_one(
                "SELECT (SELECT min(created_at) FROM verdicts), \
                 (SELECT max(created_at) FROM verdicts)",
                &[],
            )?;
            Ok(Totals {
                counts,
                oldest: row.get::<_, Option<i64>>(0).map(Timestamp),
                newest: row.get::<_, Option<i64>>(1).map(Timestamp),
            })
        })
    }

    fn class_counts(&self) -> Result<Vec<ClassCount>> {
        self.call(counters::by_class)
    }

    fn timeline(&self, from: Timestamp, to: Timestamp, buckets: u32) -> Result<Timeline> {
        self.call(|session| counters::timeline(session, from, to, buckets))
    }

    fn retain(&self, policy: &RetentionPolicy, now: Timestamp) -> Result<RetentionOutcome> {
        let mut outcome = RetentionOutcome::default();
        let mut before = policy
            .max_age_micros
            .map(|age| Timestamp(now.0.saturating_sub(age)));
        for _ in 0..policy.max_batches {
            match self.call(|session| retain::step(session, policy, now))? {
                Step::WithinLimits => {
                    outcome.within_limits = true;
                    break;
                }
                Step::NothingLeft => break,
                Step::Deleted { rows, bytes, up_to } => {
                    outcome.rows_deleted += rows;
                    outcome.bytes_freed += bytes;
                    before = before.max(Some(up_to));
                }
            }
        }
        if let Some(before) = before {
            outcome.batches_deleted =
                self.call(|session| retain::forget_empty_streams(session, before))?;
        }
        Ok(outcome)
    }

    fn checkpoint(&self) -> Result<()> {
        // PostgreSQL looks after its own log.
        Ok(())
    }

    fn health(&self) -> Result<Health> {
        self.read(|session| {
            let version = session.query_one("SHOW server_version", &[])?;
            Ok(Health {
                backend: self.backend(),
                engine_version: version.get(0),
                schema_version: migrations::version(session)?,
                size: retain::size(session)?,
            })
        })
    }

    fn size(&self) -> Result<StoreSize> {
        self.call(retain::size)
    }
}
