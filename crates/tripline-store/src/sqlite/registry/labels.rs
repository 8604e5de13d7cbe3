use rusqlite::{Connection, Row, ToSql, Transaction, params};

use super::{limit_of, unknown_name};
use crate::{
    Label, LabelFilter, LabelId, LabelPage, LabelState, ModelId, NewLabel, Step, Timestamp,
    VerdictId, registry::conflict, sqlite::failure::Result,
};

const COLUMNS: &str = "id, verdict, is_attack, attack_type, author, note, state, state_reason, \
    schema_name, features, detector, classifier, probability, called_threat, called_class, \
    created_at, reviewed_at, reviewed_by";

/// Labels on one flow that count or may count, and do not agree.
const CONFLICTING: &str = "state != 'rejected' AND verdict IN (SELECT verdict FROM labels \
    WHERE state != 'rejected' GROUP BY verdict HAVING min(is_attack) != max(is_attack))";

pub(super) fn page(
    connection: &Connection,
    filter: &LabelFilter,
    limit: usize,
) -> Result<LabelPage> {
    let (conditions, values) = conditions(filter);
    let sql = format!("SELECT {COLUMNS} FROM labels WHERE {conditions} ORDER BY id LIMIT ?");
    let mut statement = connection.prepare_cached(&sql)?;
    // One more than asked for tells whether there are more.
    let limit_and_one = limit_of(limit.saturating_add(1));
    let mut parameters: Vec<&dyn ToSql> = values.iter().map(|value| &**value).collect();
    parameters.push(&limit_and_one);
    let rows = statement.query_map(parameters.as_slice(), read)?;
    let mut labels = Vec::new();
    for row in rows {
        let (label, state) = row?;
        let mut label: Label = label;
        label.label.state =
            LabelState::from_name(&state).ok_or_else(|| unknown_name("state", &state))?;
        labels.push(label);
    }
    let is_more = labels.len() > limit;
    labels.truncate(limit);
    let next = labels.last().filter(|_| is_more).map(|label| label.id);
    Ok(LabelPage { labels, next })
}

pub(super) fn count(connection: &Connection, filter: &LabelFilter) -> Result<u64> {
    let (conditions, values) = conditions(filter);
    let parameters: Vec<&dyn ToSql> = values.iter().map(|value| &**value).collect();
    let count: i64 = connection
        .prepare_cached(&format!("SELECT count(*) FROM labels WHERE {conditions}"))?
        .query_row(parameters.as_slice(), |row| row.get(0))?;
    Ok(count.cast_unsigned())
}

fn conditions(filter: &LabelFilter) -> (String, Vec<Box<dyn ToSql>>) {
    let mut conditions = vec!["1"];
    let mut values: Vec<Box<dyn ToSql>> = Vec::new();
    if let Some(verdict) = filter.verdict {
        conditions.push("verdict = ?");
        values.push(Box::new(*verdict.as_bytes()));
    }
    if let Some(author) = &filter.author {
        conditions.push("author = ?");
        values.push(Box::new(author.clone()));
    }
    if let Some(state) = filter.state {
        conditions.push("state = ?");
        values.push(Box::new(state.name()));
    }
    if let Some(schema) = &filter.schema {
        conditions.push("schema_name = ?");
        values.push(Box::new(schema.clone()));
    }
    if filter.conflicting {
        conditions.push(CONFLICTING);
    }
    if let Some(after) = filter.after {
        conditions.push("id > ?");
        values.push(Box::new(i64::try_from(after.0).unwrap_or(i64::MAX)));
    }
    (conditions.join(" AND "), values)
}

fn read(row: &Row<'_>) -> rusqlite::Result<(Label, String)> {
    let model = |at: usize| -> rusqlite::Result<Option<ModelId>> {
        Ok(row.get::<_, Option<[u8; 16]>>(at)?.map(ModelId::from_bytes))
    };
    let label = NewLabel {
        verdict: VerdictId::from_bytes(row.get(1)?),
        is_attack: row.get(2)?,
        attack_type: row.get(3)?,
        author: row.get(4)?,
        note: row.get(5)?,
        state: LabelState::Accepted,
        state_reason: row.get(7)?,
        schema: row.get(8)?,
        features: row.get(9)?,
        detector: model(10)?,
        classifier: model(11)?,
        probability: row.get(12)?,
        called_threat: row.get(13)?,
        called_class: row.get(14)?,
    };
    let reviewed_at: Option<i64> = row.get(16)?;
    let reviewed_by: Option<String> = row.get(17)?;
    let label = Label {
        id: LabelId(row.get::<_, i64>(0)?.cast_unsigned()),
        label,
        created_at: Timestamp(row.get(15)?),
        reviewed: reviewed_at.map(Timestamp).zip(reviewed_by),
    };
    Ok((label, row.get(6)?))
}

pub(super) fn add(
    transaction: &Transaction<'_>,
    step: &Step<'_>,
    label: &NewLabel,
) -> Result<LabelId> {
    // The author's earlier word on the same flow goes.
    transaction
        .prepare_cached("DELETE FROM labels WHERE verdict = ?1 AND author = ?2")?
        .execute((label.verdict.as_bytes(), &label.author))?;
    transaction
        .prepare_cached(
            "INSERT INTO labels (verdict, is_attack, attack_type, author, note, state, \
             state_reason, schema_name, features, detector, classifier, probability, \
             called_threat, called_class, created_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            label.verdict.as_bytes(),
            label.is_attack,
            label.attack_type,
            label.author,
            label.note,
            label.state.name(),
            label.state_reason,
            label.schema,
            label.features,
            label.detector.map(|id| *id.as_bytes()),
            label.classifier.map(|id| *id.as_bytes()),
            label.probability,
            label.called_threat,
            label.called_class,
            step.at.0,
        ])?;
    Ok(LabelId(transaction.last_insert_rowid().cast_unsigned()))
}

pub(super) fn review(
    transaction: &Transaction<'_>,
    step: &Step<'_>,
    label: LabelId,
    state: LabelState,
    reason: &str,
) -> Result<()> {
    let changed = transaction
        .prepare_cached(
            "UPDATE labels SET state = ?2, state_reason = ?3, reviewed_at = ?4, reviewed_by = ?5 \
             WHERE id = ?1",
        )?
        .execute((
            i64::try_from(label.0).unwrap_or(i64::MAX),
            state.name(),
            reason,
            step.at.0,
            step.actor,
        ))?;
    if changed == 0 {
        return Err(conflict(
            format!("label {}", label.0),
            "not known",
            "one that is kept",
        )
        .into());
    }
    Ok(())
}
