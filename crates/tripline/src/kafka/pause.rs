use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// First and longest pause before something that failed is tried again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));

/// Pauses that double up to a limit, with a random half, so that many workers do not come back at
/// the same moment.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    tries: u32,
}

impl Pauses {
    /// The next pause.
    pub(super) fn next(&mut self) -> Duration {
        let whole = PAUSES
            .0
            .saturating_mul(1 << self.tries.min(16))
            .min(PAUSES.1);
        self.tries = self.tries.saturating_add(1);
        let share = uuid::Uuid::new_v4().as_u64_pair().1 as u32;
        whole.mul_f64(0.5 + f64::from(share) / f64::from(u32::MAX) / 2.0)
    }

    /// The next pause is the first one again.
    pub(super) fn reset(&mut self) {
        self.tries = 0;
    }
}

/// Tells threads that the end is wanted, also those that pause.
#[derive(Debug, Default)]
pub(super) struct Stop {
    is_wanted: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    pub(super) fn ask(&self) {
        *self
            .is_wanted
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    pub(super) fn is_wanted(&self) -> bool {
        *self
            .is_wanted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Pauses, shorter if the end is wanted; tells whether it is.
    pub(super) fn pause(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut is_wanted = self
            .is_wanted
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while !*is_wanted {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            is_wanted = self
                .changed
                .wait_timeout(is_wanted, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        *is_wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_with_a_random_half() {
        let mut pauses = Pauses::default();
        let mut whole = PAUSES.0;
        for _ in 0..40 {
            let pause = pauses.next();
            assert!(pause >= whole / 2 && pause <= whole, "{pause:?}");
            whole = (whole * 2).min(PAUSES.1);
        }
        pauses.reset();
        assert!(pauses.next() <= PAUSES.0);
    }

    #[test]
    fn a_pause_ends_when_the_end_is_wanted() {
        let stop = Stop::default();
        assert!(!stop.pause(Duration::from_millis(1)));
        stop.ask();
        assert!(stop.pause(Duration::from_hours(1)));
    }
}
