//! Records of this process into a topic that its group reads: they come back as anybody's do.

use std::time::Duration;

use serde_json::{Map, Value};
use tripline_kafka::{Delivery, Header, Outgoing};

use super::worker::KafkaHandle;

/// How long a record may wait for room in the queue to the cluster.
const QUEUE_PATIENCE: Duration = Duration::from_secs(1);
/// How long the cluster may take to acknowledge it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Tells readers of the topic that nobody has seen this traffic.
const MARK: &str = "generated-by";

impl KafkaHandle {
    /// The first topic whose writers are trusted, if one is read.
    pub(crate) fn own_topic(&self) -> Option<&str> {
        let mut topics = self.0.settings.topics.iter();
        let own = topics.find(|topic| !topic.checks_senders)?;
        Some(&own.name)
    }

    /// Sends a generated record in the flat form; blocks until the cluster has it. The error says why
    /// that is not known.
    pub(crate) fn send_generated(
        &self,
        topic: &str,
        fields: &Map<String, Value>,
    ) -> Result<(), String> {
        let payload = serde_json::to_vec(fields).map_err(|error| error.to_string())?;
        let message = Outgoing {
            topic: topic.to_owned(),
            payload: Some(payload),
            headers: vec![Header {
                name: MARK.to_owned(),
                value: Some(b"tripline".to_vec()),
            }],
            ..Outgoing::default()
        };
        let pending = self.0.producer.submit(&[message], QUEUE_PATIENCE);
        match pending.wait(PATIENCE).deliveries.first() {
            Some(Delivery::Delivered { .. }) => Ok(()),
            Some(Delivery::Failed { reason, .. }) => Err(reason.clone()),
            Some(Delivery::Unknown) | None => {
                Err(format!("no answer within {} s", PATIENCE.as_secs()))
            }
        }
    }
}
