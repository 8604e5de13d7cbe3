//! Datagrams of `NetFlow` and IPFIX from a socket to judged records.
//!
//! One thread takes datagrams from the socket as fast as it can and puts them into a bounded
//! queue; the caller's thread decodes and judges. What finds no room is dropped and counted, at
//! the socket by the kernel, at the queue here.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tripline_records::{CollectorLimits, FlowCollector, Withdrawals};
use tripline_store::Timestamp;

use super::{JudgedRecord, RecordBooks, RecordJudges};

/// How often the stop flag is looked at while nothing comes.
const PATIENCE: Duration = Duration::from_millis(100);
/// No UDP datagram is longer.
const MAX_DATAGRAM_BYTES: usize = 65_535;
/// Datagrams that are judged before what they gave is handed over.
const BATCH: usize = 256;

/// How datagrams are collected.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CollectorConfig {
    /// Datagrams that may wait.
    pub(crate) queue: usize,
    /// What exporters may make the collector remember.
    pub(crate) limits: CollectorLimits,
    /// The clock.
    pub(crate) now: fn() -> Timestamp,
}

impl CollectorConfig {
    /// Over UDP a withdrawal of a template is a mistake or a forgery.
    pub(crate) fn new(queue: usize, now: fn() -> Timestamp) -> Self {
        Self {
            queue,
            limits: CollectorLimits {
                withdrawals: Withdrawals::Ignore,
                ..CollectorLimits::default()
            },
            now,
        }
    }
}

/// What became of everything that was sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct CollectorBooks {
    /// Datagrams and records.
    pub(crate) records: RecordBooks,
    /// Datagrams that found the queue full.
    pub(crate) queue_dropped: u64,
    /// Datagrams that the kernel had no room for; `None` where it does not say.
    pub(crate) kernel_dropped: Option<u64>,
}

impl CollectorBooks {
    /// For programs.
    pub(crate) fn to_json(&self) -> Value {
        let mut books = self.records.to_json();
        books["queue_dropped"] = self.queue_dropped.into();
        books["kernel_dropped"] = self.kernel_dropped.into();
        books
    }
}

struct Datagram {
    exporter: IpAddr,
    bytes: Vec<u8>,
    received_micros: i64,
}

/// Collects until the flag says stop, judges what is still waiting, and returns the books.
/// `receive` gets a batch whenever there is one; its error stops the collecting.
pub(crate) fn collect(
    socket: &UdpSocket,
    stop: &AtomicBool,
    config: &CollectorConfig,
    judges: &mut RecordJudges,
    mut receive: impl FnMut(&[JudgedRecord], &RecordJudges) -> anyhow::Result<()>,
) -> anyhow::Result<CollectorBooks> {
    socket.set_read_timeout(Some(PATIENCE))?;
    let dropped = AtomicU64::new(0);
    let mut collector = FlowCollector::new(config.limits);
    let mut books = RecordBooks::new("NetFlow or IPFIX");
    thread::scope(|scope| {
        let (sender, queue) = sync_channel(config.queue);
        let reader = {
            let (dropped, now) = (&dropped, config.now);
            scope.spawn(move || listen(socket, stop, now, &sender, dropped))
        };
        let outcome = judge_all(&queue, &mut collector, judges, &mut books, &mut receive);
        // Without a receiver the reader has nobody to read for.
        stop.store(true, Ordering::Relaxed);
        drop(queue);
        let read = reader.join().map_err(|_| {
            anyhow::anyhow!("the thread that reads the socket stopped unexpectedly")
        })?;
        outcome.and(read.map_err(anyhow::Error::from))
    })?;
    books.set_datagrams(collector.counts());
    Ok(CollectorBooks {
        records: books,
        queue_dropped: dropped.into_inner(),
        kernel_dropped: kernel_drops(socket),
    })
}

fn listen(
    socket: &UdpSocket,
    stop: &AtomicBool,
    now: fn() -> Timestamp,
    queue: &SyncSender<Datagram>,
    dropped: &AtomicU64,
) -> io::Result<()> {
    let mut buffer = vec![0; MAX_DATAGRAM_BYTES];
    while !stop.load(Ordering::Relaxed) {
        let (length, exporter) = match socket.recv_from(&mut buffer) {
            Ok(received) => received,
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock
                | ErrorKind::TimedOut
                | ErrorKind::Interrupted
                // An answer to something that was sent from this port, which is none of ours.
                | ErrorKind::ConnectionRefused
                | ErrorKind::ConnectionReset => continue,
                _ => return Err(error),
            },
        };
        let datagram = Datagram {
            exporter: exporter.ip(),
            bytes: buffer.get(..length).unwrap_or_default().to_vec(),
            received_micros: now().0,
        };
        match queue.try_send(datagram) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => _ = dropped.fetch_add(1, Ordering::Relaxed),
            Err(TrySendError::Disconnected(_)) => break,
        }
    }
    Ok(())
}

/// Judges until the reader has gone and the queue is empty.
fn judge_all(
    queue: &Receiver<Datagram>,
    collector: &mut FlowCollector,
    judges: &mut RecordJudges,
    books: &mut RecordBooks,
    receive: &mut impl FnMut(&[JudgedRecord], &RecordJudges) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut records = Vec::new();
    let mut batch = Vec::new();
    while let Ok(first) = queue.recv() {
        let waiting = std::iter::once(first).chain(queue.try_iter()).take(BATCH);
        for datagram in waiting {
            let at = datagram.received_micros;
            collector.datagram(datagram.exporter, &datagram.bytes, at, &mut records);
            for record in records.drain(..) {
                let judged = judges.judge(record, Some(at));
                books.add(&judged);
                batch.push(judged);
            }
        }
        receive(&batch, judges)?;
        batch.clear();
    }
    Ok(())
}

/// What the kernel says it dropped at this socket, on Linux.
fn kernel_drops(socket: &UdpSocket) -> Option<u64> {
    let address = socket.local_addr().ok()?;
    let table = match address {
        SocketAddr::V4(_) => "/proc/net/udp",
        SocketAddr::V6(_) => "/proc/net/udp6",
    };
    drops_in(&std::fs::read_to_string(table).ok()?, address.port())
}

/// The last column of the line with this local port.
fn drops_in(table: &str, port: u16) -> Option<u64> {
    let ending = format!(":{port:04X}");
    let mut lines = table.lines().skip(1);
    lines.find_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let is_ours = fields.nth(1)?.ends_with(&ending);
        let drops = fields.next_back()?;
        is_ours.then(|| drops.parse().ok())?
    })
}

#[cfg(test)]
mod tests;
