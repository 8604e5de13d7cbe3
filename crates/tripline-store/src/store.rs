use crate::{
    Batch, BatchCursor, BatchEnd, BatchId, BatchPage, ClassCount, Counts, NewBatch, NewStream,
    NewVerdict, Page, Progress, Provenance, Result, RetentionOutcome, RetentionPolicy,
    StoredSource, StoredVerdict, Stream, Timeline, Timestamp, Totals, VerdictFilter, VerdictId,
};

/// What [`Store::append`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AppendOutcome {
    /// Verdicts that are new.
    pub inserted: u64,
    /// Verdicts that took the place of one of an earlier stage.
    pub superseded: u64,
    /// Verdicts whose place was taken already, by the same stage or a later one. What was there
    /// stays.
    pub already_present: u64,
}

/// How much room the store takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreSize {
    /// The database.
    pub database_bytes: u64,
    /// The part of it that holds nothing and will be used again.
    pub free_bytes: u64,
    /// The log of writes that are not yet in the database.
    pub log_bytes: u64,
}

impl StoreSize {
    /// All files together.
    pub fn total_bytes(self) -> u64 {
        self.database_bytes + self.log_bytes
    }
}

/// What [`Store::health`] found; that it answered at all says that reading works, and the caller
/// has the clock to say how fast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// The kind of store.
    pub backend: &'static str,
    /// The version of the database engine.
    pub engine_version: String,
    /// The version of the tables.
    pub schema_version: u32,
    /// The room taken.
    pub size: StoreSize,
}

/// A store of verdicts and batches. Every function blocks; each is one transaction, unless it says
/// otherwise, and an error means that nothing of it was done.
pub trait Store: Send + Sync + std::fmt::Debug {
    /// The kind of store, as [`Health::backend`] has it.
    fn backend(&self) -> &'static str;

    /// Starts a batch, which is running then. Starting it again gives the same stream and changes
    /// nothing else.
    fn create_batch(&self, batch: &NewBatch) -> Result<Stream>;

    /// Opens a stream that is not a batch, or continues the one with this key.
    fn open_stream(&self, stream: &NewStream) -> Result<Stream>;

    /// The sequence number after the highest one stored in the stream.
    fn next_sequence(&self, stream: Stream) -> Result<u64>;

    /// Stores verdicts, all or none. A place that is taken keeps its verdict, so that a repeat
    /// after an uncertain end does no harm – unless the new one is of a later
    /// [`Stage`](crate::Stage), which supersedes it whole, time included.
    fn append(
        &self,
        stream: Stream,
        provenance: &Provenance,
        verdicts: &[NewVerdict<'_>],
    ) -> Result<AppendOutcome>;

    /// The sources that are stored, by name.
    fn sources(&self) -> Result<Vec<StoredSource>>;

    /// Stores a source, in place of the one of this name. What was there keeps its key.
    fn put_source(&self, source: &StoredSource) -> Result<()>;

    /// Tells how far a running batch has come.
    fn update_progress(&self, batch: BatchId, progress: Progress) -> Result<()>;

    /// Ends a batch.
    fn finish_batch(&self, batch: BatchId, end: &BatchEnd) -> Result<()>;

    /// The batch with this identifier.
    fn batch(&self, batch: BatchId) -> Result<Option<Batch>>;

    /// The report that the batch ended with.
    fn batch_report(&self, batch: BatchId) -> Result<Option<String>>;

    /// Batches, newest first.
    fn batches(&self, after: Option<BatchCursor>, limit: usize) -> Result<BatchPage>;

    /// The verdicts of a batch by ascending sequence, after the given one.
    fn batch_rows(
        &self,
        batch: BatchId,
        after_sequence: Option<u64>,
        limit: usize,
    ) -> Result<Vec<StoredVerdict>>;

    /// The verdicts of a stream by ascending sequence, after the given one.
    fn stream_rows(
        &self,
        stream: Stream,
        after_sequence: Option<u64>,
        limit: usize,
    ) -> Result<Vec<StoredVerdict>>;

    /// How many verdicts of the batch are stored, by kind.
    fn batch_counts(&self, batch: BatchId) -> Result<Counts>;

    /// How many verdicts of the batch are stored, by class; by descending number, then by name.
    fn batch_class_counts(&self, batch: BatchId) -> Result<Vec<ClassCount>>;

    /// The verdict with this identifier.
    fn get(&self, verdict: VerdictId) -> Result<Option<StoredVerdict>>;

    /// The verdicts that the filter lets through, in its order, up to the limit.
    fn list(&self, filter: &VerdictFilter, limit: usize) -> Result<Page>;

    /// How many verdicts the filter lets through; its order and cursor do not matter.
    fn count(&self, filter: &VerdictFilter) -> Result<u64>;

    /// How many verdicts are stored, by kind.
    fn totals(&self) -> Result<Totals>;

    /// How many verdicts are stored, by class; by descending number, then by name.
    fn class_counts(&self) -> Result<Vec<ClassCount>>;

    /// Counts over the time `from..to` in about `buckets` buckets. The edges are those of whole
    /// minutes or more, so the first and the last bucket may reach beyond the time asked for.
    fn timeline(&self, from: Timestamp, to: Timestamp, buckets: u32) -> Result<Timeline>;

    /// Deletes what the policy does not let stay, the oldest first, in one transaction for each
    /// `batch_rows` verdicts; between them others may write. An error leaves the transactions
    /// before it done.
    fn retain(&self, policy: &RetentionPolicy, now: Timestamp) -> Result<RetentionOutcome>;

    /// Copies what a log of writes holds into the database, beside whoever reads and writes. To be
    /// called several times a second while rows come in; a store without such a log does nothing.
    fn checkpoint(&self) -> Result<()>;

    /// Whether the store answers, and what room it takes.
    fn health(&self) -> Result<Health>;

    /// The room taken.
    fn size(&self) -> Result<StoreSize>;
}
