use thiserror::Error;
use tripline_detect::DetectError;
use tripline_forest::ForestError;

/// Why a model could not be trained.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LifecycleError {
    /// The rows cannot teach what the recipe asks for.
    #[error("recipe '{recipe}': {reason}")]
    Rows {
        /// The recipe.
        recipe: String,
        /// What the rows lack.
        reason: String,
    },
    /// A recipe names a feature that its schema does not have.
    #[error("recipe '{recipe}': schema {schema} has no feature '{feature}'")]
    UnknownFeature {
        /// The recipe.
        recipe: String,
        /// The schema.
        schema: &'static str,
        /// The name that was not found.
        feature: String,
    },
    /// The learner refused its data or parameters.
    #[error("the learner refused")]
    Learner(#[from] ForestError),
    /// The trained model does not make a valid bundle.
    #[error("the trained model is no valid bundle")]
    Bundle(#[from] DetectError),
}
