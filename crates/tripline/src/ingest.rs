//! From a stream of CSV bytes to batches of judged rows: one thread reads, some judge, and the
//! caller receives every batch in the order of the file.

use std::{
    collections::BTreeMap,
    io::Read,
    sync::{
        Mutex,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use crate::registry::{RowRoutes, Serving};
use tripline_detect::{DetectError, Pipeline, Scorer, Verdict};
use tripline_features::{ColumnMap, CsvLimits, CsvRows, FeatureError, Rejection, RowBatch};

/// Rows judged at a time.
pub const BATCH_ROWS: usize = 2048;
/// Batches that may wait in each queue.
const QUEUE: usize = 4;

/// Why a stream could not be judged.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The bytes are not a table that can be read.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// No model fits the columns.
    #[error(transparent)]
    Models(#[from] DetectError),
    /// The receiver of the batches gave up.
    #[error(transparent)]
    Receiver(anyhow::Error),
    /// A thread of the pipeline ended without a result.
    #[error("a worker stopped unexpectedly")]
    Worker,
}

/// Rows of one piece of a file with their verdicts.
#[derive(Debug)]
pub struct JudgedBatch {
    /// The rows.
    pub rows: RowBatch,
    /// One verdict per row.
    pub verdicts: Vec<Verdict>,
    /// Which of [`Opened::pipelines`] gave it.
    pub judged_by: Vec<usize>,
}

/// What is known of a stream once its head was read.
#[derive(Debug)]
pub struct Opened<R: Read> {
    reader: CsvRows<R>,
    pipelines: Vec<Pipeline>,
    routes: RowRoutes,
}

/// What is known of a stream once its end was read.
#[derive(Debug, Default)]
pub struct Summary {
    /// Rows found, judged or not.
    pub rows_read: u64,
    /// Rows judged.
    pub rows_scored: u64,
    /// Rows rejected.
    pub rows_rejected: u64,
    /// What the reading policy did, for people.
    pub notes: Vec<String>,
}

/// Reads the head of a stream and finds the models for its columns.
pub fn open<R: Read>(
    bytes: R,
    limits: CsvLimits,
    serving: &Serving,
) -> Result<Opened<R>, IngestError> {
    let reader = CsvRows::new(bytes, limits)?;
    let columns = reader.columns();
    let mut pipelines = Vec::new();
    let routes = serving.routes(&mut pipelines, |models| {
        models.pipeline_for(columns.schema(), columns.present())
    })?;
    Ok(Opened {
        reader,
        pipelines,
        routes,
    })
}

impl<R: Read + Send> Opened<R> {
    /// The columns of the stream.
    pub fn columns(&self) -> &ColumnMap {
        self.reader.columns()
    }

    /// The models that will judge: those that are active, then those of canaries.
    pub fn pipelines(&self) -> &[Pipeline] {
        &self.pipelines
    }

    /// Judges the stream to its end on `workers` threads, each verdict with up to `reasons`
    /// reasons, and hands every batch to `receive` in order. An error of `receive` stops the
    /// reading.
    pub fn judge(
        self,
        workers: usize,
        reasons: usize,
        mut receive: impl FnMut(&JudgedBatch) -> anyhow::Result<()>,
    ) -> Result<Summary, IngestError> {
        let Self {
            mut reader,
            pipelines,
            routes,
        } = self;
        let (to_workers, read) = sync_channel::<(u64, RowBatch)>(QUEUE);
        let (to_sink, judged) = sync_channel::<(u64, JudgedBatch)>(QUEUE);
        // Batches come back to be filled again, so that a long file allocates like a short one.
        let (give_back, spare) = sync_channel::<RowBatch>(QUEUE * 4);
        let read = Mutex::new(Some(read));
        let mut summary = Summary::default();
        thread::scope(|scope| {
            let reading = scope.spawn(move || read_all(&mut reader, &to_workers, &spare));
            for _ in 0..workers.max(1) {
                let (read, to_sink) = (&read, to_sink.clone());
                let mut judging = Judging::new(&pipelines, &routes, reasons);
                scope.spawn(move || judge_all(read, &to_sink, &mut judging));
            }
            drop(to_sink);
            let outcome = in_order(judged, |batch| {
                summary.rows_scored += batch.verdicts.len() as u64;
                summary.rows_rejected += batch.rows.rejections.len() as u64;
                receive(&batch).map_err(IngestError::Receiver)?;
                // A full return path only means that the next batch is a new one.
                let _ = give_back.try_send(batch.rows);
                Ok(())
            });
            drop(give_back);
            // Workers that are cut off from the sink end, and close the reader's queue.
            let finished = reading.join().map_err(|_| IngestError::Worker)?;
            outcome?;
            summary.notes = finished?;
            Ok::<(), IngestError>(())
        })?;
        summary.rows_read = summary.rows_scored + summary.rows_rejected;
        Ok(summary)
    }
}

/// Reads batches until the end and returns the notes of the reading policy.
fn read_all<R: Read>(
    reader: &mut CsvRows<R>,
    to_workers: &SyncSender<(u64, RowBatch)>,
    spare: &Receiver<RowBatch>,
) -> Result<Vec<String>, FeatureError> {
    for sequence in 0.. {
        let mut batch = spare.try_recv().unwrap_or_default();
        let read = reader.read_batch(BATCH_ROWS, &mut batch)?;
        let end = read == 0 && batch.rejections.is_empty();
        if end || to_workers.send((sequence, batch)).is_err() {
            break;
        }
    }
    Ok(reader.notes().lines())
}

/// The scorers of one worker, and which of them judges which row.
struct Judging {
    scorers: Vec<Scorer>,
    routes: RowRoutes,
}

impl Judging {
    fn new(pipelines: &[Pipeline], routes: &RowRoutes, reasons: usize) -> Self {
        let scorers = pipelines.iter();
        Self {
            scorers: scorers
                .map(|pipeline| Scorer::new(pipeline.clone(), reasons))
                .collect(),
            routes: routes.clone(),
        }
    }

    fn judge(&mut self, rows: RowBatch) -> JudgedBatch {
        let bytes_of =
            |row: &[f64]| -> Vec<u8> { row.iter().flat_map(|value| value.to_le_bytes()).collect() };
        let judged_by: Vec<usize> = rows
            .rows()
            .map(|row| self.routes.pipeline_of(|| bytes_of(row)))
            .collect();
        let mut verdicts = vec![Verdict::default(); judged_by.len()];
        for (pipeline, scorer) in self.scorers.iter_mut().enumerate() {
            let whose: Vec<usize> = (0..judged_by.len())
                .filter(|row| judged_by[*row] == pipeline)
                .collect();
            if whose.len() == judged_by.len() {
                verdicts = scorer.judge_rows(&rows.values);
                break;
            }
            let width = scorer.pipeline().schema().len();
            let its: Vec<f64> = whose
                .iter()
                .flat_map(|row| &rows.values[row * width..(row + 1) * width])
                .copied()
                .collect();
            for (verdict, row) in scorer.judge_rows(&its).into_iter().zip(whose) {
                verdicts[row] = verdict;
            }
        }
        JudgedBatch {
            rows,
            verdicts,
            judged_by,
        }
    }
}

fn judge_all(
    read: &Mutex<Option<Receiver<(u64, RowBatch)>>>,
    to_sink: &SyncSender<(u64, JudgedBatch)>,
    judging: &mut Judging,
) {
    loop {
        // The lock is held while waiting: the other workers would only wait for the same batch.
        let next = match read.lock() {
            Ok(read) => read.as_ref().and_then(|read| read.recv().ok()),
            Err(_) => None,
        };
        let Some((sequence, rows)) = next else { return };
        let batch = judging.judge(rows);
        if to_sink.send((sequence, batch)).is_err() {
            // The sink has given up: the reader, which may be waiting for room, is told by the
            // end of its queue.
            if let Ok(mut read) = read.lock() {
                read.take();
            }
            return;
        }
    }
}

/// Hands batches on in the order of their numbers.
fn in_order(
    judged: Receiver<(u64, JudgedBatch)>,
    mut receive: impl FnMut(JudgedBatch) -> Result<(), IngestError>,
) -> Result<(), IngestError> {
    let mut waiting = BTreeMap::new();
    let mut next = 0;
    for (sequence, batch) in judged {
        waiting.insert(sequence, batch);
        while let Some(batch) = waiting.remove(&next) {
            next += 1;
            receive(batch)?;
        }
    }
    Ok(())
}

/// The class that a verdict comes to when it is compared with a label, and how sure it is of it:
/// what a detector lets pass counts as the classifier's benign class.
pub(crate) fn class_given(verdict: &Verdict, benign: Option<usize>) -> Option<(usize, f64)> {
    match (&verdict.threat, verdict.attack) {
        (Some(threat), None) => benign.map(|class| (class, 1.0 - threat.probability)),
        (_, attack) => attack.map(|attack| (attack.class, attack.confidence)),
    }
}

/// Rows that were not judged, the first ones kept for the report.
#[derive(Debug, Default)]
pub struct Rejections {
    kept: Vec<Rejection>,
    limit: usize,
}

impl Rejections {
    /// Keeps up to `limit`.
    pub fn new(limit: usize) -> Self {
        Self {
            kept: Vec::new(),
            limit,
        }
    }

    /// Adds those of a batch.
    pub fn extend(&mut self, rejections: &[Rejection]) {
        let room = self.limit - self.kept.len();
        self.kept.extend(rejections.iter().take(room).cloned());
    }

    /// Those that were kept, in the order of the file.
    pub fn kept(&self) -> &[Rejection] {
        &self.kept
    }
}
