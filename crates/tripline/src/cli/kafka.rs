//! What can be typed about Kafka, and what it comes to.

use std::{
    collections::BTreeMap,
    fmt::Display,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};
use tripline_kafka::{
    Compression, Connection, Mechanism, Sasl, Secret, Start, Tls, dead_letter,
    sender::{AllowEntry, SenderKey, SenderPolicy},
};

use super::read_capped;
use crate::kafka::{InputTopic, KafkaSettings};

/// Longest file that holds a password.
const MAX_SECRET_BYTES: u64 = 4096;
/// Longest list of senders.
const MAX_SENDERS_BYTES: u64 = 4 << 20;
/// Longest name of a topic that Kafka knows.
const MAX_TOPIC: usize = 249;
/// Where the password is, if not in a file.
const PASSWORD: &str = "TRIPLINE_KAFKA_PASSWORD";
/// Where the password of the certificate's key is, if not in a file.
const KEY_PASSWORD: &str = "TRIPLINE_KAFKA_KEY_PASSWORD";

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
    #[arg(
        long,
        value_name = "FILE",
        env = "TRIPLINE_KAFKA_CA_FILE",
        requires = "kafka_tls"
    )]
    pub kafka_ca_file: Option<PathBuf>,
    /// Our own certificate, as PEM, for clusters that ask for one.
    #[arg(long, value_name = "FILE", env = "TRIPLINE_KAFKA_CERTIFICATE_FILE", requires_all = ["kafka_tls", "kafka_key_file"])]
    pub kafka_certificate_file: Option<PathBuf>,
    /// The key of our certificate, as PEM.
    #[arg(
        long,
        value_name = "FILE",
        env = "TRIPLINE_KAFKA_KEY_FILE",
        requires = "kafka_certificate_file"
    )]
    pub kafka_key_file: Option<PathBuf>,
    /// File with the password of that key; or else it is in `TRIPLINE_KAFKA_KEY_PASSWORD`.
    #[arg(
        long,
        value_name = "FILE",
        env = "TRIPLINE_KAFKA_KEY_PASSWORD_FILE",
        requires = "kafka_key_file"
    )]
    pub kafka_key_password_file: Option<PathBuf>,
    /// How name and password are shown to the cluster.
    #[arg(
        long,
        value_enum,
        env = "TRIPLINE_KAFKA_SASL",
        requires = "kafka_username"
    )]
    pub kafka_sasl: Option<SaslArg>,
    /// Our name on the cluster.
    #[arg(
        long,
        value_name = "NAME",
        env = "TRIPLINE_KAFKA_USERNAME",
        requires = "kafka_sasl"
    )]
    pub kafka_username: Option<String>,
    /// File with our password; or else it is in `TRIPLINE_KAFKA_PASSWORD`.
    #[arg(
        long,
        value_name = "FILE",
        env = "TRIPLINE_KAFKA_PASSWORD_FILE",
        requires = "kafka_sasl"
    )]
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
    #[arg(long, value_name = "TOPIC", env = "TRIPLINE_KAFKA_EXTERNAL_TOPIC", value_delimiter = ',', value_parser = topic, requires = "kafka_senders")]
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
    /// Send the originals back to their topics.
    Replay(ReplayArgs),
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

impl KafkaClusterArgs {
    /// The cluster, if one is named.
    pub(crate) fn connection(&self) -> anyhow::Result<Option<Connection>> {
        let Some(brokers) = &self.kafka_brokers else {
            return Ok(None);
        };
        check_brokers(brokers)?;
        let secret = |file: &Option<PathBuf>, option, variable| match file {
            Some(file) => secret_file(file, option).map(Some),
            None => Ok(secret_variable(variable)),
        };
        for (option, file) in [
            ("--kafka-ca-file", &self.kafka_ca_file),
            ("--kafka-certificate-file", &self.kafka_certificate_file),
            ("--kafka-key-file", &self.kafka_key_file),
        ] {
            if let Some(file) = file {
                std::fs::File::open(file)
                    .with_context(|| format!("{option}: cannot read {}", file.display()))?;
            }
        }
        let tls = if self.kafka_tls {
            Some(Tls {
                ca_file: self.kafka_ca_file.clone(),
                certificate_file: self.kafka_certificate_file.clone(),
                key_file: self.kafka_key_file.clone(),
                key_password: secret(
                    &self.kafka_key_password_file,
                    "--kafka-key-password-file",
                    KEY_PASSWORD,
                )?,
                ..Tls::default()
            })
        } else {
            None
        };
        let sasl = match (self.kafka_sasl, &self.kafka_username) {
            (Some(mechanism), Some(username)) => {
                let password =
                    secret(&self.kafka_password_file, "--kafka-password-file", PASSWORD)?;
                let Some(password) = password else {
                    bail!(
                        "--kafka-sasl: there is no password; name a file with \
                         --kafka-password-file, or set {PASSWORD}"
                    );
                };
                Some(Sasl {
                    mechanism: match mechanism {
                        SaslArg::Plain => Mechanism::Plain,
                        SaslArg::ScramSha256 => Mechanism::ScramSha256,
                        SaslArg::ScramSha512 => Mechanism::ScramSha512,
                    },
                    username: username.clone(),
                    password,
                })
            }
            _ => None,
        };
        Ok(Some(Connection {
            tls,
            sasl,
            seed: uuid::Uuid::new_v4().as_u64_pair().0,
            ..Connection::new(brokers.as_str())
        }))
    }
}

impl KafkaArgs {
    /// What these options come to; nothing without brokers.
    pub(crate) fn settings(&self) -> anyhow::Result<Option<KafkaSettings>> {
        let Some(connection) = self.cluster.connection()? else {
            if !self.kafka_topic.is_empty() || !self.kafka_external_topic.is_empty() {
                bail!("--kafka-topic: there is no cluster; name its brokers with --kafka-brokers");
            }
            return Ok(None);
        };
        if self.kafka_group.trim().is_empty() {
            bail!("--kafka-group is empty, expected the name of a consumer group");
        }
        let mut trusted = self.kafka_topic.clone();
        if trusted.is_empty() && self.kafka_external_topic.is_empty() {
            trusted.push("network-traffic".to_owned());
        }
        let allowed = match &self.kafka_senders {
            Some(file) => read_senders(file)?,
            None => Vec::new(),
        };
        let principals = by_topic(
            "--kafka-topic-principal",
            &self.kafka_topic_principal,
            &[&self.kafka_external_topic],
        )?;
        let incarnations = by_topic(
            "--kafka-incarnation",
            &self.kafka_incarnation,
            &[&trusted, &self.kafka_external_topic],
        )?;
        let input = |name: &String, senders| InputTopic {
            incarnation: incarnations.get(name).cloned().unwrap_or_default(),
            dead_letters: match &self.kafka_dead_letters {
                Some(topic) => topic.clone(),
                None => dead_letter::topic_of(name),
            },
            name: name.clone(),
            senders,
        };
        let policy = |name: &String| SenderPolicy {
            allowed: allowed.clone(),
            require_signed_senders: self.kafka_require_signed_senders,
            topic_principal: principals.get(name).cloned(),
        };
        let mut topics: Vec<InputTopic> = trusted.iter().map(|name| input(name, None)).collect();
        let external = self.kafka_external_topic.iter();
        topics.extend(external.map(|name| input(name, Some(policy(name)))));
        let named = |topic: &String| (!topic.is_empty()).then(|| topic.clone());
        let settings = KafkaSettings {
            connection,
            group: self.kafka_group.clone(),
            topics,
            start: match self.kafka_start {
                StartArg::Earliest => Start::Earliest,
                StartArg::Latest => Start::Latest,
            },
            predictions: named(&self.kafka_predictions),
            alerts: named(&self.kafka_alerts),
            compression: match self.kafka_compression {
                CompressionArg::None => Compression::None,
                CompressionArg::Gzip => Compression::Gzip,
                CompressionArg::Snappy => Compression::Snappy,
                CompressionArg::Lz4 => Compression::Lz4,
                CompressionArg::Zstd => Compression::Zstd,
            },
            create_partitions: self.kafka_create_topics,
            session_timeout: Duration::from_secs(self.kafka_session_timeout),
        };
        check_topics(&settings)?;
        Ok(Some(settings))
    }
}

fn check_brokers(brokers: &str) -> anyhow::Result<()> {
    for broker in brokers.split(',') {
        let broker = broker.trim();
        let port = broker.rsplit_once(':').filter(|(host, _)| !host.is_empty());
        let port = port.and_then(|(_, port)| port.parse::<u16>().ok());
        if port.is_none_or(|port| port == 0) {
            bail!(
                "--kafka-brokers: '{broker}' is no broker, expected host:port, separated by commas"
            );
        }
    }
    Ok(())
}

/// No message may go round in circles, and no topic be read twice.
fn check_topics(settings: &KafkaSettings) -> anyhow::Result<()> {
    for (index, topic) in settings.topics.iter().enumerate() {
        let name = &topic.name;
        if settings.topics[..index]
            .iter()
            .any(|other| other.name == *name)
        {
            bail!("the topic '{name}' is named twice among those to be read");
        }
        let written = [
            ("--kafka-predictions", settings.predictions.as_ref()),
            ("--kafka-alerts", settings.alerts.as_ref()),
        ];
        let letters = settings.topics.iter().map(|topic| &topic.dead_letters);
        let written = written
            .into_iter()
            .filter_map(|(option, topic)| Some((option, topic?)))
            .chain(letters.map(|topic| ("--kafka-dead-letters", topic)));
        for (option, other) in written {
            if other == name {
                bail!("{option}: the topic '{name}' is read, so nothing may be written to it");
            }
        }
    }
    Ok(())
}

fn by_topic(
    option: &str,
    pairs: &[(String, String)],
    topics: &[&Vec<String>],
) -> anyhow::Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for (topic, text) in pairs {
        if !topics.iter().any(|topics| topics.contains(topic)) {
            bail!("{option}: the topic '{topic}' is none of those that are read");
        }
        if found.insert(topic.clone(), text.clone()).is_some() {
            bail!("{option}: the topic '{topic}' is named twice");
        }
    }
    Ok(found)
}

/// Reads a list of senders.
fn read_senders(path: &Path) -> anyhow::Result<Vec<AllowEntry>> {
    let text = read_capped(path, "--kafka-senders", MAX_SENDERS_BYTES)?;
    let mut entries = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let at = |words: &dyn Display| anyhow::anyhow!("{}:{number}: {words}", path.display());
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let Some(network) = words.next() else {
            continue;
        };
        let keys = words
            .map(str::parse::<SenderKey>)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| at(&error))?;
        entries.push(AllowEntry::new(network, keys).map_err(|error| at(&error))?);
    }
    if entries.is_empty() {
        bail!("--kafka-senders: {} names no sender", path.display());
    }
    Ok(entries)
}

fn secret_file(path: &Path, option: &str) -> anyhow::Result<Secret> {
    let text = read_capped(path, option, MAX_SECRET_BYTES)?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        bail!("{option}: {} is empty", path.display());
    }
    Ok(Secret::new(text))
}

fn secret_variable(name: &str) -> Option<Secret> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a secret is no option: the command line is seen by everyone on the machine"
    )]
    let text = std::env::var(name).ok()?;
    (!text.is_empty()).then(|| Secret::new(text))
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
