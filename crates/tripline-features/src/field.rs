//! One field of text or one number to one value, by the reading policy.

use crate::notes::{NoteKind, RowNotes};
use crate::rejection::{RejectReason, excerpt};
use crate::schema::{BlankPolicy, FeatureDef, FeatureKind, FeatureSchema, NegativeMeaning};

/// Reads the text of a field.
pub(crate) fn read_text(
    schema: &FeatureSchema,
    index: usize,
    text: &[u8],
    notes: &mut RowNotes,
) -> Result<f64, RejectReason> {
    let text = text.trim_ascii();
    if text.is_empty() {
        return match schema.blanks() {
            BlankPolicy::Missing => {
                notes.push((index, NoteKind::Empty));
                Ok(f64::NAN)
            }
            BlankPolicy::Reject => Err(RejectReason::Empty),
        };
    }
    if schema.category_index(index).is_some() {
        return read_category(schema, index, text, notes);
    }
    match parse_number(text) {
        Some(value) => read_number(schema, index, value, notes),
        None => Err(RejectReason::NotANumber {
            text: excerpt(text),
        }),
    }
}

/// Checks a number that is a value of the feature, or the index of its name.
pub(crate) fn read_number(
    schema: &FeatureSchema,
    index: usize,
    value: f64,
    notes: &mut RowNotes,
) -> Result<f64, RejectReason> {
    let feature = &schema.features()[index];
    if feature.bounds.contains(value) {
        if value.fract() != 0.0 && is_whole(feature) {
            return Err(RejectReason::NotAnInteger { value });
        }
        // Adding zero turns the negative zero of a subtraction into the plain one.
        return Ok(value + 0.0);
    }
    if let FeatureKind::Category(names) = feature.kind {
        return Err(RejectReason::CategoryIndex {
            value,
            size: names.len(),
        });
    }
    if !value.is_finite() {
        if schema.blanks() == BlankPolicy::Reject {
            return Err(RejectReason::NotFinite {
                text: value.to_string(),
            });
        }
        let kind = if value.is_nan() {
            NoteKind::NotANumber
        } else {
            NoteKind::Infinite
        };
        notes.push((index, kind));
        return Ok(f64::NAN);
    }
    read_negative(feature, index, value, notes)
}

fn read_negative(
    feature: &FeatureDef,
    index: usize,
    value: f64,
    notes: &mut RowNotes,
) -> Result<f64, RejectReason> {
    let kind = match feature.negative {
        NegativeMeaning::Undefined => NoteKind::Undefined,
        NegativeMeaning::Overflow => NoteKind::Overflow,
        NegativeMeaning::Misordered => NoteKind::Misordered,
        NegativeMeaning::Zero if value == -1.0 => {
            notes.push((index, NoteKind::Zero));
            return Ok(0.0);
        }
        NegativeMeaning::NotApplicable if value == -1.0 => return Ok(f64::NAN),
        _ => return Err(out_of_bounds(feature, value)),
    };
    if value >= 0.0 {
        return Err(out_of_bounds(feature, value));
    }
    notes.push((index, kind));
    Ok(f64::NAN)
}

fn read_category(
    schema: &FeatureSchema,
    index: usize,
    text: &[u8],
    notes: &mut RowNotes,
) -> Result<f64, RejectReason> {
    let Some(vocabulary) = schema.category_index(index) else {
        return Err(RejectReason::NotANumber {
            text: excerpt(text),
        });
    };
    if let Some(found) = vocabulary.find(text) {
        return Ok(found as f64);
    }
    if let Some(value) = parse_number(text)
        && text[0].is_ascii_digit()
    {
        return read_number(schema, index, value, notes);
    }
    match schema.features()[index].name {
        "service" if matches!(text, b"icmp" | b"oth_i") => {
            notes.push((index, NoteKind::ForeignName));
            return Ok(f64::NAN);
        }
        "flag" if matches!(text, b"RSTRH" | b"SHR") => {
            if let Some(other) = vocabulary.find(b"OTH") {
                notes.push((index, NoteKind::RareState));
                return Ok(other as f64);
            }
        }
        _ => {}
    }
    Err(RejectReason::UnknownCategory {
        text: excerpt(text),
        expected: vocabulary_text(vocabulary.names()),
    })
}

pub(crate) fn is_whole(feature: &FeatureDef) -> bool {
    !matches!(feature.kind, FeatureKind::Real | FeatureKind::Rate)
}

fn out_of_bounds(feature: &FeatureDef, value: f64) -> RejectReason {
    RejectReason::OutOfBounds {
        value,
        min: feature.bounds.min,
        max: feature.bounds.max,
    }
}

fn vocabulary_text(names: &[&str]) -> String {
    const SHOWN: usize = 11;
    if names.len() <= SHOWN {
        names.join(", ")
    } else {
        format!(
            "{} … ({} names, or an index from 0 to {})",
            names[..SHOWN].join(", "),
            names.len(),
            names.len() - 1
        )
    }
}

/// Exactly representable powers of ten: dividing an exact integer by one rounds once, so the
/// result is the nearest double.
const POWERS: [f64; 20] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19,
];

/// Nearest double of a decimal number; NaN and infinities by their usual names.
pub(crate) fn parse_number(text: &[u8]) -> Option<f64> {
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        _ => (false, text),
    };
    // Eighteen digits cannot overflow the mantissa.
    if digits.is_empty() || digits.len() > 19 {
        return parse_slowly(text);
    }
    let mut mantissa = 0_u64;
    let mut decimals = None;
    let mut count = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
            count += 1;
            if let Some(seen) = &mut decimals {
                *seen += 1;
            }
        } else if *byte == b'.' && decimals.is_none() {
            decimals = Some(0_usize);
        } else {
            return parse_slowly(text);
        }
    }
    if count == 0 || count > 18 || mantissa > 1 << 53 {
        return parse_slowly(text);
    }
    let magnitude = match decimals {
        Some(places) => mantissa as f64 / POWERS[places],
        None => mantissa as f64,
    };
    Some(if negative { -magnitude } else { magnitude })
}

fn parse_slowly(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let value = text.parse::<f64>().ok()?;
    if value.is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit()) {
        // "1e999" is a number far out of bounds, not the word for an undefined rate.
        return Some(f64::MAX.copysign(value));
    }
    Some(value)
}

#[cfg(test)]
mod tests;
