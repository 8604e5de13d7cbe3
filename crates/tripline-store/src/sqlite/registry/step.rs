use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use sha2::{Digest, Sha256};

use super::{epoch, labels, models::get, tasks};
use crate::{
    Committed, Model, ModelId, ModelStage, ModelTexts, NewModel, Step, Write, registry::conflict,
    sqlite::failure::Result,
};

pub(super) fn commit(connection: &mut Connection, step: &Step<'_>) -> Result<Committed> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut committed = Committed::default();
    let mut raises = false;
    for write in &step.writes {
        raises |= write.changes_models();
        apply(&transaction, step, write, &mut committed)?;
    }
    if raises {
        transaction.execute("UPDATE registry_epoch SET epoch = epoch + 1", [])?;
    }
    committed.epoch = epoch(&transaction)?;
    transaction.commit()?;
    Ok(committed)
}

fn apply(
    transaction: &Transaction<'_>,
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
            add_model(transaction, step, model, bytes, *report)?;
            event(
                transaction,
                step,
                model.id,
                "added",
                (None, Some(model.stage)),
                (reason, ""),
            )
        }
        Write::Stage {
            model,
            from,
            to,
            reason,
            details,
        } => {
            change_stage(transaction, step, *model, *from, *to)?;
            event(
                transaction,
                step,
                *model,
                "stage",
                (Some(*from), Some(*to)),
                (reason, details),
            )
        }
        Write::Describe { model, texts } => {
            describe(transaction, *model, texts)?;
            event(
                transaction,
                step,
                *model,
                "described",
                (None, None),
                ("", ""),
            )
        }
        Write::DeleteModel {
            model,
            keep_bytes,
            reason,
        } => {
            delete_model(transaction, step, *model, *keep_bytes)?;
            event(
                transaction,
                step,
                *model,
                "deleted",
                (None, None),
                (reason, ""),
            )
        }
        Write::AddLabel(label) => {
            committed
                .labels
                .push(labels::add(transaction, step, label)?);
            Ok(())
        }
        Write::ReviewLabel {
            label,
            state,
            reason,
        } => labels::review(transaction, step, *label, *state, reason),
        Write::Task {
            key,
            value,
            expected,
        } => tasks::keep(transaction, step, key, *value, *expected),
        Write::Record(record) => {
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO records (kind, subject, at, value) \
                     VALUES (?, ?, ?, ?)",
                )?
                .execute((&record.kind, &record.subject, record.at.0, &record.value))?;
            Ok(())
        }
        Write::Send {
            target,
            event,
            body,
        } => {
            transaction
                .prepare_cached(
                    "INSERT INTO messages (target, event, body, created_at, state, attempts, \
                     next_at) VALUES (?1, ?2, ?3, ?4, 'waiting', 0, ?4)",
                )?
                .execute((target, event, body, step.at.0))?;
            Ok(())
        }
        Write::Tried {
            message,
            state,
            next_at,
            error,
        } => tasks::tried(transaction, *message, *state, *next_at, *error),
    }
}

fn event(
    transaction: &Transaction<'_>,
    step: &Step<'_>,
    model: ModelId,
    kind: &str,
    (from, to): (Option<ModelStage>, Option<ModelStage>),
    (reason, details): (&str, &str),
) -> Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO model_events (model, at, actor, kind, from_stage, to_stage, reason, \
             details) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute((
            model.as_bytes(),
            step.at.0,
            step.actor,
            kind,
            from.map(ModelStage::name),
            to.map(ModelStage::name),
            reason,
            details,
        ))?;
    Ok(())
}

fn known(transaction: &Transaction<'_>, id: ModelId) -> Result<Model> {
    let found = get(transaction, id)?.filter(|model| model.deleted_at.is_none());
    Ok(found.ok_or_else(|| conflict(format!("model {id}"), "not there", "one that was added"))?)
}

fn add_model(
    transaction: &Transaction<'_>,
    step: &Step<'_>,
    model: &NewModel,
    bytes: &[u8],
    report: Option<&str>,
) -> Result<()> {
    let deleted = get(transaction, model.id)?;
    if deleted.as_ref().is_some_and(|old| old.deleted_at.is_none()) {
        let what = format!("{} {}", model.name, model.version);
        return Err(conflict(what, "there already", "a new version").into());
    }
    if model.stage == ModelStage::Active {
        no_rival(transaction, model.id, &model.slot, &model.name)?;
    }
    let digest = Sha256::digest(bytes);
    // What is there is the same, unless somebody has altered it: then this is the original.
    transaction
        .prepare_cached(
            "INSERT INTO model_blobs (digest, bytes) VALUES (?, ?) ON CONFLICT (digest) \
             DO UPDATE SET bytes = excluded.bytes WHERE bytes != excluded.bytes",
        )?
        .execute((digest.as_slice(), bytes))?;
    let signature = model.signature.as_ref();
    transaction.execute(
        "INSERT OR REPLACE INTO models (id, digest, bytes, name, version, role, schema_name, slot, \
         stage, origin, parent, description, notes, tags, original_filename, file_format, \
         source_digest, uploaded_by, manifest, checks, signature_key, signature_trusted, \
         signature_comment, created_at, stage_changed_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            model.id.as_bytes(),
            digest.as_slice(),
            bytes.len() as i64,
            model.name,
            model.version,
            model.role,
            model.schema,
            model.slot,
            model.stage.name(),
            model.origin.name(),
            model.parent.map(|parent| *parent.as_bytes()),
            model.texts.description,
            model.texts.notes,
            model.texts.joined_tags(),
            model.original_filename,
            model.file_format,
            model.source_digest,
            model.uploaded_by,
            model.manifest,
            model.checks,
            signature.map(|signature| &signature.key_id),
            signature.map(|signature| signature.trusted),
            signature.map(|signature| &signature.comment),
            step.at.0,
            step.at.0,
        ],
    )?;
    if let Some(old) = deleted {
        // It comes back with other bytes, and nobody will ask for those it had.
        transaction.execute(
            "DELETE FROM model_blobs WHERE digest = unhex(?1) \
             AND NOT EXISTS (SELECT 1 FROM models WHERE models.digest = model_blobs.digest)",
            [old.digest],
        )?;
    }
    transaction.execute(
        "DELETE FROM model_reports WHERE model = ?1",
        [model.id.as_bytes()],
    )?;
    if let Some(report) = report {
        transaction.execute(
            "INSERT INTO model_reports (model, report) VALUES (?, ?)",
            (model.id.as_bytes(), report),
        )?;
    }
    Ok(())
}

fn change_stage(
    transaction: &Transaction<'_>,
    step: &Step<'_>,
    id: ModelId,
    from: ModelStage,
    to: ModelStage,
) -> Result<()> {
    let model = known(transaction, id)?;
    if model.stage != from {
        let what = format!("the stage of {} {}", model.model.name, model.model.version);
        return Err(conflict(what, model.stage.name(), from.name()).into());
    }
    if to == ModelStage::Active {
        no_rival(transaction, id, &model.model.slot, &model.model.name)?;
    }
    transaction
        .prepare_cached("UPDATE models SET stage = ?2, stage_changed_at = ?3 WHERE id = ?1")?
        .execute((id.as_bytes(), to.name(), step.at.0))?;
    Ok(())
}

fn no_rival(transaction: &Transaction<'_>, id: ModelId, slot: &str, name: &str) -> Result<()> {
    let rival: Option<(String, String)> = transaction
        .prepare_cached(
            "SELECT name, version FROM models WHERE stage = 'active' AND id != ?1 \
             AND (slot = ?2 OR name = ?3) LIMIT 1",
        )?
        .query_row((id.as_bytes(), slot, name), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    match rival {
        None => Ok(()),
        Some((name, version)) => Err(conflict(
            format!("the place of {name}"),
            &format!("held by the active version {version}"),
            "free",
        )
        .into()),
    }
}

fn describe(transaction: &Transaction<'_>, id: ModelId, texts: &ModelTexts) -> Result<()> {
    known(transaction, id)?;
    transaction
        .prepare_cached("UPDATE models SET description = ?2, notes = ?3, tags = ?4 WHERE id = ?1")?
        .execute((
            id.as_bytes(),
            &texts.description,
            &texts.notes,
            texts.joined_tags(),
        ))?;
    Ok(())
}

fn delete_model(
    transaction: &Transaction<'_>,
    step: &Step<'_>,
    id: ModelId,
    keep_bytes: bool,
) -> Result<()> {
    let model = known(transaction, id)?;
    if !matches!(model.stage, ModelStage::Candidate | ModelStage::Retired) {
        let what = format!("the stage of {} {}", model.model.name, model.model.version);
        return Err(conflict(what, model.stage.name(), "candidate or retired").into());
    }
    transaction
        .prepare_cached("UPDATE models SET deleted_at = ?2 WHERE id = ?1")?
        .execute((id.as_bytes(), step.at.0))?;
    if !keep_bytes {
        transaction
            .prepare_cached(
                "DELETE FROM model_blobs WHERE digest = (SELECT digest FROM models WHERE id = ?1) \
                 AND NOT EXISTS (SELECT 1 FROM models AS other WHERE other.deleted_at IS NULL \
                 AND other.digest = model_blobs.digest)",
            )?
            .execute([id.as_bytes()])?;
    }
    Ok(())
}
