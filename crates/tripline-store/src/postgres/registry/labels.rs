use tokio_postgres::{Row, types::ToSql};
use uuid::Uuid;

use super::{model_id, unknown_name, uuid};
use crate::{
    Label, LabelFilter, LabelId, LabelPage, LabelState, NewLabel, Step, Timestamp, VerdictId,
    postgres::{
        batches::limit_of,
        failure::Result,
        session::Session,
        text::{Plain, Text},
    },
    registry::conflict,
};

const COLUMNS: &str = "id, verdict, is_attack, attack_type, author, note, state, state_reason, \
    schema_name, features, detector, classifier, probability, called_threat, called_class, \
    created_at, reviewed_at, reviewed_by";

/// The filter; its parameters are those of [`parameters`]. Labels do not agree when, among those
/// on one flow that count or may count, some say attack and some do not.
const CONDITIONS: &str = "($1::uuid IS NULL OR verdict = $1) \
    AND ($2::text IS NULL OR author = $2) AND ($3::text IS NULL OR state = $3) \
    AND ($4::text IS NULL OR schema_name = $4) AND id > $5 AND (NOT $6 OR (state != 'rejected' \
    AND verdict IN (SELECT verdict FROM labels WHERE state != 'rejected' GROUP BY verdict \
    HAVING bool_or(is_attack) AND NOT bool_and(is_attack))))";

fn parameters(filter: &LabelFilter) -> [Box<dyn ToSql + Sync + '_>; 6] {
    let after = filter
        .after
        .map_or(i64::MIN, |after| i64::try_from(after.0).unwrap_or(i64::MAX));
    [
        Box::new(filter.verdict.map(verdict_uuid)),
        Box::new(filter.author.as_deref().map(Text)),
        Box::new(filter.state.map(LabelState::name)),
        Box::new(filter.schema.as_deref().map(Text)),
        Box::new(after),
        Box::new(filter.conflicting),
    ]
}

pub(super) fn page(session: &mut Session, filter: &LabelFilter, limit: usize) -> Result<LabelPage> {
    // One more than asked for tells whether there are more.
    let limit_and_one = limit_of(limit.saturating_add(1));
    let filter = parameters(filter);
    let mut params: Vec<&(dyn ToSql + Sync)> = filter.iter().map(|value| &**value as _).collect();
    params.push(&limit_and_one);
    let sql = format!("SELECT {COLUMNS} FROM labels WHERE {CONDITIONS} ORDER BY id LIMIT $7");
    let rows = session.query(&sql, &params)?;
    let mut labels = rows.iter().map(label).collect::<Result<Vec<_>>>()?;
    let is_more = labels.len() > limit;
    labels.truncate(limit);
    let next = labels.last().filter(|_| is_more).map(|label| label.id);
    Ok(LabelPage { labels, next })
}

pub(super) fn count(session: &mut Session, filter: &LabelFilter) -> Result<u64> {
    let filter = parameters(filter);
    let params: Vec<&(dyn ToSql + Sync)> = filter.iter().map(|value| &**value as _).collect();
    let sql = format!("SELECT count(*) FROM labels WHERE {CONDITIONS}");
    let count: i64 = session.query_one(&sql, &params)?.get(0);
    Ok(count.cast_unsigned())
}

fn label(row: &Row) -> Result<Label> {
    let text = |column| row.get::<_, Plain>(column).0;
    let optional = |column| row.get::<_, Option<Plain>>(column).map(|text| text.0);
    let state: &str = row.get(6);
    let label = NewLabel {
        verdict: VerdictId::from_bytes(*row.get::<_, Uuid>(1).as_bytes()),
        is_attack: row.get(2),
        attack_type: optional(3),
        author: text(4),
        note: text(5),
        state: LabelState::from_name(state).ok_or_else(|| unknown_name("state", state))?,
        state_reason: text(7),
        schema: text(8),
        features: row.get(9),
        detector: row.get::<_, Option<Uuid>>(10).map(model_id),
        classifier: row.get::<_, Option<Uuid>>(11).map(model_id),
        probability: row.get(12),
        called_threat: row.get(13),
        called_class: optional(14),
    };
    Ok(Label {
        id: LabelId(row.get::<_, i64>(0).cast_unsigned()),
        label,
        created_at: Timestamp(row.get(15)),
        reviewed: row
            .get::<_, Option<i64>>(16)
            .map(Timestamp)
            .zip(optional(17)),
    })
}

fn verdict_uuid(verdict: VerdictId) -> Uuid {
    Uuid::from_bytes(*verdict.as_bytes())
}

pub(super) fn add(session: &mut Session, step: &Step<'_>, label: &NewLabel) -> Result<LabelId> {
    // The author's earlier word on the same flow goes.
    let verdict = verdict_uuid(label.verdict);
    session.execute(
        "DELETE FROM labels WHERE verdict = $1 AND author = $2",
        &[&verdict, &Text(&label.author)],
    )?;
    let row = session.query_one(
        "INSERT INTO labels (verdict, is_attack, attack_type, author, note, state, \
         state_reason, schema_name, features, detector, classifier, probability, \
         called_threat, called_class, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) RETURNING id",
        &[
            &verdict,
            &label.is_attack,
            &label.attack_type.as_deref().map(Text),
            &Text(&label.author),
            &Text(&label.note),
            &label.state.name(),
            &Text(&label.state_reason),
            &Text(&label.schema),
            &label.features,
            &label.detector.map(uuid),
            &label.classifier.map(uuid),
            &label.probability,
            &label.called_threat,
            &label.called_class.as_deref().map(Text),
            &step.at.0,
        ],
    )?;
    Ok(LabelId(row.get::<_, i64>(0).cast_unsigned()))
}

pub(super) fn review(
    session: &mut Session,
    step: &Step<'_>,
    label: LabelId,
    state: LabelState,
    reason: &str,
) -> Result<()> {
    let changed = session.execute(
        "UPDATE labels SET state = $2, state_reason = $3, reviewed_at = $4, reviewed_by = $5 \
         WHERE id = $1",
        &[
            &i64::try_from(label.0).unwrap_or(i64::MAX),
            &state.name(),
            &Text(reason),
            &step.at.0,
            &Text(step.actor),
        ],
    )?;
    if changed == 0 {
        let what = format!("label {}", label.0);
        return Err(conflict(what, "not known", "one that is kept").into());
    }
    Ok(())
}
