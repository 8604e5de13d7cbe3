use std::io::{self, Read};

use super::{MAX_RECORD_BYTES, input::Input};

/// How much is asked from the reader at once.
const READ_BYTES: usize = 256 << 10;

/// A window over the input that never holds more than one record and one read.
pub(super) struct Buffer<'r> {
    input: Input<'r>,
    bytes: Vec<u8>,
    /// Where what was last consumed begins.
    taken: usize,
    start: usize,
    end: usize,
}

impl<'r> Buffer<'r> {
    pub(super) fn new(input: Input<'r>) -> Self {
        Self {
            input,
            bytes: vec![0; READ_BYTES],
            taken: 0,
            start: 0,
            end: 0,
        }
    }

    pub(super) fn input(&self) -> &Input<'r> {
        &self.input
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// What is read and not consumed.
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Reads until that many bytes are there; false where the input ends before.
    pub(super) fn fill_to(&mut self, count: usize) -> io::Result<bool> {
        debug_assert!(count <= MAX_RECORD_BYTES + READ_BYTES);
        while self.end - self.start < count {
            if self.start + count > self.bytes.len() {
                self.bytes.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
                if count > self.bytes.len() {
                    self.bytes.resize(count.next_multiple_of(READ_BYTES), 0);
                }
            }
            let Some(free) = self.bytes.get_mut(self.end..) else {
                return Ok(false);
            };
            match self.input.read(free) {
                Ok(0) => return Ok(false),
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Moves behind bytes that are there.
    pub(super) fn consume(&mut self, count: usize) {
        self.taken = self.start;
        self.start = (self.start + count).min(self.end);
    }

    /// Moves behind bytes without holding them; false where the input ends before.
    pub(super) fn skip(&mut self, mut count: u64) -> io::Result<bool> {
        loop {
            let here = (self.end - self.start) as u64;
            if count <= here {
                self.consume(count as usize);
                return Ok(true);
            }
            count -= here;
            self.start = 0;
            self.end = 0;
            if !self.fill_to(1)? {
                return Ok(false);
            }
        }
    }

    /// A part of what was last consumed, counted from its beginning.
    pub(super) fn taken(&self, start: usize, count: usize) -> &[u8] {
        let start = self.taken + start;
        self.bytes.get(start..start + count).unwrap_or_default()
    }
}
