use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};

use super::{
    ATTEMPTS, CAUSE, OFFSET, PARTITION, REASON, REPLAYED, TIMESTAMP, TOPIC, TRUNCATED, next_before,
    partitions,
};
use crate::{Connection, Error, Message, Result};

const POLL: Duration = Duration::from_millis(200);
/// Bytes of a header or of a payload that are kept to be shown.
const SHOWN_BYTES: usize = 1024;

/// Which dead letters are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The cluster.
    pub connection: Connection,
    /// The topic of dead letters.
    pub topic: String,
    /// The group of [`Replay`](super::Replay): letters that it has passed are marked. Nothing of it
    /// is changed.
    pub group: String,
    /// How many are listed at most, the newest.
    pub most_letters: usize,
    /// How long it may take.
    pub limit: Duration,
}

/// What there is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listed {
    /// The letters, newest first.
    pub letters: Vec<Letter>,
    /// Places in the topic: letters that are there, and what the broker keeps between them.
    pub places: u64,
    /// Whether every letter was seen that had to be looked at; false when time was over.
    pub is_complete: bool,
}

/// A dead letter as it is looked at. Texts and bytes are cut to 1,024 bytes, and are whatever the
/// writer of the letter wrote.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Letter {
    /// Its time, in milliseconds since 1970.
    pub timestamp_millis: Option<i64>,
    /// Its partition in the topic of dead letters.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// The kind of reason.
    pub cause: Option<String>,
    /// The reason in words.
    pub reason: Option<String>,
    /// The topic of the original.
    pub original_topic: Option<String>,
    /// The partition of the original.
    pub original_partition: Option<i32>,
    /// The offset of the original.
    pub original_offset: Option<i64>,
    /// The time of the original, in milliseconds since 1970.
    pub original_timestamp_millis: Option<i64>,
    /// How often the original was tried.
    pub attempts: Option<u32>,
    /// How often the message was sent back before this letter.
    pub replayed: u32,
    /// Whether a replay has passed it.
    pub is_passed: bool,
    /// Bytes of the original's payload.
    pub bytes: u64,
    /// Whether the letter has only its beginning.
    pub is_truncated: bool,
    /// The beginning of the payload; `None` where there is none.
    pub payload: Option<Vec<u8>>,
}

/// By time, and then by place.
type Rank = (Option<i64>, i32, i64);

/// Lists the newest dead letters; blocks. It joins no group and commits nothing.
pub fn list(listing: &Listing) -> Result<Listed> {
    let until = Instant::now() + listing.limit;
    let left = || until.saturating_duration_since(Instant::now());
    let mut config = listing.connection.client_config()?;
    config
        .set("group.id", &listing.group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error");
    let consumer: BaseConsumer = config.create().map_err(|error| Error::client(&error))?;
    let mut listed = Listed::default();
    let Places { mut ends, passed } = places(&consumer, listing, until, &mut listed.places)?;
    // Of all partitions the newest are kept, and never more than are wanted.
    let mut ranks: BinaryHeap<Reverse<Rank>> = BinaryHeap::new();
    let mut letters: BTreeMap<Rank, Letter> = BTreeMap::new();
    while !ends.is_empty() && !left().is_zero() {
        let next = next_before(&consumer, &listing.topic, &mut ends, POLL.min(left()))?;
        let Some((partition, message)) = next else {
            continue;
        };
        let offset = message.offset;
        let is_passed = passed
            .get(&partition)
            .is_some_and(|passed| offset < *passed);
        let letter = letter(&message, partition, is_passed);
        let rank = (letter.timestamp_millis, partition, offset);
        ranks.push(Reverse(rank));
        letters.insert(rank, letter);
        if letters.len() > listing.most_letters
            && let Some(Reverse(oldest)) = ranks.pop()
        {
            letters.remove(&oldest);
        }
    }
    listed.letters = letters.into_values().rev().collect();
    listed.is_complete = ends.is_empty();
    Ok(listed)
}

/// Where letters are.
struct Places {
    /// Where each partition ends that has letters.
    ends: BTreeMap<i32, i64>,
    /// How far each was replayed.
    passed: BTreeMap<i32, i64>,
}

/// Takes up the end of every partition.
fn places(
    consumer: &BaseConsumer,
    listing: &Listing,
    until: Instant,
    count: &mut u64,
) -> Result<Places> {
    let left = || until.saturating_duration_since(Instant::now());
    let what = format!("asking for the topic '{}'", listing.topic);
    let failed = |error: rdkafka::error::KafkaError| Error::cluster(&what, error);
    let partitions = partitions(consumer, &listing.topic, left())?;
    let mut wanted = TopicPartitionList::new();
    for partition in &partitions {
        wanted.add_partition(&listing.topic, *partition);
    }
    let committed = consumer.committed_offsets(wanted, left()).map_err(failed)?;
    let passed = committed.elements().into_iter().filter_map(|element| {
        let Offset::Offset(offset) = element.offset() else {
            return None;
        };
        Some((element.partition(), offset))
    });
    let passed = passed.collect();
    let most = i64::try_from(listing.most_letters).unwrap_or(i64::MAX);
    let mut ends = BTreeMap::new();
    let mut assignment = TopicPartitionList::new();
    for partition in partitions {
        let (first, end) = consumer
            .fetch_watermarks(&listing.topic, partition, left())
            .map_err(failed)?;
        *count += u64::try_from(end - first).unwrap_or_default();
        let start = end.saturating_sub(most).max(first);
        if start < end {
            ends.insert(partition, end);
            assignment
                .add_partition_offset(&listing.topic, partition, Offset::Offset(start))
                .map_err(failed)?;
        }
    }
    consumer.assign(&assignment).map_err(failed)?;
    Ok(Places { ends, passed })
}

fn letter(message: &Message, partition: i32, is_passed: bool) -> Letter {
    fn number<T: std::str::FromStr>(text: Option<String>) -> Option<T> {
        text?.parse().ok()
    }
    let text = |name: &str| {
        let value = message.header(name)?;
        let value = &value[..value.len().min(SHOWN_BYTES)];
        Some(String::from_utf8_lossy(value).into_owned())
    };
    let payload = message.payload.as_deref();
    let whole = number(text(TRUNCATED));
    Letter {
        timestamp_millis: message.timestamp_millis,
        partition,
        offset: message.offset,
        cause: text(CAUSE),
        reason: text(REASON),
        original_topic: text(TOPIC),
        original_partition: number(text(PARTITION)),
        original_offset: number(text(OFFSET)),
        original_timestamp_millis: number(text(TIMESTAMP)),
        attempts: number(text(ATTEMPTS)),
        replayed: number(text(REPLAYED)).unwrap_or_default(),
        is_passed,
        bytes: whole.unwrap_or(payload.map_or(0, <[u8]>::len) as u64),
        is_truncated: whole.is_some(),
        payload: payload.map(|payload| payload[..payload.len().min(SHOWN_BYTES)].to_vec()),
    }
}
