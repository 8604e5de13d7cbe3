//! From messages to judged rows.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use tripline_detect::Verdict;
use tripline_features::{FeatureSchema, schema_by_name, schemas};
use tripline_kafka::{
    Limits, Message, Poison, Row,
    form::{self, Cause},
    identity::{Origin, Place},
    prediction::Prediction,
    sender::SenderPolicy,
};
use tripline_store::{MAX_LABEL_BYTES, Source, Timestamp, VerdictId};

use super::{
    settings::InputTopic,
    told::{self, Aside},
};
use crate::{
    api::{Bench, JudgedRow, NewRow, ReadRow, reason_bytes},
    config::Settings,
};

/// A judged row with its place.
#[derive(Debug)]
pub(super) struct PlacedRow {
    pub(super) place: Place,
    pub(super) row: NewRow,
    pub(super) aside: Aside,
    judged: JudgedRow,
}

impl PlacedRow {
    /// The verdict under its identifier, as others read it.
    pub(super) fn prediction(&self, id: VerdictId) -> Prediction<'_> {
        let created_at = self.row.created_at;
        let mut shown = self.judged.row(Some(id), created_at, Source::ExternalKafka);
        // In the precision that the store keeps, so that a repeat is told in the same words.
        shown.reasons = reason_bytes::decode(&self.row.reasons).into();
        told::prediction(&shown)
    }
}

/// The rows of a message: judged, or why they cannot be.
pub(super) type Judgement = Result<Vec<PlacedRow>, Poison>;

/// A row that is to be judged.
#[derive(Debug)]
struct Waiting {
    place: Place,
    aside: Aside,
}

/// A message that was read, with what its rows need beside judging.
type ReadMessage = Result<(Vec<ReadRow>, Vec<Waiting>), Poison>;

/// Where the messages of a batch come from, and what judges them.
pub(super) struct Reader<'a> {
    pub(super) topic: &'a InputTopic,
    /// What holds for the whole batch.
    pub(super) settings: Arc<Settings>,
    pub(super) origin: Origin,
    pub(super) created_at: Timestamp,
    pub(super) bench: Bench<'a>,
    waiting: Vec<ReadMessage>,
    rows: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        topic: &'a InputTopic,
        settings: Arc<Settings>,
        origin: Origin,
        created_at: Timestamp,
        bench: Bench<'a>,
    ) -> Self {
        Self {
            topic,
            settings,
            origin,
            created_at,
            bench,
            waiting: Vec::new(),
            rows: 0,
        }
    }

    /// Reads a message; how many rows wait to be judged then.
    ///
    /// A message on which the program panics is poison like any other: it must not stop those
    /// after it.
    pub(super) fn read(&mut self, message: &Message) -> usize {
        let read = catch_unwind(AssertUnwindSafe(|| self.read_rows(message)));
        let read = read.unwrap_or_else(|panic| {
            tracing::error!(offset = message.offset, "reading a message panicked");
            Err(panicked(&*panic))
        });
        if let Ok((rows, _)) = &read {
            self.rows += rows.len();
        }
        self.waiting.push(read);
        self.rows
    }

    /// Judges what was read: of each message all rows or none, so that a message that is put right
    /// and sent again brings no row twice.
    pub(super) fn judge(&mut self) -> Vec<Judgement> {
        self.rows = 0;
        let mut rows = Vec::new();
        let mut messages = Vec::with_capacity(self.waiting.len());
        for read in std::mem::take(&mut self.waiting) {
            messages.push(read.map(|(of_message, waiting)| {
                rows.extend(of_message);
                waiting
            }));
        }
        let together = self.verdicts(&rows);
        let mut first = 0;
        let mut verdicts: Vec<Result<Vec<Verdict>, Poison>> = Vec::with_capacity(messages.len());
        match together {
            Ok(all) => {
                let mut all = all.into_iter();
                verdicts.extend(messages.iter().map(|message| {
                    let count = message.as_ref().map_or(0, Vec::len);
                    Ok(all.by_ref().take(count).collect())
                }));
            }
            // Which message it was is seen when each is judged alone.
            Err(_) => verdicts.extend(messages.iter().map(|message| {
                let count = message.as_ref().map_or(0, Vec::len);
                first += count;
                self.verdicts(&rows[first - count..first])
            })),
        }
        let mut rows = rows.into_iter();
        let judgement = |(message, verdicts): (Result<Vec<Waiting>, _>, Result<Vec<_>, _>)| {
            let waiting = message?;
            let rows = rows.by_ref().take(waiting.len()).collect::<Vec<_>>();
            Ok(self.placed(rows, verdicts?, waiting))
        };
        messages.into_iter().zip(verdicts).map(judgement).collect()
    }

    fn verdicts(&mut self, rows: &[ReadRow]) -> Result<Vec<Verdict>, Poison> {
        let judged = catch_unwind(AssertUnwindSafe(|| self.bench.judge(rows)));
        judged.map_err(|panic| {
            // Their memory may be half written.
            self.bench.distrust();
            tracing::error!(rows = rows.len(), "judging messages panicked");
            panicked(&*panic)
        })
    }

    fn placed(
        &self,
        rows: Vec<ReadRow>,
        verdicts: Vec<Verdict>,
        waiting: Vec<Waiting>,
    ) -> Vec<PlacedRow> {
        let judged = rows.into_iter().zip(verdicts);
        let judged = judged.map(|(row, verdict)| row.with(verdict)).zip(waiting);
        judged
            .map(|(judged, waiting)| PlacedRow {
                place: waiting.place,
                row: judged.new_row(self.created_at),
                aside: waiting.aside,
                judged,
            })
            .collect()
    }

    fn read_rows(&mut self, message: &Message) -> ReadMessage {
        let reading = form::read_message(message, &Limits::default())?;
        let sender = if self.topic.checks_senders {
            let policy = self.settings.senders.get(&self.topic.name);
            // A topic that nothing is said about admits nobody.
            let sender = match policy {
                Some(policy) => policy.admit(message, &reading)?,
                None => SenderPolicy::default().admit(message, &reading)?,
            };
            Some(Arc::new(told::sender_ref(&sender)))
        } else {
            None
        };
        let count = reading.rows.len();
        let mut rows = Vec::with_capacity(count);
        let mut waiting = Vec::with_capacity(count);
        for (index, row) in reading.rows.iter().enumerate() {
            let refused = |reason: String| {
                let place = if count == 1 {
                    String::new()
                } else {
                    format!("row {} of {count}: ", index + 1)
                };
                Poison::new(Cause::Rejected, place + &reason)
            };
            let schema = schema_of(row).map_err(refused)?;
            let read = self
                .bench
                .read(schema, index as u64 + 1, &row.fields)
                .map_err(|error| refused(error.detail().to_owned()))?;
            check_label(&read).map_err(refused)?;
            let place = self.origin.place(message.offset, index);
            let place = place.ok_or_else(|| refused("it has no place in a stream".to_owned()))?;
            rows.push(read);
            waiting.push(Waiting {
                place,
                aside: Aside {
                    event_time: row.event_time,
                    sender: sender.clone(),
                    key: told::key(
                        &row.fields,
                        sender.as_deref(),
                        message.key.as_deref(),
                        (&self.origin.topic, self.origin.partition),
                    ),
                },
            });
        }
        Ok((rows, waiting))
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Poison {
    let words = panic_words(panic);
    Poison::new(
        Cause::Rejected,
        format!("the program panicked over the message: {words}"),
    )
}

/// The schema that a message names, in the version that is known here.
fn schema_of(row: &Row) -> Result<Option<&'static FeatureSchema>, String> {
    let Some(name) = &row.schema else {
        return Ok(None);
    };
    let Some(schema) = schema_by_name(name) else {
        let names: Vec<&str> = schemas().iter().map(|schema| schema.name()).collect();
        let shown: String = name.chars().take(40).collect();
        return Err(format!(
            "the schema is '{shown}', expected {}",
            names.join(" or ")
        ));
    };
    match row.schema_version {
        Some(version) if version != schema.version() => Err(format!(
            "the version of schema '{name}' is {version}, expected {}",
            schema.version()
        )),
        _ => Ok(Some(schema)),
    }
}

fn check_label(row: &ReadRow) -> Result<(), String> {
    let label = row.record.label.as_ref();
    match label.map(|label| label.as_str().len()) {
        Some(bytes) if bytes > MAX_LABEL_BYTES => Err(format!(
            "the label has {bytes} bytes, expected at most {MAX_LABEL_BYTES}"
        )),
        _ => Ok(()),
    }
}

/// What a panic said.
pub(super) fn panic_words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it said nothing").to_owned()
}
