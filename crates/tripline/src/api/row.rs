//! One judged row, from the store or fresh from the models, and its two forms in JSON: the
//! origin system's [`CompletePrediction`] and Tripline's own [`VerdictBody`].

use std::borrow::Cow;

use tripline_detect::Reason;
use tripline_features::{FeatureSchema, FeatureVector, display_value, schema_by_name};
use tripline_store::{
    AttackPart, BatchId, NamedPart, Provenance, Source, StoredVerdict, ThreatPart, Timestamp,
    VerdictId,
};

use super::{
    flow_body::FlowBody,
    healing::Action,
    identity::{self, Part},
    origin::{
        AttackPrediction, CompletePrediction, Features, SelfHealingAction, ThreatPrediction,
        TrafficData,
    },
    reason_bytes,
    time::rfc3339,
    verdict_body::{AttackBody, NamedBody, ReasonBody, ThreatBody, VerdictBody},
};
use crate::live::FlowRecord;

/// One judged row.
#[derive(Debug, Clone)]
pub(crate) struct Row<'a> {
    /// `None` for a row that is not stored.
    pub(crate) id: Option<VerdictId>,
    pub(crate) created_at: Timestamp,
    pub(crate) source: Source,
    pub(crate) batch: Option<BatchId>,
    pub(crate) number: Option<u64>,
    pub(crate) provenance: &'a Provenance,
    /// `None` where this version does not know the schema any more.
    pub(crate) schema: Option<&'static FeatureSchema>,
    /// In the order of the schema; empty without one.
    pub(crate) values: Cow<'a, [f64]>,
    pub(crate) threat: Option<ThreatPart>,
    pub(crate) attack: Option<AttackPart<&'a str>>,
    pub(crate) label: Option<&'a str>,
    pub(crate) reasons: Cow<'a, [Reason]>,
    /// The flow as it is stored, for a row that is one; read where it is shown.
    pub(crate) flow: Option<&'a [u8]>,
}

impl<'a> Row<'a> {
    /// A row as it is stored. What a row says about features is left out where they cannot be
    /// read any more, because its verdict still stands.
    pub(crate) fn stored(verdict: &'a StoredVerdict) -> Self {
        let decoded = schema_by_name(&verdict.provenance.schema)
            .filter(|schema| {
                schema.fingerprint().to_string() == verdict.provenance.schema_fingerprint
            })
            .and_then(|schema| {
                let vector = FeatureVector::decode(&verdict.features, schema).ok()?;
                Some((schema, vector.into_values()))
            });
        let (schema, values) = match decoded {
            Some((schema, values)) => (Some(schema), values),
            None => (None, Vec::new()),
        };
        Self {
            id: Some(verdict.id),
            created_at: verdict.created_at,
            source: verdict.source,
            batch: verdict.batch,
            number: verdict.row_number,
            provenance: &verdict.provenance,
            schema,
            values: Cow::Owned(values),
            threat: verdict.threat,
            attack: verdict.attack.as_ref().map(borrowed),
            label: verdict.label.as_deref(),
            reasons: Cow::Owned(reason_bytes::decode(&verdict.reasons)),
            flow: verdict.flow.as_deref(),
        }
    }

    /// The origin system's form; `None` for a row that is not stored, which it does not know.
    pub(crate) fn complete(&self) -> Option<CompletePrediction> {
        let traffic_data = TrafficData {
            id: self.id?.to_string(),
            features: Features::new(self.schema, self.values.to_vec()),
            source: self.source.name(),
            batch_id: self.batch.map(|batch| batch.to_string()),
            created_at: rfc3339(self.created_at),
        };
        Some(CompletePrediction {
            traffic_data,
            threat_prediction: self.threat_prediction(),
            attack_prediction: self.attack_prediction(),
            self_healing_action: self.action(),
        })
    }

    /// The threat prediction, for a stored row that has one.
    pub(crate) fn threat_prediction(&self) -> Option<ThreatPrediction> {
        let (id, threat) = (self.id?, self.threat?);
        let detector = self.provenance.detector.as_ref();
        Some(ThreatPrediction {
            id: identity::of_part(Part::Threat, id).to_string(),
            traffic_data_id: id.to_string(),
            prediction_score: threat.probability,
            is_attack: threat.is_threat,
            threshold: detector.and_then(|model| model.threshold).unwrap_or(0.5),
            model_version: detector
                .map(|model| model.version.clone())
                .unwrap_or_default(),
            created_at: rfc3339(self.created_at),
        })
    }

    /// The attack prediction, for a stored row that has one.
    pub(crate) fn attack_prediction(&self) -> Option<AttackPrediction> {
        let (id, attack) = (self.id?, self.attack?);
        let classifier = self.provenance.classifier.as_ref();
        Some(AttackPrediction {
            id: identity::of_part(Part::Attack, id).to_string(),
            traffic_data_id: id.to_string(),
            attack_type_encoded: attack.class_id,
            attack_type_name: attack.class.to_owned(),
            confidence: Some(attack.confidence),
            model_version: classifier
                .map(|model| model.version.clone())
                .unwrap_or_default(),
            created_at: rfc3339(self.created_at),
        })
    }

    /// The action, for a stored row that has an attack prediction.
    pub(crate) fn action(&self) -> Option<SelfHealingAction> {
        let (id, attack) = (self.id?, self.attack?);
        let action = Action::for_class(attack.class);
        Some(SelfHealingAction {
            id: identity::of_part(Part::Action, id).to_string(),
            attack_prediction_id: identity::of_part(Part::Attack, id).to_string(),
            action_type: action.name(),
            action_description: action.description(attack.class),
            action_params: action.params(attack.class),
            status: "logged",
            created_at: rfc3339(self.created_at),
            execution_time: None,
            error_message: None,
        })
    }

    /// Tripline's own form, with up to `reasons` reasons.
    pub(crate) fn verdict(&self, reasons: usize) -> VerdictBody {
        let model = |model: Option<&tripline_store::ModelRef>| {
            model
                .map(|model| (model.name.clone(), model.version.clone()))
                .unwrap_or_default()
        };
        let threat = self.threat.map(|threat| {
            let (name, version) = model(self.provenance.detector.as_ref());
            ThreatBody {
                probability: threat.probability,
                is_threat: threat.is_threat,
                threshold: self
                    .provenance
                    .detector
                    .as_ref()
                    .and_then(|model| model.threshold),
                model: name,
                model_version: version,
            }
        });
        let attack = self.attack.map(|attack| {
            let (name, version) = model(self.provenance.classifier.as_ref());
            AttackBody {
                class: attack.class.to_owned(),
                class_id: attack.class_id,
                confidence: attack.confidence,
                named: attack.named.map(|named| NamedBody {
                    label: named.label.to_owned(),
                    confidence: named.confidence,
                }),
                model: name,
                model_version: version,
            }
        });
        VerdictBody {
            id: self.id.map(|id| id.to_string()),
            created_at: self.id.map(|_| rfc3339(self.created_at)),
            source: self.source.name(),
            batch_id: self.batch.map(|batch| batch.to_string()),
            row: self.number,
            schema: self.provenance.schema.clone(),
            schema_version: self.provenance.schema_version,
            schema_fingerprint: self.provenance.schema_fingerprint.clone(),
            threat,
            attack,
            label: self.label.map(ToOwned::to_owned),
            flow: self.flow_record().as_ref().map(FlowBody::of),
            reasons: self
                .reasons
                .iter()
                .take(reasons)
                .filter_map(|r| self.reason(r))
                .collect(),
        }
    }

    /// The flow, for a row that is one.
    pub(crate) fn flow_record(&self) -> Option<FlowRecord> {
        FlowRecord::decode(self.flow?)
    }

    fn reason(&self, reason: &Reason) -> Option<ReasonBody> {
        let index = usize::from(reason.feature);
        let schema = self.schema?;
        Some(ReasonBody {
            stage: match reason.stage {
                tripline_detect::Stage::Detector => "detector",
                tripline_detect::Stage::Classifier => "classifier",
            },
            feature: schema.features().get(index)?.name,
            value: display_value(schema, index, *self.values.get(index)?),
            contribution: reason.contribution,
        })
    }
}

/// An attack part that lends its names.
pub(crate) fn borrowed(part: &AttackPart<String>) -> AttackPart<&str> {
    AttackPart {
        class: part.class.as_str(),
        class_id: part.class_id,
        is_attack: part.is_attack,
        confidence: part.confidence,
        named: part.named.as_ref().map(|named| NamedPart {
            label: named.label.as_str(),
            confidence: named.confidence,
        }),
    }
}

/// An attack part that keeps its names.
pub(crate) fn owned(part: AttackPart<&str>) -> AttackPart<String> {
    AttackPart {
        class: part.class.to_owned(),
        class_id: part.class_id,
        is_attack: part.is_attack,
        confidence: part.confidence,
        named: part.named.map(|named| NamedPart {
            label: named.label.to_owned(),
            confidence: named.confidence,
        }),
    }
}
