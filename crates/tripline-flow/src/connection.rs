//! Connections as KDD'99 describes them: the state machine of the Bro of 1998.
//!
//! A record is a TCP connection, a UDP exchange or one ICMP message. Its flag tells how far a TCP
//! connection came.

use tripline_wire::{Fragment, Packet, Tcp, Transport, protocol, tcp_flags};

use crate::flow::Heading;

/// A SYN or a datagram without an answer is an attempt after this time (Bro's `tcp_attempt_delay`).
const ATTEMPT_MICROS: i64 = 5_000_000;
/// One side has closed or nothing tells what it is: Zeek keeps such connections for a minute.
const HALF_OPEN_MICROS: i64 = 60_000_000;
/// What may follow a reset that is not final (Bro's `tcp_reset_delay`).
const RESET_MICROS: i64 = 100_000;
/// Zeek's `tcp_inactivity_timeout`.
const ESTABLISHED_MICROS: i64 = 300_000_000;
/// Zeek's `udp_inactivity_timeout`.
const UDP_MICROS: i64 = 60_000_000;
/// A fragmented message is complete after this time.
const ICMP_MICROS: i64 = 5_000_000;

/// How far a connection came: the values of KDD's `flag` that occur in NSL-KDD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectionFlag {
    /// Nothing of the above: seen from its middle.
    Oth,
    /// The attempt was rejected.
    Rej,
    /// Established; the originator aborted.
    Rsto,
    /// The originator sent a SYN and a RST; no answer was seen.
    Rstos0,
    /// Established; the responder aborted.
    Rstr,
    /// An attempt without an answer.
    S0,
    /// Established, not closed.
    S1,
    /// Only the originator closed.
    S2,
    /// Only the responder closed.
    S3,
    /// Established and closed; any UDP or ICMP.
    Sf,
    /// The originator sent a SYN and a FIN; no answer was seen.
    Sh,
}

impl ConnectionFlag {
    /// Every flag.
    pub const ALL: [Self; 11] = [
        Self::Oth,
        Self::Rej,
        Self::Rsto,
        Self::Rstos0,
        Self::Rstr,
        Self::S0,
        Self::S1,
        Self::S2,
        Self::S3,
        Self::Sf,
        Self::Sh,
    ];

    /// The spelling of NSL-KDD.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Oth => "OTH",
            Self::Rej => "REJ",
            Self::Rsto => "RSTO",
            Self::Rstos0 => "RSTOS0",
            Self::Rstr => "RSTR",
            Self::S0 => "S0",
            Self::S1 => "S1",
            Self::S2 => "S2",
            Self::S3 => "S3",
            Self::Sf => "SF",
            Self::Sh => "SH",
        }
    }

    /// Whether the flag counts as a SYN error in KDD's rates.
    pub const fn is_syn_error(self) -> bool {
        matches!(self, Self::S0 | Self::S1 | Self::S2 | Self::S3 | Self::Sh)
    }

    /// Whether the flag counts as a REJ error in KDD's rates.
    pub const fn is_reject_error(self) -> bool {
        matches!(self, Self::Rej | Self::Rsto | Self::Rstos0 | Self::Rstr)
    }
}

/// The transport of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectionProtocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP, with type and code of the message.
    Icmp(u8, u8),
    /// ICMP for IPv6, with type and code.
    Icmpv6(u8, u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum EndState {
    #[default]
    Inactive,
    SynSent,
    SynAckSent,
    Partial,
    Established,
    Closed,
    Reset,
}

/// One side of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct End {
    state: EndState,
    /// It was closed before it was reset.
    was_closed: bool,
    /// A segment was seen.
    is_heard: bool,
    /// The sequence number behind the last byte seen, once a segment was.
    next_sequence: u32,
    bytes: u64,
}

/// A connection, as far as it has been seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    protocol: ConnectionProtocol,
    /// Which way the first packet went, seen from the flow.
    originator: Heading,
    ends: [End; 2],
    start_micros: i64,
    last_micros: i64,
    urgent: u32,
    wrong_fragments: u32,
    is_land: bool,
    is_over: bool,
}

/// The bytes that a sender may be ahead of what was seen of it.
const MAX_WINDOW: u32 = 1 << 20;

const ORIGINATOR: usize = 0;
const RESPONDER: usize = 1;

impl Connection {
    /// The connection that a packet begins; `None` for protocols that KDD does not know.
    pub(crate) fn begin(packet: &Packet, heading: Heading) -> Option<Self> {
        let kind = match packet.transport {
            Transport::Tcp(_) => ConnectionProtocol::Tcp,
            Transport::Udp => ConnectionProtocol::Udp,
            Transport::Icmp { kind, code } if packet.protocol == protocol::ICMPV6 => {
                ConnectionProtocol::Icmpv6(kind, code)
            }
            Transport::Icmp { kind, code } => ConnectionProtocol::Icmp(kind, code),
            Transport::Sctp | Transport::Other => return None,
        };
        let mut connection = Self {
            protocol: kind,
            originator: heading,
            ends: [End::default(); 2],
            start_micros: packet.time_micros,
            last_micros: packet.time_micros,
            urgent: 0,
            wrong_fragments: 0,
            is_land: packet.source == packet.destination
                && packet.source_port == packet.destination_port,
            is_over: false,
        };
        connection.take(packet, heading);
        Some(connection)
    }

    /// Whether a packet belongs to another connection than this one.
    pub(crate) fn is_other(&self, packet: &Packet) -> bool {
        match packet.transport {
            // After the end only a SYN begins something; what else comes is late.
            Transport::Tcp(tcp) => self.is_over && tcp.flags & tcp_flags::SYN != 0,
            Transport::Udp => self.is_over,
            // Each message is a record.
            Transport::Icmp { .. } => true,
            Transport::Sctp | Transport::Other => false,
        }
    }

    /// Takes a packet of the connection.
    pub(crate) fn take(&mut self, packet: &Packet, heading: Heading) {
        if self.is_over {
            return;
        }
        let (from, to) = if heading == self.originator {
            (ORIGINATOR, RESPONDER)
        } else {
            (RESPONDER, ORIGINATOR)
        };
        self.last_micros = self.last_micros.max(packet.time_micros);
        if packet.fragment == Fragment::Overlapping {
            self.wrong_fragments = self.wrong_fragments.saturating_add(1);
        }
        let mut sender = self.ends[from];
        match packet.transport {
            Transport::Tcp(tcp) => {
                if tcp.flags & tcp_flags::URG != 0 {
                    self.urgent = self.urgent.saturating_add(1);
                }
                sender.bytes += sender.new_bytes(&tcp, packet.payload_bytes);
                self.ends[from] = sender;
                self.advance(from, to, &tcp, packet.payload_bytes);
                self.is_over = self.is_settled();
            }
            Transport::Icmp { .. } => {
                sender.bytes += u64::from(packet.ip_payload_bytes);
                self.ends[from] = sender;
                self.is_over = packet.fragment == Fragment::Whole;
            }
            // Of a fragmented message KDD counts the first fragment, and never a wrong one.
            _ if self.is_icmp() || packet.fragment == Fragment::Overlapping => {}
            _ => {
                sender.state = EndState::Established;
                sender.bytes += u64::from(packet.payload_bytes);
                self.ends[from] = sender;
            }
        }
    }

    /// Whether nothing that can follow changes the flag. Two resets may be taken back or become
    /// another flag: that of a side which had closed before, and that of an attempt.
    fn is_settled(&self) -> bool {
        use EndState::{Closed, Inactive, Reset};
        let [originator, responder] = &self.ends;
        let waits = |end: &End, peer: &End| end.was_closed && peer.state != Closed;
        match (originator.state, responder.state) {
            (Closed, Closed) | (Reset, Reset) => true,
            (Reset, Inactive) => false,
            (Reset, _) => !waits(originator, responder),
            (_, Reset) => !waits(responder, originator),
            _ => false,
        }
    }

    fn is_icmp(&self) -> bool {
        matches!(
            self.protocol,
            ConnectionProtocol::Icmp(..) | ConnectionProtocol::Icmpv6(..)
        )
    }

    /// Bro's `TCP_Connection::NextPacket`, as it was when the records were made.
    fn advance(&mut self, from: usize, to: usize, tcp: &Tcp, payload: u32) {
        use EndState::{Closed, Established, Inactive, Partial, Reset, SynAckSent, SynSent};
        let has = |flag: u8| tcp.flags & flag != 0;
        let (syn, fin, rst) = (
            has(tcp_flags::SYN),
            has(tcp_flags::FIN),
            has(tcp_flags::RST),
        );
        let peer = self.ends[to].state;
        let next = match self.ends[from].state {
            Inactive if syn && from == ORIGINATOR => {
                if has(tcp_flags::ACK) {
                    SynAckSent
                } else {
                    SynSent
                }
            }
            Inactive if syn => {
                if peer == SynSent {
                    self.ends[to].state = Established;
                }
                Established
            }
            Inactive | SynSent | SynAckSent if fin => Closed,
            Established | Partial if fin && !rst => {
                if peer == Reset && self.ends[to].was_closed {
                    self.ends[to].state = Closed;
                }
                Closed
            }
            Inactive | SynSent | SynAckSent | Established | Partial if rst => Reset,
            Inactive => {
                let is_empty_answer = from == RESPONDER && peer == SynSent && payload == 0;
                if is_empty_answer { Inactive } else { Partial }
            }
            Partial if syn && !has(tcp_flags::ACK) && peer == Inactive => SynSent,
            Closed if rst && peer != Closed => Reset,
            unchanged => unchanged,
        };
        let end = &mut self.ends[from];
        end.was_closed |= end.state == Closed;
        end.state = next;
    }

    /// When nothing more is expected of it.
    pub(crate) fn deadline(&self) -> i64 {
        use EndState::{Closed, Established, Reset, SynAckSent, SynSent};
        let states = [self.ends[ORIGINATOR].state, self.ends[RESPONDER].state];
        let (since, patience) = match self.protocol {
            // KDD does not say when an exchange without an answer is complete; a flood is to be
            // seen while it goes on.
            ConnectionProtocol::Udp if states[RESPONDER] == EndState::Inactive => {
                (self.last_micros, ATTEMPT_MICROS)
            }
            ConnectionProtocol::Udp => (self.last_micros, UDP_MICROS),
            ConnectionProtocol::Icmp(..) | ConnectionProtocol::Icmpv6(..) => {
                (self.last_micros, ICMP_MICROS)
            }
            ConnectionProtocol::Tcp => match states {
                [SynSent | SynAckSent, EndState::Inactive] => (self.start_micros, ATTEMPT_MICROS),
                [Closed, EndState::Inactive] => (self.last_micros, ATTEMPT_MICROS),
                [Established, Established] => (self.last_micros, ESTABLISHED_MICROS),
                [Reset, _] | [_, Reset] => (self.last_micros, RESET_MICROS),
                _ => (self.last_micros, HALF_OPEN_MICROS),
            },
        };
        since.saturating_add(patience)
    }

    /// Says that the flow is now seen from its other end.
    pub(crate) fn turn(&mut self) {
        self.originator = match self.originator {
            Heading::Forward => Heading::Backward,
            Heading::Backward => Heading::Forward,
        };
    }

    /// Ends it; what comes later is late.
    pub(crate) fn end(&mut self) {
        self.is_over = true;
    }

    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Its transport.
    pub fn protocol(&self) -> ConnectionProtocol {
        self.protocol
    }

    /// Whether its originator is the source of the flow.
    pub fn originator(&self) -> Heading {
        self.originator
    }

    /// Time of its last packet.
    pub fn last_micros(&self) -> i64 {
        self.last_micros
    }

    /// How far it came.
    pub fn flag(&self) -> ConnectionFlag {
        use EndState::{Closed, Established, Inactive, Partial, Reset, SynAckSent, SynSent};
        if self.protocol != ConnectionProtocol::Tcp {
            return ConnectionFlag::Sf;
        }
        let [originator, responder] = [self.ends[ORIGINATOR].state, self.ends[RESPONDER].state];
        let is_unheard = |state| matches!(state, Inactive | Partial);
        let is_empty = self.ends.iter().all(|end| end.bytes == 0);
        match (originator, responder) {
            (SynSent | SynAckSent, Reset) => ConnectionFlag::Rej,
            (Reset, Reset) if is_empty => ConnectionFlag::Rej,
            // Bro calls it RSTRH when the originator was not heard; KDD has no such record.
            (state, Reset) if is_unheard(state) => ConnectionFlag::Oth,
            (_, Reset) => ConnectionFlag::Rstr,
            (Reset, state) if is_unheard(state) => ConnectionFlag::Rstos0,
            (Reset, _) => ConnectionFlag::Rsto,
            (Closed, Closed) => ConnectionFlag::Sf,
            (Closed, state) if is_unheard(state) => ConnectionFlag::Sh,
            (Closed, _) => ConnectionFlag::S2,
            // Bro calls it SHR when the originator was not heard; KDD has no such record.
            (state, Closed) if is_unheard(state) => ConnectionFlag::Oth,
            (_, Closed) => ConnectionFlag::S3,
            (SynSent, Inactive) => ConnectionFlag::S0,
            (Established, Established) => ConnectionFlag::S1,
            _ => ConnectionFlag::Oth,
        }
    }

    /// Whole seconds, which of a TCP connection count only once a side has closed or reset it.
    pub fn duration_seconds(&self) -> u64 {
        let is_ended = self
            .ends
            .iter()
            .any(|end| matches!(end.state, EndState::Closed | EndState::Reset));
        let counts = match self.protocol {
            ConnectionProtocol::Tcp => {
                is_ended && !matches!(self.flag(), ConnectionFlag::Oth | ConnectionFlag::Sh)
            }
            ConnectionProtocol::Udp => true,
            ConnectionProtocol::Icmp(..) | ConnectionProtocol::Icmpv6(..) => false,
        };
        let micros = self.last_micros.saturating_sub(self.start_micros).max(0);
        if counts { micros as u64 / 1_000_000 } else { 0 }
    }

    /// Payload bytes from the originator, each counted once; of ICMP the bytes behind the IP
    /// header.
    pub fn originator_bytes(&self) -> u64 {
        self.bytes_of(ORIGINATOR)
    }

    /// Payload bytes from the responder.
    pub fn responder_bytes(&self) -> u64 {
        self.bytes_of(RESPONDER)
    }

    fn bytes_of(&self, end: usize) -> u64 {
        match self.flag() {
            ConnectionFlag::S0 | ConnectionFlag::Rej | ConnectionFlag::Sh | ConnectionFlag::Oth => {
                0
            }
            _ => self.ends[end].bytes,
        }
    }

    /// Packets with URG.
    pub fn urgent(&self) -> u32 {
        self.urgent
    }

    /// Fragments that overlap others or end beyond the largest datagram.
    pub fn wrong_fragments(&self) -> u32 {
        self.wrong_fragments
    }

    /// Whether both ends are the same.
    pub fn is_land(&self) -> bool {
        self.is_land
    }
}

impl End {
    /// Payload that was not seen before, so that a segment sent again does not count twice.
    fn new_bytes(&mut self, tcp: &Tcp, payload: u32) -> u64 {
        let syn = u32::from(tcp.flags & tcp_flags::SYN != 0);
        let fin = u32::from(tcp.flags & tcp_flags::FIN != 0);
        let begin = tcp.sequence.wrapping_add(syn);
        let end = begin.wrapping_add(payload);
        if !self.is_heard {
            self.is_heard = true;
            self.next_sequence = end.wrapping_add(fin);
            return u64::from(payload);
        }
        let advance = end.wrapping_sub(self.next_sequence) as i32;
        if advance <= 0 {
            return 0;
        }
        self.next_sequence = end.wrapping_add(fin);
        // Bytes come from sequence numbers, so that it does not matter in which order segments
        // are captured. A jump beyond any window is no transfer.
        let advance = advance as u32;
        u64::from(if advance <= MAX_WINDOW {
            advance
        } else {
            payload
        })
    }
}
