use sha2::{Digest, Sha256};

use super::{CHANNEL, epoch, labels, models::get, tasks, uuid};
use crate::{
    Committed, Model, ModelId, ModelStage, ModelTexts, NewModel, Step, Write,
    postgres::{
        failure::Result,
        session::{Mode, Session},
        text::Text,
    },
    registry::conflict,
};

pub(super) fn commit(session: &mut Session, step: &Step<'_>) -> Result<Committed> {
    session.transaction(Mode::Write, |session| {
        // Steps are done one after the other: each sees what the one before it left.
        session.query("SELECT epoch FROM registry_epoch FOR UPDATE", &[])?;
        let mut committed = Committed::default();
        let mut raises = false;
        for write in &step.writes {
            raises |= write.changes_models();
            apply(session, step, write, &mut committed)?;
        }
        if raises {
            session.execute("UPDATE registry_epoch SET epoch = epoch + 1", &[])?;
            // Sent when the step is committed, and not when it is not.
            session.batch(&format!("NOTIFY {CHANNEL}"))?;
        }
        committed.epoch = epoch(session)?;
        Ok(committed)
    })
}

fn apply(
    session: &mut Session,
    step: &Step<'_>,
    write: &Write<'_>,
    committed: &mut Committed,
) -> Result<()> {
    match write {
        Write::AddModel {
            model,
            bytes,
            report,
            reason,
        } => {
            add_model(session, step, model, bytes, *report)?;
            let stages = (None, Some(model.stage));
            event(session, step, model.id, "added", stages, (reason, ""))
        }
        Write::Stage {
            model,
            from,
            to,
            reason,
            details,
        } => {
            change_stage(session, step, *model, *from, *to)?;
            let stages = (Some(*from), Some(*to));
            event(session, step, *model, "stage", stages, (reason, details))
        }
        Write::Describe { model, texts } => {
            describe(session, *model, texts)?;
            event(session, step, *model, "described", (None, None), ("", ""))
        }
        Write::DeleteModel {
            model,
            keep_bytes,
            reason,
        } => {
            delete_model(session, step, *model, *keep_bytes)?;
            event(session, step, *model, "deleted", (None, None), (reason, ""))
        }
        Write::AddLabel(label) => {
            committed.labels.push(labels::add(session, step, label)?);
            Ok(())
        }
        Write::ReviewLabel {
            label,
            state,
            reason,
        } => labels::review(session, step, *label, *state, reason),
        Write::Task {
            key,
            value,
            expected,
        } => tasks::keep(session, step, key, *value, *expected),
        Write::Record(record) => {
            session.execute(
                "INSERT INTO records (kind, subject, at, value) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (kind, subject, at) DO UPDATE SET value = excluded.value",
                &[
                    &Text(&record.kind),
                    &Text(&record.subject),
                    &record.at.0,
                    &Text(&record.value),
                ],
            )?;
            Ok(())
        }
        Write::Send {
            target,
            event,
            body,
        } => {
            session.execute(
                "INSERT INTO messages (target, event, body, created_at, state, attempts, \
                 next_at) VALUES ($1, $2, $3, $4, 'waiting', 0, $4)",
                &[&Text(target), &Text(event), &Text(body), &step.at.0],
            )?;
            Ok(())
        }
        Write::Tried {
            message,
            state,
            next_at,
            error,
        } => tasks::tried(session, *message, *state, *next_at, *error),
    }
}

fn event(
    session: &mut Session,
    step: &Step<'_>,
    model: ModelId,
    kind: &str,
    (from, to): (Option<ModelStage>, Option<ModelStage>),
    (reason, details): (&str, &str),
) -> Result<()> {
    session.execute(
        "INSERT INTO model_events (model, at, actor, kind, from_stage, to_stage, reason, \
         details) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        &[
            &uuid(model),
            &step.at.0,
            &Text(step.actor),
            &kind,
            &from.map(ModelStage::name),
            &to.map(ModelStage::name),
            &Text(reason),
            &Text(details),
        ],
    )?;
    Ok(())
}

fn known(session: &mut Session, id: ModelId) -> Result<Model> {
    let found = get(session, id)?.filter(|model| model.deleted_at.is_none());
    Ok(found.ok_or_else(|| conflict(format!("model {id}"), "not there", "one that was added"))?)
}

fn add_model(
    session: &mut Session,
    step: &Step<'_>,
    model: &NewModel,
    bytes: &[u8],
    report: Option<&str>,
) -> Result<()> {
    let deleted = get(session, model.id)?;
    if deleted.as_ref().is_some_and(|old| old.deleted_at.is_none()) {
        let what = format!("{} {}", model.name, model.version);
        return Err(conflict(what, "there already", "a new version").into());
    }
    if model.stage == ModelStage::Active {
        no_rival(session, model.id, &model.slot, &model.name)?;
    }
    let digest = Sha256::digest(bytes);
    // What is there is the same, unless somebody has altered it: then this is the original.
    session.execute(
        "INSERT INTO model_blobs AS blobs (digest, bytes) VALUES ($1, $2) ON CONFLICT (digest) \
         DO UPDATE SET bytes = excluded.bytes WHERE blobs.bytes != excluded.bytes",
        &[&digest.as_slice(), &bytes],
    )?;
    session.execute("DELETE FROM models WHERE id = $1", &[&uuid(model.id)])?;
    insert_model(session, step, model, &digest, bytes.len())?;
    if let Some(old) = deleted {
        // It comes back with other bytes, and nobody will ask for those it had.
        session.execute(
            "DELETE FROM model_blobs WHERE digest = decode($1, 'hex') \
             AND NOT EXISTS (SELECT 1 FROM models WHERE models.digest = model_blobs.digest)",
            &[&old.digest],
        )?;
    }
    session.execute(
        "DELETE FROM model_reports WHERE model = $1",
        &[&uuid(model.id)],
    )?;
    if let Some(report) = report {
        session.execute(
            "INSERT INTO model_reports (model, report) VALUES ($1, $2)",
            &[&uuid(model.id), &Text(report)],
        )?;
    }
    Ok(())
}

fn insert_model(
    session: &mut Session,
    step: &Step<'_>,
    model: &NewModel,
    digest: &[u8],
    bytes: usize,
) -> Result<()> {
    let signature = model.signature.as_ref();
    session.execute(
        "INSERT INTO models (id, digest, bytes, name, version, role, schema_name, slot, \
         stage, origin, parent, description, notes, tags, original_filename, file_format, \
         source_digest, uploaded_by, manifest, checks, signature_key, signature_trusted, \
         signature_comment, created_at, stage_changed_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, \
         $19, $20, $21, $22, $23, $24, $24)",
        &[
            &uuid(model.id),
            &digest,
            &(bytes as i64),
            &Text(&model.name),
            &Text(&model.version),
            &Text(&model.role),
            &Text(&model.schema),
            &Text(&model.slot),
            &model.stage.name(),
            &model.origin.name(),
            &model.parent.map(uuid),
            &Text(&model.texts.description),
            &Text(&model.texts.notes),
            &Text(&model.texts.joined_tags()),
            &Text(&model.original_filename),
            &Text(&model.file_format),
            &model.source_digest.as_deref().map(Text),
            &model.uploaded_by.as_deref().map(Text),
            &Text(&model.manifest),
            &Text(&model.checks),
            &signature.map(|signature| Text(&signature.key_id)),
            &signature.map(|signature| signature.trusted),
            &signature.map(|signature| Text(&signature.comment)),
            &step.at.0,
        ],
    )?;
    Ok(())
}

fn change_stage(
    session: &mut Session,
    step: &Step<'_>,
    id: ModelId,
    from: ModelStage,
    to: ModelStage,
) -> Result<()> {
    let model = known(session, id)?;
    if model.stage != from {
        let what = format!("the stage of {} {}", model.model.name, model.model.version);
        return Err(conflict(what, model.stage.name(), from.name()).into());
    }
    if to == ModelStage::Active {
        no_rival(session, id, &model.model.slot, &model.model.name)?;
    }
    session.execute(
        "UPDATE models SET stage = $2, stage_changed_at = $3 WHERE id = $1",
        &[&uuid(id), &to.name(), &step.at.0],
    )?;
    Ok(())
}

fn no_rival(session: &mut Session, id: ModelId, slot: &str, name: &str) -> Result<()> {
    let rival = session.query_opt(
        "SELECT name, version FROM models WHERE stage = 'active' AND id != $1 \
         AND (slot = $2 OR name = $3) LIMIT 1",
        &[&uuid(id), &Text(slot), &Text(name)],
    )?;
    let Some(rival) = rival else {
        return Ok(());
    };
    let text = |column| rival.get::<_, crate::postgres::text::Plain>(column).0;
    Err(conflict(
        format!("the place of {}", text(0)),
        &format!("held by the active version {}", text(1)),
        "free",
    )
    .into())
}

fn describe(session: &mut Session, id: ModelId, texts: &ModelTexts) -> Result<()> {
    known(session, id)?;
    session.execute(
        "UPDATE models SET description = $2, notes = $3, tags = $4 WHERE id = $1",
        &[
            &uuid(id),
            &Text(&texts.description),
            &Text(&texts.notes),
            &Text(&texts.joined_tags()),
        ],
    )?;
    Ok(())
}

fn delete_model(
    session: &mut Session,
    step: &Step<'_>,
    id: ModelId,
    keep_bytes: bool,
) -> Result<()> {
    let model = known(session, id)?;
    if !matches!(model.stage, ModelStage::Candidate | ModelStage::Retired) {
        let what = format!("the stage of {} {}", model.model.name, model.model.version);
        return Err(conflict(what, model.stage.name(), "candidate or retired").into());
    }
    session.execute(
        "UPDATE models SET deleted_at = $2 WHERE id = $1",
        &[&uuid(id), &step.at.0],
    )?;
    if !keep_bytes {
        session.execute(
            "DELETE FROM model_blobs WHERE digest = (SELECT digest FROM models WHERE id = $1) \
             AND NOT EXISTS (SELECT 1 FROM models AS other WHERE other.deleted_at IS NULL \
             AND other.digest = model_blobs.digest)",
            &[&uuid(id)],
        )?;
    }
    Ok(())
}
