//! From a frame to the packet inside.

mod fragments;
mod ip;
mod link;
mod transport;
mod tunnel;

use crate::bytes::Bytes;
use crate::{Cause, Causes, Frame, LinkType, Packet, Transport};
pub use fragments::FragmentCounts;
use fragments::FragmentTable;

/// Headers that may lie around one transport header. Real traffic has fewer than ten; a frame of
/// nothing but tags must not cost more than another.
pub const MAX_LAYERS: usize = 24;

/// How frames are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Which packet of a tunnel counts.
    pub tunnels: Tunnels,
    /// To which flow a later fragment belongs.
    pub fragments: Fragments,
    /// What tells how long a payload is.
    pub lengths: Lengths,
    /// Fragmented datagrams that are remembered at once.
    pub max_datagrams: usize,
}

/// What tells how long a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lengths {
    /// The length fields: what was on the wire.
    Wire,
    /// The captured bytes, and with a VLAN tag the padding of the frame too, as the original
    /// feature extractors do.
    Captured,
}

/// Which packet of a tunnel counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tunnels {
    /// The innermost one: of GRE, ERSPAN, VXLAN, GENEVE and IP in IP.
    Inner,
    /// The one that the network carries; IP directly in IP is still opened, as the original
    /// feature extractors do.
    Outer,
}

/// To which flow a later fragment belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fragments {
    /// To that of its first fragment, when that was seen before; else to one without ports.
    Follow,
    /// To one without transport, as the original feature extractors do.
    Separate,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self {
            tunnels: Tunnels::Inner,
            fragments: Fragments::Follow,
            lengths: Lengths::Wire,
            max_datagrams: 4096,
        }
    }
}

impl DecodeOptions {
    /// As the original feature extractors read packets; for comparisons with their output.
    pub fn original() -> Self {
        Self {
            tunnels: Tunnels::Outer,
            fragments: Fragments::Separate,
            lengths: Lengths::Captured,
            ..Self::default()
        }
    }
}

/// Decodes frames.
///
/// Fragments: the transport header of a first fragment is remembered for the fragments that
/// follow it, for up to [`DecodeOptions::max_datagrams`] datagrams and 30 seconds of capture time
/// (RFC 791 suggests 15, Linux waits 30); the datagram that was touched longest ago makes room.
/// Payload is never reassembled. A fragment that overlaps one seen before, contradicts where the
/// datagram ends, or ends beyond 65,535 bytes, is marked
/// [`Fragment::Overlapping`](crate::Fragment::Overlapping); of a datagram in more than 64 pieces
/// the first 64 are compared.
#[derive(Debug)]
pub struct Decoder {
    options: DecodeOptions,
    fragments: FragmentTable,
    causes: Causes,
    packets: u64,
}

/// What lies at the front of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layer {
    Ethernet,
    EtherType(u16),
    Ppp,
    Mpls,
    /// By the version in its first four bits.
    Ip,
    /// Anything that ends the search without a packet.
    Nothing,
}

/// One step inwards.
enum Inward<'a> {
    Layer(Layer, Bytes<'a>),
    /// The end, or a tunnel's outer packet with what lies inside.
    Packet(Packet, Option<(Layer, Bytes<'a>)>),
}

impl Decoder {
    /// Prepares to decode.
    pub fn new(options: DecodeOptions) -> Self {
        Self {
            options,
            fragments: FragmentTable::new(options.max_datagrams),
            causes: Causes::default(),
            packets: 0,
        }
    }

    /// Packets decoded so far.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Frames that gave no packet, by cause.
    pub fn causes(&self) -> &Causes {
        &self.causes
    }

    /// What became of fragments.
    pub fn fragments(&self) -> FragmentCounts {
        self.fragments.counts()
    }

    /// The packet in a frame. Of a tunnel whose inside cannot be decoded it is the outer packet.
    pub fn decode(&mut self, frame: &Frame<'_>) -> Result<Packet, Cause> {
        let found = self.find(frame);
        match &found {
            Ok(_) => self.packets += 1,
            Err(cause) => self.causes.count(*cause),
        }
        found
    }

    fn find(&mut self, frame: &Frame<'_>) -> Result<Packet, Cause> {
        let (mut layer, mut bytes) = link::first(frame.link, Bytes(frame.data))?;
        let mut outer = None;
        let mut is_tagged = false;
        for _ in 0..MAX_LAYERS {
            is_tagged |= matches!(layer, Layer::EtherType(kind) if link::is_vlan(kind));
            let step = match layer {
                Layer::Ethernet => link::ethernet(bytes),
                Layer::EtherType(kind) => link::ether_type(kind, bytes),
                Layer::Ppp => link::ppp(bytes),
                Layer::Mpls => link::mpls(bytes),
                Layer::Ip => ip::packet(bytes, frame, &self.options, &mut self.fragments),
                Layer::Nothing => Err(Cause::NotIp),
            };
            match step {
                Ok(Inward::Layer(next, rest)) => (layer, bytes) = (next, rest),
                Ok(Inward::Packet(packet, None)) => {
                    return Ok(self.with_length(packet, is_tagged));
                }
                Ok(Inward::Packet(packet, Some((next, rest)))) => {
                    outer = Some(packet);
                    (layer, bytes) = (next, rest);
                }
                Err(cause) => return outer.ok_or(cause),
            }
        }
        outer.ok_or(Cause::TooManyLayers)
    }

    fn with_length(&self, mut packet: Packet, is_tagged: bool) -> Packet {
        if self.options.lengths == Lengths::Captured {
            // The length field of UDP is not looked at, that of IP is.
            let told = match packet.transport {
                Transport::Udp => packet
                    .ip_payload_bytes
                    .saturating_sub(u32::from(packet.header_bytes)),
                _ => packet.payload_bytes,
            };
            packet.payload_bytes = if is_tagged {
                packet.captured_payload_bytes
            } else {
                told.min(packet.captured_payload_bytes)
            };
        }
        packet
    }
}

impl LinkType {
    /// Whether frames of this link layer are decoded.
    pub fn is_decoded(self) -> bool {
        !matches!(link::first(self, Bytes(&[0; 64])), Err(Cause::UnknownLink))
    }
}

#[cfg(test)]
mod tests;
