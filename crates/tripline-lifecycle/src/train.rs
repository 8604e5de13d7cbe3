//! From labelled rows and a recipe to a bundle with its report.

mod classifier;
mod detector;

use tripline_detect::{DataDigest, ModelBundle, SchemaRef, Training};
use tripline_forest::{
    SplitMix64, TrainingSet,
    calibration::{Calibration, Outcome},
    metrics, select,
};

pub use classifier::train_classifier;
pub use detector::train_detector;

use crate::{
    CategoryEncoding, LabelledRows, Learner, LifecycleError, Report,
    recipe::{Background, FeatureChoice, Weighting},
};

/// Parts that held-out scores are made with.
const FOLDS: usize = 5;

/// Where a model comes from.
#[derive(Debug, Clone)]
pub struct Provenance {
    /// The command that trains it.
    pub command: String,
    /// Version of the program.
    pub code_version: String,
    /// The files the rows were read from.
    pub data: Vec<DataDigest>,
}

/// A model with what training found out about it.
#[derive(Debug)]
pub struct Trained {
    /// The model.
    pub bundle: ModelBundle,
    /// What it is worth on held-out training rows.
    pub report: Report,
}

fn refuse(recipe: &str, reason: impl Into<String>) -> LifecycleError {
    LifecycleError::Rows {
        recipe: recipe.to_owned(),
        reason: reason.into(),
    }
}

/// Expected calibration error on outcomes that the map was not fitted to: fitted on one half and
/// measured on the other, both ways. Equal vectors, which have one group, stay in one half; each
/// half has bins of its own, because errors of opposite signs in a common bin would cancel.
fn cross_fitted_error(
    outcomes: &[Outcome],
    groups: &[u32],
    fit: impl Fn(&[Outcome]) -> Result<Calibration, LifecycleError>,
) -> Result<f64, LifecycleError> {
    let mut halves = [Vec::new(), Vec::new()];
    for (outcome, group) in outcomes.iter().zip(groups) {
        halves[(group % 2) as usize].push(*outcome);
    }
    let [even, odd] = &halves;
    let (mut error, mut weight) = (0.0, 0.0);
    for (fitted_on, measured_on) in [(even, odd), (odd, even)] {
        let map = fit(fitted_on)?;
        let held: Vec<Outcome> = measured_on
            .iter()
            .map(|outcome| Outcome {
                score: map.apply(outcome.score),
                ..*outcome
            })
            .collect();
        let own: f64 = held.iter().map(|outcome| outcome.weight).sum();
        error += own * metrics::expected_calibration_error(&held);
        weight += own;
    }
    Ok(error / weight.max(f64::MIN_POSITIVE))
}

fn schema_ref(rows: &LabelledRows) -> SchemaRef {
    let schema = rows.schema();
    SchemaRef {
        name: schema.name().to_owned(),
        version: schema.version(),
        fingerprint: schema.fingerprint().to_string(),
    }
}

fn training(
    provenance: &Provenance,
    recipe: &impl serde::Serialize,
    seed: u64,
) -> Result<Training, LifecycleError> {
    let recipe =
        serde_json::to_value(recipe).map_err(|error| refuse("manifest", error.to_string()))?;
    Ok(Training {
        command: provenance.command.clone(),
        recipe,
        seed,
        data: provenance.data.clone(),
        code_version: provenance.code_version.clone(),
    })
}

fn feature_names(rows: &LabelledRows, columns: &[usize]) -> Vec<String> {
    columns
        .iter()
        .map(|&column| rows.schema().features()[column].name.to_owned())
        .collect()
}

/// Applies a choice of features that may look at the rows.
fn choose_columns(
    recipe: &str,
    choice: &FeatureChoice,
    rows: &LabelledRows,
    target: &[u32],
    classes: usize,
    encoding: CategoryEncoding,
    learner: &Learner,
) -> Result<Vec<usize>, LifecycleError> {
    let candidates = match choice {
        FeatureChoice::Uncorrelated { from, .. } | FeatureChoice::Eliminate { from, .. } => {
            choose_columns(recipe, from, rows, target, classes, encoding, learner)?
        }
        FeatureChoice::Named(_) | FeatureChoice::AllBut(_) => {
            return choice.candidates(recipe, rows.schema());
        }
    };
    let all: Vec<usize> = (0..rows.len()).collect();
    let matrix = rows.matrix(&all, &candidates, encoding)?;
    let kept = match choice {
        FeatureChoice::Uncorrelated { limit, .. } => select::filter_correlated(&matrix, *limit),
        FeatureChoice::Eliminate { keep, step, .. } => {
            let set = TrainingSet::new(&matrix, target, classes, None)?;
            select::eliminate(&set, *keep, *step, |set| learner.fit(set))?
        }
        FeatureChoice::Named(_) | FeatureChoice::AllBut(_) => (0..candidates.len()).collect(),
    };
    Ok(kept
        .into_iter()
        .map(|position| candidates[position])
        .collect())
}

/// Rows of each label.
fn label_counts<'a>(
    labels: impl Iterator<Item = &'a str>,
) -> std::collections::BTreeMap<&'a str, usize> {
    let mut counts = std::collections::BTreeMap::new();
    for label in labels {
        *counts.entry(label).or_default() += 1;
    }
    counts
}

/// A weight per row, with mean 1.
fn row_weights(weighting: Weighting, labels: &[&str], groups: &[u32], benign: &[bool]) -> Vec<f64> {
    let mut weights = match weighting {
        Weighting::Rows => vec![1.0; labels.len()],
        Weighting::DistinctRows => distinct_weights(groups),
        Weighting::SquareRoot => {
            let counts = label_counts(labels.iter().copied());
            labels
                .iter()
                .map(|label| 1.0 / (counts[label] as f64).sqrt())
                .collect()
        }
        Weighting::AttackTypes => attack_type_weights(labels, groups, benign),
    };
    let mean = weights.iter().sum::<f64>() / weights.len().max(1) as f64;
    for weight in &mut weights {
        *weight /= mean;
    }
    weights
}

fn distinct_weights(groups: &[u32]) -> Vec<f64> {
    let mut sizes = vec![0.0; groups.iter().max().map_or(0, |group| *group as usize + 1)];
    for group in groups {
        sizes[*group as usize] += 1.0;
    }
    groups
        .iter()
        .map(|group| 1.0 / sizes[*group as usize])
        .collect()
}

fn attack_type_weights(labels: &[&str], groups: &[u32], benign: &[bool]) -> Vec<f64> {
    let mut weights = distinct_weights(groups);
    let mut distinct: std::collections::BTreeMap<&str, f64> = std::collections::BTreeMap::new();
    for (label, weight) in labels.iter().zip(&weights) {
        *distinct.entry(label).or_default() += weight;
    }
    let mut attacks = 0.0;
    for ((weight, label), benign) in weights.iter_mut().zip(labels).zip(benign) {
        if !benign {
            *weight /= distinct[label].sqrt();
            attacks += *weight;
        }
    }
    // Attacks together keep the share of their rows.
    let normal: f64 = weights
        .iter()
        .zip(benign)
        .filter(|(_, benign)| **benign)
        .map(|(w, _)| w)
        .sum();
    let attack_rows = benign.iter().filter(|benign| !**benign).count() as f64;
    let normal_rows = (benign.len() as f64 - attack_rows).max(1.0);
    let scale = if attacks > 0.0 {
        normal * attack_rows / normal_rows / attacks
    } else {
        1.0
    };
    for (weight, benign) in weights.iter_mut().zip(benign) {
        if !benign {
            *weight *= scale;
        }
    }
    weights
}

/// Copies of normal rows in which some values are those of other normal rows.
fn background_rows(
    rows: &LabelledRows,
    normal: &[usize],
    columns: &[usize],
    background: Background,
    seed: u64,
) -> Vec<Vec<f64>> {
    let mut random = SplitMix64::for_part(seed, u64::MAX);
    let count = (normal.len() as f64 * background.rows_per_normal) as usize;
    (0..count)
        .map(|_| {
            let copied = normal[random.below(normal.len())];
            let (least, most) = background.replaced;
            let replaced = least + random.unit() * (most - least);
            columns
                .iter()
                .map(|&column| {
                    let from = if random.unit() < replaced {
                        normal[random.below(normal.len())]
                    } else {
                        copied
                    };
                    rows.row(from)[column]
                })
                .collect()
        })
        .collect()
}
