use std::collections::HashMap;

use tripline_features::{FeatureKind, FeatureSchema};
use tripline_forest::{ColumnKind, ForestError, Matrix};

use crate::CategoryEncoding;

/// Rows of one schema with a label each.
#[derive(Debug, Clone)]
pub struct LabelledRows {
    schema: &'static FeatureSchema,
    values: Vec<f64>,
    labels: Vec<u32>,
    names: Vec<String>,
    by_name: HashMap<String, u32>,
}

impl LabelledRows {
    /// No rows yet.
    pub fn new(schema: &'static FeatureSchema) -> Self {
        Self {
            schema,
            values: Vec::new(),
            labels: Vec::new(),
            names: Vec::new(),
            by_name: HashMap::new(),
        }
    }

    /// Adds a row, given in the order of the schema.
    pub fn push(&mut self, values: &[f64], label: &str) {
        debug_assert_eq!(values.len(), self.schema.len());
        self.values.extend_from_slice(values);
        let next = self.names.len() as u32;
        let index = *self.by_name.entry(label.to_owned()).or_insert(next);
        if index == next {
            self.names.push(label.to_owned());
        }
        self.labels.push(index);
    }

    /// The definition of the columns.
    pub fn schema(&self) -> &'static FeatureSchema {
        self.schema
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// One row, in the order of the schema.
    pub fn row(&self, index: usize) -> &[f64] {
        let width = self.schema.len();
        &self.values[index * width..(index + 1) * width]
    }

    /// The label of one row.
    pub fn label(&self, index: usize) -> &str {
        &self.names[self.labels[index] as usize]
    }

    /// The distinct labels, in order of first appearance.
    pub fn label_names(&self) -> &[String] {
        &self.names
    }

    /// The given rows alone.
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        let mut selected = Self::new(self.schema);
        for &index in indices {
            selected.push(self.row(index), self.label(index));
        }
        selected
    }

    /// The given rows and columns of the schema as a matrix.
    pub fn matrix(
        &self,
        rows: &[usize],
        columns: &[usize],
        encoding: CategoryEncoding,
    ) -> Result<Matrix, ForestError> {
        let kinds = columns
            .iter()
            .map(
                |&column| match (&self.schema.features()[column].kind, encoding) {
                    (FeatureKind::Category(vocabulary), CategoryEncoding::Native) => {
                        ColumnKind::Category {
                            cardinality: vocabulary.len() as u16,
                        }
                    }
                    _ => ColumnKind::Number,
                },
            )
            .collect();
        let data = columns
            .iter()
            .map(|&column| rows.iter().map(|&row| self.row(row)[column]).collect())
            .collect();
        Matrix::new(data, kinds)
    }

    /// A number per row that is the same for rows whose given columns are equal, missing values
    /// included.
    pub fn groups(&self, columns: &[usize]) -> Vec<u32> {
        let mut known: HashMap<Vec<u64>, u32> = HashMap::new();
        (0..self.len())
            .map(|index| {
                let row = self.row(index);
                let key: Vec<u64> = columns
                    .iter()
                    // Adding zero makes −0 and 0 the same bits.
                    .map(|&column| {
                        if row[column].is_nan() {
                            u64::MAX
                        } else {
                            (row[column] + 0.0).to_bits()
                        }
                    })
                    .collect();
                let next = known.len() as u32;
                *known.entry(key).or_insert(next)
            })
            .collect()
    }
}
