//! The same traffic as packets and as lines of a sensor: what a line knows has the value that the
//! packets give. And the table of what each kind of record knows, which `docs/flow-records.md`
//! shows.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "in a test, what fails in a helper fails the test"
)]

#[path = "records/conformance.rs"]
mod conformance;
#[path = "records/document.rs"]
mod document;
