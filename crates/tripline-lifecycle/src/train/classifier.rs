//! Classifiers and namers: fit, score held-out folds, calibrate the confidence.

use rayon::prelude::*;
use serde_json::json;
use tripline_detect::{ClassDef, Manifest, ModelBundle, Role};
use tripline_features::label;
use tripline_forest::{
    Ensemble, TrainingSet,
    calibration::{self, Calibration, Outcome},
    metrics,
};

use super::{
    FOLDS, Provenance, Trained, choose_columns, cross_fitted_error, feature_names, refuse,
    row_weights, schema_ref, training,
};
use crate::{
    Case, Evaluation, LabelledRows, LifecycleError, Report,
    baseline::{baselines, probes, score_baseline},
    class_of_label,
    recipe::ClassifierRecipe,
    split,
};

/// Rows a named attack needs to be learnt.
const MIN_NAMED_ROWS: usize = 10;

/// Trains a classifier (or namer) on labelled rows. Rows whose label has no class are left out.
pub fn train_classifier(
    rows: &LabelledRows,
    recipe: &ClassifierRecipe,
    provenance: &Provenance,
) -> Result<Trained, LifecycleError> {
    let (classes, class_of) = classes_of(rows, recipe)?;
    let (kept, target): (Vec<usize>, Vec<u32>) = (0..rows.len())
        .filter_map(|row| class_of(rows.label(row)).map(|class| (row, class as u32)))
        .unzip();
    let rows = rows.select(&kept);
    let fitter = Fitter::new(&rows, recipe, target, classes.len())?;
    let held_out = fitter.held_out_shares()?;
    let all: Vec<usize> = (0..rows.len()).collect();
    let ensemble = fitter.fit(&all)?;

    let plain: Vec<(usize, Outcome)> = held_out
        .iter()
        .enumerate()
        .map(|(row, shares)| fitter.top(row, shares))
        .collect();
    let plain_outcomes: Vec<Outcome> = plain.iter().map(|(_, outcome)| *outcome).collect();
    let (calibration, error) = calibrate(&plain_outcomes, &fitter.groups)?;
    let benign = classes.iter().position(|class| class.benign);
    let given_threat = benign
        .map(|benign| {
            let (outcomes, groups) = fitter.given_threat(&held_out, benign);
            calibrate(&outcomes, &groups)
        })
        .transpose()?;

    let names: Vec<String> = classes.iter().map(|class| class.name.clone()).collect();
    let cases: Vec<Case> = plain
        .iter()
        .enumerate()
        .map(|(row, (class, outcome))| Case {
            label: rows.label(row).to_owned(),
            is_attack: label::is_benign(rows.label(row)) != Some(true),
            threat: None,
            actual_class: Some(fitter.target[row] as usize),
            class: Some((*class, calibration.apply(outcome.score))),
        })
        .collect();
    let evaluation = Evaluation::of("held-out training rows", &cases, &names);
    let headline = evaluation.classifier.as_ref().map_or_else(
        || json!(null),
        |scores| {
            json!({
                "accuracy": scores.accuracy,
                "macro_f1": scores.macro_f1,
                "macro_f1_of_classes_with_100_rows": scores.macro_f1_100,
                "expected_calibration_error": error,
            })
        },
    );
    let scores: Vec<f64> = plain_outcomes
        .iter()
        .map(|outcome| calibration.apply(outcome.score))
        .collect();
    let manifest = Manifest {
        format: Manifest::FORMAT.to_owned(),
        format_version: Manifest::FORMAT_VERSION,
        name: recipe.name.clone(),
        version: String::new(),
        description: recipe.description.clone(),
        role: if recipe.names_attacks {
            Role::Namer
        } else {
            Role::Classifier
        },
        priority: recipe.priority,
        made_for: recipe.made_for,
        schema: schema_ref(&rows),
        features: feature_names(&rows, &fitter.columns),
        classes,
        link: ensemble.link(),
        calibration,
        calibration_given_threat: given_threat
            .as_ref()
            .map(|(calibration, _)| calibration.clone()),
        threshold: None,
        training: training(provenance, recipe, recipe.seed)?,
        metrics: json!({ "held_out_training_rows": headline }),
        baseline: baselines(&rows, &fitter.columns),
        scores: Some(score_baseline(
            scores.into_iter().map(|score| (score, 1.0)),
            rows.len(),
        )),
        probe: probes(&rows, &fitter.columns, &ensemble),
    };
    let mut bundle = ModelBundle { manifest, ensemble };
    let bytes = bundle.encode()?.len();
    let errors = (error, given_threat.map(|(_, error)| error));
    let report = Report::of_classifier(&bundle, rows.len(), bytes, evaluation, errors);
    Ok(Trained { bundle, report })
}

type ClassOf = Box<dyn Fn(&str) -> Option<usize>>;

/// The classes of a recipe and the class of each label.
fn classes_of(
    rows: &LabelledRows,
    recipe: &ClassifierRecipe,
) -> Result<(Vec<ClassDef>, ClassOf), LifecycleError> {
    if recipe.names_attacks {
        return named_attacks(rows, recipe);
    }
    let schema = rows.schema();
    let names: Vec<&'static str> = match schema.name() {
        "nsl-kdd" => label::NslCategory::ALL
            .iter()
            .map(|category| category.name())
            .collect(),
        _ => label::CICFLOW_CLASSES.to_vec(),
    };
    let classes = names
        .iter()
        .enumerate()
        .map(|(id, name)| class_def(name, id))
        .collect();
    let position = move |name: &str| {
        let class = class_of_label(schema, name)?;
        names.iter().position(|known| *known == class)
    };
    Ok((classes, Box::new(position)))
}

fn class_def(name: &str, id: usize) -> ClassDef {
    ClassDef {
        name: name.to_owned(),
        id: id as u32,
        benign: label::is_benign(name) == Some(true),
        group: None,
    }
}

fn named_attacks(
    rows: &LabelledRows,
    recipe: &ClassifierRecipe,
) -> Result<(Vec<ClassDef>, ClassOf), LifecycleError> {
    let counts = super::label_counts((0..rows.len()).map(|row| rows.label(row)));
    let named: Vec<(String, &'static str)> = counts
        .into_iter()
        .filter(|(name, count)| *count >= MIN_NAMED_ROWS && label::is_benign(name) != Some(true))
        .filter_map(|(name, _)| {
            label::category_of(name).map(|category| (name.to_owned(), category.name()))
        })
        .collect();
    if named.len() < 2 {
        return Err(refuse(
            &recipe.name,
            "fewer than two named attacks with enough rows",
        ));
    }
    let classes = named
        .iter()
        .enumerate()
        .map(|(id, (name, group))| ClassDef {
            name: name.clone(),
            id: id as u32,
            benign: false,
            group: Some((*group).to_owned()),
        })
        .collect();
    let position = move |name: &str| named.iter().position(|(known, _)| known == name);
    Ok((classes, Box::new(position)))
}

struct Fitter<'a> {
    rows: &'a LabelledRows,
    recipe: &'a ClassifierRecipe,
    target: Vec<u32>,
    classes: usize,
    columns: Vec<usize>,
    labels: Vec<&'a str>,
    benign: Vec<bool>,
    groups: Vec<u32>,
    folds: Vec<usize>,
}

impl<'a> Fitter<'a> {
    fn new(
        rows: &'a LabelledRows,
        recipe: &'a ClassifierRecipe,
        target: Vec<u32>,
        classes: usize,
    ) -> Result<Self, LifecycleError> {
        if rows.len() < 2 * FOLDS {
            return Err(refuse(
                &recipe.name,
                format!("{} rows with a known class", rows.len()),
            ));
        }
        let labels: Vec<&str> = (0..rows.len()).map(|row| rows.label(row)).collect();
        let benign = labels
            .iter()
            .map(|name| label::is_benign(name) == Some(true))
            .collect();
        let columns = choose_columns(
            &recipe.name,
            &recipe.features,
            rows,
            &target,
            classes,
            recipe.categories,
            &recipe.learner,
        )?;
        let groups = rows.groups(&columns);
        let folds = split::grouped_folds(&groups, &labels, FOLDS, recipe.seed);
        Ok(Self {
            rows,
            recipe,
            target,
            classes,
            columns,
            labels,
            benign,
            groups,
            folds,
        })
    }

    fn fit(&self, train: &[usize]) -> Result<Ensemble, LifecycleError> {
        let labels: Vec<&str> = train.iter().map(|&row| self.labels[row]).collect();
        let groups: Vec<u32> = train.iter().map(|&row| self.groups[row]).collect();
        let benign: Vec<bool> = train.iter().map(|&row| self.benign[row]).collect();
        let weights = row_weights(self.recipe.weighting, &labels, &groups, &benign);
        let target: Vec<u32> = train.iter().map(|&row| self.target[row]).collect();
        let matrix = self
            .rows
            .matrix(train, &self.columns, self.recipe.categories)?;
        let set = TrainingSet::new(&matrix, &target, self.classes, Some(&weights))?;
        Ok(self.recipe.learner.fit(&set)?)
    }

    /// Uncalibrated class shares of every row by a model that saw none of its vectors.
    fn held_out_shares(&self) -> Result<Vec<Vec<f64>>, LifecycleError> {
        let folds: Vec<(Vec<usize>, Vec<f64>)> = (0..FOLDS)
            .into_par_iter()
            .map(|fold| {
                let (held, train): (Vec<usize>, Vec<usize>) =
                    (0..self.rows.len()).partition(|&row| self.folds[row] == fold);
                let model = self.fit(&train)?;
                let matrix = self
                    .rows
                    .matrix(&held, &self.columns, self.recipe.categories)?;
                Ok((held, model.probabilities_of(&matrix)?))
            })
            .collect::<Result<_, LifecycleError>>()?;
        let mut shares = vec![Vec::new(); self.rows.len()];
        for (held, probabilities) in folds {
            for (row, share) in held.into_iter().zip(probabilities.chunks(self.classes)) {
                shares[row] = share.to_vec();
            }
        }
        Ok(shares)
    }

    /// The class with the largest share, and whether it is right.
    fn top(&self, row: usize, shares: &[f64]) -> (usize, Outcome) {
        let mut class = 0;
        for (index, share) in shares.iter().enumerate() {
            if *share > shares[class] {
                class = index;
            }
        }
        let positive = self.target[row] as usize == class;
        (
            class,
            Outcome {
                score: shares[class],
                positive,
                weight: 1.0,
            },
        )
    }

    /// The same for attacks alone, with the benign class out of the question.
    fn given_threat(&self, held_out: &[Vec<f64>], benign: usize) -> (Vec<Outcome>, Vec<u32>) {
        held_out
            .iter()
            .enumerate()
            .filter(|(row, _)| self.target[*row] as usize != benign)
            .map(|(row, shares)| {
                let mut shares = shares.clone();
                shares[benign] = 0.0;
                let sum: f64 = shares.iter().sum();
                if sum > 0.0 {
                    for share in &mut shares {
                        *share /= sum;
                    }
                }
                (self.top(row, &shares).1, self.groups[row])
            })
            .unzip()
    }
}

/// An isotonic map of the confidence with its error on outcomes it was not fitted to.
fn calibrate(outcomes: &[Outcome], groups: &[u32]) -> Result<(Calibration, f64), LifecycleError> {
    let right = outcomes.iter().filter(|outcome| outcome.positive).count();
    if right == 0 || right == outcomes.len() {
        // Nothing was ever wrong (or right): there is no curve to fit.
        return Ok((
            Calibration::Identity,
            metrics::expected_calibration_error(outcomes),
        ));
    }
    let error = cross_fitted_error(outcomes, groups, |half| {
        Ok(calibration::fit_isotonic(half).unwrap_or(Calibration::Identity))
    })?;
    Ok((calibration::fit_isotonic(outcomes)?, error))
}
