use uuid::Uuid;

use super::{
    batches::uuid,
    failure::Result,
    session::Session,
    text::{Plain, Text},
};
use crate::{BatchId, StoredSource, Timestamp};

pub(super) fn all(session: &mut Session) -> Result<Vec<StoredSource>> {
    let sql = "SELECT name, key, is_enabled, config, updated_at FROM sources ORDER BY name";
    let rows = session.query(sql, &[])?;
    Ok(rows
        .iter()
        .map(|row| StoredSource {
            name: row.get::<_, Plain>(0).0,
            key: BatchId::from_bytes(*row.get::<_, Uuid>(1).as_bytes()),
            is_enabled: row.get(2),
            config: row.get::<_, Plain>(3).0,
            updated_at: Timestamp(row.get(4)),
        })
        .collect())
}

pub(super) fn put(session: &mut Session, source: &StoredSource) -> Result<()> {
    session.execute(
        "INSERT INTO sources (name, key, is_enabled, config, updated_at) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) DO UPDATE SET \
         is_enabled = excluded.is_enabled, config = excluded.config, \
         updated_at = excluded.updated_at",
        &[
            &Text(&source.name),
            &uuid(source.key),
            &source.is_enabled,
            &Text(&source.config),
            &source.updated_at.0,
        ],
    )?;
    Ok(())
}
