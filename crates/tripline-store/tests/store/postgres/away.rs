//! A database that is away, comes back, answers too late, or is somebody else's.

use std::{
    net::TcpListener,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use tripline_servers::postgres::{PostgresOptions as ServerOptions, PostgresServer};
use tripline_store::{PostgresStore, Store, StoreError, Stream, VerdictFilter};

use super::{DAY, options, server, store, told};
use crate::fixtures::{append_kinds, batch, provenance, row, seconds, stream};

/// Calls until it works; a failure in between has to be one that passes.
fn until_it_works<T>(call: impl Fn() -> Result<T, StoreError>) -> T {
    let end = Instant::now() + Duration::from_mins(1);
    loop {
        match call() {
            Ok(value) => return value,
            Err(error) => {
                assert!(
                    error.is_retryable() && Instant::now() < end,
                    "{}",
                    told(&error)
                );
                thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

fn write_blocks(store: &PostgresStore, live: Stream, first: u64, blocks: u64) {
    for block in first..first + blocks {
        let rows: Vec<_> = (0..20)
            .map(|at| row('d', block * 20 + at, seconds((block * 20 + at) as i64)))
            .collect();
        until_it_works(|| store.append(live, &provenance(), &rows));
    }
}

#[test]
fn a_server_that_is_killed_costs_one_call_and_no_row() {
    let server = PostgresServer::start(ServerOptions::default()).unwrap();
    let database = server.database().unwrap();
    let store = PostgresStore::open(options(&database.url()), seconds(0)).unwrap();
    let live = stream(&store, 1);
    append_kinds(&store, live, 0, "nd");

    // Between calls, and back before the next one: nobody notices.
    server.kill().unwrap();
    server.restart().unwrap();
    assert_eq!(store.totals().unwrap().counts.total, 2);

    // Between calls, and not back.
    server.kill().unwrap();
    let refused = store.totals().unwrap_err();
    assert!(
        matches!(refused, StoreError::Unreachable { .. }) && refused.is_retryable(),
        "{}",
        told(&refused)
    );
    server.restart().unwrap();
    assert_eq!(until_it_works(|| store.totals()).counts.total, 2);

    // While rows are written: what was told stored is stored, and a repeat doubles nothing.
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                let store = &store;
                scope.spawn(move || write_blocks(store, live, 40 * writer, 40))
            })
            .collect();
        scope.spawn(|| {
            while !is_done.load(Ordering::SeqCst) {
                server.kill().unwrap();
                server.restart().unwrap();
                thread::sleep(Duration::from_millis(300));
            }
        });
        for writer in writers {
            writer.join().unwrap();
        }
        is_done.store(true, Ordering::SeqCst);
    });
    let total = until_it_works(|| store.totals()).counts.total;
    assert_eq!(total, 80 * 20);
    let counted = until_it_works(|| {
        store.count(&VerdictFilter {
            has_threat: true,
            ..VerdictFilter::default()
        })
    });
    assert_eq!(counted, total);
    super::recount(&database);
}

#[test]
fn a_store_may_be_there_before_its_database() {
    let server = PostgresServer::start(ServerOptions::default()).unwrap();
    let database = server.database().unwrap();
    server.stop().unwrap();
    let refused = PostgresStore::open(options(&database.url()), seconds(0)).unwrap_err();
    assert!(matches!(refused, StoreError::Unreachable { .. }));

    let store = PostgresStore::open_when_reachable(options(&database.url()), seconds(0)).unwrap();
    for _ in 0..3 {
        let refused = store.health().unwrap_err();
        assert!(matches!(refused, StoreError::Unreachable { .. }));
        // Also when no attempt is made, the reason is told.
        let told = told(&refused).to_lowercase();
        assert!(told.contains("refused"), "{told}");
    }
    server.restart().unwrap();
    let health = until_it_works(|| store.health());
    assert_eq!((health.backend, health.schema_version), ("postgresql", 2));
    append_kinds(&store, batch(&store, 1), 0, "nd");
    assert_eq!(store.totals().unwrap().counts.total, 2);
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let mut options = options(&format!("postgres://ada:s3cret@127.0.0.1:{port}/flows"));
    options.connect_timeout = Duration::from_millis(50);
    let refused = PostgresStore::open(options, seconds(0)).unwrap_err();
    assert!(
        matches!(refused, StoreError::TimedOut { .. }) && refused.is_retryable(),
        "{}",
        told(&refused)
    );
}

#[test]
fn no_error_tells_the_password() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let addresses = [
        format!("postgres://ada:s3cret@127.0.0.1:{port}/flows"),
        format!("postgres://ada:s3cret@127.0.0.1:{port}/flows?sslmode=require"),
        server()
            .url("no_such_database")
            .replace("postgres://", "postgres://ada:s3cret@")
            .replace("s3cret@tripline@", "s3cret@"),
    ];
    for address in addresses {
        let options = options(&address);
        assert!(!format!("{options:?}").contains("s3cret"));
        let store = PostgresStore::open_when_reachable(options, seconds(0)).unwrap();
        assert!(!format!("{store:?} {}", store.place()).contains("s3cret"));
        for _ in 0..2 {
            let refused = store.totals().unwrap_err();
            let told = told(&refused);
            assert!(!told.contains("s3cret") && !told.contains("ada:"), "{told}");
            assert!(refused.to_string().contains(store.place()), "{refused}");
        }
    }
}

#[test]
fn a_database_that_is_not_there_is_no_passing_failure() {
    let refused = PostgresStore::open(options(&server().url("no_such_database")), seconds(0));
    let refused = refused.unwrap_err();
    assert!(
        matches!(refused, StoreError::CannotOpen { .. }) && !refused.is_retryable(),
        "{}",
        told(&refused)
    );
}

#[test]
fn a_table_that_somebody_holds_is_busy_and_then_not() {
    let (first, database) = store(DAY);
    let live = batch(&first, 1);
    append_kinds(&first, live, 0, "n");
    let mut hasty = options(&database.url());
    hasty.lock_timeout = Duration::from_millis(50);
    let hasty = PostgresStore::open(hasty, seconds(0)).unwrap();
    thread::scope(|scope| {
        let holder = scope.spawn(|| {
            database
                .sql(
                    "BEGIN; LOCK TABLE tripline.verdicts IN EXCLUSIVE MODE; \
                     SELECT pg_sleep(2); COMMIT",
                )
                .unwrap()
        });
        let mut sequences = 1..;
        // Until it holds it.
        let refused = loop {
            let rows = [row('n', sequences.next().unwrap(), seconds(1))];
            match hasty.append(live, &provenance(), &rows) {
                Ok(_) => assert!(!holder.is_finished(), "nothing was refused"),
                Err(refused) => break refused,
            }
        };
        assert!(
            matches!(refused, StoreError::Busy { .. }) && refused.is_retryable(),
            "{}",
            told(&refused)
        );
        // Readers see the last commit all the same.
        assert!(hasty.totals().unwrap().counts.total >= 1);
        holder.join().unwrap();
    });
    let rows = [row('n', 1_000_000, seconds(2))];
    assert_eq!(
        hasty.append(live, &provenance(), &rows).unwrap().inserted,
        1
    );
}

#[test]
fn a_certificate_is_checked() {
    let server = PostgresServer::start(ServerOptions {
        tls: true,
        ..ServerOptions::default()
    })
    .unwrap();
    let database = server.database().unwrap();
    let url = database.url().replace("127.0.0.1", "localhost");
    let certificate = server.certificate().unwrap();
    let trusted = format!(
        "{url}?sslmode=verify-full&sslrootcert={}",
        certificate.display()
    );
    let store = PostgresStore::open(options(&trusted), seconds(0)).unwrap();
    append_kinds(&store, batch(&store, 1), 0, "nd");
    assert_eq!(store.totals().unwrap().counts.total, 2);
    let encrypted = database
        .sql(
            "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
             WHERE application_name = 'tripline'",
        )
        .unwrap();
    assert_eq!(encrypted, "t");

    // No authority of the system has signed it.
    let unknown = format!("{url}?sslmode=require");
    let refused = PostgresStore::open(options(&unknown), seconds(0)).unwrap_err();
    assert!(
        told(&refused).to_lowercase().contains("certificate"),
        "{}",
        told(&refused)
    );
    let missing = format!("{url}?sslrootcert=/no/such/file.pem");
    let refused = PostgresStore::open(options(&missing), seconds(0)).unwrap_err();
    assert!(matches!(refused, StoreError::Invalid { .. }), "{refused}");
}
