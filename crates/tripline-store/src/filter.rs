use std::{fmt, str::FromStr};

use thiserror::Error;

use crate::{BatchId, Source, StoredVerdict, Timestamp};

/// Which end of time a list starts at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// By descending time; what a person looks at.
    #[default]
    NewestFirst,
    /// By ascending time; what an export writes.
    OldestFirst,
}

/// Which verdicts are meant. Every condition given must hold; the default means all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VerdictFilter {
    /// Only those that a detector calls threats.
    pub threats_only: bool,
    /// Only those with a threat part.
    pub has_threat: bool,
    /// Only those with an attack part.
    pub has_attack: bool,
    /// Only those whose class has one of these names; an empty list means none.
    pub class_names: Option<Vec<String>>,
    /// Only those of this batch.
    pub batch: Option<BatchId>,
    /// Only those that came in this way.
    pub source: Option<Source>,
    /// Only those given at this time or later.
    pub created_from: Option<Timestamp>,
    /// Only those given before this time.
    pub created_to: Option<Timestamp>,
    /// The order of the list.
    pub order: Order,
    /// Continue after this place of the list, as told by [`Page::next`].
    pub cursor: Option<Cursor>,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The verdicts.
    pub verdicts: Vec<StoredVerdict>,
    /// Where to go on; `None` at the end.
    pub next: Option<Cursor>,
}

/// A place in a list, between two verdicts. It stays valid whatever is added or removed: each
/// verdict that stays is seen exactly once. Any cursor is safe to use; a made-up one only starts
/// at another place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    pub(crate) created_at: Timestamp,
    pub(crate) row_key: i64,
}

/// The text is not a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a cursor of a list")]
pub struct ParseCursorError;

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}{:016x}", self.created_at.0, self.row_key)
    }
}

impl FromStr for Cursor {
    type Err = ParseCursorError;

    fn from_str(text: &str) -> Result<Self, ParseCursorError> {
        // `from_str_radix` would also take a sign.
        let digits_only = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let (time, row_key) = text.split_at_checked(16).ok_or(ParseCursorError)?;
        if !digits_only || row_key.len() != 16 {
            return Err(ParseCursorError);
        }
        let number = |part| u64::from_str_radix(part, 16).map_err(|_| ParseCursorError);
        Ok(Self {
            created_at: Timestamp(number(time)?.cast_signed()),
            row_key: number(row_key)?.cast_signed(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text() {
        for (time, row_key) in [
            (0, 0),
            (-1, 1),
            (i64::MAX, i64::MIN),
            (1_700_000_000_000_000, 9),
        ] {
            let cursor = Cursor {
                created_at: Timestamp(time),
                row_key,
            };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
    }

    #[test]
    fn hostile_text_is_no_cursor() {
        let long = "0".repeat(100_000);
        let sign = format!("+{}", "0".repeat(31));
        for text in [
            "",
            "0",
            "zz",
            "0000000000000000é000000000000000",
            &long,
            &sign,
            "' OR 1=1",
        ] {
            assert_eq!(text.parse::<Cursor>(), Err(ParseCursorError));
        }
    }
}
