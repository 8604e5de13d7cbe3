//! The process that trains: it reads a folder and writes its result into it.

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Instant};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tripline_detect::{DataDigest, Model, ModelSet, Scorer};
use tripline_features::label;
use tripline_lifecycle::{
    LabelledRows,
    recipe::shipped::Shipped,
    retrain::{Gate, GateInput, LabelledFlow, Record, curate, fingerprint, gate, training_rows},
    train::{Provenance, Trained, train_classifier, train_detector},
};

use super::start::Order;
use crate::{holdouts, model_files::write_whole, training_data};

/// Rows on which time is taken.
const TIMED_ROWS: usize = 2000;
/// How often it is taken.
const TIMED_ROUNDS: usize = 5;
/// Known attacks on which rare values are tried.
const ATTACKS: usize = 3000;

/// What a job leaves behind, in `result.json` of its folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JobResult {
    /// Whether the new version may be a candidate.
    pub(super) passes: bool,
    /// Labels that wait for a second person, with the reason.
    pub(super) outlying: Vec<(u64, String)>,
    /// Record, gate, and what became of labels.
    pub(super) details: Value,
}

/// Does the job of a folder.
pub(crate) fn run(folder: &Path) -> anyhow::Result<()> {
    let order: Order = read_json(folder, "job.json")?;
    limit(order.memory_bytes);
    let labels: Vec<LabelledFlow> = read_json(folder, "labels.json")?;
    let champion_bytes = std::fs::read(folder.join("champion.tripline"))?;
    let champion = Arc::new(Model::from_bytes(&champion_bytes)?);
    let (recipe, read) = training_data::of_model(&order.recipe)
        .with_context(|| format!("there is no recipe '{}'", order.recipe))?;
    let base = read(&order.training_data, false)?;
    check_digests(&champion, &base.digests)?;
    let holdouts = holdouts::open(&order.holdouts)?;
    let sealed: BTreeSet<[u8; 16]> = holdouts
        .iter()
        .filter(|holdout| holdout.rows.schema().name() == champion.schema().name())
        .flat_map(|holdout| {
            (0..holdout.rows.len())
                .map(|row| fingerprint(holdout.rows.row(row), champion.columns()))
        })
        .collect();
    let curated = curate(
        &labels,
        &base.train,
        champion.columns(),
        &sealed,
        &order.labels,
    );
    let (rows, recent, used, apart) =
        training_rows(&base.train, &labels, &curated, order.recent_share);
    let record = Record {
        recipe: order.recipe.clone(),
        seed: champion.manifest().training.seed,
        base: base.digests.clone(),
        labels_sha256: digest_of(&labels, &used),
        labels: used.clone(),
        recent: apart,
        code_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let provenance = Provenance {
        command: format!("tripline retrain {}", order.recipe),
        code_version: env!("CARGO_PKG_VERSION").to_owned(),
        data: data_of(&record),
    };
    let Trained { mut bundle, report } = match &recipe {
        Shipped::Detector(recipe) => train_detector(&rows, recipe, &provenance)?,
        Shipped::Classifier(recipe) => train_classifier(&rows, recipe, &provenance)?,
    };
    let bytes = bundle.encode()?;
    let challenger = Arc::new(Model::from_bytes(&bytes)?);
    let gate = compare(
        &order,
        (&champion, champion_bytes.len() as u64),
        (&challenger, bytes.len() as u64),
        (&base.train, recent),
        &holdouts,
        &used_labels(&labels, &used),
    )?;
    let details = json!({
        "record": record,
        "gate": gate,
        "labels_used": used.len(),
        "labels_left_out": curated.left_out,
    });
    let mut report = serde_json::to_value(&report)?;
    if let Value::Object(fields) = &mut report {
        fields.insert("retraining".to_owned(), details.clone());
    }
    write_whole(&folder.join("challenger.tripline"), &bytes)?;
    write_whole(&folder.join("report.json"), &serde_json::to_vec(&report)?)?;
    let result = JobResult {
        passes: gate.passes,
        outlying: curated
            .left_out
            .iter()
            .filter(|label| label.why == tripline_lifecycle::retrain::Excluded::Outlying)
            .map(|label| (label.id, label.because.clone()))
            .collect(),
        details,
    };
    // Last: a folder with it is done.
    write_whole(&folder.join("result.json"), &serde_json::to_vec(&result)?)
}

fn read_json<T: for<'de> Deserialize<'de>>(folder: &Path, name: &str) -> anyhow::Result<T> {
    let path = folder.join(name);
    let about = || format!("{name} of the job");
    let text = std::fs::read(&path).with_context(about)?;
    serde_json::from_slice(&text).with_context(about)
}

/// What nobody waits for comes last, and takes no more memory than it may.
fn limit(memory_bytes: u64) {
    if let Err(error) = rustix::process::nice(19) {
        tracing::warn!(%error, "the training runs with the usual priority");
    }
    let limit = rustix::process::Rlimit {
        current: Some(memory_bytes),
        maximum: Some(memory_bytes),
    };
    if let Err(error) = rustix::process::setrlimit(rustix::process::Resource::As, limit) {
        tracing::warn!(%error, "the memory of the training is not limited");
    }
}

/// The original data have to be the ones that the version that judges was trained on.
fn check_digests(champion: &Model, found: &[DataDigest]) -> anyhow::Result<()> {
    let known = &champion.manifest().training.data;
    for digest in found {
        // A version that was itself retrained names its labels too.
        let recorded = known.iter().find(|known| known.name == digest.name);
        if let Some(recorded) = recorded.filter(|known| known.sha256 != digest.sha256) {
            anyhow::bail!(
                "{} has the SHA-256 {}, and {} was trained on {}",
                digest.name,
                digest.sha256,
                champion.manifest().name,
                recorded.sha256
            );
        }
    }
    Ok(())
}

fn used_labels(labels: &[LabelledFlow], used: &[u64]) -> Vec<LabelledFlow> {
    let used: BTreeSet<u64> = used.iter().copied().collect();
    labels
        .iter()
        .filter(|label| used.contains(&label.id))
        .cloned()
        .collect()
}

fn digest_of(labels: &[LabelledFlow], used: &[u64]) -> String {
    let mut hasher = Sha256::new();
    for label in used_labels(labels, used) {
        for value in &label.values {
            hasher.update(value.to_bits().to_le_bytes());
        }
        hasher.update([u8::from(label.is_attack)]);
        hasher.update(label.attack_type.unwrap_or_default().as_bytes());
        hasher.update([0]);
    }
    format!("{:x}", hasher.finalize())
}

fn data_of(record: &Record) -> Vec<DataDigest> {
    let mut data = record.base.clone();
    data.push(DataDigest {
        name: "labels".to_owned(),
        sha256: record.labels_sha256.clone(),
        rows: record.labels.len() as u64,
    });
    data
}

fn compare(
    order: &Order,
    champion: (&Arc<Model>, u64),
    challenger: (&Arc<Model>, u64),
    (base, recent): (&LabelledRows, LabelledRows),
    holdouts: &[crate::registry::HoldOut],
    labels: &[LabelledFlow],
) -> anyhow::Result<Gate> {
    let mut sets: Vec<(String, LabelledRows)> = holdouts
        .iter()
        .filter(|holdout| holdout.is_about(champion.0))
        .map(|holdout| (holdout.name.clone(), holdout.rows.clone()))
        .collect();
    if !recent.is_empty() {
        sets.push(("the newest labels".to_owned(), recent));
    }
    let attacks: Vec<usize> = (0..base.len())
        .filter(|row| label::is_benign(base.label(*row)) == Some(false))
        .collect();
    let step = (attacks.len() / ATTACKS).max(1);
    let attacks: Vec<usize> = attacks.into_iter().step_by(step).collect();
    let (champion_nanos, challenger_nanos) = nanos_of(champion.0, challenger.0, base)?;
    Ok(gate(
        &GateInput {
            champion: (champion.0, champion.1, champion_nanos),
            challenger: (challenger.0, challenger.1, challenger_nanos),
            sets: &sets,
            attacks: &base.select(&attacks),
            labels,
        },
        &order.gate,
    )?)
}

/// Nanoseconds for a row, both in turn, the median of some rounds.
fn nanos_of(
    champion: &Arc<Model>,
    challenger: &Arc<Model>,
    rows: &LabelledRows,
) -> anyhow::Result<(f64, f64)> {
    let step = (rows.len() / TIMED_ROWS).max(1);
    let values: Vec<f64> = (0..rows.len())
        .step_by(step)
        .take(TIMED_ROWS)
        .flat_map(|row| rows.row(row).iter().copied())
        .collect();
    let count = values.len() / rows.schema().len().max(1);
    let scorer = |model: &Arc<Model>| -> anyhow::Result<Scorer> {
        let set = ModelSet::new(vec![Arc::clone(model)])?;
        let present = vec![true; rows.schema().len()];
        Ok(Scorer::new(
            set.pipeline_for_packets(rows.schema(), &present)?,
            0,
        ))
    };
    let mut scorers = [scorer(champion)?, scorer(challenger)?];
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..TIMED_ROUNDS {
        for (scorer, times) in scorers.iter_mut().zip(&mut times) {
            let started = Instant::now();
            scorer.judge_rows(&values);
            times.push(started.elapsed().as_nanos() as f64 / count.max(1) as f64);
        }
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times.get(times.len() / 2).copied().unwrap_or(0.0)
    };
    let [mut before, mut after] = times;
    Ok((median(&mut before), median(&mut after)))
}
