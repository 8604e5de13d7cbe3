use std::fmt;

use serde::{Serialize, Serializer};

use crate::record::{FlowRecord, Oddities};

/// What a line of a log gives.
pub type Item = Result<FlowRecord, Rejection>;

/// A line that was not used, with the place and the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejection {
    /// Line in the log, counted from 1.
    pub line: u64,
    /// Field as the sensor names it, when the reason concerns one field.
    pub field: Option<&'static str>,
    /// Why the line was not used.
    #[serde(serialize_with = "as_text")]
    pub problem: Problem,
}

/// Why a line or a field is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Something else than expected.
    #[error("expected {expected}, found {found:?}")]
    Unexpected {
        /// What is accepted.
        expected: &'static str,
        /// Start of the text.
        found: String,
    },
    /// A field that has to be there.
    #[error("expected {expected}, found nothing")]
    Missing {
        /// What is accepted.
        expected: &'static str,
    },
    /// More or fewer fields than the header has columns.
    #[error("expected {expected} fields as in the header, found {found}")]
    FieldCount {
        /// Fields in the line.
        found: usize,
        /// Columns of the header.
        expected: usize,
    },
    /// The line exceeds [`MAX_LINE_BYTES`](crate::MAX_LINE_BYTES).
    #[error("expected a line of at most {limit} bytes, found a longer one")]
    LineTooLong {
        /// Bytes accepted.
        limit: usize,
    },
    /// The text exceeds [`MAX_TEXT_BYTES`](crate::MAX_TEXT_BYTES).
    #[error("expected at most {limit} bytes, found {found}")]
    TextTooLong {
        /// Bytes accepted.
        limit: usize,
        /// Bytes found.
        found: usize,
    },
    /// Bytes that are no text.
    #[error("expected UTF-8, found other bytes after {valid} bytes")]
    NotUtf8 {
        /// Bytes of text before.
        valid: usize,
    },
    /// The line is no JSON object.
    #[error("expected a JSON object, found {found:?} ({reason})")]
    BadJson {
        /// Start of the line.
        found: String,
        /// What the JSON reader says.
        reason: String,
    },
    /// A repeated header of a log that is no `conn.log`; the lines below it are skipped.
    #[error("expected the header of a conn.log, found one without the column {missing}")]
    OtherHeader {
        /// The first column that is missing.
        missing: &'static str,
    },
}

/// A problem and the field it concerns.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) field: Option<&'static str>,
    pub(crate) problem: Problem,
}

/// What a reader did so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct ReadCounts {
    /// Lines that gave a record.
    pub records: u64,
    /// Lines that gave a rejection.
    pub rejected: u64,
    /// Lines of other logs or event types.
    pub skipped: u64,
    /// Records with improbable times.
    pub oddities: Oddities,
}

impl ReadCounts {
    /// Counts what a line gave and names the line.
    pub(crate) fn finish(&mut self, line: u64, result: Result<FlowRecord, Refusal>) -> Item {
        match result {
            Ok(record) => {
                self.records += 1;
                self.oddities.check_logged(&record);
                Ok(record)
            }
            Err(Refusal { field, problem }) => {
                self.rejected += 1;
                Err(Rejection {
                    line,
                    field,
                    problem,
                })
            }
        }
    }
}

impl Refusal {
    pub(crate) fn line(problem: Problem) -> Self {
        Self {
            field: None,
            problem,
        }
    }

    pub(crate) fn field(field: &'static str, problem: Problem) -> Self {
        Self {
            field: Some(field),
            problem,
        }
    }

    pub(crate) fn unexpected(field: &'static str, expected: &'static str, found: &str) -> Self {
        let found = excerpt(found);
        Self::field(field, Problem::Unexpected { expected, found })
    }

    pub(crate) fn missing(field: &'static str, expected: &'static str) -> Self {
        Self::field(field, Problem::Missing { expected })
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}", self.line)?;
        if let Some(field) = self.field {
            write!(formatter, ", field {field}")?;
        }
        write!(formatter, ": {}", self.problem)
    }
}

fn as_text<S: Serializer>(problem: &Problem, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(problem)
}

/// The start of hostile text, at most sixty characters.
pub(crate) fn excerpt(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        None => text.to_owned(),
        Some(_) => {
            let mut short: String = text.chars().take(SHOWN - 1).collect();
            short.push('…');
            short
        }
    }
}

/// The start of hostile bytes, at most sixty characters.
pub(crate) fn excerpt_bytes(bytes: &[u8]) -> String {
    // A character takes at most four bytes.
    const ENOUGH: usize = 61 * 4;
    excerpt(&String::from_utf8_lossy(
        bytes.get(..ENOUGH).unwrap_or(bytes),
    ))
}
