//! Columns cut into at most 255 bins: trees are grown on bin numbers, not on values.

use rayon::prelude::*;

use crate::{ColumnKind, Matrix};

/// The bin of a missing value.
pub(crate) const MISSING: u8 = u8::MAX;
/// The most bins a numeric column is cut into; 255 is [`MISSING`].
pub(crate) const MAX_BINS: usize = 255;

/// One column as bin numbers.
#[derive(Debug)]
pub(crate) struct BinnedColumn {
    pub(crate) bins: Vec<u8>,
    /// Smallest value of each bin (for a category, its code).
    pub(crate) low: Vec<f64>,
    /// Largest value of each bin.
    pub(crate) high: Vec<f64>,
    pub(crate) categorical: bool,
}

impl BinnedColumn {
    pub(crate) fn bin_count(&self) -> usize {
        self.low.len()
    }

    /// A threshold that separates two bins: half way between their values, as scikit-learn places
    /// it, so that exact data gives exactly its trees.
    pub(crate) fn threshold_between(&self, left: u8, right: u8) -> f64 {
        let (low, high) = (self.high[usize::from(left)], self.low[usize::from(right)]);
        let middle = low / 2.0 + high / 2.0;
        // Between two neighbouring floats the middle may round up to the right value.
        if middle < high { middle } else { low }
    }
}

/// All columns of a matrix as bin numbers.
#[derive(Debug)]
pub(crate) struct Binned {
    pub(crate) columns: Vec<BinnedColumn>,
}

impl Binned {
    pub(crate) fn new(matrix: &Matrix, max_bins: usize) -> Self {
        let max_bins = max_bins.clamp(2, MAX_BINS);
        let columns = (0..matrix.width())
            .into_par_iter()
            .map(|index| match matrix.kinds()[index] {
                ColumnKind::Number => bin_numbers(matrix.column(index), max_bins),
                ColumnKind::Category { cardinality } => {
                    bin_categories(matrix.column(index), cardinality)
                }
            })
            .collect();
        Self { columns }
    }
}

fn bin_categories(values: &[f64], cardinality: u16) -> BinnedColumn {
    let codes: Vec<f64> = (0..cardinality).map(f64::from).collect();
    let bins = values
        .iter()
        .map(|value| {
            if value.is_nan() {
                MISSING
            } else {
                *value as u8
            }
        })
        .collect();
    BinnedColumn {
        bins,
        low: codes.clone(),
        high: codes,
        categorical: true,
    }
}

fn bin_numbers(values: &[f64], max_bins: usize) -> BinnedColumn {
    let mut sorted: Vec<f64> = values
        .iter()
        .copied()
        .filter(|value| !value.is_nan())
        .collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let (low, high) = cut(&sorted, max_bins);
    let bins = values
        .iter()
        .map(|value| {
            if value.is_nan() {
                MISSING
            } else {
                high.partition_point(|upper| upper < value) as u8
            }
        })
        .collect();
    BinnedColumn {
        bins,
        low,
        high,
        categorical: false,
    }
}

/// Cuts sorted values into bins of equal values where they fit, else of about equal weight.
fn cut(sorted: &[f64], max_bins: usize) -> (Vec<f64>, Vec<f64>) {
    let mut runs: Vec<(f64, usize)> = Vec::new();
    for &value in sorted {
        match runs.last_mut() {
            Some((last, count)) if *last == value => *count += 1,
            _ => runs.push((value, 1)),
        }
    }
    if runs.len() <= max_bins {
        let values: Vec<f64> = runs.iter().map(|run| run.0).collect();
        return (values.clone(), values);
    }
    let (mut low, mut high) = (Vec::new(), Vec::new());
    let mut remaining = sorted.len();
    let mut filled = 0_usize;
    let mut start = runs[0].0;
    for (index, &(value, count)) in runs.iter().enumerate() {
        filled += count;
        let bins_left = max_bins - low.len();
        let runs_left = runs.len() - index - 1;
        // A heavy value closes its bin early, so the share of the rest is computed anew each time.
        let target = remaining.div_ceil(bins_left);
        if (filled >= target && bins_left > 1) || runs_left == 0 {
            low.push(start);
            high.push(value);
            remaining -= filled;
            filled = 0;
            if let Some(next) = runs.get(index + 1) {
                start = next.0;
            }
        }
    }
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_get_a_bin_each() {
        let column = bin_numbers(&[3.0, 1.0, f64::NAN, 2.0, 1.0], 255);
        assert_eq!(column.bins, [2, 0, MISSING, 1, 0]);
        assert_eq!(column.threshold_between(0, 1), 1.5);
    }

    #[test]
    fn many_values_share_bins_and_a_heavy_value_keeps_its_own() {
        let mut values: Vec<f64> = (0..1000).map(f64::from).collect();
        values.extend(std::iter::repeat_n(500.0, 5000));
        let column = bin_numbers(&values, 16);
        assert!(column.bin_count() <= 16);
        let heavy = column.bins[500];
        assert_eq!(column.high[usize::from(heavy)], 500.0);
        for (value, bin) in values.iter().zip(&column.bins) {
            let bin = usize::from(*bin);
            assert!(column.low[bin] <= *value && *value <= column.high[bin]);
        }
    }
}
