use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};

use super::{next_before, original, partitions};
use crate::{Connection, Error, Message, Outgoing, Producer, Result};

/// How many letters are sent back together.
const GROUP: usize = 500;
const POLL: Duration = Duration::from_millis(200);

/// Which dead letters are sent back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// The cluster.
    pub connection: Connection,
    /// The topic of dead letters.
    pub topic: String,
    /// The group under which is kept how far it was replayed, so that no letter is sent back twice.
    pub group: String,
    /// The topics that letters may go back to. A letter that names another is left: who may write
    /// dead letters must not thereby write any topic.
    pub allowed_topics: Vec<String>,
    /// A message that was sent back this often already is left.
    pub most_replays: u32,
    /// How many are sent back at most.
    pub most_messages: u64,
    /// How long it may take.
    pub limit: Duration,
}

/// What was sent back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replayed {
    /// Messages that were sent back and are known to be delivered.
    pub sent: u64,
    /// Messages that were left because they were sent back too often.
    pub too_often: u64,
    /// Letters that cannot be sent back, by reason.
    pub left: BTreeMap<&'static str, u64>,
    /// Whether all letters were seen that were there at the beginning.
    pub is_complete: bool,
}

/// Sends the originals of dead letters back to their topics: those that are there when it begins,
/// so that one that comes back does not go round in circles. Blocks. When it fails or is cut short,
/// what was delivered is not sent again the next time.
pub fn replay(replay: &Replay, producer: &Producer) -> Result<Replayed> {
    let until = Instant::now() + replay.limit;
    let left = || until.saturating_duration_since(Instant::now());
    let mut config = replay.connection.client_config()?;
    config
        .set("group.id", &replay.group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest");
    let consumer: BaseConsumer = config.create().map_err(|error| Error::client(&error))?;
    let mut ends = ends(&consumer, replay, until)?;
    let mut replayed = Replayed::default();
    let mut positions: BTreeMap<i32, i64> = BTreeMap::new();
    let mut group: Vec<Outgoing> = Vec::new();
    while !ends.is_empty() && !left().is_zero() {
        let is_enough = replayed.sent + group.len() as u64 >= replay.most_messages;
        if is_enough || group.len() == GROUP {
            flush(
                &consumer,
                replay,
                producer,
                &mut group,
                &mut positions,
                &mut replayed,
                left(),
            )?;
            if is_enough {
                return Ok(replayed);
            }
        }
        let next = next_before(&consumer, &replay.topic, &mut ends, POLL.min(left()))?;
        if let Some((partition, message)) = next {
            sort(&message, replay, &mut group, &mut replayed);
            positions.insert(partition, message.offset + 1);
        }
    }
    flush(
        &consumer,
        replay,
        producer,
        &mut group,
        &mut positions,
        &mut replayed,
        left(),
    )?;
    replayed.is_complete = ends.is_empty();
    Ok(replayed)
}

/// Takes up every partition where the last replay ended, and gives where each ends that has letters
/// left.
fn ends(consumer: &BaseConsumer, replay: &Replay, until: Instant) -> Result<BTreeMap<i32, i64>> {
    let left = || until.saturating_duration_since(Instant::now());
    let what = format!("asking for the topic '{}'", replay.topic);
    let partitions = partitions(consumer, &replay.topic, left())?;
    let mut wanted = TopicPartitionList::new();
    for partition in &partitions {
        wanted.add_partition(&replay.topic, *partition);
    }
    let committed = consumer
        .committed_offsets(wanted, left())
        .map_err(|error| Error::cluster(&what, error))?;
    let mut ends = BTreeMap::new();
    let mut assignment = TopicPartitionList::new();
    for partition in partitions {
        let (first, end) = consumer
            .fetch_watermarks(&replay.topic, partition, left())
            .map_err(|error| Error::cluster(&what, error))?;
        let found = committed.find_partition(&replay.topic, partition);
        let start = match found.map(|found| found.offset()) {
            Some(Offset::Offset(offset)) => offset.max(first),
            _ => first,
        };
        if start < end {
            ends.insert(partition, end);
            assignment
                .add_partition_offset(&replay.topic, partition, Offset::Offset(start))
                .map_err(|error| Error::cluster(&what, error))?;
        }
    }
    consumer
        .assign(&assignment)
        .map_err(|error| Error::cluster(&what, error))?;
    Ok(ends)
}

/// Whether a letter goes back, and if not, why.
fn sort(letter: &Message, replay: &Replay, group: &mut Vec<Outgoing>, replayed: &mut Replayed) {
    match original(letter) {
        Ok((_, count)) if count >= replay.most_replays => replayed.too_often += 1,
        Ok((message, _)) if !replay.allowed_topics.contains(&message.topic) => {
            *replayed
                .left
                .entry("it names a topic that is not allowed")
                .or_default() += 1;
        }
        Ok((message, _)) => group.push(message),
        Err(reason) => *replayed.left.entry(reason).or_default() += 1,
    }
}

/// Sends a group back and commits that it was; not before all of it is delivered.
fn flush(
    consumer: &BaseConsumer,
    replay: &Replay,
    producer: &Producer,
    group: &mut Vec<Outgoing>,
    positions: &mut BTreeMap<i32, i64>,
    replayed: &mut Replayed,
    limit: Duration,
) -> Result<()> {
    let report = producer.send(group, limit);
    if let Some((_, delivery)) = report.undelivered().next() {
        let reason = format!("{delivery:?}");
        return Err(Error::cluster("sending dead letters back", reason));
    }
    replayed.sent += group.len() as u64;
    group.clear();
    let mut list = TopicPartitionList::new();
    for (partition, offset) in std::mem::take(positions) {
        list.add_partition_offset(&replay.topic, partition, Offset::Offset(offset))
            .map_err(|error| Error::cluster("keeping how far it was replayed", error))?;
    }
    if list.count() > 0 {
        consumer
            .commit(&list, CommitMode::Sync)
            .map_err(|error| Error::cluster("keeping how far it was replayed", error))?;
    }
    Ok(())
}
