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

use super::{Cell, Column, Kind, TableWriter};

/// Rows of one row group.
const GROUP_ROWS: usize = 65_536;

/// Apache Parquet, compressed with Zstandard; every column is optional.
pub(super) struct ParquetWriter {
    file: Option<SerializedFileWriter<Box<dyn Write + Send>>>,
    columns: Vec<Values>,
    rows: usize,
}

/// A column of the row group that is being collected.
enum Values {
    Text(Vec<Option<ByteArray>>),
    Whole(Vec<Option<i64>>),
    Real(Vec<Option<f64>>),
    Flag(Vec<Option<bool>>),
}

impl Values {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text(Vec::new()),
            Kind::Whole => Self::Whole(Vec::new()),
            Kind::Real => Self::Real(Vec::new()),
            Kind::Flag => Self::Flag(Vec::new()),
        }
    }

    fn push(&mut self, cell: &Cell<'_>) {
        match (self, cell) {
            (Self::Text(values), Cell::Missing) => values.push(None),
            (Self::Text(values), cell) => {
                values.push(Some(ByteArray::from(cell.to_text().as_bytes().to_vec())));
            }
            (Self::Whole(values), Cell::Whole(value)) => values.push(Some(*value)),
            (Self::Whole(values), _) => values.push(None),
            (Self::Real(values), Cell::Real(value)) => values.push(Some(*value)),
            (Self::Real(values), _) => values.push(None),
            (Self::Flag(values), Cell::Flag(value)) => values.push(Some(*value)),
            (Self::Flag(values), _) => values.push(None),
        }
    }

    fn write(&mut self, group: &mut Group<'_>) -> anyhow::Result<()> {
        match self {
            Self::Text(values) => optional::<ByteArrayType>(group, values.drain(..)),
            Self::Whole(values) => optional::<Int64Type>(group, values.drain(..)),
            Self::Real(values) => optional::<DoubleType>(group, values.drain(..)),
            Self::Flag(values) => optional::<BoolType>(group, values.drain(..)),
        }
    }
}

/// The schema in Parquet's own notation. Names with spaces are none there.
fn message(columns: &[Column]) -> String {
    let column = |column: &Column| {
        let kind = match column.kind {
            Kind::Text => "binary",
            Kind::Whole => "int64",
            Kind::Real => "double",
            Kind::Flag => "boolean",
        };
        let logical = if column.kind == Kind::Text {
            " (UTF8)"
        } else {
            ""
        };
        format!("optional {kind} {}{logical};", column.name)
    };
    let columns: Vec<String> = columns.iter().map(column).collect();
    format!("message verdict {{ {} }}", columns.join(" "))
}

impl ParquetWriter {
    pub(super) fn new(
        columns: &'static [Column],
        out: Box<dyn Write + Send>,
    ) -> anyhow::Result<Self> {
        let schema = Arc::new(parse_message_type(&message(columns))?);
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
            .build();
        let file = SerializedFileWriter::new(out, schema, Arc::new(properties))?;
        Ok(Self {
            file: Some(file),
            columns: columns
                .iter()
                .map(|column| Values::new(column.kind))
                .collect(),
            rows: 0,
        })
    }

    fn write_group(&mut self) -> anyhow::Result<()> {
        let file = self
            .file
            .as_mut()
            .context("the Parquet file is already finished")?;
        let mut group = file.next_row_group()?;
        for column in &mut self.columns {
            column.write(&mut group)?;
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }
}

type Group<'a> = SerializedRowGroupWriter<'a, Box<dyn Write + Send>>;

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

impl TableWriter for ParquetWriter {
    fn write(&mut self, cells: &[Cell<'_>]) -> anyhow::Result<()> {
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            column.push(cell);
        }
        self.rows += 1;
        if self.rows >= GROUP_ROWS {
            self.write_group()
        } else {
            Ok(())
        }
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        if self.rows > 0 {
            self.write_group()?;
        }
        if let Some(file) = self.file.take() {
            file.close()?;
        }
        Ok(())
    }
}
