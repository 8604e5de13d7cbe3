//! What people say about flows.

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use serde_json::{Value, json};

use crate::harness::{Api, generated, keys};

async fn some_verdicts(api: &Api) -> Vec<Value> {
    api.upload("flows.csv", generated(50)).await;
    let list = api.get("/api/v1/verdicts?limit=50").await.json();
    list["verdicts"].as_array().unwrap().clone()
}

async fn say(api: &Api, body: &Value) -> Value {
    let answer = api.post("/api/v1/labels", &body.to_string()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()
}

#[tokio::test]
async fn a_false_alarm_is_kept_with_what_the_model_said() {
    let api = Api::new();
    let verdicts = some_verdicts(&api).await;
    let threat = verdicts
        .iter()
        .find(|verdict| verdict["threat"]["is_threat"] == true)
        .unwrap();
    let said = say(
        &api,
        &json!({
            "author": "ada", "verdict_id": threat["id"], "is_attack": false,
            "note": "our own scanner",
        }),
    )
    .await;
    assert_eq!(said["labels"][0]["state"], "accepted");
    let list = api
        .get(&format!(
            "/api/v1/labels?verdict_id={}",
            threat["id"].as_str().unwrap()
        ))
        .await
        .json();
    let label = &list["labels"][0];
    assert_eq!(
        (&label["outcome"], &label["author"], &label["note"]),
        (
            &json!("false_alarm"),
            &json!("ada"),
            &json!("our own scanner")
        )
    );
    assert_eq!(label["probability"], threat["threat"]["probability"]);
    assert_eq!(keys(&list), ["labels", "next", "total_count"],);
    // The same author changes their mind; another one does not agree.
    let again = json!({ "author": "ada", "verdict_id": threat["id"], "is_attack": true });
    say(&api, &again).await;
    let other = json!({ "author": "bob", "verdict_id": threat["id"], "is_attack": false });
    say(&api, &other).await;
    let conflicting = api.get("/api/v1/labels?conflicting=true").await.json();
    assert_eq!(conflicting["total_count"], 2, "{conflicting}");
}

#[tokio::test]
async fn labels_come_by_filter_list_and_file() {
    let api = Api::new();
    let verdicts = some_verdicts(&api).await;
    let said = say(
        &api,
        &json!({ "author": "ada", "filter": { "threats_only": true }, "is_attack": true }),
    )
    .await;
    let threats = verdicts
        .iter()
        .filter(|verdict| verdict["threat"]["is_threat"] == true)
        .count();
    assert_eq!(said["labels"].as_array().unwrap().len(), threats);
    let said = say(
        &api,
        &json!({ "author": "bob", "labels": [
            { "verdict_id": verdicts[0]["id"], "is_attack": true, "attack_type": "neptune" },
            { "verdict_id": "00000000-0000-8000-8000-000000000000", "is_attack": true },
            { "verdict_id": verdicts[1]["id"], "is_attack": false, "attack_type": "neptune" },
        ]}),
    )
    .await;
    assert_eq!(said["labels"].as_array().unwrap().len(), 1);
    let refused = said["refused"].as_array().unwrap();
    assert_eq!(
        refused.iter().map(|one| &one["row"]).collect::<Vec<_>>(),
        [2, 3]
    );
    assert!(
        refused[0]["reason"]
            .as_str()
            .unwrap()
            .contains("no verdict")
    );
    let csv = format!(
        "verdict_id,is_attack,note\n{},true,seen\n{},0,\n",
        verdicts[2]["id"].as_str().unwrap(),
        verdicts[3]["id"].as_str().unwrap()
    );
    let request = Request::post("/api/v1/labels/csv?author=eve")
        .header("content-type", "text/csv")
        .body(Body::from(csv))
        .unwrap();
    let said = api.send(request).await;
    assert_eq!(said.status, StatusCode::OK, "{}", said.text);
    assert_eq!(said.json()["labels"].as_array().unwrap().len(), 2);
    let export = api.get("/api/v1/labels/export?author=eve").await;
    assert_eq!(export.text.lines().count(), 3, "{}", export.text);
    assert!(export.text.starts_with("id,verdict_id,is_attack"));
}

#[tokio::test]
async fn a_second_person_reviews() {
    let api = Api::new();
    let verdicts = some_verdicts(&api).await;
    let said = say(
        &api,
        &json!({ "author": "ada", "verdict_id": verdicts[0]["id"], "is_attack": true }),
    )
    .await;
    let path = format!("/api/v1/labels/{}", said["labels"][0]["id"]);
    let own = api
        .patch(&path, r#"{"state":"accepted","actor":"ada"}"#)
        .await;
    assert_eq!(own.status, StatusCode::CONFLICT);
    let reviewed = api
        .patch(
            &path,
            r#"{"state":"quarantined","actor":"bob","reason":"odd"}"#,
        )
        .await
        .json();
    assert_eq!(
        (
            &reviewed["state"],
            &reviewed["reviewed_by"],
            &reviewed["state_reason"]
        ),
        (&json!("quarantined"), &json!("bob"), &json!("odd"))
    );
    let back = api
        .patch(&path, r#"{"state":"rejected","actor":"ada"}"#)
        .await;
    assert_eq!(back.status, StatusCode::OK);
    assert_eq!(
        api.patch(
            "/api/v1/labels/999",
            r#"{"state":"rejected","actor":"ada"}"#
        )
        .await
        .status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn what_cannot_be_a_label_is_refused() {
    let api = Api::new();
    let verdicts = some_verdicts(&api).await;
    for (body, reason) in [
        (json!({}), "author"),
        (
            json!({ "author": " ", "verdict_id": "x", "is_attack": true }),
            "'author' is empty",
        ),
        (
            json!({ "author": "a\u{0}b", "verdict_id": "x", "is_attack": true }),
            "control",
        ),
        (json!({ "author": "ada" }), "exactly one"),
        (
            json!({ "author": "ada", "verdict_id": verdicts[0]["id"] }),
            "'is_attack' is missing",
        ),
        (
            json!({ "author": "ada", "filter": {}, "is_attack": true }),
            "no condition",
        ),
        (
            json!({ "author": "ada", "verdict_id": "x", "is_attack": true }),
            "no identifier",
        ),
        (
            json!({ "author": "ada", "verdict_id": verdicts[0]["id"], "is_attack": true,
                "attack_type": "normal" }),
            "no attack",
        ),
        (
            json!({ "author": "ada", "verdict_id": verdicts[0]["id"], "is_attack": true,
                "note": "n".repeat(5000) }),
            "'note' has 5000 bytes",
        ),
        (json!({ "author": "ada", "oracle": 1 }), "unknown field"),
    ] {
        let answer = api.post("/api/v1/labels", &body.to_string()).await;
        assert_eq!(
            answer.status,
            StatusCode::BAD_REQUEST,
            "{body}: {}",
            answer.text
        );
        assert!(
            answer.detail().contains(reason),
            "{body}: {}",
            answer.detail()
        );
    }
    for (csv, reason) in [
        ("", "'verdict_id' is missing"),
        ("verdict_id,is_attack\n", "no label"),
        ("verdict_id\nx\n", "'is_attack' is missing"),
        ("verdict_id,is_attack,oracle\n", "unknown column 'oracle'"),
        (
            "verdict_id,is_attack\nx,maybe\n",
            "line 2, column 'is_attack'",
        ),
    ] {
        let request = Request::post("/api/v1/labels/csv?author=eve")
            .body(Body::from(csv))
            .unwrap();
        let answer = api.send(request).await;
        assert_eq!(
            answer.status,
            StatusCode::BAD_REQUEST,
            "{csv}: {}",
            answer.text
        );
        assert!(
            answer.detail().contains(reason),
            "{csv}: {}",
            answer.detail()
        );
    }
}
