use std::io::Write;

use tripline_features::csv_export::neutralise;

use super::{COLUMNS, RowWriter, ScoredRow};

/// CSV with a header line; cells that a spreadsheet would take for a formula are neutralised.
pub(crate) struct CsvWriter {
    inner: csv::Writer<Box<dyn Write + Send>>,
}

impl CsvWriter {
    pub(crate) fn new(out: Box<dyn Write + Send>) -> anyhow::Result<Self> {
        let mut inner = csv::Writer::from_writer(out);
        inner.write_record(COLUMNS)?;
        Ok(Self { inner })
    }
}

impl RowWriter for CsvWriter {
    fn write(&mut self, row: &ScoredRow) -> anyhow::Result<()> {
        let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let cells = [
            row.line.to_string(),
            row.schema.to_owned(),
            number(row.threat_probability),
            row.is_threat
                .map(|is_threat| is_threat.to_string())
                .unwrap_or_default(),
            number(row.threshold),
            text(&row.attack_class),
            number(row.attack_confidence),
            text(&row.attack_name),
            text(&row.label),
            row.reasons_text(),
            text(&row.detector),
            text(&row.classifier),
        ];
        self.inner
            .write_record(cells.iter().map(|cell| neutralise(cell).into_owned()))?;
        Ok(())
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        Ok(self.inner.flush()?)
    }
}

/// One JSON object per line.
pub(crate) struct JsonLinesWriter {
    out: std::io::BufWriter<Box<dyn Write + Send>>,
}

impl JsonLinesWriter {
    pub(crate) fn new(out: Box<dyn Write + Send>) -> Self {
        Self {
            out: std::io::BufWriter::new(out),
        }
    }
}

impl RowWriter for JsonLinesWriter {
    fn write(&mut self, row: &ScoredRow) -> anyhow::Result<()> {
        serde_json::to_writer(&mut self.out, &row.to_json())?;
        Ok(self.out.write_all(b"\n")?)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        Ok(self.out.flush()?)
    }
}
