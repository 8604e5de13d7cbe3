//! Streaming reader of CSV files with constant memory.
//!
//! Every limit is checked before memory is taken, a bad row is a [`Rejection`] and never stops
//! the file, and nothing is allocated per row. Comma, semicolon, tab and vertical bar are read;
//! any but the comma is reported in the notes. Files of NSL-KDD rows without a header line are
//! recognised by 41 to 43 columns of which the second is tcp, udp or icmp.

mod batch;
mod records;
mod sniff;

use std::io::Read;

use crate::columns::{ColumnMap, ColumnUse};
use crate::error::FeatureError;
use crate::field::read_text;
use crate::label::LabelText;
use crate::notes::{Notes, RowNotes};
use crate::rejection::{RejectReason, Rejection};
use crate::schema::{FeatureSchema, column_key};
pub use batch::RowBatch;
use records::{Fields, Next, Record, RecordReader, Unquoted};

/// What a file may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CsvLimits {
    /// Columns of the header line.
    pub max_columns: usize,
    /// Bytes of one field.
    pub max_field_bytes: usize,
    /// Bytes of one record.
    pub max_record_bytes: usize,
}

/// Reads the rows of a CSV file as feature values.
#[derive(Debug)]
pub struct CsvRows<R> {
    records: RecordReader<R>,
    columns: ColumnMap,
    limits: CsvLimits,
    notes: Notes,
    row_notes: RowNotes,
    unquoted: Unquoted,
    labels: LabelCache,
    rows_accepted: u64,
    rows_rejected: u64,
}

impl Default for CsvLimits {
    fn default() -> Self {
        Self {
            max_columns: 2048,
            max_field_bytes: 64 * 1024,
            max_record_bytes: 1024 * 1024,
        }
    }
}

impl<R: Read> CsvRows<R> {
    /// Reads the first line and finds out what the file is.
    pub fn new(reader: R, limits: CsvLimits) -> Result<Self, FeatureError> {
        let mut records = RecordReader::new(reader, limits);
        sniff::refuse_other_formats(&mut records)?;
        let layout = sniff::read_layout(&mut records, &limits)?;
        let mut notes = Notes::for_schema(layout.columns.schema());
        for remark in layout.columns.remarks() {
            notes.remark(remark.clone());
        }
        if let Some(remark) = layout.remark {
            notes.remark(remark);
        }
        Ok(Self {
            records,
            columns: layout.columns,
            limits,
            notes,
            row_notes: RowNotes::new(),
            unquoted: Unquoted::default(),
            labels: LabelCache::default(),
            rows_accepted: 0,
            rows_rejected: 0,
        })
    }

    /// Replaces the content of `out` with the next rows, at most `max_rows` of accepted and
    /// rejected ones together, and returns how many there were; 0 means the end of the file.
    pub fn read_batch(
        &mut self,
        max_rows: usize,
        out: &mut RowBatch,
    ) -> Result<usize, FeatureError> {
        out.reset(self.schema().len());
        let mut rows = 0;
        while rows < max_rows {
            match self.records.next()? {
                Next::End => break,
                Next::Record(record) => self.read_row(&record, out),
                Next::Refused { line, reason } => {
                    self.rows_rejected += 1;
                    out.rejections.push(Rejection {
                        line,
                        column: None,
                        reason,
                    });
                }
            }
            rows += 1;
        }
        Ok(rows)
    }

    fn read_row(&mut self, record: &Record, out: &mut RowBatch) {
        let bytes = self.records.bytes(record);
        let delimiter = self.records.delimiter();
        let (values, rows) = out.begin_row();
        self.row_notes.clear();
        let mut row = Row {
            columns: &self.columns,
            max_field_bytes: self.limits.max_field_bytes,
            values,
            notes: &mut self.row_notes,
        };
        let result = if record.quoted {
            self.unquoted.split(bytes, delimiter);
            row.read(self.unquoted.fields())
        } else {
            row.read(Fields::new(bytes, delimiter))
        };
        match result {
            Ok(label) => {
                let label = label.and_then(|field| {
                    self.labels
                        .find(self.columns.schema(), field, &mut self.notes)
                });
                for (feature, kind) in &self.row_notes {
                    self.notes.count(*feature, *kind);
                }
                out.finish_row(rows, record.line, label);
                self.rows_accepted += 1;
            }
            Err((position, reason)) => {
                out.abandon_row(rows);
                out.rejections.push(Rejection {
                    line: record.line,
                    column: position
                        .and_then(|position| self.columns.names().get(position).cloned()),
                    reason,
                });
                self.rows_rejected += 1;
            }
        }
    }
}

impl<R> CsvRows<R> {
    /// The schema of the file.
    pub fn schema(&self) -> &'static FeatureSchema {
        self.columns.schema()
    }

    /// What each column of the file is.
    pub fn columns(&self) -> &ColumnMap {
        &self.columns
    }

    /// What the reading policy did so far.
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// Bytes taken from the underlying reader so far.
    pub fn bytes_read(&self) -> u64 {
        self.records.bytes_read()
    }

    /// Rows accepted so far; 0 at the end together with no rejected row means that the file has
    /// a header line only.
    pub fn rows_accepted(&self) -> u64 {
        self.rows_accepted
    }

    /// Rows rejected so far.
    pub fn rows_rejected(&self) -> u64 {
        self.rows_rejected
    }
}

/// The place of a rejected field, if it is one field, and the reason.
type Refusal = (Option<usize>, RejectReason);

struct Row<'a> {
    columns: &'a ColumnMap,
    max_field_bytes: usize,
    values: &'a mut [f64],
    notes: &'a mut RowNotes,
}

impl Row<'_> {
    /// Reads every field into its value and returns the label field.
    ///
    /// A wrong number of fields goes before anything else: in a shifted row the first bad field
    /// is a consequence, not the cause.
    fn read<'f>(
        &mut self,
        mut fields: impl Iterator<Item = &'f [u8]>,
    ) -> Result<Option<&'f [u8]>, Refusal> {
        let plan = self.columns.plan();
        let schema = self.columns.schema();
        let mut label = None;
        let mut found = 0;
        for (position, column_use) in plan.iter().enumerate() {
            let Some(field) = fields.next() else { break };
            found += 1;
            if field.len() > self.max_field_bytes {
                let limit = self.max_field_bytes;
                return Err((Some(position), RejectReason::FieldTooLong { limit }));
            }
            match *column_use {
                ColumnUse::Feature(index) => match read_text(schema, index, field, self.notes) {
                    Ok(value) => self.values[index] = value,
                    Err(reason) => {
                        self.check_count(found + fields.count())?;
                        return Err(self.refuse(position, field, reason));
                    }
                },
                ColumnUse::Label => label = Some(field),
                ColumnUse::Skip => {}
            }
        }
        self.check_count(found + fields.count())?;
        Ok(label)
    }

    fn check_count(&self, found: usize) -> Result<(), Refusal> {
        let expected = self.columns.plan().len();
        if found == expected {
            Ok(())
        } else {
            Err((None, RejectReason::FieldCount { found, expected }))
        }
    }

    fn refuse(&self, position: usize, field: &[u8], reason: RejectReason) -> Refusal {
        let name = &self.columns.names()[position];
        let repeats_header = std::str::from_utf8(field)
            .is_ok_and(|text| !name.is_empty() && column_key(text) == column_key(name));
        if repeats_header {
            (None, RejectReason::RepeatedHeader)
        } else {
            (Some(position), reason)
        }
    }
}

/// The labels met so far; bounded because the file decides how many there are.
#[derive(Debug, Default)]
struct LabelCache {
    entries: Vec<CachedLabel>,
    last: usize,
}

#[derive(Debug)]
struct CachedLabel {
    field: Box<[u8]>,
    /// The label, unless the field is empty, and whether it was repaired.
    label: Option<(LabelText, bool)>,
}

impl LabelCache {
    const CAPACITY: usize = 64;

    fn find(
        &mut self,
        schema: &FeatureSchema,
        field: &[u8],
        notes: &mut Notes,
    ) -> Option<LabelText> {
        let is_last = self
            .entries
            .get(self.last)
            .is_some_and(|entry| *entry.field == *field);
        if !is_last {
            match self.entries.iter().position(|entry| *entry.field == *field) {
                Some(position) => self.last = position,
                None => {
                    if self.entries.len() == Self::CAPACITY {
                        self.entries.clear();
                    }
                    self.last = self.entries.len();
                    self.entries.push(CachedLabel {
                        field: field.into(),
                        label: LabelText::read(schema, field),
                    });
                }
            }
        }
        let (label, repaired) = self.entries[self.last].label.as_ref()?;
        if *repaired {
            notes.count_repaired_label();
        }
        Some(label.clone())
    }
}

#[cfg(test)]
mod tests;
