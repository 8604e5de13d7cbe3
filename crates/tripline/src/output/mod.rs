//! Judged rows as CSV, JSON Lines or Parquet.

mod parquet_file;
mod text;

use std::io::Write;

use serde_json::{Value, json};
use tripline_detect::{Pipeline, Verdict};
use tripline_features::display_value;

pub(crate) use parquet_file::ParquetWriter;
pub(crate) use text::{CsvWriter, JsonLinesWriter};

/// One judged row, ready to be written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ScoredRow {
    /// Line of the file.
    pub(crate) line: u64,
    pub(crate) schema: &'static str,
    pub(crate) threat_probability: Option<f64>,
    pub(crate) is_threat: Option<bool>,
    pub(crate) threshold: Option<f64>,
    pub(crate) attack_class: Option<String>,
    pub(crate) attack_confidence: Option<f64>,
    pub(crate) attack_name: Option<String>,
    pub(crate) label: Option<String>,
    pub(crate) reasons: Vec<ReasonText>,
    pub(crate) detector: Option<String>,
    pub(crate) classifier: Option<String>,
}

/// A reason with names instead of positions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ReasonText {
    pub(crate) feature: &'static str,
    pub(crate) value: Value,
    pub(crate) contribution: f64,
}

/// Something that takes judged rows.
pub(crate) trait RowWriter {
    /// Writes one row.
    fn write(&mut self, row: &ScoredRow) -> anyhow::Result<()>;
    /// Writes what is left.
    fn finish(&mut self) -> anyhow::Result<()>;
}

/// The names of the columns, in order.
pub(crate) const COLUMNS: [&str; 12] = [
    "line",
    "schema",
    "threat_probability",
    "is_threat",
    "threshold",
    "attack_class",
    "attack_confidence",
    "attack_name",
    "label",
    "reasons",
    "detector",
    "classifier",
];

impl ScoredRow {
    /// Puts names to a verdict.
    pub(crate) fn new(
        pipeline: &Pipeline,
        verdict: &Verdict,
        values: &[f64],
        line: u64,
        label: Option<&str>,
    ) -> Self {
        let version = |model: &std::sync::Arc<tripline_detect::Model>| {
            format!("{}@{}", model.manifest().name, model.manifest().version)
        };
        let class = |model: Option<&std::sync::Arc<tripline_detect::Model>>, index: usize| {
            model.map(|model| model.manifest().classes[index].name.clone())
        };
        Self {
            line,
            schema: pipeline.schema().name(),
            threat_probability: verdict.threat.map(|threat| threat.probability),
            is_threat: verdict.threat.map(|threat| threat.is_threat),
            threshold: pipeline.detector().map(|model| model.threshold()),
            attack_class: verdict
                .attack
                .and_then(|attack| class(pipeline.classifier(), attack.class)),
            attack_confidence: verdict.attack.map(|attack| attack.confidence),
            attack_name: verdict
                .attack
                .and_then(|attack| attack.named)
                .and_then(|named| class(pipeline.namer(), named.class)),
            label: label.map(ToOwned::to_owned),
            reasons: verdict
                .reasons
                .iter()
                .map(|reason| {
                    let index = usize::from(reason.feature);
                    ReasonText {
                        feature: pipeline.schema().features()[index].name,
                        value: json!(display_value(pipeline.schema(), index, values[index])),
                        contribution: reason.contribution,
                    }
                })
                .collect(),
            detector: pipeline.detector().map(version),
            classifier: verdict
                .attack
                .and_then(|_| pipeline.classifier().map(version)),
        }
    }

    /// The row as a JSON object.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "line": self.line,
            "schema": self.schema,
            "threat_probability": self.threat_probability,
            "is_threat": self.is_threat,
            "threshold": self.threshold,
            "attack_class": self.attack_class,
            "attack_confidence": self.attack_confidence,
            "attack_name": self.attack_name,
            "label": self.label,
            "reasons": self.reasons.iter().map(|reason| json!({
                "feature": reason.feature,
                "value": reason.value,
                "contribution": reason.contribution,
            })).collect::<Vec<_>>(),
            "detector": self.detector,
            "classifier": self.classifier,
        })
    }

    /// The reasons on one line, as tables hold them: `flag=S0 +1.204; count=123 +0.871`.
    pub(crate) fn reasons_text(&self) -> String {
        let mut text = String::new();
        for (index, reason) in self.reasons.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            let value = match &reason.value {
                Value::String(name) => name.clone(),
                other => other.to_string(),
            };
            text += &format!(
                "{separator}{}={value} {:+.4}",
                reason.feature, reason.contribution
            );
        }
        text
    }
}

/// The writer for a format.
pub(crate) fn writer(
    format: crate::cli::Format,
    out: Box<dyn Write + Send>,
) -> anyhow::Result<Box<dyn RowWriter>> {
    Ok(match format {
        crate::cli::Format::Csv => Box::new(CsvWriter::new(out)?),
        crate::cli::Format::Jsonl => Box::new(JsonLinesWriter::new(out)),
        crate::cli::Format::Parquet => Box::new(ParquetWriter::new(out)?),
    })
}
