use sha2::{Digest, Sha256};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{model_id, unknown_name, uuid};
use crate::{
    Model, ModelEvent, ModelFilter, ModelId, ModelStage, ModelTexts, NewModel, Origin, Signature,
    StoreError, Timestamp,
    postgres::{
        batches::limit_of,
        failure::Result,
        session::Session,
        text::{Plain, Text},
    },
    registry::hex,
};

const COLUMNS: &str = "id, digest, bytes, name, version, role, schema_name, slot, stage, origin, \
    parent, description, notes, tags, original_filename, file_format, source_digest, uploaded_by, \
    manifest, checks, signature_key, signature_trusted, signature_comment, created_at, \
    stage_changed_at, deleted_at, \
    EXISTS (SELECT 1 FROM model_blobs WHERE model_blobs.digest = models.digest)";

pub(super) fn get(session: &mut Session, id: ModelId) -> Result<Option<Model>> {
    let sql = format!("SELECT {COLUMNS} FROM models WHERE id = $1");
    let row = session.query_opt(&sql, &[&uuid(id)])?;
    row.as_ref().map(model).transpose()
}

pub(super) fn list(session: &mut Session, filter: &ModelFilter) -> Result<Vec<Model>> {
    let stages: Vec<&str> = filter.stages.iter().map(|stage| stage.name()).collect();
    let sql = format!(
        "SELECT {COLUMNS} FROM models WHERE ($1::text IS NULL OR role = $1) \
         AND ($2::text IS NULL OR name = $2) AND ($3::text IS NULL OR slot = $3) \
         AND (cardinality($4::text[]) = 0 OR stage = ANY($4)) AND ($5 OR deleted_at IS NULL) \
         ORDER BY created_at, id"
    );
    let rows = session.query(
        &sql,
        &[
            &filter.role.as_deref().map(Text),
            &filter.name.as_deref().map(Text),
            &filter.slot.as_deref().map(Text),
            &stages,
            &filter.with_deleted,
        ],
    )?;
    rows.iter().map(model).collect()
}

pub(super) fn bytes(session: &mut Session, id: ModelId) -> Result<Option<Vec<u8>>> {
    let row = session.query_opt(
        "SELECT name, version, digest, model_blobs.bytes FROM models \
         JOIN model_blobs USING (digest) WHERE id = $1",
        &[&uuid(id)],
    )?;
    let Some(row) = row else {
        return Ok(None);
    };
    let (digest, bytes): (Vec<u8>, Vec<u8>) = (row.get(2), row.get(3));
    let now = Sha256::digest(&bytes);
    if now.as_slice() != digest {
        let (Plain(name), Plain(version)) = (row.get(0), row.get(1));
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
    session: &mut Session,
    model: Option<ModelId>,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<ModelEvent>> {
    let before = before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX));
    let rows = session.query(
        "SELECT number, model, at, actor, kind, from_stage, to_stage, reason, details \
         FROM model_events WHERE ($1::uuid IS NULL OR model = $1) AND number < $2 \
         ORDER BY number DESC LIMIT $3",
        &[&model.map(uuid), &before, &limit_of(limit)],
    )?;
    rows.iter()
        .map(|row| {
            let stage = |column| -> Result<Option<ModelStage>> {
                let name: Option<&str> = row.get(column);
                name.map(stage_of).transpose()
            };
            let text = |column| row.get::<_, Plain>(column).0;
            Ok(ModelEvent {
                number: row.get::<_, i64>(0).cast_unsigned(),
                model: model_id(row.get(1)),
                at: Timestamp(row.get(2)),
                actor: text(3),
                kind: text(4),
                from: stage(5)?,
                to: stage(6)?,
                reason: text(7),
                details: text(8),
            })
        })
        .collect()
}

fn stage_of(name: &str) -> Result<ModelStage> {
    ModelStage::from_name(name).ok_or_else(|| unknown_name("stage", name))
}

fn model(row: &Row) -> Result<Model> {
    let text = |column| row.get::<_, Plain>(column).0;
    let optional = |column| row.get::<_, Option<Plain>>(column).map(|text| text.0);
    let stage = stage_of(row.get(8))?;
    let origin: &str = row.get(9);
    let new = NewModel {
        id: model_id(row.get(0)),
        name: text(3),
        version: text(4),
        role: text(5),
        schema: text(6),
        slot: text(7),
        stage,
        origin: Origin::from_name(origin).ok_or_else(|| unknown_name("origin", origin))?,
        parent: row.get::<_, Option<Uuid>>(10).map(model_id),
        texts: ModelTexts {
            description: text(11),
            notes: text(12),
            tags: ModelTexts::split_tags(&text(13)),
        },
        original_filename: text(14),
        file_format: text(15),
        source_digest: optional(16),
        uploaded_by: optional(17),
        manifest: text(18),
        checks: text(19),
        signature: optional(20).map(|key_id| Signature {
            key_id,
            trusted: row.get::<_, Option<bool>>(21).unwrap_or_default(),
            comment: optional(22).unwrap_or_default(),
        }),
    };
    Ok(Model {
        model: new,
        stage,
        digest: hex(row.get(1)),
        bytes: row.get::<_, i64>(2).cast_unsigned(),
        has_bytes: row.get(26),
        created_at: Timestamp(row.get(23)),
        stage_changed_at: Timestamp(row.get(24)),
        deleted_at: row.get::<_, Option<i64>>(25).map(Timestamp),
    })
}
