use crate::Timestamp;

/// The number of verdicts by kind. Everything counted is stored now: retention subtracts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// All verdicts.
    pub total: u64,
    /// Those with a threat part.
    pub scored: u64,
    /// Those that a detector calls threats.
    pub threats: u64,
    /// Those with an attack part.
    pub classified: u64,
    /// Those whose class is an attack.
    pub attacks: u64,
}

/// Everything stored, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// The counts.
    pub counts: Counts,
    /// The time of the oldest verdict.
    pub oldest: Option<Timestamp>,
    /// The time of the newest verdict.
    pub newest: Option<Timestamp>,
}

/// How many verdicts have a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassCount {
    /// Name of the class.
    pub class: String,
    /// Verdicts with this class.
    pub total: u64,
    /// Those among them for which the class was an attack: all or none, unless two models
    /// disagree on it.
    pub attacks: u64,
    /// Those among them that a detector calls threats.
    pub threats: u64,
}

/// Counts over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    /// The length of a bucket.
    pub bucket_seconds: u64,
    /// One point for each bucket, the empty ones too.
    pub points: Vec<TimelinePoint>,
}

/// The counts of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimelinePoint {
    /// When the bucket starts.
    pub start: Timestamp,
    /// All verdicts.
    pub total: u64,
    /// Those with a threat part.
    pub scored: u64,
    /// Those that a detector calls threats.
    pub threats: u64,
    /// Those whose class is an attack.
    pub attacks: u64,
}

/// The periods that are counted, in seconds, finest first.
pub(crate) const MINUTE: i64 = 60;
pub(crate) const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// The most buckets of a time line.
pub const MAX_BUCKETS: u32 = 10_000;

/// The buckets of a time line: aligned to their own length, so that a later question about the
/// same time has the same edges, and of a length that people use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Buckets {
    /// Start of the first bucket, in seconds.
    pub(crate) first: i64,
    /// Length of a bucket in seconds; a multiple of a minute.
    pub(crate) seconds: i64,
    /// How many.
    pub(crate) number: i64,
}

impl Buckets {
    /// At most `wanted` buckets (one more where the ends are not aligned) that cover `from..to`.
    pub(crate) fn covering(from: Timestamp, to: Timestamp, wanted: u32) -> Self {
        let wanted = i64::from(wanted.clamp(1, MAX_BUCKETS));
        let from_seconds = from.seconds();
        let to_seconds = to.0.div_euclid(1_000_000) + i64::from(to.0.rem_euclid(1_000_000) != 0);
        let span = to_seconds.saturating_sub(from_seconds).max(0);
        let least = (span + wanted - 1) / wanted;
        let seconds = [
            60,
            120,
            300,
            600,
            900,
            1800,
            HOUR,
            2 * HOUR,
            3 * HOUR,
            6 * HOUR,
            12 * HOUR,
        ]
        .into_iter()
        .find(|&seconds| seconds >= least)
        .unwrap_or((least + DAY - 1) / DAY * DAY);
        let first = from_seconds.div_euclid(seconds) * seconds;
        let number = if span == 0 {
            0
        } else {
            (to_seconds - first + seconds - 1) / seconds
        };
        Self {
            first,
            seconds,
            number,
        }
    }

    /// The period to sum up: the coarsest that fits into a bucket.
    pub(crate) fn period(self) -> i64 {
        if self.seconds % HOUR == 0 {
            HOUR
        } else {
            MINUTE
        }
    }

    pub(crate) fn end(self) -> i64 {
        self.first + self.number * self.seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(from: i64, to: i64, wanted: u32, expected: (i64, i64, i64)) {
        let buckets = Buckets::covering(
            Timestamp::from_seconds(from),
            Timestamp::from_seconds(to),
            wanted,
        );
        assert_eq!((buckets.first, buckets.seconds, buckets.number), expected);
    }

    #[test]
    fn buckets_are_aligned_and_few() {
        check(0, 3600, 60, (0, 60, 60));
        check(30, 3630, 60, (0, 60, 61));
        check(0, 86_400, 24, (0, 3600, 24));
        check(0, 86_400 * 365, 100, (0, 345_600, 92));
        check(100, 100, 10, (60, 60, 0));
        check(100, 50, 10, (60, 60, 0));
        check(-90, 0, 10, (-120, 60, 2));
    }

    #[test]
    fn the_whole_of_time_has_few_buckets() {
        let all = Buckets::covering(Timestamp(i64::MIN), Timestamp(i64::MAX), u32::MAX);
        assert!(all.number <= i64::from(MAX_BUCKETS) + 1);
    }
}
