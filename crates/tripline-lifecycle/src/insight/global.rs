use serde::Serialize;
use tripline_detect::{Model, Role};
use tripline_features::{FeatureKind, FeatureValue, display_value, label};
use tripline_forest::{calibration::Outcome, metrics, shap};

use crate::LabelledRows;

/// Rows that are explained.
const MAX_ROWS: usize = 300;
/// Points of a curve.
const MAX_POINTS: usize = 24;
/// Multiplier and increment of the generator that shuffles (Knuth, MMIX).
const MIX: (u64, u64) = (6_364_136_223_846_793_005, 1_442_695_040_888_963_407);

/// How much a feature matters to a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Importance {
    /// The feature.
    pub feature: &'static str,
    /// Mean absolute Shapley value on the rows, in the unit of the model's margin.
    pub mean_abs_contribution: f64,
    /// How much the area under the ROC curve falls when the feature is shuffled among labelled rows;
    /// `None` where there are none, and for models that are no detector.
    pub permutation: Option<f64>,
}

/// What a model thinks on average when one feature has a given value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Dependence {
    /// The feature.
    pub feature: &'static str,
    /// Values in order, each with the mean probability over the rows.
    pub points: Vec<(FeatureValue, f64)>,
}

fn project(model: &Model, values: &[f64]) -> Vec<f64> {
    model
        .columns()
        .iter()
        .map(|column| values.get(*column).copied().unwrap_or(f64::NAN))
        .collect()
}

/// How much each feature matters on rows given in the order of the model's columns, the most important
/// first. `labelled` rows are in the order of the schema.
pub fn importances(
    model: &Model,
    rows: &[Vec<f64>],
    labelled: Option<&LabelledRows>,
    seed: u64,
) -> Vec<Importance> {
    let ensemble = model.compiled().ensemble();
    let rows = &rows[..rows.len().min(MAX_ROWS)];
    let mut sums = vec![0.0; model.columns().len()];
    for row in rows {
        for output in 0..ensemble.outputs() {
            let explained = shap::explain(ensemble, row, output);
            for (sum, contribution) in sums.iter_mut().zip(&explained.contributions) {
                *sum += contribution.abs();
            }
        }
    }
    let permuted = labelled
        .filter(|_| model.role() == Role::Detector)
        .and_then(|labelled| permutation(model, labelled, seed));
    let each = (rows.len() * ensemble.outputs()).max(1) as f64;
    let mut importances: Vec<Importance> = model
        .columns()
        .iter()
        .enumerate()
        .map(|(column, index)| Importance {
            feature: model.schema().features()[*index].name,
            mean_abs_contribution: sums[column] / each,
            permutation: permuted.as_ref().map(|permuted| permuted[column]),
        })
        .collect();
    importances.sort_by(|one, other| {
        other
            .mean_abs_contribution
            .total_cmp(&one.mean_abs_contribution)
    });
    importances
}

fn permutation(model: &Model, labelled: &LabelledRows, seed: u64) -> Option<Vec<f64>> {
    let step = (labelled.len() / 2000).max(1);
    let chosen: Vec<usize> = (0..labelled.len()).step_by(step).collect();
    let mut rows: Vec<Vec<f64>> = chosen
        .iter()
        .map(|row| project(model, labelled.row(*row)))
        .collect();
    let attacks: Vec<bool> = chosen
        .iter()
        .map(|row| label::is_benign(labelled.label(*row)) == Some(false))
        .collect();
    if attacks.iter().all(|attack| *attack) || !attacks.iter().any(|attack| *attack) {
        return None;
    }
    let ensemble = model.compiled().ensemble();
    let area = |rows: &[Vec<f64>]| {
        let outcomes: Vec<Outcome> = rows
            .iter()
            .zip(&attacks)
            .map(|(row, attack)| Outcome {
                score: ensemble.margins(row)[0],
                positive: *attack,
                weight: 1.0,
            })
            .collect();
        metrics::roc_auc(&outcomes)
    };
    let before = area(&rows);
    let mut state = seed;
    let mut losses = Vec::with_capacity(model.columns().len());
    for column in 0..model.columns().len() {
        let kept: Vec<f64> = rows.iter().map(|row| row[column]).collect();
        let mut shuffled = kept.clone();
        for place in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(MIX.0).wrapping_add(MIX.1);
            shuffled.swap(place, (state >> 33) as usize % (place + 1));
        }
        for (row, value) in rows.iter_mut().zip(shuffled) {
            row[column] = value;
        }
        losses.push(before - area(&rows));
        for (row, value) in rows.iter_mut().zip(kept) {
            row[column] = value;
        }
    }
    Some(losses)
}

/// What the model thinks on average over rows, given in the order of its columns, when one feature has
/// each of the values that training had: of being a threat, or of its last class.
pub fn dependence(model: &Model, rows: &[Vec<f64>], feature: &str) -> Option<Dependence> {
    let schema = model.schema();
    let (column, index) = model
        .columns()
        .iter()
        .enumerate()
        .find(|(_, index)| schema.features()[**index].name == feature)?;
    let baseline = model
        .manifest()
        .baseline
        .iter()
        .find(|baseline| baseline.feature == feature)?;
    let mut values: Vec<f64> = match &schema.features()[*index].kind {
        FeatureKind::Category(_) => {
            let mut codes: Vec<(u64, usize)> = baseline
                .counts
                .iter()
                .enumerate()
                .filter(|(_, count)| **count > 0)
                .map(|(code, count)| (*count, code))
                .collect();
            codes.sort_unstable_by(|one, other| other.cmp(one));
            codes.truncate(MAX_POINTS);
            codes.into_iter().map(|(_, code)| code as f64).collect()
        }
        _ => baseline.edges.clone(),
    };
    values.truncate(MAX_POINTS);
    let ensemble = model.compiled().ensemble();
    let rows = &rows[..rows.len().min(MAX_ROWS)];
    let mut row_of = Vec::new();
    let points = values
        .into_iter()
        .map(|value| {
            let sum: f64 = rows
                .iter()
                .map(|row| {
                    row_of.clone_from(row);
                    row_of[column] = value;
                    let margins = ensemble.margins(&row_of);
                    if model.role() == Role::Detector {
                        model.threat_probability(margins[0])
                    } else {
                        let shares = ensemble.link().probabilities(&margins);
                        shares.last().copied().unwrap_or(0.0)
                    }
                })
                .sum();
            (
                display_value(schema, *index, value),
                sum / rows.len().max(1) as f64,
            )
        })
        .collect();
    Some(Dependence {
        feature: schema.features()[*index].name,
        points,
    })
}
