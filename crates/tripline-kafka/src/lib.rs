//! Kafka in and out.
//!
//! - [`Consumer`] joins a group and hands out [`Batch`]es; an offset is committed only after the
//!   caller has acknowledged every message before it.
//! - [`form`] turns a message into rows, or says that it is poison; [`sender`] says who sent it and
//!   whether that sender is admitted; [`identity`] gives each row a place that a repeat shares.
//! - [`Producer`] sends and tells which messages are known to be delivered; what is not, the caller
//!   keeps. [`prediction`] is the documented form of what goes out.
//! - [`dead_letter`] keeps what cannot be read, with its bytes and its origin, and sends it back.
//!
//! Nothing here knows models, stores or HTTP. Nothing blocks an async runtime: the clients live on
//! threads of their own, and the calls that wait say so and have a limit. A broker that is away is
//! a [`State`], not an error: it is tried again with growing pauses, and nothing is lost meanwhile.
//!
//! ```no_run
//! use std::time::Duration;
//! use tripline_kafka::{Connection, Consumer, ConsumerConfig, Limits, State, form};
//!
//! let connection = Connection::new("127.0.0.1:9092");
//! let config = ConsumerConfig::new(connection, "tripline", ["network-traffic"]);
//! let consumer = Consumer::start(config)?;
//! while consumer.state() != State::Stopped {
//!     let Some(batch) = consumer.next(Duration::from_secs(1)) else {
//!         continue;
//!     };
//!     for message in &batch.messages {
//!         match form::read_message(message, &Limits::default()) {
//!             Ok(reading) => drop(reading.rows), // judge and store them
//!             Err(poison) => drop(poison),       // send it to the dead letters
//!         }
//!     }
//!     consumer.ack(&batch.ticket); // only now
//! }
//! # Ok::<(), tripline_kafka::Error>(())
//! ```

mod admin;
mod backoff;
mod connection;
mod consumer;
pub mod dead_letter;
mod error;
pub mod form;
pub mod identity;
mod message;
pub mod prediction;
mod producer;
pub mod sender;
mod state;

pub use admin::{NewTopic, create_topics};
pub use connection::{Connection, Mechanism, Sasl, Secret, Tls};
pub use consumer::{Batch, Consumer, ConsumerConfig, ConsumerStatus, Start, Ticket};
pub use error::Error;
pub use form::{Limits, Poison, Reading, Row};
pub use identity::MAX_ROWS;
pub use message::{Header, Message};
pub use producer::{
    Compression, Delivery, Outgoing, Pending, Producer, ProducerConfig, ProducerStatus, Report,
};
pub use state::{State, Waiting};

/// What fallible functions of this crate give.
pub type Result<T, E = Error> = std::result::Result<T, E>;
