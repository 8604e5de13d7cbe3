//! Lines of hostile text in bounded memory.

use std::io::{self, BufRead, ErrorKind};

use crate::error::RecordError;

/// The longest line that is read; longer ones are rejected and skipped.
pub const MAX_LINE_BYTES: usize = 1 << 20;

/// Reads lines without their ends.
#[derive(Debug)]
pub(crate) struct LineReader<R> {
    reader: R,
    buffer: Vec<u8>,
    number: u64,
    /// The line in the buffer is asked for again.
    kept: Option<Found>,
}

/// What the next line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    End,
    Line,
    TooLong,
}

impl<R: BufRead> LineReader<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self {
            reader,
            buffer: Vec::new(),
            number: 0,
            kept: None,
        }
    }

    /// Number of the current line, counted from 1.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The current line, or the beginning of one that is too long.
    pub(crate) fn line(&self) -> &[u8] {
        &self.buffer
    }

    /// Makes [`advance`](Self::advance) give the current line once more.
    pub(crate) fn keep(&mut self, found: Found) {
        self.kept = Some(found);
    }

    /// Goes to the next line that is not blank.
    pub(crate) fn advance(&mut self) -> Result<Found, RecordError> {
        if let Some(found) = self.kept.take() {
            return Ok(found);
        }
        loop {
            let found = self.read_line().map_err(|source| RecordError::ReadLine {
                line: self.number,
                source,
            })?;
            if found != Found::End {
                self.number += 1;
                if self.number == 1 && self.buffer.starts_with(b"\xef\xbb\xbf") {
                    self.buffer.drain(..3);
                }
            }
            if found != Found::Line || !self.buffer.trim_ascii().is_empty() {
                return Ok(found);
            }
        }
    }

    fn read_line(&mut self) -> io::Result<Found> {
        self.buffer.clear();
        let mut too_long = false;
        let mut any = false;
        loop {
            let available = match self.reader.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if available.is_empty() {
                if !any {
                    return Ok(Found::End);
                }
                break;
            }
            any = true;
            let end = memchr::memchr(b'\n', available);
            let part = available
                .get(..end.unwrap_or(available.len()))
                .unwrap_or(available);
            if part.len() > MAX_LINE_BYTES - self.buffer.len() {
                too_long = true;
            }
            if !too_long {
                self.buffer.extend_from_slice(part);
            }
            let consumed = part.len() + usize::from(end.is_some());
            self.reader.consume(consumed);
            if end.is_some() {
                break;
            }
        }
        if self.buffer.last() == Some(&b'\r') {
            self.buffer.pop();
        }
        Ok(if too_long {
            Found::TooLong
        } else {
            Found::Line
        })
    }
}

#[cfg(test)]
mod tests;
