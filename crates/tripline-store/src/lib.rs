//! Keeps verdicts, the batches they came in, and the counts that a dashboard shows; and versions of
//! models with their history, the labels that people give, and where background work stands.
//!
//! The traits [`Store`] and [`Registry`] are what the rest of the program sees; [`SqliteStore`] keeps
//! everything in one file beside it. Verdicts are written in blocks, superseded by none but a later
//! stage of the same flow, listed newest first by cursor, and deleted oldest first by a
//! [`RetentionPolicy`].
//!
//! It deliberately knows nothing of HTTP, of models and of features: rows are plain data, and
//! features, reasons and flows are bytes that only the caller understands. It has no clock; every time
//! comes in. It starts no thread: every function blocks, and the caller decides where.
//!
//! # Invariants
//!
//! - **A repeat writes the same row.** A verdict is named by its [`Stream`] and its sequence number
//!   in it, and its [`VerdictId`] is made of both; appending a place again changes nothing.
//! - **A later [`Stage`] supersedes an earlier one**, whole and under the same identifier, never
//!   the reverse. The row gets the time of the later verdict, so a list that somebody walks by
//!   cursor meanwhile may show it once more or not again. A final verdict is never changed.
//! - **A block is stored whole or not at all**, whatever ends it: an error, a full disk, `kill -9`.
//! - **Counts describe what is stored now.** They change in the transaction that adds, supersedes
//!   or deletes the rows, so that they are always what counting the rows would give.
//! - **No list reads more than it returns**, give or take what its filter skips: each one walks an
//!   index in its own order. Filters apply before limits.
//! - **Readers never wait for the writer.**
//!
//! Of models:
//!
//! - **A [`Step`] is done whole or not at all**, whatever ends it. A task that keeps its position in
//!   the step with what it did never does it twice, however often it is killed.
//! - **Of one slot and of one name at most one version is active**, at every moment and for every
//!   reader; the database refuses a second one whatever a program does. A reader that finds the same
//!   [`epoch`](Registry::epoch) again has missed no change.
//! - **Bytes are what they were.** They lie under their SHA-256, once for whoever has the same, and
//!   are compared with it whenever they are read.
//! - **History only grows.** Each change of a version's existence, stage or texts is an event, with
//!   who and why, in the transaction of the change. A deleted version keeps its row and its events.
//! - **A label outlives its verdict.** Of one author the last word on a verdict counts; those of
//!   several stand beside each other, also when they do not agree.
//! - **A lease has one holder**, also when the clock was set back, and keeps others waiting for no
//!   longer than its length after its holder is gone.
//! - **A message is told of once**: when it was sent or given up, nothing changes that.
//!
//! # Example
//!
//! ```
//! use tripline_store::{
//!     BatchId, NewBatch, NewVerdict, Provenance, Source, SqliteStore, Stage, Store,
//!     ThreatPart, Timestamp, VerdictFilter,
//! };
//!
//! let store = SqliteStore::open_in_memory()?;
//! let stream = store.create_batch(&NewBatch {
//!     id: BatchId::from_random_bytes([7; 16]),
//!     source: Source::Upload,
//!     file_name: Some("flows.csv".to_owned()),
//!     created_at: Timestamp::from_seconds(1_700_000_000),
//!     bytes_total: None,
//! })?;
//! let verdict = NewVerdict {
//!     sequence: 0,
//!     stage: Stage::Final,
//!     created_at: Timestamp::from_seconds(1_700_000_000),
//!     row_number: Some(2),
//!     threat: Some(ThreatPart { probability: 0.98, is_threat: true }),
//!     attack: None,
//!     label: None,
//!     features: &[1, 2, 3],
//!     reasons: &[],
//!     flow: None,
//! };
//! let outcome = store.append(stream, &Provenance::default(), &[verdict])?;
//! assert_eq!(outcome.inserted, 1);
//!
//! let threats = VerdictFilter { threats_only: true, ..VerdictFilter::default() };
//! let page = store.list(&threats, 100)?;
//! assert_eq!(page.verdicts[0].id, stream.verdict_id(0));
//! assert_eq!(store.totals()?.counts.threats, 1);
//! # Ok::<(), tripline_store::StoreError>(())
//! ```

mod batch;
mod error;
mod filter;
mod id;
mod postgres;
mod registry;
mod retention;
mod source;
mod sqlite;
mod stats;
mod store;
mod tally;
mod time;
mod verdict;

pub use self::{
    batch::{Batch, BatchCursor, BatchEnd, BatchPage, BatchStatus, NewBatch, NewStream, Progress},
    error::{BackendError, Result, StoreError},
    filter::{Cursor, Order, Page, ParseCursorError, VerdictFilter},
    id::{BatchId, MAX_SEQUENCE, ParseIdError, Stream, VerdictId},
    postgres::{Copied, CopyProgress, PostgresOptions, PostgresStore},
    registry::{
        Backend, Committed, Label, LabelFilter, LabelId, LabelPage, LabelState, Message,
        MessageState, Model, ModelEvent, ModelFilter, ModelId, ModelStage, ModelTexts, NewLabel,
        NewModel, Origin, Record, Registry, Signature, Step, Task, Write,
    },
    retention::{RetentionOutcome, RetentionPolicy},
    source::StoredSource,
    sqlite::{Durability, SqliteOptions, SqliteStore},
    stats::{ClassCount, Counts, MAX_BUCKETS, Timeline, TimelinePoint, Totals},
    store::{AppendOutcome, Health, Store, StoreSize},
    time::Timestamp,
    verdict::{
        AttackPart, MAX_LABEL_BYTES, ModelRef, NamedPart, NewVerdict, Provenance, Source, Stage,
        StoredVerdict, ThreatPart,
    },
};
