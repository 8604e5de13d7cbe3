use rusqlite::{Connection, TransactionBehavior};

use super::{
    counters::{Change, Contribution},
    failure::Result,
};
use crate::{RetentionPolicy, Timestamp, id::Place};

/// What one transaction of retention did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing has to go.
    WithinLimits,
    /// The limit of bytes is exceeded, and there is no verdict left.
    NothingLeft,
    /// The oldest verdicts went; the newest of them was given at this time.
    Deleted { rows: u64, up_to: Timestamp },
}

pub(super) fn step(
    connection: &mut Connection,
    policy: &RetentionPolicy,
    now: Timestamp,
) -> Result<Step> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let too_large = match policy.max_bytes {
        Some(limit) => used_bytes(&transaction)? > limit,
        None => false,
    };
    let cut = match (too_large, policy.max_age_micros) {
        (true, _) => i64::MAX,
        (false, Some(age)) => now.0.saturating_sub(age),
        (false, None) => return Ok(Step::WithinLimits),
    };
    let mut change = Change::default();
    let mut rows_deleted = 0;
    let mut up_to = i64::MIN;
    {
        let mut statement = transaction.prepare_cached(
            "DELETE FROM verdicts WHERE id IN (\
             SELECT id FROM verdicts INDEXED BY verdicts_by_time WHERE created_at < ?1 \
             ORDER BY created_at, id LIMIT ?2) \
             RETURNING id, created_at, class, score IS NOT NULL, coalesce(is_threat, 0), \
             coalesce(is_attack, 0)",
        )?;
        let mut rows = statement.query((cut, policy.batch_rows.max(1)))?;
        while let Some(row) = rows.next()? {
            let created_at = row.get(1)?;
            let contribution = Contribution {
                scored: row.get(3)?,
                is_threat: row.get(4)?,
                is_attack: row.get(5)?,
            };
            let stream = Place::from_row_key(row.get(0)?).stream;
            change.remove(stream, Timestamp(created_at), row.get(2)?, contribution);
            rows_deleted += 1;
            up_to = up_to.max(created_at);
        }
    }
    if rows_deleted == 0 {
        return Ok(if too_large {
            Step::NothingLeft
        } else {
            Step::WithinLimits
        });
    }
    change.write(&transaction)?;
    transaction.commit()?;
    Ok(Step::Deleted {
        rows: rows_deleted,
        up_to: Timestamp(up_to),
    })
}

/// Removes streams that have ended, are older than this, and have no verdict left.
pub(super) fn forget_empty_streams(connection: &mut Connection, before: Timestamp) -> Result<u64> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut batches = 0;
    {
        let mut statement = transaction.prepare_cached(
            "DELETE FROM streams WHERE status <> 0 AND created_at < ?1 AND NOT EXISTS \
             (SELECT 1 FROM stream_counts WHERE stream_counts.stream = streams.stream) \
             RETURNING stream, is_batch",
        )?;
        let mut reports = transaction.prepare_cached("DELETE FROM reports WHERE stream = ?1")?;
        let mut rows = statement.query([before.0])?;
        while let Some(row) = rows.next()? {
            reports.execute([row.get::<_, i64>(0)?])?;
            batches += u64::from(row.get::<_, bool>(1)?);
        }
    }
    transaction.commit()?;
    Ok(batches)
}

/// Gives some free pages back to the file system, and says how many bytes they were.
pub(super) fn give_back(connection: &Connection) -> Result<u64> {
    let before = page_count(connection)?;
    {
        let mut statement = connection.prepare("PRAGMA incremental_vacuum(1024)")?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
    }
    let freed = before.saturating_sub(page_count(connection)?);
    Ok(freed * pragma(connection, "page_size")?)
}

/// Copies the log into the database as far as no reader is in the way; the file shrinks by it.
pub(super) fn checkpoint(connection: &Connection) -> Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
    Ok(())
}

fn page_count(connection: &Connection) -> Result<u64> {
    pragma(connection, "page_count")
}

/// What the data takes: free pages do not count.
pub(super) fn used_bytes(connection: &Connection) -> Result<u64> {
    let pages = page_count(connection)?.saturating_sub(free_pages(connection)?);
    Ok(pages * pragma(connection, "page_size")?)
}

fn free_pages(connection: &Connection) -> Result<u64> {
    pragma(connection, "freelist_count")
}

/// Database and free bytes.
pub(super) fn size(connection: &Connection) -> Result<(u64, u64)> {
    let page_bytes = pragma(connection, "page_size")?;
    Ok((
        page_count(connection)? * page_bytes,
        free_pages(connection)? * page_bytes,
    ))
}

fn pragma(connection: &Connection, name: &str) -> Result<u64> {
    let value: i64 = connection
        .prepare_cached(&format!("PRAGMA {name}"))?
        .query_row([], |row| row.get(0))?;
    Ok(value.cast_unsigned())
}
