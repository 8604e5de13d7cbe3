use std::borrow::Cow;

use crate::{BatchId, MAX_SEQUENCE, Result, StoreError, Timestamp, VerdictId};

/// The way by which a row came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A file that was uploaded.
    Upload,
    /// The scoring API.
    Realtime,
    /// Packets of an interface or a capture file.
    PacketCapture,
    /// A Kafka topic.
    ExternalKafka,
    /// The test stream.
    Generated,
}

impl Source {
    /// All sources.
    pub const ALL: [Self; 5] = [
        Self::Upload,
        Self::Realtime,
        Self::PacketCapture,
        Self::ExternalKafka,
        Self::Generated,
    ];

    /// The name used by the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Realtime => "realtime",
            Self::PacketCapture => "packet_capture",
            Self::ExternalKafka => "external_kafka",
            Self::Generated => "generated",
        }
    }

    /// The source with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }

    /// What is written to the database; the numbers are for ever.
    pub(crate) fn code(self) -> i64 {
        match self {
            Self::Upload => 0,
            Self::Realtime => 1,
            Self::PacketCapture => 2,
            Self::ExternalKafka => 3,
            Self::Generated => 4,
        }
    }

    pub(crate) fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.code() == code)
    }
}

/// How final a verdict is. A later stage supersedes an earlier one at the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Stage {
    /// On a flow that goes on.
    Early,
    /// On a flow whose connection is over; only stragglers can follow.
    Over,
    /// Nothing can follow.
    #[default]
    Final,
}

impl Stage {
    const ALL: [Self; 3] = [Self::Early, Self::Over, Self::Final];

    /// What is written to the database; the numbers are for ever, and their order is that of the
    /// stages.
    pub(crate) fn code(self) -> i64 {
        match self {
            Self::Early => 0,
            Self::Over => 1,
            Self::Final => 2,
        }
    }

    pub(crate) fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.code() == code)
    }
}

/// A model that had its say.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelRef {
    /// The model's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The probability from which on it says yes, for models that say yes or no.
    pub threshold: Option<f64>,
}

/// Which schema the rows had and which models gave the verdicts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Provenance {
    /// Name of the feature schema.
    pub schema: String,
    /// Its version.
    pub schema_version: u32,
    /// Its fingerprint, as text.
    pub schema_fingerprint: String,
    /// The model behind the threat part.
    pub detector: Option<ModelRef>,
    /// The model behind the attack part.
    pub classifier: Option<ModelRef>,
    /// The model behind the attack's name.
    pub namer: Option<ModelRef>,
}

impl Provenance {
    /// All parts with their lengths, so that no two provenances have the same text.
    pub(crate) fn canonical(&self) -> String {
        let model = |model: &Option<ModelRef>| match model {
            None => vec![Cow::from("-")],
            Some(ModelRef {
                name,
                version,
                threshold,
            }) => vec![
                Cow::from("+"),
                Cow::from(name.clone()),
                Cow::from(version.clone()),
                Cow::from(threshold.map_or_else(|| "-".to_owned(), |value| value.to_string())),
            ],
        };
        let mut parts = vec![
            Cow::from(self.schema.as_str()),
            Cow::from(self.schema_version.to_string()),
            Cow::from(self.schema_fingerprint.as_str()),
        ];
        parts.extend(model(&self.detector));
        parts.extend(model(&self.classifier));
        parts.extend(model(&self.namer));
        let mut text = String::new();
        for part in parts {
            text.push_str(&part.len().to_string());
            text.push(':');
            text.push_str(&part);
        }
        text
    }
}

/// Is it a threat?
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ThreatPart {
    /// Probability of being a threat.
    pub probability: f64,
    /// Whether the detector calls it one.
    pub is_threat: bool,
}

/// Which attack is it? `T` is `&str` on the way in and `String` on the way out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttackPart<T> {
    /// Name of the class.
    pub class: T,
    /// Position of the class in the classifier's list.
    pub class_id: u32,
    /// Whether the class is an attack at all, rather than the one for harmless rows.
    pub is_attack: bool,
    /// Probability that the class is right.
    pub confidence: f64,
    /// The attack inside the class, where it is known.
    pub named: Option<NamedPart<T>>,
}

/// The attack inside its class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NamedPart<T> {
    /// Name of the attack.
    pub label: T,
    /// Probability that the name is right.
    pub confidence: f64,
}

/// A verdict to be stored. It borrows, so that writing a million rows allocates nothing per row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NewVerdict<'a> {
    /// Its place in the stream, at most [`MAX_SEQUENCE`](crate::MAX_SEQUENCE). The same place in
    /// the same stream is the same verdict.
    pub sequence: u64,
    /// Whether a later verdict may supersede it.
    pub stage: Stage,
    /// When it was given.
    pub created_at: Timestamp,
    /// The row's number in its file.
    pub row_number: Option<u64>,
    /// The threat part, when a detector fits the row.
    pub threat: Option<ThreatPart>,
    /// The attack part, when a classifier had its say.
    pub attack: Option<AttackPart<&'a str>>,
    /// The true label, when the row brought one; at most [`MAX_LABEL_BYTES`] long.
    pub label: Option<&'a str>,
    /// The row's features, as the caller encodes them.
    pub features: &'a [u8],
    /// What moved the verdict most, as the caller encodes it.
    pub reasons: &'a [u8],
    /// The flow, as the caller encodes it, when the row is one.
    pub flow: Option<&'a [u8]>,
}

impl NewVerdict<'_> {
    /// Whether it can be stored. A database may take a number that is none for NULL, which means
    /// "no opinion" here.
    pub(crate) fn check(&self) -> Result<()> {
        let probability = |what, value: f64| {
            if (0.0..=1.0).contains(&value) {
                Ok(())
            } else {
                Err(StoreError::invalid(what, value, "from 0 to 1"))
            }
        };
        if self.sequence > MAX_SEQUENCE {
            return Err(StoreError::invalid("sequence", self.sequence, "below 2^35"));
        }
        if let Some(threat) = self.threat {
            probability("threat probability", threat.probability)?;
        }
        if let Some(attack) = self.attack {
            probability("class confidence", attack.confidence)?;
            if let Some(named) = attack.named {
                probability("name confidence", named.confidence)?;
            }
        }
        if let Some(row_number) = self.row_number.filter(|&number| number > i64::MAX as u64) {
            return Err(StoreError::invalid("row number", row_number, "below 2^63"));
        }
        if let Some(label) = self.label.filter(|label| label.len() > MAX_LABEL_BYTES) {
            let found = format!("{} bytes long", label.len());
            return Err(StoreError::invalid("label", found, "at most 256 bytes"));
        }
        Ok(())
    }
}

/// The longest true label that is stored.
pub const MAX_LABEL_BYTES: usize = 256;

/// A verdict as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredVerdict {
    /// Its identifier.
    pub id: VerdictId,
    /// Its place in its stream.
    pub sequence: u64,
    /// Whether a later verdict may supersede it.
    pub stage: Stage,
    /// When it was given.
    pub created_at: Timestamp,
    /// By which way the row came in.
    pub source: Source,
    /// The upload it belongs to; `None` for streams that are not batches.
    pub batch: Option<BatchId>,
    /// The row's number in its file.
    pub row_number: Option<u64>,
    /// Which schema and models; one copy is shared by the verdicts of a page.
    pub provenance: std::sync::Arc<Provenance>,
    /// The threat part.
    pub threat: Option<ThreatPart>,
    /// The attack part.
    pub attack: Option<AttackPart<String>>,
    /// The true label.
    pub label: Option<String>,
    /// The row's features, as they were given.
    pub features: Vec<u8>,
    /// The reasons, as they were given.
    pub reasons: Vec<u8>,
    /// The flow, as it was given.
    pub flow: Option<Vec<u8>>,
}

impl StoredVerdict {
    /// Its place in a list by time: a list that continues there begins after it.
    pub fn cursor(&self) -> crate::Cursor {
        crate::Cursor {
            created_at: self.created_at,
            row_key: self.id.place().row_key(),
        }
    }
}
