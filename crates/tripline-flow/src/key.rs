use std::fmt;
use std::net::IpAddr;

use base64::Engine;
use sha1::{Digest, Sha1};
use tripline_wire::{Address, Fragment, Packet, Transport, protocol};

use crate::{Profile, siphash};

/// Who talks to whom, seen from the source of the flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowKey {
    /// Sender of the first packet.
    pub source: Address,
    /// Its receiver.
    pub destination: Address,
    /// Port of the source; 0 where there is none.
    pub source_port: u16,
    /// Port of the destination; 0 where there is none.
    pub destination_port: u16,
    /// IP protocol number, or 0 for those that the profile does not tell apart.
    pub protocol: u8,
}

impl FlowKey {
    /// The key of a packet, seen from its sender.
    pub(crate) fn of(packet: &Packet, profile: Profile) -> Self {
        let (protocol, has_ports) = match packet.transport {
            Transport::Tcp(_) => (protocol::TCP, true),
            Transport::Udp => (protocol::UDP, true),
            Transport::Icmp { .. } if profile.is_fixed() => (packet.protocol, false),
            Transport::Sctp if profile.is_fixed() => (protocol::SCTP, true),
            Transport::Other if packet.protocol == protocol::IGMP && profile.is_fixed() => {
                (protocol::IGMP, false)
            }
            // ICMP has no ports: its later fragments need no first one to be told.
            Transport::Other
                if packet.fragment != Fragment::Whole
                    && matches!(packet.protocol, protocol::ICMP | protocol::ICMPV6)
                    && profile.is_fixed() =>
            {
                (packet.protocol, false)
            }
            // A later fragment whose first one was seen belongs to the flow of that.
            Transport::Other
                if packet.fragment != Fragment::Whole
                    && (packet.source_port != 0 || packet.destination_port != 0) =>
            {
                (packet.protocol, true)
            }
            _ => (0, false),
        };
        Self {
            source: packet.source,
            destination: packet.destination,
            source_port: if has_ports { packet.source_port } else { 0 },
            destination_port: if has_ports {
                packet.destination_port
            } else {
                0
            },
            protocol,
        }
    }

    /// Seen from the other end.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self {
            source: self.destination,
            destination: self.source,
            source_port: self.destination_port,
            destination_port: self.source_port,
            protocol: self.protocol,
        }
    }

    /// The same for both directions. The build that made CICIDS2017 does not order the ports of
    /// a host that talks to itself: each of its directions is a flow there.
    pub(crate) fn canonical(self, profile: Profile) -> Self {
        let keeps_ports = profile == Profile::Cicids2017 && self.source == self.destination;
        let from = (self.source, self.source_port);
        if keeps_ports || from <= (self.destination, self.destination_port) {
            self
        } else {
            self.reversed()
        }
    }

    /// The same bytes for both directions, to assign whole conversations by.
    pub fn undirected_bytes(self) -> Vec<u8> {
        let key = self.canonical(Profile::Fixed);
        let mut bytes = octets(key.source);
        bytes.extend_from_slice(&key.source_port.to_be_bytes());
        bytes.extend(octets(key.destination));
        bytes.extend_from_slice(&key.destination_port.to_be_bytes());
        bytes.push(key.protocol);
        bytes
    }

    /// The bytes of the addresses, and ports and protocol, as words.
    #[inline]
    pub(crate) fn words(&self) -> [u64; 5] {
        let [first, second] = siphash::words(self.source.octets());
        let [third, fourth] = siphash::words(self.destination.octets());
        let ports = u64::from(self.source_port) << 32 | u64::from(self.destination_port) << 8;
        [
            first,
            second,
            third,
            fourth,
            ports | u64::from(self.protocol),
        ]
    }

    /// The Community ID of the flow: the name under which other sensors know it
    /// (<https://github.com/corelight/community-id-spec>, version 1).
    ///
    /// ICMP flows are named by their type, as `icmp` says it: type and code, or type and the type
    /// of its counterpart.
    pub fn community_id(&self, seed: u16, icmp: Option<(u8, u8)>) -> String {
        let (mut ports, mut is_one_way) = ((self.source_port, self.destination_port), false);
        if let Some((kind, code)) = icmp {
            let counterpart = match self.protocol {
                protocol::ICMPV6 => icmpv6_counterpart(kind),
                _ => icmp_counterpart(kind),
            };
            is_one_way = counterpart.is_none();
            ports = (u16::from(kind), u16::from(counterpart.unwrap_or(code)));
        }
        let (source, destination) = (octets(self.source), octets(self.destination));
        let in_order =
            is_one_way || (source.as_slice(), ports.0) <= (destination.as_slice(), ports.1);
        let (low, high, low_port, high_port) = if in_order {
            (source, destination, ports.0, ports.1)
        } else {
            (destination, source, ports.1, ports.0)
        };
        let mut digest = Sha1::new();
        digest.update(seed.to_be_bytes());
        digest.update(low);
        digest.update(high);
        digest.update([self.protocol, 0]);
        let has_ports = icmp.is_some()
            || matches!(
                self.protocol,
                protocol::TCP | protocol::UDP | protocol::SCTP
            );
        if has_ports {
            digest.update(low_port.to_be_bytes());
            digest.update(high_port.to_be_bytes());
        }
        let engine = base64::engine::general_purpose::STANDARD;
        format!("1:{}", engine.encode(digest.finalize()))
    }
}

fn octets(address: Address) -> Vec<u8> {
    match address.v4_octets() {
        Some(octets) => octets.to_vec(),
        None => address.octets().to_vec(),
    }
}

/// Requests and their answers share an identifier (Community ID, "ICMP").
fn icmp_counterpart(kind: u8) -> Option<u8> {
    Some(match kind {
        0 => 8,
        8 => 0,
        9 => 10,
        10 => 9,
        13 => 14,
        14 => 13,
        15 => 16,
        16 => 15,
        17 => 18,
        18 => 17,
        _ => return None,
    })
}

fn icmpv6_counterpart(kind: u8) -> Option<u8> {
    Some(match kind {
        128 => 129,
        129 => 128,
        130 => 131,
        131 => 130,
        133 => 134,
        134 => 133,
        135 => 136,
        136 => 135,
        139 => 140,
        140 => 139,
        144 => 145,
        145 => 144,
        _ => return None,
    })
}

impl fmt::Display for FlowKey {
    /// As the original tools write their flow identifiers.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}-{}-{}-{}-{}",
            IpAddr::from(self.source),
            IpAddr::from(self.destination),
            self.source_port,
            self.destination_port,
            self.protocol
        )
    }
}
