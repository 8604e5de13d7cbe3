//! From an interface to judged flows, until somebody asks for an end or the interface has one.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tripline_detect::DetectError;
use tripline_flow::Early;
use tripline_store::Timestamp;

use super::{
    interface::{self, InterfaceConfig},
    queue::{Ended, Queue, ReadCounts},
};
use crate::sensor::{JudgedFlow, Judges, Panel, Sensor, SensorConfig, SensorCounts, tell_all};

/// How long packets are collected before they are metered.
const TICK: Duration = Duration::from_millis(100);
/// How far behind the clock the flows are when no packets come: those that the kernel or the queue
/// still holds are not to be late.
const MARGIN_MICROS: i64 = 1_000_000;
/// How often a silent interface is looked at.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// How long the thread that takes frames may need to notice an end. An old libpcap waits for the
/// next frame.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// Early verdicts on live traffic, where nothing else is asked for.
pub(crate) const EARLY: Early = Early {
    after_packets: 20,
    after_micros: 12_000_000,
};

/// Why an interface cannot be watched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LiveError {
    /// There is no such interface.
    #[error("there is no interface '{name}'; this machine has {}", known.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The process may not capture.
    #[error(
        "capturing on '{name}' is not permitted ({reason}): it needs the capability CAP_NET_RAW. \
         Run as root, or give it to the program once: \
         setcap cap_net_raw,cap_net_admin=eip \"$(command -v tripline)\""
    )]
    Permission {
        /// The interface.
        name: String,
        /// What the system said.
        reason: String,
    },
    /// The filter of libpcap cannot be compiled.
    #[error("the filter '{expression}' cannot be used: {reason}")]
    Filter {
        /// What was asked for.
        expression: String,
        /// What libpcap said.
        reason: String,
    },
    /// The interface cannot be opened.
    #[error("interface '{name}' cannot be opened: {reason}")]
    Open {
        /// The interface.
        name: String,
        /// What the system said.
        reason: String,
    },
    /// The interfaces cannot be listed.
    #[error("the interfaces of this machine cannot be listed: {reason}")]
    List {
        /// What the system said.
        reason: String,
    },
    /// No model judges flows.
    #[error("no model that judges flows is loaded")]
    Models(#[from] DetectError),
    /// A thread cannot be started.
    #[error("the thread that captures cannot be started")]
    Thread(#[from] std::io::Error),
}

/// What became of everything that an interface gave.
#[derive(Debug, Clone, Default)]
pub(crate) struct LiveCounts {
    /// Frames, packets and flows.
    pub(crate) sensor: SensorCounts,
    /// Packets shed by us, because metering did not keep up.
    pub(crate) dropped_queue: u64,
    /// Frames that the kernel had no room for.
    pub(crate) dropped_kernel: u64,
    /// Frames that the interface or its driver lost.
    pub(crate) dropped_interface: u64,
    /// Up to when traffic is metered, in microseconds since 1970.
    pub(crate) metered_until: i64,
}

/// Asks a watch for its end, from any thread.
#[derive(Debug, Clone)]
pub(crate) struct Stopper(Arc<Queue>);

impl Stopper {
    /// Asks.
    pub(crate) fn stop(&self) {
        self.0.stop();
    }
}

/// An interface from which frames are taken already.
#[derive(Debug)]
pub(crate) struct Watch {
    name: String,
    was_up: bool,
    queue: Arc<Queue>,
    thread: thread::JoinHandle<()>,
    sensor: Sensor,
    counts: LiveCounts,
}

impl Watch {
    /// Opens the interface and begins to take frames, up to so many.
    pub(crate) fn start(
        config: &InterfaceConfig,
        sensor: SensorConfig,
        judges: Judges,
        limit: Option<u64>,
    ) -> Result<Self, LiveError> {
        let open = interface::open(config)?;
        let queue = Arc::new(Queue::default());
        let thread = open.start(&queue, sensor.decode, limit)?;
        Ok(Self {
            name: config.name.clone(),
            was_up: interface::is_up(&config.name),
            queue,
            thread,
            sensor: Sensor::new(sensor.meter, judges),
            counts: LiveCounts::default(),
        })
    }

    /// Asks for its end.
    pub(crate) fn stopper(&self) -> Stopper {
        Stopper(Arc::clone(&self.queue))
    }

    /// Hands flows over as they are told, with the models that judged them, and the counts at least several times a second, until
    /// the end; then everything that goes on is ended and handed over too. What `receive` leaves
    /// of the flows is dropped. An error of it is an end, after which it is not called again; the
    /// counts are those of everything that came all the same.
    pub(crate) fn run(
        mut self,
        clock: fn() -> Timestamp,
        duration: Option<Duration>,
        mut receive: impl FnMut(&mut Vec<JudgedFlow>, &Arc<Panel>, &LiveCounts) -> anyhow::Result<()>,
    ) -> (LiveCounts, anyhow::Result<Ended>) {
        let started = Instant::now();
        let mut last_check = started;
        let (mut packets, mut flows) = (Vec::new(), Vec::new());
        let mut outcome = Ok(());
        let mut asked_at: Option<Instant> = None;
        let mut ended = loop {
            let (read, ended) = self.queue.take(&mut packets, TICK);
            let (taken, taken_at) = (packets.len(), Instant::now());
            if packets.is_empty() {
                let until = clock().0.saturating_sub(MARGIN_MICROS);
                self.sensor.advance(until);
                self.counts.metered_until = until.max(self.counts.metered_until);
                if self.was_up && last_check.elapsed() >= CHECK_INTERVAL {
                    last_check = Instant::now();
                    if let Some(reason) = interface::trouble(&self.name) {
                        self.queue.end(Ended::Failed(reason));
                        self.queue.stop();
                    }
                }
            } else {
                self.sensor.observe(&packets);
                self.counts.metered_until = packets.last().map_or(0, |last| last.time_micros);
                packets.clear();
                last_check = Instant::now();
            }
            self.count(&read);
            outcome = outcome.and_then(|()| {
                tell_all(&mut self.sensor, &mut flows, |flows, panel| {
                    receive(flows, panel, &self.counts)
                })
            });
            self.queue.pace(taken, taken_at.elapsed());
            if let Some(ended) = ended {
                break ended;
            }
            let is_over = duration.is_some_and(|duration| started.elapsed() >= duration);
            if outcome.is_err() || is_over {
                self.queue.stop();
            }
            if self.queue.is_stopped()
                && asked_at.get_or_insert_with(Instant::now).elapsed() >= STOP_PATIENCE
            {
                self.queue.end(Ended::Asked);
            }
        };
        if ended == Ended::Asked && duration.is_some_and(|duration| started.elapsed() >= duration) {
            ended = Ended::Limit;
        }
        // The reason may be known before the thread has noticed; its last frames still count.
        if self.wait_for_thread() {
            let (read, _) = self.queue.take(&mut packets, Duration::ZERO);
            self.sensor.observe(&packets);
            self.count(&read);
        }
        let mut is_more = true;
        while is_more {
            is_more = self.sensor.finish_part();
            self.counts.sensor.meter = self.sensor.counts();
            outcome = outcome.and_then(|()| {
                tell_all(&mut self.sensor, &mut flows, |flows, panel| {
                    receive(flows, panel, &self.counts)
                })
            });
        }
        (self.counts, outcome.map(|()| ended))
    }

    /// Whether the thread has ended in time.
    fn wait_for_thread(&self) -> bool {
        self.queue.stop();
        let asked = Instant::now();
        while !self.thread.is_finished() {
            if asked.elapsed() >= STOP_PATIENCE {
                return false;
            }
            thread::sleep(Duration::from_millis(1));
        }
        true
    }

    fn count(&mut self, read: &ReadCounts) {
        self.counts = LiveCounts {
            sensor: SensorCounts {
                frames: read.frames,
                cut_short: read.cut_short,
                causes: read.causes,
                fragments: read.fragments,
                meter: self.sensor.counts(),
            },
            dropped_queue: read.dropped_queue,
            dropped_kernel: read.dropped_kernel,
            dropped_interface: read.dropped_interface,
            metered_until: self.counts.metered_until,
        };
    }
}

impl LiveCounts {
    /// One line of books for people.
    pub(crate) fn line(&self) -> String {
        let sensor = &self.sensor;
        format!(
            "{} frames = {} packets + {} not decoded + {} dropped by us; dropped by the kernel {}, \
             by the interface {}; {} flows begun, {} ended",
            sensor.frames,
            sensor.meter.packets,
            sensor.causes.total(),
            self.dropped_queue,
            self.dropped_kernel,
            self.dropped_interface,
            sensor.meter.flows,
            sensor.meter.ended.iter().sum::<u64>(),
        )
    }
}
