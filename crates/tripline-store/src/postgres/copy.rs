//! Moves an embedded store into an empty PostgreSQL one: in one transaction, with all numbers as
//! they are, so that every identifier and cursor that somebody has stays good.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
};

use bytes::BytesMut;
use rusqlite::types::Value;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

use super::{
    PostgresStore,
    append::write_spans,
    counters::{Change, Contribution},
    failure::{Failure, damaged},
    partitions,
    rows::{COPY, Rows},
    session::{Mode, Session},
    text::Text,
};
use crate::{
    AttackPart, NamedPart, NewVerdict, Result, Source, SqliteStore, Stage, Store, StoreError,
    ThreatPart, Timestamp, id::Place,
};

/// How far a copy has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyProgress {
    /// What is being copied.
    pub table: &'static str,
    /// Rows of it copied.
    pub rows: u64,
    /// Rows of it that there are.
    pub of: u64,
}

/// What a copy moved, as it was counted on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Copied {
    /// Verdicts.
    pub verdicts: u64,
    /// Rows of all other tables.
    pub others: u64,
}

/// Table, columns, and the one that numbers its rows. Leases are not taken along: whoever held one
/// does not hold it there.
const TABLES: [(&str, &str, Option<&str>); 12] = [
    ("names", "id, name", Some("id")),
    (
        "provenances",
        "id, canonical, schema_name, schema_version, schema_fingerprint, detector_name, \
         detector_version, detector_threshold, classifier_name, classifier_version, \
         classifier_threshold, namer_name, namer_version, namer_threshold",
        Some("id"),
    ),
    (
        "streams",
        "stream, key, source, is_batch, status, file_name, schema_name, created_at, finished_at, \
         bytes_total, bytes_read, rows_read, rows_scored, rows_rejected, error, rows_appended, \
         last_sequence",
        Some("stream"),
    ),
    ("reports", "stream, report", None),
    ("sources", "name, key, is_enabled, config, updated_at", None),
    ("model_blobs", "digest, bytes", None),
    (
        "models",
        "id, digest, bytes, name, version, role, schema_name, slot, stage, origin, parent, \
         description, notes, tags, original_filename, file_format, source_digest, uploaded_by, \
         manifest, checks, signature_key, signature_trusted, signature_comment, created_at, \
         stage_changed_at, deleted_at",
        None,
    ),
    ("model_reports", "model, report", None),
    (
        "model_events",
        "number, model, at, actor, kind, from_stage, to_stage, reason, details",
        Some("number"),
    ),
    (
        "labels",
        "id, verdict, is_attack, attack_type, author, note, state, state_reason, schema_name, \
         features, detector, classifier, probability, called_threat, called_class, created_at, \
         reviewed_at, reviewed_by",
        Some("id"),
    ),
    ("tasks", "key, value, revision, updated_at", None),
    ("records", "kind, subject, at, value", None),
];
const MESSAGES: (&str, &str, Option<&str>) = (
    "messages",
    "number, target, event, body, created_at, state, attempts, next_at, last_error",
    Some("number"),
);

const VERDICT: &str = "SELECT id, created_at, source, provenance, row_number, score, is_threat, \
     class, class_id, is_attack, confidence, named, named_confidence, label, features, reasons, \
     stage, flow FROM verdicts WHERE id > ?1 ORDER BY id LIMIT 20000";
const VERDICT_COLUMNS: usize = 18;

impl PostgresStore {
    /// Takes everything over from an embedded store. The store has to be empty; all is copied and
    /// counted on both sides, or nothing is.
    pub fn copy_from(
        &self,
        from: &SqliteStore,
        mut tell: impl FnMut(CopyProgress),
    ) -> Result<Copied> {
        self.call(|session| {
            let owner = self.pool.owner;
            session.transaction(Mode::Write, |session| copy(session, from, owner, &mut tell))
        })
    }
}

fn copy(
    session: &mut Session,
    from: &SqliteStore,
    owner: i32,
    tell: &mut dyn FnMut(CopyProgress),
) -> super::failure::Result<Copied> {
    // Nobody else begins to write meanwhile.
    session.batch("LOCK TABLE streams, registry_epoch IN EXCLUSIVE MODE")?;
    for table in ["streams", "models", "labels", "tasks", "sources"] {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM {table})");
        if session.query_one(&sql, &[])?.get::<_, bool>(0) {
            let found = format!("not empty: its table {table} has rows");
            return Err(StoreError::invalid("database", found, "an empty one").into());
        }
    }
    session.batch("DELETE FROM names; DELETE FROM provenances")?;
    let mut copied = Copied::default();
    for (table, columns, number) in TABLES.into_iter().chain([MESSAGES]) {
        copied.others += copy_table(session, from, (table, columns, number), owner, tell)?;
    }
    let epoch = single(from, "SELECT epoch FROM registry_epoch")?;
    session.execute("UPDATE registry_epoch SET epoch = $1", &[&epoch])?;
    copied.verdicts = copy_verdicts(session, from, tell)?;
    check(session, from, copied.verdicts)?;
    Ok(copied)
}

fn copy_table(
    session: &mut Session,
    from: &SqliteStore,
    (table, columns, number): (&'static str, &str, Option<&str>),
    owner: i32,
    tell: &mut dyn FnMut(CopyProgress),
) -> super::failure::Result<u64> {
    let of = single(from, &format!("SELECT count(*) FROM {table}"))?.cast_unsigned();
    let width = columns.split(',').count();
    let mut places: Vec<String> = (1..=width).map(|at| format!("${at}")).collect();
    let mut into = columns.to_owned();
    if table == "streams" {
        into.push_str(", owner");
        places.push(owner.to_string());
    }
    let sql = format!(
        "INSERT INTO {table} ({into}) OVERRIDING SYSTEM VALUE VALUES ({})",
        places.join(", ")
    );
    let mut rows = 0;
    from.raw_rows(
        &format!("SELECT {columns} FROM {table}"),
        width,
        None,
        |values| {
            let values: Vec<Raw> = values.into_iter().map(Raw).collect();
            let params: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
            session.execute(&sql, &params)?;
            rows += 1;
            if rows % 1000 == 0 {
                tell(CopyProgress { table, rows, of });
            }
            Ok::<_, Failure>(())
        },
    )??;
    tell(CopyProgress { table, rows, of });
    let there: i64 = session
        .query_one(&format!("SELECT count(*) FROM {table}"), &[])?
        .get(0);
    same(table, there, of.cast_signed())?;
    if let Some(number) = number {
        // Numbers of rows that are gone are not given again either.
        let highest = single(
            from,
            &format!(
                "SELECT max(coalesce((SELECT max({number}) FROM {table}), 0), coalesce((SELECT seq \
                 FROM sqlite_sequence WHERE name = '{table}'), 0))"
            ),
        )?;
        session.query(
            &format!(
                "SELECT setval(pg_get_serial_sequence('{table}', '{number}'), $1::bigint, true) \
                 WHERE $1::bigint > 0"
            ),
            &[&highest],
        )?;
    }
    Ok(rows)
}

fn copy_verdicts(
    session: &mut Session,
    from: &SqliteStore,
    tell: &mut dyn FnMut(CopyProgress),
) -> super::failure::Result<u64> {
    let table = "verdicts";
    let of = from.totals()?.counts.total;
    let partition_seconds = partitions::seconds(session)?;
    let (mut rows, mut last) = (0, i64::MIN);
    loop {
        let mut block = Vec::new();
        from.raw_rows(VERDICT, VERDICT_COLUMNS, Some(last), |values| {
            block.push(values);
            Ok::<_, Failure>(())
        })??;
        if block.is_empty() {
            break;
        }
        let mut written = Rows::new();
        let mut streams: BTreeMap<u32, (Change, BTreeMap<i64, [i64; 4]>)> = BTreeMap::new();
        let mut starts = BTreeSet::new();
        for values in &block {
            let row = Row(values);
            let key = row.long(0).unwrap_or_default();
            let place = Place::from_row_key(key);
            last = key;
            let (verdict, source, attack) = row.verdict(place)?;
            let provenance = row.int(3).unwrap_or_default();
            written.add(key, source, provenance, attack, &verdict);
            let partition = partitions::start_of(verdict.created_at, partition_seconds);
            starts.insert(partition);
            let (change, spans) = streams.entry(place.stream).or_default();
            change.add(
                partition,
                verdict.created_at,
                Contribution::of(&verdict, attack),
            );
            let (sequence, time) = (place.sequence.cast_signed(), verdict.created_at.0);
            let span = spans
                .entry(partition)
                .or_insert([sequence, sequence, time, time]);
            span[1] = sequence;
            span[2] = span[2].min(time);
            span[3] = span[3].max(time);
        }
        // A store with few rows a day has many days in a block: no reason to refuse it here.
        for start in starts {
            partitions::ensure_here(session, &BTreeSet::from([start]))?;
        }
        session.copy_in(COPY, written.finish())?;
        for (stream, (change, spans)) in streams {
            write_spans(session, stream.cast_signed(), &spans)?;
            change.write(session, stream.cast_signed())?;
        }
        rows += block.len() as u64;
        tell(CopyProgress { table, rows, of });
    }
    Ok(rows)
}

/// Counts what is there now beside what was there, by the rows and by the counters.
fn check(session: &mut Session, from: &SqliteStore, copied: u64) -> super::failure::Result<()> {
    let here = session.query_one(
        "SELECT count(*), coalesce(sum(octet_length(features) + octet_length(reasons)), 0)::bigint, \
         coalesce(sum(created_at / 1000000), 0)::bigint FROM verdicts",
        &[],
    )?;
    let bytes = "SELECT coalesce(sum(length(features) + length(reasons)), 0) FROM verdicts";
    let times = "SELECT coalesce(sum(created_at / 1000000), 0) FROM verdicts";
    same("verdicts", here.get(0), copied.cast_signed())?;
    same("bytes of features", here.get(1), single(from, bytes)?)?;
    same("sum of times", here.get(2), single(from, times)?)?;
    let (there, here) = (from.totals()?.counts, super::counters::all(session)?);
    for (what, here, there) in [
        ("verdicts counted", here.total, there.total),
        ("scored verdicts", here.scored, there.scored),
        ("threats", here.threats, there.threats),
        ("classified verdicts", here.classified, there.classified),
        ("attacks", here.attacks, there.attacks),
    ] {
        same(what, here.cast_signed(), there.cast_signed())?;
    }
    Ok(())
}

fn same(what: &str, here: i64, there: i64) -> super::failure::Result<()> {
    if here == there {
        return Ok(());
    }
    Err(StoreError::Conflict {
        what: format!("number of {what} after the copy"),
        found: here.to_string(),
        expected: there.to_string(),
    }
    .into())
}

fn single(from: &SqliteStore, sql: &str) -> super::failure::Result<i64> {
    let mut found = 0;
    from.raw_rows(sql, 1, None, |values| {
        found = Row(&values).long(0).unwrap_or_default();
        Ok::<_, Failure>(())
    })??;
    Ok(found)
}

/// A value of SQLite as the column of PostgreSQL takes it.
#[derive(Debug)]
struct Raw(Value);

impl ToSql for Raw {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match (&self.0, kind) {
            (Value::Null, _) => Ok(IsNull::Yes),
            (Value::Integer(value), &Type::BOOL) => (*value != 0).to_sql(kind, out),
            (Value::Integer(value), &Type::INT2) => i16::try_from(*value)?.to_sql(kind, out),
            (Value::Integer(value), &Type::INT4) => i32::try_from(*value)?.to_sql(kind, out),
            (Value::Integer(value), _) => value.to_sql(kind, out),
            (Value::Real(value), _) => value.to_sql(kind, out),
            (Value::Text(value), _) => Text(value).to_sql(kind, out),
            (Value::Blob(value), &Type::UUID) => Uuid::from_slice(value)?.to_sql(kind, out),
            (Value::Blob(value), _) => value.to_sql(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A row of the embedded table of verdicts.
struct Row<'a>(&'a [Value]);

impl<'a> Row<'a> {
    fn long(&self, column: usize) -> Option<i64> {
        match self.0.get(column) {
            Some(&Value::Integer(value)) => Some(value),
            _ => None,
        }
    }

    fn int(&self, column: usize) -> Option<i32> {
        self.long(column).map(|value| value as i32)
    }

    fn float(&self, column: usize) -> Option<f64> {
        match self.0.get(column) {
            Some(&Value::Real(value)) => Some(value),
            _ => None,
        }
    }

    fn flag(&self, column: usize) -> bool {
        self.long(column) == Some(1)
    }

    fn bytes(&self, column: usize) -> Option<&'a [u8]> {
        match self.0.get(column) {
            Some(Value::Blob(bytes)) => Some(bytes),
            _ => None,
        }
    }

    fn text(&self, column: usize) -> Option<&'a str> {
        match self.0.get(column) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The attack's names stay numbers, which are the same on both sides.
    fn verdict(
        &self,
        place: Place,
    ) -> super::failure::Result<(NewVerdict<'a>, Source, Option<AttackPart<i32>>)> {
        let code = |what, column| {
            self.long(column)
                .ok_or_else(|| damaged(what, i64::try_from(column).unwrap_or_default()))
        };
        let (source, stage) = (code("source", 2)?, code("stage", 16)?);
        let attack = self.int(7).map(|class| AttackPart {
            class,
            class_id: self.long(8).unwrap_or_default() as u32,
            is_attack: self.flag(9),
            confidence: self.float(10).unwrap_or_default(),
            named: self.int(11).map(|label| NamedPart {
                label,
                confidence: self.float(12).unwrap_or_default(),
            }),
        });
        let verdict = NewVerdict {
            sequence: place.sequence,
            stage: Stage::from_code(stage).ok_or_else(|| damaged("stage", stage))?,
            created_at: Timestamp(self.long(1).unwrap_or_default()),
            row_number: self.long(4).map(i64::cast_unsigned),
            threat: self.float(5).map(|probability| ThreatPart {
                probability,
                is_threat: self.flag(6),
            }),
            attack: None,
            label: self.text(13),
            features: self.bytes(14).unwrap_or_default(),
            reasons: self.bytes(15).unwrap_or_default(),
            flow: self.bytes(17),
        };
        let source = Source::from_code(source).ok_or_else(|| damaged("source", source))?;
        Ok((verdict, source, attack))
    }
}
