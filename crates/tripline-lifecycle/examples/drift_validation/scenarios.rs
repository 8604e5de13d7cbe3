//! Windows of traffic that differ from the training data in a known way.

use std::collections::BTreeMap;

use tripline_forest::SplitMix64;
use tripline_lifecycle::{LabelledRows, class_of_label};

use crate::laboratory::{Laboratory, is_attack};

/// Features whose values are spread over their range, in the order in which changes take them.
pub(crate) const SPREAD: [&str; 10] = [
    "count",
    "dst_host_srv_count",
    "same_srv_rate",
    "dst_host_count",
    "srv_count",
    "dst_host_same_srv_rate",
    "dst_host_diff_srv_rate",
    "dst_host_same_src_port_rate",
    "serror_rate",
    "dst_host_serror_rate",
];
/// Rows of a burst.
const BURST: usize = 100;

/// What is different in a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Change {
    /// Nothing: rows as they come.
    Nothing,
    /// The same rows, ordered in bursts of one label.
    Bursts,
    /// Another share of attacks.
    Attacks(f64),
    /// All attacks are of one class.
    OnlyClass(&'static str),
    /// So many standard deviations are added to the first so many of [`SPREAD`], in a share of the rows.
    Offset {
        deviations: f64,
        features: usize,
        rows: f64,
    },
    /// So many standard deviations are added to this feature.
    Shift {
        feature: &'static str,
        deviations: f64,
    },
    /// The values of these features are multiplied.
    Scale { factor: f64, features: usize },
    /// Normal noise of so many standard deviations is added.
    Noise { deviations: f64, features: usize },
    /// A share of the rows has a service that training did not have.
    NewCategory(f64),
    /// A share of the values of these features is missing.
    Missing { share: f64, features: usize },
    /// A share of the normal rows are attacks in truth; no value changes.
    NormalIsAttack(f64),
    /// An attack type is harmless from now on; no value changes.
    Harmless(&'static str),
    /// A type that the model was trained without, at its natural share or at the given one.
    Novel {
        label: &'static str,
        share: Option<f64>,
    },
}

impl Change {
    pub(crate) fn name(self) -> String {
        let of = |features: usize| match features {
            1 => format!("`{}`", SPREAD[0]),
            features => format!("{features} features"),
        };
        let percent = |share: f64| {
            format!("{:.4}", 100.0 * share)
                .trim_end_matches('0')
                .trim_end_matches('.')
                .to_owned()
        };
        match self {
            Self::Nothing => "none".to_owned(),
            Self::Bursts => "none, in bursts of one label".to_owned(),
            Self::Attacks(share) => format!("{} % attacks", percent(share)),
            Self::OnlyClass(class) => format!("all attacks are {class}"),
            Self::Offset {
                deviations,
                features,
                rows,
            } if rows < 1.0 => format!(
                "{deviations:+} s.d. on {} in {} % of the rows",
                of(features),
                percent(rows)
            ),
            Self::Offset {
                deviations,
                features,
                ..
            } => format!("{deviations:+} s.d. on {}", of(features)),
            Self::Shift {
                feature,
                deviations,
            } => format!("{deviations:+} s.d. on `{feature}`"),
            Self::Scale { factor, features } => format!("× {factor} on {}", of(features)),
            Self::Noise {
                deviations,
                features,
            } => format!("noise of {deviations} s.d. on {}", of(features)),
            Self::NewCategory(share) => {
                format!("new `service` in {} % of the rows", percent(share))
            }
            Self::Missing { share, features } => {
                format!("{} % missing of {}", percent(share), of(features))
            }
            Self::NormalIsAttack(share) => {
                format!("{} % of normal rows are attacks in truth", percent(share))
            }
            Self::Harmless(label) => format!("{label} is harmless in truth"),
            Self::Novel { label, share: None } => format!("{label} is new, natural share"),
            Self::Novel {
                label,
                share: Some(share),
            } => format!("{label} is new, {} % of the rows", percent(share)),
        }
    }

    /// The features that it changes on purpose.
    pub(crate) fn features(self) -> Vec<&'static str> {
        match self {
            Self::Offset { features, .. }
            | Self::Scale { features, .. }
            | Self::Noise { features, .. }
            | Self::Missing { features, .. } => SPREAD[..features].to_vec(),
            Self::Shift { feature, .. } => vec![feature],
            Self::NewCategory(_) => vec!["service"],
            _ => Vec::new(),
        }
    }

    /// Whether the values of the rows are distributed as in training.
    pub(crate) fn is_none(self) -> bool {
        matches!(
            self,
            Self::Nothing | Self::Bursts | Self::NormalIsAttack(_) | Self::Harmless(_)
        )
    }

    /// A window of so many rows of the field.
    pub(crate) fn window(
        self,
        laboratory: &Laboratory,
        random: &mut SplitMix64,
        rows: usize,
    ) -> LabelledRows {
        let chosen = self.choose(&laboratory.field, random, rows);
        let mut window = LabelledRows::new(laboratory.field.schema());
        for row in chosen {
            let mut values = laboratory.field.row(row).to_vec();
            self.change(laboratory, random, &mut values);
            let label = self.truth(laboratory.field.label(row), random);
            window.push(&values, label);
        }
        window
    }

    fn choose(self, field: &LabelledRows, random: &mut SplitMix64, rows: usize) -> Vec<usize> {
        let of = |wanted: &dyn Fn(&str) -> bool| -> Vec<usize> {
            (0..field.len())
                .filter(|row| wanted(field.label(*row)))
                .collect()
        };
        let normal = || of(&|label| !is_attack(label));
        match self {
            Self::Attacks(share) => mixed(&of(&is_attack), &normal(), share, random, rows),
            Self::OnlyClass(class) => {
                let attacks = of(&|label| class_of_label(field.schema(), label) == Some(class));
                let share = of(&is_attack).len() as f64 / field.len() as f64;
                mixed(&attacks, &normal(), share, random, rows)
            }
            Self::Novel {
                label: novel,
                share: Some(share),
            } => {
                let others = of(&|label| label != novel);
                mixed(&of(&|label| label == novel), &others, share, random, rows)
            }
            Self::Bursts => bursts(field, random, rows, BURST),
            _ => without_replacement(field.len(), random, rows),
        }
    }

    fn change(self, laboratory: &Laboratory, random: &mut SplitMix64, values: &mut [f64]) {
        let columns = self
            .features()
            .into_iter()
            .map(|feature| laboratory.column(feature));
        match self {
            Self::Offset {
                deviations, rows, ..
            } if rows >= 1.0 || random.unit() < rows => {
                columns.for_each(|column| add(laboratory, values, column, deviations));
            }
            Self::Shift { deviations, .. } => {
                columns.for_each(|column| add(laboratory, values, column, deviations));
            }
            Self::Scale { factor, .. } => {
                for column in columns {
                    values[column] = laboratory.allowed(column, values[column] * factor);
                }
            }
            Self::Noise { deviations, .. } => {
                columns.for_each(|column| {
                    let drawn = normal(random);
                    add(laboratory, values, column, deviations * drawn);
                });
            }
            Self::NewCategory(share) if random.unit() < share => {
                values[laboratory.column("service")] = laboratory.unseen_service();
            }
            Self::Missing { share, .. } => {
                for column in columns {
                    if random.unit() < share {
                        values[column] = f64::NAN;
                    }
                }
            }
            _ => {}
        }
    }

    fn truth<'a>(self, label: &'a str, random: &mut SplitMix64) -> &'a str {
        match self {
            Self::NormalIsAttack(share) if !is_attack(label) && random.unit() < share => "anomaly",
            Self::Harmless(harmless) if label == harmless => "normal",
            _ => label,
        }
    }
}

/// The scenarios that both the drift report and the estimate are judged on.
pub(crate) fn all(novel: &[&'static str]) -> Vec<Change> {
    let mut all = vec![Change::Nothing, Change::Bursts];
    all.extend([0.01, 0.1, 0.25, 0.75, 0.9].map(Change::Attacks));
    all.extend(["DoS", "Probe", "R2L", "U2R"].map(Change::OnlyClass));
    for features in [1, 5, 10] {
        for deviations in [0.1, 0.5, 1.0, 2.0] {
            all.push(Change::Offset {
                deviations,
                features,
                rows: 1.0,
            });
        }
    }
    for features in [1, 5, 10] {
        all.extend([1.2, 2.0].map(|factor| Change::Scale { factor, features }));
    }
    for features in [1, 5, 10] {
        all.extend([0.1, 0.5, 1.0].map(|deviations| Change::Noise {
            deviations,
            features,
        }));
    }
    all.extend([0.005, 0.02, 0.1].map(Change::NewCategory));
    for features in [1, 5, 10] {
        all.extend([0.02, 0.1, 0.5].map(|share| Change::Missing { share, features }));
    }
    all.extend([0.02, 0.1].map(Change::NormalIsAttack));
    all.push(Change::Harmless("ipsweep"));
    for share in [None, Some(0.2)] {
        all.extend(novel.iter().map(|label| Change::Novel { label, share }));
    }
    all
}

fn add(laboratory: &Laboratory, values: &mut [f64], column: usize, deviations: f64) {
    let added = deviations * laboratory.deviation(column);
    values[column] = laboratory.allowed(column, values[column] + added);
}

fn mixed(
    ones: &[usize],
    others: &[usize],
    share: f64,
    random: &mut SplitMix64,
    rows: usize,
) -> Vec<usize> {
    (0..rows)
        .map(|_| {
            let from = if random.unit() < share { ones } else { others };
            from[random.below(from.len())]
        })
        .collect()
}

pub(crate) fn without_replacement(
    length: usize,
    random: &mut SplitMix64,
    rows: usize,
) -> Vec<usize> {
    let mut all: Vec<usize> = (0..length).collect();
    random.shuffle(&mut all);
    all.truncate(rows);
    all
}

/// Each burst has the label of a random row, as a scan or a flood has.
pub(crate) fn bursts(
    field: &LabelledRows,
    random: &mut SplitMix64,
    rows: usize,
    length: usize,
) -> Vec<usize> {
    let mut by_label: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for row in 0..field.len() {
        by_label.entry(field.label(row)).or_default().push(row);
    }
    let mut chosen = Vec::with_capacity(rows);
    while chosen.len() < rows {
        let of_label = &by_label[field.label(random.below(field.len()))];
        chosen.extend((0..length).map(|_| of_label[random.below(of_label.len())]));
    }
    chosen.truncate(rows);
    chosen
}

/// Box and Muller 1958.
pub(crate) fn normal(random: &mut SplitMix64) -> f64 {
    let radius = (-2.0 * (1.0 - random.unit()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.unit()).cos()
}
