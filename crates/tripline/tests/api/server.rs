//! The real binary: what it prints, what it refuses, and how much memory an upload takes.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::harness::{BOUNDARY, form_head, generated, shipped_models};

/// A server in a process of its own, killed when it is dropped.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) address: String,
}

impl Server {
    pub(crate) fn start(data_dir: &Path, models_dir: &Path) -> Self {
        Self::start_with(data_dir, models_dir, &[])
    }

    pub(crate) fn start_with(data_dir: &Path, models_dir: &Path, more: &[&OsStr]) -> Self {
        Self::spawn(Self::command(data_dir, models_dir).args(more))
    }

    /// What starts one on a free port.
    pub(crate) fn command(data_dir: &Path, models_dir: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tripline"));
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data_dir)
            .arg("--models-dir")
            .arg(models_dir);
        command
    }

    /// Starts it, and waits until it listens.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line
            .trim()
            .strip_prefix("listening on http://")
            .unwrap()
            .to_owned();
        Self { child, address }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        let mut stream = self.connect();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.address
        )
        .unwrap();
        answer(&mut stream)
    }

    /// A request with JSON that changes something.
    pub(crate) fn patch(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send("PATCH", path, body)
    }

    /// A request with JSON that asks for something to be done.
    pub(crate) fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send("POST", path, body)
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let mut stream = self.connect();
        let body = body.to_string();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .unwrap();
        answer(&mut stream)
    }

    /// The head of an upload whose length is told.
    pub(crate) fn begin_upload(&self, query: &str, name: &str, content_bytes: usize) -> TcpStream {
        self.begin_upload_to(&format!("/api/v1/upload/csv{query}"), name, content_bytes)
    }

    pub(crate) fn begin_upload_to(
        &self,
        path: &str,
        name: &str,
        content_bytes: usize,
    ) -> TcpStream {
        let (head, tail) = (form_head(name), form_tail());
        let mut stream = self.connect();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
             Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {}\r\n\r\n{head}",
            self.address,
            head.len() + content_bytes + tail.len()
        )
        .unwrap();
        stream
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A process that has ended already is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn form_tail() -> String {
    format!("\r\n--{BOUNDARY}--\r\n")
}

/// Status and body of an answer whose end is that of the connection.
pub(crate) fn answer(stream: &mut TcpStream) -> (u16, Value) {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let status = text.split(' ').nth(1).unwrap().parse().unwrap();
    let start = text.find("\r\n\r\n").unwrap() + 4;
    let body = if text[..start].contains("transfer-encoding: chunked") {
        unchunked(&text[start..])
    } else {
        text[start..].to_owned()
    };
    (status, serde_json::from_str(&body).unwrap_or(Value::Null))
}

fn unchunked(mut text: &str) -> String {
    let mut body = String::new();
    while let Some((size, rest)) = text.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            break;
        }
        body.push_str(&rest[..size]);
        text = &rest[size + 2..];
    }
    body
}

#[test]
fn a_damaged_bundle_is_left_out_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path().join("models");
    std::fs::create_dir(&models).unwrap();
    let shipped = std::fs::read(shipped_models().join("nsl-kdd-detector-ten-v1.tripline")).unwrap();
    let mut flipped = shipped.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    std::fs::write(models.join("cut.tripline"), &shipped[..shipped.len() / 2]).unwrap();
    std::fs::write(models.join("flipped.tripline"), flipped).unwrap();
    std::fs::write(
        models.join("pickle.tripline"),
        b"\x80\x04cos\nsystem\n(S'id'\ntR.",
    )
    .unwrap();
    let server = Server::start(&folder.path().join("data"), &models);
    let (status, health) = server.get("/api/v1/health/detailed");
    assert_eq!(
        (status, &health["status"]),
        (503, &Value::from("unhealthy"))
    );
    std::fs::write(models.join("whole.tripline"), &shipped).unwrap();
    drop(server);
    let server = Server::start(&folder.path().join("data"), &models);
    let (status, health) = server.get("/api/v1/health/detailed");
    // A detector alone: threats are found, but not told apart.
    assert_eq!((status, &health["status"]), (200, &Value::from("degraded")));
}

#[test]
fn an_address_that_others_reach_needs_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tripline"))
        .args(["serve", "--listen", "0.0.0.0:0", "--data-dir"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--allow-remote"));
}

/// The rows of this file would take more memory than the limit if they were kept.
#[test]
fn an_upload_does_not_take_memory_with_its_size() {
    const COPIES: usize = 1200;
    const LIMIT_KIB: u64 = 300 * 1024;
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &shipped_models());
    let text = generated(1000);
    let (header, rows) = text.split_once('\n').unwrap();
    let mut stream = server.begin_upload(
        "?mode=job",
        "large.csv",
        header.len() + 1 + rows.len() * COPIES,
    );
    writeln!(stream, "{header}").unwrap();
    for _ in 0..COPIES {
        stream.write_all(rows.as_bytes()).unwrap();
    }
    stream.write_all(form_tail().as_bytes()).unwrap();
    let (status, accepted) = answer(&mut stream);
    assert_eq!(status, 202, "{accepted}");
    let job = accepted["status_url"].as_str().unwrap().to_owned();
    let job = loop {
        let (_, job) = server.get(&job);
        if job["status"] != "running" {
            break job;
        }
        std::thread::yield_now();
    };
    assert_eq!(
        (&job["status"], &job["rows_scored"]),
        (&Value::from("complete"), &Value::from(1000 * COPIES))
    );
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < LIMIT_KIB, "{peak} KiB");
}
