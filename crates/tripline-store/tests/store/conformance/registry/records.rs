use tripline_store::{Backend, Record, RetentionPolicy, Timestamp, Write};

use crate::fixtures::{
    append_kinds, batch,
    registry::{commit, everything, fill, record},
    seconds,
};

fn keep(store: &dyn Backend, records: &[Record]) {
    commit(store, 0, records.iter().map(Write::Record).collect());
}

/// Subject and second of what was recorded of `drift`.
fn found(
    store: &dyn Backend,
    subject: Option<&str>,
    (from, to): (i64, i64),
    limit: usize,
) -> Vec<(String, i64)> {
    let records = store.records("drift", subject, seconds(from), seconds(to), limit);
    records
        .unwrap()
        .into_iter()
        .map(|record| (record.subject, record.at.seconds()))
        .collect()
}

fn places(places: &[(&str, i64)]) -> Vec<(String, i64)> {
    let owned = |&(subject, second): &(&str, i64)| (subject.to_owned(), second);
    places.iter().map(owned).collect()
}

pub(crate) fn records_come_by_time(store: &dyn Backend) {
    let whole = Record {
        value: "{\"psi\":0.25,\"é\":[1,2]}".to_owned(),
        ..record("report", "net-1", 7)
    };
    keep(
        store,
        &[
            record("drift", "b", 30),
            record("drift", "a", 10),
            record("drift", "a", 30),
            record("drift", "b", 20),
            whole.clone(),
        ],
    );
    let all = (0, 100);
    let expected = places(&[("a", 10), ("b", 20), ("a", 30), ("b", 30)]);
    assert_eq!(found(store, None, all, 9), expected);
    assert_eq!(
        found(store, Some("a"), all, 9),
        places(&[("a", 10), ("a", 30)])
    );
    assert_eq!(found(store, Some("c"), all, 9), []);
    assert_eq!(found(store, Some("' OR 1=1 --"), all, 9), []);
    // The beginning counts, the end does not.
    assert_eq!(found(store, None, (10, 30), 9), expected[..2]);
    assert_eq!(found(store, None, (30, 30), 9), []);
    assert_eq!(found(store, None, (31, 30), 9), []);
    // Of too many the newest, in their order.
    assert_eq!(found(store, None, all, 3), expected[1..]);
    assert_eq!(found(store, None, all, 1), expected[3..]);
    assert_eq!(found(store, None, all, 0), []);
    let every_time = store.records(
        "report",
        None,
        Timestamp(i64::MIN),
        Timestamp(i64::MAX),
        usize::MAX,
    );
    assert_eq!(every_time.unwrap(), [whole]);
}

pub(crate) fn a_record_of_the_same_time_takes_its_place(store: &dyn Backend) {
    let first = record("drift", "a", 10);
    let second = Record {
        value: "anew".to_owned(),
        ..first.clone()
    };
    let others = [
        record("drift", "A", 10),
        record("drift", "a", 11),
        record("Drift", "a", 10),
    ];
    keep(store, &others);
    keep(store, &[first]);
    keep(store, std::slice::from_ref(&second));
    let of_a = store.records("drift", Some("a"), seconds(0), seconds(99), 9);
    assert_eq!(of_a.unwrap(), [second, others[1].clone()]);
    let of_other_kind = store.records("Drift", None, seconds(0), seconds(99), 9);
    assert_eq!(of_other_kind.unwrap(), [others[2].clone()]);
}

pub(crate) fn old_records_go_of_every_kind(store: &dyn Backend) {
    keep(
        store,
        &[
            record("drift", "a", 10),
            record("drift", "b", 20),
            record("report", "a", 19),
            record("report", "a", 21),
        ],
    );
    assert_eq!(store.trim_records(seconds(10)).unwrap(), 0);
    assert_eq!(store.trim_records(seconds(20)).unwrap(), 2);
    assert_eq!(store.trim_records(seconds(20)).unwrap(), 0);
    assert_eq!(found(store, None, (0, 99), 9), places(&[("b", 20)]));
    let reports = store.records("report", None, seconds(0), seconds(99), 9);
    assert_eq!(reports.unwrap(), [record("report", "a", 21)]);
}

pub(crate) fn retention_of_verdicts_leaves_the_registry_alone(store: &dyn Backend) {
    fill(store);
    append_kinds(store, batch(store, 1), 0, "ndpn");
    let before = everything(store);
    let policy = RetentionPolicy {
        max_age_micros: Some(0),
        max_bytes: Some(1),
        ..RetentionPolicy::default()
    };
    let outcome = store.retain(&policy, seconds(1000)).unwrap();
    assert_eq!(outcome.rows_deleted, 4);
    // What is left is more than a byte, and no verdict.
    assert!(!outcome.within_limits);
    assert_eq!(everything(store), before);
    store.trim_records(Timestamp(i64::MAX)).unwrap();
    let epoch = store.epoch().unwrap();
    assert_ne!(everything(store), before);
    assert_eq!(store.epoch().unwrap(), epoch);
}
