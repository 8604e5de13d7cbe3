use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use tripline_forest::metrics::wilson_interval;

use super::Wealth;

/// Version of the state's layout.
const FORMAT: u32 = 1;
/// Bins of the difference of two probabilities, from -1 to 1.
const DIFFERENCE_BINS: usize = 41;
/// Bins of a calibration curve.
const CALIBRATION_BINS: usize = 10;
/// Bins of a latency: powers of the square root of two, from a nanosecond to some four seconds.
const LATENCY_BINS: usize = 64;
/// Rows whose likes count once as evidence: a scan is one event, not ten thousand.
const REMEMBERED_ROWS: usize = 1024;

/// What one model says about a row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// Probability of being a threat, or of its class.
    pub probability: f64,
    /// Whether it calls the row a threat; for a classifier, whether its class is the right one, which
    /// is known with a label only.
    pub is_threat: bool,
    /// Position of the class in the model's list.
    pub class: Option<u32>,
}

/// What two models say about the same row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// A hash of the row: rows that are alike count once as evidence.
    pub row: u64,
    /// The model that judges.
    pub champion: Said,
    /// The one that might.
    pub candidate: Said,
}

/// Counts by what champion and candidate say: neither, candidate only, champion only, both.
type Joint = [u64; 4];

/// What is known of a candidate beside the model that judges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    format: u32,
    /// When the first and the last row came, by the time of the rows.
    first_micros: Option<i64>,
    last_micros: Option<i64>,
    /// Rows by what they were called.
    alerts: Joint,
    /// Rows with the same class, and rows with two.
    same_class: u64,
    other_class: u64,
    /// Candidate's probability less the champion's.
    differences: Vec<u64>,
    /// Evidence that the candidate raises more alerts than the policy allows.
    too_many_alerts: Wealth,
    /// Labelled rows by what they were called: those without attack, and attacks.
    labelled: [Joint; 2],
    /// Per bin: rows, sum of probabilities, attacks; champion and candidate.
    calibration: [Vec<(f64, f64, f64)>; 2],
    /// Evidence from labels.
    better: Wealth,
    worse: Wealth,
    /// Labelled rows that were like an earlier one.
    repeated_labels: u64,
    seen: VecDeque<u64>,
    /// Time for a row, champion and candidate.
    latency: [Vec<u64>; 2],
}

impl Default for Comparison {
    fn default() -> Self {
        let curve = || vec![(0.0, 0.0, 0.0); CALIBRATION_BINS];
        Self {
            format: FORMAT,
            first_micros: None,
            last_micros: None,
            alerts: [0; 4],
            same_class: 0,
            other_class: 0,
            differences: vec![0; DIFFERENCE_BINS],
            too_many_alerts: Wealth::default(),
            labelled: [[0; 4]; 2],
            calibration: [curve(), curve()],
            better: Wealth::default(),
            worse: Wealth::default(),
            repeated_labels: 0,
            seen: VecDeque::new(),
            latency: [vec![0; LATENCY_BINS], vec![0; LATENCY_BINS]],
        }
    }
}

/// How good one model is on labelled rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names are the definitions of the field")]
pub struct Quality {
    pub true_positive: u64,
    pub false_positive: u64,
    pub true_negative: u64,
    pub false_negative: u64,
    pub precision: Option<f64>,
    /// 95 % interval (Wilson).
    pub precision_interval: Option<(f64, f64)>,
    pub recall: Option<f64>,
    /// 95 % interval (Wilson).
    pub recall_interval: Option<(f64, f64)>,
    pub f1: Option<f64>,
    pub false_positive_rate: Option<f64>,
    /// Over 10 bins of equal width.
    pub expected_calibration_error: Option<f64>,
}

/// An estimate with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// The estimate.
    pub value: f64,
    /// The interval.
    pub interval: (f64, f64),
}

impl Comparison {
    /// Takes a row that both judged, at its time. `max_alert_ratio` is the policy's.
    pub fn observe(&mut self, judged: &Judged, micros: i64, max_alert_ratio: f64) {
        self.first_micros = Some(self.first_micros.map_or(micros, |first| first.min(micros)));
        self.last_micros = Some(self.last_micros.map_or(micros, |last| last.max(micros)));
        let Judged {
            champion,
            candidate,
            ..
        } = judged;
        self.alerts[joint(champion.is_threat, candidate.is_threat)] += 1;
        match (champion.class, candidate.class) {
            (Some(one), Some(other)) if one != other => self.other_class += 1,
            (Some(_), Some(_)) => self.same_class += 1,
            _ => {}
        }
        let difference = candidate.probability - champion.probability;
        if !difference.is_nan() {
            let place = difference.clamp(-1.0, 1.0).midpoint(1.0) * (DIFFERENCE_BINS - 1) as f64;
            self.differences[place.round() as usize] += 1;
        }
        if !self.is_repeat(judged.row) {
            // Its mean is above zero when the candidate alerts more than so many times as often.
            let ratio = max_alert_ratio.max(1.0);
            let alert = |said: &Said| f64::from(u8::from(said.is_threat));
            self.too_many_alerts
                .observe((alert(candidate) - ratio * alert(champion)) / ratio);
        }
    }

    /// Takes what a label says about a row that both judged. `margin` is how many points of F1 the
    /// candidate may be worse.
    pub fn label(&mut self, judged: &Judged, is_attack: bool, margin: f64) {
        let Judged {
            champion,
            candidate,
            ..
        } = judged;
        for (curve, said) in self.calibration.iter_mut().zip([champion, candidate]) {
            if said.probability.is_nan() {
                continue;
            }
            let bin = (said.probability.clamp(0.0, 1.0) * CALIBRATION_BINS as f64) as usize;
            let (rows, sum, attacks) = &mut curve[bin.min(CALIBRATION_BINS - 1)];
            *rows += 1.0;
            *sum += said.probability.clamp(0.0, 1.0);
            *attacks += f64::from(u8::from(is_attack));
        }
        // The weights come from the rows before this one, so that the bets stay fair.
        let weights = Weights::of(&self.labelled);
        let cell = joint(champion.is_threat, candidate.is_threat);
        self.labelled[usize::from(is_attack)][cell] += 1;
        if self.is_repeat(judged.row ^ 0x6c61_6265_6c00_0000) {
            self.repeated_labels += 1;
            return;
        }
        let gain = weights.gain(is_attack, champion.is_threat, candidate.is_threat);
        self.better
            .observe(gain + margin.max(0.0) * weights.per_row / 2.0);
        self.worse.observe(-gain);
    }

    /// Takes how long a model took for a row, on average over some rows.
    pub fn time(&mut self, champion_nanos: f64, candidate_nanos: f64, rows: u64) {
        for (histogram, nanos) in self
            .latency
            .iter_mut()
            .zip([champion_nanos, candidate_nanos])
        {
            if nanos.is_finite() && nanos > 0.0 {
                let bin = (nanos.log2() * 2.0).clamp(0.0, (LATENCY_BINS - 1) as f64);
                histogram[bin as usize] += rows;
            }
        }
    }

    fn is_repeat(&mut self, row: u64) -> bool {
        if self.seen.contains(&row) {
            return true;
        }
        if self.seen.len() == REMEMBERED_ROWS {
            self.seen.pop_front();
        }
        self.seen.push_back(row);
        false
    }

    /// Rows that both judged.
    pub fn rows(&self) -> u64 {
        self.alerts.iter().sum()
    }

    /// Labelled rows that both judged.
    pub fn labels(&self) -> u64 {
        self.labelled.iter().flatten().sum()
    }

    /// Labelled rows that count as evidence.
    pub fn evidence(&self) -> u64 {
        self.better.outcomes()
    }

    /// The time from the first row to the last one.
    pub fn span_micros(&self) -> i64 {
        match (self.first_micros, self.last_micros) {
            (Some(first), Some(last)) => last.saturating_sub(first),
            _ => 0,
        }
    }

    /// Share of rows that both call the same.
    pub fn agreement(&self) -> Option<f64> {
        let rows = self.rows();
        (rows > 0).then(|| (self.alerts[0] + self.alerts[3]) as f64 / rows as f64)
    }

    /// Share of rows with the same class, of those that have two.
    pub fn class_agreement(&self) -> Option<f64> {
        let rows = self.same_class + self.other_class;
        (rows > 0).then(|| self.same_class as f64 / rows as f64)
    }

    /// Rows called a threat, champion and candidate.
    pub fn alerts(&self) -> (u64, u64) {
        let [_, candidate, champion, both] = self.alerts;
        (champion + both, candidate + both)
    }

    /// How often the candidate alerts for each alert of the champion, with a 95 % interval (delta
    /// method on the logarithm, paired).
    pub fn alert_ratio(&self) -> Option<Difference> {
        let (champion, candidate) = self.alerts();
        if champion == 0 || candidate == 0 {
            return None;
        }
        let [_, only_candidate, only_champion, _] = self.alerts;
        let (champion, candidate) = (champion as f64, candidate as f64);
        let value = candidate / champion;
        let spread = ((only_candidate + only_champion) as f64 / (champion * candidate)).sqrt();
        let factor = (1.96 * spread).exp();
        Some(Difference {
            value,
            interval: (value / factor, value * factor),
        })
    }

    /// Rows by difference of the probabilities: the middle of each bin, and its rows.
    pub fn differences(&self) -> Vec<(f64, u64)> {
        let width = 2.0 / (DIFFERENCE_BINS - 1) as f64;
        let bins = self.differences.iter().enumerate();
        bins.map(|(bin, rows)| (bin as f64 * width - 1.0, *rows))
            .collect()
    }

    /// How good the champion is on labelled rows.
    pub fn champion(&self) -> Option<Quality> {
        self.quality(0)
    }

    /// How good the candidate is on labelled rows.
    pub fn candidate(&self) -> Option<Quality> {
        self.quality(1)
    }

    fn quality(&self, which: usize) -> Option<Quality> {
        if self.labels() == 0 {
            return None;
        }
        // Neither, candidate, champion, both.
        let calls = |joint: &Joint| match which {
            0 => joint[2] + joint[3],
            _ => joint[1] + joint[3],
        };
        let [normal, attack] = &self.labelled;
        let (true_positive, false_positive) = (calls(attack), calls(normal));
        let false_negative = attack.iter().sum::<u64>() - true_positive;
        let true_negative = normal.iter().sum::<u64>() - false_positive;
        let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        let interval = |part: u64, whole: u64| (whole > 0).then(|| wilson_interval(part, whole));
        let (called, attacks) = (
            true_positive + false_positive,
            true_positive + false_negative,
        );
        let gap: f64 = self.calibration[which]
            .iter()
            .map(|(_, sum, attacks)| (sum - attacks).abs())
            .sum();
        let rows: f64 = self.calibration[which]
            .iter()
            .map(|(rows, _, _)| rows)
            .sum();
        Some(Quality {
            true_positive,
            false_positive,
            true_negative,
            false_negative,
            precision: share(true_positive, called),
            precision_interval: interval(true_positive, called),
            recall: share(true_positive, attacks),
            recall_interval: interval(true_positive, attacks),
            f1: share(2 * true_positive, called + attacks),
            false_positive_rate: share(false_positive, false_positive + true_negative),
            expected_calibration_error: (rows > 0.0).then(|| gap / rows),
        })
    }

    /// The candidate's F1 less the champion's, with a 95 % interval: the delta method on the paired
    /// counts, that is the variance of each row's influence on the difference.
    pub fn f1_difference(&self) -> Option<Difference> {
        let (champion, candidate) = (self.champion()?.f1?, self.candidate()?.f1?);
        let rows = self.labels() as f64;
        let value = candidate - champion;
        let denominator = |quality: Quality| {
            (2 * quality.true_positive + quality.false_positive + quality.false_negative) as f64
                / rows
        };
        let (below_champion, below_candidate) = (
            denominator(self.champion()?),
            denominator(self.candidate()?),
        );
        // Influence of a row on 2 TP / (2 TP + FP + FN).
        let influence = |is_attack: bool, calls: bool, f1: f64, below: f64| {
            let (numerator, whole) = match (is_attack, calls) {
                (true, true) => (2.0, 2.0),
                (true, false) | (false, true) => (0.0, 1.0),
                (false, false) => (0.0, 0.0),
            };
            (numerator - f1 * whole) / below
        };
        let mut sum_of_squares = 0.0;
        for (is_attack, joint) in [(false, &self.labelled[0]), (true, &self.labelled[1])] {
            for (cell, count) in joint.iter().enumerate() {
                let (by_champion, by_candidate) = (cell & 2 != 0, cell & 1 != 0);
                let moves = influence(is_attack, by_candidate, candidate, below_candidate)
                    - influence(is_attack, by_champion, champion, below_champion);
                sum_of_squares += moves * moves * *count as f64;
            }
        }
        let spread = 1.96 * sum_of_squares.sqrt() / rows;
        Some(Difference {
            value,
            interval: (value - spread, value + spread),
        })
    }

    /// Evidence that the candidate is better, that it is worse, and that it alerts too much: each is
    /// `1/p` of an always-valid p-value at its highest.
    pub fn wealth(&self) -> (f64, f64, f64) {
        (
            self.better.best(),
            self.worse.best(),
            self.too_many_alerts.best(),
        )
    }

    pub(super) fn is_better(&self, alpha: f64) -> bool {
        self.better.rejects(alpha)
    }

    pub(super) fn is_worse(&self, alpha: f64) -> bool {
        self.worse.rejects(alpha)
    }

    pub(super) fn alerts_too_much(&self, alpha: f64) -> bool {
        self.too_many_alerts.rejects(alpha)
    }

    /// Nanoseconds for a row that so large a share of the rows stays below, champion and candidate.
    pub fn latency_nanos(&self, share: f64) -> (Option<f64>, Option<f64>) {
        let of = |histogram: &[u64]| {
            let rows: u64 = histogram.iter().sum();
            let mut below = 0.0;
            let target = share.clamp(0.0, 1.0) * rows as f64;
            let bin = histogram.iter().position(|count| {
                below += *count as f64;
                below >= target && *count > 0
            })?;
            Some(2_f64.powf((bin as f64).midpoint(0.5)))
        };
        (of(&self.latency[0]), of(&self.latency[1]))
    }
}

fn joint(champion: bool, candidate: bool) -> usize {
    usize::from(champion) * 2 + usize::from(candidate)
}

/// What a row more or less called right is worth in F1 of the champion.
///
/// `F1 = 2 TP / (P + TP + FP)` with `P` attacks, so a true positive more is worth `(2 - F1) / D` and
/// a false positive more costs `F1 / D`, with `D = P + TP + FP`. The test is on the mean of
/// `(2 - F1) ΔTP - F1 ΔFP`, whose sign is that of the difference in F1 for models that are close.
struct Weights {
    f1: f64,
    /// `D` per labelled row.
    per_row: f64,
}

impl Weights {
    fn of(labelled: &[Joint; 2]) -> Self {
        let [normal, attack] = labelled;
        let rows: u64 = labelled.iter().flatten().sum();
        let attacks: u64 = attack.iter().sum();
        let true_positive = attack[2] + attack[3];
        let called = true_positive + normal[2] + normal[3];
        // As if two rows had been seen before: one attack found, one missed.
        let f1 = (2.0 * true_positive as f64 + 2.0) / ((called + attacks) as f64 + 3.0);
        Self {
            f1,
            per_row: ((called + attacks) as f64 + 3.0) / (rows as f64 + 2.0).max(3.0),
        }
    }

    /// Between -1 and 1.
    fn gain(&self, is_attack: bool, champion: bool, candidate: bool) -> f64 {
        let more = f64::from(u8::from(candidate)) - f64::from(u8::from(champion));
        if is_attack {
            (2.0 - self.f1) * more / 2.0
        } else {
            -self.f1 * more / 2.0
        }
    }
}
