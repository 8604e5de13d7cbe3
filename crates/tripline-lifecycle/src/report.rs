//! What is known of a model, for programs (JSON) and people (Markdown, HTML).

mod html;
mod markdown;

use serde::Serialize;
use tripline_detect::{DataDigest, ModelBundle, Role};
use tripline_forest::{
    calibration::Outcome,
    metrics::{BinaryCounts, CurvePoint},
};

use crate::{
    ClassRow, ConfusionTable, Evaluation,
    evaluation::{CalibrationPoint, calibration_points, thin},
};

pub use html::page;

/// One evaluation as Markdown.
pub fn evaluation_markdown(evaluation: &Evaluation) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = markdown::write_evaluation(evaluation, &mut text);
    text
}

/// Everything that was measured about one model.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The model's name.
    pub model: String,
    /// Digest of the bundle.
    pub version: String,
    /// One sentence for people.
    pub description: String,
    /// What the model is for.
    pub role: Role,
    /// The schema's name and version.
    pub schema: String,
    /// `binary` or `multi-class`.
    pub task: &'static str,
    /// The command that made it.
    pub command: String,
    /// The files it was made from.
    pub data: Vec<DataDigest>,
    /// Rows by use.
    pub rows: RowCounts,
    /// Size of the trees and of the file.
    pub size: Size,
    /// The features it reads.
    pub features: Vec<String>,
    /// A detector's decision line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<tripline_detect::Threshold>,
    /// A detector on held-out training rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub training: Option<TrainingFigures>,
    /// A classifier on held-out training rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cross_validation: Option<Evaluation>,
    /// A classifier's calibration error on held-out rows: of all rows, and of attacks alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibration_errors: Option<(f64, Option<f64>)>,
    /// On sealed rows, when the final command has opened them.
    pub test: Vec<Evaluation>,
    /// Confusion matrix: of the first sealed set, else of held-out training rows.
    pub confusion: ConfusionTable,
    /// Scores per class, of the same rows.
    pub per_class: Vec<ClassRow>,
    /// ROC curve of the same rows.
    pub roc: Vec<(f64, f64)>,
    /// Precision–recall curve of the same rows.
    pub pr: Vec<(f64, f64)>,
    /// Calibration curve of held-out training rows.
    pub calibration: Vec<CalibrationPoint>,
    /// Share of the split gain per feature, largest first.
    pub importances: Vec<Importance>,
    /// What the model is bad at.
    pub weaknesses: Vec<String>,
}

/// Rows by use.
#[derive(Debug, Clone, Serialize)]
pub struct RowCounts {
    /// Rows the model was fitted to.
    pub train: usize,
    /// Rows of the first sealed set, once opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<usize>,
}

/// How large a model is.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the names say all")]
pub struct Size {
    pub trees: usize,
    pub leaves: usize,
    pub depth: usize,
    pub bytes: usize,
}

/// How much a feature matters.
#[derive(Debug, Clone, Serialize)]
pub struct Importance {
    /// The feature.
    pub feature: String,
    /// Its share of the split gain.
    pub importance: f64,
}

/// A detector on held-out training rows.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the names are the definitions of the field")]
pub struct TrainingFigures {
    /// What the rows are.
    pub what: String,
    pub accuracy: f64,
    pub f1: f64,
    pub recall: f64,
    pub false_positive_rate: f64,
    pub roc_auc: f64,
    /// On outcomes that the calibration was not fitted to.
    pub expected_calibration_error: f64,
    pub calibration_method: String,
    /// Each attack type as seen by a model that never saw it.
    pub types: Vec<HeldOutType>,
}

/// An attack type as seen by a model that never saw it.
#[derive(Debug, Clone, Serialize)]
pub struct HeldOutType {
    /// The attack type.
    pub label: String,
    /// Its rows.
    pub rows: u64,
    /// Share called a threat.
    pub recall: f64,
    /// 95 % interval of that share (Wilson).
    pub recall_interval: (f64, f64),
    /// Against held-out normal rows.
    pub roc_auc: f64,
}

impl Report {
    /// The report of a detector before any sealed row is opened.
    pub(crate) fn new(
        bundle: &ModelBundle,
        rows: usize,
        bytes: usize,
        figures: TrainingFigures,
        calibrated: &[Outcome],
        curve: &[CurvePoint],
    ) -> Self {
        let threshold = bundle
            .manifest
            .threshold
            .as_ref()
            .map_or(1.0, |threshold| threshold.value);
        let counts = BinaryCounts::at(calibrated, threshold);
        let kept = thin(curve);
        let mut report = Self::blank(bundle, rows, bytes);
        report.confusion = ConfusionTable {
            classes: vec!["normal".to_owned(), "attack".to_owned()],
            matrix: vec![
                vec![
                    counts.true_negative.round() as u64,
                    counts.false_positive.round() as u64,
                ],
                vec![
                    counts.false_negative.round() as u64,
                    counts.true_positive.round() as u64,
                ],
            ],
        };
        report.roc = kept
            .iter()
            .map(|p| (p.counts.false_positive_rate(), p.counts.recall()))
            .collect();
        report.pr = kept
            .iter()
            .skip(1)
            .map(|p| (p.counts.recall(), p.counts.precision()))
            .collect();
        report.calibration = calibration_points(calibrated);
        for held in figures.types.iter().filter(|held| held.recall < 0.5) {
            report.weaknesses.push(format!(
                "finds {:.0} % of {} ({} rows) when it has never seen that attack",
                held.recall * 100.0,
                held.label,
                held.rows
            ));
        }
        report.training = Some(figures);
        report
    }

    /// The report of a classifier before any sealed row is opened.
    pub(crate) fn of_classifier(
        bundle: &ModelBundle,
        rows: usize,
        bytes: usize,
        evaluation: Evaluation,
        errors: (f64, Option<f64>),
    ) -> Self {
        let mut report = Self::blank(bundle, rows, bytes);
        report.calibration_errors = Some(errors);
        if let Some(scores) = &evaluation.classifier {
            report.calibration.clone_from(&scores.calibration);
            report.show_classes(scores.confusion.clone(), scores.per_class.clone());
        }
        report.cross_validation = Some(evaluation);
        report
    }

    /// Adds what the model did on sealed rows. The first set given becomes the report's face.
    pub fn add_test(&mut self, evaluation: Evaluation) {
        if self.test.is_empty() {
            self.rows.test = Some(evaluation.rows);
            if let (Role::Detector, Some(scores)) = (self.role, &evaluation.detector) {
                self.confusion.matrix = vec![
                    vec![scores.true_negative, scores.false_positive],
                    vec![scores.false_negative, scores.true_positive],
                ];
                self.roc.clone_from(&scores.roc);
                self.pr.clone_from(&scores.pr);
            }
            if let (Role::Classifier | Role::Namer, Some(scores)) =
                (self.role, &evaluation.classifier)
            {
                self.weaknesses.clear();
                self.show_classes(scores.confusion.clone(), scores.per_class.clone());
            }
        }
        if self.role == Role::Detector {
            for row in evaluation.by_label.iter().filter(|row| row.rows >= 10) {
                let share = row.called_threat as f64 / row.rows as f64;
                if share < 0.5 && tripline_features::label::is_benign(&row.label) == Some(false) {
                    self.weaknesses.push(format!(
                        "finds {:.0} % of {} ({} rows) in {}",
                        share * 100.0,
                        row.label,
                        row.rows,
                        evaluation.name
                    ));
                }
            }
        }
        self.test.push(evaluation);
    }

    /// The report as Markdown.
    pub fn to_markdown(&self) -> String {
        markdown::write(self)
    }

    fn show_classes(&mut self, confusion: ConfusionTable, per_class: Vec<ClassRow>) {
        for row in per_class
            .iter()
            .filter(|row| row.support > 0 && row.f1 < 0.8)
        {
            self.weaknesses.push(format!(
                "{}: recall {:.2} (95 % interval {:.2}–{:.2}), precision {:.2} on {} rows",
                row.class,
                row.recall,
                row.recall_interval.0,
                row.recall_interval.1,
                row.precision,
                row.support
            ));
        }
        self.confusion = confusion;
        self.per_class = per_class;
    }

    fn blank(bundle: &ModelBundle, rows: usize, bytes: usize) -> Self {
        let manifest = &bundle.manifest;
        let trees = bundle.ensemble.trees();
        let mut importances: Vec<Importance> = manifest
            .features
            .iter()
            .zip(bundle.ensemble.importances())
            .map(|(feature, importance)| Importance {
                feature: feature.clone(),
                importance: *importance,
            })
            .collect();
        importances.sort_by(|a, b| b.importance.total_cmp(&a.importance));
        Self {
            model: manifest.name.clone(),
            version: manifest.version.clone(),
            description: manifest.description.clone(),
            role: manifest.role,
            schema: format!(
                "{} version {}",
                manifest.schema.name, manifest.schema.version
            ),
            task: if manifest.classes.len() == 2 {
                "binary"
            } else {
                "multi-class"
            },
            command: manifest.training.command.clone(),
            data: manifest.training.data.clone(),
            rows: RowCounts {
                train: rows,
                test: None,
            },
            size: Size {
                trees: trees.len(),
                leaves: trees.iter().map(tripline_forest::Tree::leaves).sum(),
                depth: trees
                    .iter()
                    .map(tripline_forest::Tree::depth)
                    .max()
                    .unwrap_or(0),
                bytes,
            },
            features: manifest.features.clone(),
            threshold: manifest.threshold.clone(),
            training: None,
            cross_validation: None,
            calibration_errors: None,
            test: Vec::new(),
            confusion: ConfusionTable {
                classes: Vec::new(),
                matrix: Vec::new(),
            },
            per_class: Vec::new(),
            roc: Vec::new(),
            pr: Vec::new(),
            calibration: Vec::new(),
            importances,
            weaknesses: Vec::new(),
        }
    }
}
