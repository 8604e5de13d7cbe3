/// What may stay. A limit that is not given does not limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// Verdicts older than this go.
    pub max_age_micros: Option<i64>,
    /// While the data takes more than this, the oldest verdicts go. Pages that are free already
    /// do not count, for deleting rows cannot free them again.
    pub max_bytes: Option<u64>,
    /// How many verdicts go in one transaction: the longest time that a writer has to wait.
    pub batch_rows: u32,
    /// How many transactions at most; the next call goes on.
    pub max_batches: u32,
}

impl Default for RetentionPolicy {
    fn default() -> Self {
        Self {
            max_age_micros: None,
            max_bytes: None,
            batch_rows: 5_000,
            max_batches: 1_000,
        }
    }
}

/// What went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RetentionOutcome {
    /// Verdicts deleted.
    pub rows_deleted: u64,
    /// Batches that had ended, had no verdict left, and were older than the last one deleted.
    pub batches_deleted: u64,
    /// Bytes given back to the file system.
    pub bytes_freed: u64,
    /// Whether the limits hold now; otherwise there is more to do in a next call.
    pub within_limits: bool,
}
