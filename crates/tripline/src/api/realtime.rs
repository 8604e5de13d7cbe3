//! Writes single scores. A transaction for each request would be most of its time, so one thread
//! writes whatever has come in while it wrote the last time, in one transaction for each set of
//! models, and only then are the requests answered: what is acknowledged is stored.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use tokio::sync::{mpsc, oneshot};
use tripline_store::{
    AttackPart, NewVerdict, Provenance, Stage, Store, StoreError, Stream, ThreatPart, Timestamp,
    VerdictId,
};

use super::{error::ApiError, row::borrowed};

/// Requests that may wait to be written; further ones are told to come back.
const QUEUE: usize = 256;
/// Rows after which a group is written although more are waiting.
const GROUP_ROWS: usize = 4096;

/// A row to be written.
#[derive(Debug)]
pub(crate) struct NewRow {
    pub(crate) provenance: Arc<Provenance>,
    pub(crate) created_at: Timestamp,
    pub(crate) threat: Option<ThreatPart>,
    pub(crate) attack: Option<AttackPart<String>>,
    pub(crate) label: Option<String>,
    pub(crate) features: Vec<u8>,
    pub(crate) reasons: Vec<u8>,
}

#[derive(Debug)]
struct Submission {
    rows: Vec<NewRow>,
    answer: oneshot::Sender<Written>,
}

/// The queue to the thread that writes, which ends with it.
#[derive(Debug)]
pub(crate) struct RealtimeWriter {
    queue: mpsc::Sender<Submission>,
    refused_rows: AtomicU64,
}

impl RealtimeWriter {
    /// Starts the thread.
    pub(crate) fn start(store: Arc<dyn Store>, stream: Stream) -> anyhow::Result<Self> {
        let (queue, submissions) = mpsc::channel(QUEUE);
        let next = store.next_sequence(stream)?;
        let writing = Writing {
            store,
            stream,
            next,
        };
        thread::Builder::new()
            .name("realtime-writer".to_owned())
            .spawn(move || writing.run(submissions))?;
        Ok(Self {
            queue,
            refused_rows: AtomicU64::new(0),
        })
    }

    /// Stores rows; they are durable when it returns, in the order given.
    pub(crate) async fn write(&self, rows: Vec<NewRow>) -> Result<Vec<VerdictId>, ApiError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let count = rows.len() as u64;
        let (answer, written) = oneshot::channel();
        self.queue
            .try_send(Submission { rows, answer })
            .map_err(|_| {
                let refused = self.refused_rows.fetch_add(count, Ordering::Relaxed) + count;
                tracing::warn!(
                    rows = count,
                    refused_so_far = refused,
                    "scores refused: the queue of writes is full"
                );
                ApiError::unavailable("too many scores are waiting to be stored; try again")
            })?;
        match written.await {
            Ok(outcome) => outcome.map_err(|error| ApiError::from(&*error)),
            Err(_) => Err(ApiError::internal(
                "the thread that writes scores has stopped",
            )),
        }
    }
}

/// What became of one request.
type Written<T = VerdictId> = Result<Vec<T>, Arc<StoreError>>;
/// Rows judged by the same models, each with the position of its request.
type Alike<'a> = (&'a Arc<Provenance>, Vec<(usize, &'a NewRow)>);

struct Writing {
    store: Arc<dyn Store>,
    stream: Stream,
    next: u64,
}

impl Writing {
    fn run(mut self, mut submissions: mpsc::Receiver<Submission>) {
        while let Some(first) = submissions.blocking_recv() {
            let mut rows = first.rows.len();
            let mut group = vec![first];
            while rows < GROUP_ROWS {
                let Ok(submission) = submissions.try_recv() else {
                    break;
                };
                rows += submission.rows.len();
                group.push(submission);
            }
            self.write_group(group);
        }
    }

    fn write_group(&mut self, group: Vec<Submission>) {
        let outcomes = self.append(&group);
        for (submission, outcome) in group.into_iter().zip(outcomes) {
            // A client that has gone does not need its answer.
            let _ = submission.answer.send(outcome);
        }
    }

    fn append(&mut self, group: &[Submission]) -> Vec<Written> {
        let mut by_models: Vec<Alike<'_>> = Vec::new();
        for (index, submission) in group.iter().enumerate() {
            for row in &submission.rows {
                let same =
                    |entry: &&mut (&Arc<Provenance>, _)| Arc::ptr_eq(entry.0, &row.provenance);
                match by_models.iter_mut().find(same) {
                    Some((_, rows)) => rows.push((index, row)),
                    None => by_models.push((&row.provenance, vec![(index, row)])),
                }
            }
        }
        if let [(provenance, rows)] = by_models.as_slice() {
            let first = self.next;
            return match self.append_alike(provenance, rows) {
                Ok(()) => in_order(group, self.stream, first),
                Err(error) => group.iter().map(|_| Err(Arc::clone(&error))).collect(),
            };
        }
        self.append_mixed(group, &by_models)
    }

    /// Rows of different models need a transaction each. The identifiers go back to the places of
    /// their rows, and a request fails when any of its rows does.
    fn append_mixed(&mut self, group: &[Submission], by_models: &[Alike<'_>]) -> Vec<Written> {
        let mut outcomes: Vec<Written<(usize, VerdictId)>> = vec![Ok(Vec::new()); group.len()];
        for (provenance, rows) in by_models {
            let first = self.next;
            let written = self.append_alike(provenance, rows);
            for (offset, (index, row)) in rows.iter().enumerate() {
                match (&written, &mut outcomes[*index]) {
                    (Ok(()), Ok(ids)) => {
                        let place = group[*index]
                            .rows
                            .iter()
                            .position(|other| std::ptr::eq(other, *row))
                            .unwrap_or_default();
                        ids.push((place, self.stream.verdict_id(first + offset as u64)));
                    }
                    (Err(error), outcome) => *outcome = Err(Arc::clone(error)),
                    (Ok(()), Err(_)) => {}
                }
            }
        }
        outcomes
            .into_iter()
            .map(|outcome| {
                outcome.map(|mut ids| {
                    ids.sort_unstable_by_key(|(place, _)| *place);
                    ids.into_iter().map(|(_, id)| id).collect()
                })
            })
            .collect()
    }

    fn append_alike(
        &mut self,
        provenance: &Provenance,
        rows: &[(usize, &NewRow)],
    ) -> Result<(), Arc<StoreError>> {
        let verdicts: Vec<NewVerdict<'_>> = rows
            .iter()
            .zip(self.next..)
            .map(|((_, row), sequence)| NewVerdict {
                sequence,
                stage: Stage::Final,
                created_at: row.created_at,
                row_number: None,
                threat: row.threat,
                attack: row.attack.as_ref().map(borrowed),
                label: row.label.as_deref(),
                features: &row.features,
                reasons: &row.reasons,
                flow: None,
            })
            .collect();
        self.store.append(self.stream, provenance, &verdicts)?;
        // Only now: a transaction that failed has left its places free.
        self.next += rows.len() as u64;
        Ok(())
    }
}

fn in_order(group: &[Submission], stream: Stream, first: u64) -> Vec<Written> {
    let mut next = first;
    group
        .iter()
        .map(|submission| {
            let ids = (next..)
                .take(submission.rows.len())
                .map(|at| stream.verdict_id(at));
            next += submission.rows.len() as u64;
            Ok(ids.collect())
        })
        .collect()
}
