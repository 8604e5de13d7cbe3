use std::{collections::HashMap, sync::Arc};

use tripline_forest::fast::Scratch;

use crate::{AttackOpinion, Model, NamedAttack, Pipeline, Reason, Stage, ThreatOpinion, Verdict};

/// Verdicts remembered per scorer; a full memory starts again.
const MAX_REMEMBERED: usize = 1 << 15;

/// Judges rows with one pipeline. One scorer belongs to one worker: it holds the memory that
/// makes judging fast.
#[derive(Debug)]
pub struct Scorer {
    pipeline: Pipeline,
    reasons: usize,
    detector: Option<Workspace>,
    classifier: Option<Workspace>,
    namer: Option<Workspace>,
    /// Rows that every tree answers alike get the same verdict to the last bit, and floods are
    /// made of such rows.
    remembered: HashMap<Box<[u16]>, Verdict>,
    key: Vec<u16>,
}

#[derive(Debug)]
struct Workspace {
    model: Arc<Model>,
    scratch: Scratch,
    row: Vec<f64>,
    margins: Vec<f64>,
    contributions: Vec<f64>,
}

impl Workspace {
    fn new(model: &Arc<Model>) -> Self {
        let ensemble = model.compiled().ensemble();
        Self {
            scratch: model.compiled().scratch(),
            row: Vec::with_capacity(ensemble.width()),
            margins: vec![0.0; ensemble.outputs()],
            contributions: vec![0.0; ensemble.width()],
            model: Arc::clone(model),
        }
    }

    fn encode(&mut self, values: &[f64], key: &mut Vec<u16>) {
        self.model.project(values, &mut self.row);
        self.model.compiled().encode(&self.row, &mut self.scratch);
        key.extend_from_slice(self.scratch.codes());
    }

    /// The margin of an output, leaving its contributions behind.
    fn explain(&mut self, output: usize) -> f64 {
        self.model.compiled().explain_encoded(
            &self.row,
            output,
            &mut self.scratch,
            &mut self.contributions,
        )
    }

    fn probabilities(&mut self) -> Vec<f64> {
        self.model.compiled().margins(&self.row, &mut self.margins);
        self.model.compiled().link().probabilities(&self.margins)
    }

    /// The strongest contributions, strongest first; equal ones in the order of the columns.
    fn strongest(&self, stage: Stage, count: usize) -> Vec<Reason> {
        let mut order: Vec<usize> = (0..self.contributions.len())
            .filter(|at| self.contributions[*at] != 0.0)
            .collect();
        let strength = |at: &usize| self.contributions[*at].abs();
        let by_strength = |a: &usize, b: &usize| strength(b).total_cmp(&strength(a)).then(a.cmp(b));
        if order.len() > count && count > 0 {
            order.select_nth_unstable_by(count - 1, by_strength);
        }
        order.truncate(count);
        order.sort_unstable_by(by_strength);
        order
            .into_iter()
            .map(|at| Reason {
                stage,
                feature: self.model.columns()[at] as u16,
                contribution: self.contributions[at],
            })
            .collect()
    }
}

impl Scorer {
    /// Prepares to judge rows, each verdict with up to `reasons` reasons.
    pub fn new(pipeline: Pipeline, reasons: usize) -> Self {
        Self {
            detector: pipeline.detector().map(Workspace::new),
            classifier: pipeline.classifier().map(Workspace::new),
            namer: pipeline.namer().map(Workspace::new),
            pipeline,
            reasons,
            remembered: HashMap::new(),
            key: Vec::new(),
        }
    }

    /// The models that judge.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Judges one row, given in the order of the schema.
    pub fn judge(&mut self, values: &[f64]) -> Verdict {
        debug_assert_eq!(values.len(), self.pipeline.schema().len());
        self.key.clear();
        for workspace in [&mut self.detector, &mut self.classifier, &mut self.namer]
            .into_iter()
            .flatten()
        {
            workspace.encode(values, &mut self.key);
        }
        if let Some(verdict) = self.remembered.get(self.key.as_slice()) {
            return verdict.clone();
        }
        let verdict = self.judge_anew();
        if self.remembered.len() >= MAX_REMEMBERED {
            self.remembered.clear();
        }
        self.remembered
            .insert(self.key.as_slice().into(), verdict.clone());
        verdict
    }

    fn judge_anew(&mut self) -> Verdict {
        let mut verdict = Verdict::default();
        if let Some(detector) = &mut self.detector {
            let margin = detector.explain(0);
            let probability = detector.model.threat_probability(margin);
            let is_threat = probability >= detector.model.threshold();
            verdict.threat = Some(ThreatOpinion {
                probability,
                is_threat,
            });
            verdict.reasons = detector.strongest(Stage::Detector, self.reasons);
            if !is_threat {
                return verdict;
            }
        }
        let given_threat = verdict.threat.is_some();
        if let Some(classifier) = &mut self.classifier {
            let (class, confidence) = choose_class(classifier, given_threat);
            let named = self.namer.as_mut().and_then(|namer| {
                name_attack(namer, &classifier.model.manifest().classes[class].name)
            });
            verdict.attack = Some(AttackOpinion {
                class,
                confidence,
                named,
            });
            if !given_threat {
                let output = class.min(classifier.margins.len() - 1);
                classifier.explain(output);
                verdict.reasons = classifier.strongest(Stage::Classifier, self.reasons);
            }
        }
        verdict
    }
}

/// The most probable class with its calibrated confidence. Once a detector has found a threat,
/// the benign class is out of the question and the others share its probability.
fn choose_class(classifier: &mut Workspace, given_threat: bool) -> (usize, f64) {
    let mut shares = classifier.probabilities();
    let manifest = classifier.model.manifest();
    let mut calibration = &manifest.calibration;
    if given_threat {
        for (share, class) in shares.iter_mut().zip(&manifest.classes) {
            if class.benign {
                *share = 0.0;
            }
        }
        let sum: f64 = shares.iter().sum();
        if sum > 0.0 {
            for share in &mut shares {
                *share /= sum;
            }
        }
        calibration = manifest
            .calibration_given_threat
            .as_ref()
            .unwrap_or(calibration);
    }
    let (class, share) = largest(shares.iter().copied().enumerate());
    (class, calibration.apply(share))
}

/// The most probable name inside a class, if the namer knows any.
fn name_attack(namer: &mut Workspace, class: &str) -> Option<NamedAttack> {
    let shares = namer.probabilities();
    let manifest = namer.model.manifest();
    let inside = |at: usize| manifest.classes[at].group.as_deref() == Some(class);
    let sum: f64 = (0..shares.len())
        .filter(|at| inside(*at))
        .map(|at| shares[at])
        .sum();
    if sum <= 0.0 {
        return None;
    }
    let (name, share) = largest(
        shares
            .iter()
            .copied()
            .enumerate()
            .filter(|(at, _)| inside(*at)),
    );
    Some(NamedAttack {
        class: name,
        confidence: manifest.calibration.apply(share / sum),
    })
}

/// The first of the largest values.
fn largest(values: impl Iterator<Item = (usize, f64)>) -> (usize, f64) {
    let mut best = (0, f64::NEG_INFINITY);
    for (at, value) in values {
        if value > best.1 {
            best = (at, value);
        }
    }
    best
}
