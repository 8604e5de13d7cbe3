//! Zeek's `conn.log`, tab-separated or as JSON lines.

mod conn;
mod header;

use std::io::BufRead;

use crate::error::RecordError;
use crate::lines::{Found, LineReader, MAX_LINE_BYTES};
use crate::record::FlowRecord;
use crate::rejection::{Item, Problem, ReadCounts, Refusal, excerpt_bytes};
use header::{Change, Header};

/// Reads the connections of a Zeek log.
///
/// Repeated headers are those of rotated files that were put together; one that belongs to
/// another log is rejected and the lines below it are skipped.
#[derive(Debug)]
pub struct ZeekReader<R> {
    lines: LineReader<R>,
    format: Format,
    counts: ReadCounts,
}

#[derive(Debug)]
enum Format {
    Tsv(Box<Header>),
    Json,
}

impl<R: BufRead> ZeekReader<R> {
    /// Takes a reader and recognises the format by the first line.
    pub fn new(reader: R) -> Result<Self, RecordError> {
        let mut lines = LineReader::new(reader);
        let found = lines.advance()?;
        let first = lines.line().trim_ascii_start();
        let not_zeek = || RecordError::NotZeek {
            found: excerpt_bytes(first),
        };
        let format = match (found, first.first()) {
            (Found::End, _) => {
                return Err(RecordError::Empty {
                    expected: "a Zeek log",
                });
            }
            (Found::Line, Some(b'#')) => Format::Tsv(Box::new(Header::new())),
            (_, Some(b'{')) => {
                // Suricata also writes JSON lines; this names the mistake once, not per line.
                if conn::is_event(first) {
                    return Err(not_zeek());
                }
                Format::Json
            }
            _ => return Err(not_zeek()),
        };
        lines.keep(found);
        Ok(Self {
            lines,
            format,
            counts: ReadCounts::default(),
        })
    }

    /// The next connection, or a line that cannot be used; `None` at the end.
    pub fn next_record(&mut self) -> Result<Option<Item>, RecordError> {
        loop {
            let result = match self.lines.advance()? {
                Found::End => return Ok(None),
                Found::Line => self.read_line()?,
                Found::TooLong => Some(Err(Refusal::line(Problem::LineTooLong {
                    limit: MAX_LINE_BYTES,
                }))),
            };
            if let Some(result) = result {
                return Ok(Some(self.counts.finish(self.lines.number(), result)));
            }
        }
    }

    /// What was read so far.
    pub fn counts(&self) -> &ReadCounts {
        &self.counts
    }

    /// What a line gives; `None` for directives and for what is skipped.
    fn read_line(&mut self) -> Result<Option<Result<FlowRecord, Refusal>>, RecordError> {
        let line = self.lines.line();
        let header = match &mut self.format {
            Format::Json => {
                let result = conn::read_json(line).transpose();
                self.counts.skipped += u64::from(result.is_none());
                return Ok(result);
            }
            Format::Tsv(header) => header,
        };
        if line.first() == Some(&b'#') {
            return match header.directive(line) {
                Change::None => Ok(None),
                Change::OtherLog { missing } if header.was_complete() => {
                    Ok(Some(Err(Refusal::line(Problem::OtherHeader { missing }))))
                }
                Change::OtherLog { missing } => Err(RecordError::NotConnLog {
                    line: self.lines.number(),
                    missing,
                }),
            };
        }
        if !header.was_complete() {
            return Err(RecordError::NotZeek {
                found: excerpt_bytes(line),
            });
        }
        let fields = header.fields(line);
        self.counts.skipped += u64::from(fields.is_none());
        Ok(fields.map(|fields| fields.and_then(conn::ConnFields::record)))
    }
}

#[cfg(test)]
mod tests;
