//! Identifiers. A verdict's identifier is made of its place, not drawn at random:
//!
//! ```text
//! bits 127..100  the stream's number (28 bits)
//! bits  99..80   sequence, bits 34..15
//! bits  79..76   1000, the version of a UUIDv8
//! bits  75..64   sequence, bits 14..3
//! bits  63..62   10, the variant of RFC 9562
//! bits  61..59   sequence, bits 2..0
//! bits  58..0    check bits: a hash of the stream's key and the sequence
//! ```
//!
//! Stream and sequence give the row's key in a table that only grows at its end, so no index on
//! random identifiers is needed. The check bits depend on the stream's key, which is a UUID: the
//! identifiers of two installations do not collide although both count their streams from one,
//! and a made-up identifier is not found rather than answered with some other row.

use std::{fmt, str::FromStr};

use thiserror::Error;
use uuid::Uuid;

use crate::{Result, StoreError};

const SEQUENCE_BITS: u32 = 35;
const STREAM_BITS: u32 = 28;
const CHECK_BITS: u32 = 59;

/// The highest sequence number of a stream.
pub const MAX_SEQUENCE: u64 = (1 << SEQUENCE_BITS) - 1;

/// The text is not a UUID of the expected kind, so nothing stored has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not an identifier of a stored {what}")]
pub struct ParseIdError {
    /// What kind of thing was looked for.
    pub what: &'static str,
}

/// Names a batch: an upload, or any other stream of verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(Uuid);

impl BatchId {
    /// Takes the sixteen bytes of a UUID as they are.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// Makes a version 4 UUID of sixteen random bytes.
    pub fn from_random_bytes(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// The sixteen bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(formatter)
    }
}

impl FromStr for BatchId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        Uuid::try_parse(text)
            .map(Self)
            .map_err(|_| ParseIdError { what: "batch" })
    }
}

/// Names a verdict; see the [module](crate::VerdictId) on what it is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VerdictId(Uuid);

impl VerdictId {
    fn new(key: BatchId, place: Place) -> Self {
        let stream = u128::from(place.stream);
        let sequence = u128::from(place.sequence);
        let check = u128::from(check_bits(key, place.sequence));
        Self(Uuid::from_u128(
            stream << 100
                | (sequence >> 15) << 80
                | 0x8 << 76
                | ((sequence >> 3) & 0xfff) << 64
                | 0b10 << 62
                | (sequence & 0b111) << CHECK_BITS
                | check,
        ))
    }

    /// The place it speaks of; whether there is such a stream, and the check bits are right, only
    /// the store knows.
    pub(crate) fn place(self) -> Place {
        let bits = self.0.as_u128();
        let stream = (bits >> 100) as u32;
        let high = (bits >> 80) as u64 & 0xf_ffff;
        let middle = (bits >> 64) as u64 & 0xfff;
        let low = (bits >> CHECK_BITS) as u64 & 0b111;
        Place {
            stream,
            sequence: high << 15 | middle << 3 | low,
        }
    }

    /// Takes the sixteen bytes of an identifier as they were given.
    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The sixteen bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for VerdictId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(formatter)
    }
}

impl FromStr for VerdictId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let unknown = ParseIdError { what: "verdict" };
        let uuid = Uuid::try_parse(text).map_err(|_| unknown)?;
        let right_kind =
            uuid.get_version_num() == 8 && uuid.get_variant() == uuid::Variant::RFC4122;
        right_kind.then_some(Self(uuid)).ok_or(unknown)
    }
}

/// A sequence of verdicts that the store has allotted a number to. The pair of stream and
/// sequence number is what makes a repeated write harmless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stream {
    pub(crate) number: u32,
    pub(crate) key: BatchId,
}

impl Stream {
    pub(crate) fn new(number: i64, key: BatchId) -> Result<Self> {
        match u32::try_from(number) {
            Ok(number) if number >> STREAM_BITS == 0 => Ok(Self { number, key }),
            _ => Err(StoreError::invalid("stream number", number, "below 2^28")),
        }
    }

    /// The key under which the stream was opened; for an upload, its batch.
    pub fn key(self) -> BatchId {
        self.key
    }

    /// The identifier that the verdict at `sequence` has, or will have once it is stored.
    /// Only the lower 35 bits of the sequence number count; [`Store::append`](crate::Store::append)
    /// refuses higher ones.
    pub fn verdict_id(self, sequence: u64) -> VerdictId {
        VerdictId::new(
            self.key,
            Place {
                stream: self.number,
                sequence: sequence & MAX_SEQUENCE,
            },
        )
    }
}

/// Where a verdict stands: the row key of the table of verdicts, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) stream: u32,
    pub(crate) sequence: u64,
}

impl Place {
    pub(crate) fn row_key(self) -> i64 {
        i64::from(self.stream) << SEQUENCE_BITS | self.sequence as i64
    }

    pub(crate) fn from_row_key(row_key: i64) -> Self {
        Self {
            stream: (row_key >> SEQUENCE_BITS) as u32,
            sequence: row_key as u64 & MAX_SEQUENCE,
        }
    }

    /// First and last row key of a stream.
    pub(crate) fn span(stream: u32) -> (i64, i64) {
        let first = Self {
            stream,
            sequence: 0,
        };
        let last = Self {
            stream,
            sequence: MAX_SEQUENCE,
        };
        (first.row_key(), last.row_key())
    }
}

/// Two rounds of the `SplitMix64` finaliser over the key's halves and the sequence number: not a
/// secret, only a number that nobody hits by counting.
fn check_bits(key: BatchId, sequence: u64) -> u64 {
    let (high, low) = key.0.as_u64_pair();
    mix(mix(high ^ sequence).wrapping_add(low)) >> (64 - CHECK_BITS)
}

fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(stream: u32, sequence: u64) {
        let stream = Stream {
            number: stream,
            key: BatchId::from_random_bytes([7; 16]),
        };
        let id = stream.verdict_id(sequence);
        assert_eq!(
            id.place(),
            Place {
                stream: stream.number,
                sequence
            }
        );
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(Place::from_row_key(id.place().row_key()), id.place());
        assert!(id.place().row_key() >= 0);
    }

    #[test]
    fn an_identifier_carries_its_place() {
        for stream in [0, 1, 2, 0xfff_ffff] {
            for sequence in [0, 1, 7, 8, 0x7fff, 0x8000, 123_456_789, MAX_SEQUENCE] {
                check(stream, sequence);
            }
        }
    }

    #[test]
    fn other_keys_give_other_identifiers() {
        let one = Stream {
            number: 1,
            key: BatchId::from_random_bytes([1; 16]),
        };
        let two = Stream {
            number: 1,
            key: BatchId::from_random_bytes([2; 16]),
        };
        assert_ne!(one.verdict_id(5), two.verdict_id(5));
    }

    #[test]
    fn hostile_text_is_no_identifier() {
        let random = BatchId::from_random_bytes([9; 16]).to_string();
        for text in [
            "",
            "x",
            "17",
            "../../etc/passwd",
            "' OR 1=1 --",
            random.as_str(),
        ] {
            assert!(text.parse::<VerdictId>().is_err(), "{text}");
        }
    }
}
