//! Flows and connections against the recorded outputs of the programs that made the public data
//! sets. `docs/parity.md` is what comes out; `TRIPLINE_REWRITE_GOLDENS=1` writes it anew.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking"
)]

mod books;
mod capture;
mod causes;
mod cicflow;
mod document;
mod kdd;
mod reference;
