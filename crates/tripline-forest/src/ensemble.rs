use rayon::prelude::*;

use crate::{ColumnKind, ForestError, Matrix, Tree};

/// How margins (the sums over trees) become probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// Margins already are class probabilities (forests average them in their leaves).
    Probability,
    /// One margin in log-odds of class 1.
    Logistic,
    /// One margin per class, normalised by softmax.
    Softmax,
}

/// A sum of trees: `margin = base + Σ tree(row)`, per output.
#[derive(Debug, Clone, PartialEq)]
pub struct Ensemble {
    pub(crate) kinds: Vec<ColumnKind>,
    pub(crate) base: Vec<f64>,
    pub(crate) link: Link,
    pub(crate) trees: Vec<Tree>,
    pub(crate) importances: Vec<f64>,
}

impl Ensemble {
    /// Number of features a row must have.
    pub fn width(&self) -> usize {
        self.kinds.len()
    }

    /// How each feature is read.
    pub fn kinds(&self) -> &[ColumnKind] {
        &self.kinds
    }

    /// Number of margins: 1 for a two-class model, else one per class.
    pub fn outputs(&self) -> usize {
        self.base.len()
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        if self.outputs() == 1 {
            2
        } else {
            self.outputs()
        }
    }

    /// How margins become probabilities.
    pub fn link(&self) -> Link {
        self.link
    }

    /// The trees.
    pub fn trees(&self) -> &[Tree] {
        &self.trees
    }

    /// What is added to the trees' sum, per output.
    pub fn base(&self) -> &[f64] {
        &self.base
    }

    /// Share of the total split gain (impurity decrease, or loss reduction) per feature; sums to
    /// 1, or to 0 for an ensemble without splits.
    pub fn importances(&self) -> &[f64] {
        &self.importances
    }

    /// The margins of one row.
    pub fn margins(&self, row: &[f64]) -> Vec<f64> {
        let mut margins = vec![0.0; self.outputs()];
        self.margins_into(row, &mut margins);
        margins
    }

    /// Writes the margins of one row into `out` (length [`Ensemble::outputs`]).
    pub fn margins_into(&self, row: &[f64], out: &mut [f64]) {
        debug_assert_eq!(row.len(), self.width());
        out.copy_from_slice(&self.base);
        for tree in &self.trees {
            let leaf = tree.leaf(row);
            match tree.output {
                Some(output) => out[usize::from(output)] += tree.values[leaf],
                None => {
                    for (margin, value) in out.iter_mut().zip(&tree.values[leaf..]) {
                        *margin += value;
                    }
                }
            }
        }
    }

    /// The class probabilities of one row.
    pub fn probabilities(&self, row: &[f64]) -> Vec<f64> {
        self.link.probabilities(&self.margins(row))
    }

    /// The margins of every row of a matrix, row-major `rows × outputs`.
    pub fn margins_of(&self, matrix: &Matrix) -> Result<Vec<f64>, ForestError> {
        if matrix.width() != self.width() {
            return Err(ForestError::Shape {
                what: "columns",
                expected: self.width(),
                found: matrix.width(),
            });
        }
        let outputs = self.outputs();
        let mut margins = vec![0.0; matrix.rows() * outputs];
        margins
            .par_chunks_mut(outputs * 256)
            .enumerate()
            .for_each(|(chunk, part)| {
                let mut row = Vec::with_capacity(self.width());
                for (offset, out) in part.chunks_mut(outputs).enumerate() {
                    matrix.copy_row(chunk * 256 + offset, &mut row);
                    self.margins_into(&row, out);
                }
            });
        Ok(margins)
    }

    /// The class probabilities of every row of a matrix, row-major `rows × classes`.
    pub fn probabilities_of(&self, matrix: &Matrix) -> Result<Vec<f64>, ForestError> {
        let margins = self.margins_of(matrix)?;
        Ok(margins
            .chunks(self.outputs())
            .flat_map(|row| self.link.probabilities(row))
            .collect())
    }

    /// Joins single-output ensembles into one: `margin = Σ weight · margin`, read through
    /// `link`. The parts must have the same columns.
    pub fn weighted_sum(parts: Vec<(f64, Self)>, link: Link) -> Result<Self, ForestError> {
        let Some((_, first)) = parts.first() else {
            return Err(ForestError::value(
                "parts of an ensemble",
                0,
                "at least one",
            ));
        };
        let mut joined = Self {
            kinds: first.kinds.clone(),
            base: vec![0.0],
            link,
            trees: Vec::new(),
            importances: vec![0.0; first.kinds.len()],
        };
        let total: f64 = parts.iter().map(|(weight, _)| weight.abs()).sum();
        for (weight, part) in parts {
            if part.kinds != joined.kinds || part.outputs() != 1 {
                return Err(ForestError::value(
                    "a part of an ensemble",
                    format!("{} columns, {} outputs", part.width(), part.outputs()),
                    "the columns of the first part and one output",
                ));
            }
            joined.base[0] += weight * part.base[0];
            for (sum, own) in joined.importances.iter_mut().zip(&part.importances) {
                *sum += own * weight.abs() / total;
            }
            joined.trees.extend(part.trees.into_iter().map(|mut tree| {
                tree.scale(weight);
                tree
            }));
        }
        Ok(joined)
    }
}

impl Link {
    /// The class probabilities that belong to one row's margins.
    pub fn probabilities(self, margins: &[f64]) -> Vec<f64> {
        match (self, margins) {
            (Self::Probability, [p]) => {
                let p = p.clamp(0.0, 1.0);
                vec![1.0 - p, p]
            }
            (Self::Probability, many) => {
                let sum: f64 = many.iter().map(|p| p.max(0.0)).sum();
                let scale = if sum > 0.0 { 1.0 / sum } else { 0.0 };
                many.iter().map(|p| p.max(0.0) * scale).collect()
            }
            (Self::Logistic | Self::Softmax, [margin]) => {
                let p = sigmoid(*margin);
                vec![1.0 - p, p]
            }
            (Self::Logistic | Self::Softmax, many) => {
                let top = many.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let mut shares: Vec<f64> = many.iter().map(|margin| (margin - top).exp()).collect();
                let sum: f64 = shares.iter().sum();
                for share in &mut shares {
                    *share /= sum;
                }
                shares
            }
        }
    }
}

/// The logistic function, without overflow for any finite argument.
pub(crate) fn sigmoid(margin: f64) -> f64 {
    if margin >= 0.0 {
        1.0 / (1.0 + (-margin).exp())
    } else {
        let e = margin.exp();
        e / (1.0 + e)
    }
}

pub(crate) fn normalise(mut importances: Vec<f64>) -> Vec<f64> {
    let sum: f64 = importances.iter().sum();
    if sum > 0.0 {
        for importance in &mut importances {
            *importance /= sum;
        }
    }
    importances
}
