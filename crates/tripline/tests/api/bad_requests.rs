//! Requests that are not what they should be, and stores that cannot do what they should.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use tripline_store::{SqliteOptions, SqliteStore};

use crate::harness::{Api, generated, shipped_models};

#[tokio::test]
async fn json_that_cannot_be_used_is_refused() {
    let api = Api::new();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let many = format!("[{}]", vec!["{}"; 10_001].join(","));
    for (body, status, part) in [
        ("", 400, "not JSON"),
        ("{", 400, "not JSON"),
        ("7", 400, "expected an object"),
        ("[]", 400, "empty"),
        ("{}", 400, "names no feature"),
        ("[1,2]", 400, "none of the 2 rows"),
        (r#"{"rows":7}"#, 400, "'rows'"),
        (r#"{"colour":"red"}"#, 400, "no known schema"),
        (r#"{"service":"http","flag":"SF"}"#, 400, "nearest"),
        (r#"{"service":["http"]}"#, 400, ""),
        (deep.as_str(), 400, "not JSON"),
        (many.as_str(), 413, "upload them as a file"),
    ] {
        let answer = api.score("", body).await;
        let shown: String = body.chars().take(40).collect();
        assert_eq!(answer.status.as_u16(), status, "{shown}: {}", answer.text);
        assert!(
            answer.detail().contains(part),
            "{shown}: {}",
            answer.detail()
        );
    }
    let large = api.score("", &format!("[{}]", " ".repeat(17 << 20))).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    let typed = Request::post("/api/v1/score")
        .body(Body::from("{}"))
        .unwrap();
    assert_eq!(
        api.send(typed).await.status,
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    assert_eq!(
        api.score("?schema=other", "{}").await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        api.score("?reasons=101", "{}").await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
}

#[tokio::test]
async fn parameters_outside_their_bounds_are_refused() {
    let api = Api::new();
    for (path, status) in [
        ("/api/v1/predictions/recent?limit=0", 422),
        ("/api/v1/predictions/recent?limit=1001", 422),
        (
            "/api/v1/predictions/recent?limit=99999999999999999999999",
            422,
        ),
        ("/api/v1/predictions/recent?limit=-1", 422),
        ("/api/v1/predictions/recent?limit=ten", 422),
        ("/api/v1/predictions/recent?offset=5", 400),
        ("/api/v1/predictions/recent?limit=1&limit=2", 400),
        ("/api/v1/predictions/threats?attacks_only=maybe", 422),
        ("/api/v1/upload/batches?limit=5000000000", 422),
        ("/api/v1/upload/batch/x?limit=5", 404),
        ("/api/v1/verdicts?before=%27%20OR%201%3D1", 400),
        ("/api/v1/verdicts?from=yesterday", 422),
        ("/api/v1/verdicts?source=carrier-pigeon", 400),
        ("/api/v1/stats/timeline?buckets=1000000", 422),
        ("/api/v1/stats/timeline?from=2026-01-02&to=2026-01-01", 400),
        ("/api/v1/nothing", 404),
    ] {
        let answer = api.get(path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.text);
        assert_ne!(answer.detail(), "", "{path}");
    }
    let wrong_method = Request::delete("/api/v1/predictions/recent")
        .body(Body::empty())
        .unwrap();
    assert_eq!(
        api.send(wrong_method).await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
}

#[tokio::test]
async fn pages_of_other_sites_reach_nothing() {
    let api = Api::new();
    let request = |host: &str, origin: Option<&str>| {
        let mut builder = Request::post("/api/v1/score")
            .header("host", host)
            .header("content-type", "application/json");
        if let Some(origin) = origin {
            builder = builder.header("origin", origin);
        }
        builder.body(Body::from("{}")).unwrap()
    };
    for (host, origin, is_let_in) in [
        ("127.0.0.1:8000", None, true),
        ("127.0.0.1:8000", Some("http://127.0.0.1:8000"), true),
        ("127.0.0.1:8000", Some("http://evil.example"), false),
        ("evil.example", None, false),
    ] {
        let status = api.send(request(host, origin)).await.status;
        assert_eq!(
            status != StatusCode::FORBIDDEN,
            is_let_in,
            "{host} {origin:?}: {status}"
        );
    }
    let read = Request::get("/api/v1/predictions/stats")
        .header("host", "evil.example:80")
        .body(Body::empty())
        .unwrap();
    assert_eq!(api.send(read).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn every_answer_is_hardened() {
    let api = Api::new();
    for path in [
        "/",
        "/docs/index.html",
        "/api/v1/predictions/stats",
        "/api/v1/nothing",
    ] {
        let headers = api.get(path).await.headers;
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["x-frame-options"], "DENY", "{path}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
        assert!(
            !policy.contains("script-src 'self' 'unsafe-inline'"),
            "{path}: {policy}"
        );
        assert!(headers.contains_key("x-request-id"), "{path}");
    }
}

#[tokio::test]
async fn a_locked_database_is_told_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tripline.db");
    let options = SqliteOptions {
        busy_timeout: std::time::Duration::from_millis(50),
        ..SqliteOptions::default()
    };
    let store = SqliteStore::open(&path, &options, tripline::clock::now()).unwrap();
    let api = Api::on(Arc::new(store), &shipped_models());
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let answer = api.upload("a.csv", generated(5)).await;
    assert_eq!(
        answer.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "{}",
        answer.text
    );
    assert!(answer.detail().contains("locked"), "{}", answer.detail());
    assert!(answer.headers.contains_key("retry-after"));
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(
        api.upload("a.csv", generated(5)).await.status,
        StatusCode::OK
    );
    assert_eq!(
        api.get("/api/v1/predictions/stats").await.json()["total_predictions"],
        5
    );
}

#[tokio::test]
async fn a_full_disk_fails_the_job_and_keeps_whole_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tripline.db");
    let options = SqliteOptions {
        hard_limit_bytes: Some(3 << 20),
        ..SqliteOptions::default()
    };
    let store = SqliteStore::open(&path, &options, tripline::clock::now()).unwrap();
    // Models take room in it too: these two are enough.
    let models = folder.path().join("models");
    std::fs::create_dir(&models).unwrap();
    for name in ["nsl-kdd-detector-full", "nsl-kdd-classifier-full"] {
        let file = format!("{name}.tripline");
        std::fs::copy(shipped_models().join(&file), models.join(&file)).unwrap();
    }
    let api = Api::on(Arc::new(store), &models);
    let answer = api.upload("a.csv", generated(40_000)).await;
    assert_eq!(
        answer.status,
        StatusCode::INSUFFICIENT_STORAGE,
        "{}",
        answer.text
    );
    assert!(!answer.text.contains("tripline.db"), "{}", answer.text);
    let job = api.get("/api/v1/jobs").await.json()["jobs"][0].clone();
    assert!(
        job["status"] == "failed" || job["status"] == "interrupted",
        "{job}"
    );
    let stored = api.get("/api/v1/predictions/stats").await.json()["total_predictions"].clone();
    assert_eq!(stored, job["rows_scored"], "{job}");
    // What is there can still be read.
    assert_eq!(
        api.get("/api/v1/predictions/recent?limit=1").await.status,
        StatusCode::OK
    );
}
