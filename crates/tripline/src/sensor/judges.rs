use std::cell::{OnceCell, RefCell};
use std::sync::Arc;

use rayon::prelude::*;
use tripline_detect::{DetectError, Explained, Pipeline, Scorer, Verdict};
use tripline_features::live::cicflow;
use tripline_features::{FeatureSchema, LiveObservability, nsl_kdd};

use super::JudgedFlow;
use crate::registry::{Models, RowRoutes, Serving};

/// What the models of one schema think of a flow.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Opinion {
    /// Which pipeline of the panel it is.
    pub(crate) pipeline: usize,
    /// What it thinks.
    pub(crate) verdict: Verdict,
}

/// The pipelines that judge flows: one for each schema, and those of canaries.
#[derive(Debug, Default)]
pub(crate) struct Panel {
    pipelines: Vec<Pipeline>,
    /// For each schema, how its rows go to pipelines.
    routes: Vec<RowRoutes>,
}

impl Panel {
    /// The models for what packets show: all that is neither hidden in payload nor an estimate. At
    /// least one schema must have a model.
    fn of(serving: &Serving) -> Result<Self, DetectError> {
        let observable = |schema: &'static FeatureSchema| -> Vec<bool> {
            let features = schema.features().iter();
            features
                .map(|feature| feature.live == LiveObservability::Observable)
                .collect()
        };
        let (mut panel, mut refusal) = (Self::default(), None);
        for schema in [tripline_features::cicflow(), nsl_kdd()] {
            let present = observable(schema);
            let route = serving.routes(&mut panel.pipelines, |models| {
                models.pipeline_for_packets(schema, &present)
            });
            match route {
                Ok(route) => panel.routes.push(route),
                Err(error) => refusal = Some(error),
            }
        }
        match refusal {
            Some(error) if panel.pipelines.is_empty() => Err(error),
            _ => Ok(panel),
        }
    }

    /// The pipelines, in the order in which opinions count them.
    pub(crate) fn pipelines(&self) -> &[Pipeline] {
        &self.pipelines
    }
}

/// Finds the reasons of verdicts that were judged without, one at a time: for those who show few of
/// very many.
#[derive(Debug)]
pub(crate) struct Explainer {
    panel: Arc<Panel>,
    reasons: usize,
    scorers: Vec<OnceCell<RefCell<Scorer>>>,
}

impl Explainer {
    /// Prepares to give up to so many reasons for what the pipelines of a panel say.
    pub(crate) fn new(panel: &Arc<Panel>, reasons: usize) -> Self {
        Self {
            reasons,
            scorers: panel.pipelines.iter().map(|_| OnceCell::new()).collect(),
            panel: Arc::clone(panel),
        }
    }

    /// What a pipeline thinks of values in the order of its schema, with reasons.
    pub(crate) fn judge(&self, pipeline: usize, values: &[f64]) -> Verdict {
        let scorer = self.scorers[pipeline].get_or_init(|| {
            let scorer = Scorer::new(self.panel.pipelines[pipeline].clone(), self.reasons);
            RefCell::new(scorer.explaining(Explained::Threats).remembering())
        });
        scorer.borrow_mut().judge(values)
    }
}

/// The models that judge flows, with the memory of each processor.
#[derive(Debug)]
pub(crate) struct Judges {
    panel: Arc<Panel>,
    workers: Vec<Vec<Scorer>>,
    reasons: usize,
    /// Whose changes are followed, and what was served when they were last looked at.
    follows: Option<(Arc<Models>, Arc<Serving>)>,
}

impl Judges {
    /// The models that judge now, until the end.
    pub(crate) fn new(serving: &Serving, reasons: usize) -> Result<Self, DetectError> {
        let panel = Arc::new(Panel::of(serving)?);
        Ok(Self {
            workers: workers(&panel, reasons),
            panel,
            reasons,
            follows: None,
        })
    }

    /// The models that judge, whichever they are at the time.
    pub(crate) fn following(models: &Arc<Models>, reasons: usize) -> Result<Self, DetectError> {
        let serving = models.serving();
        let judges = Self::new(&serving, reasons)?;
        Ok(Self {
            follows: Some((Arc::clone(models), serving)),
            ..judges
        })
    }

    /// Nobody: flows are measured and not judged.
    pub(crate) fn none() -> Self {
        let panel = Arc::new(Panel::default());
        Self {
            workers: workers(&panel, 0),
            panel,
            reasons: 0,
            follows: None,
        }
    }

    /// The models that judged last, or will judge first.
    pub(crate) fn panel(&self) -> &Arc<Panel> {
        &self.panel
    }

    /// Looks whether other models judge now. Where no model fits any more nobody judges, and flows
    /// are counted as those that no model knows.
    fn follow(&mut self) {
        let Some((models, seen)) = &mut self.follows else {
            return;
        };
        let serving = models.serving();
        if Arc::ptr_eq(&serving, seen) {
            return;
        }
        let panel = Panel::of(&serving).unwrap_or_else(|error| {
            tracing::error!(%error, "no model judges flows any more");
            Panel::default()
        });
        *seen = serving;
        self.panel = Arc::new(panel);
        self.workers = workers(&self.panel, self.reasons);
    }

    /// Extracts the features that are left to extract, and judges.
    pub(super) fn judge(&mut self, flows: &mut [JudgedFlow]) {
        self.follow();
        let panel = &*self.panel;
        let share = flows.len().div_ceil(self.workers.len().max(1)).max(1);
        flows
            .par_chunks_mut(share)
            .zip(&mut self.workers)
            .for_each(|(flows, scorers)| {
                for judged in flows.iter_mut() {
                    cicflow::vector(&judged.flow, &mut judged.cicflow);
                }
                for routes in &panel.routes {
                    judge_schema(flows, routes, scorers);
                }
            });
    }
}

fn workers(panel: &Panel, reasons: usize) -> Vec<Vec<Scorer>> {
    let worker = || {
        let scorers = panel.pipelines.iter();
        scorers
            .map(|pipeline| {
                Scorer::new(pipeline.clone(), reasons)
                    .explaining(Explained::Threats)
                    .remembering()
            })
            .collect()
    };
    (0..rayon::current_num_threads())
        .map(|_| worker())
        .collect()
}

fn judge_schema(flows: &mut [JudgedFlow], routes: &RowRoutes, scorers: &mut [Scorer]) {
    for pipeline in routes.pipelines() {
        let Some(scorer) = scorers.get_mut(pipeline) else {
            continue;
        };
        let schema = scorer.pipeline().schema();
        let mut rows = Vec::new();
        let mut whose = Vec::new();
        for (at, judged) in flows.iter().enumerate() {
            let is_its = || routes.pipeline_of(|| judged.flow.key.undirected_bytes()) == pipeline;
            if let (Some(values), true) = (judged.values(schema), is_its()) {
                rows.extend_from_slice(values);
                whose.push(at);
            }
        }
        for (verdict, at) in scorer.judge_rows(&rows).into_iter().zip(whose) {
            flows[at].opinions.push(Opinion { pipeline, verdict });
        }
    }
}
