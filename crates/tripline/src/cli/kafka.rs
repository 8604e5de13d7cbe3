//! What can be typed about Kafka, and what it comes to.

mod settings;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

pub(crate) use self::settings::SECRET_VARIABLES;

/// Longest name of a topic that Kafka knows.
const MAX_TOPIC: usize = 249;

/// How the cluster is reached.
#[derive(Debug, Clone, Default, Args)]
pub struct KafkaClusterArgs {
    /// Brokers to begin with, as host:port, separated by commas; without them nothing is read from
    /// Kafka and nothing written.
    #[arg(long, value_name = "ADDRESSES", env = "TRIPLINE_KAFKA_BROKERS")]
    pub kafka_brokers: Option<String>,
    /// Encrypt by TLS.
    #[arg(long, env = "TRIPLINE_KAFKA_TLS")]
    pub kafka_tls: bool,
    /// Certificates that brokers are checked against, as PEM; the system's when absent.
    #[arg(long, value_name = "FILE", env = "TRIPLINE_KAFKA_CA_FILE")]
    pub kafka_ca_file: Option<PathBuf>,
    /// Our own certificate, as PEM, for clusters that ask for one.
    #[arg(long, value_name = "FILE", env = "TRIPLINE_KAFKA_CERTIFICATE_FILE")]
    pub kafka_certificate_file: Option<PathBuf>,
    /// The key of our certificate, as PEM.
    #[arg(long, value_name = "FILE", env = "TRIPLINE_KAFKA_KEY_FILE")]
    pub kafka_key_file: Option<PathBuf>,
    /// File with the password of that key; or else it is in `TRIPLINE_KAFKA_KEY_PASSWORD`.
    #[arg(long, value_name = "FILE", env = "TRIPLINE_KAFKA_KEY_PASSWORD_FILE")]
    pub kafka_key_password_file: Option<PathBuf>,
    /// How name and password are shown to the cluster.
    #[arg(long, value_enum, env = "TRIPLINE_KAFKA_SASL")]
    pub kafka_sasl: Option<SaslArg>,
    /// Our name on the cluster.
    #[arg(long, value_name = "NAME", env = "TRIPLINE_KAFKA_USERNAME")]
    pub kafka_username: Option<String>,
    /// File with our password; or else it is in `TRIPLINE_KAFKA_PASSWORD`.
    #[arg(long, value_name = "FILE", env = "TRIPLINE_KAFKA_PASSWORD_FILE")]
    pub kafka_password_file: Option<PathBuf>,
}

/// What is read from Kafka and written to it.
#[derive(Debug, Clone, Default, Args)]
pub struct KafkaArgs {
    /// The cluster.
    #[command(flatten)]
    pub cluster: KafkaClusterArgs,
    /// Consumer group; workers of one group share the partitions.
    #[arg(
        long,
        value_name = "NAME",
        env = "TRIPLINE_KAFKA_GROUP",
        default_value = "tripline"
    )]
    pub kafka_group: String,
    /// Topic to read, whose writers are trusted; may be repeated. When no topic is named at all it
    /// is network-traffic.
    #[arg(long, value_name = "TOPIC", env = "TRIPLINE_KAFKA_TOPIC", value_delimiter = ',', value_parser = topic)]
    pub kafka_topic: Vec<String>,
    /// Topic to read, whose senders are checked against --kafka-senders; may be repeated.
    #[arg(long, value_name = "TOPIC", env = "TRIPLINE_KAFKA_EXTERNAL_TOPIC", value_delimiter = ',', value_parser = topic)]
    pub kafka_external_topic: Vec<String>,
    /// List of senders: one a line, an address or a network, and after it the Ed25519 keys in base64
    /// that must have signed its messages, if any.
    #[arg(long, value_name = "FILE", env = "TRIPLINE_KAFKA_SENDERS")]
    pub kafka_senders: Option<PathBuf>,
    /// Refuse senders that only say who they are.
    #[arg(long, env = "TRIPLINE_KAFKA_REQUIRE_SIGNED_SENDERS")]
    pub kafka_require_signed_senders: bool,
    /// The one principal that the cluster lets write an external topic, as TOPIC=PRINCIPAL; may be
    /// repeated.
    #[arg(long, value_name = "TOPIC=PRINCIPAL", env = "TRIPLINE_KAFKA_TOPIC_PRINCIPAL", value_delimiter = ',', value_parser = pair)]
    pub kafka_topic_principal: Vec<(String, String)>,
    /// Where a group begins that has committed nothing yet.
    #[arg(long, value_enum, env = "TRIPLINE_KAFKA_START", default_value_t)]
    pub kafka_start: StartArg,
    /// After how many seconds of silence the group takes a worker for dead and gives its partitions
    /// to others.
    #[arg(long, value_name = "SECONDS", env = "TRIPLINE_KAFKA_SESSION_TIMEOUT", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=1800))]
    pub kafka_session_timeout: u64,
    /// Tells a topic from an earlier one of the same name, as TOPIC=TEXT: needed when a topic was
    /// deleted and made anew; may be repeated.
    #[arg(long, value_name = "TOPIC=TEXT", env = "TRIPLINE_KAFKA_INCARNATION", value_delimiter = ',', value_parser = pair)]
    pub kafka_incarnation: Vec<(String, String)>,
    /// Topic for every verdict; empty for none.
    #[arg(long, value_name = "TOPIC", env = "TRIPLINE_KAFKA_PREDICTIONS", default_value = "predictions", value_parser = topic_or_none)]
    pub kafka_predictions: String,
    /// Topic for threats; empty for none.
    #[arg(long, value_name = "TOPIC", env = "TRIPLINE_KAFKA_ALERTS", default_value = "alerts", value_parser = topic_or_none)]
    pub kafka_alerts: String,
    /// Topic for messages that cannot be judged; by default that of the message with `.dead-letter`.
    #[arg(long, value_name = "TOPIC", env = "TRIPLINE_KAFKA_DEAD_LETTERS", value_parser = topic)]
    pub kafka_dead_letters: Option<String>,
    /// How what is written is made smaller.
    #[arg(long, value_enum, env = "TRIPLINE_KAFKA_COMPRESSION", default_value_t)]
    pub kafka_compression: CompressionArg,
    /// Make topics that are missing, with this many partitions.
    #[arg(long, value_name = "PARTITIONS", env = "TRIPLINE_KAFKA_CREATE_TOPICS", value_parser = clap::value_parser!(i32).range(1..=10_000))]
    pub kafka_create_topics: Option<i32>,
}

/// How name and password are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SaslArg {
    /// As they are; use it with TLS only.
    Plain,
    /// SCRAM-SHA-256.
    #[value(name = "scram-sha-256")]
    ScramSha256,
    /// SCRAM-SHA-512.
    #[value(name = "scram-sha-512")]
    ScramSha512,
}

/// Where a new group begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum StartArg {
    /// At the oldest message there is.
    #[default]
    Earliest,
    /// At the messages that come from now on.
    Latest,
}

/// How messages are made smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum CompressionArg {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// Snappy.
    Snappy,
    /// LZ4.
    Lz4,
    /// Zstandard.
    #[default]
    Zstd,
}

/// What to do with dead letters.
#[derive(Debug, Subcommand)]
pub enum DeadLettersCommand {
    /// Show the newest, with reason and origin. Nothing is changed.
    List(ListArgs),
    /// Send the originals back to their topics.
    Replay(ReplayArgs),
}

/// Options of `dead-letters list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// The cluster.
    #[command(flatten)]
    pub cluster: KafkaClusterArgs,
    /// Topic whose dead letters are listed.
    #[arg(long, value_name = "TOPIC", default_value = "network-traffic", value_parser = topic)]
    pub topic: String,
    /// Topic of dead letters; by default that of --topic with `.dead-letter`.
    #[arg(long, value_name = "TOPIC", value_parser = topic)]
    pub dead_letters: Option<String>,
    /// Group of the replays: says which letters were dealt with.
    #[arg(long, value_name = "NAME", default_value = "tripline-dead-letters")]
    pub group: String,
    /// List this many at most, the newest.
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
    /// Give up after so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub seconds: u64,
    /// Print the answer as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Options of `dead-letters replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The cluster.
    #[command(flatten)]
    pub cluster: KafkaClusterArgs,
    /// Topic that the originals go back to; may be repeated. Letters that name another topic are
    /// left.
    #[arg(long, value_name = "TOPIC", default_value = "network-traffic", value_delimiter = ',', value_parser = topic)]
    pub topic: Vec<String>,
    /// Topic of dead letters; by default that of the first --topic with `.dead-letter`.
    #[arg(long, value_name = "TOPIC", value_parser = topic)]
    pub dead_letters: Option<String>,
    /// Group under which is kept how far it was replayed.
    #[arg(long, value_name = "NAME", default_value = "tripline-dead-letters")]
    pub group: String,
    /// Leave messages that were sent back this often already.
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub most_replays: u32,
    /// Send back this many at most.
    #[arg(long, value_name = "COUNT", default_value_t = u64::MAX, hide_default_value = true)]
    pub limit: u64,
    /// Give up after so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: u64,
    /// Print the answer as JSON.
    #[arg(long)]
    pub json: bool,
}

fn topic(text: &str) -> Result<String, String> {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_name = !text.is_empty() && text.len() <= MAX_TOPIC && text != "." && text != "..";
    if is_name && text.bytes().all(is_legal) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "expected a topic: 1 to {MAX_TOPIC} letters, digits, dots, underscores and hyphens"
    ))
}

fn topic_or_none(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    topic(text)
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected TOPIC=TEXT")?;
    if value.is_empty() {
        return Err("there is nothing after the '='".to_owned());
    }
    Ok((topic(name)?, value.to_owned()))
}

#[cfg(test)]
mod tests;
