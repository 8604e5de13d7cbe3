use std::time::Duration;

use futures_executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic as RdNewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::types::RDKafkaErrorCode;

use crate::{Connection, Error, Result};

/// A topic to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions it has.
    pub partitions: i32,
    /// On how many brokers each lies; -1 for what the cluster sees fit.
    pub replication: i32,
    /// Settings of the topic.
    pub settings: Vec<(String, String)>,
}

impl NewTopic {
    /// A topic with the cluster's own settings.
    pub fn new(name: impl Into<String>, partitions: i32) -> Self {
        Self {
            name: name.into(),
            partitions,
            replication: -1,
            settings: Vec::new(),
        }
    }
}

/// Makes those topics that are not there yet, and gives their names. Blocks until the cluster has
/// answered, for `limit` at most.
pub fn create_topics(
    connection: &Connection,
    topics: &[NewTopic],
    limit: Duration,
) -> Result<Vec<String>> {
    let config = connection.client_config()?;
    let client: AdminClient<DefaultClientContext> =
        config.create().map_err(|error| Error::client(&error))?;
    let topics: Vec<RdNewTopic<'_>> = topics
        .iter()
        .map(|topic| {
            let mut new = RdNewTopic::new(
                &topic.name,
                topic.partitions,
                TopicReplication::Fixed(topic.replication),
            );
            for (key, value) in &topic.settings {
                new = new.set(key, value);
            }
            new
        })
        .collect();
    let options = AdminOptions::new()
        .request_timeout(Some(limit))
        .operation_timeout(Some(limit));
    let answers = block_on(client.create_topics(&topics, &options))
        .map_err(|error| Error::cluster("making topics", error))?;
    let mut made = Vec::new();
    for answer in answers {
        match answer {
            Ok(name) => made.push(name),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, code)) => {
                return Err(Error::cluster(format!("making the topic '{name}'"), code));
            }
        }
    }
    Ok(made)
}
