use std::collections::BTreeMap;

use tripline_detect::{FeatureBaseline, Manifest, Probe, ScoreBaseline};
use tripline_features::{Bounds, FeatureKind};
use tripline_forest::Ensemble;

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
                _ => quantile_edges(&values, feature.bounds),
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

/// Edges between quantiles. A value that many rows have gets a bin of its own: else it could move down
/// inside its bin, or below the smallest value, and nothing would show.
fn quantile_edges(sorted: &[f64], bounds: Bounds) -> Vec<f64> {
    let mut edges: Vec<f64> = Vec::new();
    let mut push = |edge: f64| {
        if edges.last().is_none_or(|last| *last < edge) {
            edges.push(edge);
        }
    };
    for step in 1..BINS {
        let Some(&value) = sorted.get(sorted.len() * step / BINS) else {
            continue;
        };
        let below = sorted.partition_point(|other| *other < value);
        let upto = sorted.partition_point(|other| *other <= value);
        if (upto - below) * BINS < sorted.len() {
            push(value);
            continue;
        }
        let is_first = below == 0;
        if !is_first || value > bounds.min {
            push(value.next_down());
        }
        let is_last = upto == sorted.len();
        if !is_last || value < bounds.max {
            push(value);
        }
    }
    edges
}

/// The distribution of probabilities with weights, as so many rows.
pub(crate) fn score_baseline(
    scores: impl Iterator<Item = (f64, f64)>,
    rows: usize,
) -> ScoreBaseline {
    let mut weights = [0.0; ScoreBaseline::BINS];
    for (score, weight) in scores {
        let bin = (score.clamp(0.0, 1.0) * ScoreBaseline::BINS as f64) as usize;
        weights[bin.min(ScoreBaseline::BINS - 1)] += weight;
    }
    let sum: f64 = weights.iter().sum();
    let scale = rows as f64 / sum.max(f64::MIN_POSITIVE);
    ScoreBaseline {
        counts: weights
            .iter()
            .map(|weight| (weight * scale).round() as u64)
            .collect(),
    }
}

/// Rows with the ensemble's answers, spread over the labels and over the rows of each.
pub(crate) fn probes(rows: &LabelledRows, columns: &[usize], ensemble: &Ensemble) -> Vec<Probe> {
    let mut by_label: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for row in 0..rows.len() {
        by_label.entry(rows.label(row)).or_default().push(row);
    }
    let each = (Manifest::MAX_PROBES / by_label.len().max(1)).max(1);
    let chosen = by_label.values().flat_map(|of_label| {
        let count = each.min(of_label.len());
        (0..count).map(move |turn| of_label[turn * of_label.len() / count])
    });
    chosen
        .take(Manifest::MAX_PROBES)
        .map(|row| {
            let values: Vec<f64> = columns
                .iter()
                .map(|column| rows.row(row)[*column])
                .collect();
            Probe {
                margins: ensemble.margins(&values),
                values: values
                    .into_iter()
                    .map(|value| (!value.is_nan()).then_some(value))
                    .collect(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: Bounds = Bounds {
        min: f64::NEG_INFINITY,
        max: f64::INFINITY,
    };
    const SHARE: Bounds = Bounds { min: 0.0, max: 1.0 };

    fn bin(edges: &[f64], value: f64) -> usize {
        edges.partition_point(|edge| *edge < value)
    }

    #[test]
    fn a_constant_has_a_bin_of_its_own() {
        let edges = quantile_edges(&[5.0; 100], ANY);
        let [below, own, above] = [4.999, 5.0, 5.001].map(|value| bin(&edges, value));
        assert!(below < own && own < above, "{edges:?}");
        assert!(quantile_edges(&[], ANY).is_empty());
    }

    #[test]
    fn bounds_need_no_edge() {
        assert_eq!(
            quantile_edges(&[0.0; 100], SHARE),
            [0.0],
            "nothing is below 0"
        );
        let ones = quantile_edges(&[1.0; 100], SHARE);
        assert_eq!(ones.len(), 1, "nothing is above 1");
        assert!(bin(&ones, 0.99) < bin(&ones, 1.0));
    }

    #[test]
    fn what_many_rows_have_cannot_move_unseen() {
        let mut values: Vec<f64> = (0..50).map(|step| f64::from(step) / 100.0).collect();
        values.extend([1.0; 50]);
        values.sort_by(f64::total_cmp);
        let edges = quantile_edges(&values, SHARE);
        assert!(bin(&edges, 0.98) < bin(&edges, 1.0), "{edges:?}");
        assert!(edges.windows(2).all(|pair| pair[0] < pair[1]), "{edges:?}");
    }
}
