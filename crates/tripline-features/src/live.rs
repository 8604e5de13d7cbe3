//! Features of flows and connections that were seen as packets, or told by other sensors.
//!
//! [`cicflow`] gives the numbers of CICFlowMeter in the profile of the flow, [`nsl_kdd`] those of
//! KDD'99, whose window features need to see every connection in order. [`records`] gives of both what a record of
//! another sensor can know.

pub mod cicflow;
pub mod nsl_kdd;
pub mod records;
mod service;

pub use service::service_of;
