//! Kafka as a source and a sink of the server: a worker of a consumer group.
//!
//! Messages become rows, rows are judged by the models in service at that moment, verdicts are
//! stored under places that are made of where their messages stand, then they are told, and only
//! then are the messages acknowledged. A message that comes again finds its places taken and changes
//! nothing; what is stored is told again, under the same identifiers.
//!
//! What cannot be judged goes to the dead letters, and is acknowledged once it is there. Whatever is
//! away – the cluster, the store, a model – is waited for, with growing pauses and with the reason in
//! the health of the server; nothing is acknowledged meanwhile.

mod health;
mod ledger;
mod pause;
mod reading;
mod sending;
mod settings;
mod told;
mod trace;
mod worker;
mod writing;

pub(crate) use self::health::{KafkaHealth, KafkaSource, KafkaTopics};
pub use self::{
    settings::{InputTopic, KafkaSettings},
    worker::{KafkaHandle, KafkaWorker, Surroundings},
};
