use std::sync::Arc;

use tripline_detect::{DetectError, Model, ModelSet, Pipeline};
use tripline_lifecycle::promotion::goes_to_canary;
use tripline_store::{Model as Version, ModelId, ModelStage};

/// What judges: the active models, and for each canary the same with one model exchanged.
#[derive(Debug, Clone, Default)]
pub struct Serving {
    active: Arc<ModelSet>,
    canaries: Vec<Canary>,
}

/// A version that judges a share of the flows.
#[derive(Debug, Clone)]
struct Canary {
    id: ModelId,
    /// 0 to 1.
    share: f64,
    /// The active models, with this one in the place of its predecessor.
    models: Arc<ModelSet>,
}

/// Which pipeline judges which rows of a kind.
#[derive(Debug, Clone)]
pub(crate) struct RowRoutes {
    active: usize,
    canaries: Vec<(ModelId, f64, usize)>,
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
                .filter(|(other, _)| !other.competes(version))
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

    /// The models that judge the row with this key. The key is only made where there is a canary.
    pub(crate) fn models_for<K: AsRef<[u8]>>(&self, key: impl FnOnce() -> K) -> &Arc<ModelSet> {
        if self.canaries.is_empty() {
            return &self.active;
        }
        let key = key();
        let chosen = self
            .canaries
            .iter()
            .find(|canary| goes_to_canary(canary.id.as_bytes(), key.as_ref(), canary.share));
        chosen.map_or(&self.active, |canary| &canary.models)
    }

    /// Adds the pipelines for a kind of rows, that of the active models and those of canaries, and
    /// says which rows go to which.
    pub(crate) fn routes(
        &self,
        pipelines: &mut Vec<Pipeline>,
        mut find: impl FnMut(&ModelSet) -> Result<Pipeline, DetectError>,
    ) -> Result<RowRoutes, DetectError> {
        let active = find(&self.active)?;
        let mut routes = RowRoutes {
            active: pipelines.len(),
            canaries: Vec::new(),
        };
        pipelines.push(active);
        for canary in &self.canaries {
            let Ok(pipeline) = find(&canary.models) else {
                continue;
            };
            let ids = |pipeline: &Pipeline| -> Vec<*const Model> {
                pipeline.models().map(Arc::as_ptr).collect()
            };
            // A canary for other rows changes nothing here.
            if ids(&pipeline) != ids(&pipelines[routes.active]) {
                routes
                    .canaries
                    .push((canary.id, canary.share, pipelines.len()));
                pipelines.push(pipeline);
            }
        }
        Ok(routes)
    }
}

impl RowRoutes {
    /// The pipelines, by their positions.
    pub(crate) fn pipelines(&self) -> impl Iterator<Item = usize> {
        let canaries = self.canaries.iter().map(|(_, _, pipeline)| *pipeline);
        std::iter::once(self.active).chain(canaries)
    }

    /// The pipeline that judges the row with this key. The key is only made where there is a
    /// canary.
    pub(crate) fn pipeline_of<K: AsRef<[u8]>>(&self, key: impl FnOnce() -> K) -> usize {
        if self.canaries.is_empty() {
            return self.active;
        }
        let key = key();
        let chosen = self
            .canaries
            .iter()
            .find(|(id, share, _)| goes_to_canary(id.as_bytes(), key.as_ref(), *share));
        chosen.map_or(self.active, |(_, _, pipeline)| *pipeline)
    }
}
