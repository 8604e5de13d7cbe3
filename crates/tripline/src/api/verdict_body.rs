//! Tripline's own form of a verdict.

use serde::Serialize;
use tripline_features::FeatureValue;
use utoipa::ToSchema;

use super::flow_body::FlowBody;

/// What is thought of one row, by which models, and why.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Verdict)]
pub(crate) struct VerdictBody {
    /// Null for a row that was not stored.
    pub(crate) id: Option<String>,
    /// Null for a row that was not stored.
    pub(crate) created_at: Option<String>,
    /// `upload`, `realtime`, `packet_capture`, `external_kafka` or `generated`.
    #[schema(value_type = String)]
    pub(crate) source: &'static str,
    /// The upload it belongs to.
    pub(crate) batch_id: Option<String>,
    /// The line of the file on which the row starts, or the first packet of the flow among those
    /// of the capture, counted from 1.
    pub(crate) row: Option<u64>,
    /// The definition of its features.
    pub(crate) schema: String,
    /// Its version.
    pub(crate) schema_version: u32,
    /// Its fingerprint.
    pub(crate) schema_fingerprint: String,
    /// Null when no detector fits the row.
    pub(crate) threat: Option<ThreatBody>,
    /// Null for rows that the detector lets pass, and when no classifier fits the row.
    pub(crate) attack: Option<AttackBody>,
    /// The label that came with the row.
    pub(crate) label: Option<String>,
    /// The flow; null for a row that is none.
    pub(crate) flow: Option<FlowBody>,
    /// The features that moved the verdict most, strongest first.
    pub(crate) reasons: Vec<ReasonBody>,
}

/// Is it a threat?
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Threat)]
pub(crate) struct ThreatBody {
    /// Calibrated probability of being a threat.
    pub(crate) probability: f64,
    /// Whether the probability reaches the threshold.
    pub(crate) is_threat: bool,
    /// The detector's threshold when it judged.
    pub(crate) threshold: Option<f64>,
    /// The detector's name.
    pub(crate) model: String,
    /// Its version.
    pub(crate) model_version: String,
}

/// Which attack is it?
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Attack)]
pub(crate) struct AttackBody {
    /// The name of the class.
    pub(crate) class: String,
    /// The number of the class.
    pub(crate) class_id: u32,
    /// Calibrated probability that the class is right.
    pub(crate) confidence: f64,
    /// The attack inside the class, where the models can tell.
    pub(crate) named: Option<NamedBody>,
    /// The classifier's name.
    pub(crate) model: String,
    /// Its version.
    pub(crate) model_version: String,
}

/// The attack inside its class.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NamedAttack)]
pub(crate) struct NamedBody {
    /// Its name.
    pub(crate) label: String,
    /// Calibrated probability that the name is right.
    pub(crate) confidence: f64,
}

/// A feature that moved a verdict.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Reason)]
pub(crate) struct ReasonBody {
    /// `detector` or `classifier`.
    #[schema(value_type = String)]
    pub(crate) stage: &'static str,
    /// The feature.
    #[schema(value_type = String)]
    pub(crate) feature: &'static str,
    /// Its value: a number, the name of a category, or null.
    #[schema(value_type = Option<serde_json::Value>)]
    pub(crate) value: FeatureValue,
    /// How far it moved the margin: towards threat (or the class) when positive.
    pub(crate) contribution: f64,
}
