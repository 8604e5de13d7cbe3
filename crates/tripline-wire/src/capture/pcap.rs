//! Records of pcap (draft-ietf-opsawg-pcap) and of its variants.

use std::io;

use pcap_parser::pcap::{
    LegacyPcapBlock, parse_pcap_frame, parse_pcap_frame_be, parse_pcap_header,
};

use super::{Buffer, Found, LinkType, MAX_RECORD_BYTES, Step};
use crate::Cause;

pub(super) const HEADER_BYTES: usize = 24;
const RECORD_BYTES: usize = 16;
/// Alexey Kuznetzov's variant carries interface and protocol in each record.
const MODIFIED_RECORD_BYTES: usize = 24;

const LITTLE_ENDIAN: [u8; 4] = [0xd4, 0xc3, 0xb2, 0xa1];
const BIG_ENDIAN: [u8; 4] = [0xa1, 0xb2, 0xc3, 0xd4];

/// What the file header says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pcap {
    is_big_endian: bool,
    is_nanoseconds: bool,
    record_bytes: usize,
    link: LinkType,
}

#[derive(Debug, Clone, Copy)]
enum Variant {
    Microseconds,
    Nanoseconds,
    Modified,
}

/// The variant and whether it is big-endian, by the first bytes of a file.
fn variant(bytes: &[u8]) -> Option<(Variant, bool)> {
    Some(match *bytes.first_chunk::<4>()? {
        LITTLE_ENDIAN => (Variant::Microseconds, false),
        BIG_ENDIAN => (Variant::Microseconds, true),
        [0x4d, 0x3c, 0xb2, 0xa1] => (Variant::Nanoseconds, false),
        [0xa1, 0xb2, 0x3c, 0x4d] => (Variant::Nanoseconds, true),
        [0x34, 0xcd, 0xb2, 0xa1] => (Variant::Modified, false),
        [0xa1, 0xb2, 0xcd, 0x34] => (Variant::Modified, true),
        _ => return None,
    })
}

pub(super) fn is_magic(bytes: &[u8]) -> bool {
    variant(bytes).is_some()
}

impl Pcap {
    /// The file header at the front, if there is one.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (variant, is_big_endian) = variant(bytes)?;
        // The variants differ in their records only; the parser does not know all of them.
        let mut header = *bytes.first_chunk::<HEADER_BYTES>()?;
        let magic = if is_big_endian {
            BIG_ENDIAN
        } else {
            LITTLE_ENDIAN
        };
        header.first_chunk_mut::<4>()?.copy_from_slice(&magic);
        let (_, header) = parse_pcap_header(&header).ok()?;
        Some(Self {
            is_big_endian,
            is_nanoseconds: matches!(variant, Variant::Nanoseconds),
            record_bytes: match variant {
                Variant::Microseconds | Variant::Nanoseconds => RECORD_BYTES,
                Variant::Modified => MODIFIED_RECORD_BYTES,
            },
            // The upper bits hold the length of a frame check sequence.
            link: LinkType(header.network.0 as u32 & 0xffff),
        })
    }

    pub(super) fn next_record(self, buffer: &mut Buffer<'_>) -> io::Result<Step> {
        if !buffer.fill_to(self.record_bytes)? {
            let left = !buffer.bytes().is_empty();
            return Ok(Step::End(left.then_some(Cause::CutOff)));
        }
        let Some(captured) = self.captured(buffer.bytes()) else {
            return Ok(Step::End(Some(Cause::BadRecord)));
        };
        if captured > MAX_RECORD_BYTES {
            return Ok(Step::End(Some(Cause::BadRecord)));
        }
        if !buffer.fill_to(self.record_bytes + captured)? {
            return Ok(Step::End(Some(Cause::CutOff)));
        }
        let Some(record) = self.parse(buffer.bytes()) else {
            return Ok(Step::End(Some(Cause::BadRecord)));
        };
        let fraction = i64::from(record.ts_usec);
        let micros = if self.is_nanoseconds {
            fraction / 1000
        } else {
            fraction
        };
        let found = Found {
            time_micros: i64::from(record.ts_sec) * 1_000_000 + micros,
            link: self.link,
            start: self.record_bytes,
            captured,
            frame_bytes: record.origlen,
        };
        buffer.consume(self.record_bytes + captured);
        Ok(Step::Frame(found))
    }

    /// How many bytes of the frame follow the record's header.
    fn captured(self, record: &[u8]) -> Option<usize> {
        let field = *record.get(8..)?.first_chunk::<4>()?;
        Some(if self.is_big_endian {
            u32::from_be_bytes(field)
        } else {
            u32::from_le_bytes(field)
        } as usize)
    }

    /// The fields of a record that is there as a whole.
    fn parse(self, record: &[u8]) -> Option<LegacyPcapBlock<'_>> {
        let parsed = if self.is_big_endian {
            parse_pcap_frame_be(record)
        } else {
            parse_pcap_frame(record)
        };
        parsed.ok().map(|(_, record)| record)
    }
}
