//! Frames from a capture file or stream.

mod buffer;
mod input;
mod link;
mod pcap;
mod pcapng;

use std::io::{self, Read};

use crate::{Cause, Causes};
use buffer::Buffer;
pub use link::LinkType;
use pcap::Pcap;
use pcapng::Section;

/// The longest record or block that is read; longer ones are skipped where the format allows it.
/// libpcap's own limit for a frame is 256 KiB.
pub const MAX_RECORD_BYTES: usize = 1 << 20;

/// Why a capture could not be read at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The first bytes are those of no capture.
    #[error(
        "this is no capture: expected pcap, pcapng, or one of them compressed with gzip or \
         Zstandard, found the bytes {found}"
    )]
    NotACapture {
        /// The first bytes in hexadecimal.
        found: String,
    },
    /// Nothing to read.
    #[error("this is no capture: it is empty")]
    Empty,
    /// The first bytes are those of a capture, but there are hardly more.
    #[error(
        "the capture ends inside its file header: expected {} bytes, found {found}",
        pcap::HEADER_BYTES
    )]
    CutHeader {
        /// Bytes that are there.
        found: usize,
    },
    /// The reader failed.
    #[error("the capture could not be read further after {frames} frames")]
    Read {
        /// Frames read until then.
        frames: u64,
        /// What the reader said.
        source: io::Error,
    },
}

/// One frame, as long as the next one is not asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Capture time in microseconds since 1970, UTC; finer clocks are cut off.
    pub time_micros: i64,
    /// The link layer.
    pub link: LinkType,
    /// The captured bytes.
    pub data: &'a [u8],
    /// Length on the wire.
    pub frame_bytes: u32,
}

/// Reads frames from a capture.
pub struct CaptureReader<'r> {
    buffer: Buffer<'r>,
    format: Format,
    frames: u64,
    cut_short: u64,
    causes: Causes,
    ended: bool,
}

#[derive(Debug)]
enum Format {
    Pcap(Pcap),
    PcapNg(Section),
}

impl<'r> CaptureReader<'r> {
    /// Takes a reader and recognises the format by its first bytes.
    pub fn new(reader: impl Read + Send + 'r) -> Result<Self, CaptureError> {
        let failed = |source| CaptureError::Read { frames: 0, source };
        let input = input::Input::open(Box::new(reader)).map_err(failed)?;
        let mut buffer = Buffer::new(input);
        let format = recognise(&mut buffer).map_err(failed)?;
        let Some(format) = format else {
            let first = buffer.bytes();
            if first.is_empty() {
                return Err(CaptureError::Empty);
            }
            if pcap::is_magic(first) {
                return Err(CaptureError::CutHeader { found: first.len() });
            }
            let found = first.iter().take(8).map(|byte| format!("{byte:02x}"));
            return Err(CaptureError::NotACapture {
                found: found.collect::<Vec<_>>().join(" "),
            });
        };
        Ok(Self {
            buffer,
            format,
            frames: 0,
            cut_short: 0,
            causes: Causes::default(),
            ended: false,
        })
    }

    /// Frames read so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Frames of which the capture holds only the beginning.
    pub fn cut_short(&self) -> u64 {
        self.cut_short
    }

    /// What could not be read so far.
    pub fn causes(&self) -> &Causes {
        &self.causes
    }

    /// Bytes taken from the reader so far, before decompression.
    pub fn bytes_read(&self) -> u64 {
        self.buffer.input().bytes_read()
    }

    /// The next frame; `None` at the end, or where nothing more can be found.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, CaptureError> {
        let found = loop {
            if self.ended {
                break None;
            }
            let step = match &mut self.format {
                Format::Pcap(pcap) => pcap.next_record(&mut self.buffer),
                Format::PcapNg(section) => section.next_block(&mut self.buffer),
            };
            let step = match step {
                Ok(step) => step,
                Err(source) => match self.buffer.input().damage(&source) {
                    Some(cause) => Step::End(Some(cause)),
                    None => {
                        self.ended = true;
                        return Err(CaptureError::Read {
                            frames: self.frames,
                            source,
                        });
                    }
                },
            };
            match step {
                Step::Frame(found) => break Some(found),
                Step::Skipped(cause) => {
                    if let Some(cause) = cause {
                        self.causes.count(cause);
                    }
                }
                Step::End(cause) => {
                    if let Some(cause) = cause {
                        self.causes.count(cause);
                    }
                    self.ended = true;
                }
            }
        };
        let Some(found) = found else { return Ok(None) };
        self.frames += 1;
        let data = self.buffer.taken(found.start, found.captured);
        if (data.len() as u64) < u64::from(found.frame_bytes) {
            self.cut_short += 1;
        }
        Ok(Some(Frame {
            time_micros: found.time_micros,
            link: found.link,
            data,
            frame_bytes: found.frame_bytes.max(data.len() as u32),
        }))
    }
}

impl std::fmt::Debug for CaptureReader<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("CaptureReader")
            .field("format", &self.format)
            .field("frames", &self.frames)
            .field("causes", &self.causes)
            .finish_non_exhaustive()
    }
}

/// A frame's place in what was last consumed from the buffer.
#[derive(Debug, Clone, Copy)]
struct Found {
    time_micros: i64,
    link: LinkType,
    start: usize,
    captured: usize,
    frame_bytes: u32,
}

/// What one advance over the input gave.
#[derive(Debug)]
enum Step {
    Frame(Found),
    Skipped(Option<Cause>),
    End(Option<Cause>),
}

fn recognise(buffer: &mut Buffer<'_>) -> io::Result<Option<Format>> {
    buffer.fill_to(pcap::HEADER_BYTES)?;
    if buffer.bytes().starts_with(&pcapng::SECTION_HEADER) {
        return Ok(Some(Format::PcapNg(Section::default())));
    }
    let pcap = Pcap::read(buffer.bytes());
    if pcap.is_some() {
        buffer.consume(pcap::HEADER_BYTES);
    }
    Ok(pcap.map(Format::Pcap))
}

#[cfg(test)]
mod tests;
