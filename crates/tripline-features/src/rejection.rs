use serde::{Serialize, Serializer};

/// A row that was not used, with the place and the reason.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rejection {
    /// Line in the file where the row starts, counted from 1.
    pub line: u64,
    /// Column as the file names it, when the reason concerns one field.
    pub column: Option<String>,
    /// Why the row was not used.
    #[serde(serialize_with = "as_text")]
    pub reason: RejectReason,
}

/// Why a row or a field is not used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RejectReason {
    /// More or fewer fields than columns.
    #[error("the row has {found} fields, expected {expected}")]
    FieldCount {
        /// Fields in the row.
        found: usize,
        /// Columns of the file.
        expected: usize,
    },
    /// One field exceeds the field limit.
    #[error("the field is longer than {limit} bytes")]
    FieldTooLong {
        /// Bytes accepted.
        limit: usize,
    },
    /// The row exceeds the record limit.
    #[error("the row is longer than {limit} bytes")]
    RecordTooLong {
        /// Bytes accepted.
        limit: usize,
    },
    /// A quoted field without an end within the limits.
    #[error("a quoted field is never closed")]
    UnclosedQuote,
    /// The header line again, as in concatenated files.
    #[error("the row repeats the header line")]
    RepeatedHeader,
    /// An empty field where a value is required.
    #[error("the field is empty")]
    Empty,
    /// Text where a number is expected.
    #[error("expected a number, found {text:?}")]
    NotANumber {
        /// Start of the text.
        text: String,
    },
    /// NaN or an infinity where a number is required.
    #[error("expected a finite number, found {text:?}")]
    NotFinite {
        /// Start of the text.
        text: String,
    },
    /// A fraction where a whole number is expected.
    #[error("expected a whole number, found {value}")]
    NotAnInteger {
        /// The value.
        value: f64,
    },
    /// A number outside the bounds of the feature.
    #[error("{value} is outside {min} to {max}")]
    OutOfBounds {
        /// The value.
        value: f64,
        /// Smallest accepted value.
        min: f64,
        /// Largest accepted value.
        max: f64,
    },
    /// A name outside the vocabulary.
    #[error("unknown name {text:?}, expected one of {expected}")]
    UnknownCategory {
        /// Start of the text.
        text: String,
        /// The vocabulary, shortened.
        expected: String,
    },
    /// An index outside the vocabulary.
    #[error("index {value} is outside the vocabulary of {size} names (0 to {})", size - 1)]
    CategoryIndex {
        /// The value.
        value: f64,
        /// Size of the vocabulary.
        size: usize,
    },
    /// A JSON array or object, or a boolean where no flag is expected.
    #[error("expected a number, a name or null, found {found}")]
    JsonType {
        /// The JSON type.
        found: &'static str,
    },
}

fn as_text<S: Serializer>(reason: &RejectReason, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(reason)
}

/// The start of hostile text, short enough for a message.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    const SHOWN: usize = 40;
    let shown = &bytes[..bytes.len().min(SHOWN)];
    let mut text = String::from_utf8_lossy(shown).into_owned();
    if bytes.len() > SHOWN {
        text.push('…');
    }
    text
}
