//! Which TCP segments were seen before.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;
use tripline_wire::{Address, Packet, Tcp};

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

    /// Remembers a segment of a connection; true if it was there before.
    pub(crate) fn seen(&mut self, connection: u64, packet: &Packet, tcp: &Tcp) -> bool {
        let name = name(connection, packet.source, tcp, packet.payload_bytes);
        let place = name as usize & (self.sets.len() - 1);
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

/// What tells a segment from others for the original program: sender, numbers, length and window.
fn name(connection: u64, source: Address, tcp: &Tcp, payload: u32) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(connection, u64::from(tcp.window));
    hasher.write(source.octets());
    hasher.write_u64(u64::from(tcp.sequence) << 32 | u64::from(tcp.acknowledgement));
    hasher.write_u32(payload);
    // Zero marks an empty place.
    hasher.finish().max(1)
}
