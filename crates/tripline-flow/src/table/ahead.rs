//! Reading ahead.
//!
//! With many flows, what a packet needs is in no cache: its place in the index says where its entry
//! is, and that where its flow is. Each of these steps is taken for some packets together, so that
//! their reads wait beside and not behind each other.

use std::hint::black_box;

use tripline_wire::Transport;

use super::{Batch, Body, Routed, Table};
use crate::segments;

/// Packets that are read ahead together.
pub(super) const AHEAD: usize = 16;

/// Where the entry of a packet is likely to be, and the likely name of its segment with the number
/// of the connection for which that is its name.
pub(super) type Likely = (Option<u32>, Option<(u64, u64)>);

impl Table {
    /// Reads what taking the packets will read.
    pub(super) fn fetch(&self, batch: &Batch<'_>, route: &[Routed]) -> [Likely; AHEAD] {
        let mut ahead: [Likely; AHEAD] = [(None, None); AHEAD];
        let mut read = 0;
        for ((place, _), routed) in ahead.iter_mut().zip(route) {
            *place = self.index.find(routed.hash, |_| true);
        }
        for ((place, _), _) in ahead.iter().zip(route) {
            if let Some(place) = place {
                let entry = &self.entries[*place as usize];
                read ^= entry.touched
                    ^ u64::from(entry.hash)
                    ^ u64::from(entry.key.protocol)
                    ^ entry
                        .connection
                        .map_or(0, |connection| connection.last_micros() as u64);
            }
        }
        black_box(read);
        for ((place, segment), routed) in ahead.iter_mut().zip(route) {
            let packet = &batch.packets[routed.position as usize];
            let entry = place.map(|place| &self.entries[place as usize]);
            if let Some(entry) = entry
                && let Body::Flow(flow) = &entry.body
            {
                let direction = if packet.source == entry.key.source {
                    &flow.forward
                } else {
                    &flow.backward
                };
                read ^= flow.last_micros as u64
                    ^ flow.activity_end as u64
                    ^ u64::from(flow.flags[0])
                    ^ u64::from(flow.lengths.count())
                    ^ u64::from(flow.gaps.count())
                    ^ flow.forward.bulk.last as u64
                    ^ flow.backward.bulk.last as u64
                    ^ direction.last_micros as u64
                    ^ direction.gaps.sum() as u64
                    ^ u64::from(direction.lengths.count());
            }
            if let (Some(segments), Transport::Tcp(tcp)) = (&self.segments, packet.transport) {
                let first = batch.first + u64::from(routed.position);
                let chain = entry.map_or(first, |entry| entry.chain);
                let name = segments::name(chain, packet, &tcp);
                read ^= segments.fetch(name);
                *segment = Some((chain, name));
            }
        }
        black_box(read);
        ahead
    }
}
