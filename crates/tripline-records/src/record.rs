//! The neutral record.

use std::net::IpAddr;

use serde::Serialize;

/// The protocol number of a record whose sensor does not tell the protocol; IANA reserves it.
pub const UNKNOWN_PROTOCOL: u8 = 255;

/// One flow as a sensor recorded it.
///
/// `source` is the side that the sensor puts first: Zeek's originator, Suricata's client, the
/// sender of a `NetFlow` record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FlowRecord {
    /// The kind of record.
    pub source: RecordSource,
    /// The sensor's own name of the flow: Zeek's `uid`, Suricata's `flow_id`.
    pub uid: Option<String>,
    /// Community ID as the sensor computed it.
    pub community_id: Option<String>,
    /// First packet, in microseconds since 1970, UTC.
    pub start_micros: i64,
    /// Last packet, in microseconds since 1970, UTC; may lie before the start, see [`Oddities`].
    pub end_micros: Option<i64>,
    /// Address of the first side.
    pub source_address: IpAddr,
    /// Address of the other side.
    pub destination_address: IpAddr,
    /// Port of the first side; 0 for protocols without ports, ICMP among them.
    pub source_port: u16,
    /// Port of the other side; 0 for protocols without ports, ICMP among them.
    pub destination_port: u16,
    /// IP protocol number, or [`UNKNOWN_PROTOCOL`].
    pub protocol: u8,
    /// ICMP type and code. Zeek writes no code for messages that have an answer, such as echo;
    /// the code is 0 there, the only one that these messages define.
    pub icmp: Option<(u8, u8)>,
    /// What the first side sent.
    pub forward: Side,
    /// What the other side sent; `None` where the sensor exports one direction only.
    pub backward: Option<Side>,
    /// Zeek's summary of the connection.
    pub zeek_state: Option<ConnState>,
    /// Zeek's history of the connection, a letter for each kind of packet.
    pub zeek_history: Option<String>,
    /// Suricata's states.
    pub suricata_state: Option<SuricataState>,
    /// Application protocol as the sensor names it; several of Zeek's are separated by commas.
    pub service: Option<String>,
    /// TCP flags seen at least once.
    pub tcp_flags: Option<TcpFlagUnion>,
    /// Why the sensor ended the flow, in its own words or those of `flowEndReason`.
    pub end_reason: Option<String>,
    /// One of how many packets the sensor looks at.
    pub sampling: Option<u32>,
}

/// The kind of sensor record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RecordSource {
    /// A line of Zeek's `conn.log`.
    ZeekConn,
    /// A flow event of Suricata's EVE log.
    SuricataEve,
    /// A record of a `NetFlow` v5 datagram.
    NetflowV5,
    /// A data record of a `NetFlow` v9 datagram.
    NetflowV9,
    /// A data record of an IPFIX message.
    Ipfix,
}

/// What one side sent, as far as the sensor counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Side {
    /// Packets.
    pub packets: Option<u64>,
    /// Bytes of transport payload: Zeek's `orig_bytes`, `initiatorOctets` of IPFIX.
    pub payload_bytes: Option<u64>,
    /// Bytes from the IP header on: Zeek's `orig_ip_bytes`, the octets of `NetFlow`.
    pub ip_bytes: Option<u64>,
    /// Bytes of whole frames: Suricata's `bytes_toserver`, `layer2OctetDeltaCount` of IPFIX.
    pub frame_bytes: Option<u64>,
}

/// TCP flags seen at least once, by direction, in the order of the header's flag byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct TcpFlagUnion {
    /// Of the packets of the first side.
    pub forward: Option<u8>,
    /// Of the packets of the other side.
    pub backward: Option<u8>,
}

/// What Suricata says about the state of a flow.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SuricataState {
    /// `flow.state`: new, established, closed, bypassed.
    pub flow: Option<String>,
    /// `tcp.state`: `syn_sent`, established, closed and so on.
    pub tcp: Option<String>,
}

/// Zeek's thirteen values of `conn_state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[allow(clippy::upper_case_acronyms, reason = "the names are Zeek's")]
pub enum ConnState {
    /// An attempt without an answer.
    S0,
    /// Established, not ended.
    S1,
    /// Established and ended normally.
    SF,
    /// The attempt was rejected.
    REJ,
    /// Established; the originator closed, the responder did not answer that.
    S2,
    /// Established; the responder closed, the originator did not answer that.
    S3,
    /// Established; the originator reset it.
    RSTO,
    /// The responder reset it.
    RSTR,
    /// The originator sent SYN, then RST; the responder sent no SYN-ACK.
    RSTOS0,
    /// The responder sent SYN-ACK, then RST; no SYN of the originator was seen.
    RSTRH,
    /// The originator sent SYN, then FIN; the responder sent no SYN-ACK.
    SH,
    /// The responder sent SYN-ACK, then FIN; no SYN of the originator was seen.
    SHR,
    /// No SYN was seen.
    OTH,
}

impl ConnState {
    /// Every state.
    pub const ALL: [Self; 13] = [
        Self::S0,
        Self::S1,
        Self::SF,
        Self::REJ,
        Self::S2,
        Self::S3,
        Self::RSTO,
        Self::RSTR,
        Self::RSTOS0,
        Self::RSTRH,
        Self::SH,
        Self::SHR,
        Self::OTH,
    ];

    /// The name as Zeek writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::S0 => "S0",
            Self::S1 => "S1",
            Self::SF => "SF",
            Self::REJ => "REJ",
            Self::S2 => "S2",
            Self::S3 => "S3",
            Self::RSTO => "RSTO",
            Self::RSTR => "RSTR",
            Self::RSTOS0 => "RSTOS0",
            Self::RSTRH => "RSTRH",
            Self::SH => "SH",
            Self::SHR => "SHR",
            Self::OTH => "OTH",
        }
    }

    /// The state of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// How many records have improbable times; the records are kept as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Oddities {
    /// The end lies before the start.
    pub end_before_start: u64,
    /// The start is far off: in a log before 1990 or from 2100 on, in a datagram more than a year
    /// away from its arrival.
    pub start_far_off: u64,
    /// A time that does not fit into 64 bits of microseconds and is therefore missing.
    pub time_out_of_range: u64,
}

impl Oddities {
    const YEAR_1990: i64 = 631_152_000_000_000;
    const YEAR_2100: i64 = 4_102_444_800_000_000;
    const YEAR: u64 = 366 * 86_400 * 1_000_000;

    /// Counts what is odd about a record of a log.
    pub(crate) fn check_logged(&mut self, record: &FlowRecord) {
        self.check_order(record);
        if !(Self::YEAR_1990..Self::YEAR_2100).contains(&record.start_micros) {
            self.start_far_off += 1;
        }
    }

    /// Counts what is odd about a record that arrived at a known time.
    pub(crate) fn check_received(&mut self, record: &FlowRecord, received_micros: i64) {
        self.check_order(record);
        if record.start_micros.abs_diff(received_micros) > Self::YEAR {
            self.start_far_off += 1;
        }
    }

    /// Adds what another reader counted.
    pub fn merge(&mut self, other: &Self) {
        self.end_before_start = self.end_before_start.saturating_add(other.end_before_start);
        self.start_far_off = self.start_far_off.saturating_add(other.start_far_off);
        self.time_out_of_range = self
            .time_out_of_range
            .saturating_add(other.time_out_of_range);
    }

    fn check_order(&mut self, record: &FlowRecord) {
        if record
            .end_micros
            .is_some_and(|end| end < record.start_micros)
        {
            self.end_before_start += 1;
        }
    }
}
