use super::{
    LabelId, LabelState, MessageState, ModelId, ModelStage, ModelTexts, NewLabel, NewModel,
};
use crate::Timestamp;

/// Writes that are done together.
#[derive(Debug, Clone, PartialEq)]
pub struct Step<'a> {
    /// When.
    pub at: Timestamp,
    /// Who: a person, or the task that decided. It stands in the history.
    pub actor: &'a str,
    /// What.
    pub writes: Vec<Write<'a>>,
}

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub enum Write<'a> {
    /// Adds a version with its bytes, and an `added` event. A version that is there already is a
    /// conflict, unless it was deleted: then it comes back, with its history. One that begins as
    /// [`ModelStage::Active`] needs a free place, as with [`Write::Stage`].
    AddModel {
        /// What is known of it.
        model: &'a NewModel,
        /// The bundle; kept once under its SHA-256, whoever else has the same.
        bytes: &'a [u8],
        /// The report of its training or import, as JSON.
        report: Option<&'a str>,
        /// Why it comes, for people.
        reason: &'a str,
    },
    /// Moves a version from one stage to another, with a `stage` event. A version in another stage
    /// than expected is a conflict. Becoming [`ModelStage::Active`] while another version of the
    /// same slot or name is active is a conflict too: that one has to leave in the same step,
    /// before.
    Stage {
        /// The version.
        model: ModelId,
        /// The stage that it has to be in.
        from: ModelStage,
        /// The stage that it comes to.
        to: ModelStage,
        /// Why, for people.
        reason: &'a str,
        /// The figures behind it, as JSON; empty when there are none.
        details: &'a str,
    },
    /// Changes what people may change, with a `described` event.
    Describe {
        /// The version.
        model: ModelId,
        /// All of it, old and new.
        texts: &'a ModelTexts,
    },
    /// Deletes a version, with a `deleted` event; only a candidate or a retired one, everything
    /// else is a conflict.
    DeleteModel {
        /// The version.
        model: ModelId,
        /// Whether its bytes may stay; otherwise they go, unless another version that is not
        /// deleted has the same.
        keep_bytes: bool,
        /// Why, for people.
        reason: &'a str,
    },
    /// Adds a label, also on a verdict that is not stored any more.
    AddLabel(&'a NewLabel),
    /// Changes whether a label counts. `by` the actor of the step. An unknown label is a conflict.
    ReviewLabel {
        /// The label.
        label: LabelId,
        /// Its new state.
        state: LabelState,
        /// Why.
        reason: &'a str,
    },
    /// Keeps a task's state. A revision other than the expected one is a conflict.
    Task {
        /// Whose state.
        key: &'a str,
        /// The state, as the caller encodes it; `None` forgets it.
        value: Option<&'a str>,
        /// The revision it has to have; `None` when there must be none.
        expected: Option<u64>,
    },
    /// Keeps a record; one of the same kind, subject and time is replaced.
    Record(&'a Record),
    /// Writes a message that is to be sent at once.
    Send {
        /// Where to.
        target: &'a str,
        /// What about.
        event: &'a str,
        /// The body, as JSON.
        body: &'a str,
    },
    /// Tells what became of a try to send a message. A message that is unknown, or was sent or given
    /// up before, is a conflict: of two who try at the same time, the slower one changes nothing.
    Tried {
        /// The message's number.
        message: u64,
        /// Its state now.
        state: MessageState,
        /// When to try next.
        next_at: Timestamp,
        /// Why it failed.
        error: Option<&'a str>,
    },
}

/// What a step made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Committed {
    /// The epoch after it.
    pub epoch: u64,
    /// The labels added, in the order of the step.
    pub labels: Vec<LabelId>,
}

/// What a task left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// As it was given.
    pub value: String,
    /// How often it was written, from 1; never reused for the same key, even after forgetting.
    pub revision: u64,
    /// When it was written last.
    pub updated_at: Timestamp,
}

/// Something that was measured at a time: a window of drift, a comparison, a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What kind of thing.
    pub kind: String,
    /// What it is about, such as a model's identifier.
    pub subject: String,
    /// The time it speaks of.
    pub at: Timestamp,
    /// The figures, as JSON.
    pub value: String,
}
