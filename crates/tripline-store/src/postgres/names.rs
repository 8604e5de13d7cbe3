//! Names, provenances and streams: few, never changed, referred to by number from each row. They
//! are kept in memory, so that a page of verdicts is one query.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, MutexGuard, PoisonError},
};

use tokio_postgres::Row;

use super::{failure::Result, session::Session, text::Plain, text::Text};
use crate::{BatchId, ModelRef, Provenance, Stream};

/// Streams come with each upload; beyond this many, those in memory are forgotten.
const MOST_STREAMS: usize = 10_000;

/// What is known of the database, until a connection is lost: it may be another one then.
#[derive(Debug, Default)]
pub(super) struct Known {
    names: HashMap<i32, String>,
    name_numbers: HashMap<String, i32>,
    provenances: HashMap<i32, Arc<Provenance>>,
    provenance_numbers: HashMap<String, i32>,
    streams: HashMap<u32, (Stream, bool)>,
    /// The seconds at which partitions start.
    pub(super) partitions: BTreeSet<i64>,
    /// The length of a partition in seconds.
    pub(super) partition_seconds: Option<i64>,
}

fn known(session: &Session) -> MutexGuard<'_, Known> {
    session.known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The number of a name, which is written when it is new: on its own, outside of a transaction, so
/// that the number is good whatever becomes of the rows that it is for.
pub(super) fn number_of(session: &mut Session, name: &str) -> Result<i32> {
    if let Some(&number) = known(session).name_numbers.get(name) {
        return Ok(number);
    }
    let number = match number_in_database(session, name)? {
        Some(number) => number,
        None => {
            session.execute(
                "INSERT INTO names (name) VALUES ($1) ON CONFLICT DO NOTHING",
                &[&Text(name)],
            )?;
            let sql = "SELECT id FROM names WHERE name = $1";
            session.query_one(sql, &[&Text(name)])?.get(0)
        }
    };
    known(session).name_numbers.insert(name.to_owned(), number);
    Ok(number)
}

/// The number of a name, when some verdict has had it.
pub(super) fn number_in_database(session: &mut Session, name: &str) -> Result<Option<i32>> {
    let row = session.query_opt("SELECT id FROM names WHERE name = $1", &[&Text(name)])?;
    Ok(row.map(|row| row.get(0)))
}

pub(super) fn name(session: &mut Session, number: i32) -> Result<String> {
    if let Some(name) = known(session).names.get(&number) {
        return Ok(name.clone());
    }
    let row = session.query_one("SELECT name FROM names WHERE id = $1", &[&number])?;
    let Plain(name) = row.get(0);
    known(session).names.insert(number, name.clone());
    Ok(name)
}

/// The number of a provenance; see [`number_of`].
pub(super) fn provenance_number(session: &mut Session, provenance: &Provenance) -> Result<i32> {
    const FIND: &str = "SELECT id FROM provenances WHERE canonical = $1";
    let canonical = provenance.canonical();
    if let Some(&number) = known(session).provenance_numbers.get(&canonical) {
        return Ok(number);
    }
    let row = match session.query_opt(FIND, &[&Text(&canonical)])? {
        Some(row) => row,
        None => {
            insert_provenance(session, provenance, &canonical)?;
            session.query_one(FIND, &[&Text(&canonical)])?
        }
    };
    let number = row.get(0);
    known(session).provenance_numbers.insert(canonical, number);
    Ok(number)
}

fn insert_provenance(
    session: &mut Session,
    provenance: &Provenance,
    canonical: &str,
) -> Result<()> {
    let models = [
        &provenance.detector,
        &provenance.classifier,
        &provenance.namer,
    ];
    let [detector, classifier, namer] = models.map(|model| {
        model
            .as_ref()
            .map(|model| (Text(&model.name), Text(&model.version), model.threshold))
    });
    session.execute(
        "INSERT INTO provenances (canonical, schema_name, schema_version, schema_fingerprint, \
         detector_name, detector_version, detector_threshold, \
         classifier_name, classifier_version, classifier_threshold, \
         namer_name, namer_version, namer_threshold) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING",
        &[
            &Text(canonical),
            &Text(&provenance.schema),
            &i64::from(provenance.schema_version),
            &Text(&provenance.schema_fingerprint),
            &detector.map(|model| model.0),
            &detector.map(|model| model.1),
            &detector.and_then(|model| model.2),
            &classifier.map(|model| model.0),
            &classifier.map(|model| model.1),
            &classifier.and_then(|model| model.2),
            &namer.map(|model| model.0),
            &namer.map(|model| model.1),
            &namer.and_then(|model| model.2),
        ],
    )?;
    Ok(())
}

pub(super) fn provenance(session: &mut Session, number: i32) -> Result<Arc<Provenance>> {
    if let Some(provenance) = known(session).provenances.get(&number) {
        return Ok(Arc::clone(provenance));
    }
    let row = session.query_one(
        "SELECT schema_name, schema_version, schema_fingerprint, \
         detector_name, detector_version, detector_threshold, \
         classifier_name, classifier_version, classifier_threshold, \
         namer_name, namer_version, namer_threshold FROM provenances WHERE id = $1",
        &[&number],
    )?;
    let provenance = Arc::new(Provenance {
        schema: row.get::<_, Plain>(0).0,
        schema_version: row.get::<_, i64>(1) as u32,
        schema_fingerprint: row.get::<_, Plain>(2).0,
        detector: model(&row, 3),
        classifier: model(&row, 6),
        namer: model(&row, 9),
    });
    let kept = Arc::clone(&provenance);
    known(session).provenances.insert(number, kept);
    Ok(provenance)
}

fn model(row: &Row, first: usize) -> Option<ModelRef> {
    let Plain(name) = row.get::<_, Option<Plain>>(first)?;
    Some(ModelRef {
        name,
        version: row
            .get::<_, Option<Plain>>(first + 1)
            .map(|version| version.0)
            .unwrap_or_default(),
        threshold: row.get(first + 2),
    })
}

/// The stream with this number, and whether it is a batch; it outlives its row in the database, for
/// a number is never given twice.
pub(super) fn stream(session: &mut Session, number: u32) -> Result<Option<(Stream, bool)>> {
    if let Some(&stream) = known(session).streams.get(&number) {
        return Ok(Some(stream));
    }
    let row = session.query_opt(
        "SELECT key, is_batch FROM streams WHERE stream = $1",
        &[&number.cast_signed()],
    )?;
    let Some(row) = row else {
        return Ok(None);
    };
    let key = BatchId::from_bytes(*row.get::<_, uuid::Uuid>(0).as_bytes());
    let stream = (Stream { number, key }, row.get(1));
    let mut known = known(session);
    if known.streams.len() >= MOST_STREAMS {
        known.streams.clear();
    }
    known.streams.insert(number, stream);
    Ok(Some(stream))
}
