//! Captures that are uploaded: flows with verdicts, and what becomes of damaged ones.

use std::io::Write;

use axum::http::StatusCode;
use serde_json::{Value, json};
use tripline_traffic::TrafficPlan;

use crate::{
    harness::{
        Answer, Api, generated, generated_capture, keys, public_data, shipped_models, small_plan,
    },
    server::Server,
};

const CAPTURE: &str = "/api/v1/upload/capture";

const FLOW_KEYS: [&str; 18] = [
    "bytes_backward",
    "bytes_forward",
    "community_id",
    "connection",
    "dst_ip",
    "dst_port",
    "duration_seconds",
    "end",
    "end_reason",
    "flow_id",
    "packets_backward",
    "packets_forward",
    "protocol",
    "service",
    "src_ip",
    "src_port",
    "stage",
    "start",
];

/// Uploads a capture and waits for its report.
async fn report_of(api: &Api, name: &str, content: impl AsRef<[u8]>) -> Value {
    let answer = api.upload_to(CAPTURE, name, content).await;
    finished(api, &answer).await
}

/// Waits for the job of an answer and gives its report.
async fn finished(api: &Api, answer: &Answer) -> Value {
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
    let accepted = answer.json();
    let job = accepted["status_url"].as_str().unwrap();
    loop {
        let job = api.get(job).await.json();
        if job["status"] != "running" {
            break;
        }
        tokio::task::yield_now().await;
    }
    let report = api.get(accepted["report_url"].as_str().unwrap()).await;
    report.json()
}

async fn total(api: &Api) -> u64 {
    let stats = api.get("/api/v1/predictions/stats").await.json();
    stats["total_predictions"].as_u64().unwrap()
}

#[tokio::test]
async fn a_capture_becomes_flows_with_verdicts_and_explanations() {
    let api = Api::new();
    let (capture, packets) = generated_capture(&small_plan());
    let report = report_of(&api, "office.pcap", &capture).await;
    assert_eq!(report["status"], "complete", "{report}");
    let flows = report["rows_scored"].as_u64().unwrap();
    assert!(
        flows > 100 && report["threats"].as_u64().unwrap() > 0,
        "{report}"
    );
    assert_eq!(
        report["capture"],
        json!({
            "frames": packets, "packets": packets, "flows": flows, "not_decoded": {},
            "cut_short": 0, "evicted": 0,
            "fragments": { "seen": 0, "orphans": 0, "overlapping": 0 },
        })
    );
    assert_eq!(total(&api).await, flows);

    let batch = report["batch_id"].as_str().unwrap();
    let page = api
        .get(&format!(
            "/api/v1/verdicts?limit=1000&batch_id={batch}&source=packet_capture"
        ))
        .await
        .json();
    let verdicts = page["verdicts"].as_array().unwrap();
    let mut packets_of_flows = 0;
    for verdict in verdicts {
        assert_eq!(verdict["source"], "packet_capture");
        let flow = &verdict["flow"];
        assert_eq!(keys(flow), FLOW_KEYS);
        assert_eq!(
            (&flow["stage"], flow["end_reason"].is_string()),
            (&json!("final"), true)
        );
        assert!(
            flow["start"]
                .as_str()
                .unwrap()
                .starts_with("2026-01-05T09:"),
            "{flow}"
        );
        packets_of_flows += flow["packets_forward"].as_u64().unwrap();
        packets_of_flows += flow["packets_backward"].as_u64().unwrap();
    }
    if (flows as usize) == verdicts.len() {
        assert_eq!(packets_of_flows, packets);
    }
    // The explanations are those of the deciding models, like a row's.
    for verdict in verdicts.iter().take(40) {
        let id = verdict["id"].as_str().unwrap();
        let explained = api
            .get(&format!("/api/v1/predictions/{id}/explain"))
            .await
            .json();
        assert_eq!(explained["flow"], verdict["flow"]);
        check_timeline(&explained);
        check_opinions(&explained);
    }
    let origin = api
        .get(&format!("/api/v1/upload/batch/{batch}?limit=1"))
        .await
        .json();
    let traffic = &origin["predictions"][0]["traffic_data"];
    assert_eq!(traffic["source"], "packet_capture");
    assert_eq!(
        keys(traffic),
        ["batch_id", "created_at", "features", "id", "source"]
    );
}

fn check_timeline(explained: &Value) {
    let flow = &explained["flow"];
    let timeline = explained["timeline"].as_array().unwrap();
    let packets =
        flow["packets_forward"].as_u64().unwrap() + flow["packets_backward"].as_u64().unwrap();
    assert_eq!(timeline.len() as u64, packets.min(32));
    assert_eq!(
        keys(&timeline[0]),
        ["direction", "flags", "offset_seconds", "payload_bytes"]
    );
    assert_eq!(timeline[0]["offset_seconds"], 0.0);
    // A host that talks to itself has one direction.
    let is_local = flow["src_ip"] == flow["dst_ip"];
    if flow["connection"] == "SF" && timeline[0]["flags"] == "S" && !is_local {
        let (first, second) = (&timeline[0], &timeline[1]);
        assert_eq!(
            (&first["direction"], &second["direction"], &second["flags"]),
            (&json!("forward"), &json!("backward"), &json!("SA"))
        );
    }
}

fn check_opinions(explained: &Value) {
    let opinions = explained["opinions"].as_array().unwrap();
    assert!(!opinions.is_empty());
    let verdict = &explained["verdict"];
    let deciding = opinions
        .iter()
        .find(|opinion| opinion["schema"] == verdict["schema"])
        .unwrap();
    assert_eq!(deciding["probability"], verdict["threat"]["probability"]);
    assert_eq!(deciding["is_threat"], verdict["threat"]["is_threat"]);
    assert_eq!(deciding["class"], verdict["attack"]["class"]);
}

#[tokio::test]
async fn a_row_of_a_table_is_no_flow() {
    let api = Api::new();
    api.upload("generated.csv", generated(3)).await;
    let page = api.get("/api/v1/verdicts").await.json();
    let verdict = &page["verdicts"][0];
    assert!(verdict.as_object().unwrap().contains_key("flow") && verdict["flow"].is_null());
    let id = verdict["id"].as_str().unwrap();
    let explained = api
        .get(&format!("/api/v1/predictions/{id}/explain"))
        .await
        .json();
    for key in ["flow", "timeline", "opinions"] {
        assert!(explained[key].is_null(), "{key}");
    }
}

#[tokio::test]
async fn compression_and_chunks_change_nothing() {
    let (capture, _) = generated_capture(&TrafficPlan::benign(3, 20, 3.0));
    let plain = report_of(&Api::new(), "a.cap", &capture).await;
    let packed = zstd::encode_all(&capture[..], 3).unwrap();
    // The content decides, whatever the name says.
    for name in ["a.pcap.zst", "A.PCAPNG", "a.pcap.gz"] {
        let other = report_of(&Api::new(), name, &packed).await;
        assert_eq!(other["capture"], plain["capture"], "{name}");
        assert_eq!(other["threats"], plain["threats"]);
    }
}

#[tokio::test]
async fn a_capture_that_ends_in_the_middle_gives_its_flows_and_the_cause() {
    let (capture, packets) = generated_capture(&small_plan());
    let api = Api::new();
    let report = report_of(&api, "cut.pcap", &capture[..capture.len() - 7]).await;
    assert_eq!(report["status"], "complete");
    let found = &report["capture"];
    assert_eq!(
        (&found["packets"], &found["not_decoded"]),
        (&json!(packets - 1), &json!({ "cut_off": 1 }))
    );
    let notes = report["notes"].to_string();
    assert!(
        notes.contains("the capture ends inside a record"),
        "{notes}"
    );
    assert_eq!(report["rows_scored"], found["flows"]);

    let packed = zstd::encode_all(&capture[..], 3).unwrap();
    let report = report_of(&api, "cut.pcap.zst", &packed[..packed.len() / 2]).await;
    assert_eq!(report["status"], "complete", "{report}");
    assert!(report["rows_scored"].as_u64().unwrap() > 0, "{report}");
    assert_eq!(report["capture"]["not_decoded"], json!({ "cut_off": 1 }));

    // A length that cannot be true: nothing behind it can be found.
    let mut wrong = capture.clone();
    wrong[24 + 8..24 + 12].copy_from_slice(&u32::MAX.to_le_bytes());
    let report = report_of(&api, "wrong.pcap", wrong).await;
    assert_eq!(
        (&report["rows_read"], &report["capture"]["not_decoded"]),
        (&json!(0), &json!({ "bad_record": 1 }))
    );
}

#[tokio::test]
async fn a_capture_of_nothing_is_a_job_without_rows() {
    let (empty, _) = generated_capture(&TrafficPlan::benign(1, 1, 0.0));
    let report = report_of(&Api::new(), "empty.pcap", &empty).await;
    assert_eq!(
        (
            &report["status"],
            &report["rows_read"],
            &report["capture"]["frames"]
        ),
        (&json!("complete"), &json!(0), &json!(0))
    );
}

#[tokio::test]
async fn what_is_no_capture_is_refused_and_leaves_nothing() {
    let api = Api::new();
    let check = |answer: Answer, part: &str| {
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
        assert!(answer.detail().contains(part), "{}", answer.detail());
    };
    let csv = generated(3);
    check(
        api.upload_to(CAPTURE, "flows.pcap", &csv).await,
        "expected pcap, pcapng, or one of them compressed with gzip or Zstandard, found the bytes 64 75",
    );
    check(
        api.upload_to(CAPTURE, "empty.pcap", "").await,
        "it is empty",
    );
    check(
        api.upload_to(CAPTURE, "flows.csv", &csv).await,
        "its name ends in .pcap",
    );
    check(
        api.upload_to(CAPTURE, "flows.gz", &csv).await,
        "its name ends in .pcap",
    );
    check(
        api.upload_to(&format!("{CAPTURE}?mode=list"), "a.pcap", "")
            .await,
        "mode can only be 'job'",
    );
    let (capture, _) = generated_capture(&TrafficPlan::benign(1, 5, 2.0));
    check(api.upload("capture.csv", &capture).await, "not CSV text");
    assert_eq!(total(&api).await, 0);
    let jobs = api.get("/api/v1/jobs").await.json();
    assert_eq!(jobs["jobs"], json!([]));
}

/// Whatever a capture holds, it is a job whose books balance, or it is refused.
#[tokio::test]
async fn damaged_and_crafted_captures_are_jobs_or_refused() {
    let Some(data) = public_data("damaged captures") else {
        return;
    };
    let Ok(folder) = std::fs::read_dir(data.join("captures/nasty")) else {
        eprintln!("skipped: the public data has no captures/nasty");
        return;
    };
    let api = Api::new();
    let (mut jobs, mut flows) = (0, 0);
    for entry in folder {
        let path = entry.unwrap().path();
        let name = format!("{}.pcap", path.file_stem().unwrap().to_string_lossy());
        let content = std::fs::read(&path).unwrap();
        let answer = api.upload_to(CAPTURE, &name, content).await;
        if answer.status == StatusCode::BAD_REQUEST {
            assert!(
                answer.detail().contains("no capture"),
                "{name}: {}",
                answer.detail()
            );
            continue;
        }
        let report = finished(&api, &answer).await;
        assert_eq!(report["status"], "complete", "{name}: {report}");
        let count = |value: &Value| value.as_u64().unwrap();
        let rows = count(&report["rows_read"]);
        let judged = count(&report["rows_scored"]) + count(&report["rows_rejected"]);
        assert_eq!(
            (rows, rows),
            (judged, count(&report["capture"]["flows"])),
            "{name}: {report}"
        );
        jobs += 1;
        flows += count(&report["rows_scored"]);
    }
    assert!(jobs > 0);
    assert_eq!(total(&api).await, flows);
}

#[tokio::test]
async fn an_identifier_is_taken_once() {
    let api = Api::new();
    let path = format!("{CAPTURE}?batch_id=5e0a7f7e-1c2d-4b3a-8f00-123456789abc");
    let (capture, _) = generated_capture(&TrafficPlan::benign(1, 5, 2.0));
    assert_eq!(
        api.upload_to(&path, "a.pcap", &capture).await.status,
        StatusCode::ACCEPTED
    );
    assert_eq!(
        api.upload_to(&path, "a.pcap", &capture).await.status,
        StatusCode::CONFLICT
    );
}

#[test]
fn a_request_that_breaks_off_keeps_its_flows_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &shipped_models());
    let (capture, _) = generated_capture(&small_plan());
    let batch = "5e0a7f7e-1c2d-4b3a-8f00-123456789abd";
    let mut stream = server.begin_upload_to(
        &format!("{CAPTURE}?batch_id={batch}"),
        "half.pcap",
        capture.len(),
    );
    stream.write_all(&capture[..capture.len() / 2]).unwrap();
    drop(stream);
    let job = loop {
        let (status, job) = server.get(&format!("/api/v1/jobs/{batch}"));
        if status == 200 && job["status"] != "running" {
            break job;
        }
        std::thread::yield_now();
    };
    assert_eq!(job["status"], "failed", "{job}");
    let (_, report) = server.get(&format!("/api/v1/upload/batch/{batch}/report"));
    assert!(report["rows_scored"].as_u64().unwrap() > 0, "{report}");
    assert_eq!(report["rows_scored"], report["capture"]["flows"]);
    assert_eq!(report["rows_scored"], job["rows_scored"]);
}

#[test]
fn after_kill_9_the_flows_that_were_stored_are_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path(), &shipped_models());
    let plan = TrafficPlan {
        attacks: small_plan().attacks,
        ..TrafficPlan::benign(7, 120, 20.0)
    };
    let (capture, _) = generated_capture(&plan);
    let batch = "5e0a7f7e-1c2d-4b3a-8f00-123456789abe";
    let mut stream = server.begin_upload_to(
        &format!("{CAPTURE}?batch_id={batch}"),
        "half.pcap",
        capture.len(),
    );
    stream.write_all(&capture[..capture.len() * 3 / 4]).unwrap();
    let path = format!("/api/v1/jobs/{batch}");
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
    assert_eq!(job["status"], "interrupted");
    let stored = job["rows_scored"].as_u64().unwrap();
    assert!(stored > 0);
    let (_, stats) = server.get("/api/v1/predictions/stats");
    assert_eq!(stats["total_predictions"], stored);
    let (_, page) = server.get(&format!("/api/v1/verdicts?batch_id={batch}&limit=1000"));
    let verdicts = page["verdicts"].as_array().unwrap();
    assert_eq!(verdicts.len() as u64, stored.min(1000));
    for verdict in verdicts {
        assert!(verdict["flow"]["flow_id"].is_string(), "{verdict}");
        assert!(verdict["threat"]["probability"].is_number(), "{verdict}");
    }
}
