//! Brokers that are away. Each test has its own, which it may kill.

use tripline_kafka::State;

use super::*;

#[test]
fn a_broker_that_comes_late_is_found() {
    let mut server = KafkaServer::prepare(&KafkaOptions::default()).unwrap();
    let connection = connection(&server.address());
    let consumer = consumer(&connection, "g", "late");
    let producer = producer(&connection);
    until(
        "the consumer's reason",
        || matches!(consumer.state(), State::Waiting(waiting) if waiting.tries > 1),
    );
    until(
        "the producer's reason",
        || matches!(producer.state(), State::Waiting(waiting) if waiting.tries > 1),
    );
    let State::Waiting(waiting) = consumer.state() else {
        panic!("it found a broker where none is");
    };
    assert!(
        waiting.reason.contains(&server.address()[..9]),
        "{waiting:?}"
    );
    assert!(waiting.next_try > waiting.since);
    assert!(consumer.next(Duration::ZERO).is_none());
    server.restart().unwrap();
    until("the consumer's return", || consumer.state().is_running());
    until("the producer's return", || producer.state().is_running());
    create_topics(&connection, &[NewTopic::new("late", 1)], LIMIT).unwrap();
    send(&producer, &numbered("late", 0..10));
    assert_eq!(drain(&consumer, 10).len(), 10);
}

#[test]
fn a_broker_that_is_killed_costs_no_message() {
    let mut server = KafkaServer::start(&KafkaOptions::default()).unwrap();
    let connection = connection(&server.address());
    let topic = topic(&connection, "killed", 3);
    let consumer = consumer(&connection, "g", &topic);
    let producer = producer(&connection);
    let mut next_number = 0;
    for _ in 0..2 {
        send(
            &producer,
            &numbered(&topic, next_number..next_number + 5000),
        );
        next_number += 5000;
        // It dies with batches out and messages on their way.
        let out = next(&consumer);
        let pending = producer.submit(&numbered(&topic, next_number..next_number + 1000), LIMIT);
        next_number += 1000;
        server.kill().unwrap();
        until("the consumer's reason", || !consumer.state().is_running());
        until("the producer's reason", || !producer.state().is_running());
        // What is acknowledged while nobody can hear it is committed later.
        consumer.ack(&out.ticket);
        server.restart().unwrap();
        let report = pending.wait(LIMIT);
        let mut again = numbered(&topic, next_number - 1000..next_number);
        let mut index = 0;
        again.retain(|_| {
            index += 1;
            !report.deliveries[index - 1].is_delivered()
        });
        send(&producer, &again);
        until("the consumer's return", || consumer.state().is_running());
    }
    // The first batches were taken above.
    let mut seen = std::collections::BTreeSet::new();
    until("everything acknowledged", || {
        if let Some(batch) = consumer.next(Duration::from_millis(100)) {
            consumer.ack(&batch.ticket);
            seen.extend(batch.messages.into_iter().map(|message| message.payload));
        }
        let status = consumer.status();
        status.acknowledged >= u64::from(next_number) && status.outstanding == 0
    });
    assert!(seen.len() + 2 * 1000 >= next_number as usize);
    consumer.stop(LIMIT);
    // Another member of the group is told only of what is new.
    let after = self::consumer(&connection, "g", &topic);
    send(&producer, &numbered(&topic, next_number..next_number + 1));
    let last = drain(&after, 1);
    assert!(last.contains_key(format!("{{\"number\":{next_number}}}").as_bytes()));
}
