//! A process that is killed while it writes: blocks are there whole or not at all, counts agree
//! with them, and the batch is marked as interrupted.

mod steps;

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

use tempfile::TempDir;
use tripline_store::{BatchStatus, SqliteOptions, SqliteStore, Store, VerdictFilter};

use crate::fixtures::{batch, batch_id, provenance, row, seconds};

const FOLDER: &str = "TRIPLINE_STORE_TEST_FOLDER";
const BLOCK_ROWS: u64 = 500;

fn open(folder: &Path) -> SqliteStore {
    SqliteStore::open(
        &folder.join("verdicts.db"),
        &SqliteOptions::default(),
        seconds(0),
    )
    .unwrap()
}

/// Runs a test as a process of its own and kills it when it says that it has stored so many.
fn kill_after(test: &str, folder: &Path, wanted: u64) -> u64 {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut acknowledged = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        if let Some(number) = line.unwrap().strip_prefix("stored ") {
            acknowledged = number.parse().unwrap();
        }
        if acknowledged == wanted {
            child.kill().unwrap();
            break;
        }
    }
    child.wait().unwrap();
    assert_eq!(acknowledged, wanted);
    acknowledged
}

/// The process that is killed; run as a test it has no folder and does nothing.
#[test]
fn writes_until_it_is_killed() {
    let Some(folder) = env::var_os(FOLDER) else {
        return;
    };
    let store = open(Path::new(&folder));
    let stream = batch(&store, 1);
    for block in 0.. {
        let rows: Vec<_> = (0..BLOCK_ROWS)
            .map(|in_block| {
                let sequence = block * BLOCK_ROWS + in_block;
                let kind = if sequence.is_multiple_of(3) { 'd' } else { 'n' };
                row(kind, sequence, seconds(sequence as i64))
            })
            .collect();
        store.append(stream, &provenance(), &rows).unwrap();
        // Past the capture of the test runner, for the parent to read.
        writeln!(std::io::stdout().lock(), "\nstored {}", block + 1).unwrap();
    }
}

#[test]
fn a_killed_process_leaves_whole_blocks() {
    let folder = TempDir::new().unwrap();
    let acknowledged = kill_after("killed::writes_until_it_is_killed", folder.path(), 20);
    assert!(
        fs::metadata(folder.path().join("verdicts.db-wal"))
            .unwrap()
            .len()
            > 0
    );

    let store = open(folder.path());
    let found = store.batch(batch_id(1)).unwrap().unwrap();
    assert_eq!(found.status, BatchStatus::Interrupted);
    let rows = found.rows_stored;
    assert!(
        rows >= acknowledged * BLOCK_ROWS && rows.is_multiple_of(BLOCK_ROWS),
        "{rows}"
    );
    assert_eq!(found.progress.rows_scored, rows);
    let threats = VerdictFilter {
        threats_only: true,
        ..VerdictFilter::default()
    };
    assert_eq!(store.count(&threats).unwrap(), rows.div_ceil(3));
    assert_eq!(store.totals().unwrap().counts.threats, rows.div_ceil(3));
    let listed = store.batch_rows(batch_id(1), None, usize::MAX).unwrap();
    assert!(listed.iter().map(|row| row.sequence).eq(0..rows));
}
