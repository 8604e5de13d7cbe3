use rusqlite::{Connection, OptionalExtension, Row, ToSql};
use sha2::{Digest, Sha256};

use super::{limit_of, unknown_name};
use crate::{
    Model, ModelEvent, ModelFilter, ModelId, ModelStage, ModelTexts, NewModel, Origin, Signature,
    StoreError, Timestamp, registry::hex, sqlite::failure::Result,
};

const COLUMNS: &str = "id, digest, bytes, name, version, role, schema_name, slot, stage, origin, \
    parent, description, notes, tags, original_filename, file_format, source_digest, uploaded_by, \
    manifest, checks, signature_key, signature_trusted, signature_comment, created_at, \
    stage_changed_at, deleted_at, \
    EXISTS (SELECT 1 FROM model_blobs WHERE model_blobs.digest = models.digest)";

pub(super) fn get(connection: &Connection, id: ModelId) -> Result<Option<Model>> {
    let raw = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM models WHERE id = ?1"))?
        .query_row([id.as_bytes()], Raw::of)
        .optional()?;
    raw.map(Raw::into_model).transpose()
}

pub(super) fn list(connection: &Connection, filter: &ModelFilter) -> Result<Vec<Model>> {
    let mut conditions = vec!["1".to_owned()];
    let mut values: Vec<&dyn ToSql> = Vec::new();
    for (column, value) in [
        ("role", &filter.role),
        ("name", &filter.name),
        ("slot", &filter.slot),
    ] {
        if let Some(value) = value {
            conditions.push(format!("{column} = ?"));
            values.push(value);
        }
    }
    if !filter.stages.is_empty() {
        // The names are ours.
        let names: Vec<String> = filter
            .stages
            .iter()
            .map(|stage| format!("'{}'", stage.name()))
            .collect();
        conditions.push(format!("stage IN ({})", names.join(", ")));
    }
    if !filter.with_deleted {
        conditions.push("deleted_at IS NULL".to_owned());
    }
    let sql = format!(
        "SELECT {COLUMNS} FROM models WHERE {} ORDER BY created_at, id",
        conditions.join(" AND ")
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(values.as_slice(), Raw::of)?;
    rows.map(|raw| raw?.into_model()).collect()
}

pub(super) fn bytes(connection: &Connection, id: ModelId) -> Result<Option<Vec<u8>>> {
    let found: Option<(String, String, Vec<u8>, Vec<u8>)> = connection
        .prepare_cached(
            "SELECT name, version, digest, model_blobs.bytes FROM models \
             JOIN model_blobs USING (digest) WHERE id = ?1",
        )?
        .query_row([id.as_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((name, version, digest, bytes)) = found else {
        return Ok(None);
    };
    let now = Sha256::digest(&bytes);
    if now.as_slice() != digest {
        return Err(StoreError::Damaged {
            what: format!("{name} {version}"),
            found: hex(&now),
            expected: hex(&digest),
        }
        .into());
    }
    Ok(Some(bytes))
}

pub(super) fn events(
    connection: &Connection,
    model: Option<ModelId>,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<ModelEvent>> {
    let of_model = if model.is_some() {
        "model = ?1"
    } else {
        "?1 IS NULL"
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT number, model, at, actor, kind, from_stage, to_stage, reason, details \
         FROM model_events WHERE {of_model} AND number < ?2 ORDER BY number DESC LIMIT ?3"
    ))?;
    let before = before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX));
    let rows = statement.query_map(
        (
            model.map(|model| *model.as_bytes()),
            before,
            limit_of(limit),
        ),
        |row| {
            Ok((
                ModelEvent {
                    number: row.get::<_, i64>(0)?.cast_unsigned(),
                    model: ModelId::from_bytes(row.get(1)?),
                    at: Timestamp(row.get(2)?),
                    actor: row.get(3)?,
                    kind: row.get(4)?,
                    from: None,
                    to: None,
                    reason: row.get(7)?,
                    details: row.get(8)?,
                },
                [row.get::<_, Option<String>>(5)?, row.get(6)?],
            ))
        },
    )?;
    rows.map(|row| {
        let (event, [from, to]) = row?;
        Ok(ModelEvent {
            from: from.as_deref().map(stage_of).transpose()?,
            to: to.as_deref().map(stage_of).transpose()?,
            ..event
        })
    })
    .collect()
}

pub(super) fn stage_of(name: &str) -> Result<ModelStage> {
    ModelStage::from_name(name).ok_or_else(|| unknown_name("stage", name))
}

/// A row whose names are not looked at yet.
struct Raw {
    model: Model,
    stage: String,
    origin: String,
    tags: String,
}

impl Raw {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let signature_key: Option<String> = row.get(20)?;
        let signature = match signature_key {
            None => None,
            Some(key_id) => Some(Signature {
                key_id,
                trusted: row.get::<_, Option<bool>>(21)?.unwrap_or_default(),
                comment: row.get::<_, Option<String>>(22)?.unwrap_or_default(),
            }),
        };
        let new = NewModel {
            id: ModelId::from_bytes(row.get(0)?),
            name: row.get(3)?,
            version: row.get(4)?,
            role: row.get(5)?,
            schema: row.get(6)?,
            slot: row.get(7)?,
            stage: ModelStage::Candidate,
            origin: Origin::Shipped,
            parent: row.get::<_, Option<[u8; 16]>>(10)?.map(ModelId::from_bytes),
            texts: ModelTexts {
                description: row.get(11)?,
                notes: row.get(12)?,
                tags: Vec::new(),
            },
            original_filename: row.get(14)?,
            file_format: row.get(15)?,
            source_digest: row.get(16)?,
            uploaded_by: row.get(17)?,
            manifest: row.get(18)?,
            checks: row.get(19)?,
            signature,
        };
        Ok(Self {
            model: Model {
                model: new,
                stage: ModelStage::Candidate,
                digest: hex(&row.get::<_, Vec<u8>>(1)?),
                bytes: row.get::<_, i64>(2)?.cast_unsigned(),
                has_bytes: row.get(26)?,
                created_at: Timestamp(row.get(23)?),
                stage_changed_at: Timestamp(row.get(24)?),
                deleted_at: row.get::<_, Option<i64>>(25)?.map(Timestamp),
            },
            stage: row.get(8)?,
            origin: row.get(9)?,
            tags: row.get(13)?,
        })
    }

    fn into_model(self) -> Result<Model> {
        let mut model = self.model;
        model.stage = stage_of(&self.stage)?;
        model.model.stage = model.stage;
        model.model.origin =
            Origin::from_name(&self.origin).ok_or_else(|| unknown_name("origin", &self.origin))?;
        model.model.texts.tags = ModelTexts::split_tags(&self.tags);
        Ok(model)
    }
}
