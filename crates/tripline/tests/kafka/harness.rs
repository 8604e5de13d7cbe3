//! A broker, servers in processes of their own, and messages.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, OnceLock, Weak},
    time::{Duration, Instant},
};

use serde_json::{Map, Value, json};
use tripline_features::{
    FeatureValue, FeatureVector, display_value, nsl_kdd,
    synthetic::{SyntheticRecord, SyntheticRecords},
};
use tripline_kafka::{
    Compression, Connection, Consumer, ConsumerConfig, Message, NewTopic, Outgoing, Producer,
    ProducerConfig, create_topics,
};
use tripline_servers::kafka::{KafkaOptions, KafkaServer};
use tripline_store::{SqliteOptions, SqliteStore, Store, StoredVerdict, Timestamp, VerdictFilter};

/// Nothing is asserted about time; this is when a test gives up.
pub(crate) const LIMIT: Duration = Duration::from_mins(3);

/// The broker that tests share. It goes with the last test that holds it.
pub(crate) fn broker() -> Arc<KafkaServer> {
    static SHARED: OnceLock<Mutex<Weak<KafkaServer>>> = OnceLock::new();
    let mut shared = SHARED.get_or_init(Mutex::default).lock().unwrap();
    if let Some(server) = shared.upgrade() {
        return server;
    }
    let options = KafkaOptions {
        sasl: true,
        ..KafkaOptions::default()
    };
    let server = Arc::new(KafkaServer::obtain(&options).unwrap());
    *shared = Arc::downgrade(&server);
    server
}

/// Names that no other test has, on a broker that may be older than this run.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) group: String,
    pub(crate) input: String,
    pub(crate) external: String,
    pub(crate) predictions: String,
    pub(crate) alerts: String,
}

impl Names {
    pub(crate) fn new() -> Self {
        let random = tempfile::tempdir().unwrap();
        let random = random.path().file_name().unwrap().to_str().unwrap();
        let name = |what: &str| format!("{what}-{}", random.trim_start_matches('.'));
        Self {
            group: name("group"),
            input: name("in"),
            external: name("external"),
            predictions: name("predictions"),
            alerts: name("alerts"),
        }
    }

    /// Makes the topics, with as many partitions each.
    pub(crate) fn make(&self, connection: &Connection, partitions: i32) {
        let letters = [&self.input, &self.external].map(|topic| format!("{topic}.dead-letter"));
        let topics = [&self.input, &self.external, &self.predictions, &self.alerts];
        let topics: Vec<NewTopic> = topics
            .into_iter()
            .chain(&letters)
            .map(|name| NewTopic::new(name, partitions))
            .collect();
        create_topics(connection, &topics, LIMIT).unwrap();
    }

    /// The options of a worker that reads the topic of trusted writers.
    pub(crate) fn options(&self, address: &str) -> Vec<String> {
        let options = [
            ("brokers", address),
            ("group", &self.group),
            ("topic", &self.input),
            ("predictions", &self.predictions),
            ("alerts", &self.alerts),
            // A worker that was killed is missed soon.
            ("session-timeout", "3"),
        ];
        let options = options.iter();
        options
            .map(|(name, value)| format!("--kafka-{name}={value}"))
            .collect()
    }
}

/// A server in a process of its own, killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    address: String,
}

impl Server {
    pub(crate) fn start(data_dir: &Path, models_dir: &Path, options: &[String]) -> Self {
        Self::start_by(
            Command::new(env!("CARGO_BIN_EXE_tripline")),
            "127.0.0.1:0",
            data_dir,
            models_dir,
            options,
        )
    }

    /// The same, where the command begins elsewhere.
    pub(crate) fn start_by(
        mut program: Command,
        listen: &str,
        data_dir: &Path,
        models_dir: &Path,
        options: &[String],
    ) -> Self {
        let mut child = program
            .args(["serve", "--listen", listen, "--data-dir"])
            .arg(data_dir)
            .arg("--models-dir")
            .arg(models_dir)
            .args(options)
            .env("TRIPLINE_LOG", "error,librdkafka=off")
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line.trim().strip_prefix("listening on http://");
        let address = address
            .unwrap_or_else(|| panic!("no server: {line}"))
            .to_owned();
        Self { child, address }
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        self.ask("GET", path, "")
    }

    /// Asks for something to be done.
    pub(crate) fn post(&self, path: &str, body: &str) -> Value {
        self.ask("POST", path, body)
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let (host, length) = (&self.address, body.len());
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let body = text.split_once("\r\n\r\n").unwrap().1;
        serde_json::from_str(body).unwrap_or_else(|_| panic!("no JSON: {text}"))
    }

    pub(crate) fn health(&self) -> Value {
        self.get("/api/v1/health/detailed")
    }

    /// The books of a topic; they have to balance whenever they are looked at.
    pub(crate) fn books(&self, topic: &str) -> Value {
        let health = self.health();
        let ledger = health["checks"]["kafka"]["ledger"].as_array().unwrap();
        let books = ledger.iter().find(|books| books["topic"] == topic).unwrap();
        let parts = [
            "scored",
            "dead_lettered",
            "rejected",
            "dropped",
            "handed_back",
            "pending",
        ];
        let sum: u64 = parts.iter().map(|part| books[part].as_u64().unwrap()).sum();
        assert_eq!(books["received"], sum, "{books}");
        books.clone()
    }

    /// The books once nothing is being worked on and so many messages have come.
    pub(crate) fn settled_books(&self, topic: &str, received: u64) -> Value {
        let mut books = Value::Null;
        until(&format!("{received} messages of {topic}"), || {
            books = self.books(topic);
            books["received"].as_u64().unwrap() >= received && books["pending"] == 0
        });
        books
    }

    /// As `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// As an operator does.
    pub(crate) fn stop(mut self) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(sent.success());
        let mut ended = None;
        until("the end of the server", || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        });
        assert!(ended.unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A process that has ended already is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The folder of the models that ship.
pub(crate) fn shipped_models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models")
}

/// Some of them, in a folder of their own.
pub(crate) fn some_models(folder: &Path, names: &[&str]) -> PathBuf {
    let target = folder.join("some-models");
    std::fs::create_dir_all(&target).unwrap();
    for name in names {
        let name = format!("{name}.tripline");
        std::fs::copy(shipped_models().join(&name), target.join(&name)).unwrap();
    }
    target
}

/// Waits for something that others bring about.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < end, "{what}: it never came about");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

pub(crate) fn connection(address: &str) -> Connection {
    Connection {
        first_pause: Duration::from_millis(50),
        longest_pause: Duration::from_secs(1),
        ..Connection::new(address)
    }
}

pub(crate) fn producer(connection: &Connection, compression: Compression) -> Producer {
    Producer::start(ProducerConfig {
        compression,
        delivery_limit: LIMIT,
        ..ProducerConfig::new(connection.clone())
    })
    .unwrap()
}

pub(crate) fn send(producer: &Producer, messages: &[Outgoing]) {
    let report = producer.send(messages, LIMIT);
    let undelivered: Vec<_> = report.undelivered().take(3).collect();
    assert!(undelivered.is_empty(), "{undelivered:?}");
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "payloads are made where they are sent"
)]
pub(crate) fn message(topic: &str, payload: impl ToString) -> Outgoing {
    Outgoing {
        topic: topic.to_owned(),
        payload: Some(payload.to_string().into_bytes()),
        ..Outgoing::default()
    }
}

/// Generated records of one seed.
pub(crate) fn records(count: usize) -> Vec<SyntheticRecord> {
    SyntheticRecords::new(11).take(count).collect()
}

/// A record by the names of its schema, with a number of ours in `src_bytes`.
pub(crate) fn row(record: &SyntheticRecord, number: usize) -> Map<String, Value> {
    let schema = nsl_kdd();
    let values = record.vector.values();
    let features = schema.features().iter().zip(values).enumerate();
    let mut row: Map<String, Value> = features
        .map(|(index, (feature, value))| {
            let value = match display_value(schema, index, *value) {
                FeatureValue::Name(name) => json!(name),
                FeatureValue::Number(number) => json!(number),
                FeatureValue::Missing => Value::Null,
            };
            (feature.name.to_owned(), value)
        })
        .collect();
    row.insert("src_bytes".to_owned(), json!(number));
    row
}

/// Every verdict of a store that nobody has open, oldest first.
pub(crate) fn stored(data_dir: &Path) -> Vec<StoredVerdict> {
    let path = data_dir.join("tripline.db");
    let options = SqliteOptions::default();
    let store = SqliteStore::open(&path, &options, Timestamp::from_seconds(0)).unwrap();
    let mut verdicts = Vec::new();
    let mut filter = VerdictFilter::default();
    loop {
        let page = store.list(&filter, 5000).unwrap();
        verdicts.extend(page.verdicts);
        match page.next {
            Some(next) => filter.cursor = Some(next),
            None => return verdicts,
        }
    }
}

/// The numbers that [`row`] put into verdicts, with how often each is there.
pub(crate) fn numbers(verdicts: &[StoredVerdict]) -> BTreeMap<u64, usize> {
    let schema = nsl_kdd();
    let place = schema
        .features()
        .iter()
        .position(|feature| feature.name == "src_bytes")
        .unwrap();
    let mut numbers = BTreeMap::new();
    for verdict in verdicts {
        let vector = FeatureVector::decode(&verdict.features, schema).unwrap();
        *numbers.entry(vector.values()[place] as u64).or_default() += 1;
    }
    numbers
}

/// Reads a topic from its beginning until `is_enough`.
pub(crate) fn read(
    connection: &Connection,
    topic: &str,
    mut is_enough: impl FnMut(&[Message]) -> bool,
) -> Vec<Message> {
    let group = Names::new().group;
    let config = ConsumerConfig::new(connection.clone(), group, [topic]);
    let consumer = Consumer::start(config).unwrap();
    let mut messages = Vec::new();
    until(&format!("messages of {topic}"), || {
        if let Some(batch) = consumer.next(Duration::from_millis(100)) {
            messages.extend(batch.messages);
            consumer.ack(&batch.ticket);
        }
        is_enough(&messages)
    });
    messages
}

pub(crate) fn text<'a>(message: &'a Message, header: &str) -> &'a str {
    let value = message.header(header);
    str::from_utf8(value.unwrap_or_else(|| panic!("no header {header}: {message:?}"))).unwrap()
}

pub(crate) fn body(message: &Message) -> Value {
    serde_json::from_slice(message.payload.as_ref().unwrap()).unwrap()
}
