use tripline_store::{
    Backend, LabelFilter, LabelId, LabelState, MessageState, ModelFilter, ModelStage, ModelTexts,
    NewLabel, Step, StoreError, Write,
};

use crate::fixtures::{
    registry::{
        TASKS, active, adding, all_labels, bundle, commit, deleting, everything, fill, invalid,
        keeping, model_id, moving, new_label, new_model, record, sending, stage_of, tried,
        try_commit,
    },
    seconds,
};

use ModelStage::{Active, Candidate, Retired, Shadow};

pub(crate) fn a_step_whose_last_part_fails_leaves_nothing(store: &dyn Backend) {
    fill(store);
    let before = everything(store);
    let model = new_model(9);
    let bytes = bundle(9);
    let texts = ModelTexts {
        notes: "changed".to_owned(),
        ..ModelTexts::default()
    };
    let label = new_label(99, "grace", true);
    let drift = record("drift", "net-1", 99);
    let labelled = all_labels(store, &LabelFilter::default())[0].id;
    let waiting = store.due_messages(seconds(60), 9).unwrap()[0].number;
    // One of each, and each of them possible.
    let good = vec![
        adding(&model, &bytes),
        moving(1, Active, Retired),
        moving(9, Candidate, Active),
        Write::Describe {
            model: model_id(9),
            texts: &texts,
        },
        deleting(4, false),
        Write::AddLabel(&label),
        Write::ReviewLabel {
            label: labelled,
            state: LabelState::Rejected,
            reason: "no",
        },
        keeping(TASKS[0], "19", Some(2)),
        keeping(TASKS[1], "anew", None),
        Write::Record(&drift),
        sending("{}"),
        tried(waiting, MessageState::Sent, 100),
    ];

    let nameless = NewLabel {
        author: String::new(),
        ..new_label(1, "", true)
    };
    let rival = new_model(10);
    let unknown = Write::ReviewLabel {
        label: LabelId(u64::MAX),
        state: LabelState::Accepted,
        reason: "",
    };
    let long = "x".repeat(513);
    let conflicts = [
        adding(&model, &bytes),
        moving(6, Candidate, Active),
        moving(6, Shadow, Retired),
        moving(100, Candidate, Retired),
        deleting(9, false),
        deleting(4, false),
        Write::Describe {
            model: model_id(100),
            texts: &texts,
        },
        unknown,
        keeping(TASKS[0], "20", Some(2)),
        keeping(TASKS[2], "1", Some(1)),
        tried(u64::MAX, MessageState::Sent, 0),
        tried(waiting, MessageState::Sent, 0),
    ];
    let refused = [
        Write::AddLabel(&nameless),
        keeping(&long, "", None),
        Write::Send {
            target: "",
            event: &long,
            body: "",
        },
    ];
    for bad in conflicts.iter().chain(&refused) {
        let mut writes = good.clone();
        writes.push(bad.clone());
        match try_commit(store, 99, writes) {
            Err(StoreError::Conflict { .. }) if conflicts.contains(bad) => {}
            Err(StoreError::Invalid { .. }) if refused.contains(bad) => {}
            other => panic!("{bad:?}: {other:?}"),
        }
        assert_eq!(everything(store), before, "{bad:?}");
    }
    // First or last, it is the same.
    let mut writes = vec![adding(&rival, b"x"), moving(6, Shadow, Retired)];
    writes.extend(good.clone());
    try_commit(store, 99, writes).unwrap_err();
    assert_eq!(everything(store), before);

    let done = commit(store, 99, good);
    assert_eq!(done.labels.len(), 1);
    assert_eq!(active(store), [model_id(9)]);
    assert_eq!(store.task(TASKS[0]).unwrap().unwrap().value, "19");
    assert_ne!(everything(store), before);
}

pub(crate) fn a_step_without_parts_changes_nothing(store: &dyn Backend) {
    fill(store);
    let before = everything(store);
    let committed = commit(store, 99, vec![]);
    assert_eq!(committed.epoch, store.epoch().unwrap());
    assert_eq!(committed.labels, []);
    assert_eq!(everything(store), before);
    let long = "x".repeat(513);
    let refused = store.commit(&Step {
        at: seconds(1),
        actor: &long,
        writes: vec![],
    });
    assert!(invalid(refused).starts_with("actor is 513 bytes long"));
}

pub(crate) fn a_part_sees_the_parts_before_it(store: &dyn Backend) {
    let label = new_label(1, "ada", true);
    let other = new_label(2, "ada", false);
    let committed = commit(
        store,
        1,
        vec![
            adding(&new_model(1), b"abc"),
            moving(1, Candidate, Active),
            moving(1, Active, Retired),
            deleting(1, false),
            adding(&new_model(1), b"abc"),
            moving(1, Candidate, Shadow),
            keeping("monitor", "1", None),
            keeping("monitor", "2", Some(1)),
            Write::AddLabel(&label),
            Write::AddLabel(&other),
        ],
    );
    assert_eq!(stage_of(store, 1), Shadow);
    let kinds: Vec<_> = store
        .model_events(None, None, 10)
        .unwrap()
        .into_iter()
        .map(|event| event.kind)
        .collect();
    assert_eq!(
        kinds,
        ["stage", "added", "deleted", "stage", "stage", "added"]
    );
    assert_eq!(store.task("monitor").unwrap().unwrap().revision, 2);
    // Labels are told in the order of the step.
    let labels = all_labels(store, &LabelFilter::default());
    let found: Vec<_> = labels.iter().map(|label| label.id).collect();
    assert_eq!(found, committed.labels);
    assert_eq!(labels[0].label.verdict, label.verdict);
    assert_eq!(labels[1].label.verdict, other.verdict);
}

pub(crate) fn a_registry_begins_empty(store: &dyn Backend) {
    let empty = everything(store);
    fill(store);
    assert_ne!(everything(store), empty);
    let none = ModelFilter {
        name: Some("no such".to_owned()),
        with_deleted: true,
        ..ModelFilter::default()
    };
    assert_eq!(store.models(&none).unwrap(), []);
}
