//! Grows one classification tree by impurity (Breiman et al., *Classification and Regression
//! Trees*, 1984) on binned columns.

use crate::{
    Node, Split, SplitMix64, Tree,
    binning::{Binned, BinnedColumn, MISSING},
    forest::{Criterion, Splitter, TreeParams},
    tree::CategorySet,
};

/// Rows below which sorting beats clearing a histogram of every bin.
const SORT_BELOW: usize = 128;

/// What one tree is grown on.
pub(crate) struct Sample<'a> {
    pub(crate) binned: &'a Binned,
    pub(crate) target: &'a [u32],
    pub(crate) classes: usize,
    /// Weight per row; rows that are not in the sample have weight 0 and are not in `rows`.
    pub(crate) weights: &'a [f64],
    pub(crate) rows: Vec<u32>,
}

/// A grown tree with class shares in its leaves, and the impurity decrease per feature.
pub(crate) struct Grown {
    pub(crate) tree: Tree,
    pub(crate) gains: Vec<f64>,
}

pub(crate) fn grow(sample: Sample<'_>, params: &TreeParams, random: SplitMix64) -> Grown {
    let features = sample.binned.columns.len();
    let mut grower = Grower {
        tree: Tree {
            nodes: Vec::new(),
            values: Vec::new(),
            output: None,
        },
        gains: vec![0.0; features],
        order: (0..features).collect(),
        groups: Groups::new(sample.classes),
        spare: Vec::with_capacity(sample.rows.len()),
        rows: sample.rows,
        binned: sample.binned,
        target: sample.target,
        classes: sample.classes,
        weights: sample.weights,
        params,
        random,
    };
    grower.run();
    Grown {
        tree: grower.tree,
        gains: grower.gains,
    }
}

struct Grower<'a> {
    binned: &'a Binned,
    target: &'a [u32],
    classes: usize,
    weights: &'a [f64],
    params: &'a TreeParams,
    random: SplitMix64,
    rows: Vec<u32>,
    spare: Vec<u32>,
    order: Vec<usize>,
    groups: Groups,
    tree: Tree,
    gains: Vec<f64>,
}

struct Task {
    start: usize,
    end: usize,
    depth: usize,
    /// The parent's index and whether this is its left child.
    parent: Option<(usize, bool)>,
}

#[derive(Clone, Copy)]
struct Choice {
    feature: usize,
    split: Split,
    missing_left: bool,
    /// Weighted impurity after the split, to be made small.
    score: f64,
}

impl Grower<'_> {
    fn run(&mut self) {
        let mut tasks = vec![Task {
            start: 0,
            end: self.rows.len(),
            depth: 0,
            parent: None,
        }];
        while let Some(task) = tasks.pop() {
            let index = self.tree.nodes.len();
            if let Some((parent, is_left)) = task.parent
                && let Node::Inner { left, right, .. } = &mut self.tree.nodes[parent]
            {
                *(if is_left { left } else { right }) = index as u32;
            }
            let totals = self.totals(task.start, task.end);
            let cover: f64 = totals.iter().sum();
            match self.choose(&task, &totals) {
                Some((choice, decrease)) => {
                    self.gains[choice.feature] += decrease;
                    let middle = self.partition(task.start, task.end, &choice);
                    self.tree.nodes.push(Node::Inner {
                        feature: choice.feature as u16,
                        split: choice.split,
                        missing_left: choice.missing_left,
                        left: 0,
                        right: 0,
                        cover,
                    });
                    let depth = task.depth + 1;
                    let right = Task {
                        start: middle,
                        end: task.end,
                        depth,
                        parent: Some((index, false)),
                    };
                    let left = Task {
                        start: task.start,
                        end: middle,
                        depth,
                        parent: Some((index, true)),
                    };
                    tasks.extend([right, left]);
                }
                None => {
                    let value = self.tree.values.len() as u32;
                    self.tree
                        .values
                        .extend(totals.iter().map(|weight| weight / cover));
                    self.tree.nodes.push(Node::Leaf { value, cover });
                }
            }
        }
    }

    fn totals(&self, start: usize, end: usize) -> Vec<f64> {
        let mut totals = vec![0.0; self.classes];
        for &row in &self.rows[start..end] {
            totals[self.target[row as usize] as usize] += self.weights[row as usize];
        }
        totals
    }

    /// The best split of a node with its impurity decrease, if one is allowed.
    fn choose(&mut self, task: &Task, totals: &[f64]) -> Option<(Choice, f64)> {
        let count = task.end - task.start;
        let pure = totals.iter().filter(|weight| **weight > 0.0).count() < 2;
        if pure
            || count < self.params.min_samples_split.max(2)
            || self
                .params
                .max_depth
                .is_some_and(|limit| task.depth >= limit)
        {
            return None;
        }
        let wanted = self.params.max_features.count(self.order.len());
        self.random.shuffle(&mut self.order);
        let mut best: Option<Choice> = None;
        let mut visited = 0;
        for position in 0..self.order.len() {
            if visited >= wanted {
                break;
            }
            let feature = self.order[position];
            let column = &self.binned.columns[feature];
            let rows = &self.rows[task.start..task.end];
            self.groups.collect(column, rows, self.target, self.weights);
            if self.groups.len() < 2 {
                // As in scikit-learn, a constant feature does not count as one that was tried.
                continue;
            }
            visited += 1;
            let search = Search {
                column,
                totals,
                params: self.params,
                feature,
            };
            let found = match self.params.splitter {
                Splitter::Best => search.best(&mut self.groups),
                Splitter::Random => search.random(&mut self.groups, &mut self.random),
            };
            if let Some(found) = found {
                // Equal scores go to the feature with the smaller index, whatever the order of
                // the draw.
                let better = best.is_none_or(|best| {
                    found.score < best.score
                        || (found.score == best.score && found.feature < best.feature)
                });
                if better {
                    best = Some(found);
                }
            }
        }
        let before = self.params.criterion.weighted(totals);
        let best = best?;
        let decrease = (before - best.score).max(0.0);
        let weight: f64 = totals.iter().sum();
        (decrease / weight >= self.params.min_impurity_decrease).then_some((best, decrease))
    }

    fn partition(&mut self, start: usize, end: usize, choice: &Choice) -> usize {
        let column = &self.binned.columns[choice.feature];
        let mut left_bins = [false; 256];
        for (bin, goes_left) in left_bins.iter_mut().enumerate().take(column.bin_count()) {
            *goes_left = match choice.split {
                Split::Threshold(threshold) => column.high[bin] <= threshold,
                Split::Categories(set) => set.contains(bin as u8),
            };
        }
        left_bins[usize::from(MISSING)] = choice.missing_left;
        self.spare.clear();
        let mut write = start;
        for read in start..end {
            let row = self.rows[read];
            if left_bins[usize::from(column.bins[row as usize])] {
                self.rows[write] = row;
                write += 1;
            } else {
                self.spare.push(row);
            }
        }
        self.rows[write..end].copy_from_slice(&self.spare);
        write
    }
}

/// The rows of a node grouped by bin: class weights and row count of each non-empty bin.
struct Groups {
    classes: usize,
    bins: Vec<u8>,
    counts: Vec<u32>,
    weights: Vec<f64>,
    histogram: Vec<f64>,
    histogram_counts: Vec<u32>,
    pairs: Vec<(u8, u32)>,
}

impl Groups {
    fn new(classes: usize) -> Self {
        Self {
            classes,
            bins: Vec::new(),
            counts: Vec::new(),
            weights: Vec::new(),
            histogram: vec![0.0; 256 * classes],
            histogram_counts: vec![0; 256],
            pairs: Vec::new(),
        }
    }

    fn len(&self) -> usize {
        self.bins.len()
    }

    fn weights_of(&self, group: usize) -> &[f64] {
        &self.weights[group * self.classes..(group + 1) * self.classes]
    }

    fn collect(&mut self, column: &BinnedColumn, rows: &[u32], target: &[u32], weights: &[f64]) {
        self.bins.clear();
        self.counts.clear();
        self.weights.clear();
        if rows.len() < SORT_BELOW {
            self.pairs.clear();
            self.pairs
                .extend(rows.iter().map(|&row| (column.bins[row as usize], row)));
            self.pairs.sort_unstable();
            for &(bin, row) in &self.pairs {
                if self.bins.last() != Some(&bin) {
                    self.bins.push(bin);
                    self.counts.push(0);
                    self.weights.extend(std::iter::repeat_n(0.0, self.classes));
                }
                let group = self.bins.len() - 1;
                self.counts[group] += 1;
                self.weights[group * self.classes + target[row as usize] as usize] +=
                    weights[row as usize];
            }
            return;
        }
        for &row in rows {
            let bin = usize::from(column.bins[row as usize]);
            self.histogram_counts[bin] += 1;
            self.histogram[bin * self.classes + target[row as usize] as usize] +=
                weights[row as usize];
        }
        for bin in 0..=usize::from(MISSING) {
            let count = std::mem::take(&mut self.histogram_counts[bin]);
            if count > 0 {
                self.bins.push(bin as u8);
                self.counts.push(count);
                let cell = &mut self.histogram[bin * self.classes..(bin + 1) * self.classes];
                self.weights.extend_from_slice(cell);
                cell.fill(0.0);
            }
        }
    }

    /// Orders the groups of a category column by the share of `class`; for two classes the best
    /// subset is then a prefix (Fisher 1958; Breiman et al. 1984, theorem 4.5).
    fn order_by_share(&mut self, class: usize) {
        let share = |group: usize| {
            let weights = self.weights_of(group);
            let sum: f64 = weights.iter().sum();
            if sum > 0.0 { weights[class] / sum } else { 0.0 }
        };
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.sort_by(|&a, &b| {
            share(a)
                .total_cmp(&share(b))
                .then_with(|| self.bins[a].cmp(&self.bins[b]))
        });
        self.bins = order.iter().map(|&group| self.bins[group]).collect();
        let weights = order
            .iter()
            .flat_map(|&group| self.weights_of(group).to_vec())
            .collect();
        self.counts = order.iter().map(|&group| self.counts[group]).collect();
        self.weights = weights;
    }
}

struct Search<'a> {
    column: &'a BinnedColumn,
    totals: &'a [f64],
    params: &'a TreeParams,
    feature: usize,
}

impl Search<'_> {
    fn best(&self, groups: &mut Groups) -> Option<Choice> {
        if self.column.categorical {
            let mut class = 1;
            if self.totals.len() > 2 {
                for (index, weight) in self.totals.iter().enumerate() {
                    if *weight > self.totals[class] {
                        class = index;
                    }
                }
            }
            groups.order_by_share(class);
            return self.scan(groups, groups.len(), None);
        }
        let has_missing = groups.bins.last() == Some(&MISSING);
        let known = groups.len() - usize::from(has_missing);
        let without = self.scan(groups, known, None);
        if !has_missing {
            return without;
        }
        let with_left = self.scan(groups, known, Some(known));
        match (without, with_left) {
            (Some(a), Some(b)) => Some(if b.score < a.score { b } else { a }),
            (a, b) => a.or(b),
        }
    }

    /// Tries every prefix of the first `known` groups as the left side; `missing_left` is the
    /// group of missing values when it goes left too.
    fn scan(&self, groups: &Groups, known: usize, missing_left: Option<usize>) -> Option<Choice> {
        let classes = self.totals.len();
        let rows: u32 = groups.counts.iter().sum();
        let mut left = vec![0.0; classes];
        let mut right = self.totals.to_vec();
        let mut left_rows = 0_u32;
        let mut shift = |group: usize, left: &mut [f64], right: &mut [f64]| {
            for (class, weight) in groups.weights_of(group).iter().enumerate() {
                left[class] += weight;
                right[class] -= weight;
            }
            left_rows += groups.counts[group];
            left_rows
        };
        if let Some(group) = missing_left {
            shift(group, &mut left, &mut right);
        }
        let minimum = self.params.min_samples_leaf.max(1) as u32;
        let mut best: Option<(usize, f64)> = None;
        for group in 0..known {
            let left_rows = shift(group, &mut left, &mut right);
            if left_rows < minimum || rows - left_rows < minimum {
                continue;
            }
            let score =
                self.params.criterion.weighted(&left) + self.params.criterion.weighted(&right);
            if best.is_none_or(|(_, least)| score < least) {
                best = Some((group, score));
            }
        }
        let (last_left, score) = best?;
        Some(self.choice(groups, last_left, known, missing_left.is_some(), score))
    }

    fn choice(
        &self,
        groups: &Groups,
        last_left: usize,
        known: usize,
        missing_left: bool,
        score: f64,
    ) -> Choice {
        if self.column.categorical {
            let mut set = CategorySet::default();
            let mut missing = false;
            for &bin in &groups.bins[..=last_left] {
                if bin == MISSING {
                    missing = true;
                } else {
                    set.insert(bin);
                }
            }
            return Choice {
                feature: self.feature,
                split: Split::Categories(set),
                missing_left: missing,
                score,
            };
        }
        let threshold = if last_left + 1 < known {
            self.column
                .threshold_between(groups.bins[last_left], groups.bins[last_left + 1])
        } else {
            // Every known value goes left: the question is only whether the value is missing.
            f64::MAX
        };
        let missing_left = if groups.bins.last() == Some(&MISSING) {
            missing_left
        } else {
            // Nothing was missing in training: a missing value takes the way of the majority.
            let left: u32 = groups.counts[..=last_left].iter().sum();
            let all: u32 = groups.counts.iter().sum();
            left * 2 >= all
        };
        Choice {
            feature: self.feature,
            split: Split::Threshold(threshold),
            missing_left,
            score,
        }
    }

    /// One random cut, as in extremely randomised trees (Geurts, Ernst, Wehenkel, Machine
    /// Learning 63, 2006): uniform between the node's smallest and largest value; for categories
    /// a random subset.
    fn random(&self, groups: &mut Groups, random: &mut SplitMix64) -> Option<Choice> {
        let has_missing = !self.column.categorical && groups.bins.last() == Some(&MISSING);
        let known = groups.len() - usize::from(has_missing);
        let last_left = if self.column.categorical {
            let mut order: Vec<usize> = (0..groups.len()).collect();
            random.shuffle(&mut order);
            groups.bins = order.iter().map(|&group| groups.bins[group]).collect();
            let weights = order
                .iter()
                .flat_map(|&g| groups.weights_of(g).to_vec())
                .collect();
            groups.counts = order.iter().map(|&group| groups.counts[group]).collect();
            groups.weights = weights;
            random.below(groups.len() - 1)
        } else if known < 2 {
            known - 1
        } else {
            let low = self.column.low[usize::from(groups.bins[0])];
            let high = self.column.high[usize::from(groups.bins[known - 1])];
            let cut = low + random.unit() * (high - low);
            let left = (0..known)
                .take_while(|&group| self.column.high[usize::from(groups.bins[group])] <= cut)
                .count();
            left.clamp(1, known - 1) - 1
        };
        let missing_left = has_missing && known >= 2 && random.below(2) == 0;
        self.scan_single(groups, last_left, known, missing_left)
    }

    fn scan_single(
        &self,
        groups: &Groups,
        last_left: usize,
        known: usize,
        missing_left: bool,
    ) -> Option<Choice> {
        let mut left = vec![0.0; self.totals.len()];
        let mut left_rows = 0_u32;
        let extra = missing_left.then_some(known);
        for group in (0..=last_left).chain(extra) {
            for (sum, weight) in left.iter_mut().zip(groups.weights_of(group)) {
                *sum += weight;
            }
            left_rows += groups.counts[group];
        }
        let rows: u32 = groups.counts.iter().sum();
        let minimum = self.params.min_samples_leaf.max(1) as u32;
        if left_rows < minimum || rows - left_rows < minimum {
            return None;
        }
        let right: Vec<f64> = self
            .totals
            .iter()
            .zip(&left)
            .map(|(all, left)| all - left)
            .collect();
        let score = self.params.criterion.weighted(&left) + self.params.criterion.weighted(&right);
        Some(self.choice(groups, last_left, known, missing_left, score))
    }
}

impl Criterion {
    /// Impurity times weight of a set with the given class weights; smaller is purer.
    pub(crate) fn weighted(self, class_weights: &[f64]) -> f64 {
        let sum: f64 = class_weights.iter().sum();
        if sum <= 0.0 {
            return 0.0;
        }
        match self {
            Self::Gini => {
                sum - class_weights
                    .iter()
                    .map(|weight| weight * weight)
                    .sum::<f64>()
                    / sum
            }
            Self::Entropy => class_weights
                .iter()
                .filter(|weight| **weight > 0.0)
                .map(|weight| -weight * (weight / sum).log2())
                .sum(),
        }
    }
}
