//! Decision trees, random forests and extra trees.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    Ensemble, ForestError, Link, SplitMix64, TrainingSet, Tree,
    binning::{Binned, MAX_BINS},
    ensemble::normalise,
    impurity::{self, Sample},
};

/// What a split makes small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Criterion {
    /// Gini impurity.
    Gini,
    /// Shannon entropy, in bits.
    Entropy,
}

/// How the cut of a feature is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Splitter {
    /// The cut that makes the criterion smallest.
    Best,
    /// One random cut per feature (extra trees).
    Random,
}

/// How many features each node looks at.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxFeatures {
    /// Every feature.
    All,
    /// The square root of their number.
    Sqrt,
    /// A share of their number.
    Fraction(f64),
}

impl MaxFeatures {
    pub(crate) fn count(self, features: usize) -> usize {
        let count = match self {
            Self::All => features,
            Self::Sqrt => (features as f64).sqrt() as usize,
            Self::Fraction(share) => (features as f64 * share) as usize,
        };
        count.clamp(1, features.max(1))
    }
}

/// Limits and choices for each tree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeParams {
    /// What a split makes small.
    pub criterion: Criterion,
    /// How the cut of a feature is chosen.
    pub splitter: Splitter,
    /// Questions on the longest way to a leaf; `None` is no limit.
    pub max_depth: Option<usize>,
    /// Rows a node needs to be split.
    pub min_samples_split: usize,
    /// Rows each side of a split needs.
    pub min_samples_leaf: usize,
    /// Decrease of the mean impurity a split must reach.
    pub min_impurity_decrease: f64,
    /// How many features each node looks at.
    pub max_features: MaxFeatures,
}

impl Default for TreeParams {
    fn default() -> Self {
        Self {
            criterion: Criterion::Gini,
            splitter: Splitter::Best,
            max_depth: None,
            min_samples_split: 2,
            min_samples_leaf: 1,
            min_impurity_decrease: 0.0,
            max_features: MaxFeatures::All,
        }
    }
}

/// How a forest is grown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForestParams {
    /// Number of trees.
    pub trees: usize,
    /// Whether each tree sees a bootstrap sample (rows drawn with replacement) or every row.
    pub bootstrap: bool,
    /// Limits and choices for each tree.
    pub tree: TreeParams,
    /// Seed of every random choice.
    pub seed: u64,
}

impl ForestParams {
    /// A random forest (Breiman 2001) with the defaults of the field.
    pub fn random_forest(trees: usize, seed: u64) -> Self {
        Self {
            trees,
            bootstrap: true,
            tree: TreeParams {
                max_features: MaxFeatures::Sqrt,
                ..TreeParams::default()
            },
            seed,
        }
    }

    /// Extremely randomised trees (Geurts, Ernst, Wehenkel 2006).
    pub fn extra_trees(trees: usize, seed: u64) -> Self {
        let mut params = Self::random_forest(trees, seed);
        params.bootstrap = false;
        params.tree.splitter = Splitter::Random;
        params
    }

    /// A single decision tree.
    pub fn decision_tree(tree: TreeParams, seed: u64) -> Self {
        Self {
            trees: 1,
            bootstrap: false,
            tree,
            seed,
        }
    }
}

/// Fits a forest. Its margins are class shares averaged over the trees: one output (the share of
/// class 1) for two classes, else one per class.
pub fn fit(set: &TrainingSet<'_>, params: &ForestParams) -> Result<Ensemble, ForestError> {
    if !(1..=100_000).contains(&params.trees) {
        return Err(ForestError::value("trees", params.trees, "1 to 100000"));
    }
    let rows = set.matrix.rows();
    let binned = Binned::new(set.matrix, MAX_BINS);
    let grown: Vec<impurity::Grown> = (0..params.trees)
        .into_par_iter()
        .map(|index| {
            let mut random = SplitMix64::for_part(params.seed, index as u64);
            let mut weights: Vec<f64> = (0..rows).map(|row| set.weight(row)).collect();
            if params.bootstrap {
                let mut counts = vec![0_u32; rows];
                for _ in 0..rows {
                    counts[random.below(rows)] += 1;
                }
                for (weight, count) in weights.iter_mut().zip(counts) {
                    *weight *= f64::from(count);
                }
            }
            let sampled = (0..rows as u32)
                .filter(|row| weights[*row as usize] > 0.0)
                .collect::<Vec<u32>>();
            let sample = Sample {
                binned: &binned,
                target: set.target,
                classes: set.classes,
                weights: &weights,
                rows: sampled,
            };
            impurity::grow(sample, &params.tree, random)
        })
        .collect();

    let mut importances = vec![0.0; set.matrix.width()];
    let mut trees = Vec::with_capacity(grown.len());
    for grown in grown {
        for (sum, own) in importances.iter_mut().zip(normalise(grown.gains)) {
            *sum += own;
        }
        let mut tree = if set.classes == 2 {
            keep_class_one(grown.tree)
        } else {
            grown.tree
        };
        tree.scale(1.0 / params.trees as f64);
        trees.push(tree);
    }
    let outputs = if set.classes == 2 { 1 } else { set.classes };
    Ok(Ensemble {
        kinds: set.matrix.kinds().to_vec(),
        base: vec![0.0; outputs],
        link: Link::Probability,
        trees,
        importances: normalise(importances),
    })
}

/// Two class shares sum to 1, so the second says it all.
fn keep_class_one(mut tree: Tree) -> Tree {
    tree.values = tree.values.chunks(2).map(|pair| pair[1]).collect();
    for node in &mut tree.nodes {
        if let crate::Node::Leaf { value, .. } = node {
            *value /= 2;
        }
    }
    tree.output = Some(0);
    tree
}
