use tripline_detect::FeatureBaseline;
use tripline_features::FeatureKind;

use crate::LabelledRows;

/// Bins of a numeric feature's baseline.
const BINS: usize = 20;

/// The distribution of each column in the rows: a bin per category, or bins of about equal
/// weight between quantiles.
pub(crate) fn baselines(rows: &LabelledRows, columns: &[usize]) -> Vec<FeatureBaseline> {
    columns
        .iter()
        .map(|&column| {
            let feature = &rows.schema().features()[column];
            let mut values: Vec<f64> = (0..rows.len()).map(|row| rows.row(row)[column]).collect();
            let total = values.len();
            values.retain(|value| !value.is_nan());
            let missing = (total - values.len()) as u64;
            values.sort_unstable_by(f64::total_cmp);
            let edges = match &feature.kind {
                FeatureKind::Category(vocabulary) => (0..vocabulary.len().saturating_sub(1))
                    .map(|code| code as f64)
                    .collect(),
                _ => quantile_edges(&values),
            };
            let mut counts = vec![0; edges.len() + 1];
            for value in values {
                counts[edges.partition_point(|edge| *edge < value)] += 1;
            }
            FeatureBaseline {
                feature: feature.name.to_owned(),
                edges,
                counts,
                missing,
            }
        })
        .collect()
}

fn quantile_edges(sorted: &[f64]) -> Vec<f64> {
    let mut edges: Vec<f64> = Vec::new();
    for step in 1..BINS {
        let Some(value) = sorted.get(sorted.len() * step / BINS) else {
            continue;
        };
        if edges.last().is_none_or(|last| last < value) {
            edges.push(*value);
        }
    }
    edges
}
