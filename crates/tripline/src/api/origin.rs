//! The origin system's objects, field for field.

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;
use tripline_features::FeatureSchema;
use utoipa::ToSchema;

/// The features of a row as an object of numbers. Categories are given by their index in the
/// schema's sorted vocabulary, which is how the origin system's clients send them; a feature
/// that the row does not have is left out.
#[derive(Debug, Clone)]
pub(crate) struct Features {
    schema: Option<&'static FeatureSchema>,
    values: Vec<f64>,
}

impl Features {
    /// The values are in the order of the schema.
    pub(crate) fn new(schema: Option<&'static FeatureSchema>, values: Vec<f64>) -> Self {
        Self { schema, values }
    }
}

impl Serialize for Features {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let names = self.schema.map(FeatureSchema::features).unwrap_or_default();
        let mut map = serializer.serialize_map(None)?;
        for (feature, value) in names.iter().zip(&self.values) {
            if value.is_finite() {
                map.serialize_entry(feature.name, value)?;
            }
        }
        map.end()
    }
}

/// A row as it came in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TrafficData {
    /// The same identifier as the verdict's.
    pub(crate) id: String,
    /// Numbers by canonical feature name; categories by their index, missing values left out.
    #[schema(value_type = std::collections::BTreeMap<String, f64>)]
    pub(crate) features: Features,
    /// `upload`, `realtime`, `packet_capture`, `external_kafka` or `generated`.
    #[schema(value_type = String)]
    pub(crate) source: &'static str,
    /// The upload it belongs to.
    pub(crate) batch_id: Option<String>,
    /// When it was judged.
    pub(crate) created_at: String,
}

/// Is it a threat?
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ThreatPrediction {
    /// Made of the row's identifier.
    pub(crate) id: String,
    /// The row.
    pub(crate) traffic_data_id: String,
    /// Calibrated probability of being a threat.
    pub(crate) prediction_score: f64,
    /// Whether the score reaches the threshold.
    pub(crate) is_attack: bool,
    /// The detector's threshold when it judged.
    pub(crate) threshold: f64,
    /// The detector's version.
    pub(crate) model_version: String,
    /// When it was judged.
    pub(crate) created_at: String,
}

/// Which attack is it?
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AttackPrediction {
    /// Made of the row's identifier.
    pub(crate) id: String,
    /// The row.
    pub(crate) traffic_data_id: String,
    /// The number of the class: for flows 0 to 13 as in the origin system, 14 is Heartbleed.
    pub(crate) attack_type_encoded: u32,
    /// The name of the class.
    pub(crate) attack_type_name: String,
    /// Calibrated probability that the class is right.
    #[schema(required)]
    pub(crate) confidence: Option<f64>,
    /// The classifier's version.
    pub(crate) model_version: String,
    /// When it was judged.
    pub(crate) created_at: String,
}

/// What would be done about it. Nothing is carried out.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SelfHealingAction {
    /// Made of the row's identifier.
    pub(crate) id: String,
    /// The attack prediction.
    pub(crate) attack_prediction_id: String,
    /// `restart_service`, `block_ip`, `alert_admin` or `log_only`.
    #[schema(value_type = String)]
    pub(crate) action_type: &'static str,
    /// One sentence for people.
    pub(crate) action_description: String,
    /// `{"message": …}` for an alert. A service or an address is not invented: null.
    #[schema(value_type = Option<Object>)]
    pub(crate) action_params: Option<Value>,
    /// Always `logged`.
    #[schema(value_type = String)]
    pub(crate) status: &'static str,
    /// When it was judged.
    pub(crate) created_at: String,
    /// Always null.
    pub(crate) execution_time: Option<f64>,
    /// Always null.
    pub(crate) error_message: Option<String>,
}

/// A row with everything that is thought of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CompletePrediction {
    /// The row.
    pub(crate) traffic_data: TrafficData,
    /// Null when no detector fits the row.
    pub(crate) threat_prediction: Option<ThreatPrediction>,
    /// Null for rows that the detector lets pass, and when no classifier fits the row.
    pub(crate) attack_prediction: Option<AttackPrediction>,
    /// Null without an attack prediction.
    pub(crate) self_healing_action: Option<SelfHealingAction>,
}
