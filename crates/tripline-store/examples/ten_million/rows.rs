//! Made-up verdicts of about the size and the mixture of real ones, the same for the same seed.

use std::error::Error;

use tripline_store::{
    AttackPart, BatchEnd, BatchId, BatchStatus, ModelRef, NamedPart, NewBatch, NewVerdict,
    Progress, Provenance, Source, Stage, Store, ThreatPart, Timestamp,
};

/// Name, number and share of a class: rows drawn below the last bound are harmless.
const CLASSES: [(&str, u32, &str, u64); 4] = [
    ("DoS", 1, "neptune", 300),
    ("Probe", 2, "portsweep", 380),
    ("R2L", 3, "guess_passwd", 398),
    ("U2R", 4, "rootkit", 399),
];

/// What a thousand rows are drawn from.
const SHARES: u64 = 1000;

pub(crate) const START: Timestamp = Timestamp(1_760_000_000_000_000);

/// Verdicts are made at this distance.
pub(crate) const MICROS_PER_ROW: i64 = 1_000;

const BLOCK_ROWS: u64 = 10_000;

pub(crate) fn provenance() -> Provenance {
    let model = |name: &str, threshold| {
        let (name, version) = (name.to_owned(), "2026.11-ab12cd34".to_owned());
        Some(ModelRef {
            name,
            version,
            threshold,
        })
    };
    Provenance {
        schema: "nsl-kdd".to_owned(),
        schema_version: 1,
        schema_fingerprint: "0123456789abcdef".to_owned(),
        detector: model("nsl-kdd-detector", Some(0.41)),
        classifier: model("nsl-kdd-classifier", None),
        namer: None,
    }
}

fn mixed(value: u64) -> u64 {
    let value = value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value ^ value >> 27
}

fn verdict(row: u64, sequence: u64, bytes: &[u8]) -> NewVerdict<'_> {
    let random = mixed(row + 1);
    let share = random % SHARES;
    let probability = (random >> 11) as f64 / (1_u64 << 53) as f64;
    let class = CLASSES.iter().find(|class| share < class.3);
    NewVerdict {
        sequence,
        stage: Stage::Final,
        created_at: Timestamp(START.0 + row as i64 * MICROS_PER_ROW),
        row_number: Some(sequence + 2),
        threat: Some(ThreatPart {
            probability,
            is_threat: class.is_some(),
        }),
        attack: class.map(|&(class, class_id, label, _)| AttackPart {
            class,
            class_id,
            is_attack: true,
            confidence: probability,
            named: Some(NamedPart {
                label,
                confidence: probability,
            }),
        }),
        label: None,
        features: bytes.get(..84).unwrap_or_default(),
        reasons: bytes.get(84..114).unwrap_or_default(),
        flow: None,
    }
}

/// Stores `rows` verdicts in blocks, as so many batches, and returns the batches.
pub(crate) fn fill(
    store: &dyn Store,
    rows: u64,
    batches: u64,
) -> Result<Vec<BatchId>, Box<dyn Error>> {
    let provenance = provenance();
    let bytes: Vec<u8> = (0..114).map(|index| mixed(index) as u8).collect();
    let mut made = Vec::new();
    for batch in 0..batches {
        let (first, end) = (rows * batch / batches, rows * (batch + 1) / batches);
        let mut id = [0; 16];
        id[..8].copy_from_slice(&batch.to_le_bytes());
        let id = BatchId::from_random_bytes(id);
        let created_at = Timestamp(START.0 + first as i64 * MICROS_PER_ROW);
        let stream = store.create_batch(&NewBatch {
            id,
            source: Source::Upload,
            file_name: Some(format!("flows-{batch}.csv")),
            created_at,
            bytes_total: None,
        })?;
        for start in (first..end).step_by(BLOCK_ROWS as usize) {
            let block: Vec<_> = (start..end.min(start + BLOCK_ROWS))
                .map(|row| verdict(row, row - first, &bytes))
                .collect();
            store.append(stream, &provenance, &block)?;
        }
        let rows = end - first;
        store.finish_batch(
            id,
            &BatchEnd {
                status: BatchStatus::Complete,
                finished_at: Timestamp(created_at.0 + rows as i64 * MICROS_PER_ROW),
                progress: Progress {
                    rows_read: rows,
                    rows_scored: rows,
                    ..Default::default()
                },
                schema: Some("nsl-kdd".to_owned()),
                error: None,
                report: None,
            },
        )?;
        made.push(id);
    }
    Ok(made)
}
