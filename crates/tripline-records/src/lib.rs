//! Flow records that other sensors made, as one neutral struct.
//!
//! Reads Zeek's `conn.log` ([`ZeekReader`]: tab-separated or JSON lines), Suricata's EVE log
//! ([`EveReader`]), and NetFlow v5, v9 and IPFIX, from datagrams ([`FlowCollector`]) or from a
//! file of messages one after the other ([`import_datagrams`]). Each gives [`FlowRecord`]s.
//!
//! It opens no file and no socket and reads no clock: readers, datagrams and the time of their
//! arrival are arguments. It computes no features and joins no directions.
//!
//! Invariants:
//! - What the sensor does not say stays `None`.
//! - A bad line is a [`Rejection`], a bad part of a datagram a counted [`Cause`]; neither ends the
//!   reading.
//! - Memory depends on the limits, not on the input: on [`MAX_LINE_BYTES`] for text and on
//!   [`CollectorLimits`] for templates; no length field is trusted with an allocation.
//! - A template is used for the exporter, protocol version and observation domain that sent it,
//!   and for no other.
//! - Improbable times are kept and counted ([`Oddities`]).
//!
//! ```
//! use tripline_records::{ConnState, ZeekReader};
//!
//! let log = "#separator \\x09\n\
//!     #fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\tconn_state\n\
//!     1521911721.255387\t10.0.0.1\t49152\t10.0.0.2\t80\ttcp\t0.5\tSF\n\
//!     1521911722.000000\t10.0.0.1\tport\t10.0.0.2\t80\ttcp\t-\tS0\n";
//! let mut reader = ZeekReader::new(log.as_bytes())?;
//!
//! let record = reader.next_record()?.unwrap().unwrap();
//! assert_eq!(record.start_micros, 1_521_911_721_255_387);
//! assert_eq!(record.end_micros, Some(1_521_911_721_755_387));
//! assert_eq!(record.zeek_state, Some(ConnState::SF));
//!
//! let rejection = reader.next_record()?.unwrap().unwrap_err();
//! assert_eq!(
//!     rejection.to_string(),
//!     r#"line 4, field id.orig_p: expected a port from 0 to 65535, found "port""#
//! );
//! # Ok::<(), tripline_records::RecordError>(())
//! ```

mod error;
mod eve;
mod json;
mod lines;
mod netflow;
mod protocols;
mod record;
mod rejection;
#[cfg(test)]
mod testing;
mod text;
mod time;
mod zeek;

pub use error::RecordError;
pub use eve::EveReader;
pub use lines::MAX_LINE_BYTES;
pub use netflow::{
    Cause, Causes, CollectorCounts, CollectorLimits, DatagramFile, DatagramOutcome, FlowCollector,
    Withdrawals, import_datagrams,
};
pub use record::{
    ConnState, FlowRecord, Oddities, RecordSource, Side, SuricataState, TcpFlagUnion,
    UNKNOWN_PROTOCOL,
};
pub use rejection::{Item, Problem, ReadCounts, Rejection};
pub use text::MAX_TEXT_BYTES;
pub use zeek::ZeekReader;
