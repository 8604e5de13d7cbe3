//! Measures a server of this binary, and a peer in turn with it, from outside: over HTTP, as
//! clients do. Client and server share the machine, which both figures of a row have to bear.

mod client;

use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};
use tripline_features::synthetic;
use tripline_lifecycle::recipe::shipped::ORIGIN_V1;

use self::client::{Target, load};
use super::progress;
use crate::{cli::BenchArgs, ingest};

/// Seed of the generated records.
const SEED: u64 = 11;
/// Clients at a time.
const CLIENTS: [usize; 3] = [1, 16, 64];
/// How long one round of load lasts.
const ROUND: Duration = Duration::from_secs(2);
/// Different rows that the clients send.
const DISTINCT_ROWS: usize = 2000;
/// Rows of the list in one request.
const LIST_ROWS: usize = 100;
/// Rows of the small file.
const SMALL_FILE_ROWS: usize = 1000;
/// Rows of the large file that the peer is given: it holds a file and its answer in memory.
const PEER_FILE_ROWS: usize = 20_000;

/// What was measured, the rounds of one after the other.
#[derive(Default)]
struct Figures {
    /// Per number of clients: median and 99th percentile in milliseconds, requests a second.
    single: Vec<(Vec<f64>, Vec<f64>, Vec<f64>)>,
    list_millis: Vec<f64>,
    small_file_millis: Vec<f64>,
    large_file_rows_per_second: Vec<f64>,
    start_millis: Vec<f64>,
    resident_mib: Vec<f64>,
    peak_mib: Vec<f64>,
}

pub(super) fn run(args: &BenchArgs) -> anyhow::Result<ExitCode> {
    let rows = Rows::generate(args.rows)?;
    let folder = std::env::temp_dir().join(format!("tripline-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let outcome = measure(args, &rows, &folder);
    std::fs::remove_dir_all(&folder)?;
    let (ours, peer) = outcome?;
    let table = markdown(args, &ours, peer.as_ref());
    match &args.output {
        Some(path) => std::fs::write(path, &table).with_context(|| path.display().to_string())?,
        None => write!(std::io::stdout(), "{table}")?,
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(
    args: &BenchArgs,
    rows: &Rows,
    folder: &std::path::Path,
) -> anyhow::Result<(Figures, Option<Figures>)> {
    // One thread sends everything, so that the client leaves processors to the server.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut ours = Figures::default();
    let mut peer = args.peer.as_ref().map(|_| Figures::default());
    let bar = progress(Some(args.repeat as u64), "measuring");
    for round in 0..args.repeat {
        let data_dir = folder.join(round.to_string());
        let server = Server::start(args, &data_dir, rows, &mut ours)?;
        runtime.block_on(measure_requests(&server.target, rows, &mut ours))?;
        if let (Some(address), Some(peer)) = (&args.peer, &mut peer) {
            let target = Target::peer(address);
            runtime.block_on(measure_requests(&target, rows, peer))?;
            let seconds = target.upload(&rows.peer_file)?;
            peer.large_file_rows_per_second
                .push(PEER_FILE_ROWS as f64 / seconds);
            if let Some(pid) = args.peer_pid {
                peer.resident_mib.push(memory_mib(pid, "VmRSS:")?);
                peer.peak_mib.push(memory_mib(pid, "VmHWM:")?);
            }
        }
        ours.resident_mib
            .push(memory_mib(server.child.id(), "VmRSS:")?);
        let seconds = server.target.upload_as_job(&rows.large_file)?;
        ours.large_file_rows_per_second
            .push(args.rows as f64 / seconds);
        ours.peak_mib.push(memory_mib(server.child.id(), "VmHWM:")?);
        drop(server);
        std::fs::remove_dir_all(&data_dir)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok((ours, peer))
}

async fn measure_requests(target: &Target, rows: &Rows, into: &mut Figures) -> anyhow::Result<()> {
    for (index, clients) in CLIENTS.into_iter().enumerate() {
        let mut latencies = load(target, &rows.bodies, clients, ROUND).await?;
        let per_second = latencies.len() as f64 / ROUND.as_secs_f64();
        latencies.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
        if into.single.len() <= index {
            into.single.push(Default::default());
        }
        let (median, high, rate) = &mut into.single[index];
        median.push(at(0.5));
        high.push(at(0.99));
        rate.push(per_second);
    }
    let mut latencies = load(target, std::slice::from_ref(&rows.list), 1, ROUND).await?;
    into.list_millis.push(middle(&mut latencies));
    let begun = Instant::now();
    let mut small = Vec::new();
    while begun.elapsed() < ROUND {
        small.push(target.upload(&rows.small_file)? * 1000.0);
    }
    into.small_file_millis.push(middle(&mut small));
    Ok(())
}

/// A server of this binary in a process of its own.
struct Server {
    child: Child,
    target: Target,
}

impl Server {
    /// Starts it on a free port and waits for its first verdict.
    fn start(
        args: &BenchArgs,
        data_dir: &std::path::Path,
        rows: &Rows,
        figures: &mut Figures,
    ) -> anyhow::Result<Self> {
        let program: PathBuf = std::env::current_exe()?;
        let begun = Instant::now();
        let mut child = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data_dir)
            .arg("--models-dir")
            .arg(&args.models.models_dir)
            .stdout(Stdio::piped())
            .spawn()?;
        let out = child.stdout.take().context("the server has no output")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let Some(address) = line.trim().strip_prefix("listening on http://") else {
            let _ = child.kill();
            let _ = child.wait();
            bail!("the server did not start");
        };
        let target = Target::tripline(address);
        let server = Self { child, target };
        server.target.post_once(&rows.bodies[0])?;
        figures
            .start_millis
            .push(begun.elapsed().as_secs_f64() * 1000.0);
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A process that has ended already is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is sent.
struct Rows {
    /// Single rows of the origin system's ten features, as JSON.
    bodies: Vec<String>,
    /// A list of them.
    list: String,
    /// Files of those ten features.
    small_file: Vec<u8>,
    peer_file: Vec<u8>,
    /// All features.
    large_file: Vec<u8>,
}

impl Rows {
    fn generate(large: usize) -> anyhow::Result<Self> {
        let mut ten = Vec::new();
        synthetic::write_csv(SEED, PEER_FILE_ROWS, &mut ten)?;
        let mut reader = csv::Reader::from_reader(ten.as_slice());
        let head = reader.headers()?.clone();
        let columns: Vec<usize> = ORIGIN_V1
            .iter()
            .filter_map(|name| head.iter().position(|column| column == *name))
            .collect();
        let mut objects = Vec::with_capacity(PEER_FILE_ROWS);
        let mut file = ORIGIN_V1.join(",") + "\n";
        let mut small_end = 0;
        for record in reader.records() {
            let record = record?;
            let cells: Vec<&str> = columns.iter().map(|column| &record[*column]).collect();
            file.push_str(&cells.join(","));
            file.push('\n');
            let object: Map<String, Value> = ORIGIN_V1
                .iter()
                .zip(&cells)
                .map(|(name, cell)| {
                    let number = cell.parse::<f64>();
                    (
                        (*name).to_owned(),
                        number.map_or_else(|_| json!(cell), |n| json!(n)),
                    )
                })
                .collect();
            objects.push(Value::Object(object));
            if objects.len() == SMALL_FILE_ROWS {
                small_end = file.len();
            }
        }
        let mut large_file = Vec::new();
        synthetic::write_csv(SEED + 1, large, &mut large_file)?;
        Ok(Self {
            bodies: objects[..DISTINCT_ROWS]
                .iter()
                .map(Value::to_string)
                .collect(),
            list: Value::from(objects[..LIST_ROWS].to_vec()).to_string(),
            small_file: file.as_bytes()[..small_end].to_vec(),
            peer_file: file.into_bytes(),
            large_file,
        })
    }
}

fn memory_mib(pid: u32, key: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))
        .context("resident memory is read from /proc, which only Linux has")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .with_context(|| format!("no {key} of process {pid}"))?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}

fn middle(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn markdown(args: &BenchArgs, ours: &Figures, peer: Option<&Figures>) -> String {
    let mut text = format!(
        "Medians of {} rounds, Tripline and the peer in turn; client and server share {} \
         processors. The rows are generated ({} different ones for single scores).\n\n\
         | | Tripline | peer | ratio | goal |\n| --- | ---: | ---: | ---: | ---: |\n",
        args.repeat,
        super::processors(),
        DISTINCT_ROWS
    );
    let mut row = |name: &str,
                   pick: &dyn Fn(&Figures) -> Vec<f64>,
                   unit: &str,
                   goal: &str,
                   higher_is_better: bool| {
        let own = middle(&mut pick(ours));
        let other = peer
            .map(|peer| middle(&mut pick(peer)))
            .filter(|value| value.is_finite());
        let ratio = other.map(|other| {
            if higher_is_better {
                own / other
            } else {
                other / own
            }
        });
        let shown = |value: f64| match value {
            _ if value >= 1000.0 => format!("{value:.0}{unit}"),
            _ if value >= 10.0 => format!("{value:.1}{unit}"),
            _ => format!("{value:.2}{unit}"),
        };
        let cell = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
        text += &format!(
            "| {name} | {} | {} | {} | {goal} |\n",
            shown(own),
            cell(other.map(shown)),
            cell(ratio.map(|ratio| format!("{ratio:.1} ×")))
        );
    };
    for (index, clients) in CLIENTS.into_iter().enumerate() {
        let name = format!("one row, {clients} clients");
        let goal = if clients == 16 { "< 2 ms" } else { "" };
        row(
            &format!("{name}, median"),
            &|f| f.single[index].0.clone(),
            " ms",
            "",
            false,
        );
        row(
            &format!("{name}, 99th percentile"),
            &|f| f.single[index].1.clone(),
            " ms",
            goal,
            false,
        );
        row(
            &format!("{name}, requests"),
            &|f| f.single[index].2.clone(),
            "/s",
            "",
            true,
        );
    }
    row(
        "list of 100 rows",
        &|f| f.list_millis.clone(),
        " ms",
        "< 5 ms",
        false,
    );
    row(
        "file of 1,000 rows",
        &|f| f.small_file_millis.clone(),
        " ms",
        "< 60 ms",
        false,
    );
    let large = format!(
        "rows from file to stored, explained verdict (Tripline {} rows, peer {PEER_FILE_ROWS} rows, not stored)",
        args.rows
    );
    row(
        &large,
        &|f| f.large_file_rows_per_second.clone(),
        "/s",
        "≥ 150,000/s",
        true,
    );
    row(
        "resident memory under load",
        &|f| f.resident_mib.clone(),
        " MiB",
        "",
        false,
    );
    row(
        "peak memory, large file included",
        &|f| f.peak_mib.clone(),
        " MiB",
        "< 300 MiB",
        false,
    );
    row(
        "start to first verdict",
        &|f| f.start_millis.clone(),
        " ms",
        "< 300 ms",
        false,
    );
    text += &format!("\nRows are judged {} at a time.\n", ingest::BATCH_ROWS);
    text
}
