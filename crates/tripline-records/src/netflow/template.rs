//! Templates: the order and the lengths of the fields of records.

use super::CollectorLimits;
use super::bytes::Bytes;
use super::element::Element;

/// The length that stands for "the record says" in IPFIX.
const VARIABLE: u16 = u16::MAX;

/// A template without what is not used.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) purpose: Purpose,
    fields: Box<[Field]>,
    /// Bytes of the shortest record; never 0.
    pub(super) min_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Flows,
    Options,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Field {
    element: Element,
    length: u16,
}

/// Why a template is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Its fields are not there.
    Cut,
    /// It describes nothing.
    Empty,
    TooLarge,
}

/// How the fields of a template are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    V9,
    Ipfix,
}

impl Template {
    /// Reads field specifications from the front of the input, all of them even if the template is
    /// refused, so that the next template is found. The first `scopes` fields say what an options
    /// record is about.
    pub(super) fn read(
        input: &mut Bytes<'_>,
        dialect: Dialect,
        purpose: Purpose,
        count: usize,
        scopes: usize,
        limits: &CollectorLimits,
    ) -> Result<Self, Refused> {
        let mut fields: Vec<Field> = Vec::new();
        let mut too_large = count > limits.max_fields_per_template;
        let mut min_bytes = 0_usize;
        for position in 0..count {
            let (element, length) = read_specifier(input, dialect).ok_or(Refused::Cut)?;
            let is_variable = dialect == Dialect::Ipfix && length == VARIABLE;
            if !is_variable && usize::from(length) > limits.max_field_bytes {
                too_large = true;
            }
            if too_large {
                continue;
            }
            min_bytes += if is_variable { 1 } else { usize::from(length) };
            let element = if position < scopes {
                Element::Skip
            } else {
                element
            };
            // Neighbours that are not used become one.
            match fields.last_mut() {
                Some(Field {
                    element: Element::Skip,
                    length: last,
                }) if element == Element::Skip && !is_variable && *last != VARIABLE => {
                    match last.checked_add(length).filter(|sum| *sum != VARIABLE) {
                        Some(sum) => *last = sum,
                        None => fields.push(Field { element, length }),
                    }
                }
                _ => fields.push(Field { element, length }),
            }
        }
        if too_large {
            return Err(Refused::TooLarge);
        }
        if min_bytes == 0 {
            return Err(Refused::Empty);
        }
        Ok(Self {
            purpose,
            fields: fields.into_boxed_slice(),
            min_bytes,
        })
    }

    /// Takes one record from the front of the input and shows each used value; `None` where a
    /// value is longer than the input.
    pub(super) fn record<'a>(
        &self,
        input: &mut Bytes<'a>,
        dialect: Dialect,
        mut show: impl FnMut(Element, &'a [u8]),
    ) -> Option<()> {
        for field in &self.fields {
            let length = if dialect == Dialect::Ipfix && field.length == VARIABLE {
                match input.u8()? {
                    255 => usize::from(input.u16()?),
                    short => usize::from(short),
                }
            } else {
                usize::from(field.length)
            };
            let value = input.take(length)?;
            if field.element != Element::Skip {
                show(field.element, value);
            }
        }
        Some(())
    }
}

/// One field of a template and its length.
fn read_specifier(input: &mut Bytes<'_>, dialect: Dialect) -> Option<(Element, u16)> {
    let number = input.u16()?;
    let length = input.u16()?;
    let enterprise = if dialect == Dialect::Ipfix && number & 0x8000 != 0 {
        input.u32()?
    } else {
        0
    };
    let number = match dialect {
        Dialect::Ipfix => number & 0x7fff,
        Dialect::V9 => number,
    };
    Some((Element::find(enterprise, number), length))
}
