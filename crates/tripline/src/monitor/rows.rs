//! Stored verdicts as rows that models can judge again.

use std::hash::{DefaultHasher, Hasher};

use tripline_features::{FeatureSchema, FeatureVector, schema_by_name};
use tripline_store::{Label, ModelId, StoredVerdict};

use crate::registry::model_id;

/// A row and what was said about it.
#[derive(Debug, Clone)]
pub(super) struct MonitoredRow {
    pub(super) schema: &'static FeatureSchema,
    pub(super) values: Vec<f64>,
    /// The models that judged it.
    pub(super) detector: Option<ModelId>,
    pub(super) classifier: Option<ModelId>,
    pub(super) probability: Option<f64>,
    pub(super) is_threat: Option<bool>,
    /// Class and confidence.
    pub(super) class: Option<(String, f64)>,
    pub(super) micros: i64,
}

impl MonitoredRow {
    /// `None` where this version has another definition of the features.
    pub(super) fn of(verdict: &StoredVerdict) -> Option<Self> {
        let provenance = &verdict.provenance;
        let schema = schema_by_name(&provenance.schema)
            .filter(|schema| schema.fingerprint().to_string() == provenance.schema_fingerprint)?;
        let vector = FeatureVector::decode(&verdict.features, schema).ok()?;
        let id = |model: &Option<tripline_store::ModelRef>| {
            model
                .as_ref()
                .map(|model| model_id(&model.name, &model.version))
        };
        Some(Self {
            schema,
            values: vector.into_values(),
            detector: id(&provenance.detector),
            classifier: id(&provenance.classifier),
            probability: verdict.threat.map(|threat| threat.probability),
            is_threat: verdict.threat.map(|threat| threat.is_threat),
            class: verdict
                .attack
                .as_ref()
                .map(|attack| (attack.class.clone(), attack.confidence)),
            micros: verdict.created_at.0,
        })
    }

    /// The row that a label is about.
    pub(super) fn labelled(label: &Label) -> Option<Self> {
        let said = &label.label;
        let schema = schema_by_name(&said.schema)?;
        let vector = FeatureVector::decode(&said.features, schema).ok()?;
        Some(Self {
            schema,
            values: vector.into_values(),
            detector: said.detector,
            classifier: said.classifier,
            probability: said.probability,
            is_threat: said.called_threat,
            class: said.called_class.clone().map(|class| (class, f64::NAN)),
            micros: label.created_at.0,
        })
    }

    /// Whether one of these models judged it.
    pub(super) fn is_by(&self, models: &[&str]) -> bool {
        [self.detector, self.classifier]
            .into_iter()
            .flatten()
            .any(|model| models.contains(&model.to_string().as_str()))
    }

    /// Names the row by its values: rows that are alike have the same name.
    pub(super) fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for value in &self.values {
            hasher.write_u64(value.to_bits());
        }
        hasher.finish()
    }
}
