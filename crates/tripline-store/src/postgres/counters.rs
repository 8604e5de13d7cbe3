use std::collections::BTreeMap;

use tokio_postgres::Row;

use super::{
    failure::Result,
    session::{Params, Session},
    text::Plain,
};
use crate::{
    AttackPart, ClassCount, Counts, NewVerdict, Timeline, TimelinePoint, Timestamp,
    stats::{Buckets, HOUR, MINUTE},
    tally::{Tallies, Tally},
};

/// The class number of rows without a class.
const NO_CLASS: i32 = 0;

/// What one row adds to the counters.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Contribution {
    pub(super) class: Option<i32>,
    pub(super) scored: bool,
    pub(super) is_threat: bool,
    pub(super) is_attack: bool,
}

impl Contribution {
    pub(super) fn of(verdict: &NewVerdict<'_>, attack: Option<AttackPart<i32>>) -> Self {
        Self {
            class: attack.map(|attack| attack.class),
            scored: verdict.threat.is_some(),
            is_threat: verdict.threat.is_some_and(|threat| threat.is_threat),
            is_attack: attack.is_some_and(|attack| attack.is_attack),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cell {
    partition: i64,
    minute: i64,
    class: i32,
}

/// The change that a transaction makes to the counters of a stream, collected first and written
/// once.
#[derive(Debug, Default)]
pub(super) struct Change {
    tallies: Tallies<Cell>,
}

impl Change {
    /// A row comes.
    pub(super) fn add(&mut self, partition: i64, created_at: Timestamp, row: Contribution) {
        self.count(partition, created_at, row, 1);
    }

    /// A row goes.
    pub(super) fn remove(&mut self, partition: i64, created_at: Timestamp, row: Contribution) {
        self.count(partition, created_at, row, -1);
    }

    fn count(&mut self, partition: i64, created_at: Timestamp, row: Contribution, sign: i64) {
        let cell = Cell {
            partition,
            minute: created_at.seconds().div_euclid(MINUTE) * MINUTE,
            class: row.class.unwrap_or(NO_CLASS),
        };
        let tally = Tally::of_row(row.scored, row.is_threat, row.is_attack, sign);
        self.tallies.add(cell, tally);
    }

    /// Makes the change. Tables and rows are taken in the same order by everybody, so that of two
    /// transactions one waits for the other and never both.
    pub(super) fn write(self, session: &mut Session, stream: i32) -> Result<()> {
        let mut streams = BTreeMap::<_, Tally>::new();
        let mut classes = BTreeMap::<_, Tally>::new();
        let mut periods = BTreeMap::<_, Tally>::new();
        for (cell, tally) in self.tallies.into_cells() {
            let Cell {
                partition,
                minute,
                class,
            } = cell;
            let hour = minute.div_euclid(HOUR) * HOUR;
            streams.entry((partition, class)).or_default().add(tally);
            classes.entry((partition, class)).or_default().add(tally);
            for period in [(MINUTE, minute), (HOUR, hour)] {
                let key = (period.0 as i32, period.1, class, partition);
                periods.entry(key).or_default().add(tally);
            }
        }
        write_streams(session, stream, &streams)?;
        write_periods(session, &periods)?;
        // Last, since every writer wants these rows: they are locked for the shortest time.
        write_classes(session, &classes)
    }
}

/// What follows the keys in each statement: the sums, as four arrays.
struct Sums {
    total: Vec<i64>,
    scored: Vec<i64>,
    threats: Vec<i64>,
    attacks: Vec<i64>,
}

impl Sums {
    fn of<K>(tallies: &BTreeMap<K, Tally>) -> Self {
        let column =
            |field: fn(&Tally) -> i64| -> Vec<i64> { tallies.values().map(field).collect() };
        Self {
            total: column(|tally| tally.total),
            scored: column(|tally| tally.scored),
            threats: column(|tally| tally.threats),
            attacks: column(|tally| tally.attacks),
        }
    }

    /// Only what rows went from can have come to nothing.
    fn may_be_nothing(&self) -> bool {
        self.total.iter().any(|&total| total <= 0)
    }
}

const ADD: &str = "DO UPDATE SET total = counts.total + excluded.total, \
     scored = counts.scored + excluded.scored, threats = counts.threats + excluded.threats, \
     attacks = counts.attacks + excluded.attacks";

fn write_streams(
    session: &mut Session,
    stream: i32,
    tallies: &BTreeMap<(i64, i32), Tally>,
) -> Result<()> {
    let (partitions, classes): (Vec<i64>, Vec<i32>) = tallies.keys().copied().unzip();
    let sums = Sums::of(tallies);
    session.execute(
        &format!(
            "INSERT INTO stream_counts AS counts (stream, partition, class, total, scored, \
             threats, attacks) SELECT $1, * FROM unnest($2::bigint[], $3::int[], $4::bigint[], \
             $5::bigint[], $6::bigint[], $7::bigint[]) ON CONFLICT (stream, partition, class) {ADD}"
        ),
        &[
            &stream,
            &partitions,
            &classes,
            &sums.total,
            &sums.scored,
            &sums.threats,
            &sums.attacks,
        ],
    )?;
    if sums.may_be_nothing() {
        session.execute(
            "DELETE FROM stream_counts WHERE stream = $1 AND total = 0",
            &[&stream],
        )?;
    }
    Ok(())
}

fn write_periods(
    session: &mut Session,
    tallies: &BTreeMap<(i32, i64, i32, i64), Tally>,
) -> Result<()> {
    let lengths: Vec<i32> = tallies.keys().map(|key| key.0).collect();
    let starts: Vec<i64> = tallies.keys().map(|key| key.1).collect();
    let classes: Vec<i32> = tallies.keys().map(|key| key.2).collect();
    let partitions: Vec<i64> = tallies.keys().map(|key| key.3).collect();
    let sums = Sums::of(tallies);
    session.execute(
        &format!(
            "INSERT INTO period_counts AS counts (period_seconds, start, class, partition, total, \
             scored, threats, attacks) SELECT * FROM unnest($1::int[], $2::bigint[], $3::int[], \
             $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[]) \
             ON CONFLICT (period_seconds, start, class, partition) {ADD}"
        ),
        &[
            &lengths,
            &starts,
            &classes,
            &partitions,
            &sums.total,
            &sums.scored,
            &sums.threats,
            &sums.attacks,
        ],
    )?;
    if sums.may_be_nothing() {
        session.execute(
            "DELETE FROM period_counts USING unnest($1::int[], $2::bigint[], $3::int[], \
             $4::bigint[]) AS touched (period_seconds, start, class, partition) \
             WHERE period_counts.period_seconds = touched.period_seconds \
             AND period_counts.start = touched.start AND period_counts.class = touched.class \
             AND period_counts.partition = touched.partition AND total = 0",
            &[&lengths, &starts, &classes, &partitions],
        )?;
    }
    Ok(())
}

fn write_classes(session: &mut Session, tallies: &BTreeMap<(i64, i32), Tally>) -> Result<()> {
    let (partitions, classes): (Vec<i64>, Vec<i32>) = tallies.keys().copied().unzip();
    let sums = Sums::of(tallies);
    session.execute(
        &format!(
            "INSERT INTO class_counts AS counts (partition, class, total, scored, threats, \
             attacks) SELECT * FROM unnest($1::bigint[], $2::int[], $3::bigint[], $4::bigint[], \
             $5::bigint[], $6::bigint[]) ON CONFLICT (partition, class) {ADD}"
        ),
        &[
            &partitions,
            &classes,
            &sums.total,
            &sums.scored,
            &sums.threats,
            &sums.attacks,
        ],
    )?;
    if sums.may_be_nothing() {
        session.execute(
            "DELETE FROM class_counts USING unnest($1::bigint[], $2::int[]) \
             AS touched (partition, class) WHERE class_counts.partition = touched.partition \
             AND class_counts.class = touched.class AND total = 0",
            &[&partitions, &classes],
        )?;
    }
    Ok(())
}

/// Takes a partition out of all counters; how many rows it had.
pub(super) fn drop_partition(session: &mut Session, partition: i64) -> Result<u64> {
    let row = session.query_one(
        "SELECT coalesce(sum(total), 0)::bigint FROM class_counts WHERE partition = $1",
        &[&partition],
    )?;
    for table in [
        "stream_counts",
        "period_counts",
        "class_counts",
        "stream_spans",
        "partitions",
    ] {
        session.execute(
            &format!("DELETE FROM {table} WHERE partition = $1"),
            &[&partition],
        )?;
    }
    Ok(row.get::<_, i64>(0).cast_unsigned())
}

const COUNTS: &str = "coalesce(sum(total), 0)::bigint, coalesce(sum(scored), 0)::bigint, \
     coalesce(sum(threats), 0)::bigint, \
     coalesce(sum(total) FILTER (WHERE class <> 0), 0)::bigint, coalesce(sum(attacks), 0)::bigint";

fn counts(row: &Row) -> Counts {
    let number = |column| row.get::<_, i64>(column).cast_unsigned();
    Counts {
        total: number(0),
        scored: number(1),
        threats: number(2),
        classified: number(3),
        attacks: number(4),
    }
}

pub(super) fn all(session: &mut Session) -> Result<Counts> {
    let sql = format!("SELECT {COUNTS} FROM class_counts");
    Ok(counts(&session.query_one(&sql, &[])?))
}

pub(super) fn of_stream(session: &mut Session, stream: i32) -> Result<Counts> {
    let sql = format!("SELECT {COUNTS} FROM stream_counts WHERE stream = $1");
    Ok(counts(&session.query_one(&sql, &[&stream])?))
}

pub(super) fn by_class(session: &mut Session) -> Result<Vec<ClassCount>> {
    class_counts(session, "class_counts WHERE class <> 0", &[])
}

pub(super) fn by_class_of_stream(session: &mut Session, stream: i32) -> Result<Vec<ClassCount>> {
    let from = "stream_counts WHERE stream = $1 AND class <> 0";
    class_counts(session, from, &[&stream])
}

fn class_counts(session: &mut Session, from: &str, params: Params<'_>) -> Result<Vec<ClassCount>> {
    let sql = format!(
        "SELECT name, total, attacks, threats FROM (SELECT class, sum(total)::bigint AS total, \
         sum(attacks)::bigint AS attacks, sum(threats)::bigint AS threats FROM {from} \
         GROUP BY class) AS counts JOIN names ON names.id = class ORDER BY total DESC, name"
    );
    let rows = session.query(&sql, params)?;
    Ok(rows
        .iter()
        .map(|row| {
            let number = |column| row.get::<_, i64>(column).cast_unsigned();
            ClassCount {
                class: row.get::<_, Plain>(0).0,
                total: number(1),
                attacks: number(2),
                threats: number(3),
            }
        })
        .collect())
}

/// The classes that some verdict has.
pub(super) fn present_classes(session: &mut Session) -> Result<Vec<i32>> {
    let sql = "SELECT DISTINCT class FROM class_counts WHERE class <> 0 ORDER BY class";
    let rows = session.query(sql, &[])?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

pub(super) fn timeline(
    session: &mut Session,
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
    let rows = session.query(
        "SELECT (start - $2) / $4, sum(total)::bigint, sum(scored)::bigint, \
         sum(threats)::bigint, sum(attacks)::bigint FROM period_counts \
         WHERE period_seconds = $1 AND start >= $2 AND start < $3 GROUP BY 1",
        &[
            &(buckets.period() as i32),
            &buckets.first,
            &buckets.end(),
            &buckets.seconds,
        ],
    )?;
    for row in &rows {
        let number = |column| row.get::<_, i64>(column).cast_unsigned();
        if let Some(point) = points.get_mut(number(0) as usize) {
            point.total = number(1);
            point.scored = number(2);
            point.threats = number(3);
            point.attacks = number(4);
        }
    }
    Ok(Timeline {
        bucket_seconds: buckets.seconds as u64,
        points,
    })
}
