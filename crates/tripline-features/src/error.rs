use std::fmt::Write;
use std::io;

use crate::rejection::RejectReason;

/// Everything that stops a file, an object or stored bytes as a whole.
///
/// A bad row is not an error: it becomes a [`crate::Rejection`] and reading goes on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FeatureError {
    /// Not a single non-blank line.
    #[error("the file is empty: expected a header line naming the columns, or NSL-KDD rows")]
    EmptyFile,
    /// A header line without a single column name.
    #[error("the header line names no column")]
    NoColumns,
    /// Bytes that are not a text file.
    #[error("the file is not CSV text: {what} at byte {offset}")]
    NotText {
        /// What the bytes look like.
        what: &'static str,
        /// Where the first tell-tale byte is.
        offset: u64,
    },
    /// UTF-16 text, as some spreadsheets write it.
    #[error(
        "the file is UTF-16 ({order}-endian) text: save it again as \"CSV UTF-8\" and upload that"
    )]
    Utf16 {
        /// `little` or `big`.
        order: &'static str,
    },
    /// The columns are recognised only when split by a delimiter that is not supported.
    #[error(
        "the columns are separated by {found:?}: export the file again with commas (semicolon, tab and vertical bar are also read)"
    )]
    WrongDelimiter {
        /// The separator that makes the header readable.
        found: char,
    },
    /// The header has more columns than are accepted.
    #[error("the header line has {found} columns, at most {limit} are accepted")]
    TooManyColumns {
        /// Columns counted.
        found: usize,
        /// Columns accepted.
        limit: usize,
    },
    /// The header line does not fit the record limit.
    #[error("the header line is longer than {limit} bytes")]
    HeaderTooLong {
        /// Bytes accepted.
        limit: usize,
    },
    /// No schema covers enough of the columns.
    #[error(
        "the columns match no known schema: nearest is {nearest} with {matched} of its columns; missing {}; not recognised {}",
        listed(missing),
        listed(unknown)
    )]
    NoSchema {
        /// The schema that covers most columns.
        nearest: &'static str,
        /// How many of its features are there.
        matched: usize,
        /// Its features that are not there.
        missing: Vec<String>,
        /// Columns that it does not know.
        unknown: Vec<String>,
    },
    /// One field of a JSON object cannot be used.
    #[error("{column:?}: {reason}")]
    Rejected {
        /// The key as it was sent.
        column: String,
        /// Why it cannot be used.
        reason: RejectReason,
    },
    /// Stored bytes are not an encoded feature vector of this schema.
    #[error("stored feature vector is damaged: {problem}")]
    Encoding {
        /// What is wrong with the bytes.
        problem: &'static str,
    },
    /// Text that is not a schema fingerprint.
    #[error("a schema fingerprint is 64 hexadecimal digits")]
    Fingerprint,
    /// The underlying reader failed.
    #[error("reading failed")]
    Io(#[from] io::Error),
}

/// A hostile header can name thousands of columns, so a message lists only the first few.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 8;
    if names.is_empty() {
        return "none".to_owned();
    }
    let mut text = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("{:?}", name.chars().take(40).collect::<String>()))
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > SHOWN {
        // Writing to a string cannot fail.
        let _ = write!(text, " and {} more", names.len() - SHOWN);
    }
    text
}
