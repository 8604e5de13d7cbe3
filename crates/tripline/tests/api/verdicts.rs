//! Verdicts, their reasons, and lists of them.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Api, generated};

const FLOOD: &str = r#"{"service":"private","flag":"S0","src_bytes":0,"dst_bytes":0,"count":250,
    "same_srv_rate":0.03,"diff_srv_rate":0.07,"dst_host_srv_count":10,
    "dst_host_same_srv_rate":0.04,"dst_host_same_src_port_rate":0}"#;

#[tokio::test]
async fn a_single_score_says_what_how_sure_and_why() {
    let api = Api::new();
    let answer = api.score("", FLOOD).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let verdict = answer.json();
    assert_eq!(
        (&verdict["schema"], &verdict["source"]),
        (&json!("nsl-kdd"), &json!("realtime"))
    );
    assert_eq!(verdict["threat"]["is_threat"], true);
    let probability = verdict["threat"]["probability"].as_f64().unwrap();
    assert!(probability >= verdict["threat"]["threshold"].as_f64().unwrap());
    assert_eq!(verdict["attack"]["class"], "DoS");
    assert_eq!(verdict["reasons"].as_array().unwrap().len(), 5);
    let id = verdict["id"].as_str().unwrap();
    let stored = api.get(&format!("/api/v1/predictions/{id}")).await.json();
    assert_eq!(
        stored["threat_prediction"]["prediction_score"],
        verdict["threat"]["probability"]
    );
}

#[tokio::test]
async fn nothing_is_stored_when_that_is_asked_for() {
    let api = Api::new();
    let verdict = api.score("?store=false&reasons=2", FLOOD).await.json();
    assert_eq!(
        (&verdict["id"], &verdict["created_at"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(verdict["reasons"].as_array().unwrap().len(), 2);
    assert_eq!(
        api.get("/api/v1/predictions/stats").await.json()["total_predictions"],
        0
    );
}

#[tokio::test]
async fn a_list_is_judged_row_by_row() {
    let api = Api::new();
    let body = format!(r#"{{"rows":[{FLOOD},{{"service":"no such"}},{{"features":{FLOOD}}},7]}}"#);
    let answer = api.score("", &body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let answer = answer.json();
    let places = |key: &str| -> Vec<u64> {
        let items = answer[key].as_array().unwrap();
        items
            .iter()
            .map(|item| item["row"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(
        (places("verdicts"), places("rejections")),
        (vec![1, 3], vec![2, 4])
    );
    assert_eq!(
        (&answer["rows_scored"], &answer["rows_rejected"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(
        answer["verdicts"][0]["threat"],
        answer["verdicts"][1]["threat"]
    );
    let plain = api.score("", &format!("[{FLOOD}]")).await.json();
    assert_eq!(plain["rows_scored"], 1);
}

#[tokio::test]
async fn names_and_indices_of_categories_are_the_same() {
    let api = Api::new();
    let by_name = api.score("?store=false", FLOOD).await.json();
    let by_index = FLOOD.replace("\"private\"", "49").replace("\"S0\"", "5");
    let by_index = api.score("?store=false", &by_index).await.json();
    assert_eq!(by_name["threat"], by_index["threat"]);
    assert_eq!(by_name["reasons"], by_index["reasons"]);
}

#[tokio::test]
async fn an_explanation_adds_up_to_its_margin() {
    let api = Api::new();
    assert_eq!(
        api.upload("generated.csv", generated(60)).await.status,
        StatusCode::OK
    );
    let page = api.get("/api/v1/verdicts?limit=60").await.json();
    let mut classified = 0;
    for verdict in page["verdicts"].as_array().unwrap() {
        let id = verdict["id"].as_str().unwrap();
        let explained = api.get(&format!("/api/v1/predictions/{id}/explain")).await;
        assert_eq!(explained.status, StatusCode::OK, "{}", explained.text);
        let explained = explained.json();
        assert_eq!(explained["features"].as_array().unwrap().len(), 41);
        assert_eq!(explained["verdict"]["id"], verdict["id"]);
        let stages = explained["stages"].as_array().unwrap();
        classified += stages.len() - 1;
        for stage in stages {
            let parts = stage["contributions"].as_array().unwrap();
            let sum: f64 = parts
                .iter()
                .map(|part| part["contribution"].as_f64().unwrap())
                .sum();
            let margin = stage["margin"].as_f64().unwrap();
            let gap = (stage["base_value"].as_f64().unwrap() + sum - margin).abs();
            assert!(gap < 1e-9, "{gap}: {stage}");
        }
        // What was stored with the verdict are the strongest of these, in their order.
        let strongest = &stages[0]["contributions"][0]["feature"];
        assert_eq!(&verdict["reasons"][0]["feature"], strongest);
        let probability = stages[0]["probability"].as_f64().unwrap();
        assert!((probability - verdict["threat"]["probability"].as_f64().unwrap()).abs() < 1e-9);
    }
    assert!(classified > 0, "no threat was among the generated records");
    let missing = api.get("/api/v1/predictions/nothing/explain").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn lists_are_filtered_before_they_are_cut() {
    let api = Api::new();
    assert_eq!(
        api.upload("generated.csv", generated(300)).await.status,
        StatusCode::OK
    );
    let (mut ids, mut before) = (Vec::new(), String::new());
    loop {
        let page = api
            .get(&format!(
                "/api/v1/verdicts?limit=20&threats_only=true{before}"
            ))
            .await
            .json();
        for verdict in page["verdicts"].as_array().unwrap() {
            assert_eq!(verdict["threat"]["is_threat"], true);
            ids.push(verdict["id"].as_str().unwrap().to_owned());
        }
        match page["next"].as_str() {
            Some(next) => before = format!("&before={next}"),
            None => break,
        }
    }
    let found = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), found, "a verdict was listed twice");
    let stats = api.get("/api/v1/predictions/stats").await.json();
    assert_eq!(stats["total_attacks"], found);
    let timeline = api.get("/api/v1/stats/timeline").await.json();
    let total = |key: &str| -> u64 {
        timeline["points"]
            .as_array()
            .unwrap()
            .iter()
            .map(|point| point[key].as_u64().unwrap())
            .sum()
    };
    assert_eq!((total("total"), total("threats")), (300, found as u64));
}
