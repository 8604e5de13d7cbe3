//! From judged rows to the store, to those who read verdicts, and only then to an acknowledgement.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tripline_kafka::{Delivery, Message, Outgoing, Pending, Poison, Report, Ticket, dead_letter};
use tripline_store::{
    AppendOutcome, BatchId, NewStream, NewVerdict, Provenance, Source, Stage, StoreError,
    StoredVerdict, Stream,
};

use super::{
    ledger::Settled, pause::Pauses, reading::PlacedRow, settings::InputTopic, told,
    trace::BatchTrace, worker::Shared,
};
use crate::{
    api::{Row, borrowed},
    registry::chain,
    traces::Span,
};

/// How long messages may wait for room in the queue to the cluster.
const QUEUE_PATIENCE: Duration = Duration::from_secs(5);
/// How often it is asked, while messages are on their way, whether the end is wanted.
const SLICE: Duration = Duration::from_millis(250);
/// How many slices messages may be on their way: longer than the client tries them.
const MOST_SLICES: u32 = 160;
/// How many slices they may be on their way once the end is wanted.
const LAST_SLICES: u32 = 20;
/// Bytes of a dead letter: as the cluster's default allows, and smaller ones for topics that allow
/// less. The last resort before a message is given up.
const LETTER_BYTES: [usize; 3] = [900_000, 100_000, 10_000];
/// Streams that are remembered: one for each partition and 8 million offsets.
const MAX_STREAMS: usize = 4096;

/// Messages that are judged and on their way to the store.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) trace: BatchTrace,
    pub(super) topic: String,
    pub(super) partition: i32,
    /// Messages that gave the rows.
    pub(super) scored: u64,
    pub(super) rows: Vec<PlacedRow>,
    pub(super) poisoned: Vec<(Message, Poison)>,
    /// Acknowledges the batch, on its last chunk.
    pub(super) ticket: Option<Ticket>,
}

impl Chunk {
    pub(super) fn new(trace: &BatchTrace, topic: &str, partition: i32) -> Self {
        Self {
            trace: trace.clone(),
            topic: topic.to_owned(),
            partition,
            scored: 0,
            rows: Vec::new(),
            poisoned: Vec::new(),
            ticket: None,
        }
    }
}

/// A chunk that is stored, with its verdicts on their way to those who read them.
struct Sent {
    chunk: Chunk,
    settled: Settled,
    messages: Vec<Outgoing>,
    pending: Pending,
    /// Ends when they are there.
    sending: Span,
}

/// The end is wanted: what is not done is left to whoever reads the partition next.
#[derive(Debug)]
pub(super) struct Stopping;

/// The thread that stores and tells.
pub(super) struct Writer<'a> {
    shared: &'a Shared,
    streams: HashMap<[u8; 16], Stream>,
    pauses: Pauses,
    /// What is on its way while the next chunk is stored.
    sent: Option<Sent>,
}

/// Rows of one stream, judged by the same models.
struct Group<'a> {
    key: [u8; 16],
    provenance: &'a Arc<Provenance>,
    /// With their places in the chunk.
    rows: Vec<(usize, &'a PlacedRow)>,
}

/// What is to be sent, and what stands behind it.
struct Letter<'a> {
    message: &'a Message,
    poison: &'a Poison,
    /// Which of [`LETTER_BYTES`] it keeps to.
    size: usize,
}

impl<'a> Writer<'a> {
    pub(super) fn new(shared: &'a Shared) -> Self {
        Self {
            shared,
            streams: HashMap::new(),
            pauses: Pauses::default(),
            sent: None,
        }
    }

    /// Stores a chunk and sends its verdicts on their way, which [`finish`](Self::finish) or the next
    /// call sees to. What fails is tried again until it succeeds or the end is wanted.
    pub(super) fn write(&mut self, mut chunk: Chunk) -> Result<(), Stopping> {
        let trace = chunk.trace.clone();
        let within = trace.enter();
        let mut settled = Settled {
            scored: chunk.scored,
            ..Settled::default()
        };
        let mut outgoing = Vec::new();
        for group in groups(&chunk.rows) {
            let storing = trace.store(&*self.shared.surroundings.store, group.rows.len());
            let (stream, outcome) = self.store(&group)?;
            drop(storing);
            settled.verdicts += outcome.inserted;
            settled.repeats += outcome.already_present;
            self.tell(&group, stream, outcome, &mut settled, &mut outgoing)?;
        }
        // Whatever models judged them, verdicts are told in the order of their rows.
        outgoing.sort_by_key(|(row, _)| *row);
        let sending = trace.send(self.shared.settings.told(), outgoing.len());
        for (row, message) in &mut outgoing {
            trace.carry(&sending, chunk.rows[*row].place, message);
        }
        drop(within);
        let messages: Vec<_> = outgoing.into_iter().map(|(_, message)| message).collect();
        chunk.rows = Vec::new();
        // Verdicts about one host keep their order: nothing is sent before all that was is there.
        self.finish()?;
        let pending = self.shared.producer.submit(&messages, QUEUE_PATIENCE);
        self.sent = Some(Sent {
            chunk,
            settled,
            messages,
            pending,
            sending,
        });
        Ok(())
    }

    /// Waits until what was sent is there, and acknowledges it.
    pub(super) fn finish(&mut self) -> Result<(), Stopping> {
        let Some(sent) = self.sent.take() else {
            return Ok(());
        };
        let Sent {
            chunk,
            mut settled,
            messages,
            pending,
            sending,
        } = sent;
        let trace = chunk.trace.clone();
        let _within = trace.enter();
        self.send(messages, pending)?;
        drop(sending);
        if let Some(topic) = self.shared.settings.input(&chunk.topic) {
            let _span = trace.send(&topic.dead_letters, chunk.poisoned.len());
            self.bury(&chunk, topic, &mut settled)?;
        }
        self.shared.ledger.settled(&chunk.topic, &settled);
        if let Some(ticket) = &chunk.ticket {
            self.shared.ack(ticket);
        }
        Ok(())
    }

    /// Stores rows under their places: a place that is taken keeps its verdict.
    fn store(&mut self, group: &Group<'_>) -> Result<(Stream, AppendOutcome), Stopping> {
        let verdicts: Vec<NewVerdict<'_>> = group
            .rows
            .iter()
            .map(|(_, placed)| NewVerdict {
                sequence: placed.place.sequence,
                stage: Stage::Final,
                created_at: placed.row.created_at,
                row_number: None,
                threat: placed.row.threat,
                attack: placed.row.attack.as_ref().map(borrowed),
                label: placed.row.label.as_deref(),
                features: &placed.row.features,
                reasons: &placed.row.reasons,
                flow: None,
            })
            .collect();
        self.insist(|writer| {
            let stream = writer.stream(group.key)?;
            let store = &writer.shared.surroundings.store;
            match store.append(stream, group.provenance, &verdicts) {
                Ok(outcome) => Ok((stream, outcome)),
                Err(error) => {
                    // It may have been removed; it is opened anew then.
                    writer.streams.remove(&group.key);
                    Err(error)
                }
            }
        })
    }

    fn stream(&mut self, key: [u8; 16]) -> Result<Stream, StoreError> {
        if let Some(stream) = self.streams.get(&key) {
            return Ok(*stream);
        }
        let surroundings = &self.shared.surroundings;
        let stream = surroundings.store.open_stream(&NewStream {
            key: BatchId::from_bytes(key),
            source: Source::ExternalKafka,
            created_at: (surroundings.clock)(),
        })?;
        if self.streams.len() == MAX_STREAMS {
            self.streams.clear();
        }
        self.streams.insert(key, stream);
        Ok(stream)
    }

    /// The messages that tell the verdicts of a group. Of a row that was stored before, what is
    /// stored is told: other models may judge by now.
    fn tell(
        &mut self,
        group: &Group<'_>,
        stream: Stream,
        outcome: AppendOutcome,
        settled: &mut Settled,
        outgoing: &mut Vec<(usize, Outgoing)>,
    ) -> Result<(), Stopping> {
        let stored = if outcome.already_present > 0 {
            self.stored(group, stream)?
        } else {
            HashMap::new()
        };
        for (row, placed) in &group.rows {
            let sequence = placed.place.sequence;
            let prediction = match stored.get(&sequence) {
                Some(verdict) => told::prediction(&Row::stored(verdict)),
                None => placed.prediction(stream.verdict_id(sequence)),
            };
            settled.threats += u64::from(prediction.is_threat);
            let settings = &self.shared.settings;
            let messages = placed.aside.tell(
                prediction,
                settings.predictions.as_deref(),
                settings.alerts.as_deref(),
            );
            match messages {
                Ok(messages) => outgoing.extend(messages.map(|one| (*row, one))),
                Err(error) => self.shared.could_not_tell(&error.to_string()),
            }
        }
        Ok(())
    }

    /// What is stored under the places of a group, by sequence number. Messages that come again come
    /// many at a time, so it is read in one go.
    fn stored(
        &mut self,
        group: &Group<'_>,
        stream: Stream,
    ) -> Result<HashMap<u64, StoredVerdict>, Stopping> {
        let places = group.rows.iter().map(|(_, placed)| placed.place.sequence);
        let Some((first, last)) = places.clone().min().zip(places.max()) else {
            return Ok(HashMap::new());
        };
        let mut stored = HashMap::with_capacity(group.rows.len());
        let mut after = first.checked_sub(1);
        loop {
            let page = self.insist(|writer| {
                let store = &writer.shared.surroundings.store;
                store.stream_rows(stream, after, group.rows.len())
            })?;
            // What does not come is gone: retention was quicker.
            let Some(newest) = page.last().map(|verdict| verdict.sequence) else {
                return Ok(stored);
            };
            stored.extend(page.into_iter().map(|verdict| (verdict.sequence, verdict)));
            if newest >= last {
                return Ok(stored);
            }
            after = Some(newest);
        }
    }

    /// Waits for messages that were sent, and sends them again, until each is known to be delivered.
    fn send(&mut self, mut messages: Vec<Outgoing>, mut pending: Pending) -> Result<(), Stopping> {
        while !messages.is_empty() {
            let mut again = Vec::new();
            let mut reason = None;
            for (index, delivery) in self.undelivered(&pending)? {
                if delivery.is_worth_another_try() {
                    again.push(std::mem::take(&mut messages[index]));
                    reason.get_or_insert(delivery);
                } else {
                    self.shared
                        .could_not_tell(&words(&messages[index].topic, &delivery));
                }
            }
            let Some(delivery) = reason else { break };
            let topic = again.first().map_or("", |message| message.topic.as_str());
            self.wait(words(topic, &delivery))?;
            messages = again;
            pending = self.shared.producer.submit(&messages, QUEUE_PATIENCE);
        }
        self.shared.done();
        self.pauses.reset();
        Ok(())
    }

    /// Sends what could not be judged to the dead letters. What they refuse too, however small it
    /// is made, is rejected for good.
    fn bury(
        &mut self,
        chunk: &Chunk,
        topic: &InputTopic,
        settled: &mut Settled,
    ) -> Result<(), Stopping> {
        let mut letters: Vec<Letter<'_>> = chunk
            .poisoned
            .iter()
            .map(|(message, poison)| Letter {
                message,
                poison,
                size: 0,
            })
            .collect();
        while !letters.is_empty() {
            let from = dead_letter::From {
                topic: &chunk.topic,
                partition: chunk.partition,
            };
            let messages: Vec<Outgoing> = letters
                .iter()
                .map(|letter| {
                    let bytes = LETTER_BYTES[letter.size];
                    let (message, poison) = (letter.message, letter.poison);
                    dead_letter::letter(message, from, poison, 1, &topic.dead_letters, bytes)
                })
                .collect();
            let pending = self.shared.producer.submit(&messages, QUEUE_PATIENCE);
            let failures: HashMap<usize, Delivery> =
                self.undelivered(&pending)?.into_iter().collect();
            let mut again = Vec::new();
            let mut reason = None;
            for (index, mut letter) in letters.into_iter().enumerate() {
                let Some(delivery) = failures.get(&index) else {
                    settled.dead_lettered.push(letter.poison.cause);
                    continue;
                };
                if delivery.is_worth_another_try() {
                    reason.get_or_insert_with(|| words(&topic.dead_letters, delivery));
                    again.push(letter);
                } else if letter.size + 1 < LETTER_BYTES.len() {
                    letter.size += 1;
                    again.push(letter);
                } else {
                    settled.rejected.push(letter.poison.cause);
                    tracing::error!(
                        topic = chunk.topic,
                        partition = chunk.partition,
                        offset = letter.message.offset,
                        reason = letter.poison.detail,
                        "a message that cannot be judged is lost: {}",
                        words(&topic.dead_letters, delivery),
                    );
                }
            }
            if let Some(reason) = reason {
                self.wait(reason)?;
            }
            letters = again;
        }
        if let Some((message, poison)) = chunk.poisoned.first() {
            tracing::warn!(
                topic = chunk.topic,
                partition = chunk.partition,
                messages = chunk.poisoned.len(),
                first_offset = message.offset,
                first_reason = poison.detail,
                "messages that cannot be judged are in '{}'",
                topic.dead_letters,
            );
        }
        self.shared.done();
        self.pauses.reset();
        Ok(())
    }

    /// What is not known to be delivered of what was sent, once there is nothing to wait for.
    fn undelivered(&self, pending: &Pending) -> Result<Vec<(usize, Delivery)>, Stopping> {
        let mut last = 0;
        for _ in 0..MOST_SLICES {
            let report = pending.wait(SLICE);
            if !report.deliveries.contains(&Delivery::Unknown) {
                return Ok(undelivered(&report));
            }
            if self.shared.stop.is_wanted() {
                last += 1;
                if last == LAST_SLICES {
                    return Err(Stopping);
                }
            }
        }
        Ok(undelivered(&pending.wait(Duration::ZERO)))
    }

    /// Asks the store until it does what it is asked.
    fn insist<T>(
        &mut self,
        mut work: impl FnMut(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, Stopping> {
        loop {
            match work(self) {
                Ok(done) => {
                    self.shared.done();
                    self.pauses.reset();
                    return Ok(done);
                }
                Err(error) => self.wait(format!("the store: {}", chain(&error)))?,
            }
        }
    }

    fn wait(&mut self, reason: String) -> Result<(), Stopping> {
        self.shared.waits(reason);
        if self.shared.stop.pause(self.pauses.next()) {
            return Err(Stopping);
        }
        Ok(())
    }
}

/// The rows by stream and models, in the order in which these come first.
fn groups(rows: &[PlacedRow]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (index, placed) in rows.iter().enumerate() {
        let provenance = &placed.row.provenance;
        let found = groups.iter_mut().find(|group| {
            group.key == placed.place.stream && Arc::ptr_eq(group.provenance, provenance)
        });
        match found {
            Some(group) => group.rows.push((index, placed)),
            None => groups.push(Group {
                key: placed.place.stream,
                provenance,
                rows: vec![(index, placed)],
            }),
        }
    }
    groups
}

fn undelivered(report: &Report) -> Vec<(usize, Delivery)> {
    let undelivered = report.undelivered();
    undelivered
        .map(|(index, delivery)| (index, delivery.clone()))
        .collect()
}

fn words(topic: &str, delivery: &Delivery) -> String {
    match delivery {
        Delivery::Failed { reason, .. } => format!("sending to '{topic}': {reason}"),
        Delivery::Unknown => format!("sending to '{topic}': no answer yet"),
        Delivery::Delivered { .. } => format!("sending to '{topic}': delivered"),
    }
}
