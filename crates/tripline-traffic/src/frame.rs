//! Ethernet frames with IP, TCP, UDP and ICMP inside, checksums included.

use std::net::IpAddr;

/// One end of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// Address; both ends have the same version.
    pub address: IpAddr,
    /// Port; ignored where the protocol has none.
    pub port: u16,
}

/// What lies behind the IP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// A TCP segment.
    Tcp {
        /// Flags, as in the header.
        flags: u8,
        /// Sequence number.
        sequence: u32,
        /// Acknowledgement number.
        acknowledgement: u32,
        /// Window.
        window: u16,
        /// Bytes of options, filled with no-operations and cut to a multiple of four.
        option_bytes: u8,
    },
    /// A UDP datagram.
    Udp,
    /// An ICMP message of the version of the addresses.
    Icmp {
        /// Type.
        kind: u8,
        /// Code.
        code: u8,
        /// The second word: identifier and sequence number.
        rest: u32,
    },
    /// Any other protocol, without a header of its own.
    Other {
        /// IP protocol number.
        protocol: u8,
    },
}

impl Body {
    /// The IP protocol number.
    pub fn protocol(self, is_v6: bool) -> u8 {
        match self {
            Self::Tcp { .. } => 6,
            Self::Udp => 17,
            Self::Icmp { .. } if is_v6 => 58,
            Self::Icmp { .. } => 1,
            Self::Other { protocol } => protocol,
        }
    }
}

/// What a frame is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameSpec {
    /// Sender.
    pub from: End,
    /// Receiver.
    pub to: End,
    /// Hops that are left.
    pub ttl: u8,
    /// Identification of an IPv4 packet.
    pub identification: u16,
    /// What it carries.
    pub body: Body,
    /// Payload bytes of filler text.
    pub payload_bytes: u16,
}

const ETHERNET_BYTES: usize = 14;
/// Shorter frames are padded on the wire.
const MIN_FRAME_BYTES: usize = 60;
const FILLER: &[u8; 64] = b"Tripline generated traffic, harmless filler text. 0123456789abc\n";

/// Writes a frame into a buffer, instead of what was there.
pub fn build(spec: &FrameSpec, out: &mut Vec<u8>) {
    out.clear();
    let is_v6 = spec.from.address.is_ipv6();
    out.extend(hardware(spec.to.address));
    out.extend(hardware(spec.from.address));
    out.extend(if is_v6 { [0x86, 0xdd] } else { [0x08, 0x00] });
    let protocol = spec.body.protocol(is_v6);
    let header_bytes = match spec.body {
        Body::Tcp { option_bytes, .. } => 20 + usize::from(option_bytes / 4 * 4),
        Body::Udp | Body::Icmp { .. } => 8,
        Body::Other { .. } => 0,
    };
    let inside = header_bytes + usize::from(spec.payload_bytes);
    match (spec.from.address, spec.to.address) {
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            out.extend([0x60, 0, 0, 0]);
            out.extend((inside as u16).to_be_bytes());
            out.extend([protocol, spec.ttl]);
            out.extend(from.octets());
            out.extend(to.octets());
        }
        (from, to) => {
            let start = out.len();
            out.extend([0x45, 0]);
            out.extend(((20 + inside) as u16).to_be_bytes());
            out.extend(spec.identification.to_be_bytes());
            out.extend([0x40, 0, spec.ttl, protocol, 0, 0]);
            out.extend(v4(from));
            out.extend(v4(to));
            let sum = fold(ones_sum(&out[start..]));
            out[start + 10..start + 12].copy_from_slice(&sum.to_be_bytes());
        }
    }
    let start = out.len();
    write_body(spec, inside, out);
    for position in 0..usize::from(spec.payload_bytes) {
        out.push(FILLER[position % FILLER.len()]);
    }
    let checksum_at = match spec.body {
        Body::Tcp { .. } => Some(16),
        Body::Udp => Some(6),
        Body::Icmp { .. } => Some(2),
        Body::Other { .. } => None,
    };
    if let Some(at) = checksum_at {
        let pseudo = match spec.body {
            Body::Icmp { .. } if !is_v6 => 0,
            _ => pseudo_sum(spec, protocol, inside),
        };
        let sum = match fold(pseudo + ones_sum(&out[start..])) {
            // Zero says that there is no checksum (RFC 768).
            0 if spec.body == Body::Udp => 0xffff,
            sum => sum,
        };
        out[start + at..start + at + 2].copy_from_slice(&sum.to_be_bytes());
    }
    if out.len() < MIN_FRAME_BYTES {
        out.resize(MIN_FRAME_BYTES, 0);
    }
    debug_assert!(out.len() >= ETHERNET_BYTES + inside);
}

fn write_body(spec: &FrameSpec, inside: usize, out: &mut Vec<u8>) {
    match spec.body {
        Body::Tcp {
            flags,
            sequence,
            acknowledgement,
            window,
            option_bytes,
        } => {
            out.extend(spec.from.port.to_be_bytes());
            out.extend(spec.to.port.to_be_bytes());
            out.extend(sequence.to_be_bytes());
            out.extend(acknowledgement.to_be_bytes());
            out.extend([(5 + option_bytes / 4) << 4, flags]);
            out.extend(window.to_be_bytes());
            out.extend([0; 4]);
            out.resize(out.len() + usize::from(option_bytes / 4 * 4), 1);
        }
        Body::Udp => {
            out.extend(spec.from.port.to_be_bytes());
            out.extend(spec.to.port.to_be_bytes());
            out.extend((inside as u16).to_be_bytes());
            out.extend([0; 2]);
        }
        Body::Icmp { kind, code, rest } => {
            out.extend([kind, code, 0, 0]);
            out.extend(rest.to_be_bytes());
        }
        Body::Other { .. } => {}
    }
}

fn v4(address: IpAddr) -> [u8; 4] {
    match address {
        IpAddr::V4(address) => address.octets(),
        IpAddr::V6(address) => address.to_ipv4().map_or([0; 4], |address| address.octets()),
    }
}

/// A locally administered hardware address made of the IP address.
fn hardware(address: IpAddr) -> [u8; 6] {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            [0x02, 0x00, a, b, c, d]
        }
        IpAddr::V6(address) => {
            let [.., a, b, c, d] = address.octets();
            [0x02, 0x06, a, b, c, d]
        }
    }
}

/// RFC 1071.
fn ones_sum(bytes: &[u8]) -> u64 {
    let mut pairs = bytes.chunks_exact(2);
    let sum: u64 = pairs
        .by_ref()
        .map(|pair| u64::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    let rest = pairs.remainder().first();
    sum + rest.map_or(0, |byte| u64::from(*byte) << 8)
}

fn pseudo_sum(spec: &FrameSpec, protocol: u8, inside: usize) -> u64 {
    let of = |address: IpAddr| match address {
        IpAddr::V4(address) => ones_sum(&address.octets()),
        IpAddr::V6(address) => ones_sum(&address.octets()),
    };
    of(spec.from.address) + of(spec.to.address) + u64::from(protocol) + inside as u64
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
