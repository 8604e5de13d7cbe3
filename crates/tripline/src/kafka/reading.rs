//! From messages to judged rows.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use tripline_features::{FeatureSchema, schema_by_name, schemas};
use tripline_kafka::{
    Limits, Message, Poison, Row,
    form::{self, Cause},
    identity::{Origin, Place},
    sender::SenderPolicy,
};
use tripline_store::{MAX_LABEL_BYTES, Source, Timestamp};

use super::{
    settings::InputTopic,
    told::{self, Aside},
};
use crate::{
    api::{Bench, JudgedRow, NewRow, STORED_REASONS, ScorerPool, Scorers, reason_bytes},
    config::Settings,
    registry::Serving,
};

/// A judged row with its place.
#[derive(Debug)]
pub(super) struct PlacedRow {
    pub(super) place: Place,
    pub(super) row: NewRow,
    pub(super) prediction: tripline_kafka::prediction::Prediction,
    pub(super) aside: Aside,
}

/// Where the messages of a batch come from, and what judges them.
pub(super) struct Reader<'a> {
    pub(super) topic: &'a InputTopic,
    /// What holds for the whole batch.
    pub(super) settings: Arc<Settings>,
    pub(super) origin: Origin,
    pub(super) pool: &'a ScorerPool,
    pub(super) serving: Arc<Serving>,
    pub(super) created_at: Timestamp,
    pub(super) scorers: Scorers,
}

impl Reader<'_> {
    /// Judges the rows of a message: all of them or none, so that a message that is put right and
    /// sent again brings no row twice.
    ///
    /// A message on which the program panics is poison like any other: it must not stop those
    /// after it.
    pub(super) fn judge(&mut self, message: &Message) -> Result<Vec<PlacedRow>, Poison> {
        let judged = catch_unwind(AssertUnwindSafe(|| self.judge_rows(message)));
        judged.unwrap_or_else(|panic| {
            // Their memory may be half written.
            self.scorers = Scorers::default();
            let words = panic_words(&*panic);
            tracing::error!(words, offset = message.offset, "judging a message panicked");
            Err(Poison::new(
                Cause::Rejected,
                format!("the program panicked over the message: {words}"),
            ))
        })
    }

    fn judge_rows(&mut self, message: &Message) -> Result<Vec<PlacedRow>, Poison> {
        let reading = form::read_message(message, &Limits::default())?;
        let sender = if self.topic.checks_senders {
            let policy = self.settings.senders.get(&self.topic.name);
            // A topic that nothing is said about admits nobody.
            let sender = match policy {
                Some(policy) => policy.admit(message, &reading)?,
                None => SenderPolicy::default().admit(message, &reading)?,
            };
            Some(told::sender_ref(&sender))
        } else {
            None
        };
        let bench = Bench {
            pool: self.pool,
            serving: &self.serving,
            reasons: STORED_REASONS,
        };
        let count = reading.rows.len();
        let mut rows = Vec::with_capacity(count);
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
            let judged = bench
                .judge(&mut self.scorers, schema, index as u64 + 1, &row.fields)
                .map_err(|error| refused(error.detail().to_owned()))?;
            check_label(&judged).map_err(refused)?;
            let place = self.origin.place(message.offset, index);
            let place = place.ok_or_else(|| refused("it has no place in a stream".to_owned()))?;
            let new_row = judged.new_row(self.created_at);
            let mut shown = judged.row(None, self.created_at, Source::ExternalKafka);
            // In the precision that the store keeps, so that a repeat is told in the same words.
            shown.reasons = reason_bytes::decode(&new_row.reasons).into();
            rows.push(PlacedRow {
                place,
                prediction: told::prediction(&shown),
                row: new_row,
                aside: Aside {
                    event_time: row.event_time,
                    sender: sender.clone(),
                    key: told::key(
                        &row.fields,
                        sender.as_ref(),
                        message.key.as_deref(),
                        (&self.origin.topic, self.origin.partition),
                    ),
                },
            });
        }
        Ok(rows)
    }
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

fn check_label(judged: &JudgedRow) -> Result<(), String> {
    let label = judged.record.label.as_ref();
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
