use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU16, Ordering};
use std::{fs, io};

use super::install::{Installation, tail};
use super::{KafkaOptions, KafkaServerError, PASSWORD, Result, USER};

const STORE_PASSWORD: &str = "for-tests-only";
const LOGGING: &str = "rootLogger.level=INFO
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{HH:mm:ss.SSS} %p %c{1}: %m%n
";

/// The files and ports of one broker.
#[derive(Debug)]
pub(super) struct Setup {
    folder: PathBuf,
    host: Ipv4Addr,
    /// Names of listeners with their ports.
    ports: Vec<(&'static str, u16)>,
}

impl Setup {
    /// Chooses ports, writes the broker's files and formats its data.
    pub(super) fn write(
        installation: &Installation,
        folder: &Path,
        options: &KafkaOptions,
    ) -> Result<Self> {
        let mut names = vec!["PLAINTEXT", "CONTROLLER"];
        if options.sasl {
            names.push("SASL_PLAINTEXT");
        }
        if options.tls {
            names.push("SSL");
        }
        if options.sasl && options.tls {
            names.push("SASL_SSL");
        }
        let setup = Self {
            folder: folder.to_owned(),
            host: options.host.unwrap_or(Ipv4Addr::LOCALHOST),
            ports: free_ports(&names)?,
        };
        if options.tls {
            setup.make_certificate()?;
        }
        write(&setup.properties_file(), &setup.properties(options))?;
        write(&setup.logging_file(), LOGGING)?;
        let mut format = installation.java();
        format
            .args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"])
            .args(setup.logging_arguments())
            .args(["kafka.tools.StorageTool", "format", "--config"])
            .arg(setup.properties_file())
            .args(["--cluster-id", &cluster_id()]);
        for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
            format
                .arg("--add-scram")
                .arg(format!("{mechanism}=[name={USER},password={PASSWORD}]"));
        }
        run("formatting the broker's data", &mut format)?;
        Ok(setup)
    }

    pub(super) fn has(&self, listener: &str) -> bool {
        self.ports.iter().any(|(name, _)| *name == listener)
    }

    pub(super) fn address(&self, listener: &str) -> String {
        let port = self.ports.iter().find(|(name, _)| *name == listener);
        format!("{}:{}", self.host, port.map_or(0, |(_, port)| *port))
    }

    pub(super) fn properties_file(&self) -> PathBuf {
        self.folder.join("server.properties")
    }

    pub(super) fn ca_file(&self) -> Option<PathBuf> {
        self.has("SSL").then(|| self.folder.join("ca.pem"))
    }

    pub(super) fn logging_arguments(&self) -> [String; 1] {
        [format!(
            "-Dlog4j2.configurationFile={}",
            self.logging_file().display()
        )]
    }

    fn logging_file(&self) -> PathBuf {
        self.folder.join("log4j2.properties")
    }

    fn key_store(&self) -> PathBuf {
        self.folder.join("broker.p12")
    }

    fn properties(&self, options: &KafkaOptions) -> String {
        let listeners = |keep: fn(&str) -> bool| -> String {
            let listeners: Vec<String> = self
                .ports
                .iter()
                .filter(|(name, _)| keep(name))
                .map(|(name, _)| format!("{name}://{}", self.address(name)))
                .collect();
            listeners.join(",")
        };
        let mut lines = vec![
            ("process.roles", "broker,controller".to_owned()),
            ("node.id", "1".to_owned()),
            (
                "controller.quorum.voters",
                format!("1@{}", self.address("CONTROLLER")),
            ),
            ("controller.listener.names", "CONTROLLER".to_owned()),
            ("listeners", listeners(|_| true)),
            (
                "advertised.listeners",
                listeners(|name| name != "CONTROLLER"),
            ),
            (
                "listener.security.protocol.map",
                "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL".to_owned(),
            ),
            (
                "log.dirs",
                self.folder.join("data").display().to_string(),
            ),
            ("offsets.topic.replication.factor", "1".to_owned()),
            ("offsets.topic.num.partitions", "4".to_owned()),
            ("transaction.state.log.replication.factor", "1".to_owned()),
            ("transaction.state.log.min.isr", "1".to_owned()),
            ("transaction.state.log.num.partitions", "4".to_owned()),
            // Groups form at once instead of waiting for members that are not coming.
            ("group.initial.rebalance.delay.ms", "0".to_owned()),
            ("group.min.session.timeout.ms", "1000".to_owned()),
            ("auto.create.topics.enable", "false".to_owned()),
        ];
        if options.sasl {
            lines.push((
                "sasl.enabled.mechanisms",
                "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512".to_owned(),
            ));
        }
        if options.tls {
            lines.push((
                "ssl.keystore.location",
                self.key_store().display().to_string(),
            ));
            lines.push(("ssl.keystore.type", "PKCS12".to_owned()));
            lines.push(("ssl.keystore.password", STORE_PASSWORD.to_owned()));
            lines.push(("ssl.key.password", STORE_PASSWORD.to_owned()));
        }
        let mut text = String::new();
        for (key, value) in lines {
            let _ = writeln!(text, "{key}={value}");
        }
        for listener in ["sasl_plaintext", "sasl_ssl"] {
            if !self.has(&listener.to_uppercase()) {
                continue;
            }
            let plain = "org.apache.kafka.common.security.plain.PlainLoginModule required";
            let scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
            let _ = writeln!(
                text,
                "listener.name.{listener}.plain.sasl.jaas.config={plain} username=\"{USER}\" \
                 password=\"{PASSWORD}\" user_{USER}=\"{PASSWORD}\";"
            );
            for mechanism in ["scram-sha-256", "scram-sha-512"] {
                let _ = writeln!(
                    text,
                    "listener.name.{listener}.{mechanism}.sasl.jaas.config={scram}"
                );
            }
        }
        for (key, value) in &options.properties {
            let _ = writeln!(text, "{key}={value}");
        }
        text
    }

    /// A certificate for loopback that is its own authority, by the tool that comes with Java.
    fn make_certificate(&self) -> Result<()> {
        let mut make = Command::new("keytool");
        make.args(["-genkeypair", "-alias", "broker", "-keyalg", "RSA"])
            .args(["-keysize", "2048", "-validity", "3650"])
            .args(["-dname", "CN=localhost", "-ext"])
            .arg("SAN=dns:localhost,ip:127.0.0.1")
            .args(["-ext", "bc:c=ca:true", "-storetype", "PKCS12", "-keystore"])
            .arg(self.key_store())
            .args(["-storepass", STORE_PASSWORD]);
        run("making a certificate with keytool", &mut make)?;
        let mut export = Command::new("keytool");
        export
            .args(["-exportcert", "-rfc", "-alias", "broker", "-keystore"])
            .arg(self.key_store())
            .args(["-storepass", STORE_PASSWORD, "-file"])
            .arg(self.folder.join("ca.pem"));
        run("exporting a certificate with keytool", &mut export)
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(KafkaServerError::io(format!("writing {}", path.display())))
}

fn run(what: &str, command: &mut Command) -> Result<()> {
    let answer = command.output().map_err(KafkaServerError::io(what))?;
    if answer.status.success() {
        return Ok(());
    }
    let mut output = answer.stdout;
    output.extend(answer.stderr);
    Err(KafkaServerError::Failed {
        program: what.to_owned(),
        output: tail(&output),
    })
}

/// Kafka's identifiers are 16 bytes in URL-safe base64. Each broker is a cluster of its own.
fn cluster_id() -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    static COUNT: AtomicU16 = AtomicU16::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut number = u128::from(process::id()) << 16 | u128::from(count) | 1 << 100;
    let mut text = String::new();
    for _ in 0..21 {
        text.push(char::from(DIGITS[(number % 64) as usize]));
        number /= 64;
    }
    // The last of the 22 digits holds the two bits that are left.
    text.push('A');
    text
}

/// Ports below those that the system gives to outgoing connections, so that they stay free while
/// a broker is down.
fn free_ports(names: &[&'static str]) -> Result<Vec<(&'static str, u16)>> {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (process::id() % u32::from(COUNT)) as u16;
    let mut held = Vec::new();
    let mut ports = Vec::new();
    for _ in 0..COUNT {
        if ports.len() == names.len() {
            return Ok(ports);
        }
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        let port = FIRST + (start + step) % COUNT;
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            held.push(listener);
            ports.push((names[ports.len()], port));
        }
    }
    Err(KafkaServerError::Io {
        what: "finding free ports for the broker".to_owned(),
        source: io::Error::from(io::ErrorKind::AddrInUse),
    })
}
