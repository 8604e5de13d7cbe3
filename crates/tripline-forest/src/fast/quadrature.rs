//! Exact contributions of one tree by numerical integration.
//!
//! The path-dependent game of a leaf is a product over the distinct features of its path, so the
//! Shapley value of feature `i` is `v (o_i − z_i) ∫₀¹ Π_{j≠i} (o_j t + z_j (1 − t)) dt`, where
//! `o_j` is 1 if the row passes all questions about feature `j` on the path, else 0, and `z_j` is
//! the share of the training cover that passes them. The integrand is a polynomial, and
//! Gauss–Legendre quadrature with `n` points is exact up to degree `2n − 1`: `n` points serve
//! paths of up to `2n` distinct features. Per point, one pass down the tree multiplies the
//! factors and one pass up adds the leaves, so the work grows with the nodes of the tree only.
//!
//! Linear passes over a polynomial in point-value form: Yu, Xu, Bifet, Read, *Linear `TreeShap`*,
//! arXiv:2209.08192. Quadrature as the form: Wettenstein, Mitchell, Yu, *Quadrature-TreeSHAP*,
//! arXiv:2605.04497. All factors are at least 0, so dividing one out loses no digits.

use crate::{Node, Tree, shap};

/// One tree prepared for explanations, with as many points as its longest path needs.
#[derive(Debug, Clone)]
pub(super) enum Paths {
    Two(Points<2>),
    Four(Points<4>),
    Six(Points<6>),
    Eight(Points<8>),
    Sixteen(Box<Points<16>>),
    ThirtyTwo(Box<Points<32>>),
}

/// A tree's nodes with `N` points of the integral.
#[derive(Debug, Clone)]
pub(super) struct Points<const N: usize> {
    /// The points in (0, 1).
    at: [f64; N],
    /// What is left of 1 at each point.
    rest: [f64; N],
    weights: [f64; N],
    /// The nodes in the order of the tree.
    nodes: Vec<Step<N>>,
}

/// What entering a node says of the feature that its parent asks.
#[derive(Debug, Clone)]
struct Step<const N: usize> {
    parent: u32,
    /// The nearest node above that was entered by a question about the same feature; 0 for none.
    above: u32,
    /// Position of the feature among the distinct ones of the tree.
    feature: u16,
    /// Whether the node is its parent's left child.
    left: bool,
    /// Where the leaf's values begin; `None` for an inner node.
    value: Option<u32>,
    /// Share of the cover that passes the questions about the feature down to here.
    zero: f64,
    /// Reciprocals of the feature's factor at each point, for a row that fails a question and for
    /// one that passes all. 0 where the factor is 0: then nothing below counts.
    reciprocals: [[f64; N]; 2],
}

/// Memory for the two passes.
#[derive(Debug, Clone, Default)]
pub(super) struct Workspace {
    products: Vec<f64>,
    sums: Vec<f64>,
    /// Per feature, before the points are weighted.
    rates: Vec<f64>,
    passes: Vec<bool>,
}

impl Paths {
    /// Prepares a tree, `None` when a path has more distinct features than the points serve.
    /// `features` lists the distinct features of the tree, ascending.
    pub(super) fn of(tree: &Tree, features: &[usize]) -> Option<Self> {
        Some(match longest_path(tree).div_ceil(2) {
            0..=2 => Self::Two(Points::of(tree, features)),
            3..=4 => Self::Four(Points::of(tree, features)),
            5..=6 => Self::Six(Points::of(tree, features)),
            7..=8 => Self::Eight(Points::of(tree, features)),
            9..=16 => Self::Sixteen(Box::new(Points::of(tree, features))),
            17..=32 => Self::ThirtyTwo(Box::new(Points::of(tree, features))),
            _ => return None,
        })
    }

    /// Adds the contributions, one per distinct feature, to `out`. `answer` tells whether the row
    /// goes left at an inner node; `value` gives a leaf's value.
    pub(super) fn add(
        &self,
        workspace: &mut Workspace,
        answer: impl Fn(usize) -> bool,
        value: impl Fn(u32) -> f64,
        out: &mut [f64],
    ) {
        match self {
            Self::Two(points) => points.add(workspace, answer, value, out),
            Self::Four(points) => points.add(workspace, answer, value, out),
            Self::Six(points) => points.add(workspace, answer, value, out),
            Self::Eight(points) => points.add(workspace, answer, value, out),
            Self::Sixteen(points) => points.add(workspace, answer, value, out),
            Self::ThirtyTwo(points) => points.add(workspace, answer, value, out),
        }
    }
}

impl<const N: usize> Points<N> {
    fn of(tree: &Tree, features: &[usize]) -> Self {
        let (at, weights) = gauss_legendre();
        let root = Step {
            parent: 0,
            above: 0,
            feature: 0,
            left: false,
            value: None,
            zero: 1.0,
            reciprocals: [[1.0; N]; 2],
        };
        let mut nodes = vec![root; tree.nodes.len()];
        for (index, node) in tree.nodes.iter().enumerate() {
            match node {
                Node::Leaf { value, .. } => nodes[index].value = Some(*value),
                Node::Inner {
                    feature,
                    left,
                    right,
                    ..
                } => {
                    let feature = features.partition_point(|own| *own < usize::from(*feature));
                    let above = nearest(&nodes, index, feature as u16);
                    let share_above = nodes[above].zero;
                    let (left_share, right_share) = shap::branch_shares(tree, *left, *right);
                    for (child, share, is_left) in
                        [(*left, left_share, true), (*right, right_share, false)]
                    {
                        let zero = share_above * share;
                        nodes[child as usize] = Step {
                            parent: index as u32,
                            above: above as u32,
                            feature: feature as u16,
                            left: is_left,
                            value: None,
                            zero,
                            reciprocals: [0.0, 1.0]
                                .map(|one| at.map(|t| reciprocal(one * t + zero * (1.0 - t)))),
                        };
                    }
                }
            }
        }
        Self {
            at,
            rest: at.map(|t| 1.0 - t),
            weights,
            nodes,
        }
    }

    fn add(
        &self,
        workspace: &mut Workspace,
        answer: impl Fn(usize) -> bool,
        value: impl Fn(u32) -> f64,
        out: &mut [f64],
    ) {
        let count = self.nodes.len();
        workspace.prepare(count, N, out.len());
        let (products, _) = workspace.products[..count * N].as_chunks_mut::<N>();
        let (sums, _) = workspace.sums[..count * N].as_chunks_mut::<N>();
        let (rates, _) = workspace.rates[..out.len() * N].as_chunks_mut::<N>();
        let passes = &mut workspace.passes[..count];
        products[0] = [1.0; N];
        sums[0] = [0.0; N];
        passes[0] = true;
        for (index, step) in self.nodes.iter().enumerate().skip(1) {
            let (parent, above) = (step.parent as usize, step.above as usize);
            let passed_above = passes[above];
            let passed = passed_above && answer(parent) == step.left;
            passes[index] = passed;
            let one = f64::from(u8::from(passed));
            // The root's reciprocals are 1, so a feature that is new on the path divides by 1.
            let divisor = &self.nodes[above].reciprocals[usize::from(passed_above)];
            let mut product = products[parent];
            for k in 0..N {
                product[k] *= (one * self.at[k] + step.zero * self.rest[k]) * divisor[k];
            }
            products[index] = product;
            let leaf = step.value.map_or(0.0, &value);
            for k in 0..N {
                sums[index][k] = product[k] * leaf;
            }
        }
        for (index, step) in self.nodes.iter().enumerate().skip(1).rev() {
            let sum = sums[index];
            let mut above = sums[step.parent as usize];
            for k in 0..N {
                above[k] += sum[k];
            }
            sums[step.parent as usize] = above;
            let mut rate = rates[usize::from(step.feature)];
            let (difference, reciprocals) = step.rate(passes[index]);
            for k in 0..N {
                rate[k] += difference * sum[k] * reciprocals[k];
            }
            if step.above != 0 {
                // The leaves below have their feature's last word here, not further up.
                let above = step.above as usize;
                let (difference, reciprocals) = self.nodes[above].rate(passes[above]);
                for k in 0..N {
                    rate[k] -= difference * sum[k] * reciprocals[k];
                }
            }
            rates[usize::from(step.feature)] = rate;
        }
        for (out, rate) in out.iter_mut().zip(rates) {
            for k in 0..N {
                *out += self.weights[k] * rate[k];
            }
        }
    }
}

impl<const N: usize> Step<N> {
    /// What the feature contributes to a leaf below, by the product of the leaf's factors.
    #[inline]
    fn rate(&self, passed: bool) -> (f64, &[f64; N]) {
        (
            f64::from(u8::from(passed)) - self.zero,
            &self.reciprocals[usize::from(passed)],
        )
    }
}

impl Workspace {
    /// Makes room for a tree, with rates that are 0.
    fn prepare(&mut self, nodes: usize, points: usize, features: usize) {
        if self.passes.len() < nodes {
            self.passes.resize(nodes, false);
        }
        if self.products.len() < nodes * points {
            self.products.resize(nodes * points, 0.0);
            self.sums.resize(nodes * points, 0.0);
        }
        self.rates.clear();
        self.rates.resize(features * points, 0.0);
    }
}

/// The reciprocal of a factor, or 0 for one so small that its product cannot matter.
fn reciprocal(factor: f64) -> f64 {
    if factor < f64::MIN_POSITIVE {
        0.0
    } else {
        1.0 / factor
    }
}

/// The nearest node from `index` up that was entered by a question about `feature`, else 0.
fn nearest<const N: usize>(nodes: &[Step<N>], mut index: usize, feature: u16) -> usize {
    while index != 0 && nodes[index].feature != feature {
        index = nodes[index].parent as usize;
    }
    index
}

/// The largest number of distinct features on a path.
fn longest_path(tree: &Tree) -> usize {
    let mut paths: Vec<Vec<u16>> = vec![Vec::new(); tree.nodes.len()];
    let mut longest = 0;
    for (index, node) in tree.nodes.iter().enumerate() {
        let mut path = std::mem::take(&mut paths[index]);
        if let Node::Inner {
            feature,
            left,
            right,
            ..
        } = node
        {
            if !path.contains(feature) {
                path.push(*feature);
            }
            paths[*left as usize].clone_from(&path);
            paths[*right as usize] = path;
        } else {
            longest = longest.max(path.len());
        }
    }
    longest
}

/// Points and weights of Gauss–Legendre quadrature on (0, 1): roots of the Legendre polynomial by
/// Newton's method from Chebyshev-like guesses.
fn gauss_legendre<const N: usize>() -> ([f64; N], [f64; N]) {
    let (mut points, mut weights) = ([0.0; N], [0.0; N]);
    for k in 0..N {
        let mut x = (std::f64::consts::PI * (k as f64 + 0.75) / (N as f64 + 0.5)).cos();
        let mut slope = 1.0;
        // Newton's method doubles the digits each time; the guess has two.
        for _ in 0..8 {
            let (mut current, mut before) = (1.0, 0.0);
            for degree in 1..=N {
                let degree = degree as f64;
                let next = ((2.0 * degree - 1.0) * x * current - (degree - 1.0) * before) / degree;
                (before, current) = (current, next);
            }
            slope = N as f64 * (x * current - before) / (x * x - 1.0);
            x -= current / slope;
        }
        points[k] = f64::midpoint(1.0, x);
        weights[k] = 1.0 / ((1.0 - x * x) * slope * slope);
    }
    (points, weights)
}
