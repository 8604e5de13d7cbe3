//! From the values of a data record to a flow record.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::bytes::number;
use super::causes::Cause;
use super::element::{Clock, Element, Way};
use super::v5::uptime_micros;
use crate::protocols;
use crate::record::{FlowRecord, RecordSource, Side, TcpFlagUnion, UNKNOWN_PROTOCOL};

/// Seconds from 1900 to 1970.
const NTP_TO_UNIX: i64 = 2_208_988_800;

/// What a message says about the clocks of its records.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clocks {
    pub(super) source: RecordSource,
    pub(super) export_micros: i64,
    /// The exporter's milliseconds since its boot at the export; IPFIX has none.
    pub(super) uptime_millis: Option<u32>,
    pub(super) boot_micros: Option<i64>,
}

/// The used values of one data record, as far as they are there.
#[derive(Debug, Default)]
pub(super) struct Values {
    source_address: Option<IpAddr>,
    destination_address: Option<IpAddr>,
    source_port: Option<u16>,
    destination_port: Option<u16>,
    protocol: Option<u8>,
    icmp_type_code: Option<u16>,
    icmp_type: Option<u8>,
    icmp_code: Option<u8>,
    forward: Side,
    backward: Option<Side>,
    flags: TcpFlagUnion,
    sampling: Option<u32>,
    sampling_packets: Option<u32>,
    sampling_space: Option<u32>,
    end_reason: Option<u8>,
    start: Option<(Clock, u64)>,
    end: Option<(Clock, u64)>,
    observed: Option<(Clock, u64)>,
    duration_micros: Option<i64>,
    boot_micros: Option<i64>,
    out_of_range: bool,
}

impl Values {
    /// Takes over the value of an element; one with an impossible length is not there.
    pub(super) fn show(&mut self, element: Element, bytes: &[u8]) {
        match element {
            Element::SourceAddress => set_address(&mut self.source_address, bytes),
            Element::DestinationAddress => set_address(&mut self.destination_address, bytes),
            _ => {
                if let Some(value) = number(bytes) {
                    self.show_number(element, value);
                }
            }
        }
    }

    fn show_number(&mut self, element: Element, value: u64) {
        let small = || u32::try_from(value).ok();
        let port = || u16::try_from(value).ok();
        let byte = || u8::try_from(value).ok();
        match element {
            Element::Skip | Element::SourceAddress | Element::DestinationAddress => {}
            Element::Octets(way) => _ = self.side(way).ip_bytes.get_or_insert(value),
            Element::Packets(way) => _ = self.side(way).packets.get_or_insert(value),
            Element::FrameBytes(way) => _ = self.side(way).frame_bytes.get_or_insert(value),
            Element::PayloadBytes(way) => _ = self.side(way).payload_bytes.get_or_insert(value),
            Element::TcpFlags(way) => {
                let flags = match way {
                    Way::Forward => &mut self.flags.forward,
                    Way::Backward => &mut self.flags.backward,
                };
                // Two bytes are the header's; the flags are in the lower one.
                *flags = Some(flags.unwrap_or_default() | value as u8);
            }
            Element::Protocol => self.protocol = byte(),
            // Without a value in one of several fields that may hold it, exporters write 0.
            Element::SourcePort => self.source_port = port().max(self.source_port),
            Element::DestinationPort => self.destination_port = port().max(self.destination_port),
            Element::IcmpTypeCode => self.icmp_type_code = port().max(self.icmp_type_code),
            Element::IcmpType => self.icmp_type = byte().max(self.icmp_type),
            Element::IcmpCode => self.icmp_code = byte().max(self.icmp_code),
            Element::Sampling => self.sampling = small(),
            Element::SamplingPackets => self.sampling_packets = small(),
            Element::SamplingSpace => self.sampling_space = small(),
            Element::EndReason => self.end_reason = byte(),
            Element::Start(clock) => self.start = self.start.max(Some((clock, value))),
            Element::End(clock) => self.end = self.end.max(Some((clock, value))),
            Element::Observed(clock) => self.observed = self.observed.max(Some((clock, value))),
            Element::DurationMillis => self.duration_micros = self.micros(value, 1000),
            Element::DurationMicros => self.duration_micros = self.micros(value, 1),
            Element::BootMillis => self.boot_micros = self.micros(value, 1000),
        }
    }

    fn side(&mut self, way: Way) -> &mut Side {
        match way {
            Way::Forward => &mut self.forward,
            Way::Backward => self.backward.get_or_insert_default(),
        }
    }

    /// When the exporter booted, if the record says so.
    pub(super) fn boot_micros(&self) -> Option<i64> {
        self.boot_micros
    }

    /// A time was there that does not fit into 64 bits.
    pub(super) fn out_of_range(&self) -> bool {
        self.out_of_range
    }

    /// The flow, unless the record describes none.
    pub(super) fn flow(&mut self, clocks: &Clocks) -> Result<FlowRecord, Cause> {
        let (Some(source), Some(destination)) = (self.source_address, self.destination_address)
        else {
            return Err(Cause::NoAddress);
        };
        let (start, end) = self.times(clocks);
        let start = start.ok_or(Cause::NoTime)?;
        let protocol = self.protocol.unwrap_or(UNKNOWN_PROTOCOL);
        let (icmp, source_port, destination_port) = if protocols::is_icmp(protocol) {
            (self.icmp(), 0, 0)
        } else {
            let source = self.source_port.unwrap_or_default();
            (None, source, self.destination_port.unwrap_or_default())
        };
        let may_have_flags = matches!(protocol, protocols::TCP | UNKNOWN_PROTOCOL);
        let has_flags = self.flags != TcpFlagUnion::default();
        Ok(FlowRecord {
            source: clocks.source,
            uid: None,
            community_id: None,
            start_micros: start,
            end_micros: end,
            source_address: source,
            destination_address: destination,
            source_port,
            destination_port,
            protocol,
            icmp,
            forward: self.forward,
            backward: self.backward,
            zeek_state: None,
            zeek_history: None,
            suricata_state: None,
            service: None,
            tcp_flags: (may_have_flags && has_flags).then_some(self.flags),
            end_reason: self.end_reason.map(end_reason),
            sampling: self.sampling(),
        })
    }

    fn icmp(&self) -> Option<(u8, u8)> {
        let split = |both: u16| {
            let [kind, code] = both.to_be_bytes();
            (kind, code)
        };
        let apart = self.icmp_type.zip(self.icmp_code);
        let joined = self.icmp_type_code.map(split);
        // As in v5, some exporters keep both in the place of the destination port.
        let as_port = || match (self.source_port.unwrap_or_default(), self.destination_port) {
            (0, Some(port)) => Some(split(port)),
            _ => None,
        };
        apart.or(joined).or_else(as_port)
    }

    /// Some samplers take several packets, then leave out several.
    fn sampling(&self) -> Option<u32> {
        let from_space = || match (self.sampling_packets?, self.sampling_space) {
            (packets, Some(space)) => packets.checked_add(space)?.checked_div(packets),
            (packets, None) => Some(packets),
        };
        self.sampling.or_else(from_space).filter(|rate| *rate > 0)
    }

    /// Start and end. A time that is not there follows from the other one and the duration; of a
    /// record that is an event its time is the start.
    fn times(&mut self, clocks: &Clocks) -> (Option<i64>, Option<i64>) {
        let start = self.start.and_then(|time| self.resolve(time, clocks));
        let end = self.end.and_then(|time| self.resolve(time, clocks));
        let duration = self.duration_micros;
        let before_end = || end?.checked_sub(duration?);
        let after_start = |start: i64| start.checked_add(duration?);
        let start = start.or_else(before_end).or_else(|| {
            let observed = self.observed?;
            self.resolve(observed, clocks)
        });
        (start, end.or_else(|| start.and_then(after_start)))
    }

    fn resolve(&mut self, (clock, value): (Clock, u64), clocks: &Clocks) -> Option<i64> {
        match clock {
            Clock::Uptime => {
                let millis = u32::try_from(value).ok()?;
                let boot = self.boot_micros.or(clocks.boot_micros);
                match clocks.uptime_millis {
                    Some(uptime) => Some(uptime_micros(clocks.export_micros, uptime, millis)),
                    None => boot?.checked_add(i64::from(millis) * 1000),
                }
            }
            Clock::Seconds => self.micros(value, 1_000_000),
            Clock::Millis => self.micros(value, 1000),
            Clock::DeltaMicros => {
                let ago = self.micros(value, 1)?;
                clocks.export_micros.checked_sub(ago)
            }
            // RFC 5905: 0 is no time at all.
            Clock::Ntp => (value != 0).then(|| ntp_micros(value)),
        }
    }

    fn micros(&mut self, value: u64, factor: i64) -> Option<i64> {
        let micros = i64::try_from(value)
            .ok()
            .and_then(|value| value.checked_mul(factor));
        self.out_of_range |= micros.is_none();
        micros
    }
}

/// A time of the NTP era from 1900 on or, without its highest bit, of the one from 2036 on.
fn ntp_micros(value: u64) -> i64 {
    let seconds = (value >> 32) as u32;
    let era = if seconds & 0x8000_0000 == 0 {
        1_i64 << 32
    } else {
        0
    };
    let fraction = ((value & 0xffff_ffff) * 1_000_000) >> 32;
    (i64::from(seconds) + era - NTP_TO_UNIX) * 1_000_000 + fraction as i64
}

/// Four bytes or sixteen. Templates for both kinds of addresses fill the unused one with zeros.
fn set_address(slot: &mut Option<IpAddr>, bytes: &[u8]) {
    let address = match *bytes {
        [a, b, c, d] => IpAddr::from(Ipv4Addr::new(a, b, c, d)),
        _ => match <[u8; 16]>::try_from(bytes) {
            Ok(octets) => IpAddr::from(Ipv6Addr::from(octets)),
            Err(_) => return,
        },
    };
    if slot.is_none_or(|known| known.is_unspecified()) {
        *slot = Some(address);
    }
}

/// The registry of `flowEndReason`.
fn end_reason(value: u8) -> String {
    match value {
        1 => "idle timeout".to_owned(),
        2 => "active timeout".to_owned(),
        3 => "end of flow detected".to_owned(),
        4 => "forced end".to_owned(),
        5 => "lack of resources".to_owned(),
        other => other.to_string(),
    }
}
