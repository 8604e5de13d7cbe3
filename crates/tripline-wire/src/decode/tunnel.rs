//! Packets inside packets.

use super::{Layer, Tunnels};
use crate::bytes::Bytes;

const IPV4_IN_IP: u8 = 4;
const IPV6_IN_IP: u8 = 41;
const GRE: u8 = 47;
const MPLS_IN_IP: u8 = 137;
const ETHERNET_IN_IP: u8 = 97;

/// RFC 7348, and the port that Linux used before one was assigned.
const VXLAN_PORTS: [u16; 2] = [4789, 8472];
/// RFC 8926.
const GENEVE_PORT: u16 = 6081;

/// ERSPAN types II and III in GRE (draft-foschiano-erspan).
const ERSPAN_II: u16 = 0x88be;
const ERSPAN_III: u16 = 0x22eb;

/// What an IP packet carries, if that is another packet.
pub(super) fn in_ip(
    protocol: u8,
    bytes: Bytes<'_>,
    tunnels: Tunnels,
) -> Option<(Layer, Bytes<'_>)> {
    match (protocol, tunnels) {
        (IPV4_IN_IP | IPV6_IN_IP, _) => Some((Layer::Ip, bytes)),
        (GRE, Tunnels::Inner) => gre(bytes),
        (MPLS_IN_IP, Tunnels::Inner) => Some((Layer::Mpls, bytes)),
        (ETHERNET_IN_IP, Tunnels::Inner) => {
            let mut bytes = bytes;
            bytes.skip(2)?;
            Some((Layer::Ethernet, bytes))
        }
        _ => None,
    }
}

/// What a datagram to a port carries, if it looks like a tunnel.
pub(super) fn in_udp(port: u16, mut bytes: Bytes<'_>) -> Option<(Layer, Bytes<'_>)> {
    if VXLAN_PORTS.contains(&port) {
        let [flags, ..]: [u8; 8] = bytes.array()?;
        // The network identifier must be there; other bits belong to extensions.
        return (flags & 0x08 != 0).then_some((Layer::Ethernet, bytes));
    }
    if port == GENEVE_PORT {
        let [first, _, high, low, ..]: [u8; 8] = bytes.array()?;
        if first >> 6 != 0 {
            return None;
        }
        bytes.skip(usize::from(first & 0x3f) * 4)?;
        return Some((Layer::EtherType(u16::from_be_bytes([high, low])), bytes));
    }
    None
}

/// RFC 2784 and 2890, and version 1 of PPTP (RFC 2637).
fn gre(mut bytes: Bytes<'_>) -> Option<(Layer, Bytes<'_>)> {
    let [flags, second]: [u8; 2] = bytes.array()?;
    let kind = bytes.u16()?;
    let version = second & 0x07;
    let words = |bit: u8| usize::from(flags & bit != 0);
    match version {
        // Checksum and offset share a word (0x80, or routing 0x40), then key and sequence number.
        0 if flags & 0x40 == 0 => {
            let options = words(0x80) + words(0x20) + words(0x10);
            bytes.skip(options * 4)?;
            match kind {
                ERSPAN_II if flags & 0x10 == 0 => Some((Layer::Ethernet, bytes)),
                ERSPAN_II => {
                    bytes.skip(8)?;
                    Some((Layer::Ethernet, bytes))
                }
                ERSPAN_III => {
                    let has_subheader = bytes.peek(11)? & 1 == 1;
                    bytes.skip(12 + if has_subheader { 8 } else { 0 })?;
                    Some((Layer::Ethernet, bytes))
                }
                kind => Some((Layer::EtherType(kind), bytes)),
            }
        }
        1 if kind == 0x880b => {
            // Payload comes with a sequence number (0x10), an acknowledgement may be alone.
            if flags & 0x10 == 0 {
                return None;
            }
            let has_acknowledgement = second & 0x80 != 0;
            bytes.skip(8 + if has_acknowledgement { 4 } else { 0 })?;
            ppp(bytes)
        }
        _ => None,
    }
}

fn ppp(mut bytes: Bytes<'_>) -> Option<(Layer, Bytes<'_>)> {
    if bytes.peek(0) == Some(0xff) && bytes.peek(1) == Some(0x03) {
        bytes.skip(2)?;
    }
    Some((Layer::Ppp, bytes))
}
