mod agreement;
mod alone;
mod comparison;

use std::collections::BTreeMap;

use serde::Serialize;
use tripline_forest::{
    calibration::Outcome,
    metrics::{self, BinaryCounts, Confusion},
};

pub use self::{
    agreement::Agreement,
    alone::judge_alone,
    comparison::{Answer, Comparison, Disagreement},
};

/// Points kept of a curve: enough to draw it.
const CURVE_POINTS: usize = 200;

/// One judged row of known label.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The label, as the data spells it.
    pub label: String,
    /// Whether the label is an attack.
    pub is_attack: bool,
    /// The threat probability and decision, if a detector judged.
    pub threat: Option<(f64, bool)>,
    /// The actual class among those of the classifier, if it has one for the label.
    pub actual_class: Option<usize>,
    /// The class the models gave, and its confidence. A row without threat has the benign class.
    pub class: Option<(usize, f64)>,
}

/// What models are worth on labelled rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// What the rows are.
    pub name: String,
    /// Number of rows.
    pub rows: usize,
    /// How well threats are told from normal traffic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detector: Option<DetectorEvaluation>,
    /// How well classes are told apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classifier: Option<ClassifierEvaluation>,
    /// Per label, how many rows were called a threat.
    pub by_label: Vec<LabelRow>,
}

/// Two-class figures; rates are shares of 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names are the definitions of the field")]
pub struct DetectorEvaluation {
    pub true_positive: u64,
    pub false_positive: u64,
    pub true_negative: u64,
    pub false_negative: u64,
    pub accuracy: f64,
    pub precision: f64,
    pub recall: f64,
    pub f1: f64,
    pub false_positive_rate: f64,
    pub roc_auc: f64,
    pub average_precision: f64,
    pub log_loss: f64,
    pub brier: f64,
    /// Over 10 bins of equal width.
    pub expected_calibration_error: f64,
    /// False positive rate and recall at falling thresholds.
    pub roc: Vec<(f64, f64)>,
    /// Recall and precision at falling thresholds.
    pub pr: Vec<(f64, f64)>,
    /// Mean predicted probability, observed share of attacks, rows.
    pub calibration: Vec<CalibrationPoint>,
}

/// One bin of a calibration curve.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CalibrationPoint {
    /// Mean predicted probability.
    pub mean_predicted: f64,
    /// Share that came true.
    pub observed: f64,
    /// Rows in the bin.
    pub rows: f64,
}

/// Many-class figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassifierEvaluation {
    /// Counts, actual class by row.
    #[serde(flatten)]
    pub confusion: ConfusionTable,
    /// Share of right classes.
    pub accuracy: f64,
    /// Mean F1 over the classes that occur.
    pub macro_f1: f64,
    /// Mean F1 over the classes with at least 100 rows.
    pub macro_f1_100: f64,
    /// Of the confidence in the class that was given, over 10 bins of equal width.
    pub expected_calibration_error: f64,
    /// Calibration curve of that confidence.
    pub calibration: Vec<CalibrationPoint>,
    /// Scores per class.
    pub per_class: Vec<ClassRow>,
}

/// A confusion matrix with its names.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConfusionTable {
    /// The classes.
    pub classes: Vec<String>,
    /// Counts: actual rows, predicted columns.
    pub matrix: Vec<Vec<u64>>,
}

/// How well one class is told from the others.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names are the definitions of the field")]
pub struct ClassRow {
    pub class: String,
    pub support: u64,
    pub precision: f64,
    pub recall: f64,
    /// 95 % interval of the recall (Wilson).
    pub recall_interval: (f64, f64),
    pub f1: f64,
}

/// What happened to the rows of one label.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelRow {
    /// The label.
    pub label: String,
    /// Its rows.
    pub rows: u64,
    /// How many were called a threat.
    pub called_threat: u64,
    /// 95 % interval of their share (Wilson).
    pub interval: (f64, f64),
}

impl Evaluation {
    /// Measures judged rows; `classes` are the classifier's, empty without one.
    pub fn of(name: &str, cases: &[Case], classes: &[String]) -> Self {
        let mut labels: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for case in cases {
            let counts = labels.entry(&case.label).or_default();
            counts.0 += 1;
            counts.1 += u64::from(case.threat.is_some_and(|(_, is_threat)| is_threat));
        }
        let by_label = labels
            .into_iter()
            .map(|(label, (rows, called_threat))| LabelRow {
                label: label.to_owned(),
                rows,
                called_threat,
                interval: metrics::wilson_interval(called_threat, rows),
            })
            .collect();
        Self {
            name: name.to_owned(),
            rows: cases.len(),
            detector: evaluate_detector(cases),
            classifier: evaluate_classifier(cases, classes),
            by_label,
        }
    }
}

fn evaluate_detector(cases: &[Case]) -> Option<DetectorEvaluation> {
    let judged = || {
        cases
            .iter()
            .filter_map(|case| case.threat.map(|threat| (case, threat)))
    };
    let outcomes: Vec<Outcome> = judged()
        .map(|(case, (score, _))| Outcome {
            score,
            positive: case.is_attack,
            weight: 1.0,
        })
        .collect();
    if outcomes.is_empty() {
        return None;
    }
    // The decisions are those that were made, not those of a threshold chosen here.
    let mut counts = BinaryCounts::default();
    for (case, (_, is_threat)) in judged() {
        *match (is_threat, case.is_attack) {
            (true, true) => &mut counts.true_positive,
            (true, false) => &mut counts.false_positive,
            (false, false) => &mut counts.true_negative,
            (false, true) => &mut counts.false_negative,
        } += 1.0;
    }
    let curve = metrics::curve(&outcomes);
    let kept = thin(&curve);
    Some(DetectorEvaluation {
        true_positive: counts.true_positive as u64,
        false_positive: counts.false_positive as u64,
        true_negative: counts.true_negative as u64,
        false_negative: counts.false_negative as u64,
        accuracy: counts.accuracy(),
        precision: counts.precision(),
        recall: counts.recall(),
        f1: counts.f1(),
        false_positive_rate: counts.false_positive_rate(),
        roc_auc: metrics::roc_auc(&outcomes),
        average_precision: metrics::average_precision(&outcomes),
        log_loss: metrics::log_loss(&outcomes),
        brier: metrics::brier(&outcomes),
        expected_calibration_error: metrics::expected_calibration_error(&outcomes),
        roc: kept
            .iter()
            .map(|p| (p.counts.false_positive_rate(), p.counts.recall()))
            .collect(),
        pr: kept
            .iter()
            .skip(1)
            .map(|p| (p.counts.recall(), p.counts.precision()))
            .collect(),
        calibration: calibration_points(&outcomes),
    })
}

fn evaluate_classifier(cases: &[Case], classes: &[String]) -> Option<ClassifierEvaluation> {
    let mut confusion = Confusion::new(classes.len());
    let mut outcomes = Vec::new();
    for case in cases {
        if let (Some(actual), Some((class, confidence))) = (case.actual_class, case.class) {
            confusion.add(actual, class);
            outcomes.push(Outcome {
                score: confidence,
                positive: actual == class,
                weight: 1.0,
            });
        }
    }
    if outcomes.is_empty() {
        return None;
    }
    let per_class = classes
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let scores = confusion.class(index);
            ClassRow {
                class: name.clone(),
                support: scores.support,
                precision: scores.precision,
                recall: scores.recall,
                recall_interval: metrics::wilson_interval(
                    confusion.rows()[index][index],
                    scores.support,
                ),
                f1: scores.f1,
            }
        })
        .collect();
    Some(ClassifierEvaluation {
        accuracy: confusion.accuracy(),
        macro_f1: confusion.macro_f1(1),
        macro_f1_100: confusion.macro_f1(100),
        expected_calibration_error: metrics::expected_calibration_error(&outcomes),
        calibration: calibration_points(&outcomes),
        per_class,
        confusion: ConfusionTable {
            classes: classes.to_vec(),
            matrix: confusion.rows().to_vec(),
        },
    })
}

pub(crate) fn calibration_points(outcomes: &[Outcome]) -> Vec<CalibrationPoint> {
    metrics::calibration_curve(outcomes, 10)
        .into_iter()
        .map(|bin| CalibrationPoint {
            mean_predicted: bin.mean_predicted,
            observed: bin.observed,
            rows: bin.weight,
        })
        .collect()
}

/// Evenly spaced points of a curve, its ends included.
pub(crate) fn thin(curve: &[metrics::CurvePoint]) -> Vec<metrics::CurvePoint> {
    if curve.len() <= CURVE_POINTS {
        return curve.to_vec();
    }
    (0..CURVE_POINTS)
        .map(|step| curve[step * (curve.len() - 1) / (CURVE_POINTS - 1)])
        .collect()
}
