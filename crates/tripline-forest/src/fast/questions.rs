//! A tree as tables: from the codes of a row to the answers to all of the tree's questions, and
//! to the leaf the row falls into, without a branch.
//!
//! The leaf is found as by `QuickScorer` (Lucchese et al., SIGIR 2015): each feature's value rules
//! leaves out, and the leaf that no feature rules out is the one.

use super::codes::Codebook;
use crate::{Node, Split, Tree, tree::goes_left};

/// Questions whose answers fit in a word, with a bit to spare; such a tree has at most 64 leaves.
pub(super) const MAX_QUESTIONS: usize = 63;

/// The questions of one tree, by feature.
#[derive(Debug, Clone)]
pub(super) struct Questions {
    asked: Vec<Asked>,
    /// Per feature asked and code: which of the feature's patterns of answers the code gives.
    ranks: Vec<u8>,
    /// Per feature asked and pattern: the answers (1 is left), each at its question's bit.
    answers: Vec<u64>,
    /// Per feature asked and pattern: the leaves that the answers rule out.
    excluded: Vec<u64>,
    /// Position among the tree's values of each leaf, in the order of the bits of `excluded`.
    values: Vec<u32>,
}

#[derive(Debug, Clone)]
struct Asked {
    feature: usize,
    ranks: std::ops::Range<usize>,
    patterns: std::ops::Range<usize>,
}

impl Questions {
    /// Prepares a tree; `None` when it is too large, or when its table would exceed what is left
    /// of `budget` (in bytes).
    pub(super) fn of(
        tree: &Tree,
        features: &[usize],
        books: &[Codebook],
        budget: &mut usize,
    ) -> Option<Self> {
        let bits = bits_of(tree)?;
        let size = features.iter().map(|feature| books[*feature].len()).sum();
        *budget = budget.checked_sub(size)?;
        let mut questions = Self {
            asked: Vec::with_capacity(features.len()),
            ranks: Vec::with_capacity(size),
            answers: Vec::new(),
            excluded: Vec::new(),
            values: Vec::new(),
        };
        for node in &tree.nodes {
            if let Node::Leaf { value, .. } = node {
                questions.values.push(*value);
            }
        }
        let leaves = leaves_below(tree);
        for &feature in features {
            questions.add_feature(tree, feature, &books[feature], &bits, &leaves)?;
        }
        Some(questions)
    }

    fn add_feature(
        &mut self,
        tree: &Tree,
        feature: usize,
        book: &Codebook,
        bits: &[u8],
        leaves: &[u64],
    ) -> Option<()> {
        let (first_rank, first_pattern) = (self.ranks.len(), self.answers.len());
        let nodes: Vec<usize> = inner_nodes(tree)
            .filter(|(_, asked)| *asked == feature)
            .map(|(node, _)| node)
            .collect();
        let threshold = |node: &usize| match &tree.nodes[*node] {
            Node::Inner {
                split: Split::Threshold(threshold),
                ..
            } => Some(*threshold),
            _ => None,
        };
        let thresholds: Option<Vec<f64>> = nodes.iter().map(threshold).collect();
        for code in 0..book.len() {
            // Between the tree's own thresholds the answers stay the same.
            if let Some(rank) = self.ranks.get(first_rank..).and_then(<[u8]>::last)
                && let Some(thresholds) = &thresholds
                && book.is_inside(code, thresholds)
            {
                self.ranks.push(*rank);
                continue;
            }
            let value = book.value_of(code);
            let (mut answers, mut excluded) = (0, 0);
            for &node in &nodes {
                if let Node::Inner {
                    split,
                    missing_left,
                    left,
                    right,
                    ..
                } = &tree.nodes[node]
                {
                    if goes_left(split, *missing_left, value) {
                        answers |= 1 << bits[node];
                        excluded |= leaves[*right as usize];
                    } else {
                        excluded |= leaves[*left as usize];
                    }
                }
            }
            let patterns = &self.answers[first_pattern..];
            // Neighbouring codes mostly share their pattern, so the search begins at the end.
            let rank = match patterns.iter().rposition(|known| *known == answers) {
                Some(rank) => rank,
                None => {
                    self.answers.push(answers);
                    self.excluded.push(excluded);
                    self.answers.len() - 1 - first_pattern
                }
            };
            self.ranks.push(u8::try_from(rank).ok()?);
        }
        self.asked.push(Asked {
            feature,
            ranks: first_rank..self.ranks.len(),
            patterns: first_pattern..self.answers.len(),
        });
        Some(())
    }

    /// Writes every row's answers. `columns` holds the codes column by column.
    pub(super) fn answers(&self, columns: &[u32], words: &mut [u64]) {
        self.gather(&self.answers, columns, words);
    }

    /// Writes where among the tree's values each row's leaf begins.
    pub(super) fn leaves(&self, columns: &[u32], places: &mut [u64]) {
        self.gather(&self.excluded, columns, places);
        for place in places {
            // Every leaf but one lies behind a question that the row answers the other way.
            *place = u64::from(self.values[(!*place).trailing_zeros() as usize]);
        }
    }

    fn gather(&self, parts: &[u64], columns: &[u32], words: &mut [u64]) {
        words.fill(0);
        let rows = words.len();
        for asked in &self.asked {
            let ranks = &self.ranks[asked.ranks.clone()];
            let parts = &parts[asked.patterns.clone()];
            let column = &columns[asked.feature * rows..][..rows];
            for (word, code) in words.iter_mut().zip(column) {
                *word |= parts[usize::from(ranks[*code as usize])];
            }
        }
    }
}

/// The bit of each inner node in a word of answers, by node index.
pub(super) fn bits_of(tree: &Tree) -> Option<Vec<u8>> {
    if inner_nodes(tree).count() > MAX_QUESTIONS {
        return None;
    }
    let mut bits = vec![0; tree.nodes.len()];
    for (bit, (node, _)) in inner_nodes(tree).enumerate() {
        bits[node] = bit as u8;
    }
    Some(bits)
}

fn inner_nodes(tree: &Tree) -> impl Iterator<Item = (usize, usize)> {
    tree.nodes
        .iter()
        .enumerate()
        .filter_map(|(index, node)| match node {
            Node::Inner { feature, .. } => Some((index, usize::from(*feature))),
            Node::Leaf { .. } => None,
        })
}

/// Per node the leaves below it, as bits in node order.
fn leaves_below(tree: &Tree) -> Vec<u64> {
    let mut below = vec![0_u64; tree.nodes.len()];
    let mut leaf = tree.leaves();
    for (index, node) in tree.nodes.iter().enumerate().rev() {
        match node {
            Node::Leaf { .. } => {
                leaf -= 1;
                below[index] = 1 << leaf;
            }
            Node::Inner { left, right, .. } => {
                below[index] = below[*left as usize] | below[*right as usize];
            }
        }
    }
    below
}
