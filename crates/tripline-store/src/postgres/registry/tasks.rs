use tokio_postgres::Row;

use super::unknown_name;
use crate::{
    Message, MessageState, Record, Step, Task, Timestamp,
    postgres::{
        batches::limit_of,
        failure::Result,
        session::Session,
        text::{Plain, Text},
    },
    registry::conflict,
};

pub(super) fn get(session: &mut Session, key: &str) -> Result<Option<Task>> {
    let row = session.query_opt(
        "SELECT value, revision, updated_at FROM tasks WHERE key = $1 AND value IS NOT NULL",
        &[&Text(key)],
    )?;
    Ok(row.map(|row| Task {
        value: row.get::<_, Plain>(0).0,
        revision: row.get::<_, i64>(1).cast_unsigned(),
        updated_at: Timestamp(row.get(2)),
    }))
}

pub(super) fn keep(
    session: &mut Session,
    step: &Step<'_>,
    key: &str,
    value: Option<&str>,
    expected: Option<u64>,
) -> Result<()> {
    let found: Option<(bool, i64)> = session
        .query_opt(
            "SELECT value IS NOT NULL, revision FROM tasks WHERE key = $1",
            &[&Text(key)],
        )?
        .map(|row| (row.get(0), row.get(1)));
    let revision = found
        .filter(|(has_value, _)| *has_value)
        .map(|(_, revision)| revision.cast_unsigned());
    if revision != expected {
        let shown = |revision: Option<u64>| {
            revision.map_or_else(|| "none".to_owned(), |revision| revision.to_string())
        };
        return Err(conflict(
            format!("the revision of task '{key}'"),
            &shown(revision),
            &shown(expected),
        )
        .into());
    }
    let next = found.map_or(0, |(_, revision)| revision) + 1;
    session.execute(
        "INSERT INTO tasks (key, value, revision, updated_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (key) DO UPDATE SET value = excluded.value, revision = excluded.revision, \
         updated_at = excluded.updated_at",
        &[&Text(key), &value.map(Text), &next, &step.at.0],
    )?;
    Ok(())
}

pub(super) fn records(
    session: &mut Session,
    kind: &str,
    subject: Option<&str>,
    from: Timestamp,
    to: Timestamp,
    limit: usize,
) -> Result<Vec<Record>> {
    let of_subject = if subject.is_some() {
        "subject = $2"
    } else {
        "$2::text IS NULL"
    };
    let sql = format!(
        "SELECT kind, subject, at, value FROM records WHERE kind = $1 AND {of_subject} \
         AND at >= $3 AND at < $4 ORDER BY at DESC, subject DESC LIMIT $5"
    );
    let rows = session.query(
        &sql,
        &[
            &Text(kind),
            &subject.map(Text),
            &from.0,
            &to.0,
            &limit_of(limit),
        ],
    )?;
    // The newest are kept, the oldest come first.
    let records = rows.iter().rev().map(|row| Record {
        kind: row.get::<_, Plain>(0).0,
        subject: row.get::<_, Plain>(1).0,
        at: Timestamp(row.get(2)),
        value: row.get::<_, Plain>(3).0,
    });
    Ok(records.collect())
}

/// Also shortens the lease of another holder that lasts longer than the one asked for.
pub(super) fn take_lease(
    session: &mut Session,
    name: &str,
    holder: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool> {
    let row = session.query_opt(
        "INSERT INTO leases AS held (name, holder, until) VALUES ($1, $2, $3) \
         ON CONFLICT (name) DO UPDATE SET until = excluded.until, \
         holder = CASE WHEN held.until < $4 THEN excluded.holder ELSE held.holder END \
         WHERE held.holder = excluded.holder OR held.until < $4 OR held.until > excluded.until \
         RETURNING holder = $2",
        &[&Text(name), &Text(holder), &until.0, &now.0],
    )?;
    Ok(row.is_some_and(|row| row.get(0)))
}

const MESSAGE: &str =
    "number, target, event, body, created_at, state, attempts, next_at, last_error";

pub(super) fn due_messages(
    session: &mut Session,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Message>> {
    let sql = format!(
        "SELECT {MESSAGE} FROM messages WHERE state = 'waiting' AND next_at <= $1 \
         ORDER BY next_at, number LIMIT $2"
    );
    let rows = session.query(&sql, &[&now.0, &limit_of(limit)])?;
    rows.iter().map(message).collect()
}

pub(super) fn recent_messages(session: &mut Session, limit: usize) -> Result<Vec<Message>> {
    let sql = format!("SELECT {MESSAGE} FROM messages ORDER BY number DESC LIMIT $1");
    let rows = session.query(&sql, &[&limit_of(limit)])?;
    rows.iter().map(message).collect()
}

/// Only a message that is waiting was tried.
pub(super) fn tried(
    session: &mut Session,
    number: u64,
    state: MessageState,
    next_at: Timestamp,
    error: Option<&str>,
) -> Result<()> {
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    let row = session.query_opt("SELECT state FROM messages WHERE number = $1", &[&number])?;
    let found: String = row.map_or_else(|| "not known".to_owned(), |row| row.get(0));
    let waiting = MessageState::Waiting.name();
    if found != waiting {
        return Err(conflict(format!("message {number}"), &found, waiting).into());
    }
    session.execute(
        "UPDATE messages SET state = $2, attempts = attempts + 1, next_at = $3, \
         last_error = $4 WHERE number = $1",
        &[&number, &state.name(), &next_at.0, &error.map(Text)],
    )?;
    Ok(())
}

fn message(row: &Row) -> Result<Message> {
    let text = |column| row.get::<_, Plain>(column).0;
    let state: &str = row.get(5);
    Ok(Message {
        number: row.get::<_, i64>(0).cast_unsigned(),
        target: text(1),
        event: text(2),
        body: text(3),
        created_at: Timestamp(row.get(4)),
        state: MessageState::from_name(state)
            .ok_or_else(|| unknown_name("message state", state))?,
        attempts: row.get::<_, i32>(6).cast_unsigned(),
        next_at: Timestamp(row.get(7)),
        last_error: row.get::<_, Option<Plain>>(8).map(|error| error.0),
    })
}
