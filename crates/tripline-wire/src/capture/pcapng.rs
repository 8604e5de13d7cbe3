//! Blocks of pcapng (draft-ietf-opsawg-pcapng).

use std::io;

use pcap_parser::pcapng::{
    InterfaceDescriptionBlock, OptionCode, parse_enhancedpacketblock_be,
    parse_enhancedpacketblock_le, parse_interfacedescriptionblock_be,
    parse_interfacedescriptionblock_le, parse_sectionheaderblock, parse_simplepacketblock_be,
    parse_simplepacketblock_le,
};
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

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
/// The packet block that the enhanced one replaced.
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

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
    resolution: Resolution,
    offset_seconds: i64,
}

/// Ticks of a second, as the negative power of ten or of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resolution {
    Decimal(u8),
    Binary(u8),
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
        let kind = self.order.u32(start.array());
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
        let step = match self.block(kind, block).unwrap_or_else(Block::Unusable) {
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

    fn block(&mut self, kind: u32, bytes: Bytes<'_>) -> Result<Block, Cause> {
        match kind {
            SECTION => parse_sectionheaderblock(bytes.0)
                .map(|_| Block::Described)
                .map_err(|_| Cause::BadBlock),
            INTERFACE => self.interface(bytes),
            ENHANCED_PACKET => self.enhanced_packet(bytes),
            SIMPLE_PACKET => self.simple_packet(bytes),
            OBSOLETE_PACKET => self.obsolete_packet(bytes),
            _ => Ok(Block::Described),
        }
    }

    fn interface(&mut self, bytes: Bytes<'_>) -> Result<Block, Cause> {
        let parsed = match self.order {
            ByteOrder::Little => parse_interfacedescriptionblock_le(bytes.0),
            ByteOrder::Big => parse_interfacedescriptionblock_be(bytes.0),
        };
        let (_, described) = parsed.map_err(|_| Cause::BadBlock)?;
        if self.interfaces.len() == MAX_INTERFACES {
            return Err(Cause::UnknownInterface);
        }
        let mut interface = Interface {
            link: LinkType(described.linktype.0 as u32),
            snap_bytes: described.snaplen,
            resolution: Resolution::Decimal(6),
            offset_seconds: 0,
        };
        self.read_clock(&described, &mut interface);
        self.interfaces.push(interface);
        Ok(Block::Described)
    }

    /// The options about time. The parser knows them too, but neither resolutions in powers of two
    /// nor big-endian offsets.
    fn read_clock(&self, described: &InterfaceDescriptionBlock<'_>, interface: &mut Interface) {
        let options = described.options.iter();
        for option in options.take_while(|option| option.code != OptionCode::EndOfOpt) {
            let value = option.as_bytes().unwrap_or_default();
            match option.code {
                OptionCode::IfTsresol => {
                    if let [resolution] = value {
                        interface.resolution = Resolution::of(*resolution);
                    }
                }
                OptionCode::IfTsoffset => {
                    if let Ok(seconds) = <[u8; 8]>::try_from(value) {
                        interface.offset_seconds = match self.order {
                            ByteOrder::Little => i64::from_le_bytes(seconds),
                            ByteOrder::Big => i64::from_be_bytes(seconds),
                        };
                    }
                }
                _ => {}
            }
        }
    }

    fn enhanced_packet(&self, bytes: Bytes<'_>) -> Result<Block, Cause> {
        let parsed = match self.order {
            ByteOrder::Little => parse_enhancedpacketblock_le(bytes.0),
            ByteOrder::Big => parse_enhancedpacketblock_be(bytes.0),
        };
        let (_, packet) = parsed.map_err(|_| Cause::BadBlock)?;
        let interface = self.described(packet.if_id)?;
        Ok(Block::Frame(Found {
            time_micros: interface.micros(packet.ts_high, packet.ts_low),
            link: interface.link,
            start: EPB_HEADER_BYTES,
            captured: packet.packet_data().len(),
            frame_bytes: packet.origlen,
        }))
    }

    fn simple_packet(&self, bytes: Bytes<'_>) -> Result<Block, Cause> {
        let parsed = match self.order {
            ByteOrder::Little => parse_simplepacketblock_le(bytes.0),
            ByteOrder::Big => parse_simplepacketblock_be(bytes.0),
        };
        let (_, packet) = parsed.map_err(|_| Cause::BadBlock)?;
        let interface = self.described(0)?;
        let snap = match interface.snap_bytes {
            0 => u32::MAX,
            bytes => bytes,
        };
        Ok(Block::Frame(Found {
            time_micros: self.last_micros,
            link: interface.link,
            start: SPB_HEADER_BYTES,
            captured: packet.data.len().min(packet.origlen.min(snap) as usize),
            frame_bytes: packet.origlen,
        }))
    }

    fn obsolete_packet(&self, mut bytes: Bytes<'_>) -> Result<Block, Cause> {
        bytes.skip(START_BYTES).ok_or(Cause::BadBlock)?;
        let interface: [u8; 2] = bytes.array().ok_or(Cause::BadBlock)?;
        let interface = self.described(u32::from(match self.order {
            ByteOrder::Little => u16::from_le_bytes(interface),
            ByteOrder::Big => u16::from_be_bytes(interface),
        }))?;
        let _drops: Option<[u8; 2]> = bytes.array();
        let mut field = || bytes.array().ok_or(Cause::BadBlock);
        let [high, low, captured, frame_bytes] =
            [field()?, field()?, field()?, field()?].map(|field| self.order.u32(Some(field)));
        let length_behind = 4;
        if captured as usize + length_behind > bytes.len() {
            return Err(Cause::BadBlock);
        }
        Ok(Block::Frame(Found {
            time_micros: interface.micros(high, low),
            link: interface.link,
            start: EPB_HEADER_BYTES,
            captured: captured as usize,
            frame_bytes,
        }))
    }

    fn described(&self, interface: u32) -> Result<&Interface, Cause> {
        self.interfaces
            .get(interface as usize)
            .ok_or(Cause::UnknownInterface)
    }
}

impl Resolution {
    /// As the option `if_tsresol` has it: the first bit tells the base.
    fn of(option: u8) -> Self {
        match option & 0x7f {
            power if option & 0x80 == 0 => Self::Decimal(power),
            power => Self::Binary(power),
        }
    }
}

impl Interface {
    fn micros(&self, high: u32, low: u32) -> i64 {
        let ticks = u128::from(u64::from(high) << 32 | u64::from(low));
        let micros = match self.resolution {
            Resolution::Decimal(power @ 0..=6) => ticks * 10_u128.pow(6 - u32::from(power)),
            Resolution::Decimal(power) => 10_u128
                .checked_pow(u32::from(power) - 6)
                .map_or(0, |divisor| ticks / divisor),
            Resolution::Binary(power) => (ticks * 1_000_000) >> power,
        };
        let micros = i64::try_from(micros).unwrap_or(i64::MAX);
        micros.saturating_add(self.offset_seconds.saturating_mul(1_000_000))
    }
}
