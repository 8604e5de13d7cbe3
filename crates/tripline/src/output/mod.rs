//! Tables of judged rows and flows as CSV, JSON Lines or Parquet.

mod parquet_file;
mod scored;
mod text;

use std::borrow::Cow;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tripline_detect::{Pipeline, Verdict};
use tripline_features::display_value;

use crate::cli::Format;
use parquet_file::ParquetWriter;
pub(crate) use scored::ScoredRow;
use text::{CsvWriter, JsonLinesWriter};

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

/// What a column holds; any cell may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Whole,
    Real,
    Flag,
}

/// A cell of a table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell<'a> {
    Missing,
    Text(Cow<'a, str>),
    Whole(i64),
    Real(f64),
    Flag(bool),
    /// Text in tables, objects in JSON.
    Reasons(&'a [ReasonText]),
}

impl<'a> Cell<'a> {
    pub(crate) fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    pub(crate) fn owned(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }

    pub(crate) fn maybe(text: Option<&'a str>) -> Self {
        text.map_or(Self::Missing, Self::text)
    }

    pub(crate) fn real(value: Option<f64>) -> Self {
        value.map_or(Self::Missing, Self::Real)
    }

    pub(crate) fn flag(value: Option<bool>) -> Self {
        value.map_or(Self::Missing, Self::Flag)
    }

    /// The cell as JSON.
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Missing => Value::Null,
            Self::Text(text) => json!(text),
            Self::Whole(value) => json!(value),
            Self::Real(value) => json!(value),
            Self::Flag(value) => json!(value),
            Self::Reasons(reasons) => reasons.iter().map(ReasonText::to_json).collect(),
        }
    }

    /// The cell as text; nothing when it is missing.
    pub(crate) fn to_text(&self) -> Cow<'_, str> {
        match self {
            Self::Missing => Cow::Borrowed(""),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Whole(value) => Cow::Owned(value.to_string()),
            Self::Real(value) => Cow::Owned(value.to_string()),
            Self::Flag(value) => Cow::Owned(value.to_string()),
            Self::Reasons(reasons) => Cow::Owned(reasons_text(reasons)),
        }
    }
}

/// A reason with names instead of positions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ReasonText {
    pub(crate) feature: &'static str,
    pub(crate) value: Value,
    pub(crate) contribution: f64,
}

impl ReasonText {
    /// The reasons of a verdict on values in the order of its schema.
    pub(crate) fn of(pipeline: &Pipeline, verdict: &Verdict, values: &[f64]) -> Vec<Self> {
        let reason = |reason: &tripline_detect::Reason| {
            let index = usize::from(reason.feature);
            Self {
                feature: pipeline.schema().features()[index].name,
                value: json!(display_value(pipeline.schema(), index, values[index])),
                contribution: reason.contribution,
            }
        };
        verdict.reasons.iter().map(reason).collect()
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "feature": self.feature,
            "value": self.value,
            "contribution": self.contribution,
        })
    }
}

/// Reasons on one line, as tables hold them: `flag=S0 +1.204; count=123 +0.871`.
pub(crate) fn reasons_text(reasons: &[ReasonText]) -> String {
    let mut text = String::new();
    for (index, reason) in reasons.iter().enumerate() {
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

/// Something that takes the rows of a table.
pub(crate) trait TableWriter {
    /// Writes one row, with a cell for every column.
    fn write(&mut self, cells: &[Cell<'_>]) -> anyhow::Result<()>;
    /// Writes what is left.
    fn finish(&mut self) -> anyhow::Result<()>;
}

/// The writer for a format.
pub(crate) fn writer(
    format: Format,
    columns: &'static [Column],
    out: Box<dyn Write + Send>,
) -> anyhow::Result<Box<dyn TableWriter>> {
    Ok(match format {
        Format::Csv => Box::new(CsvWriter::new(columns, out)?),
        Format::Jsonl => Box::new(JsonLinesWriter::new(columns, out)),
        Format::Parquet => Box::new(ParquetWriter::new(columns, out)?),
    })
}

/// Where output goes: standard output, a device or pipe, or a file that takes its name when it is
/// complete.
#[derive(Debug)]
pub(crate) struct Target {
    path: Option<PathBuf>,
}

impl Target {
    pub(crate) fn new(path: Option<&Path>) -> Self {
        Self {
            path: path.map(Path::to_owned),
        }
    }

    /// The format that was asked for, else the one that the name tells, else CSV.
    pub(crate) fn format(&self, asked: Option<Format>) -> anyhow::Result<Format> {
        let format = asked.or(self.format_by_name()).unwrap_or(Format::Csv);
        if format == Format::Parquet && self.path.is_none() {
            bail!("Parquet needs a file: name one with --output");
        }
        Ok(format)
    }

    fn format_by_name(&self) -> Option<Format> {
        match self.path.as_ref()?.extension()?.to_str()? {
            "csv" => Some(Format::Csv),
            "jsonl" | "ndjson" => Some(Format::Jsonl),
            "parquet" => Some(Format::Parquet),
            _ => None,
        }
    }

    /// Opens it. Rows go to a file beside the target first: a run that fails leaves no half
    /// result under its name.
    pub(crate) fn open(&self) -> anyhow::Result<Box<dyn Write + Send>> {
        Ok(match self.part().or_else(|| self.path.clone()) {
            Some(path) => {
                Box::new(std::fs::File::create(&path).with_context(|| path.display().to_string())?)
            }
            None => Box::new(std::io::stdout()),
        })
    }

    /// Gives a complete file its name.
    pub(crate) fn finish(&self) -> anyhow::Result<()> {
        if let (Some(part), Some(path)) = (self.part(), &self.path) {
            std::fs::rename(part, path).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }

    /// What stands there and is no file, such as `/dev/null` or a named pipe, must not be replaced
    /// by one: it is written to directly.
    fn part(&self) -> Option<PathBuf> {
        let path = self.path.as_ref()?;
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return None;
        }
        let mut part = path.clone().into_os_string();
        part.push(".part");
        Some(part.into())
    }
}
