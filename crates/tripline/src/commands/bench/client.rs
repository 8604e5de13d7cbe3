//! A client that measures: as little as HTTP/1.1 needs, so that its own work does not show.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::commands::client;

/// Name of every file that is sent.
const FILE_NAME: &str = "bench.csv";
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
        client::request(
            &self.address,
            "POST",
            self.score,
            "application/json",
            body.as_bytes(),
        )?;
        Ok(())
    }

    /// Uploads a file and reads the whole answer; how many seconds that took.
    pub(super) fn upload(&self, file: &[u8]) -> anyhow::Result<f64> {
        let begun = Instant::now();
        client::send_file(&self.address, self.upload, FILE_NAME, file)?;
        Ok(begun.elapsed().as_secs_f64())
    }

    /// Uploads a file as a job and waits for its end; how many seconds that took.
    pub(super) fn upload_as_job(&self, file: &[u8]) -> anyhow::Result<f64> {
        let begun = Instant::now();
        let (_, job) = client::run_job(&self.address, self.upload, FILE_NAME, file)?;
        ensure!(job["status"] == "complete", "the job ended as {job}");
        Ok(begun.elapsed().as_secs_f64())
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
