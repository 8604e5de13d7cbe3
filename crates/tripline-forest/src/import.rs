//! Trees that other programs have trained, read as data.
//!
//! [`xgboost`] reads what XGBoost writes as JSON, [`lightgbm`] the text of LightGBM, and [`onnx`] the
//! tree ensembles of ONNX. Nothing in a file is executed or followed; lengths are checked before
//! memory is taken; and whatever a file says goes through the same structural checks as our own
//! arrays ([`Ensemble::from_arrays`](crate::Ensemble)). An operator, objective or kind of tree that
//! cannot be expressed exactly is refused by name.
//!
//! XGBoost and ONNX compare in single precision. Thresholds are moved so that `x <= t` in double
//! precision says the same of every number as the original says of that number rounded to single
//! precision. Sums are kept in double precision, so that answers differ from the originals' by their
//! rounding.

mod lightgbm_text;
mod onnx_graph;
mod protobuf;
mod walk;
mod xgboost_json;

use thiserror::Error;

use crate::{ColumnKind, Ensemble, ForestError};

/// The largest file that is read, in bytes.
pub const MAX_BYTES: usize = 500 << 20;

/// A model of another program.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The trees.
    pub ensemble: Ensemble,
    /// The features, in the order of the columns, where the file names them.
    pub features: Option<Vec<String>>,
    /// The classes, in the order of the outputs, where the file names them.
    pub classes: Option<Vec<String>>,
    /// The program and version that wrote the file, as far as it says.
    pub producer: String,
}

/// Why a file was refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ImportError {
    /// It is longer than what is read.
    #[error("{bytes} bytes are more than the limit of {MAX_BYTES}")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// It is not what it should be.
    #[error("{what}: {reason}")]
    Malformed {
        /// The place.
        what: String,
        /// What is wrong.
        reason: String,
    },
    /// It holds something that cannot be expressed.
    #[error("{what} is not supported: {reason}")]
    Unsupported {
        /// What.
        what: String,
        /// Why, or what is.
        reason: String,
    },
    /// Its trees are none.
    #[error("the trees are not sound")]
    Trees(#[from] ForestError),
}

impl ImportError {
    fn malformed(what: impl Into<String>, reason: impl std::fmt::Display) -> Self {
        Self::Malformed {
            what: what.into(),
            reason: reason.to_string(),
        }
    }

    fn unsupported(what: impl Into<String>, reason: impl std::fmt::Display) -> Self {
        Self::Unsupported {
            what: what.into(),
            reason: reason.to_string(),
        }
    }
}

/// Reads a model that XGBoost saved as JSON. `kinds` says of each column whether it is a category;
/// columns beyond it are numbers.
pub fn xgboost(bytes: &[u8], kinds: &[ColumnKind]) -> Result<Imported, ImportError> {
    within_limit(bytes)?;
    xgboost_json::read(bytes, kinds)
}

/// Reads a model that LightGBM saved as text.
pub fn lightgbm(bytes: &[u8], kinds: &[ColumnKind]) -> Result<Imported, ImportError> {
    within_limit(bytes)?;
    lightgbm_text::read(bytes, kinds)
}

/// Reads a tree ensemble of ONNX.
pub fn onnx(bytes: &[u8]) -> Result<Imported, ImportError> {
    within_limit(bytes)?;
    onnx_graph::read(bytes)
}

fn within_limit(bytes: &[u8]) -> Result<(), ImportError> {
    if bytes.len() > MAX_BYTES {
        return Err(ImportError::TooLarge { bytes: bytes.len() });
    }
    Ok(())
}
