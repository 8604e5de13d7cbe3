use rayon::prelude::*;
use tripline_detect::{DetectError, Explained, ModelSet, Pipeline, Scorer, Verdict};
use tripline_features::live::cicflow;
use tripline_features::{FeatureSchema, LiveObservability, nsl_kdd};

use super::JudgedFlow;

/// What the models of one schema think of a flow.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Opinion {
    /// Which of [`Judges::pipelines`] it is.
    pub(crate) pipeline: usize,
    /// What it thinks.
    pub(crate) verdict: Verdict,
}

/// The models that judge flows, with the memory of each processor.
#[derive(Debug)]
pub(crate) struct Judges {
    pipelines: Vec<Pipeline>,
    workers: Vec<Vec<Scorer>>,
}

impl Judges {
    /// The models for what packets show: all that is neither hidden in payload nor an estimate. At
    /// least one schema must have a model.
    pub(crate) fn new(models: &ModelSet, reasons: usize) -> Result<Self, DetectError> {
        let observable = |schema: &'static FeatureSchema| -> Vec<bool> {
            let features = schema.features().iter();
            features
                .map(|feature| feature.live == LiveObservability::Observable)
                .collect()
        };
        let (mut pipelines, mut refusal) = (Vec::new(), None);
        for schema in [tripline_features::cicflow(), nsl_kdd()] {
            match models.pipeline_for_packets(schema, &observable(schema)) {
                Ok(pipeline) => pipelines.push(pipeline),
                Err(error) => refusal = Some(error),
            }
        }
        if let (true, Some(error)) = (pipelines.is_empty(), refusal) {
            return Err(error);
        }
        let worker = || {
            let scorers = pipelines.iter();
            scorers
                .map(|pipeline| {
                    Scorer::new(pipeline.clone(), reasons)
                        .explaining(Explained::Threats)
                        .remembering()
                })
                .collect()
        };
        Ok(Self {
            workers: (0..rayon::current_num_threads())
                .map(|_| worker())
                .collect(),
            pipelines,
        })
    }

    /// Nobody: flows are measured and not judged.
    pub(crate) fn none() -> Self {
        Self {
            pipelines: Vec::new(),
            workers: (0..rayon::current_num_threads())
                .map(|_| Vec::new())
                .collect(),
        }
    }

    /// The models, by schema.
    pub(crate) fn pipelines(&self) -> &[Pipeline] {
        &self.pipelines
    }

    /// Extracts the features that are left to extract, and judges.
    pub(super) fn judge(&mut self, flows: &mut [JudgedFlow]) {
        let share = flows.len().div_ceil(self.workers.len().max(1)).max(1);
        flows
            .par_chunks_mut(share)
            .zip(&mut self.workers)
            .for_each(|(flows, scorers)| {
                for judged in flows.iter_mut() {
                    cicflow::vector(&judged.flow, &mut judged.cicflow);
                }
                for (pipeline, scorer) in scorers.iter_mut().enumerate() {
                    judge_schema(flows, pipeline, scorer);
                }
            });
    }
}

fn judge_schema(flows: &mut [JudgedFlow], pipeline: usize, scorer: &mut Scorer) {
    let schema = scorer.pipeline().schema();
    let mut rows = Vec::new();
    let mut whose = Vec::new();
    for (at, judged) in flows.iter().enumerate() {
        if let Some(values) = judged.values(schema) {
            rows.extend_from_slice(values);
            whose.push(at);
        }
    }
    for (verdict, at) in scorer.judge_rows(&rows).into_iter().zip(whose) {
        flows[at].opinions.push(Opinion { pipeline, verdict });
    }
}
