use std::sync::Arc;

use tripline_detect::Model;
use tripline_features::label;

use crate::{LabelledRows, LifecycleError, judge_alone};

/// What somebody who attacks can do to a flow without giving the attack up: send more, and take
/// longer. Counts and rates of other flows are not theirs to choose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Perturbation {
    /// For people.
    pub name: &'static str,
    /// Features that grow, in either schema.
    features: &'static [&'static str],
    factor: f64,
}

/// The perturbations under which robust recall is measured.
pub const PERTURBATIONS: [Perturbation; 4] = [
    Perturbation {
        name: "a tenth more bytes sent",
        features: &[
            "src_bytes",
            "Total Length of Fwd Packet",
            "Fwd Packet Length Mean",
        ],
        factor: 1.1,
    },
    Perturbation {
        name: "twice the bytes sent",
        features: &[
            "src_bytes",
            "Total Length of Fwd Packet",
            "Fwd Packet Length Mean",
        ],
        factor: 2.0,
    },
    Perturbation {
        name: "half again as long",
        features: &["duration", "Flow Duration", "Flow IAT Mean", "Fwd IAT Mean"],
        factor: 1.5,
    },
    Perturbation {
        name: "a fifth more of both",
        features: &[
            "src_bytes",
            "Total Length of Fwd Packet",
            "Fwd Packet Length Mean",
            "duration",
            "Flow Duration",
            "Flow IAT Mean",
            "Fwd IAT Mean",
        ],
        factor: 1.2,
    },
];

/// The share of attacks that a detector finds under every one of the perturbations; `None` without
/// attacks.
pub fn robust_recall(
    model: &Arc<Model>,
    rows: &LabelledRows,
) -> Result<Option<f64>, LifecycleError> {
    let attacks: Vec<usize> = (0..rows.len())
        .filter(|row| label::is_benign(rows.label(*row)) == Some(false))
        .collect();
    if attacks.is_empty() {
        return Ok(None);
    }
    let attacks = rows.select(&attacks);
    let mut found = vec![true; attacks.len()];
    let mut count = |rows: &LabelledRows| -> Result<(), LifecycleError> {
        for (found, verdict) in found.iter_mut().zip(judge_alone(model, rows)?) {
            *found &= verdict.is_threat();
        }
        Ok(())
    };
    count(&attacks)?;
    for perturbation in PERTURBATIONS {
        let columns: Vec<usize> = perturbation
            .features
            .iter()
            .filter_map(|name| attacks.schema().index_of(name))
            .collect();
        let mut changed = LabelledRows::new(attacks.schema());
        for row in 0..attacks.len() {
            let mut values = attacks.row(row).to_vec();
            for column in &columns {
                values[*column] *= perturbation.factor;
            }
            changed.push(&values, attacks.label(row));
        }
        count(&changed)?;
    }
    let all = found.iter().filter(|found| **found).count();
    Ok(Some(all as f64 / found.len() as f64))
}
