use std::collections::BTreeSet;

use super::*;
use crate::csv_rows::{CsvLimits, CsvRows, RowBatch};

const ROWS: usize = 20_000;

#[test]
fn the_seed_decides_the_records() {
    let values = |seed| -> Vec<Vec<f64>> {
        let records = SyntheticRecords::new(seed).take(500);
        records.map(|record| record.vector.into_values()).collect()
    };
    assert_eq!(values(1), values(1));
    assert_ne!(values(1), values(2));
}

#[test]
fn every_record_obeys_the_bounds_and_definitions() {
    let schema = nsl_kdd();
    let column = |name: &str| schema.index_of(name).unwrap();
    let mut labels = BTreeSet::new();
    for record in SyntheticRecords::new(11).take(ROWS) {
        let values = record.vector.values();
        assert_eq!(values.len(), schema.len());
        for (feature, value) in schema.features().iter().zip(values) {
            assert!(feature.bounds.contains(*value), "{} {value}", feature.name);
        }
        let get = |name: &str| values[column(name)];
        let name = |index| match display_value(schema, index, values[index]) {
            FeatureValue::Name(name) => name,
            other => panic!("{other:?}"),
        };
        if name(1) != "tcp" {
            assert_eq!(name(3), "SF");
        }
        if name(1) == "icmp" {
            assert_eq!(get("duration") + get("dst_bytes"), 0.0);
        }
        if ["S0", "REJ", "SH", "OTH"].contains(&name(3)) {
            assert_eq!(get("src_bytes") + get("dst_bytes"), 0.0);
        }
        if ["S0", "S1", "SH", "OTH"].contains(&name(3)) {
            assert_eq!(get("duration"), 0.0);
        }
        assert!(get("count") >= 1.0 && get("srv_count") >= 1.0);
        if get("count") == 1.0 {
            assert_eq!(get("same_srv_rate"), 1.0);
            assert_eq!(get("diff_srv_rate"), 0.0);
        }
        if get("srv_count") == 2.0 && get("count") == 1.0 {
            assert_eq!(get("srv_diff_host_rate"), 1.0);
        }
        assert!(get("serror_rate") + get("rerror_rate") <= 1.01);
        if get("same_srv_rate") == 1.0 && get("count") < 100.0 {
            assert_eq!(get("diff_srv_rate"), 0.0);
        }
        assert!(crate::label::category_of(record.label).is_some());
        labels.insert(record.label);
    }
    for label in [
        "normal",
        "neptune",
        "smurf",
        "portsweep",
        "satan",
        "guess_passwd",
        "back",
    ] {
        assert!(labels.contains(label), "{label}");
    }
}

#[test]
fn the_csv_reads_back_as_the_same_records() {
    let mut file = Vec::new();
    write_csv(5, 2000, &mut file).unwrap();
    let mut rows = CsvRows::new(file.as_slice(), CsvLimits::default()).unwrap();
    let mut batch = RowBatch::new();
    assert_eq!(rows.read_batch(usize::MAX, &mut batch).unwrap(), 2000);
    assert_eq!(batch.rejections, []);
    assert!(rows.notes().is_empty());
    for (index, record) in SyntheticRecords::new(5).take(2000).enumerate() {
        assert_eq!(batch.row(index), record.vector.values());
        assert_eq!(batch.labels[index].as_ref().unwrap().as_str(), record.label);
    }
}
