use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use tripline_store::{Backend, StoreError, Task, Write};

use crate::fixtures::{
    registry::{
        KINDS, commit, conflict, everything, invalid, keeping, record, sending, try_commit,
    },
    seconds,
};

fn forgetting(key: &str, expected: Option<u64>) -> Write<'_> {
    Write::Task {
        key,
        value: None,
        expected,
    }
}

fn task(value: &str, revision: u64, second: i64) -> Task {
    Task {
        value: value.to_owned(),
        revision,
        updated_at: seconds(second),
    }
}

pub(crate) fn a_task_is_kept_when_it_is_as_expected(store: &dyn Backend) {
    let get = || store.task("monitor").unwrap();
    assert_eq!(get(), None);
    commit(store, 1, vec![keeping("monitor", "{\"row\":1}", None)]);
    assert_eq!(get(), Some(task("{\"row\":1}", 1, 1)));
    commit(store, 2, vec![keeping("monitor", "{\"row\":2}", Some(1))]);
    assert_eq!(get(), Some(task("{\"row\":2}", 2, 2)));
    // The same value is a new revision too: somebody was there.
    commit(store, 3, vec![keeping("monitor", "{\"row\":2}", Some(2))]);
    assert_eq!(get(), Some(task("{\"row\":2}", 3, 3)));
    let before = everything(store);
    for (expected, shown) in [
        (None, "none"),
        (Some(0), "0"),
        (Some(2), "2"),
        (Some(4), "4"),
        (Some(u64::MAX), "18446744073709551615"),
    ] {
        for write in [
            keeping("monitor", "x", expected),
            forgetting("monitor", expected),
        ] {
            let refused = conflict(try_commit(store, 4, vec![write]));
            assert_eq!(refused.0, "the revision of task 'monitor'");
            assert_eq!((refused.1.as_str(), refused.2.as_str()), ("3", shown));
        }
    }
    assert_eq!(everything(store), before);
}

pub(crate) fn a_revision_never_comes_twice(store: &dyn Backend) {
    let get = || store.task("shares").unwrap();
    commit(store, 1, vec![keeping("shares", "a", None)]);
    commit(store, 2, vec![forgetting("shares", Some(1))]);
    assert_eq!(get(), None);
    // Who still believes in the old one is told.
    conflict(try_commit(store, 3, vec![keeping("shares", "b", Some(1))]));
    commit(store, 4, vec![keeping("shares", "c", None)]);
    let again = get().unwrap();
    assert_eq!(again.value, "c");
    assert!(again.revision > 2, "{again:?}");
    commit(store, 5, vec![forgetting("shares", Some(again.revision))]);
    commit(store, 6, vec![forgetting("shares", None)]);
    commit(store, 7, vec![keeping("shares", "", None)]);
    // No text is a text.
    let last = get().unwrap();
    assert_eq!(last.value, "");
    assert!(last.revision > again.revision + 2, "{last:?}");
}

pub(crate) fn of_many_who_count_none_is_lost(store: &dyn Backend) {
    const THREADS: u64 = 4;
    const EACH: u64 = 40;
    let lost = AtomicU64::new(0);
    let count = || {
        for _ in 0..EACH {
            loop {
                let found = store.task("monitor").unwrap();
                let number: u64 = found.as_ref().map_or(0, |task| task.value.parse().unwrap());
                let next = (number + 1).to_string();
                let expected = found.map(|task| task.revision);
                match try_commit(store, 1, vec![keeping("monitor", &next, expected)]) {
                    Ok(_) => break,
                    // Each time somebody else was faster, and they come to an end.
                    Err(StoreError::Conflict { .. }) => {
                        assert!(lost.fetch_add(1, Ordering::SeqCst) < THREADS * THREADS * EACH);
                    }
                    Err(other) => panic!("{other}"),
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(count);
        }
    });
    let all = THREADS * EACH;
    assert_eq!(
        store.task("monitor").unwrap(),
        Some(task(&all.to_string(), all, 1))
    );
}

pub(crate) fn a_task_moves_with_what_it_did(store: &dyn Backend) {
    // Two workers begin at the same place; the slower one finds that it was done.
    commit(store, 1, vec![keeping("monitor", "row 100", None)]);
    let seen = store.task("monitor").unwrap().unwrap();
    let measured = record(KINDS[0], "net-1", 100);
    let step = || {
        vec![
            Write::Record(&measured),
            sending("{\"drift\":true}"),
            keeping("monitor", "row 200", Some(seen.revision)),
        ]
    };
    commit(store, 2, step());
    let done = everything(store);
    conflict(try_commit(store, 3, step()));
    assert_eq!(everything(store), done);
    assert_eq!(store.due_messages(seconds(9), 9).unwrap().len(), 1);
    // Wherever in the step its position stands.
    let mut first = step();
    first.rotate_right(1);
    conflict(try_commit(store, 3, first));
    assert_eq!(everything(store), done);
}

pub(crate) fn tasks_have_nothing_to_do_with_each_other(store: &dyn Backend) {
    let keys = ["", "a", "A", "a ", "%", "' OR 1=1 --", "übung", "a/b"];
    for key in keys {
        commit(store, 1, vec![keeping(key, key, None)]);
    }
    commit(store, 2, vec![keeping("a", "changed", Some(1))]);
    commit(store, 3, vec![forgetting("A", Some(1))]);
    for key in keys {
        let expected = match key {
            "a" => Some(task("changed", 2, 2)),
            "A" => None,
            other => Some(task(other, 1, 1)),
        };
        assert_eq!(store.task(key).unwrap(), expected, "{key:?}");
    }
    let long = "x".repeat(513);
    let refused = invalid(try_commit(store, 4, vec![keeping(&long, "", None)]));
    assert_eq!(
        refused,
        "task is 513 bytes long, expected at most 512 bytes"
    );
    let value = "x".repeat((16 << 20) + 1);
    let refused = invalid(try_commit(store, 4, vec![keeping("b", &value, None)]));
    assert!(refused.contains("expected at most 16 MiB"), "{refused}");
    assert_eq!(store.task(&long).unwrap(), None);
}
