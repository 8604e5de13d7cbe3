//! From a feature vector to an explained verdict.
//!
//! # What it does
//!
//! - Reads and writes [`ModelBundle`]s: one file of plain data that holds a tree ensemble and a
//!   [`Manifest`] with everything needed to use, judge and repeat it.
//! - Matches rows to models by the features they have ([`ModelSet::pipeline_for`]).
//! - Judges rows ([`Scorer`]): detector first, then classifier for threats, each verdict with the
//!   features that moved it, exactly.
//!
//! # What it deliberately does not do
//!
//! It reads no file and talks to no server or store: bundles arrive as bytes. It trains nothing
//! and decides on no model's fate.
//!
//! # Invariants
//!
//! - Nothing in a bundle is executed; every length and index is checked before use, and a bundle
//!   whose bytes do not give its version is refused.
//! - A bundle is used only with the schema whose fingerprint it carries.
//! - Without a model that fits there is no verdict, only an error that says what is missing.
//!
//! # Example
//!
//! ```
//! use tripline_detect::{DetectError, ModelSet};
//!
//! let schema = tripline_features::nsl_kdd();
//! let empty = ModelSet::new(Vec::new())?;
//! let present = vec![true; schema.len()];
//! assert!(matches!(empty.pipeline_for(schema, &present), Err(DetectError::NoModel { .. })));
//! # Ok::<(), DetectError>(())
//! ```

mod bundle;
mod error;
mod explain;
pub mod import;
mod manifest;
mod model;
mod pipeline;
mod scorer;
pub mod signature;
mod verdict;

pub use bundle::ModelBundle;
pub use error::DetectError;
pub use explain::{Contribution, Explanation, StageExplanation};
pub use manifest::{
    ClassDef, DataDigest, FeatureBaseline, MadeFor, Manifest, Probe, Role, SchemaRef,
    ScoreBaseline, Threshold, Training,
};
pub use model::Model;
pub use pipeline::{ModelSet, Pipeline};
pub use scorer::{Explained, Scorer};
pub use verdict::{AttackOpinion, NamedAttack, Reason, Stage, ThreatOpinion, Verdict};
