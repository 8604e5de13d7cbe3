//! Selected members of a JSON object, as they are written.
//!
//! Members that are not asked for are passed over by `serde_json` in a loop, not by recursion, so
//! deep nesting costs neither stack nor memory.

use std::{borrow::Cow, fmt};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::rejection::{Problem, Refusal, excerpt};

/// Puts the members with these names into the slots of the same positions; of several members
/// with one name the last counts.
pub(crate) fn read_members<'a, const N: usize>(
    text: &'a str,
    names: &[&str; N],
) -> Result<[Option<&'a RawValue>; N], serde_json::Error> {
    let mut slots = [None; N];
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer.deserialize_map(Members {
        names,
        slots: &mut slots,
    })?;
    deserializer.end()?;
    Ok(slots)
}

/// The same for a whole line; says what is wrong with one that is no object.
pub(crate) fn read_line<'a, const N: usize>(
    line: &'a [u8],
    names: &[&str; N],
) -> Result<[Option<&'a RawValue>; N], Refusal> {
    let text = std::str::from_utf8(line).map_err(|error| {
        Refusal::line(Problem::NotUtf8 {
            valid: error.valid_up_to(),
        })
    })?;
    read_members(text, names).map_err(|error| {
        Refusal::line(Problem::BadJson {
            found: excerpt(text),
            reason: excerpt(&error.to_string()),
        })
    })
}

/// A string's text, a number as written, or nothing for null.
pub(crate) fn scalar<'a>(
    field: &'static str,
    raw: Option<&'a RawValue>,
) -> Result<Option<Cow<'a, str>>, Refusal> {
    let Some(raw) = raw else { return Ok(None) };
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'"') => {
            // Nearly every string is written as it is.
            if let Ok(plain) = serde_json::from_str::<&str>(text) {
                return Ok(Some(Cow::Borrowed(plain)));
            }
            match serde_json::from_str::<String>(text) {
                Ok(owned) => Ok(Some(Cow::Owned(owned))),
                Err(_) => Err(Refusal::unexpected(field, "a string", text)),
            }
        }
        Some(b'n') => Ok(None),
        Some(b'0'..=b'9' | b'-') => Ok(Some(Cow::Borrowed(text))),
        _ => Err(Refusal::unexpected(field, "a string or a number", text)),
    }
}

struct Members<'s, 'a, const N: usize> {
    names: &'s [&'s str; N],
    slots: &'s mut [Option<&'a RawValue>; N],
}

impl<'a, const N: usize> Visitor<'a> for Members<'_, 'a, N> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(position) = map.next_key_seed(Name(self.names))? {
            match position.and_then(|position| self.slots.get_mut(position)) {
                Some(slot) => *slot = Some(map.next_value()?),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// The position of a name, found without storing the name.
struct Name<'s>(&'s [&'s str]);

impl<'a> DeserializeSeed<'a> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|known| *known == name))
    }
}
