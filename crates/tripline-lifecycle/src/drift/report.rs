use serde::{Deserialize, Serialize};

use super::{
    Baseline, Window,
    statistics::{
        chi_squared, chi_squared_p, holm, kolmogorov_p, kolmogorov_smirnov, psi, psi_by_chance,
        shares_p, total,
    },
    window::{Counted, SCORE_BINS},
};

/// When a feature has drifted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DriftPolicy {
    /// Rows of a window.
    pub window_rows: u64,
    /// A window ends after this time too, if it has rows enough.
    pub window_micros: i64,
    /// Rows below which nothing is said.
    pub min_rows: u64,
    /// Highest probability of naming any feature in a window without drift.
    pub alpha: f64,
    /// Least PSI, less what chance gives.
    pub min_psi: f64,
    /// Least change of the share of missing values.
    pub min_missing: f64,
    /// Least share of rows with a category that training did not have.
    pub min_unseen: f64,
}

impl Default for DriftPolicy {
    fn default() -> Self {
        Self {
            window_rows: 5_000,
            window_micros: 6 * 3_600_000_000,
            min_rows: 500,
            alpha: 0.01,
            min_psi: 0.1,
            min_missing: 0.05,
            min_unseen: 0.01,
        }
    }
}

/// What became of one column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As in training, as far as can be told.
    Stable,
    /// Its values are others.
    Drifted,
    /// It is missing more or less often.
    Missing,
    /// It has categories that training did not have.
    Unseen,
    /// It has no value in the window, or had none in training.
    Empty,
    /// The window has too few rows.
    TooFew,
}

/// One column beside its baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnDrift {
    /// Its name; `score` for the model's probability.
    pub feature: String,
    /// What became of it.
    pub verdict: Verdict,
    /// Population stability index.
    pub psi: Option<f64>,
    /// The same less what chance gives, at least 0.
    pub psi_beyond_chance: Option<f64>,
    /// Kolmogorov–Smirnov distance of a number, χ² of a category.
    pub statistic: Option<f64>,
    /// Its p-value, adjusted for the number of columns.
    pub adjusted_p: Option<f64>,
    /// Share of missing values in training and in the window.
    pub missing: (f64, f64),
    /// Share of rows with a category that training did not have.
    pub unseen: f64,
}

/// A window beside the baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriftReport {
    /// Rows of the window.
    pub rows: u64,
    /// As how many independent rows they count.
    pub effective_rows: f64,
    /// Times of its first and last row.
    pub first_micros: Option<i64>,
    /// See `first_micros`.
    pub last_micros: Option<i64>,
    /// Whether any column has drifted.
    pub has_drifted: bool,
    /// Names of those that have, the most changed first.
    pub drifted: Vec<String>,
    /// The columns in the order of the model.
    pub columns: Vec<ColumnDrift>,
    /// The model's probability; `None` when the bundle has no baseline of it.
    pub score: Option<ColumnDrift>,
    /// Why nothing is said about the window, when nothing is.
    pub silent: Option<String>,
}

struct Measured {
    drift: ColumnDrift,
    p: f64,
    missing_p: f64,
}

impl Window {
    /// Whether it is to be evaluated: it has rows enough, or time enough and some rows.
    pub fn is_full(&self, policy: &DriftPolicy) -> bool {
        self.rows() >= policy.window_rows.max(1)
            || (self.rows() >= policy.min_rows.max(1) && self.span_micros() >= policy.window_micros)
    }

    /// Compares it with the baseline.
    pub fn report(&self, baseline: &Baseline, policy: &DriftPolicy) -> DriftReport {
        let mut overdispersions: Vec<f64> =
            self.columns.iter().map(Counted::overdispersion).collect();
        overdispersions.sort_by(f64::total_cmp);
        let typical = overdispersions
            .get(overdispersions.len() / 2)
            .copied()
            .unwrap_or(1.0);
        let mut report = DriftReport {
            rows: self.rows(),
            effective_rows: self.rows() as f64 / typical,
            first_micros: self.first_micros(),
            last_micros: self.last_micros(),
            has_drifted: false,
            drifted: Vec::new(),
            columns: Vec::new(),
            score: None,
            silent: None,
        };
        if self.rows() == 0 {
            report.silent = Some("no traffic".to_owned());
        } else if self.rows() < policy.min_rows {
            report.silent = Some(format!(
                "{} rows are fewer than {}",
                self.rows(),
                policy.min_rows
            ));
        }
        let mut measured: Vec<Measured> = self
            .columns
            .iter()
            .zip(&baseline.columns)
            .map(|(counted, column)| {
                measure(
                    &column.distribution.feature,
                    counted,
                    &column.distribution.counts,
                    column.distribution.missing,
                    column.is_category,
                )
            })
            .collect();
        if baseline.scores.len() == SCORE_BINS {
            measured.push(measure("score", &self.scores, &baseline.scores, 0, false));
        }
        let p_values: Vec<f64> = measured
            .iter()
            .flat_map(|column| [column.p, column.missing_p])
            .collect();
        let adjusted = holm(&p_values);
        for (column, adjusted) in measured.iter_mut().zip(adjusted.chunks(2)) {
            decide(
                column,
                adjusted[0],
                adjusted[1],
                policy,
                report.silent.is_some(),
            );
        }
        let mut drifted: Vec<(f64, String)> = measured
            .iter()
            .filter(|column| {
                matches!(
                    column.drift.verdict,
                    Verdict::Drifted | Verdict::Missing | Verdict::Unseen
                )
            })
            .map(|column| {
                let size = column.drift.psi_beyond_chance.unwrap_or_default();
                (size, column.drift.feature.clone())
            })
            .collect();
        drifted.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
        report.has_drifted = !drifted.is_empty();
        report.drifted = drifted.into_iter().map(|(_, name)| name).collect();
        if baseline.scores.len() == SCORE_BINS {
            report.score = measured.pop().map(|column| column.drift);
        }
        report.columns = measured.into_iter().map(|column| column.drift).collect();
        report
    }
}

fn measure(
    feature: &str,
    counted: &Counted,
    base: &[u64],
    base_missing: u64,
    is_category: bool,
) -> Measured {
    let now = &counted.counts;
    let (base_rows, now_rows) = (total(base), total(now));
    let clustering = counted.clustering();
    let share = |part: u64, rest: f64| {
        let whole = part as f64 + rest;
        if whole > 0.0 {
            part as f64 / whole
        } else {
            0.0
        }
    };
    let missing = (
        share(base_missing, base_rows),
        share(counted.missing, now_rows),
    );
    let missing_p = shares_p(
        missing.0,
        base_rows + base_missing as f64,
        missing.1,
        (now_rows + counted.missing as f64) / clustering,
    );
    let unseen_rows: u64 = base
        .iter()
        .zip(now)
        .filter(|(base, _)| **base == 0)
        .map(|(_, now)| *now)
        .sum();
    let mut drift = ColumnDrift {
        feature: feature.to_owned(),
        verdict: Verdict::Stable,
        psi: None,
        psi_beyond_chance: None,
        statistic: None,
        adjusted_p: None,
        missing,
        unseen: if is_category && now_rows > 0.0 {
            unseen_rows as f64 / now_rows
        } else {
            0.0
        },
    };
    if base_rows <= 0.0 || now_rows <= 0.0 {
        drift.verdict = Verdict::Empty;
        return Measured {
            drift,
            p: 1.0,
            missing_p,
        };
    }
    let typical = now_rows / counted.overdispersion();
    let index = psi(base, now);
    drift.psi = Some(index);
    drift.psi_beyond_chance = Some((index - psi_by_chance(base, now, typical)).max(0.0));
    let (statistic, p) = if is_category {
        let (statistic, degrees) = chi_squared(base, now);
        (statistic, chi_squared_p(statistic / clustering, degrees))
    } else {
        let distance = kolmogorov_smirnov(base, now);
        (
            distance,
            kolmogorov_p(distance, base_rows, now_rows / clustering),
        )
    };
    drift.statistic = Some(statistic);
    Measured {
        drift,
        p,
        missing_p,
    }
}

fn decide(
    column: &mut Measured,
    adjusted: f64,
    adjusted_missing: f64,
    policy: &DriftPolicy,
    is_silent: bool,
) {
    let drift = &mut column.drift;
    if drift.statistic.is_some() {
        drift.adjusted_p = Some(adjusted);
    }
    let missing_moved = (drift.missing.1 - drift.missing.0).abs() >= policy.min_missing
        && adjusted_missing < policy.alpha;
    drift.verdict = if is_silent {
        Verdict::TooFew
    } else if missing_moved {
        Verdict::Missing
    } else if drift.verdict == Verdict::Empty {
        Verdict::Empty
    } else if drift.unseen >= policy.min_unseen && policy.min_unseen > 0.0 {
        Verdict::Unseen
    } else if adjusted < policy.alpha
        && drift.psi_beyond_chance.unwrap_or_default() >= policy.min_psi
    {
        Verdict::Drifted
    } else {
        Verdict::Stable
    };
}
