//! Several processes on one database.

use std::{
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use tripline_store::{
    BatchStatus, ModelStage, NewVerdict, PostgresStore, Registry, Stage, Store, VerdictFilter,
};

use super::{DAY, another, options, recount, server, store};
use crate::fixtures::{
    append_kinds, batch, batch_id, complete, provenance,
    registry::{add_models, commit, moving},
    row, seconds, stream,
};

#[test]
fn of_many_who_migrate_at_once_all_find_the_tables() {
    const PROCESSES: usize = 6;
    let database = server().database().unwrap();
    let start = Barrier::new(PROCESSES);
    thread::scope(|scope| {
        for _ in 0..PROCESSES {
            scope.spawn(|| {
                start.wait();
                let store = PostgresStore::open(options(&database.url()), seconds(0)).unwrap();
                assert_eq!(store.health().unwrap().schema_version, 2);
            });
        }
    });
    let versions = database
        .sql("SELECT version FROM tripline.tripline_schema")
        .unwrap();
    assert_eq!(versions, "2");
}

#[test]
fn many_who_write_the_same_rows_store_each_once() {
    const PROCESSES: u64 = 4;
    const BLOCKS: u64 = 12;
    const ROWS: u64 = 50;
    let (first, database) = store(DAY);
    let stores: Vec<_> = (0..PROCESSES).map(|_| another(&database)).collect();
    let live = stream(&first, 1);
    let start = Barrier::new(stores.len());
    let inserted: u64 = thread::scope(|scope| {
        let threads: Vec<_> = (0..PROCESSES)
            .zip(&stores)
            .map(|(number, store)| {
                let start = &start;
                scope.spawn(move || {
                    let mine = stream(store, 1);
                    assert_eq!(mine, live);
                    start.wait();
                    let mut inserted = 0;
                    for block in 0..BLOCKS {
                        // Each has an order of its own, and the days of the rows differ too.
                        let block = (block * (2 * number + 1) + number) % BLOCKS;
                        let rows: Vec<_> = (0..ROWS)
                            .map(|at| {
                                let sequence = block * ROWS + at;
                                let day = (sequence + number) % 3;
                                let kind = ['n', 'd', 'p'][(sequence % 3) as usize];
                                row(kind, sequence, seconds(86_400 * day as i64 + at as i64))
                            })
                            .collect();
                        inserted += store.append(mine, &provenance(), &rows).unwrap().inserted;
                    }
                    inserted
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    assert!(inserted <= BLOCKS * ROWS);
    let totals = first.totals().unwrap();
    assert_eq!(totals.counts.total, inserted);
    let listed = first.list(&VerdictFilter::default(), 10_000).unwrap();
    assert_eq!(listed.verdicts.len() as u64, inserted);
    recount(&database);
}

#[test]
fn the_latest_stage_stays_whoever_writes_it() {
    const FLOWS: u64 = 60;
    let (first, database) = store(DAY);
    let second = another(&database);
    let live = stream(&first, 1);
    stream(&second, 1);
    let write = |store: &PostgresStore, stages: [Stage; 2], day: i64| {
        for sequence in 0..FLOWS {
            for stage in stages {
                let verdict = NewVerdict {
                    stage,
                    ..row('d', sequence, seconds(day * 86_400 + sequence as i64))
                };
                store.append(live, &provenance(), &[verdict]).unwrap();
            }
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| write(&first, [Stage::Early, Stage::Final], 0));
        scope.spawn(|| write(&second, [Stage::Over, Stage::Early], 1));
    });
    let all = first.list(&VerdictFilter::default(), 1_000).unwrap();
    assert_eq!(all.verdicts.len() as u64, FLOWS);
    assert!(all.verdicts.iter().all(|found| found.stage == Stage::Final));
    for sequence in 0..FLOWS {
        let found = second.get(live.verdict_id(sequence)).unwrap().unwrap();
        assert_eq!(found.stage, Stage::Final);
    }
    recount(&database);
}

#[test]
fn batches_written_beside_each_other_do_not_wait_for_ever() {
    let (first, database) = store(DAY);
    let stores: Vec<_> = (0..3).map(|_| another(&database)).collect();
    thread::scope(|scope| {
        for (seed, store) in (1..).zip(&stores) {
            scope.spawn(move || {
                let mine = batch(store, seed);
                for block in 0..20 {
                    // Classes in another order for each.
                    let kinds = ["dpbn", "bpdn", "npbd"][usize::from(seed) - 1];
                    append_kinds(store, mine, 100 * block, kinds);
                }
            });
        }
    });
    assert_eq!(first.totals().unwrap().counts.total, 3 * 20 * 4);
    recount(&database);
}

#[test]
fn what_a_process_that_is_gone_left_running_is_interrupted() {
    let (gone, database) = store(DAY);
    let alive = another(&database);
    append_kinds(&gone, batch(&gone, 1), 0, "ndn");
    append_kinds(&alive, batch(&alive, 2), 10, "n");
    batch(&gone, 3);
    gone.finish_batch(batch_id(3), &complete(seconds(5)))
        .unwrap();
    let status = |store: &PostgresStore, seed| store.batch(batch_id(seed)).unwrap().unwrap().status;
    // While both live, a third one that starts leaves them alone.
    let third = another(&database);
    assert_eq!(status(&third, 1), BatchStatus::Running);
    assert_eq!(status(&third, 2), BatchStatus::Running);
    drop(gone);
    // The server notices the end of a connection when it next looks.
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let fourth = another(&database);
        if status(&fourth, 1) != BatchStatus::Running || Instant::now() > end {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    let found = third.batch(batch_id(1)).unwrap().unwrap();
    assert_eq!(found.status, BatchStatus::Interrupted);
    assert_eq!(found.finished_at, Some(seconds(1_000)));
    assert_eq!((found.progress.rows_scored, found.rows_stored), (3, 3));
    assert_eq!(status(&third, 2), BatchStatus::Running);
    assert_eq!(status(&third, 3), BatchStatus::Complete);
}

#[test]
fn another_process_hears_of_an_activation() {
    let (first, database) = store(DAY);
    let second = another(&database);
    add_models(&first, &[1]);
    let known = second.epoch().unwrap();
    // Nothing happens, and the wait ends.
    let unchanged = second.wait_for_epoch(known, Duration::from_millis(20));
    assert_eq!(unchanged.unwrap(), Some(known));
    let heard = thread::scope(|scope| {
        // So long that a test that does not hear fails by its harness's patience.
        let waiting = scope.spawn(|| second.wait_for_epoch(known, Duration::from_mins(10)));
        let step = vec![moving(1, ModelStage::Candidate, ModelStage::Active)];
        let committed = commit(&first, 5, step);
        let heard = waiting.join().unwrap().unwrap();
        (heard.unwrap(), committed.epoch)
    });
    assert_eq!(heard.0, heard.1);
    assert!(heard.0 > known);
    // One that was missed is told at once, also after the connection was lost.
    database
        .sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()")
        .unwrap();
    assert!(
        second
            .wait_for_epoch(heard.0, Duration::from_mins(10))
            .is_err()
    );
    assert_eq!(
        second
            .wait_for_epoch(known, Duration::from_mins(10))
            .unwrap(),
        Some(heard.0)
    );
}
