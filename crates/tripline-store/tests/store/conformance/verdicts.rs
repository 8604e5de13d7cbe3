use tripline_store::{
    AppendOutcome, BatchId, ClassCount, Counts, MAX_SEQUENCE, ModelRef, NewVerdict, Provenance,
    RetentionPolicy, Source, Store, StoreError, ThreatPart, Timestamp, Totals, VerdictFilter,
    VerdictId,
};

use crate::fixtures::{
    append_kinds, batch, batch_id, complete, full_row, provenance, row, seconds, stream,
};

pub(crate) fn a_verdict_comes_back_whole(store: &dyn Store) {
    let stream = batch(store, 1);
    let new = full_row(MAX_SEQUENCE);
    store.append(stream, &provenance(), &[new]).unwrap();
    let stored = store.get(stream.verdict_id(MAX_SEQUENCE)).unwrap().unwrap();
    assert_eq!(stored.id, stream.verdict_id(MAX_SEQUENCE));
    assert_eq!(stored.sequence, MAX_SEQUENCE);
    assert_eq!(stored.created_at, new.created_at);
    assert_eq!(stored.source, Source::Upload);
    assert_eq!(stored.batch, Some(batch_id(1)));
    assert_eq!(stored.row_number, new.row_number);
    assert_eq!(*stored.provenance, provenance());
    assert_eq!(stored.threat, new.threat);
    assert_eq!(stored.label.as_deref(), new.label);
    assert_eq!(stored.features, new.features);
    assert_eq!(stored.reasons, new.reasons);
    assert_eq!(stored.flow.as_deref(), new.flow);
    assert_eq!(stored.stage, new.stage);
    let (stored, new) = (stored.attack.unwrap(), new.attack.unwrap());
    assert_eq!(stored.class, new.class);
    assert_eq!(
        (stored.class_id, stored.is_attack),
        (new.class_id, new.is_attack)
    );
    assert_eq!(stored.confidence, new.confidence);
    let (stored, new) = (stored.named.unwrap(), new.named.unwrap());
    assert_eq!(
        (stored.label.as_str(), stored.confidence),
        (new.label, new.confidence)
    );
}

pub(crate) fn a_repeat_changes_nothing(store: &dyn Store) {
    let stream = batch(store, 1);
    let rows = [row('d', 0, seconds(0)), row('n', 1, seconds(1))];
    let outcome = store.append(stream, &provenance(), &rows).unwrap();
    assert_eq!(
        outcome,
        AppendOutcome {
            inserted: 2,
            superseded: 0,
            already_present: 0
        }
    );
    let before = store.totals().unwrap();

    let other = [
        row('p', 1, seconds(50)),
        row('d', 2, seconds(2)),
        row('n', 2, seconds(2)),
    ];
    let outcome = store.append(stream, &provenance(), &other).unwrap();
    assert_eq!(
        outcome,
        AppendOutcome {
            inserted: 1,
            superseded: 0,
            already_present: 2
        }
    );
    let kept = store.get(stream.verdict_id(1)).unwrap().unwrap();
    assert_eq!((kept.created_at, kept.attack), (seconds(1), None));
    let after = store.totals().unwrap();
    assert_eq!(after.counts.total, before.counts.total + 1);
    assert_eq!(after.newest, Some(seconds(2)));
    assert_eq!(
        store.append(stream, &provenance(), &[]).unwrap(),
        AppendOutcome::default()
    );
}

pub(crate) fn a_bad_row_keeps_its_block_out(store: &dyn Store) {
    let stream = batch(store, 1);
    let good = row('d', 0, seconds(0));
    let long = "x".repeat(257);
    let score = |probability| {
        Some(ThreatPart {
            probability,
            is_threat: true,
        })
    };
    let mut doubtful = row('d', 1, seconds(0));
    if let Some(attack) = &mut doubtful.attack {
        attack.confidence = f64::NAN;
    }
    let bad: [NewVerdict<'_>; 6] = [
        NewVerdict {
            sequence: MAX_SEQUENCE + 1,
            ..good
        },
        NewVerdict {
            threat: score(f64::NAN),
            ..good
        },
        NewVerdict {
            threat: score(1.5),
            ..good
        },
        NewVerdict {
            label: Some(&long),
            ..good
        },
        NewVerdict {
            row_number: Some(u64::MAX),
            ..good
        },
        doubtful,
    ];
    for bad in bad {
        let result = store.append(stream, &provenance(), &[good, bad]);
        assert!(
            matches!(result, Err(StoreError::Invalid { .. })),
            "{result:?}"
        );
        assert!(!result.unwrap_err().is_retryable());
    }
    assert_eq!(store.totals().unwrap(), Totals::default());
    assert_eq!(
        store
            .append(stream, &provenance(), &[good])
            .unwrap()
            .inserted,
        1
    );
}

pub(crate) fn made_up_identifiers_are_not_found(store: &dyn Store) {
    let stream = batch(store, 1);
    append_kinds(store, stream, 0, "nn");
    let id = stream.verdict_id(0);
    assert!(store.get(id).unwrap().is_some());
    assert_eq!(store.get(stream.verdict_id(2)).unwrap(), None);
    for byte in 0..16 {
        let mut bytes = *id.as_bytes();
        bytes[byte] ^= 1;
        let text = BatchId::from_bytes(bytes).to_string();
        // A changed version or variant is no identifier of a verdict in the first place.
        if let Ok(other) = text.parse::<VerdictId>() {
            assert_eq!(store.get(other).unwrap(), None, "{text}");
        }
    }
}

pub(crate) fn rows_of_a_batch_come_in_order(store: &dyn Store) {
    let one = batch(store, 1);
    append_kinds(store, batch(store, 2), 0, "nnn");
    append_kinds(store, one, 100, "nd");
    // Blocks may come in any order.
    let late = [row('n', 9, seconds(3)), row('p', 5, seconds(200))];
    store.append(one, &provenance(), &late).unwrap();
    let check = |after, limit, expected: &[u64]| {
        let rows = store.batch_rows(batch_id(1), after, limit).unwrap();
        assert_eq!(store.stream_rows(one, after, limit).unwrap(), rows);
        let sequences: Vec<_> = rows.iter().map(|row| row.sequence).collect();
        assert_eq!(sequences, expected);
    };
    check(None, 100, &[0, 1, 5, 9]);
    check(None, 2, &[0, 1]);
    check(Some(1), 100, &[5, 9]);
    check(Some(9), 100, &[]);
    check(Some(u64::MAX), 100, &[]);
}

pub(crate) fn models_are_those_of_the_block(store: &dyn Store) {
    let stream = batch(store, 1);
    let none = Provenance {
        detector: None,
        classifier: None,
        ..provenance()
    };
    let namer = |name: &str, version: &str| Provenance {
        namer: Some(ModelRef {
            name: name.to_owned(),
            version: version.to_owned(),
            threshold: None,
        }),
        ..none.clone()
    };
    // The last two would be one if names and versions were only put side by side.
    let all = [
        provenance(),
        none.clone(),
        provenance(),
        namer("ab", "c"),
        namer("a", "bc"),
    ];
    for (sequence, provenance) in all.iter().enumerate() {
        let rows = [row('n', sequence as u64, seconds(0))];
        store.append(stream, provenance, &rows).unwrap();
    }
    let rows = store.batch_rows(batch_id(1), None, 10).unwrap();
    let found: Vec<_> = rows.iter().map(|row| (*row.provenance).clone()).collect();
    assert_eq!(found, all);
}

pub(crate) fn counts_are_by_kind_and_class(store: &dyn Store) {
    append_kinds(store, batch(store, 1), 0, "ntdpcbnd");
    append_kinds(store, stream(store, 2), 8, "ndpn");
    let counts = Counts {
        total: 12,
        scored: 10,
        threats: 6,
        classified: 7,
        attacks: 6,
    };
    let totals = store.totals().unwrap();
    let (oldest, newest) = (Some(seconds(0)), Some(seconds(11)));
    assert_eq!(
        totals,
        Totals {
            counts,
            oldest,
            newest
        }
    );
    let class = |class: &str, total, attacks, threats| ClassCount {
        class: class.to_owned(),
        total,
        attacks,
        threats,
    };
    let expected = [
        class("DoS", 4, 4, 3),
        class("Probe", 2, 2, 2),
        class("normal", 1, 0, 0),
    ];
    assert_eq!(store.class_counts().unwrap(), expected);

    let counts = Counts {
        total: 8,
        scored: 6,
        threats: 4,
        classified: 5,
        attacks: 4,
    };
    assert_eq!(store.batch_counts(batch_id(1)).unwrap(), counts);
    let expected = [
        class("DoS", 3, 3, 2),
        class("Probe", 1, 1, 1),
        class("normal", 1, 0, 0),
    ];
    assert_eq!(store.batch_class_counts(batch_id(1)).unwrap(), expected);
}

/// Length of a bucket, and start, verdicts, scored ones, threats and attacks of each.
type Expected<'a> = (u64, &'a [(i64, u64, u64, u64, u64)]);

pub(crate) fn a_timeline_has_every_bucket(store: &dyn Store) {
    let stream = batch(store, 1);
    append_kinds(store, stream, 60, "nd");
    append_kinds(store, stream, 179, "dc");
    append_kinds(store, stream, 7200, "n");
    let check = |from, to, buckets, expected: Expected<'_>| {
        let line = store.timeline(seconds(from), seconds(to), buckets).unwrap();
        let points: Vec<_> = line
            .points
            .iter()
            .map(|point| {
                let start = point.start.seconds();
                (
                    start,
                    point.total,
                    point.scored,
                    point.threats,
                    point.attacks,
                )
            })
            .collect();
        assert_eq!((line.bucket_seconds, points.as_slice()), expected);
    };
    let expected = [
        (0, 0, 0, 0, 0),
        (60, 2, 2, 1, 1),
        (120, 1, 1, 1, 1),
        (180, 1, 0, 0, 1),
    ];
    check(0, 240, 4, (60, &expected));
    check(59, 181, 3, (60, &expected));
    check(
        0,
        10_800,
        3,
        (
            3600,
            &[(0, 4, 3, 2, 3), (3600, 0, 0, 0, 0), (7200, 1, 1, 0, 0)],
        ),
    );
    check(100, 100, 10, (60, &[]));
}

pub(crate) fn retention_by_age_deletes_the_oldest(store: &dyn Store) {
    append_kinds(store, batch(store, 1), 0, "ntdpcbnd");
    let policy = RetentionPolicy {
        max_age_micros: Some(5_000_000),
        batch_rows: 2,
        ..RetentionPolicy::default()
    };
    let first = RetentionPolicy {
        max_batches: 1,
        ..policy
    };
    let outcome = store.retain(&first, seconds(10)).unwrap();
    assert_eq!((outcome.rows_deleted, outcome.within_limits), (2, false));
    let outcome = store.retain(&policy, seconds(10)).unwrap();
    assert_eq!((outcome.rows_deleted, outcome.within_limits), (3, true));
    assert_eq!(store.retain(&policy, seconds(10)).unwrap().rows_deleted, 0);
    assert_eq!(
        store
            .retain(&RetentionPolicy::default(), seconds(1_000_000))
            .unwrap()
            .rows_deleted,
        0
    );

    let counts = Counts {
        total: 3,
        scored: 2,
        threats: 1,
        classified: 2,
        attacks: 1,
    };
    assert_eq!(store.totals().unwrap().counts, counts);
    assert_eq!(store.totals().unwrap().oldest, Some(seconds(5)));
    assert_eq!(store.batch_counts(batch_id(1)).unwrap(), counts);
    assert_eq!(store.count(&VerdictFilter::default()).unwrap(), 3);
    let classes: Vec<_> = store.class_counts().unwrap();
    let classes: Vec<_> = classes
        .iter()
        .map(|class| (class.class.as_str(), class.total))
        .collect();
    assert_eq!(classes, [("DoS", 1), ("normal", 1)]);
    let line = store.timeline(seconds(0), seconds(60), 1).unwrap();
    assert_eq!(line.points[0].total, 3);
}

pub(crate) fn retention_forgets_emptied_batches_only(store: &dyn Store) {
    let ended = batch(store, 1);
    append_kinds(store, ended, 0, "nn");
    store
        .finish_batch(batch_id(1), &complete(seconds(2)))
        .unwrap();
    let running = batch(store, 2);
    append_kinds(store, running, 2, "n");
    append_kinds(store, batch(store, 3), 500, "n");
    store
        .finish_batch(batch_id(3), &complete(seconds(501)))
        .unwrap();

    let policy = RetentionPolicy {
        max_age_micros: Some(100_000_000),
        ..RetentionPolicy::default()
    };
    let outcome = store.retain(&policy, seconds(510)).unwrap();
    assert_eq!((outcome.rows_deleted, outcome.batches_deleted), (3, 1));
    assert_eq!(store.batch(batch_id(1)).unwrap(), None);
    let running_now = store.batch(batch_id(2)).unwrap().unwrap();
    assert_eq!(running_now.rows_stored, 0);
    assert!(store.batch(batch_id(3)).unwrap().is_some());

    // A stream that is gone takes no rows, and its number is not given again.
    let gone = store.append(ended, &provenance(), &[row('n', 0, seconds(600))]);
    assert!(matches!(gone, Err(StoreError::UnknownStream { .. })));
    let new = batch(store, 4);
    append_kinds(store, new, 600, "n");
    assert_eq!(store.get(ended.verdict_id(0)).unwrap(), None);
    append_kinds(store, running, 601, "n");
}

pub(crate) fn nothing_of_an_empty_store(store: &dyn Store) {
    assert_eq!(store.totals().unwrap(), Totals::default());
    assert_eq!(store.class_counts().unwrap(), []);
    assert_eq!(
        store.list(&VerdictFilter::default(), 10).unwrap().verdicts,
        []
    );
    assert_eq!(store.batches(None, 10).unwrap().batches, []);
    let attacks = VerdictFilter {
        has_attack: true,
        ..VerdictFilter::default()
    };
    assert_eq!(store.count(&attacks).unwrap(), 0);
    let outcome = store
        .retain(
            &RetentionPolicy {
                max_bytes: Some(0),
                ..RetentionPolicy::default()
            },
            Timestamp(i64::MIN),
        )
        .unwrap();
    assert_eq!((outcome.rows_deleted, outcome.within_limits), (0, false));
    assert!(store.health().unwrap().size.database_bytes > 0);
    assert_eq!(store.health().unwrap().size, store.size().unwrap());
}
