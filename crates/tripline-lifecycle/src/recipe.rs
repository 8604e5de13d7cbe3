//! What to train: the written description of each model.

pub mod shipped;

use serde::{Deserialize, Serialize};
use tripline_detect::MadeFor;
use tripline_features::FeatureSchema;

use crate::{CategoryEncoding, Learner, LifecycleError};

/// Which features a model reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureChoice {
    /// Every feature of the schema that may be a model's input, less the given ones.
    AllBut(Vec<String>),
    /// The given ones.
    Named(Vec<String>),
    /// Of the given ones those that survive a correlation filter on the training rows.
    Uncorrelated {
        /// What to choose from.
        from: Box<FeatureChoice>,
        /// Largest absolute Pearson correlation with an earlier feature.
        limit: f64,
    },
    /// Of the given ones those that recursive elimination keeps.
    Eliminate {
        /// What to choose from.
        from: Box<FeatureChoice>,
        /// How many stay.
        keep: usize,
        /// How many go at a time.
        step: usize,
    },
}

impl FeatureChoice {
    /// The named features.
    pub fn named(names: &[&str]) -> Self {
        Self::Named(names.iter().map(|name| (*name).to_owned()).collect())
    }

    /// Columns of the schema to start from, before any choice that looks at rows.
    pub(crate) fn candidates(
        &self,
        recipe: &str,
        schema: &'static FeatureSchema,
    ) -> Result<Vec<usize>, LifecycleError> {
        let position = |name: &String| {
            schema
                .features()
                .iter()
                .position(|feature| feature.name == name)
                .ok_or_else(|| LifecycleError::UnknownFeature {
                    recipe: recipe.to_owned(),
                    schema: schema.name(),
                    feature: name.clone(),
                })
        };
        match self {
            Self::Named(names) => names.iter().map(position).collect(),
            Self::AllBut(names) => {
                let without = names.iter().map(position).collect::<Result<Vec<_>, _>>()?;
                Ok((0..schema.len())
                    .filter(|index| {
                        schema.features()[*index].model_input && !without.contains(index)
                    })
                    .collect())
            }
            Self::Uncorrelated { from, .. } | Self::Eliminate { from, .. } => {
                from.candidates(recipe, schema)
            }
        }
    }
}

/// How much each training row counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weighting {
    /// Each row counts the same.
    Rows,
    /// Each distinct row counts the same, however often it was recorded.
    DistinctRows,
    /// Each class counts in proportion to the square root of its rows.
    SquareRoot,
    /// Normal traffic and attacks keep their shares, and each attack type counts in proportion to
    /// the square root of its distinct rows.
    AttackTypes,
}

/// Artificial rows that stand for what was never seen: copies of normal rows in which some values
/// are those of other normal rows. Each value is ordinary, their combination is not. Learning to
/// tell such rows from normal ones draws a border around normal traffic, and attacks of unknown
/// types fall outside of it more often than on the inside.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Background {
    /// Artificial rows per normal row.
    pub rows_per_normal: f64,
    /// Each row draws between these two the chance of each of its values to be that of another
    /// row.
    pub replaced: (f64, f64),
    /// Weight of all of them together, relative to all normal rows.
    pub weight: f64,
}

/// How a detector's decision line is found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdRule {
    /// At a given uncalibrated score, whatever the data say.
    Score(f64),
    /// By leaving out one attack type and one kind of normal traffic at a time: the line with the
    /// best F1 on held-out rows of which a share is of kinds the model has never seen.
    LeaveOneTypeOut {
        /// Share of novel kinds, among attacks and among normal rows.
        novel_share: f64,
        /// Largest share of held-out normal rows called a threat.
        max_false_positive_rate: f64,
    },
}

/// A threat detector to train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectorRecipe {
    /// The model's name.
    pub name: String,
    /// One sentence for people.
    pub description: String,
    /// See [`Manifest::priority`](tripline_detect::Manifest::priority).
    pub priority: i32,
    /// Whose measurements it judges.
    #[serde(default)]
    pub made_for: MadeFor,
    /// The features it reads.
    pub features: FeatureChoice,
    /// How categories reach the trees.
    pub categories: CategoryEncoding,
    /// The algorithm.
    pub learner: Learner,
    /// How much each row counts.
    pub weighting: Weighting,
    /// Artificial rows, if any.
    pub background: Option<Background>,
    /// How the decision line is found.
    pub threshold: ThresholdRule,
    /// Seed of folds and artificial rows.
    pub seed: u64,
}

/// A classifier (or namer) to train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassifierRecipe {
    /// The model's name.
    pub name: String,
    /// One sentence for people.
    pub description: String,
    /// See [`Manifest::priority`](tripline_detect::Manifest::priority).
    pub priority: i32,
    /// Whose measurements it judges.
    #[serde(default)]
    pub made_for: MadeFor,
    /// The features it reads.
    pub features: FeatureChoice,
    /// How categories reach the trees.
    pub categories: CategoryEncoding,
    /// The algorithm.
    pub learner: Learner,
    /// How much each row counts.
    pub weighting: Weighting,
    /// Whether it names attacks inside classes rather than telling classes apart.
    pub names_attacks: bool,
    /// Seed of folds.
    pub seed: u64,
}
