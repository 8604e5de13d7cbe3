//! The server as a worker of a consumer group, on a real broker: one for all tests but those that
//! take theirs away.
#![cfg(test)]

mod forms;
mod generated;
mod harness;
mod killed;
mod letters;
mod network;
#[path = "../support/otlp.rs"]
mod otlp;
mod outage;
mod secure;
mod together;
mod traces;
