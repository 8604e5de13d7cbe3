//! What is known of one tree: answers to its questions → leaf value and contributions.

/// Ways of a set.
const WAYS: usize = 2;

/// A set-associative cache of bounded size. A set gives up the entry that was not used last, so
/// rows made to collide cost at most what they would cost without a memo.
#[derive(Debug, Clone)]
pub(super) struct Memo {
    sets: usize,
    /// Numbers per entry.
    stride: usize,
    /// Per place the complement of its word, 0 when free: memory that starts as zeros costs
    /// nothing until it is used. Words have a bit to spare, so that no complement is 0.
    keys: Vec<u64>,
    /// Per set the way that was used last.
    recent: Vec<u8>,
    entries: Vec<f64>,
}

impl Memo {
    /// An empty memo for entries of `stride` numbers in about `bytes` of memory.
    pub(super) fn new(stride: usize, bytes: usize) -> Self {
        let set_bytes = WAYS * (8 + stride * 8) + 1;
        let sets = (bytes / set_bytes).clamp(1, 1 << 16);
        Self {
            // The largest power of two that fits.
            sets: 1 << sets.ilog2(),
            stride,
            keys: Vec::new(),
            recent: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// Reads what [`Memo::entry`] will read for some words, and nothing else: the reads do not wait
    /// for each other, as they would between the additions that follow a look-up.
    pub(super) fn fetch(&mut self, words: &[u64]) {
        if self.keys.is_empty() {
            self.keys = vec![0; self.sets * WAYS];
            self.recent = vec![0; self.sets];
            self.entries = vec![0.0; self.sets * WAYS * self.stride];
        }
        let mut read = 0;
        for word in words {
            let first = self.set_of(*word) * WAYS;
            let way = usize::from(self.keys[first + 1] == !*word);
            let at = (first + way) * self.stride;
            read ^= self.entries[at].to_bits() ^ self.entries[at + self.stride - 1].to_bits();
        }
        std::hint::black_box(read);
    }

    fn set_of(&self, word: u64) -> usize {
        // Fibonacci hashing: its upper bits depend on all bits of the word.
        let hash = word.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        hash as usize & (self.sets - 1)
    }

    /// The entry of a word that was fetched; `fill` writes one that is not known. What an entry held before is
    /// left in it for `fill` to overwrite.
    #[inline]
    pub(super) fn entry(&mut self, word: u64, fill: impl FnOnce(&mut [f64])) -> &[f64] {
        let set = self.set_of(word);
        let first = set * WAYS;
        let way = if self.keys[first] == !word {
            0
        } else if self.keys[first + 1] == !word {
            1
        } else {
            let way = 1 - usize::from(self.recent[set]);
            self.keys[first + way] = !word;
            let at = (first + way) * self.stride;
            fill(&mut self.entries[at..at + self.stride]);
            way
        };
        self.recent[set] = way as u8;
        let at = (first + way) * self.stride;
        &self.entries[at..at + self.stride]
    }
}
