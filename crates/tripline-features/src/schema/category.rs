/// Finds a name of a vocabulary by its bytes without allocating.
///
/// Open addressing over a table four times the vocabulary: a KDD row asks three times.
#[derive(Debug)]
pub(crate) struct CategoryIndex {
    names: &'static [&'static str],
    slots: Vec<u16>,
}

const FREE: u16 = u16::MAX;

impl CategoryIndex {
    pub(crate) fn new(names: &'static [&'static str]) -> Self {
        let mut slots = vec![FREE; (names.len() * 4).next_power_of_two()];
        let mask = slots.len() - 1;
        for (index, name) in names.iter().enumerate() {
            let mut slot = hash(name.as_bytes()) & mask;
            while slots[slot] != FREE {
                slot = (slot + 1) & mask;
            }
            slots[slot] = index as u16;
        }
        Self { names, slots }
    }

    /// Exact spelling first, then without regard to case.
    pub(crate) fn find(&self, text: &[u8]) -> Option<usize> {
        let mask = self.slots.len() - 1;
        let mut slot = hash(text) & mask;
        while self.slots[slot] != FREE {
            let index = usize::from(self.slots[slot]);
            if self.names[index].as_bytes() == text {
                return Some(index);
            }
            slot = (slot + 1) & mask;
        }
        self.names
            .iter()
            .position(|name| name.as_bytes().eq_ignore_ascii_case(text))
    }

    pub(crate) fn names(&self) -> &'static [&'static str] {
        self.names
    }
}

fn hash(text: &[u8]) -> usize {
    // FNV-1a; 16 bytes are enough to tell every name apart and bound the cost of hostile text.
    text.iter()
        .take(16)
        .fold(0x811c_9dc5_u32, |state, byte| {
            (state ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
        })
        .wrapping_mul(0x9e37_79b1) as usize
        >> 12
}
