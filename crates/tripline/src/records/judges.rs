use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use tripline_detect::{DetectError, Model, ModelSet, Pipeline, Role, Scorer};
use tripline_features::live::records::{KnownSet, RecordVector, Records};
use tripline_features::{FeatureSchema, cicflow, nsl_kdd};
use tripline_records::FlowRecord;

use super::JudgedRecord;
use crate::sensor::Opinion;

/// What stands between a record and the models of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Missing {
    /// The schema has no such records.
    NoRecord(&'static str),
    /// No detector is loaded.
    NoModel(&'static str),
    /// The detector that lacks the fewest features, and those.
    Features {
        model: String,
        features: Vec<String>,
    },
}

impl Missing {
    fn distance(&self) -> usize {
        match self {
            Self::Features { features, .. } => features.len(),
            Self::NoRecord(_) | Self::NoModel(_) => usize::MAX,
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRecord(schema) => write!(formatter, "{schema} has no such record"),
            Self::NoModel(schema) => write!(formatter, "no detector is loaded for {schema}"),
            Self::Features { model, features } => {
                write!(formatter, "{model} also needs {}", features.join(", "))
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Choice {
    Pipeline(usize),
    Missing(Arc<Missing>),
}

/// Judges records, each by the best models whose features it knows.
#[derive(Debug)]
pub(crate) struct RecordJudges {
    models: ModelSet,
    reasons: usize,
    features: Records,
    pipelines: Vec<Pipeline>,
    scorers: Vec<Scorer>,
    choices: HashMap<(&'static str, KnownSet), Choice>,
}

impl RecordJudges {
    /// Takes the models; one of them must be a detector.
    pub(crate) fn new(models: &ModelSet, reasons: usize) -> Result<Self, DetectError> {
        let is_detector = |model: &Arc<Model>| model.role() == Role::Detector;
        if !models.models().iter().any(is_detector) {
            return Err(DetectError::NoModel {
                schema: nsl_kdd().name(),
            });
        }
        Ok(Self {
            models: models.clone(),
            reasons,
            features: Records::new(),
            pipelines: Vec::new(),
            scorers: Vec::new(),
            choices: HashMap::new(),
        })
    }

    /// The models that were asked so far; opinions say which by position.
    pub(crate) fn pipelines(&self) -> &[Pipeline] {
        &self.pipelines
    }

    /// Judges the next record; `not_after_micros` is the time of its arrival, where there is one.
    pub(crate) fn judge(
        &mut self,
        record: FlowRecord,
        not_after_micros: Option<i64>,
    ) -> JudgedRecord {
        let features = self.features.observe(&record, not_after_micros);
        let mut judged = JudgedRecord {
            record,
            features,
            opinions: Vec::new(),
            missing: Vec::new(),
        };
        let vectors = [
            (cicflow(), Some(&judged.features.cicflow)),
            (nsl_kdd(), judged.features.nsl_kdd.as_ref()),
        ];
        let (mut opinions, mut missing) = (Vec::new(), Vec::new());
        for (schema, vector) in vectors {
            match vector {
                None => missing.push(Arc::new(Missing::NoRecord(schema.name()))),
                Some(vector) => match self.opinion(schema, vector) {
                    Ok(opinion) => opinions.push(opinion),
                    Err(lacking) => missing.push(lacking),
                },
            }
        }
        // What lacks least is named first.
        missing.sort_by_key(|missing| missing.distance());
        judged.opinions = opinions;
        judged.missing = missing;
        judged
    }

    fn opinion(
        &mut self,
        schema: &'static FeatureSchema,
        vector: &RecordVector,
    ) -> Result<Opinion, Arc<Missing>> {
        let key = (schema.name(), vector.known);
        let choice = match self.choices.get(&key) {
            Some(choice) => choice.clone(),
            None => {
                let choice = self.choose(schema, vector.known);
                self.choices.insert(key, choice.clone());
                choice
            }
        };
        match choice {
            Choice::Missing(missing) => Err(missing),
            Choice::Pipeline(pipeline) => match self.scorers.get_mut(pipeline) {
                Some(scorer) => Ok(Opinion {
                    pipeline,
                    verdict: scorer.judge(&vector.values),
                }),
                None => Err(Arc::new(Missing::NoModel(schema.name()))),
            },
        }
    }

    /// Without a detector nobody says whether it is a threat, so a classifier alone is not asked.
    fn choose(&mut self, schema: &'static FeatureSchema, known: KnownSet) -> Choice {
        let marks = known.marks(schema);
        match self.models.pipeline_for(schema, &marks) {
            Ok(pipeline) if pipeline.detector().is_some() => {
                Choice::Pipeline(self.position_of(pipeline))
            }
            _ => Choice::Missing(Arc::new(self.nearest(schema, &marks))),
        }
    }

    /// Several sets of features may lead to the same models.
    fn position_of(&mut self, pipeline: Pipeline) -> usize {
        let is_same = |other: &Pipeline| {
            let models = |pipeline: &Pipeline| -> Vec<*const Model> {
                pipeline.models().map(Arc::as_ptr).collect()
            };
            models(other) == models(&pipeline)
        };
        if let Some(position) = self.pipelines.iter().position(is_same) {
            return position;
        }
        self.scorers
            .push(Scorer::new(pipeline.clone(), self.reasons));
        self.pipelines.push(pipeline);
        self.pipelines.len() - 1
    }

    fn nearest(&self, schema: &'static FeatureSchema, marks: &[bool]) -> Missing {
        let detectors = self.models.models().iter().filter(|model| {
            model.role() == Role::Detector && model.schema().name() == schema.name()
        });
        let nearest = detectors
            .map(|model| (model.missing(marks), model))
            .min_by_key(|(missing, _)| missing.len());
        match nearest {
            Some((features, model)) => Missing::Features {
                model: model.manifest().name.clone(),
                features,
            },
            None => Missing::NoModel(schema.name()),
        }
    }
}

#[cfg(test)]
mod tests;
