//! Models that somebody trusted has signed, and what becomes of the others; and models whose bytes
//! are not those that were let in.

use axum::http::StatusCode;
use minisign::KeyPair;
use serde_json::{Value, json};
use tripline::registry::{AdmissionRules, Unsigned};
use tripline_detect::signature::TrustList;

use crate::{
    harness::{Api, shipped_models, variant},
    server::Server,
};

const MODEL: &str = "nsl-kdd-detector-ten-v1";

fn bundle() -> Vec<u8> {
    variant(MODEL, |bundle| {
        bundle.manifest.description = String::from("signed by somebody");
    })
}

fn sign(keys: &KeyPair, bytes: &[u8]) -> String {
    minisign::sign(None, &keys.sk, bytes, Some("model of a test"), None)
        .unwrap()
        .into_string()
}

fn trusting(keys: &KeyPair, unsigned: Unsigned) -> Api {
    let text = keys.pk.to_box().unwrap().to_string();
    Api::on_memory(AdmissionRules {
        trust: TrustList::parse(&text).unwrap(),
        unsigned,
        ..AdmissionRules::default()
    })
}

async fn activate(api: &Api, model: &Value) -> StatusCode {
    let path = format!("/api/v1/models/{}/activate", model["id"].as_str().unwrap());
    api.post(&path, "{}").await.status
}

#[tokio::test]
async fn a_trusted_signature_opens_what_is_closed_to_others() {
    let ours = KeyPair::generate_unencrypted_keypair().unwrap();
    let theirs = KeyPair::generate_unencrypted_keypair().unwrap();
    let bytes = bundle();
    let kind = ("model_type", "threat_detector");
    let api = trusting(&ours, Unsigned::Refused);

    let plain = api.upload_model("m.tripline", &bytes, &[kind]).await;
    assert_eq!(plain.status, StatusCode::BAD_REQUEST, "{}", plain.text);
    let strange = sign(&theirs, &bytes);
    let fields = [kind, ("signature", strange.as_str())];
    let strange = api.upload_model("m.tripline", &bytes, &fields).await;
    assert_eq!(strange.status, StatusCode::BAD_REQUEST, "{}", strange.text);
    // The signature of other bytes by a trusted key.
    let of_others = sign(&ours, b"something else");
    let fields = [kind, ("signature", of_others.as_str())];
    let moved = api.upload_model("m.tripline", &bytes, &fields).await;
    assert_eq!(moved.status, StatusCode::BAD_REQUEST, "{}", moved.text);

    let good = sign(&ours, &bytes);
    let fields = [kind, ("signature", good.as_str())];
    let answer = api.upload_model("m.tripline", &bytes, &fields).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let model = answer.json();
    assert_eq!(model["signature"]["trusted"], true, "{model}");
    assert_eq!(model["signature"]["comment"], "model of a test");
    assert_eq!(activate(&api, &model).await, StatusCode::OK);
}

#[tokio::test]
async fn without_one_a_model_can_be_kept_to_the_shadow() {
    let ours = KeyPair::generate_unencrypted_keypair().unwrap();
    let api = trusting(&ours, Unsigned::Shadow);
    let kind = [("model_type", "threat_detector")];
    let answer = api.upload_model("m.tripline", &bundle(), &kind).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let model = answer.json();
    assert!(activate(&api, &model).await.is_client_error());
    let path = format!("/api/v1/models/{}/stage", model["id"].as_str().unwrap());
    for (body, is_let) in [
        (json!({ "stage": "canary", "share": 0.1 }), false),
        (json!({ "stage": "shadow" }), true),
    ] {
        let answer = api.post(&path, &body.to_string()).await;
        assert_eq!(
            answer.status.is_success(),
            is_let,
            "{body}: {}",
            answer.text
        );
    }
}

/// Somebody changes a byte of a model in the database's file: the model that judges goes on, and the
/// altered one is refused by name.
#[test]
fn a_model_that_was_altered_on_disk_is_not_activated() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let id = {
        let server = Server::start(&data, &shipped_models());
        let (_, list) = server.get("/api/v1/models?include_inactive=true");
        let origin = list["models"]
            .as_array()
            .unwrap()
            .iter()
            .find(|model| model["name"] == "nsl-kdd-detector-origin-v1")
            .unwrap();
        origin["id"].as_str().unwrap().to_owned()
    };
    let database = std::fs::read_dir(&data)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|ending| ending == "db"))
        .unwrap();
    let connection = rusqlite::Connection::open(database).unwrap();
    let changed = connection
        .execute(
            "UPDATE model_blobs SET bytes = CAST(substr(bytes, 1, 500) || x'00' || substr(bytes, 502) AS BLOB)
             WHERE digest = (SELECT digest FROM models WHERE name = 'nsl-kdd-detector-origin-v1')",
            [],
        )
        .unwrap();
    assert_eq!(changed, 1);
    drop(connection);

    // Without the folder that could bring the bytes again.
    let empty = folder.path().join("models");
    std::fs::create_dir(&empty).unwrap();
    let server = Server::start(&data, &empty);
    let before = active_of(&server);
    let (status, answer) = server.post(&format!("/api/v1/models/{id}/activate"), &json!({}));
    assert_eq!(status, 409, "{answer}");
    assert!(
        answer["detail"].as_str().unwrap().contains("were altered"),
        "{answer}"
    );
    assert_eq!(active_of(&server), before);
}

fn active_of(server: &Server) -> Vec<String> {
    let (_, list) = server.get("/api/v1/models");
    let mut ids: Vec<String> = list["models"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|model| model["is_active"] == true)
        .map(|model| model["id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}
