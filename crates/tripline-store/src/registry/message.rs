use crate::Timestamp;

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageState {
    /// It is to be sent.
    Waiting,
    /// Its receiver has it.
    Sent,
    /// It was tried often enough.
    GivenUp,
}

impl MessageState {
    /// All states.
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Sent, Self::GivenUp];

    /// The name used by the API and the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::GivenUp => "given_up",
        }
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// Something that somebody outside is to be told: written with what it tells of, sent afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Ascending in the order in which they were written.
    pub number: u64,
    /// Where it goes.
    pub target: String,
    /// What it is about, such as `model.stage`.
    pub event: String,
    /// The body, as JSON.
    pub body: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// What became of it.
    pub state: MessageState,
    /// How often it was tried.
    pub attempts: u32,
    /// When to try next.
    pub next_at: Timestamp,
    /// Why the last try failed.
    pub last_error: Option<String>,
}
