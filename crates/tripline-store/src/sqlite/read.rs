use std::{collections::HashMap, sync::Arc};

use rusqlite::{Connection, OptionalExtension, Row};

use super::failure::{Result, damaged};
use crate::{
    AttackPart, BatchId, ModelRef, NamedPart, Provenance, Source, Stage, StoredVerdict, Stream,
    ThreatPart, Timestamp, VerdictId, id::Place,
};

/// The columns that [`Reading::verdict`] expects, in its order.
pub(super) const COLUMNS: &str = "id, created_at, source, provenance, row_number, score, \
     is_threat, class, class_id, is_attack, confidence, named, named_confidence, label, features, \
     reasons, stage, flow";

/// Turns rows into verdicts. The names, models and streams that a page refers to are few, so each
/// is looked up once instead of being joined to every row.
#[derive(Debug)]
pub(super) struct Reading<'c> {
    connection: &'c Connection,
    names: HashMap<i64, String>,
    provenances: HashMap<i64, Arc<Provenance>>,
    streams: HashMap<u32, (Stream, bool)>,
}

impl<'c> Reading<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self {
            connection,
            names: HashMap::new(),
            provenances: HashMap::new(),
            streams: HashMap::new(),
        }
    }

    /// All verdicts of a query that selects [`COLUMNS`].
    pub(super) fn verdicts(
        &mut self,
        sql: &str,
        params: impl rusqlite::Params,
    ) -> Result<Vec<StoredVerdict>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        let mut verdicts = Vec::new();
        while let Some(row) = rows.next()? {
            verdicts.push(self.verdict(row)?);
        }
        Ok(verdicts)
    }

    fn verdict(&mut self, row: &Row<'_>) -> Result<StoredVerdict> {
        let place = Place::from_row_key(row.get(0)?);
        let (stream, is_batch) = self.stream(place.stream)?;
        let source = row.get(2)?;
        let stage = row.get(16)?;
        let threat = match row.get::<_, Option<f64>>(5)? {
            Some(probability) => Some(ThreatPart {
                probability,
                is_threat: row.get(6)?,
            }),
            None => None,
        };
        let attack = match row.get::<_, Option<i64>>(7)? {
            Some(class) => Some(AttackPart {
                class: self.name(class)?,
                class_id: row.get(8)?,
                is_attack: row.get(9)?,
                confidence: row.get(10)?,
                named: match row.get::<_, Option<i64>>(11)? {
                    Some(named) => Some(NamedPart {
                        label: self.name(named)?,
                        confidence: row.get(12)?,
                    }),
                    None => None,
                },
            }),
            None => None,
        };
        Ok(StoredVerdict {
            id: stream.verdict_id(place.sequence),
            sequence: place.sequence,
            stage: Stage::from_code(stage).ok_or_else(|| damaged(16, stage))?,
            created_at: Timestamp(row.get(1)?),
            source: Source::from_code(source).ok_or_else(|| damaged(2, source))?,
            batch: is_batch.then(|| stream.key()),
            row_number: row.get::<_, Option<i64>>(4)?.map(i64::cast_unsigned),
            provenance: self.provenance(row.get(3)?)?,
            threat,
            attack,
            label: row.get(13)?,
            features: row.get(14)?,
            reasons: row.get(15)?,
            flow: row.get(17)?,
        })
    }

    fn name(&mut self, id: i64) -> Result<String> {
        if let Some(name) = self.names.get(&id) {
            return Ok(name.clone());
        }
        let name: String = self
            .connection
            .prepare_cached("SELECT name FROM names WHERE id = ?1")?
            .query_row([id], |row| row.get(0))?;
        self.names.insert(id, name.clone());
        Ok(name)
    }

    fn stream(&mut self, number: u32) -> Result<(Stream, bool)> {
        if let Some(&stream) = self.streams.get(&number) {
            return Ok(stream);
        }
        let (key, is_batch): ([u8; 16], bool) = self
            .connection
            .prepare_cached("SELECT key, is_batch FROM streams WHERE stream = ?1")?
            .query_row([number], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let stream = (
            Stream {
                number,
                key: BatchId::from_bytes(key),
            },
            is_batch,
        );
        self.streams.insert(number, stream);
        Ok(stream)
    }

    fn provenance(&mut self, id: i64) -> Result<Arc<Provenance>> {
        if let Some(provenance) = self.provenances.get(&id) {
            return Ok(Arc::clone(provenance));
        }
        let provenance = self
            .connection
            .prepare_cached(
                "SELECT schema_name, schema_version, schema_fingerprint, \
                 detector_name, detector_version, detector_threshold, \
                 classifier_name, classifier_version, classifier_threshold, \
                 namer_name, namer_version, namer_threshold FROM provenances WHERE id = ?1",
            )?
            .query_row([id], |row| {
                Ok(Provenance {
                    schema: row.get(0)?,
                    schema_version: row.get(1)?,
                    schema_fingerprint: row.get(2)?,
                    detector: model(row, 3)?,
                    classifier: model(row, 6)?,
                    namer: model(row, 9)?,
                })
            })?;
        let provenance = Arc::new(provenance);
        self.provenances.insert(id, Arc::clone(&provenance));
        Ok(provenance)
    }
}

fn model(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<ModelRef>> {
    let Some(name) = row.get(first)? else {
        return Ok(None);
    };
    Ok(Some(ModelRef {
        name,
        version: row.get(first + 1)?,
        threshold: row.get(first + 2)?,
    }))
}

/// The verdict with this identifier, when its check bits are those of the stream.
pub(super) fn get(connection: &Connection, id: VerdictId) -> Result<Option<StoredVerdict>> {
    let place = id.place();
    let known = connection
        .prepare_cached("SELECT 1 FROM verdicts WHERE id = ?1")?
        .query_row([place.row_key()], |_| Ok(()))
        .optional()?;
    if known.is_none() {
        return Ok(None);
    }
    let mut reading = Reading::new(connection);
    if reading.stream(place.stream)?.0.verdict_id(place.sequence) != id {
        return Ok(None);
    }
    let sql = format!("SELECT {COLUMNS} FROM verdicts WHERE id = ?1");
    Ok(reading.verdicts(&sql, [place.row_key()])?.pop())
}

pub(super) fn of_stream(
    connection: &Connection,
    stream: i64,
    after_sequence: Option<u64>,
    limit: usize,
) -> Result<Vec<StoredVerdict>> {
    let stream = stream as u32;
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
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let sql =
        format!("SELECT {COLUMNS} FROM verdicts WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT ?3");
    Reading::new(connection).verdicts(&sql, (start, last, limit))
}
