//! Many clients of the live stream of a running server, to measure it: each listens to `/ws/realtime`
//! while rows are sent to `/api/v1/score` at a constant rate. Every client counts its messages; some
//! read the times of theirs, which gives the delay from the verdict to the client.
//!
//! `--slow N` adds clients that never read, which must not delay the others.
//!
//! ```sh
//! cargo run --release -p tripline --example listeners -- --server 127.0.0.1:8000 \
//!     --clients 1000 --rate 500 --seconds 30 --slow 5
//! ```

use std::{
    error::Error,
    io::{Write, stdout},
    sync::Arc,
    time::Duration,
};

use clap::Parser;
use serde_json::{Map, Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::Mutex,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout_at},
};
use tripline_features::{FeatureValue, display_value, nsl_kdd, synthetic::SyntheticRecords};

type Failure = Box<dyn Error + Send + Sync>;

/// Clients that read the times of their messages.
const READERS: usize = 10;
/// How often rows are sent.
const EVERY: Duration = Duration::from_millis(100);
/// Opcode of a text frame (RFC 6455, section 5.2).
const TEXT: u8 = 1;

#[derive(Debug, Parser)]
struct Options {
    /// `host:port`.
    #[arg(long)]
    server: String,
    #[arg(long, default_value_t = 1000)]
    clients: usize,
    /// Verdicts a second.
    #[arg(long, default_value_t = 500)]
    rate: usize,
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Further clients that never read.
    #[arg(long, default_value_t = 0)]
    slow: usize,
}

/// What a client has heard.
#[derive(Debug, Default)]
struct Heard {
    predictions: u64,
    bytes: u64,
    /// Milliseconds from verdict to client.
    delays: Vec<f64>,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let options = Options::parse();
    let mut listeners = Vec::new();
    let mut slow = Vec::new();
    let server: Arc<str> = options.server.as_str().into();
    // Long after the last verdict: what is late counts too.
    let end = Instant::now() + Duration::from_secs(options.seconds + 60);
    let stopped = Arc::new(Mutex::new(end));
    for number in 0..options.clients {
        let stream = join(&server).await?;
        listeners.push(tokio::spawn(listen(
            stream,
            number < READERS,
            Arc::clone(&stopped),
        )));
    }
    for _ in 0..options.slow {
        slow.push(join(&server).await?);
    }
    let sent = send(&server, &options).await?;
    sleep(Duration::from_secs(3)).await;
    *stopped.lock().await = Instant::now();
    let mut complete = 0;
    let mut bytes = 0;
    let mut delays = Vec::new();
    for listener in listeners {
        let heard = listener.await??;
        complete += usize::from(heard.predictions == sent);
        bytes += heard.bytes;
        delays.extend(heard.delays);
    }
    delays.sort_by(f64::total_cmp);
    let quantile = |share: f64| {
        let place = (delays.len().saturating_sub(1)) as f64 * share;
        delays.get(place as usize).copied()
    };
    let result = json!({
        "clients": options.clients,
        "slow_clients": options.slow,
        "verdicts": sent,
        "clients_that_heard_all": complete,
        "messages_per_second": (sent * options.clients as u64) as f64 / options.seconds as f64,
        "megabytes_per_second": bytes as f64 / 1e6 / options.seconds as f64,
        "delay_ms": { "median": quantile(0.5), "p99": quantile(0.99), "longest": quantile(1.0) },
    });
    writeln!(stdout(), "{result}")?;
    Ok(())
}

/// Opens a WebSocket (RFC 6455, section 4.1); the key need not be random for a measurement.
async fn join(server: &str) -> Result<BufReader<TcpStream>, Failure> {
    let mut stream = TcpStream::connect(server).await?;
    let request = format!(
        "GET /ws/realtime HTTP/1.1\r\nHost: {server}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut stream = BufReader::with_capacity(64 << 10, stream);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
        if head.len() > 4096 {
            return Err("the answer to the handshake has no end".into());
        }
    }
    if head.starts_with(b"HTTP/1.1 101 ") {
        Ok(stream)
    } else {
        Err(String::from_utf8_lossy(&head).into())
    }
}

async fn listen(
    mut stream: BufReader<TcpStream>,
    reads: bool,
    stopped: Arc<Mutex<Instant>>,
) -> Result<Heard, Failure> {
    let mut heard = Heard::default();
    let mut payload = Vec::new();
    loop {
        let end = *stopped.lock().await;
        let pause = (Instant::now() + Duration::from_secs(1)).min(end);
        match timeout_at(pause, stream.fill_buf()).await {
            Ok(filled) => {
                if filled?.is_empty() {
                    return Err("the server has closed".into());
                }
            }
            Err(_) if Instant::now() >= end => return Ok(heard),
            Err(_) => continue,
        }
        let head = stream.read_u16().await?;
        let length = match head & 0x7f {
            126 => u64::from(stream.read_u16().await?),
            127 => stream.read_u64().await?,
            length => u64::from(length),
        };
        payload.resize(usize::try_from(length)?, 0);
        stream.read_exact(&mut payload).await?;
        heard.bytes += length;
        if (head >> 8) as u8 & 0xf != TEXT {
            continue;
        }
        // The kind is what a message ends with; to read all of each would measure the reader.
        let is_prediction = payload.ends_with(b"\"type\":\"prediction\"}");
        heard.predictions += u64::from(is_prediction);
        if reads && is_prediction {
            let message: Value = serde_json::from_slice(&payload)?;
            let at: jiff::Timestamp = message["timestamp"].as_str().unwrap_or_default().parse()?;
            let delay = jiff::Timestamp::now().duration_since(at);
            heard.delays.push(delay.as_secs_f64() * 1e3);
        }
    }
}

/// Sends rows at the rate; how many were judged.
async fn send(server: &str, options: &Options) -> Result<u64, Failure> {
    let per_turn = options.rate * EVERY.as_millis() as usize / 1000;
    let records: Vec<_> = SyntheticRecords::new(5).take(per_turn).collect();
    let schema = nsl_kdd();
    let rows: Vec<Value> = records
        .iter()
        .map(|record| {
            let features = schema.features().iter().enumerate();
            let row: Map<String, Value> = features
                .zip(record.vector.values())
                .map(|((index, feature), value)| {
                    let value = match display_value(schema, index, *value) {
                        FeatureValue::Name(name) => json!(name),
                        FeatureValue::Number(number) => json!(number),
                        FeatureValue::Missing => Value::Null,
                    };
                    (feature.name.to_owned(), value)
                })
                .collect();
            Value::Object(row)
        })
        .collect();
    let body = json!({ "rows": rows }).to_string();
    let mut stream = BufReader::new(TcpStream::connect(server).await?);
    let mut turns = interval(EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut sent = 0;
    for _ in 0..options.seconds * 1000 / EVERY.as_millis() as u64 {
        turns.tick().await;
        let request = format!(
            "POST /api/v1/score HTTP/1.1\r\nHost: {server}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.get_mut().write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8(head)?.to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .ok_or("an answer without its length")?;
        let mut answer = vec![0; length.trim().parse()?];
        stream.read_exact(&mut answer).await?;
        let answer: Value = serde_json::from_slice(&answer)?;
        sent += answer["rows_scored"]
            .as_u64()
            .ok_or_else(|| answer.to_string())?;
    }
    Ok(sent)
}
