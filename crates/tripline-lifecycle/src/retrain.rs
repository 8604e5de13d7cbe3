//! A new version from what people said: which labels count, what is trained on, and whether the
//! result may be a candidate.
//!
//! # What it does
//!
//! - [`curate`] decides on labels: those that contradict each other are left out, those that look odd
//!   wait for a second person, nobody's word weighs more than a share, and sealed rows never come in.
//! - [`training_rows`] adds them to the original rows, and keeps the newest ones apart to measure on.
//! - [`gate`] compares the new version with the one it is to follow, and names every reason against
//!   it.
//!
//! The same original rows, labels, recipe and seed give the same bundle, byte by byte: [`Record`]
//! holds their digests.
//!
//! # Poisoned labels
//!
//! Whoever can label can try to teach a model to look away. Against it: the cap on one author's rows,
//! the neighbours of each label in the original data (Paudice et al. 2018,
//! <https://arxiv.org/abs/1803.00992>), the need for a second person where they disagree, and the
//! gate: no attack type may be found less often, and rare values that an author calls harmless must
//! not make known attacks harmless (the backdoor of Severi et al. 2021,
//! <https://www.usenix.org/conference/usenixsecurity21/presentation/severi>).

mod curate;
mod gate;
mod neighbours;
mod perturb;

use serde::{Deserialize, Serialize};
use tripline_detect::DataDigest;

pub use self::{
    curate::{Curated, Excluded, LabelPolicy, LabelledFlow, LeftOut, curate, fingerprint},
    gate::{Criterion, Gate, GateInput, GatePolicy, gate},
    neighbours::{Neighbour, Neighbours},
    perturb::{PERTURBATIONS, Perturbation, robust_recall},
};
use crate::LabelledRows;

/// What a retraining was made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Name of the recipe.
    pub recipe: String,
    /// Seed of every random choice.
    pub seed: u64,
    /// The original training data.
    pub base: Vec<DataDigest>,
    /// SHA-256 of the labelled rows that were trained on, in their order, in hexadecimal.
    pub labels_sha256: String,
    /// Identifiers of those labels.
    pub labels: Vec<u64>,
    /// Identifiers of the labels that were kept apart to measure on.
    pub recent: Vec<u64>,
    /// Version of the program.
    pub code_version: String,
}

/// The text under which a label is trained on.
pub fn label_text(flow: &LabelledFlow, schema: &str) -> String {
    match (&flow.attack_type, flow.is_attack) {
        (Some(text), true) => text.clone(),
        (None, true) => "attack".to_owned(),
        (_, false) if schema == "nsl-kdd" => "normal".to_owned(),
        (_, false) => "BENIGN".to_owned(),
    }
}

/// The original rows with the labels that count, and the newest of them apart: `recent_share` of the
/// labels by their time, which are measured on and never trained on. Gives the rows to train on, the
/// recent ones, and the identifiers of both parts.
pub fn training_rows(
    base: &LabelledRows,
    labels: &[LabelledFlow],
    curated: &Curated,
    recent_share: f64,
) -> (LabelledRows, LabelledRows, Vec<u64>, Vec<u64>) {
    let schema = base.schema();
    let mut used: Vec<&LabelledFlow> = curated
        .used
        .iter()
        .filter_map(|at| labels.get(*at))
        .collect();
    used.sort_by_key(|flow| (flow.micros, flow.id));
    let recent = (used.len() as f64 * recent_share.clamp(0.0, 0.9)) as usize;
    let (old, new) = used.split_at(used.len() - recent);
    let mut train = base.clone();
    let mut apart = LabelledRows::new(schema);
    for flow in old {
        train.push(&flow.values, &label_text(flow, schema.name()));
    }
    for flow in new {
        apart.push(&flow.values, &label_text(flow, schema.name()));
    }
    let ids = |flows: &[&LabelledFlow]| flows.iter().map(|flow| flow.id).collect();
    (train, apart, ids(old), ids(new))
}
