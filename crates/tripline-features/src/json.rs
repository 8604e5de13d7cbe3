use std::collections::VecDeque;

use serde_json::{Map, Value};

use crate::columns::{ColumnMap, ColumnUse};
use crate::error::FeatureError;
use crate::field::{read_number, read_text};
use crate::label::LabelText;
use crate::notes::{Notes, RowNotes};
use crate::rejection::RejectReason;
use crate::schema::{FeatureKind, FeatureSchema};
use crate::vector::FeatureVector;

/// A record read from a JSON object.
#[derive(Debug, Clone)]
pub struct JsonRecord {
    /// The schema of the record.
    pub schema: &'static FeatureSchema,
    /// Its values.
    pub vector: FeatureVector,
    /// Per feature: whether the object has a value for it.
    pub present: Vec<bool>,
    /// Keys that are not used: unknown ones and repeated features.
    pub ignored: Vec<String>,
    /// The label, if the object has one.
    pub label: Option<LabelText>,
    /// What the reading policy did.
    pub notes: Notes,
}

/// Reads a record from an object whose keys are feature names in any known spelling.
///
/// Categories may be names or indices; `null` and absent features are missing values. Without a
/// schema the keys decide, as in [`crate::match_schema`]. Whoever reads many objects takes a
/// [`JsonReader`].
pub fn vector_from_json(
    schema: Option<&'static FeatureSchema>,
    object: &Map<String, Value>,
) -> Result<JsonRecord, FeatureError> {
    JsonReader::default().read(schema, object)
}

/// Orders of keys that a reader remembers.
const MAX_LAYOUTS: usize = 8;
/// Longest list of keys that is remembered, in bytes.
const MAX_LAYOUT_BYTES: usize = 32 << 10;

/// Reads records from objects, as [`vector_from_json`] does. What the keys mean is found once for
/// objects that have the same keys in the same order, as those of one sender have.
#[derive(Debug, Default)]
pub struct JsonReader {
    /// The latest first.
    layouts: VecDeque<Layout>,
}

/// What the keys of an object mean.
#[derive(Debug)]
struct Layout {
    asked: Option<&'static FeatureSchema>,
    keys: Vec<String>,
    columns: ColumnMap,
}

impl Layout {
    fn of(
        asked: Option<&'static FeatureSchema>,
        object: &Map<String, Value>,
    ) -> Result<Self, FeatureError> {
        let keys: Vec<String> = object.keys().cloned().collect();
        let columns = match asked {
            Some(schema) => ColumnMap::for_schema(schema, &keys),
            None => ColumnMap::from_header(&keys)?,
        };
        let schema = columns.schema();
        if columns.present().iter().all(|present| !present) {
            return Err(FeatureError::NoSchema {
                nearest: schema.name(),
                matched: 0,
                missing: schema
                    .features()
                    .iter()
                    .map(|feature| feature.name.to_owned())
                    .collect(),
                unknown: columns.ignored_columns().to_vec(),
            });
        }
        Ok(Self {
            asked,
            keys,
            columns,
        })
    }

    fn fits(&self, asked: Option<&'static FeatureSchema>, object: &Map<String, Value>) -> bool {
        self.asked.map(FeatureSchema::name) == asked.map(FeatureSchema::name)
            && self.keys.len() == object.len()
            && self.keys.iter().eq(object.keys())
    }

    fn is_small(&self) -> bool {
        self.keys.iter().map(String::len).sum::<usize>() <= MAX_LAYOUT_BYTES
    }
}

impl JsonReader {
    /// Reads a record; see [`vector_from_json`].
    pub fn read(
        &mut self,
        schema: Option<&'static FeatureSchema>,
        object: &Map<String, Value>,
    ) -> Result<JsonRecord, FeatureError> {
        let mut layouts = self.layouts.iter();
        match layouts.position(|layout| layout.fits(schema, object)) {
            Some(0) => {}
            Some(position) => self.layouts.swap(0, position),
            None => {
                let layout = Layout::of(schema, object)?;
                if !layout.is_small() {
                    return record(&layout.columns, object);
                }
                self.layouts.truncate(MAX_LAYOUTS - 1);
                self.layouts.push_front(layout);
            }
        }
        record(&self.layouts[0].columns, object)
    }
}

fn record(columns: &ColumnMap, object: &Map<String, Value>) -> Result<JsonRecord, FeatureError> {
    let schema = columns.schema();
    let mut values = vec![f64::NAN; schema.len()];
    let mut label = None;
    let mut row_notes = RowNotes::new();
    let mut notes = Notes::for_schema(schema);
    for ((key, value), column_use) in object.iter().zip(columns.plan()) {
        match *column_use {
            ColumnUse::Feature(index) => {
                values[index] =
                    read_json(schema, index, value, &mut row_notes).map_err(|reason| {
                        FeatureError::Rejected {
                            column: key.trim().to_owned(),
                            reason,
                        }
                    })?;
            }
            ColumnUse::Label => label = read_label(schema, value),
            ColumnUse::Skip => {}
        }
    }
    for (feature, kind) in row_notes {
        notes.count(feature, kind);
    }
    for remark in columns.remarks() {
        notes.remark(remark.clone());
    }
    let ignored = columns.ignored_columns().iter();
    Ok(JsonRecord {
        schema,
        present: values.iter().map(|value| !value.is_nan()).collect(),
        vector: FeatureVector::new(values),
        ignored: ignored
            .chain(columns.duplicate_columns())
            .cloned()
            .collect(),
        label,
        notes,
    })
}

fn read_json(
    schema: &FeatureSchema,
    index: usize,
    value: &Value,
    notes: &mut RowNotes,
) -> Result<f64, RejectReason> {
    match value {
        Value::Null => Ok(f64::NAN),
        Value::Number(number) => {
            let number = number.as_f64().ok_or(RejectReason::JsonType {
                found: "a number out of range",
            })?;
            read_number(schema, index, number, notes)
        }
        Value::String(text) => read_text(schema, index, text.as_bytes(), notes),
        Value::Bool(set) if schema.features()[index].kind == FeatureKind::Flag => {
            Ok(f64::from(u8::from(*set)))
        }
        Value::Bool(_) => Err(RejectReason::JsonType { found: "a boolean" }),
        Value::Array(_) => Err(RejectReason::JsonType { found: "an array" }),
        Value::Object(_) => Err(RejectReason::JsonType { found: "an object" }),
    }
}

fn read_label(schema: &FeatureSchema, value: &Value) -> Option<LabelText> {
    match value {
        Value::String(text) => LabelText::read(schema, text.as_bytes()).map(|(label, _)| label),
        Value::Number(number) => {
            LabelText::read(schema, number.to_string().as_bytes()).map(|(label, _)| label)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
