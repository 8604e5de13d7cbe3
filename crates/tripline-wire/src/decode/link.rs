//! Link layers, tags and labels.

use super::{Inward, Layer};
use crate::bytes::Bytes;
use crate::{Cause, LinkType};

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const MPLS: [u16; 2] = [0x8847, 0x8848];
/// IEEE 802.1Q, 802.1ad and their predecessors.
const VLAN: [u16; 4] = [0x8100, 0x88a8, 0x9100, 0x9200];
/// IEEE 802.1BR port extension tag.
const E_TAG: u16 = 0x893f;
/// IEEE 802.1ah service tag: another Ethernet frame follows it.
const I_TAG: u16 = 0x88e7;
const PPPOE_SESSION: u16 = 0x8864;
/// Ethernet inside another protocol (GRE, GENEVE).
const BRIDGED: u16 = 0x6558;
/// Network service header (RFC 8300).
const NSH: u16 = 0x894f;
/// Smaller values of the field are lengths (IEEE 802.3).
const FIRST_ETHER_TYPE: u16 = 0x0600;

/// LLC of a SNAP header with an EtherType (RFC 1042).
const SNAP: [u8; 6] = [0xaa, 0xaa, 0x03, 0, 0, 0];

/// Tag of the packet in a netfilter log.
const NFLOG_PAYLOAD: u16 = 9;

/// What a frame of a link type begins with.
pub(super) fn first(link: LinkType, mut bytes: Bytes<'_>) -> Result<(Layer, Bytes<'_>), Cause> {
    let cut = Cause::Truncated;
    let layer = match link {
        LinkType::ETHERNET => Layer::Ethernet,
        // 12 and 14 are what some systems wrote for raw IP before a number was assigned.
        LinkType::RAW | LinkType::IPV4 | LinkType::IPV6 | LinkType(12 | 14) => Layer::Ip,
        LinkType::NULL | LinkType::LOOP => {
            let family: [u8; 4] = bytes.array().ok_or(cut)?;
            let ([0, 0, 0, family] | [family, 0, 0, 0]) = family else {
                return Err(Cause::BadHeader);
            };
            match family {
                // IPv4, and what the BSDs, macOS and Windows call IPv6.
                2 | 10 | 23 | 24 | 28 | 30 => Layer::Ip,
                _ => Layer::Nothing,
            }
        }
        // Cisco's framing begins with its own addresses, one for unicast and one for multicast.
        LinkType::PPP_HDLC if matches!(bytes.peek(0), Some(0x0f | 0x8f)) => {
            bytes.skip(2).ok_or(cut)?;
            Layer::EtherType(bytes.u16().ok_or(cut)?)
        }
        LinkType::PPP | LinkType::PPP_HDLC => {
            if bytes.peek(0) == Some(0xff) && bytes.peek(1) == Some(0x03) {
                bytes.skip(2).ok_or(cut)?;
            }
            Layer::Ppp
        }
        LinkType::PPP_ETHER => {
            bytes.skip(6).ok_or(cut)?;
            Layer::Ppp
        }
        LinkType::C_HDLC => {
            bytes.skip(2).ok_or(cut)?;
            Layer::EtherType(bytes.u16().ok_or(cut)?)
        }
        LinkType::LINUX_SLL => {
            bytes.skip(14).ok_or(cut)?;
            Layer::EtherType(bytes.u16().ok_or(cut)?)
        }
        LinkType::LINUX_SLL2 => {
            let protocol = bytes.u16().ok_or(cut)?;
            bytes.skip(18).ok_or(cut)?;
            Layer::EtherType(protocol)
        }
        LinkType::FRELAY => return frame_relay(bytes),
        LinkType::NFLOG => return netfilter_log(bytes),
        LinkType::IEEE802_11 => return wifi(bytes, 0),
        LinkType::IEEE802_11_RADIOTAP => {
            // All of radiotap is little-endian.
            let length = bytes.peek_u16(2).ok_or(cut)?.swap_bytes();
            let flags = radiotap_flags(bytes.first(length.into())).unwrap_or_default();
            bytes.skip(usize::from(length.max(8))).ok_or(cut)?;
            return wifi(bytes, flags);
        }
        _ => return Err(Cause::UnknownLink),
    };
    Ok((layer, bytes))
}

/// Whether a tag follows.
pub(super) fn is_vlan(kind: u16) -> bool {
    VLAN.contains(&kind)
}

pub(super) fn ethernet(mut bytes: Bytes<'_>) -> Result<Inward<'_>, Cause> {
    bytes.skip(12).ok_or(Cause::Truncated)?;
    let kind = bytes.u16().ok_or(Cause::Truncated)?;
    Ok(Inward::Layer(Layer::EtherType(kind), bytes))
}

pub(super) fn ether_type(kind: u16, mut bytes: Bytes<'_>) -> Result<Inward<'_>, Cause> {
    let cut = Cause::Truncated;
    let layer = match kind {
        IPV4 | IPV6 => Layer::Ip,
        kind if is_vlan(kind) => {
            bytes.skip(2).ok_or(cut)?;
            Layer::EtherType(bytes.u16().ok_or(cut)?)
        }
        kind if MPLS.contains(&kind) => Layer::Mpls,
        E_TAG => {
            bytes.skip(6).ok_or(cut)?;
            Layer::EtherType(bytes.u16().ok_or(cut)?)
        }
        I_TAG => {
            bytes.skip(4).ok_or(cut)?;
            Layer::Ethernet
        }
        PPPOE_SESSION => {
            if bytes.peek(0) != Some(0x11) {
                return Err(Cause::BadHeader);
            }
            bytes.skip(6).ok_or(cut)?;
            Layer::Ppp
        }
        BRIDGED => Layer::Ethernet,
        NSH => {
            let words = bytes.peek_u16(0).ok_or(cut)? & 0x3f;
            let next = bytes.peek(3).ok_or(cut)?;
            if words < 2 {
                return Err(Cause::BadLength);
            }
            bytes.skip(usize::from(words) * 4).ok_or(cut)?;
            match next {
                1 | 2 => Layer::Ip,
                3 => Layer::Ethernet,
                5 => Layer::Mpls,
                _ => Layer::Nothing,
            }
        }
        length if length < FIRST_ETHER_TYPE => {
            snap(&mut bytes)?;
            Layer::EtherType(bytes.u16().ok_or(cut)?)
        }
        _ => Layer::Nothing,
    };
    Ok(Inward::Layer(layer, bytes))
}

fn snap(bytes: &mut Bytes<'_>) -> Result<(), Cause> {
    let is_cut = SNAP.starts_with(bytes.0) && bytes.len() < SNAP.len();
    match bytes.array() {
        Some(SNAP) => Ok(()),
        None if is_cut => Err(Cause::Truncated),
        _ => Err(Cause::NotIp),
    }
}

pub(super) fn ppp(mut bytes: Bytes<'_>) -> Result<Inward<'_>, Cause> {
    let first = bytes.u8().ok_or(Cause::Truncated)?;
    // Protocol numbers are odd in their last byte, which allows to leave out a leading zero
    // (RFC 1661, 6.5).
    let protocol = if first & 1 == 1 {
        u16::from(first)
    } else {
        u16::from_be_bytes([first, bytes.u8().ok_or(Cause::Truncated)?])
    };
    let layer = match protocol {
        0x0021 | 0x0057 => Layer::Ip,
        0x0281 | 0x0283 => Layer::Mpls,
        _ => Layer::Nothing,
    };
    Ok(Inward::Layer(layer, bytes))
}

/// One label (RFC 3032). Labels do not say what they carry: below the last one the first four
/// bits tell IPv4 and IPv6, a zero there begins the control word of a pseudowire (RFC 4385).
pub(super) fn mpls(mut bytes: Bytes<'_>) -> Result<Inward<'_>, Cause> {
    let label = bytes.u32().ok_or(Cause::Truncated)?;
    let is_last = label & 0x100 != 0;
    let layer = if is_last {
        match bytes.peek(0).ok_or(Cause::Truncated)? >> 4 {
            4 | 6 => Layer::Ip,
            0 => {
                bytes.skip(4).ok_or(Cause::Truncated)?;
                Layer::Ethernet
            }
            _ => Layer::Nothing,
        }
    } else {
        Layer::Mpls
    };
    Ok(Inward::Layer(layer, bytes))
}

/// RFC 2427: a two-byte address, an unnumbered frame, and a network layer identifier.
fn frame_relay(mut bytes: Bytes<'_>) -> Result<(Layer, Bytes<'_>), Cause> {
    let cut = Cause::Truncated;
    bytes.skip(2).ok_or(cut)?;
    if bytes.u8().ok_or(cut)? != 0x03 {
        return Ok((Layer::Nothing, bytes));
    }
    let mut identifier = bytes.u8().ok_or(cut)?;
    if identifier == 0 {
        identifier = bytes.u8().ok_or(cut)?;
    }
    let layer = match identifier {
        0xcc | 0x8e => Layer::Ip,
        0x80 => {
            bytes.skip(3).ok_or(cut)?;
            Layer::EtherType(bytes.u16().ok_or(cut)?)
        }
        _ => Layer::Nothing,
    };
    Ok((layer, bytes))
}

/// Attributes of type and length in the byte order of the machine; the last one is the packet.
fn netfilter_log(mut bytes: Bytes<'_>) -> Result<(Layer, Bytes<'_>), Cause> {
    bytes.skip(4).ok_or(Cause::Truncated)?;
    loop {
        let length = bytes.peek_u16(0).ok_or(Cause::Truncated)?.swap_bytes();
        let kind = bytes.peek_u16(2).ok_or(Cause::Truncated)?.swap_bytes();
        if length < 4 {
            return Err(Cause::BadLength);
        }
        if kind == NFLOG_PAYLOAD {
            bytes.skip(4).ok_or(Cause::Truncated)?;
            return Ok((Layer::Ip, bytes));
        }
        let padded = usize::from(length).next_multiple_of(4);
        bytes.skip(padded).ok_or(Cause::Truncated)?;
    }
}

/// The card has put bytes between the header and what follows.
const RADIOTAP_PADDED: u8 = 0x20;
/// The check sequence was wrong.
const RADIOTAP_DAMAGED: u8 = 0x40;

/// The field "flags" of a radiotap header, where it is present (radiotap.org).
fn radiotap_flags(header: Bytes<'_>) -> Option<u8> {
    let mut words = header;
    words.skip(4)?;
    let first = words.u32()?.swap_bytes();
    let mut more = first;
    while more & 0x8000_0000 != 0 {
        more = words.u32()?.swap_bytes();
    }
    let (has_time, has_flags) = (first & 1 != 0, first & 2 != 0);
    let mut at = header.len() - words.len();
    if has_time {
        at = at.next_multiple_of(8) + 8;
    }
    header.peek(at).filter(|_| has_flags)
}

/// An unencrypted data frame with a SNAP header (IEEE 802.11, 9.3.2).
fn wifi(mut bytes: Bytes<'_>, radiotap: u8) -> Result<(Layer, Bytes<'_>), Cause> {
    let control = bytes.peek(0).ok_or(Cause::Truncated)?;
    let flags = bytes.peek(1).ok_or(Cause::Truncated)?;
    let (kind, subtype) = (control >> 2 & 3, control >> 4);
    let is_data = kind == 2 && subtype & 0x4 == 0;
    let is_protected = flags & 0x40 != 0;
    if !is_data || is_protected || radiotap & RADIOTAP_DAMAGED != 0 {
        return Err(Cause::OpaqueWifi);
    }
    let between_stations = flags & 0x03 == 0x03;
    let with_quality = subtype & 0x8 != 0;
    let with_control = with_quality && flags & 0x80 != 0;
    let parts = [
        (true, 24),
        (between_stations, 6),
        (with_quality, 2),
        (with_control, 4),
    ];
    let present = parts.iter().filter(|(is_present, _)| *is_present);
    let mut header: usize = present.map(|(_, bytes)| bytes).sum();
    if radiotap & RADIOTAP_PADDED != 0 {
        header = header.next_multiple_of(4);
    }
    bytes.skip(header).ok_or(Cause::Truncated)?;
    snap(&mut bytes)?;
    let kind = bytes.u16().ok_or(Cause::Truncated)?;
    Ok((Layer::EtherType(kind), bytes))
}
