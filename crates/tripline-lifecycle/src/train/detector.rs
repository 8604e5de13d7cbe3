//! Detectors: fit, hold out one attack type at a time, calibrate, draw the line.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde_json::json;
use tripline_detect::{ClassDef, Manifest, ModelBundle, Role, Threshold};
use tripline_features::label;
use tripline_forest::{
    Ensemble, Matrix, TrainingSet,
    calibration::{self, Calibration, Outcome},
    metrics,
};

use super::{
    FOLDS, Provenance, Trained, background_rows, choose_columns, cross_fitted_error, feature_names,
    refuse, row_weights, schema_ref, training,
};
use crate::{
    LabelledRows, LifecycleError, Report,
    baseline::{baselines, probes, score_baseline},
    recipe::{Background, DetectorRecipe, ThresholdRule},
    report::{HeldOutType, TrainingFigures},
    split,
};

/// Kinds of normal traffic that are left out in turn.
const NORMAL_REGIONS: usize = 20;
/// Rows an attack type needs to be held out alone; rarer ones are held out together.
const MIN_TYPE_ROWS: usize = 100;

/// Share of what the model has never seen, among attacks and among normal rows, for which
/// probabilities are calibrated. The threshold is chosen for a harsher world, because a missed
/// attack costs more than a probability that is a little off.
const CALIBRATION_NOVEL_SHARE: f64 = 0.1;

/// Trains a detector on labelled rows.
pub fn train_detector(
    rows: &LabelledRows,
    recipe: &DetectorRecipe,
    provenance: &Provenance,
) -> Result<Trained, LifecycleError> {
    let fitter = Fitter::new(rows, recipe)?;
    let all: Vec<usize> = (0..rows.len()).collect();
    let held_out = fitter.held_out_scores()?;
    let ensemble = fitter.fit(&all)?;
    let novel_share = match recipe.threshold {
        ThresholdRule::Score(_) => 0.0,
        ThresholdRule::LeaveOneTypeOut { novel_share, .. } => novel_share,
    };
    let outcomes = held_out.outcomes(fitter.attack_share(), novel_share);
    let threshold_score = threshold_score(&recipe.threshold, &outcomes);
    let expected = held_out.outcomes(
        fitter.attack_share(),
        novel_share.min(CALIBRATION_NOVEL_SHARE),
    );
    let (calibration, method) = calibrate(&expected, &held_out.groups())?;
    let calibrated = apply(&calibration, &expected);
    let calibration_of_scores = calibration.clone();
    let threshold = described(&recipe.threshold, calibration.apply(threshold_score));
    let error = method_error(&expected, &held_out.groups(), method)?;

    let types = held_out.types(&calibration, threshold.value);
    let curve = metrics::curve(&calibrated);
    let counts = metrics::BinaryCounts::at(&calibrated, threshold.value);
    let figures = TrainingFigures {
        what: held_out_description(novel_share.min(CALIBRATION_NOVEL_SHARE)),
        accuracy: counts.accuracy(),
        f1: counts.f1(),
        recall: counts.recall(),
        false_positive_rate: counts.false_positive_rate(),
        roc_auc: metrics::roc_auc(&expected),
        expected_calibration_error: error,
        calibration_method: method.name().to_owned(),
        types,
    };
    let manifest = Manifest {
        format: Manifest::FORMAT.to_owned(),
        format_version: Manifest::FORMAT_VERSION,
        name: recipe.name.clone(),
        version: String::new(),
        description: recipe.description.clone(),
        role: Role::Detector,
        priority: recipe.priority,
        made_for: recipe.made_for,
        schema: schema_ref(rows),
        features: feature_names(rows, &fitter.columns),
        classes: vec![
            ClassDef {
                name: "normal".to_owned(),
                id: 0,
                benign: true,
                group: None,
            },
            ClassDef {
                name: "attack".to_owned(),
                id: 1,
                benign: false,
                group: None,
            },
        ],
        link: ensemble.link(),
        calibration,
        calibration_given_threat: None,
        threshold: Some(threshold),
        training: training(provenance, recipe, recipe.seed)?,
        metrics: json!({
            "held_out_training_rows": {
                "accuracy": figures.accuracy,
                "f1": figures.f1,
                "false_positive_rate": figures.false_positive_rate,
                "roc_auc": figures.roc_auc,
                "expected_calibration_error": figures.expected_calibration_error,
            }
        }),
        baseline: baselines(rows, &fitter.columns),
        scores: Some(score_baseline(
            apply(
                &calibration_of_scores,
                &held_out.outcomes(fitter.attack_share(), 0.0),
            )
            .iter()
            .map(|outcome| (outcome.score, outcome.weight)),
            rows.len(),
        )),
        probe: probes(rows, &fitter.columns, &ensemble),
    };
    let mut bundle = ModelBundle { manifest, ensemble };
    let bytes = bundle.encode()?.len();
    let report = Report::new(&bundle, rows.len(), bytes, figures, &calibrated, &curve);
    Ok(Trained { bundle, report })
}

fn held_out_description(novel_share: f64) -> String {
    if novel_share > 0.0 {
        format!(
            "held-out training rows: {FOLDS} folds without equal vectors on both sides, mixed with \
             attack types and kinds of normal traffic (boxes of feature space) the model was \
             trained without, which make up {:.0} % of the attacks and of the normal traffic",
            novel_share * 100.0
        )
    } else {
        format!("held-out training rows: {FOLDS} folds without equal vectors on both sides")
    }
}

struct Fitter<'a> {
    rows: &'a LabelledRows,
    recipe: &'a DetectorRecipe,
    columns: Vec<usize>,
    labels: Vec<&'a str>,
    benign: Vec<bool>,
    groups: Vec<u32>,
    folds: Vec<usize>,
    /// For normal rows the box of feature space they lie in; attacks have none.
    region: Vec<Option<usize>>,
}

impl<'a> Fitter<'a> {
    fn new(rows: &'a LabelledRows, recipe: &'a DetectorRecipe) -> Result<Self, LifecycleError> {
        let labels: Vec<&str> = (0..rows.len()).map(|row| rows.label(row)).collect();
        let benign: Vec<bool> = labels
            .iter()
            .map(|name| label::is_benign(name) == Some(true))
            .collect();
        let normal = benign.iter().filter(|benign| **benign).count();
        if normal < FOLDS || rows.len() - normal < FOLDS {
            return Err(refuse(
                &recipe.name,
                format!(
                    "{normal} normal and {} attack rows; both need at least {FOLDS}",
                    rows.len() - normal
                ),
            ));
        }
        let target: Vec<u32> = benign.iter().map(|benign| u32::from(!benign)).collect();
        let columns = choose_columns(
            &recipe.name,
            &recipe.features,
            rows,
            &target,
            2,
            recipe.categories,
            &recipe.learner,
        )?;
        let groups = rows.groups(&columns);
        let folds = split::grouped_folds(&groups, &labels, FOLDS, recipe.seed);
        let normal_rows: Vec<usize> = (0..rows.len()).filter(|&row| benign[row]).collect();
        let value = |row: usize, column: usize| rows.row(row)[columns[column]];
        let regions = split::regions(
            value,
            &normal_rows,
            columns.len(),
            NORMAL_REGIONS,
            recipe.seed,
        );
        let mut region = vec![None; rows.len()];
        for (row, own) in normal_rows.into_iter().zip(regions) {
            region[row] = Some(own);
        }
        Ok(Self {
            rows,
            recipe,
            columns,
            labels,
            benign,
            groups,
            folds,
            region,
        })
    }

    /// Share of attacks among the rows.
    fn attack_share(&self) -> f64 {
        self.benign.iter().filter(|benign| !**benign).count() as f64 / self.benign.len() as f64
    }

    fn fit(&self, train: &[usize]) -> Result<Ensemble, LifecycleError> {
        let labels: Vec<&str> = train.iter().map(|&row| self.labels[row]).collect();
        let groups: Vec<u32> = train.iter().map(|&row| self.groups[row]).collect();
        let benign: Vec<bool> = train.iter().map(|&row| self.benign[row]).collect();
        let mut weights = row_weights(self.recipe.weighting, &labels, &groups, &benign);
        let mut target: Vec<u32> = benign.iter().map(|benign| u32::from(!benign)).collect();
        let mut matrix = self
            .rows
            .matrix(train, &self.columns, self.recipe.categories)?;
        if let Some(background) = self.recipe.background {
            matrix = self.with_background(matrix, train, background, &mut target, &mut weights)?;
        }
        let set = TrainingSet::new(&matrix, &target, 2, Some(&weights))?;
        Ok(self.recipe.learner.fit(&set)?)
    }

    fn with_background(
        &self,
        matrix: Matrix,
        train: &[usize],
        background: Background,
        target: &mut Vec<u32>,
        weights: &mut Vec<f64>,
    ) -> Result<Matrix, LifecycleError> {
        let normal: Vec<usize> = train
            .iter()
            .copied()
            .filter(|&row| self.benign[row])
            .collect();
        let normal_weight: f64 = weights
            .iter()
            .zip(&*target)
            .filter(|(_, class)| **class == 0)
            .map(|(w, _)| w)
            .sum();
        let drawn = background_rows(
            self.rows,
            &normal,
            &self.columns,
            background,
            self.recipe.seed,
        );
        let count = drawn.len();
        if count == 0 {
            return Ok(matrix);
        }
        let columns = (0..self.columns.len())
            .map(|column| {
                let mut values = matrix.column(column).to_vec();
                values.extend(drawn.iter().map(|row| row[column]));
                values
            })
            .collect();
        target.extend(std::iter::repeat_n(1, count));
        weights.extend(std::iter::repeat_n(
            normal_weight * background.weight / count as f64,
            count,
        ));
        Ok(Matrix::new(columns, matrix.kinds().to_vec())?)
    }

    /// Uncalibrated scores of rows by a model that saw none of their vectors; for each attack
    /// type also by a model that saw none of its rows.
    fn held_out_scores(&self) -> Result<HeldOut, LifecycleError> {
        let rounds = match self.recipe.threshold {
            ThresholdRule::Score(_) => vec![Vec::new(); FOLDS],
            ThresholdRule::LeaveOneTypeOut { .. } => self.type_rounds(),
        };
        let scored: Vec<Vec<HeldOutScore>> = rounds
            .par_iter()
            .enumerate()
            .map(|(round, left_out)| self.score_round(round, left_out))
            .collect::<Result<_, _>>()?;
        Ok(HeldOut {
            scores: scored.into_iter().flatten().collect(),
        })
    }

    /// The attack types to leave out, one set per round: each frequent type alone, the rare ones
    /// together. At least one round per fold.
    fn type_rounds(&self) -> Vec<Vec<&'a str>> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for (name, benign) in self.labels.iter().zip(&self.benign) {
            if !benign {
                *counts.entry(name).or_default() += 1;
            }
        }
        let (frequent, rare): (Vec<_>, Vec<_>) = counts
            .into_iter()
            .partition(|(_, count)| *count >= MIN_TYPE_ROWS);
        let mut rounds: Vec<Vec<&str>> = frequent.into_iter().map(|(name, _)| vec![name]).collect();
        if !rare.is_empty() {
            rounds.push(rare.into_iter().map(|(name, _)| name).collect());
        }
        while rounds.len() < FOLDS {
            rounds.push(Vec::new());
        }
        rounds
    }

    fn score_round(
        &self,
        round: usize,
        left_out: &[&str],
    ) -> Result<Vec<HeldOutScore>, LifecycleError> {
        let fold = round % FOLDS;
        let region = match self.recipe.threshold {
            ThresholdRule::Score(_) => None,
            ThresholdRule::LeaveOneTypeOut { .. } => Some(round % NORMAL_REGIONS),
        };
        let novel = |row: usize| {
            left_out.contains(&self.labels[row]) || (region.is_some() && self.region[row] == region)
        };
        let train: Vec<usize> = (0..self.rows.len())
            .filter(|&row| self.folds[row] != fold && !novel(row))
            .collect();
        let held: Vec<usize> = (0..self.rows.len())
            .filter(|&row| self.folds[row] == fold || novel(row))
            .collect();
        let model = self.fit(&train)?;
        let matrix = self
            .rows
            .matrix(&held, &self.columns, self.recipe.categories)?;
        let margins = model.margins_of(&matrix)?;
        Ok(held
            .into_iter()
            .zip(margins)
            .map(|(row, margin)| HeldOutScore {
                score: model.link().probabilities(&[margin])[1],
                label: self.labels[row].to_owned(),
                benign: self.benign[row],
                group: self.groups[row],
                novel: novel(row),
            })
            .collect())
    }
}

struct HeldOutScore {
    score: f64,
    label: String,
    benign: bool,
    /// Rows with equal vectors have the same.
    group: u32,
    novel: bool,
}

struct HeldOut {
    scores: Vec<HeldOutScore>,
}

impl HeldOut {
    fn groups(&self) -> Vec<u32> {
        self.scores.iter().map(|score| score.group).collect()
    }

    /// Weighs the scores so that attacks have the given share, and what is novel the given share
    /// of both attacks and normal traffic; each novel attack type counts the same.
    fn outcomes(&self, attack_share: f64, novel_share: f64) -> Vec<Outcome> {
        let count = |benign: bool, novel: bool| {
            self.scores
                .iter()
                .filter(|s| s.benign == benign && s.novel == novel)
                .count() as f64
        };
        let mut types: BTreeMap<&str, f64> = BTreeMap::new();
        for score in self
            .scores
            .iter()
            .filter(|score| score.novel && !score.benign)
        {
            *types.entry(&score.label).or_default() += 1.0;
        }
        let share_of_novel = |benign: bool| {
            if count(benign, true) > 0.0 {
                novel_share
            } else {
                0.0
            }
        };
        // Weights add up to the number of scores, so that they read as rows.
        let total = self.scores.len() as f64;
        let weight = |benign: bool, novel: bool| {
            let class = if benign {
                1.0 - attack_share
            } else {
                attack_share
            };
            let part = if novel {
                share_of_novel(benign)
            } else {
                1.0 - share_of_novel(benign)
            };
            let among = match (benign, novel) {
                (false, true) => types.len() as f64,
                _ => count(benign, novel),
            };
            total * class * part / among.max(1.0)
        };
        let weights = [
            [weight(false, false), weight(false, true)],
            [weight(true, false), weight(true, true)],
        ];
        self.scores
            .iter()
            .map(|score| {
                let mut weight = weights[usize::from(score.benign)][usize::from(score.novel)];
                if score.novel && !score.benign {
                    weight /= types[score.label.as_str()];
                }
                Outcome {
                    score: score.score,
                    positive: !score.benign,
                    weight,
                }
            })
            .collect()
    }

    /// What happens to each attack type that the model never saw.
    fn types(&self, calibration: &Calibration, threshold: f64) -> Vec<HeldOutType> {
        let normal: Vec<Outcome> = self
            .scores
            .iter()
            .filter(|score| score.benign && !score.novel)
            .map(|score| Outcome {
                score: score.score,
                positive: false,
                weight: 1.0,
            })
            .collect();
        let mut by_type: BTreeMap<&str, Vec<Outcome>> = BTreeMap::new();
        for score in self
            .scores
            .iter()
            .filter(|score| score.novel && !score.benign)
        {
            let outcome = Outcome {
                score: score.score,
                positive: true,
                weight: 1.0,
            };
            by_type.entry(&score.label).or_default().push(outcome);
        }
        by_type
            .into_iter()
            .map(|(name, outcomes)| {
                let found = outcomes
                    .iter()
                    .filter(|o| calibration.apply(o.score) >= threshold)
                    .count();
                let rows = outcomes.len() as u64;
                let both: Vec<Outcome> =
                    outcomes.into_iter().chain(normal.iter().copied()).collect();
                HeldOutType {
                    label: name.to_owned(),
                    rows,
                    recall: found as f64 / rows as f64,
                    recall_interval: metrics::wilson_interval(found as u64, rows),
                    roc_auc: metrics::roc_auc(&both),
                }
            })
            .collect()
    }
}

/// The two maps that are tried.
#[derive(Debug, Clone, Copy)]
enum Method {
    Beta,
    Isotonic,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Self::Beta => "beta",
            Self::Isotonic => "centred isotonic",
        }
    }

    fn fit(self, outcomes: &[Outcome]) -> Result<Calibration, LifecycleError> {
        Ok(match self {
            Self::Beta => calibration::fit_beta(outcomes)?,
            Self::Isotonic => calibration::fit_centred_isotonic(outcomes)?,
        })
    }
}

/// Calibration error up to which the map with three parameters is taken without looking further.
const GOOD_ENOUGH: f64 = 0.02;

fn calibrate(
    outcomes: &[Outcome],
    groups: &[u32],
) -> Result<(Calibration, Method), LifecycleError> {
    let beta = method_error(outcomes, groups, Method::Beta)?;
    let is_beta = beta <= GOOD_ENOUGH || beta <= method_error(outcomes, groups, Method::Isotonic)?;
    let method = if is_beta {
        Method::Beta
    } else {
        Method::Isotonic
    };
    Ok((method.fit(outcomes)?, method))
}

fn method_error(
    outcomes: &[Outcome],
    groups: &[u32],
    method: Method,
) -> Result<f64, LifecycleError> {
    cross_fitted_error(outcomes, groups, |half| method.fit(half))
}

fn apply(calibration: &Calibration, outcomes: &[Outcome]) -> Vec<Outcome> {
    outcomes
        .iter()
        .map(|outcome| Outcome {
            score: calibration.apply(outcome.score),
            ..*outcome
        })
        .collect()
}

/// The uncalibrated score from which on a row is a threat.
fn threshold_score(rule: &ThresholdRule, outcomes: &[Outcome]) -> f64 {
    match rule {
        ThresholdRule::Score(score) => *score,
        ThresholdRule::LeaveOneTypeOut {
            max_false_positive_rate,
            ..
        } => {
            // Neyman and Pearson 1933: of all lines within the budget of false alarms the one
            // that finds most, which is the lowest, since both rates rise as the line falls.
            let points = metrics::curve(outcomes);
            let within = points
                .iter()
                .filter(|point| point.counts.false_positive_rate() <= *max_false_positive_rate)
                .filter(|point| point.counts.recall() > 0.0)
                .min_by(|a, b| a.threshold.total_cmp(&b.threshold));
            // Features that keep to the budget nowhere still need a line.
            let best = || {
                points
                    .iter()
                    .skip(1)
                    .max_by(|a, b| a.counts.f1().total_cmp(&b.counts.f1()))
            };
            within.or_else(best).map_or(0.5, |point| point.threshold)
        }
    }
}

fn described(rule: &ThresholdRule, value: f64) -> Threshold {
    let method = match rule {
        ThresholdRule::Score(score) => {
            format!("the uncalibrated score {score}, as the recipe says")
        }
        ThresholdRule::LeaveOneTypeOut {
            novel_share,
            max_false_positive_rate,
        } => format!(
            "most attacks found among held-out training rows while at most {:.1} % of normal rows \
             are called threats; one attack type and one kind of normal traffic are left out of \
             the training at a time, and {:.0} % of both are such rows",
            max_false_positive_rate * 100.0,
            novel_share * 100.0
        ),
    };
    Threshold { value, method }
}
