//! Records of other sensors, through the program as it is installed.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "in a test, what fails in a helper fails the test"
)]

use std::io::{BufRead, BufReader, Read};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn models() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models")
}

fn tripline() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tripline"));
    command.env("TRIPLINE_MODELS", models());
    command
}

fn scan(name: &str, content: &[u8], words: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    std::fs::write(&file, content).unwrap();
    tripline()
        .arg("scan")
        .arg(&file)
        .args(words)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A message of `NetFlow` v5 with one record, which knows one direction.
fn netflow5() -> Vec<u8> {
    let mut message = vec![0, 5, 0, 1];
    message.extend(3_600_000_u32.to_be_bytes());
    message.extend(1_704_067_200_u32.to_be_bytes());
    message.extend([0; 12]);
    message.extend([10, 0, 0, 1, 10, 0, 0, 2, 0, 0, 0, 0, 0, 1, 0, 2]);
    for number in [7_u32, 900, 3_590_000, 3_599_000] {
        message.extend(number.to_be_bytes());
    }
    message.extend([0x9c, 0x40, 0, 80, 0, 0x1b, 6, 0]);
    message.extend([0; 8]);
    message
}

#[test]
fn what_no_model_knows_has_its_exit_code_and_names_what_is_missing() {
    let output = scan("flows.bin", &netflow5(), &["--format", "jsonl"]);
    assert_eq!(output.status.code(), Some(4));
    let row: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(row["sensor"], "netflow5");
    assert_eq!(
        (&row["src_port"], &row["protocol"]),
        (&40_000.into(), &"tcp".into())
    );
    // What the exporter counts in bytes of IP is no payload, and nothing is written as 0.
    for column in ["bytes_forward", "packets_backward", "is_threat", "service"] {
        assert_eq!(row[column], Value::Null, "{column}");
    }
    assert!(
        row["missing_features"]
            .as_str()
            .unwrap()
            .contains("service")
    );
    let message = text(&output.stderr);
    assert!(
        message.contains("no record has the features of any model"),
        "{message}"
    );
}

#[test]
fn a_log_of_nothing_but_bad_lines_is_done_with_rejections() {
    let log = "#separator \\x09\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\t\
               conn_state\nyesterday\t10.0.0.1\t1\t10.0.0.2\t2\ttcp\tSF\n";
    let output = scan("conn.log", log.as_bytes(), &["--json"]);
    assert_eq!(output.status.code(), Some(3));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["received"], &report["judged"]),
        (&1.into(), &0.into())
    );
    let first = report["first_rejections"][0].as_str().unwrap();
    assert!(
        first.starts_with("line 3, field ts: expected seconds"),
        "{first}"
    );
}

#[test]
fn what_is_neither_capture_nor_log_is_refused() {
    let output = scan("table.csv", b"flag,src_bytes\nSF,1\n", &[]);
    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stderr);
    assert!(message.contains("conn.log"), "{message}");
}

#[test]
fn collecting_stops_on_a_signal_with_books_that_balance() {
    let mut child = tripline()
        .args(["collect", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    errors.read_line(&mut line).unwrap();
    let address = line.trim().rsplit(' ').next().unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for datagram in [netflow5(), vec![1, 2, 3], netflow5()] {
        socket.send_to(&datagram, address).unwrap();
    }
    let mut rows = BufReader::new(child.stdout.take().unwrap());
    for _ in 0..2 {
        let mut row = String::new();
        rows.read_line(&mut row).unwrap();
        let row: Value = serde_json::from_str(&row).unwrap();
        assert_eq!(row["sensor"], "netflow5");
    }
    let stopped = Command::new("kill").arg(child.id().to_string()).status();
    assert!(stopped.unwrap().success());
    let mut rest = String::new();
    errors.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(4));
    let books: Value = serde_json::from_str(rest.lines().next().unwrap()).unwrap();
    let sum = |counts: &Value| -> u64 {
        counts
            .as_object()
            .unwrap()
            .values()
            .filter_map(Value::as_u64)
            .sum()
    };
    assert_eq!(
        (&books["datagrams"], &books["received"]),
        (&3.into(), &2.into())
    );
    let accounted =
        books["judged"].as_u64().unwrap() + sum(&books["not_judged"]) + sum(&books["rejected"]);
    assert_eq!(books["received"], accounted);
    assert_eq!(
        (&books["queue_dropped"], &books["causes"]["unknown_version"]),
        (&0.into(), &1.into())
    );
}

#[test]
fn others_are_not_listened_to_without_a_word() {
    let output = tripline()
        .args(["collect", "--listen", "0.0.0.0:0"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--allow-remote"));
}
