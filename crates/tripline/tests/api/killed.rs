//! A server that is killed in the middle of an upload.

use std::io::Write;

use serde_json::Value;

use crate::{
    harness::{generated, shipped_models},
    server::Server,
};

#[test]
fn after_kill_9_the_job_is_interrupted_and_its_rows_are_whole() {
    let folder = tempfile::tempdir().unwrap();
    let text = generated(30_000);
    let half = text.len() / 2;
    let mut server = Server::start(folder.path(), &shipped_models());
    let batch = "5e0a7f7e-1c2d-4b3a-8f00-123456789abc";
    let mut stream = server.begin_upload(
        &format!("?mode=job&batch_id={batch}"),
        "half.csv",
        text.len(),
    );
    stream.write_all(&text.as_bytes()[..half]).unwrap();
    let path = format!("/api/v1/jobs/{batch}");
    // The file is judged while it arrives: rows are there before its end is.
    loop {
        let (status, job) = server.get(&path);
        if status == 200 && job["rows_scored"].as_u64().unwrap() > 0 {
            assert_eq!(job["status"], "running");
            break;
        }
        std::thread::yield_now();
    }
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    drop(stream);

    let server = Server::start(folder.path(), &shipped_models());
    let (_, job) = server.get(&path);
    assert_eq!(
        (&job["status"], &job["file_name"]),
        (&Value::from("interrupted"), &Value::from("half.csv"))
    );
    let stored = job["rows_scored"].as_u64().unwrap();
    assert!((1..30_000).contains(&stored), "{job}");
    let (_, rows) = server.get(&format!("/api/v1/upload/batch/{batch}?limit=30000"));
    let rows = rows["predictions"].as_array().unwrap();
    assert_eq!(rows.len() as u64, stored);
    let mut ids: Vec<&str> = rows
        .iter()
        .map(|row| row["traffic_data"]["id"].as_str().unwrap())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len() as u64, stored, "a row is stored twice");
    for row in rows {
        assert_eq!(
            row["traffic_data"]["features"].as_object().unwrap().len(),
            41,
            "{row}"
        );
        assert!(
            row["threat_prediction"]["prediction_score"].is_number(),
            "{row}"
        );
    }
    let (_, stats) = server.get("/api/v1/predictions/stats");
    assert_eq!(stats["total_predictions"].as_u64(), Some(stored));
    let (_, report) = server.get(&format!("/api/v1/upload/batch/{batch}/report"));
    assert_eq!(
        (&report["status"], &report["rows_scored"]),
        (&Value::from("interrupted"), &Value::from(stored))
    );
}
