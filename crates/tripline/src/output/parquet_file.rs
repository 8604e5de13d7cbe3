use std::{io::Write, sync::Arc};

use anyhow::Context;
use parquet::{
    basic::{Compression, ZstdLevel},
    data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type},
    file::{
        properties::WriterProperties,
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::parser::parse_message_type,
};

use super::{RowWriter, ScoredRow};

/// Rows of one row group.
const GROUP_ROWS: usize = 65_536;

/// Columns in the order of [`COLUMNS`](super::COLUMNS).
const SCHEMA: &str = "message verdict {
    required int64 line;
    required binary schema (UTF8);
    optional double threat_probability;
    optional boolean is_threat;
    optional double threshold;
    optional binary attack_class (UTF8);
    optional double attack_confidence;
    optional binary attack_name (UTF8);
    optional binary label (UTF8);
    required binary reasons (UTF8);
    optional binary detector (UTF8);
    optional binary classifier (UTF8);
}";

/// Apache Parquet, compressed with Zstandard.
pub(crate) struct ParquetWriter {
    file: Option<SerializedFileWriter<Box<dyn Write + Send>>>,
    rows: Vec<ScoredRow>,
}

impl ParquetWriter {
    pub(crate) fn new(out: Box<dyn Write + Send>) -> anyhow::Result<Self> {
        let schema = Arc::new(parse_message_type(SCHEMA)?);
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
            .build();
        let file = SerializedFileWriter::new(out, schema, Arc::new(properties))?;
        Ok(Self {
            file: Some(file),
            rows: Vec::new(),
        })
    }

    fn write_group(&mut self) -> anyhow::Result<()> {
        let file = self
            .file
            .as_mut()
            .context("the Parquet file is already finished")?;
        let rows = std::mem::take(&mut self.rows);
        let mut group = file.next_row_group()?;
        let bytes = |text: &str| ByteArray::from(text.as_bytes().to_vec());
        let text = |value: &Option<String>| value.as_deref().map(bytes);
        required::<Int64Type>(
            &mut group,
            &rows.iter().map(|row| row.line as i64).collect::<Vec<_>>(),
        )?;
        required::<ByteArrayType>(
            &mut group,
            &rows.iter().map(|row| bytes(row.schema)).collect::<Vec<_>>(),
        )?;
        optional::<DoubleType>(&mut group, rows.iter().map(|row| row.threat_probability))?;
        optional::<BoolType>(&mut group, rows.iter().map(|row| row.is_threat))?;
        optional::<DoubleType>(&mut group, rows.iter().map(|row| row.threshold))?;
        optional::<ByteArrayType>(&mut group, rows.iter().map(|row| text(&row.attack_class)))?;
        optional::<DoubleType>(&mut group, rows.iter().map(|row| row.attack_confidence))?;
        optional::<ByteArrayType>(&mut group, rows.iter().map(|row| text(&row.attack_name)))?;
        optional::<ByteArrayType>(&mut group, rows.iter().map(|row| text(&row.label)))?;
        required::<ByteArrayType>(
            &mut group,
            &rows
                .iter()
                .map(|row| bytes(&row.reasons_text()))
                .collect::<Vec<_>>(),
        )?;
        optional::<ByteArrayType>(&mut group, rows.iter().map(|row| text(&row.detector)))?;
        optional::<ByteArrayType>(&mut group, rows.iter().map(|row| text(&row.classifier)))?;
        group.close()?;
        Ok(())
    }
}

type Group<'a> = SerializedRowGroupWriter<'a, Box<dyn Write + Send>>;

fn required<T: DataType>(group: &mut Group<'_>, values: &[T::T]) -> anyhow::Result<()> {
    let mut column = group
        .next_column()?
        .context("the schema has fewer columns")?;
    column.typed::<T>().write_batch(values, None, None)?;
    Ok(column.close()?)
}

fn optional<T: DataType>(
    group: &mut Group<'_>,
    values: impl Iterator<Item = Option<T::T>>,
) -> anyhow::Result<()> {
    let (mut present, mut levels) = (Vec::new(), Vec::new());
    for value in values {
        levels.push(i16::from(value.is_some()));
        present.extend(value);
    }
    let mut column = group
        .next_column()?
        .context("the schema has fewer columns")?;
    column
        .typed::<T>()
        .write_batch(&present, Some(&levels), None)?;
    Ok(column.close()?)
}

impl RowWriter for ParquetWriter {
    fn write(&mut self, row: &ScoredRow) -> anyhow::Result<()> {
        self.rows.push(row.clone());
        if self.rows.len() >= GROUP_ROWS {
            self.write_group()
        } else {
            Ok(())
        }
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        if !self.rows.is_empty() {
            self.write_group()?;
        }
        if let Some(file) = self.file.take() {
            file.close()?;
        }
        Ok(())
    }
}
