//! Traces of the real program, as a collector sees them.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use serde_json::{Value, json};

use crate::{
    harness::{BOUNDARY, form, generated, shipped_models},
    models::row,
    otlp::{Collector, Manner, attribute, child, hex, is_of},
    server::Server,
    webhooks,
};

const EXPORTED: &str = "tripline_trace_spans_total{outcome=\"exported\"}";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A server whose log is read, and its lines.
struct Traced {
    server: Server,
    log: Receiver<String>,
}

impl Traced {
    fn start(data: &Path, endpoint: &str, variables: &[(&str, &str)], more: &[&str]) -> Self {
        let mut command = Server::command(data, &shipped_models());
        command
            .args(["--log-json", "--otlp-endpoint", endpoint])
            .args(more)
            .env("OTEL_BSP_SCHEDULE_DELAY", "20")
            .envs(variables.iter().copied())
            .stderr(Stdio::piped());
        let mut server = Server::spawn(&mut command);
        let stderr = server.child.stderr.take().unwrap();
        let (lines, log) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                // The test may have ended.
                let _ = lines.send(line.unwrap());
            }
        });
        Self { server, log }
    }

    /// The next line of the log in which a text stands.
    fn line(&self, text: &str) -> Value {
        loop {
            let line = self.log.recv().unwrap();
            if line.contains(text) {
                return serde_json::from_str(&line).unwrap();
            }
        }
    }

    /// Sends a request with headers; the head and the body of the answer.
    fn send(&self, head: &str, body: &[u8]) -> (String, String) {
        let mut stream = self.server.connect();
        let host = &self.server.address;
        let length = body.len();
        write!(
            stream,
            "{head}\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        )
        .unwrap();
        stream.write_all(body).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    fn score(&self, headers: &str) -> (String, String) {
        let head =
            format!("POST /api/v1/score HTTP/1.1\r\nContent-Type: application/json{headers}");
        let answer = self.send(&head, row(987_654_321).as_bytes());
        assert!(answer.0.starts_with("HTTP/1.1 200 "), "{answer:?}");
        answer
    }

    fn metric(&self, name: &str) -> u64 {
        let (_, text) = self.send("GET /metrics HTTP/1.1", b"");
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(name));
        let value = lines.next().unwrap_or_else(|| panic!("no {name}: {text}"));
        value.trim().parse::<f64>().unwrap() as u64
    }

    /// Waits for a figure to grow so far.
    fn until(&self, name: &str, least: u64) {
        while self.metric(name) < least {
            thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// As an operator does.
    fn stop(&mut self) {
        let id = self.server.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(sent.success());
        assert!(self.server.child.wait().unwrap().success());
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    let found = lines.find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value)
}

fn named(name: &str) -> impl Fn(&Span) -> bool {
    move |span| span.name == name
}

#[test]
fn a_score_is_one_trace_from_its_client_to_the_store() {
    let collector = Collector::start(Manner::Takes);
    let data = tempfile::tempdir().unwrap();
    let secret = [
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=let%20me%20in"),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "deployment.environment.name=test",
        ),
    ];
    let traced = Traced::start(data.path(), &collector.url(), &secret, &[]);
    let said = traced.line("traces are exported");
    assert_eq!(
        said["fields"]["endpoint"],
        format!("{}/v1/traces", collector.url())
    );
    let (head, _) = traced.score(&format!("\r\ntraceparent: {PARENT}"));
    let request = collector.wait_for(named("POST /api/v1/score"));
    assert_eq!(hex(&request.trace_id), &PARENT[3..35]);
    assert_eq!(hex(&request.parent_span_id), &PARENT[36..52]);
    assert!(is_of(&request, SpanKind::Server));
    assert_eq!(attribute(&request, "http.route"), "/api/v1/score");
    assert_eq!(attribute(&request, "http.request.method"), "POST");
    assert_eq!(attribute(&request, "http.response.status_code"), "200");
    assert_eq!(
        Some(attribute(&request, "tripline.request_id").as_str()),
        header(&head, "x-request-id")
    );
    let (trace, span) = (hex(&request.trace_id), hex(&request.span_id));
    let response = format!("00-{trace}-{span}-01");
    assert_eq!(header(&head, "traceresponse"), Some(response.as_str()));
    let spans = collector.of_trace(&request.trace_id);
    assert_eq!(
        attribute(child(&spans, &request, "judge"), "tripline.rows"),
        "1"
    );
    let store = child(&spans, &request, "store");
    assert_eq!(attribute(store, "db.system.name"), "sqlite");
    assert_eq!(spans.len(), 3, "{spans:?}");
    collector.look(|taken| {
        assert_eq!(taken.resource["service.name"], "tripline");
        assert_eq!(taken.resource["deployment.environment.name"], "test");
        assert!(!taken.resource["service.instance.id"].is_empty());
        let head = &taken.heads[0];
        assert!(head.starts_with("POST /v1/traces "), "{head}");
        assert_eq!(header(head, "x-key"), Some("let me in"));
        let all = format!("{:?} {:?}", taken.spans, taken.resource);
        assert!(
            !all.contains("987654321") && !all.contains("let me in"),
            "{all}"
        );
    });
    traced.until(EXPORTED, 3);
    let (_, health) = traced.server.get("/api/v1/health/detailed");
    let check = &health["checks"]["traces"];
    assert_eq!(check["status"], "healthy", "{health}");
    assert_eq!(
        (&check["exported"], &check["dropped"]),
        (&json!(3), &json!(0))
    );
    traced.until(EXPORTED, 4);
}

/// Whatever stands in a header, it is answered, and the trace is a new one.
#[test]
fn a_header_that_is_no_context_is_passed_over() {
    let collector = Collector::start(Manner::Takes);
    let data = tempfile::tempdir().unwrap();
    let traced = Traced::start(data.path(), &collector.url(), &[], &[]);
    for headers in [
        format!("\r\ntraceparent: {PARENT}\r\ntraceparent: {PARENT}"),
        "\r\ntraceparent: 00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01".to_owned(),
        format!("\r\ntraceparent: {}", PARENT.repeat(100)),
        "\r\ntraceparent: \u{e9}".to_owned(),
        String::new(),
    ] {
        let (head, _) = traced.score(&headers);
        let response = header(&head, "traceresponse").unwrap();
        let (trace, span) = (&response[3..35], &response[36..52]);
        let request = collector.wait_for(|found| hex(&found.span_id) == span);
        assert_eq!(hex(&request.trace_id), trace);
        assert_ne!(trace, &PARENT[3..35]);
        assert!(request.parent_span_id.is_empty());
    }
    // Neither the path nor the method of a stranger becomes a name, and probes are not traced.
    traced.send("BREW /api/v1/secret-path HTTP/1.1", b"");
    let request = collector.wait_for(named("HTTP"));
    assert_eq!(attribute(&request, "http.request.method"), "_OTHER");
    assert!(!format!("{request:?}").contains("secret-path"));
    for path in ["/health", "/live", "/ready", "/metrics"] {
        let (head, _) = traced.send(&format!("GET {path} HTTP/1.1"), b"");
        assert_eq!(header(&head, "traceresponse"), None);
    }
    let unsampled = PARENT.replace("-01", "-00");
    let (head, _) = traced.score(&format!("\r\ntraceparent: {unsampled}"));
    assert_eq!(header(&head, "traceresponse"), None);
}

#[test]
fn the_job_of_an_upload_is_in_the_trace_of_its_request() {
    let collector = Collector::start(Manner::Takes);
    let data = tempfile::tempdir().unwrap();
    let traced = Traced::start(data.path(), &collector.url(), &[], &[]);
    let body = form("rows.csv", generated(50).as_bytes());
    let head = format!(
        "POST /api/v1/upload/csv?mode=job HTTP/1.1\r\ntraceparent: {PARENT}\r\n\
         Content-Type: multipart/form-data; boundary={BOUNDARY}"
    );
    let (_, answer) = traced.send(&head, &body);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let request = collector.wait_for(named("POST /api/v1/upload/csv"));
    let job = collector.wait_for(named("upload csv"));
    assert_eq!(hex(&request.trace_id), &PARENT[3..35]);
    assert_eq!(
        (&job.trace_id, &job.parent_span_id),
        (&request.trace_id, &request.span_id)
    );
    assert_eq!(answer["batch_id"], attribute(&job, "tripline.batch_id"));
    assert_eq!(attribute(&job, "tripline.rows_scored"), "50");
    let spans = collector.of_trace(&request.trace_id);
    child(&spans, &job, "judge");
    assert_eq!(
        attribute(child(&spans, &job, "store"), "tripline.rows"),
        "50"
    );

    // One that fails says so.
    let body = form("rows.csv", b"no,such\n1,2\n");
    let (head, _) = traced.send(&head.replace(PARENT, ""), &body);
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
    let failed =
        collector.wait_for(|span| span.name == "upload csv" && span.span_id != job.span_id);
    assert_eq!(attribute(&failed, "error.type"), "400");
    assert_eq!(failed.status.unwrap().code, StatusCode::Error as i32);
}

/// What is logged for a request names its trace.
#[test]
fn a_failure_is_logged_with_its_trace() {
    let collector = Collector::start(Manner::Takes);
    let data = tempfile::tempdir().unwrap();
    let traced = Traced::start(data.path(), &collector.url(), &[], &[]);
    let other = rusqlite::Connection::open(data.path().join("tripline.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let head = format!(
        "POST /api/v1/score HTTP/1.1\r\nContent-Type: application/json\r\ntraceparent: {PARENT}"
    );
    let (head, _) = traced.send(&head, row(987_654_321).as_bytes());
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    let line = traced.line("\"trace_id\"");
    assert_eq!(line["level"], "ERROR");
    assert_eq!(line["trace_id"], PARENT[3..35]);
    assert_eq!(
        line["span_id"],
        header(&head, "traceresponse").unwrap()[36..52]
    );
    assert_eq!(line["request_id"], header(&head, "x-request-id").unwrap());
    let request = collector.wait_for(named("POST /api/v1/score"));
    assert_eq!(
        request.status.as_ref().unwrap().code,
        StatusCode::Error as i32
    );
    assert_eq!(attribute(&request, "error.type"), "503");
    let spans = collector.of_trace(&request.trace_id);
    assert_eq!(
        attribute(child(&spans, &request, "store"), "error.type"),
        "503"
    );
}

/// Requests are answered, what is lost is counted, and the log says when it begins and ends.
#[test]
fn a_collector_that_is_away_costs_spans_only() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let data = tempfile::tempdir().unwrap();
    let traced = Traced::start(data.path(), &format!("http://{address}"), &[], &[]);
    let lost = || traced.metric("tripline_trace_spans_total{outcome=\"failed\"}");
    while lost() < 6 {
        traced.score("");
    }
    let said = traced.line("spans are dropped");
    assert_eq!(said["level"], "WARN");
    let reason = said["fields"]["reason"].as_str().unwrap();
    assert!(reason.contains("cannot be connected to"), "{reason}");
    let (_, health) = traced.server.get("/api/v1/health/detailed");
    assert_eq!(health["checks"]["traces"]["status"], "degraded");
    assert_eq!(health["checks"]["traces"]["message"], reason);
    assert_eq!(health["status"], "healthy", "{health}");

    let collector = Collector::on(TcpListener::bind(address).unwrap(), Manner::Takes);
    while traced.metric(EXPORTED) < 20 {
        traced.score("");
    }
    // It was not said again meanwhile.
    let next: Value = serde_json::from_str(&traced.log.recv().unwrap()).unwrap();
    assert_eq!(next["fields"]["message"], "spans are exported again");
    assert!(next["fields"]["dropped"].as_u64().unwrap() >= 6, "{next}");
    collector.wait_for(named("POST /api/v1/score"));
}

#[test]
fn a_collector_that_hangs_is_not_waited_for() {
    let collector = Collector::start(Manner::Hangs);
    let data = tempfile::tempdir().unwrap();
    let small = [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "8"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "600000"),
    ];
    let mut traced = Traced::start(data.path(), &collector.url(), &small, &[]);
    for _ in 0..20 {
        traced.score("");
    }
    let dropped = traced.metric("tripline_trace_spans_total{outcome=\"queue_full\"}");
    let pending = traced.metric("tripline_trace_spans_pending");
    assert_eq!(pending, 8);
    assert!(dropped >= 20 * 3 - 8, "{dropped}");
    let said = traced.line("spans are dropped");
    assert_eq!(said["fields"]["reason"], "8 spans are waiting already");
    // It would hang for ten minutes.
    traced.stop();
    let said = traced.line("spans were dropped");
    assert_eq!(said["fields"]["exported"], 0);
    assert!(said["fields"]["dropped"].as_u64().unwrap() >= 60, "{said}");
}

#[test]
fn what_waits_at_the_end_is_sent() {
    let collector = Collector::start(Manner::Takes);
    let data = tempfile::tempdir().unwrap();
    let late = [("OTEL_BSP_SCHEDULE_DELAY", "3600000")];
    let mut traced = Traced::start(data.path(), &collector.url(), &late, &[]);
    traced.score("");
    assert!(collector.look(|taken| taken.spans.is_empty()));
    traced.stop();
    assert_eq!(collector.look(|taken| taken.spans.len()), 3);
}

#[test]
fn a_webhook_carries_its_trace() {
    let collector = Collector::start(Manner::Takes);
    let (port, heard) = webhooks::receiver("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    let data = tempfile::tempdir().unwrap();
    let secret = data.path().join("secret");
    std::fs::write(&secret, "0123456789abcdef0123456789abcdef").unwrap();
    let target = format!("http://127.0.0.1:{port}/hidden/hook?token=hidden");
    let more = [
        "--webhook",
        &target,
        "--webhook-allow",
        "127.0.0.0/8",
        "--webhook-secret-file",
        secret.to_str().unwrap(),
    ];
    let traced = Traced::start(data.path(), &collector.url(), &[], &more);
    webhooks::change_a_model(&traced.server);
    let (head, _) = heard.recv().unwrap();
    let parent = header(&head, "traceparent").unwrap().to_owned();
    let span = collector.wait_for(|span| hex(&span.span_id) == parent[36..52]);
    assert!(is_of(&span, SpanKind::Client));
    assert_eq!(hex(&span.trace_id), &parent[3..35]);
    assert_eq!(attribute(&span, "server.port"), port.to_string());
    assert_eq!(attribute(&span, "http.response.status_code"), "204");
    assert!(!format!("{span:?}").contains("hidden"), "{span:?}");
}

/// Where nobody asks nothing is there, and a variable that cannot be used is named.
#[test]
fn traces_are_off_unless_they_are_asked_for() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &shipped_models());
    let (_, health) = server.get("/api/v1/health/detailed");
    assert!(health["checks"].get("traces").is_none(), "{health}");
    drop(server);
    let mut command = Server::command(data.path(), &shipped_models());
    command
        .args(["--log-json", "--otlp-endpoint", "http://127.0.0.1:1"])
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let line: Value = serde_json::from_slice(&output.stderr).unwrap();
    let words = line["fields"]["message"].as_str().unwrap();
    assert!(
        words.starts_with("OTEL_EXPORTER_OTLP_PROTOCOL: is 'grpc'"),
        "{words}"
    );
}
