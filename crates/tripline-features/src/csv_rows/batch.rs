use crate::label::LabelText;
use crate::rejection::Rejection;

/// Rows read together; the buffers are reused from batch to batch.
#[derive(Debug, Clone, Default)]
pub struct RowBatch {
    /// Values of the accepted rows, row after row, each as wide as the schema.
    pub values: Vec<f64>,
    /// Line of each accepted row.
    pub lines: Vec<u64>,
    /// Label of each accepted row.
    pub labels: Vec<Option<LabelText>>,
    /// Rows that were not accepted.
    pub rejections: Vec<Rejection>,
    width: usize,
}

impl RowBatch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many rows were accepted.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// True if no row was accepted.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Values per row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The values of the accepted row at `index`; empty if there is no such row.
    pub fn row(&self, index: usize) -> &[f64] {
        let start = index.saturating_mul(self.width);
        self.values
            .get(start..start.saturating_add(self.width))
            .unwrap_or_default()
    }

    /// The accepted rows in file order.
    pub fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.width.max(1))
    }

    pub(super) fn reset(&mut self, width: usize) {
        self.values.clear();
        self.lines.clear();
        self.labels.clear();
        self.rejections.clear();
        self.width = width;
    }

    /// The values of a new row, all missing, and the row's number for the calls that follow.
    pub(super) fn begin_row(&mut self) -> (&mut [f64], usize) {
        let start = self.values.len();
        self.values.resize(start + self.width, f64::NAN);
        (&mut self.values[start..], self.lines.len())
    }

    pub(super) fn finish_row(&mut self, row: usize, line: u64, label: Option<LabelText>) {
        debug_assert_eq!(row, self.lines.len());
        self.lines.push(line);
        self.labels.push(label);
    }

    pub(super) fn abandon_row(&mut self, row: usize) {
        self.values.truncate(row * self.width);
    }
}
