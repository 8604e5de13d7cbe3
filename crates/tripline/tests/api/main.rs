//! The API as a client sees it: the origin system's shapes, Tripline's own, and what becomes of
//! bad input. Most tests call the router without a socket; those that need a process start the
//! real binary on a free port.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "in a test, what fails in a helper fails the test"
)]

mod bad_files;
mod bad_requests;
mod captures;
mod command_line;
mod configuration;
mod document;
mod harness;
mod imports;
mod killed;
mod labels;
mod live;
mod models;
mod monitoring;
mod namespace;
mod origin;
#[path = "../support/otlp.rs"]
mod otlp;
mod retraining;
mod server;
mod signatures;
mod sources;
mod stream;
mod test_traffic;
mod threats;
mod traces;
mod verdicts;
mod webhooks;
