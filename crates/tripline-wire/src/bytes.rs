//! Reading fields from the front of a slice, without a way to panic.

/// What is left of a frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl Bytes<'_> {
    pub(crate) fn len(self) -> usize {
        self.0.len()
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(crate) fn skip(&mut self, count: usize) -> Option<()> {
        self.0 = self.0.get(count..)?;
        Some(())
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// A byte that stays where it is.
    pub(crate) fn peek(self, at: usize) -> Option<u8> {
        self.0.get(at).copied()
    }

    /// Two bytes that stay where they are.
    pub(crate) fn peek_u16(self, at: usize) -> Option<u16> {
        let end = at.checked_add(2)?;
        match self.0.get(at..end)? {
            [high, low] => Some(u16::from_be_bytes([*high, *low])),
            _ => None,
        }
    }

    /// At most the first bytes.
    pub(crate) fn first(self, count: usize) -> Self {
        Self(self.0.get(..count).unwrap_or(self.0))
    }
}
