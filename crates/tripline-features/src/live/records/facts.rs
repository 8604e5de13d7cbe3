//! What a record says, in the words that both schemas share.

use tripline_flow::{ConnectionFlag, ConnectionProtocol};
use tripline_records::{ConnState, FlowRecord, RecordSource, Side};
use tripline_wire::protocol;

use super::flag::{flag_of_state, flag_of_unions};

/// Which side a number belongs to.
const FORWARD: usize = 0;
const BACKWARD: usize = 1;

/// The transport, as far as features are defined for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Tcp,
    Udp,
    /// With type and code, where the sensor tells them.
    Icmp(Option<(u8, u8)>),
    Icmpv6(Option<(u8, u8)>),
    Other,
}

/// A record, interpreted.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each asked for by name"
)]
pub(super) struct Facts<'a> {
    pub(super) record: &'a FlowRecord,
    pub(super) transport: Transport,
    /// The numbers are those of the whole flow: no sampling, no piece cut out by a timer, no
    /// traffic that the sensor let pass unseen.
    pub(super) is_whole: bool,
    /// The first side is the one that began.
    pub(super) is_directed: bool,
    pub(super) has_ports: bool,
    pub(super) flag: Option<ConnectionFlag>,
    pub(super) last_micros: i64,
    pub(super) duration_micros: Option<i64>,
    /// The duration is told to the microsecond.
    pub(super) is_precise: bool,
    /// Packets of the first and of the other side.
    pub(super) packets: [Option<u64>; 2],
    /// Bytes of payload, each byte counted once where the sensor follows sequence numbers.
    pub(super) payload: [Option<u64>; 2],
    /// Bytes of payload over all packets.
    pub(super) packet_payload: [Option<u64>; 2],
}

impl<'a> Facts<'a> {
    pub(super) fn of(record: &'a FlowRecord) -> Self {
        let transport = match record.protocol {
            protocol::TCP => Transport::Tcp,
            protocol::UDP => Transport::Udp,
            protocol::ICMP => Transport::Icmp(record.icmp),
            protocol::ICMPV6 => Transport::Icmpv6(record.icmp),
            _ => Transport::Other,
        };
        let is_whole = is_whole(record);
        let has_both = record.backward.is_some();
        let sides = [record.forward, record.backward.unwrap_or_default()];
        let count = |value: Option<u64>| value.filter(|_| is_whole && has_both);
        let packets = sides.map(|side| count(side.packets));
        let mut facts = Self {
            record,
            transport,
            is_whole,
            is_directed: has_both && is_directed(record),
            has_ports: has_ports(record, transport),
            flag: None,
            last_micros: record
                .end_micros
                .unwrap_or(record.start_micros)
                .max(record.start_micros),
            duration_micros: duration(record, packets).filter(|_| is_whole && has_both),
            is_precise: is_precise(record),
            packets,
            payload: [FORWARD, BACKWARD].map(|side| count(payload(record, &sides, side))),
            packet_payload: [FORWARD, BACKWARD]
                .map(|side| count(packet_payload(record, transport, &sides, side))),
        };
        facts.flag = facts.find_flag();
        facts
    }

    /// Whether the windows count it: only where every connection is told, and told once.
    pub(super) fn is_counted(&self) -> bool {
        self.is_directed && self.record.sampling.is_none_or(|rate| rate <= 1)
    }

    pub(super) fn is_icmp(&self) -> bool {
        matches!(self.transport, Transport::Icmp(_) | Transport::Icmpv6(_))
    }

    /// A record of ICMP of which it is not known that it is a single message.
    pub(super) fn is_several_messages(&self) -> bool {
        self.is_icmp() && self.packets != [Some(1), Some(0)]
    }

    /// The transport as connections have it; `None` where the sensor does not tell enough.
    pub(super) fn connection_protocol(&self) -> Option<ConnectionProtocol> {
        Some(match self.transport {
            Transport::Tcp => ConnectionProtocol::Tcp,
            Transport::Udp => ConnectionProtocol::Udp,
            Transport::Icmp(icmp) => {
                let (kind, code) = icmp?;
                ConnectionProtocol::Icmp(kind, code)
            }
            Transport::Icmpv6(icmp) => {
                let (kind, code) = icmp?;
                ConnectionProtocol::Icmpv6(kind, code)
            }
            Transport::Other => return None,
        })
    }

    fn find_flag(&self) -> Option<ConnectionFlag> {
        match self.transport {
            Transport::Other => None,
            // KDD tells no states of protocols without connections.
            Transport::Udp | Transport::Icmp(_) | Transport::Icmpv6(_) => Some(ConnectionFlag::Sf),
            Transport::Tcp if !self.is_directed || !self.is_whole => None,
            Transport::Tcp if self.record.source == RecordSource::ZeekConn => {
                self.record.zeek_state.map(flag_of_state)
            }
            Transport::Tcp => {
                let flags = self.record.tcp_flags?;
                let packets = [self.packets[FORWARD]?, self.packets[BACKWARD]?];
                let backward = match packets[BACKWARD] {
                    0 => 0,
                    _ => flags.backward?,
                };
                flag_of_unions(flags.forward?, backward, packets)
            }
        }
    }
}

fn is_whole(record: &FlowRecord) -> bool {
    let is_sampled = record.sampling.is_some_and(|rate| rate > 1);
    let is_cut = record.end_reason.as_deref() == Some("active timeout");
    let is_bypassed = record.suricata_state.as_ref().is_some_and(|state| {
        let flow = state.flow.as_deref().unwrap_or_default();
        flow.contains("bypass")
    });
    !is_sampled && !is_cut && !is_bypassed
}

/// Zeek marks a connection that it turned round with `^`, behind a SYN-ACK or by a guess at the
/// ports. KDD has the originator where the first packet came from, whatever that was, and
/// `CICFlowMeter` turns flows behind a SYN-ACK only: the sides are not surely theirs.
fn is_directed(record: &FlowRecord) -> bool {
    let history = record.zeek_history.as_deref().unwrap_or_default();
    !history.contains('^') && !history.starts_with('H')
}

/// Exporters without ports write zeros, or nothing.
fn has_ports(record: &FlowRecord, transport: Transport) -> bool {
    match record.source {
        RecordSource::ZeekConn | RecordSource::SuricataEve => true,
        _ if matches!(transport, Transport::Tcp | Transport::Udp) => {
            record.source_port != 0 || record.destination_port != 0
        }
        _ => true,
    }
}

fn duration(record: &FlowRecord, packets: [Option<u64>; 2]) -> Option<i64> {
    match record.end_micros {
        Some(end) => Some(end.checked_sub(record.start_micros)?).filter(|micros| *micros >= 0),
        // Zeek writes no duration of a single packet.
        None => {
            let total = packets[FORWARD]?.checked_add(packets[BACKWARD]?)?;
            (total == 1).then_some(0)
        }
    }
}

/// Clocks of milliseconds are common among exporters.
fn is_precise(record: &FlowRecord) -> bool {
    match record.source {
        RecordSource::ZeekConn | RecordSource::SuricataEve => true,
        _ => {
            let is_fine = |time: i64| time % 1000 != 0;
            is_fine(record.start_micros) || record.end_micros.is_some_and(is_fine)
        }
    }
}

fn payload(record: &FlowRecord, sides: &[Side; 2], side: usize) -> Option<u64> {
    let told = sides[side];
    if told.packets == Some(0) {
        return Some(0);
    }
    told.payload_bytes
        .or_else(|| has_no_data(record, side).then_some(0))
}

/// Zeek counts the bytes of TCP by sequence numbers: what was sent again, lost or refused for its
/// checksum tells that the packets had other bytes.
fn packet_payload(
    record: &FlowRecord,
    transport: Transport,
    sides: &[Side; 2],
    side: usize,
) -> Option<u64> {
    let bytes = payload(record, sides, side)?;
    if record.source != RecordSource::ZeekConn || sides[side].packets == Some(0) {
        return Some(bytes);
    }
    let is_odd = |letters: &str| {
        let letters = letters.chars().filter(|letter| is_of_side(*letter, side));
        letters
            .map(|letter| letter.to_ascii_uppercase())
            .any(|letter| matches!(letter, 'T' | 'G' | 'C' | 'I'))
    };
    match (&record.zeek_history, transport) {
        (Some(history), _) => (!is_odd(history)).then_some(bytes),
        (None, Transport::Tcp) => None,
        (None, _) => Some(bytes),
    }
}

/// Zeek's history has a `D` for payload of the originator, a `d` for that of the responder.
fn has_no_data(record: &FlowRecord, side: usize) -> bool {
    let is_connected = matches!(record.protocol, protocol::TCP | protocol::UDP);
    // Of a connection that was under way Zeek did not see the beginning.
    let is_seen = record
        .zeek_state
        .is_some_and(|state| state != ConnState::OTH);
    is_connected
        && is_seen
        && record.zeek_history.as_ref().is_some_and(|history| {
            !history
                .chars()
                .any(|letter| letter.eq_ignore_ascii_case(&'d') && is_of_side(letter, side))
        })
}

fn is_of_side(letter: char, side: usize) -> bool {
    letter.is_ascii_uppercase() == (side == FORWARD)
}
