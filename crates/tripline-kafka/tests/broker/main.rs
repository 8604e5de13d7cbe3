//! Everything that needs a real broker. One broker serves all tests but those that kill theirs.
#![cfg(test)]

mod delivery;
mod groups;
mod letters;
mod outage;
mod security;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

use tripline_kafka::{
    Batch, Connection, Consumer, ConsumerConfig, NewTopic, Outgoing, Producer, ProducerConfig,
    create_topics,
};
use tripline_servers::kafka::{KafkaOptions, KafkaServer};

/// Nothing is asserted about time; this is when a test gives up.
const LIMIT: Duration = Duration::from_mins(1);

/// The broker that tests share. It goes with the last test that holds it.
fn broker() -> Arc<KafkaServer> {
    static SHARED: OnceLock<Mutex<Weak<KafkaServer>>> = OnceLock::new();
    let mut shared = SHARED.get_or_init(Mutex::default).lock().unwrap();
    if let Some(server) = shared.upgrade() {
        return server;
    }
    let options = KafkaOptions {
        sasl: true,
        tls: true,
        ..KafkaOptions::default()
    };
    let server = Arc::new(KafkaServer::obtain(&options).unwrap());
    *shared = Arc::downgrade(&server);
    server
}

fn connection(address: &str) -> Connection {
    Connection {
        first_pause: Duration::from_millis(50),
        longest_pause: Duration::from_secs(1),
        ..Connection::new(address)
    }
}

/// A name that no other test has, on a broker that may be older than this run.
fn unique(name: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let random = folder.path().file_name().unwrap().to_str().unwrap();
    format!("{name}-{}", random.trim_start_matches('.'))
}

fn topic(connection: &Connection, name: &str, partitions: i32) -> String {
    let name = unique(name);
    let made = create_topics(connection, &[NewTopic::new(&name, partitions)], LIMIT).unwrap();
    assert_eq!(made, [name.as_str()]);
    name
}

fn consumer(connection: &Connection, group: &str, topic: &str) -> Consumer {
    Consumer::start(consumer_config(connection, group, topic)).unwrap()
}

fn consumer_config(connection: &Connection, group: &str, topic: &str) -> ConsumerConfig {
    ConsumerConfig {
        session_timeout: Duration::from_secs(6),
        commit_every: Duration::from_millis(50),
        ..ConsumerConfig::new(connection.clone(), group, [topic])
    }
}

fn producer(connection: &Connection) -> Producer {
    Producer::start(ProducerConfig::new(connection.clone())).unwrap()
}

fn numbered(topic: &str, numbers: std::ops::Range<u32>) -> Vec<Outgoing> {
    numbers
        .map(|number| Outgoing {
            topic: topic.to_owned(),
            key: Some((number % 16).to_string().into_bytes()),
            payload: Some(format!("{{\"number\":{number}}}").into_bytes()),
            ..Outgoing::default()
        })
        .collect()
}

fn send(producer: &Producer, messages: &[Outgoing]) {
    let report = producer.send(messages, LIMIT);
    let undelivered: Vec<_> = report.undelivered().take(3).collect();
    assert!(undelivered.is_empty(), "{undelivered:?}");
}

/// Waits for something that other threads bring about.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < end, "{what} never came about");
        std::thread::yield_now();
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

fn next(consumer: &Consumer) -> Batch {
    consumer
        .next(LIMIT)
        .unwrap_or_else(|| panic!("no batch: {:?}", consumer.status()))
}

/// Reads and acknowledges until `count` different messages have come; gives how often each came, by
/// payload.
fn drain(consumer: &Consumer, count: usize) -> BTreeMap<Vec<u8>, u32> {
    let mut seen = BTreeMap::new();
    while seen.len() < count {
        let batch = next(consumer);
        for message in &batch.messages {
            *seen.entry(message.payload.clone().unwrap()).or_default() += 1;
        }
        consumer.ack(&batch.ticket);
    }
    seen
}
