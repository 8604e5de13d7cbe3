use thiserror::Error;
use tripline_forest::{ForestError, import::ImportError};

fn shown(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    quoted.join(", ")
}

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
    /// The file is of a kind that is not accepted.
    #[error("this is {what}; {instead}")]
    NotAccepted {
        /// What it is.
        what: String,
        /// What to do instead.
        instead: String,
    },
    /// The file of another program cannot be read as trees.
    #[error("the {format} file cannot be used")]
    Import {
        /// Its form.
        format: &'static str,
        /// Why.
        #[source]
        source: ImportError,
    },
    /// Features of a model of another program are not known.
    #[error("schema {schema} does not know {}", shown(names))]
    UnknownFeatures {
        /// The schema that knows most of them.
        schema: &'static str,
        /// The first that it does not know.
        names: Vec<String>,
    },
    /// A signature or a list of keys cannot be used.
    #[error("{what}: {reason}")]
    Signature {
        /// Which.
        what: &'static str,
        /// Why.
        reason: String,
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
