//! Models, labels, tasks and what was measured. Everything that changes goes through one
//! transaction for each step, one step after the other.

mod labels;
mod models;
mod step;
mod tasks;

use std::time::{Duration, Instant};

use uuid::Uuid;

use super::{
    PostgresStore, failure,
    pool::lock,
    session::Session,
    text::{Plain, Text},
};
use crate::{
    Committed, LabelFilter, LabelPage, Message, Model, ModelEvent, ModelFilter, ModelId, Record,
    Registry, Result, Step, Task, Timestamp, registry::check_lease,
};

/// Where changed models are told of.
pub(super) const CHANNEL: &str = "tripline_models";

impl Registry for PostgresStore {
    fn commit(&self, step: &Step<'_>) -> Result<Committed> {
        step.check()?;
        self.call(|session| step::commit(session, step))
    }

    fn epoch(&self) -> Result<u64> {
        self.call(epoch)
    }

    fn wait_for_epoch(&self, known: u64, at_most: Duration) -> Result<Option<u64>> {
        let end = Instant::now() + at_most;
        let mut listener = lock(&self.listener);
        let mut session = match listener.take() {
            Some(session) => session,
            None => self.listen()?,
        };
        loop {
            // Asked after listening began, so that no change falls between.
            let epoch = epoch(&mut session).map_err(|failure| self.named(failure))?;
            let left = end.saturating_duration_since(Instant::now());
            if epoch != known || left.is_zero() {
                *listener = Some(session);
                return Ok(Some(epoch));
            }
            session
                .wait_for_notice(left)
                .map_err(|failure| self.named(failure))?;
        }
    }

    fn model(&self, id: ModelId) -> Result<Option<Model>> {
        self.call(|session| models::get(session, id))
    }

    fn models(&self, filter: &ModelFilter) -> Result<Vec<Model>> {
        self.call(|session| models::list(session, filter))
    }

    fn model_bytes(&self, id: ModelId) -> Result<Option<Vec<u8>>> {
        self.call(|session| models::bytes(session, id))
    }

    fn model_report(&self, id: ModelId) -> Result<Option<String>> {
        self.call(|session| {
            let sql = "SELECT report FROM model_reports WHERE model = $1";
            let row = session.query_opt(sql, &[&uuid(id)])?;
            Ok(row.map(|row| row.get::<_, Plain>(0).0))
        })
    }

    fn model_events(
        &self,
        model: Option<ModelId>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<ModelEvent>> {
        self.call(|session| models::events(session, model, before, limit))
    }

    fn labels(&self, filter: &LabelFilter, limit: usize) -> Result<LabelPage> {
        self.call(|session| labels::page(session, filter, limit))
    }

    fn count_labels(&self, filter: &LabelFilter) -> Result<u64> {
        self.call(|session| labels::count(session, filter))
    }

    fn task(&self, key: &str) -> Result<Option<Task>> {
        self.call(|session| tasks::get(session, key))
    }

    fn records(
        &self,
        kind: &str,
        subject: Option<&str>,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> Result<Vec<Record>> {
        self.call(|session| tasks::records(session, kind, subject, from, to, limit))
    }

    fn trim_records(&self, before: Timestamp) -> Result<u64> {
        self.call(|session| session.execute("DELETE FROM records WHERE at < $1", &[&before.0]))
    }

    fn due_messages(&self, now: Timestamp, limit: usize) -> Result<Vec<Message>> {
        self.call(|session| tasks::due_messages(session, now, limit))
    }

    fn recent_messages(&self, limit: usize) -> Result<Vec<Message>> {
        self.call(|session| tasks::recent_messages(session, limit))
    }

    fn take_lease(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool> {
        check_lease(name, holder)?;
        self.call(|session| tasks::take_lease(session, name, holder, now, until))
    }

    fn release_lease(&self, name: &str, holder: &str) -> Result<()> {
        self.call(|session| {
            let sql = "DELETE FROM leases WHERE name = $1 AND holder = $2";
            session.execute(sql, &[&Text(name), &Text(holder)])?;
            Ok(())
        })
    }
}

pub(super) fn epoch(session: &mut Session) -> failure::Result<u64> {
    let row = session.query_one("SELECT epoch FROM registry_epoch", &[])?;
    Ok(row.get::<_, i64>(0).cast_unsigned())
}

fn uuid(id: ModelId) -> Uuid {
    Uuid::from_bytes(*id.as_bytes())
}

fn model_id(id: Uuid) -> ModelId {
    ModelId::from_bytes(*id.as_bytes())
}

/// A name that no version of this program writes.
fn unknown_name(what: &'static str, found: &str) -> failure::Failure {
    crate::StoreError::invalid(what, found, "a name that this version of the program knows").into()
}
