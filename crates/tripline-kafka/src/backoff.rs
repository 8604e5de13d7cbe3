use std::time::Duration;

/// Pauses that grow to a limit, each with a random half, so that many workers do not come back at
/// the same moment.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    first: Duration,
    limit: Duration,
    tries: u32,
    random: u64,
}

impl Backoff {
    pub(crate) fn new(first: Duration, limit: Duration, seed: u64) -> Self {
        Self {
            first,
            limit,
            tries: 0,
            random: seed,
        }
    }

    /// The next pause: between half of it and the whole.
    pub(crate) fn next(&mut self) -> Duration {
        let whole = self
            .first
            .saturating_mul(1 << self.tries.min(20))
            .min(self.limit);
        self.tries = self.tries.saturating_add(1);
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.random;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        let share = (bits >> 11) as f64 / (1_u64 << 53) as f64;
        whole.mul_f64(0.5 + share / 2.0)
    }

    /// How many pauses there were since the last success.
    pub(crate) fn tries(&self) -> u32 {
        self.tries
    }

    pub(crate) fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_limit_and_differ() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10), 7);
        let mut whole = 0.1_f64;
        for _ in 0..40 {
            let pause = backoff.next().as_secs_f64();
            assert!(
                pause >= whole / 2.0 - 1e-9 && pause <= whole + 1e-9,
                "{pause}"
            );
            whole = (whole * 2.0).min(10.0);
        }
        assert_eq!(backoff.tries(), 40);
        let other = Backoff::new(Duration::from_millis(100), Duration::from_secs(10), 8).next();
        backoff.reset();
        assert_ne!(backoff.next(), other);
    }
}
