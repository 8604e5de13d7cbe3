//! One partition of the flow table.

mod ahead;
mod eviction;
mod places;
mod rules;
mod young;

use std::collections::VecDeque;

use tripline_wire::{Packet, Transport};

use crate::accumulate::{Counted, Opening};
use crate::flow::{EndReason, Flow, FlowId, Heading};
use crate::meter::{MeterConfig, MeterCounts, Record, Tick};
use crate::segments::{self, SegmentMemory};
use crate::timers::Wheel;
use crate::told::{Lone, Told, ToldWhat};
use crate::{Connection, FLOW_TIMEOUT_MICROS, FlowKey, Profile};
use ahead::AHEAD;
use eviction::Oldest;
use places::{Entries, Places};

/// Segments that a partition remembers.
const SEGMENTS: usize = 1 << 15;

const SECOND: i64 = 1_000_000;

#[derive(Debug)]
pub(crate) struct Table {
    config: MeterConfig,
    budget: usize,
    used: usize,
    index: Places,
    entries: Entries,
    oldest: Oldest,
    wheel: Wheel,
    due: Vec<u32>,
    segments: Option<SegmentMemory>,
    pub(crate) counts: MeterCounts,
}

/// What is known about a pair of end points. What every packet reads is here and nowhere else but
/// in the flow: with many flows each further place in memory costs more than all that is done there.
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
    /// Position in the capture of the last packet of these end points.
    touched: u64,
    /// Second at which the wheel gives the place; `NOT_SCHEDULED` if it does not.
    due: i64,
    /// Flows so far.
    flows: u32,
    /// Hash of the end points.
    hash: u32,
    /// Whether the place is taken.
    is_live: bool,
}

const NOT_SCHEDULED: i64 = i64::MAX;

/// The flow of an entry. Most flows of a scan or a flood have one packet: they are kept as that.
#[derive(Debug)]
enum Body {
    /// The end points are free.
    Vacant,
    /// The flow has been cut for its age; its end points are remembered for what continues it.
    Cut,
    /// One packet.
    First {
        first: Counted,
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

impl Entry {
    /// Time of the first packet of the flow, if there is one.
    fn start_micros(&self) -> Option<i64> {
        match &self.body {
            Body::Vacant | Body::Cut => None,
            Body::First { first, .. } => Some(first.time),
            Body::Flow(flow) => Some(flow.start_micros),
        }
    }

    /// The name of the flow, if there is one.
    fn flow_id(&self) -> Option<FlowId> {
        match &self.body {
            Body::Vacant | Body::Cut => None,
            Body::First { id, .. } => Some(*id),
            Body::Flow(flow) => Some(flow.id),
        }
    }
}

/// A packet with its place in the capture.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placed<'a> {
    pub(crate) packet: &'a Packet,
    pub(crate) key: FlowKey,
    /// Hash of the key.
    pub(crate) hash: u32,
    pub(crate) sequence: u64,
    /// Name of the segment in the connection of that number, if it is TCP.
    segment: Option<(u64, u64)>,
}

/// A packet of a batch that is for one table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Routed {
    pub(crate) key: FlowKey,
    /// Position of the packet in the batch.
    pub(crate) position: u32,
    /// Hash of the key.
    pub(crate) hash: u32,
}

/// A batch of packets, of which a table takes those that are routed to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batch<'a> {
    pub(crate) packets: &'a [Packet],
    /// Where in the capture it begins.
    pub(crate) first: u64,
    pub(crate) ticks: &'a [Tick],
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
            index: Places::new(),
            entries: Entries::default(),
            oldest: Oldest::default(),
            wheel: Wheel::new(),
            due: Vec::new(),
            segments,
            counts: MeterCounts::default(),
        }
    }

    /// An entry with its place in the index, in the wheel, and where places wait to make room or to
    /// be taken.
    const ENTRY_BYTES: usize = size_of::<Entry>() + 16 + 12 + 8;

    fn flow_bytes(&self) -> usize {
        size_of::<Flow>() + self.config.timeline * size_of::<crate::Moment>()
    }

    /// Takes the packets of a batch that are routed here, and the time that passes meanwhile.
    pub(crate) fn observe_batch(
        &mut self,
        batch: &Batch<'_>,
        route: &[Routed],
        out: &mut VecDeque<Told>,
    ) {
        let mut ticks = batch.ticks.iter().peekable();
        for route in route.chunks(AHEAD) {
            let ahead = self.fetch(batch, route);
            for ((place, segment), routed) in ahead.iter().zip(route) {
                while let Some(tick) = ticks.next_if(|tick| tick.before <= routed.position) {
                    self.tick(tick.now, batch.first + u64::from(tick.before), out);
                }
                let placed = Placed {
                    packet: &batch.packets[routed.position as usize],
                    key: routed.key,
                    hash: routed.hash,
                    sequence: batch.first + u64::from(routed.position),
                    segment: *segment,
                };
                self.observe(&placed, *place, out);
            }
        }
        for tick in ticks {
            self.tick(tick.now, batch.first + u64::from(tick.before), out);
        }
    }

    /// Takes a packet, whose entry is likely to be at a place.
    fn observe(&mut self, placed: &Placed<'_>, likely: Option<u32>, out: &mut VecDeque<Told>) {
        self.counts.packets += 1;
        let found = likely
            .filter(|place| self.is_of(*place, &placed.key))
            .or_else(|| self.find(&placed.key, placed.hash));
        let place = match found {
            Some(place) => place,
            None => self.insert(placed),
        };
        let at = place as usize;
        self.entries[at].touched = placed.sequence;
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

    fn find(&self, key: &FlowKey, hash: u32) -> Option<u32> {
        self.index.find(hash, |place| self.is_of(place, key))
    }

    /// Whether a place is that of these end points.
    fn is_of(&self, place: u32, key: &FlowKey) -> bool {
        let entry = &self.entries[place as usize];
        let has_one_way =
            self.config.profile == Profile::Cicids2017 && key.source == key.destination;
        entry.is_live && (entry.key == *key || (!has_one_way && entry.key == key.reversed()))
    }

    fn insert(&mut self, placed: &Placed<'_>) -> u32 {
        let place = self.entries.insert(Entry {
            key: placed.key,
            body: Body::Vacant,
            closing: Closing::Open,
            young: YoungState::New,
            connection: None,
            last_micros: placed.packet.time_micros,
            chain: placed.sequence,
            chain_micros: 0,
            touched: placed.sequence,
            due: NOT_SCHEDULED,
            flows: 0,
            hash: placed.hash,
            is_live: true,
        });
        self.index.insert(placed.hash, place);
        self.used += Self::ENTRY_BYTES;
        place
    }

    fn remove(&mut self, place: u32) {
        let entry = &mut self.entries[place as usize];
        entry.body = Body::Vacant;
        entry.connection = None;
        entry.is_live = false;
        self.index.remove(entry.hash, place);
        self.wheel.cancel(place);
        self.entries.release(place);
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
            first: Counted::of(placed.packet, self.config.profile),
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
        if self.was_seen(at, placed) {
            self.grow(at).direction(heading).retransmissions += 1;
        }
    }

    /// Remembers the segment of a packet; true if it was there before.
    fn was_seen(&mut self, at: usize, placed: &Placed<'_>) -> bool {
        let (Some(segments), Transport::Tcp(tcp)) = (&mut self.segments, placed.packet.transport)
        else {
            return false;
        };
        let chain = self.entries[at].chain;
        segments.seen(match placed.segment {
            Some((likely, name)) if likely == chain => name,
            _ => segments::name(chain, placed.packet, &tcp),
        })
    }

    /// The flow of an entry in its full size.
    fn grow(&mut self, at: usize) -> &mut Flow {
        if let Some(opening) = self.opening(at) {
            let flow = Flow::open(self.config.profile, &opening, self.config.timeline);
            self.entries[at].body = Body::Flow(Box::new(flow));
            self.used += self.flow_bytes();
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
        out: &mut VecDeque<Told>,
    ) {
        if matches!(self.entries[at].body, Body::Vacant | Body::Cut) {
            return;
        }
        let reason = match (reason, self.entries[at].closing) {
            (EndReason::Evicted, _) | (_, Closing::Open | Closing::FirstFin) => reason,
            (_, Closing::SecondFin | Closing::Ready) => EndReason::Closed,
        };
        if matches!(self.entries[at].body, Body::First { .. }) {
            self.close_first(at, reason, leave, sequence, out);
            return;
        }
        let size = self.flow_bytes();
        let entry = &mut self.entries[at];
        let Body::Flow(mut flow) = std::mem::replace(&mut entry.body, leave) else {
            return;
        };
        self.used -= size;
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
            out.push_back(Told {
                sequence,
                what: ToldWhat::Ended(flow),
            });
        } else {
            self.counts.lone_flows += 1;
        }
    }

    /// Ends a flow of one packet, which stays small until it is told.
    fn close_first(
        &mut self,
        at: usize,
        reason: EndReason,
        leave: Body,
        sequence: u64,
        out: &mut VecDeque<Told>,
    ) {
        let Some(opening) = self.opening(at) else {
            return;
        };
        let entry = &mut self.entries[at];
        entry.body = leave;
        if !self.config.profile.is_fixed() {
            self.counts.lone_flows += 1;
            return;
        }
        self.counts.ended[reason as usize] += 1;
        self.counts.flow_packets += 1;
        out.push_back(Told {
            sequence,
            what: ToldWhat::Lone(Lone {
                opening,
                end: reason,
                connection: entry.connection,
            }),
        });
    }

    /// How the flow of an entry that has one packet began.
    fn opening(&self, at: usize) -> Option<Opening> {
        let entry = &self.entries[at];
        match entry.body {
            Body::First { first, id, heading } => Some(Opening {
                key: entry.key,
                id,
                heading,
                earlier_micros: entry.chain_micros,
                first,
            }),
            Body::Vacant | Body::Cut | Body::Flow(_) => None,
        }
    }

    /// Keeps the connection of KDD'99.
    fn connect(&mut self, at: usize, placed: &Placed<'_>, out: &mut VecDeque<Told>) {
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

    /// Every connection that goes on: when it would be given up, and its place.
    pub(crate) fn open_connections(&self) -> impl Iterator<Item = (i64, u32)> {
        (0..self.entries.len()).filter_map(|at| {
            let connection = self.entries[at].connection?;
            (!connection.is_over()).then(|| (connection.deadline(), at as u32))
        })
    }

    /// Gives up the connection of an entry.
    pub(crate) fn end_connection_at(
        &mut self,
        place: u32,
        sequence: u64,
        out: &mut VecDeque<Told>,
    ) {
        self.end_connection(place as usize, sequence, out);
    }

    fn end_connection(&mut self, at: usize, sequence: u64, out: &mut VecDeque<Told>) {
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
        out: &mut VecDeque<Told>,
    ) {
        let entry = &self.entries[at];
        let flow = entry.flow_id();
        let key = match connection.originator() {
            Heading::Forward => entry.key,
            Heading::Backward => entry.key.reversed(),
        };
        self.counts.records += 1;
        out.push_back(Told {
            sequence,
            what: ToldWhat::Record(Record {
                flow,
                key,
                connection,
                at_micros,
            }),
        });
    }

    /// When an entry has to be looked at again.
    fn deadline(&self, at: usize) -> Option<i64> {
        let entry = &self.entries[at];
        let cut = entry.start_micros().map(|start| {
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
            let entry = &mut self.entries[place as usize];
            if second < entry.due {
                entry.due = second;
                self.wheel.schedule(place, second);
            }
        }
    }

    /// Learns how late it is and ends what is due.
    pub(crate) fn tick(&mut self, now: i64, sequence: u64, out: &mut VecDeque<Told>) {
        let mut due = std::mem::take(&mut self.due);
        self.wheel.turn(now.div_euclid(SECOND), &mut due);
        for place in due.drain(..) {
            let at = place as usize;
            self.entries[at].due = NOT_SCHEDULED;
            let tolerance = self.config.tolerance_micros;
            let is_silent = self.entries[at].connection.is_some_and(|connection| {
                !connection.is_over() && connection.deadline().saturating_add(tolerance) <= now
            });
            if is_silent {
                self.end_connection(at, sequence, out);
            }
            self.ask_young(at, sequence, now, out);
            let start = self.entries[at].start_micros();
            let age = start.map(|start| now.saturating_sub(start).saturating_sub(tolerance));
            if age.is_some_and(|age| age > FLOW_TIMEOUT_MICROS) {
                self.close(at, EndReason::Timeout, Body::Cut, sequence, out);
            }
            self.schedule(place);
        }
        self.due = due;
    }

    /// Every entry by its place, with the first packet of its flow.
    pub(crate) fn places(&self) -> impl Iterator<Item = (u64, u32)> {
        self.index.iter().map(|place| {
            let flow = self.entries[place as usize].flow_id();
            (flow.map_or(u64::MAX, |id| id.first_packet), place)
        })
    }

    /// Ends an entry at the end of the capture.
    pub(crate) fn end(&mut self, place: u32, sequence: u64, out: &mut VecDeque<Told>) {
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
