//! What a model's scores are worth against known outcomes.

use crate::calibration::Outcome;

/// Counts of a two-class decision.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct BinaryCounts {
    /// Positives decided positive.
    pub true_positive: f64,
    /// Negatives decided positive.
    pub false_positive: f64,
    /// Negatives decided negative.
    pub true_negative: f64,
    /// Positives decided negative.
    pub false_negative: f64,
}

impl BinaryCounts {
    /// Counts (by weight) the decision `score >= threshold`.
    pub fn at(outcomes: &[Outcome], threshold: f64) -> Self {
        let mut counts = Self::default();
        for outcome in outcomes {
            let cell = match (outcome.score >= threshold, outcome.positive) {
                (true, true) => &mut counts.true_positive,
                (true, false) => &mut counts.false_positive,
                (false, false) => &mut counts.true_negative,
                (false, true) => &mut counts.false_negative,
            };
            *cell += outcome.weight;
        }
        counts
    }

    /// Share of right decisions.
    pub fn accuracy(&self) -> f64 {
        let all =
            self.true_positive + self.false_positive + self.true_negative + self.false_negative;
        ratio(self.true_positive + self.true_negative, all)
    }

    /// Share of positives among those decided positive.
    pub fn precision(&self) -> f64 {
        ratio(self.true_positive, self.true_positive + self.false_positive)
    }

    /// Share of positives that were found.
    pub fn recall(&self) -> f64 {
        ratio(self.true_positive, self.true_positive + self.false_negative)
    }

    /// Harmonic mean of precision and recall.
    pub fn f1(&self) -> f64 {
        ratio(
            2.0 * self.true_positive,
            2.0 * self.true_positive + self.false_positive + self.false_negative,
        )
    }

    /// Share of negatives decided positive.
    pub fn false_positive_rate(&self) -> f64 {
        ratio(
            self.false_positive,
            self.false_positive + self.true_negative,
        )
    }
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// A corner of the ROC and precision–recall curves: what `score >= threshold` gives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurvePoint {
    /// The threshold.
    pub threshold: f64,
    /// The counts at it.
    pub counts: BinaryCounts,
}

/// One point per distinct score, from the highest threshold (which finds nothing) down.
pub fn curve(outcomes: &[Outcome]) -> Vec<CurvePoint> {
    let mut sorted = outcomes.to_vec();
    sorted.sort_by(|a, b| b.score.total_cmp(&a.score));
    let weight_of = |positive| {
        sorted
            .iter()
            .filter(|o: &&Outcome| o.positive == positive)
            .map(|o| o.weight)
            .sum::<f64>()
    };
    let mut counts = BinaryCounts {
        true_negative: weight_of(false),
        false_negative: weight_of(true),
        ..BinaryCounts::default()
    };
    let mut points = vec![CurvePoint {
        threshold: f64::INFINITY,
        counts,
    }];
    for (index, outcome) in sorted.iter().enumerate() {
        if outcome.positive {
            counts.true_positive += outcome.weight;
            counts.false_negative -= outcome.weight;
        } else {
            counts.false_positive += outcome.weight;
            counts.true_negative -= outcome.weight;
        }
        if sorted
            .get(index + 1)
            .is_none_or(|next| next.score != outcome.score)
        {
            points.push(CurvePoint {
                threshold: outcome.score,
                counts,
            });
        }
    }
    points
}

/// Area under the ROC curve: the chance that a positive scores above a negative, ties counting
/// half. 0.5 when a class is absent.
pub fn roc_auc(outcomes: &[Outcome]) -> f64 {
    let points = curve(outcomes);
    let last = points[points.len() - 1].counts;
    if last.true_positive <= 0.0 || last.false_positive <= 0.0 {
        return 0.5;
    }
    let area: f64 = points
        .windows(2)
        .map(|pair| {
            let width = pair[1].counts.false_positive - pair[0].counts.false_positive;
            width * f64::midpoint(pair[0].counts.true_positive, pair[1].counts.true_positive)
        })
        .sum();
    area / (last.true_positive * last.false_positive)
}

/// Average precision: `Σ (recall step) · precision`, without interpolation.
pub fn average_precision(outcomes: &[Outcome]) -> f64 {
    curve(outcomes)
        .windows(2)
        .map(|pair| {
            (pair[1].counts.recall() - pair[0].counts.recall()) * pair[1].counts.precision()
        })
        .sum()
}

/// One bin of a calibration curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CalibrationBin {
    /// Mean predicted probability.
    pub mean_predicted: f64,
    /// Share of positives.
    pub observed: f64,
    /// Weight of the rows in the bin.
    pub weight: f64,
}

/// The calibration curve over `bins` bins of equal width; empty bins are left out.
pub fn calibration_curve(outcomes: &[Outcome], bins: usize) -> Vec<CalibrationBin> {
    let mut sums = vec![(0.0, 0.0, 0.0); bins.max(1)];
    for outcome in outcomes {
        let bin = ((outcome.score * bins as f64) as usize).min(bins.max(1) - 1);
        sums[bin].0 += outcome.score * outcome.weight;
        sums[bin].1 += f64::from(u8::from(outcome.positive)) * outcome.weight;
        sums[bin].2 += outcome.weight;
    }
    sums.into_iter()
        .filter(|(_, _, weight)| *weight > 0.0)
        .map(|(predicted, observed, weight)| CalibrationBin {
            mean_predicted: predicted / weight,
            observed: observed / weight,
            weight,
        })
        .collect()
}

/// Expected calibration error over 10 bins of equal width (Guo et al., ICML 2017): the mean
/// distance of prediction and observation, weighted by rows.
pub fn expected_calibration_error(outcomes: &[Outcome]) -> f64 {
    let bins = calibration_curve(outcomes, 10);
    let total: f64 = bins.iter().map(|bin| bin.weight).sum();
    if total <= 0.0 {
        return 0.0;
    }
    bins.iter()
        .map(|bin| (bin.mean_predicted - bin.observed).abs() * bin.weight)
        .sum::<f64>()
        / total
}

/// Mean squared distance of probability and outcome.
pub fn brier(outcomes: &[Outcome]) -> f64 {
    let total: f64 = outcomes.iter().map(|o| o.weight).sum();
    let sum: f64 = outcomes
        .iter()
        .map(|o| o.weight * (o.score - f64::from(u8::from(o.positive))).powi(2))
        .sum();
    ratio(sum, total)
}

/// Mean negative log-likelihood of the outcomes.
pub fn log_loss(outcomes: &[Outcome]) -> f64 {
    let total: f64 = outcomes.iter().map(|o| o.weight).sum();
    let sum: f64 = outcomes
        .iter()
        .map(|o| {
            let p = if o.positive { o.score } else { 1.0 - o.score };
            -o.weight * p.max(f64::EPSILON).ln()
        })
        .sum();
    ratio(sum, total)
}

/// Counts of a many-class decision: `rows[actual][predicted]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    rows: Vec<Vec<u64>>,
}

/// How well one class is told from the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassScores {
    /// Rows of the class.
    pub support: u64,
    /// Share of the class among the rows decided for it.
    pub precision: f64,
    /// Share of the class's rows that were decided for it.
    pub recall: f64,
    /// Harmonic mean of precision and recall.
    pub f1: f64,
}

impl Confusion {
    /// An empty matrix for a number of classes.
    pub fn new(classes: usize) -> Self {
        Self {
            rows: vec![vec![0; classes]; classes],
        }
    }

    /// Adds one decision.
    pub fn add(&mut self, actual: usize, predicted: usize) {
        self.rows[actual][predicted] += 1;
    }

    /// The counts, actual class by row.
    pub fn rows(&self) -> &[Vec<u64>] {
        &self.rows
    }

    /// The number of decisions.
    pub fn total(&self) -> u64 {
        self.rows.iter().flatten().sum()
    }

    /// Share of right decisions.
    pub fn accuracy(&self) -> f64 {
        let right: u64 = (0..self.rows.len())
            .map(|class| self.rows[class][class])
            .sum();
        ratio(right as f64, self.total() as f64)
    }

    /// The scores of one class.
    pub fn class(&self, class: usize) -> ClassScores {
        let support: u64 = self.rows[class].iter().sum();
        let decided: u64 = self.rows.iter().map(|row| row[class]).sum();
        let right = self.rows[class][class] as f64;
        ClassScores {
            support,
            precision: ratio(right, decided as f64),
            recall: ratio(right, support as f64),
            f1: ratio(2.0 * right, (support + decided) as f64),
        }
    }

    /// Mean F1 over the classes with at least `min_support` rows; 0 when there are none.
    pub fn macro_f1(&self, min_support: u64) -> f64 {
        let scores: Vec<f64> = (0..self.rows.len())
            .map(|class| self.class(class))
            .filter(|scores| scores.support >= min_support.max(1))
            .map(|scores| scores.f1)
            .collect();
        ratio(scores.iter().sum(), scores.len() as f64)
    }
}

/// Wilson's 95 % interval of a share (Wilson 1927): stays inside 0 to 1 and does not pretend that
/// nine of nine is certainty.
pub fn wilson_interval(successes: u64, trials: u64) -> (f64, f64) {
    const Z: f64 = 1.959_963_984_540_054;
    if trials == 0 {
        return (0.0, 1.0);
    }
    let n = trials as f64;
    let share = successes as f64 / n;
    let centre = share + Z * Z / (2.0 * n);
    let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    (
        ((centre - half) / scale).max(0.0),
        ((centre + half) / scale).min(1.0),
    )
}
