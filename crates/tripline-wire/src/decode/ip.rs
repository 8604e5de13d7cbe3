//! IPv4 (RFC 791) and IPv6 (RFC 8200).

use super::fragments::{Datagram, FragmentTable, Header, Piece};
use super::{DecodeOptions, Fragments, Inward, transport};
use crate::bytes::Bytes;
use crate::{Address, Cause, Fragment, Frame, Packet, Transport};

/// What an IP header says about what follows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Envelope {
    pub(super) source: Address,
    pub(super) destination: Address,
    pub(super) version: u8,
    pub(super) protocol: u8,
    /// Bytes behind the header and its extensions by the length field.
    pub(super) payload_bytes: u32,
    pub(super) piece: Option<(u32, Piece)>,
}

/// The packet at the front, and what it carries if that is another one.
pub(super) fn packet<'a>(
    bytes: Bytes<'a>,
    frame: &Frame<'_>,
    options: &DecodeOptions,
    fragments: &mut FragmentTable,
) -> Result<Inward<'a>, Cause> {
    let (envelope, rest) = match bytes.peek(0).ok_or(Cause::Truncated)? >> 4 {
        4 => ipv4(bytes)?,
        6 => ipv6(bytes)?,
        _ => return Err(Cause::BadHeader),
    };
    let (datagram, fragment) = match envelope.piece {
        None => (None, Fragment::Whole),
        Some((identification, piece)) => {
            let datagram = Datagram::new(&envelope, identification);
            let fragment = fragments.place(&datagram, piece, frame.time_micros);
            (Some((datagram, piece)), fragment)
        }
    };
    if let Some((datagram, piece)) = datagram
        && piece.offset > 0
    {
        let header = match options.fragments {
            Fragments::Follow => fragments.header_of(&datagram),
            Fragments::Separate => None,
        };
        let mut packet = later(&envelope, fragment, header, rest, frame);
        if options.fragments == Fragments::Separate {
            // To the originals it is a packet without transport, whatever its header says.
            packet.protocol = 0;
        }
        return Ok(Inward::Packet(packet, None));
    }
    let (packet, inside) = transport::read(&envelope, fragment, rest, frame, options.tunnels)?;
    if let Some((datagram, _)) = datagram {
        fragments.remember(&datagram, &packet, frame.time_micros);
    }
    Ok(Inward::Packet(packet, inside))
}

/// A fragment without transport header: all of it is payload of the flow it belongs to.
fn later(
    envelope: &Envelope,
    fragment: Fragment,
    header: Option<Header>,
    rest: Bytes<'_>,
    frame: &Frame<'_>,
) -> Packet {
    let header = header.unwrap_or(Header {
        protocol: envelope.protocol,
        source_port: 0,
        destination_port: 0,
    });
    Packet {
        time_micros: frame.time_micros,
        source: envelope.source,
        destination: envelope.destination,
        source_port: header.source_port,
        destination_port: header.destination_port,
        protocol: header.protocol,
        version: envelope.version,
        header_bytes: 0,
        payload_bytes: envelope.payload_bytes,
        captured_payload_bytes: rest.len() as u32,
        ip_payload_bytes: envelope.payload_bytes,
        frame_bytes: frame.frame_bytes,
        transport: Transport::Other,
        fragment,
    }
}

fn ipv4(mut bytes: Bytes<'_>) -> Result<(Envelope, Bytes<'_>), Cause> {
    let available = bytes.len();
    let [first, _, total @ ..]: [u8; 4] = bytes.array().ok_or(Cause::Truncated)?;
    let header_bytes = usize::from(first & 0xf) * 4;
    if header_bytes < 20 {
        return Err(Cause::BadHeader);
    }
    // Segmentation offload leaves the length to the card: the captured frame tells it instead.
    let total = match u16::from_be_bytes(total) {
        0 => available,
        total => usize::from(total),
    };
    if total < header_bytes {
        return Err(Cause::BadLength);
    }
    let identification = bytes.u16().ok_or(Cause::Truncated)?;
    let placement = bytes.u16().ok_or(Cause::Truncated)?;
    let [_ttl, protocol, _, _]: [u8; 4] = bytes.array().ok_or(Cause::Truncated)?;
    let source = Address::v4(bytes.array().ok_or(Cause::Truncated)?);
    let destination = Address::v4(bytes.array().ok_or(Cause::Truncated)?);
    bytes.skip(header_bytes - 20).ok_or(Cause::Truncated)?;
    let payload_bytes = (total - header_bytes) as u32;
    let offset = u32::from(placement & 0x1fff) * 8;
    let more = placement & 0x2000 != 0;
    let piece = (offset > 0 || more).then_some((
        u32::from(identification),
        Piece {
            offset,
            bytes: payload_bytes,
            is_last: !more,
        },
    ));
    let envelope = Envelope {
        source,
        destination,
        version: 4,
        protocol,
        payload_bytes,
        piece,
    };
    Ok((envelope, bytes))
}

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
const MOBILITY: u8 = 135;
const HOST_IDENTITY: u8 = 139;
const SHIM6: u8 = 140;
/// Nothing follows (RFC 8200, 4.7).
const NO_NEXT_HEADER: u8 = 59;

/// Extension headers of one packet; real ones have two or three.
const MAX_EXTENSIONS: usize = 16;

fn ipv6(mut bytes: Bytes<'_>) -> Result<(Envelope, Bytes<'_>), Cause> {
    bytes.skip(4).ok_or(Cause::Truncated)?;
    let length = bytes.u16().ok_or(Cause::Truncated)?;
    let [mut protocol, _hops]: [u8; 2] = bytes.array().ok_or(Cause::Truncated)?;
    let source = Address::v6(bytes.array().ok_or(Cause::Truncated)?);
    let destination = Address::v6(bytes.array().ok_or(Cause::Truncated)?);
    let mut payload_bytes = match length {
        0 if protocol == NO_NEXT_HEADER => 0,
        // A jumbogram (RFC 2675), or segmentation offload.
        0 => bytes.len() as u32,
        length => u32::from(length),
    };
    let mut piece: Option<(u32, Piece)> = None;
    let envelope = |protocol, payload_bytes, piece| Envelope {
        source,
        destination,
        version: 6,
        protocol,
        payload_bytes,
        piece,
    };
    for _ in 0..MAX_EXTENSIONS {
        let extension_bytes = match protocol {
            HOP_BY_HOP | ROUTING | DESTINATION | MOBILITY | HOST_IDENTITY | SHIM6 => {
                (u32::from(bytes.peek(1).ok_or(Cause::Truncated)?) + 1) * 8
            }
            AUTHENTICATION => (u32::from(bytes.peek(1).ok_or(Cause::Truncated)?) + 2) * 4,
            FRAGMENT => 8,
            _ => return Ok((envelope(protocol, payload_bytes, piece), bytes)),
        };
        let mut found = None;
        if protocol == FRAGMENT {
            let placement = bytes.peek_u16(2).ok_or(Cause::Truncated)?;
            let mut identification = bytes;
            identification.skip(4).ok_or(Cause::Truncated)?;
            let identification = identification.u32().ok_or(Cause::Truncated)?;
            let offset = u32::from(placement & 0xfff8);
            // An atomic fragment (RFC 6946) is a whole packet.
            if offset > 0 || placement & 1 == 1 {
                found = Some((identification, offset, placement & 1 == 0));
            }
        }
        payload_bytes = payload_bytes
            .checked_sub(extension_bytes)
            .ok_or(Cause::BadLength)?;
        protocol = bytes.peek(0).ok_or(Cause::Truncated)?;
        bytes
            .skip(extension_bytes as usize)
            .ok_or(Cause::Truncated)?;
        if let Some((identification, offset, is_last)) = found {
            let placed = Piece {
                offset,
                bytes: payload_bytes,
                is_last,
            };
            piece = Some((identification, placed));
            // The extensions of a later fragment lie in the first one.
            if offset > 0 {
                return Ok((envelope(protocol, payload_bytes, piece), bytes));
            }
        }
    }
    Err(Cause::TooManyLayers)
}
