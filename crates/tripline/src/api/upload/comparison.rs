//! What the models are worth on the labels that came with a file, counted while the file is read:
//! the memory does not grow with the rows.

use serde::Serialize;
use tripline_detect::{Pipeline, Verdict};
use tripline_features::label;
use tripline_forest::metrics::{BinaryCounts, Confusion};
use tripline_lifecycle::class_of_label;
use utoipa::ToSchema;

use crate::ingest::class_given;

/// Bins of the threat probability, from which the area under the ROC curve is taken. Scores that
/// share a bin count as equal, which moves the area by less than the share of pairs inside a bin.
const SCORE_BINS: usize = 1 << 16;
/// Bins of the calibration error, as in the training reports.
const CALIBRATION_BINS: usize = 10;

/// Counts rows with a known label.
#[derive(Debug)]
pub(super) struct Comparison {
    rows: u64,
    detector: Option<DetectorTally>,
    classifier: Option<ClassifierTally>,
}

#[derive(Debug)]
struct DetectorTally {
    counts: BinaryCounts,
    /// Per bin of probability: normal rows, attacks.
    scores: Vec<[u64; 2]>,
    /// Per bin of probability: rows, attacks, sum of probabilities.
    calibration: [(f64, f64, f64); CALIBRATION_BINS],
}

#[derive(Debug)]
struct ClassifierTally {
    classes: Vec<String>,
    benign: Option<usize>,
    confusion: Confusion,
}

/// What the models are worth on labelled rows. Rates are shares of 1.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Labelled {
    /// Rows whose label is known.
    rows: u64,
    /// Null when no detector judged.
    detector: Option<DetectorFigures>,
    /// Null when no classifier judged.
    classifier: Option<ClassifierFigures>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
struct DetectorFigures {
    true_positive: u64,
    false_positive: u64,
    true_negative: u64,
    false_negative: u64,
    accuracy: f64,
    /// Null when nothing was called a threat.
    precision: Option<f64>,
    /// Null without attacks.
    recall: Option<f64>,
    /// Null without attacks.
    f1: Option<f64>,
    /// Null without normal rows.
    false_positive_rate: Option<f64>,
    /// Null unless there are both attacks and normal rows.
    roc_auc: Option<f64>,
    expected_calibration_error: f64,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
struct ClassifierFigures {
    classes: Vec<String>,
    /// Counts: actual rows, predicted columns.
    matrix: Vec<Vec<u64>>,
    accuracy: f64,
    /// Mean F1 over the classes that occur.
    macro_f1: f64,
    per_class: Vec<ClassFigures>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
struct ClassFigures {
    class: String,
    support: u64,
    /// Null when no row was given the class.
    precision: Option<f64>,
    /// Null when no row has the class.
    recall: Option<f64>,
    /// Null when no row has the class.
    f1: Option<f64>,
}

impl Comparison {
    /// Nothing counted yet.
    pub(super) fn new(pipeline: &Pipeline) -> Self {
        let detector = pipeline.detector().map(|_| DetectorTally {
            counts: BinaryCounts::default(),
            scores: vec![[0; 2]; SCORE_BINS],
            calibration: [(0.0, 0.0, 0.0); CALIBRATION_BINS],
        });
        let classifier = pipeline.classifier().map(|model| {
            let classes = &model.manifest().classes;
            ClassifierTally {
                classes: classes.iter().map(|class| class.name.clone()).collect(),
                benign: classes.iter().position(|class| class.benign),
                confusion: Confusion::new(classes.len()),
            }
        });
        Self {
            rows: 0,
            detector,
            classifier,
        }
    }

    /// Counts a row, unless its label is unknown.
    pub(super) fn add(&mut self, pipeline: &Pipeline, verdict: &Verdict, text: &str) {
        let Some(is_benign) = label::is_benign(text) else {
            return;
        };
        self.rows += 1;
        if let (Some(detector), Some(threat)) = (&mut self.detector, verdict.threat) {
            detector.add(threat.probability, threat.is_threat, !is_benign);
        }
        if let Some(classifier) = &mut self.classifier {
            let actual = class_of_label(pipeline.schema(), text)
                .and_then(|name| classifier.classes.iter().position(|class| class == name));
            let given = class_given(verdict, classifier.benign)
                .and_then(|(class, _)| classifier.position_of(pipeline, class));
            if let (Some(actual), Some(given)) = (actual, given) {
                classifier.confusion.add(actual, given);
            }
        }
    }

    /// The figures; `None` without a known label.
    pub(super) fn figures(&self) -> Option<Labelled> {
        (self.rows > 0).then(|| Labelled {
            rows: self.rows,
            detector: self.detector.as_ref().map(DetectorTally::figures),
            classifier: self.classifier.as_ref().map(ClassifierTally::figures),
        })
    }
}

impl ClassifierTally {
    /// A class of the pipeline that judged, which may be a canary's with other classes.
    fn position_of(&self, pipeline: &Pipeline, class: usize) -> Option<usize> {
        let classes = &pipeline.classifier()?.manifest().classes;
        let name = &classes.get(class)?.name;
        self.classes.iter().position(|known| known == name)
    }
}

impl DetectorTally {
    fn add(&mut self, probability: f64, is_threat: bool, is_attack: bool) {
        *match (is_threat, is_attack) {
            (true, true) => &mut self.counts.true_positive,
            (true, false) => &mut self.counts.false_positive,
            (false, false) => &mut self.counts.true_negative,
            (false, true) => &mut self.counts.false_negative,
        } += 1.0;
        let bin = |bins: usize| ((probability * bins as f64) as usize).min(bins - 1);
        self.scores[bin(SCORE_BINS)][usize::from(is_attack)] += 1;
        let (rows, attacks, sum) = &mut self.calibration[bin(CALIBRATION_BINS)];
        *rows += 1.0;
        *attacks += f64::from(u8::from(is_attack));
        *sum += probability;
    }

    fn figures(&self) -> DetectorFigures {
        let counts = &self.counts;
        let attacks = counts.true_positive + counts.false_negative;
        let normal = counts.true_negative + counts.false_positive;
        let called = counts.true_positive + counts.false_positive;
        let gap: f64 = self
            .calibration
            .iter()
            .map(|(_, attacks, sum)| (attacks - sum).abs())
            .sum();
        DetectorFigures {
            true_positive: counts.true_positive as u64,
            false_positive: counts.false_positive as u64,
            true_negative: counts.true_negative as u64,
            false_negative: counts.false_negative as u64,
            accuracy: counts.accuracy(),
            precision: (called > 0.0).then(|| counts.precision()),
            recall: (attacks > 0.0).then(|| counts.recall()),
            f1: (attacks > 0.0).then(|| counts.f1()),
            false_positive_rate: (normal > 0.0).then(|| counts.false_positive_rate()),
            roc_auc: self.roc_auc(),
            expected_calibration_error: gap / (attacks + normal).max(1.0),
        }
    }

    /// The share of pairs of an attack and a normal row in which the attack has the higher score,
    /// equal ones counting half (Hanley 1982).
    fn roc_auc(&self) -> Option<f64> {
        let (mut normal_below, mut attacks, mut won) = (0.0, 0.0, 0.0);
        for &[normal, attack] in &self.scores {
            let (normal, attack) = (normal as f64, attack as f64);
            won += attack * (normal_below + normal / 2.0);
            normal_below += normal;
            attacks += attack;
        }
        let pairs = normal_below * attacks;
        (pairs > 0.0).then(|| won / pairs)
    }
}

impl ClassifierTally {
    fn figures(&self) -> ClassifierFigures {
        let matrix = self.confusion.rows();
        let per_class = self.classes.iter().enumerate().map(|(index, class)| {
            let scores = self.confusion.class(index);
            let given: u64 = matrix.iter().map(|row| row[index]).sum();
            let occurs = scores.support > 0;
            ClassFigures {
                class: class.clone(),
                support: scores.support,
                precision: (given > 0).then_some(scores.precision),
                recall: occurs.then_some(scores.recall),
                f1: occurs.then_some(scores.f1),
            }
        });
        ClassifierFigures {
            classes: self.classes.clone(),
            matrix: matrix.to_vec(),
            accuracy: self.confusion.accuracy(),
            macro_f1: self.confusion.macro_f1(1),
            per_class: per_class.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_a_detector_are_those_of_its_rows() {
        let mut tally = DetectorTally {
            counts: BinaryCounts::default(),
            scores: vec![[0; 2]; SCORE_BINS],
            calibration: [(0.0, 0.0, 0.0); CALIBRATION_BINS],
        };
        for (probability, is_attack) in [
            (0.9, true),
            (0.8, false),
            (0.7, true),
            (0.2, false),
            (0.1, false),
            (1.0, true),
        ] {
            tally.add(probability, probability >= 0.5, is_attack);
        }
        let figures = tally.figures();
        assert_eq!((figures.true_positive, figures.false_positive), (3, 1));
        assert_eq!((figures.true_negative, figures.false_negative), (2, 0));
        // Eight of nine pairs are in order.
        assert!((figures.roc_auc.unwrap() - 8.0 / 9.0).abs() < 1e-12);
        assert_eq!(figures.recall, Some(1.0));
    }
}
