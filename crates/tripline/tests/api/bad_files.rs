//! Files that are not what they should be: a clear answer, and nothing half stored.

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use serde_json::Value;

use crate::harness::{Api, BOUNDARY, generated, keys};

/// A file that is refused as a whole leaves no verdict behind.
async fn check_refused(name: &str, content: impl AsRef<[u8]>, status: u16, part: &str) {
    let api = Api::new();
    let answer = api.upload(name, content).await;
    assert_eq!(answer.status.as_u16(), status, "{name}: {}", answer.text);
    assert!(
        answer.detail().contains(part),
        "{name}: {}",
        answer.detail()
    );
    assert_eq!(keys(&answer.json()), ["detail"]);
    let stats = api.get("/api/v1/predictions/stats").await.json();
    assert_eq!(stats["total_predictions"], 0, "{name}");
}

#[tokio::test]
async fn a_file_that_is_no_table_is_refused() {
    check_refused("empty.csv", "", 400, "CSV file is empty").await;
    check_refused("blank.csv", "\n\n  \n", 400, "CSV file is empty").await;
    let header = generated(1).lines().next().unwrap().to_owned();
    check_refused("header.csv", header, 400, "CSV file is empty").await;
    check_refused(
        "binary.csv",
        [0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0],
        400,
        "not CSV text",
    )
    .await;
    check_refused(
        "archive.csv",
        b"PK\x03\x04\x14\x00\x00\x00",
        400,
        "CSV validation error",
    )
    .await;
    check_refused(
        "words.csv",
        "colour,taste\nred,sweet\n",
        400,
        "no known schema",
    )
    .await;
    check_refused("notes.txt", "a,b\n1,2\n", 400, "File must be a CSV").await;
    check_refused("", "a,b\n1,2\n", 400, "File must be a CSV").await;
    let odd = generated(3).replace(',', ":");
    check_refused("colons.csv", odd, 400, "separated by").await;
    let wide: Vec<u8> = generated(2)
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    check_refused(
        "wide.csv",
        [&[0xff, 0xfe], wide.as_slice()].concat(),
        400,
        "UTF-16",
    )
    .await;
}

#[tokio::test]
async fn a_file_of_another_shape_is_refused_before_memory_is_taken() {
    let columns: Vec<String> = (0..10_000).map(|index| format!("column{index}")).collect();
    check_refused("wide.csv", columns.join(",") + "\n", 400, "at most").await;
    let huge = "x".repeat(100 << 20);
    check_refused(
        "field.csv",
        format!("duration,protocol_type\n\"{huge}\",tcp\n"),
        400,
        "",
    )
    .await;
    check_refused("header.csv", huge, 400, "").await;
    check_refused("large.csv", "x".repeat(129 << 20), 413, "larger than").await;
}

#[tokio::test]
async fn the_marks_of_editors_change_nothing() {
    let plain = generated(20);
    for (name, content) in [
        ("bom.csv", format!("\u{feff}{plain}")),
        ("crlf.csv", plain.replace('\n', "\r\n")),
        ("semicolons.csv", plain.replace(',', ";")),
        ("tabs.csv", plain.replace(',', "\t")),
    ] {
        let answer = Api::new().upload(name, content).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}: {}", answer.text);
        assert_eq!(answer.json()["total_rows"], 20, "{name}");
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_rejected_alone() {
    let mut lines: Vec<String> = generated(8).lines().map(ToOwned::to_owned).collect();
    let replace = |line: &str, column: usize, cell: &str| {
        let mut cells: Vec<&str> = line.split(',').collect();
        cells[column] = cell;
        cells.join(",")
    };
    lines[2] = replace(&lines[2], 2, "gopher-over-pigeon");
    lines[3] = replace(&lines[3], 4, "-5");
    lines[4] = replace(&lines[4], 28, "1.7");
    lines[5] = "1,2,3".to_owned();
    lines[6] = replace(&lines[6], 4, "=1+1");
    let api = Api::new();
    let answer = api.upload("mixed.csv", lines.join("\n")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let body = answer.json();
    let report = &body["report"];
    assert_eq!(
        (&report["rows_scored"], &report["rows_rejected"]),
        (&Value::from(3), &Value::from(5))
    );
    assert_eq!(
        (
            &body["total_rows"],
            body["predictions"].as_array().unwrap().len()
        ),
        (&Value::from(3), 3)
    );
    let rejections: Vec<(u64, &str, String)> = report["rejections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rejection| {
            let column = rejection["column"].as_str().unwrap_or_default();
            (
                rejection["line"].as_u64().unwrap(),
                column,
                rejection["reason"].to_string(),
            )
        })
        .collect();
    let places: Vec<(u64, &str)> = rejections
        .iter()
        .map(|(line, column, _)| (*line, *column))
        .collect();
    assert_eq!(
        places,
        [
            (3, "service"),
            (4, "src_bytes"),
            (5, "same_srv_rate"),
            (6, ""),
            (7, "src_bytes")
        ]
    );
    assert!(rejections[3].2.contains("3 fields"), "{rejections:?}");
    let batch = body["batch_id"].as_str().unwrap();
    assert_eq!(
        &api.get(&format!("/api/v1/upload/batch/{batch}/report"))
            .await
            .json(),
        report
    );
}

#[tokio::test]
async fn a_file_without_a_usable_row_is_refused_with_the_first_reason() {
    let text = generated(2);
    let mut lines: Vec<&str> = text.lines().collect();
    lines[1] = "1,2,3";
    lines[2] = "nothing";
    check_refused(
        "bad.csv",
        lines.join("\n"),
        400,
        "none of the 2 rows can be read; the first: line 2",
    )
    .await;
}

#[tokio::test]
async fn columns_are_told_that_are_not_used_or_missing() {
    let text = generated(3);
    let doubled: Vec<String> = text
        .lines()
        .map(|line| {
            format!(
                "{line},{}",
                if line.starts_with("duration") {
                    "colour,src_bytes"
                } else {
                    "red,7"
                }
            )
        })
        .collect();
    let answer = Api::new().upload("doubled.csv", doubled.join("\n")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let report = answer.json()["report"].clone();
    assert!(
        report["ignored_columns"].to_string().contains("colour"),
        "{report}"
    );
    let first = &answer.json()["predictions"][0]["traffic_data"]["features"]["src_bytes"];
    assert_ne!(first, &Value::from(7.0), "the first of two columns counts");
    check_refused(
        "few.csv",
        "service,flag,src_bytes,dst_bytes,count,same_srv_rate\n24,9,1,2,3,1\n",
        400,
        "the nearest is",
    )
    .await;
}

#[tokio::test]
async fn a_request_that_is_no_form_is_refused() {
    let api = Api::new();
    let post = |content_type: &str, body: String| {
        Request::post("/api/v1/upload/csv")
            .header("content-type", content_type)
            .body(Body::from(body))
            .unwrap()
    };
    let multipart = format!("multipart/form-data; boundary={BOUNDARY}");
    let other_field = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\nx\r\n--{BOUNDARY}--\r\n"
    );
    let cut_off = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\n{}",
        generated(3)
    );
    for (content_type, body, status, part) in [
        ("text/csv", generated(1), 415, "expected a form"),
        ("application/json", "{}".to_owned(), 415, "expected a form"),
        ("multipart/form-data", String::new(), 400, "boundary"),
        (
            multipart.as_str(),
            format!("--{BOUNDARY}--\r\n"),
            400,
            "no file",
        ),
        (multipart.as_str(), other_field, 400, "no file"),
        (multipart.as_str(), "garbage".to_owned(), 400, "form"),
        (multipart.as_str(), cut_off, 400, "form"),
    ] {
        let answer = api.send(post(content_type, body)).await;
        assert_eq!(
            answer.status.as_u16(),
            status,
            "{content_type}: {}",
            answer.text
        );
        assert!(
            answer.detail().to_lowercase().contains(part),
            "{content_type}: {}",
            answer.detail()
        );
    }
}

#[tokio::test]
async fn a_file_name_is_text_and_no_path() {
    let api = Api::new();
    let answer = api
        .upload("../../..\\etc/cron.d/\u{202e}evil.csv", generated(2))
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.json()["report"]["file_name"], "evil.csv");
}

#[tokio::test]
async fn a_large_file_becomes_a_job() {
    let api = Api::new();
    let answer = api.upload("large.csv", generated(1500)).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
    let body = answer.json();
    let job = api.get(body["status_url"].as_str().unwrap()).await.json();
    assert_eq!(
        (&job["id"], &job["file_name"]),
        (&body["job_id"], &Value::from("large.csv"))
    );
    assert_eq!(
        (&job["status"], &job["rows_scored"]),
        (&Value::from("complete"), &Value::from(1500))
    );
    let report = api.get(body["report_url"].as_str().unwrap()).await.json();
    assert_eq!(report["labelled"]["rows"], 1500);
    let detector = &report["labelled"]["detector"];
    let counts = [
        "true_positive",
        "false_positive",
        "true_negative",
        "false_negative",
    ];
    let sum: u64 = counts
        .iter()
        .map(|name| detector[name].as_u64().unwrap())
        .sum();
    assert_eq!(sum, 1500);
    let batch = body["batch_id"].as_str().unwrap();
    // Page by page every row once.
    let mut lines = Vec::new();
    let mut after = String::new();
    loop {
        let page = api
            .get(&format!("/api/v1/upload/batch/{batch}?limit=600{after}"))
            .await
            .json();
        let rows = page["predictions"].as_array().unwrap();
        lines.extend(rows.iter().map(|row| row["traffic_data"]["id"].to_string()));
        match page["next"].as_u64() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), 1500);
    assert_eq!(
        api.get("/api/v1/jobs").await.json()["jobs"][0]["id"],
        body["job_id"]
    );
    assert_eq!(api.get("/api/v1/jobs/x").await.detail(), "Job not found");
}

#[tokio::test]
async fn an_identifier_of_the_client_is_taken_once() {
    let api = Api::new();
    let path = "/api/v1/upload/csv?mode=job&batch_id=0b8f6c7e-7d6a-4c1e-9a55-0c6a3c1d2e3f";
    let first = api.upload_to(path, "a.csv", generated(5)).await;
    assert_eq!(first.status, StatusCode::ACCEPTED, "{}", first.text);
    assert_eq!(
        first.json()["batch_id"],
        "0b8f6c7e-7d6a-4c1e-9a55-0c6a3c1d2e3f"
    );
    assert_eq!(
        api.upload_to(path, "a.csv", generated(5)).await.status,
        StatusCode::CONFLICT
    );
    assert_eq!(
        api.get("/api/v1/predictions/stats").await.json()["total_predictions"],
        5
    );
    let wrong = api
        .upload_to("/api/v1/upload/csv?batch_id=7", "a.csv", generated(5))
        .await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
}
