use std::time::Duration;

use tripline_kafka::{Compression, Connection, ConsumerConfig, Start};

/// How this server takes part in Kafka; checked, ready to be used.
#[derive(Debug, Clone)]
pub struct KafkaSettings {
    /// The cluster.
    pub connection: Connection,
    /// The consumer group.
    pub group: String,
    /// What is read.
    pub topics: Vec<InputTopic>,
    /// Where a group begins that has committed nothing yet.
    pub start: Start,
    /// Where every verdict goes, if anywhere.
    pub predictions: Option<String>,
    /// Where threats go beside, if anywhere.
    pub alerts: Option<String>,
    /// How what is sent is made smaller.
    pub compression: Compression,
    /// After how long a silence the group takes this worker for dead.
    pub session_timeout: Duration,
    /// With how many partitions topics are made that are missing; without, none is made.
    pub create_partitions: Option<i32>,
}

/// A topic that is read.
#[derive(Debug, Clone)]
pub struct InputTopic {
    /// Its name.
    pub name: String,
    /// Tells it from an earlier topic of the same name.
    pub incarnation: String,
    /// Where messages go that cannot be judged.
    pub dead_letters: String,
    /// Whether its senders are checked, by what the settings say of the topic.
    pub checks_senders: bool,
}

impl KafkaSettings {
    /// Every topic, read and written, each once.
    pub(super) fn all_topics(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        let read = self
            .topics
            .iter()
            .flat_map(|topic| [&topic.name, &topic.dead_letters]);
        for name in read.chain(&self.predictions).chain(&self.alerts) {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }

    /// Where verdicts go first, for a name.
    pub(super) fn told(&self) -> &str {
        let told = self.predictions.as_deref().or(self.alerts.as_deref());
        told.unwrap_or_default()
    }

    pub(super) fn input(&self, name: &str) -> Option<&InputTopic> {
        self.topics.iter().find(|topic| topic.name == name)
    }

    pub(super) fn consumer(&self) -> ConsumerConfig {
        let topics = self.topics.iter().map(|topic| topic.name.as_str());
        ConsumerConfig {
            start: self.start,
            session_timeout: self.session_timeout,
            ..ConsumerConfig::new(self.connection.clone(), self.group.as_str(), topics)
        }
    }
}
