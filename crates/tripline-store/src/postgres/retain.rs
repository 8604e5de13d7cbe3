//! Retention drops whole partitions: however many rows they have, it takes no longer, and the
//! room goes back to the file system at once.

use tokio_postgres::error::SqlState;

use super::{
    counters,
    failure::Result,
    partitions,
    session::{Mode, Session},
};
use crate::{RetentionPolicy, StoreSize, Timestamp};

/// While retention waits for a table, everybody else waits behind it; so it gives up early, and
/// tries again.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '1s'";
const ATTEMPTS: usize = 10;

/// What one transaction of retention did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing has to go.
    WithinLimits,
    /// The limit of bytes is exceeded, and there is only the newest partition left.
    NothingLeft,
    /// The oldest partitions went, all verdicts up to this time with them.
    Deleted {
        rows: u64,
        bytes: u64,
        up_to: Timestamp,
    },
}

pub(super) fn step(
    session: &mut Session,
    policy: &RetentionPolicy,
    now: Timestamp,
) -> Result<Step> {
    let partition_seconds = partitions::seconds(session)?;
    let there = partitions::all(session)?;
    let too_large = match policy.max_bytes {
        Some(limit) => size(session)?.database_bytes > limit,
        None => false,
    };
    let cut = policy.max_age_micros.map(|age| now.0.saturating_sub(age));
    let is_old =
        |start: i64| cut.is_some_and(|cut| partitions::bounds(start, partition_seconds).1 <= cut);
    let mut going: Vec<i64> = there
        .iter()
        .copied()
        .filter(|&start| is_old(start))
        .collect();
    if going.is_empty() {
        if !too_large {
            return Ok(Step::WithinLimits);
        }
        // The newest is being written to.
        if there.len() < 2 {
            return Ok(Step::NothingLeft);
        }
        going.extend(there.first());
    }
    let mut attempt = 1;
    loop {
        let result = session.transaction(Mode::Write, |session| {
            drop_partitions(session, &going, policy.batch_rows, partition_seconds)
        });
        match result {
            Err(failure)
                if attempt < ATTEMPTS && failure.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) =>
            {
                attempt += 1;
            }
            result => {
                partitions::forget(session);
                return result;
            }
        }
    }
}

/// Drops partitions until so many rows have gone.
fn drop_partitions(
    session: &mut Session,
    going: &[i64],
    batch_rows: u32,
    partition_seconds: i64,
) -> Result<Step> {
    session.batch(LOCK_TIMEOUT)?;
    // Whoever writes is done then, so that the counters are final.
    session.batch("LOCK TABLE verdicts IN ACCESS EXCLUSIVE MODE")?;
    let (mut rows, mut bytes, mut up_to) = (0, 0, Timestamp(i64::MIN));
    for &start in going {
        let name = partitions::table(start);
        let sql = "SELECT coalesce(pg_total_relation_size(to_regclass($1::text)), 0)";
        let size: i64 = session.query_one(sql, &[&name])?.get(0);
        session.batch(&format!("DROP TABLE IF EXISTS {name}"))?;
        rows += counters::drop_partition(session, start)?;
        bytes += size.cast_unsigned();
        let end = partitions::bounds(start, partition_seconds).1;
        up_to = up_to.max(Timestamp(end.saturating_sub(1)));
        if rows >= u64::from(batch_rows.max(1)) {
            break;
        }
    }
    Ok(Step::Deleted { rows, bytes, up_to })
}

/// Removes streams that have ended, are older than this, and have no verdict left.
pub(super) fn forget_empty_streams(session: &mut Session, before: Timestamp) -> Result<u64> {
    const EMPTY: &str = "status <> 0 AND NOT EXISTS \
         (SELECT 1 FROM stream_counts WHERE stream_counts.stream = streams.stream)";
    session.transaction(Mode::Write, |session| {
        // Locked first and looked at again: an append may have been under way.
        let rows = session.query(
            &format!(
                "SELECT stream FROM streams WHERE created_at < $1 AND {EMPTY} \
                 FOR UPDATE SKIP LOCKED"
            ),
            &[&before.0],
        )?;
        let empty: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
        if empty.is_empty() {
            return Ok(0);
        }
        let gone = session.query(
            &format!(
                "DELETE FROM streams WHERE stream = ANY($1) AND {EMPTY} RETURNING stream, is_batch"
            ),
            &[&empty],
        )?;
        let streams: Vec<i32> = gone.iter().map(|row| row.get(0)).collect();
        session.execute("DELETE FROM reports WHERE stream = ANY($1)", &[&streams])?;
        Ok(gone.iter().filter(|row| row.get::<_, bool>(1)).count() as u64)
    })
}

/// Tables, indexes and long values of the schema. Free room inside of them is not told apart, and
/// the server's log is not the store's.
pub(super) fn size(session: &mut Session) -> Result<StoreSize> {
    let row = session.query_one(
        "SELECT coalesce(sum(pg_total_relation_size(pg_class.oid)), 0)::bigint FROM pg_class \
         JOIN pg_namespace ON pg_namespace.oid = relnamespace \
         WHERE nspname = current_schema() AND relkind = 'r'",
        &[],
    )?;
    Ok(StoreSize {
        database_bytes: row.get::<_, i64>(0).cast_unsigned(),
        ..StoreSize::default()
    })
}
