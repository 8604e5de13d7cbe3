use tripline_store::{
    AppendOutcome, Counts, NewVerdict, RetentionPolicy, Stage, Store, StoredSource, VerdictFilter,
};

use crate::fixtures::{batch, batch_id, provenance, row, seconds, stream};

fn staged(stage: Stage, kind: char, sequence: u64, second: i64) -> NewVerdict<'static> {
    NewVerdict {
        stage,
        flow: Some(b"flow"),
        ..row(kind, sequence, seconds(second))
    }
}

fn outcome(inserted: u64, superseded: u64, already_present: u64) -> AppendOutcome {
    AppendOutcome {
        inserted,
        superseded,
        already_present,
    }
}

pub(crate) fn a_later_stage_supersedes_and_no_earlier_one(store: &dyn Store) {
    let live = stream(store, 1);
    let append = |verdict| store.append(live, &provenance(), &[verdict]).unwrap();
    let id = live.verdict_id(3);
    let stored = || {
        let verdict = store.get(id).unwrap().unwrap();
        assert_eq!(verdict.flow.as_deref(), Some(&b"flow"[..]));
        (verdict.stage, verdict.created_at, verdict.attack.is_some())
    };
    assert_eq!(append(staged(Stage::Early, 'n', 3, 10)), outcome(1, 0, 0));
    assert_eq!(append(staged(Stage::Early, 'd', 3, 11)), outcome(0, 0, 1));
    assert_eq!(stored(), (Stage::Early, seconds(10), false));
    assert_eq!(append(staged(Stage::Over, 'd', 3, 20)), outcome(0, 1, 0));
    assert_eq!(stored(), (Stage::Over, seconds(20), true));
    assert_eq!(append(staged(Stage::Early, 'n', 3, 21)), outcome(0, 0, 1));
    assert_eq!(append(staged(Stage::Final, 'n', 3, 30)), outcome(0, 1, 0));
    for stage in [Stage::Early, Stage::Over, Stage::Final] {
        assert_eq!(append(staged(stage, 'd', 3, 40)), outcome(0, 0, 1));
    }
    assert_eq!(stored(), (Stage::Final, seconds(30), false));
    assert_eq!(store.next_sequence(live).unwrap(), 4);
    // The list shows it once, at its new time.
    let listed = store.list(&VerdictFilter::default(), 10).unwrap().verdicts;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].id, id);
}

pub(crate) fn counts_follow_a_verdict_that_is_superseded(store: &dyn Store) {
    let uploaded = batch(store, 1);
    let block = [
        staged(Stage::Early, 'd', 0, 10),
        staged(Stage::Early, 'n', 1, 10),
        // Both stages in one block.
        staged(Stage::Early, 'p', 2, 10),
        staged(Stage::Final, 'n', 2, 70),
    ];
    let told = store.append(uploaded, &provenance(), &block).unwrap();
    assert_eq!(told, outcome(3, 1, 0));
    let block = [
        staged(Stage::Final, 'n', 0, 4000),
        staged(Stage::Final, 'd', 1, 4000),
    ];
    store.append(uploaded, &provenance(), &block).unwrap();
    let expected = Counts {
        total: 3,
        scored: 3,
        threats: 1,
        classified: 1,
        attacks: 1,
    };
    assert_eq!(store.totals().unwrap().counts, expected);
    assert_eq!(store.batch_counts(batch_id(1)).unwrap(), expected);
    let classes = store.class_counts().unwrap();
    let classes: Vec<_> = classes
        .iter()
        .map(|class| (class.class.as_str(), class.total))
        .collect();
    assert_eq!(classes, [("DoS", 1)]);
    let line = store.timeline(seconds(0), seconds(7200), 2).unwrap();
    let points: Vec<_> = line
        .points
        .iter()
        .map(|point| (point.total, point.threats))
        .collect();
    assert_eq!(points, [(1, 0), (2, 1)]);
    let threats = VerdictFilter {
        threats_only: true,
        ..VerdictFilter::default()
    };
    assert_eq!(store.count(&threats).unwrap(), 1);
    let stored = store.batch(batch_id(1)).unwrap().unwrap();
    assert_eq!(stored.rows_stored, 3);
    // A list of the batch reaches up to the new time.
    let of_batch = VerdictFilter {
        batch: Some(batch_id(1)),
        ..VerdictFilter::default()
    };
    assert_eq!(store.list(&of_batch, 10).unwrap().verdicts.len(), 3);
}

pub(crate) fn a_flow_that_retention_took_comes_anew(store: &dyn Store) {
    let live = stream(store, 1);
    let early = staged(Stage::Early, 'd', 0, 10);
    store.append(live, &provenance(), &[early]).unwrap();
    let policy = RetentionPolicy {
        max_age_micros: Some(0),
        ..RetentionPolicy::default()
    };
    assert_eq!(store.retain(&policy, seconds(20)).unwrap().rows_deleted, 1);
    let last = staged(Stage::Final, 'd', 0, 30);
    let told = store.append(live, &provenance(), &[last]).unwrap();
    assert_eq!(told, outcome(1, 0, 0));
    assert_eq!(store.totals().unwrap().counts.total, 1);
}

pub(crate) fn sources_are_kept_by_name(store: &dyn Store) {
    assert_eq!(store.sources().unwrap(), []);
    let mut capture = StoredSource {
        name: "packet_capture".to_owned(),
        key: batch_id(1),
        is_enabled: false,
        config: "{}".to_owned(),
        updated_at: seconds(1),
    };
    let topic = StoredSource {
        name: "external_kafka".to_owned(),
        key: batch_id(2),
        ..capture.clone()
    };
    store.put_source(&capture).unwrap();
    store.put_source(&topic).unwrap();
    capture.is_enabled = true;
    capture.updated_at = seconds(2);
    // The first key is for ever.
    let again = StoredSource {
        key: batch_id(3),
        ..capture.clone()
    };
    store.put_source(&again).unwrap();
    assert_eq!(store.sources().unwrap(), [topic, capture]);
}
