//! Dead letters: messages that cannot be read, kept with their bytes and their origin.
//!
//! A dead letter has the key and the payload of the original, byte by byte, and headers: the
//! original's own with the prefix `original.`, and those named here. [`replay`] sends originals
//! back to the topics they came from, for instance after the program that could not read them was
//! put right.

mod list;
mod replay;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::metadata::{MetadataPartition, MetadataTopic};

use crate::form::Poison;
use crate::{Error, Header, Message, Outgoing, Result};

pub use list::{Letter, Listed, Listing, list};
pub use replay::{Replay, Replayed, replay};

/// The kind of reason, see [`Cause::name`](crate::form::Cause::name); other words for other reasons.
pub const CAUSE: &str = "dead-letter-cause";
/// The reason in words.
pub const REASON: &str = "dead-letter-reason";
/// The topic of the original.
pub const TOPIC: &str = "dead-letter-topic";
/// The partition of the original.
pub const PARTITION: &str = "dead-letter-partition";
/// The offset of the original.
pub const OFFSET: &str = "dead-letter-offset";
/// The time of the original, in milliseconds since 1970.
pub const TIMESTAMP: &str = "dead-letter-timestamp";
/// How often the original was tried.
pub const ATTEMPTS: &str = "dead-letter-attempts";
/// How many bytes the payload had, when only its beginning was kept.
pub const TRUNCATED: &str = "dead-letter-truncated";
/// How often a message was sent back; it stays with the message.
pub const REPLAYED: &str = "replayed";

/// What comes before the names of the original's headers.
const ORIGINAL: &str = "original.";
/// Room for the headers of a dead letter, beside what it keeps of the original.
const HEADER_ROOM: usize = 4096;
/// The longest reason that goes into a header.
const REASON_BYTES: usize = 1024;

/// The topic of dead letters of a topic, where no other is configured.
pub fn topic_of(topic: &str) -> String {
    format!("{topic}.dead-letter")
}

/// Where a message came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct From<'a> {
    /// Its topic.
    pub topic: &'a str,
    /// Its partition.
    pub partition: i32,
}

/// Makes the dead letter of a message. `attempts` says how often it was tried. What does not fit
/// `message_bytes` is left out, payload last, and the letter says so: a letter that is too large to
/// be sent would be worse than one that keeps the beginning.
pub fn letter(
    message: &Message,
    from: From<'_>,
    poison: &Poison,
    attempts: u32,
    dead_letter_topic: &str,
    message_bytes: usize,
) -> Outgoing {
    let mut reason = poison.detail.clone();
    if reason.len() > REASON_BYTES {
        reason.truncate(reason.floor_char_boundary(REASON_BYTES));
    }
    let mut headers = vec![
        Header::new(CAUSE, poison.cause.name()),
        Header::new(REASON, reason),
        Header::new(TOPIC, from.topic),
        Header::new(PARTITION, from.partition.to_string()),
        Header::new(OFFSET, message.offset.to_string()),
        Header::new(ATTEMPTS, attempts.to_string()),
    ];
    if let Some(time) = message.timestamp_millis {
        headers.push(Header::new(TIMESTAMP, time.to_string()));
    }
    let room = Cell::new(message_bytes.saturating_sub(HEADER_ROOM));
    let fits = |bytes: usize| match room.get().checked_sub(bytes) {
        Some(left) => {
            room.set(left);
            true
        }
        None => false,
    };
    let key = message.key.clone().filter(|key| fits(key.len()));
    for header in &message.headers {
        let value = header.value.as_ref().map_or(0, Vec::len);
        if header.name == REPLAYED || fits(header.name.len() + value + ORIGINAL.len() + 16) {
            headers.push(Header {
                name: match header.name.as_str() {
                    REPLAYED => REPLAYED.to_owned(),
                    name => format!("{ORIGINAL}{name}"),
                },
                value: header.value.clone(),
            });
        }
    }
    let payload = message.payload.as_ref().map(|payload| {
        if fits(payload.len()) {
            return payload.clone();
        }
        headers.push(Header::new(TRUNCATED, payload.len().to_string()));
        payload[..room.get().min(payload.len())].to_vec()
    });
    Outgoing {
        topic: dead_letter_topic.to_owned(),
        key,
        payload,
        headers,
        // The time of the letter: a broker that goes by time would delete an old one at once.
        timestamp_millis: None,
    }
}

/// The original of a dead letter and how often it was sent back before; why there is none, if so.
fn original(letter: &Message) -> Result<(Outgoing, u32), &'static str> {
    let text = |name: &str| {
        letter
            .header(name)
            .and_then(|value| str::from_utf8(value).ok())
    };
    if letter.header(TRUNCATED).is_some() {
        return Err("it was too large to be kept whole");
    }
    let topic = text(TOPIC).ok_or("it names no topic")?;
    let replayed = match text(REPLAYED) {
        Some(count) => count
            .parse()
            .map_err(|_| "its count of replays is no number")?,
        None => 0_u32,
    };
    let mut headers: Vec<Header> = letter
        .headers
        .iter()
        .filter_map(|header| {
            Some(Header {
                name: header.name.strip_prefix(ORIGINAL)?.to_owned(),
                value: header.value.clone(),
            })
        })
        .collect();
    headers.push(Header::new(
        REPLAYED,
        replayed.saturating_add(1).to_string(),
    ));
    let message = Outgoing {
        topic: topic.to_owned(),
        key: letter.key.clone(),
        payload: letter.payload.clone(),
        headers,
        timestamp_millis: text(TIMESTAMP).and_then(|time| time.parse().ok()),
    };
    Ok((message, replayed))
}

/// The partitions of a topic that is there.
fn partitions(consumer: &BaseConsumer, topic: &str, limit: Duration) -> Result<Vec<i32>> {
    let what = format!("asking for the topic '{topic}'");
    let metadata = consumer
        .fetch_metadata(Some(topic), limit)
        .map_err(|error| Error::cluster(&what, error))?;
    let topics = metadata.topics().iter();
    let partitions = topics.flat_map(MetadataTopic::partitions);
    let partitions: Vec<i32> = partitions.map(MetadataPartition::id).collect();
    if partitions.is_empty() {
        return Err(Error::cluster(what, "there is no such topic"));
    }
    Ok(partitions)
}

/// The next letter before the ends of its topic's partitions, with its partition, if one comes within
/// the limit. A partition that is read to its end is taken out of `ends`.
fn next_before(
    consumer: &BaseConsumer,
    topic: &str,
    ends: &mut BTreeMap<i32, i64>,
    limit: Duration,
) -> Result<Option<(i32, Message)>> {
    let failed = |error| Error::cluster(format!("reading the topic '{topic}'"), error);
    let Some(message) = consumer.poll(limit) else {
        // Offsets may end in markers that are no messages; the position passes them.
        let position = consumer.position().map_err(failed)?;
        ends.retain(|partition, end| {
            let found = position.find_partition(topic, *partition);
            !found.is_some_and(|found| matches!(found.offset(), Offset::Offset(at) if at >= *end))
        });
        return Ok(None);
    };
    let message = message.map_err(failed)?;
    let (partition, offset) = (message.partition(), message.offset());
    let Some(&end) = ends.get(&partition) else {
        return Ok(None);
    };
    if offset + 1 >= end {
        ends.remove(&partition);
    }
    Ok((offset < end).then(|| (partition, Message::copied(&message))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::Cause;

    fn message() -> Message {
        Message {
            offset: 41,
            timestamp_millis: Some(1_764_583_200_000),
            key: Some(b"k".to_vec()),
            payload: Some(b"\xff\x00{".to_vec()),
            headers: vec![
                Header::new("sender_ip", "192.0.2.7"),
                Header {
                    name: "empty".to_owned(),
                    value: None,
                },
            ],
            has_unreadable_headers: false,
        }
    }

    const FROM: From<'_> = From {
        topic: "t",
        partition: 3,
    };

    fn kept(letter: Outgoing) -> Message {
        Message {
            offset: 0,
            timestamp_millis: None,
            key: letter.key,
            payload: letter.payload,
            headers: letter.headers,
            has_unreadable_headers: false,
        }
    }

    #[test]
    fn an_original_comes_back_whole() {
        let poison = Poison::new(Cause::NotJson, "expected value at line 1");
        let letter = letter(&message(), FROM, &poison, 2, &topic_of("t"), 1_000_000);
        assert_eq!(letter.topic, "t.dead-letter");
        let letter = kept(letter);
        assert_eq!(letter.header(CAUSE), Some(&b"not_json"[..]));
        assert_eq!(letter.header(OFFSET), Some(&b"41"[..]));
        assert_eq!(letter.header(ATTEMPTS), Some(&b"2"[..]));
        let (back, replayed) = original(&letter).unwrap();
        assert_eq!(replayed, 0);
        assert_eq!(back.topic, "t");
        assert_eq!(back.key, message().key);
        assert_eq!(back.payload, message().payload);
        assert_eq!(back.timestamp_millis, message().timestamp_millis);
        assert_eq!(back.headers[..2], message().headers[..]);
        assert_eq!(back.headers[2], Header::new(REPLAYED, "1"));
    }

    #[test]
    fn the_count_of_replays_stays_with_the_message() {
        let poison = Poison::new(Cause::Shape, "x");
        let mut message = message();
        for count in 0..3 {
            let letter = kept(letter(&message, FROM, &poison, 1, "d", 1_000_000));
            let (back, replayed) = original(&letter).unwrap();
            assert_eq!(replayed, count);
            message = kept(back);
        }
    }

    #[test]
    fn a_letter_is_never_too_large() {
        let poison = Poison::new(Cause::TooLarge, "é".repeat(4000));
        let mut message = message();
        message.payload = Some(vec![b'x'; 50_000]);
        message.headers.push(Header::new("big", vec![0; 20_000]));
        let letter = kept(letter(&message, FROM, &poison, 1, "d", 10_000));
        assert!(letter.bytes() < 10_000, "{}", letter.bytes());
        assert_eq!(letter.header(TRUNCATED), Some(&b"50000"[..]));
        assert!(original(&letter).is_err());
    }

    #[test]
    fn what_is_no_dead_letter_is_left() {
        assert!(original(&Message::default()).is_err());
        let letter = Message {
            headers: vec![Header::new(TOPIC, "t"), Header::new(REPLAYED, "many")],
            ..Message::default()
        };
        assert!(original(&letter).is_err());
    }
}
