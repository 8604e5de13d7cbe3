use thiserror::Error;
use tripline_forest::ForestError;

/// Why a bundle was refused or a row could not be judged.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DetectError {
    /// The bytes are not a bundle.
    #[error("not a model bundle: {reason}")]
    NotABundle {
        /// What gave it away.
        reason: String,
    },
    /// The bundle's bytes were changed after it was written.
    #[error(
        "the bundle is damaged: its content has the digest {found}, its manifest says {expected}"
    )]
    Damaged {
        /// The digest in the manifest.
        expected: String,
        /// The digest of the content.
        found: String,
    },
    /// A number or name in the manifest is not what it must be.
    #[error("model bundle '{model}': {field}: {reason}")]
    Manifest {
        /// The name in the manifest.
        model: String,
        /// The field at fault.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The arrays do not describe an ensemble of trees.
    #[error("model bundle '{model}' holds no valid trees")]
    Trees {
        /// The name in the manifest.
        model: String,
        /// What is wrong with them.
        #[source]
        source: ForestError,
    },
    /// The bundle was made for another definition of the features.
    #[error(
        "model bundle '{model}' was made for schema {wanted} with fingerprint {wanted_fingerprint}, \
         this version of the schema has {known_fingerprint}"
    )]
    OtherSchema {
        /// The name in the manifest.
        model: String,
        /// Name and version of the schema it was made for.
        wanted: String,
        /// The fingerprint in the manifest.
        wanted_fingerprint: String,
        /// The fingerprint known here, or `none`.
        known_fingerprint: String,
    },
    /// No model is loaded for the schema.
    #[error("no model is loaded for schema '{schema}'")]
    NoModel {
        /// The schema of the rows.
        schema: &'static str,
    },
    /// Models are loaded, but each needs features that the rows lack.
    #[error("the rows do not have the features of any model; the nearest is '{nearest}', which also needs: {}", missing.join(", "))]
    MissingFeatures {
        /// The model that lacks the fewest features.
        nearest: String,
        /// The features it lacks.
        missing: Vec<String>,
    },
}

impl DetectError {
    /// Whether the cause is that no model is loaded, which is the operator's affair and not the
    /// sender's.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::NoModel { .. })
    }
}
