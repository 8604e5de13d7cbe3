//! The wire format of Protocol Buffers, as far as ONNX needs it
//! (<https://protobuf.dev/programming-guides/encoding/>). Lengths are those of the bytes that are there;
//! nothing is allocated for a length that is only claimed.

use super::ImportError;

/// One field of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) number: u64,
    pub(super) value: Wire<'a>,
}

/// Its value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

/// Reads the fields of a message.
#[derive(Debug, Clone)]
pub(super) struct Message<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Message<'a> {
    pub(super) fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { rest: bytes, what }
    }

    fn bad(&self, reason: &str) -> ImportError {
        ImportError::malformed(self.what, reason)
    }

    /// The next field; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Field<'a>>, ImportError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.take()?)),
            2 => {
                let length = usize::try_from(self.varint()?)
                    .map_err(|_| self.bad("a length is out of range"))?;
                if length > self.rest.len() {
                    return Err(self.bad("a field is longer than the message"));
                }
                let (bytes, rest) = self.rest.split_at(length);
                self.rest = rest;
                Wire::Bytes(bytes)
            }
            5 => Wire::Fixed32(u32::from_le_bytes(self.take()?)),
            _ => return Err(self.bad("a field of unknown type")),
        };
        Ok(Some(Field {
            number: key >> 3,
            value,
        }))
    }

    fn varint(&mut self) -> Result<u64, ImportError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.take()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.bad("a number has too many bytes"))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], ImportError> {
        let Some((bytes, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.bad("it ends in the middle of a field"));
        };
        self.rest = rest;
        Ok(*bytes)
    }
}

impl<'a> Field<'a> {
    /// A message, text or packed list.
    pub(super) fn bytes(&self, what: &str) -> Result<&'a [u8], ImportError> {
        match self.value {
            Wire::Bytes(bytes) => Ok(bytes),
            _ => Err(ImportError::malformed(what, "expected bytes")),
        }
    }

    /// Text.
    pub(super) fn text(&self, what: &str) -> Result<&'a str, ImportError> {
        std::str::from_utf8(self.bytes(what)?).map_err(|_| ImportError::malformed(what, "no UTF-8"))
    }

    /// Whole numbers, one or a packed list.
    pub(super) fn whole(&self, into: &mut Vec<i64>, what: &'static str) -> Result<(), ImportError> {
        match self.value {
            Wire::Varint(value) => into.push(value.cast_signed()),
            Wire::Bytes(bytes) => {
                let mut packed = Message::new(bytes, what);
                while !packed.rest.is_empty() {
                    into.push(packed.varint()?.cast_signed());
                }
            }
            _ => return Err(ImportError::malformed(what, "expected whole numbers")),
        }
        Ok(())
    }

    /// Singles, one or a packed list.
    pub(super) fn singles(&self, into: &mut Vec<f32>, what: &str) -> Result<(), ImportError> {
        match self.value {
            Wire::Fixed32(bits) => into.push(f32::from_bits(bits)),
            Wire::Bytes(bytes) if bytes.len().is_multiple_of(4) => {
                into.extend(
                    bytes
                        .chunks_exact(4)
                        .map(|chunk| f32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]])),
                );
            }
            _ => return Err(ImportError::malformed(what, "expected singles")),
        }
        Ok(())
    }

    /// Doubles, one or a packed list.
    pub(super) fn doubles(&self, into: &mut Vec<f64>, what: &str) -> Result<(), ImportError> {
        match self.value {
            Wire::Fixed64(bits) => into.push(f64::from_bits(bits)),
            Wire::Bytes(bytes) if bytes.len().is_multiple_of(8) => {
                into.extend(bytes.chunks_exact(8).map(|chunk| {
                    let mut raw = [0; 8];
                    raw.copy_from_slice(chunk);
                    f64::from_le_bytes(raw)
                }));
            }
            _ => return Err(ImportError::malformed(what, "expected doubles")),
        }
        Ok(())
    }
}
