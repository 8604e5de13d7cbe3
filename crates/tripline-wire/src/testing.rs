//! Captures and frames, byte by byte.

use std::io::{self, Read};

use crate::{CaptureReader, Causes};

/// Byte order of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Little,
    Big,
}

impl Order {
    pub(crate) const BOTH: [Self; 2] = [Self::Little, Self::Big];

    pub(crate) fn u16(self, value: u16) -> [u8; 2] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    pub(crate) fn u32(self, value: u32) -> [u8; 4] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    pub(crate) fn i64(self, value: i64) -> [u8; 8] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }
}

pub(crate) const MICROSECONDS: u32 = 0xa1b2_c3d4;
pub(crate) const NANOSECONDS: u32 = 0xa1b2_3c4d;
pub(crate) const MODIFIED: u32 = 0xa1b2_cd34;

/// A pcap file in the making.
pub(crate) struct PcapFile {
    order: Order,
    magic: u32,
    pub(crate) bytes: Vec<u8>,
}

impl PcapFile {
    pub(crate) fn new(order: Order, magic: u32, link: u32) -> Self {
        let mut bytes = Vec::new();
        bytes.extend(order.u32(magic));
        bytes.extend(order.u16(2));
        bytes.extend(order.u16(4));
        for field in [0, 0, 65_535, link] {
            bytes.extend(order.u32(field));
        }
        Self {
            order,
            magic,
            bytes,
        }
    }

    /// What most files are.
    pub(crate) fn ethernet() -> Self {
        Self::new(Order::Little, MICROSECONDS, 1)
    }

    pub(crate) fn record(self, seconds: u32, fraction: u32, data: &[u8]) -> Self {
        let length = data.len() as u32;
        self.record_of([seconds, fraction, length, length], data)
    }

    /// A record whose lengths may lie.
    pub(crate) fn record_of(mut self, fields: [u32; 4], data: &[u8]) -> Self {
        for field in fields {
            self.bytes.extend(self.order.u32(field));
        }
        if self.magic == MODIFIED {
            // Interface, protocol, packet type, padding.
            self.bytes.extend([0x5a; 8]);
        }
        self.bytes.extend(data);
        self
    }
}

/// A pcapng file in the making.
pub(crate) struct PcapNgFile {
    pub(crate) order: Order,
    pub(crate) bytes: Vec<u8>,
}

impl PcapNgFile {
    pub(crate) fn new(order: Order) -> Self {
        let empty = Self {
            order,
            bytes: Vec::new(),
        };
        empty.section(order)
    }

    pub(crate) fn section(mut self, order: Order) -> Self {
        self.order = order;
        let mut body = order.u32(0x1a2b_3c4d).to_vec();
        body.extend(order.u16(1));
        body.extend(order.u16(0));
        body.extend(order.i64(-1));
        self.block(0x0a0d_0d0a, &body)
    }

    /// A block with both its lengths.
    pub(crate) fn block(mut self, kind: u32, body: &[u8]) -> Self {
        let padding = body.len().next_multiple_of(4) - body.len();
        let length = (body.len() + padding + 12) as u32;
        self.bytes.extend(self.order.u32(kind));
        self.bytes.extend(self.order.u32(length));
        self.bytes.extend(body);
        self.bytes.extend(vec![0; padding]);
        self.bytes.extend(self.order.u32(length));
        self
    }

    /// An interface with options of code and value.
    pub(crate) fn interface(self, link: u16, snap: u32, options: &[(u16, Vec<u8>)]) -> Self {
        let order = self.order;
        let mut body = order.u16(link).to_vec();
        body.extend(order.u16(0));
        body.extend(order.u32(snap));
        for (code, value) in options {
            body.extend(order.u16(*code));
            body.extend(order.u16(value.len() as u16));
            body.extend(value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        self.block(1, &body)
    }

    pub(crate) fn enhanced(self, interface: u32, ticks: u64, data: &[u8]) -> Self {
        let order = self.order;
        let length = data.len() as u32;
        let mut body = Vec::new();
        for field in [
            interface,
            (ticks >> 32) as u32,
            ticks as u32,
            length,
            length,
        ] {
            body.extend(order.u32(field));
        }
        body.extend(data);
        self.block(6, &body)
    }

    pub(crate) fn simple(self, frame_bytes: u32, data: &[u8]) -> Self {
        let mut body = self.order.u32(frame_bytes).to_vec();
        body.extend(data);
        self.block(3, &body)
    }

    pub(crate) fn obsolete(self, interface: u16, ticks: u64, data: &[u8]) -> Self {
        let order = self.order;
        let length = data.len() as u32;
        let mut body = order.u16(interface).to_vec();
        body.extend(order.u16(0xffff));
        for field in [(ticks >> 32) as u32, ticks as u32, length, length + 10] {
            body.extend(order.u32(field));
        }
        body.extend(data);
        self.block(2, &body)
    }
}

/// What a capture gave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Gave {
    pub(crate) frames: Vec<GivenFrame>,
    pub(crate) causes: Causes,
    pub(crate) cut_short: u64,
    /// The reader's own error.
    pub(crate) failed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GivenFrame {
    pub(crate) time_micros: i64,
    pub(crate) link: u32,
    pub(crate) data: Vec<u8>,
    pub(crate) frame_bytes: u32,
}

/// Reads to the end. A reader that does not advance would never come back from here.
pub(crate) fn read_all(reader: impl Read + Send) -> Result<Gave, crate::CaptureError> {
    let mut capture = CaptureReader::new(reader)?;
    let mut gave = Gave::default();
    loop {
        match capture.next_frame() {
            Ok(Some(frame)) => gave.frames.push(GivenFrame {
                time_micros: frame.time_micros,
                link: frame.link.0,
                data: frame.data.to_vec(),
                frame_bytes: frame.frame_bytes,
            }),
            Ok(None) => break,
            Err(_) => {
                gave.failed = true;
                break;
            }
        }
    }
    assert!(matches!(capture.next_frame(), Ok(None)), "an end is final");
    assert_eq!(capture.frames(), gave.frames.len() as u64);
    gave.causes = *capture.causes();
    gave.cut_short = capture.cut_short();
    Ok(gave)
}

/// Gives bytes in pieces of the sizes in turn, and interruptions where a size is 0; of sizes that are
/// all 0, a byte at a time, for a reader that is always interrupted never ends.
pub(crate) struct Trickle<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) sizes: &'a [usize],
    pub(crate) turn: usize,
}

impl<'a> Trickle<'a> {
    pub(crate) fn new(bytes: &'a [u8], sizes: &'a [usize]) -> Self {
        Self {
            bytes,
            sizes,
            turn: 0,
        }
    }
}

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes[self.turn % self.sizes.len()];
        self.turn += 1;
        if size == 0 && self.sizes.iter().any(|size| *size > 0) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let count = size.max(1).min(self.bytes.len()).min(buffer.len());
        let (now, later) = self.bytes.split_at(count);
        buffer[..count].copy_from_slice(now);
        self.bytes = later;
        Ok(count)
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

/// Counts a cause so often.
pub(crate) fn causes(of: &[(crate::Cause, u64)]) -> Causes {
    let mut causes = Causes::default();
    for (cause, times) in of {
        for _ in 0..*times {
            causes.count(*cause);
        }
    }
    causes
}
