//! Generated records through the real path.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use axum::http::StatusCode;
use serde_json::{Value, json};
use tripline_store::{Source, VerdictFilter};

use crate::{
    harness::{Api, shipped_models},
    server::Server,
};

const START: &str = "/api/v1/test/start-stream";
const STOP: &str = "/api/v1/test/stop-stream";
const SINGLE: &str = "/api/v1/test/send-single";
const STATUS: &str = "/api/v1/test/stream";
/// Nothing is asserted about time; this is when a test gives up.
const LIMIT: Duration = Duration::from_mins(2);

/// The state of the streams once it is as wanted.
async fn status_when(api: &Api, what: &str, mut holds: impl FnMut(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let status = api.get(STATUS).await.json();
        if holds(&status) {
            return status;
        }
        assert!(begun.elapsed() < LIMIT, "{what}: still not: {status}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn balanced(books: &Value) {
    let parts = ["scored", "sent", "rejected", "dropped", "pending"];
    let sum: u64 = parts.iter().map(|part| books[part].as_u64().unwrap()).sum();
    assert_eq!(books["generated"], sum, "{books}");
}

#[tokio::test]
async fn a_single_record_is_judged_and_stored_like_any_other() {
    let api = Api::new();
    for (asked, named, schema) in [
        (
            "?model_type=threat_detection",
            "threat_detection",
            "nsl-kdd",
        ),
        (
            "?model_type=attack_classification",
            "attack_classification",
            "cicflow",
        ),
        ("?model_type=threat_detector", "threat_detection", "nsl-kdd"),
        ("", "attack_classification", "cicflow"),
    ] {
        let answer = api.post(&format!("{SINGLE}{asked}"), "").await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let sent = answer.json();
        assert_eq!(sent["model_type"], named);
        assert_eq!(
            (&sent["generated"], &sent["topic"]),
            (&json!(true), &Value::Null)
        );
        assert!(
            sent["message"].as_str().unwrap().contains("generated"),
            "{sent}"
        );
        let id = sent["traffic_data_id"].as_str().unwrap();
        let stored = api.get(&format!("/api/v1/predictions/{id}")).await.json();
        assert_eq!(stored["traffic_data"]["source"], "realtime");
        // What was sent is what is stored.
        let features = stored["traffic_data"]["features"].as_object().unwrap();
        for (name, value) in sent["data"].as_object().unwrap() {
            let found = &features[name];
            // The origin's form has numbers for categories.
            let is_same = match (value.as_f64(), found.as_f64()) {
                (Some(sent), Some(found)) => (sent - found).abs() <= 1e-6 * sent.abs(),
                (None, Some(_)) => value.is_string(),
                _ => value == found,
            };
            assert!(is_same, "{name}: {value} was sent, {found} is stored");
        }
        let verdict = api.store.get(id.parse().unwrap()).unwrap().unwrap();
        assert_eq!(verdict.provenance.schema, schema);
    }
    let status = api.get(STATUS).await.json();
    balanced(&status["books"]);
    assert_eq!(status["books"]["scored"], 4);
}

#[tokio::test]
async fn a_stream_ends_after_its_count_and_the_books_balance() {
    let api = Api::new();
    let answer = api
        .post(
            START,
            r#"{"count": 30, "interval": 0.01, "model_type": "threat_detection"}"#,
        )
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let started = answer.json();
    assert_eq!(
        (
            &started["count"],
            &started["interval"],
            &started["model_type"]
        ),
        (&json!(30), &json!(0.01), &json!("threat_detection"))
    );
    assert_eq!(started["generated"], true);
    let running = api.get(STATUS).await.json();
    assert_eq!(running["streams"][0]["id"], started["id"]);
    let ended = status_when(&api, "the end of the stream", |status| {
        balanced(&status["books"]);
        status["streams"] == json!([])
    })
    .await;
    assert_eq!(
        (&ended["books"]["generated"], &ended["books"]["scored"]),
        (&json!(30), &json!(30)),
        "{ended}"
    );
    let filter = VerdictFilter {
        source: Some(Source::Realtime),
        ..VerdictFilter::default()
    };
    assert_eq!(api.store.list(&filter, 100).unwrap().verdicts.len(), 30);
    let health = api.get("/api/v1/health/detailed").await.json();
    assert_eq!(health["checks"]["test_traffic"]["books"], ended["books"]);
    let metrics = api.get("/metrics").await.text;
    for line in [
        "tripline_test_records_total{outcome=\"generated\"} 30",
        "tripline_test_records_total{outcome=\"scored\"} 30",
        "tripline_test_records_pending 0.0",
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line}: {metrics}"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused() {
    let api = Api::new();
    for (body, status, words) in [
        ("[]", 400, "no JSON object"),
        ("{", 400, "no JSON object"),
        (r#"{"counts": 1}"#, 400, "unknown key 'counts'"),
        (r#"{"model_type": "both"}"#, 400, "model_type is 'both'"),
        (r#"{"model_type": 3}"#, 422, "model_type is 3"),
        (
            r#"{"count": 0}"#,
            422,
            "count is 0, expected a whole number from 1 to 10000",
        ),
        (r#"{"count": 10001}"#, 422, "count is 10001"),
        (r#"{"count": 1.5}"#, 422, "count is 1.5"),
        (r#"{"count": -1}"#, 422, "count is -1"),
        (r#"{"count": "5"}"#, 422, "count is \"5\""),
        (
            r#"{"interval": 0}"#,
            422,
            "interval is 0, expected seconds from 0.01 to 60",
        ),
        (r#"{"interval": 1e300}"#, 422, "interval is"),
        (r#"{"interval": null}"#, 422, "interval is null"),
    ] {
        let answer = api.post(START, body).await;
        assert_eq!(answer.status.as_u16(), status, "{body}: {}", answer.text);
        assert!(answer.detail().contains(words), "{body}: {}", answer.text);
    }
    for (query, words) in [
        ("?model_type=both", "model_type is 'both'"),
        ("?count=3", "unknown parameter 'count'"),
    ] {
        let answer = api.post(&format!("{SINGLE}{query}"), "").await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
        assert!(answer.detail().contains(words), "{}", answer.text);
    }
    let status = api.get(STATUS).await.json();
    assert_eq!(status["books"]["generated"], 0);
    assert_eq!(status["streams"], json!([]));
}

#[tokio::test]
async fn few_streams_run_at_a_time_and_all_can_be_stopped() {
    let api = Api::new();
    for _ in 0..4 {
        // Without a body everything has its default.
        let answer = api.post(START, "").await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert_eq!(answer.json()["count"], 100);
    }
    let refused = api.post(START, "{}").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.detail().contains("4 test streams run already"));
    assert_eq!(api.post(STOP, "").await.json()["stopped"], 4);
    let ended = status_when(&api, "the end of the streams", |status| {
        status["streams"] == json!([])
    })
    .await;
    balanced(&ended["books"]);
    assert_eq!(api.post(STOP, "").await.json()["stopped"], 0);
    assert_eq!(api.post(START, "{}").await.status, StatusCode::OK);
    api.post(STOP, "").await;
}

#[test]
fn a_server_can_be_started_without_test_traffic() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(
        folder.path(),
        &shipped_models(),
        &["--no-test-traffic".as_ref()],
    );
    for path in [START, SINGLE] {
        let (status, answer) = server.post(path, &json!({}));
        assert_eq!(status, 403, "{answer}");
        assert!(
            answer["detail"].to_string().contains("--no-test-traffic"),
            "{answer}"
        );
    }
    assert_eq!(server.get(STATUS).1["is_enabled"], false);
}

#[test]
fn a_stream_ends_with_its_server() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path(), &shipped_models());
    let (status, answer) = server.post(START, &json!({"count": 10_000, "interval": 60}));
    assert_eq!(status, 200, "{answer}");
    let id = server.child.id().to_string();
    let sent = Command::new("kill").args(["-TERM", &id]).status().unwrap();
    assert!(sent.success());
    assert!(server.child.wait().unwrap().success());
    let server = Server::start(folder.path(), &shipped_models());
    assert_eq!(server.get(STATUS).1["streams"], json!([]));
}
