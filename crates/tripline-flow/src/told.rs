//! What the parts of the table have to tell, in the order of the capture.

use std::collections::VecDeque;

use crate::accumulate::Opening;
use crate::flow::{EndReason, Flow};
use crate::meter::{Event, MeterConfig, Record, What, Young};
use crate::{Connection, Profile};

/// An event that waits to be told.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) sequence: u64,
    pub(crate) what: ToldWhat,
}

#[derive(Debug)]
pub(crate) enum ToldWhat {
    Record(Record),
    Young(Box<Flow>, Young),
    Ended(Box<Flow>),
    Lone(Lone),
}

/// A flow of one packet that ended.
#[derive(Debug)]
pub(crate) struct Lone {
    pub(crate) opening: Opening,
    pub(crate) end: EndReason,
    pub(crate) connection: Option<Connection>,
}

impl Told {
    fn event(self, profile: Profile, timeline: usize) -> Event {
        let what = match self.what {
            ToldWhat::Record(record) => What::Record(record),
            ToldWhat::Young(flow, why) => What::Young(flow, why),
            ToldWhat::Ended(flow) => What::Ended(flow),
            ToldWhat::Lone(lone) => {
                let mut flow = Box::new(Flow::open(profile, &lone.opening, timeline));
                flow.end = Some(lone.end);
                flow.connection = lone.connection;
                What::Ended(flow)
            }
        };
        Event {
            sequence: self.sequence,
            what,
        }
    }
}

/// Memory for so many events stays with a part that has told all.
const KEPT: usize = 1024;

/// What happened, in the order of the capture: what waits in every part of the table, and in which
/// order it is told.
#[derive(Debug)]
pub struct Events {
    profile: Profile,
    /// Moments to keep.
    timeline: usize,
    parts: Vec<VecDeque<Told>>,
    /// Positions in the capture and parts.
    order: VecDeque<(u64, u32)>,
    /// How many events of each part are in `order`.
    known: Vec<usize>,
    /// Memory to sort in.
    new: Vec<(u64, u32)>,
}

impl Events {
    pub(crate) fn new(config: &MeterConfig, parts: usize) -> Self {
        Self {
            profile: config.profile,
            timeline: config.timeline,
            parts: (0..parts).map(|_| VecDeque::new()).collect(),
            order: VecDeque::new(),
            known: vec![0; parts],
            new: Vec::new(),
        }
    }

    /// Whether all was told.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Where the parts put what they tell, in the order of the capture.
    pub(crate) fn parts_mut(&mut self) -> &mut [VecDeque<Told>] {
        &mut self.parts
    }

    /// Puts what the parts have told since the last call in the order of the capture, behind what
    /// was told before. What happened at one packet is told part by part.
    pub(crate) fn sort(&mut self) {
        for ((part, known), number) in self.parts.iter().zip(&mut self.known).zip(0..) {
            self.new
                .extend(part.range(*known..).map(|told| (told.sequence, number)));
            *known = part.len();
        }
        self.new.sort_unstable();
        self.order.extend(self.new.drain(..));
    }

    /// Puts what one part tells by itself behind all that was told before.
    pub(crate) fn tell(&mut self, number: u32, tell: impl FnOnce(&mut VecDeque<Told>)) {
        let at = number as usize;
        if let (Some(part), Some(known)) = (self.parts.get_mut(at), self.known.get_mut(at)) {
            tell(part);
            let new = part.range(*known..);
            self.order.extend(new.map(|told| (told.sequence, number)));
            *known = part.len();
        }
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let (_, part) = self.order.pop_front()?;
        let part = part as usize;
        let told = self.parts[part].pop_front()?;
        self.known[part] -= 1;
        if self.known[part] == 0 && self.parts[part].capacity() > KEPT {
            self.parts[part] = VecDeque::new();
        }
        Some(told.event(self.profile, self.timeline))
    }
}
