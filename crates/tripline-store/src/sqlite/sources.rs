use rusqlite::Connection;

use super::failure::Result;
use crate::{BatchId, StoredSource, Timestamp};

pub(super) fn all(connection: &Connection) -> Result<Vec<StoredSource>> {
    let mut statement = connection.prepare_cached(
        "SELECT name, key, is_enabled, config, updated_at FROM sources ORDER BY name",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(StoredSource {
            name: row.get(0)?,
            key: BatchId::from_bytes(row.get(1)?),
            is_enabled: row.get(2)?,
            config: row.get(3)?,
            updated_at: Timestamp(row.get(4)?),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn put(connection: &Connection, source: &StoredSource) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO sources (name, key, is_enabled, config, updated_at) \
             VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET \
             is_enabled = excluded.is_enabled, config = excluded.config, \
             updated_at = excluded.updated_at",
        )?
        .execute((
            &source.name,
            source.key.as_bytes(),
            source.is_enabled,
            &source.config,
            source.updated_at.0,
        ))?;
    Ok(())
}
