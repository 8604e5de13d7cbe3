use std::sync::Arc;

use tripline_detect::{DetectError, Model, ModelSet};
use tripline_store::{Model as Version, ModelId, ModelStage};

/// What judges: the active models, and for each canary the same with one model exchanged.
#[derive(Debug, Clone, Default)]
pub struct Serving {
    active: Arc<ModelSet>,
    canaries: Vec<Canary>,
}

/// A version that judges a share of the flows.
#[derive(Debug, Clone)]
pub(crate) struct Canary {
    /// Which.
    pub(crate) id: ModelId,
    /// The share, 0 to 1.
    pub(crate) share: f64,
    /// The active models, with this one in the place of its predecessor.
    pub(crate) models: Arc<ModelSet>,
}

impl Serving {
    /// These models and no canary.
    pub fn plain(models: ModelSet) -> Self {
        Self {
            active: Arc::new(models),
            canaries: Vec::new(),
        }
    }

    /// What the stages of versions come to; `shares` are those of canaries.
    pub(super) fn of(
        ready: &[(&Version, Arc<Model>)],
        shares: &[(ModelId, f64)],
    ) -> Result<Self, DetectError> {
        let active: Vec<&(&Version, Arc<Model>)> = ready
            .iter()
            .filter(|(version, _)| version.stage == ModelStage::Active)
            .collect();
        let models = |of: &[&(&Version, Arc<Model>)]| {
            ModelSet::new(of.iter().map(|(_, model)| Arc::clone(model)).collect())
        };
        let mut canaries = Vec::new();
        for canary in ready {
            let (version, _) = canary;
            let share = shares.iter().find(|(id, _)| *id == version.model.id);
            let (ModelStage::Canary, Some((id, share))) = (version.stage, share) else {
                continue;
            };
            let mut set: Vec<&(&Version, Arc<Model>)> = active
                .iter()
                .filter(|(other, _)| !competes(other, version))
                .copied()
                .collect();
            set.push(canary);
            canaries.push(Canary {
                id: *id,
                share: *share,
                models: Arc::new(models(&set)?),
            });
        }
        Ok(Self {
            active: Arc::new(models(&active)?),
            canaries,
        })
    }

    /// The models that judge where no canary does.
    pub fn active(&self) -> &Arc<ModelSet> {
        &self.active
    }

    /// The versions that judge a share.
    pub(crate) fn canaries(&self) -> &[Canary] {
        &self.canaries
    }
}

/// Whether two versions cannot both be active.
pub(super) fn competes(one: &Version, other: &Version) -> bool {
    one.model.slot == other.model.slot || one.model.name == other.model.name
}
