//! Poison, its letters, and their way back.

use tripline_kafka::dead_letter::{self, Replay};
use tripline_kafka::{Header, Limits, form};

use super::*;

#[test]
fn poison_goes_to_the_dead_letters_and_back() {
    let broker = broker();
    let connection = connection(&broker.address());
    let topic = topic(&connection, "in", 2);
    let letters = dead_letter::topic_of(&topic);
    create_topics(&connection, &[NewTopic::new(&letters, 2)], LIMIT).unwrap();
    let producer = producer(&connection);
    let mut messages = numbered(&topic, 0..10);
    for index in [3, 7] {
        messages[index].payload = Some(vec![0xff, index as u8]);
        messages[index].headers = vec![Header::new("sender_ip", "192.0.2.7")];
    }
    send(&producer, &messages);
    let consumer = consumer(&connection, &unique("g"), &topic);
    let replay = Replay {
        connection: connection.clone(),
        topic: letters.clone(),
        group: unique("replay"),
        allowed_topics: vec![topic.clone()],
        most_replays: 2,
        most_messages: 1000,
        limit: LIMIT,
    };
    let mut good = 0;
    let mut bad = Vec::new();
    // The original and two replays, each of which is poison again.
    for round in 0..3 {
        let expected = if round == 0 { 10 } else { 2 };
        let mut count = 0;
        while count < expected {
            let batch = next(&consumer);
            let mut outgoing = Vec::new();
            for message in &batch.messages {
                count += 1;
                let Err(poison) = form::read(message.payload.as_deref(), &Limits::default()) else {
                    good += 1;
                    continue;
                };
                let from = dead_letter::From {
                    topic: &batch.topic,
                    partition: batch.partition,
                };
                bad.push(message.clone());
                outgoing.push(dead_letter::letter(
                    message, from, &poison, 1, &letters, 900_000,
                ));
            }
            send(&producer, &outgoing);
            consumer.ack(&batch.ticket);
        }
        let replayed = dead_letter::replay(&replay, &producer).unwrap();
        assert!(replayed.is_complete, "{replayed:?}");
        let expected = if round < 2 { (2, 0) } else { (0, 2) };
        assert_eq!((replayed.sent, replayed.too_often), expected, "{round}");
    }
    assert_eq!((good, bad.len()), (8, 6));
    for message in &bad {
        assert_eq!(message.header("sender_ip"), Some(&b"192.0.2.7"[..]));
        assert_eq!(message.payload.as_ref().unwrap()[0], 0xff);
    }
    assert_eq!(bad[0].header("replayed"), None);
    assert_eq!(bad[5].header("replayed"), Some(&b"2"[..]));
    // All of it was seen: another replay has nothing to do.
    let again = dead_letter::replay(&replay, &producer).unwrap();
    assert_eq!((again.sent, again.too_often), (0, 0));
}

#[test]
fn a_replay_goes_to_allowed_topics_only_and_stops_at_its_cap() {
    let broker = broker();
    let connection = connection(&broker.address());
    let topic = topic(&connection, "in", 1);
    let letters = dead_letter::topic_of(&topic);
    create_topics(&connection, &[NewTopic::new(&letters, 1)], LIMIT).unwrap();
    let producer = producer(&connection);
    let mut messages = numbered(&letters, 0..6);
    for (index, message) in messages.iter_mut().enumerate() {
        let target = if index == 0 {
            "elsewhere"
        } else {
            topic.as_str()
        };
        message.headers = vec![Header::new(dead_letter::TOPIC, target)];
    }
    messages[1].headers.clear();
    send(&producer, &messages);
    let mut replay = Replay {
        connection: connection.clone(),
        topic: letters,
        group: unique("replay"),
        allowed_topics: vec![topic],
        most_replays: 1,
        most_messages: 3,
        limit: LIMIT,
    };
    let replayed = dead_letter::replay(&replay, &producer).unwrap();
    assert_eq!(replayed.sent, 3);
    assert_eq!(replayed.left.values().sum::<u64>(), 2, "{replayed:?}");
    assert!(!replayed.is_complete);
    let replayed = dead_letter::replay(&replay, &producer).unwrap();
    assert_eq!((replayed.sent, replayed.is_complete), (1, true));
    replay.topic = unique("missing");
    let error = dead_letter::replay(&replay, &producer).unwrap_err();
    assert!(error.to_string().contains(&replay.topic), "{error}");
}
