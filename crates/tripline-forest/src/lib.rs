//! Tree ensembles for tabular data: train, score, explain.
//!
//! # What it does
//!
//! - Fits single decision trees, random forests, extra trees ([`forest`]) and histogram gradient
//!   boosting ([`gbdt`]) on a [`Matrix`] of numeric and categorical columns, missing values
//!   included.
//! - Scores rows with an [`Ensemble`], and splits every score exactly into one contribution per
//!   feature ([`shap`], path-dependent TreeSHAP; [`fast`] gives the same numbers at serving speed).
//! - Turns scores into probabilities ([`calibration`]), selects features ([`select`]) and measures
//!   ([`metrics`]).
//! - Takes a model apart into flat arrays and builds it again from arrays of unknown origin, after
//!   checking their structure ([`arrays`]).
//! - Reads the trees of XGBoost, LightGBM and ONNX as data ([`import`]).
//!
//! # What it deliberately does not do
//!
//! It knows nothing of networks, files or time, reads no environment and starts no thread of its
//! own beyond the caller's rayon pool. It reads bytes, never files.
//!
//! # Invariants
//!
//! - The same data, parameters and seed give the same model on 1 or N threads.
//! - For each explained row, base value + contributions = margin, to rounding.
//! - A value of NaN means *missing* and follows the direction learned for missing values.
//!
//! # Example
//!
//! ```
//! use tripline_forest::{ColumnKind, Matrix, TrainingSet, gbdt::{self, GbdtParams}, shap};
//!
//! let column: Vec<f64> = (0..200).map(f64::from).collect();
//! let target: Vec<u32> = (0..200).map(|row| u32::from(row >= 120)).collect();
//! let matrix = Matrix::new(vec![column], vec![ColumnKind::Number])?;
//! let set = TrainingSet::new(&matrix, &target, 2, None)?;
//! let model = gbdt::fit(&set, None, &GbdtParams { rounds: 20, ..GbdtParams::default() })?;
//!
//! let row = [150.0];
//! let explanation = shap::explain(&model, &row, 0);
//! let margin = model.margins(&row)[0];
//! assert!((explanation.base_value + explanation.contributions[0] - margin).abs() < 1e-9);
//! assert!(model.probabilities(&row)[1] > 0.9);
//! # Ok::<(), tripline_forest::ForestError>(())
//! ```

pub mod arrays;
mod binning;
pub mod calibration;
mod data;
mod ensemble;
mod error;
pub mod fast;
pub mod forest;
pub mod gbdt;
pub mod import;
mod impurity;
pub mod metrics;
mod random;
pub mod select;
pub mod shap;
mod tree;

pub use data::{ColumnKind, Matrix, TrainingSet};
pub use ensemble::{Ensemble, Link};
pub use error::ForestError;
pub use random::SplitMix64;
pub use tree::{CategorySet, Node, Split, Tree};
