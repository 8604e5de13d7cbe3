use serde::{Deserialize, Serialize};

use crate::drift::{DriftReport, Verdict};

/// When an estimate is withheld. The usual limits were chosen on NSL-KDD training rows: `docs/drift.md`
/// shows what others would have said.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EstimatePolicy {
    /// Rows below which nothing is said.
    pub min_rows: u64,
    /// Rows called a threat, and attacks expected, below which nothing is said.
    pub min_threats: f64,
    /// Highest PSI beyond chance of any feature.
    pub max_psi: f64,
    /// Highest PSI beyond chance, on average over the features.
    pub max_mean_psi: f64,
    /// Highest share of rows with a category that training did not have, of any feature.
    pub max_unseen: f64,
    /// Highest PSI beyond chance of the probabilities in their middle: rows about which the model is
    /// in doubt where it was in none.
    pub max_doubt: f64,
}

impl Default for EstimatePolicy {
    fn default() -> Self {
        Self {
            min_rows: 500,
            min_threats: 20.0,
            max_psi: 0.25,
            max_mean_psi: 0.1,
            max_unseen: 0.02,
            max_doubt: 0.2,
        }
    }
}

/// Sums over the rows of a window.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    rows: u64,
    /// Expected true positives, false positives, true negatives, false negatives.
    expected: [f64; 4],
    /// Sums of p(1-p) among rows called a threat, and the others.
    variance: [f64; 2],
    called: u64,
}

/// What a window without labels says about a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case", deny_unknown_fields)]
pub enum Estimated {
    /// The estimates, with 95 % intervals of what the rows' outcomes may be if the probabilities are
    /// right. Those of a detector that was trained by leaving types out are right where a tenth of the
    /// traffic is of kinds that training did not have; where nothing is new the truth is better than
    /// the interval says.
    Known {
        /// Rows of the window.
        rows: u64,
        /// Precision.
        precision: f64,
        /// Recall.
        recall: f64,
        /// F1.
        f1: f64,
        /// Its interval.
        f1_interval: (f64, f64),
        /// Attacks expected among the rows.
        attacks: f64,
    },
    /// The assumptions do not hold.
    Unknown {
        /// Why.
        because: Vec<String>,
    },
}

impl Estimate {
    /// Whether no row was taken.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Takes a row's calibrated probability and decision.
    pub fn observe(&mut self, probability: f64, is_threat: bool) {
        if probability.is_nan() {
            return;
        }
        let attack = probability.clamp(0.0, 1.0);
        self.rows += 1;
        self.called += u64::from(is_threat);
        let [true_positive, false_positive, true_negative, false_negative] = &mut self.expected;
        if is_threat {
            *true_positive += attack;
            *false_positive += 1.0 - attack;
        } else {
            *true_negative += 1.0 - attack;
            *false_negative += attack;
        }
        self.variance[usize::from(!is_threat)] += attack * (1.0 - attack);
    }

    /// The estimate, or why there is none. `drift` is that of the same rows.
    pub fn estimate(&self, drift: &DriftReport, policy: &EstimatePolicy) -> Estimated {
        let because = self.doubts(drift, policy);
        if !because.is_empty() {
            return Estimated::Unknown { because };
        }
        let [true_positive, false_positive, _, false_negative] = self.expected;
        let called = true_positive + false_positive;
        let attacks = true_positive + false_negative;
        let f1 = 2.0 * true_positive / (called + attacks);
        // F1 = 2 TP / (called + TP + FN); by the delta method, TP and FN being independent sums.
        let denominator = called + attacks;
        let by_true_positive = (2.0 - f1) / denominator;
        let by_false_negative = -f1 / denominator;
        let variance = self.variance[0] * by_true_positive.powi(2)
            + self.variance[1] * by_false_negative.powi(2);
        let spread = 1.96 * variance.sqrt();
        Estimated::Known {
            rows: self.rows,
            precision: true_positive / called,
            recall: true_positive / attacks,
            f1,
            f1_interval: ((f1 - spread).max(0.0), (f1 + spread).min(1.0)),
            attacks,
        }
    }

    fn doubts(&self, drift: &DriftReport, policy: &EstimatePolicy) -> Vec<String> {
        let mut because = Vec::new();
        if self.rows < policy.min_rows {
            because.push(format!(
                "{} rows are fewer than {}",
                self.rows, policy.min_rows
            ));
        }
        let attacks = self.expected[0] + self.expected[3];
        if (self.called as f64) < policy.min_threats || attacks < policy.min_threats {
            because.push(format!(
                "{} rows called a threat and {attacks:.0} attacks expected, fewer than {:.0}",
                self.called, policy.min_threats
            ));
        }
        let sizes: Vec<(f64, &str)> = drift
            .columns
            .iter()
            .filter_map(|column| Some((column.psi_beyond_chance?, column.feature.as_str())))
            .collect();
        if let Some((size, feature)) = sizes
            .iter()
            .max_by(|one, other| one.0.total_cmp(&other.0))
            .filter(|(size, _)| *size > policy.max_psi)
        {
            because.push(format!(
                "'{feature}' is far from what the model was calibrated on (PSI {size:.2}, limit {})",
                policy.max_psi
            ));
        }
        let mean = sizes.iter().map(|(size, _)| size).sum::<f64>() / sizes.len().max(1) as f64;
        if mean > policy.max_mean_psi {
            because.push(format!(
                "the features together are far from it (mean PSI {mean:.2}, limit {})",
                policy.max_mean_psi
            ));
        }
        for column in &drift.columns {
            if column.unseen > policy.max_unseen {
                because.push(format!(
                    "{:.1} % of the rows have a '{}' that training did not have",
                    100.0 * column.unseen,
                    column.feature
                ));
            }
            if column.verdict == Verdict::Missing {
                because.push(format!(
                    "'{}' is missing more or less often",
                    column.feature
                ));
            }
        }
        if let Some(size) = drift
            .score
            .as_ref()
            .and_then(|score| score.psi_beyond_chance)
            && size > policy.max_doubt
        {
            because.push(format!(
                "the probabilities are distributed otherwise than in training (PSI {size:.2}, limit {})",
                policy.max_doubt
            ));
        }
        because
    }
}
