use crate::{ModelId, Timestamp, VerdictId};

/// Names a label: ascending in the order in which they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelId(pub u64);

/// Whether a label counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LabelState {
    /// It does.
    Accepted,
    /// It looks odd and waits for a second person.
    Quarantined,
    /// A second person said no, or its author took it back.
    Rejected,
}

impl LabelState {
    /// All states.
    pub const ALL: [Self; 3] = [Self::Accepted, Self::Quarantined, Self::Rejected];

    /// The name used by the API and the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Quarantined => "quarantined",
            Self::Rejected => "rejected",
        }
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// What somebody says about a flow. It carries what is needed to learn from it, since the verdict
/// itself may be gone by then.
#[derive(Debug, Clone, PartialEq)]
pub struct NewLabel {
    /// The verdict it is about.
    pub verdict: VerdictId,
    /// Whether the flow is an attack.
    pub is_attack: bool,
    /// Which attack.
    pub attack_type: Option<String>,
    /// Who says so.
    pub author: String,
    /// Why, in words.
    pub note: String,
    /// Whether it counts from the start.
    pub state: LabelState,
    /// Why it is in this state.
    pub state_reason: String,
    /// Name of the schema of the features.
    pub schema: String,
    /// The row's features, as the verdict has them.
    pub features: Vec<u8>,
    /// The detector whose verdict it is about.
    pub detector: Option<ModelId>,
    /// The classifier whose verdict it is about.
    pub classifier: Option<ModelId>,
    /// The detector's probability.
    pub probability: Option<f64>,
    /// What the detector decided.
    pub called_threat: Option<bool>,
    /// The class that the verdict gave.
    pub called_class: Option<String>,
}

/// A label as it is stored. The same author's later label on the same verdict takes the place of
/// the earlier one, under a new identifier; labels of several authors stand beside each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// Its identifier.
    pub id: LabelId,
    /// What was said.
    pub label: NewLabel,
    /// When.
    pub created_at: Timestamp,
    /// When its state changed last, and who changed it.
    pub reviewed: Option<(Timestamp, String)>,
}

/// Which labels are meant; the default means all.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LabelFilter {
    /// Only those about this verdict.
    pub verdict: Option<VerdictId>,
    /// Only those by this author.
    pub author: Option<String>,
    /// Only those in this state.
    pub state: Option<LabelState>,
    /// Only those of rows of this schema.
    pub schema: Option<String>,
    /// Only those about verdicts on which accepted or quarantined labels of several authors do not
    /// agree whether it is an attack.
    pub conflicting: bool,
    /// Only those after this one.
    pub after: Option<LabelId>,
}

/// A part of a list of labels.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LabelPage {
    /// The labels.
    pub labels: Vec<Label>,
    /// Where to go on; `None` at the end.
    pub next: Option<LabelId>,
}
