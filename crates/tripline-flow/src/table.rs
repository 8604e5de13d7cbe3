//! One partition of the flow table.

mod rules;

use hashbrown::HashTable;
use tripline_wire::{Packet, Transport};

use crate::accumulate::Opening;
use crate::flow::{EndReason, Flow, FlowId, Heading};
use crate::meter::{Event, MeterConfig, MeterCounts, Record, What, Young};
use crate::segments::SegmentMemory;
use crate::timers::{Recency, Wheel};
use crate::{Connection, FLOW_TIMEOUT_MICROS, FlowKey, Profile};

/// Segments that a partition remembers.
const SEGMENTS: usize = 1 << 15;

const SECOND: i64 = 1_000_000;

#[derive(Debug)]
pub(crate) struct Table {
    config: MeterConfig,
    budget: usize,
    used: usize,
    index: HashTable<u32>,
    entries: Vec<Entry>,
    free: Vec<u32>,
    recency: Recency,
    wheel: Wheel,
    due: Vec<u32>,
    segments: Option<SegmentMemory>,
    pub(crate) counts: MeterCounts,
}

/// What is known about a pair of end points.
#[derive(Debug)]
struct Entry {
    /// Seen from the source of the flow.
    key: FlowKey,
    body: Body,
    closing: Closing,
    /// Which early verdicts were asked for.
    young: YoungState,
    connection: Option<Connection>,
    /// Time of the last packet of the flow.
    last_micros: i64,
    /// First packet of the connection of which the flow is a part.
    chain: u64,
    /// Time of the connection before the flow, and after it when that has ended.
    chain_micros: i64,
    /// Flows so far.
    flows: u32,
}

/// The flow of an entry. Most flows of a scan or a flood have one packet: they are kept as that.
#[derive(Debug)]
enum Body {
    /// The end points are free.
    Vacant,
    /// The flow has been cut for its age; its end points are remembered for what continues it.
    Cut,
    /// One packet.
    First {
        packet: Packet,
        id: FlowId,
        heading: Heading,
    },
    /// More than one.
    Flow(Box<Flow>),
}

/// How far a TCP connection is closed, as the original programs see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closing {
    Open,
    FirstFin,
    SecondFin,
    Ready,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum YoungState {
    /// None yet.
    New,
    /// The one for its age or its packets.
    Judged,
    /// The one for its end as well.
    Over,
}

/// A packet with its place in the capture.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placed<'a> {
    pub(crate) packet: &'a Packet,
    pub(crate) key: FlowKey,
    pub(crate) sequence: u64,
}

impl Table {
    pub(crate) fn new(config: MeterConfig, budget: usize) -> Self {
        // Only the corrected tool counts retransmissions.
        let segments = config
            .profile
            .is_fixed()
            .then(|| SegmentMemory::new(SEGMENTS));
        let fixed = segments
            .as_ref()
            .map_or(0, |_| SegmentMemory::bytes(SEGMENTS));
        Self {
            budget: budget.saturating_sub(fixed).max(16 * Self::ENTRY_BYTES),
            config,
            used: 0,
            index: HashTable::new(),
            entries: Vec::new(),
            free: Vec::new(),
            recency: Recency::new(),
            wheel: Wheel::new(),
            due: Vec::new(),
            segments,
            counts: MeterCounts::default(),
        }
    }

    /// An entry with its places in the index and in the two lists.
    const ENTRY_BYTES: usize = size_of::<Entry>() + 16 + 12 + 20;

    fn flow_bytes(&self) -> usize {
        size_of::<Flow>() + self.config.timeline * size_of::<crate::Moment>()
    }

    /// Takes a packet.
    pub(crate) fn observe(&mut self, placed: &Placed<'_>, out: &mut Vec<Event>) {
        self.counts.packets += 1;
        let place = match self.find(&placed.key) {
            Some(place) => place,
            None => self.insert(placed),
        };
        self.recency.touch(place);
        let at = place as usize;
        match self.entries[at].body {
            Body::Vacant => {
                self.begin(at, placed);
                self.connect(at, placed, out);
            }
            Body::Cut => {
                self.continue_cut(at, placed);
                self.connect(at, placed, out);
            }
            Body::First { .. } | Body::Flow(_) => self.apply_rules(at, placed, out),
        }
        self.ask_young(at, placed.sequence, placed.packet.time_micros, out);
        self.schedule(place);
        self.make_room(placed.sequence, out);
    }

    fn find(&self, key: &FlowKey) -> Option<u32> {
        let reversed = key.reversed();
        let has_one_way =
            self.config.profile == Profile::Cicids2017 && key.source == key.destination;
        let is_it = |place: &u32| {
            let known = &self.entries[*place as usize].key;
            known == key || (!has_one_way && *known == reversed)
        };
        self.index.find(self.hash(key), is_it).copied()
    }

    fn hash(&self, key: &FlowKey) -> u64 {
        key.canonical(self.config.profile)
            .hash(self.config.hash_key)
    }

    fn insert(&mut self, placed: &Placed<'_>) -> u32 {
        let entry = Entry {
            key: placed.key,
            body: Body::Vacant,
            closing: Closing::Open,
            young: YoungState::New,
            connection: None,
            last_micros: placed.packet.time_micros,
            chain: placed.sequence,
            chain_micros: 0,
            flows: 0,
        };
        let place = match self.free.pop() {
            Some(place) => {
                self.entries[place as usize] = entry;
                place
            }
            None => {
                self.entries.push(entry);
                (self.entries.len() - 1) as u32
            }
        };
        let hash = self.hash(&placed.key);
        let (entries, config) = (&self.entries, &self.config);
        self.index.insert_unique(hash, place, |place| {
            entries[*place as usize]
                .key
                .canonical(config.profile)
                .hash(config.hash_key)
        });
        self.used += Self::ENTRY_BYTES;
        place
    }

    fn remove(&mut self, place: u32) {
        let key = self.entries[place as usize].key;
        let hash = self.hash(&key);
        if let Ok(found) = self.index.find_entry(hash, |known| *known == place) {
            found.remove();
        }
        self.recency.remove(place);
        self.wheel.cancel(place);
        self.entries[place as usize].body = Body::Vacant;
        self.entries[place as usize].connection = None;
        self.free.push(place);
        self.used -= Self::ENTRY_BYTES;
    }

    /// Begins a flow of its own with this packet.
    fn begin(&mut self, at: usize, placed: &Placed<'_>) {
        let profile = self.config.profile;
        let is_answer = matches!(
            placed.packet.transport,
            Transport::Tcp(tcp) if tcp.flags & SYN_ACK == SYN_ACK
        );
        let (key, heading) = if profile.is_fixed() && is_answer {
            (placed.key.reversed(), Heading::Backward)
        } else {
            (placed.key, Heading::Forward)
        };
        let entry = &mut self.entries[at];
        if entry.key != key {
            entry.key = key;
            if let Some(connection) = &mut entry.connection {
                connection.turn();
            }
        }
        entry.chain = placed.sequence;
        entry.chain_micros = 0;
        self.open(at, placed, heading);
    }

    fn open(&mut self, at: usize, placed: &Placed<'_>, heading: Heading) {
        let entry = &mut self.entries[at];
        entry.body = Body::First {
            packet: *placed.packet,
            id: FlowId {
                first_packet: placed.sequence,
                earlier: entry.flows,
            },
            heading,
        };
        entry.flows = entry.flows.saturating_add(1);
        entry.closing = Closing::Open;
        entry.young = YoungState::New;
        entry.last_micros = placed.packet.time_micros;
        self.counts.flows += 1;
        if let (Some(segments), Transport::Tcp(tcp)) = (&mut self.segments, placed.packet.transport)
        {
            let entry = &self.entries[at];
            if segments.seen(entry.chain, placed.packet, &tcp) {
                self.grow(at).direction(heading).retransmissions += 1;
            }
        }
    }

    /// The flow of an entry in its full size.
    fn grow(&mut self, at: usize) -> &mut Flow {
        let size = self.flow_bytes();
        let entry = &mut self.entries[at];
        if let Body::First {
            packet,
            id,
            heading,
        } = entry.body
        {
            let opening = Opening {
                key: entry.key,
                id,
                heading,
                earlier_micros: entry.chain_micros,
                timeline: self.config.timeline,
            };
            let flow = Flow::open(self.config.profile, &opening, &packet);
            entry.body = Body::Flow(Box::new(flow));
            self.used += size;
        }
        match &mut self.entries[at].body {
            Body::Flow(flow) => flow,
            _ => unreachable!("only entries with a flow grow"),
        }
    }

    fn heading(&self, at: usize, packet: &Packet) -> Heading {
        if packet.source == self.entries[at].key.source {
            Heading::Forward
        } else {
            Heading::Backward
        }
    }

    /// Ends the flow of an entry and leaves the entry in a state.
    fn close(
        &mut self,
        at: usize,
        reason: EndReason,
        leave: Body,
        sequence: u64,
        out: &mut Vec<Event>,
    ) {
        if matches!(self.entries[at].body, Body::Vacant | Body::Cut) {
            return;
        }
        self.grow(at);
        let size = self.flow_bytes();
        let entry = &mut self.entries[at];
        let Body::Flow(mut flow) = std::mem::replace(&mut entry.body, leave) else {
            return;
        };
        self.used -= size;
        let reason = match (reason, entry.closing) {
            (EndReason::Evicted, _) | (_, Closing::Open | Closing::FirstFin) => reason,
            (_, Closing::SecondFin | Closing::Ready) => EndReason::Closed,
        };
        flow.end = Some(reason);
        flow.connection = entry.connection;
        flow.connection_micros = flow
            .connection_micros
            .saturating_add(flow.duration_micros());
        entry.chain_micros = flow.connection_micros;
        // The originals do not write flows of one packet.
        if self.config.profile.is_fixed() || flow.packets() > 1 {
            self.counts.ended[reason as usize] += 1;
            self.counts.flow_packets += flow.packets();
            out.push(Event {
                sequence,
                what: What::Ended(flow),
            });
        } else {
            self.counts.lone_flows += 1;
        }
    }

    /// Keeps the connection of KDD'99.
    fn connect(&mut self, at: usize, placed: &Placed<'_>, out: &mut Vec<Event>) {
        let packet = placed.packet;
        // The clock runs behind the packets; what was silent for too long ends all the same.
        let tolerance = self.config.tolerance_micros;
        let is_silent = self.entries[at].connection.is_some_and(|connection| {
            connection.deadline().saturating_add(tolerance) < packet.time_micros
        });
        if is_silent {
            self.end_connection(at, placed.sequence, out);
        }
        let entry = &mut self.entries[at];
        let heading = if placed.key == entry.key {
            Heading::Forward
        } else {
            Heading::Backward
        };
        let was_over = match &mut entry.connection {
            Some(connection) if connection.is_other(packet) => {
                if !connection.is_over() {
                    self.end_connection(at, placed.sequence, out);
                }
                self.entries[at].connection = Connection::begin(packet, heading);
                false
            }
            Some(connection) => {
                let was_over = connection.is_over();
                connection.take(packet, heading);
                was_over
            }
            None => {
                entry.connection = Connection::begin(packet, heading);
                false
            }
        };
        if let Some(connection) = self.entries[at].connection
            && connection.is_over()
            && !was_over
        {
            let now = placed.packet.time_micros;
            self.record(at, connection, now, placed.sequence, out);
        }
    }

    /// Gives up every connection that goes on.
    pub(crate) fn end_connections(&mut self, sequence: u64, out: &mut Vec<Event>) {
        for at in 0..self.entries.len() {
            self.end_connection(at, sequence, out);
        }
    }

    fn end_connection(&mut self, at: usize, sequence: u64, out: &mut Vec<Event>) {
        if let Some(connection) = &mut self.entries[at].connection
            && !connection.is_over()
        {
            let when = connection.deadline();
            connection.end();
            let connection = *connection;
            self.record(at, connection, when, sequence, out);
        }
    }

    fn record(
        &mut self,
        at: usize,
        connection: Connection,
        at_micros: i64,
        sequence: u64,
        out: &mut Vec<Event>,
    ) {
        let entry = &self.entries[at];
        let flow = match &entry.body {
            Body::First { id, .. } => Some(*id),
            Body::Flow(flow) => Some(flow.id),
            Body::Vacant | Body::Cut => None,
        };
        let key = match connection.originator() {
            Heading::Forward => entry.key,
            Heading::Backward => entry.key.reversed(),
        };
        self.counts.records += 1;
        out.push(Event {
            sequence,
            what: What::Record(Record {
                flow,
                key,
                connection,
                at_micros,
            }),
        });
    }

    /// Says how a young flow looks, when it is time to.
    fn ask_young(&mut self, at: usize, sequence: u64, now: i64, out: &mut Vec<Event>) {
        let Some(early) = self.config.early else {
            return;
        };
        let entry = &self.entries[at];
        let (packets, start) = match &entry.body {
            Body::Vacant | Body::Cut => return,
            Body::First { packet, .. } => (1, packet.time_micros),
            Body::Flow(flow) => (flow.packets(), flow.start_micros),
        };
        let is_over = entry.closing == Closing::Ready
            || entry
                .connection
                .is_some_and(|connection| connection.is_over());
        let is_old = packets >= u64::from(early.after_packets)
            || now.saturating_sub(start) >= early.after_micros;
        let why = match entry.young {
            YoungState::New | YoungState::Judged if is_over => Young::Over,
            YoungState::New if is_old => Young::Seen,
            _ => return,
        };
        self.entries[at].young = match why {
            Young::Over => YoungState::Over,
            Young::Seen => YoungState::Judged,
        };
        let connection = self.entries[at].connection;
        let mut flow = self.snapshot(at);
        flow.connection = connection;
        flow.connection_micros = flow
            .connection_micros
            .saturating_add(flow.duration_micros());
        self.counts.young += 1;
        out.push(Event {
            sequence,
            what: What::Young(flow, why),
        });
    }

    /// A copy of a flow that goes on. One of a single packet is not made larger by being looked at.
    fn snapshot(&self, at: usize) -> Box<Flow> {
        let entry = &self.entries[at];
        match &entry.body {
            Body::First {
                packet,
                id,
                heading,
            } => {
                let opening = Opening {
                    key: entry.key,
                    id: *id,
                    heading: *heading,
                    earlier_micros: entry.chain_micros,
                    timeline: self.config.timeline,
                };
                Box::new(Flow::open(self.config.profile, &opening, packet))
            }
            Body::Flow(flow) => flow.clone(),
            Body::Vacant | Body::Cut => unreachable!("only entries with a flow are looked at"),
        }
    }

    /// When an entry has to be looked at again.
    fn deadline(&self, at: usize) -> Option<i64> {
        let entry = &self.entries[at];
        let start = match &entry.body {
            Body::Vacant | Body::Cut => None,
            Body::First { packet, .. } => Some(packet.time_micros),
            Body::Flow(flow) => Some(flow.start_micros),
        };
        let cut = start.map(|start| {
            let is_new = entry.young == YoungState::New;
            match self.config.early {
                Some(early) if is_new => start.saturating_add(early.after_micros),
                _ => start
                    .saturating_add(FLOW_TIMEOUT_MICROS + 1)
                    .saturating_add(self.config.tolerance_micros),
            }
        });
        let connection = entry
            .connection
            .filter(|connection| !connection.is_over())
            .map(|connection| {
                connection
                    .deadline()
                    .saturating_add(self.config.tolerance_micros)
            });
        [cut, connection].into_iter().flatten().min()
    }

    fn schedule(&mut self, place: u32) {
        if let Some(deadline) = self.deadline(place as usize) {
            let second = deadline.saturating_add(SECOND - 1).div_euclid(SECOND);
            self.wheel.schedule(place, second);
        }
    }

    /// Learns how late it is and ends what is due.
    pub(crate) fn tick(&mut self, now: i64, sequence: u64, out: &mut Vec<Event>) {
        let mut due = std::mem::take(&mut self.due);
        self.wheel.turn(now.div_euclid(SECOND), &mut due);
        for place in due.drain(..) {
            let at = place as usize;
            let tolerance = self.config.tolerance_micros;
            let is_silent = self.entries[at].connection.is_some_and(|connection| {
                !connection.is_over() && connection.deadline().saturating_add(tolerance) <= now
            });
            if is_silent {
                self.end_connection(at, sequence, out);
            }
            self.ask_young(at, sequence, now, out);
            let start = match &self.entries[at].body {
                Body::Vacant | Body::Cut => None,
                Body::First { packet, .. } => Some(packet.time_micros),
                Body::Flow(flow) => Some(flow.start_micros),
            };
            let age = start.map(|start| now.saturating_sub(start).saturating_sub(tolerance));
            if age.is_some_and(|age| age > FLOW_TIMEOUT_MICROS) {
                self.close(at, EndReason::Timeout, Body::Cut, sequence, out);
            }
            self.schedule(place);
        }
        self.due = due;
    }

    fn make_room(&mut self, sequence: u64, out: &mut Vec<Event>) {
        while self.used > self.budget {
            let Some(place) = self.recency.oldest() else {
                return;
            };
            self.end_connection(place as usize, sequence, out);
            if matches!(self.entries[place as usize].body, Body::Vacant | Body::Cut) {
                self.counts.forgotten += 1;
            }
            self.close(
                place as usize,
                EndReason::Evicted,
                Body::Vacant,
                sequence,
                out,
            );
            self.remove(place);
        }
    }

    /// Every entry by its place, with the first packet of its flow.
    pub(crate) fn places(&self) -> impl Iterator<Item = (u64, u32)> {
        self.index.iter().map(|place| {
            let first = match &self.entries[*place as usize].body {
                Body::First { id, .. } => id.first_packet,
                Body::Flow(flow) => flow.id.first_packet,
                Body::Vacant | Body::Cut => u64::MAX,
            };
            (first, *place)
        })
    }

    /// Ends an entry at the end of the capture.
    pub(crate) fn end(&mut self, place: u32, sequence: u64, out: &mut Vec<Event>) {
        let at = place as usize;
        self.end_connection(at, sequence, out);
        self.close(at, EndReason::CaptureEnd, Body::Vacant, sequence, out);
        self.remove(place);
    }

    pub(crate) fn used_bytes(&self) -> usize {
        let fixed = self
            .segments
            .as_ref()
            .map_or(0, |_| SegmentMemory::bytes(SEGMENTS));
        self.used + fixed
    }

    pub(crate) fn flows(&self) -> usize {
        self.index.len()
    }
}

const SYN_ACK: u8 = tripline_wire::tcp_flags::SYN | tripline_wire::tcp_flags::ACK;
