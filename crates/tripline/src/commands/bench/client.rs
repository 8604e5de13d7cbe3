//! A client that measures: as little as HTTP/1.1 needs, so that its own work does not show.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const BOUNDARY: &str = "tripline-bench-5e1f0c";
/// Largest answer to a list of rows.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// A server and its paths.
#[derive(Debug, Clone)]
pub(super) struct Target {
    address: String,
    score: &'static str,
    upload: &'static str,
}

impl Target {
    pub(super) fn tripline(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            score: "/api/v1/score",
            upload: "/api/v1/upload/csv",
        }
    }

    pub(super) fn peer(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            score: "/score",
            upload: "/upload/csv",
        }
    }

    /// Sends one row on a new connection.
    pub(super) fn post_once(&self, body: &str) -> anyhow::Result<()> {
        let head = format!(
            "Content-Type: application/json\r\nContent-Length: {}",
            body.len()
        );
        self.request("POST", self.score, &head, body.as_bytes())?;
        Ok(())
    }

    /// Uploads a file and reads the whole answer; how many seconds that took.
    pub(super) fn upload(&self, file: &[u8]) -> anyhow::Result<f64> {
        let begun = Instant::now();
        self.send_file(self.upload, file)?;
        Ok(begun.elapsed().as_secs_f64())
    }

    /// Uploads a file as a job and waits for its end; how many seconds that took.
    pub(super) fn upload_as_job(&self, file: &[u8]) -> anyhow::Result<f64> {
        let begun = Instant::now();
        let answer = self.send_file(&format!("{}?mode=job", self.upload), file)?;
        let path = serde_json::from_str::<Value>(&answer)?["status_url"]
            .as_str()
            .context("the answer names no job")?
            .to_owned();
        loop {
            let job: Value = serde_json::from_str(&self.request("GET", &path, "", &[])?)?;
            match job["status"].as_str() {
                Some("complete") => return Ok(begun.elapsed().as_secs_f64()),
                Some("running") => std::thread::sleep(Duration::from_millis(5)),
                _ => bail!("the job ended as {job}"),
            }
        }
    }

    fn send_file(&self, path: &str, file: &[u8]) -> anyhow::Result<String> {
        let mut form = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"bench.csv\"\r\n\
             Content-Type: text/csv\r\n\r\n"
        )
        .into_bytes();
        form.extend_from_slice(file);
        form.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        let head = format!(
            "Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {}",
            form.len()
        );
        self.request("POST", path, &head, &form)
    }

    fn request(&self, method: &str, path: &str, head: &str, body: &[u8]) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(&self.address)
            .with_context(|| format!("cannot reach {}", self.address))?;
        let separator = if head.is_empty() { "" } else { "\r\n" };
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: {}\r\n{head}{separator}\r\n",
            self.address
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
            "{} answered {status}: {body}",
            self.address
        );
        Ok(body.to_owned())
    }
}

/// Sends bodies over as many connections for a while; the time of each request in milliseconds.
pub(super) async fn load(
    target: &Target,
    bodies: &[String],
    clients: usize,
    duration: Duration,
) -> anyhow::Result<Vec<f64>> {
    let requests: Arc<[Vec<u8>]> = bodies
        .iter()
        .map(|body| {
            format!(
                "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                target.score,
                target.address,
                body.len()
            )
            .into_bytes()
        })
        .collect();
    let mut tasks = Vec::new();
    for client in 0..clients {
        let (target, requests) = (target.clone(), Arc::clone(&requests));
        tasks.push(tokio::spawn(async move {
            let mut stream = tokio::net::TcpStream::connect(&target.address).await?;
            stream.set_nodelay(true)?;
            let (mut latencies, mut answer) = (Vec::new(), Vec::new());
            let begun = Instant::now();
            // Each client begins at another row.
            let mut next = client * 37;
            while begun.elapsed() < duration {
                let sent = Instant::now();
                stream.write_all(&requests[next % requests.len()]).await?;
                read_answer(&mut stream, &mut answer).await?;
                latencies.push(sent.elapsed().as_secs_f64() * 1000.0);
                next += 1;
            }
            anyhow::Ok(latencies)
        }));
    }
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await??);
    }
    ensure!(!all.is_empty(), "no request was answered in time");
    Ok(all)
}

/// Reads one answer whose length is told.
async fn read_answer(
    stream: &mut tokio::net::TcpStream,
    answer: &mut Vec<u8>,
) -> anyhow::Result<()> {
    answer.clear();
    loop {
        let read = stream.read_buf(answer).await?;
        ensure!(read > 0, "the connection ended in the middle of an answer");
        ensure!(answer.len() <= MAX_ANSWER_BYTES, "the answer is too long");
        let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let head = std::str::from_utf8(&answer[..end])?.to_ascii_lowercase();
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .context("an answer without content-length")?
            .trim()
            .parse()?;
        if answer.len() >= end + 4 + length {
            let is_good = head
                .split(' ')
                .nth(1)
                .is_some_and(|status| status.starts_with('2'));
            ensure!(is_good, "{}", String::from_utf8_lossy(answer));
            return Ok(());
        }
    }
}
