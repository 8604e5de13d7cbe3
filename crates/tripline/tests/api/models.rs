//! Versions of models: let in, activated under load, taken back, deleted.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Answer, Api, keys, shipped_models, variant};

const TEN: &str = "nsl-kdd-detector-ten-v1";

/// A row with the origin system's ten features.
pub(crate) fn row(src_bytes: u64) -> String {
    json!({
        "service": "http", "flag": "SF", "src_bytes": src_bytes, "dst_bytes": 5450, "count": 8,
        "same_srv_rate": 1.0, "diff_srv_rate": 0.0, "dst_host_srv_count": 9,
        "dst_host_same_srv_rate": 1.0, "dst_host_same_src_port_rate": 0.11,
    })
    .to_string()
}

fn named(list: &Value, name: &str, stage: &str) -> Value {
    let models = list["models"].as_array().unwrap();
    let found = models
        .iter()
        .find(|model| model["name"] == name && model["stage"] == stage);
    found.unwrap_or_else(|| panic!("no {stage} {name}")).clone()
}

async fn active(api: &Api, name: &str) -> Value {
    named(&api.get("/api/v1/models").await.json(), name, "active")
}

fn threshold(value: f64) -> Vec<u8> {
    variant(TEN, |bundle| {
        bundle.manifest.threshold.as_mut().unwrap().value = value;
        bundle.manifest.description = format!("decides at {value}");
    })
}

async fn upload(api: &Api, bytes: &[u8]) -> Value {
    let fields = [("model_type", "threat_detector"), ("uploaded_by", "ada")];
    let answer = api.upload_model("mine.tripline", bytes, &fields).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()
}

fn id(model: &Value) -> &str {
    model["id"].as_str().unwrap()
}

#[tokio::test]
async fn an_uploaded_model_judges_once_it_is_activated_and_not_before() {
    let api = Api::new();
    let before = active(&api, TEN).await;
    let new = upload(&api, &threshold(0.999_999)).await;
    assert_eq!(
        (&new["is_active"], &new["stage"], &new["parent_id"]),
        (&json!(false), &json!("candidate"), &before["id"])
    );
    let scored = api.score("", &row(215)).await.json();
    assert_eq!(scored["threat"]["model_version"], before["version"]);

    let path = format!("/api/v1/models/{}/activate", id(&new));
    let activated = api
        .post(&path, r#"{"actor":"ada","reason":"fewer alarms"}"#)
        .await;
    assert_eq!(activated.status, StatusCode::OK, "{}", activated.text);
    assert_eq!(activated.json()["is_active"], true);
    let scored = api.score("", &row(215)).await.json();
    assert_eq!(scored["threat"]["model_version"], new["version"]);
    let list = api.get("/api/v1/models").await.json();
    assert_eq!(named(&list, TEN, "retired")["id"], before["id"]);
    // Others of the type judge other rows and stay.
    assert_eq!(
        active(&api, "nsl-kdd-detector-full").await["stage"],
        "active"
    );

    let path = format!("/api/v1/models/{}/rollback", id(&new));
    let back = api.post(&path, "").await;
    assert_eq!(back.status, StatusCode::OK, "{}", back.text);
    assert_eq!(back.json()["id"], before["id"]);
    let scored = api.score("", &row(215)).await.json();
    assert_eq!(scored["threat"]["model_version"], before["version"]);

    let history = api
        .get(&format!("/api/v1/models/{}/history", id(&new)))
        .await
        .json();
    let kinds: Vec<(&Value, &Value)> = history["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| (&event["kind"], &event["to"]))
        .collect();
    assert_eq!(
        kinds,
        [
            (&json!("stage"), &json!("retired")),
            (&json!("stage"), &json!("active")),
            (&json!("added"), &json!("candidate")),
        ]
    );
    assert_eq!(history["events"][1]["actor"], "ada");
    assert_eq!(history["events"][1]["reason"], "fewer alarms");
}

/// 50 exchanges under 64 clients: no request fails, each verdict names one of the two models, and
/// that model gives the same number again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exchanges_under_load_neither_fail_nor_mix() {
    const CLIENTS: u64 = 64;
    const EXCHANGES: usize = 50;
    let api = Arc::new(Api::new());
    let first = active(&api, TEN).await;
    let second = upload(
        &api,
        &variant(TEN, |bundle| {
            // Other trees, which give other answers than those recorded.
            bundle.manifest.probe.clear();
            let mut arrays = bundle.ensemble.to_arrays();
            for value in &mut arrays.leaf_values {
                *value *= 0.5;
            }
            bundle.ensemble = tripline_forest::Ensemble::from_arrays(
                &arrays,
                bundle.manifest.link,
                tripline_forest::arrays::Caps::default(),
            )
            .unwrap();
        }),
    )
    .await;
    let (done, judged) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (api, done, judged) = (Arc::clone(&api), Arc::clone(&done), Arc::clone(&judged));
            tokio::spawn(async move {
                let mut answers = Vec::new();
                while !done.load(Ordering::Relaxed) || answers.is_empty() {
                    let answer = api.score("", &row(client)).await;
                    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
                    answers.push(answer.json());
                    judged.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                }
                (client, answers)
            })
        })
        .collect();
    for exchange in 0..EXCHANGES {
        let seen = judged.load(Ordering::Relaxed);
        let next = if exchange % 2 == 0 { &second } else { &first };
        let path = format!("/api/v1/models/{}/activate", id(next));
        let answer = api.post(&path, "").await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        // The very next request sees it.
        let scored = api.score("", &row(1)).await.json();
        assert_eq!(scored["threat"]["model_version"], next["version"]);
        // Some of the others, too, before the next exchange.
        while judged.load(Ordering::Relaxed) < seen + 16 {
            tokio::task::yield_now().await;
        }
    }
    done.store(true, Ordering::Relaxed);
    let mut by_client = Vec::new();
    for client in clients {
        by_client.push(client.await.unwrap());
    }
    let mut versions = std::collections::BTreeSet::new();
    for model in [&first, &second] {
        api.post(&format!("/api/v1/models/{}/activate", id(model)), "")
            .await;
        for (client, answers) in &by_client {
            let again = api.score("?store=false", &row(*client)).await.json();
            for answer in answers {
                let version = &answer["threat"]["model_version"];
                versions.insert(version.to_string());
                if *version == model["version"] {
                    assert_eq!(answer["threat"], again["threat"]);
                }
            }
        }
    }
    assert_eq!(versions.len(), 2);
    // What was stored says the same as what was answered, and is explained by the model that gave
    // it, whether it judges now or not.
    for (_, answers) in by_client.iter().take(8) {
        for answer in answers.iter().take(4) {
            let path = format!(
                "/api/v1/predictions/{}/explain",
                answer["id"].as_str().unwrap()
            );
            let explained = api.get(&path).await.json();
            assert_eq!(
                explained["stages"][0]["model_version"],
                answer["threat"]["model_version"]
            );
            assert_eq!(
                explained["stages"][0]["probability"],
                answer["threat"]["probability"]
            );
        }
    }
}

/// A version is taken back and deleted while requests are being judged by it: each of them is answered,
/// by it or by the one before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_can_be_deleted_while_it_scores() {
    let api = Arc::new(Api::new());
    let first = active(&api, TEN).await;
    let done = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..16)
        .map(|client| {
            let (api, done) = (Arc::clone(&api), Arc::clone(&done));
            tokio::spawn(async move {
                let mut answered = 0;
                while !done.load(Ordering::Relaxed) || answered == 0 {
                    let answer = api.score("", &row(client)).await;
                    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
                    answered += 1;
                }
            })
        })
        .collect();
    for number in 1..=10 {
        let version = upload(&api, &threshold(f64::from(number) / 20.0)).await;
        for what in ["activate", "rollback"] {
            let path = format!("/api/v1/models/{}/{what}", id(&version));
            let answer = api.post(&path, "").await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        }
        let answer = api
            .delete(&format!("/api/v1/models/{}", id(&version)))
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    }
    done.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(active(&api, TEN).await["version"], first["version"]);
}

#[tokio::test]
async fn what_judges_cannot_be_deleted_and_what_does_not_can() {
    let api = Api::new();
    let first = active(&api, TEN).await;
    let refused = api.delete(&format!("/api/v1/models/{}", id(&first))).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
    let new = upload(&api, &threshold(0.7)).await;
    let path = format!("/api/v1/models/{}", id(&new));
    for stage in ["shadow", "canary"] {
        let moved = api
            .post(
                &format!("{path}/stage"),
                &json!({ "stage": stage }).to_string(),
            )
            .await;
        assert_eq!(moved.status, StatusCode::OK, "{}", moved.text);
        assert_eq!(api.delete(&path).await.status, StatusCode::BAD_REQUEST);
    }
    let off = api.post(&format!("{path}/deactivate"), "{}").await;
    assert_eq!(off.json()["stage"], "retired");
    let deleted = api.delete(&path).await;
    assert_eq!(deleted.status, StatusCode::OK, "{}", deleted.text);
    assert_eq!(keys(&deleted.json()), ["message"]);
    assert_eq!(api.get(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        api.post(&format!("{path}/activate"), "").await.status,
        StatusCode::BAD_REQUEST
    );
    let history = api.get(&format!("{path}/history")).await.json();
    assert_eq!(history["events"][0]["kind"], "deleted");
    // The same file can come again.
    upload(&api, &threshold(0.7)).await;
}

#[tokio::test]
async fn a_canary_judges_its_share_and_always_the_same_rows() {
    let api = Api::new();
    let first = active(&api, TEN).await;
    let new = upload(&api, &threshold(0.6)).await;
    let path = format!("/api/v1/models/{}/stage", id(&new));
    let canary = api.post(&path, r#"{"stage":"canary","share":0.25}"#).await;
    assert_eq!(canary.status, StatusCode::OK, "{}", canary.text);
    let rows: Vec<Value> = (0..1000)
        .map(|number| serde_json::from_str(&row(number)).unwrap())
        .collect();
    let body = Value::Array(rows).to_string();
    let versions = |answer: Answer| -> Vec<Value> {
        let verdicts = answer.json();
        let verdicts = verdicts["verdicts"].as_array().unwrap();
        verdicts
            .iter()
            .map(|verdict| verdict["threat"]["model_version"].clone())
            .collect()
    };
    let judged = versions(api.score("", &body).await);
    let share = judged
        .iter()
        .filter(|version| **version == new["version"])
        .count();
    assert!((200..300).contains(&share), "{share} of 1000");
    assert!(judged.contains(&first["version"]));
    assert_eq!(versions(api.score("", &body).await), judged);
    for (share, expected) in [("1.0", 1000), ("0.0", 0)] {
        api.post(&path, &format!(r#"{{"stage":"canary","share":{share}}}"#))
            .await;
        let judged = versions(api.score("", &body).await);
        let found = judged
            .iter()
            .filter(|version| **version == new["version"])
            .count();
        assert_eq!(found, expected, "share {share}");
    }
    // As many of a file, and the books of its batch balance.
    api.post(&path, r#"{"stage":"canary","share":0.5}"#).await;
    let head = "service,flag,src_bytes,dst_bytes,count,same_srv_rate,diff_srv_rate,dst_host_srv_count,dst_host_same_srv_rate,dst_host_same_src_port_rate\n";
    let mut csv = head.to_owned();
    for number in 0..400 {
        csv.push_str(&format!("http,SF,{number},5450,8,1,0,9,1,0.11\n"));
    }
    let uploaded = api.upload("rows.csv", &csv).await.json();
    assert_eq!(uploaded["total_rows"], 400);
    let batch = uploaded["batch_id"].as_str().unwrap();
    let report = api
        .get(&format!("/api/v1/upload/batch/{batch}/report"))
        .await
        .json();
    assert_eq!(report["rows_scored"], 400);
    let detectors: Vec<&Value> = report["models"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|model| model["role"] == "detector")
        .collect();
    assert_eq!(detectors.len(), 2, "{report}");
}

#[tokio::test]
async fn files_that_are_no_models_are_refused_and_leave_no_trace() {
    let api = Api::new();
    let before = api.get("/api/v1/models").await.json()["total_count"].clone();
    let good = std::fs::read(shipped_models().join(format!("{TEN}.tripline"))).unwrap();
    let mut flipped = good.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let kind = [("model_type", "threat_detector")];
    for (name, content, reason) in [
        ("empty.tripline", Vec::new(), "empty"),
        (
            "cut.tripline",
            good[..good.len() / 2].to_vec(),
            "Model validation failed",
        ),
        ("flipped.tripline", flipped, "Model validation failed"),
        (
            "../../etc/passwd.tripline",
            b"\x80\x04cposix\nsystem\n(S'touch /tmp/x'\ntR.".to_vec(),
            "Model validation failed",
        ),
    ] {
        let answer = api.upload_model(name, &content, &kind).await;
        assert_eq!(
            answer.status,
            StatusCode::BAD_REQUEST,
            "{name}: {}",
            answer.text
        );
        assert!(
            answer.detail().contains(reason),
            "{name}: {}",
            answer.detail()
        );
    }
    let altered = variant(TEN, |bundle| bundle.manifest.probe[0].margins[0] += 1e-9);
    let answer = api.upload_model("altered.tripline", &altered, &kind).await;
    assert!(
        answer.detail().contains("recorded answer to row 0"),
        "{}",
        answer.detail()
    );
    let bytes = threshold(0.4);
    for (fields, reason) in [
        (vec![], "model_type"),
        (vec![("model_type", "oracle")], "model type is 'oracle'"),
        (vec![("model_type", "attack_classifier")], "detector"),
        (
            vec![kind[0], ("profile_config", "{")],
            "Invalid profile_config",
        ),
        (
            vec![
                kind[0],
                (
                    "profile_config",
                    r#"{"expected_features":[],"class_labels":["a"]}"#,
                ),
            ],
            "'expected_features' is empty",
        ),
        (
            vec![
                kind[0],
                (
                    "profile_config",
                    r#"{"expected_features":["a","a"],"class_labels":["a"]}"#,
                ),
            ],
            "stands twice",
        ),
        (
            vec![
                kind[0],
                (
                    "profile_config",
                    r#"{"expected_features":["flag"],"class_labels":["normal","attack"]}"#,
                ),
            ],
            "expected_features are not those of the file",
        ),
        (vec![kind[0], ("oracle", "1")], "unknown field 'oracle'"),
        (vec![kind[0], ("parent_id", "nobody")], "Model not found"),
    ] {
        let answer = api.upload_model("mine.tripline", &bytes, &fields).await;
        assert!(
            answer.status.is_client_error(),
            "{fields:?}: {}",
            answer.text
        );
        assert!(
            answer.detail().contains(reason),
            "{fields:?}: {}",
            answer.detail()
        );
    }
    upload(&api, &bytes).await;
    let again = api.upload_model("mine.tripline", &bytes, &kind).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.text);
    let after = api.get("/api/v1/models").await.json()["total_count"].clone();
    assert_eq!(after, json!(before.as_u64().unwrap() + 1));
}

#[tokio::test]
async fn descriptions_notes_and_tags_can_be_changed_and_found() {
    let api = Api::new();
    let model = active(&api, TEN).await;
    let path = format!("/api/v1/models/{}", id(&model));
    let changed = api
        .patch(
            &path,
            r#"{"notes":"watch it","tags":["night"],"actor":"ada"}"#,
        )
        .await
        .json();
    assert_eq!(changed["notes"], "watch it");
    assert_eq!(changed["description"], model["description"]);
    let tagged = api.get("/api/v1/models?tag=night").await.json();
    assert_eq!(tagged["total_count"], 1);
    let refused = api.patch(&path, r#"{"stage":"active"}"#).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let bundle = api.get(&format!("{path}/bundle")).await.headers["content-type"].clone();
    assert_eq!(bundle, "application/octet-stream");
}
