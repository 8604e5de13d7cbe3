//! Windows as CSV files that other programs can read, and Tripline's answers to the same files.
//!
//! `DIR/model.tripline` is the model. `DIR/windows/NAME.csv` has a header with the features,
//! `probability`, `threat` and `attack`; a missing value is empty. `DIR/training.csv`, the baseline's
//! rows, and `DIR/reference.csv`, labelled rows that the model was not trained on, have the same
//! columns. `DIR/windows.json` lists the windows in order with what was changed.

use std::{
    fs,
    io::{BufWriter, Write},
    path::Path,
};

use serde_json::json;
use tripline_features::{FeatureKind, FeatureSchema};
use tripline_forest::SplitMix64;
use tripline_lifecycle::{
    LabelledRows,
    drift::{DriftPolicy, Window},
    performance::{Estimate, EstimatePolicy},
};

use crate::{
    estimates::ROWS,
    laboratory::{Judge, Laboratory, SEED, is_attack, read},
    scenarios::{Change, all},
};

/// Windows without a change.
const SAME: usize = 10;

pub(crate) fn write(folder: &str, into: &Path) {
    let laboratory = Laboratory::new(&read(folder, "KDDTrain+.txt.zst"));
    fs::create_dir_all(into.join("windows")).unwrap();
    fs::write(into.join("model.tripline"), &laboratory.judge.bytes).unwrap();
    write_rows(
        &laboratory.judge,
        &laboratory.train,
        &into.join("training.csv"),
    );
    write_rows(
        &laboratory.judge,
        &laboratory.reference,
        &into.join("reference.csv"),
    );
    let mut list = Vec::new();
    let mut add = |rows: &LabelledRows, scenario: &str, features: &[&str], is_same: bool| {
        let name = format!("{:03}", list.len());
        write_rows(
            &laboratory.judge,
            rows,
            &into.join(format!("windows/{name}.csv")),
        );
        list.push(json!({
            "name": name, "scenario": scenario, "features": features, "is_same": is_same,
        }));
    };
    for (index, change) in all(&[]).into_iter().enumerate() {
        let count = if change == Change::Nothing { SAME } else { 1 };
        for turn in 0..count {
            let mut random = SplitMix64::for_part(SEED + 1, (1000 * index + turn) as u64);
            let rows = change.window(&laboratory, &mut random, ROWS);
            add(&rows, &change.name(), &change.features(), change.is_none());
        }
    }
    let test = read(folder, "KDDTest+.txt.zst");
    for at in 0..test.len() / ROWS {
        let rows: Vec<usize> = (at * ROWS..(at + 1) * ROWS).collect();
        add(&test.select(&rows), "KDDTest+", &[], false);
    }
    fs::write(into.join("windows.json"), json!(list).to_string()).unwrap();
}

fn write_rows(judge: &Judge, rows: &LabelledRows, path: &Path) {
    let features = rows.schema().features();
    let mut out = BufWriter::new(fs::File::create(path).unwrap());
    for feature in features {
        write!(out, "{},", feature.name).unwrap();
    }
    writeln!(out, "probability,threat,attack").unwrap();
    for (row, (probability, is_threat)) in judge.say(rows).into_iter().enumerate() {
        for (value, feature) in rows.row(row).iter().zip(features) {
            match feature.kind {
                _ if value.is_nan() => {}
                FeatureKind::Category(names) => write!(out, "{}", names[*value as usize]).unwrap(),
                _ => write!(out, "{value}").unwrap(),
            }
            write!(out, ",").unwrap();
        }
        let truth = is_attack(rows.label(row));
        writeln!(
            out,
            "{probability},{},{}",
            u8::from(is_threat),
            u8::from(truth)
        )
        .unwrap();
    }
    out.flush().unwrap();
}

/// Reads every window and prints a line of JSON about each.
pub(crate) fn measure(from: &Path) {
    let judge = Judge::from_bytes(fs::read(from.join("model.tripline")).unwrap());
    let list: Vec<serde_json::Value> =
        serde_json::from_slice(&fs::read(from.join("windows.json")).unwrap()).unwrap();
    let schema = judge.model.schema();
    for entry in &list {
        let name = entry["name"].as_str().unwrap();
        let text = fs::read_to_string(from.join(format!("windows/{name}.csv"))).unwrap();
        let mut window = Window::new(&judge.baseline);
        let mut estimate = Estimate::default();
        let mut values = Vec::with_capacity(schema.len());
        for (row, line) in text.lines().skip(1).enumerate() {
            let mut fields = line.split(',');
            values.clear();
            values.extend(
                (0..schema.len()).map(|index| value(schema, index, fields.next().unwrap())),
            );
            let probability: f64 = fields.next().unwrap().parse().unwrap();
            let is_threat = fields.next() == Some("1");
            window.observe(&judge.baseline, &values, Some(probability), row as i64);
            estimate.observe(probability, is_threat);
        }
        let report = window.report(&judge.baseline, &DriftPolicy::default());
        let estimated = estimate.estimate(&report, &EstimatePolicy::default());
        println!(
            "{}",
            json!({"name": name, "drifted": report.drifted, "estimate": estimated})
        );
    }
}

fn value(schema: &FeatureSchema, index: usize, text: &str) -> f64 {
    match schema.features()[index].kind {
        _ if text.is_empty() => f64::NAN,
        FeatureKind::Category(names) => names.iter().position(|name| *name == text).unwrap() as f64,
        _ => text.parse().unwrap(),
    }
}
