use std::collections::BTreeSet;

use serde::Serialize;
use tripline_detect::{FeatureBaseline, Model, Role};
use tripline_features::{FeatureKind, FeatureValue, LiveObservability, display_value};
use tripline_forest::{Node, Split};

/// Values tried of a feature.
const MAX_VALUES: usize = 48;
/// Partial changes that are followed.
const BEAM: usize = 6;
/// Features that may change.
const MAX_CHANGES: usize = 4;
/// Rows that are judged at most.
const MAX_TRIED: usize = 60_000;

/// A change of a row after which the detector decides otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Counterfactual {
    /// What changes; empty when nothing was found.
    pub changes: Vec<Changed>,
    /// The probability after the change.
    pub probability: Option<f64>,
    /// Rows that were tried.
    pub tried: usize,
    /// Whether the search ended before everything was tried; then there may be a smaller change.
    pub is_bounded: bool,
}

/// One feature that changes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Changed {
    /// The feature.
    pub feature: &'static str,
    /// Its value in the row.
    pub from: FeatureValue,
    /// Its value after the change.
    pub to: FeatureValue,
    /// How far that is, as a share of the training rows that lie between.
    pub distance: f64,
}

/// A value that a feature may take.
#[derive(Debug, Clone, Copy)]
struct Choice {
    column: usize,
    value: f64,
    distance: f64,
}

#[derive(Debug, Clone)]
struct Partial {
    options: Vec<Choice>,
    probability: f64,
}

impl Partial {
    fn cost(&self) -> f64 {
        self.options.iter().map(|option| option.distance).sum()
    }
}

/// Searches the smallest change of a row, given in the order of the schema: first the fewest
/// features, then the shortest way. Only features that traffic shows can change, each within the
/// bounds of its kind, and only to values that some tree tells from the present one. Features are
/// changed as if each could change alone: counts over a window of other connections are taken as they
/// are. `None` for a model that is no detector.
pub fn counterfactual(model: &Model, values: &[f64]) -> Option<Counterfactual> {
    if model.role() != Role::Detector {
        return None;
    }
    let row: Vec<f64> = model
        .columns()
        .iter()
        .map(|column| values.get(*column).copied().unwrap_or(f64::NAN))
        .collect();
    let mut search = Search {
        model,
        tried: 0,
        is_bounded: false,
    };
    let is_threat = search.probability(&row) >= model.threshold();
    let options = options(model, &row);
    let mut beam = vec![Partial {
        options: Vec::new(),
        probability: search.probability(&row),
    }];
    for _ in 0..MAX_CHANGES {
        let (mut flipped, mut further): (Vec<Partial>, Vec<Partial>) = (Vec::new(), Vec::new());
        for partial in &beam {
            for option in &options {
                if partial
                    .options
                    .iter()
                    .any(|known| known.column == option.column)
                {
                    continue;
                }
                if search.tried >= MAX_TRIED {
                    search.is_bounded = true;
                    break;
                }
                let mut changed = partial.options.clone();
                changed.push(*option);
                let probability = search.probability(&applied(&row, &changed));
                let next = Partial {
                    options: changed,
                    probability,
                };
                if (probability >= model.threshold()) == is_threat {
                    further.push(next);
                } else {
                    flipped.push(next);
                }
            }
        }
        let shortest = flipped
            .into_iter()
            .min_by(|one, other| one.cost().total_cmp(&other.cost()));
        if let Some(found) = shortest {
            return Some(search.told(&row, &found));
        }
        // Those that have come furthest; of equal ones the shorter.
        further.sort_by(|one, other| {
            let order = if is_threat {
                one.probability.total_cmp(&other.probability)
            } else {
                other.probability.total_cmp(&one.probability)
            };
            order.then(one.cost().total_cmp(&other.cost()))
        });
        let mut seen: BTreeSet<Vec<usize>> = BTreeSet::new();
        beam = further
            .into_iter()
            .filter(|partial| {
                let mut columns: Vec<usize> =
                    partial.options.iter().map(|option| option.column).collect();
                columns.sort_unstable();
                seen.insert(columns)
            })
            .take(BEAM)
            .collect();
        if beam.is_empty() {
            break;
        }
    }
    Some(Counterfactual {
        changes: Vec::new(),
        probability: None,
        tried: search.tried,
        is_bounded: true,
    })
}

struct Search<'a> {
    model: &'a Model,
    tried: usize,
    is_bounded: bool,
}

impl Search<'_> {
    fn probability(&mut self, row: &[f64]) -> f64 {
        self.tried += 1;
        let ensemble = self.model.compiled().ensemble();
        self.model.threat_probability(ensemble.margins(row)[0])
    }

    fn told(&self, row: &[f64], found: &Partial) -> Counterfactual {
        let model = self.model;
        let schema = model.schema();
        let changes = found.options.iter().map(|option| {
            let index = model.columns()[option.column];
            Changed {
                feature: schema.features()[index].name,
                from: display_value(schema, index, row[option.column]),
                to: display_value(schema, index, option.value),
                distance: option.distance,
            }
        });
        Counterfactual {
            changes: changes.collect(),
            probability: Some(found.probability),
            tried: self.tried,
            is_bounded: self.is_bounded,
        }
    }
}

fn applied(row: &[f64], options: &[Choice]) -> Vec<f64> {
    let mut row = row.to_vec();
    for option in options {
        row[option.column] = option.value;
    }
    row
}

/// The values that each feature may take, by what the trees ask about it.
fn options(model: &Model, row: &[f64]) -> Vec<Choice> {
    let mut asked: Vec<BTreeSet<u64>> = vec![BTreeSet::new(); row.len()];
    for tree in model.compiled().ensemble().trees() {
        for node in tree.nodes() {
            if let Node::Inner {
                feature,
                split: Split::Threshold(threshold),
                ..
            } = node
            {
                // Ordered as numbers are: thresholds of counts and rates are not negative.
                asked[usize::from(*feature)].insert(threshold.to_bits());
            }
        }
    }
    let mut options = Vec::new();
    for (column, thresholds) in asked.iter().enumerate() {
        let index = model.columns()[column];
        let feature = &model.schema().features()[index];
        if feature.live != LiveObservability::Observable || row[column].is_nan() {
            continue;
        }
        let baseline = model
            .manifest()
            .baseline
            .iter()
            .find(|baseline| baseline.feature == feature.name);
        let mut values: Vec<f64> = match &feature.kind {
            FeatureKind::Category(vocabulary) => {
                // Names that hardly occur in training are no way out.
                let common = |code: &usize| {
                    baseline.is_none_or(|baseline| {
                        baseline.counts.get(*code).copied().unwrap_or(0) >= 10
                    })
                };
                (0..vocabulary.len())
                    .filter(common)
                    .map(|code| code as f64)
                    .collect()
            }
            FeatureKind::Port => Vec::new(),
            kind => thresholds
                .iter()
                .flat_map(|bits| around(f64::from_bits(*bits), kind))
                .collect(),
        };
        values.sort_by(f64::total_cmp);
        values.dedup();
        let step = (values.len() / MAX_VALUES).max(1);
        for value in values.into_iter().step_by(step) {
            let is_within = value >= feature.bounds.min && value <= feature.bounds.max;
            if is_within && (value - row[column]).abs() > f64::EPSILON {
                options.push(Choice {
                    column,
                    value,
                    distance: distance(baseline, &feature.kind, row[column], value),
                });
            }
        }
    }
    options
}

/// The values next to a threshold on both of its sides, as far as the kind allows them.
fn around(threshold: f64, kind: &FeatureKind) -> Vec<f64> {
    let pair = match kind {
        FeatureKind::Count | FeatureKind::Flag => [threshold.floor(), threshold.floor() + 1.0],
        // Rates have two digits.
        FeatureKind::Rate => {
            let below = (threshold * 100.0).floor() / 100.0;
            [below, below + 0.01]
        }
        _ => [threshold, threshold + threshold.abs() * 1e-6 + f64::EPSILON],
    };
    let highest = match kind {
        FeatureKind::Rate | FeatureKind::Flag => 1.0,
        _ => f64::MAX,
    };
    pair.into_iter()
        .filter(|value| (0.0..=highest).contains(value))
        .collect()
}

/// The share of training rows between two values; 1 between two categories.
fn distance(baseline: Option<&FeatureBaseline>, kind: &FeatureKind, from: f64, to: f64) -> f64 {
    if matches!(kind, FeatureKind::Category(_)) {
        return 1.0;
    }
    let Some(baseline) = baseline else {
        return 1.0;
    };
    let rows: u64 = baseline.counts.iter().sum();
    let bin = |value: f64| baseline.edges.partition_point(|edge| *edge < value);
    let (low, high) = (bin(from.min(to)), bin(from.max(to)));
    let between: u64 = baseline.counts[low..high].iter().sum();
    // Inside a bin the way is short, and still a way.
    between as f64 / rows.max(1) as f64 + 0.001
}
