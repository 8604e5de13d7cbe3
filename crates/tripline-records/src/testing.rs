//! What several tests need.

/// SplitMix64: the same mutations in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// A copy with some bytes changed, put in, taken out or cut off.
    pub(crate) fn mutate(&mut self, original: &[u8]) -> Vec<u8> {
        const TELLING: [u8; 8] = [0, 1, 4, 0x7f, 0x80, 0xff, b'\t', b'"'];
        let mut bytes = original.to_vec();
        for _ in 0..=self.below(4) {
            if bytes.is_empty() {
                break;
            }
            let at = self.below(bytes.len());
            match self.below(6) {
                0 => bytes[at] = self.next() as u8,
                1 | 2 => bytes[at] = TELLING[self.below(TELLING.len())],
                3 => bytes.insert(at, self.next() as u8),
                4 => _ = bytes.remove(at),
                _ => bytes.truncate(at),
            }
        }
        bytes
    }
}
