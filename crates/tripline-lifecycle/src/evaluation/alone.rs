//! What one model is worth on labelled rows, without the other models of a pipeline.

use std::sync::Arc;

use tripline_detect::{Model, ModelSet, Role, Scorer, Verdict};
use tripline_features::label;

use super::{Case, Evaluation};
use crate::{LabelledRows, LifecycleError, class_of_label};

impl Evaluation {
    /// Measures one model. `None` when none of the rows is one that it can be asked about.
    pub fn of_model(
        name: &str,
        model: &Arc<Model>,
        rows: &LabelledRows,
    ) -> Result<Option<Self>, LifecycleError> {
        let cases: Vec<Case> = cases_of(model, rows)?.into_iter().flatten().collect();
        let classes = if model.role() == Role::Detector {
            Vec::new()
        } else {
            class_names(model)
        };
        Ok((!cases.is_empty()).then(|| Self::of(name, &cases, &classes)))
    }
}

/// What one model says of each row; `None` where it is not asked.
pub(super) fn cases_of(
    model: &Arc<Model>,
    rows: &LabelledRows,
) -> Result<Vec<Option<Case>>, LifecycleError> {
    if model.role() == Role::Namer {
        return Ok(cases_of_namer(model, rows));
    }
    let verdicts = judge_alone(model, rows)?;
    let cases = cases(model, rows, &verdicts);
    Ok(cases.into_iter().map(Some).collect())
}

/// The verdicts of one detector or classifier on rows, without the other models of a pipeline.
pub fn judge_alone(
    model: &Arc<Model>,
    rows: &LabelledRows,
) -> Result<Vec<Verdict>, LifecycleError> {
    let set = ModelSet::new(vec![Arc::clone(model)])?;
    let present = vec![true; rows.schema().len()];
    let mut scorer = Scorer::new(set.pipeline_for_packets(rows.schema(), &present)?, 0);
    let values: Vec<f64> = (0..rows.len())
        .flat_map(|row| rows.row(row).iter().copied())
        .collect();
    Ok(scorer.judge_rows(&values))
}

/// Verdicts of one model beside the labels of their rows.
pub(crate) fn cases(model: &Model, rows: &LabelledRows, verdicts: &[Verdict]) -> Vec<Case> {
    let names = class_names(model);
    let case = |(row, verdict): (usize, &Verdict)| {
        let text = rows.label(row);
        Case {
            label: text.to_owned(),
            is_attack: label::is_benign(text) != Some(true),
            threat: verdict
                .threat
                .map(|threat| (threat.probability, threat.is_threat)),
            actual_class: class_of_label(rows.schema(), text)
                .and_then(|class| names.iter().position(|name| name == class)),
            class: verdict
                .attack
                .map(|attack| (attack.class, attack.confidence)),
        }
    };
    verdicts.iter().enumerate().map(case).collect()
}

pub(super) fn class_names(model: &Model) -> Vec<String> {
    let classes = &model.manifest().classes;
    classes.iter().map(|class| class.name.clone()).collect()
}

/// A namer is asked only about attacks it knows by name, inside their true class.
fn cases_of_namer(model: &Model, rows: &LabelledRows) -> Vec<Option<Case>> {
    let manifest = model.manifest();
    let names = class_names(model);
    let ensemble = model.compiled().ensemble();
    let case = |row: usize| {
        let actual = names.iter().position(|name| name == rows.label(row))?;
        let values: Vec<f64> = model
            .columns()
            .iter()
            .map(|column| rows.row(row)[*column])
            .collect();
        let shares = ensemble.probabilities(&values);
        let inside = |class: usize| manifest.classes[class].group == manifest.classes[actual].group;
        let sum: f64 = (0..shares.len())
            .filter(|class| inside(*class))
            .map(|class| shares[class])
            .sum();
        let best = (0..shares.len())
            .filter(|class| inside(*class))
            .max_by(|a, b| shares[*a].total_cmp(&shares[*b]))?;
        let confidence =
            manifest
                .calibration
                .apply(if sum > 0.0 { shares[best] / sum } else { 0.0 });
        Some(Case {
            label: rows.label(row).to_owned(),
            is_attack: true,
            threat: None,
            actual_class: Some(actual),
            class: Some((best, confidence)),
        })
    };
    (0..rows.len()).map(case).collect()
}
