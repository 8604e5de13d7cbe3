//! Captures through the program as it is installed: generate, scan, flows, evaluate.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "in a test, what fails in a helper fails the test"
)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

fn tripline(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tripline"));
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    command.env("TRIPLINE_MODELS", models).args(words);
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn run(words: &[&str]) -> Output {
    let output = tripline(words).output().unwrap();
    assert!(
        output.status.success(),
        "{words:?}: {}",
        text(&output.stderr)
    );
    output
}

struct Generated {
    folder: TempDir,
}

impl Generated {
    fn new(words: &[&str]) -> Self {
        let generated = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let (capture, labels) = (generated.path("a.pcap"), generated.path("a.csv"));
        let mut all = vec!["generate", "-o", &capture, "--labels", &labels];
        all.extend(words);
        run(&all);
        generated
    }

    fn demo() -> Self {
        Self::new(&["--seed", "3", "--attack", "portscan@5+2", "--seconds", "60"])
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

#[test]
fn a_scan_is_found_and_summed_up() {
    let generated = Generated::demo();
    let output = run(&["scan", "--json", &generated.path("a.pcap")]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |name: &str| report[name].as_u64().unwrap();
    assert!(of("threats") > 0 && of("threats") < of("flows"));
    assert!(of("packets") <= of("frames"));
    assert!(report["talkers"].as_array().unwrap().len() <= 10);
    let people = text(&run(&["scan", "--top", "3", &generated.path("a.pcap")]).stdout);
    for part in ["threats by attack", "talkers: threats / flows", "because"] {
        assert!(people.contains(part), "{people}");
    }
}

#[test]
fn flows_are_written_in_every_format_and_filtered() {
    let generated = Generated::demo();
    let capture = generated.path("a.pcap");
    let lines = |words: &[&str]| {
        let mut all = vec!["scan", capture.as_str()];
        all.extend(words);
        text(&run(&all).stdout).lines().count()
    };
    let flows = lines(&["--format", "jsonl"]);
    assert_eq!(lines(&["--format", "csv"]), flows + 1);
    let threats = lines(&["--format", "jsonl", "--threats-only"]);
    assert!(threats > 0 && threats < flows);
    assert_eq!(lines(&["--format", "jsonl", "--filter", "threat"]), threats);
    assert_eq!(
        lines(&["--format", "jsonl", "--filter", "not threat"]),
        flows - threats
    );
    // A flow event for each, and an alert for each threat.
    assert_eq!(lines(&["--format", "eve"]), flows + threats);
    let parquet = generated.path("flows.parquet");
    run(&["scan", &capture, "-o", &parquet]);
    assert!(std::fs::read(&parquet).unwrap().starts_with(b"PAR1"));
    let wrong = tripline(&["scan", &capture, "--filter", "dst_port >"])
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(1));
    assert!(text(&wrong.stderr).contains("filter: at character"));
}

#[test]
fn the_order_and_the_speed_of_reading_change_nothing() {
    let generated = Generated::demo();
    let capture = std::fs::read(generated.path("a.pcap")).unwrap();
    let words = ["scan", "-", "--format", "csv", "--early-packets", "5"];
    let piped = |pieces: usize, threads: &str| {
        let mut child = tripline(&words)
            .env("RAYON_NUM_THREADS", threads)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let bytes = capture.clone();
        let writer = std::thread::spawn(move || {
            for piece in bytes.chunks(pieces) {
                input.write_all(piece).unwrap();
            }
        });
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        output.stdout
    };
    let whole = piped(usize::MAX, "2");
    assert!(!whole.is_empty());
    assert_eq!(piped(4099, "1"), whole);
    assert_eq!(piped(65_536, "4"), whole);
}

#[test]
fn flows_have_the_columns_of_cicflowmeter() {
    let generated = Generated::demo();
    let header = |profile: &str| {
        let output = run(&["flows", &generated.path("a.pcap"), "--profile", profile]);
        text(&output.stdout).lines().next().unwrap().to_owned()
    };
    let fixed = header("fixed");
    assert!(fixed.starts_with(
        "Flow ID,Src IP,Src Port,Dst IP,Dst Port,Protocol,Timestamp,Flow Duration,Total Fwd Packet,"
    ));
    assert!(fixed.ends_with("Total Connection Flow Time,Label"));
    assert_eq!(fixed.split(',').count(), 94);
    assert_eq!(header("v4").split(',').count(), 84);
    assert!(header("cicids2017").contains("Init_Win_bytes_forward"));
}

#[test]
fn labelled_captures_are_evaluated_with_early_verdicts() {
    let generated = Generated::demo();
    let output = run(&[
        "evaluate",
        &generated.path("a.pcap"),
        "--labels",
        &generated.path("a.csv"),
        "--early-packets",
        "5",
        "--json",
    ]);
    let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
    let scan = &rows["PortScan"];
    assert!(scan["flagged"].as_u64().unwrap() > scan["flows"].as_u64().unwrap() / 2);
    assert!(rows["BENIGN"]["told_early"].as_u64().unwrap() > 0);
}

#[test]
fn what_is_no_file_is_written_to_and_not_replaced() {
    let generated = Generated::demo();
    let pipe = generated.path("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let reader = {
        let pipe = pipe.clone();
        std::thread::spawn(move || std::fs::read(pipe).unwrap())
    };
    run(&["flows", &generated.path("a.pcap"), "-o", &pipe]);
    assert!(reader.join().unwrap().starts_with(b"Flow ID"));
    let kind = std::fs::symlink_metadata(&pipe).unwrap().file_type();
    assert!(!kind.is_file(), "the pipe was replaced by a file");
}

#[test]
fn an_endless_capture_is_read_in_little_memory_until_its_reader_has_enough() {
    let generated = Generated::demo();
    let capture = std::fs::read(generated.path("a.pcap")).unwrap();
    let mut child = tripline(&["scan", "-", "--format", "jsonl", "--max-memory", "8"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        // Until nobody reads any more.
        input.write_all(&capture).is_ok_and(|()| {
            while input.write_all(&capture[24..]).is_ok() {}
            true
        })
    });
    let mut first = String::new();
    let mut output = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut output, &mut first).unwrap();
    assert!(first.contains("\"flow_id\""));
    drop(output);
    assert!(child.wait().unwrap().success());
    writer.join().unwrap();
}

#[test]
fn every_nasty_capture_is_scanned() {
    let data = std::env::var_os("TRIPLINE_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let Ok(folder) = std::fs::read_dir(data.join("captures/nasty")) else {
        println!("SKIPPED: no captures in {}", data.display());
        return;
    };
    let mut words = vec!["scan".to_owned(), "--json".to_owned()];
    let mut refused = 0;
    for entry in folder {
        let path = entry.unwrap().path();
        let head = std::fs::read(&path).unwrap();
        // What has no header of a capture is refused by name, and is another test's.
        if tripline_wire::CaptureReader::new(head.as_slice()).is_ok() {
            words.push(path.display().to_string());
        } else {
            refused += 1;
        }
    }
    assert!(words.len() > 400 && refused < 10);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let output = run(&words);
    for line in text(&output.stdout).lines() {
        let report: Value = serde_json::from_str(line).unwrap();
        assert!(report["packets"].as_u64() <= report["frames"].as_u64());
    }
}
