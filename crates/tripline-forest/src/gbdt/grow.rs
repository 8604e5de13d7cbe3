//! Leaf-wise growth of one regression tree on first and second derivatives.

use rayon::prelude::*;

use super::{
    GbdtParams,
    histogram::{Cell, Histograms},
};
use crate::{
    Node, Split, Tree,
    binning::{Binned, BinnedColumn, MISSING},
    tree::CategorySet,
};

pub(super) struct Grown {
    pub(super) tree: Tree,
    pub(super) gains: Vec<f64>,
    /// For each inner node the bins that go left.
    routes: Vec<Option<Box<[bool; 256]>>>,
}

impl Grown {
    pub(super) fn value_of_row(&self, binned: &Binned, row: usize) -> f64 {
        let mut index = 0;
        loop {
            match (&self.tree.nodes[index], &self.routes[index]) {
                (
                    Node::Inner {
                        feature,
                        left,
                        right,
                        ..
                    },
                    Some(route),
                ) => {
                    let bin = binned.columns[usize::from(*feature)].bins[row];
                    index = if route[usize::from(bin)] {
                        *left
                    } else {
                        *right
                    } as usize;
                }
                (Node::Leaf { value, .. }, _) => return self.tree.values[*value as usize],
                (Node::Inner { .. }, None) => return 0.0,
            }
        }
    }
}

#[derive(Clone)]
struct Candidate {
    feature: usize,
    gain: f64,
    missing_left: bool,
    split: Split,
    route: Box<[bool; 256]>,
    left: Cell,
    right: Cell,
}

struct Leaf {
    node: usize,
    start: usize,
    end: usize,
    depth: usize,
    sum: Cell,
    /// What monotone constraints above allow for the leaf's value.
    bounds: (f64, f64),
    histograms: Option<Histograms>,
    candidate: Option<Candidate>,
}

pub(super) fn grow(
    binned: &Binned,
    gradients: &[(f64, f64)],
    mut rows: Vec<u32>,
    features: &[usize],
    params: &GbdtParams,
) -> Grown {
    let mut sum = Cell::default();
    for &row in &rows {
        let (gradient, hessian) = gradients[row as usize];
        sum.add(Cell {
            gradient,
            hessian,
            rows: 1.0,
        });
    }
    let finder = Finder {
        binned,
        features,
        params,
    };
    let mut nodes: Vec<Node> = vec![Node::Leaf {
        value: 0,
        cover: sum.rows,
    }];
    let mut routes = vec![None];
    let mut gains = vec![0.0; binned.columns.len()];
    let histograms = Histograms::build(binned, features, &rows, gradients);
    let root = Leaf {
        node: 0,
        start: 0,
        end: rows.len(),
        depth: 0,
        sum,
        bounds: (f64::NEG_INFINITY, f64::INFINITY),
        candidate: None,
        histograms: Some(histograms),
    };
    let mut leaves = vec![finder.with_candidate(root)];
    let mut spare = Vec::with_capacity(rows.len());
    while leaves.len() < params.max_leaves {
        let Some(position) = most_promising(&leaves) else {
            break;
        };
        let leaf = &mut leaves[position];
        let Some(candidate) = leaf.candidate.take() else {
            break;
        };
        let parent_histograms = leaf.histograms.take();
        let (start, end, depth, node, bounds) =
            (leaf.start, leaf.end, leaf.depth + 1, leaf.node, leaf.bounds);
        gains[candidate.feature] += candidate.gain;
        let middle = partition(
            &mut rows[start..end],
            &mut spare,
            &binned.columns[candidate.feature].bins,
            &candidate.route,
        ) + start;
        let (left_node, right_node) = (nodes.len(), nodes.len() + 1);
        nodes[node] = Node::Inner {
            feature: candidate.feature as u16,
            split: candidate.split,
            missing_left: candidate.missing_left,
            left: left_node as u32,
            right: right_node as u32,
            cover: leaf.sum.rows,
        };
        nodes.push(Node::Leaf {
            value: 0,
            cover: candidate.left.rows,
        });
        nodes.push(Node::Leaf {
            value: 0,
            cover: candidate.right.rows,
        });
        let (left_bounds, right_bounds) = finder.child_bounds(&candidate, bounds);
        routes[node] = Some(candidate.route);
        routes.extend([None, None]);

        let more = leaves.len() + 1 < params.max_leaves && depth < params.max_depth;
        let (left_histograms, right_histograms) = match parent_histograms {
            Some(parent) if more => {
                // Only the smaller side is counted; the other is parent minus it.
                if middle - start <= end - middle {
                    let left = Histograms::build(binned, features, &rows[start..middle], gradients);
                    let right = left.subtract_from(parent);
                    (Some(left), Some(right))
                } else {
                    let right = Histograms::build(binned, features, &rows[middle..end], gradients);
                    let left = right.subtract_from(parent);
                    (Some(left), Some(right))
                }
            }
            _ => (None, None),
        };
        let left = Leaf {
            node: left_node,
            start,
            end: middle,
            depth,
            sum: candidate.left,
            bounds: left_bounds,
            histograms: left_histograms,
            candidate: None,
        };
        let right = Leaf {
            node: right_node,
            start: middle,
            end,
            depth,
            sum: candidate.right,
            bounds: right_bounds,
            histograms: right_histograms,
            candidate: None,
        };
        leaves[position] = finder.with_candidate(left);
        leaves.push(finder.with_candidate(right));
    }

    // Values stand in node order, as they do in a model that was read from arrays.
    leaves.sort_unstable_by_key(|leaf| leaf.node);
    let mut values = Vec::with_capacity(leaves.len());
    for leaf in &leaves {
        if let Node::Leaf { value, .. } = &mut nodes[leaf.node] {
            *value = values.len() as u32;
        }
        values.push(leaf_output(leaf.sum, params.l2, leaf.bounds) * params.learning_rate);
    }
    Grown {
        tree: Tree {
            nodes,
            values,
            output: None,
        },
        gains,
        routes,
    }
}

fn most_promising(leaves: &[Leaf]) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (position, leaf) in leaves.iter().enumerate() {
        if let Some(candidate) = &leaf.candidate
            && best.is_none_or(|(_, gain)| candidate.gain > gain)
        {
            best = Some((position, candidate.gain));
        }
    }
    best.map(|(position, _)| position)
}

fn partition(rows: &mut [u32], spare: &mut Vec<u32>, bins: &[u8], route: &[bool; 256]) -> usize {
    spare.clear();
    let mut write = 0;
    for read in 0..rows.len() {
        let row = rows[read];
        if route[usize::from(bins[row as usize])] {
            rows[write] = row;
            write += 1;
        } else {
            spare.push(row);
        }
    }
    rows[write..].copy_from_slice(spare);
    write
}

/// The value that makes the quadratic loss of a set of rows smallest within bounds.
fn leaf_output(sum: Cell, l2: f64, bounds: (f64, f64)) -> f64 {
    (-sum.gradient / (sum.hessian + l2)).clamp(bounds.0, bounds.1)
}

struct Finder<'a> {
    binned: &'a Binned,
    features: &'a [usize],
    params: &'a GbdtParams,
}

impl Finder<'_> {
    fn monotone(&self, feature: usize) -> i8 {
        self.params.monotone.get(feature).copied().unwrap_or(0)
    }

    /// Loss reduction (twice) of giving a set of rows its own, possibly clamped, value.
    fn worth(&self, sum: Cell, l2: f64, bounds: (f64, f64)) -> f64 {
        if self.params.monotone.is_empty() {
            return sum.gradient * sum.gradient / (sum.hessian + l2);
        }
        let value = leaf_output(sum, l2, bounds);
        -(2.0 * sum.gradient * value + (sum.hessian + l2) * value * value)
    }

    fn child_bounds(&self, candidate: &Candidate, bounds: (f64, f64)) -> ((f64, f64), (f64, f64)) {
        let direction = self.monotone(candidate.feature);
        if direction == 0 {
            return (bounds, bounds);
        }
        let left = leaf_output(candidate.left, self.params.l2, bounds);
        let right = leaf_output(candidate.right, self.params.l2, bounds);
        let middle = f64::midpoint(left, right);
        if direction > 0 {
            ((bounds.0, middle), (middle, bounds.1))
        } else {
            ((middle, bounds.1), (bounds.0, middle))
        }
    }

    fn with_candidate(&self, mut leaf: Leaf) -> Leaf {
        let enough = leaf.sum.rows >= 2.0 * self.params.min_rows_in_leaf as f64
            && leaf.depth < self.params.max_depth;
        if let (true, Some(histograms)) = (enough, &leaf.histograms) {
            let one = |position: usize| {
                let feature = self.features[position];
                self.best_split(
                    feature,
                    &histograms.by_feature[position],
                    leaf.sum,
                    leaf.bounds,
                )
            };
            let found: Vec<Option<Candidate>> = if self.features.len() >= 16 {
                (0..self.features.len()).into_par_iter().map(one).collect()
            } else {
                (0..self.features.len()).map(one).collect()
            };
            for candidate in found.into_iter().flatten() {
                if leaf
                    .candidate
                    .as_ref()
                    .is_none_or(|best| candidate.gain > best.gain)
                {
                    leaf.candidate = Some(candidate);
                }
            }
        }
        if leaf.candidate.is_none() {
            leaf.histograms = None;
        }
        leaf
    }

    fn best_split(
        &self,
        feature: usize,
        cells: &[Cell],
        sum: Cell,
        bounds: (f64, f64),
    ) -> Option<Candidate> {
        let column = &self.binned.columns[feature];
        if column.categorical {
            self.best_categories(feature, column, cells, sum, bounds)
        } else {
            self.best_threshold(feature, column, cells, sum, bounds)
        }
    }

    fn allowed(
        &self,
        feature: usize,
        left: Cell,
        right: Cell,
        l2: f64,
        bounds: (f64, f64),
    ) -> bool {
        let rows = self.params.min_rows_in_leaf as f64;
        let hessian = self.params.min_hessian_in_leaf;
        let big_enough = left.rows >= rows.max(1.0)
            && right.rows >= rows.max(1.0)
            && left.hessian >= hessian
            && right.hessian >= hessian;
        let direction = self.monotone(feature);
        big_enough
            && (direction == 0 || {
                let (l, r) = (
                    leaf_output(left, l2, bounds),
                    leaf_output(right, l2, bounds),
                );
                if direction > 0 { l <= r } else { l >= r }
            })
    }

    fn best_threshold(
        &self,
        feature: usize,
        column: &BinnedColumn,
        cells: &[Cell],
        sum: Cell,
        bounds: (f64, f64),
    ) -> Option<Candidate> {
        let l2 = self.params.l2;
        let whole = self.worth(sum, l2, bounds);
        let missing = cells[usize::from(MISSING)];
        let mut best: Option<(f64, usize, bool, Cell, Cell)> = None;
        let ways: &[bool] = if missing.rows > 0.0 {
            &[false, true]
        } else {
            &[false]
        };
        for &missing_left in ways {
            let mut left = if missing_left {
                missing
            } else {
                Cell::default()
            };
            for bin in 0..column.bin_count() {
                if cells[bin].rows == 0.0 {
                    continue;
                }
                left.add(cells[bin]);
                let right = sum.minus(left);
                if right.rows < 0.5 {
                    break;
                }
                if !self.allowed(feature, left, right, l2, bounds) {
                    continue;
                }
                let gain = self.worth(left, l2, bounds) + self.worth(right, l2, bounds) - whole;
                if gain > self.params.min_gain.max(1e-12)
                    && best.is_none_or(|(most, ..)| gain > most)
                {
                    best = Some((gain, bin, missing_left, left, right));
                }
            }
        }
        let (gain, bin, missing_left, left, right) = best?;
        // Without missing values in training, a missing value takes the way of the majority.
        let missing_left = if missing.rows > 0.0 {
            missing_left
        } else {
            left.rows >= right.rows
        };
        // The border is the one of the bins, not of the node's values: an ensemble then asks each
        // feature at most 254 different questions, which is what lets scoring compare bytes.
        let threshold = if bin + 1 < column.bin_count() {
            column.threshold_between(bin as u8, bin as u8 + 1)
        } else {
            f64::MAX
        };
        let mut route = Box::new([false; 256]);
        route[..=bin].fill(true);
        route[usize::from(MISSING)] = missing_left;
        Some(Candidate {
            feature,
            gain,
            missing_left,
            split: Split::Threshold(threshold),
            route,
            left,
            right,
        })
    }

    fn best_categories(
        &self,
        feature: usize,
        column: &BinnedColumn,
        cells: &[Cell],
        sum: Cell,
        bounds: (f64, f64),
    ) -> Option<Candidate> {
        let smoothing = self.params.category_smoothing;
        let l2 = self.params.l2 + self.params.category_l2;
        let whole = self.worth(sum, self.params.l2, bounds);
        let mut order: Vec<usize> = (0..column.bin_count())
            .filter(|bin| cells[*bin].rows > 0.0)
            .collect();
        let rank = |bin: usize| cells[bin].gradient / (cells[bin].hessian + smoothing);
        order.sort_by(|&a, &b| rank(a).total_cmp(&rank(b)).then(a.cmp(&b)));
        let mut best: Option<(f64, usize, Cell, Cell)> = None;
        let mut left = Cell::default();
        for (position, &bin) in order.iter().enumerate() {
            left.add(cells[bin]);
            let right = sum.minus(left);
            let smaller_side = (position + 1).min(order.len() - position - 1);
            if smaller_side > self.params.max_categories_per_side
                || !self.allowed(feature, left, right, l2, bounds)
            {
                continue;
            }
            let gain = self.worth(left, l2, bounds) + self.worth(right, l2, bounds) - whole;
            if gain > self.params.min_gain.max(1e-12) && best.is_none_or(|(most, ..)| gain > most) {
                best = Some((gain, position, left, right));
            }
        }
        let (gain, last, left, right) = best?;
        let mut set = CategorySet::default();
        let mut route = Box::new([false; 256]);
        for &bin in &order[..=last] {
            set.insert(bin as u8);
            route[bin] = true;
        }
        // Missing values were counted on the right (they are never in a prefix), and categories
        // that training never saw go there too, as they are not in the set.
        Some(Candidate {
            feature,
            gain,
            missing_left: false,
            split: Split::Categories(set),
            route,
            left,
            right,
        })
    }
}
