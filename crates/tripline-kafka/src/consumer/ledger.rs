//! What is out, what is acknowledged, and what may be committed. It knows no client and no network.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Batch, ConsumerConfig, ConsumerStatus};
use crate::Message;
use crate::state::{Pulse, lock};

/// Names a batch that is out.
#[derive(Debug, Clone)]
pub struct Ticket {
    lease: Arc<Lease>,
    number: u64,
}

impl Ticket {
    /// Whether the partition is still this member's. Work for one that is not can be dropped:
    /// another member reads the messages again.
    pub fn is_current(&self) -> bool {
        !self.lease.is_over.load(Ordering::Acquire)
    }
}

/// One time of having a partition.
#[derive(Debug)]
struct Lease {
    topic: Arc<str>,
    partition: i32,
    is_over: AtomicBool,
}

/// What the threads share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: ConsumerConfig,
    pub(super) pulse: Pulse,
    pub(super) ledger: Mutex<Ledger>,
    pub(super) changed: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) cluster: Option<Arc<str>>,
    pub(super) is_paused: bool,
    /// When the worker is to end at the latest; as soon as nothing is out.
    pub(super) end_at: Option<Instant>,
    pub(super) lag: Option<u64>,
    partitions: BTreeMap<(Arc<str>, i32), Partition>,
    ready: VecDeque<Batch>,
    outstanding: usize,
    outstanding_bytes: usize,
    received: u64,
    acknowledged: u64,
    given_up: u64,
}

#[derive(Debug)]
struct Partition {
    lease: Arc<Lease>,
    gathering: Gathering,
    /// Batches that are ready or out, oldest first.
    out: VecDeque<Out>,
    next_number: u64,
    /// Where reading goes on after a restart, as far as it is known.
    position: Option<i64>,
    /// The position that was last sent to the cluster.
    committed: Option<i64>,
}

#[derive(Debug, Default)]
struct Gathering {
    messages: Vec<Message>,
    bytes: usize,
    since: Option<Instant>,
}

#[derive(Debug)]
struct Out {
    number: u64,
    messages: usize,
    bytes: usize,
    next_offset: i64,
    is_acknowledged: bool,
}

/// An offset to be committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    pub(super) offset: i64,
}

impl Shared {
    pub(super) fn new(config: ConsumerConfig, pulse: Pulse) -> Self {
        Self {
            config,
            pulse,
            ledger: Mutex::new(Ledger::default()),
            changed: Condvar::new(),
        }
    }

    pub(super) fn take(&self, until: Instant) -> Option<Batch> {
        let mut ledger = lock(&self.ledger);
        loop {
            if ledger.end_at.is_some() {
                return None;
            }
            if let Some(batch) = ledger.ready.pop_front() {
                return Some(batch);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            ledger = self.wait(ledger, left);
        }
    }

    pub(super) fn ack(&self, ticket: &Ticket) -> bool {
        let is_current = lock(&self.ledger).ack(ticket);
        self.changed.notify_all();
        is_current
    }

    pub(super) fn wait<'a>(
        &self,
        ledger: MutexGuard<'a, Ledger>,
        limit: Duration,
    ) -> MutexGuard<'a, Ledger> {
        self.changed
            .wait_timeout(ledger, limit)
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }

    pub(super) fn status(&self) -> ConsumerStatus {
        let ledger = lock(&self.ledger);
        ConsumerStatus {
            state: self.pulse.state(),
            cluster: ledger.cluster.as_deref().map(str::to_owned),
            partitions: ledger
                .partitions
                .keys()
                .map(|(topic, partition)| (topic.to_string(), *partition))
                .collect(),
            is_paused: ledger.is_paused,
            received: ledger.received,
            acknowledged: ledger.acknowledged,
            given_up: ledger.given_up,
            outstanding: ledger.outstanding,
            outstanding_bytes: ledger.outstanding_bytes,
            lag: ledger.lag,
            failures: self.pulse.failures(),
            last_error: self.pulse.last_error(),
        }
    }
}

impl Ledger {
    /// The partition is this member's from now on.
    pub(super) fn assign(&mut self, topic: &str, partition: i32) {
        let topic: Arc<str> = topic.into();
        let lease = Arc::new(Lease {
            topic: Arc::clone(&topic),
            partition,
            is_over: AtomicBool::new(false),
        });
        let new = Partition {
            lease,
            gathering: Gathering::default(),
            out: VecDeque::new(),
            next_number: 0,
            position: None,
            committed: None,
        };
        if let Some(old) = self.partitions.insert((topic, partition), new) {
            self.forget(&old);
        }
    }

    /// The partition goes: what nobody has taken is dropped. The rest may still be acknowledged.
    pub(super) fn begin_revoke(&mut self, topic: &str, partition: i32) {
        let key = (topic.into(), partition);
        let Some(found) = self.partitions.get_mut(&key) else {
            return;
        };
        let gathered = std::mem::take(&mut found.gathering);
        self.outstanding -= gathered.messages.len();
        self.outstanding_bytes -= gathered.bytes;
        self.given_up += gathered.messages.len() as u64;
        let mut dropped = Vec::new();
        let lease = Arc::clone(&found.lease);
        self.ready.retain(|batch| {
            let is_ours = Arc::ptr_eq(&batch.ticket.lease, &lease);
            if is_ours {
                dropped.push(batch.ticket.number);
            }
            !is_ours
        });
        found.out.retain(|out| {
            let is_dropped = dropped.contains(&out.number);
            if is_dropped {
                self.outstanding -= out.messages;
                self.outstanding_bytes -= out.bytes;
                self.given_up += out.messages as u64;
            }
            !is_dropped
        });
    }

    /// Whether batches of the partition are out.
    pub(super) fn is_out(&self, topic: &str, partition: i32) -> bool {
        let found = self.partitions.get(&(topic.into(), partition));
        found.is_some_and(|found| !found.out.is_empty())
    }

    /// The partition is gone.
    pub(super) fn end_revoke(&mut self, topic: &str, partition: i32) {
        if let Some(old) = self.partitions.remove(&(topic.into(), partition)) {
            self.forget(&old);
        }
    }

    /// Every partition is gone, as when the client has to be made anew.
    pub(super) fn revoke_all(&mut self) {
        for key in self.partitions.keys().cloned().collect::<Vec<_>>() {
            self.begin_revoke(&key.0, key.1);
            self.end_revoke(&key.0, key.1);
        }
    }

    fn forget(&mut self, old: &Partition) {
        old.lease.is_over.store(true, Ordering::Release);
        self.outstanding -= old.gathering.messages.len();
        self.outstanding_bytes -= old.gathering.bytes;
        self.given_up += old.gathering.messages.len() as u64;
        self.ready
            .retain(|batch| !Arc::ptr_eq(&batch.ticket.lease, &old.lease));
        for out in old.out.iter().filter(|out| !out.is_acknowledged) {
            self.given_up += out.messages as u64;
            self.outstanding -= out.messages;
            self.outstanding_bytes -= out.bytes;
        }
    }

    /// Takes a message in. One of a partition that is not ours is left out: its new owner has it.
    pub(super) fn receive(
        &mut self,
        topic: &str,
        partition: i32,
        message: Message,
        config: &ConsumerConfig,
        now: Instant,
    ) {
        let Some(found) = self.partitions.get_mut(&(topic.into(), partition)) else {
            return;
        };
        let bytes = message.bytes();
        self.received += 1;
        self.outstanding += 1;
        self.outstanding_bytes += bytes;
        let gathering = &found.gathering;
        let is_too_much =
            !gathering.messages.is_empty() && gathering.bytes + bytes > config.batch_bytes;
        if is_too_much && let Some(batch) = found.hand_out(self.cluster.as_ref()) {
            self.ready.push_back(batch);
        }
        let gathering = &mut found.gathering;
        gathering.since.get_or_insert(now);
        gathering.messages.push(message);
        gathering.bytes += bytes;
        let is_full = gathering.messages.len() >= config.batch_messages
            || gathering.bytes >= config.batch_bytes;
        if is_full && let Some(batch) = found.hand_out(self.cluster.as_ref()) {
            self.ready.push_back(batch);
        }
    }

    /// Makes batches of what has waited long enough. Gives how long the rest may wait still.
    pub(super) fn hand_out(&mut self, linger: Duration, now: Instant) -> Option<Duration> {
        let mut shortest = None;
        for partition in self.partitions.values_mut() {
            let Some(since) = partition.gathering.since else {
                continue;
            };
            let left = (since + linger).saturating_duration_since(now);
            if !left.is_zero() {
                shortest = Some(shortest.map_or(left, |shortest: Duration| shortest.min(left)));
            } else if let Some(batch) = partition.hand_out(self.cluster.as_ref()) {
                self.ready.push_back(batch);
            }
        }
        shortest
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Takes back what nobody has taken, because there is nobody to take it any more.
    pub(super) fn drop_untaken(&mut self) {
        let keys: Vec<_> = self.partitions.keys().cloned().collect();
        for (topic, partition) in keys {
            self.begin_revoke(&topic, partition);
        }
    }

    pub(super) fn has_out(&self) -> bool {
        self.partitions
            .values()
            .any(|partition| !partition.out.is_empty())
    }

    pub(super) fn is_full(&self, config: &ConsumerConfig) -> bool {
        self.outstanding >= config.budget_messages || self.outstanding_bytes >= config.budget_bytes
    }

    pub(super) fn is_half_free(&self, config: &ConsumerConfig) -> bool {
        self.outstanding <= config.budget_messages / 2
            && self.outstanding_bytes <= config.budget_bytes / 2
    }

    fn ack(&mut self, ticket: &Ticket) -> bool {
        let lease = &ticket.lease;
        let key = (Arc::clone(&lease.topic), lease.partition);
        let Some(found) = self.partitions.get_mut(&key) else {
            return false;
        };
        if !Arc::ptr_eq(&found.lease, lease) {
            return false;
        }
        let position = found
            .out
            .binary_search_by_key(&ticket.number, |out| out.number);
        // One that is not there was acknowledged before.
        if let Ok(position) = position
            && let Some(out) = found.out.get_mut(position)
            && !out.is_acknowledged
        {
            out.is_acknowledged = true;
            self.acknowledged += out.messages as u64;
            self.outstanding -= out.messages;
            self.outstanding_bytes -= out.bytes;
        }
        while let Some(first) = found.out.pop_front_if(|out| out.is_acknowledged) {
            found.position = Some(first.next_offset);
        }
        true
    }

    /// What is to be committed and was not yet; it counts as committed from now on.
    pub(super) fn take_commits(&mut self) -> Vec<Position> {
        let mut positions = Vec::new();
        for ((topic, partition), found) in &mut self.partitions {
            if let Some(offset) = found.position
                && found.committed != found.position
            {
                found.committed = found.position;
                positions.push(Position {
                    topic: Arc::clone(topic),
                    partition: *partition,
                    offset,
                });
            }
        }
        positions
    }

    /// What was committed is in doubt: everything is sent again with the next commit.
    pub(super) fn doubt_commits(&mut self) {
        for partition in self.partitions.values_mut() {
            partition.committed = None;
        }
    }

    pub(super) fn partitions(&self) -> impl Iterator<Item = (&str, i32)> {
        let keys = self.partitions.keys();
        keys.map(|(topic, partition)| (topic.as_ref(), *partition))
    }
}

impl Partition {
    /// A batch of what was gathered; nothing before the cluster's identifier is known.
    fn hand_out(&mut self, cluster: Option<&Arc<str>>) -> Option<Batch> {
        let cluster = Arc::clone(cluster?);
        let next_offset = self.gathering.messages.last()?.offset + 1;
        let gathered = std::mem::take(&mut self.gathering);
        let number = self.next_number;
        self.next_number += 1;
        self.out.push_back(Out {
            number,
            messages: gathered.messages.len(),
            bytes: gathered.bytes,
            next_offset,
            is_acknowledged: false,
        });
        Some(Batch {
            cluster,
            topic: Arc::clone(&self.lease.topic),
            partition: self.lease.partition,
            messages: gathered.messages,
            ticket: Ticket {
                lease: Arc::clone(&self.lease),
                number,
            },
        })
    }
}

#[cfg(test)]
mod tests;
