//! What only a store that others share, over a network, can get wrong. One server serves all tests,
//! each with a database of its own; those that kill theirs have one to themselves.

mod away;
mod copied;
mod retention;
mod shared;
mod tables;

use std::{error::Error, sync::OnceLock, time::Duration};

use tripline_servers::postgres::{Database, PostgresOptions as ServerOptions, PostgresServer};
use tripline_store::{PostgresOptions, PostgresStore, StoreError};

use crate::{conformance::suite, fixtures::seconds};

mod conforms {
    // Partitions of a second: retention, which drops whole ones, is exact to the second then.
    super::suite!(|| super::store(std::time::Duration::from_secs(1)));
}

pub(crate) const DAY: Duration = Duration::from_hours(24);

/// The server that tests share. A static is never dropped; the server ends with the process.
pub(crate) fn server() -> &'static PostgresServer {
    static SERVER: OnceLock<PostgresServer> = OnceLock::new();
    SERVER.get_or_init(|| PostgresServer::obtain(ServerOptions::default()).unwrap())
}

pub(crate) fn options(url: &str) -> PostgresOptions {
    PostgresOptions::new(url).unwrap()
}

fn store(partition: Duration) -> (PostgresStore, Database<'static>) {
    let database = server().database().unwrap();
    let mut options = options(&database.url());
    options.partition = partition;
    (PostgresStore::open(options, seconds(0)).unwrap(), database)
}

/// Another process on the same database, as far as the store can tell.
fn another(database: &Database<'_>) -> PostgresStore {
    PostgresStore::open(options(&database.url()), seconds(1_000)).unwrap()
}

/// Everything that an error tells, its causes included.
fn told(error: &StoreError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text} {next} {next:?}");
        cause = next.source();
    }
    text
}

/// Whether all counters are what counting the rows gives; what differs otherwise.
fn recount(database: &Database<'_>) {
    let differences = database
        .sql(
            "SET search_path TO tripline;
             CREATE TEMP VIEW counted AS
             SELECT partition_seconds * floor(created_at / (1e6 * partition_seconds))::bigint
                 AS partition, (id >> 35)::int AS stream, created_at,
                 coalesce(class, 0) AS class, (score IS NOT NULL)::int AS scored,
                 coalesce(is_threat, false)::int AS threat,
                 coalesce(is_attack, false)::int AS attack
             FROM verdicts, tripline_schema;
             SELECT 'class', * FROM (
                 (SELECT partition, class, count(*), sum(scored), sum(threat), sum(attack)
                  FROM counted GROUP BY 1, 2
                  EXCEPT SELECT partition, class, total, scored, threats, attacks
                  FROM class_counts)
                 UNION ALL
                 (SELECT partition, class, total, scored, threats, attacks FROM class_counts
                  EXCEPT SELECT partition, class, count(*), sum(scored), sum(threat), sum(attack)
                  FROM counted GROUP BY 1, 2)) AS different;
             SELECT 'stream', * FROM (
                 (SELECT stream, partition, class, count(*), sum(scored), sum(threat), sum(attack)
                  FROM counted GROUP BY 1, 2, 3
                  EXCEPT SELECT stream, partition, class, total, scored, threats, attacks
                  FROM stream_counts)
                 UNION ALL
                 (SELECT stream, partition, class, total, scored, threats, attacks
                  FROM stream_counts
                  EXCEPT SELECT stream, partition, class, count(*), sum(scored), sum(threat),
                  sum(attack) FROM counted GROUP BY 1, 2, 3)) AS different;
             SELECT 'period', * FROM (
                 (SELECT seconds, seconds * floor(created_at / (1e6 * seconds))::bigint, class,
                  partition, count(*), sum(scored), sum(threat), sum(attack)
                  FROM counted, (VALUES (60), (3600)) AS period (seconds) GROUP BY 1, 2, 3, 4
                  EXCEPT SELECT period_seconds, start, class, partition, total, scored, threats,
                  attacks FROM period_counts)
                 UNION ALL
                 (SELECT period_seconds, start, class, partition, total, scored, threats, attacks
                  FROM period_counts
                  EXCEPT SELECT seconds, seconds * floor(created_at / (1e6 * seconds))::bigint,
                  class, partition, count(*), sum(scored), sum(threat), sum(attack)
                  FROM counted, (VALUES (60), (3600)) AS period (seconds)
                  GROUP BY 1, 2, 3, 4)) AS different;
             SELECT 'twice', id FROM verdicts GROUP BY id HAVING count(*) > 1;",
        )
        .unwrap();
    assert_eq!(differences, "");
}

/// How many partitions there are.
fn partitions(database: &Database<'_>) -> String {
    database
        .sql("SELECT count(*) FROM pg_inherits WHERE inhparent = 'tripline.verdicts'::regclass")
        .unwrap()
}
