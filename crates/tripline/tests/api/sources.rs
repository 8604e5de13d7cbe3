//! Sources that run by themselves: the origin's switches, and a real capture behind one of them.

use std::{process::Command, sync::Arc};

use axum::http::StatusCode;
use serde_json::{Value, json};
use tripline_store::SqliteStore;

use crate::{
    harness::{Api, keys, shipped_models},
    live::send_here,
    namespace::{Namespace, terminate},
    server::Server,
};

const SOURCES: &str = "/api/v1/config/sources";
const CAPTURE: &str = "/api/v1/config/sources/packet_capture";
const INSIDE: &str = "TRIPLINE_TEST_INSIDE";

#[tokio::test]
async fn the_sources_have_the_documented_fields_and_are_off() {
    let api = Api::new();
    let sources = api.get(SOURCES).await.json();
    let names: Vec<&str> = sources
        .as_array()
        .unwrap()
        .iter()
        .map(|source| source["source_name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["packet_capture", "external_kafka", "internal_kafka"]
    );
    for source in sources.as_array().unwrap() {
        assert_eq!(
            keys(source),
            [
                "config_params",
                "description",
                "id",
                "is_enabled",
                "source_name",
                "state",
                "updated_at"
            ]
        );
        assert_eq!(source["is_enabled"], false);
        let state = &source["state"];
        assert_eq!(
            (&state["status"], &state["frames"]),
            (&json!("stopped"), &json!(0))
        );
        let name = source["source_name"].as_str().unwrap();
        assert_eq!(api.get(&format!("{SOURCES}/{name}")).await.json(), *source);
    }
    assert_eq!(
        sources[0]["config_params"],
        json!({
            "interface": "any", "buffer_size": 1000, "snaplen": 262_144, "bpf": null,
            "promiscuous": false, "early_packets": 20, "early_seconds": 12.0,
            "max_memory_mb": 128,
        })
    );
    assert_eq!(
        sources[1]["config_params"],
        json!({ "topic": "external-traffic" })
    );
    let health = api.get("/api/v1/health/detailed").await.json();
    let shown = &health["checks"]["sources"]["packet_capture"];
    assert_eq!(
        (&shown["status"], &shown["enabled"]),
        (&json!("stopped"), &json!(false))
    );
    assert_eq!(health["status"], "healthy");
    let missing = api.get(&format!("{SOURCES}/carrier_pigeon")).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_change_that_cannot_be_is_named_and_changes_nothing() {
    let api = Api::new();
    let before = api.get(SOURCES).await.json();
    for (path, body, status, part) in [
        (CAPTURE, "{}", 422, "is_enabled is missing"),
        (CAPTURE, "yes", 400, "no JSON object"),
        (
            CAPTURE,
            r#"{"is_enabled":"on"}"#,
            422,
            "expected true or false",
        ),
        (
            CAPTURE,
            r#"{"is_enabled":false,"enabled":true}"#,
            400,
            "no 'enabled'",
        ),
        (
            CAPTURE,
            r#"{"is_enabled":false,"config_params":[]}"#,
            422,
            "no object",
        ),
        (
            CAPTURE,
            r#"{"is_enabled":false,"config_params":{"speed":1}}"#,
            400,
            "config_params has no 'speed'; it has interface",
        ),
        (
            CAPTURE,
            r#"{"is_enabled":false,"config_params":{"snaplen":3}}"#,
            422,
            "config_params.snaplen is 3, expected a whole number from 64 to 262144",
        ),
        (
            "/api/v1/config/sources/internal_kafka",
            r#"{"is_enabled":true}"#,
            409,
            "cannot be switched here: it is switched by the server's options",
        ),
        (
            "/api/v1/config/sources/external_kafka",
            r#"{"is_enabled":false,"config_params":{"topic":7}}"#,
            422,
            "config_params.topic is 7",
        ),
        (
            "/api/v1/config/sources/none",
            r#"{"is_enabled":false}"#,
            404,
            "not found",
        ),
    ] {
        let answer = api.patch(path, body).await;
        assert_eq!(answer.status.as_u16(), status, "{body}: {}", answer.text);
        assert!(
            answer.detail().contains(part),
            "{body}: {}",
            answer.detail()
        );
    }
    assert_eq!(api.get(SOURCES).await.json(), before);
}

#[tokio::test]
async fn an_interface_that_is_not_there_leaves_the_source_off() {
    let api = Api::new();
    let body = r#"{"is_enabled":true,"config_params":{"interface":"nothing0"}}"#;
    let answer = api.patch(CAPTURE, body).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
    assert!(
        answer.detail().contains("no interface 'nothing0'"),
        "{}",
        answer.detail()
    );
    let source = api.get(CAPTURE).await.json();
    assert_eq!(
        (&source["is_enabled"], &source["state"]["status"]),
        (&json!(false), &json!("failed"))
    );
    assert_eq!(source["config_params"]["interface"], "any");
    let off = api.patch(CAPTURE, r#"{"is_enabled":false}"#).await.json();
    assert_eq!(off["state"]["status"], "stopped");
}

#[tokio::test]
async fn values_are_kept_with_the_database() {
    let store = Arc::new(SqliteStore::open_in_memory().unwrap());
    let models = shipped_models();
    let api = Api::on(Arc::clone(&store) as _, &models);
    let body = r#"{"is_enabled":false,"config_params":{"snaplen":96,"bpf":"tcp"}}"#;
    let changed = api.patch(CAPTURE, body).await.json();
    assert_eq!(changed["config_params"]["snaplen"], 96);
    let again = Api::on(store, &models).get(CAPTURE).await.json();
    for key in ["id", "config_params", "updated_at"] {
        assert_eq!(again[key], changed[key], "{key}");
    }
}

#[test]
fn an_interface_of_the_command_line_has_to_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tripline"))
        .args(["serve", "--listen", "127.0.0.1:0", "--capture", "nothing0"])
        .arg("--data-dir")
        .arg(folder.path())
        .arg("--models-dir")
        .arg(shipped_models())
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("no interface 'nothing0'"), "{words}");
}

#[test]
fn a_configured_interface_is_captured() {
    if let Some(namespace) = Namespace::new("a configured interface") {
        namespace.run_test("sources::captures_inside", INSIDE, "1");
    }
}

#[test]
fn an_interface_that_comes_back_is_captured_again() {
    if let Some(namespace) = Namespace::new("an interface that comes back") {
        namespace.run_test("sources::retries_inside", INSIDE, "1");
    }
}

/// Whether this is the process in the namespace; run as tests its tasks do nothing.
fn is_inside() -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests have no other place for settings"
    )]
    std::env::var(INSIDE).is_ok()
}

fn wait_for(server: &Server, is_there: impl Fn(&Value) -> bool) -> Value {
    loop {
        let (status, source) = server.get(CAPTURE);
        assert_eq!(status, 200, "{source}");
        if is_there(&source["state"]) {
            return source;
        }
        std::thread::yield_now();
    }
}

fn check_books(source: &Value) {
    let count = |key: &str| source["state"][key].as_u64().unwrap();
    assert_eq!(
        count("frames"),
        count("packets") + count("not_decoded") + count("dropped_queue"),
        "{source}"
    );
}

fn verdicts(server: &Server) -> Vec<Value> {
    let (_, page) = server.get("/api/v1/verdicts?source=packet_capture&limit=1000");
    page["verdicts"].as_array().unwrap().clone()
}

fn ids(verdicts: &[Value]) -> Vec<String> {
    let mut ids: Vec<String> = verdicts
        .iter()
        .map(|verdict| verdict["id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort_unstable();
    ids
}

#[test]
fn captures_inside() {
    if !is_inside() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path(), &shipped_models());
    // The filter keeps the requests of this test out.
    let on = json!({
        "is_enabled": true,
        "config_params": { "interface": "lo", "bpf": "tcp port 8080", "early_packets": 5 },
    });
    let (status, source) = server.patch(CAPTURE, &on);
    assert_eq!(
        (status, &source["state"]["status"]),
        (200, &json!("running")),
        "{source}"
    );
    send_here("4 0");
    wait_for(&server, |state| state["verdicts"] == 4);
    let early = verdicts(&server);
    assert_eq!(early.len(), 4);
    assert!(
        early
            .iter()
            .all(|verdict| verdict["flow"]["stage"] == "early")
    );
    assert!(early.iter().all(|verdict| verdict["batch_id"].is_null()));

    // Switched off, every flow has its last verdict in the place of its early one.
    let (status, source) = server.patch(CAPTURE, &json!({ "is_enabled": false }));
    assert_eq!(
        (status, &source["state"]["status"]),
        (200, &json!("stopped")),
        "{source}"
    );
    check_books(&source);
    assert_eq!(
        (&source["state"]["flows"], &source["state"]["verdicts"]),
        (&json!(4), &json!(4))
    );
    let last = verdicts(&server);
    assert_eq!(ids(&last), ids(&early));
    for verdict in &last {
        let flow = &verdict["flow"];
        assert_eq!(
            (
                &flow["stage"],
                flow["end_reason"].is_string(),
                &flow["bytes_backward"]
            ),
            (&json!("final"), true, &json!(5000))
        );
    }
    let (_, stats) = server.get("/api/v1/predictions/stats");
    assert_eq!(stats["total_predictions"], 4);

    // The end of the process is an end of the capture, and what was on is on again.
    let (status, _) = server.patch(CAPTURE, &json!({ "is_enabled": true }));
    assert_eq!(status, 200);
    send_here("2 0");
    wait_for(&server, |state| {
        state["packets"].as_u64() > source["state"]["packets"].as_u64()
    });
    terminate(server.child.id());
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
    let server = Server::start(folder.path(), &shipped_models());
    let source = wait_for(&server, |state| state["status"] == "running");
    assert_eq!(source["is_enabled"], true);
    let all = verdicts(&server);
    assert_eq!(all.len(), 6);
    assert!(
        all.iter()
            .all(|verdict| verdict["flow"]["stage"] == "final")
    );
}

#[test]
fn retries_inside() {
    if !is_inside() {
        return;
    }
    let ip = |arguments: &[&str]| {
        let output = Command::new("ip").args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    };
    ip(&["link", "add", "v0", "type", "veth", "peer", "name", "v1"]);
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &shipped_models());
    let on = json!({ "is_enabled": true, "config_params": { "interface": "v0" } });
    // It is there, but down.
    let (status, refused) = server.patch(CAPTURE, &on);
    assert_eq!(status, 409, "{refused}");
    for link in ["v0", "v1"] {
        ip(&["link", "set", link, "up"]);
    }
    let (status, source) = server.patch(CAPTURE, &on);
    assert_eq!(status, 200, "{source}");
    ip(&["link", "set", "v0", "down"]);
    let source = wait_for(&server, |state| state["status"] == "retrying");
    assert_eq!(source["is_enabled"], true);
    assert!(source["state"]["message"].is_string(), "{source}");
    let (_, health) = server.get("/api/v1/health/detailed");
    assert_eq!(
        (
            &health["status"],
            &health["checks"]["sources"]["packet_capture"]["status"]
        ),
        (&json!("degraded"), &json!("retrying"))
    );
    ip(&["link", "set", "v0", "up"]);
    let source = wait_for(&server, |state| state["status"] == "running");
    check_books(&source);
}
