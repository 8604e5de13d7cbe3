//! Labelled network traffic from a seed.
//!
//! A [`TrafficPlan`] says what happens when: ordinary sessions of an office network and attacks
//! of the fourteen kinds of CICIDS2017, as their tools look on the wire. [`Traffic`] gives the
//! packets in the order of time, each with its label; [`PcapWriter`] and [`LabelWriter`] write
//! them down. [`adversarial`] makes traffic that is hard on whoever watches it.
//!
//! It sends nothing, reads no clock, and payload is filler text: attacks are so by their headers,
//! sizes and times alone.
//!
//! Invariants:
//! - The same plan gives the same bytes on every machine.
//! - Memory grows with the sessions that are open at the same time, not with the packets.
//!
//! ```
//! use tripline_traffic::{Label, Traffic, TrafficPlan};
//!
//! let mut traffic = Traffic::new(&TrafficPlan::demo(7))?;
//! let mut attacks = 0;
//! while let Some(packet) = traffic.next_packet() {
//!     attacks += u32::from(packet.label != Label::Benign);
//! }
//! assert!(attacks > 1000);
//! # Ok::<(), tripline_traffic::PlanError>(())
//! ```

pub mod adversarial;
pub mod frame;
mod labels;
mod network;
mod pcap;
mod plan;
mod random;
mod session;
mod sources;
mod traffic;

pub use labels::LabelWriter;
pub use pcap::PcapWriter;
pub use plan::{AttackKind, AttackPlan, PlanError, TrafficPlan};
pub use traffic::{Label, Traffic, TrafficPacket};
