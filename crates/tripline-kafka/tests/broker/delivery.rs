//! There and back.

use std::time::Duration;

use tripline_kafka::{
    Compression, ConsumerConfig, Delivery, Header, NewTopic, Outgoing, Producer, ProducerConfig,
    create_topics, form, identity,
};

use super::*;

#[test]
fn messages_come_back_as_they_were_with_every_compression() {
    let broker = broker();
    let connection = connection(&broker.address());
    for compression in [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ] {
        let topic = topic(&connection, compression.name(), 1);
        let producer = Producer::start(ProducerConfig {
            compression,
            ..ProducerConfig::new(connection.clone())
        })
        .unwrap();
        let sent: Vec<Outgoing> = (0..200)
            .map(|number: u32| Outgoing {
                topic: topic.clone(),
                key: (!number.is_multiple_of(3)).then(|| number.to_string().into_bytes()),
                payload: (!number.is_multiple_of(7))
                    .then(|| vec![number as u8; number as usize * 10]),
                headers: vec![
                    Header::new("verdict-id", number.to_string()),
                    Header {
                        name: "verdict-id".to_owned(),
                        value: None,
                    },
                ],
                timestamp_millis: Some(1_764_583_200_000 + i64::from(number)),
            })
            .collect();
        send(&producer, &sent);
        let consumer = consumer(&connection, &unique("g"), &topic);
        let mut came = Vec::new();
        while came.len() < sent.len() {
            let batch = next(&consumer);
            assert_eq!(&*batch.topic, topic);
            assert!(!batch.cluster.is_empty());
            assert!(consumer.ack(&batch.ticket));
            came.extend(batch.messages);
        }
        for (index, (message, sent)) in came.iter().zip(&sent).enumerate() {
            assert_eq!(message.offset, index as i64);
            assert_eq!(message.key, sent.key);
            assert_eq!(message.payload, sent.payload);
            assert_eq!(message.headers, sent.headers);
            assert_eq!(message.timestamp_millis, sent.timestamp_millis);
            assert_eq!(message.header("verdict-id"), None, "the last one counts");
        }
        assert_eq!(producer.status().delivered, 200);
    }
}

#[test]
fn rows_of_several_topics_have_places_that_a_repeat_shares() {
    let broker = broker();
    let connection = connection(&broker.address());
    let (one, two) = (topic(&connection, "one", 2), topic(&connection, "two", 1));
    let producer = producer(&connection);
    let payload = br#"[{"count":1},{"count":2}]"#.to_vec();
    let messages: Vec<Outgoing> = [&one, &one, &two]
        .into_iter()
        .enumerate()
        .map(|(index, topic)| Outgoing {
            topic: topic.clone(),
            key: Some(vec![index as u8]),
            payload: Some(payload.clone()),
            ..Outgoing::default()
        })
        .collect();
    send(&producer, &messages);
    let read = || {
        let mut config = consumer_config(&connection, &unique("g"), &one);
        config.topics.push(two.clone());
        let consumer = Consumer::start(config).unwrap();
        let mut places = std::collections::BTreeSet::new();
        while places.len() < 6 {
            let batch = next(&consumer);
            let origin = identity::Origin {
                cluster: batch.cluster.to_string(),
                incarnation: String::new(),
                topic: batch.topic.to_string(),
                partition: batch.partition,
            };
            for message in &batch.messages {
                let reading = form::read(message.payload.as_deref(), &form::Limits::default());
                for row in 0..reading.unwrap().rows.len() {
                    let place = origin.place(message.offset, row).unwrap();
                    assert!(places.insert((place.stream, place.sequence)));
                }
            }
        }
        places
    };
    assert_eq!(read(), read());
}

#[test]
fn a_message_that_is_too_large_fails_at_once_and_alone() {
    let broker = broker();
    let connection = connection(&broker.address());
    let name = unique("small");
    let mut new = NewTopic::new(&name, 1);
    new.settings = vec![("max.message.bytes".to_owned(), "2000".to_owned())];
    create_topics(&connection, &[new], LIMIT).unwrap();
    let producer = Producer::start(ProducerConfig {
        compression: Compression::None,
        message_bytes: 50_000,
        ..ProducerConfig::new(connection.clone())
    })
    .unwrap();
    let mut messages = numbered(&name, 0..3);
    // Too large for the topic, and too large for the producer.
    messages[0].payload = Some(vec![b'x'; 10_000]);
    messages[1].payload = Some(vec![b'x'; 100_000]);
    for (index, message) in messages.iter().enumerate() {
        let report = producer.send(std::slice::from_ref(message), LIMIT);
        match &report.deliveries[0] {
            Delivery::Delivered { .. } => assert_eq!(index, 2),
            Delivery::Failed {
                is_worth_another_try,
                reason,
            } => assert!(index < 2 && !is_worth_another_try, "{index}: {reason}"),
            Delivery::Unknown => panic!("{index} is not known"),
        }
    }
}

#[test]
fn a_large_message_is_a_batch_of_its_own() {
    let broker = broker();
    let connection = connection(&broker.address());
    let topic = topic(&connection, "large", 1);
    let producer = producer(&connection);
    let mut messages = numbered(&topic, 0..5);
    messages[2].payload = Some(vec![b'x'; 900_000]);
    send(&producer, &messages);
    let consumer = Consumer::start(ConsumerConfig {
        batch_bytes: 100_000,
        budget_bytes: 200_000,
        ..consumer_config(&connection, &unique("g"), &topic)
    })
    .unwrap();
    let mut sizes = Vec::new();
    while sizes.iter().sum::<usize>() < 5 {
        let batch = next(&consumer);
        sizes.push(batch.messages.len());
        let has_large = batch
            .messages
            .iter()
            .any(|message| message.payload.as_ref().unwrap().len() > 100_000);
        assert!(!has_large || batch.messages.len() == 1);
        consumer.ack(&batch.ticket);
    }
}

#[test]
fn a_caller_that_is_away_is_waited_for_within_the_budget() {
    let broker = broker();
    let connection = connection(&broker.address());
    let topic = topic(&connection, "slow", 3);
    let producer = producer(&connection);
    let count = 20_000;
    send(&producer, &numbered(&topic, 0..count));
    let config = ConsumerConfig {
        batch_messages: 100,
        budget_messages: 1000,
        // Shorter than the caller's absence, which must not cost the membership.
        session_timeout: Duration::from_secs(2),
        ..consumer_config(&connection, &unique("g"), &topic)
    };
    let consumer = Consumer::start(config).unwrap();
    until("the pause", || {
        let status = consumer.status();
        assert!(status.outstanding <= 1000, "{status:?}");
        status.is_paused
    });
    // Time passes for the group while nothing is taken.
    let away = Instant::now() + Duration::from_secs(4);
    until("the end of the absence", || Instant::now() > away);
    let status = consumer.status();
    assert_eq!(status.partitions.len(), 3, "{status:?}");
    assert!(status.received <= 1000, "{status:?}");
    let seen = drain(&consumer, count as usize);
    assert!(seen.values().all(|times| *times == 1));
    let status = consumer.status();
    assert_eq!(status.acknowledged, u64::from(count));
    assert_eq!(status.outstanding_bytes, 0);
}

#[test]
fn a_full_queue_keeps_the_caller_waiting_and_then_says_so() {
    // Nothing listens there.
    let mut config = ProducerConfig::new(connection("127.0.0.1:9"));
    config.queue_messages = 10;
    let producer = Producer::start(config).unwrap();
    let report = producer.send(&numbered("t", 0..20), Duration::from_millis(300));
    let failed = report
        .deliveries
        .iter()
        .filter(|delivery| matches!(delivery, Delivery::Failed { .. }));
    assert_eq!(failed.count(), 10);
    let mut undelivered = report.undelivered();
    assert!(undelivered.all(|(_, delivery)| delivery.is_worth_another_try()));
    assert!(!producer.state().is_running());
}
