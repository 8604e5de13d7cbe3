use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::frame::{self, End};
use crate::network::Network;
use crate::random::Random;
use crate::session::Session;
use crate::sources::{Next, Source};
use crate::{AttackKind, PlanError, TrafficPlan};

/// What a packet belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Label {
    /// Ordinary traffic.
    Benign,
    /// An attack.
    Attack(AttackKind),
}

impl Label {
    /// The name that CICIDS2017 gives it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Benign => "BENIGN",
            Self::Attack(kind) => kind.name(),
        }
    }
}

/// One packet, as long as the next one is not asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrafficPacket<'a> {
    /// Time in microseconds since 1970.
    pub time_micros: i64,
    /// The Ethernet frame.
    pub frame: &'a [u8],
    /// What it belongs to.
    pub label: Label,
    /// Which session it belongs to.
    pub session: u64,
    /// The end that began the session.
    pub client: End,
    /// The other end.
    pub server: End,
    /// IP protocol number.
    pub protocol: u8,
}

/// Something that happens next, ordered by time and then by number.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    time: i64,
    number: u64,
    place: usize,
}

/// Gives the packets of a plan in the order of time.
#[derive(Debug)]
pub struct Traffic {
    random: Random,
    network: Network,
    sources: Vec<Source>,
    sessions: Vec<Option<Session>>,
    free: Vec<usize>,
    turns: BinaryHeap<Reverse<Turn>>,
    source_turns: BinaryHeap<Reverse<Turn>>,
    numbers: u64,
    frame: Vec<u8>,
}

impl Traffic {
    /// Checks a plan and prepares to carry it out.
    pub fn new(plan: &TrafficPlan) -> Result<Self, PlanError> {
        plan.check()?;
        let mut random = Random::new(plan.seed);
        let network = Network::new(&mut random);
        let mut traffic = Self {
            sources: Source::of(plan, &network, &mut random),
            network,
            random,
            sessions: Vec::new(),
            free: Vec::new(),
            turns: BinaryHeap::new(),
            source_turns: BinaryHeap::new(),
            numbers: 0,
            frame: Vec::new(),
        };
        for place in 0..traffic.sources.len() {
            let time = traffic.sources[place].first_micros();
            traffic.schedule_source(time, place);
        }
        Ok(traffic)
    }

    /// Sessions that are open.
    pub fn open_sessions(&self) -> usize {
        self.sessions.len() - self.free.len()
    }

    /// The next packet.
    pub fn next_packet(&mut self) -> Option<TrafficPacket<'_>> {
        loop {
            self.begin_due_sessions()?;
            let place = self.turns.peek()?.0.place;
            let session = self.sessions.get_mut(place)?.as_mut()?;
            if !session.is_unseen() {
                break;
            }
            session.take()?;
            self.go_on();
        }
        let turn = &self.turns.peek()?.0;
        let (time_micros, place) = (turn.time, turn.place);
        let session = self.sessions.get_mut(place)?.as_mut()?;
        let spec = session.take()?;
        frame::build(&spec, &mut self.frame);
        let (label, id) = (session.label, session.id);
        let (client, server) = (session.client, session.server);
        self.go_on();
        Some(TrafficPacket {
            time_micros,
            frame: &self.frame,
            label,
            session: id,
            client,
            server,
            protocol: spec.body.protocol(client.address.is_ipv6()),
        })
    }

    /// Begins every session whose time comes before that of the next packet; `None` at the end.
    fn begin_due_sessions(&mut self) -> Option<()> {
        loop {
            let source_time = self.source_turns.peek().map(|Reverse(turn)| turn.time);
            let packet_time = self.turns.peek().map(|Reverse(turn)| turn.time);
            match (source_time, packet_time) {
                (Some(source), packet) if packet.is_none_or(|packet| source <= packet) => {
                    self.begin_session();
                }
                (_, Some(_)) => return Some(()),
                (_, None) => return None,
            }
        }
    }

    /// Puts the session whose turn it was where its next packet comes, or ends it.
    fn go_on(&mut self) {
        let Some(Reverse(turn)) = self.turns.pop() else {
            return;
        };
        let Some(Some(session)) = self.sessions.get_mut(turn.place) else {
            return;
        };
        match session.next_delay() {
            Some(delay) => self.schedule(turn.time + delay as i64, turn.place),
            None => {
                self.sessions[turn.place] = None;
                self.free.push(turn.place);
            }
        }
    }

    fn begin_session(&mut self) {
        let Some(Reverse(turn)) = self.source_turns.pop() else {
            return;
        };
        let source = &mut self.sources[turn.place];
        let Next { script, again } = source.next(turn.time, &mut self.network, &mut self.random);
        if let Some(script) = script {
            self.numbers += 1;
            let mut session = Session::new(self.numbers, script, self.random.fork());
            if let Some(delay) = session.next_delay() {
                let place = match self.free.pop() {
                    Some(place) => place,
                    None => {
                        self.sessions.push(None);
                        self.sessions.len() - 1
                    }
                };
                self.sessions[place] = Some(session);
                self.schedule(turn.time + delay as i64, place);
            }
        }
        if let Some(time) = again {
            self.schedule_source(time, turn.place);
        }
    }

    fn schedule(&mut self, time: i64, place: usize) {
        self.numbers += 1;
        self.turns.push(Reverse(Turn {
            time,
            number: self.numbers,
            place,
        }));
    }

    fn schedule_source(&mut self, time: i64, place: usize) {
        self.numbers += 1;
        self.source_turns.push(Reverse(Turn {
            time,
            number: self.numbers,
            place,
        }));
    }
}
