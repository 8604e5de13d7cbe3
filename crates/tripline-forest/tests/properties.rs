//! Properties that hold for every data set, checked on seeded random ones, and comparisons with
//! brute force on tiny ones.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "in a test, what fails in a helper fails the test"
)]

use proptest::prelude::*;
use tripline_forest::{
    ColumnKind, Ensemble, Link, Matrix, Node, Split, SplitMix64, TrainingSet,
    arrays::Caps,
    calibration::{self, Outcome},
    fast::Compiled,
    forest::{self, Criterion, ForestParams, MaxFeatures, TreeParams},
    gbdt::{self, GbdtParams},
    select, shap,
};

/// Three numbers (one with missing values) and a category, with a target that depends on all.
fn data(seed: u64, rows: usize, classes: usize) -> (Matrix, Vec<u32>) {
    let mut random = SplitMix64::new(seed);
    let mut columns = vec![Vec::new(); 4];
    let mut target = Vec::new();
    for _ in 0..rows {
        let a = (random.unit() * 20.0).floor();
        let b = random.unit() * 4.0 - 2.0;
        let c = if random.below(5) == 0 {
            f64::NAN
        } else {
            random.unit()
        };
        let d = random.below(6) as f64;
        let noise = random.unit() * 3.0;
        let known = if c.is_nan() { 0.7 } else { c };
        let score = a / 4.0 + b * 2.0 + known * 3.0 + if d == 2.0 || d == 5.0 { 4.0 } else { 0.0 };
        target.push((((score + noise) / 4.0).max(0.0) as u32).min(classes as u32 - 1));
        for (column, value) in columns.iter_mut().zip([a, b, c, d]) {
            column.push(value);
        }
    }
    let kinds = vec![
        ColumnKind::Number,
        ColumnKind::Number,
        ColumnKind::Number,
        ColumnKind::Category { cardinality: 6 },
    ];
    (Matrix::new(columns, kinds).unwrap(), target)
}

/// One model of each kind the crate can fit.
fn models(seed: u64, rows: usize, classes: usize) -> (Matrix, Vec<Ensemble>) {
    let (matrix, target) = data(seed, rows, classes);
    let set = TrainingSet::new(&matrix, &target, classes, None).unwrap();
    let mut random_forest = ForestParams::random_forest(5, seed);
    random_forest.tree.max_depth = Some(5);
    let mut extra = ForestParams::extra_trees(5, seed);
    extra.tree.max_depth = Some(5);
    let tree = TreeParams {
        criterion: Criterion::Entropy,
        max_depth: Some(4),
        ..TreeParams::default()
    };
    let boosted = GbdtParams {
        rounds: 6,
        max_leaves: 8,
        min_rows_in_leaf: 3,
        row_fraction: 0.8,
        feature_fraction: 0.8,
        seed,
        ..GbdtParams::default()
    };
    let models = vec![
        forest::fit(&set, &random_forest).unwrap(),
        forest::fit(&set, &extra).unwrap(),
        forest::fit(&set, &ForestParams::decision_tree(tree, seed)).unwrap(),
        gbdt::fit(&set, None, &boosted).unwrap(),
    ];
    (matrix, models)
}

fn row_of(matrix: &Matrix, row: usize) -> Vec<f64> {
    let mut out = Vec::new();
    matrix.copy_row(row, &mut out);
    out
}

/// The expected margin when only the features in `known` are known: both branches of a question
/// about an unknown feature count by their training cover.
fn expected(model: &Ensemble, row: &[f64], output: usize, known: u32) -> f64 {
    fn walk(
        model: &Ensemble,
        tree: usize,
        node: usize,
        row: &[f64],
        output: usize,
        known: u32,
    ) -> f64 {
        let tree_ref = &model.trees()[tree];
        match &tree_ref.nodes()[node] {
            Node::Leaf { value, .. } => match tree_ref.output() {
                None => tree_ref.values()[*value as usize + output],
                Some(own) if usize::from(own) == output => tree_ref.values()[*value as usize],
                Some(_) => 0.0,
            },
            Node::Inner {
                feature,
                split,
                missing_left,
                left,
                right,
                ..
            } => {
                let go = |child: &u32| walk(model, tree, *child as usize, row, output, known);
                if known >> feature & 1 == 1 {
                    let value = row[usize::from(*feature)];
                    let goes_left = match split {
                        _ if value.is_nan() => *missing_left,
                        Split::Threshold(threshold) => value <= *threshold,
                        Split::Categories(set) => set.contains(value as u8),
                    };
                    go(if goes_left { left } else { right })
                } else {
                    let l = tree_ref.nodes()[*left as usize].cover();
                    let r = tree_ref.nodes()[*right as usize].cover();
                    (l * go(left) + r * go(right)) / (l + r)
                }
            }
        }
    }
    let trees: f64 = (0..model.trees().len())
        .map(|tree| walk(model, tree, 0, row, output, known))
        .sum();
    model.base()[output] + trees
}

/// Shapley values by their definition: the mean over all orders of what each feature adds.
fn brute_force(model: &Ensemble, row: &[f64], output: usize) -> Vec<f64> {
    let width = row.len();
    let factorial = |n: u32| (1..=n).map(f64::from).product::<f64>();
    let value: Vec<f64> = (0..1_u32 << width)
        .map(|known| expected(model, row, output, known))
        .collect();
    (0..width)
        .map(|feature| {
            (0..1_u32 << width)
                .filter(|set| set >> feature & 1 == 0)
                .map(|set| {
                    let size = set.count_ones();
                    let weight = factorial(size) * factorial(width as u32 - size - 1)
                        / factorial(width as u32);
                    weight * (value[(set | 1 << feature) as usize] - value[set as usize])
                })
                .sum()
        })
        .collect()
}

#[test]
fn contributions_equal_shapley_values_by_definition() {
    for classes in [2, 3] {
        let (matrix, models) = models(11, 150, classes);
        for model in &models {
            let compiled = Compiled::new(model.clone());
            let mut scratch = compiled.scratch();
            for index in 0..12 {
                let row = row_of(&matrix, index);
                for output in 0..model.outputs() {
                    let wanted = brute_force(model, &row, output);
                    let exact = shap::explain(model, &row, output);
                    let fast = compiled.explain(&row, output, &mut scratch);
                    assert!((exact.base_value - expected(model, &row, output, 0)).abs() < 1e-12);
                    for feature in 0..row.len() {
                        assert!((wanted[feature] - exact.contributions[feature]).abs() < 1e-10);
                        assert!((wanted[feature] - fast.contributions[feature]).abs() < 1e-10);
                    }
                }
            }
        }
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_model() {
    let fit_on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| models(5, 2000, 3).1)
    };
    assert_eq!(fit_on(1), fit_on(3));
}

#[test]
fn the_root_split_is_the_best_of_all_splits() {
    for seed in 0..20 {
        let (matrix, target) = data(seed, 40, 2);
        let matrix = matrix.select_columns(&[0, 1]);
        let set = TrainingSet::new(&matrix, &target, 2, None).unwrap();
        let params = TreeParams {
            max_depth: Some(1),
            ..TreeParams::default()
        };
        let stump = forest::fit(&set, &ForestParams::decision_tree(params, 0)).unwrap();
        let gini = |side: &[u32]| {
            let n = side.len() as f64;
            let ones = side.iter().filter(|class| **class == 1).count() as f64;
            if n == 0.0 {
                0.0
            } else {
                n - (ones * ones + (n - ones) * (n - ones)) / n
            }
        };
        let impurity = |feature: usize, threshold: f64| {
            let (left, right): (Vec<_>, Vec<_>) =
                (0..40).partition(|row| matrix.column(feature)[*row] <= threshold);
            let classes =
                |rows: Vec<usize>| rows.iter().map(|row| target[*row]).collect::<Vec<_>>();
            gini(&classes(left)) + gini(&classes(right))
        };
        let best = (0..2)
            .flat_map(|feature| {
                matrix
                    .column(feature)
                    .iter()
                    .map(move |value| (feature, *value))
            })
            .map(|(feature, threshold)| impurity(feature, threshold))
            .fold(f64::INFINITY, f64::min);
        match &stump.trees()[0].nodes()[0] {
            Node::Inner {
                feature,
                split: Split::Threshold(threshold),
                ..
            } => {
                assert!((impurity(usize::from(*feature), *threshold) - best).abs() < 1e-9);
            }
            Node::Inner { .. } => panic!("a number column was split by categories"),
            Node::Leaf { .. } => assert!((gini(&target) - best).abs() < 1e-9),
        }
    }
}

#[test]
fn a_monotone_constraint_holds_everywhere() {
    let (matrix, target) = data(3, 800, 2);
    let set = TrainingSet::new(&matrix, &target, 2, None).unwrap();
    let params = GbdtParams {
        rounds: 40,
        monotone: vec![-1, 1, 0, 0],
        ..GbdtParams::default()
    };
    let model = gbdt::fit(&set, None, &params).unwrap();
    for index in 0..50 {
        let mut row = row_of(&matrix, index);
        for (feature, sign) in [(0, -1.0), (1, 1.0)] {
            let kept = row[feature];
            let margins: Vec<f64> = (0..40)
                .map(|step| {
                    row[feature] = f64::from(step) - 20.0;
                    model.margins(&row)[0]
                })
                .collect();
            row[feature] = kept;
            assert!(
                margins
                    .windows(2)
                    .all(|pair| (pair[1] - pair[0]) * sign >= -1e-12)
            );
        }
    }
}

#[test]
fn early_stopping_cuts_back_to_the_best_round() {
    let (matrix, target) = data(9, 600, 2);
    let (held, held_target) = data(10, 300, 2);
    let set = TrainingSet::new(&matrix, &target, 2, None).unwrap();
    let validation = TrainingSet::new(&held, &held_target, 2, None).unwrap();
    let params = GbdtParams {
        rounds: 400,
        learning_rate: 0.3,
        patience: Some(10),
        ..GbdtParams::default()
    };
    let model = gbdt::fit(&set, Some(&validation), &params).unwrap();
    assert!(
        !model.trees().is_empty() && model.trees().len() < 390,
        "{}",
        model.trees().len()
    );
}

#[test]
fn elimination_and_correlation_keep_what_carries_information() {
    let (matrix, target) = data(21, 1000, 2);
    let mut columns: Vec<Vec<f64>> = (0..3).map(|index| matrix.column(index).to_vec()).collect();
    columns.push(columns[1].iter().map(|value| value * 3.0 + 1.0).collect());
    columns.push((0..1000).map(|row| f64::from(row * 7919 % 101)).collect());
    let wide = Matrix::new(columns, vec![ColumnKind::Number; 5]).unwrap();
    assert_eq!(select::filter_correlated(&wide, 0.95), [0, 1, 2, 4]);
    let set = TrainingSet::new(&wide, &target, 2, None).unwrap();
    let mut params = ForestParams::random_forest(20, 1);
    params.tree.max_depth = Some(6);
    params.tree.max_features = MaxFeatures::All;
    let kept = select::eliminate(&set, 3, 1, |set| forest::fit(set, &params)).unwrap();
    assert!(!kept.contains(&4), "the noise column was kept: {kept:?}");
}

#[test]
fn a_weight_of_two_counts_like_the_row_twice() {
    let (matrix, target) = data(2, 120, 2);
    let weights: Vec<f64> = (0..120).map(|row| f64::from(row % 3)).collect();
    let twice: Vec<usize> = (0..120)
        .flat_map(|row| std::iter::repeat_n(row, row % 3))
        .collect();
    let repeated = matrix.select_rows(&twice);
    let repeated_target: Vec<u32> = twice.iter().map(|row| target[*row]).collect();
    let params = ForestParams::decision_tree(
        TreeParams {
            max_depth: Some(3),
            ..TreeParams::default()
        },
        0,
    );
    let weighted = TrainingSet::new(&matrix, &target, 2, Some(&weights)).unwrap();
    let plain = TrainingSet::new(&repeated, &repeated_target, 2, None).unwrap();
    let weighted = forest::fit(&weighted, &params).unwrap();
    let plain = forest::fit(&plain, &params).unwrap();
    for index in 0..120 {
        let row = row_of(&matrix, index);
        assert!((weighted.margins(&row)[0] - plain.margins(&row)[0]).abs() < 1e-12);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn base_and_contributions_sum_to_the_margin(seed in 0_u64..1000, classes in 2_usize..5) {
        let (matrix, models) = models(seed, 300, classes);
        for model in models {
            let compiled = Compiled::new(model.clone());
            let mut scratch = compiled.scratch();
            for index in 0..60 {
                let row = row_of(&matrix, index);
                let margins = model.margins(&row);
                for (output, margin) in margins.iter().enumerate() {
                    for explanation in [
                        shap::explain(&model, &row, output),
                        compiled.explain(&row, output, &mut scratch),
                    ] {
                        let sum = explanation.base_value + explanation.contributions.iter().sum::<f64>();
                        prop_assert!((sum - margin).abs() < 1e-9);
                    }
                }
            }
        }
    }

    #[test]
    fn arrays_give_back_the_same_model(seed in 0_u64..1000) {
        for model in models(seed, 200, 3).1 {
            let again = Ensemble::from_arrays(&model.to_arrays(), model.link(), Caps::default()).unwrap();
            prop_assert_eq!(model, again);
        }
    }

    #[test]
    fn damaged_arrays_are_refused_or_harmless(seed in 0_u64..1000, place in 0_usize..10_000, value in any::<u32>()) {
        let (matrix, models) = models(7, 200, 3);
        let model = &models[(seed % 4) as usize];
        let mut arrays = model.to_arrays();
        let nodes = arrays.feature.len();
        match place % 8 {
            0 => arrays.left[place % nodes] = value,
            1 => arrays.right[place % nodes] = value % 64,
            2 => arrays.feature[place % nodes] = value as i32 % 9,
            3 => arrays.category_set[place % nodes] = value as i32,
            4 => { arrays.leaf_values.truncate(place % arrays.leaf_values.len()); }
            5 => { let trees = arrays.tree_nodes.len(); arrays.tree_nodes[place % trees] = value % 100; }
            6 => { let trees = arrays.tree_output.len(); arrays.tree_output[place % trees] = value as i32; }
            _ => arrays.threshold[place % nodes] = f64::from_bits(u64::from(value) << 32),
        }
        if let Ok(read) = Ensemble::from_arrays(&arrays, Link::Softmax, Caps::default()) {
            // Whatever was accepted must score every row without a panic and without an end.
            prop_assert!(read.margins_of(&matrix).is_ok());
            let compiled = Compiled::new(read);
            let mut scratch = compiled.scratch();
            compiled.explain(&row_of(&matrix, 0), 0, &mut scratch);
        }
    }
}

#[test]
fn centred_isotonic_regression_rises_where_isotonic_regression_is_flat() {
    let mut state = 7_u64;
    let mut random = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let outcomes: Vec<Outcome> = (0..4000)
        .map(|_| {
            let score = random();
            Outcome {
                score,
                positive: random() < score * score,
                weight: 1.0,
            }
        })
        .collect();
    let centred = calibration::fit_centred_isotonic(&outcomes).unwrap();
    centred.check().unwrap();
    let mut scores: Vec<f64> = outcomes.iter().map(|outcome| outcome.score).collect();
    scores.sort_unstable_by(f64::total_cmp);
    let probabilities: Vec<f64> = scores.iter().map(|score| centred.apply(*score)).collect();
    assert!(probabilities.iter().all(|p| (0.0..=1.0).contains(p)));
    // Certainty is the one place where nothing is left to rise to.
    let rises =
        |pair: &[f64]| pair[0] < pair[1] || pair[0] == pair[1] && pair[0] * (1.0 - pair[0]) == 0.0;
    assert!(
        probabilities.windows(2).all(rises),
        "two scores became one probability"
    );
    // It is as well calibrated as the flat one, to the width of a block.
    for (score, probability) in scores.iter().zip(&probabilities) {
        assert!(
            (probability - score * score).abs() < 0.15,
            "{score}: {probability}"
        );
    }
}
