use std::io::Write;

use serde_json::Value;
use tripline_features::csv_export::neutralise;

use super::{Cell, Column, TableWriter};

/// CSV with a header line; cells that a spreadsheet would take for a formula are neutralised.
pub(super) struct CsvWriter {
    inner: csv::Writer<Box<dyn Write + Send>>,
}

impl CsvWriter {
    pub(super) fn new(
        columns: &'static [Column],
        out: Box<dyn Write + Send>,
    ) -> anyhow::Result<Self> {
        let mut inner = csv::Writer::from_writer(out);
        inner.write_record(columns.iter().map(|column| column.name))?;
        Ok(Self { inner })
    }
}

impl TableWriter for CsvWriter {
    fn write(&mut self, cells: &[Cell<'_>]) -> anyhow::Result<()> {
        self.inner.write_record(
            cells
                .iter()
                .map(|cell| neutralise(&cell.to_text()).into_owned()),
        )?;
        Ok(())
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        Ok(self.inner.flush()?)
    }
}

/// One JSON object per line.
pub(super) struct JsonLinesWriter {
    columns: &'static [Column],
    out: std::io::BufWriter<Box<dyn Write + Send>>,
}

impl JsonLinesWriter {
    pub(super) fn new(columns: &'static [Column], out: Box<dyn Write + Send>) -> Self {
        Self {
            columns,
            out: std::io::BufWriter::new(out),
        }
    }
}

impl TableWriter for JsonLinesWriter {
    fn write(&mut self, cells: &[Cell<'_>]) -> anyhow::Result<()> {
        let names = self.columns.iter().map(|column| column.name.to_owned());
        let row: Value = names.zip(cells.iter().map(Cell::to_json)).collect();
        serde_json::to_writer(&mut self.out, &row)?;
        Ok(self.out.write_all(b"\n")?)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        Ok(self.out.flush()?)
    }
}
