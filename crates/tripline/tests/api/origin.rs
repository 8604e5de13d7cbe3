//! A client written for the origin system gets the fields that its documents promise.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::Value;
use tripline_store::SqliteStore;

use crate::harness::{Api, generated, keys, public_data, shipped_models};

const TEN: &str = "service,flag,src_bytes,dst_bytes,count,same_srv_rate,diff_srv_rate,\
                   dst_host_srv_count,dst_host_same_srv_rate,dst_host_same_src_port_rate";

/// Ten columns as the origin system's clients send them: categories by their index.
fn ten_features() -> String {
    format!("{TEN}\n24,9,215,45076,1,1,0,255,1,0\n49,5,0,0,123,0.05,0.07,26,0.1,0\n")
}

/// The 42 columns of the origin system's attack files, leading spaces included.
fn flow_features() -> String {
    " Destination Port, Flow Duration, Total Fwd Packets,Total Length of Fwd Packets, Fwd Packet \
     Length Max, Fwd Packet Length Min,Bwd Packet Length Max, Bwd Packet Length Min,Flow Bytes/s, \
     Flow Packets/s, Flow IAT Mean, Flow IAT Std, Flow IAT Min,Bwd IAT Total, Bwd IAT Std,Fwd PSH \
     Flags, Bwd PSH Flags, Fwd URG Flags, Bwd URG Flags, Fwd Header Length, Bwd Header Length, Bwd \
     Packets/s, Min Packet Length,FIN Flag Count, RST Flag Count, PSH Flag Count, ACK Flag Count, \
     URG Flag Count, Down/Up Ratio,Fwd Avg Bytes/Bulk, Fwd Avg Packets/Bulk, Fwd Avg Bulk Rate, Bwd \
     Avg Bytes/Bulk, Bwd Avg Packets/Bulk,Bwd Avg Bulk Rate,Init_Win_bytes_forward, \
     Init_Win_bytes_backward, min_seg_size_forward,Active Mean, Active Std, Active Max, Idle Std\n\
     80,5000,50,5000,1500,60,1500,60,1000,10,100,50,10,500,25,1,1,0,0,200,200,5,60,1,0,2,10,0,0.5,\
     500,5,100,500,5,100,8192,8192,20,100,50,200,25\n"
        .to_owned()
}

fn check_complete(prediction: &Value) {
    assert_eq!(
        keys(prediction),
        [
            "attack_prediction",
            "self_healing_action",
            "threat_prediction",
            "traffic_data"
        ]
    );
    let traffic = &prediction["traffic_data"];
    assert_eq!(
        keys(traffic),
        ["batch_id", "created_at", "features", "id", "source"]
    );
    assert!(
        traffic["features"]
            .as_object()
            .unwrap()
            .values()
            .all(Value::is_number)
    );
    let threat = &prediction["threat_prediction"];
    if !threat.is_null() {
        assert_eq!(
            keys(threat),
            [
                "created_at",
                "id",
                "is_attack",
                "model_version",
                "prediction_score",
                "threshold",
                "traffic_data_id"
            ]
        );
        assert_eq!(threat["traffic_data_id"], traffic["id"]);
    }
    let attack = &prediction["attack_prediction"];
    assert_eq!(
        attack.is_null(),
        prediction["self_healing_action"].is_null()
    );
    if !attack.is_null() {
        assert_eq!(
            keys(attack),
            [
                "attack_type_encoded",
                "attack_type_name",
                "confidence",
                "created_at",
                "id",
                "model_version",
                "traffic_data_id"
            ]
        );
        let action = &prediction["self_healing_action"];
        assert_eq!(
            keys(action),
            [
                "action_description",
                "action_params",
                "action_type",
                "attack_prediction_id",
                "created_at",
                "error_message",
                "execution_time",
                "id",
                "status"
            ]
        );
        assert_eq!(action["attack_prediction_id"], attack["id"]);
    }
}

#[tokio::test]
async fn an_upload_is_answered_with_every_prediction() {
    let api = Api::new();
    for (name, content, rows) in [
        ("threat.csv", ten_features(), 2),
        ("attack.csv", flow_features(), 1),
    ] {
        let answer = api.upload(name, content).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let body = answer.json();
        assert_eq!(
            body["message"],
            format!("Successfully processed {rows} rows")
        );
        assert_eq!(body["total_rows"], rows);
        assert_eq!(body["batch_id"].as_str().unwrap().len(), 36);
        let predictions = body["predictions"].as_array().unwrap();
        assert_eq!(predictions.len(), rows);
        for prediction in predictions {
            check_complete(prediction);
            assert_eq!(prediction["traffic_data"]["batch_id"], body["batch_id"]);
            assert_eq!(prediction["traffic_data"]["source"], "upload");
            assert!(!prediction["threat_prediction"].is_null());
        }
        // Categories come back by their index, as they were sent.
        if rows == 2 {
            assert_eq!(predictions[0]["traffic_data"]["features"]["service"], 24.0);
            assert_eq!(predictions[0]["threat_prediction"]["is_attack"], false);
            assert_eq!(predictions[1]["threat_prediction"]["is_attack"], true);
        }
    }
    let batches = api.get("/api/v1/upload/batches").await.json();
    let listed = batches["batches"].as_array().unwrap();
    assert_eq!(listed.len(), 2);
    for key in ["batch_id", "row_count", "uploaded_at"] {
        assert!(!listed[0][key].is_null(), "{key}");
    }
    let batch = listed[1]["batch_id"].as_str().unwrap();
    let rows = api
        .get(&format!("/api/v1/upload/batch/{batch}"))
        .await
        .json();
    assert_eq!(
        (&rows["batch_id"], &rows["total_rows"]),
        (&listed[1]["batch_id"], &Value::from(2))
    );
    assert_eq!(rows["predictions"].as_array().unwrap().len(), 2);
    let missing = api
        .get("/api/v1/upload/batch/00000000-0000-4000-8000-000000000000")
        .await;
    assert_eq!(
        (missing.status, missing.detail()),
        (StatusCode::NOT_FOUND, "Batch not found".to_owned())
    );
}

#[tokio::test]
async fn the_sample_files_of_the_origin_system_are_accepted() {
    let Some(data) = public_data("the_sample_files_of_the_origin_system_are_accepted") else {
        return;
    };
    let api = Api::new();
    for name in [
        "threat_detection_test.csv",
        "attack_classification_test.csv",
    ] {
        let content = std::fs::read(data.join("origin-samples").join(name)).unwrap();
        let answer = api.upload(name, content).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}: {}", answer.text);
        let body = answer.json();
        assert_eq!(body["total_rows"], 10, "{name}");
        body["predictions"]
            .as_array()
            .unwrap()
            .iter()
            .for_each(check_complete);
    }
}

#[tokio::test]
async fn the_lists_have_the_documented_fields() {
    let api = Api::new();
    assert_eq!(
        api.upload("generated.csv", generated(400)).await.status,
        StatusCode::OK
    );
    let recent = api.get("/api/v1/predictions/recent?limit=7").await.json();
    assert_eq!(recent.as_array().unwrap().len(), 7);
    recent.as_array().unwrap().iter().for_each(check_complete);

    let stats = api.get("/api/v1/predictions/stats").await.json();
    assert_eq!(
        keys(&stats),
        [
            "attack_rate",
            "attack_type_distribution",
            "recent_predictions",
            "total_attacks",
            "total_normal",
            "total_predictions"
        ]
    );
    assert_eq!(stats["total_predictions"], 400);
    let attacks = stats["total_attacks"].as_u64().unwrap();
    assert_eq!(stats["total_normal"], 400 - attacks);
    assert!((stats["attack_rate"].as_f64().unwrap() - attacks as f64 / 4.0).abs() < 1e-9);
    assert_eq!(stats["recent_predictions"].as_array().unwrap().len(), 20);

    let threats = api
        .get("/api/v1/predictions/threats?limit=1000&attacks_only=true")
        .await
        .json();
    assert_eq!(threats.as_array().unwrap().len() as u64, attacks);
    assert!(
        threats
            .as_array()
            .unwrap()
            .iter()
            .all(|threat| threat["is_attack"] == true)
    );

    let spread = api
        .get("/api/v1/predictions/attack-distribution")
        .await
        .json();
    let (class, count) = spread["distribution"]
        .as_object()
        .unwrap()
        .iter()
        .next()
        .unwrap();
    let found = api
        .get(&format!(
            "/api/v1/predictions/attacks?limit=1000&attack_type={class}"
        ))
        .await
        .json();
    assert_eq!(
        found.as_array().unwrap().len() as u64,
        count.as_u64().unwrap()
    );

    let spread = api
        .get("/api/v1/predictions/action-distribution")
        .await
        .json();
    for (action, count) in spread["distribution"].as_object().unwrap() {
        let found = api
            .get(&format!(
                "/api/v1/predictions/actions?limit=1000&action_type={action}"
            ))
            .await
            .json();
        assert_eq!(
            found.as_array().unwrap().len() as u64,
            count.as_u64().unwrap(),
            "{action}"
        );
    }

    let id = recent[0]["traffic_data"]["id"].as_str().unwrap();
    let one = api.get(&format!("/api/v1/predictions/{id}")).await.json();
    assert_eq!(one, recent[0]);
    let missing = api.get("/api/v1/predictions/nothing").await;
    assert_eq!(
        (missing.status, missing.detail()),
        (StatusCode::NOT_FOUND, "Traffic data not found".to_owned())
    );
}

#[tokio::test]
async fn models_and_health_have_the_documented_fields() {
    let api = Api::new();
    let list = api.get("/api/v1/models/").await.json();
    assert_eq!(
        list["total_count"],
        list["models"].as_array().unwrap().len()
    );
    let model = &list["models"][0];
    let fields = keys(model);
    for field in [
        "class_labels",
        "created_at",
        "description",
        "expected_features",
        "file_format",
        "file_path",
        "file_size_bytes",
        "id",
        "is_active",
        "model_metadata",
        "model_type",
        "original_filename",
        "preprocessing_notes",
        "uploaded_by",
        "validation_results",
        "version",
    ] {
        assert!(fields.contains(&field), "{field} of {fields:?}");
    }
    let id = model["id"].as_str().unwrap();
    assert_eq!(
        &api.get(&format!("/api/v1/models/{id}")).await.json(),
        model
    );
    assert_eq!(
        api.get(&format!("/api/v1/models/{id}/report")).await.json()["version"],
        model["version"]
    );
    assert_eq!(
        api.get("/api/v1/models/unknown").await.status,
        StatusCode::NOT_FOUND
    );

    let storage = api.get("/api/v1/models/stats/storage").await.json();
    assert_eq!(
        keys(&storage),
        [
            "active_models",
            "by_type",
            "total_models",
            "total_size_bytes",
            "total_size_mb"
        ]
    );
    assert_eq!(
        keys(&storage["by_type"]["threat_detector"]),
        ["active_count", "count", "size_bytes"]
    );

    let formats = api
        .get("/api/v1/models/info/supported-formats")
        .await
        .json();
    assert_eq!(
        formats["model_requirements"]["threat_detector"]["input_features"],
        10
    );
    assert_eq!(
        formats["model_requirements"]["attack_classifier"]["input_features"],
        42
    );
    let profile = api
        .get("/api/v1/models/profile/threat_detector")
        .await
        .json();
    assert_eq!(
        profile["profile"]["expected_features"]
            .as_array()
            .unwrap()
            .len(),
        10
    );
    let same = api
        .get("/api/v1/models/profile/threat_detection")
        .await
        .json();
    assert_eq!(profile, same);
    assert_eq!(
        api.get("/api/v1/models/profile/oracle").await.status,
        StatusCode::BAD_REQUEST
    );

    assert_eq!(
        api.get("/health").await.json(),
        serde_json::json!({ "status": "healthy" })
    );
    for path in ["/live", "/ready"] {
        assert_eq!(api.get(path).await.status, StatusCode::OK, "{path}");
    }
    let metrics = api.get("/metrics").await;
    for line in [
        "# TYPE tripline_http_requests counter",
        "tripline_http_requests_total{method=\"GET\",code=\"200\"}",
        "# UNIT tripline_http_request_duration_seconds seconds",
        "tripline_verdicts_stored{kind=\"threat\"} ",
        "tripline_store_size_bytes ",
        "tripline_model{role=\"detector\"",
        "# EOF",
    ] {
        assert!(metrics.text.contains(line), "{line}: {}", metrics.text);
    }
    let health = api.get("/api/v1/health/detailed").await.json();
    assert_eq!(keys(&health), ["checks", "status", "timestamp"]);
    assert_eq!(health["status"], "healthy");
    assert_eq!(
        keys(&health["checks"]),
        [
            "configuration",
            "consumers",
            "database",
            "kafka",
            "models",
            "sources",
            "test_traffic",
            "websocket"
        ]
    );
    assert_eq!(
        health["checks"]["models"]["threat_detector"]["is_real"],
        true
    );
    assert_eq!(api.get("/").await.json()["docs"], "/docs");
}

#[tokio::test]
async fn single_scores_can_be_exported() {
    let api = Api::new();
    let row = r#"{"service":"http","flag":"SF","src_bytes":215,"dst_bytes":45076,"count":1,
        "same_srv_rate":1,"diff_srv_rate":0,"dst_host_srv_count":255,"dst_host_same_srv_rate":1,
        "dst_host_same_src_port_rate":0,"label":"=cmd|' /C calc'!A0"}"#;
    assert_eq!(api.score("", row).await.status, StatusCode::OK);
    let (start, end) = around_now();
    let range = format!("start={start}&end={end}");
    let count = api
        .get(&format!("/api/v1/export/realtime?{range}&count_only=true"))
        .await
        .json();
    assert_eq!(
        (&count["count"], &count["warning"]),
        (&Value::from(1), &Value::Null)
    );
    assert_eq!(keys(&count), ["count", "time_range", "warning"]);
    let csv = api
        .get(&format!(
            "/api/v1/export/realtime?{range}&format=with_predictions"
        ))
        .await;
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8");
    let lines: Vec<&str> = csv.text.lines().collect();
    assert_eq!(lines.len(), 2, "{}", csv.text);
    assert!(lines[0].starts_with("id,created_at,schema,duration,"));
    assert!(lines[1].contains(",http,SF,215,45076,"), "{}", lines[1]);
    // A spreadsheet is not to run what a sender has written.
    assert!(lines[1].ends_with("'=cmd|' /C calc'!A0"), "{}", lines[1]);
    for query in [
        "",
        "start=2026-01-01T00:00:00Z&end=2026-01-01T02:00:01Z",
        "start=2026-01-02&end=2026-01-01",
    ] {
        assert_eq!(
            api.get(&format!("/api/v1/export/realtime?{query}"))
                .await
                .status,
            StatusCode::BAD_REQUEST
        );
    }
}

fn around_now() -> (String, String) {
    let now = jiff_seconds(tripline::clock::now().0 / 1_000_000);
    (now(-60), now(60))
}

fn jiff_seconds(seconds: i64) -> impl Fn(i64) -> String {
    move |shift| {
        jiff::Timestamp::from_second(seconds + shift)
            .unwrap()
            .to_string()
    }
}

#[tokio::test]
async fn without_a_model_nothing_is_made_up() {
    let empty = tempfile::tempdir().unwrap();
    let api = Api::on(
        Arc::new(SqliteStore::open_in_memory().unwrap()),
        empty.path(),
    );
    let uploaded = api.upload("threat.csv", ten_features()).await;
    assert_eq!(
        uploaded.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "{}",
        uploaded.text
    );
    let scored = api.score("", r#"{"service":"http"}"#).await;
    assert_eq!(scored.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(scored.detail().contains("no model is loaded"));
    let health = api.get("/api/v1/health/detailed").await;
    assert_eq!(health.status, StatusCode::SERVICE_UNAVAILABLE);
    // Alive, and not ready: to start it again would not help.
    assert_eq!(api.get("/live").await.status, StatusCode::OK);
    let ready = api.get("/ready").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(ready.text.contains("no model is active"), "{}", ready.text);
    assert_eq!(
        health.json()["checks"]["models"]["threat_detector"]["loaded"],
        false
    );
    assert_eq!(
        api.get("/api/v1/predictions/stats").await.json()["total_predictions"],
        0
    );
    assert!(shipped_models().is_dir());
}
