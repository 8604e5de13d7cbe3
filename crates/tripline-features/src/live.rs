//! Features of flows and connections that were seen as packets.
//!
//! [`cicflow`] gives the numbers of CICFlowMeter in the profile of the flow, [`nsl_kdd`] those of
//! KDD'99, whose window features need to see every connection in order.

pub mod cicflow;
pub mod nsl_kdd;
mod service;

pub use service::service_of;
