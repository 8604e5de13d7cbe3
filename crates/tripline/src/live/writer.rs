//! Writes the verdicts of an interface: one thread behind a bounded queue. When the store is slow
//! the queue fills, metering waits, and the queue of packets sheds – one place, and counted.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use anyhow::Context;
use opentelemetry::KeyValue;
use prometheus_client::metrics::histogram::Histogram;
use tripline_store::{Store, Stream, Timestamp};

use super::{FlowRows, Places};
use crate::{
    sensor::{JudgedFlow, Panel},
    traces::{self, New, Span},
};

/// Flows that go into the queue together.
const CHUNK_FLOWS: usize = 100;
/// Flows that are written in one go.
const GROUP_FLOWS: usize = 2048;
/// How long to wait before a store that could not write is asked again.
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// How long a store may be unable to write when the end is wanted.
const END_PATIENCE: Duration = Duration::from_secs(5);

/// The queue to the thread that writes.
#[derive(Debug)]
pub(super) struct FlowWriter {
    queue: SyncSender<Chunk>,
    thread: thread::JoinHandle<anyhow::Result<()>>,
    ending: Arc<AtomicBool>,
}

/// Flows, and the models that judged them.
struct Chunk {
    panel: Arc<Panel>,
    flows: Vec<JudgedFlow>,
    /// When they were judged, where that is traced.
    judged_at: Option<SystemTime>,
    /// Up to when traffic was metered when they were told, in microseconds since 1970.
    metered_until: i64,
}

/// Where flows are written to.
pub(super) struct Target {
    pub(super) store: Arc<dyn Store>,
    pub(super) stream: Stream,
    pub(super) clock: fn() -> Timestamp,
    /// Counts the verdicts that are stored.
    pub(super) verdicts: Arc<AtomicU64>,
    /// Seconds from the traffic that told a flow to its stored verdict.
    pub(super) lag: Histogram,
}

impl FlowWriter {
    /// Starts the thread; `buffered` flows may wait.
    pub(super) fn start(target: Target, buffered: u64) -> std::io::Result<Self> {
        let chunks = usize::try_from(buffered).unwrap_or(usize::MAX) / CHUNK_FLOWS;
        let (queue, flows) = sync_channel(chunks.max(1));
        let ending = Arc::new(AtomicBool::new(false));
        let mut writing = Writing {
            target,
            rows: None,
            places: Places::default(),
            ending: Arc::clone(&ending),
        };
        let thread = thread::Builder::new()
            .name("flow-writer".to_owned())
            .spawn(move || writing.run(&flows))?;
        Ok(Self {
            queue,
            thread,
            ending,
        })
    }

    /// Hands flows over; waits when too many are waiting already. After an error nothing is
    /// written any more, and [`finish`](Self::finish) has the reason.
    pub(super) fn write(
        &self,
        flows: &mut Vec<JudgedFlow>,
        panel: &Arc<Panel>,
        metered_until: i64,
    ) -> anyhow::Result<()> {
        let judged_at = traces::now();
        while !flows.is_empty() {
            let chunk = Chunk {
                panel: Arc::clone(panel),
                flows: flows.drain(..flows.len().min(CHUNK_FLOWS)).collect(),
                judged_at,
                metered_until,
            };
            self.queue
                .send(chunk)
                .ok()
                .context("verdicts cannot be stored any more")?;
        }
        Ok(())
    }

    /// That the end is wanted: a store that cannot write is not waited for without end.
    pub(super) fn expect_end(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.ending)
    }

    /// Waits until everything is written.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        drop(self.queue);
        self.thread
            .join()
            .map_err(|_| anyhow::anyhow!("the thread that writes verdicts stopped unexpectedly"))?
    }
}

struct Writing {
    target: Target,
    /// For flows that this panel judged.
    rows: Option<(Arc<Panel>, FlowRows)>,
    places: Places,
    ending: Arc<AtomicBool>,
}

impl Writing {
    fn run(&mut self, queue: &Receiver<Chunk>) -> anyhow::Result<()> {
        let mut waiting = None;
        while let Some(first) = waiting.take().or_else(|| queue.recv().ok()) {
            let mut metered = vec![(first.metered_until, first.flows.len())];
            let Chunk {
                panel,
                mut flows,
                judged_at,
                ..
            } = first;
            while flows.len() < GROUP_FLOWS {
                match queue.try_recv() {
                    Ok(mut more) if Arc::ptr_eq(&more.panel, &panel) => {
                        metered.push((more.metered_until, more.flows.len()));
                        flows.append(&mut more.flows);
                    }
                    // Other models judged it.
                    Ok(chunk) => {
                        waiting = Some(chunk);
                        break;
                    }
                    Err(_) => break,
                }
            }
            let span = Span::root(None, || New {
                attributes: vec![KeyValue::new("tripline.flows", flows.len() as i64)],
                begun: judged_at,
                ..New::step("packet_capture")
            });
            let _within = span.enter();
            self.write(&panel, &flows)
                .inspect_err(|_| span.fail("store"))?;
            let now = (self.target.clock)();
            for (until, flows) in metered {
                let lag = now.0.saturating_sub(until).max(0) as f64 / 1e6;
                for _ in 0..flows {
                    self.target.lag.observe(lag);
                }
            }
        }
        Ok(())
    }

    /// Stores flows. What can succeed later is tried again: the flows keep their places, so that
    /// what was stored of them before the error is only found to be there.
    fn write(&mut self, panel: &Arc<Panel>, flows: &[JudgedFlow]) -> anyhow::Result<()> {
        if self
            .rows
            .as_ref()
            .is_none_or(|(known, _)| !Arc::ptr_eq(known, panel))
        {
            self.rows = Some((Arc::clone(panel), FlowRows::new(panel.pipelines())));
        }
        let Some((_, rows)) = &mut self.rows else {
            return Ok(());
        };
        rows.prepare(flows, &mut self.places)?;
        let _span = traces::storing(&*self.target.store, flows.len());
        let mut ending_since: Option<Instant> = None;
        let mut is_told = false;
        loop {
            let now = (self.target.clock)();
            let Target { store, stream, .. } = &self.target;
            let error = match rows.store(&**store, *stream, now, flows) {
                Ok(outcome) => {
                    self.target
                        .verdicts
                        .fetch_add(outcome.inserted, Ordering::Relaxed);
                    return Ok(());
                }
                Err(error) => error,
            };
            let is_ending = self.ending.load(Ordering::Acquire);
            let is_late = is_ending
                && ending_since.get_or_insert_with(Instant::now).elapsed() >= END_PATIENCE;
            if !error.is_retryable() || is_late {
                tracing::error!(%error, flows = flows.len(), "verdicts of a live interface are lost");
                return Err(error.into());
            }
            if !is_told {
                is_told = true;
                tracing::warn!(%error, flows = flows.len(), "verdicts of a live interface wait for the store");
            }
            thread::sleep(RETRY_PAUSE);
        }
    }
}
