//! Feature selection: recursive elimination and correlation filter.

use crate::{Ensemble, ForestError, Matrix, TrainingSet};

/// Recursive feature elimination (Guyon et al., Machine Learning 46, 2002): fits, drops the least
/// important `step` features, and repeats until `keep` are left. Returns their column indices in
/// ascending order.
///
/// `fit` trains the estimator whose importances decide.
pub fn eliminate(
    set: &TrainingSet<'_>,
    keep: usize,
    step: usize,
    mut fit: impl FnMut(&TrainingSet<'_>) -> Result<Ensemble, ForestError>,
) -> Result<Vec<usize>, ForestError> {
    if keep == 0 || keep > set.matrix.width() {
        return Err(ForestError::value(
            "features to keep",
            keep,
            "1 to the number of columns",
        ));
    }
    let mut kept: Vec<usize> = (0..set.matrix.width()).collect();
    while kept.len() > keep {
        let matrix = set.matrix.select_columns(&kept);
        let reduced = TrainingSet {
            matrix: &matrix,
            ..*set
        };
        let model = fit(&reduced)?;
        let mut order: Vec<usize> = (0..kept.len()).collect();
        // Of equally unimportant features the later one goes first.
        order.sort_by(|&a, &b| {
            model.importances()[a]
                .total_cmp(&model.importances()[b])
                .then(b.cmp(&a))
        });
        let drop = step.max(1).min(kept.len() - keep);
        let mut dropped = order[..drop].to_vec();
        dropped.sort_unstable_by(|a, b| b.cmp(a));
        for position in dropped {
            kept.remove(position);
        }
    }
    Ok(kept)
}

/// Keeps each column whose Pearson correlation with every column kept before it is at most
/// `limit` in absolute value. Rows where either value is missing are left out; a constant column
/// correlates with nothing and is kept.
pub fn filter_correlated(matrix: &Matrix, limit: f64) -> Vec<usize> {
    let mut kept: Vec<usize> = Vec::new();
    for candidate in 0..matrix.width() {
        let correlated = kept
            .iter()
            .any(|&other| pearson(matrix.column(candidate), matrix.column(other)).abs() > limit);
        if !correlated {
            kept.push(candidate);
        }
    }
    kept
}

/// Pearson's correlation over the rows where both values are known; 0 when it is undefined.
pub fn pearson(left: &[f64], right: &[f64]) -> f64 {
    let pairs = || {
        left.iter()
            .zip(right)
            .filter(|(a, b)| !a.is_nan() && !b.is_nan())
    };
    let count = pairs().count() as f64;
    if count < 2.0 {
        return 0.0;
    }
    let mean_left = pairs().map(|(a, _)| a).sum::<f64>() / count;
    let mean_right = pairs().map(|(_, b)| b).sum::<f64>() / count;
    let (mut covariance, mut variance_left, mut variance_right) = (0.0, 0.0, 0.0);
    for (a, b) in pairs() {
        covariance += (a - mean_left) * (b - mean_right);
        variance_left += (a - mean_left).powi(2);
        variance_right += (b - mean_right).powi(2);
    }
    let scale = (variance_left * variance_right).sqrt();
    if scale > 0.0 { covariance / scale } else { 0.0 }
}
