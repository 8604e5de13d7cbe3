use crate::ForestError;

/// How the numbers of a column are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// An ordered quantity: splits compare with a threshold.
    Number,
    /// An unordered category, coded `0..cardinality`: splits test membership in a set.
    Category {
        /// Number of categories, at most [`ColumnKind::MAX_CATEGORIES`].
        cardinality: u16,
    },
}

impl ColumnKind {
    /// The most categories one column may have: the width of a category set.
    pub const MAX_CATEGORIES: u16 = 255;
}

/// A table of numbers stored by column, `rows × width`. NaN means missing.
#[derive(Debug, Clone)]
pub struct Matrix {
    rows: usize,
    columns: Vec<Vec<f64>>,
    kinds: Vec<ColumnKind>,
}

impl Matrix {
    /// Takes ownership of equally long `columns` and checks every category code.
    pub fn new(columns: Vec<Vec<f64>>, kinds: Vec<ColumnKind>) -> Result<Self, ForestError> {
        if columns.len() != kinds.len() {
            return Err(ForestError::Shape {
                what: "column kinds",
                expected: columns.len(),
                found: kinds.len(),
            });
        }
        if columns.len() >= usize::from(u16::MAX) {
            return Err(ForestError::value(
                "columns",
                columns.len(),
                "fewer than 65535",
            ));
        }
        let rows = columns.first().map_or(0, Vec::len);
        for (column, kind) in columns.iter().zip(&kinds) {
            if column.len() != rows {
                return Err(ForestError::Shape {
                    what: "rows in a column",
                    expected: rows,
                    found: column.len(),
                });
            }
            if let ColumnKind::Category { cardinality } = kind {
                check_categories(column, *cardinality)?;
            } else if let Some(bad) = column.iter().find(|value| value.is_infinite()) {
                return Err(ForestError::value(
                    "a matrix value",
                    bad,
                    "finite, or NaN for missing",
                ));
            }
        }
        Ok(Self {
            rows,
            columns,
            kinds,
        })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// The values of one column.
    pub fn column(&self, index: usize) -> &[f64] {
        &self.columns[index]
    }

    /// How each column is read.
    pub fn kinds(&self) -> &[ColumnKind] {
        &self.kinds
    }

    /// Copies one row into `out`, replacing what it held.
    pub fn copy_row(&self, row: usize, out: &mut Vec<f64>) {
        out.clear();
        out.extend(self.columns.iter().map(|column| column[row]));
    }

    /// A new matrix of the given columns, in the given order.
    #[must_use]
    pub fn select_columns(&self, indices: &[usize]) -> Self {
        Self {
            rows: self.rows,
            columns: indices
                .iter()
                .map(|&index| self.columns[index].clone())
                .collect(),
            kinds: indices.iter().map(|&index| self.kinds[index]).collect(),
        }
    }

    /// A new matrix of the given rows, in the given order; an index may repeat.
    #[must_use]
    pub fn select_rows(&self, indices: &[usize]) -> Self {
        Self {
            rows: indices.len(),
            columns: self
                .columns
                .iter()
                .map(|column| indices.iter().map(|&row| column[row]).collect())
                .collect(),
            kinds: self.kinds.clone(),
        }
    }
}

fn check_categories(column: &[f64], cardinality: u16) -> Result<(), ForestError> {
    if cardinality == 0 || cardinality > ColumnKind::MAX_CATEGORIES {
        return Err(ForestError::value(
            "category cardinality",
            cardinality,
            "1 to 255",
        ));
    }
    let limit = f64::from(cardinality);
    match column.iter().find(|value| {
        !(value.is_nan() || (**value >= 0.0 && **value < limit && value.fract() == 0.0))
    }) {
        Some(bad) => Err(ForestError::value(
            "a category code",
            bad,
            "an integer below the cardinality",
        )),
        None => Ok(()),
    }
}

/// A matrix with a class per row and, optionally, a weight per row.
#[derive(Debug, Clone, Copy)]
pub struct TrainingSet<'a> {
    pub(crate) matrix: &'a Matrix,
    pub(crate) target: &'a [u32],
    pub(crate) classes: usize,
    pub(crate) weights: Option<&'a [f64]>,
}

impl<'a> TrainingSet<'a> {
    /// Checks that target and weights fit the matrix; classes are `0..classes`.
    pub fn new(
        matrix: &'a Matrix,
        target: &'a [u32],
        classes: usize,
        weights: Option<&'a [f64]>,
    ) -> Result<Self, ForestError> {
        let rows = matrix.rows();
        if rows == 0 {
            return Err(ForestError::value("rows", 0, "at least one"));
        }
        if target.len() != rows {
            return Err(ForestError::Shape {
                what: "targets",
                expected: rows,
                found: target.len(),
            });
        }
        if !(2..=1024).contains(&classes) {
            return Err(ForestError::value("classes", classes, "2 to 1024"));
        }
        if let Some(bad) = target.iter().find(|class| **class as usize >= classes) {
            return Err(ForestError::value(
                "a target class",
                bad,
                "below the number of classes",
            ));
        }
        if let Some(weights) = weights {
            if weights.len() != rows {
                return Err(ForestError::Shape {
                    what: "weights",
                    expected: rows,
                    found: weights.len(),
                });
            }
            if let Some(bad) = weights
                .iter()
                .find(|weight| !(weight.is_finite() && **weight >= 0.0))
            {
                return Err(ForestError::value(
                    "a row weight",
                    bad,
                    "finite and not negative",
                ));
            }
            if weights.iter().sum::<f64>() <= 0.0 {
                return Err(ForestError::value("the sum of row weights", 0, "positive"));
            }
        }
        Ok(Self {
            matrix,
            target,
            classes,
            weights,
        })
    }

    pub(crate) fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row])
    }
}
