use std::collections::BTreeMap;

use rusqlite::{CachedStatement, Connection, Row};

use super::failure::Result;
use crate::{
    ClassCount, Counts, Timeline, TimelinePoint, Timestamp,
    stats::{Buckets, HOUR, MINUTE},
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

#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    total: i64,
    scored: i64,
    threats: i64,
    attacks: i64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.total += other.total;
        self.scored += other.scored;
        self.threats += other.threats;
        self.attacks += other.attacks;
    }
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
    cells: BTreeMap<Cell, Tally>,
    /// Neighbouring rows mostly share a cell.
    last: Option<(Cell, Tally)>,
}

impl Change {
    pub(super) fn count(
        &mut self,
        stream: u32,
        created_at: Timestamp,
        class: Option<i64>,
        row: Contribution,
    ) {
        let minute = created_at.seconds().div_euclid(MINUTE) * MINUTE;
        let cell = Cell {
            stream,
            minute,
            class: class.unwrap_or(NO_CLASS),
        };
        let tally = Tally {
            total: 1,
            scored: i64::from(row.scored),
            threats: i64::from(row.is_threat),
            attacks: i64::from(row.is_attack),
        };
        match &mut self.last {
            Some((last, sum)) if *last == cell => sum.add(tally),
            _ => {
                self.flush();
                self.last = Some((cell, tally));
            }
        }
    }

    fn flush(&mut self) {
        if let Some((cell, tally)) = self.last.take() {
            self.cells.entry(cell).or_default().add(tally);
        }
    }

    /// Adds the change to the counters.
    pub(super) fn add_to(self, connection: &Connection) -> Result<()> {
        self.apply(connection, 1)
    }

    /// Takes the change from the counters, and counters that reach zero away.
    pub(super) fn take_from(self, connection: &Connection) -> Result<()> {
        self.apply(connection, -1)?;
        for table in ["class_counts", "stream_counts", "period_counts"] {
            connection
                .prepare_cached(&format!("DELETE FROM {table} WHERE total = 0"))?
                .execute([])?;
        }
        Ok(())
    }

    fn apply(mut self, connection: &Connection, sign: i64) -> Result<()> {
        self.flush();
        let mut classes = BTreeMap::<_, Tally>::new();
        let mut streams = BTreeMap::<_, Tally>::new();
        let mut periods = BTreeMap::<_, Tally>::new();
        for (cell, tally) in self.cells {
            let hour = cell.minute.div_euclid(HOUR) * HOUR;
            classes.entry(cell.class).or_default().add(tally);
            streams
                .entry((i64::from(cell.stream), cell.class))
                .or_default()
                .add(tally);
            periods
                .entry((MINUTE, cell.minute, cell.class))
                .or_default()
                .add(tally);
            periods
                .entry((HOUR, hour, cell.class))
                .or_default()
                .add(tally);
        }
        let mut statement = upsert(connection, "class_counts", &["class"])?;
        for (class, tally) in classes {
            write(&mut statement, &[class], tally, sign)?;
        }
        let mut statement = upsert(connection, "stream_counts", &["stream", "class"])?;
        for ((stream, class), tally) in streams {
            write(&mut statement, &[stream, class], tally, sign)?;
        }
        let keys = ["period_seconds", "start", "class"];
        let mut statement = upsert(connection, "period_counts", &keys)?;
        for ((period, start, class), tally) in periods {
            write(&mut statement, &[period, start, class], tally, sign)?;
        }
        Ok(())
    }
}

fn upsert<'c>(
    connection: &'c Connection,
    table: &str,
    keys: &[&str],
) -> Result<CachedStatement<'c>> {
    let keys_list = keys.join(", ");
    let key_places = "?, ".repeat(keys.len());
    Ok(connection.prepare_cached(&format!(
        "INSERT INTO {table} ({keys_list}, total, scored, threats, attacks) \
         VALUES ({key_places}?, ?, ?, ?) \
         ON CONFLICT ({keys_list}) DO UPDATE SET \
         total = total + excluded.total, scored = scored + excluded.scored, \
         threats = threats + excluded.threats, attacks = attacks + excluded.attacks"
    ))?)
}

fn write(statement: &mut CachedStatement<'_>, keys: &[i64], tally: Tally, sign: i64) -> Result<()> {
    let values = [tally.total, tally.scored, tally.threats, tally.attacks];
    let values = values.into_iter().map(|value| value * sign);
    statement.execute(rusqlite::params_from_iter(
        keys.iter().copied().chain(values),
    ))?;
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
