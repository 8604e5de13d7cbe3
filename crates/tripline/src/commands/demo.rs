use std::{
    fs::File,
    io::{BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use tripline_features::synthetic;
use tripline_traffic::{AttackKind, AttackPlan, PcapWriter, Traffic, TrafficPlan};

use super::{
    client,
    serve::{Server, runtime, stop_signal},
};
use crate::{cli::DemoArgs, data, traces};

pub(super) fn run(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    if let Some(path) = &args.write_csv {
        write_generated(path, args.seed, args.rows)?;
        return Ok(ExitCode::SUCCESS);
    }
    let folder = std::env::temp_dir().join(format!("tripline-demo-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let mut files = demo_files(args, &folder)?;
    let capture = folder.join("generated-office.pcap");
    write_capture(&capture, args.seed)?;
    files.push(capture);
    traces::start(&args.serve.traces)?;
    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        let tell = |url: &str| writeln!(std::io::stdout(), "listening on {url}");
        let server = Server::start(&args.serve, tell).await?;
        let url = server.url.clone();
        let uploads = tokio::task::spawn_blocking(move || upload_all(&url, &files));
        let serving = server.run(stop_signal());
        tokio::pin!(serving);
        tokio::select! {
            done = &mut serving => return done,
            uploaded = uploads => uploaded??,
        }
        serving.await
    });
    traces::stop();
    std::fs::remove_dir_all(&folder)?;
    outcome?;
    Ok(ExitCode::SUCCESS)
}

/// The files to upload: parts of the public data sets where they are, else generated records
/// under a name that says so.
fn demo_files(args: &DemoArgs, folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let Some(public) = data::data_folder(args.data.clone()) else {
        let path = folder.join("generated-nsl-kdd.csv");
        write_generated(&path, args.seed, args.rows)?;
        writeln!(
            std::io::stdout(),
            "the public data sets are not here (TRIPLINE_DATA), so the traffic records are generated"
        )?;
        return Ok(vec![path]);
    };
    let mut files = Vec::new();
    for (source, name, has_header) in [
        (data::NSL_TRAIN, "nsl-kdd-train-part.csv", false),
        (data::CICIDS, "cicids2017-part.csv", true),
    ] {
        let path = folder.join(name);
        if public.join(source).is_file() {
            copy_part(&public.join(source), &path, args.rows, has_header)?;
            files.push(path);
        }
    }
    let samples = public.join("origin-samples");
    for name in [
        "threat_detection_test.csv",
        "attack_classification_test.csv",
    ] {
        if samples.join(name).is_file() {
            files.push(samples.join(name));
        }
    }
    writeln!(
        std::io::stdout(),
        "the traffic records are the public data sets in {}",
        public.display()
    )?;
    Ok(files)
}

fn write_generated(path: &Path, seed: u64, rows: usize) -> anyhow::Result<()> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut out = BufWriter::new(file);
    synthetic::write_csv(seed, rows, &mut out)?;
    Ok(out.flush()?)
}

/// Two minutes of an office network with some attacks, as packets.
fn write_capture(path: &Path, seed: u64) -> anyhow::Result<()> {
    const SECOND: i64 = 1_000_000;
    let attack = |(turn, kind): (i64, AttackKind)| AttackPlan {
        kind,
        start_micros: (10 + turn * 20) * SECOND,
        duration_micros: 10 * SECOND,
        intensity: 0.1,
    };
    let attacks = [
        AttackKind::PortScan,
        AttackKind::SshPatator,
        AttackKind::DosSlowloris,
        AttackKind::FtpPatator,
        AttackKind::WebSqlInjection,
    ];
    let plan = TrafficPlan {
        attacks: (0..).zip(attacks).map(attack).collect(),
        ..TrafficPlan::benign(seed, 120, 2.0)
    };
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut pcap = PcapWriter::new(BufWriter::new(file))?;
    let mut traffic = Traffic::new(&plan)?;
    while let Some(packet) = traffic.next_packet() {
        pcap.write(packet.time_micros, packet.frame)?;
    }
    pcap.finish()?;
    Ok(())
}

/// Copies evenly spread rows of a file.
fn copy_part(from: &Path, to: &Path, rows: usize, has_header: bool) -> anyhow::Result<()> {
    let lines: Vec<String> = BufReader::new(data::open(from)?)
        .lines()
        .collect::<Result<_, _>>()?;
    let (header, body) = lines.split_at(usize::from(has_header).min(lines.len()));
    let mut out = BufWriter::new(File::create(to)?);
    for line in header {
        writeln!(out, "{line}")?;
    }
    let count = rows.min(body.len());
    for index in 0..count {
        writeln!(out, "{}", body[index * body.len() / count])?;
    }
    Ok(out.flush()?)
}

fn upload_all(url: &str, files: &[PathBuf]) -> anyhow::Result<()> {
    let address = url.trim_start_matches("http://");
    let mut out = std::io::stdout();
    for path in files {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let file = std::fs::read(path)?;
        let is_capture = path.extension().is_some_and(|end| end == "pcap");
        let way = if is_capture { "capture" } else { "csv" };
        let (accepted, _) =
            client::run_job(address, &format!("/api/v1/upload/{way}"), &name, &file)?;
        let report_url = accepted["report_url"].as_str().unwrap_or_default();
        let report = client::get(address, report_url)?;
        let count = |key: &str| report[key].as_u64().unwrap_or(0);
        writeln!(
            out,
            "{name}: {} {} judged, {} threats, {} rejected",
            count("rows_scored"),
            if is_capture { "flows" } else { "rows" },
            count("threats"),
            count("rows_rejected")
        )?;
    }
    writeln!(
        out,
        "\n  Dashboard: {url}/\n  API:       {url}/docs\n\nCtrl-C stops it."
    )?;
    Ok(out.flush()?)
}
