//! When which place of the table is to be looked at: lists that run through the places.

/// No place.
const NONE: u32 = u32::MAX;

/// Seconds that the wheel looks ahead; what is due later is looked at again then.
const BUCKETS: usize = 512;

#[derive(Debug, Clone, Copy)]
struct Node {
    before: u32,
    after: u32,
    /// Which list it is in; `NONE` for none.
    list: u32,
}

const LOOSE: Node = Node {
    before: NONE,
    after: NONE,
    list: NONE,
};

#[derive(Debug, Clone, Copy)]
struct Ends {
    first: u32,
    last: u32,
}

/// Doubly linked lists over places; each place is in one of them at most.
#[derive(Debug)]
struct Lists {
    nodes: Vec<Node>,
    ends: Vec<Ends>,
}

impl Lists {
    fn new(count: usize) -> Self {
        let empty = Ends {
            first: NONE,
            last: NONE,
        };
        Self {
            nodes: Vec::new(),
            ends: vec![empty; count],
        }
    }

    fn node(&self, place: u32) -> Node {
        self.nodes.get(place as usize).copied().unwrap_or(LOOSE)
    }

    fn set(&mut self, place: u32, change: impl FnOnce(&mut Node)) {
        if place == NONE {
            return;
        }
        let index = place as usize;
        if index >= self.nodes.len() {
            self.nodes.resize(index + 1, LOOSE);
        }
        change(&mut self.nodes[index]);
    }

    fn append(&mut self, list: usize, place: u32) {
        let last = self.ends[list].last;
        self.set(place, |node| {
            *node = Node {
                before: last,
                after: NONE,
                list: list as u32,
            };
        });
        self.set(last, |node| node.after = place);
        self.ends[list].last = place;
        if last == NONE {
            self.ends[list].first = place;
        }
    }

    fn remove(&mut self, place: u32) {
        let Node {
            before,
            after,
            list,
        } = self.node(place);
        if list == NONE {
            return;
        }
        let ends = &mut self.ends[list as usize];
        if ends.first == place {
            ends.first = after;
        }
        if ends.last == place {
            ends.last = before;
        }
        self.set(before, |node| node.after = after);
        self.set(after, |node| node.before = before);
        self.set(place, |node| *node = LOOSE);
    }

    fn first(&self, list: usize) -> Option<u32> {
        Some(self.ends[list].first).filter(|place| *place != NONE)
    }
}

/// A wheel of seconds: each place is due at one of them.
#[derive(Debug)]
pub(crate) struct Wheel {
    lists: Lists,
    /// The last second that was looked at; before the first turn any bucket may be due.
    now: Option<i64>,
}

impl Wheel {
    pub(crate) fn new() -> Self {
        Self {
            lists: Lists::new(BUCKETS),
            now: None,
        }
    }

    /// Makes a place due at a second, and at none that it was due before.
    pub(crate) fn schedule(&mut self, place: u32, second: i64) {
        self.lists.remove(place);
        let reachable = self.now.map_or(second, |now| {
            let ahead = second.saturating_sub(now).clamp(1, BUCKETS as i64 - 1);
            now.saturating_add(ahead)
        });
        let bucket = reachable.rem_euclid(BUCKETS as i64);
        self.lists.append(bucket as usize, place);
    }

    pub(crate) fn cancel(&mut self, place: u32) {
        self.lists.remove(place);
    }

    /// Turns to a second and takes out the places that came up, in order.
    pub(crate) fn turn(&mut self, second: i64, out: &mut Vec<u32>) {
        let whole_turn = second.saturating_sub(BUCKETS as i64);
        let from = self.now.map_or(whole_turn, |now| now.max(whole_turn));
        for passed in from..second {
            let bucket = passed.saturating_add(1).rem_euclid(BUCKETS as i64) as usize;
            while let Some(place) = self.lists.first(bucket) {
                self.lists.remove(place);
                out.push(place);
            }
        }
        self.now = self.now.max(Some(second));
    }
}
