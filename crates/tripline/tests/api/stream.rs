//! Verdicts as they fall: the WebSocket with the origin system's messages, and server-sent events.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{
    Message, WebSocket, client::IntoClientRequest, handshake::client::Request, http::HeaderValue,
    stream::MaybeTlsStream,
};

use crate::{
    harness::{generated, shipped_models},
    server::{Server, answer, form_tail},
};

type Socket = WebSocket<MaybeTlsStream<TcpStream>>;

/// How long a message may take on a busy machine; a test waits for it and does not measure it.
const PATIENCE: Duration = Duration::from_mins(1);

fn handshake(server: &Server) -> Request {
    format!("ws://{}/ws/realtime", server.address)
        .into_client_request()
        .unwrap()
}

fn listen(server: &Server) -> Socket {
    let (socket, _) = tokio_tungstenite::tungstenite::connect(handshake(server)).unwrap();
    if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
    }
    socket
}

/// The next message of a kind; others are passed over.
fn heard(socket: &mut Socket, kind: &str) -> Value {
    loop {
        if let Message::Text(text) = socket.read().unwrap() {
            let message: Value = serde_json::from_str(&text).unwrap();
            if message["type"] == kind {
                return message;
            }
        }
    }
}

/// Rows as the scoring API takes them.
fn rows(count: usize) -> Value {
    let csv = generated(count);
    let mut lines = csv.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').take(41).collect();
    let rows: Vec<Value> = lines
        .map(|line| {
            let cells = names.iter().zip(line.split(','));
            Value::Object(
                cells
                    .map(|(name, cell)| ((*name).to_owned(), json!(cell)))
                    .collect(),
            )
        })
        .collect();
    json!({ "rows": rows })
}

fn score(server: &Server, count: usize) {
    let (status, answer) = server.post("/api/v1/score", &rows(count));
    assert_eq!(status, 200, "{answer}");
}

#[test]
fn a_client_of_the_origin_system_hears_each_verdict_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &shipped_models());
    let mut socket = listen(&server);
    let connected = heard(&mut socket, "connected");
    assert_eq!(connected["connections"], 1);
    let (_, connections) = server.get("/ws/connections");
    assert_eq!(connections["active_connections"], 1);

    // A file is no news, a scored row is.
    let content = generated(5);
    let mut stream = server.begin_upload("", "flows.csv", content.len());
    stream.write_all(content.as_bytes()).unwrap();
    stream.write_all(form_tail().as_bytes()).unwrap();
    assert_eq!(answer(&mut stream).0, 200);
    score(&server, 7);
    let mut ids = Vec::new();
    while ids.len() < 7 {
        let message = heard(&mut socket, "prediction");
        let data = &message["data"];
        assert_eq!(data["source"], "realtime", "{message}");
        for key in ["timestamp", "threat_prediction", "attack_prediction"] {
            assert!(data.get(key).is_some(), "{key}: {message}");
        }
        ids.push(data["traffic_data_id"].as_str().unwrap().to_owned());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 7);

    for (said, kind) in [
        (r#"{"type":"ping"}"#, "pong"),
        (r#"{"type":"request_stats"}"#, "stats_request_received"),
        ("no JSON", "error"),
        (r#"{"type":"dance"}"#, "error"),
    ] {
        socket.send(Message::text(said)).unwrap();
        heard(&mut socket, kind);
    }
    socket
        .send(Message::text(r#"{"type":"request_stats"}"#))
        .unwrap();
    loop {
        let stats = heard(&mut socket, "stats_update");
        if stats["data"]["total_predictions"] == 12 {
            break;
        }
    }
}

#[test]
fn generated_records_are_told_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &shipped_models());
    let mut socket = listen(&server);
    heard(&mut socket, "connected");
    let order = json!({"count": 5, "interval": 0.01});
    assert_eq!(server.post("/api/v1/test/start-stream", &order).0, 200);
    for _ in 0..5 {
        let told = heard(&mut socket, "prediction");
        assert_eq!(told["data"]["source"], "realtime", "{told}");
    }
}

#[test]
fn a_page_of_another_site_cannot_listen() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &shipped_models());
    let mut request = handshake(&server);
    request
        .headers_mut()
        .insert("origin", HeaderValue::from_static("https://evil.example"));
    let refused = tokio_tungstenite::tungstenite::connect(request).unwrap_err();
    assert!(refused.to_string().contains("403"), "{refused}");
    let (status, answer) = server.get("/ws/realtime");
    assert_eq!(status, 426, "{answer}");
}

/// One client never reads. The other hears everything, and the first is dropped and counted.
#[test]
fn a_client_that_does_not_read_is_dropped_and_delays_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &shipped_models());
    let _idle = listen(&server);
    let mut socket = listen(&server);
    let mut heard_all = 0;
    let mut scored = 0;
    loop {
        score(&server, 1000);
        scored += 1000;
        while heard_all < scored {
            heard(&mut socket, "prediction");
            heard_all += 1;
        }
        let (_, connections) = server.get("/ws/connections");
        // It is counted, and then told the reason, if it ever reads again.
        if connections["dropped_connections"] == 1 && connections["active_connections"] == 1 {
            break;
        }
        assert!(
            scored < 2_000_000,
            "the client that does not read is still there"
        );
    }
}

/// The lines of a stream of events until so many predictions have come, as (id, verdict).
fn events(server: &Server, last: Option<&str>, count: usize) -> Vec<(String, String)> {
    let mut stream = server.connect();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let last = last.map_or_else(String::new, |last| format!("Last-Event-ID: {last}\r\n"));
    write!(
        stream,
        "GET /api/v1/stream HTTP/1.1\r\nHost: {}\r\n{last}\r\n",
        server.address
    )
    .unwrap();
    let mut found = Vec::new();
    let mut id = String::new();
    let mut data = String::new();
    let mut is_connected = false;
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap();
        if let Some(text) = line.strip_prefix("id: ") {
            text.clone_into(&mut id);
        } else if let Some(text) = line.strip_prefix("data: ") {
            text.clone_into(&mut data);
        } else if line.is_empty() && !data.is_empty() {
            let message: Value = serde_json::from_str(&data).unwrap();
            if message["type"] == "connected" && !is_connected {
                is_connected = true;
                if last.is_empty() {
                    score(server, count);
                }
            }
            if message["type"] == "prediction" {
                let verdict = message["data"]["traffic_data_id"].as_str().unwrap();
                found.push((std::mem::take(&mut id), verdict.to_owned()));
                if found.len() == count {
                    return found;
                }
            }
            data.clear();
        }
    }
    panic!("the stream has ended");
}

#[test]
fn a_stream_of_events_goes_on_where_it_broke_off() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &shipped_models());
    let first = events(&server, None, 10);
    // While nobody listens.
    score(&server, 5);
    let last = &first[6].0;
    let then = events(&server, Some(last), 8);
    assert_eq!(then[..3], first[7..]);
    let mut all: Vec<&String> = first.iter().chain(&then[3..]).map(|(_, id)| id).collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 15);

    let mut stream = server.connect();
    write!(
        stream,
        "GET /api/v1/stream HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nLast-Event-ID: 7\r\n\r\n",
        server.address
    )
    .unwrap();
    let mut refused = String::new();
    stream.read_to_string(&mut refused).unwrap();
    assert!(refused.starts_with("HTTP/1.1 400"), "{refused}");
    assert!(refused.contains("Last-Event-ID"), "{refused}");
}
