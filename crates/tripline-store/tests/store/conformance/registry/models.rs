use tripline_store::{Backend, Model, ModelFilter, ModelStage, ModelTexts, NewModel, Write};

use crate::fixtures::{
    registry::{
        ACTOR, add_models, adding, bundle, commit, conflict, deleting, everything, full_model,
        model_id, moving, new_model, try_commit,
    },
    seconds,
};

/// SHA-256 of `abc`, from FIPS 180-4's examples.
const DIGEST_OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn listed(store: &dyn Backend, filter: &ModelFilter) -> Vec<u8> {
    let models = store.models(filter).unwrap();
    models
        .iter()
        .map(|model| model.model.id.as_bytes()[0])
        .collect()
}

fn get(store: &dyn Backend, seed: u8) -> Model {
    store.model(model_id(seed)).unwrap().unwrap()
}

fn bytes_of(store: &dyn Backend, seed: u8) -> Option<Vec<u8>> {
    store.model_bytes(model_id(seed)).unwrap()
}

pub(crate) fn a_model_comes_back_whole(store: &dyn Backend) {
    let full = full_model(7);
    let write = Write::AddModel {
        model: &full,
        bytes: b"abc",
        report: Some("{\"é\":1}"),
        reason: "trained",
    };
    commit(store, 5, vec![write]);
    let expected = Model {
        model: full,
        stage: ModelStage::Candidate,
        digest: DIGEST_OF_ABC.to_owned(),
        bytes: 3,
        has_bytes: true,
        created_at: seconds(5),
        stage_changed_at: seconds(5),
        deleted_at: None,
    };
    assert_eq!(get(store, 7), expected);
    assert_eq!(bytes_of(store, 7).as_deref(), Some(&b"abc"[..]));
    let report = store.model_report(model_id(7)).unwrap();
    assert_eq!(report.as_deref(), Some("{\"é\":1}"));
    assert_eq!(store.models(&ModelFilter::default()).unwrap(), [expected]);

    // Of what is not given nothing is made up.
    let bare = new_model(8);
    commit(store, 6, vec![adding(&bare, b"x")]);
    assert_eq!(get(store, 8).model, bare);
    assert_eq!(store.model_report(model_id(8)).unwrap(), None);

    assert_eq!(store.model(model_id(9)).unwrap(), None);
    assert_eq!(bytes_of(store, 9), None);
    assert_eq!(store.model_report(model_id(9)).unwrap(), None);
}

pub(crate) fn bytes_of_every_kind_come_back(store: &dyn Backend) {
    let mut state = 1_u32;
    let noise: Vec<u8> = (0..3 << 20)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect();
    let every_value: Vec<u8> = (0..=255).collect();
    let kinds: [&[u8]; 4] = [&[], &[0], &every_value, &noise];
    for (seed, bytes) in (1..).zip(kinds) {
        commit(store, 1, vec![adding(&new_model(seed), bytes)]);
        assert!(bytes_of(store, seed).as_deref() == Some(bytes), "{seed}");
        assert_eq!(get(store, seed).bytes, bytes.len() as u64);
    }
}

pub(crate) fn the_same_bytes_are_the_same_whatever_their_name(store: &dyn Backend) {
    let renamed = NewModel {
        name: "another".to_owned(),
        version: "9".to_owned(),
        original_filename: "other.onnx".to_owned(),
        ..new_model(2)
    };
    commit(store, 1, vec![adding(&new_model(1), b"abc")]);
    commit(store, 2, vec![adding(&renamed, b"abc")]);
    let same_name = NewModel {
        id: model_id(3),
        version: "2".to_owned(),
        ..new_model(1)
    };
    commit(store, 3, vec![adding(&same_name, b"abd")]);
    assert_eq!(get(store, 1).digest, DIGEST_OF_ABC);
    assert_eq!(get(store, 2).digest, DIGEST_OF_ABC);
    assert_ne!(get(store, 3).digest, DIGEST_OF_ABC);

    // What one of them gives up the other one keeps, and the last takes it along.
    commit(store, 4, vec![deleting(1, false)]);
    assert_eq!(bytes_of(store, 2).as_deref(), Some(&b"abc"[..]));
    commit(store, 5, vec![deleting(2, false)]);
    assert_eq!((bytes_of(store, 1), bytes_of(store, 2)), (None, None));
    assert!(!get(store, 1).has_bytes && !get(store, 2).has_bytes);
    assert_eq!(bytes_of(store, 3).as_deref(), Some(&b"abd"[..]));
}

pub(crate) fn a_version_is_added_once(store: &dyn Backend) {
    commit(store, 1, vec![adding(&new_model(1), b"abc")]);
    let before = everything(store);
    for bytes in [&b"abc"[..], b"other"] {
        let renamed = NewModel {
            name: "renamed".to_owned(),
            ..new_model(1)
        };
        for again in [new_model(1), renamed] {
            let refused = try_commit(store, 2, vec![adding(&again, bytes)]);
            let (what, found, _) = conflict(refused);
            assert_eq!(what, format!("{} 1", again.name));
            assert_eq!(found, "there already");
        }
    }
    assert_eq!(everything(store), before);
}

pub(crate) fn names_of_models_are_only_text(store: &dyn Backend) {
    let names = [
        "../../etc/passwd",
        "' OR 1=1 --",
        "Net",
        "net",
        "net ",
        "ネット",
        "%",
        "n_t",
    ];
    for (seed, name) in (1..).zip(names) {
        let model = NewModel {
            name: name.to_owned(),
            version: name.to_owned(),
            slot: name.to_owned(),
            role: name.to_owned(),
            original_filename: name.to_owned(),
            stage: ModelStage::Active,
            ..new_model(seed)
        };
        commit(store, i64::from(seed), vec![adding(&model, b"x")]);
        assert_eq!(get(store, seed).model, model);
        let name = Some(name.to_owned());
        let all = ModelFilter::default();
        for filter in [
            ModelFilter {
                name: name.clone(),
                ..all.clone()
            },
            ModelFilter {
                slot: name.clone(),
                ..all.clone()
            },
            ModelFilter {
                role: name.clone(),
                ..all.clone()
            },
        ] {
            assert_eq!(listed(store, &filter), [seed], "{filter:?}");
        }
    }
}

pub(crate) fn models_come_by_age_and_filter(store: &dyn Backend) {
    use ModelStage::{Candidate, Retired, Shadow};
    let classifier = NewModel {
        role: "classifier".to_owned(),
        slot: "classifier of nsl-kdd".to_owned(),
        ..new_model(1)
    };
    // Two of the same second stand by their identifiers.
    commit(store, 9, vec![adding(&new_model(4), b"4")]);
    commit(store, 9, vec![adding(&new_model(3), b"3")]);
    commit(store, 8, vec![adding(&new_model(5), b"5")]);
    commit(store, 10, vec![adding(&classifier, b"1")]);
    commit(store, 11, vec![adding(&new_model(2), b"2")]);
    commit(store, 12, vec![moving(3, Candidate, Shadow)]);
    commit(store, 12, vec![moving(4, Candidate, Retired)]);
    commit(store, 13, vec![deleting(2, false)]);

    let all = ModelFilter::default();
    let check = |filter: ModelFilter, expected: &[u8]| {
        assert_eq!(listed(store, &filter), expected, "{filter:?}");
    };
    check(all.clone(), &[5, 3, 4, 1]);
    let with_deleted = ModelFilter {
        with_deleted: true,
        ..all.clone()
    };
    check(with_deleted.clone(), &[5, 3, 4, 1, 2]);
    let staged = |stages: &[ModelStage]| ModelFilter {
        stages: stages.to_vec(),
        ..ModelFilter::default()
    };
    check(staged(&[Candidate]), &[5, 1]);
    check(staged(&[Shadow, Retired]), &[3, 4]);
    check(staged(&[ModelStage::Active]), &[]);
    check(
        ModelFilter {
            stages: vec![Candidate],
            ..with_deleted
        },
        &[5, 1, 2],
    );
    let of_role = ModelFilter {
        role: Some("classifier".to_owned()),
        ..all.clone()
    };
    check(of_role.clone(), &[1]);
    check(
        ModelFilter {
            name: Some("net-3".to_owned()),
            ..of_role
        },
        &[],
    );
    check(
        ModelFilter {
            slot: Some("detector of nsl-kdd".to_owned()),
            ..staged(&[Candidate])
        },
        &[5],
    );
}

pub(crate) fn what_people_write_about_a_model_changes_whole(store: &dyn Backend) {
    commit(store, 1, vec![adding(&full_model(1), b"abc")]);
    let before = get(store, 1);
    let texts = ModelTexts {
        description: String::new(),
        notes: "'; DROP TABLE models; --".to_owned(),
        tags: vec!["ü".to_owned(), "a,b".to_owned(), "ü".to_owned()],
    };
    let describe = Write::Describe {
        model: model_id(1),
        texts: &texts,
    };
    commit(store, 2, vec![describe.clone()]);
    let mut expected = before;
    expected.model.texts = texts.clone();
    assert_eq!(get(store, 1), expected);
    let event = &store.model_events(Some(model_id(1)), None, 1).unwrap()[0];
    let told = (event.kind.as_str(), event.actor.as_str(), event.at);
    assert_eq!(told, ("described", ACTOR, seconds(2)));
    assert_eq!((event.from, event.to), (None, None));

    let unknown = Write::Describe {
        model: model_id(9),
        texts: &texts,
    };
    conflict(try_commit(store, 3, vec![unknown]));
    commit(store, 4, vec![deleting(1, true)]);
    conflict(try_commit(store, 5, vec![describe]));
}

pub(crate) fn only_what_judges_nothing_is_deleted(store: &dyn Backend) {
    use ModelStage::{Active, Canary, Candidate, Retired, Shadow};
    add_models(store, &[1]);
    for (from, to) in [
        (Candidate, Shadow),
        (Shadow, Canary),
        (Canary, Active),
        (Active, Retired),
    ] {
        commit(store, 10, vec![moving(1, from, to)]);
        if to != Retired {
            let before = everything(store);
            let refused = conflict(try_commit(store, 11, vec![deleting(1, true)]));
            assert_eq!(
                (refused.1.as_str(), refused.2.as_str()),
                (to.name(), "candidate or retired")
            );
            assert_eq!(everything(store), before);
        }
    }
    commit(store, 12, vec![deleting(1, false)]);
    add_models(store, &[2]);
    commit(store, 13, vec![deleting(2, false)]);
    conflict(try_commit(store, 14, vec![deleting(3, false)]));
}

pub(crate) fn a_deleted_model_leaves_its_history(store: &dyn Backend) {
    use ModelStage::{Candidate, Retired};
    let write = Write::AddModel {
        model: &full_model(1),
        bytes: b"abc",
        report: Some("{}"),
        reason: "trained",
    };
    commit(store, 1, vec![write]);
    commit(store, 2, vec![moving(1, Candidate, Retired)]);
    let before = get(store, 1);
    commit(store, 3, vec![deleting(1, false)]);
    let expected = Model {
        has_bytes: false,
        deleted_at: Some(seconds(3)),
        ..before
    };
    assert_eq!(get(store, 1), expected);
    assert_eq!(bytes_of(store, 1), None);
    assert!(store.model_report(model_id(1)).unwrap().is_some());
    let events = store.model_events(Some(model_id(1)), None, 10).unwrap();
    let kinds: Vec<_> = events
        .iter()
        .map(|event| (event.kind.as_str(), event.reason.as_str(), event.to))
        .collect();
    assert_eq!(
        kinds,
        [
            ("deleted", "not needed", None),
            ("stage", "it is time", Some(Retired)),
            ("added", "trained", Some(Candidate)),
        ]
    );
    // It is not there for anything else.
    for write in [moving(1, Retired, Candidate), deleting(1, false)] {
        let (what, found, _) = conflict(try_commit(store, 4, vec![write]));
        assert_eq!(what, format!("model {}", model_id(1)));
        assert_eq!(found, "not there");
    }
    // Bytes stay if they may.
    commit(store, 5, vec![adding(&new_model(2), b"def")]);
    commit(store, 6, vec![deleting(2, true)]);
    assert!(get(store, 2).has_bytes);
    assert_eq!(bytes_of(store, 2).as_deref(), Some(&b"def"[..]));
}

pub(crate) fn a_deleted_model_comes_back(store: &dyn Backend) {
    for (seed, keep_bytes, bytes) in [(1, true, b"abd"), (2, false, b"abc"), (3, true, b"abc")] {
        let write = Write::AddModel {
            model: &new_model(seed),
            bytes: b"abc",
            report: Some("{}"),
            reason: "uploaded",
        };
        commit(store, 1, vec![write]);
        commit(store, 2, vec![deleting(seed, keep_bytes)]);
        let again = NewModel {
            uploaded_by: Some("grace".to_owned()),
            ..new_model(seed)
        };
        commit(store, 3, vec![adding(&again, bytes)]);
        let back = get(store, seed);
        assert_eq!((&back.model, back.deleted_at), (&again, None));
        assert_eq!(back.created_at, seconds(3));
        assert_eq!(bytes_of(store, seed).as_deref(), Some(&bytes[..]));
        // The report told of what was there before.
        assert_eq!(store.model_report(model_id(seed)).unwrap(), None);
        let events = store.model_events(Some(model_id(seed)), None, 10).unwrap();
        let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
        assert_eq!(kinds, ["added", "deleted", "added"]);
        commit(store, 4, vec![deleting(seed, false)]);
    }
}

pub(crate) fn a_parent_is_kept_as_told(store: &dyn Backend) {
    let child = |seed, parent| NewModel {
        parent: Some(model_id(parent)),
        ..new_model(seed)
    };
    add_models(store, &[1]);
    commit(store, 1, vec![adding(&child(2, 1), &bundle(2))]);
    // Models travel between installations, their parents need not.
    commit(store, 2, vec![adding(&child(3, 200), &bundle(3))]);
    commit(store, 3, vec![deleting(1, false)]);
    assert_eq!(get(store, 2).model.parent, Some(model_id(1)));
    assert_eq!(get(store, 3).model.parent, Some(model_id(200)));
}
