use crate::{BatchId, Timestamp};

/// Where rows come from by themselves, and whether they do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSource {
    /// Its name.
    pub name: String,
    /// Its identifier, given once.
    pub key: BatchId,
    /// Whether it is to run.
    pub is_enabled: bool,
    /// How it is to run, as the caller encodes it.
    pub config: String,
    /// When it was last changed.
    pub updated_at: Timestamp,
}
