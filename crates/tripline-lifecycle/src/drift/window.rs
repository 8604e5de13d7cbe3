use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Baseline;

/// Version of the state's layout.
const FORMAT: u32 = 2;
/// Rows of a block: about what one burst is.
const BLOCK_ROWS: u64 = 100;
/// Rows on each side of a comparison, at least, to tell from it how rows cluster.
const FEW_ROWS: u64 = 5;
/// Bins of the probability.
pub(super) const SCORE_BINS: usize = 20;

/// Counts of rows in the bins of a baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    format: u32,
    pub(super) rows: u64,
    pub(super) first_micros: Option<i64>,
    pub(super) last_micros: Option<i64>,
    pub(super) columns: Vec<Counted>,
    pub(super) scores: Counted,
    block_rows: u64,
}

/// A window that is of another model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the state of the window is of another version or another model")]
pub struct OtherModel;

/// Rows of one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Counted {
    /// Rows per bin.
    pub(super) counts: Vec<u64>,
    /// Rows without a value.
    pub(super) missing: u64,
    /// The block that is being filled.
    block: Vec<u64>,
    block_missing: u64,
    /// Per bin, and at the end for missing values: the sum over full blocks of count²/rows.
    squares: Vec<f64>,
    /// The same of the rows up to the end of each bin but the last; empty for categories.
    cut_squares: Vec<f64>,
    /// Rows per bin in full blocks, and missing ones.
    in_blocks: Vec<u64>,
    blocks: u64,
}

impl Counted {
    fn new(bins: usize, is_category: bool) -> Self {
        Self {
            counts: vec![0; bins],
            missing: 0,
            block: vec![0; bins],
            block_missing: 0,
            squares: vec![0.0; bins + 1],
            cut_squares: vec![0.0; cuts(bins, is_category)],
            in_blocks: vec![0; bins + 1],
            blocks: 0,
        }
    }

    fn observe(&mut self, bin: Option<usize>) {
        match bin {
            Some(bin) => {
                if let (Some(count), Some(in_block)) =
                    (self.counts.get_mut(bin), self.block.get_mut(bin))
                {
                    *count += 1;
                    *in_block += 1;
                }
            }
            None => {
                self.missing += 1;
                self.block_missing += 1;
            }
        }
    }

    fn end_block(&mut self) {
        let rows = (self.block.iter().sum::<u64>() + self.block_missing) as f64;
        if rows <= 0.0 {
            return;
        }
        let counts = self
            .block
            .iter()
            .chain(std::iter::once(&self.block_missing));
        for ((square, sum), count) in self.squares.iter_mut().zip(&mut self.in_blocks).zip(counts) {
            *square += (*count as f64).powi(2) / rows;
            *sum += count;
        }
        let known: u64 = self.block.iter().sum();
        let mut upto = 0;
        for (square, count) in self.cut_squares.iter_mut().zip(&self.block) {
            upto += count;
            *square += (upto as f64).powi(2) / known.max(1) as f64;
        }
        self.blocks += 1;
        self.block.fill(0);
        self.block_missing = 0;
    }

    /// By how much more the blocks differ than independent rows would, on average over the bins; at
    /// least 1.
    pub(super) fn overdispersion(&self) -> f64 {
        let rows: u64 = self.in_blocks.iter().sum();
        let used = self.in_blocks.iter().filter(|count| **count > 0).count();
        if self.blocks < 2 || used < 2 {
            return 1.0;
        }
        let sum: f64 = self
            .squares
            .iter()
            .zip(&self.in_blocks)
            .filter(|(_, count)| **count > 0)
            .map(|(square, count)| square * rows as f64 / *count as f64)
            .sum();
        let statistic = sum - rows as f64;
        let degrees = (self.blocks - 1) as f64 * (used - 1) as f64;
        (statistic / degrees).max(1.0)
    }

    /// The same of the bin, or for numbers of the edge between bins, where it is largest. A burst of
    /// what is rare moves one bin or one edge, which an average over all of them hides; p-values use
    /// the largest, as Rao and Scott (1981, <https://doi.org/10.1080/01621459.1981.10477633>) do
    /// where not all design effects are known.
    pub(super) fn clustering(&self) -> f64 {
        if self.blocks < 2 {
            return 1.0;
        }
        let rows: u64 = self.in_blocks.iter().sum();
        let missing = self.in_blocks.last().copied().unwrap_or_default();
        let of_bins = self
            .squares
            .iter()
            .zip(&self.in_blocks)
            .map(|(square, count)| self.excess(*square, *count, rows));
        let mut upto = 0;
        let of_cuts = self
            .cut_squares
            .iter()
            .zip(&self.in_blocks)
            .map(|(square, count)| {
                upto += count;
                self.excess(*square, upto, rows - missing)
            });
        let typical = self.overdispersion();
        if self.cut_squares.is_empty() {
            of_bins.fold(typical, f64::max)
        } else {
            of_cuts.fold(typical, f64::max)
        }
    }

    /// How much more a share differs between blocks than chance makes it, given the sum over the
    /// blocks of count²/rows.
    fn excess(&self, square: f64, count: u64, rows: u64) -> f64 {
        if count < FEW_ROWS || rows.saturating_sub(count) < FEW_ROWS {
            return 1.0;
        }
        let (count, rows) = (count as f64, rows as f64);
        let statistic = (square * rows / count - count) / (1.0 - count / rows);
        statistic / (self.blocks - 1) as f64
    }
}

fn cuts(bins: usize, is_category: bool) -> usize {
    if is_category {
        0
    } else {
        bins.saturating_sub(1)
    }
}

impl Window {
    /// An empty window for a baseline.
    pub fn new(baseline: &Baseline) -> Self {
        Self {
            format: FORMAT,
            rows: 0,
            first_micros: None,
            last_micros: None,
            columns: baseline
                .columns
                .iter()
                .map(|column| Counted::new(column.distribution.counts.len(), column.is_category))
                .collect(),
            scores: Counted::new(SCORE_BINS, false),
            block_rows: 0,
        }
    }

    /// Whether this state, which may come from a file, is one of this baseline.
    pub fn check(&self, baseline: &Baseline) -> Result<(), OtherModel> {
        let fits = |counted: &Counted, bins: usize, is_category: bool| {
            counted.counts.len() == bins
                && counted.block.len() == bins
                && counted.squares.len() == bins + 1
                && counted.cut_squares.len() == cuts(bins, is_category)
                && counted.in_blocks.len() == bins + 1
        };
        let is_whole = self.format == FORMAT
            && self.columns.len() == baseline.columns.len()
            && fits(&self.scores, SCORE_BINS, false)
            && self
                .columns
                .iter()
                .zip(&baseline.columns)
                .all(|(counted, column)| {
                    fits(
                        counted,
                        column.distribution.counts.len(),
                        column.is_category,
                    )
                });
        if is_whole { Ok(()) } else { Err(OtherModel) }
    }

    /// Takes a row, given in the order of the schema, with the model's probability and its time.
    pub fn observe(
        &mut self,
        baseline: &Baseline,
        values: &[f64],
        probability: Option<f64>,
        micros: i64,
    ) {
        self.rows += 1;
        self.first_micros = Some(self.first_micros.map_or(micros, |first| first.min(micros)));
        self.last_micros = Some(self.last_micros.map_or(micros, |last| last.max(micros)));
        for (counted, column) in self.columns.iter_mut().zip(&baseline.columns) {
            let value = values.get(column.index).copied().unwrap_or(f64::NAN);
            counted.observe(Baseline::bin(column, value));
        }
        if let Some(probability) = probability.filter(|probability| !probability.is_nan()) {
            self.scores.observe(Some(score_bin(probability)));
        }
        self.block_rows += 1;
        if self.block_rows == BLOCK_ROWS {
            self.block_rows = 0;
            for counted in self.columns.iter_mut().chain([&mut self.scores]) {
                counted.end_block();
            }
        }
    }

    /// Rows in it.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The time from the first row to the last.
    pub fn span_micros(&self) -> i64 {
        match (self.first_micros, self.last_micros) {
            (Some(first), Some(last)) => last.saturating_sub(first),
            _ => 0,
        }
    }

    /// The time of its first row.
    pub fn first_micros(&self) -> Option<i64> {
        self.first_micros
    }

    /// The time of its last row.
    pub fn last_micros(&self) -> Option<i64> {
        self.last_micros
    }
}

/// The bin of a probability.
pub(super) fn score_bin(probability: f64) -> usize {
    ((probability.clamp(0.0, 1.0) * SCORE_BINS as f64) as usize).min(SCORE_BINS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks whose rows are spread over three bins, but for one kind that comes block by block.
    fn counted(is_category: bool) -> Counted {
        let mut counted = Counted::new(4, is_category);
        for block in 0..50 {
            for row in 0..100 {
                let bin = if block % 10 == 0 { 3 } else { row % 3 };
                counted.observe(Some(bin));
            }
            counted.end_block();
        }
        counted
    }

    #[test]
    fn the_largest_clustering_is_that_of_what_comes_in_bursts() {
        for is_category in [true, false] {
            let counted = counted(is_category);
            let largest = counted.clustering();
            assert!((90.0..=110.0).contains(&largest), "{largest}");
            assert!(counted.overdispersion() < 0.5 * largest);
        }
    }

    #[test]
    fn nothing_and_a_constant_do_not_cluster() {
        assert_eq!(Counted::new(0, false).clustering(), 1.0);
        let mut counted = Counted::new(2, false);
        for _ in 0..5 {
            (0..100).for_each(|_| counted.observe(Some(0)));
            counted.end_block();
        }
        assert_eq!(counted.clustering(), 1.0);
    }
}
