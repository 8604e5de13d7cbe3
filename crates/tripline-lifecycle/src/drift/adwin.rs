use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Buckets of one size before two are taken together.
const BUCKETS: usize = 5;
/// Outcomes between two looks for a change.
const LOOK_EVERY: u64 = 16;
/// Outcomes on each side of a cut, at least.
const LEAST: u64 = 20;

/// Watches a stream of numbers between 0 and 1, such as errors, for a change of their mean: `ADWIN` of
/// Bifet and Gavaldà (2007), <https://doi.org/10.1137/1.9781611972771.42>. It keeps the longest
/// recent window whose halves do not differ by more than chance; memory grows with the logarithm of
/// its length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adwin {
    /// Highest probability of seeing a change where there is none.
    delta: f64,
    /// Rows of buckets of 1, 2, 4, … outcomes, the newest first: sum and sum of squares.
    rows: Vec<VecDeque<(f64, f64)>>,
    outcomes: u64,
    since_look: u64,
    changes: u64,
}

impl Adwin {
    /// Begins to watch; `delta` is the highest probability of a false alarm.
    pub fn new(delta: f64) -> Self {
        Self {
            delta: delta.clamp(1e-9, 0.5),
            rows: Vec::new(),
            outcomes: 0,
            since_look: 0,
            changes: 0,
        }
    }

    /// Takes an outcome; true when the mean has just been found to have changed. What came before the
    /// change is forgotten then.
    pub fn observe(&mut self, outcome: f64) -> bool {
        if outcome.is_nan() {
            return false;
        }
        let outcome = outcome.clamp(0.0, 1.0);
        self.insert(0, (outcome, outcome * outcome));
        self.outcomes += 1;
        self.since_look += 1;
        if self.since_look < LOOK_EVERY {
            return false;
        }
        self.since_look = 0;
        let mut has_changed = false;
        while self.cut() {
            has_changed = true;
        }
        self.changes += u64::from(has_changed);
        has_changed
    }

    fn insert(&mut self, row: usize, bucket: (f64, f64)) {
        if self.rows.len() == row {
            self.rows.push(VecDeque::new());
        }
        self.rows[row].push_front(bucket);
        if self.rows[row].len() > BUCKETS
            && let (Some(one), Some(other)) = (self.rows[row].pop_back(), self.rows[row].pop_back())
        {
            self.insert(row + 1, (one.0 + other.0, one.1 + other.1));
        }
    }

    /// Drops the oldest bucket if what is older than some point differs from what is newer.
    fn cut(&mut self) -> bool {
        let (sum, squares) = self.sums();
        let length = self.length();
        if length < 2 * LEAST {
            return false;
        }
        let mean = sum / length as f64;
        let variance = (squares / length as f64 - mean * mean).max(0.0);
        let confidence = (2.0 * (length as f64).ln() / self.delta).ln();
        let (mut old_sum, mut old_length) = (0.0, 0_u64);
        for (row, buckets) in self.rows.iter().enumerate().rev() {
            for bucket in buckets.iter().rev() {
                old_sum += bucket.0;
                old_length += 1 << row;
                let new_length = length - old_length;
                if old_length < LEAST || new_length < LEAST {
                    continue;
                }
                let (old, new) = (old_length as f64, new_length as f64);
                let harmonic = 1.0 / (1.0 / old + 1.0 / new);
                let bound = (2.0 / harmonic * variance * confidence).sqrt()
                    + 2.0 / (3.0 * harmonic) * confidence;
                if (old_sum / old - (sum - old_sum) / new).abs() > bound {
                    self.drop_oldest();
                    return true;
                }
            }
        }
        false
    }

    fn drop_oldest(&mut self) {
        while let Some(last) = self.rows.last_mut() {
            let is_dropped = last.pop_back().is_some();
            if last.is_empty() {
                self.rows.pop();
            }
            if is_dropped {
                return;
            }
        }
    }

    fn sums(&self) -> (f64, f64) {
        let buckets = self.rows.iter().flatten();
        buckets.fold((0.0, 0.0), |sum, bucket| {
            (sum.0 + bucket.0, sum.1 + bucket.1)
        })
    }

    /// Outcomes in the window that is kept.
    pub fn length(&self) -> u64 {
        let rows = self.rows.iter().enumerate();
        rows.map(|(row, buckets)| (buckets.len() as u64) << row)
            .sum()
    }

    /// The mean of that window; `None` when it is empty.
    pub fn mean(&self) -> Option<f64> {
        let length = self.length();
        (length > 0).then(|| self.sums().0 / length as f64)
    }

    /// How often a change was found.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Outcomes ever seen.
    pub fn outcomes(&self) -> u64 {
        self.outcomes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coin(seed: &mut u64, share: f64) -> f64 {
        *seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        f64::from(u8::from(
            ((*seed >> 11) as f64 / (1_u64 << 53) as f64) < share,
        ))
    }

    #[test]
    fn a_steady_rate_is_left_alone_and_memory_is_bounded() {
        let mut alarms = 0;
        for run in 0..50 {
            let (mut adwin, mut seed) = (Adwin::new(0.002), run);
            for _ in 0..5_000 {
                adwin.observe(coin(&mut seed, 0.05));
            }
            alarms += u64::from(adwin.changes() > 0);
            assert!(adwin.rows.iter().map(VecDeque::len).sum::<usize>() < 100);
        }
        assert!(alarms <= 1, "{alarms} of 50");
    }

    #[test]
    fn a_change_is_found_and_what_was_before_is_forgotten() {
        let (mut adwin, mut seed) = (Adwin::new(0.002), 7);
        for _ in 0..2_000 {
            adwin.observe(coin(&mut seed, 0.05));
        }
        assert_eq!(adwin.changes(), 0);
        let found = (0..1_000).find(|_| adwin.observe(coin(&mut seed, 0.3)));
        assert!(found.is_some_and(|after| after < 300), "{found:?}");
        for _ in 0..1_000 {
            adwin.observe(coin(&mut seed, 0.3));
        }
        assert!((adwin.mean().unwrap() - 0.3).abs() < 0.06, "{adwin:?}");
    }

    #[test]
    fn hostile_outcomes_are_harmless() {
        let mut adwin = Adwin::new(f64::NAN.max(0.1));
        for outcome in [f64::NAN, f64::INFINITY, -1e300, 1e300] {
            adwin.observe(outcome);
        }
        assert_eq!(adwin.length(), 3);
        let text = serde_json::to_string(&adwin).unwrap();
        assert_eq!(serde_json::from_str::<Adwin>(&text).unwrap(), adwin);
    }
}
