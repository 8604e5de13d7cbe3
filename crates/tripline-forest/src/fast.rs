//! Scores and exact contributions at serving speed.
//!
//! A tree's contributions depend on a row only through the answers to the tree's own questions.
//! Up to 64 answers fit in one machine word, and real traffic gives few different words per tree,
//! so the contributions of each word are computed once (by [`shap`](crate::shap)) and then looked
//! up: the numbers are the same, to the order of additions, at a fraction of the work.
//! Trees with more questions are walked and explained the ordinary way.
//!
//! Questions compare small integers: each feature's thresholds are sorted once, a value is
//! replaced by the number of thresholds below it, and `value <= threshold` becomes an integer
//! comparison.

use crate::{
    ColumnKind, Ensemble, Link, Node, Split,
    shap::{self, Explanation},
    tree::{CategorySet, goes_left},
};

/// Questions that fit in a word.
const MAX_QUESTIONS: usize = 64;
/// Words remembered per tree; a full memo starts again, which bounds the memory of a scratch.
const MAX_REMEMBERED: usize = 1024;
const MISSING: u16 = u16::MAX;

/// An ensemble prepared for serving.
#[derive(Debug, Clone)]
pub struct Compiled {
    ensemble: Ensemble,
    thresholds: Vec<Vec<f64>>,
    trees: Vec<Option<Questions>>,
    /// Expected margin per output.
    base_values: Vec<f64>,
}

/// The memory one worker needs to score with a [`Compiled`].
#[derive(Debug, Clone)]
pub struct Scratch {
    codes: Vec<u16>,
    memos: Vec<Memo>,
    dense: Vec<f64>,
}

/// The questions of one tree, in node order.
#[derive(Debug, Clone)]
struct Questions {
    thresholds: Vec<Threshold>,
    categories: Vec<Category>,
    /// Position in the word of each inner node, by node index.
    bit_of_node: Vec<u8>,
    /// The distinct features asked, ascending.
    features: Vec<u16>,
}

#[derive(Debug, Clone, Copy)]
struct Threshold {
    feature: u16,
    /// Left when the value's code is at most this.
    code: u16,
    missing_left: bool,
}

#[derive(Debug, Clone, Copy)]
struct Category {
    feature: u16,
    set: CategorySet,
    missing_left: bool,
}

/// What is known of one tree: word → leaf value and contributions.
#[derive(Debug, Clone, Default)]
struct Memo {
    /// Open addressing; position + 1 in `words`, 0 when free.
    slots: Vec<u32>,
    words: Vec<u64>,
    /// Per word the leaf's value, then one contribution per distinct feature.
    entries: Vec<f64>,
}

impl Compiled {
    /// Prepares an ensemble.
    pub fn new(ensemble: Ensemble) -> Self {
        let width = ensemble.width();
        let mut thresholds: Vec<Vec<f64>> = vec![Vec::new(); width];
        for tree in &ensemble.trees {
            for node in &tree.nodes {
                if let Node::Inner {
                    feature,
                    split: Split::Threshold(threshold),
                    ..
                } = node
                {
                    thresholds[usize::from(*feature)].push(*threshold);
                }
            }
        }
        for list in &mut thresholds {
            list.sort_unstable_by(f64::total_cmp);
            list.dedup();
        }
        let codes_fit = thresholds
            .iter()
            .all(|list| list.len() < usize::from(MISSING));
        let trees = ensemble
            .trees
            .iter()
            .map(|tree| {
                if codes_fit {
                    Questions::of(&tree.nodes, &thresholds)
                } else {
                    None
                }
            })
            .collect();
        let base_values = (0..ensemble.outputs())
            .map(|output| {
                ensemble.base[output]
                    + ensemble
                        .trees
                        .iter()
                        .filter(|tree| tree.output.is_none_or(|own| usize::from(own) == output))
                        .map(|tree| shap::expectation(tree, output))
                        .sum::<f64>()
            })
            .collect();
        Self {
            ensemble,
            thresholds,
            trees,
            base_values,
        }
    }

    /// The ensemble this was made from.
    pub fn ensemble(&self) -> &Ensemble {
        &self.ensemble
    }

    /// The expected margin of an output before any feature is known.
    pub fn base_value(&self, output: usize) -> f64 {
        self.base_values[output]
    }

    /// How margins become probabilities.
    pub fn link(&self) -> Link {
        self.ensemble.link
    }

    /// Memory for one worker.
    pub fn scratch(&self) -> Scratch {
        Scratch {
            codes: vec![0; self.ensemble.width()],
            memos: vec![Memo::default(); self.trees.len()],
            dense: vec![0.0; self.ensemble.width()],
        }
    }

    /// Replaces a row by what the trees can tell apart of it: two rows with equal codes have
    /// equal margins and contributions. Read the codes with [`Scratch::codes`].
    pub fn encode(&self, row: &[f64], scratch: &mut Scratch) {
        for (feature, (code, value)) in scratch.codes.iter_mut().zip(row).enumerate() {
            *code = if value.is_nan() {
                MISSING
            } else if matches!(self.ensemble.kinds[feature], ColumnKind::Category { .. }) {
                *value as u16
            } else {
                self.thresholds[feature].partition_point(|threshold| threshold < value) as u16
            };
        }
    }

    /// Writes the margins of a row.
    pub fn margins(&self, row: &[f64], out: &mut [f64]) {
        self.ensemble.margins_into(row, out);
    }

    /// Margin of one output with its contributions, for the row last given to
    /// [`Compiled::encode`]. `contributions` is overwritten; the margin is returned.
    pub fn explain_encoded(
        &self,
        row: &[f64],
        output: usize,
        scratch: &mut Scratch,
        contributions: &mut [f64],
    ) -> f64 {
        contributions.fill(0.0);
        let mut margin = self.ensemble.base[output];
        for (index, questions) in self.trees.iter().enumerate() {
            let tree = &self.ensemble.trees[index];
            // A tree with a value per output has a memo for one output only, so it takes the
            // ordinary way.
            match (questions, tree.output) {
                (Some(questions), Some(own)) if usize::from(own) == output => {
                    let word = questions.word(&scratch.codes);
                    let memo = &mut scratch.memos[index];
                    let stride = questions.features.len() + 1;
                    let at = match memo.find(word) {
                        Some(position) => position * stride,
                        None => self.remember(index, questions, word, memo, &mut scratch.dense),
                    };
                    let entry = &memo.entries[at..at + stride];
                    margin += entry[0];
                    for (feature, value) in questions.features.iter().zip(&entry[1..]) {
                        contributions[usize::from(*feature)] += value;
                    }
                }
                (_, Some(own)) if usize::from(own) != output => {}
                _ => {
                    margin += tree.value_for(tree.leaf(row), output);
                    shap::add_tree(tree, row, output, contributions);
                }
            }
        }
        margin
    }

    /// Explains one output of a row; the same as [`shap::explain`].
    pub fn explain(&self, row: &[f64], output: usize, scratch: &mut Scratch) -> Explanation {
        let mut contributions = vec![0.0; self.ensemble.width()];
        self.encode(row, scratch);
        self.explain_encoded(row, output, scratch, &mut contributions);
        Explanation {
            base_value: self.base_values[output],
            contributions,
        }
    }

    fn remember(
        &self,
        index: usize,
        questions: &Questions,
        word: u64,
        memo: &mut Memo,
        dense: &mut [f64],
    ) -> usize {
        let tree = &self.ensemble.trees[index];
        let leaf = shap::add_answered(
            tree,
            |node| word >> questions.bit_of_node[node] & 1 == 1,
            dense,
        );
        let at = memo.insert(word, questions.features.len() + 1);
        memo.entries.push(tree.values[leaf]);
        for &feature in &questions.features {
            memo.entries
                .push(std::mem::take(&mut dense[usize::from(feature)]));
        }
        at
    }
}

impl Scratch {
    /// The codes of the row last encoded.
    pub fn codes(&self) -> &[u16] {
        &self.codes
    }
}

impl Questions {
    fn of(nodes: &[Node], thresholds: &[Vec<f64>]) -> Option<Self> {
        let inner = nodes
            .iter()
            .filter(|node| matches!(node, Node::Inner { .. }))
            .count();
        if inner > MAX_QUESTIONS {
            return None;
        }
        let mut questions = Self {
            thresholds: Vec::new(),
            categories: Vec::new(),
            bit_of_node: vec![0; nodes.len()],
            features: Vec::new(),
        };
        let mut category_nodes = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            let Node::Inner {
                feature,
                split,
                missing_left,
                ..
            } = node
            else {
                continue;
            };
            let (feature, missing_left) = (*feature, *missing_left);
            questions.features.push(feature);
            match split {
                Split::Threshold(threshold) => {
                    let list = &thresholds[usize::from(feature)];
                    let code = list.partition_point(|other| other < threshold) as u16;
                    questions.bit_of_node[index] = questions.thresholds.len() as u8;
                    questions.thresholds.push(Threshold {
                        feature,
                        code,
                        missing_left,
                    });
                }
                Split::Categories(set) => {
                    category_nodes.push(index);
                    questions.categories.push(Category {
                        feature,
                        set: *set,
                        missing_left,
                    });
                }
            }
        }
        for (position, node) in category_nodes.into_iter().enumerate() {
            questions.bit_of_node[node] = (questions.thresholds.len() + position) as u8;
        }
        questions.features.sort_unstable();
        questions.features.dedup();
        Some(questions)
    }

    fn word(&self, codes: &[u16]) -> u64 {
        let mut word = 0_u64;
        for (bit, question) in self.thresholds.iter().enumerate() {
            let code = codes[usize::from(question.feature)];
            let left = code <= question.code || (question.missing_left && code == MISSING);
            word |= u64::from(left) << bit;
        }
        for (position, question) in self.categories.iter().enumerate() {
            let code = codes[usize::from(question.feature)];
            let value = if code == MISSING {
                f64::NAN
            } else {
                f64::from(code)
            };
            let left = goes_left(
                &Split::Categories(question.set),
                question.missing_left,
                value,
            );
            word |= u64::from(left) << (self.thresholds.len() + position);
        }
        word
    }
}

impl Memo {
    fn slot(word: u64, mask: usize) -> usize {
        // Fibonacci hashing: the words are few and their memo is private to a worker, so an
        // attacker gains at most the ordinary cost of an explanation.
        (word.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize & mask
    }

    fn find(&self, word: u64) -> Option<usize> {
        if self.slots.is_empty() {
            return None;
        }
        let mask = self.slots.len() - 1;
        let mut slot = Self::slot(word, mask);
        loop {
            match self.slots[slot] {
                0 => return None,
                position if self.words[position as usize - 1] == word => {
                    return Some(position as usize - 1);
                }
                _ => slot = (slot + 1) & mask,
            }
        }
    }

    /// Makes room for a new word and returns where its entry begins.
    fn insert(&mut self, word: u64, stride: usize) -> usize {
        if self.words.len() >= MAX_REMEMBERED {
            self.words.clear();
            self.entries.clear();
            self.slots.fill(0);
        }
        if (self.words.len() + 1) * 2 > self.slots.len() {
            self.slots = vec![0; (self.slots.len() * 2).max(32)];
            for position in 0..self.words.len() {
                self.place(self.words[position], position);
            }
        }
        self.words.push(word);
        self.place(word, self.words.len() - 1);
        debug_assert_eq!(self.entries.len(), (self.words.len() - 1) * stride);
        self.entries.len()
    }

    fn place(&mut self, word: u64, position: usize) {
        let mask = self.slots.len() - 1;
        let mut slot = Self::slot(word, mask);
        while self.slots[slot] != 0 {
            slot = (slot + 1) & mask;
        }
        self.slots[slot] = position as u32 + 1;
    }
}
