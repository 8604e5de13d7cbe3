use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use tripline_forest::metrics::wilson_interval;

/// Version of the state's layout.
const FORMAT: u32 = 1;
/// Bins of the probability, for the area under the ROC curve and the calibration error.
const BINS: usize = 50;
/// Rows of a slice; whole slices are forgotten.
const SLICE_ROWS: u64 = 500;
/// Slices that are kept.
const SLICES: usize = 20;

/// The latest labelled rows of a model, at most 10,000.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rolling {
    format: u32,
    slices: VecDeque<Slice>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Slice {
    first_micros: i64,
    last_micros: i64,
    /// True positives, false positives, true negatives, false negatives.
    counts: [u64; 4],
    /// Per bin of probability: rows without attack, attacks.
    bins: Vec<[u64; 2]>,
    /// Per bin: sum of probabilities.
    sums: Vec<f64>,
}

/// How good a model is on labelled rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the names are the definitions of the field")]
pub struct Measured {
    pub rows: u64,
    pub first_micros: Option<i64>,
    pub last_micros: Option<i64>,
    pub true_positive: u64,
    pub false_positive: u64,
    pub true_negative: u64,
    pub false_negative: u64,
    pub precision: Option<f64>,
    /// 95 % interval (Wilson 1927).
    pub precision_interval: Option<(f64, f64)>,
    pub recall: Option<f64>,
    /// 95 % interval (Wilson 1927).
    pub recall_interval: Option<(f64, f64)>,
    pub f1: Option<f64>,
    /// 95 % interval (delta method on the counts).
    pub f1_interval: Option<(f64, f64)>,
    pub false_positive_rate: Option<f64>,
    pub roc_auc: Option<f64>,
    /// 95 % interval (Hanley and `McNeil` 1982), widened by what the bins hide.
    pub roc_auc_interval: Option<(f64, f64)>,
    /// Over 10 bins of equal width.
    pub expected_calibration_error: Option<f64>,
}

impl Default for Rolling {
    fn default() -> Self {
        Self {
            format: FORMAT,
            slices: VecDeque::new(),
        }
    }
}

impl Slice {
    fn new(micros: i64) -> Self {
        Self {
            first_micros: micros,
            last_micros: micros,
            counts: [0; 4],
            bins: vec![[0; 2]; BINS],
            sums: vec![0.0; BINS],
        }
    }
}

impl Rolling {
    /// Takes a labelled row: the model's probability and decision, the truth, and its time.
    pub fn observe(&mut self, probability: f64, is_threat: bool, is_attack: bool, micros: i64) {
        let is_full = |slice: &Slice| slice.counts.iter().sum::<u64>() >= SLICE_ROWS;
        if self.slices.back().is_none_or(is_full) {
            if self.slices.len() == SLICES {
                self.slices.pop_front();
            }
            self.slices.push_back(Slice::new(micros));
        }
        let Some(slice) = self.slices.back_mut() else {
            return;
        };
        slice.first_micros = slice.first_micros.min(micros);
        slice.last_micros = slice.last_micros.max(micros);
        let cell = match (is_threat, is_attack) {
            (true, true) => 0,
            (true, false) => 1,
            (false, false) => 2,
            (false, true) => 3,
        };
        slice.counts[cell] += 1;
        if !probability.is_nan() {
            let probability = probability.clamp(0.0, 1.0);
            let bin = ((probability * BINS as f64) as usize).min(BINS - 1);
            // The state may come from a file.
            if let (Some(counts), Some(sum)) = (slice.bins.get_mut(bin), slice.sums.get_mut(bin)) {
                counts[usize::from(is_attack)] += 1;
                *sum += probability;
            }
        }
    }

    /// What they come to.
    pub fn measure(&self) -> Measured {
        let mut counts = [0_u64; 4];
        let mut bins = vec![[0_u64; 2]; BINS];
        let mut sums = vec![0.0; BINS];
        for slice in &self.slices {
            for (sum, count) in counts.iter_mut().zip(slice.counts) {
                *sum += count;
            }
            for (sum, bin) in bins.iter_mut().zip(&slice.bins) {
                sum[0] += bin[0];
                sum[1] += bin[1];
            }
            for (sum, own) in sums.iter_mut().zip(&slice.sums) {
                *sum += own;
            }
        }
        let [true_positive, false_positive, true_negative, false_negative] = counts;
        let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        let interval = |part: u64, whole: u64| (whole > 0).then(|| wilson_interval(part, whole));
        let (called, attacks) = (
            true_positive + false_positive,
            true_positive + false_negative,
        );
        let normal = false_positive + true_negative;
        let f1 = share(2 * true_positive, called + attacks);
        let auc = roc_auc(&bins);
        Measured {
            rows: counts.iter().sum(),
            first_micros: self.slices.iter().map(|slice| slice.first_micros).min(),
            last_micros: self.slices.iter().map(|slice| slice.last_micros).max(),
            true_positive,
            false_positive,
            true_negative,
            false_negative,
            precision: share(true_positive, called),
            precision_interval: interval(true_positive, called),
            recall: share(true_positive, attacks),
            recall_interval: interval(true_positive, attacks),
            f1,
            f1_interval: f1.map(|f1| f1_interval(f1, counts)),
            false_positive_rate: share(false_positive, normal),
            roc_auc: auc.map(|(auc, _)| auc),
            roc_auc_interval: auc.map(|(auc, hidden)| {
                let spread = hanley_mcneil(auc, attacks as f64, normal as f64) * 1.96 + hidden;
                ((auc - spread).max(0.0), (auc + spread).min(1.0))
            }),
            expected_calibration_error: calibration_error(&bins, &sums),
        }
    }
}

/// The variance of each row's influence on `2 TP / (2 TP + FP + FN)`.
fn f1_interval(
    f1: f64,
    [true_positive, false_positive, _, false_negative]: [u64; 4],
) -> (f64, f64) {
    let denominator = (2 * true_positive + false_positive + false_negative) as f64;
    let squares = true_positive as f64 * (2.0 - 2.0 * f1).powi(2)
        + (false_positive + false_negative) as f64 * f1.powi(2);
    let spread = 1.96 * squares.sqrt() / denominator.max(1.0);
    ((f1 - spread).max(0.0), (f1 + spread).min(1.0))
}

/// The area, equal bins counting half, and half of what pairs inside a bin could change.
fn roc_auc(bins: &[[u64; 2]]) -> Option<(f64, f64)> {
    let (mut normal_below, mut attacks, mut won, mut tied) = (0.0, 0.0, 0.0, 0.0);
    for [normal, attack] in bins {
        let (normal, attack) = (*normal as f64, *attack as f64);
        won += attack * (normal_below + normal / 2.0);
        tied += attack * normal / 2.0;
        normal_below += normal;
        attacks += attack;
    }
    let pairs = normal_below * attacks;
    (pairs > 0.0).then(|| (won / pairs, tied / pairs))
}

fn hanley_mcneil(auc: f64, attacks: f64, normal: f64) -> f64 {
    let (q1, q2) = (auc / (2.0 - auc), 2.0 * auc * auc / (1.0 + auc));
    let variance = (auc * (1.0 - auc)
        + (attacks - 1.0) * (q1 - auc * auc)
        + (normal - 1.0) * (q2 - auc * auc))
        / (attacks * normal).max(1.0);
    variance.max(0.0).sqrt()
}

fn calibration_error(bins: &[[u64; 2]], sums: &[f64]) -> Option<f64> {
    const WIDE: usize = BINS / 10;
    let rows: u64 = bins.iter().flatten().sum();
    let gaps = bins
        .chunks(WIDE)
        .zip(sums.chunks(WIDE))
        .map(|(bins, sums)| {
            let attacks: u64 = bins.iter().map(|bin| bin[1]).sum();
            (sums.iter().sum::<f64>() - attacks as f64).abs()
        });
    (rows > 0).then(|| gaps.sum::<f64>() / rows as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_defined() {
        let measured = Rolling::default().measure();
        assert_eq!(
            (measured.rows, measured.f1, measured.roc_auc),
            (0, None, None)
        );
    }

    #[test]
    fn figures_are_those_of_the_rows() {
        let mut rolling = Rolling::default();
        for row in 0..1000 {
            let is_attack = row % 4 == 0;
            let probability = if is_attack { 0.9 } else { 0.1 };
            // Every tenth attack is missed.
            let is_threat = is_attack && row % 40 != 0;
            rolling.observe(probability, is_threat, is_attack, row);
        }
        let measured = rolling.measure();
        assert_eq!(measured.rows, 1000);
        assert_eq!((measured.true_positive, measured.false_negative), (225, 25));
        assert_eq!(measured.recall, Some(0.9));
        assert_eq!(measured.precision, Some(1.0));
        assert_eq!(measured.roc_auc, Some(1.0));
        assert!((measured.expected_calibration_error.unwrap() - 0.1).abs() < 1e-9);
        let (low, high) = measured.f1_interval.unwrap();
        assert!(low < measured.f1.unwrap() && measured.f1.unwrap() < high);
    }

    #[test]
    fn only_the_latest_rows_count_and_the_state_is_bounded() {
        let mut rolling = Rolling::default();
        for row in 0..20_000 {
            rolling.observe(0.9, true, row >= 10_000, row);
        }
        let measured = rolling.measure();
        assert!(measured.rows <= 10_000);
        assert_eq!(measured.false_positive, 0);
        let text = serde_json::to_string(&rolling).unwrap();
        assert!(text.len() < 64 << 10, "{}", text.len());
        assert_eq!(serde_json::from_str::<Rolling>(&text).unwrap(), rolling);
    }

    #[test]
    fn hostile_probabilities_are_harmless() {
        let mut rolling = Rolling::default();
        for probability in [f64::NAN, f64::INFINITY, -1e300, 1e300] {
            rolling.observe(probability, true, true, i64::MIN);
        }
        let text = serde_json::to_string(&rolling.measure()).unwrap();
        assert!(!text.contains("NaN"), "{text}");
    }
}
