//! Exact contributions of features to a margin: path-dependent TreeSHAP.
//!
//! Lundberg, Erion, Lee, *Consistent Individualized Feature Attribution for Tree Ensembles*,
//! arXiv:1802.03888, algorithm 2. The expectation over features that are left out follows the
//! training cover of each branch. For every row `base_value + Σ contributions = margin`.

use crate::{Ensemble, Node, Tree, tree::goes_left};

/// The contributions of one row's features to one margin.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The margin expected before any feature is known.
    pub base_value: f64,
    /// One contribution per feature, in the unit of the margin.
    pub contributions: Vec<f64>,
}

/// Explains one output of one row.
pub fn explain(ensemble: &Ensemble, row: &[f64], output: usize) -> Explanation {
    let mut contributions = vec![0.0; ensemble.width()];
    let mut base_value = ensemble.base[output];
    for tree in &ensemble.trees {
        if tree.output.is_none_or(|own| usize::from(own) == output) {
            base_value += expectation(tree, output);
            add_tree(tree, row, output, &mut contributions);
        }
    }
    Explanation {
        base_value,
        contributions,
    }
}

/// The mean of a tree's leaves by training cover.
pub(crate) fn expectation(tree: &Tree, output: usize) -> f64 {
    let mut sum = 0.0;
    let mut weights = vec![0.0; tree.nodes.len()];
    weights[0] = 1.0;
    for (index, node) in tree.nodes.iter().enumerate() {
        match node {
            Node::Leaf { value, .. } => {
                sum += weights[index] * tree.value_for(*value as usize, output);
            }
            Node::Inner { left, right, .. } => {
                let (left_share, right_share) = branch_shares(tree, *left, *right);
                weights[*left as usize] = weights[index] * left_share;
                weights[*right as usize] = weights[index] * right_share;
            }
        }
    }
    sum
}

/// Shares of the training cover on the two branches of a node. They sum to 1, whatever the
/// stored cover of the node itself says, so that contributions add up for imported trees too.
pub(crate) fn branch_shares(tree: &Tree, left: u32, right: u32) -> (f64, f64) {
    let left = tree.nodes[left as usize].cover();
    let right = tree.nodes[right as usize].cover();
    let sum = left + right;
    if sum > 0.0 {
        (left / sum, right / sum)
    } else {
        (0.5, 0.5)
    }
}

/// Adds one tree's contributions to one output.
pub(crate) fn add_tree(tree: &Tree, row: &[f64], output: usize, contributions: &mut [f64]) {
    let answer = |index: usize| match &tree.nodes[index] {
        Node::Inner {
            feature,
            split,
            missing_left,
            ..
        } => goes_left(split, *missing_left, row[usize::from(*feature)]),
        Node::Leaf { .. } => false,
    };
    let mut walk = Walk {
        tree,
        output,
        contributions,
        answer,
    };
    walk.visit(
        0,
        &[],
        Step {
            feature: usize::MAX,
            zero: 1.0,
            one: 1.0,
            weight: 1.0,
        },
    );
}

/// One feature on the way from the root.
#[derive(Debug, Clone, Copy)]
struct Step {
    feature: usize,
    /// Share of ways that pass when the feature is left out.
    zero: f64,
    /// 1 when the row itself passes, else 0.
    one: f64,
    /// Sum of the weights of feature subsets of each size.
    weight: f64,
}

struct Walk<'a, R> {
    tree: &'a Tree,
    output: usize,
    contributions: &'a mut [f64],
    /// Whether the row goes left at a node.
    answer: R,
}

impl<R: Fn(usize) -> bool> Walk<'_, R> {
    fn visit(&mut self, index: usize, above: &[Step], step: Step) {
        let mut path = Vec::with_capacity(above.len() + 2);
        path.extend_from_slice(above);
        extend(&mut path, step);
        match &self.tree.nodes[index] {
            Node::Leaf { value, .. } => {
                let value = self.tree.value_for(*value as usize, self.output);
                for position in 1..path.len() {
                    let weight = unwound_sum(&path, position);
                    let step = path[position];
                    self.contributions[step.feature] += weight * (step.one - step.zero) * value;
                }
            }
            Node::Inner {
                feature,
                left,
                right,
                ..
            } => {
                let feature = usize::from(*feature);
                let (left_share, right_share) = branch_shares(self.tree, *left, *right);
                let (hot, hot_share, cold, cold_share) = if (self.answer)(index) {
                    (*left, left_share, *right, right_share)
                } else {
                    (*right, right_share, *left, left_share)
                };
                let (mut zero, mut one) = (1.0, 1.0);
                if let Some(position) = path.iter().position(|step| step.feature == feature) {
                    zero = path[position].zero;
                    one = path[position].one;
                    unwind(&mut path, position);
                }
                let step = |zero, one| Step {
                    feature,
                    zero,
                    one,
                    weight: 0.0,
                };
                self.visit(hot as usize, &path, step(zero * hot_share, one));
                // A branch that no training row took has no weight in any expectation, except
                // for the row that takes it.
                self.visit(cold as usize, &path, step(zero * cold_share, 0.0));
            }
        }
    }
}

fn extend(path: &mut Vec<Step>, step: Step) {
    let length = path.len();
    path.push(Step {
        weight: if length == 0 { 1.0 } else { 0.0 },
        ..step
    });
    for i in (0..length).rev() {
        let weight = path[i].weight;
        path[i + 1].weight += step.one * weight * (i + 1) as f64 / (length + 1) as f64;
        path[i].weight = step.zero * weight * (length - i) as f64 / (length + 1) as f64;
    }
}

fn unwind(path: &mut Vec<Step>, position: usize) {
    let last = path.len() - 1;
    let Step { zero, one, .. } = path[position];
    let mut next = path[last].weight;
    for i in (0..last).rev() {
        if one != 0.0 {
            let kept = path[i].weight;
            path[i].weight = next * (last + 1) as f64 / ((i + 1) as f64 * one);
            next = kept - path[i].weight * zero * (last - i) as f64 / (last + 1) as f64;
        } else if zero != 0.0 {
            path[i].weight = path[i].weight * (last + 1) as f64 / (zero * (last - i) as f64);
        } else {
            path[i].weight = 0.0;
        }
    }
    for i in position..last {
        path[i] = Step {
            weight: path[i].weight,
            ..path[i + 1]
        };
    }
    path.pop();
}

fn unwound_sum(path: &[Step], position: usize) -> f64 {
    let last = path.len() - 1;
    let Step { zero, one, .. } = path[position];
    let mut next = path[last].weight;
    let mut total = 0.0;
    for i in (0..last).rev() {
        if one != 0.0 {
            let weight = next * (last + 1) as f64 / ((i + 1) as f64 * one);
            total += weight;
            next = path[i].weight - weight * zero * (last - i) as f64 / (last + 1) as f64;
        } else if zero != 0.0 {
            total += path[i].weight * (last + 1) as f64 / (zero * (last - i) as f64);
        }
    }
    total
}
