//! Times as the API writes and reads them: RFC 3339, UTC, microseconds.

use jiff::{civil::DateTime, fmt::temporal::DateTimePrinter, tz::TimeZone};
use tripline_store::Timestamp;

/// A time such as `2026-11-24T02:40:00.000000Z`.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(6));
    // Only times some thousand years away are no dates, and those are as good as the ends of time.
    let limit = if time.0 < 0 {
        jiff::Timestamp::MIN
    } else {
        jiff::Timestamp::MAX
    };
    PRINTER.timestamp_to_string(&jiff::Timestamp::from_microsecond(time.0).unwrap_or(limit))
}

/// Reads a time. One without an offset is UTC, because the origin's clients send such times.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    let instant = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        let civil = text.parse::<DateTime>().ok()?;
        Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
    })?;
    Some(Timestamp(instant.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(parse(text).map(rfc3339).as_deref(), expected, "{text}");
    }

    #[test]
    fn times_are_read_with_and_without_an_offset() {
        check(
            "2026-11-24T02:40:00.123456Z",
            Some("2026-11-24T02:40:00.123456Z"),
        );
        check(
            "2026-11-24T02:40:00+02:00",
            Some("2026-11-24T00:40:00.000000Z"),
        );
        check("2026-11-24T02:40:00", Some("2026-11-24T02:40:00.000000Z"));
        check("2026-11-24", Some("2026-11-24T00:00:00.000000Z"));
        check("yesterday", None);
        check("", None);
        check("99999-01-01T00:00:00Z", None);
    }

    #[test]
    fn the_ends_of_time_are_written() {
        assert!(rfc3339(Timestamp(i64::MIN)).starts_with('-'));
        assert!(rfc3339(Timestamp(i64::MAX)).starts_with("9999-12-3"));
    }
}
