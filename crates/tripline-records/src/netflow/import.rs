//! Files of messages one after the other, as RFC 5655 describes them for IPFIX.

use std::io::{self, ErrorKind, Read};
use std::net::{IpAddr, Ipv4Addr};

use super::sets::{
    FIRST_DATA_SET, IPFIX, IPFIX_HEADER_BYTES, SET_HEADER_BYTES, V9, V9_HEADER_BYTES,
};
use super::{CollectorCounts, CollectorLimits, DatagramOutcome, FlowCollector, v5};
use crate::error::RecordError;
use crate::record::FlowRecord;

/// No message is longer: IPFIX has no room for a larger length, the others come in datagrams.
const MAX_MESSAGE_BYTES: usize = 65_535;

/// Takes a file that consists of messages of v5, v9 or IPFIX, in any mixture.
///
/// A message of v5 is as long as its count says, one of IPFIX as its length says. One of v9 does
/// not say how long it is: it ends where the next number is that of a version, because no set has
/// the numbers 5, 9 and 10.
pub fn import_datagrams<R: Read>(reader: R, limits: CollectorLimits) -> DatagramFile<R> {
    DatagramFile {
        reader,
        buffer: Vec::new(),
        ended: false,
        offset: 0,
        messages: 0,
        collector: FlowCollector::new(limits),
    }
}

/// A file of messages; made by [`import_datagrams`].
#[derive(Debug)]
pub struct DatagramFile<R> {
    reader: R,
    /// Bytes read and not used yet, at most a message.
    buffer: Vec<u8>,
    ended: bool,
    /// Bytes used so far.
    offset: u64,
    messages: u64,
    collector: FlowCollector,
}

impl<R: Read> DatagramFile<R> {
    /// Decodes the next message and adds its records to `out`; `None` at the end.
    ///
    /// All messages count as those of one exporter, and their time of export as that of arrival.
    /// A file that ends inside a message gives what is there and the cause
    /// [`Truncated`](super::Cause::Truncated).
    pub fn next_message(
        &mut self,
        out: &mut Vec<FlowRecord>,
    ) -> Result<Option<DatagramOutcome>, RecordError> {
        self.fill_to(2)?;
        if self.buffer.is_empty() {
            return Ok(None);
        }
        let (length, export_at) = match self.u16_at(0) {
            Some(5) => (self.v5_length()?, 8),
            Some(V9) => (self.v9_length()?, 8),
            Some(IPFIX) => (self.ipfix_length()?, 4),
            _ => return Err(self.refuse("version 5, 9 or 10", self.offset, 0)),
        };
        self.fill_to(length)?;
        let message = self.buffer.get(..length).unwrap_or(&self.buffer);
        let exported = message
            .get(export_at..)
            .and_then(<[u8]>::first_chunk::<4>)
            .map_or(0, |seconds| i64::from(u32::from_be_bytes(*seconds)));
        let exporter = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let outcome = self
            .collector
            .datagram(exporter, message, exported * 1_000_000, out);
        let used = message.len();
        self.buffer.drain(..used);
        self.offset += used as u64;
        self.messages += 1;
        Ok(Some(outcome))
    }

    /// What all messages gave so far.
    pub fn counts(&self) -> &CollectorCounts {
        self.collector.counts()
    }

    /// Bytes of the messages so far.
    pub fn bytes_read(&self) -> u64 {
        self.offset
    }

    fn v5_length(&mut self) -> Result<usize, RecordError> {
        self.fill_to(v5::HEADER_BYTES)?;
        let count = usize::from(self.u16_at(2).unwrap_or_default());
        let length = v5::HEADER_BYTES + count * v5::RECORD_BYTES;
        if length > MAX_MESSAGE_BYTES {
            return Err(self.refuse("at most 1364 records in a message of v5", self.offset, 2));
        }
        Ok(length)
    }

    fn ipfix_length(&mut self) -> Result<usize, RecordError> {
        self.fill_to(IPFIX_HEADER_BYTES)?;
        match self.u16_at(2).map(usize::from) {
            Some(length) if length < IPFIX_HEADER_BYTES => {
                Err(self.refuse("a message of IPFIX of at least 16 bytes", self.offset, 2))
            }
            Some(length) => Ok(length),
            None => Ok(IPFIX_HEADER_BYTES),
        }
    }

    /// Follows the sets to the next version number or the end of the file.
    fn v9_length(&mut self) -> Result<usize, RecordError> {
        let mut length = V9_HEADER_BYTES;
        loop {
            self.fill_to(length + SET_HEADER_BYTES)?;
            let Some(id) = self.u16_at(length) else {
                return Ok(length);
            };
            if matches!(id, 5 | V9 | IPFIX) {
                return Ok(length);
            }
            let Some(set) = self.u16_at(length + 2).map(usize::from) else {
                return Ok(self.buffer.len());
            };
            let is_set = matches!(id, 0 | 1 | FIRST_DATA_SET..) && set >= SET_HEADER_BYTES;
            if !is_set || length + set > MAX_MESSAGE_BYTES {
                let offset = self.offset + length as u64;
                return Err(self.refuse("a set of v9 or the next message", offset, length));
            }
            length += set;
        }
    }

    fn u16_at(&self, at: usize) -> Option<u16> {
        let bytes = self.buffer.get(at..)?.first_chunk::<2>()?;
        Some(u16::from_be_bytes(*bytes))
    }

    fn refuse(&self, expected: &'static str, offset: u64, at: usize) -> RecordError {
        let found = self.buffer.get(at..).unwrap_or_default().iter().take(4);
        let found: Vec<String> = found.map(|byte| format!("{byte:02x}")).collect();
        RecordError::NotNetflow {
            offset,
            messages: self.messages,
            expected,
            found: format!("the bytes {}", found.join(" ")),
        }
    }

    /// Reads until so many bytes are there or the file ends.
    fn fill_to(&mut self, count: usize) -> Result<(), RecordError> {
        while self.buffer.len() < count && !self.ended {
            let missing = (count - self.buffer.len()) as u64;
            match self.read_some(missing) {
                Ok(0) => self.ended = true,
                Ok(_) => {}
                Err(source) => {
                    return Err(RecordError::ReadByte {
                        offset: self.offset + self.buffer.len() as u64,
                        source,
                    });
                }
            }
        }
        Ok(())
    }

    fn read_some(&mut self, count: u64) -> io::Result<usize> {
        loop {
            match self
                .reader
                .by_ref()
                .take(count)
                .read_to_end(&mut self.buffer)
            {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}
