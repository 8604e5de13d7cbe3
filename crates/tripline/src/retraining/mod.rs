//! New versions from labels, in the background: a process of its own trains within a budget of
//! processor and memory, and what it leaves behind is taken in as a candidate.
//!
//! A job is a folder and a row: the row says which job there is, the folder holds everything it needs
//! and, once it is done, its result. Whatever ends the server or the process in between, the job
//! begins again from the folder, or its result is taken in, and never twice.

mod job;
mod start;
mod work;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tripline_lifecycle::retrain::{GatePolicy, LabelPolicy};
use tripline_store::Task;

pub use self::work::Retrainer;
pub(crate) use self::{job::run as run_job, start::Refusal};

/// Key of the jobs among the tasks of the store.
pub(crate) const TASK: &str = "retraining";
/// Name of the lease on the work.
const LEASE_NAME: &str = "retraining";
/// What it is called in histories.
pub(crate) const ACTOR: &str = "retraining";
/// How often a process that was interrupted is begun again.
const MAX_ATTEMPTS: u32 = 3;
/// Jobs that are remembered.
const MAX_FINISHED: usize = 50;

/// When models are trained anew, on what, and what then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RetrainRules {
    /// Days after which an active model is trained anew, if labels have come in since.
    pub(crate) every_days: Option<f64>,
    /// New labels after which it is.
    pub(crate) new_labels: Option<u64>,
    /// Windows in a row with drift after which it is, if labels have come in since.
    pub(crate) drifted_windows: Option<u32>,
    /// Whether a version that passes goes into shadow by itself.
    pub(crate) into_shadow: bool,
    /// Labels without which nothing is trained.
    pub(crate) min_labels: u64,
    /// Share of the labels, the newest, that is measured on and never trained on.
    pub(crate) recent_share: f64,
    /// Threads that train.
    pub(crate) threads: usize,
    /// Memory that the training may take, in bytes.
    pub(crate) memory_bytes: u64,
    /// Which labels count.
    pub(crate) labels: LabelPolicy,
    /// What a new version may lose.
    pub(crate) gate: GatePolicy,
}

impl Default for RetrainRules {
    fn default() -> Self {
        Self {
            every_days: None,
            new_labels: None,
            drifted_windows: None,
            into_shadow: true,
            min_labels: 20,
            recent_share: 0.2,
            threads: 1,
            memory_bytes: 8 << 30,
            labels: LabelPolicy::default(),
            gate: GatePolicy::default(),
        }
    }
}

impl RetrainRules {
    /// Checks every value; the error is for people.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self
            .every_days
            .is_some_and(|days| !(days > 0.0 && days < 36_500.0))
        {
            return Err("'retrain.every_days' is expected to be above 0".to_owned());
        }
        if !(1..=256).contains(&self.threads) {
            return Err(format!(
                "'retrain.threads' is {}, expected 1 to 256",
                self.threads
            ));
        }
        if self.memory_bytes < 256 << 20 {
            return Err(format!(
                "'retrain.memory_bytes' is {}, expected at least 268435456",
                self.memory_bytes
            ));
        }
        if !(0.0..=0.9).contains(&self.recent_share) {
            return Err(format!(
                "'retrain.recent_share' is {}, expected 0 to 0.9",
                self.recent_share
            ));
        }
        for (key, share) in [
            ("max_author_share", self.labels.max_author_share),
            ("max_author_part", self.labels.max_author_part),
            ("max_label_share", self.labels.max_label_share),
            ("opposite", self.labels.opposite),
            ("near", self.labels.near),
        ] {
            if !(0.0..=1.0).contains(&share) {
                return Err(format!(
                    "'retrain.labels.{key}' is {share}, expected 0 to 1"
                ));
            }
        }
        Ok(())
    }
}

/// Where the parts of a retraining are found.
#[derive(Debug, Clone, Default)]
pub struct RetrainConfig {
    /// Folder of jobs; made when it is needed.
    pub folder: PathBuf,
    /// Folder of the original training data.
    pub training_data: Option<PathBuf>,
    /// Files of hold-outs.
    pub holdouts: Vec<PathBuf>,
    /// The program that trains; this one when absent.
    pub program: Option<PathBuf>,
}

/// What is known of retrainings.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Jobs {
    /// The one that is being worked on.
    pub(crate) current: Option<Job>,
    /// Those that have ended, the latest last.
    pub(crate) finished: Vec<Finished>,
}

/// A retraining.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Job {
    /// Its identifier, and the name of its folder.
    pub(crate) id: String,
    /// The version that it is to follow.
    pub(crate) model_id: String,
    /// Name and version of that, for people.
    pub(crate) model: String,
    /// Why.
    pub(crate) reason: String,
    /// Who asked for it.
    pub(crate) requested_by: String,
    /// When, in microseconds.
    pub(crate) started_micros: i64,
    /// How often it was begun.
    pub(crate) attempts: u32,
    /// Labels that it was given.
    pub(crate) labels: u64,
    /// The highest identifier among them.
    pub(crate) last_label: u64,
}

/// A retraining that has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Finished {
    /// What it was.
    pub(crate) job: Job,
    /// When it ended, in microseconds.
    pub(crate) ended_micros: i64,
    /// The version it made, when it passed the gate.
    pub(crate) made: Option<String>,
    /// Why it made none.
    pub(crate) failure: Option<String>,
    /// Record, gate, and labels that did not count.
    pub(crate) details: Value,
}

impl Jobs {
    pub(crate) fn read(task: Option<&Task>) -> Self {
        task.and_then(|task| serde_json::from_str(&task.value).ok())
            .unwrap_or_default()
    }

    fn finish(&mut self, finished: Finished) {
        self.current = None;
        self.finished.push(finished);
        let surplus = self.finished.len().saturating_sub(MAX_FINISHED);
        self.finished.drain(..surplus);
    }
}
