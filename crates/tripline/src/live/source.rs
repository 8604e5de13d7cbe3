//! A source that runs by itself: an interface is watched, its verdicts are stored, and an end that
//! nobody asked for is followed by another try, later each time.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use tripline_store::{BatchId, NewStream, Source, Store, StoreError, Timestamp};

use super::{
    CaptureParams, Ended, LiveCounts, LiveError, Stopper, Watch,
    writer::{FlowWriter, Target},
};
use crate::{api::STORED_REASONS, registry::Models, sensor::Judges};

/// First and longest pause before an interface that ended is tried again.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
/// A run that lasted this long was a good one: the next pause is a short one again.
const GOOD_RUN: Duration = Duration::from_mins(1);

/// How a source is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// It runs.
    Running,
    /// It is off.
    Stopped,
    /// It was to run and could not be started.
    Failed,
    /// It ended and will be tried again.
    Retrying,
}

impl Status {
    /// The name used by the API.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Retrying => "retrying",
        }
    }
}

/// How a source is doing, and what it has come to since the process was started.
#[derive(Debug, Clone)]
pub(crate) struct SourceState {
    /// How it is doing.
    pub(crate) status: Status,
    /// Why, when there is something to say.
    pub(crate) message: Option<String>,
    /// Since when.
    pub(crate) since: Timestamp,
    /// What it has come to.
    pub(crate) counts: SourceCounts,
}

/// What a source has come to. Frames are packets, what could not be decoded, what was shed, and
/// for a moment what waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SourceCounts {
    /// Frames taken.
    pub(crate) frames: u64,
    /// Packets metered.
    pub(crate) packets: u64,
    /// Frames that could not be decoded.
    pub(crate) not_decoded: u64,
    /// Flows begun.
    pub(crate) flows: u64,
    /// Verdicts stored; one that superseded another is the same verdict.
    pub(crate) verdicts: u64,
    /// Frames that the kernel had no room for.
    pub(crate) dropped_kernel: u64,
    /// Frames that the interface or its driver lost.
    pub(crate) dropped_interface: u64,
    /// Packets shed by us.
    pub(crate) dropped_queue: u64,
}

impl SourceCounts {
    /// Those of earlier runs and those of this one.
    fn and(self, run: &LiveCounts, verdicts: u64) -> Self {
        Self {
            frames: self.frames + run.sensor.frames,
            packets: self.packets + run.sensor.meter.packets,
            not_decoded: self.not_decoded + run.sensor.causes.total(),
            flows: self.flows + run.sensor.meter.flows,
            verdicts,
            dropped_kernel: self.dropped_kernel + run.dropped_kernel,
            dropped_interface: self.dropped_interface + run.dropped_interface,
            dropped_queue: self.dropped_queue + run.dropped_queue,
        }
    }
}

/// Why a source could not be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The interface.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a source needs to work.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) models: Arc<Models>,
    pub(crate) clock: fn() -> Timestamp,
}

/// Looks at a source, whoever is starting or stopping it.
#[derive(Debug, Clone)]
pub(crate) struct SourceHandle(Arc<Shared>);

impl SourceHandle {
    /// How it is doing.
    pub(crate) fn state(&self) -> SourceState {
        self.0.state()
    }

    /// Seconds from the traffic that told a flow to its stored verdict.
    pub(crate) fn lag(&self) -> Histogram {
        self.0.lag.clone()
    }
}

/// The source `packet_capture`, running or not.
#[derive(Debug)]
pub(crate) struct CaptureSource {
    shared: Arc<Shared>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    control: Arc<Control>,
    thread: thread::JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<SourceState>,
    verdicts: Arc<AtomicU64>,
    lag: Histogram,
}

/// How the thread of a source is asked to end, whatever it is doing.
#[derive(Debug, Default)]
struct Control {
    is_stopped: Mutex<bool>,
    changed: Condvar,
    /// Ends the run of this moment.
    current: Mutex<Option<Ending>>,
}

#[derive(Debug)]
struct Ending {
    watch: Stopper,
    writer: Arc<AtomicBool>,
}

impl Ending {
    fn ask(&self) {
        self.writer.store(true, Ordering::Release);
        self.watch.stop();
    }
}

impl CaptureSource {
    /// A source that is off.
    pub(crate) fn new(now: Timestamp) -> Self {
        let state = SourceState {
            status: Status::Stopped,
            message: None,
            since: now,
            counts: SourceCounts::default(),
        };
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                verdicts: Arc::default(),
                // 10 ms to a minute.
                lag: Histogram::new(exponential_buckets(0.01, 1.5, 22)),
            }),
            running: None,
        }
    }

    /// For whoever wants to know how it is doing.
    pub(crate) fn handle(&self) -> SourceHandle {
        SourceHandle(Arc::clone(&self.shared))
    }

    /// Starts it; one that runs must have been stopped. An interface that cannot be opened is an
    /// error, and the source stays off.
    pub(crate) fn start(
        &mut self,
        params: &CaptureParams,
        surroundings: &Surroundings,
    ) -> Result<(), StartError> {
        let run = Run::begin(params, surroundings, &self.shared).inspect_err(|error| {
            let words = error.to_string();
            self.shared
                .set(Status::Failed, Some(words), surroundings.clock);
        })?;
        Ok(self.supervise(Some(run), params, surroundings)?)
    }

    /// Starts it, and tries again later if that does not succeed now.
    pub(crate) fn start_or_retry(
        &mut self,
        params: &CaptureParams,
        surroundings: &Surroundings,
    ) -> Result<(), StartError> {
        let run = match Run::begin(params, surroundings, &self.shared) {
            Ok(run) => Some(run),
            Err(error) => {
                self.shared.retry(&error.to_string(), surroundings.clock);
                None
            }
        };
        Ok(self.supervise(run, params, surroundings)?)
    }

    fn supervise(
        &mut self,
        first: Option<Run>,
        params: &CaptureParams,
        surroundings: &Surroundings,
    ) -> Result<(), LiveError> {
        let control = Arc::new(Control::default());
        let mut supervisor = Supervisor {
            params: params.clone(),
            surroundings: surroundings.clone(),
            shared: Arc::clone(&self.shared),
            control: Arc::clone(&control),
        };
        let thread = thread::Builder::new()
            .name("packet-capture".to_owned())
            .spawn(move || supervisor.run(first))?;
        self.running = Some(Running { control, thread });
        Ok(())
    }

    /// Ends it: every flow gets its last verdict, and all are stored.
    pub(crate) fn stop(&mut self, clock: fn() -> Timestamp) {
        if let Some(Running { control, thread }) = self.running.take() {
            control.stop();
            if thread.join().is_err() {
                tracing::error!("the thread of a capture stopped unexpectedly");
            }
        }
        if self.shared.state().status != Status::Stopped {
            self.shared.set(Status::Stopped, None, clock);
        }
    }

    /// Whether it is to run.
    pub(crate) fn is_on(&self) -> bool {
        self.running.is_some()
    }
}

impl Shared {
    fn state(&self) -> SourceState {
        lock(&self.state).clone()
    }

    fn set(&self, status: Status, message: Option<String>, clock: fn() -> Timestamp) {
        let mut state = lock(&self.state);
        state.status = status;
        state.message = message;
        state.since = clock();
    }

    fn retry(&self, reason: &str, clock: fn() -> Timestamp) {
        tracing::warn!(reason, "the capture is tried again later");
        self.set(Status::Retrying, Some(reason.to_owned()), clock);
    }
}

impl Control {
    fn stop(&self) {
        *lock(&self.is_stopped) = true;
        self.changed.notify_all();
        if let Some(ending) = &*lock(&self.current) {
            ending.ask();
        }
    }

    /// Makes a run the one that is to be ended; one that comes too late ends at once.
    fn enter(&self, ending: Ending) {
        // Whoever stops says so first and looks for the run then: one of the two sees the other.
        *lock(&self.current) = Some(ending);
        let is_stopped = *lock(&self.is_stopped);
        if let (true, Some(ending)) = (is_stopped, &*lock(&self.current)) {
            ending.ask();
        }
    }

    /// Waits; whether the end was asked for meanwhile.
    fn pause(&self, pause: Duration) -> bool {
        let is_stopped = lock(&self.is_stopped);
        let (is_stopped, _) = self
            .changed
            .wait_timeout_while(is_stopped, pause, |is_stopped| !*is_stopped)
            .unwrap_or_else(PoisonError::into_inner);
        *is_stopped
    }
}

/// An interface that is watched, and where its verdicts go.
struct Run {
    watch: Watch,
    writer: FlowWriter,
}

impl Run {
    fn begin(
        params: &CaptureParams,
        surroundings: &Surroundings,
        shared: &Shared,
    ) -> Result<Self, StartError> {
        let judges =
            Judges::following(&surroundings.models, STORED_REASONS).map_err(LiveError::from)?;
        let watch = Watch::start(
            &params.interface_config(),
            params.sensor_config(),
            judges,
            None,
        )?;
        let stopper = watch.stopper();
        let writer = || -> Result<FlowWriter, StartError> {
            let stream = surroundings.store.open_stream(&NewStream {
                key: BatchId::from_bytes(*uuid::Uuid::new_v4().as_bytes()),
                source: Source::PacketCapture,
                created_at: (surroundings.clock)(),
            })?;
            let target = Target {
                store: Arc::clone(&surroundings.store),
                stream,
                clock: surroundings.clock,
                verdicts: Arc::clone(&shared.verdicts),
                lag: shared.lag.clone(),
            };
            FlowWriter::start(target, params.buffer_size)
                .map_err(|error| LiveError::from(error).into())
        };
        let writer = writer().inspect_err(|_| stopper.stop())?;
        shared.set(Status::Running, None, surroundings.clock);
        Ok(Self { watch, writer })
    }

    fn ending(&self) -> Ending {
        Ending {
            watch: self.watch.stopper(),
            writer: self.writer.expect_end(),
        }
    }
}

struct Supervisor {
    params: CaptureParams,
    surroundings: Surroundings,
    shared: Arc<Shared>,
    control: Arc<Control>,
}

impl Supervisor {
    fn run(&mut self, first: Option<Run>) {
        let clock = self.surroundings.clock;
        let mut pause = PAUSES.0;
        let mut next = first;
        loop {
            let started = Instant::now();
            if let Some(run) = next.take() {
                match self.carry_out(run) {
                    Ok(Ended::Asked | Ended::Limit) => return,
                    Ok(Ended::Failed(reason)) => self.shared.retry(&reason, clock),
                    Err(error) => self.shared.retry(&format!("{error:#}"), clock),
                }
            }
            if started.elapsed() >= GOOD_RUN {
                pause = PAUSES.0;
            }
            if self.control.pause(pause) {
                return;
            }
            pause = (pause * 2).min(PAUSES.1);
            match Run::begin(&self.params, &self.surroundings, &self.shared) {
                Ok(run) => {
                    tracing::info!(interface = %self.params.interface, "the capture runs again");
                    next = Some(run);
                }
                Err(error) => self.shared.retry(&error.to_string(), clock),
            }
        }
    }

    /// One run, until its end; all its verdicts are stored then.
    fn carry_out(&self, run: Run) -> anyhow::Result<Ended> {
        self.control.enter(run.ending());
        let before = lock(&self.shared.state).counts;
        let Run { watch, writer } = run;
        let count = |counts: &LiveCounts| {
            let verdicts = self.shared.verdicts.load(Ordering::Relaxed);
            lock(&self.shared.state).counts = before.and(counts, verdicts);
        };
        let (counts, outcome) = watch.run(self.surroundings.clock, None, |flows, panel, counts| {
            count(counts);
            writer.write(flows, panel, counts.metered_until)
        });
        let written = writer.finish();
        count(&counts);
        // The writer knows better why it takes no more flows.
        written?;
        outcome
    }
}

/// What these mutexes guard is changed by single calls that leave it whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
