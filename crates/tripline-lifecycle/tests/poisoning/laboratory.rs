//! A detector, labels of honest and dishonest authors, and a retraining on them.

use std::{collections::BTreeSet, sync::Arc};

use tripline_detect::{MadeFor, Model};
use tripline_features::label;
use tripline_forest::gbdt::GbdtParams;
use tripline_lifecycle::{
    CategoryEncoding, Evaluation, LabelledRows, Learner, judge_alone,
    recipe::{DetectorRecipe, FeatureChoice, ThresholdRule, Weighting},
    retrain::{
        Curated, Gate, GateInput, GatePolicy, LabelPolicy, LabelledFlow, curate, gate,
        training_rows,
    },
    train::{Provenance, train_detector},
};

/// What dishonest authors do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Attack {
    /// Nothing: all labels are true.
    None,
    /// They say of one attack type that it is harmless.
    Targeted,
    /// They say of attacks with a rare value that they are harmless.
    Backdoor,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) labels: usize,
    pub(crate) poisoned_used: usize,
    pub(crate) gate: Gate,
    /// F1 on clean rows before and after.
    pub(crate) clean: (f64, f64),
    /// Share of the attacker's attacks that were found before and pass now.
    pub(crate) success: f64,
}

impl Outcome {
    /// Whether the attack did no harm: promotion is refused, or nothing has changed much.
    pub(crate) fn is_harmless(&self) -> bool {
        !self.gate.passes || (self.success <= 0.05 && self.clean.0 - self.clean.1 <= 0.01)
    }
}

/// Three parts of labelled rows: original training data, rows to label, rows to measure on.
pub(crate) struct Laboratory {
    base: LabelledRows,
    field: LabelledRows,
    measured: LabelledRows,
    champion: (Arc<Model>, u64),
    target: String,
}

fn recipe() -> DetectorRecipe {
    DetectorRecipe {
        name: "laboratory".to_owned(),
        description: "A detector of the poisoning laboratory".to_owned(),
        priority: 1,
        made_for: MadeFor::Rows,
        features: FeatureChoice::AllBut(Vec::new()),
        categories: CategoryEncoding::Native,
        learner: Learner::Gbdt(GbdtParams {
            rounds: 40,
            learning_rate: 0.2,
            max_leaves: 31,
            min_rows_in_leaf: 20,
            seed: 7,
            ..GbdtParams::default()
        }),
        weighting: Weighting::Rows,
        background: None,
        threshold: ThresholdRule::Score(0.5),
        seed: 7,
    }
}

fn train(rows: &LabelledRows) -> (Arc<Model>, u64) {
    let provenance = Provenance {
        command: "laboratory".to_owned(),
        code_version: "0".to_owned(),
        data: Vec::new(),
    };
    let mut trained = train_detector(rows, &recipe(), &provenance).unwrap();
    let bytes = trained.bundle.encode().unwrap();
    (
        Arc::new(Model::from_bytes(&bytes).unwrap()),
        bytes.len() as u64,
    )
}

fn f1(model: &Arc<Model>, rows: &LabelledRows) -> f64 {
    let evaluation = Evaluation::of_model("clean", model, rows).unwrap().unwrap();
    evaluation.detector.unwrap().f1
}

/// A rare value in a feature that hardly any row has.
fn stamp(values: &mut [f64], rows: &LabelledRows) {
    let column = rows.schema().index_of("urgent").unwrap();
    values[column] = 3.0;
}

impl Laboratory {
    pub(crate) fn new(rows: &LabelledRows) -> Self {
        let part = |wanted: &[usize]| -> Vec<usize> {
            (0..rows.len())
                .filter(|row| wanted.contains(&(row % 5)))
                .collect()
        };
        let (base, field, measured) = (
            rows.select(&part(&[0, 1, 2])),
            rows.select(&part(&[3])),
            rows.select(&part(&[4])),
        );
        // The most frequent attack is worth hiding.
        let mut counts = std::collections::BTreeMap::new();
        for row in 0..field.len() {
            if label::is_benign(field.label(row)) == Some(false) {
                *counts.entry(field.label(row).to_owned()).or_insert(0) += 1;
            }
        }
        let target = counts
            .into_iter()
            .max_by_key(|(_, count)| *count)
            .map(|(name, _)| name)
            .unwrap();
        Self {
            champion: train(&base),
            base,
            field,
            measured,
            target,
        }
    }

    /// Honest labels on the field, and `share` of the original rows by dishonest authors.
    fn labels(&self, attack: Attack, share: f64, authors: usize) -> Vec<LabelledFlow> {
        let mut labels: Vec<LabelledFlow> = Vec::new();
        let mut push = |values: Vec<f64>, is_attack: bool, author: String| {
            let id = labels.len() as u64 + 1;
            labels.push(LabelledFlow {
                id,
                flow: format!("flow {id}"),
                values,
                is_attack,
                attack_type: None,
                author,
                micros: id as i64,
                reviewed: false,
            });
        };
        for row in (0..self.field.len()).step_by(10) {
            let is_attack = label::is_benign(self.field.label(row)) == Some(false);
            push(
                self.field.row(row).to_vec(),
                is_attack,
                format!("honest {}", row % 3),
            );
        }
        let wanted = (self.base.len() as f64 * share) as usize;
        let theirs = (0..self.field.len()).filter(|row| match attack {
            Attack::None => false,
            Attack::Targeted => self.field.label(*row) == self.target,
            Attack::Backdoor => label::is_benign(self.field.label(*row)) == Some(false),
        });
        for (turn, row) in theirs.take(wanted).enumerate() {
            let mut values = self.field.row(row).to_vec();
            if attack == Attack::Backdoor {
                stamp(&mut values, &self.field);
            }
            push(values, false, format!("mallory {}", turn % authors));
        }
        labels
    }

    /// The attacks that the attacker wants to get through.
    fn wanted(&self, attack: Attack) -> LabelledRows {
        let mut wanted = LabelledRows::new(self.measured.schema());
        for row in 0..self.measured.len() {
            let name = self.measured.label(row);
            let mut values = self.measured.row(row).to_vec();
            let is_wanted = match attack {
                Attack::None => false,
                Attack::Targeted => name == self.target,
                Attack::Backdoor => {
                    stamp(&mut values, &self.measured);
                    label::is_benign(name) == Some(false)
                }
            };
            if is_wanted {
                wanted.push(&values, name);
            }
        }
        wanted
    }

    pub(crate) fn run(&self, attack: Attack, share: f64, authors: usize) -> Outcome {
        let labels = self.labels(attack, share, authors);
        let (champion, champion_bytes) = &self.champion;
        let columns = champion.columns();
        let curated: Curated = curate(
            &labels,
            &self.base,
            columns,
            &BTreeSet::new(),
            &LabelPolicy::default(),
        );
        let poisoned_used = curated
            .used
            .iter()
            .filter(|at| labels[**at].author.starts_with("mallory"))
            .count();
        let (rows, recent, ..) = training_rows(&self.base, &labels, &curated, 0.2);
        let (challenger, challenger_bytes) = train(&rows);
        let attacks: Vec<usize> = (0..self.base.len())
            .filter(|row| label::is_benign(self.base.label(*row)) == Some(false))
            .collect();
        let used: Vec<LabelledFlow> = curated.used.iter().map(|at| labels[*at].clone()).collect();
        // Half of the measured rows are the registry's hold-out; the gate sees nothing of the others.
        let halves: Vec<Vec<usize>> = (0..2)
            .map(|half| {
                (0..self.measured.len())
                    .filter(|row| row % 2 == half)
                    .collect()
            })
            .collect();
        let sets = [
            ("the hold-out".to_owned(), self.measured.select(&halves[0])),
            ("recent labels".to_owned(), recent),
        ];
        let gate = gate(
            &GateInput {
                champion: (champion, *champion_bytes, 1000.0),
                challenger: (&challenger, challenger_bytes, 1000.0),
                sets: &sets,
                attacks: &self.base.select(&attacks),
                labels: &used,
            },
            &GatePolicy::default(),
        )
        .unwrap();
        let wanted = self.wanted(attack);
        let success = if wanted.is_empty() {
            0.0
        } else {
            let before = judge_alone(champion, &wanted).unwrap();
            let after = judge_alone(&challenger, &wanted).unwrap();
            let lost = before
                .iter()
                .zip(&after)
                .filter(|(before, after)| before.is_threat() && !after.is_threat());
            lost.count() as f64 / wanted.len() as f64
        };
        let clean = self.measured.select(&halves[1]);
        Outcome {
            labels: labels.len(),
            poisoned_used,
            gate,
            clean: (f1(champion, &clean), f1(&challenger, &clean)),
            success,
        }
    }
}
