use std::{fmt, str::FromStr};

use uuid::Uuid;

use crate::{ParseIdError, Timestamp};

/// Names a version of a model. The caller derives it from name and version, so that the same model
/// has the same identifier everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelId(Uuid);

impl ModelId {
    /// Takes the sixteen bytes of a UUID as they are.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The sixteen bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(formatter)
    }
}

impl FromStr for ModelId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        Uuid::try_parse(text)
            .map(Self)
            .map_err(|_| ParseIdError { what: "model" })
    }
}

/// How far a version has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ModelStage {
    /// It is there and judges nothing.
    Candidate,
    /// It judges what the active one judges, and nobody sees it.
    Shadow,
    /// It judges a share of the flows.
    Canary,
    /// It judges.
    Active,
    /// It has judged, or was given up.
    Retired,
}

impl ModelStage {
    /// All stages, in the order of a life.
    pub const ALL: [Self; 5] = [
        Self::Candidate,
        Self::Shadow,
        Self::Canary,
        Self::Active,
        Self::Retired,
    ];

    /// The name used by the API and the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Shadow => "shadow",
            Self::Canary => "canary",
            Self::Active => "active",
            Self::Retired => "retired",
        }
    }

    /// The stage with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }
}

/// Where a version came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// It came with the program.
    Shipped,
    /// Somebody uploaded it.
    Uploaded,
    /// It was trained here.
    Retrained,
}

impl Origin {
    /// All origins.
    pub const ALL: [Self; 3] = [Self::Shipped, Self::Uploaded, Self::Retrained];

    /// The name used by the API and the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shipped => "shipped",
            Self::Uploaded => "uploaded",
            Self::Retrained => "retrained",
        }
    }

    /// The origin with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|origin| origin.name() == name)
    }
}

/// Who signed the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Identifier of the key, as minisign writes it.
    pub key_id: String,
    /// Whether the key was on the list of trusted ones when the model came.
    pub trusted: bool,
    /// The trusted comment inside the signature.
    pub comment: String,
}

/// What people may change about a model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModelTexts {
    /// One sentence for people.
    pub description: String,
    /// Whatever somebody wants to remember.
    pub notes: String,
    /// Words to find it by.
    pub tags: Vec<String>,
}

impl ModelTexts {
    /// The tags as one text. They hold no line break, which [`Step::check`](crate::Step::check)
    /// sees to.
    pub(crate) fn joined_tags(&self) -> String {
        self.tags.join("\n")
    }

    pub(crate) fn split_tags(tags: &str) -> Vec<String> {
        tags.lines().map(ToOwned::to_owned).collect()
    }
}

/// A version to be added.
#[derive(Debug, Clone, PartialEq)]
pub struct NewModel {
    /// Its identifier.
    pub id: ModelId,
    /// The model's name: what it is, without when.
    pub name: String,
    /// The version inside the name.
    pub version: String,
    /// What it is for: `detector`, `classifier` or `namer`.
    pub role: String,
    /// Name of its feature schema.
    pub schema: String,
    /// What it takes the place of: two models of one slot are never active together.
    pub slot: String,
    /// The stage it begins in.
    pub stage: ModelStage,
    /// Where it came from.
    pub origin: Origin,
    /// The version that it is meant to follow.
    pub parent: Option<ModelId>,
    /// What people may change later.
    pub texts: ModelTexts,
    /// The name of the file that it came in.
    pub original_filename: String,
    /// The form of that file: `tripline`, `onnx`, `xgboost` or `lightgbm`.
    pub file_format: String,
    /// SHA-256 of that file, in hexadecimal, where it is not the bundle itself.
    pub source_digest: Option<String>,
    /// Who brought it.
    pub uploaded_by: Option<String>,
    /// The manifest, as JSON.
    pub manifest: String,
    /// What was checked before it was let in, as JSON.
    pub checks: String,
    /// Who signed it.
    pub signature: Option<Signature>,
}

/// A version as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// What was given.
    pub model: NewModel,
    /// Its stage now; `model.stage` says the same.
    pub stage: ModelStage,
    /// SHA-256 of the bundle, in hexadecimal: the name under which its bytes are kept.
    pub digest: String,
    /// Size of the bundle in bytes.
    pub bytes: u64,
    /// Whether its bytes are still there.
    pub has_bytes: bool,
    /// When it came.
    pub created_at: Timestamp,
    /// When its stage changed last.
    pub stage_changed_at: Timestamp,
    /// When it was deleted. Its row and history stay.
    pub deleted_at: Option<Timestamp>,
}

impl Model {
    /// Whether the two cannot both be active: they have the same slot or the same name.
    pub fn competes(&self, other: &Self) -> bool {
        self.model.slot == other.model.slot || self.model.name == other.model.name
    }
}

/// Which models are meant; the default means all that are not deleted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModelFilter {
    /// Only those of this role.
    pub role: Option<String>,
    /// Only those with this name.
    pub name: Option<String>,
    /// Only those of this slot.
    pub slot: Option<String>,
    /// Only those in one of these stages; an empty list means any.
    pub stages: Vec<ModelStage>,
    /// Deleted ones too.
    pub with_deleted: bool,
}

/// Something that happened to a model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelEvent {
    /// Ascending over all models.
    pub number: u64,
    /// The model.
    pub model: ModelId,
    /// When.
    pub at: Timestamp,
    /// Who: a person, or the task that decided.
    pub actor: String,
    /// What: `added`, `stage`, `described` or `deleted`.
    pub kind: String,
    /// The stage before, where it changed.
    pub from: Option<ModelStage>,
    /// The stage after, where it changed.
    pub to: Option<ModelStage>,
    /// Why, for people.
    pub reason: String,
    /// The figures behind it, as JSON; empty when there are none.
    pub details: String,
}
