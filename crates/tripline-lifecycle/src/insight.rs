//! What a model looks at, and what it would have taken for it to decide otherwise.
//!
//! - [`importances`] says how much each feature moves the model on some rows (mean absolute Shapley
//!   value), and how much worse it gets when the feature is shuffled (permutation importance, Breiman
//!   2001).
//! - [`dependence`] says what the model thinks on average when one feature has a given value
//!   (partial dependence, Friedman 2001).
//! - [`counterfactual`] finds a small change of one row after which the detector decides otherwise
//!   (Wachter, Mittelstadt and Russell 2018, <https://arxiv.org/abs/1711.00399>).

mod counterfactual;
mod global;

pub use self::{
    counterfactual::{Changed, Counterfactual, counterfactual},
    global::{Dependence, Importance, dependence, importances},
};
