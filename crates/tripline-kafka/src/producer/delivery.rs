use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::state::lock;

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Every replica that must have it has it.
    Delivered {
        /// Its partition.
        partition: i32,
        /// Its place there.
        offset: i64,
    },
    /// It was given up.
    Failed {
        /// Why.
        reason: String,
        /// Whether another try may succeed; false when the message itself is at fault, for
        /// instance because it is too large.
        is_worth_another_try: bool,
    },
    /// It is not known yet. It may still be delivered.
    Unknown,
}

impl Delivery {
    pub(super) fn failed(reason: impl Into<String>, is_worth_another_try: bool) -> Self {
        Self::Failed {
            reason: reason.into(),
            is_worth_another_try,
        }
    }

    /// Whether it is known to be delivered.
    pub fn is_delivered(&self) -> bool {
        matches!(self, Self::Delivered { .. })
    }

    /// Whether to send it again.
    pub fn is_worth_another_try(&self) -> bool {
        match self {
            Self::Delivered { .. } => false,
            Self::Failed {
                is_worth_another_try,
                ..
            } => *is_worth_another_try,
            Self::Unknown => true,
        }
    }
}

/// What became of the messages that were sent together, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// One for each message.
    pub deliveries: Vec<Delivery>,
}

impl Report {
    /// Whether every message is known to be delivered.
    pub fn is_complete(&self) -> bool {
        self.deliveries.iter().all(Delivery::is_delivered)
    }

    /// The positions of messages that are not known to be delivered, with what is known.
    pub fn undelivered(&self) -> impl Iterator<Item = (usize, &Delivery)> {
        let deliveries = self.deliveries.iter().enumerate();
        deliveries.filter(|(_, delivery)| !delivery.is_delivered())
    }
}

/// Messages that are on their way.
#[derive(Debug)]
#[must_use = "whether messages are delivered is known only after waiting"]
pub struct Pending {
    slots: Arc<Slots>,
}

impl Pending {
    pub(super) fn new(slots: Arc<Slots>) -> Self {
        Self { slots }
    }

    /// Waits until each message is delivered or has failed, for `limit` at most. Blocks.
    pub fn wait(&self, limit: Duration) -> Report {
        let until = Instant::now() + limit;
        let mut state = lock(&self.slots.state);
        while state.left > 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self
                .slots
                .settled
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        Report {
            deliveries: state.deliveries.clone(),
        }
    }
}

#[derive(Debug)]
pub(super) struct Slots {
    state: Mutex<SlotsState>,
    settled: Condvar,
}

#[derive(Debug)]
struct SlotsState {
    deliveries: Vec<Delivery>,
    left: usize,
}

impl Slots {
    pub(super) fn new(count: usize) -> Self {
        Self {
            state: Mutex::new(SlotsState {
                deliveries: vec![Delivery::Unknown; count],
                left: count,
            }),
            settled: Condvar::new(),
        }
    }

    pub(super) fn settle(&self, index: usize, delivery: Delivery) {
        let mut state = lock(&self.state);
        if let Some(slot) = state.deliveries.get_mut(index)
            && *slot == Delivery::Unknown
        {
            *slot = delivery;
            state.left -= 1;
            if state.left == 0 {
                self.settled.notify_all();
            }
        }
    }
}

/// Where the report about one message goes.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<Slots>,
    index: usize,
}

impl Slot {
    pub(super) fn new(slots: &Arc<Slots>, index: usize) -> Self {
        Self {
            slots: Arc::clone(slots),
            index,
        }
    }

    pub(super) fn settle(&self, delivery: Delivery) {
        self.slots.settle(self.index, delivery);
    }
}
