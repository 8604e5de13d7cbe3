//! How a worker is doing, for the health of the system.

use std::{sync::atomic::Ordering, time::Instant};

use serde_json::{Value, json};
use tripline_kafka::{ConsumerStatus, State};

use super::{
    settings::InputTopic,
    worker::{KafkaHandle, Shared},
};

/// The parts of the health that speak of Kafka.
#[derive(Debug, Clone)]
pub(crate) struct KafkaHealth {
    /// Whether something does not work.
    pub(crate) is_degraded: bool,
    /// The check `kafka`.
    pub(crate) kafka: Value,
    /// The check `consumers`.
    pub(crate) consumers: Value,
}

/// A kind of topics; each is a source of the origin system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KafkaTopics {
    /// Topics whose writers are trusted.
    WritersTrusted,
    /// Topics whose senders are checked.
    SendersChecked,
}

impl KafkaTopics {
    fn has(self, topic: &InputTopic) -> bool {
        match self {
            Self::WritersTrusted => !topic.checks_senders,
            Self::SendersChecked => topic.checks_senders,
        }
    }
}

/// How the topics of a kind are doing.
#[derive(Debug, Clone)]
pub(crate) struct KafkaSource {
    /// Why they do not work at the moment.
    pub(crate) trouble: Option<String>,
    /// Verdicts stored since the process was started.
    pub(crate) verdicts: u64,
    /// Their names.
    pub(crate) topics: Vec<String>,
}

impl KafkaHandle {
    /// The topics of a kind, if any is read.
    pub(crate) fn source(&self, kind: KafkaTopics) -> Option<KafkaSource> {
        let shared = &*self.0;
        let topics = shared.settings.topics.iter();
        let topics: Vec<String> = topics
            .filter(|topic| kind.has(topic))
            .map(|topic| topic.name.clone())
            .collect();
        if topics.is_empty() {
            return None;
        }
        let books = shared.ledger.counts();
        let verdicts = books
            .filter(|(name, _)| topics.iter().any(|topic| topic == name))
            .map(|(_, counts)| counts.verdicts)
            .sum();
        Some(KafkaSource {
            trouble: self.trouble(),
            verdicts,
            topics,
        })
    }

    /// What stands in the way.
    fn trouble(&self) -> Option<String> {
        let shared = &*self.0;
        let consumer = shared.consumer().map(|consumer| consumer.status());
        let trouble = shared.trouble().clone();
        let reading = match &consumer {
            None => Some("the worker is being started".to_owned()),
            Some(status) => reason(&status.state),
        };
        let missing = consumer.and_then(|status| missing_topic(shared, &status));
        let clients = match (reading, reason(&shared.producer.state())) {
            (Some(reading), Some(writing)) if reading == writing => {
                Some(format!("reading and writing: {reading}"))
            }
            (Some(reading), Some(writing)) => {
                Some(format!("reading: {reading}; writing: {writing}"))
            }
            (Some(reading), None) => Some(format!("reading: {reading}")),
            (None, Some(writing)) => Some(format!("writing: {writing}")),
            (None, None) => None,
        };
        // What stands in the way of everything comes first.
        let reasons: Vec<String> = [
            trouble.restarting,
            clients,
            trouble.models,
            trouble.waiting,
            trouble.topics,
            missing,
        ]
        .into_iter()
        .flatten()
        .collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }

    /// How it is doing.
    pub(crate) fn health(&self) -> KafkaHealth {
        let shared = &*self.0;
        let consumer = shared.consumer().map(|consumer| consumer.status());
        let producer = shared.producer.status();
        let trouble = shared.trouble().clone();
        let message = self.trouble();
        let status = if message.is_none() { "ok" } else { "degraded" };
        let settings = &shared.settings;
        let books: Vec<Value> = shared
            .ledger
            .counts()
            .map(|(topic, counts)| counts.to_json(topic))
            .collect();
        let kafka = json!({
            "status": status,
            "message": message,
            // The client does not tell it.
            "broker_count": null,
            "bootstrap_servers": settings.connection.brokers,
            "cluster": consumer.as_ref().and_then(|status| status.cluster.clone()),
            "topics": settings.all_topics(),
            "consumer": consumer.as_ref().map(consumer_json),
            "producer": {
                "state": state_json(&producer.state),
                "predictions": settings.predictions,
                "alerts": settings.alerts,
                "queued": producer.queued,
                "delivered": producer.delivered,
                "undelivered": producer.undelivered,
                "untold": shared.untold.load(Ordering::Relaxed),
                "failures": producer.failures,
                "last_error": producer.last_error,
            },
            "worker": {
                "restarts": trouble.restarts,
                "last_panic": trouble.last_panic,
            },
            "ledger": books,
        });
        let check = |kind: KafkaTopics, default_topic: &str| {
            consumer_check(
                shared,
                consumer.as_ref(),
                (status, message.as_deref()),
                kind,
                default_topic,
            )
        };
        KafkaHealth {
            is_degraded: message.is_some(),
            consumers: json!({
                "internal": check(KafkaTopics::WritersTrusted, "network-traffic"),
                "external": check(KafkaTopics::SendersChecked, "external-traffic"),
            }),
            kafka,
        }
    }
}

/// One of the two consumers of the origin system: that of topics whose senders are trusted, and
/// that of topics whose senders are checked. Here one consumer reads both.
fn consumer_check(
    shared: &Shared,
    consumer: Option<&ConsumerStatus>,
    (status, message): (&str, Option<&str>),
    kind: KafkaTopics,
    default_topic: &str,
) -> Value {
    let topics = shared
        .settings
        .topics
        .iter()
        .filter(|topic| kind.has(topic));
    let names: Vec<&str> = topics.map(|topic| topic.name.as_str()).collect();
    if names.is_empty() {
        return json!({
            "status": "disabled", "running": false, "topic": default_topic, "enabled": false,
            "message": "this server reads no such topic",
        });
    }
    let partitions = consumer.map_or(0, |status| {
        let partitions = status.partitions.iter();
        partitions
            .filter(|(topic, _)| names.contains(&topic.as_str()))
            .count()
    });
    json!({
        "status": status,
        "running": consumer.is_some_and(|status| status.state.is_running()),
        "topic": names.join(","),
        "enabled": true,
        "message": message,
        "partitions": partitions,
    })
}

/// A topic of which nothing can be read because it is not there. The client says so, by name.
fn missing_topic(shared: &Shared, status: &ConsumerStatus) -> Option<String> {
    let error = status.last_error.as_ref()?;
    let topics = shared.settings.topics.iter();
    let mut missing = topics.filter(|topic| {
        error.contains(&topic.name)
            && status
                .partitions
                .iter()
                .all(|(name, _)| *name != topic.name)
    });
    missing.next().map(|_| error.clone())
}

fn consumer_json(status: &ConsumerStatus) -> Value {
    let partitions: Vec<Value> = status
        .partitions
        .iter()
        .map(|(topic, partition)| json!({ "topic": topic, "partition": partition }))
        .collect();
    json!({
        "state": state_json(&status.state),
        "partitions": partitions,
        "is_paused": status.is_paused,
        "received": status.received,
        "acknowledged": status.acknowledged,
        "given_up": status.given_up,
        "outstanding": status.outstanding,
        "outstanding_bytes": status.outstanding_bytes,
        "lag": status.lag,
        "failures": status.failures,
        "last_error": status.last_error,
    })
}

/// Why a client does not work at the moment.
fn reason(state: &State) -> Option<String> {
    match state {
        State::Running => None,
        State::Connecting => Some("the cluster has not answered yet".to_owned()),
        State::Waiting(waiting) => Some(waiting.reason.clone()),
        State::Stopped => Some("the client was stopped".to_owned()),
    }
}

fn state_json(state: &State) -> Value {
    match state {
        State::Connecting => json!({ "name": "connecting" }),
        State::Running => json!({ "name": "running" }),
        State::Stopped => json!({ "name": "stopped" }),
        State::Waiting(waiting) => {
            let now = Instant::now();
            json!({
                "name": "waiting",
                "reason": waiting.reason,
                "tries": waiting.tries,
                "since_seconds": now.saturating_duration_since(waiting.since).as_secs(),
                "next_try_seconds": waiting.next_try.saturating_duration_since(now).as_secs_f64(),
            })
        }
    }
}
