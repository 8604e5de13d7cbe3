use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Comparison;

const HOUR: i64 = 3_600_000_000;

/// Who decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A person; the policy only recommends. Rolling back needs nobody.
    #[default]
    Approval,
    /// The policy.
    Automatic,
}

/// When a candidate goes on and when it is given up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Who decides.
    pub mode: Mode,
    /// Highest probability of promoting a candidate that is no better, and of giving one up that is
    /// no worse.
    pub alpha: f64,
    /// By how many points of F1 (0 to 1) a candidate may be worse and still be promoted.
    pub margin: f64,
    /// Shares of the flows that a canary judges, one after the other.
    pub canary_shares: Vec<f64>,
    /// Rows that have to be compared before each step.
    pub min_rows: u64,
    /// Labelled rows, each kind once, that have to be compared before a promotion.
    pub min_labels: u64,
    /// Time that has to pass in shadow, and at each share.
    pub min_micros: i64,
    /// How many times as often as the champion a candidate may alert.
    pub max_alert_ratio: f64,
    /// How many times as long as the champion a candidate may take for a row.
    pub max_latency_ratio: f64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            mode: Mode::Approval,
            alpha: 0.05,
            margin: 0.0,
            canary_shares: vec![0.01, 0.05, 0.25],
            min_rows: 1_000,
            min_labels: 50,
            min_micros: HOUR,
            max_alert_ratio: 2.0,
            max_latency_ratio: 4.0,
        }
    }
}

/// A policy that cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("promotion policy: '{key}' is {found}, expected {expected}")]
pub struct InvalidPolicy {
    /// The key.
    pub key: &'static str,
    /// Its value.
    pub found: String,
    /// What is accepted.
    pub expected: &'static str,
}

impl Policy {
    /// Checks every value.
    pub fn check(&self) -> Result<(), InvalidPolicy> {
        let refuse = |key, found: &dyn std::fmt::Display, expected| {
            Err(InvalidPolicy {
                key,
                found: found.to_string(),
                expected,
            })
        };
        if !(self.alpha > 0.0 && self.alpha <= 0.5) {
            return refuse("alpha", &self.alpha, "above 0 and at most 0.5");
        }
        if !(0.0..=0.5).contains(&self.margin) {
            return refuse("margin", &self.margin, "between 0 and 0.5");
        }
        let shares = &self.canary_shares;
        if shares.len() > 16
            || !shares.iter().all(|share| *share > 0.0 && *share <= 1.0)
            || !shares.windows(2).all(|pair| pair[0] < pair[1])
        {
            return refuse(
                "canary_shares",
                &format!("{shares:?}"),
                "at most 16 ascending shares above 0 and up to 1",
            );
        }
        if self.min_micros < 0 {
            return refuse("min_micros", &self.min_micros, "at least 0");
        }
        for (key, ratio) in [
            ("max_alert_ratio", self.max_alert_ratio),
            ("max_latency_ratio", self.max_latency_ratio),
        ] {
            if !(1.0..=1000.0).contains(&ratio) {
                return refuse(key, &ratio, "between 1 and 1000");
            }
        }
        Ok(())
    }
}

/// Where a candidate stands.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The share of flows that it judges; 0 in shadow.
    pub share: f64,
    /// Since when, by the clock.
    pub since_micros: i64,
    /// Rows that were compared when it came there.
    pub rows_then: u64,
}

/// What is to become of a candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    /// It stays where it is.
    Stay {
        /// What is missing.
        because: Vec<String>,
    },
    /// It judges a larger share; 1 is all of it, as the active version.
    GoOn {
        /// The share.
        share: f64,
        /// What speaks for it.
        because: String,
    },
    /// It is given up.
    GiveUp {
        /// What speaks against it.
        because: String,
    },
}

/// Rows below which the medians of their latencies say more about the machine than about the models:
/// rows are timed by the thousand, and a machine that is busy for a moment slows down a few of those.
const MIN_ROWS_TIMED: u64 = 20_000;

/// Decides on a candidate. What speaks against it counts at once; what speaks for it has to hold for
/// the time and the rows of the policy first.
pub fn decide(comparison: &Comparison, policy: &Policy, place: Place, now_micros: i64) -> Decision {
    if let Some(because) = against(comparison, policy) {
        return Decision::GiveUp { because };
    }
    let mut missing = Vec::new();
    let rows = comparison.rows().saturating_sub(place.rows_then);
    if rows < policy.min_rows {
        missing.push(format!("{rows} of {} rows compared here", policy.min_rows));
    }
    // A clock that was set back makes this negative, and then nothing moves.
    let waited = now_micros.saturating_sub(place.since_micros);
    if waited < policy.min_micros {
        missing.push(format!(
            "{} of {} minutes here",
            waited.max(0) / 60_000_000,
            policy.min_micros / 60_000_000
        ));
    }
    let evidence = comparison.evidence();
    if evidence < policy.min_labels {
        missing.push(format!(
            "{evidence} of {} different labelled rows",
            policy.min_labels
        ));
    }
    let (better, _, _) = comparison.wealth();
    if !comparison.is_better(policy.alpha) {
        missing.push(format!(
            "evidence {better:.1} of {:.0} that it is {}",
            1.0 / policy.alpha,
            if policy.margin > 0.0 {
                "not worse than the policy allows"
            } else {
                "better"
            }
        ));
    }
    if !missing.is_empty() {
        return Decision::Stay { because: missing };
    }
    let share = policy
        .canary_shares
        .iter()
        .copied()
        .find(|share| *share > place.share)
        .unwrap_or(1.0);
    let difference = comparison.f1_difference().map_or_else(String::new, |d| {
        format!(
            "; F1 {:+.4} (95 % interval {:+.4} to {:+.4})",
            d.value, d.interval.0, d.interval.1
        )
    });
    Decision::GoOn {
        share,
        because: format!("evidence {better:.1} on {evidence} different labelled rows{difference}"),
    }
}

fn against(comparison: &Comparison, policy: &Policy) -> Option<String> {
    let (_, worse, alerts) = comparison.wealth();
    if comparison.is_worse(policy.alpha) {
        let difference = comparison
            .f1_difference()
            .map_or_else(String::new, |d| format!(", F1 {:+.4}", d.value));
        return Some(format!(
            "worse on labelled rows: evidence {worse:.1} on {} of them{difference}",
            comparison.evidence()
        ));
    }
    if comparison.alerts_too_much(policy.alpha) {
        let (champion, candidate) = comparison.alerts();
        return Some(format!(
            "{candidate} alerts where the model that judges has {champion}, more than {} times as \
             many: evidence {alerts:.1}",
            policy.max_alert_ratio
        ));
    }
    if let (Some(champion), Some(candidate)) = comparison.latency_nanos(0.5)
        && comparison.rows() >= policy.min_rows.max(MIN_ROWS_TIMED)
        && candidate > champion * policy.max_latency_ratio
    {
        return Some(format!(
            "a row takes {candidate:.0} ns and {champion:.0} ns with the model that judges, more \
             than {} times as long",
            policy.max_latency_ratio
        ));
    }
    None
}
