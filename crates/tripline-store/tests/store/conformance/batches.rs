use tripline_store::{
    BatchEnd, BatchPage, BatchStatus, NewStream, Progress, Source, Store, StoreError,
};

use crate::fixtures::{append_kinds, batch, batch_id, complete, new_batch, row, seconds, stream};

pub(crate) fn a_batch_is_kept_as_told(store: &dyn Store) {
    let stream = batch(store, 1);
    append_kinds(store, stream, 10, "nd");
    let progress = Progress {
        bytes_read: 500,
        rows_read: 3,
        rows_scored: 2,
        rows_rejected: 1,
    };
    store.update_progress(batch_id(1), progress).unwrap();

    let running = store.batch(batch_id(1)).unwrap().unwrap();
    assert_eq!(running.status, BatchStatus::Running);
    assert_eq!(running.progress, progress);
    assert_eq!(running.file_name.as_deref(), Some("1.csv"));
    assert_eq!(running.created_at, seconds(1));
    assert_eq!(running.bytes_total, Some(1000));
    assert_eq!(running.rows_stored, 2);
    assert_eq!(running.finished_at, None);
    assert_eq!(store.batch_report(batch_id(1)).unwrap(), None);

    let progress = Progress {
        bytes_read: 1000,
        ..progress
    };
    let end = BatchEnd {
        status: BatchStatus::Failed,
        finished_at: seconds(20),
        progress,
        schema: Some("nsl-kdd".to_owned()),
        error: Some("line 4: the row ends early".to_owned()),
        report: Some("{\"rows\":2}".to_owned()),
    };
    store.finish_batch(batch_id(1), &end).unwrap();
    let ended = store.batch(batch_id(1)).unwrap().unwrap();
    assert_eq!(ended.status, BatchStatus::Failed);
    assert_eq!(ended.progress, progress);
    assert_eq!(ended.finished_at, Some(seconds(20)));
    assert_eq!(ended.schema, end.schema);
    assert_eq!(ended.error, end.error);
    assert_eq!(store.batch_report(batch_id(1)).unwrap(), end.report);
}

pub(crate) fn a_batch_that_is_started_again_is_the_same(store: &dyn Store) {
    let first = batch(store, 1);
    append_kinds(store, first, 0, "nn");
    store
        .finish_batch(batch_id(1), &complete(seconds(2)))
        .unwrap();
    assert_eq!(batch(store, 1), first);
    let kept = store.batch(batch_id(1)).unwrap().unwrap();
    assert_eq!((kept.status, kept.rows_stored), (BatchStatus::Complete, 2));
}

pub(crate) fn batches_come_newest_first_in_pages(store: &dyn Store) {
    // Two of them at the same time.
    for seed in [5, 1, 3, 2] {
        batch(store, seed);
    }
    let mut twin = new_batch(4);
    twin.created_at = seconds(3);
    store.create_batch(&twin).unwrap();
    stream(store, 9);

    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let BatchPage { batches, next } = store.batches(after, 2).unwrap();
        seen.extend(batches.into_iter().map(|batch| batch.id));
        after = next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, [5, 4, 3, 2, 1].map(batch_id));
}

pub(crate) fn unknown_batches_are_refused(store: &dyn Store) {
    let unknown = |result: Result<(), StoreError>| {
        assert!(matches!(result, Err(StoreError::UnknownBatch { batch }) if batch == batch_id(7)));
    };
    unknown(store.update_progress(batch_id(7), Progress::default()));
    unknown(store.finish_batch(batch_id(7), &complete(seconds(0))));
    assert_eq!(store.batch(batch_id(7)).unwrap(), None);
    assert_eq!(store.batch_report(batch_id(7)).unwrap(), None);
    assert_eq!(store.batch_rows(batch_id(7), None, 10).unwrap(), []);
    assert_eq!(store.batch_counts(batch_id(7)).unwrap().total, 0);
    assert_eq!(store.batch_class_counts(batch_id(7)).unwrap(), []);

    batch(store, 1);
    let unended = BatchEnd {
        status: BatchStatus::Running,
        ..complete(seconds(0))
    };
    let refused = store.finish_batch(batch_id(1), &unended);
    assert!(matches!(refused, Err(StoreError::Invalid { .. })));
}

pub(crate) fn a_stream_is_no_batch(store: &dyn Store) {
    let single = stream(store, 1);
    append_kinds(store, single, 0, "d");
    assert_eq!(store.batch(batch_id(1)).unwrap(), None);
    let verdict = store.get(single.verdict_id(0)).unwrap().unwrap();
    assert_eq!((verdict.batch, verdict.source), (None, Source::Realtime));

    batch(store, 2);
    let both_ways = [
        store.create_batch(&new_batch(1)),
        store.open_stream(&NewStream {
            key: batch_id(2),
            source: Source::Realtime,
            created_at: seconds(0),
        }),
    ];
    for refused in both_ways {
        assert!(matches!(refused, Err(StoreError::Invalid { .. })));
    }
}

pub(crate) fn a_stream_is_continued(store: &dyn Store) {
    let first = stream(store, 1);
    assert_eq!(store.next_sequence(first).unwrap(), 0);
    append_kinds(store, first, 0, "nnn");
    store
        .append(
            first,
            &crate::fixtures::provenance(),
            &[row('n', 9, seconds(9))],
        )
        .unwrap();
    let again = stream(store, 1);
    assert_eq!(again, first);
    assert_eq!(store.next_sequence(again).unwrap(), 10);
}
