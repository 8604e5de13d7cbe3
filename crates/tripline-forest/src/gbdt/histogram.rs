use rayon::prelude::*;

use crate::binning::Binned;

/// Rows × features below which one thread is faster than waking a second.
const PARALLEL_FROM: usize = 1 << 16;

/// Sums over the rows of a bin.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Cell {
    pub(super) gradient: f64,
    pub(super) hessian: f64,
    pub(super) rows: f64,
}

impl Cell {
    pub(super) fn add(&mut self, other: Self) {
        self.gradient += other.gradient;
        self.hessian += other.hessian;
        self.rows += other.rows;
    }

    pub(super) fn minus(self, other: Self) -> Self {
        Self {
            gradient: self.gradient - other.gradient,
            hessian: self.hessian - other.hessian,
            rows: self.rows - other.rows,
        }
    }
}

/// One histogram per drawn feature: 256 cells, the last for missing values.
#[derive(Debug, Clone)]
pub(super) struct Histograms {
    pub(super) by_feature: Vec<Vec<Cell>>,
}

impl Histograms {
    pub(super) fn build(
        binned: &Binned,
        features: &[usize],
        rows: &[u32],
        gradients: &[(f64, f64)],
    ) -> Self {
        // Gathered once per leaf, the derivatives are then read in order for every feature.
        let gathered: Vec<(f64, f64)> = rows.iter().map(|&row| gradients[row as usize]).collect();
        let one = |&feature: &usize| {
            let bins = &binned.columns[feature].bins;
            let mut cells = vec![Cell::default(); 256];
            for (&row, &(gradient, hessian)) in rows.iter().zip(&gathered) {
                let cell = &mut cells[usize::from(bins[row as usize])];
                cell.gradient += gradient;
                cell.hessian += hessian;
                cell.rows += 1.0;
            }
            cells
        };
        // A feature's sums are always made by one thread in row order: the number of threads
        // cannot change a bit of them.
        let by_feature = if rows.len() * features.len() >= PARALLEL_FROM {
            features.par_iter().map(one).collect()
        } else {
            features.iter().map(one).collect()
        };
        Self { by_feature }
    }

    /// Makes the histograms of a sibling: parent minus this.
    pub(super) fn subtract_from(&self, mut parent: Self) -> Self {
        for (own, parent) in self.by_feature.iter().zip(&mut parent.by_feature) {
            for (own, parent) in own.iter().zip(parent) {
                *parent = parent.minus(*own);
                // Rounding must not leave a ghost of rows that all went to the sibling.
                if parent.rows <= 0.0 {
                    *parent = Cell::default();
                }
            }
        }
        parent
    }
}
