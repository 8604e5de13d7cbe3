//! What only SQLite can get wrong about models: files that are reopened, altered or full.

use rusqlite::Connection;
use tempfile::TempDir;
use tripline_store::{
    LabelFilter, LabelState, ModelFilter, ModelStage, Registry, SqliteOptions, SqliteStore, Store,
    StoreError, Write,
};

use super::{database, open, options, store_in_a_file};
use crate::fixtures::{
    registry::{
        Everything, TASKS, active, add_models, adding, all_labels, bundle, commit, conflict,
        deleting, everything, fill, invalid, keeping, model_id, moving, new_label, new_model,
        record, sending, try_commit,
    },
    seconds,
};

use ModelStage::{Active, Candidate, Retired};

fn alter(folder: &TempDir, sql: &str) -> rusqlite::Result<()> {
    let direct = Connection::open(database(folder)).unwrap();
    direct.execute_batch(sql)
}

fn number(folder: &TempDir, sql: &str) -> i64 {
    let direct = Connection::open(database(folder)).unwrap();
    direct.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn check_is_sound(folder: &TempDir) {
    let direct = Connection::open(database(folder)).unwrap();
    let found: String = direct
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(found, "ok");
}

#[test]
fn a_reopened_database_keeps_the_registry() {
    let (store, folder) = store_in_a_file();
    fill(&store);
    let take = |store: &SqliteStore, holder, second| {
        store
            .take_lease("monitor", holder, seconds(second), seconds(second + 10))
            .unwrap()
    };
    assert!(take(&store, "one", 100));
    let before = everything(&store);
    drop(store);
    for _ in 0..2 {
        let store = open(&folder, &options()).unwrap();
        assert_eq!(everything(&store), before);
        assert!(!take(&store, "two", 101));
    }
    let store = open(&folder, &options()).unwrap();
    assert!(take(&store, "two", 111));
    // Numbers go on after the last ones, also after those of what is gone.
    let newest = store.model_events(None, None, 1).unwrap()[0].number;
    let last_label = all_labels(&store, &LabelFilter::default()).len() as u64;
    let epoch = store.epoch().unwrap();
    let label = new_label(50, "ada", true);
    let model = new_model(9);
    let writes = vec![
        adding(&model, b"9"),
        Write::AddLabel(&label),
        keeping(TASKS[1], "anew", None),
    ];
    let committed = commit(&store, 200, writes);
    assert!(committed.epoch > epoch && committed.labels[0].0 > last_label);
    let event = &store.model_events(None, None, 1).unwrap()[0];
    assert!(event.number > newest);
    // It was written and forgotten before.
    assert_eq!(store.task(TASKS[1]).unwrap().unwrap().revision, 3);
}

#[test]
fn altered_bytes_are_reported() {
    let (store, folder) = store_in_a_file();
    add_models(&store, &[1, 2]);
    let digest = store.model(model_id(1)).unwrap().unwrap().digest;
    for change in [
        // One bit, a byte less, a byte more, nothing left, those of another model.
        "x'00' || substr(bytes, 2)",
        "substr(bytes, 2)",
        "bytes || x'00'",
        "x''",
        "(SELECT bytes FROM model_blobs AS other WHERE other.digest != model_blobs.digest)",
    ] {
        let sql = format!(
            "UPDATE model_blobs SET bytes = CAST({change} AS BLOB) \
             WHERE digest = (SELECT digest FROM models WHERE name = 'net-1')"
        );
        alter(&folder, &sql).unwrap();
        let error = store.model_bytes(model_id(1)).unwrap_err();
        assert!(!error.is_retryable());
        let told = error.to_string();
        let StoreError::Damaged {
            what,
            found,
            expected,
        } = error
        else {
            panic!("{told}");
        };
        assert_eq!((what.as_str(), &expected), ("net-1 1", &digest));
        assert_ne!(found, expected);
        assert!(told.starts_with("the bytes of net-1 1 were altered"));
        // Whatever else is known of it is still told, and other models are whole.
        assert_eq!(store.model(model_id(1)).unwrap().unwrap().digest, digest);
        assert_eq!(store.model_bytes(model_id(2)).unwrap(), Some(bundle(2)));
    }
    // The original comes again, under another name.
    commit(&store, 9, vec![adding(&new_model(3), &bundle(1))]);
    for seed in [1, 3] {
        assert_eq!(store.model_bytes(model_id(seed)).unwrap(), Some(bundle(1)));
    }
    alter(&folder, "DELETE FROM model_blobs").unwrap();
    assert_eq!(store.model_bytes(model_id(1)).unwrap(), None);
    assert!(!store.model(model_id(1)).unwrap().unwrap().has_bytes);
}

#[test]
fn bytes_lie_there_once_and_no_longer_than_a_version_has_them() {
    let (store, folder) = store_in_a_file();
    let check = |expected| {
        assert_eq!(
            number(&folder, "SELECT count(*) FROM model_blobs"),
            expected
        );
    };
    for seed in 1..=3 {
        commit(&store, 1, vec![adding(&new_model(seed), b"the same")]);
        check(1);
    }
    commit(&store, 2, vec![deleting(1, false)]);
    commit(&store, 2, vec![deleting(2, true)]);
    check(1);
    commit(&store, 3, vec![deleting(3, false)]);
    check(0);
    // A version that comes back with other bytes leaves none behind, unless they are another's.
    commit(&store, 4, vec![adding(&new_model(1), b"kept")]);
    commit(&store, 5, vec![deleting(1, true)]);
    check(1);
    commit(&store, 6, vec![adding(&new_model(1), b"other")]);
    check(1);
    commit(&store, 7, vec![adding(&new_model(2), b"other")]);
    commit(&store, 8, vec![deleting(1, true)]);
    commit(&store, 9, vec![adding(&new_model(1), b"third")]);
    check(2);
    let bytes = [1, 2].map(|seed| store.model_bytes(model_id(seed)).unwrap().unwrap());
    assert_eq!(bytes, [&b"third"[..], b"other"]);
}

#[test]
fn the_database_itself_refuses_two_active_models() {
    let (store, folder) = store_in_a_file();
    add_models(&store, &[1, 2, 3]);
    alter(
        &folder,
        "UPDATE models SET slot = 'other', name = 'net-1' WHERE name = 'net-3'",
    )
    .unwrap();
    commit(&store, 9, vec![moving(1, Candidate, Active)]);
    for seed in [2, 3] {
        let id = format!("{seed:02x}").repeat(16);
        let sql = format!("UPDATE models SET stage = 'active' WHERE id = x'{id}'");
        let refused = alter(&folder, &sql).unwrap_err();
        assert_eq!(
            refused.sqlite_error_code(),
            Some(rusqlite::ErrorCode::ConstraintViolation)
        );
    }
    assert_eq!(active(&store), [model_id(1)]);
}

#[test]
fn names_of_a_later_version_are_told_and_not_guessed() {
    let (store, folder) = store_in_a_file();
    fill(&store);
    let known = "expected a name that this version of the program knows";
    for (sql, words) in [
        ("UPDATE labels SET state = 'new'", "state is new"),
        ("UPDATE messages SET state = 'new'", "message state is new"),
        ("UPDATE model_events SET to_stage = 'new'", "stage is new"),
        ("UPDATE models SET origin = 'new'", "origin is new"),
        (
            "UPDATE models SET stage = 'new' WHERE name = 'net-2'",
            "stage is new",
        ),
    ] {
        alter(&folder, sql).unwrap();
        let told = match sql {
            sql if sql.contains("labels") => invalid(store.labels(&LabelFilter::default(), 9)),
            sql if sql.contains("messages") => invalid(store.recent_messages(9)),
            sql if sql.contains("events") => invalid(store.model_events(None, None, 9)),
            _ => invalid(store.models(&ModelFilter::default())),
        };
        assert_eq!(told, format!("{words}, {known}"));
    }
}

fn limited(bytes: u64) -> SqliteOptions {
    SqliteOptions {
        hard_limit_bytes: Some(bytes),
        ..options()
    }
}

/// A step of all kinds of writes that needs more room than there is; it has to leave nothing.
fn fail_for_want_of_room(store: &SqliteStore, before: &Everything) {
    let large = vec![7; 4 << 20];
    let model = new_model(200);
    let label = new_label(200, "grace", true);
    let review = all_labels(store, &LabelFilter::default())[0].id;
    let drift = record("drift", "net-1", 200);
    let task = store.task(TASKS[2]).unwrap();
    let small = vec![
        Write::AddLabel(&label),
        Write::ReviewLabel {
            label: review,
            state: LabelState::Rejected,
            reason: "",
        },
        keeping(TASKS[2], "1", task.map(|task| task.revision)),
        Write::Record(&drift),
        sending("{}"),
        moving(1, Active, Retired),
    ];
    // What is too large comes first, last, or between.
    for at in [0, 3, small.len()] {
        let mut writes = small.clone();
        writes.insert(at, adding(&model, &large));
        let refused = try_commit(store, 200, writes).unwrap_err();
        assert!(
            matches!(refused, StoreError::DiskFull { .. }) && refused.is_retryable(),
            "{refused}"
        );
        assert_eq!(everything(store), *before);
    }
}

#[test]
fn a_full_disk_keeps_a_step_out_and_is_no_end() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder, &limited(2 << 20)).unwrap();
    fill(&store);
    fail_for_want_of_room(&store, &everything(&store));
    // Up to the brim, a bundle at a time, each of other bytes.
    let mut added: Vec<u8> = Vec::new();
    let full = loop {
        let seed = 100 + added.len() as u8;
        let model = new_model(seed);
        let before = everything(&store);
        match try_commit(&store, 300, vec![adding(&model, &vec![seed; 128 << 10])]) {
            Ok(_) => added.push(seed),
            Err(StoreError::DiskFull { .. }) => break before,
            Err(other) => panic!("{other}"),
        }
    };
    assert!(added.len() > 3, "{added:?}");
    assert_eq!(everything(&store), full);
    fail_for_want_of_room(&store, &full);
    // Reading goes on, and so does what makes room.
    assert_eq!(active(&store), [model_id(1)]);
    commit(
        &store,
        301,
        vec![deleting(added[0], false), deleting(added[1], false)],
    );
    commit(&store, 302, vec![adding(&new_model(99), &[9; 128 << 10])]);
    commit(
        &store,
        303,
        vec![moving(1, Active, Retired), moving(99, Candidate, Active)],
    );
    let after = everything(&store);
    drop(store);
    check_is_sound(&folder);
    let store = open(&folder, &options()).unwrap();
    assert_eq!(everything(&store), after);
    commit(
        &store,
        400,
        vec![adding(&new_model(200), &vec![7; 4 << 20])],
    );
}

#[test]
fn labels_fill_a_disk_step_by_step() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder, &limited(2 << 20)).unwrap();
    let features = vec![7; 32 << 10];
    let mut steps = 0;
    loop {
        let labels: Vec<_> = (0..3)
            .map(|number| tripline_store::NewLabel {
                features: features.clone(),
                ..new_label(3 * steps + number, "ada", true)
            })
            .collect();
        match try_commit(&store, 1, labels.iter().map(Write::AddLabel).collect()) {
            Ok(_) => steps += 1,
            Err(StoreError::DiskFull { .. }) => break,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(steps > 3);
    let count = || store.count_labels(&LabelFilter::default()).unwrap();
    assert_eq!(count(), u64::from(3 * steps));
    // A lease is a small write, and one that fails says so instead of naming a holder.
    match store.take_lease("monitor", "one", seconds(1), seconds(11)) {
        Ok(taken) => assert!(taken),
        Err(error) => assert!(error.is_retryable(), "{error}"),
    }
    drop(store);
    check_is_sound(&folder);
    let store = open(&folder, &options()).unwrap();
    let more = new_label(3 * steps, "ada", true);
    commit(&store, 2, vec![Write::AddLabel(&more)]);
    assert_eq!(
        store.count_labels(&LabelFilter::default()).unwrap(),
        u64::from(3 * steps + 1)
    );
}

#[test]
fn a_step_waits_for_no_reader_and_fails_on_a_lock() {
    let (store, folder) = store_in_a_file();
    drop(store);
    let store = open(&folder, &options()).unwrap();
    fill(&store);
    let before = everything(&store);
    let other = Connection::open(database(&folder)).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let refused = try_commit(&store, 99, vec![moving(1, Active, Retired)]).unwrap_err();
    assert!(matches!(refused, StoreError::Busy { .. }) && refused.is_retryable());
    let refused = store.take_lease("monitor", "one", seconds(1), seconds(11));
    assert!(matches!(refused, Err(StoreError::Busy { .. })));
    assert_eq!(everything(&store), before);
    other.execute_batch("ROLLBACK").unwrap();
    commit(&store, 99, vec![moving(1, Active, Retired)]);
    assert_eq!(store.health().unwrap().backend, "sqlite");
    conflict(try_commit(&store, 99, vec![moving(1, Active, Retired)]));
}
