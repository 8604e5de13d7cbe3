use serde::{Deserialize, Serialize};
use tripline_forest::{
    Ensemble, ForestError, Link, TrainingSet,
    forest::{self, ForestParams},
    gbdt::{self, GbdtParams},
};

/// How categories reach the trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CategoryEncoding {
    /// As sets: a split puts some categories on one side.
    Native,
    /// As numbers: the index in the sorted vocabulary, as scikit-learn's `LabelEncoder` gives it.
    Index,
}

/// An algorithm with its parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "algorithm", rename_all = "snake_case")]
pub enum Learner {
    /// Decision tree, random forest or extra trees.
    Forest(ForestParams),
    /// Histogram gradient boosting.
    Gbdt(GbdtParams),
    /// Two-class learners side by side: the margin is the weighted sum of theirs.
    Sum {
        /// Weight and learner of each part.
        parts: Vec<(f64, Learner)>,
    },
}

impl Learner {
    /// Fits an ensemble.
    pub fn fit(&self, set: &TrainingSet<'_>) -> Result<Ensemble, ForestError> {
        match self {
            Self::Forest(params) => forest::fit(set, params),
            Self::Gbdt(params) => gbdt::fit(set, None, params),
            Self::Sum { parts } => {
                let fitted = parts
                    .iter()
                    .map(|(weight, learner)| Ok((*weight, learner.fit(set)?)))
                    .collect::<Result<Vec<_>, ForestError>>()?;
                Ensemble::weighted_sum(fitted, Link::Logistic)
            }
        }
    }
}
