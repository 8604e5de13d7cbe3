use crate::{BatchId, Source, Timestamp};

/// A batch to be started. A batch is also the job that fills it: one identifier serves for both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBatch {
    /// Its identifier, from the caller.
    pub id: BatchId,
    /// By which way its rows come in.
    pub source: Source,
    /// The name of the file, as the client gave it.
    pub file_name: Option<String>,
    /// When it was started.
    pub created_at: Timestamp,
    /// The size of the file, when it is known.
    pub bytes_total: Option<u64>,
}

/// A stream that is not a batch: the single scores of a process, a partition of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewStream {
    /// Its key. Opening a key again continues the stream, so a key is random where the stream is
    /// new with each process and derived where it has a position of its own.
    pub key: BatchId,
    /// By which way its rows come in.
    pub source: Source,
    /// When it was opened.
    pub created_at: Timestamp,
}

/// How far the work on a batch has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BatchStatus {
    /// Rows are still coming.
    Running,
    /// All rows are stored or rejected.
    Complete,
    /// The work was given up; what is stored stays.
    Failed,
    /// The process ended before the work did; what is stored stays.
    Interrupted,
}

impl BatchStatus {
    const ALL: [Self; 4] = [
        Self::Running,
        Self::Complete,
        Self::Failed,
        Self::Interrupted,
    ];

    /// The name used by the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }

    pub(crate) fn code(self) -> i64 {
        match self {
            Self::Running => 0,
            Self::Complete => 1,
            Self::Failed => 2,
            Self::Interrupted => 3,
        }
    }

    pub(crate) fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }
}

/// How much of a batch has been worked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Bytes of the file read.
    pub bytes_read: u64,
    /// Rows read.
    pub rows_read: u64,
    /// Rows scored and stored.
    pub rows_scored: u64,
    /// Rows rejected.
    pub rows_rejected: u64,
}

/// How a batch ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchEnd {
    /// [`BatchStatus::Complete`] or [`BatchStatus::Failed`].
    pub status: BatchStatus,
    /// When.
    pub finished_at: Timestamp,
    /// The last progress.
    pub progress: Progress,
    /// The schema of its rows, when one was found.
    pub schema: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// The report, as JSON text; the store does not look into it.
    pub report: Option<String>,
}

/// A batch as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its identifier.
    pub id: BatchId,
    /// By which way its rows came in.
    pub source: Source,
    /// How far the work has come.
    pub status: BatchStatus,
    /// The name of the file.
    pub file_name: Option<String>,
    /// The schema of its rows.
    pub schema: Option<String>,
    /// When it was started.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The size of the file.
    pub bytes_total: Option<u64>,
    /// The last progress told.
    pub progress: Progress,
    /// Why it failed.
    pub error: Option<String>,
    /// Rows stored now: what retention has left of those scored.
    pub rows_stored: u64,
}

/// Where a list of batches goes on; opaque like [`Cursor`](crate::Cursor).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchCursor {
    pub(crate) created_at: Timestamp,
    pub(crate) stream: i64,
}

/// A part of the list of batches, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchPage {
    /// The batches.
    pub batches: Vec<Batch>,
    /// Where to go on; `None` at the end.
    pub next: Option<BatchCursor>,
}
