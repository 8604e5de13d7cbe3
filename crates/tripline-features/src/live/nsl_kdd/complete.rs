//! Window features of flows whose last connection is complete.

use hashbrown::HashTable;
use tripline_flow::FlowId;

use crate::windows::WindowCounts;

/// Flows that are taken from memory at once.
const CHUNK: usize = 1024;

/// Counts by flow. The table holds numbers only and the counts never move, so that growing with a
/// flood copies no counts and never holds them twice.
#[derive(Debug, Default)]
pub(super) struct Complete {
    places: HashTable<u32>,
    chunks: Vec<Vec<(FlowId, WindowCounts)>>,
    free: Vec<u32>,
}

impl Complete {
    pub(super) fn get(&self, flow: FlowId) -> Option<WindowCounts> {
        let chunks = &self.chunks;
        let place = self.places.find(hash(flow), is_of(chunks, flow))?;
        Some(at(chunks, *place)?.1)
    }

    pub(super) fn insert(&mut self, flow: FlowId, counts: WindowCounts) {
        let known = self.places.find(hash(flow), is_of(&self.chunks, flow));
        if let Some(place) = known.copied() {
            self.put(place, flow, counts);
            return;
        }
        let place = match self.free.pop() {
            Some(place) => {
                self.put(place, flow, counts);
                place
            }
            None => self.append(flow, counts),
        };
        let chunks = &self.chunks;
        self.places.insert_unique(hash(flow), place, |place| {
            at(chunks, *place).map_or(0, |(flow, _)| hash(*flow))
        });
    }

    pub(super) fn remove(&mut self, flow: FlowId) {
        let found = self
            .places
            .find_entry(hash(flow), is_of(&self.chunks, flow));
        if let Ok(found) = found {
            self.free.push(*found.get());
            found.remove();
        }
    }

    fn put(&mut self, place: u32, flow: FlowId, counts: WindowCounts) {
        let chunk = self.chunks.get_mut(place as usize / CHUNK);
        if let Some(slot) = chunk.and_then(|chunk| chunk.get_mut(place as usize % CHUNK)) {
            *slot = (flow, counts);
        }
    }

    fn append(&mut self, flow: FlowId, counts: WindowCounts) -> u32 {
        if self.chunks.last().is_none_or(|last| last.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let before = (self.chunks.len() - 1) * CHUNK;
        match self.chunks.last_mut() {
            Some(last) => {
                last.push((flow, counts));
                (before + last.len() - 1) as u32
            }
            None => 0,
        }
    }
}

fn at(chunks: &[Vec<(FlowId, WindowCounts)>], place: u32) -> Option<&(FlowId, WindowCounts)> {
    chunks
        .get(place as usize / CHUNK)?
        .get(place as usize % CHUNK)
}

fn is_of(chunks: &[Vec<(FlowId, WindowCounts)>], flow: FlowId) -> impl Fn(&u32) -> bool + '_ {
    move |place| at(chunks, *place).is_some_and(|(known, _)| *known == flow)
}

/// The number of a flow is its place in the capture: nobody chooses it, and spreading it is enough.
fn hash(flow: FlowId) -> u64 {
    let product = u128::from(flow.first_packet.wrapping_add(1)) * 0x9E37_79B9_7F4A_7C15;
    (product >> 64) as u64 ^ product as u64 ^ u64::from(flow.earlier)
}
