//! Models of other programs, files that could run code, and what two models say of the same rows.

use std::path::{Path, PathBuf};

use axum::http::StatusCode;
use serde_json::{Value, json};
use tripline::registry::{AdmissionRules, Unsigned};

use crate::harness::{Api, variant};

/// Features that stand in for the five columns of the recorded models: shares, then counts.
const FEATURES: [&str; 5] = [
    "same_srv_rate",
    "diff_srv_rate",
    "serror_rate",
    "count",
    "srv_count",
];
const TEN: &str = "nsl-kdd-detector-ten-v1";

fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tripline-forest/tests/imports")
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(recorded().join(name)).unwrap()
}

/// Recorded rows that are possible values of the features, and the original's answers.
fn answers(name: &str) -> Vec<(Vec<f64>, Vec<f64>)> {
    let stem = name.rsplit_once('.').unwrap().0;
    let recorded: Value = serde_json::from_slice(&read(&format!("{stem}.answers.json"))).unwrap();
    let numbers = |value: &Value| -> Vec<f64> {
        let values = value.as_array().unwrap().iter();
        values.map(|value| value.as_f64().unwrap_or(-1.0)).collect()
    };
    let rows = recorded["rows"].as_array().unwrap().iter().map(numbers);
    rows.zip(recorded["answers"].as_array().unwrap().iter().map(numbers))
        .filter(|(row, _)| row.iter().all(|x| *x >= 0.0) && row[..3].iter().all(|x| *x <= 1.0))
        .collect()
}

fn profile(classes: &[&str]) -> String {
    json!({"expected_features": FEATURES, "class_labels": classes}).to_string()
}

async fn activate(api: &Api, model: &Value) {
    let path = format!("/api/v1/models/{}/activate", model["id"].as_str().unwrap());
    let answer = api.post(&path, "{}").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
}

#[tokio::test]
async fn detectors_of_other_programs_judge_as_they_do_there() {
    for (name, format) in [
        ("xgboost_binary.json", "xgboost"),
        ("lightgbm_binary.txt", "lightgbm"),
        ("onnx_forest.onnx", "onnx"),
    ] {
        let api = Api::new();
        let profile = profile(&["normal", "attack"]);
        let fields = [
            ("model_type", "threat_detector"),
            ("profile_config", profile.as_str()),
            ("name", "of-another-program"),
            ("threshold", "0.7"),
        ];
        let answer = api.upload_model(name, &read(name), &fields).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}: {}", answer.text);
        let model = answer.json();
        assert_eq!(
            (&model["name"], &model["stage"], &model["file_format"]),
            (
                &json!("of-another-program"),
                &json!("candidate"),
                &json!(format)
            )
        );
        activate(&api, &model).await;
        let rows = answers(name);
        assert!(!rows.is_empty(), "{name}");
        for (values, expected) in rows {
            let row: serde_json::Map<String, Value> = FEATURES
                .into_iter()
                .zip(&values)
                .map(|(feature, value)| (feature.to_owned(), json!(value)))
                .collect();
            let scored = api.score("", &Value::Object(row).to_string()).await.json();
            let threat = &scored["threat"];
            assert_eq!(threat["model"], "of-another-program", "{scored}");
            let probability = threat["probability"].as_f64().unwrap();
            assert!(
                (probability - expected[1]).abs() < 2e-6,
                "{name}: {probability} {expected:?}"
            );
            assert_eq!(threat["is_threat"], probability >= 0.7);
        }
    }
}

#[tokio::test]
async fn what_a_foreign_file_does_not_say_has_to_be_said_rightly() {
    let api = Api::new();
    let good = profile(&["normal", "attack"]);
    let three = read("xgboost_three.json");
    let unknown =
        json!({"expected_features": ["a", "b", "c", "d", "e"], "class_labels": ["x", "y"]})
            .to_string();
    let short = json!({"expected_features": ["count"], "class_labels": ["x", "y"]}).to_string();
    for (bytes, kind, profile, reason) in [
        (&three, "threat_detector", good.as_str(), "tells two apart"),
        (&three, "attack_classifier", good.as_str(), "2 names for 3"),
        (&three, "attack_classifier", unknown.as_str(), "'a'"),
        (&three, "attack_classifier", short.as_str(), "names for 5"),
    ] {
        let fields = [("model_type", kind), ("profile_config", profile)];
        let answer = api.upload_model("m.json", bytes, &fields).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
        assert!(answer.detail().contains(reason), "{}", answer.detail());
    }
}

/// By content, whatever the name says.
#[tokio::test]
async fn files_that_could_run_code_are_refused_with_the_way_out() {
    let api = Api::new();
    let mut zlib = vec![0x78, 0x9c];
    zlib.extend_from_slice(&[0; 40]);
    let gadget = b"\x80\x04\x95\x1d\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x02id\x94\x85\x94R\x94.";
    for (content, reason, way_out) in [
        (gadget.to_vec(), "Python pickle", "skl2onnx"),
        (
            b"cposix\nsystem\n(S'touch /tmp/x'\ntR.".to_vec(),
            "Python pickle",
            "skl2onnx",
        ),
        (zlib, "pickle of joblib", "skl2onnx"),
        (
            b"\x1f\x8b\x08\0pickle".to_vec(),
            "compressed file",
            "as it is",
        ),
        (b"\x89HDF\r\n\x1a\n\0\0".to_vec(), "HDF5", "tree ensembles"),
        (
            b"PK\x03\x04\x14\0".to_vec(),
            "zip archive",
            "tree ensembles",
        ),
        (
            b"binf\0\0\0\0".to_vec(),
            "XGBoost",
            "save_model('model.json')",
        ),
        (b"hello".to_vec(), "unknown kind", "bundle of Tripline"),
    ] {
        for name in [
            "model.pkl",
            "model.joblib",
            "model.h5",
            "model.tripline",
            "model.onnx",
        ] {
            let fields = [("model_type", "threat_detector")];
            let answer = api.upload_model(name, &content, &fields).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
            let detail = answer.detail();
            assert!(
                detail.contains(reason) && detail.contains(way_out),
                "{detail}"
            );
        }
    }
    let formats = api
        .get("/api/v1/models/info/supported-formats")
        .await
        .json();
    let listed = formats.to_string();
    assert!(
        listed.contains(".onnx") && listed.contains(".pkl"),
        "{listed}"
    );
}

/// Shapes that have broken readers of such files elsewhere: references to other files, children out
/// of range, children that are their own parents, sizes that are not there.
#[tokio::test]
async fn crafted_trees_are_refused() {
    let api = Api::new();
    let profile = profile(&["normal", "attack"]);
    let fields = [
        ("model_type", "threat_detector"),
        ("profile_config", profile.as_str()),
    ];
    let text = String::from_utf8(read("xgboost_binary.json")).unwrap();
    let change = |change: &dyn Fn(&mut Value)| {
        let mut model: Value = serde_json::from_str(&text).unwrap();
        change(&mut model["learner"]["gradient_booster"]["model"]["trees"][0]);
        model.to_string().into_bytes()
    };
    let lightgbm = String::from_utf8(read("lightgbm_binary.txt")).unwrap();
    let nested = format!("{{\"learner\":{}", "[".repeat(200_000));
    for (name, content) in [
        (
            "child",
            change(&|tree| tree["left_children"][0] = json!(1_000_000)),
        ),
        (
            "negative",
            change(&|tree| tree["right_children"][0] = json!(-7)),
        ),
        ("cycle", change(&|tree| tree["left_children"][1] = json!(0))),
        (
            "feature",
            change(&|tree| tree["split_indices"][0] = json!(77)),
        ),
        (
            "missing",
            change(&|tree| {
                tree.as_object_mut().unwrap().remove("split_conditions");
            }),
        ),
        (
            "short",
            change(&|tree| tree["split_conditions"] = json!([0.5])),
        ),
        ("nested", nested.into_bytes()),
        (
            "lightgbm",
            lightgbm
                .replacen("left_child=", "left_child=900 ", 1)
                .into_bytes(),
        ),
        (
            "leaves",
            lightgbm
                .replacen("num_leaves=", "num_leaves=99999999", 1)
                .into_bytes(),
        ),
    ] {
        let answer = api.upload_model("m.json", &content, &fields).await;
        assert_eq!(
            answer.status,
            StatusCode::BAD_REQUEST,
            "{name}: {}",
            answer.text
        );
        assert!(
            answer.detail().contains("Model validation failed"),
            "{name}"
        );
    }
    assert_eq!(
        api.get("/api/v1/models").await.json()["total_count"],
        Api::new().get("/api/v1/models").await.json()["total_count"]
    );
}

fn rules(unsigned: Unsigned) -> AdmissionRules {
    AdmissionRules {
        unsigned,
        ..AdmissionRules::default()
    }
}

#[tokio::test]
async fn models_that_nobody_signed_get_as_far_as_the_operator_says() {
    let bytes = variant(TEN, |bundle| {
        bundle.manifest.description = "another".to_owned();
    });
    let fields = [("model_type", "threat_detector")];
    let refusing = Api::on_memory(rules(Unsigned::Refused));
    let answer = refusing.upload_model("m.tripline", &bytes, &fields).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
    assert!(
        answer.detail().contains("not signed"),
        "{}",
        answer.detail()
    );

    let shadowing = Api::on_memory(rules(Unsigned::Shadow));
    let model = shadowing
        .upload_model("m.tripline", &bytes, &fields)
        .await
        .json();
    let stage = format!("/api/v1/models/{}/stage", model["id"].as_str().unwrap());
    let answer = shadowing.post(&stage, r#"{"stage":"shadow"}"#).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    for (path, body) in [
        (stage.replace("/stage", "/activate"), "{}"),
        (stage.clone(), r#"{"stage":"canary","share":0.1}"#),
    ] {
        let answer = shadowing.post(&path, body).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text);
        assert!(answer.detail().contains("signed"), "{}", answer.detail());
    }
}

#[tokio::test]
async fn two_models_are_compared_on_the_same_rows() {
    let api = Api::with_holdouts();
    let list = api.get("/api/v1/models").await.json();
    let find = |name: &str| {
        let models = list["models"].as_array().unwrap();
        models.iter().find(|model| model["name"] == name).unwrap()["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (ten, full) = (find(TEN), find("nsl-kdd-detector-full"));
    let compared = api
        .get(&format!("/api/v1/models/{ten}/compare/{full}"))
        .await;
    assert_eq!(compared.status, StatusCode::OK, "{}", compared.text);
    let compared = compared.json();
    assert_eq!(compared["on"][0]["kind"], "holdout");
    let agreement = &compared["agreement"];
    let count = |name: &str| agreement[name].as_u64().unwrap();
    assert_eq!(
        count("rows"),
        count("agreed")
            + count("only_a_right")
            + count("only_b_right")
            + count("both_wrong_differently")
    );
    assert_eq!(compared["rows"], agreement["rows"]);
    let rows = compared["disagreements"].as_array().unwrap();
    assert!(
        rows.iter()
            .all(|row| row["a"]["class"] != row["b"]["class"])
    );
    for side in ["a", "b"] {
        assert!(
            compared[side]["evaluation"]["detector"]["roc_auc"].is_number(),
            "{compared}"
        );
    }
    let same = api
        .get(&format!("/api/v1/models/{ten}/compare/{ten}"))
        .await
        .json();
    assert_eq!(same["agreement"]["agreed"], same["rows"]);
    assert_eq!(same["agreement"]["p_value"], 1.0);

    let classifier = find("nsl-kdd-classifier-full");
    let answer = api
        .get(&format!("/api/v1/models/{ten}/compare/{classifier}"))
        .await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(
        answer.detail().contains("different questions"),
        "{}",
        answer.detail()
    );
    let answer = api
        .get(&format!("/api/v1/models/{ten}/compare/{full}?data=x"))
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let bare = Api::new()
        .get(&format!("/api/v1/models/{ten}/compare/{full}"))
        .await;
    assert_eq!(bare.status, StatusCode::CONFLICT);
    assert!(bare.detail().contains("--holdout"), "{}", bare.detail());
}
