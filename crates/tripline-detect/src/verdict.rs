use serde::{Deserialize, Serialize};

/// Which of the two models gave a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The threat detector.
    Detector,
    /// The attack classifier.
    Classifier,
}

/// Is it a threat?
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ThreatOpinion {
    /// Calibrated probability of being a threat.
    pub probability: f64,
    /// Whether the probability reaches the model's threshold.
    pub is_threat: bool,
}

/// Which attack is it?
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttackOpinion {
    /// Position of the class in the classifier's manifest.
    pub class: usize,
    /// Calibrated probability that the class is right; given that the row is a threat, when a
    /// detector has said so.
    pub confidence: f64,
    /// The attack's name, where the models can tell.
    pub named: Option<NamedAttack>,
}

/// The name of an attack inside its class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NamedAttack {
    /// Position of the name in the namer's manifest.
    pub class: usize,
    /// Calibrated probability that the name is right.
    pub confidence: f64,
}

/// A feature that moved a verdict.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reason {
    /// The model that was moved.
    pub stage: Stage,
    /// Position of the feature in the schema.
    pub feature: u16,
    /// How far it moved the margin: up, towards threat (or the class), when positive.
    pub contribution: f64,
}

/// What is thought of one row, and why. The models are those of the
/// [`Pipeline`](crate::Pipeline) that gave it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Verdict {
    /// The detector's opinion, when a detector fits the row.
    pub threat: Option<ThreatOpinion>,
    /// The classifier's opinion: for threats, or for every row when no detector fits.
    pub attack: Option<AttackOpinion>,
    /// The features that moved it most, strongest first.
    pub reasons: Vec<Reason>,
}

impl Verdict {
    /// Whether a detector called it a threat.
    pub fn is_threat(&self) -> bool {
        self.threat.is_some_and(|threat| threat.is_threat)
    }
}
