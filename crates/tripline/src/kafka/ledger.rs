//! The books of each topic: every message that was read is accounted for, at every moment.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::{Map, Value, json};
use tripline_kafka::form::Cause;

/// What became of the messages of one topic since the process was started.
///
/// `received = scored + dead_lettered + rejected + dropped + handed_back + pending`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(super) struct Counts {
    /// Messages that were read.
    pub(super) received: u64,
    /// Messages whose verdicts are stored.
    pub(super) scored: u64,
    /// Messages that are in the topic of dead letters.
    pub(super) dead_lettered: u64,
    /// Messages that could not be judged and that the topic of dead letters refuses too.
    pub(super) rejected: u64,
    /// Messages that were given up for want of room. Kafka keeps what this process has no room
    /// for, so there is no way to lose one; the number is here because the other sources have it.
    pub(super) dropped: u64,
    /// Messages that were read and left, not acknowledged: who reads the partition next reads
    /// them again.
    pub(super) handed_back: u64,
    /// Messages that are being worked on.
    pub(super) pending: u64,
    /// Verdicts that were stored.
    pub(super) verdicts: u64,
    /// Verdicts that were there already: their message came again.
    pub(super) repeats: u64,
    /// Verdicts stored or repeated that call their row a threat.
    pub(super) threats: u64,
    /// Dead and rejected messages by cause, in the order of [`Cause::ALL`].
    #[serde(skip)]
    causes: [u64; Cause::ALL.len()],
}

impl Counts {
    pub(super) fn to_json(self, topic: &str) -> Value {
        let causes: Map<String, Value> = Cause::ALL
            .iter()
            .zip(self.causes)
            .filter(|(_, count)| *count > 0)
            .map(|(cause, count)| (cause.name().to_owned(), json!(count)))
            .collect();
        let mut body = json!({ "topic": topic });
        if let (Value::Object(body), Value::Object(counts)) = (&mut body, json!(self)) {
            body.extend(counts);
            body.insert("causes".to_owned(), Value::Object(causes));
        }
        body
    }
}

/// The books of a topic at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Book {
    pub(crate) topic: String,
    /// What became of its messages: `received` is the sum of the others and of those pending.
    pub(crate) outcomes: [(&'static str, u64); 6],
    /// Messages that are being worked on.
    pub(crate) pending: u64,
}

/// What one piece of work has come to.
#[derive(Debug, Clone, Default)]
pub(super) struct Settled {
    pub(super) scored: u64,
    pub(super) verdicts: u64,
    pub(super) repeats: u64,
    pub(super) threats: u64,
    pub(super) dead_lettered: Vec<Cause>,
    pub(super) rejected: Vec<Cause>,
}

/// The books of all topics.
#[derive(Debug)]
pub(super) struct Ledger {
    topics: Vec<(String, Mutex<Counts>)>,
}

impl Ledger {
    pub(super) fn new<'a>(topics: impl IntoIterator<Item = &'a str>) -> Self {
        let topics = topics.into_iter();
        Self {
            topics: topics
                .map(|name| (name.to_owned(), Mutex::default()))
                .collect(),
        }
    }

    pub(super) fn books(&self) -> Vec<Book> {
        let of = |(topic, counts): &(String, Mutex<Counts>)| {
            let counts = *lock(counts);
            let outcomes = [
                ("received", counts.received),
                ("scored", counts.scored),
                ("dead_lettered", counts.dead_lettered),
                ("rejected", counts.rejected),
                ("dropped", counts.dropped),
                ("handed_back", counts.handed_back),
            ];
            Book {
                topic: topic.clone(),
                outcomes,
                pending: counts.pending,
            }
        };
        self.topics.iter().map(of).collect()
    }

    pub(super) fn received(&self, topic: &str, messages: u64) {
        self.change(topic, |counts| {
            counts.received += messages;
            counts.pending += messages;
        });
    }

    pub(super) fn handed_back(&self, topic: &str, messages: u64) {
        self.change(topic, |counts| {
            counts.handed_back += messages;
            counts.pending = counts.pending.saturating_sub(messages);
        });
    }

    /// Whatever was being worked on is left: nobody works any more.
    pub(super) fn all_handed_back(&self) {
        for (_, counts) in &self.topics {
            let mut counts = lock(counts);
            counts.handed_back += counts.pending;
            counts.pending = 0;
        }
    }

    pub(super) fn settled(&self, topic: &str, settled: &Settled) {
        self.change(topic, |counts| {
            let (dead, rejected) = (&settled.dead_lettered, &settled.rejected);
            counts.scored += settled.scored;
            counts.dead_lettered += dead.len() as u64;
            counts.rejected += rejected.len() as u64;
            let messages = settled.scored + (dead.len() + rejected.len()) as u64;
            counts.pending = counts.pending.saturating_sub(messages);
            counts.verdicts += settled.verdicts;
            counts.repeats += settled.repeats;
            counts.threats += settled.threats;
            for cause in dead.iter().chain(rejected) {
                if let Some(place) = Cause::ALL.iter().position(|one| one == cause) {
                    counts.causes[place] += 1;
                }
            }
        });
    }

    pub(super) fn counts(&self) -> impl Iterator<Item = (&str, Counts)> {
        let topics = self.topics.iter();
        topics.map(|(name, counts)| (name.as_str(), *lock(counts)))
    }

    fn change(&self, topic: &str, change: impl FnOnce(&mut Counts)) {
        if let Some((_, counts)) = self.topics.iter().find(|(name, _)| name == topic) {
            change(&mut lock(counts));
        }
    }
}

/// Counts are whole after every change.
fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balance(ledger: &Ledger) -> Vec<Counts> {
        let all: Vec<Counts> = ledger.counts().map(|(_, counts)| counts).collect();
        for counts in &all {
            let sum = counts.scored + counts.dead_lettered + counts.rejected + counts.dropped;
            assert_eq!(
                counts.received,
                sum + counts.handed_back + counts.pending,
                "{counts:?}"
            );
        }
        all
    }

    #[test]
    fn the_books_balance_after_every_step() {
        let ledger = Ledger::new(["a", "b"]);
        ledger.received("a", 10);
        balance(&ledger);
        ledger.settled(
            "a",
            &Settled {
                scored: 4,
                verdicts: 6,
                dead_lettered: vec![Cause::NotJson, Cause::NotJson],
                rejected: vec![Cause::TooLarge],
                ..Settled::default()
            },
        );
        let counts = balance(&ledger)[0];
        assert_eq!((counts.pending, counts.dead_lettered), (3, 2));
        let shown = counts.to_json("a");
        assert_eq!(shown["causes"], json!({"not_json": 2, "too_large": 1}));
        ledger.handed_back("a", 1);
        balance(&ledger);
        ledger.received("b", 5);
        ledger.all_handed_back();
        assert_eq!(balance(&ledger)[1].handed_back, 5);
        // A topic that nobody asked for changes nothing.
        ledger.received("c", 5);
        balance(&ledger);
    }
}
