//! Puts the opinions of models, which speak of positions, into the terms that are stored, which
//! are names.

use tripline_detect::{AttackOpinion, Model, Pipeline, Verdict};
use tripline_store::{AttackPart, ModelRef, NamedPart, Provenance, ThreatPart};

/// Reasons stored with every verdict.
pub(crate) const STORED_REASONS: usize = 5;

/// A pipeline with what is stored about it.
#[derive(Debug)]
pub(crate) struct Judge {
    pipeline: Pipeline,
    provenance: Provenance,
}

impl Judge {
    /// Speaks for a pipeline.
    pub(crate) fn new(pipeline: Pipeline) -> Self {
        let schema = pipeline.schema();
        let reference = |model: &std::sync::Arc<Model>| ModelRef {
            name: model.manifest().name.clone(),
            version: model.manifest().version.clone(),
            threshold: Some(model.threshold()).filter(|threshold| threshold.is_finite()),
        };
        let provenance = Provenance {
            schema: schema.name().to_owned(),
            schema_version: schema.version(),
            schema_fingerprint: schema.fingerprint().to_string(),
            detector: pipeline.detector().map(reference),
            classifier: pipeline.classifier().map(reference),
            namer: pipeline.namer().map(reference),
        };
        Self {
            pipeline,
            provenance,
        }
    }

    /// The models.
    pub(crate) fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// What is stored about them.
    pub(crate) fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// The threat part of a verdict.
    pub(crate) fn threat(verdict: &Verdict) -> Option<ThreatPart> {
        verdict.threat.map(|threat| ThreatPart {
            probability: threat.probability,
            is_threat: threat.is_threat,
        })
    }

    /// The attack part of a verdict.
    pub(crate) fn attack(&self, opinion: Option<AttackOpinion>) -> Option<AttackPart<&str>> {
        let opinion = opinion?;
        let class = self
            .pipeline
            .classifier()?
            .manifest()
            .classes
            .get(opinion.class)?;
        let named = opinion.named.and_then(|named| {
            let name = self.pipeline.namer()?.manifest().classes.get(named.class)?;
            Some(NamedPart {
                label: name.name.as_str(),
                confidence: named.confidence,
            })
        });
        Some(AttackPart {
            class: class.name.as_str(),
            class_id: class.id,
            is_attack: !class.benign,
            confidence: opinion.confidence,
            named,
        })
    }
}
