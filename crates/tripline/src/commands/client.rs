//! A client over HTTP/1.0, whose answers end with the connection: no more is needed to talk to a
//! server on the same machine.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context, ensure};
use serde_json::Value;

const BOUNDARY: &str = "tripline-form-5e1f0c";
/// How often a running job is asked about.
const POLL: Duration = Duration::from_millis(5);

/// Sends one request and gives the body of its answer; an answer that is no success is an error.
pub(super) fn request(
    address: &str,
    method: &str,
    path: &str,
    content_type: &str,
    body: &[u8],
) -> anyhow::Result<String> {
    let mut stream =
        TcpStream::connect(address).with_context(|| format!("cannot reach {address}"))?;
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Type: {content_type}\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .context("an answer without a body")?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    ensure!(
        status.starts_with('2'),
        "{address} answered {status}: {body}"
    );
    Ok(body.to_owned())
}

/// Reads a JSON answer.
pub(super) fn get(address: &str, path: &str) -> anyhow::Result<Value> {
    let body = request(address, "GET", path, "application/json", &[])?;
    serde_json::from_str(&body).context("the server's answer is no JSON")
}

/// Sends a file as a browser does.
pub(super) fn send_file(
    address: &str,
    path: &str,
    name: &str,
    file: &[u8],
) -> anyhow::Result<String> {
    let mut form = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: text/csv\r\n\r\n"
    )
    .into_bytes();
    form.extend_from_slice(file);
    form.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    request(address, "POST", path, &content_type, &form)
}

/// Sends a file as a job and waits for its end; gives the answer to the file, which names the
/// report, and the job.
pub(super) fn run_job(
    address: &str,
    path: &str,
    name: &str,
    file: &[u8],
) -> anyhow::Result<(Value, Value)> {
    let answer = send_file(address, &format!("{path}?mode=job"), name, file)?;
    let accepted: Value =
        serde_json::from_str(&answer).context("the server's answer is no JSON")?;
    let status = accepted["status_url"]
        .as_str()
        .context("the answer names no job")?;
    loop {
        let job = get(address, status)?;
        if job["status"] != "running" {
            return Ok((accepted, job));
        }
        std::thread::sleep(POLL);
    }
}
