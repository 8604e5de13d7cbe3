use rayon::prelude::*;
use tripline_wire::Packet;

use crate::flow::{EndReason, Flow, FlowId};
use crate::table::{Batch, Routed, Table};
use crate::told::Events;
use crate::{Connection, FlowKey, Profile, siphash};

/// Parts of the table. Their number never depends on the machine, so that what is evicted does
/// not either.
const PARTITIONS: usize = 16;

/// Packets of which the earliest tells the time: one packet from the future must not end
/// everything, and a little disorder must not matter.
const CLOCK_PACKETS: u32 = 16;

const SECOND: i64 = 1_000_000;

/// How packets are metered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeterConfig {
    /// Whose rules.
    pub profile: Profile,
    /// Memory of the table; flows that were silent for longest make room.
    pub max_bytes: usize,
    /// Key of the hash table, from a source of chance where packets come from strangers. It
    /// changes no result.
    pub hash_key: [u64; 2],
    /// Events for flows that go on.
    pub early: Option<Early>,
    /// How many of the first packets of a flow are kept in [`Flow::timeline`].
    pub timeline: usize,
    /// How far behind others a packet may come and still find its flow.
    pub tolerance_micros: i64,
}

/// When a flow that goes on is told: once, with whichever comes first, and once more when its
/// connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Early {
    /// With this many packets.
    pub after_packets: u32,
    /// At this age.
    pub after_micros: i64,
}

impl Default for MeterConfig {
    fn default() -> Self {
        Self {
            profile: Profile::Fixed,
            max_bytes: 128 << 20,
            hash_key: [0, 0],
            early: None,
            timeline: 0,
            tolerance_micros: 5 * SECOND,
        }
    }
}

/// Something that happened at a packet.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Position of that packet in the capture.
    pub sequence: u64,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A connection is complete.
    Record(Record),
    /// A flow that goes on.
    Young(Box<Flow>, Young),
    /// A flow ended.
    Ended(Box<Flow>),
}

/// Why a flow is told before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Young {
    /// It has the packets or the age of [`Early`].
    Seen,
    /// Its connection is over; only stragglers can follow.
    Over,
}

/// A complete connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// The flow that its last packet belongs to, if that goes on.
    pub flow: Option<FlowId>,
    /// Its end points, seen from the originator.
    pub key: FlowKey,
    /// What it was.
    pub connection: Connection,
    /// When that was known: at its last packet, or when nothing more was to be expected.
    pub at_micros: i64,
}

/// What became of packets and flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MeterCounts {
    /// Packets taken.
    pub packets: u64,
    /// Flows begun.
    pub flows: u64,
    /// Flows ended, by [`EndReason`] in the order of [`EndReason::ALL`].
    pub ended: [u64; EndReason::ALL.len()],
    /// Packets of the flows that ended.
    pub flow_packets: u64,
    /// Flows of one packet, which the profile does not report.
    pub lone_flows: u64,
    /// Packets that the profile loses (later FINs of one side in `v4`).
    pub dropped: u64,
    /// Events for flows that went on.
    pub young: u64,
    /// Complete connections.
    pub records: u64,
    /// End points without a flow that were forgotten to make room.
    pub forgotten: u64,
}

impl MeterCounts {
    /// Flows that ended for a reason.
    pub fn ended_by(&self, reason: EndReason) -> u64 {
        self.ended.get(reason as usize).copied().unwrap_or_default()
    }

    fn merge(&mut self, other: &Self) {
        self.packets += other.packets;
        self.flows += other.flows;
        for (count, more) in self.ended.iter_mut().zip(other.ended) {
            *count += more;
        }
        self.flow_packets += other.flow_packets;
        self.lone_flows += other.lone_flows;
        self.dropped += other.dropped;
        self.young += other.young;
        self.records += other.records;
        self.forgotten += other.forgotten;
    }
}

/// Takes packets in capture order and tells flows and connections.
#[derive(Debug)]
pub struct Meter {
    config: MeterConfig,
    tables: Vec<Table>,
    clock: Clock,
    sequence: u64,
    routes: Vec<Vec<Routed>>,
    ticks: Vec<Tick>,
    told: Events,
    /// What is left to end; `None` while nothing ends.
    ending: Option<Ends>,
}

/// What is left to end, the first to end last: first the connections, then the flows.
#[derive(Debug)]
enum Ends {
    /// When they would be given up, table and place.
    Connections(Vec<(i64, u32, u32)>),
    Flows(Vec<Ending>),
}

/// An entry of a table that is to end: first packet of its flow, table and place.
type Ending = (u64, u32, u32);

/// Before this packet of a batch it became a new second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tick {
    pub(crate) before: u32,
    pub(crate) now: i64,
}

impl Meter {
    /// Prepares an empty table.
    pub fn new(config: MeterConfig) -> Self {
        let budget = config.max_bytes / PARTITIONS;
        Self {
            config,
            tables: (0..PARTITIONS)
                .map(|_| Table::new(config, budget))
                .collect(),
            clock: Clock::default(),
            sequence: 0,
            routes: vec![Vec::new(); PARTITIONS],
            ticks: Vec::new(),
            told: Events::new(&config, PARTITIONS),
            ending: None,
        }
    }

    /// How it was configured.
    pub fn config(&self) -> &MeterConfig {
        &self.config
    }

    /// What became of packets and flows so far.
    pub fn counts(&self) -> MeterCounts {
        let mut counts = MeterCounts::default();
        for table in &self.tables {
            counts.merge(&table.counts);
        }
        counts
    }

    /// Pairs of end points that are remembered.
    pub fn entries(&self) -> usize {
        self.tables.iter().map(Table::flows).sum()
    }

    /// Memory that counts against [`MeterConfig::max_bytes`].
    pub fn used_bytes(&self) -> usize {
        self.tables.iter().map(Table::used_bytes).sum()
    }

    /// How late it is by the packets; `None` before there were enough of them.
    pub fn now_micros(&self) -> Option<i64> {
        self.clock.now
    }

    /// Takes packets and appends what happened, in order. How packets are grouped into calls
    /// changes nothing.
    pub fn observe(&mut self, packets: &[Packet], events: &mut Vec<Event>) {
        self.take(packets);
        events.extend(&mut self.told);
    }

    /// Takes packets; [`events`](Self::events) then says what happened, one event at a time, so
    /// that many flows that end together need not stand in memory together.
    pub fn take(&mut self, packets: &[Packet]) {
        // A batch is addressed with 32 bits.
        for packets in packets.chunks(1 << 30) {
            self.take_batch(packets);
        }
    }

    /// What happened and was not told yet.
    pub fn events(&mut self) -> &mut Events {
        &mut self.told
    }

    /// The same, to be told elsewhere while packets are taken here. The memory of events that were
    /// told is used again.
    pub fn take_events(&mut self, told: Option<Events>) -> Events {
        let told = told.filter(Events::is_empty);
        let empty = told.unwrap_or_else(|| Events::new(&self.config, PARTITIONS));
        std::mem::replace(&mut self.told, empty)
    }

    fn take_batch(&mut self, packets: &[Packet]) {
        let profile = self.config.profile;
        for route in &mut self.routes {
            route.clear();
        }
        self.ticks.clear();
        for (position, packet) in packets.iter().enumerate() {
            let key = FlowKey::of(packet, profile);
            let words = key.canonical(profile).words();
            self.routes[partition(words)].push(Routed {
                key,
                position: position as u32,
                hash: siphash::hash(self.config.hash_key, words, siphash::length(40)) as u32,
            });
            if let Some(now) = self.clock.observe(packet.time_micros) {
                self.ticks.push(Tick {
                    before: position as u32,
                    now,
                });
            }
        }
        let batch = Batch {
            packets,
            first: self.sequence,
            ticks: &self.ticks,
        };
        self.tables
            .par_iter_mut()
            .zip(&self.routes)
            .zip(self.told.parts_mut())
            .for_each(|((table, route), told)| table.observe_batch(&batch, route, told));
        self.sequence += packets.len() as u64;
        self.told.sort();
    }

    /// Says that it is this late although no packet came: a live source calls it when nothing
    /// arrives.
    pub fn advance(&mut self, now_micros: i64, events: &mut Vec<Event>) {
        self.pass(now_micros);
        events.extend(&mut self.told);
    }

    /// The same, told by [`events`](Self::events).
    pub fn pass(&mut self, now_micros: i64) {
        let Some(now) = self.clock.advance(now_micros) else {
            return;
        };
        let sequence = self.sequence;
        self.tables
            .par_iter_mut()
            .zip(self.told.parts_mut())
            .for_each(|(table, told)| table.tick(now, sequence, told));
        self.told.sort();
    }

    /// Ends everything that goes on: first the connections, in the order in which they would have
    /// been given up, then the flows, in the order of their first packets.
    pub fn finish(&mut self, events: &mut Vec<Event>) {
        let mut is_more = true;
        while is_more {
            is_more = self.finish_part(usize::MAX);
            events.extend(&mut self.told);
        }
    }

    /// The same in parts of so many connections or flows, told by [`events`](Self::events), so
    /// that a full table need not stand in memory a second time; true while there is more to end.
    pub fn finish_part(&mut self, count: usize) -> bool {
        let count = count.max(1);
        let mut left = match self.ending.take() {
            Some(left) => left,
            None => Ends::Connections(self.connections_that_go_on()),
        };
        let is_more = match &mut left {
            Ends::Connections(connections) => {
                let start = connections.len().saturating_sub(count);
                for (_, number, place) in connections.drain(start..).rev() {
                    if let Some(table) = self.tables.get_mut(number as usize) {
                        self.told.tell(number, |told| {
                            table.end_connection_at(place, self.sequence, told);
                        });
                    }
                }
                if connections.is_empty() {
                    left = Ends::Flows(self.flows_that_go_on());
                }
                true
            }
            Ends::Flows(flows) => {
                let start = flows.len().saturating_sub(count);
                for (sequence, number, place) in flows.drain(start..).rev() {
                    if let Some(table) = self.tables.get_mut(number as usize) {
                        self.told
                            .tell(number, |told| table.end(place, sequence, told));
                    }
                }
                !flows.is_empty()
            }
        };
        self.ending = is_more.then_some(left);
        is_more
    }

    /// The last to end first.
    fn connections_that_go_on(&self) -> Vec<(i64, u32, u32)> {
        let mut ends = Vec::new();
        for (table, number) in self.tables.iter().zip(0..) {
            let connections = table.open_connections();
            ends.extend(connections.map(|(at, place)| (at, number, place)));
        }
        ends.sort_unstable_by_key(|ending| std::cmp::Reverse(*ending));
        ends
    }

    /// The last to end first.
    fn flows_that_go_on(&self) -> Vec<Ending> {
        let mut ends = Vec::with_capacity(self.entries());
        for (table, number) in self.tables.iter().zip(0..) {
            let flows = table.places();
            ends.extend(flows.map(|(first, place)| (first, number, place)));
        }
        ends.sort_unstable_by_key(|ending| std::cmp::Reverse(*ending));
        ends
    }
}

/// Always the same for the same end points: which flows share a partition decides which of them
/// are evicted, and that must not depend on chance.
fn partition(words: [u64; 5]) -> usize {
    const KEY: [u64; 2] = [0x7472_6970_6c69_6e65, 0x7061_7274_6974_696f];
    siphash::hash(KEY, words, siphash::length(40)) as usize % PARTITIONS
}

/// The time by the packets. It never goes back.
#[derive(Debug, Default)]
struct Clock {
    now: Option<i64>,
    block: Option<i64>,
    last_block: Option<i64>,
    packets: u32,
}

impl Clock {
    /// Takes the time of a packet; says what time it is when a new second has begun.
    fn observe(&mut self, time: i64) -> Option<i64> {
        self.block = Some(self.block.map_or(time, |block| block.min(time)));
        self.packets += 1;
        if self.packets < CLOCK_PACKETS {
            return None;
        }
        self.packets = 0;
        let block = self.block.take();
        let earliest = self.last_block.into_iter().chain(block).min();
        self.last_block = block;
        self.advance(earliest?)
    }

    fn advance(&mut self, time: i64) -> Option<i64> {
        let is_new = self
            .now
            .is_none_or(|now| time.div_euclid(SECOND) > now.div_euclid(SECOND));
        if is_new {
            self.now = Some(time);
        }
        is_new.then_some(time)
    }
}
