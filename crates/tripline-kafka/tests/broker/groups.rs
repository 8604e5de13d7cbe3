//! Members that come and go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::*;

/// Ends the work also when a test fails, which would otherwise wait for its threads for ever.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// What a member did, in its order: messages that came and, when it could, were acknowledged.
type Seen = BTreeMap<Vec<u8>, u32>;

/// Reads and acknowledges until it is told to stop; counts what was acknowledged.
fn work(consumer: &Consumer, is_over: &AtomicBool) -> (Seen, Seen) {
    let (mut came, mut done) = (Seen::new(), Seen::new());
    while !is_over.load(Ordering::Acquire) {
        let Some(batch) = consumer.next(Duration::from_millis(50)) else {
            continue;
        };
        let is_acknowledged = consumer.ack(&batch.ticket);
        for message in batch.messages {
            let payload = message.payload.unwrap();
            if is_acknowledged {
                *done.entry(payload.clone()).or_default() += 1;
            }
            *came.entry(payload).or_default() += 1;
        }
    }
    (came, done)
}

#[test]
fn members_share_the_partitions_and_lose_nothing_when_they_change() {
    let broker = broker();
    let connection = connection(&broker.address());
    let topic = topic(&connection, "shared", 6);
    let group = unique("g");
    let producer = producer(&connection);
    let first = consumer(&connection, &group, &topic);
    let is_first_over = AtomicBool::new(false);
    let is_second_over = AtomicBool::new(false);
    let is_sent = AtomicBool::new(false);
    let (count, first_seen, second_seen) = thread::scope(|scope| {
        let _ends = (End(&is_first_over), End(&is_second_over), End(&is_sent));
        // Messages come all the time while members come and go.
        let sender = scope.spawn(|| {
            let mut count = 0;
            while !is_sent.load(Ordering::Acquire) {
                send(&producer, &numbered(&topic, count..count + 100));
                count += 100;
            }
            count
        });
        let one = scope.spawn(|| work(&first, &is_first_over));
        until("the first member", || first.status().partitions.len() == 6);
        let second = Arc::new(consumer(&connection, &group, &topic));
        let is_second_busy = || second.status().acknowledged > 200;
        until("the division", || {
            first.status().partitions.len() == 3 && second.status().partitions.len() == 3
        });
        let two = scope.spawn({
            let (second, is_over) = (Arc::clone(&second), &is_second_over);
            move || work(&second, is_over)
        });
        until("the second member's share", is_second_busy);
        is_second_over.store(true, Ordering::Release);
        let second_seen = two.join().unwrap();
        second.stop(LIMIT);
        until("the return", || first.status().partitions.len() == 6);
        is_sent.store(true, Ordering::Release);
        let count = sender.join().unwrap();
        let left = u64::from(count) - second_seen.1.len() as u64;
        until("the end", || {
            let status = first.status();
            status.acknowledged >= left && status.outstanding == 0
        });
        is_first_over.store(true, Ordering::Release);
        (count, one.join().unwrap(), second_seen)
    });
    let done: BTreeSet<_> = first_seen.1.keys().chain(second_seen.1.keys()).collect();
    assert_eq!(done.len(), count as usize, "every message was acknowledged");
    // What was acknowledged and committed is not read again: members that leave in good order
    // commit what they acknowledged.
    let twice = first_seen
        .1
        .keys()
        .filter(|key| second_seen.1.contains_key(*key));
    assert_eq!(twice.count(), 0);
    drop(first);
    let after = consumer(&connection, &group, &topic);
    until("the last member", || after.status().partitions.len() == 6);
    send(&producer, &numbered(&topic, count..count + 1));
    assert_eq!(drain(&after, 1).len(), 1, "nothing else comes again");
    assert_eq!(after.status().received, 1);
}

#[test]
fn what_was_not_acknowledged_comes_again() {
    let broker = broker();
    let connection = connection(&broker.address());
    let topic = topic(&connection, "again", 1);
    let group = unique("g");
    let producer = producer(&connection);
    send(&producer, &numbered(&topic, 0..250));
    let first = Consumer::start(ConsumerConfig {
        batch_messages: 50,
        ..consumer_config(&connection, &group, &topic)
    })
    .unwrap();
    let batches: Vec<Batch> = (0..5).map(|_| next(&first)).collect();
    let sizes: Vec<usize> = batches.iter().map(|batch| batch.messages.len()).collect();
    assert_eq!(sizes, [50; 5]);
    // The third is missing, so that the fourth and fifth do not count.
    for index in [0, 4, 1, 3] {
        assert!(first.ack(&batches[index].ticket));
    }
    assert!(batches[2].ticket.is_current());
    first.stop(Duration::ZERO);
    assert!(!batches[2].ticket.is_current());
    let second = consumer(&connection, &group, &topic);
    let seen = drain(&second, 150);
    assert!(seen.contains_key(&b"{\"number\":100}"[..]));
    assert!(!seen.contains_key(&b"{\"number\":99}"[..]));
    // The batch of an ended member says nothing to another.
    assert!(!second.ack(&batches[2].ticket) || seen.len() == 150);
}
