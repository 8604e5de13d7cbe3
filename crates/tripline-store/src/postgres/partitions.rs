//! Verdicts lie in one table for each stretch of time, made when the first verdict of it comes and
//! dropped when the last one has become too old.

use std::{collections::BTreeSet, sync::PoisonError};

use super::{
    failure::Result,
    session::{Mode, Session},
};
use crate::{StoreError, Timestamp};

const MICROS: i64 = 1_000_000;

/// A block that needs more new partitions than this has times that are made up, and is refused: it
/// would fill the database with tables.
const MOST_AT_ONCE: usize = 100;

/// The second at which the partition of a time starts.
pub(super) fn start_of(time: Timestamp, partition_seconds: i64) -> i64 {
    time.seconds().div_euclid(partition_seconds) * partition_seconds
}

/// The times from the start of the partition up to its end, which is not in it.
pub(super) fn bounds(start: i64, partition_seconds: i64) -> (i64, i64) {
    let end = start.saturating_add(partition_seconds);
    (start.saturating_mul(MICROS), end.saturating_mul(MICROS))
}

/// The table's name.
pub(super) fn table(start: i64) -> String {
    let sign = if start < 0 { "m" } else { "" };
    format!("verdicts_from_{sign}{}", start.unsigned_abs())
}

/// The length of a partition in seconds.
pub(super) fn seconds(session: &mut Session) -> Result<i64> {
    let known = session
        .known
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .partition_seconds;
    match known {
        Some(seconds) => Ok(seconds),
        None => {
            let sql = "SELECT partition_seconds FROM tripline_schema";
            Ok(session.query_one(sql, &[])?.get(0))
        }
    }
}

/// Makes the partitions that are not known to be there, in a transaction of its own.
pub(super) fn ensure(session: &mut Session, starts: &BTreeSet<i64>) -> Result<()> {
    let is_known = {
        let known = session.known.lock().unwrap_or_else(PoisonError::into_inner);
        starts.is_subset(&known.partitions)
    };
    if is_known {
        return Ok(());
    }
    let there = session.transaction(Mode::Write, |session| ensure_here(session, starts))?;
    session
        .known
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .partitions = there;
    Ok(())
}

/// Makes the partitions that are not there, in the transaction that there is; until it ends, no
/// partition can be dropped. Those that are there then.
pub(super) fn ensure_here(session: &mut Session, starts: &BTreeSet<i64>) -> Result<BTreeSet<i64>> {
    // One process makes it, the others find it.
    session.query(
        "SELECT pg_advisory_xact_lock(hashtext(current_schema()), 0)",
        &[],
    )?;
    // Retention has gone, or waits.
    session.batch("LOCK TABLE verdicts IN SHARE UPDATE EXCLUSIVE MODE")?;
    let partition_seconds = seconds(session)?;
    let mut there = all(session)?;
    let missing: Vec<i64> = starts.difference(&there).copied().collect();
    if missing.len() > MOST_AT_ONCE {
        let new = missing.len();
        let found = format!("times in {new} new partitions of {partition_seconds} s");
        let expected = "times in at most 100 new ones";
        return Err(StoreError::invalid("a block of verdicts", found, expected).into());
    }
    for start in missing {
        make(session, start, partition_seconds)?;
        there.insert(start);
    }
    Ok(there)
}

/// Made on its own and then attached: that way readers and writers of other partitions go on.
fn make(session: &mut Session, start: i64, partition_seconds: i64) -> Result<()> {
    let name = table(start);
    let (from, to) = bounds(start, partition_seconds);
    session.batch(&format!(
        "CREATE TABLE {name} (LIKE verdicts INCLUDING ALL); \
         ALTER TABLE verdicts ATTACH PARTITION {name} FOR VALUES FROM ({from}) TO ({to}); \
         INSERT INTO partitions VALUES ({start})"
    ))
}

/// The starts of the partitions that there are.
pub(super) fn all(session: &mut Session) -> Result<BTreeSet<i64>> {
    let rows = session.query("SELECT partition FROM partitions", &[])?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// What was believed of the partitions is asked for anew: somebody has dropped one.
pub(super) fn forget(session: &Session) {
    session
        .known
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .partitions
        .clear();
}
