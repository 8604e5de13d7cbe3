//! The life of models as rows: versions and their bytes, stages, history, labels, what was measured
//! while they served, and messages about all of it.
//!
//! Everything that changes goes through [`Registry::commit`]: a [`Step`] is a list of [`Write`]s of
//! which all are done or none. A background task keeps its own position as one of these writes, so
//! that after `kill -9` it is as before the step or as after it, never between.

mod label;
mod limits;
mod message;
mod model;
mod step;

pub(crate) use self::limits::check_lease;
pub use self::{
    label::{Label, LabelFilter, LabelId, LabelPage, LabelState, NewLabel},
    message::{Message, MessageState},
    model::{
        Model, ModelEvent, ModelFilter, ModelId, ModelStage, ModelTexts, NewModel, Origin,
        Signature,
    },
    step::{Committed, Record, Step, Task, Write},
};
use std::time::Duration;

use crate::{Result, Timestamp};

/// What a store knows of models and of what became of them. Like [`Store`](crate::Store), every
/// function blocks and is one transaction.
pub trait Registry: Send + Sync + std::fmt::Debug {
    /// Does all writes of the step, or none and says why. A write whose expectation does not hold
    /// is [`StoreError::Conflict`](crate::StoreError::Conflict).
    fn commit(&self, step: &Step<'_>) -> Result<Committed>;

    /// A number that every [`commit`](Self::commit) which touches a model's existence or stage
    /// raises. Cheap to ask: how other workers find out that they have to look.
    fn epoch(&self) -> Result<u64>;

    /// Waits until the [epoch](Self::epoch) is another one than `known`, but no longer than `at_most`;
    /// the epoch then. It is told within the time that a message takes. After an error, such as a
    /// connection that was lost, the next call begins anew.
    ///
    /// A store that no other process can have open has nobody to hear of: it says `None` at once.
    fn wait_for_epoch(&self, known: u64, at_most: Duration) -> Result<Option<u64>> {
        let _ = (known, at_most);
        Ok(None)
    }

    /// The model with this identifier, deleted ones included.
    fn model(&self, id: ModelId) -> Result<Option<Model>>;

    /// Models by ascending time of creation, then by identifier.
    fn models(&self, filter: &ModelFilter) -> Result<Vec<Model>>;

    /// The bytes of a model, `None` when they were deleted. They are compared with their digest
    /// first; when somebody has altered them this is
    /// [`StoreError::Damaged`](crate::StoreError::Damaged).
    fn model_bytes(&self, id: ModelId) -> Result<Option<Vec<u8>>>;

    /// The report of a model's training or import, as it was given.
    fn model_report(&self, id: ModelId) -> Result<Option<String>>;

    /// What happened to a model, or to all, newest first, before the given number.
    fn model_events(
        &self,
        model: Option<ModelId>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<ModelEvent>>;

    /// Labels by ascending identifier.
    fn labels(&self, filter: &LabelFilter, limit: usize) -> Result<LabelPage>;

    /// How many labels the filter lets through.
    fn count_labels(&self, filter: &LabelFilter) -> Result<u64>;

    /// What a task left behind under this key.
    fn task(&self, key: &str) -> Result<Option<Task>>;

    /// Records of a kind about one subject, or about all, by ascending time, those of `from..to`;
    /// when there are more than `limit`, the newest of them.
    fn records(
        &self,
        kind: &str,
        subject: Option<&str>,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> Result<Vec<Record>>;

    /// Deletes records older than this; how many.
    fn trim_records(&self, before: Timestamp) -> Result<u64>;

    /// Messages that are to be sent now, the longest waiting first.
    fn due_messages(&self, now: Timestamp, limit: usize) -> Result<Vec<Message>>;

    /// The newest messages, whatever became of them.
    fn recent_messages(&self, limit: usize) -> Result<Vec<Message>>;

    /// Takes or renews a lease: true when `holder` has it until `until`. Another holder's lease is
    /// only taken when it ended before `now`.
    ///
    /// Whoever asks for one name asks for the same length of time. A lease that lasts longer than
    /// the one asked for was taken before the clock was set back; it is shortened to the time asked
    /// for and stays with its holder, so that a holder that is gone keeps others waiting for the
    /// length of one lease and no longer.
    fn take_lease(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool>;

    /// Gives a lease back, if this holder has it.
    fn release_lease(&self, name: &str, holder: &str) -> Result<()>;
}

/// Something is not as a step expects it.
pub(crate) fn conflict(what: impl Into<String>, found: &str, expected: &str) -> crate::StoreError {
    crate::StoreError::Conflict {
        what: what.into(),
        found: found.to_owned(),
        expected: expected.to_owned(),
    }
}

/// A whole store: verdicts and models.
pub trait Backend: crate::Store + Registry {}

impl<T: crate::Store + Registry> Backend for T {}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
