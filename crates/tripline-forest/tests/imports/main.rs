//! Models of other programs answer as they do there, and what is no model is refused.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::semicolon_if_nothing_returned,
    clippy::struct_field_names,
    reason = "tests"
)]

use std::path::{Path, PathBuf};

use serde::Deserialize;
use tripline_forest::{
    ColumnKind,
    import::{ImportError, Imported, lightgbm, onnx, xgboost},
    shap,
};

#[derive(Deserialize)]
struct Answers {
    rows: Vec<Vec<Option<f64>>>,
    answers: Vec<Vec<f64>>,
    categories: Vec<u16>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/imports")
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

fn answers(name: &str) -> Answers {
    let stem = name.rsplit_once('.').unwrap().0;
    serde_json::from_slice(&bytes(&format!("{stem}.answers.json"))).unwrap()
}

fn kinds(answers: &Answers) -> Vec<ColumnKind> {
    let mut kinds = vec![ColumnKind::Number; 5];
    for (place, cardinality) in answers.categories.iter().enumerate() {
        kinds[3 + place] = ColumnKind::Category {
            cardinality: *cardinality,
        };
    }
    kinds
}

fn import(name: &str) -> Result<Imported, ImportError> {
    let kinds = kinds(&answers(name));
    match name.rsplit_once('.').unwrap().1 {
        "json" => xgboost(&bytes(name), &kinds),
        "txt" => lightgbm(&bytes(name), &kinds),
        _ => onnx(&bytes(name)),
    }
}

const ALL: [&str; 16] = [
    "xgboost_binary.json",
    "xgboost_missing.json",
    "xgboost_three.json",
    "xgboost_categories.json",
    "xgboost_forest.json",
    "lightgbm_binary.txt",
    "lightgbm_missing.txt",
    "lightgbm_three.txt",
    "lightgbm_categories.txt",
    "lightgbm_forest.txt",
    "onnx_forest.onnx",
    "onnx_forest_three.onnx",
    "onnx_extra.onnx",
    "onnx_tree.onnx",
    "onnx_boosting.onnx",
    "onnx_xgboost.onnx",
];

#[test]
fn imported_models_answer_as_the_originals_do() {
    for name in ALL {
        let imported = import(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        let expected = answers(name);
        for (row, expected) in expected.rows.iter().zip(&expected.answers) {
            let mut row: Vec<f64> = row.iter().map(|value| value.unwrap_or(f64::NAN)).collect();
            row.truncate(imported.ensemble.width());
            let found = imported.ensemble.probabilities(&row);
            assert_eq!(found.len(), expected.len(), "{name}");
            for (found, expected) in found.iter().zip(expected) {
                assert!(
                    (found - expected).abs() < 2e-6,
                    "{name} {row:?}: {found} {expected}"
                );
            }
            let explained = shap::explain(&imported.ensemble, &row, 0);
            let sum: f64 = explained.contributions.iter().sum();
            let margin = imported.ensemble.margins(&row)[0];
            assert!((explained.base_value + sum - margin).abs() < 1e-9, "{name}");
        }
    }
}

#[test]
fn every_cut_and_many_changed_files_are_refused_or_sound() {
    for name in [
        "xgboost_missing.json",
        "lightgbm_categories.txt",
        "onnx_tree.onnx",
    ] {
        let whole = bytes(name);
        let kinds = kinds(&answers(name));
        let read = |bytes: &[u8]| match name.rsplit_once('.').unwrap().1 {
            "json" => xgboost(bytes, &kinds),
            "txt" => lightgbm(bytes, &kinds),
            _ => onnx(bytes),
        };
        let step = (whole.len() / 400).max(1);
        for end in (0..whole.len()).step_by(step) {
            // A text may still be whole without its last lines.
            if let Ok(imported) = read(&whole[..end]) {
                imported.ensemble.margins(&[0.0; 5]);
            }
        }
        let mut state = 1_u64;
        for _ in 0..600 {
            let mut changed = whole.clone();
            for _ in 0..3 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let at = (state >> 33) as usize % changed.len();
                changed[at] = (state >> 20) as u8;
            }
            if let Ok(imported) = read(&changed) {
                let row = vec![0.5; imported.ensemble.width()];
                imported.ensemble.margins(&row);
            }
        }
    }
}

fn refusal(outcome: Result<Imported, ImportError>) -> String {
    let error = outcome.unwrap_err();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}

#[test]
fn hostile_trees_of_xgboost_are_refused_with_the_place() {
    type Change = fn(&mut serde_json::Value);
    let changes: [(&str, Change); 14] = [
        ("booster 'dart'", |file| {
            file["learner"]["gradient_booster"]["name"] = "dart".into();
        }),
        ("objective 'rank:ndcg'", |file| {
            file["learner"]["objective"]["name"] = "rank:ndcg".into();
        }),
        ("base_score", |file| {
            file["learner"]["learner_model_param"]["base_score"] = "nan".into();
        }),
        ("base_score", |file| {
            file["learner"]["learner_model_param"]["base_score"] = "1.0".into();
        }),
        ("num_feature", |file| {
            file["learner"]["learner_model_param"]["num_feature"] = "-1".into();
        }),
        ("number of features", |file| {
            file["learner"]["learner_model_param"]["num_feature"] = "900000000".into();
        }),
        ("feature 7 of 5", |file| {
            tree(file)["split_indices"][0] = 7.into()
        }),
        ("feature -3", |file| {
            tree(file)["split_indices"][0] = (-3).into()
        }),
        ("reached twice", |file| {
            tree(file)["left_children"][1] = 0.into()
        }),
        ("child 999", |file| {
            tree(file)["right_children"][0] = 999.into()
        }),
        ("reached twice", |file| {
            let right = tree(file)["right_children"][0].clone();
            tree(file)["left_children"][0] = right;
        }),
        ("the threshold is", |file| {
            tree(file)["split_conditions"][0] = 1e300.into()
        }),
        ("differ in length", |file| {
            tree(file)["sum_hessian"].as_array_mut().unwrap().pop();
        }),
        ("asked for its category", |file| {
            tree(file)["split_type"][0] = 1.into()
        }),
    ];
    for (reason, change) in changes {
        let mut file = serde_json::from_slice(&bytes("xgboost_binary.json")).unwrap();
        change(&mut file);
        let found = refusal(xgboost(file.to_string().as_bytes(), &[]));
        assert!(found.contains(reason), "expected '{reason}': {found}");
    }
}

fn tree(file: &mut serde_json::Value) -> &mut serde_json::Value {
    &mut file["learner"]["gradient_booster"]["model"]["trees"][0]
}

#[test]
fn hostile_trees_of_lightgbm_are_refused_with_the_place() {
    let whole = String::from_utf8(bytes("lightgbm_binary.txt")).unwrap();
    let line = |name: &str| {
        whole
            .lines()
            .find(|line| line.starts_with(&format!("{name}=")))
            .unwrap()
            .to_owned()
    };
    for (reason, from, to) in [
        (
            "begin with 'tree'",
            "tree\n".to_owned(),
            "pickle\n".to_owned(),
        ),
        (
            "objective 'lambdarank'",
            line("objective"),
            "objective=lambdarank".to_owned(),
        ),
        (
            "feature 99 of 5",
            line("split_feature"),
            line("split_feature").replacen('=', "=99 ", 1),
        ),
        (
            "differ in length",
            line("split_feature"),
            "split_feature=0".to_owned(),
        ),
        ("holds 'x'", line("threshold"), "threshold=x".to_owned()),
        ("'num_leaves' is missing", line("num_leaves"), String::new()),
        (
            "linear tree",
            "is_linear=0".to_owned(),
            "is_linear=1".to_owned(),
        ),
        ("'leaf_value' is missing", line("leaf_value"), String::new()),
    ] {
        let changed = whole.replacen(&from, &to, 1);
        let found = refusal(lightgbm(changed.as_bytes(), &[]));
        let is_length = reason.starts_with("feature 99") && found.contains("differ in length");
        assert!(
            found.contains(reason) || is_length,
            "expected '{reason}': {found}"
        );
    }
    let children = line("left_child");
    let looped = whole.replacen(&children, &children.replace("=1", "=0"), 1);
    let found = refusal(lightgbm(looped.as_bytes(), &[]));
    assert!(found.contains("reached twice"), "{found}");
}

#[test]
fn graphs_that_do_other_things_are_refused() {
    // A model with one operator of this kind.
    let model = |kind: &str, domain: &str| {
        let mut node = vec![0x22, kind.len() as u8];
        node.extend(kind.as_bytes());
        node.extend([0x3a, domain.len() as u8]);
        node.extend(domain.as_bytes());
        let mut graph = vec![0x0a, node.len() as u8];
        graph.extend(node);
        let mut model = vec![0x3a, graph.len() as u8];
        model.extend(graph);
        model
    };
    for (bytes, reason) in [
        (Vec::new(), "no graph"),
        // What onnxmltools makes of LightGBM does sums of its own.
        (bytes("onnx_lightgbm.onnx"), "operator 'Mul'"),
        (model("Gemm", ""), "operator 'Gemm'"),
        (model("If", ""), "operator 'If'"),
        (model("PythonOp", "com.microsoft"), "operator 'PythonOp'"),
        (
            model("TreeEnsembleClassifier", "evil"),
            "operator 'TreeEnsembleClassifier'",
        ),
        (model("Cast", ""), "no TreeEnsembleClassifier"),
        (
            model("TreeEnsembleClassifier", "ai.onnx.ml"),
            "'nodes_treeids' is missing",
        ),
        (
            vec![0x3a, 0xff, 0xff, 0xff, 0xff, 0x7f],
            "longer than the message",
        ),
        (vec![0xff; 30], "too many bytes"),
        (vec![0x3a], "ends in the middle"),
        // A tensor whose data lie in another file.
        (
            vec![0x3a, 0x04, 0x2a, 0x02, 0x70, 0x01],
            "data outside of the file",
        ),
    ] {
        let found = refusal(onnx(&bytes));
        assert!(found.contains(reason), "expected '{reason}': {found}");
    }
}
