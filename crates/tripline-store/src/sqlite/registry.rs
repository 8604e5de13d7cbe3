//! Models, labels, tasks and what was measured. Everything that changes goes through one
//! transaction for each step.

mod labels;
mod models;
mod step;
mod tasks;

use rusqlite::{Connection, OptionalExtension};

use super::{SqliteStore, failure};
use crate::{
    Committed, LabelFilter, LabelPage, Message, Model, ModelEvent, ModelFilter, ModelId, Record,
    Registry, Result, Step, Task, Timestamp, registry::check_lease,
};

impl Registry for SqliteStore {
    fn commit(&self, step: &Step<'_>) -> Result<Committed> {
        step.check()?;
        self.write(|writer| step::commit(&mut writer.connection, step))
    }

    fn epoch(&self) -> Result<u64> {
        self.read(epoch)
    }

    fn model(&self, id: ModelId) -> Result<Option<Model>> {
        self.read(|connection| models::get(connection, id))
    }

    fn models(&self, filter: &ModelFilter) -> Result<Vec<Model>> {
        self.read(|connection| models::list(connection, filter))
    }

    fn model_bytes(&self, id: ModelId) -> Result<Option<Vec<u8>>> {
        self.read(|connection| models::bytes(connection, id))
    }

    fn model_report(&self, id: ModelId) -> Result<Option<String>> {
        self.read(|connection| {
            Ok(connection
                .prepare_cached("SELECT report FROM model_reports WHERE model = ?1")?
                .query_row([id.as_bytes()], |row| row.get(0))
                .optional()?)
        })
    }

    fn model_events(
        &self,
        model: Option<ModelId>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<ModelEvent>> {
        self.read(|connection| models::events(connection, model, before, limit))
    }

    fn labels(&self, filter: &LabelFilter, limit: usize) -> Result<LabelPage> {
        self.read(|connection| labels::page(connection, filter, limit))
    }

    fn count_labels(&self, filter: &LabelFilter) -> Result<u64> {
        self.read(|connection| labels::count(connection, filter))
    }

    fn task(&self, key: &str) -> Result<Option<Task>> {
        self.read(|connection| tasks::get(connection, key))
    }

    fn records(
        &self,
        kind: &str,
        subject: Option<&str>,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> Result<Vec<Record>> {
        self.read(|connection| tasks::records(connection, kind, subject, from, to, limit))
    }

    fn trim_records(&self, before: Timestamp) -> Result<u64> {
        self.write(|writer| {
            let deleted = writer
                .connection
                .prepare_cached("DELETE FROM records WHERE at < ?1")?
                .execute([before.0])?;
            Ok(deleted as u64)
        })
    }

    fn due_messages(&self, now: Timestamp, limit: usize) -> Result<Vec<Message>> {
        self.read(|connection| tasks::due_messages(connection, now, limit))
    }

    fn recent_messages(&self, limit: usize) -> Result<Vec<Message>> {
        self.read(|connection| tasks::recent_messages(connection, limit))
    }

    fn take_lease(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool> {
        check_lease(name, holder)?;
        self.write(|writer| tasks::take_lease(&writer.connection, name, holder, now, until))
    }

    fn release_lease(&self, name: &str, holder: &str) -> Result<()> {
        self.write(|writer| {
            writer
                .connection
                .prepare_cached("DELETE FROM leases WHERE name = ?1 AND holder = ?2")?
                .execute((name, holder))?;
            Ok(())
        })
    }
}

fn epoch(connection: &Connection) -> failure::Result<u64> {
    let epoch: i64 = connection
        .prepare_cached("SELECT epoch FROM registry_epoch")?
        .query_row([], |row| row.get(0))?;
    Ok(epoch.cast_unsigned())
}

/// A limit as SQL takes it.
fn limit_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// A name that no version of this program writes.
fn unknown_name(what: &'static str, found: &str) -> failure::Failure {
    crate::StoreError::invalid(what, found, "a name that this version of the program knows").into()
}
