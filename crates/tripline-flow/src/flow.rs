use sha1::{Digest, Sha1};

use crate::{Connection, FlowKey, Moments, Profile};

/// A flow, as far as it has been seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Flow {
    /// Whose rules made it.
    pub profile: Profile,
    /// Its end points, seen from its source.
    pub key: FlowKey,
    /// Which flow it is.
    pub id: FlowId,
    /// Why it ended; `None` of a flow that goes on.
    pub end: Option<EndReason>,
    /// 4 or 6.
    pub ip_version: u8,
    /// Time of the first packet.
    pub start_micros: i64,
    /// Time of the last packet in capture order.
    pub last_micros: i64,
    /// From source to destination.
    pub forward: Direction,
    /// From destination to source.
    pub backward: Direction,
    /// Payload bytes of the packets of both directions.
    pub lengths: Moments,
    /// Payload bytes of the first packet.
    pub first_length: u32,
    /// Microseconds between packets.
    pub gaps: Moments,
    /// Packets with each TCP flag, lowest bit first: FIN, SYN, RST, PSH, ACK, URG, ECE, CWR.
    pub flags: [u32; 8],
    /// TCP flags of the first packet.
    pub first_flags: u8,
    /// Gaps of more than a second.
    pub subflow_gaps: u32,
    /// Type and code of the first packet of an ICMP flow.
    pub icmp: Option<(u8, u8)>,
    /// Microseconds of the whole connection when it was cut into several flows.
    pub connection_micros: i64,
    /// The connection as KDD'99 describes it, if it is TCP, UDP or ICMP.
    pub connection: Option<Connection>,
    /// The first packets.
    pub timeline: Vec<Moment>,
    pub(crate) activity_start: i64,
    pub(crate) activity_end: i64,
    /// Most flows never pause.
    pub(crate) pauses: Option<Box<Pauses>>,
}

/// Activity and idle times of a flow that paused.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Pauses {
    pub(crate) active: Moments,
    pub(crate) idle: Moments,
}

/// Which flow of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowId {
    /// Position of the flow's first packet in the capture, counted from 0.
    pub first_packet: u64,
    /// How many flows the same end points had before it, as far as is remembered.
    pub earlier: u32,
}

/// One direction of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Direction {
    /// Payload bytes of the packets.
    pub lengths: Moments,
    /// Microseconds between packets.
    pub gaps: Moments,
    /// Time of the last packet.
    pub last_micros: i64,
    /// Transport header bytes.
    pub header_bytes: u64,
    /// Smallest transport header; 0 where the original counts none.
    pub min_header_bytes: u8,
    /// Initial TCP window by the rules of the profile.
    pub window: i32,
    /// Packets with payload.
    pub data_packets: u32,
    /// Packets with PSH.
    pub psh: u32,
    /// Packets with URG.
    pub urg: u32,
    /// Packets with FIN.
    pub fin: u32,
    /// Packets with RST.
    pub rst: u32,
    /// TCP segments seen again.
    pub retransmissions: u32,
    /// Bytes of the frames on the wire.
    pub frame_bytes: u64,
    /// Bulk transfers.
    pub bulk: Bulk,
}

impl Direction {
    /// Packets.
    pub fn packets(&self) -> u32 {
        self.lengths.count()
    }

    /// Payload bytes.
    pub fn bytes(&self) -> i64 {
        self.lengths.sum()
    }
}

/// Bulk transfers of one direction: at least four packets with payload, none from the other side
/// in between, no gap of more than a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bulk {
    /// How many.
    pub transfers: u32,
    /// Their packets.
    pub packets: u32,
    /// Their payload bytes.
    pub bytes: u64,
    /// Their time in microseconds.
    pub micros: i64,
    pub(crate) start: i64,
    pub(crate) last: i64,
    pub(crate) run_packets: u32,
    pub(crate) run_bytes: u64,
}

/// One of the first packets of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Microseconds since the first packet.
    pub offset_micros: i64,
    /// Payload bytes.
    pub payload_bytes: u32,
    /// TCP flags.
    pub flags: u8,
    /// Which way it went.
    pub heading: Heading,
}

/// Which way a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heading {
    /// From source to destination.
    Forward,
    /// From destination to source.
    Backward,
}

/// Why a flow ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EndReason {
    /// The TCP connection was closed or reset.
    Closed,
    /// It grew older than [`FLOW_TIMEOUT_MICROS`](crate::FLOW_TIMEOUT_MICROS).
    Timeout,
    /// The same end points began something else.
    Replaced,
    /// The capture ended.
    CaptureEnd,
    /// The table was full and nothing was seen of it for the longest time.
    Evicted,
}

impl EndReason {
    /// Every reason.
    pub const ALL: [Self; 5] = [
        Self::Closed,
        Self::Timeout,
        Self::Replaced,
        Self::CaptureEnd,
        Self::Evicted,
    ];

    /// The name as it is printed and counted.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Timeout => "timeout",
            Self::Replaced => "replaced",
            Self::CaptureEnd => "capture_end",
            Self::Evicted => "evicted",
        }
    }
}

impl Flow {
    /// Packets of both directions.
    pub fn packets(&self) -> u64 {
        u64::from(self.forward.packets()) + u64::from(self.backward.packets())
    }

    /// Microseconds of activity between idle times.
    pub fn active(&self) -> Moments {
        let pauses = self.pauses.as_deref();
        pauses.map(|pauses| pauses.active).unwrap_or_default()
    }

    /// Microseconds of idle times.
    pub fn idle(&self) -> Moments {
        let pauses = self.pauses.as_deref();
        pauses.map(|pauses| pauses.idle).unwrap_or_default()
    }

    /// From the first to the last packet; negative where packets are out of order.
    pub fn duration_micros(&self) -> i64 {
        self.last_micros.saturating_sub(self.start_micros)
    }

    /// The Community ID of the flow.
    pub fn community_id(&self) -> String {
        self.key.community_id(0, self.icmp)
    }
}

impl Flow {
    /// The name of the flow, made of what it is: its end points, the time of its first packet and
    /// how many flows the same end points had before. It is the same however often and wherever
    /// the packets are read, and of a young flow the same as at its end.
    pub fn identity(&self) -> [u8; 16] {
        let mut digest = Sha1::new();
        digest.update(self.key.source.octets());
        digest.update(self.key.destination.octets());
        digest.update(self.key.source_port.to_be_bytes());
        digest.update(self.key.destination_port.to_be_bytes());
        digest.update([self.key.protocol]);
        digest.update(self.start_micros.to_be_bytes());
        digest.update(self.id.earlier.to_be_bytes());
        let mut identity = [0; 16];
        for (byte, digested) in identity.iter_mut().zip(digest.finalize()) {
            *byte = digested;
        }
        identity
    }
}
