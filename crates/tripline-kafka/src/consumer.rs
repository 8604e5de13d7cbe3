//! Reading: a member of a consumer group that hands out batches and commits what was acknowledged.
//!
//! One thread owns the client. It never stops polling for longer than a moment, so that the group
//! keeps its member whatever the caller does. A caller that is slow fills the budget of messages
//! and bytes that are handed out and not acknowledged; the partitions are then paused until half of
//! it is free again. Nothing is dropped and nothing is fetched that there is no room for.
//!
//! When partitions go to another member, the batches that are out have a while to be acknowledged;
//! what is acknowledged by then is committed, and the rest is the other member's to read again. A
//! [`Ticket`] of it says so. A partition that was lost without notice commits nothing.

mod ledger;
mod worker;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;

use crate::backoff::Backoff;
use crate::connection::millis;
use crate::state::{Pulse, State, lock};
use crate::{Connection, Error, Message, Result};
use ledger::Shared;
pub use ledger::Ticket;

/// Where a group begins that has committed nothing yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Start {
    /// At the oldest message there is, so that nothing is passed over.
    #[default]
    Earliest,
    /// At the messages that come from now on.
    Latest,
}

/// How messages are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerConfig {
    /// The cluster.
    pub connection: Connection,
    /// The group, whose members share the partitions.
    pub group: String,
    /// The topics.
    pub topics: Vec<String>,
    /// Where a new group begins.
    pub start: Start,
    /// The most messages of a batch.
    pub batch_messages: usize,
    /// The most bytes of a batch; a single larger message is a batch of its own.
    pub batch_bytes: usize,
    /// How long a batch waits for more messages.
    pub linger: Duration,
    /// How many messages may be out, not acknowledged.
    pub budget_messages: usize,
    /// How many bytes may be out, not acknowledged.
    pub budget_bytes: usize,
    /// How many bytes the client library fetches ahead, beside the budget.
    pub prefetch_bytes: usize,
    /// How often acknowledged offsets are committed.
    pub commit_every: Duration,
    /// How long batches that are out may take when their partition goes to another member.
    pub revoke_grace: Duration,
    /// After how long a silence the group takes a member for dead.
    pub session_timeout: Duration,
}

impl ConsumerConfig {
    /// What fits most: batches of at most 1,000 messages and 4 MiB, 64 MiB out.
    pub fn new<T: Into<String>>(
        connection: Connection,
        group: impl Into<String>,
        topics: impl IntoIterator<Item = T>,
    ) -> Self {
        Self {
            connection,
            group: group.into(),
            topics: topics.into_iter().map(Into::into).collect(),
            start: Start::default(),
            batch_messages: 1000,
            batch_bytes: 4 << 20,
            linger: Duration::from_millis(20),
            budget_messages: 50_000,
            budget_bytes: 64 << 20,
            prefetch_bytes: 16 << 20,
            commit_every: Duration::from_millis(500),
            revoke_grace: Duration::from_secs(5),
            session_timeout: Duration::from_secs(30),
        }
    }

    fn client_config(&self) -> Result<ClientConfig> {
        if self.group.trim().is_empty() {
            return Err(Error::setting("group", "is empty"));
        }
        if self.topics.is_empty() || self.topics.iter().any(|topic| topic.trim().is_empty()) {
            return Err(Error::setting(
                "topics",
                "expected at least one, and none empty",
            ));
        }
        let sizes = [
            ("batch_messages", self.batch_messages, self.budget_messages),
            ("batch_bytes", self.batch_bytes, self.budget_bytes),
        ];
        for (key, batch, budget) in sizes {
            if batch == 0 || batch > budget {
                let reason = format!("is {batch}, expected from 1 to the budget of {budget}");
                return Err(Error::setting(key, reason));
            }
        }
        let mut config = self.connection.client_config()?;
        config
            .set("group.id", &self.group)
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set(
                "auto.offset.reset",
                match self.start {
                    Start::Earliest => "earliest",
                    Start::Latest => "latest",
                },
            )
            .set("session.timeout.ms", millis(self.session_timeout))
            .set("heartbeat.interval.ms", millis(self.session_timeout / 10))
            .set("queued.min.messages", "10000")
            .set(
                "queued.max.messages.kbytes",
                (self.prefetch_bytes / 1024).max(1).to_string(),
            )
            .set(
                "fetch.max.bytes",
                self.prefetch_bytes.max(1 << 20).to_string(),
            )
            .set("message.max.bytes", "1000000")
            // How far behind we are comes with the library's statistics.
            .set("statistics.interval.ms", "5000");
        Ok(config)
    }
}

/// Messages of one partition, in their order.
#[derive(Debug)]
pub struct Batch {
    /// The cluster's identifier.
    pub cluster: Arc<str>,
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// At least one.
    pub messages: Vec<Message>,
    /// What [`Consumer::ack`] takes once all of them are durable.
    pub ticket: Ticket,
}

/// How reading goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerStatus {
    /// How it stands with the cluster.
    pub state: State,
    /// The cluster's identifier, once it has told it.
    pub cluster: Option<String>,
    /// The partitions that are this member's, by topic and number.
    pub partitions: Vec<(String, i32)>,
    /// Whether the budget is used up and partitions are paused.
    pub is_paused: bool,
    /// Messages that were read.
    pub received: u64,
    /// Messages that were acknowledged.
    pub acknowledged: u64,
    /// Messages that were read and left to another member, not acknowledged.
    pub given_up: u64,
    /// Messages that are out, not acknowledged.
    pub outstanding: usize,
    /// Bytes of these.
    pub outstanding_bytes: usize,
    /// Messages of our partitions that are not committed yet, where the library knows it.
    pub lag: Option<u64>,
    /// How often something failed, the cluster being away included.
    pub failures: u64,
    /// What failed last.
    pub last_error: Option<String>,
}

/// A member of a consumer group, on a thread of its own. It leaves the group when it is dropped.
pub struct Consumer {
    shared: Arc<Shared>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for Consumer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Consumer")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

impl Consumer {
    /// Joins the group. Returns at once: whether the cluster is there is told by
    /// [`state`](Self::state).
    pub fn start(config: ConsumerConfig) -> Result<Self> {
        let client_config = config.client_config()?;
        let connection = &config.connection;
        let pulse = Pulse::new(Backoff::new(
            connection.first_pause,
            connection.longest_pause,
            connection.seed,
        ));
        let shared = Arc::new(Shared::new(config, pulse));
        // The first client is made here, so that a file that cannot be read is an error at once.
        let client = worker::client(&client_config, &shared)?;
        let worker = {
            let shared = Arc::clone(&shared);
            thread::Builder::new()
                .name("kafka-consumer".to_owned())
                .spawn(move || worker::run(client, &client_config, &shared))
                .map_err(Error::Thread)?
        };
        Ok(Self {
            shared,
            worker: Mutex::new(Some(worker)),
        })
    }

    /// The next batch; `None` when none came within `limit`, or when reading was stopped. Blocks;
    /// any number of threads may call it.
    pub fn next(&self, limit: Duration) -> Option<Batch> {
        self.shared.take(Instant::now() + limit)
    }

    /// Says that every message of a batch is dealt with and durable. Batches may be acknowledged
    /// in any order; committed is what has nothing unacknowledged before it. False when the
    /// partition is another member's by now, which will read these messages again.
    pub fn ack(&self, ticket: &Ticket) -> bool {
        self.shared.ack(ticket)
    }

    /// How it stands with the cluster.
    pub fn state(&self) -> State {
        self.shared.pulse.state()
    }

    /// Everything there is to tell.
    pub fn status(&self) -> ConsumerStatus {
        self.shared.status()
    }

    /// Hands out no more batches, waits until those that are out are acknowledged, for `grace` at
    /// most, commits, and leaves the group.
    pub fn stop(&self, grace: Duration) {
        self.end(grace);
    }

    fn end(&self, grace: Duration) {
        let Some(worker) = lock(&self.worker).take() else {
            return;
        };
        lock(&self.shared.ledger).end_at = Some(Instant::now() + grace);
        self.shared.changed.notify_all();
        // A worker that panicked has left the group by being dropped.
        if worker.join().is_err() {
            tracing::error!("the thread of the Kafka consumer panicked");
        }
        self.shared.pulse.stopped();
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}
