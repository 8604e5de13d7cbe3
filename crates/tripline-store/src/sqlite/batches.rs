use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior};

use super::{
    counters,
    failure::{Result, damaged},
};
use crate::{
    Batch, BatchCursor, BatchEnd, BatchId, BatchPage, BatchStatus, NewBatch, NewStream, Progress,
    Source, StoreError, Stream, Timestamp,
};

pub(super) fn create_batch(connection: &mut Connection, batch: &NewBatch) -> Result<Stream> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction
        .prepare_cached(
            "INSERT INTO streams (key, source, is_batch, status, file_name, created_at, \
             bytes_total) VALUES (?, ?, 1, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )?
        .execute((
            batch.id.as_bytes(),
            batch.source.code(),
            BatchStatus::Running.code(),
            &batch.file_name,
            batch.created_at.0,
            batch.bytes_total.map(u64::cast_signed),
        ))?;
    let stream = stream_with_key(&transaction, batch.id, Kind::Batch)?;
    transaction.commit()?;
    Ok(stream)
}

pub(super) fn open_stream(connection: &mut Connection, stream: &NewStream) -> Result<Stream> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction
        .prepare_cached(
            "INSERT INTO streams (key, source, is_batch, status, created_at) \
             VALUES (?, ?, 0, ?, ?) ON CONFLICT (key) DO UPDATE \
             SET status = excluded.status, finished_at = NULL WHERE is_batch = 0",
        )?
        .execute((
            stream.key.as_bytes(),
            stream.source.code(),
            BatchStatus::Running.code(),
            stream.created_at.0,
        ))?;
    let stream = stream_with_key(&transaction, stream.key, Kind::Other)?;
    transaction.commit()?;
    Ok(stream)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Batch,
    Other,
}

fn stream_with_key(connection: &Connection, key: BatchId, kind: Kind) -> Result<Stream> {
    let (number, is_batch): (i64, bool) = connection
        .prepare_cached("SELECT stream, is_batch FROM streams WHERE key = ?1")?
        .query_row([key.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if is_batch != (kind == Kind::Batch) {
        let expected = "not used for both a batch and another stream";
        return Err(StoreError::invalid("stream key", key, expected).into());
    }
    Ok(Stream::new(number, key)?)
}

pub(super) fn next_sequence(connection: &Connection, stream: Stream) -> Result<u64> {
    let last: Option<Option<i64>> = connection
        .prepare_cached("SELECT last_sequence FROM streams WHERE stream = ?1 AND key = ?2")?
        .query_row((stream.number, stream.key.as_bytes()), |row| row.get(0))
        .optional()?;
    match last {
        Some(last) => Ok(last.map_or(0, |last| last as u64 + 1)),
        None => Err(StoreError::UnknownStream { key: stream.key }.into()),
    }
}

/// The number of the stream that a batch fills.
pub(super) fn stream_of(connection: &Connection, batch: BatchId) -> Result<Option<i64>> {
    Ok(connection
        .prepare_cached("SELECT stream FROM streams WHERE key = ?1 AND is_batch = 1")?
        .query_row([batch.as_bytes()], |row| row.get(0))
        .optional()?)
}

pub(super) fn update_progress(
    connection: &Connection,
    batch: BatchId,
    progress: Progress,
) -> Result<()> {
    let changed = connection
        .prepare_cached(
            "UPDATE streams SET bytes_read = ?2, rows_read = ?3, rows_scored = ?4, \
             rows_rejected = ?5 WHERE key = ?1 AND is_batch = 1",
        )?
        .execute((
            batch.as_bytes(),
            progress.bytes_read.cast_signed(),
            progress.rows_read.cast_signed(),
            progress.rows_scored.cast_signed(),
            progress.rows_rejected.cast_signed(),
        ))?;
    if changed == 0 {
        return Err(StoreError::UnknownBatch { batch }.into());
    }
    Ok(())
}

pub(super) fn finish(connection: &mut Connection, batch: BatchId, end: &BatchEnd) -> Result<()> {
    if end.status == BatchStatus::Running {
        let expected = "an end";
        return Err(StoreError::invalid("status of an ended batch", "running", expected).into());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    update_progress(&transaction, batch, end.progress)?;
    transaction.execute(
        "UPDATE streams SET status = ?2, finished_at = ?3, schema_name = ?4, error = ?5 \
         WHERE key = ?1",
        (
            batch.as_bytes(),
            end.status.code(),
            end.finished_at.0,
            &end.schema,
            &end.error,
        ),
    )?;
    if let Some(report) = &end.report {
        transaction.execute(
            "INSERT OR REPLACE INTO reports (stream, report) \
             SELECT stream, ?2 FROM streams WHERE key = ?1",
            (batch.as_bytes(), report),
        )?;
    }
    transaction.commit()?;
    Ok(())
}

/// Ends what a process that is no more has left running. What its verdicts were counted with
/// in their own transactions is the truth; the last progress it told may lag behind.
pub(super) fn end_abandoned(connection: &mut Connection, now: Timestamp) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute(
        "UPDATE streams SET status = iif(is_batch, ?2, ?3), finished_at = ?4, \
         rows_scored = rows_appended, rows_read = rows_appended + rows_rejected WHERE status = ?1",
        (
            BatchStatus::Running.code(),
            BatchStatus::Interrupted.code(),
            BatchStatus::Complete.code(),
            now.0,
        ),
    )?;
    transaction.commit()?;
    Ok(())
}

const BATCH: &str = "SELECT stream, key, source, status, file_name, schema_name, created_at, \
     finished_at, bytes_total, bytes_read, rows_read, rows_scored, rows_rejected, error \
     FROM streams";

fn batch_row(connection: &Connection, row: &Row<'_>) -> Result<(i64, Batch)> {
    let number = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
    let stream = row.get(0)?;
    let (source, status) = (row.get(2)?, row.get(3)?);
    let batch = Batch {
        id: BatchId::from_bytes(row.get(1)?),
        source: Source::from_code(source).ok_or_else(|| damaged(2, source))?,
        status: BatchStatus::from_code(status).ok_or_else(|| damaged(3, status))?,
        file_name: row.get(4)?,
        schema: row.get(5)?,
        created_at: Timestamp(row.get(6)?),
        finished_at: row.get::<_, Option<i64>>(7)?.map(Timestamp),
        bytes_total: row.get::<_, Option<i64>>(8)?.map(i64::cast_unsigned),
        progress: Progress {
            bytes_read: number(9)?,
            rows_read: number(10)?,
            rows_scored: number(11)?,
            rows_rejected: number(12)?,
        },
        error: row.get(13)?,
        rows_stored: counters::of_stream(connection, stream)?.total,
    };
    Ok((stream, batch))
}

pub(super) fn get(connection: &Connection, batch: BatchId) -> Result<Option<Batch>> {
    let sql = format!("{BATCH} WHERE key = ?1 AND is_batch = 1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([batch.as_bytes()])?;
    match rows.next()? {
        Some(row) => Ok(Some(batch_row(connection, row)?.1)),
        None => Ok(None),
    }
}

pub(super) fn report(connection: &Connection, batch: BatchId) -> Result<Option<String>> {
    Ok(connection
        .prepare_cached(
            "SELECT report FROM streams JOIN reports USING (stream) \
             WHERE key = ?1 AND is_batch = 1",
        )?
        .query_row([batch.as_bytes()], |row| row.get(0))
        .optional()?)
}

pub(super) fn page(
    connection: &Connection,
    after: Option<BatchCursor>,
    limit: usize,
) -> Result<BatchPage> {
    let start = after.unwrap_or(BatchCursor {
        created_at: Timestamp(i64::MAX),
        stream: i64::MAX,
    });
    let sql = format!(
        "{BATCH} WHERE is_batch = 1 AND (created_at, stream) < (?1, ?2) \
         ORDER BY created_at DESC, stream DESC LIMIT ?3"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let wanted = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
    let mut rows = statement.query((start.created_at.0, start.stream, wanted))?;
    let mut batches = Vec::new();
    let mut last = None;
    while let Some(row) = rows.next()? {
        if batches.len() == limit {
            return Ok(BatchPage {
                batches,
                next: last,
            });
        }
        let (stream, batch) = batch_row(connection, row)?;
        last = Some(BatchCursor {
            created_at: batch.created_at,
            stream,
        });
        batches.push(batch);
    }
    Ok(BatchPage {
        batches,
        next: None,
    })
}
