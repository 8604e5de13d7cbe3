use std::collections::HashMap;

use super::{
    ImportError, Imported,
    walk::{Builder, ForeignNode},
};
use crate::{ColumnKind, Ensemble, Link, arrays::Caps};

/// Bits of a decision type.
const CATEGORICAL: i64 = 1;
const DEFAULT_LEFT: i64 = 2;

type Fields<'a> = HashMap<&'a str, &'a str>;

pub(super) fn read(bytes: &[u8], kinds: &[ColumnKind]) -> Result<Imported, ImportError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| ImportError::malformed("the file", format!("no text: {error}")))?;
    let mut parts = text.split("\nTree=");
    let head = fields(parts.next().unwrap_or_default());
    if !text.starts_with("tree") {
        return Err(ImportError::malformed(
            "the file",
            "it does not begin with 'tree'",
        ));
    }
    let features: Vec<String> = field(&head, "feature_names", "the head")?
        .split_whitespace()
        .map(ToOwned::to_owned)
        .collect();
    let per_round: usize = whole(&head, "num_tree_per_iteration", "the head")?;
    let objective = field(&head, "objective", "the head")?;
    let averages = text
        .lines()
        .take_while(|line| !line.starts_with("Tree="))
        .any(|line| line.trim() == "average_output");
    let (link, outputs, sigmoid) = link_of(objective, per_round)?;
    let trees: Vec<&str> = parts.collect();
    if trees.is_empty() || !trees.len().is_multiple_of(outputs) {
        return Err(ImportError::malformed(
            "the file",
            format!("{} trees for {outputs} outputs", trees.len()),
        ));
    }
    let share = if averages {
        outputs as f64 / trees.len() as f64
    } else {
        1.0
    };
    let mut builder = Builder::new(features.len(), kinds, vec![0.0; outputs])?;
    for (at, part) in trees.into_iter().enumerate() {
        let end = part.find("\nend of trees").unwrap_or(part.len());
        let tree = Tree::read(&part[..end], at)?;
        builder.tree(Some(at % outputs), 0, tree.count(), |node| {
            tree.node(at, node, kinds, share * sigmoid)
        })?;
    }
    let ensemble = Ensemble::from_arrays(&builder.finish(), link, Caps::default())?;
    let version = head.get("version").copied().unwrap_or("of unknown version");
    Ok(Imported {
        ensemble,
        features: Some(features),
        classes: None,
        producer: format!("LightGBM, model {version}"),
    })
}

fn link_of(objective: &str, per_round: usize) -> Result<(Link, usize, f64), ImportError> {
    let mut words = objective.split_whitespace();
    let name = words.next().unwrap_or_default();
    let setting = |key: &str| {
        objective
            .split_whitespace()
            .find_map(|word| word.strip_prefix(key)?.strip_prefix(':'))
    };
    match name {
        "binary" if per_round == 1 => {
            let sigmoid = match setting("sigmoid") {
                None => 1.0,
                Some(text) => text
                    .parse::<f64>()
                    .ok()
                    .filter(|sigmoid| sigmoid.is_finite() && *sigmoid > 0.0)
                    .ok_or_else(|| ImportError::malformed("sigmoid", format!("'{text}'")))?,
            };
            Ok((Link::Logistic, 1, sigmoid))
        }
        "multiclass" if (2..=256).contains(&per_round) => Ok((Link::Softmax, per_round, 1.0)),
        other => Err(ImportError::unsupported(
            format!("objective '{other}'"),
            "expected binary or multiclass",
        )),
    }
}

fn fields(text: &str) -> Fields<'_> {
    text.lines()
        .filter_map(|line| line.split_once('='))
        .collect()
}

fn field<'a>(fields: &Fields<'a>, name: &str, place: &str) -> Result<&'a str, ImportError> {
    fields
        .get(name)
        .copied()
        .ok_or_else(|| ImportError::malformed(place, format!("'{name}' is missing")))
}

fn whole(fields: &Fields<'_>, name: &str, place: &str) -> Result<usize, ImportError> {
    let text = field(fields, name, place)?;
    text.trim()
        .parse()
        .map_err(|_| ImportError::malformed(place, format!("'{name}' is '{text}'")))
}

fn numbers<T: std::str::FromStr>(
    fields: &Fields<'_>,
    name: &str,
    place: &str,
) -> Result<Vec<T>, ImportError> {
    field(fields, name, place)?
        .split_whitespace()
        .map(|text| {
            text.parse().map_err(|_| {
                let shown: String = text.chars().take(40).collect();
                ImportError::malformed(place, format!("'{name}' holds '{shown}'"))
            })
        })
        .collect()
}

struct Tree {
    leaf_value: Vec<f64>,
    leaf_count: Vec<f64>,
    feature: Vec<i64>,
    threshold: Vec<f64>,
    decision: Vec<i64>,
    left: Vec<i64>,
    right: Vec<i64>,
    count: Vec<f64>,
    boundaries: Vec<usize>,
    words: Vec<u32>,
}

impl Tree {
    fn read(text: &str, at: usize) -> Result<Self, ImportError> {
        let fields = fields(text);
        let place = format!("tree {at}");
        let leaves = whole(&fields, "num_leaves", &place)?;
        if fields
            .get("is_linear")
            .is_some_and(|value| value.trim() == "1")
        {
            return Err(ImportError::unsupported(
                format!("{place}, a linear tree"),
                "its leaves are not constants",
            ));
        }
        let is_leaf = leaves == 1;
        let of_nodes = |name: &str| -> Result<Vec<i64>, ImportError> {
            if is_leaf {
                Ok(Vec::new())
            } else {
                numbers(&fields, name, &place)
            }
        };
        let has_categories = whole(&fields, "num_cat", &place)? > 0;
        let tree = Self {
            leaf_value: numbers(&fields, "leaf_value", &place)?,
            leaf_count: if fields.contains_key("leaf_count") {
                numbers(&fields, "leaf_count", &place)?
            } else {
                Vec::new()
            },
            feature: of_nodes("split_feature")?,
            threshold: if is_leaf {
                Vec::new()
            } else {
                numbers(&fields, "threshold", &place)?
            },
            decision: of_nodes("decision_type")?,
            left: of_nodes("left_child")?,
            right: of_nodes("right_child")?,
            count: if !is_leaf && fields.contains_key("internal_count") {
                numbers(&fields, "internal_count", &place)?
            } else {
                Vec::new()
            },
            boundaries: if has_categories {
                numbers(&fields, "cat_boundaries", &place)?
            } else {
                Vec::new()
            },
            words: if has_categories {
                numbers(&fields, "cat_threshold", &place)?
            } else {
                Vec::new()
            },
        };
        let nodes = leaves.saturating_sub(1);
        let same = [
            tree.feature.len(),
            tree.threshold.len(),
            tree.decision.len(),
            tree.left.len(),
            tree.right.len(),
        ];
        if leaves == 0
            || tree.leaf_value.len() != leaves
            || same.iter().any(|length| *length != nodes)
        {
            return Err(ImportError::malformed(place, "its arrays differ in length"));
        }
        Ok(tree)
    }

    /// Inner nodes and leaves.
    fn count(&self) -> usize {
        self.feature.len() + self.leaf_value.len()
    }

    /// Inner nodes are numbered from 0, leaves after them.
    fn node(
        &self,
        tree: usize,
        number: usize,
        kinds: &[ColumnKind],
        scale: f64,
    ) -> Result<ForeignNode, ImportError> {
        let bad =
            |reason: String| ImportError::malformed(format!("tree {tree}, node {number}"), reason);
        let inner = self.feature.len();
        if number >= inner {
            let leaf = number - inner;
            let value = self
                .leaf_value
                .get(leaf)
                .ok_or_else(|| bad(format!("leaf {leaf} of {}", self.leaf_value.len())))?;
            return Ok(ForeignNode::Leaf {
                values: vec![value * scale],
                cover: self.leaf_count.get(leaf).copied().unwrap_or(1.0),
            });
        }
        let child = |child: i64| -> Result<usize, ImportError> {
            // A leaf is written as the complement of its number.
            let number = if child < 0 {
                usize::try_from(!child)
                    .ok()
                    .and_then(|leaf| leaf.checked_add(inner))
            } else {
                usize::try_from(child).ok().filter(|child| *child < inner)
            };
            number
                .filter(|number| *number < self.count())
                .ok_or_else(|| bad(format!("child {child}")))
        };
        let (left, right) = (child(self.left[number])?, child(self.right[number])?);
        let feature = usize::try_from(self.feature[number])
            .map_err(|_| bad(format!("feature {}", self.feature[number])))?;
        let cover = self.count.get(number).copied().unwrap_or(1.0);
        let decision = self.decision[number];
        let threshold = self.threshold[number];
        if decision & CATEGORICAL != 0 {
            let left_codes = self
                .categories(threshold, kinds.get(feature))
                .map_err(bad)?;
            return Ok(ForeignNode::Category {
                feature,
                left_codes,
                missing_left: false,
                left,
                right,
                cover,
            });
        }
        if !threshold.is_finite() {
            return Err(bad(format!("the threshold is {threshold}")));
        }
        let default_left = decision & DEFAULT_LEFT != 0;
        let zero_left = 0.0 <= threshold;
        let missing_left = match decision >> 2 & 3 {
            // A missing value is a zero there.
            0 => zero_left,
            // A zero is a missing value there, which only matters when the two part.
            1 if zero_left == default_left => default_left,
            1 => {
                return Err(ImportError::unsupported(
                    format!("tree {tree}, node {number}, zero as a missing value"),
                    "train with zero_as_missing=false",
                ));
            }
            2 => default_left,
            other => return Err(bad(format!("missing type {other}"))),
        };
        Ok(ForeignNode::Number {
            feature,
            threshold,
            missing_left,
            left,
            right,
            cover,
        })
    }

    fn categories(&self, which: f64, kind: Option<&ColumnKind>) -> Result<Vec<u8>, String> {
        let Some(ColumnKind::Category { cardinality }) = kind else {
            return Err("a number is asked for its category".to_owned());
        };
        let which = which as usize;
        let bounds = (
            self.boundaries.get(which).copied(),
            self.boundaries.get(which + 1).copied(),
        );
        let words = match bounds {
            (Some(start), Some(end)) => self.words.get(start..end),
            _ => None,
        };
        let words = words.ok_or("its categories are out of range")?;
        Ok((0..*cardinality)
            .filter(|code| {
                words
                    .get(usize::from(*code) / 32)
                    .is_some_and(|word| word >> (code % 32) & 1 == 1)
            })
            .map(|code| code as u8)
            .collect())
    }
}
