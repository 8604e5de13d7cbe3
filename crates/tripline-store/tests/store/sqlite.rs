mod migrations;
mod registry;

use std::{fs, path::PathBuf, time::Duration};

use rusqlite::Connection;
use tempfile::TempDir;
use tripline_store::{
    BatchStatus, Progress, RetentionPolicy, SqliteOptions, SqliteStore, Stage, Store, StoreError,
    VerdictFilter,
};

use crate::{
    conformance::suite,
    fixtures::{append_kinds, batch, batch_id, provenance, row, seconds, stream},
};

mod in_a_file {
    super::suite!(super::store_in_a_file);
}

mod in_memory {
    super::suite!(|| (super::SqliteStore::open_in_memory().unwrap(), ()));
}

fn store_in_a_file() -> (SqliteStore, TempDir) {
    let folder = TempDir::new().unwrap();
    (open(&folder, &SqliteOptions::default()).unwrap(), folder)
}

fn database(folder: &TempDir) -> PathBuf {
    folder.path().join("verdicts.db")
}

fn open(folder: &TempDir, options: &SqliteOptions) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(&database(folder), options, seconds(1_000))
}

fn options() -> SqliteOptions {
    SqliteOptions {
        busy_timeout: Duration::from_millis(10),
        ..SqliteOptions::default()
    }
}

/// Rows of a kilobyte, so that a small limit is reached soon.
fn append_wide(store: &SqliteStore, seed: u8, rows: u64) -> Result<u64, StoreError> {
    let stream = batch(store, seed);
    let wide = [7; 1024];
    let rows: Vec<_> = (0..rows)
        .map(|sequence| {
            let mut row = row('d', sequence, seconds(i64::from(seed)));
            row.features = &wide;
            row
        })
        .collect();
    store
        .append(stream, &provenance(), &rows)
        .map(|outcome| outcome.inserted)
}

#[test]
fn what_was_running_is_interrupted_with_true_counts() {
    let (store, folder) = store_in_a_file();
    let stream_before = stream(&store, 9);
    let running = batch(&store, 1);
    append_kinds(&store, running, 0, "ndn");
    // The last progress lags behind the rows.
    let told = Progress {
        bytes_read: 100,
        rows_read: 2,
        rows_scored: 1,
        rows_rejected: 1,
    };
    store.update_progress(batch_id(1), told).unwrap();
    batch(&store, 2);
    let end = crate::fixtures::complete(seconds(5));
    store.finish_batch(batch_id(2), &end).unwrap();
    drop(store);

    let store = open(&folder, &SqliteOptions::default()).unwrap();
    let found = store.batch(batch_id(1)).unwrap().unwrap();
    assert_eq!(found.status, BatchStatus::Interrupted);
    assert_eq!(found.finished_at, Some(seconds(1_000)));
    let truth = Progress {
        rows_read: 4,
        rows_scored: 3,
        ..told
    };
    assert_eq!((found.progress, found.rows_stored), (truth, 3));
    let ended = store.batch(batch_id(2)).unwrap().unwrap();
    assert_eq!(
        (ended.status, ended.finished_at),
        (BatchStatus::Complete, Some(seconds(5)))
    );
    assert_eq!(stream(&store, 9), stream_before);
}

#[test]
fn a_second_owner_is_refused() {
    let (store, folder) = store_in_a_file();
    let second = open(&folder, &options());
    assert!(matches!(second, Err(StoreError::InUse { path }) if path == database(&folder)));
    drop(store);
    open(&folder, &options()).unwrap();
}

#[test]
fn other_files_are_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let text = "not a database, only a text that is long enough to hold a header of a hundred bytes \
                if there was one";
    fs::write(database(&folder), text).unwrap();
    let refused = open(&folder, &options()).unwrap_err();
    assert!(matches!(&refused, StoreError::NotADatabase { path } if *path == database(&folder)));
    assert_eq!(
        refused.to_string(),
        format!("{} is not a SQLite database", database(&folder).display())
    );
    assert_eq!(fs::read_to_string(database(&folder)).unwrap(), text);

    let folder = TempDir::new().unwrap();
    let other = Connection::open(database(&folder)).unwrap();
    other
        .execute_batch("CREATE TABLE songs (title TEXT)")
        .unwrap();
    let refused = open(&folder, &options());
    assert!(matches!(
        refused,
        Err(StoreError::ForeignDatabase {
            application_id: 0,
            ..
        })
    ));

    let refused = SqliteStore::open(&folder.path().join("no/such.db"), &options(), seconds(0));
    assert!(matches!(refused, Err(StoreError::CannotOpen { .. })));
    let refused = SqliteStore::open(folder.path(), &options(), seconds(0));
    assert!(matches!(refused, Err(StoreError::CannotOpen { .. })));
}

#[test]
fn a_newer_database_is_refused() {
    let (store, folder) = store_in_a_file();
    let supported = store.health().unwrap().schema_version;
    drop(store);
    let direct = Connection::open(database(&folder)).unwrap();
    direct.pragma_update(None, "user_version", 999).unwrap();
    drop(direct);
    let refused = open(&folder, &options()).unwrap_err();
    assert!(!refused.is_retryable());
    let StoreError::NewerSchema {
        found,
        supported: known,
        ..
    } = refused
    else {
        panic!("{refused}");
    };
    assert_eq!((found, known), (999, supported));
}

#[test]
fn a_migration_that_fails_leaves_the_file_as_it_was() {
    let folder = TempDir::new().unwrap();
    let direct = Connection::open(database(&folder)).unwrap();
    // Ours by its mark, but with a table in the way of the first script.
    direct
        .pragma_update(None, "application_id", 0x5472_6970)
        .unwrap();
    direct
        .execute_batch("CREATE TABLE verdicts (id INTEGER)")
        .unwrap();
    drop(direct);
    assert!(matches!(
        open(&folder, &options()),
        Err(StoreError::Backend { .. })
    ));
    let direct = Connection::open(database(&folder)).unwrap();
    let tables: i64 = direct
        .query_row(
            "SELECT count(*) FROM sqlite_schema WHERE type = 'table'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(tables, 1);
}

#[test]
fn a_database_of_the_first_version_opens_with_its_rows() {
    let folder = TempDir::new().unwrap();
    let direct = Connection::open(database(&folder)).unwrap();
    direct
        .execute_batch(include_str!("../../migrations/0001_initial.sql"))
        .unwrap();
    direct
        .pragma_update(None, "application_id", 0x5472_6970)
        .unwrap();
    direct.pragma_update(None, "user_version", 1).unwrap();
    direct
        .execute_batch(
            "INSERT INTO provenances VALUES (1, 'p', 'nsl-kdd', 1, 'f', NULL, NULL, NULL, NULL, \
             NULL, NULL, NULL, NULL, NULL);
             INSERT INTO streams (stream, key, source, is_batch, status, created_at, \
             rows_appended, first_created_at, last_created_at, last_sequence) \
             VALUES (1, zeroblob(16), 0, 1, 1, 5, 1, 7, 7, 0);
             INSERT INTO verdicts (id, created_at, source, provenance, score, is_threat, \
             features, reasons) VALUES (1 << 35, 7, 0, 1, 0.5, 1, x'00', x'');
             INSERT INTO class_counts VALUES (0, 1, 1, 1, 0);
             INSERT INTO stream_counts VALUES (1, 0, 1, 1, 1, 0);
             INSERT INTO period_counts VALUES (60, 0, 0, 1, 1, 1, 0), (3600, 0, 0, 1, 1, 1, 0);",
        )
        .unwrap();
    drop(direct);
    let store = open(&folder, &options()).unwrap();
    let listed = store.list(&VerdictFilter::default(), 10).unwrap().verdicts;
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].stage, &listed[0].flow), (Stage::Final, &None));
    assert_eq!(store.totals().unwrap().counts.threats, 1);
    append_kinds(&store, batch(&store, 1), 3, "dd");
    assert_eq!(store.totals().unwrap().counts.total, 3);
}

#[test]
fn a_reopened_database_keeps_its_rows() {
    let (store, folder) = store_in_a_file();
    let stream = batch(&store, 1);
    append_kinds(&store, stream, 0, "ndp");
    let before = store.list(&VerdictFilter::default(), 10).unwrap();
    drop(store);
    let store = open(&folder, &options()).unwrap();
    assert_eq!(store.list(&VerdictFilter::default(), 10).unwrap(), before);
    append_kinds(&store, batch(&store, 1), 3, "dd");
    assert_eq!(store.totals().unwrap().counts.total, 5);
}

#[test]
fn a_locked_database_is_busy_and_then_not() {
    let (store, folder) = store_in_a_file();
    drop(store);
    let store = open(&folder, &options()).unwrap();
    let stream = batch(&store, 1);
    append_kinds(&store, stream, 0, "n");
    let other = Connection::open(database(&folder)).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let rows = [row('n', 1, seconds(1))];
    let refused = store.append(stream, &provenance(), &rows).unwrap_err();
    assert!(matches!(refused, StoreError::Busy { .. }) && refused.is_retryable());
    // Readers see the last commit all the same.
    assert_eq!(store.totals().unwrap().counts.total, 1);
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(
        store.append(stream, &provenance(), &rows).unwrap().inserted,
        1
    );
}

#[test]
fn a_full_disk_keeps_a_block_out_and_is_no_end() {
    let folder = TempDir::new().unwrap();
    let limited = SqliteOptions {
        hard_limit_bytes: Some(2 << 20),
        ..options()
    };
    let store = open(&folder, &limited).unwrap();
    assert_eq!(append_wide(&store, 1, 1000).unwrap(), 1000);
    let before = store.totals().unwrap();
    let refused = append_wide(&store, 2, 2000).unwrap_err();
    assert!(matches!(refused, StoreError::DiskFull { .. }) && refused.is_retryable());
    assert_eq!(store.totals().unwrap(), before);
    assert_eq!(store.batch(batch_id(2)).unwrap().unwrap().rows_stored, 0);

    let policy = RetentionPolicy {
        max_bytes: Some(512 << 10),
        ..RetentionPolicy::default()
    };
    let outcome = store.retain(&policy, seconds(1_000)).unwrap();
    assert!(outcome.rows_deleted > 0 && outcome.within_limits);
    assert_eq!(append_wide(&store, 2, 800).unwrap(), 800);
    assert_eq!(
        store.count(&VerdictFilter::default()).unwrap(),
        store.totals().unwrap().counts.total
    );
}

#[test]
fn retention_by_bytes_gives_bytes_back() {
    let (store, _folder) = store_in_a_file();
    for seed in 1..=8 {
        append_wide(&store, seed, 500).unwrap();
    }
    let before = store.size().unwrap();
    let limit = before.database_bytes / 2;
    let policy = RetentionPolicy {
        max_bytes: Some(limit),
        batch_rows: 100,
        ..RetentionPolicy::default()
    };
    let outcome = store.retain(&policy, seconds(1_000)).unwrap();
    assert!(outcome.within_limits);
    let after = store.size().unwrap();
    assert_eq!(
        outcome.bytes_freed,
        before.database_bytes - after.database_bytes
    );
    assert!(
        after.database_bytes <= limit && after.free_bytes == 0,
        "{after:?}"
    );
    // Half went, not nearly everything, and the newest stayed.
    let totals = store.totals().unwrap();
    assert!((1500..2500).contains(&totals.counts.total), "{totals:?}");
    assert_eq!(totals.newest, Some(seconds(8)));
}

#[test]
fn a_list_walks_an_index_and_sorts_nothing_but_merged_classes() {
    let (store, _folder) = store_in_a_file();
    append_kinds(&store, batch(&store, 1), 0, "ndpcb");
    let cursor = store.list(&VerdictFilter::default(), 1).unwrap().next;
    let check = |filter: VerdictFilter, index: &str| {
        for cursor in [None, cursor] {
            let filter = VerdictFilter {
                cursor,
                ..filter.clone()
            };
            let plan = store.explain_list(&filter, 10).unwrap();
            assert!(plan[0].contains(index), "{filter:?}: {plan:?}");
            assert!(
                !plan.iter().any(|line| line.contains("TEMP B-TREE")),
                "{plan:?}"
            );
        }
    };
    let all = VerdictFilter::default();
    let in_batch = VerdictFilter {
        batch: Some(batch_id(1)),
        ..all.clone()
    };
    let threats = VerdictFilter {
        threats_only: true,
        ..all.clone()
    };
    check(all.clone(), "verdicts_by_time");
    check(threats.clone(), "verdicts_threats");
    check(in_batch.clone(), "verdicts_by_time");
    check(
        VerdictFilter {
            batch: in_batch.batch,
            ..threats
        },
        "verdicts_threats",
    );
}

#[test]
fn readers_go_on_while_a_writer_works() {
    let (store, _folder) = store_in_a_file();
    let stream = batch(&store, 1);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for block in 0..50 {
                let rows: Vec<_> = (0..100)
                    .map(|row_in_block| row('d', block * 100 + row_in_block, seconds(0)))
                    .collect();
                store.append(stream, &provenance(), &rows).unwrap();
            }
        });
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    // Whole blocks only, and the counters agree with the rows of one moment.
                    let total = store.totals().unwrap().counts.total;
                    assert_eq!(total % 100, 0);
                    let page = store.list(&VerdictFilter::default(), 10_000).unwrap();
                    assert_eq!(page.verdicts.len() % 100, 0);
                }
            });
        }
        writer.join().unwrap();
    });
    assert_eq!(store.totals().unwrap().counts.total, 5000);
}

#[test]
fn a_merge_of_too_many_classes_still_finds_everything() {
    let (store, _folder) = store_in_a_file();
    let stream = batch(&store, 1);
    let names: Vec<_> = (0..100).map(|number| format!("class {number}")).collect();
    let rows: Vec<_> = (0..200)
        .map(|sequence| {
            let mut row = row('d', sequence, seconds(sequence as i64));
            if let Some(attack) = &mut row.attack {
                attack.class = &names[sequence as usize % 100];
            }
            row
        })
        .collect();
    store.append(stream, &provenance(), &rows).unwrap();
    append_kinds(&store, stream, 500, "nn");
    let attacks = VerdictFilter {
        has_attack: true,
        ..VerdictFilter::default()
    };
    assert_eq!(crate::fixtures::read_all(&store, &attacks, 30).len(), 200);
    let some = VerdictFilter {
        class_names: Some(names[..70].to_vec()),
        ..attacks
    };
    assert_eq!(crate::fixtures::read_all(&store, &some, 30).len(), 140);
    assert_eq!(store.count(&some).unwrap(), 140);
}
