use rusqlite::{Connection, OptionalExtension, Row};

use super::{limit_of, unknown_name};
use crate::{Message, MessageState, Record, Task, Timestamp, sqlite::failure::Result};

pub(super) fn get(connection: &Connection, key: &str) -> Result<Option<Task>> {
    Ok(connection
        .prepare_cached(
            "SELECT value, revision, updated_at FROM tasks WHERE key = ?1 AND value IS NOT NULL",
        )?
        .query_row([key], |row| {
            Ok(Task {
                value: row.get(0)?,
                revision: row.get::<_, i64>(1)?.cast_unsigned(),
                updated_at: Timestamp(row.get(2)?),
            })
        })
        .optional()?)
}

pub(super) fn records(
    connection: &Connection,
    kind: &str,
    subject: Option<&str>,
    from: Timestamp,
    to: Timestamp,
    limit: usize,
) -> Result<Vec<Record>> {
    let of_subject = if subject.is_some() {
        "subject = ?2"
    } else {
        "?2 IS NULL"
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT kind, subject, at, value FROM records WHERE kind = ?1 AND {of_subject} \
         AND at >= ?3 AND at < ?4 ORDER BY at DESC, subject DESC LIMIT ?5"
    ))?;
    let rows = statement.query_map((kind, subject, from.0, to.0, limit_of(limit)), |row| {
        Ok(Record {
            kind: row.get(0)?,
            subject: row.get(1)?,
            at: Timestamp(row.get(2)?),
            value: row.get(3)?,
        })
    })?;
    let mut records = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    // The newest are kept, the oldest come first.
    records.reverse();
    Ok(records)
}

const MESSAGE: &str =
    "number, target, event, body, created_at, state, attempts, next_at, last_error";

pub(super) fn due_messages(
    connection: &Connection,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Message>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {MESSAGE} FROM messages WHERE state = 'waiting' AND next_at <= ?1 \
         ORDER BY next_at, number LIMIT ?2"
    ))?;
    let rows = statement.query_map((now.0, limit_of(limit)), message)?;
    rows.map(|row| with_state(row?)).collect()
}

pub(super) fn recent_messages(connection: &Connection, limit: usize) -> Result<Vec<Message>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {MESSAGE} FROM messages ORDER BY number DESC LIMIT ?1"
    ))?;
    let rows = statement.query_map([limit_of(limit)], message)?;
    rows.map(|row| with_state(row?)).collect()
}

fn message(row: &Row<'_>) -> rusqlite::Result<(Message, String)> {
    let message = Message {
        number: row.get::<_, i64>(0)?.cast_unsigned(),
        target: row.get(1)?,
        event: row.get(2)?,
        body: row.get(3)?,
        created_at: Timestamp(row.get(4)?),
        state: MessageState::Waiting,
        attempts: row.get(6)?,
        next_at: Timestamp(row.get(7)?),
        last_error: row.get(8)?,
    };
    Ok((message, row.get(5)?))
}

fn with_state((message, state): (Message, String)) -> Result<Message> {
    let state =
        MessageState::from_name(&state).ok_or_else(|| unknown_name("message state", &state))?;
    Ok(Message { state, ..message })
}
