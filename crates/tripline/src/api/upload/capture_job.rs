//! The work on one uploaded capture, on a thread that may block: packets to flows, flows to
//! verdicts, verdicts into the store, and a report whose rows are flows.

use std::{collections::BTreeMap, io::Read, time::Instant};

use axum::http::StatusCode;
use tokio::sync::oneshot;
use tripline_store::{BatchEnd, BatchStatus, NewBatch, Source, StoreError, Stream};
use tripline_wire::{CaptureError, CaptureReader, DecodeOptions};

use super::{
    job::{Task, model_names},
    report::{CaptureBody, ReportBody},
};
use crate::{
    api::{
        error::ApiError,
        judge::STORED_REASONS,
        state::{AppState, LiveProgress},
        time::rfc3339,
    },
    flows::summary::losses,
    live::{FlowRows, Places, TIMELINE_PACKETS, hash_key},
    sensor::{self, JudgedFlow, Judges, SensorConfig, SensorCounts, SensorError},
    traces::{self, Span},
};

/// Works an upload off. `opened` is told once the beginning was recognised as a capture and the
/// batch is on record; a file that is refused before that leaves no trace.
pub(super) fn run(
    state: &AppState,
    task: &Task,
    bytes: impl Read + Send,
    opened: oneshot::Sender<()>,
) -> Result<ReportBody, ApiError> {
    let started = Instant::now();
    let judges = Judges::new(&task.serving, STORED_REASONS).map_err(|error| {
        ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("no model that judges flows is loaded: {error}"),
        )
    })?;
    let capture = CaptureReader::new(bytes).map_err(|error| refusal(&error))?;
    let created_at = state.now();
    let batch = task.reservation.batch();
    let stream = state.store().create_batch(&NewBatch {
        id: batch,
        source: Source::PacketCapture,
        file_name: task.file_name.clone(),
        created_at,
        bytes_total: task.bytes_total,
    })?;
    // A request that has gone does not wait for this.
    let _ = opened.send(());
    let rows = FlowRows::new(judges.panel().pipelines());
    let mut sink = Sink::new(state, stream, task.reservation.progress(), rows);
    let span = Span::step("judge");
    let judged = sensor::run(capture, config(), judges, |flows, counts| {
        sink.take(flows, counts)
    })
    .map_err(failure);
    drop(span);
    let status = if judged.is_ok() {
        BatchStatus::Complete
    } else {
        BatchStatus::Failed
    };
    let report = ReportBody {
        batch_id: batch.to_string(),
        file_name: task.file_name.clone(),
        uploaded_at: rfc3339(created_at),
        status: status.name(),
        schema: sink.schema(),
        models: model_names(sink.rows.judges()),
        rows_read: sink.scored + sink.unknown,
        rows_scored: sink.scored,
        rows_rejected: sink.unknown,
        rejections: Vec::new(),
        ignored_columns: Vec::new(),
        notes: sink.notes(),
        threats: sink.threats,
        attack_types: sink.attack_types.clone(),
        seconds: Some(started.elapsed().as_secs_f64()),
        labelled: None,
        capture: Some(CaptureBody::of(&sink.counts)),
    };
    let end = BatchEnd {
        status,
        finished_at: state.now(),
        progress: report.progress(task.reservation.progress().read().bytes_read),
        schema: report.schema.clone(),
        error: judged.as_ref().err().map(|error| error.detail().to_owned()),
        report: Some(serde_json::to_string(&report).map_err(ApiError::internal)?),
    };
    let ended = state.store().finish_batch(batch, &end);
    match (judged, ended) {
        (Ok(_), ended) => ended.map(|()| report).map_err(ApiError::from),
        (Err(error), ended) => {
            if let Err(also) = ended {
                tracing::error!(%batch, error = %also, "the end of a failed upload could not be recorded");
            }
            Err(error)
        }
    }
}

/// As `tripline scan` reads captures, with the first packets of each flow.
fn config() -> SensorConfig {
    SensorConfig {
        decode: DecodeOptions::default(),
        meter: tripline_flow::MeterConfig {
            hash_key: hash_key(),
            timeline: TIMELINE_PACKETS,
            ..tripline_flow::MeterConfig::default()
        },
    }
}

/// A file that is no capture, or whose request broke off.
fn refusal(error: &CaptureError) -> ApiError {
    match error {
        // The only reader is the body of a request, and its errors are made for the client.
        CaptureError::Read { source, .. } => ApiError::bad_request(format!("{error}: {source}")),
        _ => ApiError::bad_request(error.to_string()),
    }
}

fn failure(error: SensorError) -> ApiError {
    match error {
        SensorError::Capture(error) => refusal(&error),
        SensorError::Models(error) => error.into(),
        SensorError::Receiver(error) => match error.downcast::<StoreError>() {
            Ok(error) => error.into(),
            Err(error) => ApiError::internal(format!("{error:#}")),
        },
        SensorError::Reader | SensorError::Meter => ApiError::internal(error),
    }
}

/// Where judged flows go: into the store, and into the counts of the report.
struct Sink<'a> {
    state: &'a AppState,
    stream: Stream,
    progress: &'a LiveProgress,
    rows: FlowRows,
    places: Places,
    scored: u64,
    /// Flows that no model knows.
    unknown: u64,
    threats: u64,
    attack_types: BTreeMap<String, u64>,
    /// Flows decided by the models of each schema.
    decided: Vec<u64>,
    counts: SensorCounts,
}

impl<'a> Sink<'a> {
    fn new(
        state: &'a AppState,
        stream: Stream,
        progress: &'a LiveProgress,
        rows: FlowRows,
    ) -> Self {
        Self {
            state,
            stream,
            progress,
            decided: vec![0; rows.judges().len()],
            rows,
            places: Places::default(),
            scored: 0,
            unknown: 0,
            threats: 0,
            attack_types: BTreeMap::new(),
            counts: SensorCounts::default(),
        }
    }

    fn take(&mut self, flows: &[JudgedFlow], counts: &SensorCounts) -> anyhow::Result<()> {
        self.counts = counts.clone();
        let unknown = self.rows.prepare(flows, &mut self.places)?;
        let now = self.state.now();
        let span = traces::storing(self.state.store(), flows.len());
        let stored = self
            .rows
            .store(self.state.store(), self.stream, now, flows)?;
        drop(span);
        for judged in flows {
            self.count(judged);
        }
        self.scored += stored.inserted;
        self.unknown += unknown;
        self.progress.add_rows(stored.inserted, unknown);
        self.state
            .store()
            .update_progress(self.stream.key(), self.progress.read())?;
        Ok(())
    }

    fn count(&mut self, judged: &JudgedFlow) {
        let decision = judged.decision();
        let Some(opinion) = decision.deciding.map(|at| &judged.opinions[at]) else {
            return;
        };
        self.threats += u64::from(decision.is_threat);
        self.decided[opinion.pipeline] += 1;
        let attack = self.rows.judges()[opinion.pipeline].attack(opinion.verdict.attack);
        if let Some(attack) = attack.filter(|attack| attack.is_attack) {
            match self.attack_types.get_mut(attack.class) {
                Some(count) => *count += 1,
                None => {
                    self.attack_types.insert(attack.class.to_owned(), 1);
                }
            }
        }
    }

    /// The schema that decided, when it was the same for all flows.
    fn schema(&self) -> Option<String> {
        let mut deciding = self.decided.iter().zip(self.rows.judges());
        let mut deciding = deciding.by_ref().filter(|(count, _)| **count > 0);
        let (_, judge) = deciding.next()?;
        deciding
            .next()
            .is_none()
            .then(|| judge.pipeline().schema().name().to_owned())
    }

    /// What was not, or not wholly, seen, for people.
    fn notes(&self) -> Vec<String> {
        let mut notes = losses(&self.counts);
        if self.unknown > 0 {
            notes.push(format!(
                "{} flows are of a protocol that no loaded model knows",
                self.unknown
            ));
        }
        notes
    }
}
