//! Apache Kafka: one real broker in `KRaft` mode, on loopback.
//!
//! The broker's jars come from the folder in `TRIPLINE_KAFKA_HOME` (one that has `libs`), or else
//! once from Maven into the cache for tools. Tests that only need some broker use
//! [`KafkaServer::obtain`], which takes the one in `TRIPLINE_TEST_KAFKA` where that is set.
//!
//! The broker ends with the process that started it, however that one ends: a shell stands between
//! the two and kills the broker when its standard input closes.

mod install;
mod setup;

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use thiserror::Error;

use install::{Installation, variable};
use setup::Setup;

/// How long a broker may take to start before it is given up.
const START_LIMIT: Duration = Duration::from_mins(2);
/// How many lines of the broker's log are kept to explain a failure.
const KEPT_LINES: usize = 200;
/// What the broker logs when it answers.
const STARTED: &str = "Kafka Server started";
/// Starts the broker, says its process number, and waits for a word: `stop` ends it in good order,
/// anything else, and the end of the input too, kills it.
const KEEPER: &str = r#""$@" </dev/null & pid=$!
echo "pid $pid"
exec >/dev/null 2>&1
word=
read -r word
if [ "$word" = stop ]; then kill -TERM "$pid"; else kill -9 "$pid"; fi
wait "$pid""#;

/// Why there is no broker.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KafkaServerError {
    /// A program is not installed.
    #[error("{program} is missing: {hint}")]
    Missing {
        /// The program or folder.
        program: String,
        /// How to get it.
        hint: &'static str,
    },
    /// A program that was started said no.
    #[error("{program} failed: {output}")]
    Failed {
        /// The program.
        program: String,
        /// The end of what it printed.
        output: String,
    },
    /// The broker ended, or did not come up in time.
    #[error("the Kafka broker did not start: {reason}; the end of its log:\n{log}")]
    NotStarted {
        /// What happened.
        reason: String,
        /// The last lines of its log.
        log: String,
    },
    /// The broker was there before, so it is not ours to stop.
    #[error("the Kafka broker of TRIPLINE_TEST_KAFKA was not started here and is left alone")]
    NotOurs,
    /// A file or process could not be handled.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
}

impl KafkaServerError {
    fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

type Result<T, E = KafkaServerError> = std::result::Result<T, E>;

/// Which listeners there are beside the plain one, and what else is set.
#[derive(Debug, Clone, Default)]
pub struct KafkaOptions {
    /// Listeners with SASL: PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512 for [`USER`] with [`PASSWORD`].
    pub sasl: bool,
    /// Listeners with TLS, whose certificate is signed by [`KafkaServer::ca_file`].
    pub tls: bool,
    /// The address of this machine that it listens on, instead of that of loopback.
    pub host: Option<Ipv4Addr>,
    /// Whether it is to be fast for long rather than quickly there.
    pub for_load: bool,
    /// Further lines of the broker's configuration.
    pub properties: Vec<(String, String)>,
}

/// The user that listeners with SASL know.
pub const USER: &str = "tripline";
/// That user's password.
pub const PASSWORD: &str = "correct-horse";

/// A broker, which ends when the value goes.
#[derive(Debug)]
pub struct KafkaServer {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Existing(String),
    Own(Box<Own>),
}

#[derive(Debug)]
struct Own {
    installation: Installation,
    setup: Setup,
    for_load: bool,
    running: Option<Running>,
    // The last field, so that the folder goes after the process.
    folder: TempDir,
}

#[derive(Debug)]
struct Running {
    keeper: Child,
    words: Option<ChildStdin>,
    process: u32,
}

impl KafkaServer {
    /// The broker that `TRIPLINE_TEST_KAFKA` names, or one that is started.
    pub fn obtain(options: &KafkaOptions) -> Result<Self> {
        match variable("TRIPLINE_TEST_KAFKA") {
            Some(address) => Ok(Self {
                kind: Kind::Existing(address),
            }),
            None => Self::start(options),
        }
    }

    /// Starts a broker with empty data.
    pub fn start(options: &KafkaOptions) -> Result<Self> {
        let mut server = Self::prepare(options)?;
        server.restart()?;
        Ok(server)
    }

    /// A broker that has its ports and its empty data, and is not started yet.
    pub fn prepare(options: &KafkaOptions) -> Result<Self> {
        let installation = Installation::find_or_fetch()?;
        let folder = tempfile::Builder::new()
            .prefix("tripline-kafka-")
            .tempdir()
            .map_err(KafkaServerError::io(
                "making a folder for the broker's data",
            ))?;
        let setup = Setup::write(&installation, folder.path(), options)?;
        Ok(Self {
            kind: Kind::Own(Box::new(Own {
                installation,
                setup,
                for_load: options.for_load,
                running: None,
                folder,
            })),
        })
    }

    /// Starts it (again), on the same ports and with the same data, and waits until it answers.
    pub fn restart(&mut self) -> Result<()> {
        let own = self.own()?;
        own.end("kill");
        let mut command = own.installation.java();
        command.args(["-Xms96m", "-Xmx512m", "-XX:+UseSerialGC"]);
        if !own.for_load {
            // A test broker lives for seconds: quick to start beats quick later.
            command.arg("-XX:TieredStopAtLevel=1");
        }
        command
            .args(own.setup.logging_arguments())
            .arg("kafka.Kafka")
            .arg(own.setup.properties_file());
        own.running = Some(Running::start(&command, own.folder.path())?);
        Ok(())
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) -> Result<()> {
        self.own()?.end("kill");
        Ok(())
    }

    /// Ends it in good order.
    pub fn stop(&mut self) -> Result<()> {
        self.own()?.end("stop");
        Ok(())
    }

    /// Address of the listener without protection, as `host:port`.
    pub fn address(&self) -> String {
        match &self.kind {
            Kind::Existing(address) => address.clone(),
            Kind::Own(own) => own.setup.address("PLAINTEXT"),
        }
    }

    /// Address of the listener with SASL and no encryption.
    pub fn sasl_address(&self) -> Option<String> {
        self.listener("SASL_PLAINTEXT")
    }

    /// Address of the listener with TLS.
    pub fn tls_address(&self) -> Option<String> {
        self.listener("SSL")
    }

    /// Address of the listener with SASL inside TLS; when both were asked for.
    pub fn sasl_tls_address(&self) -> Option<String> {
        self.listener("SASL_SSL")
    }

    /// The certificate that the listeners with TLS can be checked against, as PEM.
    pub fn ca_file(&self) -> Option<PathBuf> {
        match &self.kind {
            Kind::Existing(_) => None,
            Kind::Own(own) => own.setup.ca_file(),
        }
    }

    /// The broker's process, while it runs.
    pub fn process(&self) -> Option<u32> {
        match &self.kind {
            Kind::Existing(_) => None,
            Kind::Own(own) => own.running.as_ref().map(|running| running.process),
        }
    }

    fn listener(&self, name: &str) -> Option<String> {
        match &self.kind {
            Kind::Existing(_) => None,
            Kind::Own(own) => own.setup.has(name).then(|| own.setup.address(name)),
        }
    }

    fn own(&mut self) -> Result<&mut Own> {
        match &mut self.kind {
            Kind::Existing(_) => Err(KafkaServerError::NotOurs),
            Kind::Own(own) => Ok(own),
        }
    }
}

impl Own {
    fn end(&mut self, word: &str) {
        if let Some(mut running) = self.running.take() {
            running.end(word);
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.end("kill");
    }
}

impl Running {
    fn start(broker: &Command, folder: &Path) -> Result<Self> {
        let mut command = Command::new("sh");
        command.arg("-c").arg(KEEPER).arg("sh");
        command.arg(broker.get_program()).args(broker.get_args());
        let mut keeper = command
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(KafkaServerError::io("starting the broker"))?;
        let words = keeper.stdin.take();
        let log = Arc::new(Mutex::new(VecDeque::new()));
        let (sender, receiver) = sync_channel(16);
        if let Some(output) = keeper.stdout.take() {
            let log = Arc::clone(&log);
            thread::spawn(move || follow(BufReader::new(output), &log, &sender));
        }
        let mut running = Self {
            keeper,
            words,
            process: 0,
        };
        match running.wait_until_started(&receiver) {
            Ok(()) => Ok(running),
            Err(reason) => {
                running.end("kill");
                let lines = log.lock().unwrap_or_else(PoisonError::into_inner);
                let lines: Vec<String> = lines.iter().cloned().collect();
                Err(KafkaServerError::NotStarted {
                    reason,
                    log: lines.join("\n"),
                })
            }
        }
    }

    fn wait_until_started(&mut self, told: &Receiver<Told>) -> Result<(), String> {
        let end = Instant::now() + START_LIMIT;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match told.recv_timeout(left) {
                Ok(Told::Process(process)) => self.process = process,
                Ok(Told::Started) => return Ok(()),
                Err(RecvTimeoutError::Disconnected) => return Err("it ended".to_owned()),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("not within {} s", START_LIMIT.as_secs()));
                }
            }
        }
    }

    /// Nothing is left to do about an end that fails: the keeper sees its input close in any case.
    fn end(&mut self, word: &str) {
        if let Some(mut words) = self.words.take() {
            let _ = writeln!(words, "{word}");
        }
        let _ = self.keeper.wait();
    }
}

enum Told {
    Process(u32),
    Started,
}

/// Reads to the end, so that the broker never waits for its log to be read.
fn follow(output: impl BufRead, log: &Mutex<VecDeque<String>>, sender: &SyncSender<Told>) {
    let mut is_started = false;
    for line in output.split(b'\n') {
        let Ok(line) = line else { return };
        let line = String::from_utf8_lossy(&line).into_owned();
        if let Some(process) = line.strip_prefix("pid ")
            && let Ok(process) = process.trim().parse()
        {
            let _ = sender.try_send(Told::Process(process));
        }
        if !is_started && line.contains(STARTED) {
            is_started = true;
            let _ = sender.try_send(Told::Started);
        }
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() == KEPT_LINES {
            log.pop_front();
        }
        log.push_back(line);
    }
}

#[cfg(test)]
mod tests;
