//! Scores, contributions, metrics and calibrations equal to those recorded from scikit-learn,
//! shap and LightGBM. `goldens/make_goldens.py` made the recordings; `goldens/README.md` says how.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "in a test, what fails in a helper fails the test"
)]

use std::path::Path;

use serde_json::Value;
use tripline_forest::{
    CategorySet, ColumnKind, Ensemble, Link, Matrix, Node, TrainingSet,
    arrays::{Caps, EnsembleArrays, LEAF},
    calibration::{self, Calibration, Outcome},
    fast::Compiled,
    forest::{self, Criterion, ForestParams, TreeParams},
    metrics::{self, BinaryCounts, Confusion},
    shap,
};

fn golden(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/goldens")
        .join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn number(value: &Value) -> f64 {
    // JSON has no NaN: a missing value is recorded as null.
    if value.is_null() {
        f64::NAN
    } else {
        value.as_f64().unwrap()
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn rows(value: &Value) -> Vec<Vec<f64>> {
    value.as_array().unwrap().iter().map(numbers).collect()
}

fn close(what: &str, ours: f64, theirs: f64, tolerance: f64) {
    let scale = theirs.abs().max(1.0);
    assert!(
        (ours - theirs).abs() <= tolerance * scale,
        "{what}: ours {ours}, theirs {theirs}"
    );
}

/// Builds an ensemble from recorded trees; leaf values are multiplied by `scale`.
fn imported(record: &Value, per_class: bool, link: Link, scale: f64) -> Ensemble {
    let width = record["x"][0].as_array().unwrap().len();
    let outputs = if per_class {
        record["classes"].as_u64().unwrap() as usize
    } else {
        1
    };
    let cardinality = record.get("cardinality").map_or(vec![0; width], |list| {
        numbers(list)
            .into_iter()
            .map(|count| count.min(255.0) as u16)
            .collect()
    });
    let mut arrays = EnsembleArrays {
        importances: vec![0.0; width],
        base: vec![record.get("base").map_or(0.0, number); outputs],
        cardinality,
        ..EnsembleArrays::default()
    };
    for tree in record["trees"].as_array().unwrap() {
        let features = numbers(&tree["feature"]);
        arrays.tree_nodes.push(features.len() as u32);
        arrays.tree_output.push(if per_class { -1 } else { 0 });
        for (node, feature) in features.into_iter().enumerate() {
            arrays.cover.push(number(&tree["cover"][node]));
            let missing_left = tree
                .get("missing_left")
                .is_some_and(|list| list[node] == true);
            arrays.missing_left.push(u8::from(missing_left));
            if feature < 0.0 {
                arrays.feature.push(LEAF);
                arrays.threshold.push(0.0);
                arrays.category_set.push(-1);
                arrays.left.push(0);
                arrays.right.push(0);
                let value = &tree["value"][node];
                let value = if value.is_array() {
                    numbers(value)
                } else {
                    vec![number(value)]
                };
                let kept = if per_class {
                    &value[..]
                } else {
                    &value[value.len() - 1..]
                };
                arrays
                    .leaf_values
                    .extend(kept.iter().map(|value| value * scale));
                continue;
            }
            arrays.feature.push(feature as i32);
            arrays.left.push(number(&tree["left"][node]) as u32);
            arrays.right.push(number(&tree["right"][node]) as u32);
            let categories = tree
                .get("categories")
                .map_or(&Value::Null, |list| &list[node]);
            if categories.is_null() {
                arrays.threshold.push(number(&tree["threshold"][node]));
                arrays.category_set.push(-1);
            } else {
                let mut set = CategorySet::default();
                for code in numbers(categories) {
                    set.insert(code as u8);
                }
                arrays.threshold.push(0.0);
                arrays
                    .category_set
                    .push((arrays.category_words.len() / 4) as i32);
                arrays.category_words.extend(set.0);
            }
        }
    }
    Ensemble::from_arrays(&arrays, link, Caps::default()).unwrap()
}

/// Compares margins of every row and contributions of the recorded ones.
fn check_scores(record: &Value, model: &Ensemble, margins: &[Vec<f64>], tolerance: f64) {
    let compiled = Compiled::new(model.clone());
    let mut scratch = compiled.scratch();
    let x = rows(&record["x"]);
    for (row, theirs) in x.iter().zip(margins) {
        for (output, ours) in model.margins(row).iter().enumerate() {
            close("margin", *ours, theirs[output], tolerance);
        }
    }
    let expected = &record["shap"]["expected"];
    for (index, theirs) in record["shap"]["values"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
    {
        for output in 0..model.outputs() {
            // scikit-learn classifiers have one list per class; ours has one output for two.
            let class = if model.outputs() == 1 { 1 } else { output };
            let (theirs, base) = if theirs[0].is_array() {
                (numbers(&theirs[class]), number(&expected[class]))
            } else {
                (numbers(theirs), number(expected))
            };
            for ours in [
                shap::explain(model, &x[index], output),
                compiled.explain(&x[index], output, &mut scratch),
            ] {
                close("base value", ours.base_value, base, tolerance);
                for (ours, theirs) in ours.contributions.iter().zip(&theirs) {
                    close("contribution", *ours, *theirs, tolerance);
                }
            }
        }
    }
}

#[test]
fn forests_of_scikit_learn_score_and_explain_the_same() {
    for (name, classes) in [
        ("tree_gini_2.json", 2),
        ("tree_entropy_3.json", 3),
        ("forest_2.json", 2),
        ("forest_3.json", 3),
        ("extra_trees_3.json", 3),
    ] {
        let record = golden(name);
        let scale = 1.0 / record["trees"].as_array().unwrap().len() as f64;
        let per_class = classes > 2;
        let model = imported(&record, per_class, Link::Probability, scale);
        let margins: Vec<Vec<f64>> = rows(&record["probabilities"])
            .into_iter()
            .map(|row| if per_class { row } else { vec![row[1]] })
            .collect();
        check_scores(&record, &model, &margins, 1e-12);
    }
}

#[test]
fn boosted_trees_score_and_explain_the_same() {
    for name in [
        "gradient_boosting.json",
        "lightgbm_missing.json",
        "lightgbm_categories.json",
    ] {
        let record = golden(name);
        let model = imported(&record, false, Link::Logistic, 1.0);
        let margins: Vec<Vec<f64>> = numbers(&record["margins"])
            .into_iter()
            .map(|margin| vec![margin])
            .collect();
        // shap adds LightGBM's contributions in another order and in single steps of its own.
        check_scores(&record, &model, &margins, 1e-9);
    }
}

#[test]
fn a_trained_tree_is_the_one_scikit_learn_trains() {
    let record = golden("trained_trees.json");
    let cases = record["cases"].as_array().unwrap();
    assert!(!cases.is_empty());
    for set in cases {
        let x = rows(&set["x"]);
        let columns = (0..x[0].len())
            .map(|column| x.iter().map(|row| row[column]).collect())
            .collect();
        let matrix = Matrix::new(columns, vec![ColumnKind::Number; x[0].len()]).unwrap();
        let target: Vec<u32> = numbers(&set["y"])
            .into_iter()
            .map(|class| class as u32)
            .collect();
        let classes = set["classes"].as_u64().unwrap() as usize;
        let weights = numbers(&set["weight"]);
        let training = TrainingSet::new(&matrix, &target, classes, Some(&weights)).unwrap();
        let params = TreeParams {
            min_samples_leaf: set["min_samples_leaf"].as_u64().unwrap() as usize,
            criterion: if set["criterion"] == "gini" {
                Criterion::Gini
            } else {
                Criterion::Entropy
            },
            max_depth: set["max_depth"].as_u64().map(|depth| depth as usize),
            ..TreeParams::default()
        };
        let model = forest::fit(&training, &ForestParams::decision_tree(params, 0)).unwrap();
        let features: Vec<f64> = model.trees()[0]
            .nodes()
            .iter()
            .map(|node| match node {
                Node::Inner { feature, .. } => f64::from(*feature),
                Node::Leaf { .. } => -1.0,
            })
            .collect();
        let theirs: Vec<f64> = numbers(&set["tree"]["feature"])
            .into_iter()
            .map(|feature| feature.max(-1.0))
            .collect();
        assert_eq!(features, theirs, "split features in pre-order");
        for (row, theirs) in x.iter().zip(rows(&set["probabilities"])) {
            for (ours, theirs) in model.probabilities(row).iter().zip(theirs) {
                close("probability", *ours, theirs, 1e-12);
            }
        }
        for (ours, theirs) in model.importances().iter().zip(numbers(&set["importances"])) {
            close("importance", *ours, theirs, 1e-12);
        }
    }
}

fn outcomes(scores: &Value, labels: &Value, weights: &Value) -> Vec<Outcome> {
    let weights = if weights.is_null() {
        Vec::new()
    } else {
        numbers(weights)
    };
    numbers(scores)
        .into_iter()
        .zip(numbers(labels))
        .enumerate()
        .map(|(at, (score, label))| Outcome {
            score,
            positive: label == 1.0,
            weight: weights.get(at).copied().unwrap_or(1.0),
        })
        .collect()
}

#[test]
fn metrics_of_two_classes_are_the_same() {
    let record = &golden("metrics.json")["binary"];
    let check = |outcomes: &[Outcome], theirs: &Value| {
        close(
            "AUC",
            metrics::roc_auc(outcomes),
            number(&theirs["roc_auc"]),
            1e-12,
        );
        let ours = metrics::average_precision(outcomes);
        close(
            "average precision",
            ours,
            number(&theirs["average_precision"]),
            1e-12,
        );
        close(
            "log loss",
            metrics::log_loss(outcomes),
            number(&theirs["log_loss"]),
            1e-12,
        );
        close(
            "Brier",
            metrics::brier(outcomes),
            number(&theirs["brier"]),
            1e-12,
        );
    };
    let plain = outcomes(&record["scores"], &record["labels"], &Value::Null);
    check(&plain, record);
    check(
        &outcomes(&record["scores"], &record["labels"], &record["weights"]),
        &record["weighted"],
    );
    let error = metrics::expected_calibration_error(&plain);
    close(
        "calibration error",
        error,
        number(&record["expected_calibration_error"]),
        1e-12,
    );
    let curve = metrics::curve(&plain);
    let roc = &record["roc"];
    assert_eq!(curve.len(), roc["threshold"].as_array().unwrap().len());
    for (at, point) in curve.iter().enumerate() {
        let rate = point.counts.false_positive_rate();
        close(
            "false positive rate",
            rate,
            number(&roc["false_positive_rate"][at]),
            1e-12,
        );
        close(
            "recall",
            point.counts.recall(),
            number(&roc["true_positive_rate"][at]),
            1e-12,
        );
    }
    for theirs in record["at"].as_array().unwrap() {
        let counts = BinaryCounts::at(&plain, number(&theirs["threshold"]));
        close(
            "true positives",
            counts.true_positive,
            number(&theirs["true_positive"]),
            0.0,
        );
        close(
            "false positives",
            counts.false_positive,
            number(&theirs["false_positive"]),
            0.0,
        );
        close(
            "accuracy",
            counts.accuracy(),
            number(&theirs["accuracy"]),
            1e-12,
        );
        close(
            "precision",
            counts.precision(),
            number(&theirs["precision"]),
            1e-12,
        );
        close("recall", counts.recall(), number(&theirs["recall"]), 1e-12);
        close("F1", counts.f1(), number(&theirs["f1"]), 1e-12);
    }
}

#[test]
fn metrics_of_many_classes_are_the_same() {
    let record = &golden("metrics.json")["many"];
    let mut confusion = Confusion::new(3);
    for (actual, predicted) in numbers(&record["actual"])
        .into_iter()
        .zip(numbers(&record["predicted"]))
    {
        confusion.add(actual as usize, predicted as usize);
    }
    close(
        "accuracy",
        confusion.accuracy(),
        number(&record["accuracy"]),
        1e-12,
    );
    close(
        "macro F1",
        confusion.macro_f1(1),
        number(&record["macro_f1"]),
        1e-12,
    );
    for class in 0..3 {
        let ours = confusion.class(class);
        close(
            "precision",
            ours.precision,
            number(&record["precision"][class]),
            1e-12,
        );
        close(
            "recall",
            ours.recall,
            number(&record["recall"][class]),
            1e-12,
        );
        close("F1", ours.f1, number(&record["f1"][class]), 1e-12);
        for predicted in 0..3 {
            let theirs = number(&record["confusion"][class][predicted]);
            close(
                "count",
                confusion.rows()[class][predicted] as f64,
                theirs,
                0.0,
            );
        }
    }
}

#[test]
fn calibrations_are_the_same() {
    let record = golden("calibration.json");
    let outcomes = outcomes(&record["scores"], &record["labels"], &record["weights"]);
    let check = |fitted: &Calibration, grid: &Value, theirs: &Value, tolerance: f64| {
        for (score, theirs) in numbers(grid).into_iter().zip(numbers(theirs)) {
            close("probability", fitted.apply(score), theirs, tolerance);
        }
    };
    let isotonic = calibration::fit_isotonic(&outcomes).unwrap();
    check(&isotonic, &record["grid"], &record["isotonic"], 1e-9);
    // The other two are found by different optimisers with a hint of different ridge.
    let platt = calibration::fit_platt(&outcomes).unwrap();
    check(
        &platt,
        &record["grid"],
        &record["platt"]["probabilities"],
        1e-5,
    );
    let beta = calibration::fit_beta(&outcomes).unwrap();
    check(
        &beta,
        &record["beta"]["grid"],
        &record["beta"]["probabilities"],
        1e-5,
    );
}
