//! Whether what a model sees is still what it was trained on.
//!
//! # What it does
//!
//! - A [`Window`] counts rows in the bins of the [`Baseline`] that the bundle carries: memory is
//!   bounded whatever the traffic, and the order of rows inside a block does not matter.
//! - [`Window::report`] compares it with the baseline, feature by feature, the scores and the missing
//!   values too, and says which have drifted.
//! - [`Adwin`] watches a stream of errors for a change of their rate.
//!
//! # Methods
//!
//! Numbers: the population stability index (PSI), and the Kolmogorov–Smirnov distance of the binned
//! distributions; binning can only make the distance smaller, so its p-value is on the safe side.
//! Categories: PSI and Pearson's χ² for two samples. p-values are adjusted over the features by Holm
//! (1979), <https://www.jstor.org/stable/4615733>. A feature has drifted when its adjusted p-value is
//! below `alpha` *and* the PSI, less what chance alone gives, reaches `min_psi`: a large window finds
//! differences that mean nothing.
//!
//! Traffic comes in bursts, and a burst is not as much evidence as it has rows. The window is counted
//! in blocks of rows that came together; how much more the blocks differ than independent rows would
//! (Pearson's statistic over its degrees of freedom, as in quasi-likelihood; `McCullagh` and Nelder
//! 1989, section 4.5) says how much of the PSI is chance. For p-values the number of rows is cut by
//! the largest such factor of any bin or edge, since one burst of something rare moves one bin. Bursts
//! that are longer than a block, or a window that holds only a few of them, still look like drift.
//!
//! # Invariants
//!
//! - Empty windows, and columns that are constant or empty, have defined results; no figure is ever
//!   not a number.

mod adwin;
mod baseline;
mod report;
mod statistics;
mod window;

pub use self::{
    adwin::Adwin,
    baseline::Baseline,
    report::{ColumnDrift, DriftPolicy, DriftReport, Verdict},
    window::Window,
};
