//! How often two models say the same, and whether one of them is right more often by more than
//! chance.

use serde::Serialize;
use statrs::distribution::{Binomial, DiscreteCDF};

/// Two models' answers to the same rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Agreement {
    /// Rows.
    pub rows: u64,
    /// Rows with the same answer of both.
    pub agreed: u64,
    /// Rows on which only the first is right.
    pub only_a_right: u64,
    /// Rows on which only the second is right.
    pub only_b_right: u64,
    /// Rows on which they say different things, and neither is right.
    pub both_wrong_differently: u64,
    /// How likely at least so uneven a split of the rows on which only one is right is, when both
    /// are right equally often: the exact two-sided test of `McNemar` (1947), by the binomial
    /// distribution. 1 when there is no such row.
    pub p_value: f64,
}

impl Agreement {
    /// Counts, row by row: whether each model is right, and whether they say the same.
    pub fn of(right_a: &[bool], right_b: &[bool], same_answer: &[bool]) -> Self {
        let mut counts = Self {
            rows: 0,
            agreed: 0,
            only_a_right: 0,
            only_b_right: 0,
            both_wrong_differently: 0,
            p_value: 1.0,
        };
        for ((a, b), same) in right_a.iter().zip(right_b).zip(same_answer) {
            counts.rows += 1;
            match (same, a, b) {
                (true, ..) => counts.agreed += 1,
                (false, true, _) => counts.only_a_right += 1,
                (false, false, true) => counts.only_b_right += 1,
                (false, false, false) => counts.both_wrong_differently += 1,
            }
        }
        counts.p_value = mcnemar(counts.only_a_right, counts.only_b_right);
        counts
    }
}

fn mcnemar(one: u64, other: u64) -> f64 {
    if one == other {
        return 1.0;
    }
    Binomial::new(0.5, one + other).map_or(1.0, |split| (2.0 * split.cdf(one.min(other))).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_is_exact() {
        // 1 of 10: 2 · (1 + 10) / 1024.
        assert!((mcnemar(1, 9) - 22.0 / 1024.0).abs() < 1e-12);
        assert!((mcnemar(0, 5) - 2.0 / 32.0).abs() < 1e-12);
        assert!((mcnemar(9, 1) - mcnemar(1, 9)).abs() < 1e-15);
        assert!((mcnemar(0, 0) - 1.0).abs() < 1e-15);
        assert!((mcnemar(4, 5) - 1.0).abs() < 1e-12);
        let (few, many) = (mcnemar(10_000, 10_100), mcnemar(10_000, 11_000));
        assert!(few > 0.4 && many < 1e-9, "{few} {many}");
    }

    #[test]
    fn each_row_is_counted_once() {
        let agreement = Agreement::of(
            &[true, true, false, false, false],
            &[true, false, true, false, false],
            &[true, false, false, false, true],
        );
        assert_eq!(
            (
                agreement.rows,
                agreement.agreed,
                agreement.only_a_right,
                agreement.only_b_right,
                agreement.both_wrong_differently
            ),
            (5, 2, 1, 1, 1)
        );
    }
}
