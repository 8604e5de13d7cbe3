//! Blocks of pcapng (draft-ietf-opsawg-pcapng).

use std::io;

use pcap_parser::pcapng::{Block as Parsed, parse_block_be, parse_block_le};
use pcap_parser::traits::PcapNGPacketBlock;

use super::{Buffer, Found, LinkType, MAX_RECORD_BYTES, Step};
use crate::Cause;
use crate::bytes::Bytes;

/// Type of a section header; the same in both byte orders.
pub(super) const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

const BIG_ENDIAN: [u8; 4] = [0x1a, 0x2b, 0x3c, 0x4d];
const LITTLE_ENDIAN: [u8; 4] = [0x4d, 0x3c, 0x2b, 0x1a];

/// Type and length, as every block begins.
const START_BYTES: usize = 8;
/// Type and length before, length behind.
const FRAME_BYTES: u32 = 12;
const EPB_HEADER_BYTES: usize = 28;
const SPB_HEADER_BYTES: usize = 12;
/// The packet block that the enhanced one replaced.
const OBSOLETE_PACKET: u32 = 2;
/// More interfaces than this are not described by any tool; their packets are counted.
const MAX_INTERFACES: usize = 4096;

/// The section that is being read.
#[derive(Debug, Default)]
pub(super) struct Section {
    order: ByteOrder,
    interfaces: Vec<Interface>,
    /// Simple packets carry no time: they happen when the packet before them did.
    last_micros: i64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum ByteOrder {
    #[default]
    Little,
    Big,
}

#[derive(Debug, Clone, Copy)]
struct Interface {
    link: LinkType,
    snap_bytes: u32,
    ticks_per_second: u64,
    offset_seconds: i64,
}

/// What a block is to a reader of frames.
#[derive(Debug)]
enum Block {
    Frame(Found),
    Described,
    Unusable(Cause),
}

impl ByteOrder {
    fn u32(self, field: Option<[u8; 4]>) -> u32 {
        let field = field.unwrap_or_default();
        match self {
            Self::Little => u32::from_le_bytes(field),
            Self::Big => u32::from_be_bytes(field),
        }
    }
}

impl Section {
    pub(super) fn next_block(&mut self, buffer: &mut Buffer<'_>) -> io::Result<Step> {
        if !buffer.fill_to(START_BYTES)? {
            let left = !buffer.bytes().is_empty();
            return Ok(Step::End(left.then_some(Cause::CutOff)));
        }
        if buffer.bytes().starts_with(&SECTION_HEADER) {
            if !buffer.fill_to(START_BYTES + 4)? {
                return Ok(Step::End(Some(Cause::CutOff)));
            }
            let magic = buffer.bytes().get(8..12).unwrap_or_default();
            self.order = if magic == BIG_ENDIAN {
                ByteOrder::Big
            } else if magic == LITTLE_ENDIAN {
                ByteOrder::Little
            } else {
                return Ok(Step::End(Some(Cause::BadRecord)));
            };
            self.interfaces.clear();
        }
        let mut start = Bytes(buffer.bytes());
        let _kind = start.u32();
        let length = self.order.u32(start.array());
        if length < FRAME_BYTES {
            return Ok(Step::End(Some(Cause::BadRecord)));
        }
        if length as usize > MAX_RECORD_BYTES {
            return Ok(if buffer.skip(u64::from(length))? {
                Step::Skipped(Some(Cause::OversizedBlock))
            } else {
                Step::End(Some(Cause::CutOff))
            });
        }
        if !buffer.fill_to(length as usize)? {
            return Ok(Step::End(Some(Cause::CutOff)));
        }
        let block = Bytes(buffer.bytes()).first(length as usize);
        let step = match self.block(block) {
            Block::Frame(found) => {
                self.last_micros = found.time_micros;
                Step::Frame(found)
            }
            Block::Described => Step::Skipped(None),
            Block::Unusable(cause) => Step::Skipped(Some(cause)),
        };
        buffer.consume(length as usize);
        Ok(step)
    }

    fn block(&mut self, bytes: Bytes<'_>) -> Block {
        let parsed = match self.order {
            ByteOrder::Little => parse_block_le(bytes.0),
            ByteOrder::Big => parse_block_be(bytes.0),
        };
        let Ok((_, parsed)) = parsed else {
            return Block::Unusable(Cause::BadBlock);
        };
        match parsed {
            Parsed::InterfaceDescription(described) => {
                if self.interfaces.len() == MAX_INTERFACES {
                    return Block::Unusable(Cause::UnknownInterface);
                }
                self.interfaces.push(Interface {
                    link: LinkType(described.linktype.0 as u32),
                    snap_bytes: described.snaplen,
                    // A resolution that no integer holds is treated as the default one.
                    ticks_per_second: described.ts_resolution().unwrap_or(1_000_000).max(1),
                    offset_seconds: described.if_tsoffset,
                });
                Block::Described
            }
            Parsed::EnhancedPacket(packet) => {
                let Some(interface) = self.interfaces.get(packet.if_id as usize) else {
                    return Block::Unusable(Cause::UnknownInterface);
                };
                let ticks = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                Block::Frame(Found {
                    time_micros: interface.micros(ticks),
                    link: interface.link,
                    start: EPB_HEADER_BYTES,
                    captured: packet.packet_data().len(),
                    frame_bytes: packet.origlen,
                })
            }
            Parsed::SimplePacket(packet) => {
                let Some(interface) = self.interfaces.first() else {
                    return Block::Unusable(Cause::UnknownInterface);
                };
                let snap = match interface.snap_bytes {
                    0 => u32::MAX,
                    bytes => bytes,
                };
                Block::Frame(Found {
                    time_micros: self.last_micros,
                    link: interface.link,
                    start: SPB_HEADER_BYTES,
                    captured: packet.data.len().min(packet.origlen.min(snap) as usize),
                    frame_bytes: packet.origlen,
                })
            }
            Parsed::Unknown(unknown) if self.is(unknown.block_type, OBSOLETE_PACKET) => {
                self.obsolete_packet(Bytes(unknown.data))
            }
            _ => Block::Described,
        }
    }

    /// Types are given as they lie in a little-endian file.
    fn is(&self, kind: u32, wanted: u32) -> bool {
        match self.order {
            ByteOrder::Little => kind == wanted,
            ByteOrder::Big => kind.swap_bytes() == wanted || kind == wanted,
        }
    }

    fn obsolete_packet(&self, mut content: Bytes<'_>) -> Block {
        let Some([first, second]) = content.array() else {
            return Block::Unusable(Cause::BadBlock);
        };
        let interface = match self.order {
            ByteOrder::Little => u16::from_le_bytes([first, second]),
            ByteOrder::Big => u16::from_be_bytes([first, second]),
        };
        let Some(interface) = self.interfaces.get(usize::from(interface)) else {
            return Block::Unusable(Cause::UnknownInterface);
        };
        let _drops: Option<[u8; 2]> = content.array();
        let high = self.order.u32(content.array());
        let low = self.order.u32(content.array());
        let captured = self.order.u32(content.array()) as usize;
        let frame_bytes = self.order.u32(content.array());
        Block::Frame(Found {
            time_micros: interface.micros(u64::from(high) << 32 | u64::from(low)),
            link: interface.link,
            start: EPB_HEADER_BYTES,
            captured: captured.min(content.len()),
            frame_bytes,
        })
    }
}

impl Interface {
    fn micros(&self, ticks: u64) -> i64 {
        let micros = u128::from(ticks) * 1_000_000 / u128::from(self.ticks_per_second);
        let micros = i64::try_from(micros).unwrap_or(i64::MAX);
        micros.saturating_add(self.offset_seconds.saturating_mul(1_000_000))
    }
}
