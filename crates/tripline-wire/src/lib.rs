//! From the bytes of a capture to packets.
//!
//! [`CaptureReader`] reads pcap and pcapng in every byte order, plain or compressed, from any
//! reader; [`Decoder`] finds the packet in a frame: through link layers, VLAN tags, MPLS, PPPoE
//! and tunnels down to the transport.
//!
//! It knows no flows and no clocks, and it does not reassemble payload: a fragment is attributed
//! to its transport header by a bounded table ([`Decoder`] says how).
//!
//! Invariants:
//! - What cannot be decoded is a counted [`Cause`], never an error that stops the reading.
//! - Every read advances by at least one byte or ends.
//! - Memory does not grow with the input: one buffer for a record of at most
//!   [`MAX_RECORD_BYTES`], one table of fragments, and the window of a decompressor (of
//!   Zstandard at most 128 MiB).
//!
//! ```
//! use tripline_wire::{CaptureReader, Decoder, DecodeOptions};
//!
//! let no_packets = [
//!     0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0,
//! ];
//! let mut capture = CaptureReader::new(&no_packets[..])?;
//! let mut decoder = Decoder::new(DecodeOptions::default());
//! while let Some(frame) = capture.next_frame()? {
//!     if let Ok(packet) = decoder.decode(&frame) {
//!         println!("{} bytes", packet.payload_bytes);
//!     }
//! }
//! assert_eq!(capture.frames(), 0);
//! # Ok::<(), tripline_wire::CaptureError>(())
//! ```

mod bytes;
mod capture;
mod cause;
mod decode;
mod packet;
#[cfg(test)]
mod testing;

pub use capture::{CaptureError, CaptureReader, Frame, LinkType, MAX_RECORD_BYTES};
pub use cause::{Cause, Causes};
pub use decode::{DecodeOptions, Decoder, FragmentCounts, Fragments, Lengths, MAX_LAYERS, Tunnels};
pub use packet::{Address, Fragment, Packet, Tcp, Transport, protocol, tcp_flags};
