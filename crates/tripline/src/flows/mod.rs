//! Judged flows as people and other programs read them.

pub(crate) mod cicflow_csv;
pub(crate) mod eve;
pub(crate) mod filter;
mod report;
mod subject;
pub(crate) mod summary;

pub(crate) use report::{FlowReport, protocol_name};
