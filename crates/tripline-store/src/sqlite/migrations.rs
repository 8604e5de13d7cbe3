//! The tables' versions. A database carries its version in `user_version`; each step up is one
//! script in one transaction, so a step that fails leaves the version before it.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::failure::Result;
use crate::StoreError;

/// Marks a SQLite file as ours: `Trip`.
const APPLICATION_ID: i32 = 0x5472_6970;

/// Script `n` leads from version `n` to `n + 1`. Scripts that have been released never change.
const SCRIPTS: &[&str] = &[
    include_str!("../../migrations/0001_initial.sql"),
    include_str!("../../migrations/0002_flows.sql"),
    include_str!("../../migrations/0003_registry.sql"),
];

/// The version that this program writes.
pub(super) const SUPPORTED: u32 = SCRIPTS.len() as u32;

/// Refuses files of other programs and of newer versions before anything is written to them.
pub(super) fn check_is_ours(connection: &Connection, path: &Path) -> Result<()> {
    let application_id: i32 =
        connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let is_empty: bool = connection.query_row(
        "SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)",
        [],
        |row| row.get(0),
    )?;
    if application_id != APPLICATION_ID && !(is_empty && application_id == 0) {
        return Err(StoreError::ForeignDatabase {
            path: path.to_owned(),
            application_id,
        }
        .into());
    }
    let found = version(connection)?;
    if found > SUPPORTED {
        return Err(StoreError::NewerSchema {
            path: path.to_owned(),
            found,
            supported: SUPPORTED,
        }
        .into());
    }
    Ok(())
}

pub(super) fn version(connection: &Connection) -> Result<u32> {
    Ok(connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

pub(super) fn migrate(connection: &mut Connection) -> Result<()> {
    loop {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let found = version(&transaction)?;
        let Some(script) = SCRIPTS.get(found as usize) else {
            return Ok(());
        };
        transaction.execute_batch(script)?;
        transaction.pragma_update(None, "user_version", found + 1)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.commit()?;
    }
}
