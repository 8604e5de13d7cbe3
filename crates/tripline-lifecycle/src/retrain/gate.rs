use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tripline_detect::{Model, Role};
use tripline_features::label;

use super::{LabelledFlow, robust_recall};
use crate::{Evaluation, LabelledRows, LifecycleError, judge_alone};

/// Attacks on which rare values are tried.
const PROBED_ATTACKS: usize = 300;
/// Rows that one author calls harmless from which on their values are tried.
const MIN_SUSPICIOUS: usize = 5;

/// What a new version may lose.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatePolicy {
    /// Points of F1 (0 to 1) on any set of rows.
    pub f1_loss: f64,
    /// Points of recall of any attack type, beyond what its number of rows lets chance do.
    pub recall_loss: f64,
    /// Points of the false positive rate.
    pub false_positive_gain: f64,
    /// Points of the expected calibration error.
    pub calibration_loss: f64,
    /// Points of recall under perturbation.
    pub robust_loss: f64,
    /// How many times as large.
    pub size_ratio: f64,
    /// How many times as slow.
    pub latency_ratio: f64,
    /// Share of known attacks that rare values called harmless may make harmless, beyond those that
    /// they do already.
    pub backdoor: f64,
}

impl Default for GatePolicy {
    fn default() -> Self {
        Self {
            f1_loss: 0.01,
            recall_loss: 0.02,
            false_positive_gain: 0.01,
            calibration_loss: 0.03,
            robust_loss: 0.03,
            size_ratio: 3.0,
            latency_ratio: 3.0,
            backdoor: 0.05,
        }
    }
}

/// What is compared.
#[derive(Debug)]
pub struct GateInput<'a> {
    /// The version that judges, with the size of its bundle and the time it takes for a row.
    pub champion: (&'a Arc<Model>, u64, f64),
    /// The new one.
    pub challenger: (&'a Arc<Model>, u64, f64),
    /// Rows that neither was trained on.
    pub sets: &'a [(String, LabelledRows)],
    /// Attacks that are known to be such, to try rare values on.
    pub attacks: &'a LabelledRows,
    /// The labels that were trained on.
    pub labels: &'a [LabelledFlow],
}

/// One thing that has to hold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Criterion {
    /// What.
    pub what: String,
    /// The value of the version that judges.
    pub champion: Option<f64>,
    /// The value of the new one.
    pub challenger: Option<f64>,
    /// What the new one's value may be at most, or at least.
    pub limit: f64,
    /// Whether it holds.
    pub holds: bool,
}

/// What the gate says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gate {
    /// Whether the new version may be a candidate.
    pub passes: bool,
    /// Everything that was looked at.
    pub criteria: Vec<Criterion>,
}

/// Compares a new version with the one it is to follow.
pub fn gate(input: &GateInput<'_>, policy: &GatePolicy) -> Result<Gate, LifecycleError> {
    let mut criteria = Vec::new();
    for (name, rows) in input.sets {
        if !rows.is_empty() {
            compare_on(name, rows, input, policy, &mut criteria)?;
        }
    }
    let at_most = |what: &str, champion: f64, challenger: f64, limit: f64| Criterion {
        what: what.to_owned(),
        champion: Some(champion),
        challenger: Some(challenger),
        limit,
        holds: challenger <= limit,
    };
    let (_, champion_bytes, champion_nanos) = input.champion;
    let (_, challenger_bytes, challenger_nanos) = input.challenger;
    criteria.push(at_most(
        "bytes of the bundle",
        champion_bytes as f64,
        challenger_bytes as f64,
        champion_bytes as f64 * policy.size_ratio,
    ));
    criteria.push(at_most(
        "nanoseconds for a row",
        champion_nanos,
        challenger_nanos,
        champion_nanos * policy.latency_ratio,
    ));
    criteria.extend(backdoors(input, policy)?);
    Ok(Gate {
        passes: criteria.iter().all(|criterion| criterion.holds),
        criteria,
    })
}

fn compare_on(
    name: &str,
    rows: &LabelledRows,
    input: &GateInput<'_>,
    policy: &GatePolicy,
    criteria: &mut Vec<Criterion>,
) -> Result<(), LifecycleError> {
    let of = |model: &Arc<Model>| Evaluation::of_model(name, model, rows);
    let (Some(champion), Some(challenger)) = (of(input.champion.0)?, of(input.challenger.0)?)
    else {
        return Ok(());
    };
    let mut add = |what: String, before: Option<f64>, after: Option<f64>, limit: f64, up: bool| {
        let holds = match after {
            // What cannot be measured now could not be measured before either, or is lost.
            None => before.is_none(),
            Some(after) if up => after >= limit,
            Some(after) => after <= limit,
        };
        criteria.push(Criterion {
            what,
            champion: before,
            challenger: after,
            limit,
            holds,
        });
    };
    let number = |value: f64| value.is_finite().then_some(value);
    if let (Some(before), Some(after)) = (&champion.detector, &challenger.detector) {
        if let Some(f1) = number(before.f1) {
            add(
                format!("F1 on {name}"),
                Some(f1),
                number(after.f1),
                f1 - policy.f1_loss,
                true,
            );
        }
        let limit = before.false_positive_rate + policy.false_positive_gain;
        add(
            format!("false positive rate on {name}"),
            number(before.false_positive_rate),
            number(after.false_positive_rate),
            limit,
            false,
        );
        add(
            format!("calibration error on {name}"),
            number(before.expected_calibration_error),
            number(after.expected_calibration_error),
            before.expected_calibration_error + policy.calibration_loss,
            false,
        );
        for (before, after) in champion.by_label.iter().zip(&challenger.by_label) {
            if label::is_benign(&before.label) == Some(true) {
                continue;
            }
            let share = |called: u64| called as f64 / before.rows.max(1) as f64;
            // A few rows of a type can go either way; a loss beyond both intervals is one.
            let limit = (before.interval.0 - policy.recall_loss).max(0.0);
            add(
                format!("recall of '{}' on {name}, upper bound", before.label),
                Some(share(before.called_threat)),
                Some(after.interval.1.max(share(after.called_threat))),
                limit,
                true,
            );
        }
        let (before, after) = (
            robust_recall(input.champion.0, rows)?,
            robust_recall(input.challenger.0, rows)?,
        );
        if let Some(robust) = before {
            add(
                format!("recall under perturbation on {name}"),
                before,
                after,
                robust - policy.robust_loss,
                true,
            );
        }
    }
    if let (Some(before), Some(after)) = (&champion.classifier, &challenger.classifier) {
        if let Some(f1) = number(before.macro_f1) {
            add(
                format!("macro F1 on {name}"),
                Some(f1),
                number(after.macro_f1),
                f1 - policy.f1_loss,
                true,
            );
        }
        add(
            format!("calibration error of classes on {name}"),
            number(before.expected_calibration_error),
            number(after.expected_calibration_error),
            before.expected_calibration_error + policy.calibration_loss,
            false,
        );
    }
    Ok(())
}

/// Tries the values of rows that an author calls harmless, feature by feature, on known attacks: what
/// the new version lets pass because of them, and the one that judges does not, is a backdoor.
fn backdoors(input: &GateInput<'_>, policy: &GatePolicy) -> Result<Vec<Criterion>, LifecycleError> {
    let (champion, challenger) = (input.champion.0, input.challenger.0);
    if champion.role() != Role::Detector || input.attacks.is_empty() {
        return Ok(Vec::new());
    }
    let mut authors: Vec<&str> = input
        .labels
        .iter()
        .map(|label| label.author.as_str())
        .collect();
    authors.sort_unstable();
    authors.dedup();
    let step = (input.attacks.len() / PROBED_ATTACKS).max(1);
    let probed: Vec<usize> = (0..input.attacks.len())
        .step_by(step)
        .take(PROBED_ATTACKS)
        .collect();
    let attacks = input.attacks.select(&probed);
    let mut criteria = Vec::new();
    for author in authors {
        let harmless: Vec<&LabelledFlow> = input
            .labels
            .iter()
            .filter(|label| label.author == author && !label.is_attack)
            .collect();
        if harmless.len() < MIN_SUSPICIOUS {
            continue;
        }
        let mut worst: Option<(f64, f64, String)> = None;
        for (column, value) in common_values(&harmless, challenger) {
            let mut stamped = LabelledRows::new(attacks.schema());
            for row in 0..attacks.len() {
                let mut values = attacks.row(row).to_vec();
                values[column] = value;
                stamped.push(&values, attacks.label(row));
            }
            let (before, after) = (
                judge_alone(champion, &stamped)?,
                judge_alone(challenger, &stamped)?,
            );
            let lost = before
                .iter()
                .zip(&after)
                .filter(|(before, after)| before.is_threat() && !after.is_threat())
                .count() as f64
                / attacks.len() as f64;
            if worst.as_ref().is_none_or(|(most, ..)| lost > *most) {
                let name = attacks.schema().features()[column].name;
                worst = Some((lost, value, name.to_owned()));
            }
        }
        if let Some((lost, value, feature)) = worst {
            criteria.push(Criterion {
                what: format!(
                    "known attacks that {feature} = {value}, as {author} labels it, makes harmless"
                ),
                champion: Some(0.0),
                challenger: Some(lost),
                limit: policy.backdoor,
                holds: lost <= policy.backdoor,
            });
        }
    }
    Ok(criteria)
}

/// The values that several of the rows share, feature by feature: the most frequent of each.
fn common_values(rows: &[&LabelledFlow], model: &Model) -> Vec<(usize, f64)> {
    let mut found = Vec::new();
    for &column in model.columns() {
        let mut counts: std::collections::BTreeMap<u64, usize> = std::collections::BTreeMap::new();
        for row in rows {
            if let Some(value) = row.values.get(column).filter(|value| !value.is_nan()) {
                *counts.entry(value.to_bits()).or_default() += 1;
            }
        }
        let most = counts.into_iter().max_by_key(|(_, count)| *count);
        if let Some((bits, count)) = most
            && count * 5 >= rows.len()
        {
            found.push((column, f64::from_bits(bits)));
        }
    }
    found
}
