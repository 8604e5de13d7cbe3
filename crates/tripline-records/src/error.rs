use std::io;

/// Why an input cannot be read, or not further.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Nothing to read.
    #[error("the input is empty: expected {expected}")]
    Empty {
        /// What was expected.
        expected: &'static str,
    },
    /// The first line is that of no Zeek log.
    #[error(
        "this is no Zeek log: expected a line that starts with #separator or #fields, or a JSON \
         object, found {found:?}"
    )]
    NotZeek {
        /// Start of the first line.
        found: String,
    },
    /// A Zeek log, but not of connections.
    #[error("this is no conn.log: line {line} lacks the column {missing}")]
    NotConnLog {
        /// Line of the header.
        line: u64,
        /// The first column that is missing.
        missing: &'static str,
    },
    /// The first line is that of no EVE log.
    #[error(
        "this is no EVE log of Suricata: expected a JSON object with event_type, found {found:?}"
    )]
    NotEve {
        /// Start of the first line.
        found: String,
    },
    /// Bytes that are no message of a known version.
    #[error(
        "no NetFlow message at byte {offset}, after {messages} messages: expected {expected}, \
         found {found}"
    )]
    NotNetflow {
        /// Place in the file.
        offset: u64,
        /// Messages read until then.
        messages: u64,
        /// What was expected.
        expected: &'static str,
        /// What was found.
        found: String,
    },
    /// A log could not be read further.
    #[error("the log could not be read further after line {line}")]
    ReadLine {
        /// Lines read until then.
        line: u64,
        /// What the reader said.
        source: io::Error,
    },
    /// A file of datagrams could not be read further.
    #[error("the file could not be read further after byte {offset}")]
    ReadByte {
        /// Bytes read until then.
        offset: u64,
        /// What the reader said.
        source: io::Error,
    },
}
