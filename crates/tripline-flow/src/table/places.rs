//! Where the table keeps what it knows of pairs of end points.

use std::ops::{Index, IndexMut};

use hashbrown::HashTable;

use super::Entry;

/// Entries that are taken from memory at once.
const CHUNK: usize = 512;

/// Entries by place. They never move: a table that grows neither copies them nor holds twice what
/// it needs.
#[derive(Debug, Default)]
pub(super) struct Entries {
    chunks: Vec<Vec<Entry>>,
    free: Vec<u32>,
}

impl Entries {
    /// Puts an entry into a free place.
    pub(super) fn insert(&mut self, entry: Entry) -> u32 {
        if let Some(place) = self.free.pop() {
            self[place as usize] = entry;
            return place;
        }
        let place = self.len();
        if place.is_multiple_of(CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.push(entry);
        }
        place as u32
    }

    /// Makes a place free.
    pub(super) fn release(&mut self, place: u32) {
        self.free.push(place);
    }

    /// Places, the free ones included.
    pub(super) fn len(&self) -> usize {
        match self.chunks.last() {
            Some(last) => (self.chunks.len() - 1) * CHUNK + last.len(),
            None => 0,
        }
    }
}

impl Index<usize> for Entries {
    type Output = Entry;

    #[inline]
    fn index(&self, place: usize) -> &Entry {
        &self.chunks[place / CHUNK][place % CHUNK]
    }
}

impl IndexMut<usize> for Entries {
    #[inline]
    fn index_mut(&mut self, place: usize) -> &mut Entry {
        &mut self.chunks[place / CHUNK][place % CHUNK]
    }
}

/// Places by the hash of their end points. A part of the hash stands beside the place, so that
/// growing reads no entry.
#[derive(Debug)]
pub(super) struct Places(HashTable<Slot>);

#[derive(Debug, Clone, Copy)]
struct Slot {
    place: u32,
    hash: u32,
}

impl Slot {
    /// Upper and lower bits are both looked at.
    fn spread(hash: u32) -> u64 {
        u64::from(hash) << 32 | u64::from(hash)
    }
}

impl Places {
    pub(super) const fn new() -> Self {
        Self(HashTable::new())
    }

    pub(super) fn find(&self, hash: u32, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let found = self.0.find(Slot::spread(hash), |slot| {
            slot.hash == hash && is_it(slot.place)
        });
        found.map(|slot| slot.place)
    }

    pub(super) fn insert(&mut self, hash: u32, place: u32) {
        let slot = Slot { place, hash };
        self.0
            .insert_unique(Slot::spread(hash), slot, |slot| Slot::spread(slot.hash));
    }

    pub(super) fn remove(&mut self, hash: u32, place: u32) {
        let found = self
            .0
            .find_entry(Slot::spread(hash), |slot| slot.place == place);
        if let Ok(found) = found {
            found.remove();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.iter().map(|slot| slot.place)
    }
}
