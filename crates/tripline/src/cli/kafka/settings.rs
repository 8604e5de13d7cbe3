//! What the options of Kafka come to.

use std::{
    collections::BTreeMap,
    fmt::Display,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::bail;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use tripline_kafka::{
    Compression, Connection, Mechanism, Sasl, Secret, Start, Tls, dead_letter,
    sender::{AllowEntry, SenderKey, SenderPolicy},
};

use super::{super::read_capped, CompressionArg, KafkaArgs, KafkaClusterArgs, SaslArg, StartArg};
use crate::{
    config::Problems,
    kafka::{InputTopic, KafkaSettings},
};

/// Longest file that holds a password.
const MAX_SECRET_BYTES: u64 = 4096;
/// Longest list of senders.
const MAX_SENDERS_BYTES: u64 = 4 << 20;
/// Longest file with certificates or a key.
const MAX_PEM_BYTES: u64 = 4 << 20;
/// Where the password is, if not in a file.
const PASSWORD: &str = "TRIPLINE_KAFKA_PASSWORD";
/// Where the password of the certificate's key is, if not in a file.
const KEY_PASSWORD: &str = "TRIPLINE_KAFKA_KEY_PASSWORD";
/// Variables that are no options: the command line is seen by everyone on the machine.
pub(crate) const SECRET_VARIABLES: [&str; 2] = [PASSWORD, KEY_PASSWORD];

impl KafkaClusterArgs {
    /// The cluster, if one is named. It is not to be used when there is a problem.
    pub(crate) fn connection(&self, problems: &mut Problems) -> Option<Connection> {
        self.check_related(problems);
        let brokers = self.kafka_brokers.as_ref()?;
        problems.keep(check_brokers(brokers));
        for (option, file) in [
            ("--kafka-ca-file", &self.kafka_ca_file),
            ("--kafka-certificate-file", &self.kafka_certificate_file),
        ] {
            if let Some(file) = file {
                problems.keep(check_certificates(file, option));
            }
        }
        if let Some(file) = &self.kafka_key_file {
            problems.keep(check_key(file));
        }
        let secret = |file: &Option<PathBuf>, option, variable| match file {
            Some(file) => secret_file(file, option).map(Some),
            None => Ok(secret_variable(variable)),
        };
        let tls = self.kafka_tls.then(|| Tls {
            ca_file: self.kafka_ca_file.clone(),
            certificate_file: self.kafka_certificate_file.clone(),
            key_file: self.kafka_key_file.clone(),
            key_password: problems
                .keep(secret(
                    &self.kafka_key_password_file,
                    "--kafka-key-password-file",
                    KEY_PASSWORD,
                ))
                .flatten(),
            ..Tls::default()
        });
        let mut sasl = None;
        if let (Some(mechanism), Some(username)) = (self.kafka_sasl, &self.kafka_username) {
            match secret(&self.kafka_password_file, "--kafka-password-file", PASSWORD) {
                Ok(Some(password)) => {
                    sasl = Some(Sasl {
                        mechanism: match mechanism {
                            SaslArg::Plain => Mechanism::Plain,
                            SaslArg::ScramSha256 => Mechanism::ScramSha256,
                            SaslArg::ScramSha512 => Mechanism::ScramSha512,
                        },
                        username: username.clone(),
                        password,
                    });
                }
                Ok(None) => problems.add(format!(
                    "--kafka-sasl: there is no password; name a file with \
                     --kafka-password-file, or set {PASSWORD}"
                )),
                Err(error) => {
                    problems.keep::<()>(Err(error));
                }
            }
        }
        Some(Connection {
            tls,
            sasl,
            seed: uuid::Uuid::new_v4().as_u64_pair().0,
            ..Connection::new(brokers.as_str())
        })
    }

    /// Options that say nothing without another.
    fn check_related(&self, problems: &mut Problems) {
        let tls = ("--kafka-tls", self.kafka_tls);
        let sasl = ("--kafka-sasl", self.kafka_sasl.is_some());
        let ca = ("--kafka-ca-file", self.kafka_ca_file.is_some());
        let certificate = (
            "--kafka-certificate-file",
            self.kafka_certificate_file.is_some(),
        );
        let key = ("--kafka-key-file", self.kafka_key_file.is_some());
        let key_password = (
            "--kafka-key-password-file",
            self.kafka_key_password_file.is_some(),
        );
        let username = ("--kafka-username", self.kafka_username.is_some());
        let password = ("--kafka-password-file", self.kafka_password_file.is_some());
        for (one, needed) in [
            (ca, tls),
            (certificate, tls),
            (certificate, key),
            (key, certificate),
            (key_password, key),
            (sasl, username),
            (username, sasl),
            (password, sasl),
        ] {
            if one.1 && !needed.1 {
                problems.add(format!("{} needs {}", one.0, needed.0));
            }
        }
    }
}

impl KafkaArgs {
    /// What these options come to: how Kafka is taken part in, and what is asked of senders by topic.
    /// Nothing without brokers; not to be used when there is a problem.
    pub(crate) fn settings(
        &self,
        problems: &mut Problems,
    ) -> Option<(KafkaSettings, BTreeMap<String, SenderPolicy>)> {
        let connection = self.cluster.connection(problems);
        let allowed = self.kafka_senders.as_ref().map(|file| read_senders(file));
        let allowed = allowed.and_then(|allowed| problems.keep(allowed));
        if !self.kafka_external_topic.is_empty() && self.kafka_senders.is_none() {
            problems.add("--kafka-external-topic needs --kafka-senders");
        }
        let Some(connection) = connection else {
            if !self.kafka_topic.is_empty() || !self.kafka_external_topic.is_empty() {
                problems.add(
                    "--kafka-topic: there is no cluster; name its brokers with --kafka-brokers",
                );
            }
            return None;
        };
        if self.kafka_group.trim().is_empty() {
            problems.add("--kafka-group is empty, expected the name of a consumer group");
        }
        let mut trusted = self.kafka_topic.clone();
        if trusted.is_empty() && self.kafka_external_topic.is_empty() {
            trusted.push("network-traffic".to_owned());
        }
        let principals = by_topic(
            "--kafka-topic-principal",
            &self.kafka_topic_principal,
            &[&self.kafka_external_topic],
        );
        let principals = problems.keep(principals).unwrap_or_default();
        let incarnations = by_topic(
            "--kafka-incarnation",
            &self.kafka_incarnation,
            &[&trusted, &self.kafka_external_topic],
        );
        let incarnations = problems.keep(incarnations).unwrap_or_default();
        let input = |name: &String, checks_senders| InputTopic {
            incarnation: incarnations.get(name).cloned().unwrap_or_default(),
            dead_letters: match &self.kafka_dead_letters {
                Some(topic) => topic.clone(),
                None => dead_letter::topic_of(name),
            },
            name: name.clone(),
            checks_senders,
        };
        let policy = |name: &String| SenderPolicy {
            allowed: allowed.clone().unwrap_or_default(),
            require_signed_senders: self.kafka_require_signed_senders,
            topic_principal: principals.get(name).cloned(),
        };
        let external = &self.kafka_external_topic;
        let mut topics: Vec<InputTopic> = trusted.iter().map(|name| input(name, false)).collect();
        topics.extend(external.iter().map(|name| input(name, true)));
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
        problems.keep(check_topics(&settings));
        let senders = external.iter().map(|name| (name.clone(), policy(name)));
        Some((settings, senders.collect()))
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

fn check_certificates(path: &Path, option: &str) -> anyhow::Result<()> {
    let text = read_capped(path, option, MAX_PEM_BYTES)?;
    let mut certificates = 0;
    for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
        if let Err(error) = certificate {
            bail!("{option}: {} is no PEM: {error}", path.display());
        }
        certificates += 1;
    }
    if certificates == 0 {
        bail!("{option}: {} holds no certificate in PEM", path.display());
    }
    Ok(())
}

/// What is inside is left to those who decrypt it.
fn check_key(path: &Path) -> anyhow::Result<()> {
    let text = read_capped(path, "--kafka-key-file", MAX_PEM_BYTES)?;
    let begins = |line: &str| line.starts_with("-----BEGIN ") && line.contains("PRIVATE KEY-----");
    if !text.lines().any(begins) {
        bail!(
            "--kafka-key-file: {} holds no private key in PEM",
            path.display()
        );
    }
    Ok(())
}
