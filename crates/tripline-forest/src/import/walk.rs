//! Foreign trees, node by node, into arrays in which children come after their parents.

use super::ImportError;
use crate::{
    ColumnKind,
    arrays::{Caps, EnsembleArrays, LEAF},
};

/// What a foreign node is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ForeignNode {
    /// Left when `value <= threshold`.
    Number {
        feature: usize,
        threshold: f64,
        missing_left: bool,
        left: usize,
        right: usize,
        cover: f64,
    },
    /// Left when the category is one of these.
    Category {
        feature: usize,
        left_codes: Vec<u8>,
        missing_left: bool,
        left: usize,
        right: usize,
        cover: f64,
    },
    /// A leaf with a value per output that its tree adds to.
    Leaf { values: Vec<f64>, cover: f64 },
}

/// Takes trees in one after the other.
#[derive(Debug)]
pub(super) struct Builder {
    pub(super) arrays: EnsembleArrays,
    caps: Caps,
    gains: Vec<f64>,
}

impl Builder {
    pub(super) fn new(
        width: usize,
        kinds: &[ColumnKind],
        base: Vec<f64>,
    ) -> Result<Self, ImportError> {
        if width == 0 || width >= usize::from(u16::MAX) {
            return Err(ImportError::malformed(
                "number of features",
                format!("{width}, expected 1 to 65534"),
            ));
        }
        let cardinality = (0..width)
            .map(|column| match kinds.get(column) {
                Some(ColumnKind::Category { cardinality }) => *cardinality,
                _ => 0,
            })
            .collect();
        Ok(Self {
            arrays: EnsembleArrays {
                cardinality,
                base,
                ..EnsembleArrays::default()
            },
            caps: Caps::default(),
            gains: vec![0.0; width],
        })
    }

    /// Adds a tree; `node` gives the node with a number, the root's being `root`. `count` is how many
    /// there may be: a walk that meets more has met one twice.
    pub(super) fn tree(
        &mut self,
        output: Option<usize>,
        root: usize,
        count: usize,
        mut node: impl FnMut(usize) -> Result<ForeignNode, ImportError>,
    ) -> Result<(), ImportError> {
        let tree = self.arrays.tree_nodes.len();
        let refuse = |number: usize, reason: &str| {
            Err(ImportError::malformed(
                format!("tree {tree}, node {number}"),
                reason,
            ))
        };
        if tree >= self.caps.trees {
            return refuse(0, "there are more trees than a model may have");
        }
        let first = self.arrays.feature.len();
        // Foreign number, and where its place goes: into which node, on which side.
        let mut waiting: Vec<(usize, Option<(usize, bool)>)> = vec![(root, None)];
        let mut placed = 0_usize;
        while let Some((number, parent)) = waiting.pop() {
            if placed >= count || self.arrays.feature.len() >= self.caps.nodes {
                return refuse(number, "a node is reached twice, or there are too many");
            }
            if let Some((at, is_left)) = parent {
                let child = placed as u32;
                if is_left {
                    self.arrays.left[first + at] = child;
                } else {
                    self.arrays.right[first + at] = child;
                }
            }
            let at = placed;
            placed += 1;
            let (left, right) = match node(number)? {
                ForeignNode::Leaf { values, cover } => {
                    self.push(LEAF, 0.0, -1, false, cover);
                    self.arrays.leaf_values.extend(values);
                    continue;
                }
                ForeignNode::Number {
                    feature,
                    threshold,
                    missing_left,
                    left,
                    right,
                    cover,
                } => {
                    let index = self.feature(tree, number, feature)?;
                    self.push(index, threshold, -1, missing_left, cover);
                    (left, right)
                }
                ForeignNode::Category {
                    feature,
                    left_codes,
                    missing_left,
                    left,
                    right,
                    cover,
                } => {
                    let index = self.feature(tree, number, feature)?;
                    if self.arrays.cardinality[feature] == 0 {
                        return refuse(number, "a number is asked for its category");
                    }
                    let set = (self.arrays.category_words.len() / 4) as i32;
                    let mut words = [0_u64; 4];
                    for code in left_codes {
                        words[usize::from(code) / 64] |= 1 << (code % 64);
                    }
                    self.arrays.category_words.extend(words);
                    self.push(index, 0.0, set, missing_left, cover);
                    (left, right)
                }
            };
            // The left child is taken next, as in our own trees.
            waiting.push((right, Some((at, false))));
            waiting.push((left, Some((at, true))));
        }
        self.arrays.tree_nodes.push(placed as u32);
        self.arrays
            .tree_output
            .push(output.map_or(-1, |output| output as i32));
        Ok(())
    }

    fn feature(&mut self, tree: usize, node: usize, feature: usize) -> Result<i32, ImportError> {
        match self.gains.get_mut(feature) {
            Some(count) => {
                *count += 1.0;
                Ok(feature as i32)
            }
            None => Err(ImportError::malformed(
                format!("tree {tree}, node {node}"),
                format!("feature {feature} of {}", self.gains.len()),
            )),
        }
    }

    fn push(&mut self, feature: i32, threshold: f64, set: i32, missing_left: bool, cover: f64) {
        self.arrays.feature.push(feature);
        self.arrays.threshold.push(threshold);
        self.arrays.category_set.push(set);
        self.arrays.missing_left.push(u8::from(missing_left));
        self.arrays.left.push(0);
        self.arrays.right.push(0);
        // Where a file does not tell, every node has the same weight.
        self.arrays.cover.push(if cover.is_finite() && cover > 0.0 {
            cover
        } else {
            1.0
        });
    }

    /// The arrays, with importances by how often a feature is asked.
    pub(super) fn finish(mut self) -> EnsembleArrays {
        let sum: f64 = self.gains.iter().sum();
        self.arrays.importances = self
            .gains
            .iter()
            .map(|count| if sum > 0.0 { count / sum } else { 0.0 })
            .collect();
        self.arrays
    }
}

/// The largest double that rounds to a single below or at `value`: `x <= it` says of every double what
/// `single(x) <= value` says.
pub(super) fn at_most_single(value: f32) -> f64 {
    let next = next_up(value);
    if !next.is_finite() {
        return f64::from(value);
    }
    let middle = f64::midpoint(f64::from(value), f64::from(next));
    // A number in the middle rounds to the even one.
    if value.to_bits() & 1 == 0 {
        middle
    } else {
        middle.next_down()
    }
}

/// The same for `single(x) < value`.
pub(super) fn below_single(value: f32) -> f64 {
    at_most_single(value.next_down())
}

fn next_up(value: f32) -> f32 {
    value.next_up()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_say_the_same_of_every_double() {
        for value in [0.0_f32, 0.5, 1.0, 3.1, -2.7, 1e-40, 12345.678, 1e30] {
            for threshold in [value, value.next_up(), value.next_down()] {
                let (at_most, below) = (at_most_single(threshold), below_single(threshold));
                let base = f64::from(threshold);
                let near = [
                    base,
                    base.next_up(),
                    base.next_down(),
                    f64::midpoint(base, f64::from(threshold.next_up())),
                    f64::midpoint(base, f64::from(threshold.next_down())),
                    f64::midpoint(base, f64::from(threshold.next_up())).next_up(),
                    f64::midpoint(base, f64::from(threshold.next_down())).next_down(),
                    f64::from(threshold.next_up()),
                    f64::from(threshold.next_down()),
                ];
                for x in near {
                    let single = x as f32;
                    assert_eq!(single <= threshold, x <= at_most, "{x} {threshold}");
                    assert_eq!(single < threshold, x <= below, "{x} {threshold}");
                }
            }
        }
    }
}
