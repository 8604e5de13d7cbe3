//! One record as numbers, and its compact bytes.
//!
//! A stored vector is a version byte, two bits per feature (missing, zero, small, exact) and
//! then the values that are neither missing nor zero: small ones as a varint whose low bits tell
//! whole numbers, hundredths and 32-bit floats apart, exact ones as eight bytes. KDD rates have
//! two decimals, so a rate usually takes one or two bytes where a double takes eight.

use serde::Serialize;

use crate::error::FeatureError;
use crate::schema::{FeatureKind, FeatureSchema};

const FORMAT: u8 = 1;

const MISSING: u8 = 0;
const ZERO: u8 = 1;
const SMALL: u8 = 2;
const EXACT: u8 = 3;

const TAG_WHOLE: u64 = 0;
const TAG_HUNDREDTHS: u64 = 1;
const TAG_F32: u64 = 2;

/// Beyond this a double no longer holds every whole number.
const WHOLE_LIMIT: f64 = 9_007_199_254_740_992.0;

/// The values of one record in schema order; NaN stands for a missing value.
#[derive(Debug, Clone, Default)]
pub struct FeatureVector {
    values: Vec<f64>,
}

/// A value as people read it: a number, the name of a category, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub enum FeatureValue {
    /// A plain number.
    Number(f64),
    /// The name behind a category index.
    Name(&'static str),
    /// No value; JSON `null`.
    Missing,
}

/// Turns the value of the feature at `index` into what people read.
///
/// An index outside the schema or its vocabulary is missing.
pub fn display_value(schema: &FeatureSchema, index: usize, value: f64) -> FeatureValue {
    let Some(feature) = schema.features().get(index) else {
        return FeatureValue::Missing;
    };
    if !value.is_finite() {
        return FeatureValue::Missing;
    }
    match feature.kind {
        FeatureKind::Category(names) => {
            if value < 0.0 || value.fract() != 0.0 {
                return FeatureValue::Missing;
            }
            names
                .get(value as usize)
                .map_or(FeatureValue::Missing, |name| FeatureValue::Name(name))
        }
        _ => FeatureValue::Number(value),
    }
}

impl FeatureVector {
    /// Takes values in schema order; NaN stands for a missing value.
    pub fn new(values: Vec<f64>) -> Self {
        Self { values }
    }

    /// A vector of the schema without any value.
    pub fn missing(schema: &FeatureSchema) -> Self {
        Self::new(vec![f64::NAN; schema.len()])
    }

    /// The values in schema order.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The values, to be taken over by the caller.
    pub fn into_values(self) -> Vec<f64> {
        self.values
    }

    /// The value at `index`; `None` if it is missing or out of range.
    pub fn get(&self, index: usize) -> Option<f64> {
        self.values
            .get(index)
            .copied()
            .filter(|value| !value.is_nan())
    }

    /// Appends the compact bytes of the vector.
    pub fn encode(&self, out: &mut Vec<u8>) {
        encode_values(&self.values, out);
    }

    /// Reads what [`FeatureVector::encode`] wrote for a vector of that schema.
    pub fn decode(bytes: &[u8], schema: &FeatureSchema) -> Result<Self, FeatureError> {
        let mut values = Vec::with_capacity(schema.len());
        decode_values(bytes, schema.len(), &mut values)
            .map_err(|problem| FeatureError::Encoding { problem })?;
        Ok(Self { values })
    }
}

/// Appends the compact bytes of values that are not in a vector of their own, such as a row of
/// a batch.
pub fn encode_values(values: &[f64], out: &mut Vec<u8>) {
    out.push(FORMAT);
    let classes = out.len();
    out.resize(classes + values.len().div_ceil(4), 0);
    for (index, value) in values.iter().enumerate() {
        let class = encode_value(*value, out);
        out[classes + index / 4] |= class << (index % 4 * 2);
    }
}

fn encode_value(value: f64, out: &mut Vec<u8>) -> u8 {
    if !value.is_finite() {
        return MISSING;
    }
    if value.to_bits() == 0 {
        return ZERO;
    }
    if value > 0.0 && value < WHOLE_LIMIT {
        if value.fract() == 0.0 {
            write_varint((value as u64) << 2 | TAG_WHOLE, out);
            return SMALL;
        }
        let hundredths = (value * 100.0).round();
        // Seven digits are what a varint stores shorter than a 32-bit float and its tag.
        if hundredths < 1e7 && hundredths / 100.0 == value {
            write_varint((hundredths as u64) << 2 | TAG_HUNDREDTHS, out);
            return SMALL;
        }
    }
    let narrow = value as f32;
    if f64::from(narrow) == value {
        write_varint(TAG_F32, out);
        out.extend_from_slice(&narrow.to_le_bytes());
        return SMALL;
    }
    out.extend_from_slice(&value.to_le_bytes());
    EXACT
}

fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn decode_values(bytes: &[u8], count: usize, values: &mut Vec<f64>) -> Result<(), &'static str> {
    let (format, rest) = bytes.split_first().ok_or("no bytes")?;
    if *format != FORMAT {
        return Err("unknown format version");
    }
    let (classes, mut rest) = rest
        .split_at_checked(count.div_ceil(4))
        .ok_or("cut off in the presence table")?;
    for index in 0..count {
        let value = match classes[index / 4] >> (index % 4 * 2) & 3 {
            MISSING => f64::NAN,
            ZERO => 0.0,
            SMALL => decode_small(&mut rest)?,
            _ => finite(f64::from_le_bytes(take(&mut rest)?))?,
        };
        values.push(value);
    }
    if rest.is_empty() {
        Ok(())
    } else {
        Err("bytes after the last value")
    }
}

fn decode_small(rest: &mut &[u8]) -> Result<f64, &'static str> {
    let tagged = read_varint(rest)?;
    let number = tagged >> 2;
    match tagged & 3 {
        TAG_WHOLE if (number as f64) < WHOLE_LIMIT => Ok(number as f64),
        TAG_HUNDREDTHS if (number as f64) < WHOLE_LIMIT => Ok(number as f64 / 100.0),
        TAG_F32 if number == 0 => finite(f64::from(f32::from_le_bytes(take(rest)?))),
        _ => Err("number out of range"),
    }
}

fn read_varint(rest: &mut &[u8]) -> Result<u64, &'static str> {
    let mut value = 0_u64;
    for shift in (0..63).step_by(7) {
        let [byte] = take(rest)?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err("number too long")
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], &'static str> {
    let (taken, after) = rest.split_first_chunk::<N>().ok_or("cut off in a value")?;
    *rest = after;
    Ok(*taken)
}

fn finite(value: f64) -> Result<f64, &'static str> {
    if value.is_finite() {
        Ok(value)
    } else {
        Err("value is not finite")
    }
}

#[cfg(test)]
mod tests;
