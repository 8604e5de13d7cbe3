use thiserror::Error;

/// Why data or a model was refused.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ForestError {
    /// Rows, columns, targets or weights do not agree in number.
    #[error("{what}: expected {expected}, found {found}")]
    Shape {
        /// What was counted.
        what: &'static str,
        /// The number that the rest of the data asks for.
        expected: usize,
        /// The number that was given.
        found: usize,
    },
    /// A value is outside of what it may be.
    #[error("{what} is {found}, expected {expected}")]
    Value {
        /// The name of the parameter or field.
        what: &'static str,
        /// The value that was given.
        found: String,
        /// What is accepted.
        expected: &'static str,
    },
    /// A model's arrays do not describe an ensemble of trees.
    #[error("tree {tree}, node {node}: {reason}")]
    Structure {
        /// Index of the tree.
        tree: usize,
        /// Index of the node in its tree.
        node: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl ForestError {
    pub(crate) fn value(
        what: &'static str,
        found: impl std::fmt::Display,
        expected: &'static str,
    ) -> Self {
        Self::Value {
            what,
            found: found.to_string(),
            expected,
        }
    }
}
