//! Distances and their p-values.

use statrs::function::{erf::erfc, gamma::checked_gamma_ur};

/// The population stability index of two distributions given as counts: `Σ (q - p) ln (q / p)`.
/// Half a row is added to each bin that either has rows in, so that an empty one is no infinity.
pub(super) fn psi(base: &[u64], now: &[u64]) -> f64 {
    let used = || {
        base.iter()
            .zip(now)
            .filter(|(base, now)| **base + **now > 0)
    };
    let half = used().count() as f64 / 2.0;
    let (base_rows, now_rows) = (total(base) + half, total(now) + half);
    used()
        .map(|(base, now)| {
            let p = (*base as f64 + 0.5) / base_rows;
            let q = (*now as f64 + 0.5) / now_rows;
            (q - p) * (q / p).ln()
        })
        .sum()
}

/// What the index is on average between samples of the same distribution: `(K - 1)(1/n + 1/m)`
/// (Yurdakul 2018, <https://scholarworks.wmich.edu/dissertations/3208>).
pub(super) fn psi_by_chance(base: &[u64], now: &[u64], effective_rows: f64) -> f64 {
    let used = base
        .iter()
        .zip(now)
        .filter(|(base, now)| **base + **now > 0)
        .count();
    let base_rows = total(base).max(1.0);
    used.saturating_sub(1) as f64 * (1.0 / effective_rows.max(1.0) + 1.0 / base_rows)
}

/// The largest distance of the two cumulative distributions at the edges of the bins.
pub(super) fn kolmogorov_smirnov(base: &[u64], now: &[u64]) -> f64 {
    let (base_rows, now_rows) = (total(base).max(1.0), total(now).max(1.0));
    let (mut base_below, mut now_below, mut largest) = (0.0, 0.0, 0.0_f64);
    for (base, now) in base.iter().zip(now) {
        base_below += *base as f64 / base_rows;
        now_below += *now as f64 / now_rows;
        largest = largest.max((base_below - now_below).abs());
    }
    largest
}

/// The p-value of that distance for samples of these sizes (Kolmogorov's limit, with the correction
/// of Stephens 1970).
pub(super) fn kolmogorov_p(distance: f64, base_rows: f64, now_rows: f64) -> f64 {
    if base_rows <= 0.0 || now_rows <= 0.0 {
        return 1.0;
    }
    let root = (base_rows * now_rows / (base_rows + now_rows)).sqrt();
    let scaled = (root + 0.12 + 0.11 / root) * distance;
    // Below this the series does not converge, and the probability is one to many digits.
    if scaled < 0.3 {
        return 1.0;
    }
    let mut sum = 0.0;
    for term in 1..=100_i32 {
        let sign = if term % 2 == 1 { 1.0 } else { -1.0 };
        let value = (-2.0 * f64::from(term * term) * scaled * scaled).exp();
        sum += sign * value;
        if value < 1e-12 {
            break;
        }
    }
    (2.0 * sum).clamp(0.0, 1.0)
}

/// Pearson's χ² for two samples, and its degrees of freedom. Bins with few rows are taken together,
/// so that the limit distribution holds.
pub(super) fn chi_squared(base: &[u64], now: &[u64]) -> (f64, f64) {
    const FEW: f64 = 5.0;
    let (base_rows, now_rows) = (total(base), total(now));
    let rows = base_rows + now_rows;
    if base_rows == 0.0 || now_rows == 0.0 {
        return (0.0, 0.0);
    }
    let (mut statistic, mut bins) = (0.0, 0_u32);
    let (mut rest_base, mut rest_now) = (0.0, 0.0);
    let mut add = |base: f64, now: f64| {
        let both = base + now;
        for (count, size) in [(base, base_rows), (now, now_rows)] {
            let expected = both * size / rows;
            statistic += (count - expected).powi(2) / expected;
        }
        bins += 1;
    };
    for (base, now) in base.iter().zip(now) {
        let (base, now) = (*base as f64, *now as f64);
        let smaller = (base + now) * base_rows.min(now_rows) / rows;
        if smaller >= FEW {
            add(base, now);
        } else {
            rest_base += base;
            rest_now += now;
        }
    }
    if rest_base + rest_now > 0.0 {
        add(rest_base, rest_now);
    }
    (statistic, f64::from(bins.saturating_sub(1)))
}

/// The p-value of a χ² statistic.
pub(super) fn chi_squared_p(statistic: f64, degrees: f64) -> f64 {
    if degrees <= 0.0 || statistic <= 0.0 {
        return 1.0;
    }
    checked_gamma_ur(degrees / 2.0, statistic / 2.0)
        .unwrap_or(1.0)
        .clamp(0.0, 1.0)
}

/// The p-value of two shares being equal (normal approximation, pooled).
pub(super) fn shares_p(base: f64, base_rows: f64, now: f64, now_rows: f64) -> f64 {
    if base_rows <= 0.0 || now_rows <= 0.0 {
        return 1.0;
    }
    let pooled = (base * base_rows + now * now_rows) / (base_rows + now_rows);
    let variance = pooled * (1.0 - pooled) * (1.0 / base_rows + 1.0 / now_rows);
    if variance <= 0.0 {
        return 1.0;
    }
    erfc((now - base).abs() / variance.sqrt() / std::f64::consts::SQRT_2).clamp(0.0, 1.0)
}

/// Adjusts p-values for their number (Holm 1979): rejecting those below `alpha` errs at all with
/// probability at most `alpha`.
pub(super) fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|one, other| p_values[*one].total_cmp(&p_values[*other]));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut largest = 0.0_f64;
    for (rank, at) in order.into_iter().enumerate() {
        largest = largest.max(p_values[at] * (p_values.len() - rank) as f64);
        adjusted[at] = largest.min(1.0);
    }
    adjusted
}

pub(super) fn total(counts: &[u64]) -> f64 {
    counts.iter().sum::<u64>() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() < 1e-4 * expected.abs().max(1e-3),
            "{found} {expected}"
        );
    }

    /// Expected values are those of `scipy.stats` 1.11.
    #[test]
    fn p_values_are_the_known_ones() {
        close(chi_squared_p(3.841_459, 1.0), 0.05);
        close(chi_squared_p(18.307_04, 10.0), 0.05);
        close(shares_p(0.10, 1000.0, 0.13, 1000.0), 0.035_49);
        // kstwobign.sf(1.0) = 0.27
        let rows = 1e12;
        close(
            kolmogorov_p(1.0 / (rows / 2.0_f64).sqrt(), rows, rows),
            0.27,
        );
    }

    #[test]
    fn equal_distributions_have_no_distance() {
        let counts = [10, 20, 30];
        assert!(psi(&counts, &counts).abs() < 1e-12);
        // Bins that nobody uses are no distance, however different the numbers of rows are.
        assert!(psi(&[0, 20_000, 0], &[0, 500, 0]).abs() < 1e-12);
        assert!(kolmogorov_smirnov(&counts, &counts).abs() < 1e-12);
        assert!(chi_squared(&counts, &counts).0.abs() < 1e-9);
    }

    #[test]
    fn nothing_is_defined() {
        assert_eq!(psi(&[], &[]), 0.0);
        assert_eq!(chi_squared(&[0, 0], &[0, 0]), (0.0, 0.0));
        assert_eq!(kolmogorov_p(0.5, 0.0, 0.0), 1.0);
        assert_eq!(shares_p(0.0, 0.0, 0.0, 0.0), 1.0);
        assert!(holm(&[]).is_empty());
    }

    #[test]
    fn adjusted_values_keep_their_order() {
        assert_eq!(holm(&[0.01, 0.04, 0.03]), [0.03, 0.06, 0.06]);
    }
}
