use tokio_postgres::Row;

use super::{
    batches::limit_of,
    failure::{Result, damaged},
    names,
    session::{Params, Session},
    text::Plain,
};
use crate::{
    AttackPart, NamedPart, Source, Stage, StoredVerdict, ThreatPart, Timestamp, VerdictId,
    id::Place,
};

/// The columns that [`verdicts`] expects, in its order.
pub(super) const COLUMNS: &str = "id, created_at, source, provenance, row_number, score, \
     is_threat, class, class_id, is_attack, confidence, named, named_confidence, label, features, \
     reasons, stage, flow";

/// All verdicts of a query that selects [`COLUMNS`].
pub(super) fn verdicts(
    session: &mut Session,
    sql: &str,
    params: Params<'_>,
) -> Result<Vec<StoredVerdict>> {
    let rows = session.query(sql, params)?;
    rows.iter().map(|row| verdict(session, row)).collect()
}

fn verdict(session: &mut Session, row: &Row) -> Result<StoredVerdict> {
    let place = Place::from_row_key(row.get(0));
    let (stream, is_batch) = names::stream(session, place.stream)?
        .ok_or_else(|| damaged("stream of a verdict", i64::from(place.stream)))?;
    let source = i64::from(row.get::<_, i16>(2));
    let stage = i64::from(row.get::<_, i16>(16));
    let threat = row.get::<_, Option<f64>>(5).map(|probability| ThreatPart {
        probability,
        is_threat: row.get::<_, Option<bool>>(6).unwrap_or_default(),
    });
    let attack = match row.get::<_, Option<i32>>(7) {
        Some(class) => Some(AttackPart {
            class: names::name(session, class)?,
            class_id: row
                .get::<_, Option<i32>>(8)
                .unwrap_or_default()
                .cast_unsigned(),
            is_attack: row.get::<_, Option<bool>>(9).unwrap_or_default(),
            confidence: row.get::<_, Option<f64>>(10).unwrap_or_default(),
            named: match row.get::<_, Option<i32>>(11) {
                Some(named) => Some(NamedPart {
                    label: names::name(session, named)?,
                    confidence: row.get::<_, Option<f64>>(12).unwrap_or_default(),
                }),
                None => None,
            },
        }),
        None => None,
    };
    Ok(StoredVerdict {
        id: stream.verdict_id(place.sequence),
        sequence: place.sequence,
        stage: Stage::from_code(stage).ok_or_else(|| damaged("stage", stage))?,
        created_at: Timestamp(row.get(1)),
        source: Source::from_code(source).ok_or_else(|| damaged("source", source))?,
        batch: is_batch.then(|| stream.key()),
        row_number: row.get::<_, Option<i64>>(4).map(i64::cast_unsigned),
        provenance: names::provenance(session, row.get(3))?,
        threat,
        attack,
        label: row.get::<_, Option<Plain>>(13).map(|label| label.0),
        features: row.get(14),
        reasons: row.get(15),
        flow: row.get(17),
    })
}

/// The verdict with this identifier, when its check bits are those of the stream. The stream tells
/// in which partitions it can be.
pub(super) fn get(session: &mut Session, id: VerdictId) -> Result<Option<StoredVerdict>> {
    let place = id.place();
    let Some((stream, _)) = names::stream(session, place.stream)? else {
        return Ok(None);
    };
    if stream.verdict_id(place.sequence) != id {
        return Ok(None);
    }
    let sql = format!(
        "SELECT {COLUMNS} FROM stream_spans CROSS JOIN LATERAL (SELECT * FROM verdicts \
         WHERE id = $3 AND created_at >= first_created_at AND created_at <= last_created_at) \
         AS found WHERE stream = $1 AND first_sequence <= $2 AND last_sequence >= $2 LIMIT 1"
    );
    let found = verdicts(
        session,
        &sql,
        &[
            &place.stream.cast_signed(),
            &place.sequence.cast_signed(),
            &place.row_key(),
        ],
    )?;
    Ok(found.into_iter().next())
}

pub(super) fn of_stream(
    session: &mut Session,
    stream: i32,
    after_sequence: Option<u64>,
    limit: usize,
) -> Result<Vec<StoredVerdict>> {
    let stream = stream.cast_unsigned();
    let (first, last) = Place::span(stream);
    let start = match after_sequence {
        None => first,
        Some(after) if after >= crate::MAX_SEQUENCE => return Ok(Vec::new()),
        Some(after) => Place {
            stream,
            sequence: after + 1,
        }
        .row_key(),
    };
    let Some((from, to)) = span(session, "stream = $1", &[&stream.cast_signed()])? else {
        return Ok(Vec::new());
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM verdicts WHERE id BETWEEN $1 AND $2 \
         AND created_at >= $3 AND created_at <= $4 ORDER BY id LIMIT {}",
        limit_of(limit)
    );
    verdicts(session, &sql, &[&start, &last, &from, &to])
}

/// First and last time at which the streams have a verdict.
pub(super) fn span(
    session: &mut Session,
    which: &str,
    params: Params<'_>,
) -> Result<Option<(i64, i64)>> {
    let sql = format!(
        "SELECT min(first_created_at), max(last_created_at) FROM stream_spans WHERE {which}"
    );
    let row = session.query_one(&sql, params)?;
    let (first, last): (Option<i64>, Option<i64>) = (row.get(0), row.get(1));
    Ok(first.zip(last))
}
