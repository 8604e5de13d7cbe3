//! Scores and exact contributions at serving speed.
//!
//! The numbers are those of [`Ensemble::margins`] and [`shap`], to the order of
//! additions. Four things make them cheap:
//!
//! - Rows are taken in blocks, and a block goes through one tree after the other, so that the
//!   tables of one tree stay in the fastest cache.
//! - A value is replaced by a small integer once per row, and every tree turns such integers into
//!   the answers to all its questions, or into the leaf, by table look-ups without branches.
//! - A tree's contributions depend on a row only through the answers to the tree's own questions.
//!   Up to 63 answers fit in a word, and real traffic gives few different words per tree, so
//!   contributions are remembered by word.
//! - What is not remembered is computed by quadrature, in one pass down and one pass up the tree.
//!
//! Trees that are too large for a word are walked, and explained anew for every row.

use std::sync::OnceLock;

mod codes;
mod memo;
mod quadrature;
mod questions;

use codes::Codebook;
use memo::Memo;
use quadrature::{Paths, Workspace};
use questions::Questions;

use crate::{
    Ensemble, Link, Node, Tree,
    shap::{self, Explanation},
    tree::goes_left,
};

/// Rows that go through a tree together: enough to pay for fetching the tree's tables, few
/// enough that their contributions stay in the cache.
const BLOCK: usize = 64;
/// Memory for the tables of an ensemble's trees; trees beyond it are walked.
const TABLE_BYTES: usize = 64 << 20;
/// Memory for what one worker remembers of an ensemble's trees.
const MEMO_BYTES: usize = 32 << 20;
/// Memory for what one worker remembers of one tree: more would not stay in the cache.
const MEMO_BYTES_PER_TREE: usize = 512 << 10;

/// An ensemble for serving. Its tables are made when somebody first needs them: of the models of
/// a folder most are never asked.
#[derive(Debug, Clone)]
pub struct Compiled {
    ensemble: Ensemble,
    tables: OnceLock<Tables>,
}

#[derive(Debug, Clone)]
struct Tables {
    books: Vec<Codebook>,
    trees: Vec<Prepared>,
    /// Expected margin per output.
    base_values: Vec<f64>,
}

/// One tree.
#[derive(Debug, Clone)]
struct Prepared {
    /// The distinct features asked, ascending.
    features: Vec<usize>,
    questions: Option<Questions>,
    paths: Option<Paths>,
    /// The bit of each inner node in a word of answers; empty for a tree without questions.
    bits: Vec<u8>,
}

/// The rows one worker scores with a [`Compiled`], and what it remembers of earlier ones.
#[derive(Debug, Clone)]
pub struct Scratch {
    width: usize,
    /// Row by row.
    rows: Vec<f64>,
    /// Row by row.
    codes: Vec<u32>,
    /// The bits of the value that each column had last, with its code: rows of scans and floods
    /// are alike in most columns.
    last: Vec<(u64, u32)>,
    memos: Vec<Memo>,
    block: Block,
}

/// Memory for the rows that go through a tree together.
#[derive(Debug, Clone, Default)]
struct Block {
    /// Codes column by column.
    columns: Vec<u32>,
    words: Vec<u64>,
    workspace: Workspace,
    /// Contributions of one tree, one per distinct feature.
    sparse: Vec<f64>,
}

impl Compiled {
    /// Takes an ensemble.
    pub fn new(ensemble: Ensemble) -> Self {
        Self {
            ensemble,
            tables: OnceLock::new(),
        }
    }

    fn tables(&self) -> &Tables {
        self.tables.get_or_init(|| Tables::of(&self.ensemble))
    }

    /// The ensemble this was made from.
    pub fn ensemble(&self) -> &Ensemble {
        &self.ensemble
    }

    /// The expected margin of an output before any feature is known.
    pub fn base_value(&self, output: usize) -> f64 {
        self.tables().base_values[output]
    }

    /// How margins become probabilities.
    pub fn link(&self) -> Link {
        self.ensemble.link
    }

    /// Memory for one worker.
    pub fn scratch(&self) -> Scratch {
        self.scratch_within(MEMO_BYTES)
    }

    /// Memory for one worker that remembers at most so many bytes about the trees. It changes no
    /// number, only how often one is computed anew.
    pub fn scratch_within(&self, memo_bytes: usize) -> Scratch {
        let trees = &self.tables().trees;
        let bytes = memo_bytes.checked_div(trees.len()).unwrap_or(memo_bytes);
        let memo =
            |tree: &Prepared| Memo::new(tree.features.len() + 1, bytes.min(MEMO_BYTES_PER_TREE));
        Scratch {
            width: self.ensemble.width(),
            rows: Vec::new(),
            codes: Vec::new(),
            last: Vec::new(),
            memos: trees.iter().map(memo).collect(),
            block: Block::default(),
        }
    }

    /// Adds a row to those in `scratch`.
    pub fn push(&self, row: &[f64], scratch: &mut Scratch) {
        scratch.rows.extend_from_slice(row);
        let mut codes = std::mem::take(&mut scratch.codes);
        self.encode(row, scratch, &mut codes);
        scratch.codes = codes;
    }

    /// The same with the codes that [`encode`](Self::encode) gave for the row.
    pub fn push_encoded(&self, row: &[f64], codes: &[u32], scratch: &mut Scratch) {
        debug_assert_eq!((row.len(), codes.len()), (self.ensemble.width(), row.len()));
        scratch.rows.extend_from_slice(row);
        scratch.codes.extend_from_slice(codes);
    }

    /// Appends a code for each value: rows of equal codes take the same way through every tree,
    /// and so have equal margins and contributions.
    pub fn encode(&self, row: &[f64], scratch: &mut Scratch, codes: &mut Vec<u32>) {
        debug_assert_eq!(row.len(), self.ensemble.width());
        let books = &self.tables().books;
        if scratch.last.len() != row.len() {
            let zero = |book: &Codebook| (0, book.encode(0.0));
            scratch.last = books.iter().map(zero).collect();
        }
        let columns = books.iter().zip(row).zip(&mut scratch.last);
        codes.extend(columns.map(|((book, value), last)| {
            if last.0 != value.to_bits() {
                *last = (value.to_bits(), book.encode(*value));
            }
            last.1
        }));
    }

    /// Writes the margins of all rows in `scratch`, `rows × outputs`.
    pub fn margins(&self, scratch: &mut Scratch, margins: &mut Vec<f64>) {
        let (outputs, tables) = (self.ensemble.outputs(), self.tables());
        margins.clear();
        for _ in 0..scratch.len() {
            margins.extend_from_slice(&self.ensemble.base);
        }
        let rows: Vec<usize> = (0..scratch.len()).collect();
        for (rows, margins) in rows.chunks(BLOCK).zip(margins.chunks_mut(BLOCK * outputs)) {
            scratch.choose(rows);
            let Block { columns, words, .. } = &mut scratch.block;
            for (tree, prepared) in self.ensemble.trees.iter().zip(&tables.trees) {
                if let Some(questions) = &prepared.questions {
                    questions.leaves(columns, words);
                } else {
                    for (word, row) in words.iter_mut().zip(rows) {
                        let row = &scratch.rows[row * scratch.width..][..scratch.width];
                        *word = tree.leaf(row) as u64;
                    }
                }
                for (margins, leaf) in margins.chunks_mut(outputs).zip(&*words) {
                    let values = &tree.values[*leaf as usize..];
                    match tree.output {
                        Some(own) => margins[usize::from(own)] += values[0],
                        None => {
                            for (margin, value) in margins.iter_mut().zip(values) {
                                *margin += value;
                            }
                        }
                    }
                }
            }
        }
    }

    /// Writes one output's margins of some rows in `scratch`, and the contributions that lead
    /// from the base value to each, `rows × width`.
    pub fn explain_rows(
        &self,
        output: usize,
        rows: &[usize],
        scratch: &mut Scratch,
        margins: &mut Vec<f64>,
        contributions: &mut Vec<f64>,
    ) {
        let (width, tables) = (self.ensemble.width(), self.tables());
        margins.clear();
        margins.resize(rows.len(), self.ensemble.base[output]);
        contributions.clear();
        contributions.resize(rows.len() * width, 0.0);
        let blocks = rows
            .chunks(BLOCK)
            .zip(margins.chunks_mut(BLOCK))
            .zip(contributions.chunks_mut(BLOCK * width));
        for ((rows, margins), contributions) in blocks {
            scratch.choose(rows);
            for (index, tree) in self.ensemble.trees.iter().enumerate() {
                let prepared = &tables.trees[index];
                match (tree.output, &prepared.questions, &prepared.paths) {
                    (Some(own), ..) if usize::from(own) != output => {}
                    (Some(_), Some(questions), Some(paths)) => prepared.recall(
                        tree,
                        questions,
                        paths,
                        &mut scratch.memos[index],
                        &mut scratch.block,
                        margins,
                        contributions,
                    ),
                    // A tree with a value per output takes this way too: a memo of its words
                    // would hold for one output only.
                    _ => {
                        let sums = margins.iter_mut().zip(contributions.chunks_mut(width));
                        for (row, (margin, contributions)) in rows.iter().zip(sums) {
                            let row = &scratch.rows[row * width..][..width];
                            *margin += tree.value_for(tree.leaf(row), output);
                            prepared.add(tree, row, output, &mut scratch.block, contributions);
                        }
                    }
                }
            }
        }
    }

    /// Explains one output of a row; the same as [`shap::explain`].
    pub fn explain(&self, row: &[f64], output: usize, scratch: &mut Scratch) -> Explanation {
        scratch.clear();
        self.push(row, scratch);
        let (mut margins, mut contributions) = (Vec::new(), Vec::new());
        self.explain_rows(output, &[0], scratch, &mut margins, &mut contributions);
        Explanation {
            base_value: self.tables().base_values[output],
            contributions,
        }
    }
}

impl Tables {
    fn of(ensemble: &Ensemble) -> Self {
        let books = Codebook::of(ensemble);
        let mut budget = TABLE_BYTES;
        let trees = ensemble
            .trees
            .iter()
            .map(|tree| Prepared::of(tree, &books, &mut budget))
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
            books,
            trees,
            base_values,
        }
    }
}

impl Scratch {
    /// Forgets the rows, but not what was remembered of them.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.codes.clear();
    }

    /// How many rows it holds.
    pub fn len(&self) -> usize {
        self.rows.len() / self.width.max(1)
    }

    /// Whether it holds no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What the trees can tell apart of a row: rows with equal codes have equal margins and
    /// contributions.
    pub fn codes(&self, row: usize) -> &[u32] {
        &self.codes[row * self.width..][..self.width]
    }

    /// Prepares a block of rows.
    fn choose(&mut self, rows: &[usize]) {
        let block = &mut self.block;
        block.words.resize(rows.len(), 0);
        block.columns.resize(rows.len() * self.width, 0);
        for (at, row) in rows.iter().enumerate() {
            let codes = &self.codes[row * self.width..][..self.width];
            let column = block.columns[at..].iter_mut().step_by(rows.len());
            for (place, code) in column.zip(codes) {
                *place = *code;
            }
        }
    }
}

impl Prepared {
    fn of(tree: &Tree, books: &[Codebook], budget: &mut usize) -> Self {
        let mut features: Vec<usize> = tree
            .nodes
            .iter()
            .filter_map(|node| match node {
                Node::Inner { feature, .. } => Some(usize::from(*feature)),
                Node::Leaf { .. } => None,
            })
            .collect();
        features.sort_unstable();
        features.dedup();
        let questions = Questions::of(tree, &features, books, budget);
        Self {
            paths: Paths::of(tree, &features),
            bits: questions::bits_of(tree).unwrap_or_default(),
            questions,
            features,
        }
    }

    /// Adds a tree to the rows of a block, by its memo.
    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of a scratch, borrowed apart"
    )]
    fn recall(
        &self,
        tree: &Tree,
        questions: &Questions,
        paths: &Paths,
        memo: &mut Memo,
        block: &mut Block,
        margins: &mut [f64],
        contributions: &mut [f64],
    ) {
        let Block {
            columns,
            words,
            workspace,
            ..
        } = block;
        questions.answers(columns, words);
        memo.fetch(words);
        let width = contributions.len() / margins.len();
        let sums = margins.iter_mut().zip(contributions.chunks_mut(width));
        for (word, (margin, contributions)) in words.iter().zip(sums) {
            let entry = memo.entry(*word, |entry| {
                let answer = |node: usize| word >> self.bits[node] & 1 == 1;
                entry.fill(0.0);
                entry[0] = tree.values[leaf_of(tree, answer)];
                paths.add(
                    workspace,
                    answer,
                    |leaf| tree.values[leaf as usize],
                    &mut entry[1..],
                );
            });
            *margin += entry[0];
            for (feature, value) in self.features.iter().zip(&entry[1..]) {
                contributions[*feature] += value;
            }
        }
    }

    /// Adds a tree's contributions to one row's.
    fn add(
        &self,
        tree: &Tree,
        row: &[f64],
        output: usize,
        block: &mut Block,
        contributions: &mut [f64],
    ) {
        let Some(paths) = &self.paths else {
            return shap::add_tree(tree, row, output, contributions);
        };
        block.sparse.clear();
        block.sparse.resize(self.features.len(), 0.0);
        paths.add(
            &mut block.workspace,
            |node| match &tree.nodes[node] {
                Node::Inner {
                    feature,
                    split,
                    missing_left,
                    ..
                } => goes_left(split, *missing_left, row[usize::from(*feature)]),
                Node::Leaf { .. } => false,
            },
            |leaf| tree.value_for(leaf as usize, output),
            &mut block.sparse,
        );
        for (feature, value) in self.features.iter().zip(&block.sparse) {
            contributions[*feature] += value;
        }
    }
}

/// Where the values of the leaf begin that a row with these answers reaches.
fn leaf_of(tree: &Tree, answer: impl Fn(usize) -> bool) -> usize {
    let mut index = 0;
    loop {
        match &tree.nodes[index] {
            Node::Leaf { value, .. } => return *value as usize,
            Node::Inner { left, right, .. } => {
                index = if answer(index) { *left } else { *right } as usize;
            }
        }
    }
}
