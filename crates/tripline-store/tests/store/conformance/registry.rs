//! What every backend has to do about models and what became of them.

pub(crate) mod activation;
pub(crate) mod labels;
pub(crate) mod leases;
pub(crate) mod limits;
pub(crate) mod messages;
pub(crate) mod models;
pub(crate) mod records;
pub(crate) mod steps;
pub(crate) mod tasks;
