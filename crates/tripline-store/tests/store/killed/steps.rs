//! A process that is killed while it changes models: after it everything is as before a step or as
//! after it, and the next process goes on from there.

use std::{env, fs, io::Write as _, path::Path};

use tempfile::TempDir;
use tripline_store::{
    LabelFilter, ModelFilter, ModelId, ModelStage, NewModel, Record, Registry, SqliteStore, Step,
    Timestamp, Write,
};

use super::{FOLDER, kill_after, open};
use crate::fixtures::{
    registry::{ACTOR, KINDS, active, all_labels, new_label, new_model, record},
    seconds,
};

/// The key of the task that counts the steps.
const KEY: &str = "steps";

/// The version that a step makes active.
fn version(step: u32) -> NewModel {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&step.to_be_bytes());
    NewModel {
        id: ModelId::from_bytes(id),
        version: step.to_string(),
        ..new_model(1)
    }
}

/// Its bytes: more than a page, and others for each.
fn bytes(step: u32) -> Vec<u8> {
    step.to_le_bytes().repeat(16 << 10)
}

fn steps_done(store: &SqliteStore) -> u32 {
    let task = store.task(KEY).unwrap();
    task.map_or(0, |task| task.value.parse().unwrap())
}

/// Retires and deletes the version before, makes the next one active, and tells of it everywhere.
fn take_step(store: &SqliteStore, step: u32) {
    let model = version(step);
    let bytes = bytes(step);
    let label = new_label(step, "ada", true);
    let record: Record = record(KINDS[0], "net-1", i64::from(step));
    let count = step.to_string();
    let mut writes = vec![
        Write::AddModel {
            model: &model,
            bytes: &bytes,
            report: Some(&count),
            reason: "",
        },
        Write::AddLabel(&label),
        Write::Send {
            target: "",
            event: "",
            body: &count,
        },
    ];
    let moving = |model, from, to| Write::Stage {
        model,
        from,
        to,
        reason: "",
        details: "",
    };
    if let Some(before) = step.checked_sub(1).filter(|&before| before > 0) {
        let before = version(before).id;
        writes.push(moving(before, ModelStage::Active, ModelStage::Retired));
        writes.push(Write::DeleteModel {
            model: before,
            keep_bytes: false,
            reason: "",
        });
    }
    writes.push(moving(model.id, ModelStage::Candidate, ModelStage::Active));
    writes.push(Write::Record(&record));
    writes.push(Write::Task {
        key: KEY,
        value: Some(&count),
        expected: Some(u64::from(step - 1)).filter(|&revision| revision > 0),
    });
    store
        .commit(&Step {
            at: seconds(i64::from(step)),
            actor: ACTOR,
            writes,
        })
        .unwrap();
}

/// The process that is killed; run as a test it has no folder and does nothing.
#[test]
fn takes_steps_until_it_is_killed() {
    let Some(folder) = env::var_os(FOLDER) else {
        return;
    };
    let store = open(Path::new(&folder));
    for step in steps_done(&store) + 1.. {
        take_step(&store, step);
        writeln!(std::io::stdout().lock(), "\nstored {step}").unwrap();
    }
}

/// Everything in the store tells of the same number of steps.
fn check(store: &SqliteStore, done: u32) {
    assert_eq!(active(store), [version(done).id]);
    let all = store.models(&ModelFilter {
        with_deleted: true,
        ..ModelFilter::default()
    });
    let all = all.unwrap();
    assert_eq!(all.len() as u32, done);
    for (step, model) in (1..).zip(all) {
        let is_last = step == done;
        assert_eq!(model.model.version, step.to_string());
        assert_eq!(model.deleted_at.is_none(), is_last);
        let found = store.model_bytes(model.model.id).unwrap();
        assert!(found == is_last.then(|| bytes(step)), "{step}");
        assert_eq!(
            store.model_report(model.model.id).unwrap(),
            Some(step.to_string())
        );
    }
    // Each version came and became active; all but the last one left and were deleted.
    let events = store.model_events(None, None, usize::MAX).unwrap();
    assert_eq!(events.len() as u32, 2 * done + 2 * (done - 1));
    let labels = all_labels(store, &LabelFilter::default());
    assert_eq!(labels.len() as u32, done);
    let (from, to) = (Timestamp(i64::MIN), Timestamp(i64::MAX));
    let records = store.records(KINDS[0], None, from, to, usize::MAX).unwrap();
    assert!(
        records
            .iter()
            .map(|record| record.at.seconds())
            .eq(1..=i64::from(done))
    );
    let messages = store.due_messages(to, usize::MAX).unwrap();
    assert!(
        messages
            .iter()
            .map(|message| message.body.parse::<u32>().unwrap())
            .eq(1..=done)
    );
    assert_eq!(store.epoch().unwrap(), u64::from(done));
    let task = store.task(KEY).unwrap().unwrap();
    assert_eq!(task.revision, u64::from(done));
}

#[test]
fn a_killed_process_leaves_whole_steps_and_the_next_goes_on() {
    let folder = TempDir::new().unwrap();
    let mut before = 0;
    for more in [1, 2, 3, 5, 8, 13] {
        let acknowledged = kill_after(
            "killed::steps::takes_steps_until_it_is_killed",
            folder.path(),
            before + more,
        );
        let store = open(folder.path());
        let done = steps_done(&store);
        assert!(u64::from(done) >= acknowledged, "{done}");
        check(&store, done);
        before = u64::from(done);
    }
    // Whoever was killed, a living one goes on.
    let store = open(folder.path());
    take_step(&store, steps_done(&store) + 1);
    check(&store, before as u32 + 1);
}

/// Whatever had reached the file when a process ended: the log is cut at many places, inside of
/// pages and of steps, the making of the tables included.
#[test]
fn a_log_that_ends_anywhere_holds_whole_steps() {
    const STEPS: u32 = 4;
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    for step in 1..=STEPS {
        take_step(&store, step);
    }
    let [database, log] =
        ["verdicts.db", "verdicts.db-wal"].map(|name| fs::read(folder.path().join(name)).unwrap());
    drop(store);
    let mut seen = [0; STEPS as usize + 1];
    for cut in (0..log.len()).step_by(6007).chain([log.len()]) {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("verdicts.db"), &database).unwrap();
        fs::write(folder.path().join("verdicts.db-wal"), &log[..cut]).unwrap();
        let store = open(folder.path());
        let done = steps_done(&store);
        seen[done as usize] += 1;
        if done == 0 {
            assert_eq!(store.model_events(None, None, 9).unwrap(), []);
            assert_eq!(store.epoch().unwrap(), 0);
        } else {
            check(&store, done);
        }
        take_step(&store, done + 1);
        check(&store, done + 1);
    }
    assert!(seen.iter().all(|&times| times > 0), "{seen:?}");
}
