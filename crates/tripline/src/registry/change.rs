//! Changes of stage: checked first, committed in one step, and then effective for the next request.

use serde_json::json;
use tripline_lifecycle::promotion::Decision;
use tripline_store::{
    Model as Version, ModelFilter, ModelId, ModelStage, Step, StoreError, Timestamp, Write,
};

use super::{Models, RegistryError, lock, title};

/// How often a change is tried again when somebody else was faster.
const TRIES: usize = 8;
/// Key of the shares of canaries among the tasks of the store.
const SHARES: &str = "canary-shares";

/// What a message about a change of stage is called.
const STAGE_EVENT: &str = "model.stage";

/// A change of stage that somebody wants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change<'a> {
    /// Who.
    pub(crate) actor: &'a str,
    /// Why, for people.
    pub(crate) reason: &'a str,
    /// The figures behind it, as JSON; empty when there are none.
    pub(crate) details: &'a str,
}

impl Models {
    /// Makes a version the active one; whatever judges the same rows, or has the same name, is
    /// retired in the same step.
    pub(crate) fn activate(
        &self,
        id: ModelId,
        change: Change<'_>,
    ) -> Result<Version, RegistryError> {
        let changing = lock(&self.changing);
        let version = self.version(id)?;
        self.check_signed(&version, ModelStage::Active)?;
        // It has to be able to judge before anything else stops doing so.
        self.load(&version)?;
        try_again(|| {
            let version = self.version(id)?;
            if version.deleted_at.is_some() {
                return Err(RegistryError::NoBytes {
                    model: title(&version),
                });
            }
            if version.stage == ModelStage::Active {
                return Ok(());
            }
            let leaving = self.rivals_of(&version)?;
            let reason = format!("{} took its place: {}", title(&version), change.reason);
            let mut writes: Vec<Write<'_>> = leaving
                .iter()
                .map(|rival| Write::Stage {
                    model: rival.model.id,
                    from: ModelStage::Active,
                    to: ModelStage::Retired,
                    reason: &reason,
                    details: change.details,
                })
                .collect();
            writes.push(Write::Stage {
                model: id,
                from: version.stage,
                to: ModelStage::Active,
                reason: change.reason,
                details: change.details,
            });
            self.commit(change.actor, self.now(), writes)
        })?;
        self.reload(&changing)?;
        self.version(id)
    }

    /// Takes a version back to where it judges nothing.
    pub(crate) fn retire(&self, id: ModelId, change: Change<'_>) -> Result<Version, RegistryError> {
        self.set_stage(id, ModelStage::Retired, change)
    }

    /// Moves a version to a stage other than [`ModelStage::Active`].
    pub(crate) fn set_stage(
        &self,
        id: ModelId,
        to: ModelStage,
        change: Change<'_>,
    ) -> Result<Version, RegistryError> {
        if to == ModelStage::Active {
            return self.activate(id, change);
        }
        let changing = lock(&self.changing);
        let version = self.version(id)?;
        self.check_signed(&version, to)?;
        if matches!(to, ModelStage::Shadow | ModelStage::Canary) {
            self.load(&version)?;
        }
        try_again(|| {
            let version = self.version(id)?;
            let is_deleted = version.deleted_at.is_some();
            let is_step = match (version.stage, to) {
                (from, to) if from == to => return Ok(()),
                (ModelStage::Active, ModelStage::Shadow | ModelStage::Canary) => false,
                _ => !is_deleted,
            };
            if !is_step {
                return Err(RegistryError::Stage {
                    model: title(&version),
                    found: if is_deleted {
                        "deleted"
                    } else {
                        version.stage.name()
                    },
                    expected: format!("a stage from which it can become {}", to.name()),
                });
            }
            self.commit(
                change.actor,
                self.now(),
                vec![Write::Stage {
                    model: id,
                    from: version.stage,
                    to,
                    reason: change.reason,
                    details: change.details,
                }],
            )
        })?;
        self.reload(&changing)?;
        self.version(id)
    }

    /// Takes an active version back and makes the one active that was before it.
    pub(crate) fn roll_back(
        &self,
        id: ModelId,
        change: Change<'_>,
    ) -> Result<Version, RegistryError> {
        let version = self.version(id)?;
        if version.stage != ModelStage::Active {
            return Err(RegistryError::Stage {
                model: title(&version),
                found: version.stage.name(),
                expected: "active".to_owned(),
            });
        }
        let predecessor =
            self.predecessor_of(&version)?
                .ok_or_else(|| RegistryError::NoPredecessor {
                    model: title(&version),
                })?;
        self.activate(predecessor, change)
    }

    /// The version that was active last in the place of this one.
    pub(crate) fn predecessor_of(
        &self,
        version: &Version,
    ) -> Result<Option<ModelId>, RegistryError> {
        let others = self.store.models(&ModelFilter::default())?;
        let mut best: Option<&Version> = None;
        for other in &others {
            let has_served = other.stage == ModelStage::Retired
                && other.model.id != version.model.id
                && other.has_bytes
                && other.competes(version);
            if !has_served
                || best.is_some_and(|best| best.stage_changed_at >= other.stage_changed_at)
            {
                continue;
            }
            let events = self.store.model_events(Some(other.model.id), None, 1000)?;
            if events
                .iter()
                .any(|event| event.to == Some(ModelStage::Active))
            {
                best = Some(other);
            }
        }
        Ok(best.map(|other| other.model.id))
    }

    /// Deletes a version that judges nothing.
    pub(crate) fn delete(
        &self,
        id: ModelId,
        keep_bytes: bool,
        change: Change<'_>,
    ) -> Result<(), RegistryError> {
        let changing = lock(&self.changing);
        self.version(id)?;
        self.commit(
            change.actor,
            self.now(),
            vec![Write::DeleteModel {
                model: id,
                keep_bytes,
                reason: change.reason,
            }],
        )?;
        self.reload(&changing)
    }

    /// The share of flows that each canary judges.
    pub(crate) fn canary_shares(&self) -> Result<Vec<(ModelId, f64)>, RegistryError> {
        let Some(task) = self.store.task(SHARES)? else {
            return Ok(Vec::new());
        };
        let shares: std::collections::BTreeMap<String, f64> =
            serde_json::from_str(&task.value).unwrap_or_default();
        Ok(shares
            .into_iter()
            .filter_map(|(id, share)| Some((id.parse().ok()?, share)))
            .collect())
    }

    /// The shares as they are stored, with their revision.
    fn shares(
        &self,
    ) -> Result<(serde_json::Map<String, serde_json::Value>, Option<u64>), RegistryError> {
        let task = self.store.task(SHARES)?;
        let shares = task
            .as_ref()
            .and_then(|task| serde_json::from_str(&task.value).ok())
            .unwrap_or_default();
        Ok((shares, task.map(|task| task.revision)))
    }

    /// Sets the share of flows that a canary judges.
    pub(crate) fn set_share(
        &self,
        id: ModelId,
        share: f64,
        actor: &str,
    ) -> Result<(), RegistryError> {
        let changing = lock(&self.changing);
        try_again(|| {
            let (mut shares, expected) = self.shares()?;
            shares.insert(id.to_string(), json!(share));
            let value = serde_json::Value::Object(shares).to_string();
            self.commit(
                actor,
                self.now(),
                vec![Write::Task {
                    key: SHARES,
                    value: Some(&value),
                    expected,
                }],
            )
        })?;
        self.reload(&changing)
    }

    fn rivals_of(&self, version: &Version) -> Result<Vec<Version>, RegistryError> {
        let active = self.store.models(&ModelFilter {
            stages: vec![ModelStage::Active],
            ..ModelFilter::default()
        })?;
        Ok(active
            .into_iter()
            .filter(|other| other.model.id != version.model.id && other.competes(version))
            .collect())
    }

    /// Carries out what a policy decided about candidates, in the same step as these writes. An active
    /// version that is given up makes room for its predecessor.
    pub(crate) fn carry_out(
        &self,
        actor: &str,
        at: Timestamp,
        writes: Vec<Write<'_>>,
        decided: &[(ModelId, Decision)],
        details: impl Fn(ModelId) -> String,
    ) -> Result<(), RegistryError> {
        let changing = lock(&self.changing);
        let mut moves: Vec<(ModelId, ModelStage, ModelStage, String, String)> = Vec::new();
        let mut shares = self.shares()?;
        let mut shares_changed = false;
        for (id, decision) in decided {
            let version = self.version(*id)?;
            let figures = details(*id);
            let mut go = |id, from, to, reason: &str| {
                moves.push((id, from, to, reason.to_owned(), figures.clone()));
            };
            match decision {
                Decision::Stay { .. } => {}
                Decision::GoOn { .. }
                    if self.check_signed(&version, ModelStage::Canary).is_err() =>
                {
                    // A person has to find somebody who signs it.
                }
                Decision::GoOn { share, because } if *share >= 1.0 => {
                    self.load(&version)?;
                    for rival in self.rivals_of(&version)? {
                        go(
                            rival.model.id,
                            ModelStage::Active,
                            ModelStage::Retired,
                            because,
                        );
                    }
                    go(*id, version.stage, ModelStage::Active, because);
                }
                Decision::GoOn { share, because } => {
                    shares.0.insert(id.to_string(), json!(share));
                    shares_changed = true;
                    if version.stage != ModelStage::Canary {
                        go(*id, version.stage, ModelStage::Canary, because);
                    }
                }
                Decision::GiveUp { because } => {
                    go(*id, version.stage, ModelStage::Retired, because);
                    if version.stage == ModelStage::Active
                        && let Some(predecessor) = self.predecessor_of(&version)?
                    {
                        self.load(&self.version(predecessor)?)?;
                        go(
                            predecessor,
                            ModelStage::Retired,
                            ModelStage::Active,
                            because,
                        );
                    }
                }
            }
        }
        let value = serde_json::Value::Object(shares.0).to_string();
        let mut writes = writes;
        writes.extend(moves.iter().map(|(model, from, to, reason, details)| {
            tracing::info!(model = %model, from = from.name(), to = to.name(), reason, "a model changes its stage");
            Write::Stage {
                model: *model,
                from: *from,
                to: *to,
                reason,
                details,
            }
        }));
        if shares_changed {
            writes.push(Write::Task {
                key: SHARES,
                value: Some(&value),
                expected: shares.1,
            });
        }
        self.commit(actor, at, writes)?;
        self.reload(&changing)
    }

    /// Commits a step with the messages that tell of it.
    pub(crate) fn commit(
        &self,
        actor: &str,
        at: Timestamp,
        writes: Vec<Write<'_>>,
    ) -> Result<(), RegistryError> {
        let settings = self.live.now();
        let targets = &settings.webhooks.targets;
        let bodies = if targets.is_empty() {
            Vec::new()
        } else {
            self.messages(actor, at, &writes)?
        };
        let mut writes = writes;
        for body in &bodies {
            writes.extend(targets.iter().map(|target| Write::Send {
                target: target.as_str(),
                event: STAGE_EVENT,
                body,
            }));
        }
        self.store.commit(&Step { at, actor, writes })?;
        Ok(())
    }

    /// What is to be told of the changes of stage among these writes.
    fn messages(
        &self,
        actor: &str,
        at: Timestamp,
        writes: &[Write<'_>],
    ) -> Result<Vec<String>, RegistryError> {
        let mut bodies = Vec::new();
        for write in writes {
            let Write::Stage {
                model,
                from,
                to,
                reason,
                details,
            } = write
            else {
                continue;
            };
            let version = self.version(*model)?;
            let details: serde_json::Value = serde_json::from_str(details).unwrap_or_default();
            let body = json!({
                "type": STAGE_EVENT,
                "timestamp": crate::api::rfc3339(at),
                "data": {
                    "model_id": model.to_string(),
                    "name": version.model.name,
                    "version": version.model.version,
                    "role": version.model.role,
                    "schema": version.model.schema,
                    "from": from.name(),
                    "to": to.name(),
                    "actor": actor,
                    "reason": reason,
                    "details": details,
                },
            });
            bodies.push(body.to_string());
        }
        Ok(bodies)
    }
}

/// Tries a change anew when another process has changed something between reading and writing.
fn try_again(mut change: impl FnMut() -> Result<(), RegistryError>) -> Result<(), RegistryError> {
    for _ in 1..TRIES {
        match change() {
            Err(RegistryError::Store(StoreError::Conflict { .. })) => {}
            outcome => return outcome,
        }
    }
    change()
}
