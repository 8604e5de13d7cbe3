//! Watches the models while they serve: reads stored verdicts and labels in the order of their time,
//! measures drift and quality, lets candidates judge the same rows, and carries out what the policy
//! decides.
//!
//! It reads from the store rather than listening to requests: no request waits for it, a restart
//! loses nothing, and it works the same whoever stored the rows. Its position is committed together
//! with what it found, so that after `kill -9` it is as before a step or as after it. Its cost is
//! bounded: a share of one processor; what it has no time for is skipped and counted.

mod candidates;
mod rows;
mod state;
mod step;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tripline_lifecycle::{drift::DriftPolicy, performance::EstimatePolicy, promotion::Policy};
use tripline_store::{Backend, Timestamp};

use crate::{
    registry::{Models, RegistryError},
    retraining::RetrainRules,
};

pub use self::step::Work;
pub(crate) use self::{state::MonitorState, step::figures};

/// How often it looks.
const INTERVAL: Duration = Duration::from_secs(2);
/// How long a lease on the work lasts.
const LEASE: Duration = Duration::from_secs(10);
/// Name of that lease.
const LEASE_NAME: &str = "monitor";
/// Key of its position among the tasks of the store.
pub(crate) const TASK: &str = "monitor";
/// Key of its rules.
pub(crate) const RULES: &str = "monitor-rules";
/// Kinds of records it keeps.
pub(crate) const DRIFT: &str = "drift";
/// See [`DRIFT`].
pub(crate) const ESTIMATE: &str = "estimate";
/// See [`DRIFT`].
pub(crate) const PERFORMANCE: &str = "performance";
/// How long records are kept.
const KEEP: Duration = Duration::from_hours(24 * 90);
/// What it is called in histories.
pub(crate) const ACTOR: &str = "monitor";

/// The rules by which models are watched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Rules {
    /// When a candidate goes on and when it is given up.
    pub(crate) promotion: Policy,
    /// When a feature has drifted.
    pub(crate) drift: DriftPolicy,
    /// When an estimate is withheld.
    pub(crate) estimate: EstimatePolicy,
    /// When models are trained anew.
    pub(crate) retrain: RetrainRules,
    /// How long a new active version is compared with its predecessor, and can be taken back.
    pub(crate) probation_micros: i64,
    /// Share of one processor that the work may take.
    pub(crate) processor_share: f64,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            promotion: Policy::default(),
            drift: DriftPolicy::default(),
            estimate: EstimatePolicy::default(),
            retrain: RetrainRules::default(),
            probation_micros: 24 * 3_600_000_000,
            processor_share: 0.2,
        }
    }
}

impl Rules {
    /// Reads those that the store keeps; the usual ones where it keeps none.
    pub(crate) fn read(store: &dyn Backend) -> Result<Self, RegistryError> {
        let task = store.task(RULES)?;
        Ok(task
            .and_then(|task| serde_json::from_str(&task.value).ok())
            .unwrap_or_default())
    }

    /// Checks every value; the error is for people.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.promotion.check().map_err(|error| error.to_string())?;
        self.retrain.check()?;
        let outside = |key: &str, found: f64, expected: &str| {
            Err(format!("'{key}' is {found}, expected {expected}"))
        };
        if !(0.01..=1.0).contains(&self.processor_share) {
            return outside("processor_share", self.processor_share, "0.01 to 1");
        }
        if self.probation_micros < 0 {
            return outside(
                "probation_micros",
                self.probation_micros as f64,
                "at least 0",
            );
        }
        let drift = &self.drift;
        if !(drift.alpha > 0.0 && drift.alpha <= 0.5) {
            return outside("drift.alpha", drift.alpha, "above 0 and at most 0.5");
        }
        if !(1..=10_000_000).contains(&drift.window_rows) {
            return outside(
                "drift.window_rows",
                drift.window_rows as f64,
                "1 to 10,000,000",
            );
        }
        for (key, found) in [
            ("drift.min_psi", drift.min_psi),
            ("drift.min_missing", drift.min_missing),
            ("drift.min_unseen", drift.min_unseen),
            ("estimate.max_psi", self.estimate.max_psi),
            ("estimate.max_mean_psi", self.estimate.max_mean_psi),
            ("estimate.max_unseen", self.estimate.max_unseen),
            ("estimate.max_doubt", self.estimate.max_doubt),
            ("estimate.min_threats", self.estimate.min_threats),
        ] {
            if !found.is_finite() || found < 0.0 {
                return outside(key, found, "at least 0");
            }
        }
        Ok(())
    }
}

/// The thread that watches; it ends with the value.
#[derive(Debug)]
pub(crate) struct Monitor {
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Monitor {
    /// Starts it.
    pub(crate) fn start(
        store: Arc<dyn Backend>,
        models: Arc<Models>,
        clock: fn() -> Timestamp,
    ) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let holder = uuid::Uuid::new_v4().to_string();
        let thread = {
            let stop = Arc::clone(&stop);
            thread::Builder::new()
                .name("monitor".to_owned())
                .spawn(move || {
                    let mut work = step::Work::new(store, models, clock);
                    watch(&mut work, &holder, &stop);
                })?
        };
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("the thread that watches the models had stopped unexpectedly");
            }
        }
    }
}

fn watch(work: &mut step::Work, holder: &str, stop: &AtomicBool) {
    let mut told = None;
    while !stop.load(Ordering::Relaxed) {
        let started = Instant::now();
        match work.turn(holder) {
            Ok(()) => told = None,
            Err(error) => {
                let text = crate::registry::chain(&error);
                // Once, not every other second.
                if told.as_ref() != Some(&text) {
                    tracing::warn!(error = text, "the models are not watched at the moment");
                    told = Some(text);
                }
            }
        }
        let rest = INTERVAL.saturating_sub(started.elapsed());
        thread::park_timeout(rest.max(Duration::from_millis(10)));
    }
    work.release(holder);
}
