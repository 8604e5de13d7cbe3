use std::collections::HashMap;
use std::sync::Arc;

use tripline_forest::fast::Scratch;

use crate::{AttackOpinion, Model, NamedAttack, Pipeline, Reason, Stage, ThreatOpinion, Verdict};

/// Rows that go through a model together.
const CHUNK_ROWS: usize = 256;

/// Judges rows with one pipeline. One scorer belongs to one worker: it holds the memory that
/// makes judging fast.
#[derive(Debug)]
pub struct Scorer {
    pipeline: Pipeline,
    reasons: usize,
    explained: Explained,
    /// Whether most rows of the last chunk were threats: then explaining all at once costs less
    /// than measuring all and explaining most. It changes no number.
    expects_threats: bool,
    memory: Option<Memory>,
    detector: Option<Workspace>,
    classifier: Option<Workspace>,
    namer: Option<Workspace>,
}

/// Which verdicts of a detector come with reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Explained {
    /// All.
    #[default]
    All,
    /// Those of threats: what is ordinary costs less, and can still be explained when somebody asks.
    Threats,
}

/// Rows that are looked up together.
const REMEMBERED_ROWS: usize = 1024;
/// Memory for what a worker remembers of one model's trees where whole verdicts are remembered too.
const MEMO_BYTES_BESIDE_MEMORY: usize = 4 << 20;
/// Verdicts that are remembered; then all are forgotten.
const MAX_REMEMBERED: usize = 4096;

/// Verdicts by what the trees see of their rows.
#[derive(Debug, Default)]
struct Memory {
    places: HashMap<Box<[u32]>, usize>,
    verdicts: Vec<Verdict>,
    codes: Vec<u32>,
}

impl Memory {
    fn make_room(&mut self) {
        if self.verdicts.len() + REMEMBERED_ROWS > MAX_REMEMBERED {
            self.places.clear();
            self.verdicts.clear();
        }
    }
}

/// Rows of the schema that lie one after the other.
#[derive(Debug, Clone, Copy)]
struct Rows<'a> {
    width: usize,
    values: &'a [f64],
    /// What the trees of all models see of each row, this many; none where nobody has looked yet.
    code_width: usize,
    codes: &'a [u32],
}

impl<'a> Rows<'a> {
    fn len(&self) -> usize {
        self.values.len() / self.width
    }

    fn values(&self, row: usize) -> &'a [f64] {
        &self.values[row * self.width..][..self.width]
    }

    fn codes(&self, row: usize) -> Option<&'a [u32]> {
        let codes = self.codes.get(row * self.code_width..)?;
        (self.code_width > 0).then(|| &codes[..self.code_width])
    }

    /// Parts of so many rows.
    fn chunks(self, rows: usize) -> impl Iterator<Item = Self> {
        (0..self.len()).step_by(rows).map(move |first| {
            let part = first..(first + rows).min(self.len());
            Self {
                values: &self.values[part.start * self.width..part.end * self.width],
                codes: self
                    .codes
                    .get(part.start * self.code_width..part.end * self.code_width)
                    .unwrap_or_default(),
                ..self
            }
        })
    }
}

#[derive(Debug)]
struct Workspace {
    model: Arc<Model>,
    /// Where the codes of this model begin among those of all.
    first_code: usize,
    scratch: Scratch,
    row: Vec<f64>,
    margins: Vec<f64>,
    contributions: Vec<f64>,
}

impl Workspace {
    fn new(model: &Arc<Model>) -> Self {
        Self {
            scratch: model.compiled().scratch(),
            row: Vec::new(),
            margins: Vec::new(),
            contributions: Vec::new(),
            first_code: 0,
            model: Arc::clone(model),
        }
    }

    /// Takes rows, instead of those it had.
    fn load(&mut self, rows: &Rows<'_>, chosen: impl Iterator<Item = usize>) {
        self.scratch.clear();
        let compiled = self.model.compiled();
        for row in chosen {
            self.model.project(rows.values(row), &mut self.row);
            match rows.codes(row) {
                Some(codes) => {
                    let codes = &codes[self.first_code..][..self.row.len()];
                    compiled.push_encoded(&self.row, codes, &mut self.scratch);
                }
                None => compiled.push(&self.row, &mut self.scratch),
            }
        }
    }

    /// Finds one output's margins of some of the rows, leaving the contributions behind.
    fn explain(&mut self, output: usize, rows: &[usize]) {
        self.model.compiled().explain_rows(
            output,
            rows,
            &mut self.scratch,
            &mut self.margins,
            &mut self.contributions,
        );
    }

    /// Finds the margins of all rows and outputs, without contributions.
    fn measure(&mut self) {
        let compiled = self.model.compiled();
        compiled.margins(&mut self.scratch, &mut self.margins);
    }

    /// Class probabilities of all rows.
    fn probabilities(&mut self) -> impl Iterator<Item = Vec<f64>> {
        self.measure();
        let compiled = self.model.compiled();
        self.margins
            .chunks(compiled.ensemble().outputs())
            .map(|margins| compiled.link().probabilities(margins))
    }

    /// The strongest contributions of the row that was explained at a position, strongest first;
    /// equal ones in the order of the columns.
    fn strongest(&self, position: usize, stage: Stage, count: usize) -> Vec<Reason> {
        let columns = self.model.columns();
        let contributions = &self.contributions[position * columns.len()..][..columns.len()];
        let mut strongest: Vec<Reason> = Vec::with_capacity(count.min(columns.len()));
        for (column, &contribution) in columns.iter().zip(contributions) {
            let strength = contribution.abs();
            if strongest.len() == count {
                // Most contributions are weaker than those found so far.
                match strongest.last() {
                    Some(weakest) if strength > weakest.contribution.abs() => strongest.pop(),
                    _ => continue,
                };
            } else if contribution == 0.0 {
                continue;
            }
            let stronger = |other: &Reason| other.contribution.abs() >= strength;
            let place = strongest.iter().take_while(|other| stronger(other)).count();
            let reason = Reason {
                stage,
                feature: *column as u16,
                contribution,
            };
            strongest.insert(place, reason);
        }
        strongest
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
            explained: Explained::All,
            expects_threats: false,
            memory: None,
        }
    }

    /// Remembers verdicts: a row that no tree can tell from an earlier one gets the same. It changes
    /// no verdict and is worth it where many rows are alike, as in scans and floods.
    #[must_use]
    pub fn remembering(mut self) -> Self {
        self.memory = Some(Memory::default());
        // What the trees would remember of alike rows is remembered here as a whole.
        let models = [&mut self.detector, &mut self.classifier, &mut self.namer];
        let mut codes = 0;
        for workspace in models.into_iter().flatten() {
            let model = &workspace.model;
            workspace.scratch = model.compiled().scratch_within(MEMO_BYTES_BESIDE_MEMORY);
            workspace.first_code = codes;
            codes += model.columns().len();
        }
        self
    }

    /// Chooses which verdicts come with reasons.
    #[must_use]
    pub fn explaining(mut self, explained: Explained) -> Self {
        self.explained = explained;
        self
    }

    /// The models that judge.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Judges one row, given in the order of the schema.
    pub fn judge(&mut self, values: &[f64]) -> Verdict {
        self.judge_rows(values).pop().unwrap_or_default()
    }

    /// Judges rows that lie one after the other, each in the order of the schema. Many rows at
    /// once cost less than one at a time.
    pub fn judge_rows(&mut self, values: &[f64]) -> Vec<Verdict> {
        let width = self.pipeline.schema().len();
        debug_assert_eq!(values.len() % width, 0);
        if let Some(mut memory) = self.memory.take() {
            let verdicts = self.judge_remembering(width, values, &mut memory);
            self.memory = Some(memory);
            return verdicts;
        }
        self.judge_all(Rows {
            width,
            values,
            code_width: 0,
            codes: &[],
        })
    }

    fn judge_all(&mut self, rows: Rows<'_>) -> Vec<Verdict> {
        let mut verdicts = vec![Verdict::default(); rows.len()];
        let chunks = rows.chunks(CHUNK_ROWS);
        for (rows, verdicts) in chunks.zip(verdicts.chunks_mut(CHUNK_ROWS)) {
            self.judge_chunk(&rows, verdicts);
        }
        verdicts
    }

    fn judge_remembering(
        &mut self,
        width: usize,
        values: &[f64],
        memory: &mut Memory,
    ) -> Vec<Verdict> {
        let mut verdicts = Vec::with_capacity(values.len() / width);
        for values in values.chunks(REMEMBERED_ROWS * width) {
            memory.make_room();
            let (mut fresh, mut codes) = (Vec::new(), Vec::new());
            let mut next = memory.verdicts.len();
            let mut places = Vec::with_capacity(values.len() / width);
            for row in values.chunks(width) {
                self.encode(row, memory);
                if let Some(place) = memory.places.get(memory.codes.as_slice()) {
                    places.push(*place);
                    continue;
                }
                memory.places.insert(memory.codes.as_slice().into(), next);
                fresh.extend_from_slice(row);
                codes.extend_from_slice(&memory.codes);
                places.push(next);
                next += 1;
            }
            memory.verdicts.extend(self.judge_all(Rows {
                width,
                values: &fresh,
                code_width: memory.codes.len(),
                codes: &codes,
            }));
            let known = &memory.verdicts;
            verdicts.extend(places.into_iter().map(|place| known[place].clone()));
        }
        verdicts
    }

    /// What the trees of all models see of a row.
    fn encode(&mut self, values: &[f64], memory: &mut Memory) {
        memory.codes.clear();
        let models = [&mut self.detector, &mut self.classifier, &mut self.namer];
        for workspace in models.into_iter().flatten() {
            workspace.model.project(values, &mut workspace.row);
            let compiled = workspace.model.compiled();
            compiled.encode(&workspace.row, &mut workspace.scratch, &mut memory.codes);
        }
    }

    fn judge_chunk(&mut self, rows: &Rows<'_>, verdicts: &mut [Verdict]) {
        let mut suspects: Vec<usize> = (0..verdicts.len()).collect();
        if let Some(detector) = &mut self.detector {
            detector.load(rows, 0..rows.len());
            let explains =
                self.reasons > 0 && (self.explained == Explained::All || self.expects_threats);
            if explains {
                detector.explain(0, &suspects);
            } else {
                detector.measure();
            }
            for (position, verdict) in verdicts.iter_mut().enumerate() {
                let probability = detector
                    .model
                    .threat_probability(detector.margins[position]);
                verdict.threat = Some(ThreatOpinion {
                    probability,
                    is_threat: probability >= detector.model.threshold(),
                });
                if explains && (self.explained == Explained::All || verdict.is_threat()) {
                    verdict.reasons = detector.strongest(position, Stage::Detector, self.reasons);
                }
            }
            suspects.retain(|row| verdicts[*row].is_threat());
            self.expects_threats = suspects.len() * 2 > verdicts.len();
            if self.reasons > 0 && !explains {
                detector.explain(0, &suspects);
                for (position, row) in suspects.iter().enumerate() {
                    verdicts[*row].reasons =
                        detector.strongest(position, Stage::Detector, self.reasons);
                }
            }
        }
        let Some(classifier) = &mut self.classifier else {
            return;
        };
        let given_threat = self.detector.is_some();
        classifier.load(rows, suspects.iter().copied());
        let chosen = choose_classes(classifier, given_threat);
        let mut names = Vec::new();
        if let Some(namer) = &mut self.namer {
            namer.load(rows, suspects.iter().copied());
            let classes = &classifier.model.manifest().classes;
            names = name_attacks(
                namer,
                chosen.iter().map(|(class, _)| &*classes[*class].name),
            );
        }
        for (position, &(class, confidence)) in chosen.iter().enumerate() {
            verdicts[suspects[position]].attack = Some(AttackOpinion {
                class,
                confidence,
                named: names.get(position).copied().flatten(),
            });
        }
        if !given_threat && self.reasons > 0 {
            let outputs = classifier.model.compiled().ensemble().outputs();
            for output in 0..outputs {
                // A model of two classes has one output for both.
                let rows: Vec<usize> = (0..chosen.len())
                    .filter(|row| chosen[*row].0.min(outputs - 1) == output)
                    .collect();
                classifier.explain(output, &rows);
                for (position, row) in rows.into_iter().enumerate() {
                    verdicts[row].reasons =
                        classifier.strongest(position, Stage::Classifier, self.reasons);
                }
            }
        }
    }
}

/// The most probable class of each row with its calibrated confidence. Once a detector has found
/// a threat, the benign class is out of the question and the others share its probability.
fn choose_classes(classifier: &mut Workspace, given_threat: bool) -> Vec<(usize, f64)> {
    let model = Arc::clone(&classifier.model);
    let manifest = model.manifest();
    let calibration = manifest
        .calibration_given_threat
        .as_ref()
        .filter(|_| given_threat)
        .unwrap_or(&manifest.calibration);
    let choose = |mut shares: Vec<f64>| {
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
        }
        let (class, share) = largest(shares.iter().copied().enumerate());
        (class, calibration.apply(share))
    };
    classifier.probabilities().map(choose).collect()
}

/// The most probable name of each row inside its class, if the namer knows any.
fn name_attacks<'a>(
    namer: &mut Workspace,
    classes: impl Iterator<Item = &'a str>,
) -> Vec<Option<NamedAttack>> {
    let model = Arc::clone(&namer.model);
    let manifest = model.manifest();
    let name = |(shares, class): (Vec<f64>, &str)| {
        let inside = |at: usize| manifest.classes[at].group.as_deref() == Some(class);
        let known = shares.iter().copied().enumerate();
        let known = known.filter(|(at, _)| inside(*at));
        let sum: f64 = known.clone().map(|(_, share)| share).sum();
        if sum <= 0.0 {
            return None;
        }
        let (class, share) = largest(known);
        Some(NamedAttack {
            class,
            confidence: manifest.calibration.apply(share / sum),
        })
    };
    namer.probabilities().zip(classes).map(name).collect()
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
