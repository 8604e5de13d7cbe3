use serde::Serialize;
use utoipa::ToSchema;

use super::super::error::ApiError;

/// What became of generated records: `generated` is the sum of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
#[schema(as = TestTrafficBooks)]
pub(crate) struct Books {
    /// Records made.
    pub(crate) generated: u64,
    /// Judged and stored by this process.
    pub(crate) scored: u64,
    /// Acknowledged by Kafka; the books of the topic say what became of them then.
    pub(crate) sent: u64,
    /// Refused as a row that no model can judge.
    pub(crate) rejected: u64,
    /// Given up because there was no model, or the store or Kafka did not take them.
    pub(crate) dropped: u64,
    /// On their way.
    pub(crate) pending: u64,
}

/// How a record's way ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Scored,
    Sent,
    Rejected,
    Dropped,
}

impl Outcome {
    pub(super) fn of(error: &ApiError) -> Self {
        if error.is_bad_request() {
            Self::Rejected
        } else {
            Self::Dropped
        }
    }
}

impl Books {
    /// What became of records, by name; all but those on their way.
    pub(crate) fn outcomes(&self) -> [(&'static str, u64); 5] {
        [
            ("generated", self.generated),
            ("scored", self.scored),
            ("sent", self.sent),
            ("rejected", self.rejected),
            ("dropped", self.dropped),
        ]
    }

    pub(super) fn begin(&mut self) {
        self.generated += 1;
        self.pending += 1;
    }

    pub(super) fn end(&mut self, outcome: Outcome) {
        self.pending -= 1;
        *match outcome {
            Outcome::Scored => &mut self.scored,
            Outcome::Sent => &mut self.sent,
            Outcome::Rejected => &mut self.rejected,
            Outcome::Dropped => &mut self.dropped,
        } += 1;
    }
}
