//! The life of a model, as pure decisions: trained from labelled rows, judged on held-out ones,
//! described in a report.
//!
//! # What it does
//!
//! - Holds [`LabelledRows`] and splits them so that equal feature vectors never stand on both
//!   sides ([`split`]).
//! - Trains detectors and classifiers by written [`recipe`]s, chooses a detector's threshold by
//!   leaving one attack type out at a time, and calibrates every probability ([`train`]).
//! - Measures models on labelled rows ([`Evaluation`]) and writes the result for people
//!   ([`report`]).
//! - Compares a candidate with the model that judges, and decides when it takes its place
//!   ([`promotion`]).
//!
//! # What it deliberately does not do
//!
//! It reads no file, clock or environment, and holds no state: rows come in, bundles and reports
//! go out.
//!
//! # Invariants
//!
//! - The same rows, recipe and seed give the same bundle, byte by byte.
//! - Nothing is chosen on rows that the final evaluation uses.
//!
//! # Example
//!
//! ```
//! use tripline_lifecycle::LabelledRows;
//!
//! let schema = tripline_features::nsl_kdd();
//! let mut rows = LabelledRows::new(schema);
//! rows.push(&vec![0.0; schema.len()], "normal");
//! rows.push(&vec![1.0; schema.len()], "neptune");
//! assert_eq!(rows.label(1), "neptune");
//! ```

mod baseline;
mod classes;
pub mod drift;
mod error;
mod evaluation;
pub mod insight;
mod learner;
pub mod performance;
pub mod promotion;
pub mod recipe;
pub mod report;
pub mod retrain;
mod rows;
pub mod split;
pub mod train;

pub use classes::class_of_label;
pub use error::LifecycleError;
pub use evaluation::{
    Agreement, Answer, Case, ClassRow, ClassifierEvaluation, Comparison, ConfusionTable,
    DetectorEvaluation, Disagreement, Evaluation, LabelRow, judge_alone,
};
pub use learner::{CategoryEncoding, Learner};
pub use report::Report;
pub use rows::LabelledRows;
