//! An embedded store that moves into a database.

use tripline_store::{
    LabelFilter, ModelFilter, ModelStage, Registry, SqliteStore, Store, StoreError, Stream,
    Timestamp, VerdictFilter, Write,
};

use super::{DAY, recount, store};
use crate::fixtures::{
    append_kinds, batch, batch_id, complete, full_row, provenance, read_all,
    registry::{adding, bundle, commit, full_model, keeping, moving, new_label, record},
    row, seconds, stream,
};

/// A store in which every table has something; its last stream.
fn filled() -> (SqliteStore, Stream) {
    let from = SqliteStore::open_in_memory().unwrap();
    let uploaded = batch(&from, 1);
    append_kinds(&from, uploaded, 0, "ntdpcb");
    from.append(uploaded, &provenance(), &[full_row(100)])
        .unwrap();
    let end = tripline_store::BatchEnd {
        report: Some("{}".to_owned()),
        ..complete(seconds(9))
    };
    from.finish_batch(batch_id(1), &end).unwrap();
    let live = stream(&from, 2);
    append_kinds(&from, live, 200_000, "ndnd");
    from.put_source(&tripline_store::StoredSource {
        name: "odd\0name".to_owned(),
        key: batch_id(3),
        is_enabled: true,
        config: "{}".to_owned(),
        updated_at: seconds(1),
    })
    .unwrap();
    let label = new_label(7, "ada", true);
    let measured = record("drift", "net-1", 5);
    commit(
        &from,
        3,
        vec![
            adding(&full_model(1), &bundle(1)),
            Write::AddLabel(&label),
            keeping("monitor", "row 1", None),
            Write::Record(&measured),
            Write::Send {
                target: "http://127.0.0.1/",
                event: "model.stage",
                body: "{}",
            },
        ],
    );
    let step = vec![moving(1, ModelStage::Candidate, ModelStage::Active)];
    commit(&from, 4, step);
    (from, live)
}

#[test]
fn everything_is_there_under_its_own_number() {
    let (from, live) = filled();
    let (store, database) = store(DAY);
    let mut told = Vec::new();
    let copied = store
        .copy_from(&from, |progress| told.push(progress))
        .unwrap();
    assert_eq!(copied.verdicts, 11);
    assert!(
        told.iter()
            .any(|at| at.table == "verdicts" && at.rows == 11 && at.of == 11)
    );
    recount(&database);

    let all = VerdictFilter::default();
    assert_eq!(read_all(&store, &all, 3), read_all(&from, &all, 100));
    assert_eq!(store.totals().unwrap(), from.totals().unwrap());
    assert_eq!(store.class_counts().unwrap(), from.class_counts().unwrap());
    assert_eq!(
        store.batches(None, 9).unwrap(),
        from.batches(None, 9).unwrap()
    );
    let report = store.batch_report(batch_id(1)).unwrap();
    assert_eq!(report, Some("{}".to_owned()));
    assert_eq!(store.sources().unwrap(), from.sources().unwrap());
    assert_eq!(store.epoch().unwrap(), from.epoch().unwrap());
    let models = ModelFilter::default();
    assert_eq!(
        store.models(&models).unwrap(),
        from.models(&models).unwrap()
    );
    let id = full_model(1).id;
    assert_eq!(
        store.model_bytes(id).unwrap(),
        from.model_bytes(id).unwrap()
    );
    assert_eq!(
        store.model_events(None, None, 9).unwrap(),
        from.model_events(None, None, 9).unwrap()
    );
    let labels = LabelFilter::default();
    assert_eq!(
        store.labels(&labels, 9).unwrap(),
        from.labels(&labels, 9).unwrap()
    );
    assert_eq!(
        store.task("monitor").unwrap(),
        from.task("monitor").unwrap()
    );
    let ever = (Timestamp(0), Timestamp(i64::MAX));
    assert_eq!(
        store.records("drift", None, ever.0, ever.1, 9).unwrap(),
        from.records("drift", None, ever.0, ever.1, 9).unwrap()
    );
    assert_eq!(
        store.recent_messages(9).unwrap(),
        from.recent_messages(9).unwrap()
    );

    // It goes on from there: streams, numbers, and what was said before.
    assert_eq!(stream(&store, 2), live);
    append_kinds(&store, live, 300_000, "n");
    let again = [row('p', 0, seconds(1))];
    let repeat = store.append(live, &provenance(), &again).unwrap();
    assert_eq!(repeat.already_present, 1);
    append_kinds(&store, batch(&store, 8), 5, "n");
    let label = new_label(8, "ada", false);
    let committed = commit(&store, 9, vec![Write::AddLabel(&label)]);
    assert!(committed.labels[0] > from.labels(&labels, 9).unwrap().labels[0].id);
    recount(&database);
}

#[test]
fn a_database_with_rows_takes_no_copy() {
    let (from, _) = filled();
    let (store, database) = store(DAY);
    append_kinds(&store, batch(&store, 1), 0, "nd");
    let refused = store.copy_from(&from, |_| ()).unwrap_err();
    assert!(matches!(refused, StoreError::Invalid { .. }), "{refused}");
    assert_eq!(store.totals().unwrap().counts.total, 2);
    recount(&database);
}
