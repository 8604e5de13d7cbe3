//! Transport headers.

use super::ip::Envelope;
use super::{Layer, Tunnels, tunnel};
use crate::bytes::Bytes;
use crate::packet::protocol;
use crate::{Cause, Fragment, Frame, Packet, Tcp, Transport};

const UDP_HEADER_BYTES: u32 = 8;
const ICMP_HEADER_BYTES: u32 = 8;
const SCTP_HEADER_BYTES: u32 = 12;

/// Reads the transport header and, in a tunnel, finds what lies inside.
pub(super) fn read<'a>(
    envelope: &Envelope,
    fragment: Fragment,
    bytes: Bytes<'a>,
    frame: &Frame<'_>,
    tunnels: Tunnels,
) -> Result<(Packet, Option<(Layer, Bytes<'a>)>), Cause> {
    let mut packet = Packet {
        time_micros: frame.time_micros,
        source: envelope.source,
        destination: envelope.destination,
        source_port: 0,
        destination_port: 0,
        protocol: envelope.protocol,
        version: envelope.version,
        header_bytes: 0,
        payload_bytes: envelope.payload_bytes,
        captured_payload_bytes: bytes.len() as u32,
        ip_payload_bytes: envelope.payload_bytes,
        frame_bytes: frame.frame_bytes,
        transport: Transport::Other,
        fragment,
    };
    // What lies behind the datagram in the frame is padding and never a header.
    let inside = bytes.first(envelope.payload_bytes as usize);
    let inner = match envelope.protocol {
        protocol::TCP => {
            tcp(&mut packet, inside)?;
            None
        }
        protocol::UDP => {
            let payload = udp(&mut packet, inside)?;
            match tunnels {
                Tunnels::Inner => tunnel::in_udp(packet.destination_port, payload),
                Tunnels::Outer => None,
            }
        }
        protocol::ICMP | protocol::ICMPV6 => {
            icmp(&mut packet, inside)?;
            None
        }
        protocol::SCTP => {
            sctp(&mut packet, inside)?;
            None
        }
        other => tunnel::in_ip(other, inside, tunnels),
    };
    let header = u32::from(packet.header_bytes);
    packet.captured_payload_bytes = packet.captured_payload_bytes.saturating_sub(header);
    Ok((packet, inner))
}

fn tcp(packet: &mut Packet, mut bytes: Bytes<'_>) -> Result<(), Cause> {
    packet.source_port = bytes.u16().ok_or(Cause::Truncated)?;
    packet.destination_port = bytes.u16().ok_or(Cause::Truncated)?;
    let sequence = bytes.u32().ok_or(Cause::Truncated)?;
    let acknowledgement = bytes.u32().ok_or(Cause::Truncated)?;
    let [offset, flags] = bytes.array().ok_or(Cause::Truncated)?;
    let window = bytes.u16().ok_or(Cause::Truncated)?;
    let header = u32::from(offset >> 4) * 4;
    if header < 20 {
        return Err(Cause::BadHeader);
    }
    packet.payload_bytes = packet
        .ip_payload_bytes
        .checked_sub(header)
        .ok_or(Cause::BadLength)?;
    packet.header_bytes = header as u8;
    packet.transport = Transport::Tcp(Tcp {
        flags,
        window,
        sequence,
        acknowledgement,
    });
    Ok(())
}

fn udp<'a>(packet: &mut Packet, mut bytes: Bytes<'a>) -> Result<Bytes<'a>, Cause> {
    packet.source_port = bytes.u16().ok_or(Cause::Truncated)?;
    packet.destination_port = bytes.u16().ok_or(Cause::Truncated)?;
    let length = u32::from(bytes.u16().ok_or(Cause::Truncated)?);
    bytes.skip(2).ok_or(Cause::Truncated)?;
    let whole = packet
        .ip_payload_bytes
        .checked_sub(UDP_HEADER_BYTES)
        .ok_or(Cause::BadLength)?;
    // Zero is a jumbogram (RFC 2675); a length beyond the packet is that of a fragmented datagram.
    packet.payload_bytes = match length.checked_sub(UDP_HEADER_BYTES) {
        Some(payload) => payload.min(whole),
        None if length == 0 => whole,
        None => return Err(Cause::BadLength),
    };
    packet.header_bytes = UDP_HEADER_BYTES as u8;
    packet.transport = Transport::Udp;
    Ok(bytes.first(packet.payload_bytes as usize))
}

fn icmp(packet: &mut Packet, mut bytes: Bytes<'_>) -> Result<(), Cause> {
    let [kind, code] = bytes.array().ok_or(Cause::Truncated)?;
    packet.payload_bytes = packet.ip_payload_bytes.saturating_sub(ICMP_HEADER_BYTES);
    packet.header_bytes = ICMP_HEADER_BYTES as u8;
    packet.transport = Transport::Icmp { kind, code };
    Ok(())
}

fn sctp(packet: &mut Packet, mut bytes: Bytes<'_>) -> Result<(), Cause> {
    packet.source_port = bytes.u16().ok_or(Cause::Truncated)?;
    packet.destination_port = bytes.u16().ok_or(Cause::Truncated)?;
    packet.payload_bytes = packet
        .ip_payload_bytes
        .checked_sub(SCTP_HEADER_BYTES)
        .ok_or(Cause::BadLength)?;
    packet.header_bytes = SCTP_HEADER_BYTES as u8;
    packet.transport = Transport::Sctp;
    Ok(())
}
