//! Everything that is promised of a store: the suite that every backend has to pass, and what only
//! one of them can get wrong.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "in a test, what fails in a helper fails the test"
)]

mod conformance;
mod fixtures;
mod killed;
mod model;
mod postgres;
mod registry_model;
mod sqlite;
