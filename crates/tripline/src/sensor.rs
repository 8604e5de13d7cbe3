//! From packets to judged flows: one thread reads and decodes, one meters, and one judges and hands
//! flows to the caller in an order that depends on the packets only. What of metering and judging can
//! be done side by side, all processors do.

mod decision;
mod judges;
mod reading;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use tripline_detect::DetectError;
use tripline_features::FeatureSchema;
use tripline_features::live::nsl_kdd::Connections;
use tripline_flow::{Event, Events, Flow, Meter, MeterConfig, MeterCounts, What, Young};
use tripline_wire::{CaptureError, CaptureReader, Causes, DecodeOptions, FragmentCounts, Packet};

pub(crate) use decision::Decision;
pub(crate) use judges::{Explainer, Judges, Opinion, Panel};

/// Packets that go through the stages together.
const BATCH_PACKETS: usize = 8 * 1024;
/// Flows that are judged and told together: a batch of packets can end very many.
const TOLD_FLOWS: usize = 2048;
/// Batches that wait between reading and metering.
const QUEUE: usize = 2;
/// Batches whose events wait between metering and judging.
const METERED: usize = 1;

/// How packets become judged flows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SensorConfig {
    /// How frames are read.
    pub(crate) decode: DecodeOptions,
    /// How packets are metered.
    pub(crate) meter: MeterConfig,
}

/// Whether a flow goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It does; a later verdict under the same identity supersedes this one.
    Early(Young),
    /// It does not.
    Final,
}

/// A flow with its features and what is thought of it.
#[derive(Debug)]
pub(crate) struct JudgedFlow {
    /// The flow.
    pub(crate) flow: Box<Flow>,
    /// Whether it goes on.
    pub(crate) stage: Stage,
    /// Its values in the `cicflow` schema.
    pub(crate) cicflow: Vec<f64>,
    /// Its values in the `nsl-kdd` schema, if KDD has a record for it.
    pub(crate) nsl_kdd: Option<Vec<f64>>,
    /// The opinions on them.
    pub(crate) opinions: Vec<Opinion>,
}

/// What became of everything that was read.
#[derive(Debug, Clone, Default)]
pub(crate) struct SensorCounts {
    /// Frames read.
    pub(crate) frames: u64,
    /// Frames of which only the beginning was captured.
    pub(crate) cut_short: u64,
    /// What could not be decoded.
    pub(crate) causes: Causes,
    /// Fragments.
    pub(crate) fragments: FragmentCounts,
    /// Packets and flows.
    pub(crate) meter: MeterCounts,
}

impl JudgedFlow {
    /// Its values in a schema, if it has any there.
    pub(crate) fn values(&self, schema: &FeatureSchema) -> Option<&[f64]> {
        match schema.name() {
            "cicflow" => Some(&self.cicflow),
            _ => self.nsl_kdd.as_deref(),
        }
    }
}

/// Turns batches of packets into judged flows.
#[derive(Debug)]
pub(crate) struct Sensor {
    meter: Meter,
    teller: Teller,
}

/// Turns what happened to flows into judged flows.
#[derive(Debug)]
struct Teller {
    connections: Connections,
    judges: Judges,
    /// Memory for vectors, of flows that were told.
    spare: Vec<Vec<f64>>,
}

/// Why a capture could not be judged to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SensorError {
    /// It could not be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// No model fits flows.
    #[error(transparent)]
    Models(#[from] DetectError),
    /// The receiver of flows gave up.
    #[error(transparent)]
    Receiver(anyhow::Error),
    /// A thread ended without a result.
    #[error("the thread that reads the capture stopped unexpectedly")]
    Reader,
    /// The same of the other thread.
    #[error("the thread that meters flows stopped unexpectedly")]
    Meter,
}

impl Sensor {
    /// Prepares with nothing seen.
    pub(crate) fn new(config: MeterConfig, judges: Judges) -> Self {
        Self {
            meter: Meter::new(config),
            teller: Teller::new(judges),
        }
    }

    /// Takes packets; what happened because of them is then told by [`tell`](Self::tell).
    pub(crate) fn observe(&mut self, packets: &[Packet]) {
        self.meter.take(packets);
    }

    /// Says how late it is when no packet does.
    pub(crate) fn advance(&mut self, now_micros: i64) {
        self.meter.pass(now_micros);
    }

    /// Ends connections and flows, the oldest first and a part of them at a time; true while there are more.
    pub(crate) fn finish_part(&mut self) -> bool {
        self.meter.finish_part(TOLD_FLOWS)
    }

    /// What became of packets and flows.
    pub(crate) fn counts(&self) -> MeterCounts {
        self.meter.counts()
    }

    /// The models that judged what was told last.
    pub(crate) fn panel(&self) -> &Arc<Panel> {
        self.teller.judges.panel()
    }

    /// Judges some of the flows that are to be told, in the place of those in `out`; true while
    /// there are more.
    pub(crate) fn tell(&mut self, out: &mut Vec<JudgedFlow>) -> bool {
        self.teller.tell(self.meter.events(), out)
    }
}

impl Teller {
    fn new(judges: Judges) -> Self {
        Self {
            connections: Connections::new(),
            judges,
            spare: Vec::new(),
        }
    }

    /// Judges some of the flows that events tell of, in the place of those in `out`; true while there
    /// are more. Windows are counted in the order of events, the rest is done side by side.
    fn tell(
        &mut self,
        events: &mut impl Iterator<Item = Event>,
        out: &mut Vec<JudgedFlow>,
    ) -> bool {
        for told in out.drain(..) {
            self.spare.push(told.cicflow);
            self.spare.extend(told.nsl_kdd);
        }
        let mut is_more = true;
        while out.len() < TOLD_FLOWS {
            let Some(event) = events.next() else {
                is_more = false;
                break;
            };
            let (flow, stage) = match event.what {
                What::Record(record) => {
                    self.connections.observe(&record);
                    continue;
                }
                What::Young(flow, young) => (flow, Stage::Early(young)),
                What::Ended(flow) => (flow, Stage::Final),
            };
            let nsl_kdd = flow.connection.and_then(|connection| {
                let mut values = spare(&mut self.spare);
                self.connections
                    .write(
                        flow.id,
                        &flow.key,
                        &connection,
                        flow.last_micros,
                        &mut values,
                    )
                    .then_some(values)
            });
            if stage == Stage::Final {
                self.connections.forget(flow.id);
            }
            out.push(JudgedFlow {
                flow,
                stage,
                cicflow: spare(&mut self.spare),
                nsl_kdd,
                opinions: Vec::new(),
            });
        }
        self.judges.judge(out);
        is_more
    }
}

/// An empty vector with room for the values of any schema.
fn spare(spare: &mut Vec<Vec<f64>>) -> Vec<f64> {
    let mut values = spare.pop().unwrap_or_default();
    values.clear();
    values.reserve_exact(tripline_features::cicflow().len());
    values
}

/// What happened at a batch of packets, and what reading and metering had come to by then.
struct Metered {
    events: Events,
    counts: SensorCounts,
}

/// Judges a whole capture and hands flows over batch by batch, those of a capture that cannot be
/// read to its end too. An error of `receive` stops the reading.
pub(crate) fn run(
    mut capture: CaptureReader<'_>,
    config: SensorConfig,
    judges: Judges,
    mut receive: impl FnMut(&mut Vec<JudgedFlow>, &SensorCounts) -> anyhow::Result<()>,
) -> Result<SensorCounts, SensorError> {
    let mut teller = Teller::new(judges);
    let mut counts = SensorCounts::default();
    thread::scope(|scope| {
        let (to_meter, batches) = sync_channel(QUEUE);
        let (give_back, spare) = sync_channel(QUEUE + 2);
        let (to_teller, metered) = sync_channel(METERED);
        let (give_events_back, told) = sync_channel(METERED + 2);
        let reader =
            scope.spawn(move || reading::read_all(&mut capture, config.decode, &to_meter, &spare));
        let meter =
            scope.spawn(move || meter_all(config.meter, &batches, &give_back, &to_teller, &told));
        let mut flows = Vec::new();
        let mut outcome = Ok(());
        for mut batch in metered {
            counts = batch.counts;
            let mut is_more = true;
            while is_more && outcome.is_ok() {
                is_more = teller.tell(&mut batch.events, &mut flows);
                outcome = receive(&mut flows, &counts);
            }
            if outcome.is_err() {
                // The ends of the queues tell the other threads.
                break;
            }
            // A full return path only means that the next one is new.
            let _ = give_events_back.try_send(batch.events);
        }
        let read = reader.join().map_err(|_| SensorError::Reader);
        meter.join().map_err(|_| SensorError::Meter)?;
        outcome.map_err(SensorError::Receiver)?;
        read??;
        Ok(counts)
    })
}

/// Meters batches until there are no more, or until nobody wants to know; then ends what goes on.
fn meter_all(
    config: MeterConfig,
    batches: &Receiver<reading::Batch>,
    give_back: &SyncSender<Vec<Packet>>,
    to_teller: &SyncSender<Metered>,
    told: &Receiver<Events>,
) {
    let mut meter = Meter::new(config);
    let mut counts = SensorCounts::default();
    let mut tell = |meter: &mut Meter, read: Option<SensorCounts>| {
        counts = read.unwrap_or_else(|| counts.clone());
        counts.meter = meter.counts();
        let metered = Metered {
            events: meter.take_events(told.try_recv().ok()),
            counts: counts.clone(),
        };
        to_teller.send(metered).is_ok()
    };
    for reading::Batch { packets, counts } in batches {
        meter.take(&packets);
        // A full return path only means that the next batch is a new one.
        let _ = give_back.try_send(packets);
        if !tell(&mut meter, Some(counts)) {
            return;
        }
    }
    let mut is_more = true;
    while is_more {
        is_more = meter.finish_part(TOLD_FLOWS);
        is_more &= tell(&mut meter, None);
    }
}

/// Hands everything over that is to be told with the models that judged it, and an empty part where
/// nothing is.
pub(crate) fn tell_all(
    sensor: &mut Sensor,
    flows: &mut Vec<JudgedFlow>,
    mut receive: impl FnMut(&mut Vec<JudgedFlow>, &Arc<Panel>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    loop {
        let is_more = sensor.tell(flows);
        receive(flows, sensor.panel())?;
        if !is_more {
            return Ok(());
        }
    }
}
