//! A model is trained anew from labels, by a process of its own, and whatever is killed meanwhile.

use std::{ffi::OsStr, io::Write, path::Path, process::Command};

use serde_json::{Value, json};

use crate::{
    harness::generated,
    server::{Server, answer, form_tail},
};

const MODEL: &str = "nsl-kdd-detector-origin-v1";

/// Original training data in a folder, and a model that was trained on them in another.
fn trained(folder: &Path) {
    let data = folder.join("data/nsl-kdd");
    std::fs::create_dir_all(&data).unwrap();
    let mut text = Vec::new();
    tripline_features::synthetic::write_csv(11, 1500, &mut text).unwrap();
    let compressed = zstd::encode_all(text.as_slice(), 3).unwrap();
    std::fs::write(data.join("KDDTrain+.txt.zst"), compressed).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tripline"))
        .args(["train", "--model", MODEL, "--data"])
        .arg(folder.join("data"))
        .arg("-o")
        .arg(folder.join("models"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn serve(folder: &Path) -> Server {
    let data = folder.join("data");
    Server::start_with(
        &folder.join("store"),
        &folder.join("models"),
        &[OsStr::new("--training-data"), data.as_os_str()],
    )
}

/// Stores generated records, and says truly of each whether it is an attack.
fn label_truly(server: &Server, rows: usize) {
    let text = generated(rows);
    let mut stream = server.begin_upload("", "flows.csv", text.len());
    stream.write_all(text.as_bytes()).unwrap();
    stream.write_all(form_tail().as_bytes()).unwrap();
    let (status, uploaded) = answer(&mut stream);
    assert_eq!(status, 200, "{uploaded}");
    let (_, page) = server.get(&format!(
        "/api/v1/verdicts?limit=1000&batch_id={}",
        uploaded["batch_id"].as_str().unwrap()
    ));
    let labels: Vec<Value> = page["verdicts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|verdict| {
            json!({ "verdict_id": verdict["id"], "is_attack": verdict["label"] != "normal" })
        })
        .collect();
    let (status, said) = server.post(
        "/api/v1/labels",
        &json!({ "author": "ada", "labels": labels }),
    );
    assert_eq!(status, 200, "{said}");
}

fn wait(server: &Server, finished: usize) -> Value {
    loop {
        let (_, list) = server.get("/api/v1/retraining");
        if list["finished"].as_array().unwrap().len() >= finished {
            return list["finished"][0].clone();
        }
        std::thread::yield_now();
    }
}

fn active(server: &Server) -> Value {
    let (_, list) = server.get("/api/v1/models?stage=active");
    list["models"][0].clone()
}

#[test]
fn a_retraining_survives_whatever_is_killed_and_makes_the_same_model_again() {
    let folder = tempfile::tempdir().unwrap();
    trained(folder.path());
    let mut server = serve(folder.path());
    let champion = active(&server);
    let order = json!({ "model_id": champion["id"], "actor": "ada", "reason": "new labels" });
    let (status, refused) = server.post("/api/v1/retraining", &order);
    assert_eq!(status, 409, "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("0 labels fit"));
    label_truly(&server, 400);
    // Any version that is measured may pass: what is tested here is the way.
    let (status, rules) = server.patch(
        "/api/v1/monitoring/rules",
        &json!({ "retrain": { "gate": { "f1_loss": 1.0, "recall_loss": 1.0,
            "false_positive_gain": 1.0, "calibration_loss": 1.0, "robust_loss": 1.0,
            "latency_ratio": 100.0, "backdoor": 1.0 } } }),
    );
    assert_eq!(status, 200, "{rules}");
    let (status, job) = server.post("/api/v1/retraining", &order);
    assert_eq!(status, 202, "{job}");
    let (status, busy) = server.post("/api/v1/retraining", &order);
    assert_eq!(status, 409, "{busy}");
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    drop(server);

    let server = serve(folder.path());
    let finished = wait(&server, 1);
    let made = finished["made_model_id"].as_str();
    assert!(made.is_some(), "{finished}");
    let path = format!("/api/v1/models/{}", made.unwrap());
    let (_, model) = server.get(&path);
    assert_eq!(
        (&model["origin"], &model["stage"], &model["parent_id"]),
        (&json!("retrained"), &json!("shadow"), &champion["id"])
    );
    let (_, report) = server.get(&format!("{path}/report"));
    let record = &report["retraining"]["record"];
    assert_eq!(
        record["labels"].as_array().unwrap().len() as u64,
        report["retraining"]["labels_used"]
    );
    assert!(report["retraining"]["gate"]["passes"].as_bool().unwrap());
    assert_eq!(record["base"][0]["name"], "KDDTrain+.txt.zst");
    let jobs = folder.path().join("store/retraining");
    assert_eq!(std::fs::read_dir(&jobs).unwrap().count(), 0);

    // The same data, labels and seed give the same version.
    let (status, job) = server.post("/api/v1/retraining", &order);
    assert_eq!(status, 202, "{job}");
    let again = wait(&server, 2);
    assert_eq!(again["made_model_id"], finished["made_model_id"], "{again}");
}
