//! Random appends and retention against a plain list: the counters are what a recount gives.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tripline_store::{
    AppendOutcome, Counts, NewVerdict, Order, RetentionPolicy, SqliteStore, Stage, Store, Stream,
    VerdictFilter,
};

use crate::fixtures::{batch, batch_id, provenance, read_all, row, seconds};

#[derive(Debug, Clone)]
enum Action {
    /// Rows of a stream: sequence, kind, second and stage of each.
    Append(u8, Vec<(u64, char, i64, Stage)>),
    /// Deletes what is older than this second, this many rows at most.
    Retain(i64, u32),
}

const MAX_SECOND: i64 = 10_000;

fn action() -> impl Strategy<Value = Action> {
    let kind = prop::sample::select(vec!['n', 't', 'd', 'p', 'c', 'b']);
    let stage = prop::sample::select(vec![Stage::Early, Stage::Over, Stage::Final]);
    let rows = prop::collection::vec((0..60_u64, kind, 0..MAX_SECOND, stage), 0..40);
    prop_oneof![
        4 => (1..4_u8, rows).prop_map(|(stream, rows)| Action::Append(stream, rows)),
        1 => (0..MAX_SECOND, 1..30_u32).prop_map(|(second, rows)| Action::Retain(second, rows)),
    ]
}

/// By time, then by stream and sequence: the order of lists.
type Model = BTreeMap<(i64, u8, u64), (char, Stage)>;

fn counts(kinds: impl Iterator<Item = char>) -> Counts {
    let mut counts = Counts::default();
    for kind in kinds {
        counts.total += 1;
        counts.scored += u64::from(!"cb".contains(kind));
        counts.threats += u64::from("tdp".contains(kind));
        counts.classified += u64::from("dpcb".contains(kind));
        counts.attacks += u64::from("dpc".contains(kind));
    }
    counts
}

fn perform(store: &SqliteStore, streams: &[Stream], model: &mut Model, action: &Action) {
    match action {
        Action::Append(stream, rows) => {
            let new: Vec<_> = rows
                .iter()
                .map(|&(sequence, kind, second, stage)| NewVerdict {
                    stage,
                    ..row(kind, sequence, seconds(second))
                })
                .collect();
            let mut expected = AppendOutcome::default();
            for &(sequence, kind, second, stage) in rows {
                let taken = model
                    .iter()
                    .find(|(key, _)| (key.1, key.2) == (*stream, sequence))
                    .map(|(key, value)| (*key, value.1));
                match taken {
                    None => expected.inserted += 1,
                    Some((key, earlier)) if earlier < stage => {
                        model.remove(&key);
                        expected.superseded += 1;
                    }
                    Some(_) => {
                        expected.already_present += 1;
                        continue;
                    }
                }
                model.insert((second, *stream, sequence), (kind, stage));
            }
            let stream = streams[usize::from(*stream) - 1];
            let outcome = store.append(stream, &provenance(), &new).unwrap();
            assert_eq!(outcome, expected);
        }
        Action::Retain(second, rows) => {
            let old: Vec<_> = model
                .keys()
                .filter(|key| key.0 < *second)
                .take(*rows as usize)
                .copied()
                .collect();
            for key in &old {
                model.remove(key);
            }
            let policy = RetentionPolicy {
                max_age_micros: Some(0),
                max_bytes: None,
                batch_rows: *rows,
                max_batches: 1,
            };
            let outcome = store.retain(&policy, seconds(*second)).unwrap();
            assert_eq!(outcome.rows_deleted, old.len() as u64);
        }
    }
}

fn compare(store: &SqliteStore, model: &Model) {
    assert_eq!(
        store.totals().unwrap().counts,
        counts(model.values().map(|row| row.0))
    );
    let edge = |key: Option<&(i64, u8, u64)>| key.map(|key| seconds(key.0));
    assert_eq!(store.totals().unwrap().oldest, edge(model.keys().next()));
    assert_eq!(
        store.totals().unwrap().newest,
        edge(model.keys().next_back())
    );
    for stream in 1..4 {
        let kinds = model
            .iter()
            .filter(|row| row.0.1 == stream)
            .map(|row| row.1.0);
        assert_eq!(store.batch_counts(batch_id(stream)).unwrap(), counts(kinds));
    }
    for (class, kinds) in [("DoS", "dc"), ("Probe", "p"), ("normal", "b")] {
        let expected = model.values().filter(|kind| kinds.contains(kind.0)).count() as u64;
        let all = store.class_counts().unwrap();
        let found = all
            .iter()
            .find(|count| count.class == class)
            .map_or(0, |count| count.total);
        assert_eq!(found, expected);
    }
    for buckets in [200, 3] {
        let line = store
            .timeline(seconds(0), seconds(MAX_SECOND), buckets)
            .unwrap();
        for point in line.points {
            let start = point.start.seconds();
            let span = (start, 0, 0)..(start + line.bucket_seconds as i64, 0, 0);
            let expected = counts(model.range(span).map(|row| row.1.0));
            let found = (point.total, point.scored, point.threats, point.attacks);
            let expected = (
                expected.total,
                expected.scored,
                expected.threats,
                expected.attacks,
            );
            assert_eq!(found, expected);
        }
    }
    let everything = VerdictFilter {
        order: Order::OldestFirst,
        ..VerdictFilter::default()
    };
    let listed = read_all(store, &everything, 17);
    let listed = listed
        .iter()
        .map(|row| (row.created_at.seconds(), row.batch, row.sequence, row.stage));
    assert!(
        listed.eq(model
            .iter()
            .map(|(key, row)| (key.0, Some(batch_id(key.1)), key.2, row.1)))
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn counters_are_what_a_recount_gives(actions in prop::collection::vec(action(), 1..12)) {
        let store = SqliteStore::open_in_memory().unwrap();
        let streams = [1, 2, 3].map(|seed| batch(&store, seed));
        let mut model = Model::new();
        for action in &actions {
            perform(&store, &streams, &mut model, action);
        }
        compare(&store, &model);
    }
}
