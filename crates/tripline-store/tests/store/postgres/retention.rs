//! Retention by dropping partitions.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use tripline_store::{RetentionPolicy, Stage, Store, VerdictFilter};

use super::{DAY, another, partitions, recount, store};
use crate::fixtures::{append_kinds, batch, batch_id, complete, provenance, row, seconds, stream};

const DAY_SECONDS: i64 = 86_400;

fn days(days: i64) -> RetentionPolicy {
    RetentionPolicy {
        max_age_micros: Some(days * DAY_SECONDS * 1_000_000),
        ..RetentionPolicy::default()
    }
}

#[test]
fn whole_days_go_and_the_counts_with_them() {
    let (store, database) = store(DAY);
    let live = stream(&store, 9);
    for day in 0..5 {
        let seed = day as u8 + 1;
        append_kinds(&store, batch(&store, seed), day * DAY_SECONDS, "ntdpcb");
        let end = complete(seconds(day * DAY_SECONDS + 10));
        store.finish_batch(batch_id(seed), &end).unwrap();
        append_kinds(&store, live, day * DAY_SECONDS + 100, "nd");
    }
    assert_eq!(partitions(&database), "5");
    let before = store.size().unwrap().database_bytes;

    // Two days before noon of the fifth: two days lie before it whole, the third in part.
    let noon = seconds(4 * DAY_SECONDS + DAY_SECONDS / 2);
    let outcome = store.retain(&days(2), noon).unwrap();
    assert_eq!((outcome.rows_deleted, outcome.batches_deleted), (16, 2));
    assert!(outcome.within_limits && outcome.bytes_freed > 0);
    assert_eq!(partitions(&database), "3");
    recount(&database);
    let totals = store.totals().unwrap();
    assert_eq!(totals.counts.total, 24);
    assert_eq!(totals.oldest, Some(seconds(2 * DAY_SECONDS)));
    assert_eq!(store.batch(batch_id(2)).unwrap(), None);
    assert_eq!(store.batch_counts(batch_id(3)).unwrap().total, 6);
    assert_eq!(store.get(live.verdict_id(0)).unwrap(), None);
    assert!(store.get(live.verdict_id(4)).unwrap().is_some());
    assert!(store.size().unwrap().database_bytes < before);
    assert_eq!(store.retain(&days(2), noon).unwrap().rows_deleted, 0);

    // A row of a day that went makes the day again, at a place that is free.
    let late = [row('d', 0, seconds(5))];
    assert_eq!(
        store.append(live, &provenance(), &late).unwrap().inserted,
        1
    );
    assert_eq!(partitions(&database), "4");
    // Also with a process that still believes the day to be there.
    let other = another(&database);
    other
        .append(live, &provenance(), &[row('n', 1, seconds(6))])
        .unwrap();
    assert_eq!(store.retain(&days(2), noon).unwrap().rows_deleted, 2);
    other
        .append(live, &provenance(), &[row('n', 2, seconds(7))])
        .unwrap();
    recount(&database);
}

#[test]
fn a_verdict_that_moves_to_another_day_is_counted_there() {
    let (store, database) = store(DAY);
    let live = stream(&store, 1);
    let early: Vec<_> = (0..10)
        .map(|sequence| {
            let mut early = row('d', sequence, seconds(sequence as i64));
            early.stage = Stage::Early;
            early
        })
        .collect();
    store.append(live, &provenance(), &early).unwrap();
    let last: Vec<_> = (0..5)
        .map(|sequence| row('n', sequence, seconds(DAY_SECONDS + sequence as i64)))
        .collect();
    let outcome = store.append(live, &provenance(), &last).unwrap();
    assert_eq!(outcome.superseded, 5);
    recount(&database);
    let outcome = store.retain(&days(1), seconds(2 * DAY_SECONDS)).unwrap();
    assert_eq!(outcome.rows_deleted, 5);
    assert_eq!(store.totals().unwrap().counts.total, 5);
    recount(&database);
}

#[test]
fn the_oldest_days_go_while_there_is_too_much() {
    let (store, database) = store(DAY);
    let live = batch(&store, 1);
    // Noise, which does not compress.
    let wide: Vec<u8> = (0..4096_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    for day in 0..4 {
        let rows: Vec<_> = (0..200)
            .map(|at| {
                let mut row = row('d', day * 200 + at, seconds(day as i64 * DAY_SECONDS));
                row.features = &wide;
                row
            })
            .collect();
        store.append(live, &provenance(), &rows).unwrap();
    }
    let before = store.size().unwrap().database_bytes;
    let policy = RetentionPolicy {
        max_bytes: Some(before * 2 / 3),
        ..RetentionPolicy::default()
    };
    let outcome = store.retain(&policy, seconds(0)).unwrap();
    assert!(outcome.within_limits, "{outcome:?}");
    let left = store.totals().unwrap();
    assert!((200..800).contains(&left.counts.total), "{left:?}");
    assert_eq!(left.newest, Some(seconds(3 * DAY_SECONDS)));
    // The newest stays, whatever it takes.
    let nothing = RetentionPolicy {
        max_bytes: Some(0),
        ..RetentionPolicy::default()
    };
    let outcome = store.retain(&nothing, seconds(0)).unwrap();
    assert!(!outcome.within_limits);
    assert_eq!(partitions(&database), "1");
    assert_eq!(store.totals().unwrap().counts.total, 200);
    recount(&database);
}

/// Tells the others of a test that it is over, however it ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn days_go_while_others_write_and_read() {
    let (store, database) = store(DAY);
    let other = another(&database);
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let _over = Over(&is_done);
            let live = stream(&other, 1);
            for day in 0..30 {
                append_kinds(&other, live, day * DAY_SECONDS, "ndpc");
            }
        });
        scope.spawn(|| {
            let _over = Over(&is_done);
            while !is_done.load(Ordering::SeqCst) {
                // Rows and counters of one moment agree.
                let page = other.list(&VerdictFilter::default(), 1_000).unwrap();
                assert_eq!(page.verdicts.len() % 4, 0);
                assert_eq!(other.totals().unwrap().counts.total % 4, 0);
            }
        });
        let _over = Over(&is_done);
        while !is_done.load(Ordering::SeqCst) {
            store.retain(&days(2), seconds(30 * DAY_SECONDS)).unwrap();
        }
    });
    store.retain(&days(2), seconds(30 * DAY_SECONDS)).unwrap();
    assert_eq!(store.totals().unwrap().counts.total, 2 * 4);
    recount(&database);
}

#[test]
fn rows_with_times_from_everywhere_do_not_fill_the_database_with_tables() {
    let (store, database) = store(DAY);
    let live = stream(&store, 1);
    let rows: Vec<_> = (0..400)
        .map(|sequence| row('n', sequence, seconds(sequence as i64 * DAY_SECONDS)))
        .collect();
    let refused = store.append(live, &provenance(), &rows).unwrap_err();
    assert!(
        refused.to_string().contains("400 new partitions"),
        "{refused}"
    );
    assert_eq!(partitions(&database), "0");
    let far = [
        row('n', 0, seconds(-1_000_000_000)),
        row('n', 1, seconds(9_000_000_000)),
    ];
    assert_eq!(store.append(live, &provenance(), &far).unwrap().inserted, 2);
    recount(&database);
}
