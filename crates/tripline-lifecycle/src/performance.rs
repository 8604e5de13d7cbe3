//! How good a model is on the traffic that it sees: measured where labels come in, estimated where
//! they do not, and *unknown* where an estimate would be a guess.
//!
//! - [`Rolling`] counts labelled rows, the latest so many.
//! - [`Estimate`] adds up what calibrated probabilities say about themselves: of the rows called a
//!   threat with probability 0.9, a tenth are false alarms. This is the confidence-based performance
//!   estimation of `NannyML`
//!   (<https://nannyml.readthedocs.io/en/stable/how_it_works/performance_estimation.html>). It holds
//!   while the probabilities are right, which nobody knows without labels; so it is withheld when the
//!   traffic is not what the model was calibrated on.

mod estimate;
mod rolling;

pub use self::{
    estimate::{Estimate, EstimatePolicy, Estimated},
    rolling::{Measured, Rolling},
};
