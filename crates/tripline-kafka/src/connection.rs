use std::fmt;
use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use rdkafka::ClientConfig;

use crate::{Error, Result};

/// How a cluster is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Addresses to begin with, as `host:port`, separated by commas.
    pub brokers: String,
    /// The name that the cluster's logs and quotas show.
    pub client_id: String,
    /// Encryption, if any.
    pub tls: Option<Tls>,
    /// Who we are, if the cluster asks.
    pub sasl: Option<Sasl>,
    /// The first pause before a cluster that does not answer is asked again; each later one is
    /// twice as long.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// Makes the random part of pauses differ between workers.
    pub seed: u64,
}

/// Encryption by TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Certificates that the brokers are checked against, as PEM; the system's when there is none.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate, as PEM, for clusters that ask for one.
    pub certificate_file: Option<PathBuf>,
    /// The key of our certificate, as PEM.
    pub key_file: Option<PathBuf>,
    /// The password of that key.
    pub key_password: Option<Secret>,
    /// Whether the name in a broker's certificate must be its address. True unless said otherwise.
    pub verify_name: bool,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            ca_file: None,
            certificate_file: None,
            key_file: None,
            key_password: None,
            verify_name: true,
        }
    }
}

/// A name and a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sasl {
    /// How they are shown.
    pub mechanism: Mechanism,
    /// The name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// How a name and a password are shown to the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// As they are; use it with TLS only.
    Plain,
    /// SCRAM-SHA-256.
    ScramSha256,
    /// SCRAM-SHA-512.
    ScramSha512,
}

impl Mechanism {
    /// Its registered name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

impl Connection {
    /// A cluster without encryption and names.
    pub fn new(brokers: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            client_id: "tripline".to_owned(),
            tls: None,
            sasl: None,
            first_pause: Duration::from_millis(250),
            longest_pause: Duration::from_secs(30),
            seed: 0,
        }
    }

    /// What both kinds of client need.
    pub(crate) fn client_config(&self) -> Result<ClientConfig> {
        if self.brokers.trim().is_empty() {
            return Err(Error::setting(
                "brokers",
                "is empty, expected host:port, separated by commas",
            ));
        }
        if self.first_pause.is_zero() || self.longest_pause < self.first_pause {
            return Err(Error::setting(
                "longest_pause",
                "expected pauses above zero, the longest not below the first",
            ));
        }
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", &self.client_id)
            .set("reconnect.backoff.ms", millis(self.first_pause))
            .set("reconnect.backoff.max.ms", millis(self.longest_pause))
            // A broker that takes a request and is cut off is given up after this time.
            .set("socket.timeout.ms", "10000")
            .set("socket.connection.setup.timeout.ms", "5000")
            .set("socket.keepalive.enable", "true")
            // Topics that come later are found within this time.
            .set("topic.metadata.refresh.interval.ms", "10000")
            .set(
                "security.protocol",
                match (&self.tls, &self.sasl) {
                    (None, None) => "plaintext",
                    (Some(_), None) => "ssl",
                    (None, Some(_)) => "sasl_plaintext",
                    (Some(_), Some(_)) => "sasl_ssl",
                },
            );
        if let Some(tls) = &self.tls {
            let files = [
                ("ssl.ca.location", "tls.ca_file", &tls.ca_file),
                (
                    "ssl.certificate.location",
                    "tls.certificate_file",
                    &tls.certificate_file,
                ),
                ("ssl.key.location", "tls.key_file", &tls.key_file),
            ];
            for (option, key, file) in files {
                if let Some(file) = file {
                    // The library's own words do not name the file.
                    File::open(file).map_err(|error| {
                        Error::setting(key, format!("{}: {error}", file.display()))
                    })?;
                    let file = file.to_str().ok_or_else(|| {
                        Error::setting(key, format!("the path {} is no text", file.display()))
                    })?;
                    config.set(option, file);
                }
            }
            if let Some(Secret(password)) = &tls.key_password {
                config.set("ssl.key.password", password);
            }
            let check = if tls.verify_name { "https" } else { "none" };
            config.set("ssl.endpoint.identification.algorithm", check);
        }
        if let Some(sasl) = &self.sasl {
            let Secret(password) = &sasl.password;
            config
                .set("sasl.mechanism", sasl.mechanism.name())
                .set("sasl.username", &sasl.username)
                .set("sasl.password", password);
        }
        Ok(config)
    }
}

pub(crate) fn millis(time: Duration) -> String {
    time.as_millis().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let mut connection = Connection::new("a:1");
        connection.sasl = Some(Sasl {
            mechanism: Mechanism::Plain,
            username: "me".to_owned(),
            password: Secret::new("hunter2"),
        });
        assert!(!format!("{connection:?}").contains("hunter2"));
    }

    #[test]
    fn settings_that_cannot_be_are_refused_by_name() {
        let error = Connection::new(" ").client_config().unwrap_err();
        assert!(error.to_string().starts_with("brokers: "), "{error}");
        let mut connection = Connection::new("a:1");
        connection.longest_pause = Duration::ZERO;
        let error = connection.client_config().unwrap_err();
        assert!(error.to_string().starts_with("longest_pause: "), "{error}");
    }
}
