//! Whether a candidate takes the place of the model that judges: compared on the same rows, tested
//! so that looking at any time is allowed, and decided by a written policy.
//!
//! # What it does
//!
//! - [`goes_to_canary`] says which flows a canary judges: always the same ones.
//! - [`Comparison`] counts what two models say about the same rows, and what labels make of it.
//! - [`Wealth`] is the evidence: a betting martingale, valid whenever one looks.
//! - [`decide`] says whether a candidate stays where it is, goes on, or is given up.
//!
//! # Invariants
//!
//! - The state is plain data of bounded size; the same rows in the same order give the same state.
//! - Without a real difference a candidate is promoted by chance with probability at most `alpha`
//!   of the [`Policy`], however often anybody looks (Ville's inequality).
//! - A clock that is set back never moves a candidate on.

mod canary;
mod comparison;
mod policy;
mod wealth;

pub use self::{
    canary::goes_to_canary,
    comparison::{Comparison, Difference, Judged, Quality, Said},
    policy::{Decision, InvalidPolicy, Mode, Place, Policy, decide},
    wealth::Wealth,
};
