use std::{
    collections::BTreeMap,
    sync::{
        Barrier, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use tripline_store::{
    Backend, Committed, ModelEvent, ModelId, ModelStage, NewModel, Result, StoreError, Write,
};

use crate::fixtures::{
    registry::{
        ACTOR, active, add_models, adding, bundle, commit, conflict, deleting, everything, keeping,
        model_id, moving, new_model, stage_of, try_commit,
    },
    seconds,
};

use ModelStage::{Active, Canary, Candidate, Retired, Shadow};

/// The step that puts one model in the place of another.
fn swap(store: &dyn Backend, old: u8, new: u8, from: ModelStage) -> Result<Committed> {
    try_commit(
        store,
        100,
        vec![moving(old, Active, Retired), moving(new, from, Active)],
    )
}

/// All events, oldest first, read in pages of two.
fn history(store: &dyn Backend, model: Option<ModelId>) -> Vec<ModelEvent> {
    let mut events = Vec::new();
    let mut before = None;
    loop {
        let page = store.model_events(model, before, 2).unwrap();
        let Some(last) = page.last() else { break };
        assert!(before.is_none_or(|before| last.number < before));
        before = Some(last.number);
        events.extend(page);
    }
    events.reverse();
    assert!(events.is_sorted_by(|one, two| one.number < two.number));
    events
}

pub(crate) fn a_life_goes_through_its_stages(store: &dyn Backend) {
    add_models(store, &[1]);
    let life = [
        (Candidate, Shadow),
        (Shadow, Canary),
        (Canary, Active),
        (Active, Retired),
        (Retired, Active),
    ];
    for (second, (from, to)) in (10..).zip(life) {
        let write = Write::Stage {
            model: model_id(1),
            from,
            to,
            reason: "measured",
            details: r#"{"recall":0.9}"#,
        };
        commit(store, second, vec![write]);
        let found = store.model(model_id(1)).unwrap().unwrap();
        assert_eq!((found.stage, found.model.stage), (to, to));
        assert_eq!(found.stage_changed_at, seconds(second));
        assert_eq!(found.created_at, seconds(0));
        let event = store.model_events(Some(model_id(1)), None, 1).unwrap();
        let expected = ModelEvent {
            number: event[0].number,
            model: model_id(1),
            at: seconds(second),
            actor: ACTOR.to_owned(),
            kind: "stage".to_owned(),
            from: Some(from),
            to: Some(to),
            reason: "measured".to_owned(),
            details: r#"{"recall":0.9}"#.to_owned(),
        };
        assert_eq!(event, [expected]);
    }
    let stages: Vec<_> = history(store, None)
        .iter()
        .map(|event| (event.from, event.to))
        .collect();
    let mut expected = vec![(None, Some(Candidate))];
    expected.extend(life.map(|(from, to)| (Some(from), Some(to))));
    assert_eq!(stages, expected);
}

pub(crate) fn a_stage_that_is_not_the_expected_one_stays(store: &dyn Backend) {
    add_models(store, &[1]);
    let before = everything(store);
    for from in [Shadow, Canary, Active, Retired] {
        let refused = conflict(try_commit(store, 9, vec![moving(1, from, Active)]));
        let expected = ("the stage of net-1 1", "candidate", from.name());
        assert_eq!(
            (refused.0.as_str(), refused.1.as_str(), refused.2.as_str()),
            expected
        );
    }
    conflict(try_commit(store, 9, vec![moving(2, Candidate, Active)]));
    assert_eq!(everything(store), before);
}

pub(crate) fn a_place_and_a_name_have_one_active_model(store: &dyn Backend) {
    let same_name = NewModel {
        name: "net-1".to_owned(),
        version: "2".to_owned(),
        role: "classifier".to_owned(),
        schema: "cicflow".to_owned(),
        slot: "classifier of cicflow".to_owned(),
        ..new_model(3)
    };
    let free = NewModel {
        slot: "detector of cicflow".to_owned(),
        ..new_model(4)
    };
    add_models(store, &[1, 2]);
    for model in [&same_name, &free] {
        commit(store, 5, vec![adding(model, b"x")]);
    }
    commit(store, 6, vec![moving(1, Candidate, Active)]);
    let before = everything(store);
    let taken = (
        "the place of net-1".to_owned(),
        "held by the active version 1".to_owned(),
        "free".to_owned(),
    );
    // The same slot; the same name in another role and schema.
    for seed in [2, 3] {
        let refused = try_commit(store, 7, vec![moving(seed, Candidate, Active)]);
        assert_eq!(conflict(refused), taken);
        // The one that leaves has to do so first.
        let late = vec![moving(seed, Candidate, Active), moving(1, Active, Retired)];
        assert_eq!(conflict(try_commit(store, 7, late)), taken);
    }
    // No other way in.
    for model in [
        NewModel {
            stage: Active,
            ..new_model(5)
        },
        NewModel {
            id: model_id(5),
            stage: Active,
            ..same_name.clone()
        },
    ] {
        let refused = try_commit(store, 7, vec![adding(&model, b"x")]);
        assert_eq!(conflict(refused), taken);
    }
    assert_eq!(everything(store), before);

    commit(store, 8, vec![moving(4, Candidate, Active)]);
    assert_eq!(active(store), [model_id(1), model_id(4)]);
    swap(store, 1, 3, Candidate).unwrap();
    assert_eq!(active(store), [model_id(3), model_id(4)]);
    // The name is taken now, the slot is not.
    commit(store, 9, vec![moving(2, Candidate, Active)]);
    let refused = try_commit(store, 10, vec![moving(1, Retired, Active)]);
    conflict(refused);
    assert_eq!(active(store), [2, 3, 4].map(model_id));
}

pub(crate) fn other_stages_share_a_place(store: &dyn Backend) {
    add_models(store, &[1, 2, 3, 4, 5, 6]);
    let pairs = [
        (1, Shadow),
        (2, Shadow),
        (3, Canary),
        (4, Canary),
        (5, Retired),
    ];
    for (seed, to) in pairs {
        commit(store, 10, vec![moving(seed, Candidate, to)]);
    }
    commit(store, 11, vec![moving(6, Candidate, Active)]);
    for (seed, to) in pairs {
        assert_eq!(stage_of(store, seed), to);
    }
}

pub(crate) fn the_way_back_is_a_step_like_any(store: &dyn Backend) {
    add_models(store, &[1, 2]);
    commit(store, 10, vec![moving(1, Candidate, Active)]);
    swap(store, 1, 2, Candidate).unwrap();
    assert_eq!(active(store), [model_id(2)]);
    swap(store, 2, 1, Retired).unwrap();
    assert_eq!(active(store), [model_id(1)]);
    assert_eq!(stage_of(store, 2), Retired);
    let bytes = store.model_bytes(model_id(1)).unwrap();
    assert_eq!(bytes, Some(bundle(1)));
    let moves = |seed| -> Vec<_> {
        history(store, Some(model_id(seed)))
            .iter()
            .filter_map(|event| event.to)
            .collect()
    };
    assert_eq!(moves(1), [Candidate, Active, Retired, Active]);
    assert_eq!(moves(2), [Candidate, Active, Retired]);
    let models: Vec<_> = history(store, None)
        .iter()
        .map(|event| event.model.as_bytes()[0])
        .collect();
    assert_eq!(models, [1, 2, 1, 1, 2, 2, 1]);
}

pub(crate) fn the_epoch_tells_of_every_change_of_models(store: &dyn Backend) {
    let mut last = store.epoch().unwrap();
    let mut check = |writes: Vec<Write<'_>>| {
        let committed = commit(store, 1, writes);
        let now = store.epoch().unwrap();
        assert_eq!(committed.epoch, now);
        assert!(now > last, "{now}");
        last = now;
    };
    let (one, two) = (new_model(1), new_model(2));
    check(vec![adding(&one, b"x")]);
    check(vec![adding(&two, b"x"), moving(1, Candidate, Active)]);
    check(vec![
        moving(1, Active, Retired),
        moving(2, Candidate, Active),
    ]);
    check(vec![deleting(1, false)]);
    check(vec![adding(&one, b"x")]);
    // What else happens does not turn it back, and what fails does not turn it at all.
    let told = commit(store, 2, vec![keeping("monitor", "1", None)]);
    assert_eq!(told.epoch, store.epoch().unwrap());
    assert!(told.epoch >= last);
    let before = store.epoch().unwrap();
    let failing = vec![moving(1, Candidate, Shadow), moving(1, Candidate, Shadow)];
    conflict(try_commit(store, 3, failing));
    assert_eq!(store.epoch().unwrap(), before);
}

pub(crate) fn of_two_activations_at_once_one_wins(store: &dyn Backend) {
    add_models(store, &[1, 2, 3]);
    commit(store, 10, vec![moving(1, Candidate, Active)]);
    commit(store, 10, vec![moving(2, Candidate, Retired)]);
    commit(store, 10, vec![moving(3, Candidate, Retired)]);
    for round in 0..30 {
        let old = active(store)[0].as_bytes()[0];
        let others: Vec<u8> = (1..=3).filter(|&seed| seed != old).collect();
        let start = Barrier::new(2);
        let outcomes = thread::scope(|scope| {
            let threads: Vec<_> = others
                .iter()
                .map(|&new| {
                    let start = &start;
                    scope.spawn(move || {
                        start.wait();
                        swap(store, old, new, Retired)
                    })
                })
                .collect();
            let joined = threads.into_iter().map(|thread| thread.join().unwrap());
            joined.collect::<Vec<_>>()
        });
        let winners: Vec<_> = others
            .iter()
            .zip(&outcomes)
            .filter(|(_, outcome)| outcome.is_ok())
            .map(|(&seed, _)| model_id(seed))
            .collect();
        assert_eq!(winners.len(), 1, "round {round}: {outcomes:?}");
        assert_eq!(active(store), winners);
        for outcome in outcomes {
            assert!(
                matches!(outcome, Ok(_) | Err(StoreError::Conflict { .. })),
                "{outcome:?}"
            );
        }
    }
    assert_eq!(history(store, None).len(), 3 + 3 + 2 * 30);
}

pub(crate) fn whoever_looks_sees_one_active_model(store: &dyn Backend) {
    const WRITERS: usize = 4;
    const SWAPS: usize = 50;
    add_models(store, &[1, 2, 3, 4]);
    for seed in 2..=4 {
        commit(store, 10, vec![moving(seed, Candidate, Retired)]);
    }
    let start = commit(store, 10, vec![moving(1, Candidate, Active)]);
    // Which model was active at which epoch: as its writer was told, and as readers found.
    let written = Mutex::new(BTreeMap::from([(start.epoch, model_id(1))]));
    let found = Mutex::new(Vec::new());
    let lost = AtomicUsize::new(0);
    let is_over = AtomicBool::new(false);
    let write = |first: usize| {
        for at in 0..SWAPS {
            let new = ((first + at) % 4) as u8 + 1;
            loop {
                let old = active(store)[0].as_bytes()[0];
                if old == new {
                    break;
                }
                match swap(store, old, new, Retired) {
                    Ok(committed) => {
                        let mut written = written.lock().unwrap();
                        let twice = written.insert(committed.epoch, model_id(new));
                        assert_eq!(twice, None);
                        break;
                    }
                    // Somebody was faster, which comes to an end.
                    Err(StoreError::Conflict { .. }) => {
                        let lost = lost.fetch_add(1, Ordering::SeqCst);
                        assert!(lost < WRITERS * WRITERS * SWAPS);
                    }
                    Err(other) => panic!("{other}"),
                }
            }
        }
    };
    let read = || {
        let mut last = 0;
        while !is_over.load(Ordering::SeqCst) {
            let before = store.epoch().unwrap();
            let active = active(store);
            assert_eq!(active.len(), 1, "{active:?}");
            let after = store.epoch().unwrap();
            assert!(last <= before && before <= after);
            last = after;
            if before == after {
                found.lock().unwrap().push((before, active[0]));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(read);
        }
        let writers: Vec<_> = (0..WRITERS)
            .map(|first| scope.spawn(move || write(first)))
            .collect();
        let ended = writers.into_iter().map(thread::ScopedJoinHandle::join);
        let failed = ended.filter(std::result::Result::is_err).count();
        // Before a failure is shown, or the readers would wait for ever.
        is_over.store(true, Ordering::SeqCst);
        assert_eq!(failed, 0);
    });
    let written = written.into_inner().unwrap();
    for (epoch, id) in found.into_inner().unwrap() {
        assert_eq!(written.get(&epoch), Some(&id), "epoch {epoch}");
    }
    // The history, told again, never has none or two.
    let mut standing: Vec<ModelId> = Vec::new();
    for event in history(store, None) {
        if event.from == Some(Active) {
            assert_eq!(standing, [event.model]);
            standing.clear();
        }
        if event.to == Some(Active) {
            assert_eq!(standing, []);
            standing.push(event.model);
        }
    }
    assert_eq!(standing, active(store));
    assert_eq!(history(store, None).len(), 4 + 4 + 2 * (written.len() - 1));
}
