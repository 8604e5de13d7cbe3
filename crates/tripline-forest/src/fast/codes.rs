//! Values replaced by small integers that keep all that the trees of an ensemble can tell apart.

use crate::{ColumnKind, Ensemble, Node, Split};

/// The code of a category that no set can hold, and of a missing one.
const UNKNOWN_CATEGORY: u32 = 256;

/// How one column's values become codes.
#[derive(Debug, Clone)]
pub(super) enum Codebook {
    /// A number's code is how many of the ensemble's thresholds (ascending) lie below it; one
    /// more than all of them stands for a missing value.
    Number(Vec<f64>),
    /// A category is its own code.
    Category,
}

impl Codebook {
    /// One per column.
    pub(super) fn of(ensemble: &Ensemble) -> Vec<Self> {
        let mut books: Vec<Self> = ensemble
            .kinds
            .iter()
            .map(|kind| match kind {
                ColumnKind::Number => Self::Number(Vec::new()),
                ColumnKind::Category { .. } => Self::Category,
            })
            .collect();
        for node in ensemble.trees.iter().flat_map(|tree| &tree.nodes) {
            if let Node::Inner {
                feature,
                split: Split::Threshold(threshold),
                ..
            } = node
                && let Self::Number(thresholds) = &mut books[usize::from(*feature)]
            {
                thresholds.push(*threshold);
            }
        }
        for book in &mut books {
            if let Self::Number(thresholds) = book {
                thresholds.sort_unstable_by(f64::total_cmp);
                thresholds.dedup();
            }
        }
        books
    }

    pub(super) fn encode(&self, value: f64) -> u32 {
        match self {
            Self::Number(thresholds) if value.is_nan() => thresholds.len() as u32 + 1,
            Self::Number(thresholds) => {
                thresholds.partition_point(|threshold| *threshold < value) as u32
            }
            Self::Category if (0.0..256.0).contains(&value) => value as u32,
            Self::Category => UNKNOWN_CATEGORY,
        }
    }

    /// Codes run from 0 up to this, exclusively.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Number(thresholds) => thresholds.len() + 2,
            Self::Category => UNKNOWN_CATEGORY as usize + 1,
        }
    }

    /// Whether none of some thresholds lies between a code and the one before it.
    pub(super) fn is_inside(&self, code: usize, thresholds: &[f64]) -> bool {
        match self {
            // The last code stands for a missing value.
            Self::Number(all) if 0 < code && code <= all.len() => {
                !thresholds.contains(&all[code - 1])
            }
            Self::Number(_) | Self::Category => false,
        }
    }

    /// A value that has the code: every question has the same answer for it as for any other.
    pub(super) fn value_of(&self, code: usize) -> f64 {
        match self {
            Self::Number(thresholds) if code > thresholds.len() => f64::NAN,
            Self::Number(thresholds) => thresholds.get(code).copied().unwrap_or(f64::INFINITY),
            Self::Category if code < UNKNOWN_CATEGORY as usize => code as f64,
            Self::Category => f64::NAN,
        }
    }
}
