//! Prepared ensembles give the numbers of the plain ones, whatever the shape of the trees and the
//! values of the rows.

#![allow(
    clippy::unwrap_used,
    reason = "in a test, what fails in a helper fails the test"
)]

use tripline_forest::{
    CategorySet, Ensemble, Link, SplitMix64,
    arrays::{Caps, EnsembleArrays},
    fast::Compiled,
    shap,
};

/// Nodes of random trees, put together in the order of the stored arrays.
struct Builder {
    arrays: EnsembleArrays,
    random: SplitMix64,
}

/// How a random tree grows.
struct Shape {
    questions: usize,
    /// Only the newest leaf is split: a path as long as the tree has questions.
    chain: bool,
    output: i32,
}

impl Builder {
    /// `numbers` columns of numbers, then two of categories.
    fn new(seed: u64, numbers: usize, outputs: usize) -> Self {
        let mut cardinality = vec![0; numbers];
        cardinality.extend([5, 200]);
        Self {
            arrays: EnsembleArrays {
                importances: vec![0.0; cardinality.len()],
                cardinality,
                base: (0..outputs).map(|output| output as f64 - 0.3).collect(),
                ..EnsembleArrays::default()
            },
            random: SplitMix64::new(seed),
        }
    }

    fn width(&self) -> usize {
        self.arrays.cardinality.len()
    }

    fn tree(&mut self, shape: &Shape) {
        let first = self.arrays.feature.len();
        let mut leaves = vec![0_usize];
        self.leaf(1000.0);
        for question in 0..shape.questions {
            let chosen = if shape.chain {
                leaves.len() - 1
            } else {
                self.random.below(leaves.len())
            };
            let node = leaves.swap_remove(chosen);
            let children = self.arrays.feature.len() - first;
            leaves.extend([children, children + 1]);
            let at = first + node;
            let cover = self.arrays.cover[at];
            // Sometimes no training row took a branch.
            let left = match self.random.below(8) {
                0 => 0.0,
                _ => cover * self.random.unit(),
            };
            self.leaf(left);
            self.leaf(cover - left);
            // A chain asks a new feature every time, as long as there are new ones.
            let feature = if shape.chain {
                question % self.width()
            } else {
                let width = self.width();
                self.random.below(width)
            };
            self.arrays.feature[at] = feature as i32;
            self.arrays.left[at] = children as u32;
            self.arrays.right[at] = children as u32 + 1;
            self.arrays.missing_left[at] = self.random.below(2) as u8;
            if self.arrays.cardinality[feature] == 0 {
                self.arrays.threshold[at] = self.random.below(7) as f64;
            } else {
                let mut set = CategorySet::default();
                for _ in 0..40 {
                    set.insert(self.random.below(200) as u8);
                }
                self.arrays.category_set[at] = (self.arrays.category_words.len() / 4) as i32;
                self.arrays.category_words.extend(set.0);
            }
        }
        let values = if shape.output < 0 {
            self.arrays.base.len()
        } else {
            1
        };
        for _ in 0..leaves.len() * values {
            let value = self.random.unit() * 2.0 - 1.0;
            self.arrays.leaf_values.push(value);
        }
        self.arrays.tree_nodes.push(shape.questions as u32 * 2 + 1);
        self.arrays.tree_output.push(shape.output);
    }

    fn leaf(&mut self, cover: f64) {
        self.arrays.feature.push(-1);
        self.arrays.threshold.push(0.0);
        self.arrays.category_set.push(-1);
        self.arrays.missing_left.push(0);
        self.arrays.left.push(0);
        self.arrays.right.push(0);
        self.arrays.cover.push(cover);
    }

    fn ensemble(&self) -> Ensemble {
        Ensemble::from_arrays(&self.arrays, Link::Softmax, Caps::default()).unwrap()
    }

    fn row(&mut self) -> Vec<f64> {
        let strange = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 300.0, 2.5];
        let width = self.width();
        (0..width)
            .map(|column| match self.random.below(12) {
                0 => strange[self.random.below(strange.len())],
                _ if column < width - 2 => self.random.below(8) as f64,
                _ => self.random.below(200) as f64,
            })
            .collect()
    }
}

/// Compares margins and contributions of many rows, taken together, with those of each alone.
fn check(builder: &mut Builder, rows: usize) {
    let ensemble = builder.ensemble();
    let compiled = Compiled::new(ensemble.clone());
    let mut scratch = compiled.scratch();
    let rows: Vec<Vec<f64>> = (0..rows).map(|_| builder.row()).collect();
    for row in &rows {
        compiled.push(row, &mut scratch);
    }
    let (outputs, width) = (ensemble.outputs(), ensemble.width());
    let close = |ours: &[f64], theirs: &[f64]| {
        for (ours, theirs) in ours.iter().zip(theirs) {
            assert!((ours - theirs).abs() < 1e-9, "{ours} instead of {theirs}");
        }
    };
    let (mut margins, mut contributions) = (Vec::new(), Vec::new());
    compiled.margins(&mut scratch, &mut margins);
    assert_eq!(margins.len(), rows.len() * outputs);
    for (row, margins) in rows.iter().zip(margins.chunks(outputs)) {
        close(margins, &ensemble.margins(row));
    }
    // Every third row, backwards: the rows that are explained need not be all.
    let chosen: Vec<usize> = (0..rows.len()).step_by(3).rev().collect();
    for output in 0..outputs {
        compiled.explain_rows(
            output,
            &chosen,
            &mut scratch,
            &mut margins,
            &mut contributions,
        );
        for (position, row) in chosen.iter().enumerate() {
            let expected = shap::explain(&ensemble, &rows[*row], output);
            let ours = &contributions[position * width..][..width];
            close(ours, &expected.contributions);
            let margin = ensemble.margins(&rows[*row])[output];
            close(&[margins[position]], &[margin]);
            let sum = compiled.base_value(output) + ours.iter().sum::<f64>();
            close(&[sum], &[margin]);
        }
    }
}

#[test]
fn trees_of_every_size_give_the_plain_numbers() {
    for (seed, questions) in [0, 1, 2, 30, 62, 63, 64, 65, 200].into_iter().enumerate() {
        let mut builder = Builder::new(seed as u64, 9, 3);
        for output in [0, 1, 2, 0, -1] {
            builder.tree(&Shape {
                questions,
                chain: false,
                output,
            });
        }
        check(&mut builder, 300);
    }
}

#[test]
fn paths_of_every_length_give_the_plain_numbers() {
    for questions in [3, 4, 5, 8, 9, 12, 13, 16, 17, 32, 33] {
        let mut builder = Builder::new(questions as u64, 70, 1);
        builder.tree(&Shape {
            questions,
            chain: true,
            output: 0,
        });
        check(&mut builder, 60);
    }
}

#[test]
fn a_path_with_more_features_than_points_is_explained() {
    // Such a tree takes the plain way.
    let mut builder = Builder::new(1, 70, 1);
    builder.tree(&Shape {
        questions: 70,
        chain: true,
        output: 0,
    });
    let ensemble = builder.ensemble();
    let compiled = Compiled::new(ensemble.clone());
    let mut scratch = compiled.scratch();
    for _ in 0..20 {
        let row = builder.row();
        let ours = compiled.explain(&row, 0, &mut scratch);
        let theirs = shap::explain(&ensemble, &row, 0);
        assert_eq!(ours, theirs);
    }
}

#[test]
fn more_rows_than_are_remembered_give_the_plain_numbers() {
    // 63 questions about 12 features: almost every row has answers of its own, which a memo
    // forgets long before the last row.
    let mut builder = Builder::new(77, 10, 1);
    builder.tree(&Shape {
        questions: 63,
        chain: false,
        output: 0,
    });
    check(&mut builder, 30_000);
}
