//! What is in a capture: the flows, and what can explain a difference.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tripline_flow::{Flow, Meter, MeterConfig, Profile, What};
use tripline_wire::{
    Address, CaptureReader, DecodeOptions, Decoder, Frame, LinkType, Packet, Transport, protocol,
};

/// A capture, read as the original programs read it.
#[derive(Debug, Default)]
pub(crate) struct Capture {
    /// Packets of IPv4: the originals read no others.
    pub(crate) packets: Vec<Packet>,
    /// The addresses in each frame if its first byte were that of an IPv4 packet.
    from_first_byte: BTreeSet<Pair>,
    /// Per pair of end points, whether some frame has it in layers that the originals know.
    in_known_layers: BTreeMap<(End, End), bool>,
    /// Pairs of hosts between which ICMP errors went.
    icmp_errors: BTreeSet<Pair>,
    /// Pairs of hosts with packets whose IP protocol or ICMP type is 64 or more.
    high_numbers: BTreeSet<Pair>,
    /// Pairs of hosts with an IPv4 header behind which no transport header fits.
    without_transport: BTreeSet<Pair>,
}

type End = (Address, u16);
type Pair = (Address, Address);

/// From this number on the corrected tool loses IP protocols and ICMP types.
const FIRST_LOST_NUMBER: u8 = 64;

impl Capture {
    pub(crate) fn read(path: &Path) -> Self {
        let mut this = Self::default();
        let Ok(mut capture) = CaptureReader::new(std::fs::File::open(path).unwrap()) else {
            return this;
        };
        let mut decoder = Decoder::new(DecodeOptions::original());
        while let Some(frame) = capture.next_frame().unwrap() {
            if let Some([a, b, c, d, e, f, g, h]) = frame.data.get(12..20) {
                let source = Address::v4([*a, *b, *c, *d]);
                let destination = Address::v4([*e, *f, *g, *h]);
                this.from_first_byte.insert((source, destination));
            }
            match decoder.decode(&frame) {
                Ok(packet) if packet.version == 4 => {
                    this.packets.push(packet);
                    this.look_at(&frame, &packet);
                }
                Ok(_) => {}
                Err(_) => this.without_transport.extend(ipv4_pair(&frame)),
            }
        }
        this
    }

    fn look_at(&mut self, frame: &Frame<'_>, packet: &Packet) {
        let ends = sorted(
            (packet.source, packet.source_port),
            (packet.destination, packet.destination_port),
        );
        *self.in_known_layers.entry(ends).or_default() |= has_known_layers(frame);
        let pair = sorted(packet.source, packet.destination);
        let is_error = matches!(
            packet.transport,
            Transport::Icmp {
                kind: 3 | 4 | 5 | 11 | 12,
                ..
            }
        );
        if is_error && packet.protocol == protocol::ICMP {
            self.icmp_errors.insert(pair);
        }
        let number = match packet.transport {
            Transport::Icmp { kind, .. } => kind,
            _ => packet.protocol,
        };
        if number >= FIRST_LOST_NUMBER && packet.transport != Transport::Sctp {
            self.high_numbers.insert(pair);
        }
    }

    pub(crate) fn flows(&self, profile: Profile) -> Vec<Flow> {
        let mut meter = Meter::new(MeterConfig {
            profile,
            ..MeterConfig::default()
        });
        let mut events = Vec::new();
        meter.observe(&self.packets, &mut events);
        meter.finish(&mut events);
        events
            .into_iter()
            .filter_map(|event| match event.what {
                What::Ended(flow) => Some(*flow),
                _ => None,
            })
            .collect()
    }

    /// Whether a flow without ports has the addresses that the first bytes of a frame spell.
    pub(crate) fn spells(&self, flow: &str) -> bool {
        flow.ends_with("-0-0-0") && self.from_first_byte.contains(&addresses(flow))
    }

    /// Whether the flow was only seen in layers that the originals do not know.
    pub(crate) fn is_hidden(&self, flow: &Flow) -> bool {
        let key = flow.key;
        let ends = sorted(
            (key.source, key.source_port),
            (key.destination, key.destination_port),
        );
        self.in_known_layers.get(&ends) == Some(&false)
    }

    /// Whether ICMP errors went between the hosts of a flow.
    pub(crate) fn has_icmp_errors(&self, flow: &str) -> bool {
        self.icmp_errors.contains(&pair(flow))
    }

    /// Whether a flow without ports is between hosts with high protocol numbers.
    pub(crate) fn has_high_numbers(&self, flow: &str) -> bool {
        flow.contains("-0-0-") && self.high_numbers.contains(&pair(flow))
    }

    /// Whether packets without a transport header went between the hosts of a flow without ports.
    pub(crate) fn lacks_transport(&self, flow: &str) -> bool {
        flow.ends_with("-0-0-0") && self.without_transport.contains(&pair(flow))
    }
}

fn pair(flow: &str) -> Pair {
    let (source, destination) = addresses(flow);
    sorted(source, destination)
}

/// The addresses of an IPv4 header directly behind Ethernet and at most one VLAN tag.
fn ipv4_pair(frame: &Frame<'_>) -> Option<Pair> {
    let start = match frame.data.get(12..14)? {
        [0x08, 0x00] => 14,
        [0x81, 0x00] if frame.data.get(16..18)? == [0x08, 0x00] => 18,
        _ => return None,
    };
    let address = |at: usize| {
        let octets: [u8; 4] = frame
            .data
            .get(start + at..start + at + 4)?
            .try_into()
            .ok()?;
        Some(Address::v4(octets))
    };
    Some(sorted(address(12)?, address(16)?))
}

fn addresses(flow: &str) -> Pair {
    let mut parts = flow.split('-').map(|part| {
        let address: std::net::IpAddr = part.parse().unwrap();
        Address::from(address)
    });
    (parts.next().unwrap(), parts.next().unwrap())
}

fn sorted<T: Ord>(one: T, other: T) -> (T, T) {
    if one <= other {
        (one, other)
    } else {
        (other, one)
    }
}

/// Ethernet with or without VLAN tags, and raw IP.
fn has_known_layers(frame: &Frame<'_>) -> bool {
    match frame.link {
        LinkType::ETHERNET => {
            let mut kinds = frame.data.get(12..).unwrap_or_default().chunks_exact(4);
            loop {
                match kinds.next() {
                    Some([0x81, 0x00, ..]) => {}
                    Some([0x08, 0x00, ..]) => return true,
                    _ => return false,
                }
            }
        }
        link => matches!(link, LinkType::RAW | LinkType::IPV4 | LinkType(12 | 14)),
    }
}
