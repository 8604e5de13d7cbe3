//! Splits a byte stream into records and records into fields.

use std::io::{self, Read};
use std::ops::Range;

use memchr::{memchr, memchr_iter, memchr2};

use super::CsvLimits;
use crate::rejection::RejectReason;

const CHUNK: usize = 256 * 1024;

/// Reads records into one buffer that never exceeds the record limit and a chunk.
#[derive(Debug)]
pub(super) struct RecordReader<R> {
    reader: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes after `start` that are known to hold neither a line end nor a quote.
    scanned: usize,
    at_end: bool,
    line: u64,
    bytes_read: u64,
    delimiter: u8,
    limits: CsvLimits,
}

#[derive(Debug)]
pub(super) enum Next {
    Record(Record),
    Refused { line: u64, reason: RejectReason },
    End,
}

/// Where a record lies in the buffer; valid until the next record is read.
#[derive(Debug)]
pub(super) struct Record {
    range: Range<usize>,
    pub(super) line: u64,
    pub(super) quoted: bool,
}

/// Where a record ends, counted from its first byte.
enum End {
    At { length: usize, quoted: bool },
    Unknown,
    Refused(RejectReason),
}

impl<R: Read> RecordReader<R> {
    pub(super) fn new(reader: R, limits: CsvLimits) -> Self {
        Self {
            reader,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            scanned: 0,
            at_end: false,
            line: 1,
            bytes_read: 0,
            delimiter: b',',
            limits,
        }
    }

    /// The first bytes of the stream, as many as fit a chunk.
    pub(super) fn peek(&mut self) -> io::Result<&[u8]> {
        while !self.at_end && self.end < CHUNK / 4 {
            self.fill()?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    pub(super) fn skip(&mut self, bytes: usize) {
        self.start += bytes;
        self.scanned = 0;
    }

    /// Makes a record that was just read the next one again.
    pub(super) fn put_back(&mut self, record: &Record) {
        self.start = record.range.start;
        self.line = record.line;
        self.scanned = 0;
    }

    /// The next record that is not blank.
    pub(super) fn next(&mut self) -> io::Result<Next> {
        loop {
            let data = &self.buffer[self.start..self.end];
            match find_end(
                data,
                self.scanned,
                self.delimiter,
                &self.limits,
                self.at_end,
            ) {
                End::At { length, quoted } => {
                    let record = self.take(length, quoted);
                    if !self.bytes(&record).trim_ascii().is_empty() {
                        return Ok(Next::Record(record));
                    }
                    if self.at_end && self.start == self.end {
                        return Ok(Next::End);
                    }
                }
                End::Unknown => {
                    self.scanned = data.len();
                    self.fill()?;
                }
                End::Refused(reason) => return self.refuse(reason),
            }
        }
    }

    fn take(&mut self, length: usize, quoted: bool) -> Record {
        let line = self.line;
        let start = self.start;
        let mut end = start + length;
        if quoted {
            self.line += memchr_iter(b'\n', &self.buffer[start..end]).count() as u64;
        }
        self.line += 1;
        self.start = (end + 1).min(self.end);
        self.scanned = 0;
        if end > start && self.buffer[end - 1] == b'\r' {
            end -= 1;
        }
        Record {
            range: start..end,
            line,
            quoted,
        }
    }

    /// Gives up the record and resumes at the line after its first one: a quote that is never
    /// closed must not swallow the rows that follow.
    fn refuse(&mut self, reason: RejectReason) -> io::Result<Next> {
        let line = self.line;
        loop {
            if let Some(length) = memchr(b'\n', &self.buffer[self.start..self.end]) {
                self.skip(length + 1);
                self.line += 1;
                break;
            }
            self.skip(self.end - self.start);
            if self.at_end {
                break;
            }
            self.fill()?;
        }
        Ok(Next::Refused { line, reason })
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.buffer.len() < self.end + CHUNK / 2 {
            // Exactly: doubling would take more than the record limit and a chunk or two.
            let size = self.end + CHUNK;
            self.buffer.reserve_exact(size - self.buffer.len());
            self.buffer.resize(size, 0);
        }
        loop {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.at_end = true,
                Ok(count) => {
                    self.end += count;
                    self.bytes_read += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            return Ok(());
        }
    }
}

impl<R> RecordReader<R> {
    pub(super) fn bytes(&self, record: &Record) -> &[u8] {
        &self.buffer[record.range.clone()]
    }

    pub(super) fn delimiter(&self) -> u8 {
        self.delimiter
    }

    pub(super) fn set_delimiter(&mut self, delimiter: u8) {
        self.delimiter = delimiter;
    }

    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.buffer.capacity()
    }
}

fn find_end(data: &[u8], scanned: usize, delimiter: u8, limits: &CsvLimits, at_end: bool) -> End {
    let limit = limits.max_record_bytes;
    let end = match memchr2(b'\n', b'"', &data[scanned..]).map(|offset| scanned + offset) {
        Some(offset) if data[offset] == b'"' => {
            return find_quoted_end(data, delimiter, limits, at_end);
        }
        Some(offset) => offset,
        None if data.len() > limit => data.len(),
        None if at_end => data.len(),
        None => return End::Unknown,
    };
    if end > limit {
        End::Refused(RejectReason::RecordTooLong { limit })
    } else {
        End::At {
            length: end,
            quoted: false,
        }
    }
}

fn find_quoted_end(data: &[u8], delimiter: u8, limits: &CsvLimits, at_end: bool) -> End {
    let limit = limits.max_record_bytes;
    let mut position = 0;
    let mut field_start = true;
    while position < data.len() {
        if position > limit {
            return End::Refused(RejectReason::RecordTooLong { limit });
        }
        match data[position] {
            b'"' if field_start => match closing_quote(&data[position + 1..], limits, at_end) {
                Some(Ok(length)) => position += 1 + length,
                Some(Err(reason)) => return End::Refused(reason),
                None if at_end => return End::Refused(RejectReason::UnclosedQuote),
                None if data.len() > limit => {
                    return End::Refused(RejectReason::RecordTooLong { limit });
                }
                None => return End::Unknown,
            },
            b'\n' => {
                return End::At {
                    length: position,
                    quoted: true,
                };
            }
            _ => {}
        }
        field_start = data[position] == delimiter;
        position += 1;
    }
    if data.len() > limit {
        End::Refused(RejectReason::RecordTooLong { limit })
    } else if at_end {
        End::At {
            length: data.len(),
            quoted: true,
        }
    } else {
        End::Unknown
    }
}

/// The offset of the quote that ends a quoted field; `None` if it is not in the data yet.
fn closing_quote(
    data: &[u8],
    limits: &CsvLimits,
    at_end: bool,
) -> Option<Result<usize, RejectReason>> {
    let limit = limits.max_field_bytes;
    let window = &data[..data.len().min(limit + 1)];
    let mut from = 0;
    while let Some(offset) = memchr(b'"', &window[from..]) {
        let quote = from + offset;
        match data.get(quote + 1) {
            Some(b'"') => from = quote + 2,
            // The byte after the quote decides whether it is doubled, unless the file ends here.
            None if !at_end => return None,
            _ => return Some(Ok(quote)),
        }
        if from > window.len() {
            break;
        }
    }
    if data.len() <= limit + 1 {
        return None;
    }
    let reason = if memchr(b'\n', window).is_some() {
        RejectReason::UnclosedQuote
    } else {
        RejectReason::FieldTooLong { limit }
    };
    Some(Err(reason))
}

/// The fields of a record without quotes.
pub(super) struct Fields<'a> {
    rest: Option<&'a [u8]>,
    delimiter: u8,
}

impl<'a> Fields<'a> {
    pub(super) fn new(record: &'a [u8], delimiter: u8) -> Self {
        Self {
            rest: Some(record),
            delimiter,
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        // Fields are a few bytes long: a plain loop beats a vectorised search.
        match rest.iter().position(|byte| *byte == self.delimiter) {
            Some(length) => {
                self.rest = Some(&rest[length + 1..]);
                Some(&rest[..length])
            }
            None => {
                self.rest = None;
                Some(rest)
            }
        }
    }
}

/// The fields of a record with quotes, after removing them.
#[derive(Debug, Default)]
pub(super) struct Unquoted {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Unquoted {
    pub(super) fn split(&mut self, record: &[u8], delimiter: u8) {
        self.text.clear();
        self.ends.clear();
        let mut quoted = false;
        let mut field_start = true;
        let mut bytes = record.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            if quoted {
                if byte != b'"' {
                    self.text.push(byte);
                } else if bytes.peek() == Some(&b'"') {
                    bytes.next();
                    self.text.push(b'"');
                } else {
                    quoted = false;
                }
            } else if byte == delimiter {
                self.ends.push(self.text.len());
                field_start = true;
                continue;
            } else if byte == b'"' && field_start {
                quoted = true;
            } else {
                self.text.push(byte);
            }
            field_start = false;
        }
        self.ends.push(self.text.len());
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, end)| &self.text[start..*end])
    }
}
