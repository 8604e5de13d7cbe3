//! What becomes of packets: flows, connections, and the books over both.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod check;
mod community;
mod early;
mod fixture;
mod hostile;
mod properties;
mod rules;
