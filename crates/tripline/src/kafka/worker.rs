//! The threads: one reads and judges, one stores, tells and acknowledges, and one sees to both. A
//! panic in either ends both; the member leaves the group and comes back after a pause, and what was
//! not acknowledged is read again.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use tripline_kafka::{
    Batch, Consumer, NewTopic, Producer, ProducerConfig, Ticket, create_topics, identity::Origin,
};
use tripline_store::{Store, Timestamp};

use super::{
    KafkaSettings,
    ledger::{Book, Ledger},
    pause::{Pauses, Stop},
    reading::{Reader, panic_words},
    trace::BatchTrace,
    writing::{Chunk, Stopping, Writer},
};
use crate::{
    api::{Bench, STORED_REASONS, ScorerPool},
    config::Live,
    registry::{Models, Serving},
};

/// Rows that are stored together, about.
const CHUNK_ROWS: usize = 2048;
/// Chunks that wait for the store.
const QUEUE: usize = 2;
/// How long to wait for messages before it is asked whether the end is wanted.
const POLL: Duration = Duration::from_millis(500);
/// How long to wait for a model.
const MODEL_PAUSE: Duration = Duration::from_millis(250);
/// A run that lasted this long was a good one: the next pause is a short one again.
const GOOD_RUN: Duration = Duration::from_mins(1);
/// How long what is acknowledged may take to be committed at the end.
const END_PATIENCE: Duration = Duration::from_secs(5);
/// How long the last commit and the farewell to the group may take beside.
const LEAVE_PATIENCE: Duration = Duration::from_secs(3);
/// How long the cluster may take to make topics.
const TOPICS_PATIENCE: Duration = Duration::from_secs(10);

/// What a worker needs beside its settings.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Where verdicts are stored.
    pub store: Arc<dyn Store>,
    /// What judges.
    pub models: Arc<Models>,
    /// What is asked of senders, which may change.
    pub live: Live,
    /// The time.
    pub clock: fn() -> Timestamp,
}

/// Takes part in Kafka until it is stopped.
#[derive(Debug)]
pub struct KafkaWorker {
    shared: Arc<Shared>,
    thread: thread::JoinHandle<()>,
}

/// Looks at a worker.
#[derive(Debug, Clone)]
pub struct KafkaHandle(pub(super) Arc<Shared>);

impl KafkaHandle {
    /// The books of each topic.
    pub(crate) fn books(&self) -> Vec<Book> {
        self.0.ledger.books()
    }
}

/// What the threads of a worker share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: KafkaSettings,
    pub(super) surroundings: Surroundings,
    pub(super) ledger: Ledger,
    pub(super) producer: Producer,
    pub(super) consumer: Mutex<Option<Arc<Consumer>>>,
    pub(super) stop: Stop,
    pub(super) trouble: Mutex<Trouble>,
    /// Messages to others that no topic takes.
    pub(super) untold: AtomicU64,
    pool: ScorerPool,
}

/// What stands in the way.
#[derive(Debug, Clone, Default)]
pub(super) struct Trouble {
    /// What the writing thread waits for.
    pub(super) waiting: Option<String>,
    /// What the reading thread waits for.
    pub(super) models: Option<String>,
    /// Why topics that are to be made are not there yet.
    pub(super) topics: Option<String>,
    /// Why there is no consumer at the moment.
    pub(super) restarting: Option<String>,
    /// How often the threads were started again.
    pub(super) restarts: u64,
    /// What the last panic said.
    pub(super) last_panic: Option<String>,
}

impl KafkaWorker {
    /// Joins the group and begins. Returns at once, whether the cluster is there or not; a setting
    /// that cannot be used, such as a certificate that is not there, is an error.
    pub fn start(settings: KafkaSettings, surroundings: Surroundings) -> anyhow::Result<Self> {
        let producer = Producer::start(ProducerConfig {
            compression: settings.compression,
            ..ProducerConfig::new(settings.connection.clone())
        })?;
        let consumer = Consumer::start(settings.consumer())?;
        let names = settings.topics.iter().map(|topic| topic.name.as_str());
        let shared = Arc::new(Shared {
            ledger: Ledger::new(names),
            settings,
            surroundings,
            producer,
            consumer: Mutex::new(None),
            stop: Stop::default(),
            trouble: Mutex::default(),
            untold: AtomicU64::new(0),
            pool: ScorerPool::default(),
        });
        if let Some(partitions) = shared.settings.create_partitions {
            let shared = Arc::clone(&shared);
            let make = move || make_topics(&shared, partitions);
            // Nobody waits for it at the end: it changes nothing of ours.
            thread::Builder::new()
                .name("kafka-topics".to_owned())
                .spawn(make)?;
        }
        let supervised = Arc::clone(&shared);
        let run = move || {
            let mut first = Some(Arc::new(consumer));
            let Shared {
                stop,
                trouble,
                ledger,
                ..
            } = &*supervised;
            supervise(stop, trouble, ledger, || run(&supervised, &mut first));
        };
        let thread = thread::Builder::new()
            .name("kafka-worker".to_owned())
            .spawn(run)?;
        Ok(Self { shared, thread })
    }

    /// For whoever wants to know how it is doing.
    pub fn handle(&self) -> KafkaHandle {
        KafkaHandle(Arc::clone(&self.shared))
    }

    /// Ends: what is being stored is stored and acknowledged, the rest is left to the group.
    pub fn stop(self) {
        self.shared.stop.ask();
        if self.thread.join().is_err() {
            tracing::error!("the thread of the Kafka worker stopped unexpectedly");
        }
        self.shared.producer.stop(END_PATIENCE);
    }
}

impl Shared {
    pub(super) fn trouble(&self) -> MutexGuard<'_, Trouble> {
        // Its parts do not depend on each other.
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn consumer(&self) -> Option<Arc<Consumer>> {
        let consumer = self.consumer.lock().unwrap_or_else(PoisonError::into_inner);
        consumer.clone()
    }

    fn set_consumer(&self, consumer: Option<Arc<Consumer>>) {
        *self.consumer.lock().unwrap_or_else(PoisonError::into_inner) = consumer;
    }

    pub(super) fn ack(&self, ticket: &Ticket) {
        if let Some(consumer) = self.consumer()
            && !consumer.ack(ticket)
        {
            tracing::info!("a partition moved on before its messages were acknowledged");
        }
    }

    /// The writing thread waits.
    pub(super) fn waits(&self, reason: String) {
        let mut trouble = self.trouble();
        if trouble.waiting.as_ref() != Some(&reason) {
            tracing::warn!(reason, "messages of Kafka wait, and are tried again");
            trouble.waiting = Some(reason);
        }
    }

    /// The writing thread waits no more.
    pub(super) fn done(&self) {
        if self.trouble().waiting.take().is_some() {
            tracing::info!("messages of Kafka go on");
        }
    }

    /// A verdict is stored and no topic takes it.
    pub(super) fn could_not_tell(&self, reason: &str) {
        self.untold.fetch_add(1, Ordering::Relaxed);
        tracing::error!(reason, "a verdict is stored and could not be told");
    }

    /// The models in service; waits while there are none.
    fn serving(&self) -> Option<Arc<Serving>> {
        loop {
            let serving = self.surroundings.models.serving();
            if !serving.active().models().is_empty() {
                self.trouble().models = None;
                return Some(serving);
            }
            self.trouble().models = Some("no model is loaded, so nothing can be judged".to_owned());
            if self.stop.pause(MODEL_PAUSE) {
                return None;
            }
        }
    }
}

/// Runs something until it ends in good order: after a panic or an error it is run again, later
/// each time.
fn supervise(
    stop: &Stop,
    trouble: &Mutex<Trouble>,
    ledger: &Ledger,
    mut run: impl FnMut() -> Result<(), String>,
) {
    let trouble = || trouble.lock().unwrap_or_else(PoisonError::into_inner);
    let mut pauses = Pauses::default();
    while !stop.is_wanted() {
        let begun = Instant::now();
        let ended = catch_unwind(AssertUnwindSafe(&mut run)).unwrap_or_else(|panic| {
            let words = panic_words(&*panic);
            trouble().last_panic = Some(words.clone());
            Err(format!("a thread panicked: {words}"))
        });
        let Err(reason) = ended else { break };
        if begun.elapsed() >= GOOD_RUN {
            pauses.reset();
        }
        let pause = pauses.next();
        tracing::error!(
            reason,
            ?pause,
            "the Kafka worker stopped and is started again"
        );
        {
            let mut trouble = trouble();
            trouble.restarts += 1;
            trouble.restarting = Some(reason);
        }
        ledger.all_handed_back();
        if stop.pause(pause) {
            break;
        }
    }
    ledger.all_handed_back();
    trouble().restarting = None;
}

/// Reads and writes until the end is wanted, or until one of the two panics.
fn run(shared: &Shared, first: &mut Option<Arc<Consumer>>) -> Result<(), String> {
    let consumer = match first.take() {
        Some(consumer) => consumer,
        None => Consumer::start(shared.settings.consumer())
            .map(Arc::new)
            .map_err(|error| error.to_string())?,
    };
    shared.set_consumer(Some(Arc::clone(&consumer)));
    shared.trouble().restarting = None;
    let outcome = read_and_write(shared, &consumer);
    shared.trouble().waiting = None;
    // After a panic there is nothing to wait for: what is out will not be acknowledged.
    let grace = if outcome.is_ok() {
        END_PATIENCE
    } else {
        Duration::ZERO
    };
    leave(consumer, grace);
    outcome
}

/// Leaves the group. A cluster that is away is not waited for without end: the group misses a member
/// that says nothing, and what was not committed is read again.
fn leave(consumer: Arc<Consumer>, grace: Duration) {
    let (done, is_done) = sync_channel(1);
    let left = thread::Builder::new()
        .name("kafka-leaver".to_owned())
        .spawn(move || {
            consumer.stop(grace);
            // Nobody may be left to hear it.
            let _ = done.send(());
        });
    if left.is_err() || is_done.recv_timeout(grace + LEAVE_PATIENCE).is_err() {
        tracing::warn!("the consumer group could not be left in good order");
    }
}

/// The error says why it ended.
fn read_and_write(shared: &Shared, consumer: &Consumer) -> Result<(), String> {
    let (to_writer, chunks) = sync_channel::<Chunk>(QUEUE);
    thread::scope(|scope| {
        let reading = thread::Builder::new()
            .name("kafka-reader".to_owned())
            .spawn_scoped(scope, move || read(shared, consumer, &to_writer))
            .map_err(|error| format!("no thread to read with: {error}"))?;
        // The queue goes with the closure, so that a reader whose writer has panicked ends too.
        let writing = catch_unwind(AssertUnwindSafe(move || {
            let _ = write(shared, &chunks);
        }));
        let reading = reading.join();
        match writing.and(reading) {
            Ok(()) => Ok(()),
            Err(panic) => {
                let words = panic_words(&*panic);
                shared.trouble().last_panic = Some(words.clone());
                Err(format!("a thread panicked: {words}"))
            }
        }
    })
}

/// What is not done when the end is wanted is read again by whoever is next.
fn write(shared: &Shared, chunks: &Receiver<Chunk>) -> Result<(), Stopping> {
    let mut writer = Writer::new(shared);
    loop {
        let chunk = match chunks.try_recv() {
            Ok(chunk) => chunk,
            // While nothing else is to be done, what is on its way is waited for.
            Err(_) => {
                writer.finish()?;
                match chunks.recv() {
                    Ok(chunk) => chunk,
                    Err(_) => return Ok(()),
                }
            }
        };
        writer.write(chunk)?;
    }
}

fn read(shared: &Shared, consumer: &Consumer, to_writer: &SyncSender<Chunk>) {
    while !shared.stop.is_wanted() {
        // Before messages are taken, so that none waits here that another member could judge.
        let Some(serving) = shared.serving() else {
            return;
        };
        let Some(batch) = consumer.next(POLL) else {
            continue;
        };
        if read_batch(shared, batch, &serving, to_writer).is_err() {
            return;
        }
    }
}

fn read_batch(
    shared: &Shared,
    batch: Batch,
    serving: &Serving,
    to_writer: &SyncSender<Chunk>,
) -> Result<(), Stopping> {
    let Some(topic) = shared.settings.input(&batch.topic) else {
        tracing::error!(
            topic = &*batch.topic,
            "messages of a topic that was not asked for"
        );
        return Ok(());
    };
    let count = batch.messages.len() as u64;
    shared.ledger.received(&batch.topic, count);
    let trace = BatchTrace::begin(&batch, &shared.settings.group);
    let judging = trace.judge();
    let origin = Origin {
        cluster: batch.cluster.to_string(),
        incarnation: topic.incarnation.clone(),
        topic: topic.name.clone(),
        partition: batch.partition,
    };
    let bench = Bench::new(&shared.pool, serving, STORED_REASONS);
    let mut reader = Reader::new(
        topic,
        shared.surroundings.live.now(),
        origin,
        (shared.surroundings.clock)(),
        bench,
    );
    let mut messages = batch.messages.into_iter().peekable();
    let mut sent = 0;
    while messages.peek().is_some() {
        let mut read = Vec::new();
        for message in messages.by_ref() {
            let rows = reader.read(&message);
            read.push(message);
            if rows >= CHUNK_ROWS {
                break;
            }
        }
        if !batch.ticket.is_current() {
            shared.ledger.handed_back(&topic.name, count - sent);
            return Ok(());
        }
        sent += read.len() as u64;
        let mut chunk = Chunk::new(&trace, &topic.name, batch.partition);
        for (message, judgement) in read.into_iter().zip(reader.judge()) {
            match judgement {
                Ok(rows) => {
                    chunk.scored += 1;
                    chunk.rows.extend(rows);
                }
                Err(poison) => chunk.poisoned.push((message, poison)),
            }
        }
        if messages.peek().is_none() {
            chunk.ticket = Some(batch.ticket.clone());
        }
        to_writer.send(chunk).map_err(|_| Stopping)?;
    }
    reader.bench.give_back();
    drop(judging);
    Ok(())
}

/// Makes the topics that are missing, once the cluster is there.
fn make_topics(shared: &Shared, partitions: i32) {
    let settings = &shared.settings;
    let topics: Vec<NewTopic> = settings
        .all_topics()
        .into_iter()
        .map(|name| NewTopic::new(name, partitions))
        .collect();
    let mut pauses = Pauses::default();
    loop {
        let made = catch_unwind(AssertUnwindSafe(|| {
            create_topics(&settings.connection, &topics, TOPICS_PATIENCE)
                .map_err(|error| error.to_string())
        }));
        let made =
            made.unwrap_or_else(|panic| Err(format!("it panicked: {}", panic_words(&*panic))));
        match made {
            Ok(made) => {
                if !made.is_empty() {
                    tracing::info!(topics = made.join(", "), "topics were made");
                }
                shared.trouble().topics = None;
                return;
            }
            Err(reason) => shared.trouble().topics = Some(reason),
        }
        if shared.stop.pause(pauses.next()) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_panics_is_run_again_and_counted() {
        let (stop, trouble) = (Stop::default(), Mutex::default());
        let ledger = Ledger::new(["t"]);
        let mut runs = 0;
        supervise(&stop, &trouble, &ledger, || {
            runs += 1;
            ledger.received("t", 5);
            match runs {
                1 => panic!("the first"),
                2 => Err("the second".to_owned()),
                _ => Ok(()),
            }
        });
        assert_eq!(runs, 3);
        let trouble = trouble.into_inner().unwrap();
        assert_eq!((trouble.restarts, trouble.restarting), (2, None));
        assert_eq!(trouble.last_panic.as_deref(), Some("the first"));
        let (_, counts) = ledger.counts().next().unwrap();
        assert_eq!(
            (counts.received, counts.handed_back, counts.pending),
            (15, 15, 0)
        );
    }

    #[test]
    fn the_end_is_not_waited_for() {
        let (stop, trouble) = (Stop::default(), Mutex::default());
        supervise(&stop, &trouble, &Ledger::new([]), || {
            stop.ask();
            Err("never mind".to_owned())
        });
        assert!(stop.is_wanted());
    }
}
