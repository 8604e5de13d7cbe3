//! From packets to flows and connections.
//!
//! A [`Meter`] takes packets in capture order and says, as they come: this flow ended, this one
//! is so far, this connection is complete. What makes a flow, when it ends and what is counted
//! follows one of three [`Profile`]s of the program that made the public data sets; beside it
//! runs the state machine that made the connection records of KDD'99 ([`Connection`]).
//!
//! It knows no features and no models, opens nothing and reads no clock.
//!
//! Invariants:
//! - Time is what packets say. The same packets give the same events, byte for byte: at any
//!   speed, in one piece or in chunks, on one thread or many.
//! - Memory is bounded by [`MeterConfig::max_bytes`]; what has to make room is named
//!   [`EndReason::Evicted`] and counted.
//! - Every packet is counted in exactly one flow, or in one counter of [`MeterCounts`].
//!
//! ```
//! use tripline_flow::{Meter, MeterConfig};
//!
//! let mut meter = Meter::new(MeterConfig::default());
//! let mut events = Vec::new();
//! meter.observe(&[], &mut events);
//! meter.finish(&mut events);
//! assert!(events.is_empty());
//! ```

mod accumulate;
mod connection;
mod flow;
mod key;
mod meter;
mod moments;
mod profile;
mod segments;
mod siphash;
mod table;
mod timers;
mod told;

pub use connection::{Connection, ConnectionFlag, ConnectionProtocol};
pub use flow::{Bulk, Direction, EndReason, Flow, FlowId, Heading, Moment};
pub use key::FlowKey;
pub use meter::{Early, Event, Meter, MeterConfig, MeterCounts, Record, What, Young};
pub use moments::Moments;
pub use profile::{ACTIVITY_TIMEOUT_MICROS, FLOW_TIMEOUT_MICROS, Profile, SUBFLOW_GAP_MICROS};
pub use told::Events;
