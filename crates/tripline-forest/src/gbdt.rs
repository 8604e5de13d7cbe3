//! Histogram gradient boosting of trees (Friedman 2001; leaf-wise growth and category splits as
//! in Ke et al., *LightGBM*, NeurIPS 2017).

mod grow;
mod histogram;

use serde::{Deserialize, Serialize};

use crate::{
    Ensemble, ForestError, Link, SplitMix64, TrainingSet, Tree,
    binning::{Binned, MAX_BINS},
    ensemble::{normalise, sigmoid},
};

/// How a boosted ensemble is grown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GbdtParams {
    /// Boosting rounds; each adds one tree per output.
    pub rounds: usize,
    /// Factor on every leaf value.
    pub learning_rate: f64,
    /// Leaves of a tree.
    pub max_leaves: usize,
    /// Questions on the longest way to a leaf.
    pub max_depth: usize,
    /// Rows each leaf needs.
    pub min_rows_in_leaf: usize,
    /// Sum of second derivatives each leaf needs.
    pub min_hessian_in_leaf: f64,
    /// L2 penalty on leaf values.
    pub l2: f64,
    /// Loss reduction a split must exceed.
    pub min_gain: f64,
    /// Share of the rows that each tree sees.
    pub row_fraction: f64,
    /// Share of the features that each tree sees.
    pub feature_fraction: f64,
    /// Bins a numeric column is cut into.
    pub max_bins: usize,
    /// Added to the second derivatives when categories are put in order, so that rare categories
    /// stay near the middle.
    pub category_smoothing: f64,
    /// L2 penalty on the leaf values of a category split.
    pub category_l2: f64,
    /// Most categories on the smaller side of a split.
    pub max_categories_per_side: usize,
    /// Per feature +1 (the margin of class 1 may only rise with the value), −1 or 0; empty for
    /// none. Only two-class models.
    pub monotone: Vec<i8>,
    /// Stop after this many rounds without a smaller loss on the validation set.
    pub patience: Option<usize>,
    /// Seed of every random choice.
    pub seed: u64,
}

impl Default for GbdtParams {
    fn default() -> Self {
        Self {
            rounds: 100,
            learning_rate: 0.1,
            max_leaves: 31,
            max_depth: 16,
            min_rows_in_leaf: 20,
            min_hessian_in_leaf: 1e-3,
            l2: 0.0,
            min_gain: 0.0,
            row_fraction: 1.0,
            feature_fraction: 1.0,
            max_bins: MAX_BINS,
            category_smoothing: 10.0,
            category_l2: 10.0,
            max_categories_per_side: 32,
            monotone: Vec::new(),
            patience: None,
            seed: 0,
        }
    }
}

impl GbdtParams {
    fn check(&self, set: &TrainingSet<'_>) -> Result<(), ForestError> {
        let refuse = |what, found: String, expected| {
            Err(ForestError::Value {
                what,
                found,
                expected,
            })
        };
        if !(1..=100_000).contains(&self.rounds) {
            return refuse("rounds", self.rounds.to_string(), "1 to 100000");
        }
        if !(self.learning_rate > 0.0 && self.learning_rate <= 1.0) {
            return refuse(
                "learning_rate",
                self.learning_rate.to_string(),
                "above 0, at most 1",
            );
        }
        if !(2..=65_536).contains(&self.max_leaves) {
            return refuse("max_leaves", self.max_leaves.to_string(), "2 to 65536");
        }
        for (what, share) in [
            ("row_fraction", self.row_fraction),
            ("feature_fraction", self.feature_fraction),
        ] {
            if !(share > 0.0 && share <= 1.0) {
                return refuse(what, share.to_string(), "above 0, at most 1");
            }
        }
        if !(self.l2 >= 0.0 && self.category_l2 >= 0.0 && self.min_hessian_in_leaf >= 0.0) {
            return refuse("a penalty", self.l2.to_string(), "not negative");
        }
        if !self.monotone.is_empty() {
            if self.monotone.len() != set.matrix.width() {
                return Err(ForestError::Shape {
                    what: "monotone constraints",
                    expected: set.matrix.width(),
                    found: self.monotone.len(),
                });
            }
            if set.classes != 2 {
                return refuse(
                    "classes",
                    set.classes.to_string(),
                    "2 with monotone constraints",
                );
            }
        }
        Ok(())
    }
}

/// Fits a boosted ensemble: log-odds of class 1 for two classes, else softmax margins. With a
/// validation set and [`GbdtParams::patience`] the ensemble is cut back to its best round.
pub fn fit(
    set: &TrainingSet<'_>,
    validation: Option<&TrainingSet<'_>>,
    params: &GbdtParams,
) -> Result<Ensemble, ForestError> {
    params.check(set)?;
    if let Some(validation) = validation
        && (validation.matrix.kinds() != set.matrix.kinds() || validation.classes != set.classes)
    {
        return Err(ForestError::Shape {
            what: "columns of the validation set",
            expected: set.matrix.width(),
            found: validation.matrix.width(),
        });
    }
    let outputs = if set.classes == 2 { 1 } else { set.classes };
    let base = prior_margins(set, outputs);
    let binned = Binned::new(set.matrix, params.max_bins);
    let mut booster = Booster {
        margins: base
            .iter()
            .copied()
            .cycle()
            .take(set.matrix.rows() * outputs)
            .collect(),
        gradients: vec![(0.0, 0.0); set.matrix.rows()],
        gains: vec![0.0; set.matrix.width()],
        trees: Vec::new(),
        set,
        outputs,
        params,
        binned: &binned,
    };
    let mut watch = validation.map(|validation| Watch::new(validation, &base));
    for round in 0..params.rounds {
        booster.round(round);
        if let Some(watch) = &mut watch {
            watch.observe(
                &booster.trees[booster.trees.len() - outputs..],
                booster.trees.len(),
            );
            if params
                .patience
                .is_some_and(|patience| watch.rounds_since_best >= patience)
            {
                break;
            }
        }
    }
    let mut trees = booster.trees;
    if let (Some(watch), Some(_)) = (watch, params.patience) {
        trees.truncate(watch.best_trees);
    }
    let link = if outputs == 1 {
        Link::Logistic
    } else {
        Link::Softmax
    };
    let importances = normalise(booster.gains);
    Ok(Ensemble {
        kinds: set.matrix.kinds().to_vec(),
        base,
        link,
        trees,
        importances,
    })
}

/// The margins that make every probability the class share.
fn prior_margins(set: &TrainingSet<'_>, outputs: usize) -> Vec<f64> {
    let mut shares = vec![0.0; set.classes];
    for (row, class) in set.target.iter().enumerate() {
        shares[*class as usize] += set.weight(row);
    }
    let total: f64 = shares.iter().sum();
    for share in &mut shares {
        // A class without weight would have a margin of minus infinity.
        *share = (*share / total).clamp(1e-12, 1.0 - 1e-12);
    }
    if outputs == 1 {
        vec![(shares[1] / shares[0]).ln()]
    } else {
        shares.into_iter().map(f64::ln).collect()
    }
}

struct Booster<'a> {
    set: &'a TrainingSet<'a>,
    binned: &'a Binned,
    params: &'a GbdtParams,
    outputs: usize,
    /// Row-major `rows × outputs`.
    margins: Vec<f64>,
    /// First and second derivative of the loss per row, for the output at hand.
    gradients: Vec<(f64, f64)>,
    gains: Vec<f64>,
    trees: Vec<Tree>,
}

impl Booster<'_> {
    fn round(&mut self, round: usize) {
        let rows = self.set.matrix.rows();
        // Every output of a round is fitted to the margins before the round.
        let probabilities = (self.outputs > 1).then(|| {
            let mut probabilities = self.margins.clone();
            for row in probabilities.chunks_mut(self.outputs) {
                softmax_in_place(row);
            }
            probabilities
        });
        for output in 0..self.outputs {
            let part = (round * self.outputs + output) as u64;
            let mut random = SplitMix64::for_part(self.params.seed, part);
            self.derive(output, probabilities.as_deref());
            let sampled: Vec<u32> = (0..rows as u32)
                .filter(|row| {
                    let drawn =
                        self.params.row_fraction >= 1.0 || random.unit() < self.params.row_fraction;
                    drawn && self.set.weight(*row as usize) > 0.0
                })
                .collect();
            let features = draw_features(self.set.matrix.width(), self.params, &mut random);
            let mut grown = grow::grow(
                self.binned,
                &self.gradients,
                sampled,
                &features,
                self.params,
            );
            grown.tree.output = Some(output as u16);
            for (sum, own) in self.gains.iter_mut().zip(&grown.gains) {
                *sum += own;
            }
            let (outputs, binned) = (self.outputs, self.binned);
            for (row, margins) in self.margins.chunks_mut(outputs).enumerate() {
                margins[output] += grown.value_of_row(binned, row);
            }
            self.trees.push(grown.tree);
        }
    }

    fn derive(&mut self, output: usize, probabilities: Option<&[f64]>) {
        let outputs = self.outputs;
        for (row, gradient) in self.gradients.iter_mut().enumerate() {
            let weight = self.set.weight(row);
            let target = self.set.target[row] as usize;
            *gradient = if let Some(probabilities) = probabilities {
                let p = probabilities[row * outputs + output];
                let y = f64::from(u8::from(target == output));
                // Friedman's factor K/(K−1) makes two outputs step like one of log-odds.
                let factor = outputs as f64 / (outputs - 1) as f64;
                (
                    weight * (p - y),
                    weight * (factor * p * (1.0 - p)).max(1e-16),
                )
            } else {
                let p = sigmoid(self.margins[row]);
                let y = target as f64;
                (weight * (p - y), weight * (p * (1.0 - p)).max(1e-16))
            };
        }
    }
}

fn draw_features(width: usize, params: &GbdtParams, random: &mut SplitMix64) -> Vec<usize> {
    let mut features: Vec<usize> = (0..width).collect();
    if params.feature_fraction < 1.0 {
        random.shuffle(&mut features);
        features.truncate(((width as f64 * params.feature_fraction).ceil() as usize).max(1));
        features.sort_unstable();
    }
    features
}

fn softmax_in_place(margins: &mut [f64]) {
    let top = margins.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for margin in margins.iter_mut() {
        *margin = (*margin - top).exp();
        sum += *margin;
    }
    for margin in margins {
        *margin /= sum;
    }
}

/// Follows the loss on held-out rows.
struct Watch<'a> {
    set: &'a TrainingSet<'a>,
    rows: Vec<f64>,
    margins: Vec<f64>,
    outputs: usize,
    best_loss: f64,
    best_trees: usize,
    rounds_since_best: usize,
}

impl<'a> Watch<'a> {
    fn new(set: &'a TrainingSet<'a>, base: &[f64]) -> Self {
        let count = set.matrix.rows();
        let mut rows = Vec::with_capacity(count * set.matrix.width());
        let mut row = Vec::new();
        for index in 0..count {
            set.matrix.copy_row(index, &mut row);
            rows.extend_from_slice(&row);
        }
        Self {
            set,
            rows,
            margins: base
                .iter()
                .copied()
                .cycle()
                .take(count * base.len())
                .collect(),
            outputs: base.len(),
            best_loss: f64::INFINITY,
            best_trees: 0,
            rounds_since_best: 0,
        }
    }

    fn observe(&mut self, new_trees: &[Tree], trees: usize) {
        let width = self.set.matrix.width();
        let mut loss = 0.0;
        let mut total = 0.0;
        let mut shares = vec![0.0; self.outputs];
        for (index, (row, margins)) in self
            .rows
            .chunks(width)
            .zip(self.margins.chunks_mut(self.outputs))
            .enumerate()
        {
            for (output, tree) in new_trees.iter().enumerate() {
                margins[output] += tree.values[tree.leaf(row)];
            }
            let target = self.set.target[index] as usize;
            let p = if self.outputs == 1 {
                let p = sigmoid(margins[0]);
                if target == 1 { p } else { 1.0 - p }
            } else {
                shares.copy_from_slice(margins);
                softmax_in_place(&mut shares);
                shares[target]
            };
            let weight = self.set.weight(index);
            loss -= weight * p.max(1e-300).ln();
            total += weight;
        }
        loss /= total;
        if loss < self.best_loss {
            self.best_loss = loss;
            self.best_trees = trees;
            self.rounds_since_best = 0;
        } else {
            self.rounds_since_best += 1;
        }
    }
}
