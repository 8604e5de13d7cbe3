//! Which TCP segments were seen before.

use tripline_wire::{Packet, Tcp};

use crate::siphash;

/// Segments of one set; looking one up costs at most this many comparisons.
const WAYS: usize = 4;

/// The segments seen last, over all flows of a partition, in fixed memory: 8 bytes each. The
/// original keeps every segment of every flow.
#[derive(Debug)]
pub(crate) struct SegmentMemory {
    sets: Vec<[u64; WAYS]>,
}

impl SegmentMemory {
    pub(crate) fn new(segments: usize) -> Self {
        let sets = (segments / WAYS).next_power_of_two();
        Self {
            sets: vec![[0; WAYS]; sets],
        }
    }

    pub(crate) const fn bytes(segments: usize) -> usize {
        segments * size_of::<u64>()
    }

    /// Reads what [`SegmentMemory::seen`] will read, and nothing else.
    pub(crate) fn fetch(&self, name: u64) -> u64 {
        self.sets.get(self.place(name)).map_or(0, |set| set[0])
    }

    fn place(&self, name: u64) -> usize {
        name as usize & (self.sets.len() - 1)
    }

    /// Remembers a segment by its name; true if it was there before.
    pub(crate) fn seen(&mut self, name: u64) -> bool {
        let place = self.place(name);
        let Some(set) = self.sets.get_mut(place) else {
            return false;
        };
        // The segment used last stands first, the one that is forgotten last.
        match set.iter().position(|known| *known == name) {
            Some(at) => {
                if let Some(front) = set.get_mut(..=at) {
                    front.rotate_right(1);
                }
                true
            }
            None => {
                set.rotate_right(1);
                set[0] = name;
                false
            }
        }
    }
}

/// What tells a segment of a connection from others for the original program: sender, numbers,
/// length and window.
#[inline]
pub(crate) fn name(connection: u64, packet: &Packet, tcp: &Tcp) -> u64 {
    let [first, second] = siphash::words(packet.source.octets());
    let numbers = u64::from(tcp.sequence) << 32 | u64::from(tcp.acknowledgement);
    let name = siphash::hash(
        [connection, u64::from(tcp.window)],
        [first, second, numbers],
        u64::from(packet.payload_bytes) | siphash::length(28),
    );
    // Zero marks an empty place.
    name.max(1)
}
