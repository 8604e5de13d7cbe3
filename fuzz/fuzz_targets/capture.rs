//! A capture file: container, compression, frames.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tripline_fuzz::{options, read_capture};

fuzz_target!(|bytes: &[u8]| {
    // The first bytes say what the file is, so the last one chooses.
    let choice = bytes.last().copied().unwrap_or_default();
    read_capture(bytes, options(choice), |_| ());
});
