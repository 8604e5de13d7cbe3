//! The models of this process: which ones judge, where they come from, and how that changes.
//!
//! The store knows every version and its stage; this is what makes it take effect. What judges lies
//! behind one pointer ([`Serving`]): a request takes it once and finishes with it, an activation
//! exchanges it, and the next request sees the new one. The store is changed first, so a process
//! that ends in between comes back with what the store says.

mod admission;
mod change;
mod loaded;
mod serving;
mod shipped;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};
use tripline_detect::{DetectError, Manifest, ModelSet, Pipeline, Role};
use tripline_features::FeatureSchema;
use tripline_store::{
    Backend, Model as Version, ModelFilter, ModelId, ModelStage, StoreError, Timestamp,
};

pub use self::admission::{AdmissionRules, HoldOut, Unsigned};
use self::loaded::Loaded;
pub(crate) use self::serving::RowRoutes;
pub use self::serving::Serving;
pub(crate) use self::{
    admission::{AdmissionError, Offer},
    change::Change,
};
use crate::{config::Live, model_files::BundleFile};

/// Why the registry could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The store could not, or somebody else was faster.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No version has this identifier.
    #[error("no model has the identifier {id}")]
    Unknown {
        /// The identifier.
        id: ModelId,
    },
    /// The bytes of the version were deleted.
    #[error("the bundle of {model} was deleted")]
    NoBytes {
        /// Name and version.
        model: String,
    },
    /// The bundle cannot be used.
    #[error("the bundle of {model} cannot be used")]
    Bundle {
        /// Name and version.
        model: String,
        /// Why.
        #[source]
        source: DetectError,
    },
    /// A version cannot go from its stage to the one asked for.
    #[error("{model} is {found}, expected {expected}")]
    Stage {
        /// Name and version.
        model: String,
        /// Its stage.
        found: &'static str,
        /// What it would have to be.
        expected: String,
    },
    /// Nobody who is trusted has signed it.
    #[error("{model} is signed by nobody who is trusted, and may not become {to}")]
    Unsigned {
        /// Name and version.
        model: String,
        /// The stage.
        to: &'static str,
    },
    /// There is nothing to go back to.
    #[error("no version was active in the place of {model} before")]
    NoPredecessor {
        /// Name and version.
        model: String,
    },
    /// The versions that would judge do not fit together.
    #[error("the models that would be active do not fit together")]
    Set(#[source] DetectError),
}

/// A version that is to judge and cannot.
#[derive(Debug, Clone)]
pub struct Refused {
    /// What it is for.
    pub role: String,
    /// Name and version.
    pub model: String,
    /// Why, for people.
    pub reason: String,
}

/// The models of this process.
#[derive(Debug)]
pub struct Models {
    store: Arc<dyn Backend>,
    clock: fn() -> Timestamp,
    /// What becomes of versions that nobody trusted has signed, and who is told of changes of stage.
    live: Live,
    serving: ArcSwap<Serving>,
    /// Held while stages change here, so that the pointer follows the store in order.
    changing: Mutex<()>,
    loaded: Mutex<Loaded>,
    refused: Mutex<Vec<Refused>>,
    epoch: AtomicU64,
}

impl Models {
    /// Takes bundles that came with the program into the store, and loads what is to judge. The
    /// receivers in the settings get a message about every change of stage.
    pub fn open(
        store: Arc<dyn Backend>,
        shipped: &[BundleFile],
        live: Live,
        clock: fn() -> Timestamp,
    ) -> Result<Self, RegistryError> {
        let models = Self {
            store,
            clock,
            live,
            serving: ArcSwap::from_pointee(Serving::default()),
            changing: Mutex::default(),
            loaded: Mutex::default(),
            refused: Mutex::default(),
            epoch: AtomicU64::new(0),
        };
        {
            let changing = lock(&models.changing);
            models.take_shipped(shipped)?;
            models.reload(&changing)?;
        }
        Ok(models)
    }

    /// Whether a version may come to a stage, by who signed it. What came with the program or was
    /// trained here is trusted as the program is.
    fn check_signed(&self, version: &Version, to: ModelStage) -> Result<(), RegistryError> {
        let needs = self.live.now().admission.unsigned != Unsigned::Allowed
            && version.model.origin == tripline_store::Origin::Uploaded
            && matches!(to, ModelStage::Canary | ModelStage::Active);
        let is_trusted = version
            .model
            .signature
            .as_ref()
            .is_some_and(|signature| signature.trusted);
        if needs && !is_trusted {
            return Err(RegistryError::Unsigned {
                model: title(version),
                to: to.name(),
            });
        }
        Ok(())
    }

    /// What judges now. A request asks once and keeps the answer.
    pub fn serving(&self) -> Arc<Serving> {
        self.serving.load_full()
    }

    /// Versions that are to judge and cannot.
    pub(crate) fn refused(&self) -> Vec<Refused> {
        lock(&self.refused).clone()
    }

    /// Waits, no longer than `at_most`, until another process changes models after `known`; the store's
    /// epoch then. `None` where there is no other process.
    pub(crate) fn hear(&self, known: u64, at_most: Duration) -> Result<Option<u64>, RegistryError> {
        Ok(self.store.wait_for_epoch(known, at_most)?)
    }

    /// The epoch that is followed.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Looks whether another process has changed anything, and follows it.
    pub(crate) fn follow(&self) -> Result<bool, RegistryError> {
        if self.store.epoch()? == self.epoch.load(Ordering::Acquire) {
            return Ok(false);
        }
        self.reload(&lock(&self.changing))?;
        Ok(true)
    }

    /// The version with this identifier, deleted ones included.
    pub(crate) fn version(&self, id: ModelId) -> Result<Version, RegistryError> {
        self.store.model(id)?.ok_or(RegistryError::Unknown { id })
    }

    /// A version ready to judge, whatever its stage.
    pub(crate) fn load(
        &self,
        version: &Version,
    ) -> Result<Arc<tripline_detect::Model>, RegistryError> {
        if let Some(model) = lock(&self.loaded).get(version.model.id) {
            return Ok(model);
        }
        let about = || title(version);
        let bytes = self
            .store
            .model_bytes(version.model.id)?
            .ok_or_else(|| RegistryError::NoBytes { model: about() })?;
        let model =
            tripline_detect::Model::from_bytes(&bytes).map_err(|source| RegistryError::Bundle {
                model: about(),
                source,
            })?;
        let model = Arc::new(model);
        lock(&self.loaded).put(version.model.id, &model);
        Ok(model)
    }

    /// The pipeline of exactly these models, by role, name and version, in use or not; `None` when
    /// one of them is not there any more. With it an old verdict is explained by the models that
    /// gave it.
    pub(crate) fn pipeline_of(
        &self,
        schema: &'static FeatureSchema,
        wanted: &[(Role, &str, &str)],
    ) -> Option<Pipeline> {
        if let Some(pipeline) = self.serving().active().pipeline_of(schema, wanted) {
            return Some(pipeline);
        }
        let models = wanted
            .iter()
            .map(|(_, name, version)| {
                let version = self.store.model(model_id(name, version)).ok()??;
                self.load(&version).ok()
            })
            .collect::<Option<Vec<_>>>()?;
        ModelSet::new(models).ok()?.pipeline_of(schema, wanted)
    }

    /// Loads what the store says is to judge, and exchanges the pointer. A version that cannot be
    /// loaded is left out and told by health; the others judge.
    fn reload(&self, _changing: &MutexGuard<'_, ()>) -> Result<(), RegistryError> {
        // Before the list: a change in between is seen the next time.
        let epoch = self.store.epoch()?;
        let judging = self.store.models(&ModelFilter {
            stages: vec![ModelStage::Active, ModelStage::Canary],
            ..ModelFilter::default()
        })?;
        let mut refused = Vec::new();
        let mut ready = Vec::new();
        for version in &judging {
            match self.load(version) {
                Ok(model) => ready.push((version, model)),
                Err(error) => {
                    let reason = chain(&error);
                    tracing::error!(model = title(version), reason, "a model cannot judge");
                    refused.push(Refused {
                        role: version.model.role.clone(),
                        model: title(version),
                        reason,
                    });
                }
            }
        }
        let serving = Serving::of(&ready, &self.canary_shares()?).map_err(RegistryError::Set)?;
        lock(&self.loaded).keep(judging.iter().map(|version| version.model.id));
        *lock(&self.refused) = refused;
        self.serving.store(Arc::new(serving));
        self.epoch.store(epoch, Ordering::Release);
        Ok(())
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }
}

/// Name and version, for people.
pub(crate) fn title(version: &Version) -> String {
    format!("{} {}", version.model.name, version.model.version)
}

/// The identifier of a version: made of name and version, so that the same model has the same one
/// everywhere.
pub fn model_id(name: &str, version: &str) -> ModelId {
    let mut hasher = Sha256::new();
    for part in [b"model".as_slice(), name.as_bytes(), version.as_bytes()] {
        // With its length, so that no two lists of parts are the same bytes.
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finalize()[..16]);
    ModelId::from_bytes(
        uuid::Builder::from_custom_bytes(bytes)
            .into_uuid()
            .into_bytes(),
    )
}

/// What a model takes the place of: the role it plays for rows of the same schema, measured by the
/// same, with the same features.
pub(crate) fn slot_of(manifest: &Manifest) -> String {
    let mut features: Vec<&str> = manifest.features.iter().map(String::as_str).collect();
    features.sort_unstable();
    let digest = Sha256::digest(features.join("\n").as_bytes());
    let made_for = match manifest.made_for {
        tripline_detect::MadeFor::Rows => "rows",
        tripline_detect::MadeFor::Packets => "packets",
    };
    format!(
        "{}/{}/{made_for}/{}",
        manifest.role.as_str(),
        manifest.schema.name,
        &format!("{digest:x}")[..12]
    )
}

/// An error with its causes on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// What these mutexes guard is changed by single calls that leave it whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_versions_do_not_run_into_each_other() {
        assert_ne!(model_id("a", "bc"), model_id("ab", "c"));
    }
}
