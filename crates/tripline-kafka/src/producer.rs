//! Writing: an idempotent producer that says what is known to be delivered.
//!
//! [`Producer::submit`] puts messages into a bounded queue and [`Pending::wait`] tells what became
//! of each. A message is delivered when every replica that must have it has it. What is not known
//! to be delivered is the caller's to keep and to send again: a message can then be there twice,
//! which readers see by its `verdict-id`.

mod delivery;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Header as RdHeader, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;

use crate::backoff::Backoff;
use crate::connection::millis;
use crate::state::{self, Pulse, State, lock};
use crate::{Connection, Error, Header, Result};
pub use delivery::{Delivery, Pending, Report};
use delivery::{Slot, Slots};

const POLL: Duration = Duration::from_millis(100);
const PROBE_LIMIT: Duration = Duration::from_secs(2);

/// How messages are made smaller on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Not at all.
    None,
    /// By gzip.
    Gzip,
    /// By Snappy.
    Snappy,
    /// By LZ4.
    Lz4,
    /// By Zstandard, which is the smallest at little cost.
    #[default]
    Zstd,
}

impl Compression {
    /// Its name in Kafka.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

/// How messages are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerConfig {
    /// The cluster.
    pub connection: Connection,
    /// How messages are made smaller.
    pub compression: Compression,
    /// How many messages may wait to be delivered.
    pub queue_messages: u32,
    /// How many bytes may wait to be delivered.
    pub queue_bytes: usize,
    /// The largest message; larger ones are refused at once.
    pub message_bytes: usize,
    /// How long a message waits for others that go with it.
    pub linger: Duration,
    /// How long a message is tried before it counts as failed.
    pub delivery_limit: Duration,
}

impl ProducerConfig {
    /// What fits most: Zstandard, 64 MiB in the queue, 30 s for a delivery.
    pub fn new(connection: Connection) -> Self {
        Self {
            connection,
            compression: Compression::default(),
            queue_messages: 100_000,
            queue_bytes: 64 << 20,
            message_bytes: 1_000_000,
            linger: Duration::from_millis(5),
            delivery_limit: Duration::from_secs(30),
        }
    }

    fn client_config(&self) -> Result<ClientConfig> {
        if self.queue_messages == 0 || self.queue_bytes < self.message_bytes {
            return Err(Error::setting(
                "queue_bytes",
                "expected room for at least one message of the largest size",
            ));
        }
        if self.message_bytes < 1000 {
            let reason = format!("is {}, expected 1000 or more", self.message_bytes);
            return Err(Error::setting("message_bytes", reason));
        }
        if self.delivery_limit <= self.linger {
            return Err(Error::setting(
                "delivery_limit",
                "expected more than linger",
            ));
        }
        let mut config = self.connection.client_config()?;
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("compression.type", self.compression.name())
            .set(
                "queue.buffering.max.messages",
                self.queue_messages.to_string(),
            )
            .set(
                "queue.buffering.max.kbytes",
                (self.queue_bytes / 1024).max(1).to_string(),
            )
            .set("message.max.bytes", self.message_bytes.to_string())
            .set("linger.ms", millis(self.linger))
            .set("message.timeout.ms", millis(self.delivery_limit))
            // The partition of a key is the one that Kafka's own clients choose, so that other
            // producers of the topic agree.
            .set("partitioner", "murmur2_random");
        Ok(config)
    }
}

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outgoing {
    /// Its topic.
    pub topic: String,
    /// Messages with the same key keep their order.
    pub key: Option<Vec<u8>>,
    /// Its payload.
    pub payload: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<Header>,
    /// Its time in milliseconds since 1970; the time of sending when there is none.
    pub timestamp_millis: Option<i64>,
}

/// How writing goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerStatus {
    /// How it stands with the cluster.
    pub state: State,
    /// Messages in the queue or on their way.
    pub queued: usize,
    /// Messages that were delivered.
    pub delivered: u64,
    /// Messages that were not, each time counted that they were tried.
    pub undelivered: u64,
    /// How often something failed, the cluster being away included.
    pub failures: u64,
    /// What failed last.
    pub last_error: Option<String>,
}

/// A producer with a thread of its own.
pub struct Producer {
    shared: Arc<Shared>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    pulse: Pulse,
    config: ProducerConfig,
    is_ending: AtomicBool,
    counts: Mutex<Counts>,
    /// Something left the queue.
    room: Condvar,
    client: Mutex<Option<Handle>>,
}

#[derive(Debug, Default)]
struct Counts {
    delivered: u64,
    undelivered: u64,
}

type Client = BaseProducer<Context>;

#[derive(Clone)]
struct Handle(Arc<Client>);

impl fmt::Debug for Handle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Handle")
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Producer")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

impl Producer {
    /// Makes the producer. Returns at once: whether the cluster is there is told by
    /// [`state`](Self::state).
    pub fn start(config: ProducerConfig) -> Result<Self> {
        let client_config = config.client_config()?;
        let connection = &config.connection;
        let backoff = |seed| Backoff::new(connection.first_pause, connection.longest_pause, seed);
        let pulse = Pulse::new(backoff(connection.seed.wrapping_add(2)));
        let renewal = backoff(connection.seed.wrapping_add(3));
        let shared = Arc::new(Shared {
            pulse,
            config,
            is_ending: AtomicBool::new(false),
            counts: Mutex::new(Counts::default()),
            room: Condvar::new(),
            client: Mutex::new(None),
        });
        let client = client(&client_config, &shared)?;
        *lock(&shared.client) = Some(client);
        let worker = {
            let shared = Arc::clone(&shared);
            thread::Builder::new()
                .name("kafka-producer".to_owned())
                .spawn(move || run(&client_config, &shared, renewal))
                .map_err(Error::Thread)?
        };
        Ok(Self {
            shared,
            worker: Mutex::new(Some(worker)),
        })
    }

    /// Puts messages into the queue, in their order. Blocks while the queue is full, for `limit`
    /// at most; what found no room by then has failed. What becomes of the rest is told by
    /// [`Pending::wait`].
    pub fn submit(&self, messages: &[Outgoing], limit: Duration) -> Pending {
        let until = Instant::now() + limit;
        let slots = Arc::new(Slots::new(messages.len()));
        let mut is_late = false;
        for (index, message) in messages.iter().enumerate() {
            // Later messages must not pass one that found no room.
            let failure = if is_late {
                Some(Delivery::failed("the queue is full", true))
            } else {
                self.enqueue(message, &slots, index, until)
            };
            if let Some(failure) = failure {
                is_late |= failure.is_worth_another_try();
                lock(&self.shared.counts).undelivered += 1;
                slots.settle(index, failure);
            }
        }
        Pending::new(slots)
    }

    /// Sends messages and waits until all are delivered or have failed, for `limit` at most.
    pub fn send(&self, messages: &[Outgoing], limit: Duration) -> Report {
        let until = Instant::now() + limit;
        self.submit(messages, limit)
            .wait(until.saturating_duration_since(Instant::now()))
    }

    fn enqueue(
        &self,
        message: &Outgoing,
        slots: &Arc<Slots>,
        index: usize,
        until: Instant,
    ) -> Option<Delivery> {
        loop {
            let handle = lock(&self.shared.client).clone();
            let Some(Handle(client)) = handle else {
                return Some(Delivery::failed("the client is being made anew", true));
            };
            let slot = Box::new(Slot::new(slots, index));
            let mut record: BaseRecord<'_, [u8], [u8], Box<Slot>> =
                BaseRecord::with_opaque_to(&message.topic, slot);
            record.key = message.key.as_deref();
            record.payload = message.payload.as_deref();
            record.timestamp = message.timestamp_millis;
            record.headers = headers(&message.headers);
            let error = match client.send(record) {
                Ok(()) => return None,
                Err((error, _)) => error,
            };
            let left = until.saturating_duration_since(Instant::now());
            let is_full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
            if !is_full {
                return Some(failure(&error));
            }
            if left.is_zero() {
                return Some(Delivery::failed("the queue is full", true));
            }
            let counts = lock(&self.shared.counts);
            drop(
                self.shared
                    .room
                    .wait_timeout(counts, left.min(POLL))
                    .unwrap_or_else(PoisonError::into_inner),
            );
        }
    }

    /// How it stands with the cluster.
    pub fn state(&self) -> State {
        self.shared.pulse.state()
    }

    /// Everything there is to tell.
    pub fn status(&self) -> ProducerStatus {
        let handle = lock(&self.shared.client).clone();
        let queued = handle.map_or(0, |Handle(client)| client.in_flight_count());
        let counts = lock(&self.shared.counts);
        ProducerStatus {
            state: self.shared.pulse.state(),
            queued: usize::try_from(queued).unwrap_or(0),
            delivered: counts.delivered,
            undelivered: counts.undelivered,
            failures: self.shared.pulse.failures(),
            last_error: self.shared.pulse.last_error(),
        }
    }

    /// Waits until the queue is empty, for `grace` at most, and ends. What is left has failed.
    pub fn stop(&self, grace: Duration) {
        let handle = lock(&self.shared.client).clone();
        if let Some(Handle(client)) = handle
            && let Err(error) = client.flush(grace)
        {
            tracing::warn!(%error, "messages were left in the queue to Kafka");
        }
        self.end();
    }

    fn end(&self) {
        let Some(worker) = lock(&self.worker).take() else {
            return;
        };
        self.shared.is_ending.store(true, Ordering::Release);
        if worker.join().is_err() {
            tracing::error!("the thread of the Kafka producer panicked");
        }
        // Dropping the client fails what is left, so that nobody waits for it.
        drop(lock(&self.shared.client).take());
        self.shared.pulse.stopped();
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.end();
    }
}

fn client(config: &ClientConfig, shared: &Arc<Shared>) -> Result<Handle> {
    let context = Context {
        shared: Arc::clone(shared),
    };
    let client: Client = config
        .create_with_context(context)
        .map_err(|error| Error::client(&error))?;
    Ok(Handle(Arc::new(client)))
}

/// Serves delivery reports until it is told to end. A client that has failed for good is made anew.
fn run(config: &ClientConfig, shared: &Arc<Shared>, mut renewal: Backoff) {
    let mut next_renewal = Instant::now();
    while !shared.is_ending.load(Ordering::Acquire) {
        let handle = lock(&shared.client).clone();
        let Some(Handle(client)) = handle else {
            let left = next_renewal.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                thread::sleep(left.min(POLL));
                continue;
            }
            match self::client(config, shared) {
                Ok(made) => *lock(&shared.client) = Some(made),
                Err(error) => {
                    shared.pulse.failed(error.to_string(), Instant::now());
                    next_renewal = Instant::now() + renewal.next();
                }
            }
            continue;
        };
        if let Some((_, reason)) = client.client().fatal_error() {
            shared.pulse.failed(reason, Instant::now());
            next_renewal = Instant::now() + renewal.next();
            drop(lock(&shared.client).take());
            continue;
        }
        let now = Instant::now();
        if shared.pulse.is_due(now) {
            match client.client().fetch_metadata(None, PROBE_LIMIT) {
                Ok(_) => shared.pulse.answered(),
                Err(error) => {
                    let reason = match shared.pulse.state() {
                        State::Waiting(waiting) => waiting.reason,
                        _ => format!(
                            "no answer from {}: {error}",
                            shared.config.connection.brokers
                        ),
                    };
                    shared.pulse.failed_again(reason, Instant::now());
                }
            }
        }
        client.poll(shared.pulse.pause(Instant::now(), POLL));
    }
}

fn headers(headers: &[Header]) -> Option<OwnedHeaders> {
    if headers.is_empty() {
        return None;
    }
    let mut owned = OwnedHeaders::new_with_capacity(headers.len());
    for header in headers {
        owned = owned.insert(RdHeader {
            key: &header.name,
            value: header.value.as_deref(),
        });
    }
    Some(owned)
}

fn failure(error: &KafkaError) -> Delivery {
    use RDKafkaErrorCode as Code;
    let code = error.rdkafka_error_code();
    // These fail in the same way however often they are tried.
    let is_hopeless = matches!(
        code,
        Some(
            Code::MessageSizeTooLarge
                | Code::InvalidMessage
                | Code::InvalidMessageSize
                | Code::InvalidTopic
                | Code::InvalidRecord
                | Code::InvalidTimestamp
                | Code::MessageBatchTooLarge
                | Code::PolicyViolation
                | Code::InvalidArgument
        )
    );
    let reason = code.map_or_else(|| error.to_string(), |code| code.to_string());
    Delivery::failed(reason, !is_hopeless)
}

/// What the library calls on the thread that polls.
struct Context {
    shared: Arc<Shared>,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, words: &str) {
        state::log(level, facility, words);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        state::tell(&self.shared.pulse, &error, reason);
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = Box<Slot>;

    fn delivery(&self, result: &DeliveryResult<'_>, slot: Box<Slot>) {
        let delivery = match result {
            Ok(message) => {
                self.shared.pulse.answered();
                Delivery::Delivered {
                    partition: message.partition(),
                    offset: message.offset(),
                }
            }
            Err((error, _)) => failure(error),
        };
        {
            let mut counts = lock(&self.shared.counts);
            match delivery {
                Delivery::Delivered { .. } => counts.delivered += 1,
                Delivery::Failed { .. } | Delivery::Unknown => counts.undelivered += 1,
            }
        }
        self.shared.room.notify_all();
        slot.settle(delivery);
    }
}
