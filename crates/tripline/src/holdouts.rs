//! Labelled rows that no model is trained on: files that the operator names, and generated records,
//! so that a registry without data can measure models too.

use std::path::Path;

use tripline_features::synthetic::SyntheticRecords;
use tripline_lifecycle::LabelledRows;

use crate::{data, registry::HoldOut};

/// Seed of the generated records; no recipe trains on it.
const SEED: u64 = 0x005e_a1ed;
/// Generated records.
const RECORDS: usize = 4000;
/// Rows read of a file.
const MAX_ROWS: usize = 200_000;

/// Reads the operator's files, and generates the rest.
pub(crate) fn open(files: &[impl AsRef<Path>]) -> anyhow::Result<Vec<HoldOut>> {
    let mut holdouts = Vec::new();
    for path in files {
        let path = path.as_ref();
        let (rows, digest) = data::read_labelled(path)?;
        anyhow::ensure!(
            rows.len() <= MAX_ROWS,
            "hold-out {}: {} rows are more than {MAX_ROWS}",
            path.display(),
            rows.len()
        );
        holdouts.push(HoldOut {
            name: format!("{} ({})", digest.name, &digest.sha256[..12]),
            rows,
        });
    }
    holdouts.push(generated());
    Ok(holdouts)
}

fn generated() -> HoldOut {
    let mut rows = LabelledRows::new(tripline_features::nsl_kdd());
    for record in SyntheticRecords::new(SEED).take(RECORDS) {
        rows.push(record.vector.values(), record.label);
    }
    HoldOut {
        name: format!("{RECORDS} generated records"),
        rows,
    }
}
