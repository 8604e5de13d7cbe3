//! How a packet changes the numbers of its flow.
//!
//! The order of steps is that of the original programs, since some of them read what others
//! write.

use tripline_wire::{Packet, Transport, tcp_flags};

use crate::flow::{Bulk, Direction, Flow, FlowId, Heading, Moment};
use crate::profile::{ACTIVITY_TIMEOUT_MICROS, SUBFLOW_GAP_MICROS};
use crate::{FlowKey, Moments, Profile};

/// Packets that make a transfer a bulk transfer.
const BULK_PACKETS: u32 = 4;

/// What a packet is to the counters. The first packet of a flow is kept as this, so that flows of
/// one packet are small.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted {
    pub(crate) time: i64,
    payload: u32,
    frame: u32,
    window: u16,
    header: u8,
    flags: u8,
    version: u8,
    is_tcp: bool,
    /// Type and code of an ICMP message.
    pub(crate) icmp: Option<(u8, u8)>,
}

impl Counted {
    pub(crate) fn of(packet: &Packet, profile: Profile) -> Self {
        let (payload, header) = match packet.transport {
            // The build that made CICIDS2017 took the padding of short frames for payload.
            Transport::Tcp(_) if profile == Profile::Cicids2017 => {
                (packet.captured_payload_bytes, packet.header_bytes)
            }
            Transport::Tcp(_) | Transport::Udp => (packet.payload_bytes, packet.header_bytes),
            Transport::Sctp if profile.is_fixed() => (packet.payload_bytes, packet.header_bytes),
            // A fragment of a known datagram is payload; other protocols have neither.
            Transport::Other if packet.source_port != 0 || packet.destination_port != 0 => {
                (packet.payload_bytes, 0)
            }
            _ => (0, 0),
        };
        let (flags, window) = match packet.transport {
            Transport::Tcp(tcp) => (tcp.flags, tcp.window),
            _ => (0, 0),
        };
        Self {
            time: packet.time_micros,
            payload,
            frame: packet.frame_bytes,
            window,
            header,
            flags,
            version: packet.version,
            is_tcp: matches!(packet.transport, Transport::Tcp(_)),
            icmp: match packet.transport {
                Transport::Icmp { kind, code } => Some((kind, code)),
                _ => None,
            },
        }
    }
}

/// How the first packet of a flow is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opening {
    pub(crate) key: FlowKey,
    pub(crate) id: FlowId,
    /// Which way the first packet counts.
    pub(crate) heading: Heading,
    /// Time of the connection before this flow.
    pub(crate) earlier_micros: i64,
    /// The packet.
    pub(crate) first: Counted,
}

impl Flow {
    /// A flow of one packet, of which so many first ones are noted.
    pub(crate) fn open(profile: Profile, opening: &Opening, timeline: usize) -> Self {
        let counted = opening.first;
        // The value that stands for "no TCP window" differs.
        let no_window = if profile == Profile::Cicids2017 {
            -1
        } else {
            0
        };
        let direction = Direction {
            window: no_window,
            ..Direction::default()
        };
        let mut flow = Self {
            profile,
            key: opening.key,
            id: opening.id,
            end: None,
            ip_version: counted.version,
            start_micros: counted.time,
            last_micros: counted.time,
            forward: direction,
            backward: direction,
            lengths: Moments::default(),
            first_length: counted.payload,
            gaps: Moments::default(),
            flags: [0; 8],
            first_flags: counted.flags,
            pauses: None,
            subflow_gaps: 0,
            icmp: counted.icmp,
            connection_micros: opening.earlier_micros,
            connection: None,
            timeline: Vec::new(),
            activity_start: counted.time,
            activity_end: counted.time,
        };
        flow.count_bulk(&counted, opening.heading);
        flow.count_flags(counted.flags);
        flow.lengths.add(i64::from(counted.payload));
        if !profile.is_fixed() {
            // The originals add the first payload to the list of lengths twice.
            flow.lengths.add(i64::from(counted.payload));
        }
        let direction = flow.direction(opening.heading);
        direction.min_header_bytes = counted.header;
        if counted.is_tcp {
            direction.window = i32::from(counted.window);
        }
        // The originals leave the first packet out of this one.
        let counts_data = profile.is_fixed();
        direction.count(&counted, counts_data);
        flow.note(&counted, opening.heading, timeline);
        flow
    }

    /// Takes another packet.
    pub(crate) fn add(&mut self, counted: &Counted, heading: Heading, rule: AddRule) {
        if rule.updates_activity {
            self.update_activity(counted.time);
        }
        if self.profile != Profile::Cicids2017 {
            self.count_bulk(counted, heading);
            self.count_subflow(counted.time);
            self.count_flags(counted.flags);
        }
        self.lengths.add(i64::from(counted.payload));
        let profile = self.profile;
        let direction = self.direction(heading);
        if direction.packets() > 0 {
            let gap = counted.time.saturating_sub(direction.last_micros);
            direction.gaps.add(gap);
        }
        direction.min_header_bytes = direction.min_header_bytes.min(counted.header);
        if heading == Heading::Backward && counted.is_tcp {
            // The originals keep the last window, the corrected tool the first that is not zero.
            let keeps_first = profile.is_fixed() && direction.window != 0;
            if !keeps_first {
                direction.window = i32::from(counted.window);
            }
        }
        direction.count(counted, true);
        self.gaps.add(counted.time.saturating_sub(self.last_micros));
        self.last_micros = counted.time;
        self.note(counted, heading, rule.timeline);
    }

    pub(crate) fn direction(&mut self, heading: Heading) -> &mut Direction {
        match heading {
            Heading::Forward => &mut self.forward,
            Heading::Backward => &mut self.backward,
        }
    }

    fn note(&mut self, counted: &Counted, heading: Heading, limit: usize) {
        if self.timeline.len() < limit {
            self.timeline.push(Moment {
                offset_micros: counted.time.saturating_sub(self.start_micros),
                payload_bytes: counted.payload,
                flags: counted.flags,
                heading,
            });
        }
    }

    fn count_flags(&mut self, flags: u8) {
        for (bit, count) in self.flags.iter_mut().enumerate() {
            *count = count.saturating_add(u32::from(flags >> bit & 1));
        }
    }

    /// The last activity of a flow is never counted: that is how the data sets were made.
    fn update_activity(&mut self, time: i64) {
        let gap = time.saturating_sub(self.activity_end);
        if gap > ACTIVITY_TIMEOUT_MICROS {
            let activity = self.activity_end.saturating_sub(self.activity_start);
            let pauses = self.pauses.get_or_insert_default();
            if activity > 0 {
                pauses.active.add(activity);
            }
            pauses.idle.add(gap);
            self.activity_start = time;
        }
        self.activity_end = time;
    }

    fn count_subflow(&mut self, time: i64) {
        if time.saturating_sub(self.last_micros) > SUBFLOW_GAP_MICROS {
            self.subflow_gaps = self.subflow_gaps.saturating_add(1);
            self.update_activity(time);
        }
    }

    fn count_bulk(&mut self, counted: &Counted, heading: Heading) {
        match self.profile {
            Profile::Fixed => {
                let (own, other) = match heading {
                    Heading::Forward => (&mut self.forward.bulk, self.backward.bulk.last),
                    Heading::Backward => (&mut self.backward.bulk, self.forward.bulk.last),
                };
                own.count(counted, other);
            }
            // A comparison of objects is always false there, so that all packets are counted as
            // backward and nothing ever interrupts them.
            Profile::V4 => self.backward.bulk.count(counted, 0),
            Profile::Cicids2017 => {}
        }
    }
}

/// What happens with a packet besides being counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AddRule {
    /// The originals leave this out on packets that close a flow.
    pub(crate) updates_activity: bool,
    /// Moments to keep.
    pub(crate) timeline: usize,
}

impl Direction {
    fn count(&mut self, counted: &Counted, counts_data: bool) {
        self.lengths.add(i64::from(counted.payload));
        self.header_bytes += u64::from(counted.header);
        self.frame_bytes += u64::from(counted.frame);
        self.last_micros = counted.time;
        if counts_data && counted.payload > 0 {
            self.data_packets += 1;
        }
        let has = |flag: u8| u32::from(counted.flags & flag != 0);
        self.psh += has(tcp_flags::PSH);
        self.urg += has(tcp_flags::URG);
        self.fin += has(tcp_flags::FIN);
        self.rst += has(tcp_flags::RST);
    }
}

impl Bulk {
    fn count(&mut self, counted: &Counted, other_last: i64) {
        if other_last > self.start {
            self.start = 0;
        }
        if counted.payload == 0 {
            return;
        }
        let gap = counted.time.saturating_sub(self.last);
        if self.start == 0 || gap > SUBFLOW_GAP_MICROS {
            self.start = counted.time;
            self.last = counted.time;
            self.run_packets = 1;
            self.run_bytes = u64::from(counted.payload);
            return;
        }
        self.run_packets = self.run_packets.saturating_add(1);
        self.run_bytes += u64::from(counted.payload);
        if self.run_packets == BULK_PACKETS {
            self.transfers += 1;
            self.packets += BULK_PACKETS;
            self.bytes += self.run_bytes;
            let micros = counted.time.saturating_sub(self.start);
            self.micros = self.micros.saturating_add(micros);
        } else if self.run_packets > BULK_PACKETS {
            self.packets = self.packets.saturating_add(1);
            self.bytes += u64::from(counted.payload);
            self.micros = self.micros.saturating_add(gap);
        }
        self.last = counted.time;
    }
}
