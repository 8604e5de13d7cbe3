use std::collections::BTreeMap;

use rusqlite::{Connection, Row};

use super::failure::Result;
use crate::{
    ClassCount, Counts, Timeline, TimelinePoint, Timestamp,
    stats::{Buckets, HOUR, MINUTE},
    tally::{Tallies, Tally},
};

/// The class number of rows without a class.
pub(super) const NO_CLASS: i64 = 0;

/// What one row adds to the counters.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Contribution {
    pub(super) scored: bool,
    pub(super) is_threat: bool,
    pub(super) is_attack: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cell {
    stream: u32,
    minute: i64,
    class: i64,
}

/// The change that a transaction makes to the counters, collected first and written once.
#[derive(Debug, Default)]
pub(super) struct Change {
    tallies: Tallies<Cell>,
}

impl Change {
    /// A row comes.
    pub(super) fn add(
        &mut self,
        stream: u32,
        created_at: Timestamp,
        class: Option<i64>,
        row: Contribution,
    ) {
        self.count(stream, created_at, class, row, 1);
    }

    /// A row goes.
    pub(super) fn remove(
        &mut self,
        stream: u32,
        created_at: Timestamp,
        class: Option<i64>,
        row: Contribution,
    ) {
        self.count(stream, created_at, class, row, -1);
    }

    fn count(
        &mut self,
        stream: u32,
        created_at: Timestamp,
        class: Option<i64>,
        row: Contribution,
        sign: i64,
    ) {
        let minute = created_at.seconds().div_euclid(MINUTE) * MINUTE;
        let cell = Cell {
            stream,
            minute,
            class: class.unwrap_or(NO_CLASS),
        };
        let tally = Tally::of_row(row.scored, row.is_threat, row.is_attack, sign);
        self.tallies.add(cell, tally);
    }

    /// Makes the change, and takes counters away that reach zero.
    pub(super) fn write(self, connection: &Connection) -> Result<()> {
        let mut classes = BTreeMap::<_, Tally>::new();
        let mut streams = BTreeMap::<_, Tally>::new();
        let mut periods = BTreeMap::<_, Tally>::new();
        for (cell, tally) in self.tallies.into_cells() {
            let hour = cell.minute.div_euclid(HOUR) * HOUR;
            classes.entry([cell.class]).or_default().add(tally);
            streams
                .entry([i64::from(cell.stream), cell.class])
                .or_default()
                .add(tally);
            periods
                .entry([MINUTE, cell.minute, cell.class])
                .or_default()
                .add(tally);
            periods
                .entry([HOUR, hour, cell.class])
                .or_default()
                .add(tally);
        }
        apply(connection, "class_counts", ["class"], classes)?;
        apply(connection, "stream_counts", ["stream", "class"], streams)?;
        let keys = ["period_seconds", "start", "class"];
        apply(connection, "period_counts", keys, periods)
    }
}

fn apply<const KEYS: usize>(
    connection: &Connection,
    table: &str,
    names: [&str; KEYS],
    tallies: BTreeMap<[i64; KEYS], Tally>,
) -> Result<()> {
    let list = names.join(", ");
    let places = "?, ".repeat(KEYS);
    let mut upsert = connection.prepare_cached(&format!(
        "INSERT INTO {table} ({list}, total, scored, threats, attacks) \
         VALUES ({places}?, ?, ?, ?) \
         ON CONFLICT ({list}) DO UPDATE SET \
         total = total + excluded.total, scored = scored + excluded.scored, \
         threats = threats + excluded.threats, attacks = attacks + excluded.attacks"
    ))?;
    let mut prune = connection.prepare_cached(&format!(
        "DELETE FROM {table} WHERE {} = ? AND total = 0",
        names.join(" = ? AND ")
    ))?;
    for (keys, tally) in tallies {
        let values = [tally.total, tally.scored, tally.threats, tally.attacks];
        upsert.execute(rusqlite::params_from_iter(keys.into_iter().chain(values)))?;
        // Only what rows went from can have come to nothing.
        if tally.total <= 0 {
            prune.execute(rusqlite::params_from_iter(keys))?;
        }
    }
    Ok(())
}

const COUNTS: &str = "coalesce(sum(total), 0), coalesce(sum(scored), 0), \
     coalesce(sum(threats), 0), coalesce(sum(total) FILTER (WHERE class <> 0), 0), \
     coalesce(sum(attacks), 0)";

fn counts(row: &Row<'_>) -> rusqlite::Result<Counts> {
    let number = |column| row.get::<_, i64>(column).map(|value| value as u64);
    Ok(Counts {
        total: number(0)?,
        scored: number(1)?,
        threats: number(2)?,
        classified: number(3)?,
        attacks: number(4)?,
    })
}

pub(super) fn all(connection: &Connection) -> Result<Counts> {
    let sql = format!("SELECT {COUNTS} FROM class_counts");
    Ok(connection.prepare_cached(&sql)?.query_row([], counts)?)
}

pub(super) fn of_stream(connection: &Connection, stream: i64) -> Result<Counts> {
    let sql = format!("SELECT {COUNTS} FROM stream_counts WHERE stream = ?1");
    Ok(connection
        .prepare_cached(&sql)?
        .query_row([stream], counts)?)
}

pub(super) fn by_class(connection: &Connection) -> Result<Vec<ClassCount>> {
    class_counts(connection, "class_counts", [])
}

pub(super) fn by_class_of_stream(connection: &Connection, stream: i64) -> Result<Vec<ClassCount>> {
    class_counts(connection, "stream_counts WHERE stream = ?1", [stream])
}

fn class_counts(
    connection: &Connection,
    from: &str,
    params: impl rusqlite::Params,
) -> Result<Vec<ClassCount>> {
    // LEFT JOIN keeps the planner from reading all names first.
    let sql = format!(
        "SELECT name, total, attacks, threats FROM (SELECT * FROM {from}) \
         LEFT JOIN names ON names.id = class WHERE class <> 0 ORDER BY total DESC, name"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params, |row| {
        let number = |column| row.get::<_, i64>(column).map(|value| value as u64);
        Ok(ClassCount {
            class: row.get(0)?,
            total: number(1)?,
            attacks: number(2)?,
            threats: number(3)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The classes that some verdict has.
pub(super) fn present_classes(connection: &Connection) -> Result<Vec<i64>> {
    let mut statement =
        connection.prepare_cached("SELECT class FROM class_counts WHERE class <> 0")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn timeline(
    connection: &Connection,
    from: Timestamp,
    to: Timestamp,
    wanted: u32,
) -> Result<Timeline> {
    let buckets = Buckets::covering(from, to, wanted);
    let mut points: Vec<TimelinePoint> = (0..buckets.number)
        .map(|index| TimelinePoint {
            start: Timestamp::from_seconds(buckets.first + index * buckets.seconds),
            total: 0,
            scored: 0,
            threats: 0,
            attacks: 0,
        })
        .collect();
    let mut statement = connection.prepare_cached(
        "SELECT (start - ?2) / ?4, sum(total), sum(scored), sum(threats), sum(attacks) \
         FROM period_counts WHERE period_seconds = ?1 AND start >= ?2 AND start < ?3 GROUP BY 1",
    )?;
    let mut rows = statement.query((
        buckets.period(),
        buckets.first,
        buckets.end(),
        buckets.seconds,
    ))?;
    while let Some(row) = rows.next()? {
        let number = |column| row.get::<_, i64>(column).map(|value| value as u64);
        if let Some(point) = points.get_mut(number(0)? as usize) {
            point.total = number(1)?;
            point.scored = number(2)?;
            point.threats = number(3)?;
            point.attacks = number(4)?;
        }
    }
    Ok(Timeline {
        bucket_seconds: buckets.seconds as u64,
        points,
    })
}
