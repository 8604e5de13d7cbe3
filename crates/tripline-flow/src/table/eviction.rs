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
