use rusqlite::{Connection, OptionalExtension, Row, Transaction};

use super::{limit_of, unknown_name};
use crate::{
    Message, MessageState, Record, Step, Task, Timestamp, registry::conflict,
    sqlite::failure::Result,
};

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

pub(super) fn keep(
    transaction: &Transaction<'_>,
    step: &Step<'_>,
    key: &str,
    value: Option<&str>,
    expected: Option<u64>,
) -> Result<()> {
    let found: Option<(bool, i64)> = transaction
        .prepare_cached("SELECT value IS NOT NULL, revision FROM tasks WHERE key = ?1")?
        .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let revision = found
        .filter(|(has_value, _)| *has_value)
        .map(|(_, revision)| revision.cast_unsigned());
    if revision != expected {
        let shown = |revision: Option<u64>| {
            revision.map_or_else(|| "none".to_owned(), |revision| revision.to_string())
        };
        let error = conflict(
            format!("the revision of task '{key}'"),
            &shown(revision),
            &shown(expected),
        );
        return Err(error.into());
    }
    let next = found.map_or(0, |(_, revision)| revision) + 1;
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO tasks (key, value, revision, updated_at) VALUES (?, ?, ?, ?)",
        )?
        .execute((key, value, next, step.at.0))?;
    Ok(())
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

/// Also shortens the lease of another holder that lasts longer than the one asked for.
pub(super) fn take_lease(
    connection: &Connection,
    name: &str,
    holder: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool> {
    let held: Option<bool> = connection
        .prepare_cached(
            "INSERT INTO leases (name, holder, until) VALUES (?1, ?2, ?3) \
             ON CONFLICT (name) DO UPDATE SET until = excluded.until, \
             holder = CASE WHEN until < ?4 THEN excluded.holder ELSE holder END \
             WHERE holder = excluded.holder OR until < ?4 OR until > excluded.until \
             RETURNING holder = ?2",
        )?
        .query_row((name, holder, until.0, now.0), |row| row.get(0))
        .optional()?;
    Ok(held.unwrap_or_default())
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

/// Only a message that is waiting was tried.
pub(super) fn tried(
    transaction: &Transaction<'_>,
    number: u64,
    state: MessageState,
    next_at: Timestamp,
    error: Option<&str>,
) -> Result<()> {
    let found: Option<String> = transaction
        .prepare_cached("SELECT state FROM messages WHERE number = ?1")?
        .query_row([number.cast_signed()], |row| row.get(0))
        .optional()?;
    let found = found.as_deref().unwrap_or("not known");
    let waiting = MessageState::Waiting.name();
    if found != waiting {
        return Err(conflict(format!("message {number}"), found, waiting).into());
    }
    transaction
        .prepare_cached(
            "UPDATE messages SET state = ?2, attempts = attempts + 1, next_at = ?3, \
             last_error = ?4 WHERE number = ?1",
        )?
        .execute((number.cast_signed(), state.name(), next_at.0, error))?;
    Ok(())
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
