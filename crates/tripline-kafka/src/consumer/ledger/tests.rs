use proptest::prelude::*;

use super::*;
use crate::Connection;

fn config() -> ConsumerConfig {
    ConsumerConfig {
        batch_messages: 3,
        budget_messages: 10,
        ..ConsumerConfig::new(Connection::new("unused:1"), "g", ["t"])
    }
}

fn ledger() -> Ledger {
    let mut ledger = Ledger {
        cluster: Some("c".into()),
        ..Ledger::default()
    };
    ledger.assign("t", 0);
    ledger
}

fn receive(ledger: &mut Ledger, offset: i64) {
    let message = Message {
        offset,
        payload: Some(vec![0; 10]),
        ..Message::default()
    };
    ledger.receive("t", 0, message, &config(), Instant::now());
}

fn offsets(positions: &[Position]) -> Vec<i64> {
    positions.iter().map(|position| position.offset).collect()
}

#[test]
fn only_what_has_nothing_unacknowledged_before_it_is_committed() {
    let mut ledger = ledger();
    for offset in 0..9 {
        receive(&mut ledger, offset);
    }
    let batches: Vec<Batch> = ledger.ready.drain(..).collect();
    assert_eq!(batches.len(), 3);
    assert!(ledger.ack(&batches[1].ticket));
    assert_eq!(ledger.take_commits(), []);
    assert!(ledger.ack(&batches[0].ticket));
    assert_eq!(offsets(&ledger.take_commits()), [6]);
    assert_eq!(ledger.take_commits(), []);
    ledger.doubt_commits();
    assert_eq!(offsets(&ledger.take_commits()), [6]);
    assert!(ledger.ack(&batches[0].ticket), "twice is harmless");
    assert!(ledger.ack(&batches[2].ticket));
    assert_eq!(offsets(&ledger.take_commits()), [9]);
    assert_eq!((ledger.outstanding, ledger.outstanding_bytes), (0, 0));
}

#[test]
fn what_is_left_to_another_member_is_not_committed() {
    let mut ledger = ledger();
    for offset in 0..7 {
        receive(&mut ledger, offset);
    }
    let out = ledger.ready.pop_front().unwrap();
    ledger.begin_revoke("t", 0);
    assert!(ledger.is_out("t", 0));
    assert!(ledger.ack(&out.ticket));
    assert!(!ledger.is_out("t", 0));
    assert_eq!(offsets(&ledger.take_commits()), [3]);
    ledger.end_revoke("t", 0);
    assert!(!out.ticket.is_current());
    assert!(!ledger.ack(&out.ticket));
    assert_eq!((ledger.outstanding, ledger.outstanding_bytes), (0, 0));
    assert_eq!((ledger.acknowledged, ledger.given_up), (3, 4));
}

#[test]
fn a_ticket_of_an_earlier_time_says_nothing_about_a_later_one() {
    let mut ledger = ledger();
    (0..3).for_each(|offset| receive(&mut ledger, offset));
    let old = ledger.ready.pop_front().unwrap();
    ledger.assign("t", 0);
    (0..3).for_each(|offset| receive(&mut ledger, offset));
    assert!(!ledger.ack(&old.ticket));
    assert_eq!(ledger.take_commits(), []);
    assert_eq!(ledger.outstanding, 3);
}

#[test]
fn batches_end_by_number_by_size_and_by_time() {
    let mut ledger = ledger();
    receive(&mut ledger, 0);
    let now = Instant::now();
    assert!(!ledger.has_ready());
    assert!(ledger.hand_out(Duration::from_mins(1), now).is_some());
    assert!(!ledger.has_ready());
    assert_eq!(ledger.hand_out(Duration::ZERO, now), None);
    assert_eq!(ledger.ready.pop_front().unwrap().messages.len(), 1);
    let small = ConsumerConfig {
        batch_bytes: 1000,
        ..config()
    };
    for (offset, size) in [(1, 400), (2, 800), (3, 5000)] {
        let message = Message {
            offset,
            payload: Some(vec![0; size]),
            ..Message::default()
        };
        ledger.receive("t", 0, message, &small, now);
    }
    let sizes: Vec<usize> = ledger
        .ready
        .iter()
        .map(|batch| batch.messages.len())
        .collect();
    assert_eq!(sizes, [1, 1, 1]);
}

proptest! {
    #[test]
    fn nothing_unacknowledged_is_ever_passed_over(
        steps in prop::collection::vec((0_u8..5, any::<prop::sample::Index>()), 1..200),
    ) {
        let mut ledger = ledger();
        let (mut next, mut committed, mut taken) = (0_i64, 0_i64, Vec::<Batch>::new());
        let mut done = std::collections::BTreeSet::new();
        for (step, index) in steps {
            match step {
                0 => { receive(&mut ledger, next); next += 1; }
                1 => { ledger.hand_out(Duration::ZERO, Instant::now()); }
                2 => taken.extend(ledger.ready.pop_front()),
                3 if !taken.is_empty() => {
                    let batch = taken.swap_remove(index.index(taken.len()));
                    let is_current = ledger.ack(&batch.ticket);
                    if is_current {
                        done.extend(batch.messages.iter().map(|message| message.offset));
                    }
                }
                4 if index.index(8) == 0 => {
                    // The partition goes and comes back: reading goes on at what was committed.
                    ledger.begin_revoke("t", 0);
                    for position in ledger.take_commits() { committed = position.offset; }
                    ledger.end_revoke("t", 0);
                    ledger.assign("t", 0);
                    next = committed;
                }
                _ => {}
            }
            for position in ledger.take_commits() {
                prop_assert!(position.offset >= committed);
                committed = position.offset;
            }
            prop_assert!((0..committed).all(|offset| done.contains(&offset)));
            let all = ledger.acknowledged + ledger.given_up + ledger.outstanding as u64;
            prop_assert_eq!(ledger.received, all);
        }
        ledger.revoke_all();
        prop_assert_eq!((ledger.outstanding, ledger.outstanding_bytes), (0, 0));
    }
}
