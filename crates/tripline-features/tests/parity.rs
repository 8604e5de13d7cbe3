//! The numbers of flows against the recorded outputs of the programs that made the data sets.
#![allow(missing_docs)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tripline_features::live::cicflow;
use tripline_flow::{Flow, Meter, MeterConfig, Profile, What};
use tripline_wire::{CaptureReader, DecodeOptions, Decoder};

fn data() -> PathBuf {
    std::env::var_os("TRIPLINE_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    )
}

fn flows(path: &Path, profile: Profile) -> Vec<Box<Flow>> {
    let file = std::fs::File::open(path).unwrap();
    let Ok(mut capture) = CaptureReader::new(file) else {
        return Vec::new();
    };
    let mut decoder = Decoder::new(DecodeOptions::original());
    let mut meter = Meter::new(MeterConfig {
        profile,
        ..MeterConfig::default()
    });
    let (mut packets, mut events) = (Vec::new(), Vec::new());
    while let Some(frame) = capture.next_frame().unwrap() {
        if let Ok(packet) = decoder.decode(&frame)
            && packet.version == 4
        {
            packets.push(packet);
        }
    }
    meter.observe(&packets, &mut events);
    meter.finish(&mut events);
    events
        .into_iter()
        .filter_map(|event| match event.what {
            What::Ended(flow) => Some(flow),
            _ => None,
        })
        .collect()
}

/// Rows by flow id and start; cells by column.
type Rows = BTreeMap<String, Vec<Vec<String>>>;

fn expected(path: &Path) -> (Vec<String>, Rows) {
    let file = std::fs::File::open(path).unwrap();
    let text = if path.extension().is_some_and(|end| end == "zst") {
        String::from_utf8(zstd::decode_all(file).unwrap()).unwrap()
    } else {
        std::io::read_to_string(file).unwrap()
    };
    let mut lines = text.lines();
    let header = lines
        .next()
        .unwrap()
        .split(',')
        .map(|name| name.trim().to_owned())
        .collect();
    let mut rows = Rows::new();
    for line in lines {
        let cells: Vec<String> = line.split(',').map(ToOwned::to_owned).collect();
        rows.entry(format!(
            "{}-{}-{}-{}-{}",
            cells[1], cells[3], cells[2], cells[4], cells[5]
        ))
        .or_default()
        .push(cells);
    }
    (header, rows)
}

#[derive(Default, Debug)]
struct Tally {
    cells: u64,
    wrong: u64,
    expected_flows: u64,
    missing: u64,
    extra: u64,
    columns: BTreeMap<String, u64>,
    files: BTreeMap<String, (u64, u64, u64)>,
}

fn same(ours: f64, theirs: &str) -> bool {
    let theirs = match theirs {
        "Infinity" => f64::INFINITY,
        "NaN" => f64::NAN,
        "" => return true,
        text => text.parse().unwrap_or(f64::NAN),
    };
    ours == theirs
        || (ours.is_nan() && theirs.is_nan())
        || (ours - theirs).abs() <= 1e-9 * ours.abs().max(theirs.abs())
}

fn compare(
    name: &str,
    profile: Profile,
    flows: &[Box<Flow>],
    header: &[String],
    mut rows: Rows,
    tally: &mut Tally,
) {
    let columns: Vec<(usize, usize, &str)> = cicflow::columns(profile)
        .filter_map(|(index, column)| {
            let place = header.iter().position(|name| name == column);
            assert!(
                place.is_some() || profile == Profile::Cicids2017,
                "{column} is not in {header:?}"
            );
            Some((index, place?, column))
        })
        .collect();
    let mut wrong_here = 0;
    let mut extra_here = 0;
    for flow in flows {
        let key = flow.key;
        let mut values = Vec::new();
        cicflow::write(flow, &mut values);
        let id = key.to_string();
        let candidates = rows.entry(id.clone()).or_default();
        // Of several flows of the same end points the one that agrees best is the same.
        let mistakes = |cells: &Vec<String>| {
            columns
                .iter()
                .filter(|(index, place, _)| !same(values[*index], &cells[*place]))
                .count()
        };
        let best = candidates
            .iter()
            .enumerate()
            .map(|(at, cells)| (mistakes(cells), at))
            .min();
        match best {
            Some((mistakes, at)) => {
                let cells = candidates.remove(at);
                tally.cells += columns.len() as u64;
                tally.wrong += mistakes as u64;
                wrong_here += mistakes as u64;
                for (index, place, column) in &columns {
                    if !same(values[*index], &cells[*place]) {
                        *tally.columns.entry((*column).to_owned()).or_default() += 1;
                        if std::env::var_os("PARITY_VERBOSE").is_some() {
                            println!(
                                "{name} {id} {column}: ours {} theirs {}",
                                values[*index], cells[*place]
                            );
                        }
                    }
                }
            }
            None => {
                extra_here += 1;
                if std::env::var_os("PARITY_VERBOSE").is_some() {
                    println!("{name} EXTRA {id} {} packets", flow.packets());
                }
            }
        }
    }
    let missing: u64 = rows.values().map(|rows| rows.len() as u64).sum();
    if std::env::var_os("PARITY_VERBOSE").is_some() {
        for (id, rows) in &rows {
            if !rows.is_empty() {
                println!("{name} MISSING {id} x{}", rows.len());
            }
        }
    }
    tally.missing += missing;
    tally.extra += extra_here;
    if missing + extra_here + wrong_here > 0 {
        tally
            .files
            .insert(name.to_owned(), (missing, extra_here, wrong_here));
    }
}

#[test]
fn golden() {
    let golden = data().join("../spec/golden");
    for (profile, name) in [
        (Profile::Fixed, "pf"),
        (Profile::V4, "pm"),
        (Profile::Cicids2017, "p17"),
    ] {
        let (header, rows) = expected(&golden.join(format!("expected_{name}.csv")));
        let mut tally = Tally::default();
        tally.expected_flows = rows.values().map(|rows| rows.len() as u64).sum();
        let flows = flows(&golden.join("golden.pcap"), profile);
        compare("golden", profile, &flows, &header, rows, &mut tally);
        println!("{name}: {tally:#?}");
    }
}

#[test]
fn captures() {
    for (profile, tool) in [(Profile::Fixed, "fixed"), (Profile::V4, "master")] {
        for kind in ["attack", "benign", "nasty"] {
            let mut tally = Tally::default();
            let reference = data()
                .join("captures/reference")
                .join(format!("cicflowmeter-{tool}"))
                .join(kind);
            let mut files: Vec<_> = std::fs::read_dir(&reference)
                .unwrap()
                .map(|file| file.unwrap().path())
                .collect();
            files.sort();
            for path in files {
                let name = path.file_name().unwrap().to_str().unwrap();
                let capture = name.strip_suffix("_Flow.csv.zst").unwrap();
                let (header, rows) = expected(&path);
                if header.len() < 10 {
                    continue;
                }
                tally.expected_flows += rows.values().map(|rows| rows.len() as u64).sum::<u64>();
                let flows = flows(&data().join("captures").join(kind).join(capture), profile);
                compare(capture, profile, &flows, &header, rows, &mut tally);
            }
            println!("{tool} {kind}: {tally:#?}");
        }
    }
}
