use std::{io::Write, process::ExitCode, time::Duration};

use anyhow::bail;
use serde_json::{Value, json};
use tripline_kafka::{
    Connection, Producer, ProducerConfig,
    dead_letter::{self, Letter, Listed, Listing, Replay, Replayed},
};
use tripline_store::Timestamp;

use crate::{
    api::rfc3339,
    cli::{DeadLettersCommand, KafkaClusterArgs, ListArgs, ReplayArgs},
    config::Problems,
};

/// Bytes of a payload that are shown to people.
const PREVIEW_BYTES: usize = 160;

pub(super) fn run(command: &DeadLettersCommand) -> anyhow::Result<ExitCode> {
    match command {
        DeadLettersCommand::List(args) => list(args),
        DeadLettersCommand::Replay(args) => replay(args),
    }
}

fn cluster(args: &KafkaClusterArgs) -> anyhow::Result<Connection> {
    let mut problems = Problems::default();
    let connection = args.connection(&mut problems);
    problems.into_result()?;
    let Some(connection) = connection else {
        bail!("there is no cluster; name its brokers with --kafka-brokers");
    };
    Ok(connection)
}

fn list(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let topic = match &args.dead_letters {
        Some(topic) => topic.clone(),
        None => dead_letter::topic_of(&args.topic),
    };
    let listed = dead_letter::list(&Listing {
        connection: cluster(&args.cluster)?,
        topic: topic.clone(),
        group: args.group.clone(),
        most_letters: args.limit as usize,
        limit: Duration::from_secs(args.seconds),
    })?;
    let mut out = std::io::stdout();
    if args.json {
        let letters: Vec<Value> = listed.letters.iter().map(letter_json).collect();
        let body = json!({
            "dead_letters": topic,
            "places": listed.places,
            "letters": letters,
            "is_complete": listed.is_complete,
        });
        writeln!(out, "{body:#}")?;
    } else {
        write!(out, "{}", list_text(&topic, &listed, args))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn time(millis: Option<i64>) -> Option<String> {
    let micros = millis?.checked_mul(1000)?;
    Some(rfc3339(Timestamp(micros)))
}

fn letter_json(letter: &Letter) -> Value {
    let payload = letter.payload.as_deref();
    json!({
        "time": time(letter.timestamp_millis),
        "partition": letter.partition,
        "offset": letter.offset,
        "cause": letter.cause,
        "reason": letter.reason,
        "original": {
            "topic": letter.original_topic,
            "partition": letter.original_partition,
            "offset": letter.original_offset,
            "time": time(letter.original_timestamp_millis),
            "bytes": letter.bytes,
        },
        "attempts": letter.attempts,
        "replayed": letter.replayed,
        "is_passed": letter.is_passed,
        "is_truncated": letter.is_truncated,
        "preview": payload.map(|payload| preview(payload, letter.bytes)),
    })
}

fn list_text(topic: &str, listed: &Listed, args: &ListArgs) -> String {
    let count = listed.letters.len();
    let mut text = match listed.places {
        0 => format!("{topic}: there are no dead letters\n"),
        places => format!("{topic}: {count} of up to {places} dead letters, the newest first\n"),
    };
    for letter in &listed.letters {
        let or_dash = |text: &Option<String>| text.as_deref().map_or("-".to_owned(), printable);
        let number = |number: Option<i64>| number.map_or("-".to_owned(), |one| one.to_string());
        text.push_str(&format!(
            "\n{}  {}  {}/{}@{}  attempts {}, sent back {}  {} bytes{}\n",
            time(letter.timestamp_millis).unwrap_or_else(|| "-".to_owned()),
            or_dash(&letter.cause),
            or_dash(&letter.original_topic),
            number(letter.original_partition.map(i64::from)),
            number(letter.original_offset),
            number(letter.attempts.map(i64::from)),
            letter.replayed,
            letter.bytes,
            if letter.is_passed { "  (replayed)" } else { "" },
        ));
        text.push_str(&format!("    reason:  {}\n", or_dash(&letter.reason)));
        if let Some(payload) = &letter.payload {
            text.push_str(&format!(
                "    payload: {}\n",
                preview(payload, letter.bytes)
            ));
        }
    }
    if !listed.is_complete {
        text.push_str(&format!(
            "\nthere are more: {} s were over before all were read (--seconds)\n",
            args.seconds
        ));
    }
    text
}

/// The beginning of a payload, without anything that a terminal would obey.
fn preview(payload: &[u8], bytes: u64) -> String {
    let shown = &payload[..payload.len().min(PREVIEW_BYTES)];
    let mut text = String::new();
    for chunk in shown.utf8_chunks() {
        text.push_str(&printable(chunk.valid()));
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    if (shown.len() as u64) < bytes {
        text.push('…');
    }
    text
}

/// A stranger's text with everything escaped that is not a visible character: control characters
/// steer a terminal, and some invisible ones turn what is read around.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '"' | '\'') {
            shown.push(letter);
        } else {
            shown.extend(letter.escape_debug());
        }
    }
    shown
}

fn replay(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    let connection = cluster(&args.cluster)?;
    let first = args.topic.first().map_or("", String::as_str);
    let topic = match &args.dead_letters {
        Some(topic) => topic.clone(),
        None => dead_letter::topic_of(first),
    };
    let producer = Producer::start(ProducerConfig::new(connection.clone()))?;
    let replayed = dead_letter::replay(
        &Replay {
            connection,
            topic: topic.clone(),
            group: args.group.clone(),
            allowed_topics: args.topic.clone(),
            most_replays: args.most_replays,
            most_messages: args.limit,
            limit: Duration::from_secs(args.seconds),
        },
        &producer,
    )?;
    let mut out = std::io::stdout();
    if args.json {
        let body = json!({
            "dead_letters": topic,
            "sent": replayed.sent,
            "too_often": replayed.too_often,
            "left": replayed.left,
            "is_complete": replayed.is_complete,
        });
        writeln!(out, "{body:#}")?;
    } else {
        write!(out, "{}", text(&topic, &replayed, args))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn text(topic: &str, replayed: &Replayed, args: &ReplayArgs) -> String {
    let mut text = format!("{topic}: {} sent back\n", replayed.sent);
    if replayed.too_often > 0 {
        text.push_str(&format!(
            "{} left: sent back {} times before\n",
            replayed.too_often, args.most_replays
        ));
    }
    for (reason, count) in &replayed.left {
        text.push_str(&format!("{count} left: {reason}\n"));
    }
    if !replayed.is_complete {
        text.push_str("there are more: the limit was reached\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> ListArgs {
        ListArgs {
            cluster: KafkaClusterArgs::default(),
            topic: "network-traffic".to_owned(),
            dead_letters: None,
            group: String::new(),
            limit: 20,
            seconds: 30,
            json: false,
        }
    }

    #[test]
    fn a_list_says_why_and_from_where() {
        let rejected = Letter {
            timestamp_millis: Some(1_764_583_200_000),
            cause: Some("rejected".to_owned()),
            reason: Some("'src_bytes': -5 is less than 0".to_owned()),
            original_topic: Some("network-traffic".to_owned()),
            original_partition: Some(3),
            original_offset: Some(41),
            attempts: Some(1),
            replayed: 2,
            is_passed: true,
            bytes: 17,
            payload: Some(br#"{"src_bytes": -5}"#.to_vec()),
            ..Letter::default()
        };
        // What somebody else has written into the topic.
        let strange = Letter {
            reason: Some("\u{1b}[2J".to_owned()),
            ..Letter::default()
        };
        let listed = Listed {
            letters: vec![rejected, strange],
            places: 7,
            is_complete: false,
        };
        let text = list_text("network-traffic.dead-letter", &listed, &args());
        let expected = r#"network-traffic.dead-letter: 2 of up to 7 dead letters, the newest first

2025-12-01T10:00:00.000000Z  rejected  network-traffic/3@41  attempts 1, sent back 2  17 bytes  (replayed)
    reason:  'src_bytes': -5 is less than 0
    payload: {"src_bytes": -5}

-  -  -/-@-  attempts -, sent back 0  0 bytes
    reason:  \u{1b}[2J

there are more: 30 s were over before all were read (--seconds)
"#;
        assert_eq!(text, expected);
        let none = list_text("t", &Listed::default(), &args());
        assert!(none.starts_with("t: there are no dead letters\n"), "{none}");
    }

    #[test]
    fn nothing_that_a_terminal_obeys_is_shown() {
        let check = |payload: &[u8], expected: &str| {
            assert_eq!(preview(payload, payload.len() as u64), expected);
        };
        check(br#"{"a": 'b'}"#, r#"{"a": 'b'}"#);
        check(b"\x1b[2J\x07\xff\0\n", r"\u{1b}[2J\u{7}\xff\0\n");
        check("é \u{202e}\u{9b}".as_bytes(), r"é \u{202e}\u{9b}");
        check(b"a\\n", r"a\\n");
        let long = preview(&[b'x'; 500], 500);
        assert_eq!(long.chars().count(), PREVIEW_BYTES + 1);
        assert!(long.ends_with('…'));
        assert_eq!(preview(b"", 0), "");
        // The letter has less than the original had.
        assert_eq!(preview(b"ab", 9), "ab…");
    }
}
