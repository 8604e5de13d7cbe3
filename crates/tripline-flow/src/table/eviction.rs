//! Who makes room when the table is full: who was silent for longest.

use std::collections::VecDeque;

use super::{Body, Table};
use crate::flow::EndReason;
use crate::told::Told;

/// The part of the table that is put in order at once.
const PART: usize = 4;

/// Some of the entries in the order in which they were touched, all of them before any other. They
/// are put in order when room is needed: a list that every packet keeps in order costs reads and
/// writes at three more places per packet, whether the table is ever full or not.
#[derive(Debug, Default)]
pub(super) struct Oldest {
    /// When each was touched last by then, and its place.
    queue: VecDeque<(u64, u32)>,
}

impl Table {
    pub(super) fn make_room(&mut self, sequence: u64, out: &mut VecDeque<Told>) {
        while self.used > self.budget {
            let Some(place) = self.oldest() else {
                return;
            };
            let at = place as usize;
            self.end_connection(at, sequence, out);
            if matches!(self.entries[at].body, Body::Vacant | Body::Cut) {
                self.counts.forgotten += 1;
            }
            self.close(at, EndReason::Evicted, Body::Vacant, sequence, out);
            self.remove(place);
        }
    }

    /// The place that was touched longest ago.
    fn oldest(&mut self) -> Option<u32> {
        loop {
            if self.oldest.queue.is_empty() {
                self.put_in_order();
            }
            let (touched, place) = self.oldest.queue.pop_front()?;
            let entry = &self.entries[place as usize];
            // Else it was touched since, or the place is another's now.
            if entry.is_live && entry.touched == touched {
                return Some(place);
            }
        }
    }

    fn put_in_order(&mut self) {
        let places = self.index.iter();
        let mut all: Vec<(u64, u32)> = places
            .map(|place| (self.entries[place as usize].touched, place))
            .collect();
        let count = all.len().div_ceil(PART);
        if count < all.len() {
            all.select_nth_unstable(count);
            all.truncate(count);
        }
        all.sort_unstable();
        self.oldest.queue.clear();
        self.oldest.queue.extend(all);
    }
}

#[cfg(test)]
mod tests {
    use tripline_wire::{Address, Fragment, Packet, Transport, protocol};

    use super::*;
    use crate::meter::MeterConfig;
    use crate::table::{Batch, Routed};
    use crate::told::ToldWhat;
    use crate::{FlowKey, Profile};

    const ENDS: u64 = 40;

    fn packet(time_micros: i64, source_port: u16) -> Packet {
        Packet {
            time_micros,
            source: Address::v4([10, 0, 0, 1]),
            destination: Address::v4([10, 0, 0, 2]),
            source_port,
            destination_port: 53,
            protocol: protocol::UDP,
            version: 4,
            header_bytes: 8,
            payload_bytes: 10,
            captured_payload_bytes: 10,
            ip_payload_bytes: 18,
            frame_bytes: 60,
            transport: Transport::Udp,
            fragment: Fragment::Whole,
        }
    }

    fn evicted(told: &Told) -> Option<u16> {
        let (end, key) = match &told.what {
            ToldWhat::Ended(flow) => (flow.end?, flow.key),
            ToldWhat::Lone(lone) => (lone.end, lone.opening.key),
            ToldWhat::Record(_) | ToldWhat::Young(..) => return None,
        };
        (end == EndReason::Evicted).then_some(key.source_port)
    }

    #[test]
    fn who_was_silent_for_longest_makes_room() {
        let mut table = Table::new(MeterConfig::default(), 0);
        let (mut by_silence, mut out, mut evictions) = (Vec::new(), VecDeque::new(), 0);
        let mut chance = 1_u64;
        for turn in 0..5_000 {
            chance = chance
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let port = (chance >> 33) % ENDS;
            let packets = [packet(turn, port as u16)];
            let routed = Routed {
                key: FlowKey::of(&packets[0], Profile::Fixed),
                position: 0,
                // Some share a hash.
                hash: (port / 3) as u32,
            };
            let batch = Batch {
                packets: &packets,
                first: turn as u64,
                ticks: &[],
            };
            table.observe_batch(&batch, &[routed], &mut out);
            by_silence.retain(|known| *known != port as u16);
            by_silence.push(port as u16);
            for port in out.drain(..).filter_map(|told| evicted(&told)) {
                assert_eq!(by_silence.remove(0), port, "at packet {turn}");
                evictions += 1;
            }
            assert_eq!(table.flows(), by_silence.len());
        }
        assert!(evictions > 1_000, "{evictions}");
    }
}
