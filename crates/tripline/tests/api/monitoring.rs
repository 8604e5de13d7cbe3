//! The watching of models: drift, candidates that go on or are given up, and what is taken back.

use axum::http::StatusCode;
use serde_json::{Value, json};
use tripline::monitor::Work;
use tripline_store::Timestamp;

use crate::harness::{Api, generated, variant};

const FULL: &str = "nsl-kdd-detector-full";

/// A clock an hour ahead, so that what was just stored is old enough to be read.
fn later() -> Timestamp {
    Timestamp(tripline::clock::now().0 + 3_600_000_000)
}

/// A clock that is far ahead.
fn much_later() -> Timestamp {
    Timestamp(tripline::clock::now().0 + 48 * 3_600_000_000)
}

fn watch(api: &Api, turns: usize) {
    let mut work = Work::new(
        std::sync::Arc::clone(&api.store),
        std::sync::Arc::clone(&api.models),
        later,
    );
    for _ in 0..turns {
        work.turn("test").unwrap();
    }
}

/// Another version of the full detector, which decides at this probability; at the same for 0.
async fn version(api: &Api, threshold: f64) -> Value {
    let bytes = variant(FULL, |bundle| {
        if threshold > 0.0 {
            bundle.manifest.threshold.as_mut().unwrap().value = threshold;
        }
        bundle.manifest.description = format!("decides at {threshold}");
    });
    let fields = [("model_type", "threat_detector")];
    let answer = api.upload_model("mine.tripline", &bytes, &fields).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()
}

async fn stage(api: &Api, id: &Value) -> String {
    let model = api
        .get(&format!("/api/v1/models/{}", id.as_str().unwrap()))
        .await
        .json();
    model["stage"].as_str().unwrap().to_owned()
}

async fn move_to(api: &Api, id: &Value, stage: &str) {
    let path = format!("/api/v1/models/{}/stage", id.as_str().unwrap());
    let answer = api
        .post(&path, &json!({ "stage": stage }).to_string())
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
}

async fn rules(api: &Api, change: &Value) {
    let answer = api
        .patch("/api/v1/monitoring/rules", &change.to_string())
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
}

/// Stores generated records, whose labels are known, and says of each whether it is an attack.
async fn traffic_with_labels(api: &Api, rows: usize) {
    let uploaded = api.upload("flows.csv", generated(rows)).await.json();
    let mut before = None;
    loop {
        let query = before
            .as_ref()
            .map_or_else(String::new, |before| format!("&before={before}"));
        let path = format!(
            "/api/v1/verdicts?limit=1000&batch_id={}{query}",
            uploaded["batch_id"].as_str().unwrap()
        );
        let page = api.get(&path).await.json();
        let labels: Vec<Value> = page["verdicts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|verdict| {
                json!({ "verdict_id": verdict["id"], "is_attack": verdict["label"] != "normal" })
            })
            .collect();
        let body = json!({ "author": "truth", "labels": labels });
        let answer = api.post("/api/v1/labels", &body.to_string()).await;
        assert_eq!(answer.json()["refused"], json!([]), "{}", answer.text);
        match page["next"].as_str() {
            Some(next) => before = Some(next.to_owned()),
            None => return,
        }
    }
}

#[tokio::test]
async fn traffic_that_is_not_that_of_training_is_named() {
    let api = Api::new();
    rules(&api, &json!({ "drift": { "window_rows": 2000 } })).await;
    api.upload("flows.csv", generated(4500)).await;
    watch(&api, 3);
    let overview = api.get("/api/v1/monitoring").await.json();
    assert_eq!(overview["rows_read"], 4500, "{overview}");
    let models = overview["models"].as_array().unwrap();
    let detector = models.iter().find(|model| model["name"] == FULL).unwrap();
    assert_eq!(detector["window_rows"], 500);
    let drift = &detector["drift"];
    assert_eq!(
        (&drift["rows"], &drift["has_drifted"]),
        (&json!(2000), &json!(true)),
        "{drift}"
    );
    assert!(!drift["drifted"].as_array().unwrap().is_empty());
    // The classifier is asked about threats only, and was trained on all rows: so it is watched on all.
    let classifier = models
        .iter()
        .find(|model| model["name"] == "nsl-kdd-classifier-full")
        .unwrap();
    assert_eq!(classifier["window_rows"], 500);
    assert_eq!(classifier["drift"]["rows"], 2000, "{classifier}");
    assert_eq!(classifier["drift"]["score"]["verdict"], "empty");
    // Far from what the probabilities were calibrated on, nothing is claimed.
    assert_eq!(detector["estimate"]["outcome"], "unknown", "{detector}");
    let path = format!(
        "/api/v1/monitoring/drift?model_id={}",
        detector["model_id"].as_str().unwrap()
    );
    assert_eq!(
        api.get(&path).await.json()["records"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    // Nothing is read twice, by whoever goes on.
    watch(&api, 1);
    let overview = api.get("/api/v1/monitoring").await.json();
    assert_eq!(overview["rows_read"], 4500);
}

#[tokio::test]
async fn a_candidate_in_shadow_judges_the_same_rows_and_nobody_sees_it() {
    let api = Api::new();
    let candidate = version(&api, 0.0).await;
    move_to(&api, &candidate["id"], "shadow").await;
    traffic_with_labels(&api, 2000).await;
    watch(&api, 4);
    let path = format!(
        "/api/v1/models/{}/comparison",
        candidate["id"].as_str().unwrap()
    );
    let compared = api.get(&path).await.json();
    let figures = &compared["figures"];
    assert_eq!(compared["champion"]["name"], FULL);
    assert_eq!(figures["rows"], 2000, "{figures}");
    assert_eq!(figures["labels"], 2000);
    assert_eq!(figures["agreement"], 1.0, "{figures}");
    assert!(figures["latency_nanos"]["candidate_p50"].is_number());
    let verdicts = api.get("/api/v1/verdicts?limit=10").await.json();
    assert_ne!(
        verdicts["verdicts"][0]["threat"]["model_version"],
        candidate["version"]
    );
    // One that finds next to nothing is given up, whoever decides otherwise.
    let candidate = version(&api, 0.999_999).await;
    move_to(&api, &candidate["id"], "shadow").await;
    traffic_with_labels(&api, 1000).await;
    watch(&api, 1);
    assert_eq!(stage(&api, &candidate["id"]).await, "retired");
    let history = api
        .get(&format!(
            "/api/v1/models/{}/history",
            candidate["id"].as_str().unwrap()
        ))
        .await
        .json();
    let last = &history["events"][0];
    assert_eq!(last["actor"], "monitor");
    assert!(last["reason"].as_str().unwrap().contains("worse"), "{last}");
    assert_eq!(last["details"]["labels"], 1000);
}

#[tokio::test]
async fn a_better_candidate_goes_all_the_way_when_the_policy_decides() {
    let api = Api::new();
    let good = api.get("/api/v1/models?stage=active").await.json();
    let good = good["models"]
        .as_array()
        .unwrap()
        .iter()
        .find(|model| model["name"] == FULL)
        .unwrap()
        .clone();
    // What judges is a version that finds next to nothing.
    let bad = version(&api, 0.999_999).await;
    rules(
        &api,
        &json!({
            "probation_micros": 0,
            "promotion": { "mode": "automatic", "min_micros": 0, "min_rows": 100,
                "max_alert_ratio": 1000.0 },
        }),
    )
    .await;
    move_to(&api, &bad["id"], "active").await;
    move_to(&api, &good["id"], "shadow").await;
    for expected in ["canary", "canary", "canary", "active"] {
        traffic_with_labels(&api, 1000).await;
        watch(&api, 1);
        assert_eq!(stage(&api, &good["id"]).await, expected);
    }
    assert_eq!(stage(&api, &bad["id"]).await, "retired");
    let scored = api.score("?store=false", &full_row()).await.json();
    assert_eq!(scored["threat"]["model_version"], good["version"]);
}

#[tokio::test]
async fn a_person_who_activates_a_worse_model_is_taken_back() {
    let api = Api::new();
    let before = api.get("/api/v1/models?stage=active").await.json();
    let before = before["models"]
        .as_array()
        .unwrap()
        .iter()
        .find(|model| model["name"] == FULL)
        .unwrap()
        .clone();
    let bad = version(&api, 0.999_999).await;
    move_to(&api, &bad["id"], "active").await;
    traffic_with_labels(&api, 1500).await;
    watch(&api, 3);
    assert_eq!(stage(&api, &bad["id"]).await, "retired");
    assert_eq!(stage(&api, &before["id"]).await, "active");
    let scored = api.score("?store=false", &full_row()).await.json();
    assert_eq!(scored["threat"]["model_version"], before["version"]);
}

#[tokio::test]
async fn where_a_person_decides_a_candidate_is_only_recommended() {
    let api = Api::new();
    let good = api.get("/api/v1/models?stage=active").await.json();
    let good = good["models"]
        .as_array()
        .unwrap()
        .iter()
        .find(|model| model["name"] == FULL)
        .unwrap()
        .clone();
    let bad = version(&api, 0.999_999).await;
    let change = json!({
        "probation_micros": 0,
        "promotion": { "min_micros": 0, "min_rows": 100, "max_alert_ratio": 1000.0 },
    });
    rules(&api, &change).await;
    move_to(&api, &bad["id"], "active").await;
    move_to(&api, &good["id"], "shadow").await;
    traffic_with_labels(&api, 1500).await;
    watch(&api, 2);
    assert_eq!(stage(&api, &good["id"]).await, "shadow");
    let path = format!("/api/v1/models/{}/comparison", good["id"].as_str().unwrap());
    let figures = api.get(&path).await.json()["figures"].clone();
    assert_eq!(figures["recommends"]["decision"], "go_on", "{figures}");
}

#[tokio::test]
async fn a_clock_set_back_and_a_state_from_elsewhere_do_no_harm() {
    let api = Api::new();
    let candidate = version(&api, 0.9).await;
    move_to(&api, &candidate["id"], "shadow").await;
    api.upload("flows.csv", generated(300)).await;
    let (store, models) = (
        std::sync::Arc::clone(&api.store),
        std::sync::Arc::clone(&api.models),
    );
    Work::new(store.clone(), models.clone(), much_later)
        .turn("one")
        .unwrap();
    // Another holder has the lease until long after this clock.
    Work::new(store.clone(), models.clone(), later)
        .turn("two")
        .unwrap();
    let overview = api.get("/api/v1/monitoring").await.json();
    assert_eq!(overview["rows_read"], 300);
    let task = store.task("monitor").unwrap().unwrap();
    store
        .commit(&tripline_store::Step {
            at: later(),
            actor: "test",
            writes: vec![tripline_store::Write::Task {
                key: "monitor",
                value: Some(r#"{"oracle":1}"#),
                expected: Some(task.revision),
            }],
        })
        .unwrap();
    Work::new(store, models, much_later).turn("one").unwrap();
    let overview = api.get("/api/v1/monitoring").await.json();
    assert_eq!(overview["rows_read"], 300);
}

#[tokio::test]
async fn rules_are_checked_key_by_key() {
    let api = Api::new();
    for (change, reason) in [
        (json!({ "oracle": 1 }), "unknown field"),
        (json!({ "promotion": { "alpha": 0 } }), "'alpha' is 0"),
        (
            json!({ "promotion": { "canary_shares": [0.5, 0.1] } }),
            "canary_shares",
        ),
        (json!({ "drift": { "alpha": 2 } }), "drift.alpha"),
        (
            json!({ "drift": { "window_rows": 0 } }),
            "drift.window_rows",
        ),
        (json!({ "processor_share": 7 }), "processor_share"),
        (json!([1]), "cannot be read"),
    ] {
        let answer = api
            .patch("/api/v1/monitoring/rules", &change.to_string())
            .await;
        assert_eq!(
            answer.status,
            StatusCode::BAD_REQUEST,
            "{change}: {}",
            answer.text
        );
        assert!(
            answer.detail().contains(reason),
            "{change}: {}",
            answer.detail()
        );
    }
    let kept = api.get("/api/v1/monitoring/rules").await.json();
    assert_eq!(kept["promotion"]["mode"], "approval");
    assert_eq!(
        api.get("/api/v1/monitoring/oracle").await.status,
        StatusCode::NOT_FOUND
    );
}

/// A record with all features.
fn full_row() -> String {
    let csv = generated(1);
    let mut lines = csv.lines();
    let (head, row) = (lines.next().unwrap(), lines.next().unwrap());
    let fields: serde_json::Map<String, Value> = head
        .split(',')
        .zip(row.split(','))
        .map(|(name, value)| {
            let value = value
                .parse::<f64>()
                .map_or_else(|_| json!(value), |number| json!(number));
            (name.to_owned(), value)
        })
        .collect();
    Value::Object(fields).to_string()
}
