use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    failure::{Result, damaged},
    session::{Mode, Session},
    text::{Plain, Text},
};
use crate::{
    Batch, BatchCursor, BatchEnd, BatchId, BatchPage, BatchStatus, NewBatch, NewStream, Progress,
    Source, StoreError, Stream, Timestamp,
};

pub(super) fn uuid(key: BatchId) -> Uuid {
    Uuid::from_bytes(*key.as_bytes())
}

/// What the small numbers of sources, stages and states are written as.
pub(super) fn small(code: i64) -> i16 {
    code as i16
}

pub(super) fn create_batch(session: &mut Session, owner: i32, batch: &NewBatch) -> Result<Stream> {
    // Asked for first, because an insert that finds its key taken uses up a number.
    if let Some(stream) = stream_with_key(session, batch.id, Kind::Batch)? {
        return Ok(stream);
    }
    session.execute(
        "INSERT INTO streams (key, source, is_batch, status, owner, file_name, created_at, \
         bytes_total) VALUES ($1, $2, true, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        &[
            &uuid(batch.id),
            &small(batch.source.code()),
            &small(BatchStatus::Running.code()),
            &owner,
            &batch.file_name.as_deref().map(Text),
            &batch.created_at.0,
            &batch.bytes_total.map(u64::cast_signed),
        ],
    )?;
    let stream = stream_with_key(session, batch.id, Kind::Batch)?;
    Ok(stream.ok_or(StoreError::UnknownBatch { batch: batch.id })?)
}

pub(super) fn open_stream(session: &mut Session, owner: i32, stream: &NewStream) -> Result<Stream> {
    let key = uuid(stream.key);
    let running = small(BatchStatus::Running.code());
    let changed = session.execute(
        "UPDATE streams SET status = $2, owner = $3, finished_at = NULL \
         WHERE key = $1 AND NOT is_batch",
        &[&key, &running, &owner],
    )?;
    if changed == 0 && stream_with_key(session, stream.key, Kind::Other)?.is_none() {
        session.execute(
            "INSERT INTO streams (key, source, is_batch, status, owner, created_at) \
             VALUES ($1, $2, false, $3, $4, $5) ON CONFLICT DO NOTHING",
            &[
                &key,
                &small(stream.source.code()),
                &running,
                &owner,
                &stream.created_at.0,
            ],
        )?;
    }
    let found = stream_with_key(session, stream.key, Kind::Other)?;
    Ok(found.ok_or(StoreError::UnknownStream { key: stream.key })?)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Batch,
    Other,
}

fn stream_with_key(session: &mut Session, key: BatchId, kind: Kind) -> Result<Option<Stream>> {
    let sql = "SELECT stream, is_batch FROM streams WHERE key = $1";
    let Some(row) = session.query_opt(sql, &[&uuid(key)])? else {
        return Ok(None);
    };
    if row.get::<_, bool>(1) != (kind == Kind::Batch) {
        let expected = "not used for both a batch and another stream";
        return Err(StoreError::invalid("stream key", key, expected).into());
    }
    Ok(Some(Stream::new(i64::from(row.get::<_, i32>(0)), key)?))
}

pub(super) fn next_sequence(session: &mut Session, stream: Stream) -> Result<u64> {
    let row = session.query_opt(
        "SELECT last_sequence FROM streams WHERE stream = $1 AND key = $2",
        &[&stream.number.cast_signed(), &uuid(stream.key)],
    )?;
    match row {
        Some(row) => Ok(row
            .get::<_, Option<i64>>(0)
            .map_or(0, |last| last as u64 + 1)),
        None => Err(StoreError::UnknownStream { key: stream.key }.into()),
    }
}

/// The number of the stream that a batch fills.
pub(super) fn stream_of(session: &mut Session, batch: BatchId) -> Result<Option<i32>> {
    let sql = "SELECT stream FROM streams WHERE key = $1 AND is_batch";
    Ok(session
        .query_opt(sql, &[&uuid(batch)])?
        .map(|row| row.get(0)))
}

pub(super) fn update_progress(
    session: &mut Session,
    batch: BatchId,
    progress: Progress,
) -> Result<()> {
    let changed = session.execute(
        "UPDATE streams SET bytes_read = $2, rows_read = $3, rows_scored = $4, \
         rows_rejected = $5 WHERE key = $1 AND is_batch",
        &[
            &uuid(batch),
            &progress.bytes_read.cast_signed(),
            &progress.rows_read.cast_signed(),
            &progress.rows_scored.cast_signed(),
            &progress.rows_rejected.cast_signed(),
        ],
    )?;
    if changed == 0 {
        return Err(StoreError::UnknownBatch { batch }.into());
    }
    Ok(())
}

pub(super) fn finish(session: &mut Session, batch: BatchId, end: &BatchEnd) -> Result<()> {
    if end.status == BatchStatus::Running {
        let expected = "an end";
        return Err(StoreError::invalid("status of an ended batch", "running", expected).into());
    }
    session.transaction(Mode::Write, |session| {
        update_progress(session, batch, end.progress)?;
        session.execute(
            "UPDATE streams SET status = $2, finished_at = $3, schema_name = $4, error = $5 \
             WHERE key = $1",
            &[
                &uuid(batch),
                &small(end.status.code()),
                &end.finished_at.0,
                &end.schema.as_deref().map(Text),
                &end.error.as_deref().map(Text),
            ],
        )?;
        if let Some(report) = &end.report {
            session.execute(
                "INSERT INTO reports (stream, report) SELECT stream, $2 FROM streams \
                 WHERE key = $1 ON CONFLICT (stream) DO UPDATE SET report = excluded.report",
                &[&uuid(batch), &Text(report)],
            )?;
        }
        Ok(())
    })
}

/// Ends what a process that is no more has left running: one that lives holds the lock of its
/// number. What its verdicts were counted with in their own transactions is the truth; the last
/// progress it told may lag behind.
pub(super) fn end_abandoned(session: &mut Session, owner: i32, now: Timestamp) -> Result<()> {
    session.transaction(Mode::Write, |session| {
        let rows = session.query(
            "SELECT DISTINCT owner FROM streams WHERE status = $1 AND owner != $2",
            &[&small(BatchStatus::Running.code()), &owner],
        )?;
        let owners: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
        for gone in owners {
            let sql = "SELECT pg_try_advisory_xact_lock(hashtext(current_schema()), $1)";
            if !session.query_one(sql, &[&gone])?.get::<_, bool>(0) {
                continue;
            }
            session.execute(
                "UPDATE streams SET status = CASE WHEN is_batch THEN $3::smallint \
                 ELSE $4::smallint END, finished_at = $5, rows_scored = rows_appended, \
                 rows_read = rows_appended + rows_rejected WHERE status = $1 AND owner = $2",
                &[
                    &small(BatchStatus::Running.code()),
                    &gone,
                    &small(BatchStatus::Interrupted.code()),
                    &small(BatchStatus::Complete.code()),
                    &now.0,
                ],
            )?;
        }
        Ok(())
    })
}

const BATCH: &str = "SELECT stream, key, source, status, file_name, schema_name, created_at, \
     finished_at, bytes_total, bytes_read, rows_read, rows_scored, rows_rejected, error, \
     (SELECT coalesce(sum(total), 0)::bigint FROM stream_counts \
     WHERE stream_counts.stream = streams.stream) FROM streams";

fn batch_row(row: &Row) -> Result<(i32, Batch)> {
    let number = |column| row.get::<_, i64>(column).cast_unsigned();
    let (source, status) = (
        i64::from(row.get::<_, i16>(2)),
        i64::from(row.get::<_, i16>(3)),
    );
    let text = |column| row.get::<_, Option<Plain>>(column).map(|text| text.0);
    let batch = Batch {
        id: BatchId::from_bytes(*row.get::<_, Uuid>(1).as_bytes()),
        source: Source::from_code(source).ok_or_else(|| damaged("source", source))?,
        status: BatchStatus::from_code(status).ok_or_else(|| damaged("status", status))?,
        file_name: text(4),
        schema: text(5),
        created_at: Timestamp(row.get(6)),
        finished_at: row.get::<_, Option<i64>>(7).map(Timestamp),
        bytes_total: row.get::<_, Option<i64>>(8).map(i64::cast_unsigned),
        progress: Progress {
            bytes_read: number(9),
            rows_read: number(10),
            rows_scored: number(11),
            rows_rejected: number(12),
        },
        error: text(13),
        rows_stored: number(14),
    };
    Ok((row.get(0), batch))
}

pub(super) fn get(session: &mut Session, batch: BatchId) -> Result<Option<Batch>> {
    let sql = format!("{BATCH} WHERE key = $1 AND is_batch");
    let row = session.query_opt(&sql, &[&uuid(batch)])?;
    row.map(|row| Ok(batch_row(&row)?.1)).transpose()
}

pub(super) fn report(session: &mut Session, batch: BatchId) -> Result<Option<String>> {
    let row = session.query_opt(
        "SELECT report FROM streams JOIN reports USING (stream) WHERE key = $1 AND is_batch",
        &[&uuid(batch)],
    )?;
    Ok(row.map(|row| row.get::<_, Plain>(0).0))
}

pub(super) fn page(
    session: &mut Session,
    after: Option<BatchCursor>,
    limit: usize,
) -> Result<BatchPage> {
    let start = after.unwrap_or(BatchCursor {
        created_at: Timestamp(i64::MAX),
        stream: i64::MAX,
    });
    let sql = format!(
        "{BATCH} WHERE is_batch AND (created_at, stream) < ($1, $2) \
         ORDER BY created_at DESC, stream DESC LIMIT $3"
    );
    let stream = i32::try_from(start.stream).unwrap_or(i32::MAX);
    let rows = session.query(
        &sql,
        &[
            &start.created_at.0,
            &stream,
            &limit_of(limit.saturating_add(1)),
        ],
    )?;
    let mut batches = Vec::new();
    let mut last = None;
    for row in &rows {
        if batches.len() == limit {
            return Ok(BatchPage {
                batches,
                next: last,
            });
        }
        let (stream, batch) = batch_row(row)?;
        last = Some(BatchCursor {
            created_at: batch.created_at,
            stream: i64::from(stream),
        });
        batches.push(batch);
    }
    Ok(BatchPage {
        batches,
        next: None,
    })
}

/// A limit as SQL takes it.
pub(super) fn limit_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
