//! The work on one upload, on a thread that may block: read, judge, store, report.

use std::{collections::BTreeMap, io::Read, sync::Arc, time::Instant};

use tokio::sync::oneshot;
use tripline_detect::Verdict;
use tripline_features::{CsvLimits, encode_values};
use tripline_store::{
    BatchEnd, BatchStatus, NewBatch, NewVerdict, Source, Stage, Stream, Timestamp,
};

use super::{
    comparison::Comparison,
    report::{ModelName, ReportBody},
};
use crate::{
    api::{
        error::ApiError,
        judge::{Judge, STORED_REASONS},
        reason_bytes,
        state::{AppState, LiveProgress, Reservation},
        time::rfc3339,
    },
    ingest::{self, JudgedBatch, Opened, Rejections, Summary},
    registry::Serving,
    traces::{self, Span},
};

/// Rejected rows that a report shows.
const SHOWN_REJECTIONS: usize = 100;

/// What is known of a file before it is read.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) reservation: Reservation,
    pub(super) serving: Arc<Serving>,
    pub(super) file_name: Option<String>,
    pub(super) bytes_total: Option<u64>,
}

/// Works an upload off. `opened` is told once the head of the file was understood and the batch
/// is on record; a file that is refused before that leaves no trace.
pub(super) fn run(
    state: &AppState,
    task: &Task,
    bytes: impl Read + Send,
    opened: oneshot::Sender<()>,
) -> Result<ReportBody, ApiError> {
    let started = Instant::now();
    let source = ingest::open(bytes, CsvLimits::default(), &task.serving)?;
    let created_at = state.now();
    let stream = state.store().create_batch(&NewBatch {
        id: task.reservation.batch(),
        source: Source::Upload,
        file_name: task.file_name.clone(),
        created_at,
        bytes_total: task.bytes_total,
    })?;
    // A request that has gone does not wait for this.
    let _ = opened.send(());
    let judges: Vec<Judge> = source.pipelines().iter().cloned().map(Judge::new).collect();
    let schema = source.columns().schema().name().to_owned();
    let ignored_columns = source.columns().ignored_columns().to_vec();
    let mut sink = Sink::new(state, &judges, stream, task.reservation.progress());
    let span = Span::step("judge");
    let judged = sink
        .judge_all(source)
        .and_then(|summary| check(summary, &sink.rejections));
    drop(span);
    let status = if judged.is_ok() {
        BatchStatus::Complete
    } else {
        BatchStatus::Failed
    };
    let failure = judged.as_ref().err().map(|error| error.detail().to_owned());
    let report = ReportBody {
        batch_id: task.reservation.batch().to_string(),
        file_name: task.file_name.clone(),
        uploaded_at: rfc3339(created_at),
        status: status.name(),
        schema: Some(schema.clone()),
        models: model_names(&judges),
        rows_read: sink.next + sink.rejected,
        rows_scored: sink.next,
        rows_rejected: sink.rejected,
        rejections: sink.rejections.kept().to_vec(),
        ignored_columns,
        notes: judged
            .as_ref()
            .map(|summary| summary.notes.clone())
            .unwrap_or_default(),
        threats: sink.threats,
        attack_types: sink.attack_types.clone(),
        seconds: Some(started.elapsed().as_secs_f64()),
        labelled: sink.comparison.figures(),
        capture: None,
    };
    let end = BatchEnd {
        status,
        finished_at: state.now(),
        progress: report.progress(task.reservation.progress().read().bytes_read),
        schema: Some(schema),
        error: failure,
        report: Some(serde_json::to_string(&report).map_err(ApiError::internal)?),
    };
    let ended = state.store().finish_batch(task.reservation.batch(), &end);
    match (judged, ended) {
        (Ok(_), ended) => ended.map(|()| report).map_err(ApiError::from),
        (Err(error), ended) => {
            if let Err(also) = ended {
                tracing::error!(batch = %task.reservation.batch(), error = %also, "the end of a failed upload could not be recorded");
            }
            Err(error)
        }
    }
}

/// A file of which no row could be used is refused, in the words of the origin system.
fn check(summary: Summary, rejections: &Rejections) -> Result<Summary, ApiError> {
    match (summary.rows_scored, rejections.kept().first()) {
        (0, None) => Err(ApiError::bad_request("CSV file is empty")),
        (0, Some(first)) => {
            let column = first
                .column
                .as_ref()
                .map(|name| format!(", column '{name}'"))
                .unwrap_or_default();
            Err(ApiError::bad_request(format!(
                "CSV validation error: none of the {} rows can be read; the first: line {}{column}: {}",
                summary.rows_rejected, first.line, first.reason
            )))
        }
        _ => Ok(summary),
    }
}

/// The models of judges, each once.
pub(super) fn model_names(judges: &[Judge]) -> Vec<ModelName> {
    let name = |model: &Arc<tripline_detect::Model>| ModelName {
        role: model.role().as_str().to_owned(),
        name: model.manifest().name.clone(),
        version: model.manifest().version.clone(),
    };
    let mut names: Vec<ModelName> = Vec::new();
    for model in judges.iter().flat_map(|judge| judge.pipeline().models()) {
        let name = name(model);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Where judged rows go: into the store, and into the counts of the report.
struct Sink<'a> {
    state: &'a AppState,
    judges: &'a [Judge],
    stream: Stream,
    progress: &'a LiveProgress,
    /// The place of the next row, which is the number of rows stored.
    next: u64,
    rejected: u64,
    threats: u64,
    /// Rows per attack class.
    attack_types: BTreeMap<String, u64>,
    rejections: Rejections,
    comparison: Comparison,
    encoded: Encoded,
}

/// Features and reasons of a batch, one after the other.
#[derive(Default)]
struct Encoded {
    bytes: Vec<u8>,
    /// Where the features and the reasons of each row end.
    ends: Vec<(usize, usize)>,
}

impl<'a> Sink<'a> {
    fn new(
        state: &'a AppState,
        judges: &'a [Judge],
        stream: Stream,
        progress: &'a LiveProgress,
    ) -> Self {
        Self {
            state,
            judges,
            stream,
            progress,
            next: 0,
            rejected: 0,
            threats: 0,
            attack_types: BTreeMap::new(),
            rejections: Rejections::new(SHOWN_REJECTIONS),
            comparison: Comparison::new(judges[0].pipeline()),
            encoded: Encoded::default(),
        }
    }

    fn judge_all<R: Read + Send>(&mut self, source: Opened<R>) -> Result<Summary, ApiError> {
        let workers = self.state.settings().workers;
        let summary = source.judge(workers, STORED_REASONS, |batch| Ok(self.take(batch)?))?;
        Ok(summary)
    }

    fn take(&mut self, batch: &JudgedBatch) -> Result<(), tripline_store::StoreError> {
        self.store(batch)?;
        let rows = batch.verdicts.iter().zip(&batch.judged_by);
        for ((verdict, judged_by), label) in rows.zip(&batch.rows.labels) {
            let judge = &self.judges[*judged_by];
            self.threats += u64::from(verdict.is_threat());
            if let Some(attack) = judge
                .attack(verdict.attack)
                .filter(|attack| attack.is_attack)
            {
                match self.attack_types.get_mut(attack.class) {
                    Some(count) => *count += 1,
                    None => {
                        self.attack_types.insert(attack.class.to_owned(), 1);
                    }
                }
            }
            if let Some(label) = label {
                self.comparison
                    .add(judge.pipeline(), verdict, label.as_str());
            }
        }
        self.rejections.extend(&batch.rows.rejections);
        let (scored, rejected) = (
            batch.verdicts.len() as u64,
            batch.rows.rejections.len() as u64,
        );
        self.next += scored;
        self.rejected += rejected;
        self.progress.add_rows(scored, rejected);
        self.state
            .store()
            .update_progress(self.stream.key(), self.progress.read())
    }

    /// Stores the rows of a batch.
    fn store(&mut self, batch: &JudgedBatch) -> Result<(), tripline_store::StoreError> {
        if batch.verdicts.is_empty() {
            return Ok(());
        }
        self.encoded.fill(batch);
        let created_at = self.state.now();
        // One transaction for each set of models. After an error in between, the batch fails, and
        // what it had stored is counted at its end as what is there.
        for (number, judge) in self.judges.iter().enumerate() {
            let rows: Vec<NewVerdict<'_>> = (0..batch.verdicts.len())
                .filter(|index| batch.judged_by[*index] == number)
                .map(|index| self.new_verdict(batch, index, created_at))
                .collect();
            if !rows.is_empty() {
                let _span = traces::storing(self.state.store(), rows.len());
                self.state
                    .store()
                    .append(self.stream, judge.provenance(), &rows)?;
            }
        }
        Ok(())
    }

    fn new_verdict<'b>(
        &'b self,
        batch: &'b JudgedBatch,
        index: usize,
        created_at: Timestamp,
    ) -> NewVerdict<'b> {
        let verdict: &Verdict = &batch.verdicts[index];
        let (features, reasons) = self.encoded.of(index);
        NewVerdict {
            sequence: self.next + index as u64,
            stage: Stage::Final,
            created_at,
            row_number: Some(batch.rows.lines[index]),
            threat: Judge::threat(verdict),
            attack: self.judges[batch.judged_by[index]].attack(verdict.attack),
            label: batch.rows.labels[index]
                .as_ref()
                .map(tripline_features::LabelText::as_str),
            features,
            reasons,
            flow: None,
        }
    }
}

impl Encoded {
    fn fill(&mut self, batch: &JudgedBatch) {
        self.bytes.clear();
        self.ends.clear();
        for (row, verdict) in batch.rows.rows().zip(&batch.verdicts) {
            encode_values(row, &mut self.bytes);
            let features = self.bytes.len();
            reason_bytes::encode(&verdict.reasons, &mut self.bytes);
            self.ends.push((features, self.bytes.len()));
        }
    }

    fn of(&self, index: usize) -> (&[u8], &[u8]) {
        let start = if index == 0 {
            0
        } else {
            self.ends[index - 1].1
        };
        let (features, end) = self.ends[index];
        (&self.bytes[start..features], &self.bytes[features..end])
    }
}
