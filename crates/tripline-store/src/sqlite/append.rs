use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::{
    counters::{Change, Contribution},
    failure::Result,
};
use crate::{
    AppendOutcome, BatchId, NewVerdict, Provenance, Source, Stage, StoreError, Stream, Timestamp,
    id::Place, verdict::AttackPart,
};

/// Names and provenances whose numbers the writer knows. Both come from models, so they are few.
#[derive(Debug, Default)]
pub(super) struct Interned {
    names: HashMap<String, i64>,
    provenances: HashMap<String, i64>,
}

impl Interned {
    fn name(&mut self, transaction: &Transaction<'_>, name: &str) -> Result<i64> {
        if let Some(&id) = self.names.get(name) {
            return Ok(id);
        }
        transaction
            .prepare_cached("INSERT INTO names (name) VALUES (?1) ON CONFLICT DO NOTHING")?
            .execute([name])?;
        let id = transaction
            .prepare_cached("SELECT id FROM names WHERE name = ?1")?
            .query_row([name], |row| row.get(0))?;
        self.names.insert(name.to_owned(), id);
        Ok(id)
    }

    fn provenance(
        &mut self,
        transaction: &Transaction<'_>,
        provenance: &Provenance,
    ) -> Result<i64> {
        let canonical = provenance.canonical();
        if let Some(&id) = self.provenances.get(&canonical) {
            return Ok(id);
        }
        let models = [
            &provenance.detector,
            &provenance.classifier,
            &provenance.namer,
        ];
        let [detector, classifier, namer] = models.map(|model| {
            model
                .as_ref()
                .map(|model| (&model.name, &model.version, model.threshold))
        });
        transaction.execute(
            "INSERT INTO provenances (canonical, schema_name, schema_version, schema_fingerprint, \
             detector_name, detector_version, detector_threshold, \
             classifier_name, classifier_version, classifier_threshold, \
             namer_name, namer_version, namer_threshold) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (
                &canonical,
                &provenance.schema,
                provenance.schema_version,
                &provenance.schema_fingerprint,
                detector.map(|model| model.0),
                detector.map(|model| model.1),
                detector.and_then(|model| model.2),
                classifier.map(|model| model.0),
                classifier.map(|model| model.1),
                classifier.and_then(|model| model.2),
                namer.map(|model| model.0),
                namer.map(|model| model.1),
                namer.and_then(|model| model.2),
            ),
        )?;
        let id = transaction.query_row(
            "SELECT id FROM provenances WHERE canonical = ?1",
            [&canonical],
            |row| row.get(0),
        )?;
        self.provenances.insert(canonical, id);
        Ok(id)
    }
}

pub(super) fn append(
    connection: &mut Connection,
    interned: &mut Interned,
    stream: Stream,
    provenance: &Provenance,
    verdicts: &[NewVerdict<'_>],
) -> Result<AppendOutcome> {
    let result = append_all(connection, interned, stream, provenance, verdicts);
    if result.is_err() {
        // What the rolled back transaction had interned is not there.
        *interned = Interned::default();
    }
    result
}

fn append_all(
    connection: &mut Connection,
    interned: &mut Interned,
    stream: Stream,
    provenance: &Provenance,
    verdicts: &[NewVerdict<'_>],
) -> Result<AppendOutcome> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let source = source_of(&transaction, stream)?;
    let provenance = interned.provenance(&transaction, provenance)?;
    let mut change = Change::default();
    let mut outcome = AppendOutcome::default();
    let mut span: Option<(i64, i64, u64)> = None;
    {
        let mut insert = transaction.prepare_cached(
            "INSERT INTO verdicts (id, created_at, source, provenance, row_number, score, \
             is_threat, class, class_id, is_attack, confidence, named, named_confidence, label, \
             features, reasons, stage, flow) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
             ON CONFLICT (id) DO NOTHING",
        )?;
        for verdict in verdicts {
            verdict.check()?;
            let place = Place {
                stream: stream.number,
                sequence: verdict.sequence,
            };
            let attack = match &verdict.attack {
                Some(attack) => Some(numbered(interned, &transaction, attack)?),
                None => None,
            };
            let named = attack.and_then(|attack| attack.named);
            let values = params![
                place.row_key(),
                verdict.created_at.0,
                source.code(),
                provenance,
                verdict.row_number.map(u64::cast_signed),
                verdict.threat.map(|threat| threat.probability),
                verdict.threat.map(|threat| threat.is_threat),
                attack.map(|attack| attack.class),
                attack.map(|attack| attack.class_id),
                attack.map(|attack| attack.is_attack),
                attack.map(|attack| attack.confidence),
                named.map(|named| named.label),
                named.map(|named| named.confidence),
                verdict.label,
                verdict.features,
                verdict.reasons,
                verdict.stage.code(),
                verdict.flow,
            ];
            if insert.execute(values)? > 0 {
                outcome.inserted += 1;
            } else if remove_earlier(&transaction, place, verdict.stage, &mut change)? {
                insert.execute(values)?;
                outcome.superseded += 1;
            } else {
                outcome.already_present += 1;
                continue;
            }
            let time = verdict.created_at.0;
            span = Some(match span {
                None => (time, time, verdict.sequence),
                Some((first, last, sequence)) => (
                    first.min(time),
                    last.max(time),
                    sequence.max(verdict.sequence),
                ),
            });
            change.add(
                stream.number,
                verdict.created_at,
                attack.map(|attack| attack.class),
                Contribution {
                    scored: verdict.threat.is_some(),
                    is_threat: verdict.threat.is_some_and(|threat| threat.is_threat),
                    is_attack: attack.is_some_and(|attack| attack.is_attack),
                },
            );
        }
    }
    if let Some((first, last, sequence)) = span {
        transaction
            .prepare_cached(
                "UPDATE streams SET rows_appended = rows_appended + ?2, \
                 first_created_at = min(coalesce(first_created_at, ?3), ?3), \
                 last_created_at = max(coalesce(last_created_at, ?4), ?4), \
                 last_sequence = max(coalesce(last_sequence, ?5), ?5) WHERE stream = ?1",
            )?
            .execute((
                stream.number,
                outcome.inserted.cast_signed(),
                first,
                last,
                sequence as i64,
            ))?;
        change.write(&transaction)?;
    }
    transaction.commit()?;
    Ok(outcome)
}

/// Takes the verdict of an earlier stage away from a place, and from the counters.
fn remove_earlier(
    transaction: &Transaction<'_>,
    place: Place,
    stage: Stage,
    change: &mut Change,
) -> Result<bool> {
    let removed = transaction
        .prepare_cached(
            "DELETE FROM verdicts WHERE id = ?1 AND stage < ?2 \
             RETURNING created_at, class, score IS NOT NULL, coalesce(is_threat, 0), \
             coalesce(is_attack, 0)",
        )?
        .query_row((place.row_key(), stage.code()), |row| {
            let contribution = Contribution {
                scored: row.get(2)?,
                is_threat: row.get(3)?,
                is_attack: row.get(4)?,
            };
            Ok((Timestamp(row.get(0)?), row.get(1)?, contribution))
        })
        .optional()?;
    if let Some((created_at, class, contribution)) = removed {
        change.remove(place.stream, created_at, class, contribution);
    }
    Ok(removed.is_some())
}

fn source_of(transaction: &Transaction<'_>, stream: Stream) -> Result<Source> {
    let code: Option<i64> = transaction
        .prepare_cached("SELECT source FROM streams WHERE stream = ?1 AND key = ?2")?
        .query_row((stream.number, stream.key.as_bytes()), |row| row.get(0))
        .optional()?;
    let unknown = || StoreError::UnknownStream {
        key: BatchId::from_bytes(*stream.key.as_bytes()),
    };
    Ok(code.and_then(Source::from_code).ok_or_else(unknown)?)
}

fn numbered(
    interned: &mut Interned,
    transaction: &Transaction<'_>,
    attack: &AttackPart<&str>,
) -> Result<AttackPart<i64>> {
    let named = match attack.named {
        Some(named) => Some(crate::NamedPart {
            label: interned.name(transaction, named.label)?,
            confidence: named.confidence,
        }),
        None => None,
    };
    Ok(AttackPart {
        class: interned.name(transaction, attack.class)?,
        class_id: attack.class_id,
        is_attack: attack.is_attack,
        confidence: attack.confidence,
        named,
    })
}
