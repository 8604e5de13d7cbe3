//! The one place that reads the wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

use tripline_store::Timestamp;

/// The time now.
pub fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "this is the binary's clock")]
    let now = SystemTime::now();
    from_system(now)
}

/// A file's or the system's time as a timestamp. Before 1970 it is negative.
pub fn from_system(time: SystemTime) -> Timestamp {
    Timestamp(match time.duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_micros() as i64,
        Err(before) => -(before.duration().as_micros() as i64),
    })
}
