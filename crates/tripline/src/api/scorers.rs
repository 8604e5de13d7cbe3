//! Scorers kept between requests. A scorer holds the memory that makes judging fast, so making one
//! for each request would cost more than the judging.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tripline_detect::{DetectError, ModelSet, Scorer};
use tripline_features::FeatureSchema;

use super::judge::{Judge, STORED_REASONS};

/// Combinations of features whose models are remembered; senders choose them, so their number
/// needs an end.
const MAX_COMBINATIONS: usize = 1024;
/// Idle scorers kept per pipeline.
const MAX_IDLE: usize = 16;

/// Sets of models that are remembered: the active ones and those with a canary.
const MAX_SETS: usize = 4;

/// Pipelines with idle scorers, of the sets of models that were used last.
#[derive(Debug, Default)]
pub(crate) struct ScorerPool {
    /// The latest last.
    known: Mutex<Vec<Known>>,
}

#[derive(Debug)]
struct Known {
    models: Arc<ModelSet>,
    combinations: HashMap<(&'static str, Vec<bool>), Arc<Pooled>>,
}

/// A pipeline with its idle scorers.
#[derive(Debug)]
pub(crate) struct Pooled {
    judge: Judge,
    provenance: Arc<tripline_store::Provenance>,
    idle: Mutex<Vec<Scorer>>,
}

impl ScorerPool {
    /// The pipeline for rows with the given features present.
    pub(crate) fn find(
        &self,
        models: &Arc<ModelSet>,
        schema: &'static FeatureSchema,
        present: &[bool],
    ) -> Result<Arc<Pooled>, DetectError> {
        let mut sets = lock(&self.known);
        let position = sets
            .iter()
            .position(|known| Arc::ptr_eq(&known.models, models));
        let position = position.unwrap_or_else(|| {
            if sets.len() == MAX_SETS {
                sets.remove(0);
            }
            sets.push(Known {
                models: Arc::clone(models),
                combinations: HashMap::new(),
            });
            sets.len() - 1
        });
        let known = &mut sets[position];
        let key = (schema.name(), present.to_vec());
        if let Some(pooled) = known.combinations.get(&key) {
            return Ok(Arc::clone(pooled));
        }
        let pipeline = models.pipeline_for(schema, present)?;
        if known.combinations.len() >= MAX_COMBINATIONS {
            known.combinations.clear();
        }
        let same_models = |pooled: &&Arc<Pooled>| {
            pooled.judge.pipeline().models().count() == pipeline.models().count()
                && pooled
                    .judge
                    .pipeline()
                    .models()
                    .zip(pipeline.models())
                    .all(|(one, other)| Arc::ptr_eq(one, other))
        };
        let shared = known.combinations.values().find(same_models).cloned();
        let pooled = shared.unwrap_or_else(|| {
            let judge = Judge::new(pipeline);
            let provenance = Arc::new(judge.provenance().clone());
            Arc::new(Pooled {
                judge,
                provenance,
                idle: Mutex::default(),
            })
        });
        known.combinations.insert(key, Arc::clone(&pooled));
        Ok(pooled)
    }
}

impl Pooled {
    /// The pipeline and what is stored about it.
    pub(crate) fn judge(&self) -> &Judge {
        &self.judge
    }

    /// What is stored about it, to be shared.
    pub(crate) fn provenance(&self) -> &Arc<tripline_store::Provenance> {
        &self.provenance
    }

    /// A scorer for verdicts with at least so many reasons.
    pub(crate) fn take(&self, reasons: usize) -> Scorer {
        let idle = if reasons <= STORED_REASONS {
            lock(&self.idle).pop()
        } else {
            None
        };
        idle.unwrap_or_else(|| {
            Scorer::new(self.judge.pipeline().clone(), reasons.max(STORED_REASONS))
        })
    }

    /// Gives a scorer back that was taken for so many reasons.
    pub(crate) fn give_back(&self, scorer: Scorer, reasons: usize) {
        let mut idle = lock(&self.idle);
        if reasons <= STORED_REASONS && idle.len() < MAX_IDLE {
            idle.push(scorer);
        }
    }
}

/// What these mutexes guard is changed by single calls that leave it whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
