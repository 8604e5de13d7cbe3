//! Begins jobs, watches over them, and takes in what they leave behind.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use tripline_store::{
    Backend, LabelId, LabelState, ModelFilter, ModelId, ModelStage, Origin, StoreError, Timestamp,
    Write,
};

use super::{
    ACTOR, Finished, Job, Jobs, LEASE_NAME, MAX_ATTEMPTS, RetrainConfig, RetrainRules, TASK,
    job::JobResult,
    start::{Refusal, labels_after, prepare},
};
use crate::{
    monitor::{DRIFT, Rules},
    registry::{AdmissionError, AdmissionRules, Change, Models, Offer, RegistryError, chain},
};

/// How often it looks.
const INTERVAL: Duration = Duration::from_secs(2);
/// How long a lease on the work lasts.
const LEASE: Duration = Duration::from_secs(10);
/// How much of what a process said is kept.
const MAX_WORDS: usize = 2000;

/// Trains in the background. The process that trains ends with the value; its job goes on at the next
/// start.
#[derive(Debug)]
pub struct Retrainer {
    inner: Arc<Inner>,
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Debug)]
struct Inner {
    store: Arc<dyn Backend>,
    models: Arc<Models>,
    config: RetrainConfig,
    clock: fn() -> Timestamp,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    job: String,
    child: Child,
}

impl Retrainer {
    /// Starts the thread that looks after jobs.
    pub fn start(
        store: Arc<dyn Backend>,
        models: Arc<Models>,
        config: RetrainConfig,
        clock: fn() -> Timestamp,
    ) -> std::io::Result<Self> {
        let inner = Arc::new(Inner {
            store,
            models,
            config,
            clock,
            running: Mutex::default(),
        });
        let stop = Arc::new(AtomicBool::new(false));
        let thread = {
            let (inner, stop) = (Arc::clone(&inner), Arc::clone(&stop));
            let holder = uuid::Uuid::new_v4().to_string();
            thread::Builder::new()
                .name("retrainer".to_owned())
                .spawn(move || {
                    inner.remove_strays();
                    while !stop.load(Ordering::Relaxed) {
                        if let Err(error) = inner.turn(&holder) {
                            tracing::warn!(
                                error = chain(&error),
                                "the retraining cannot go on now"
                            );
                        }
                        thread::park_timeout(INTERVAL);
                    }
                    inner.end_process();
                    // It ends by itself soon.
                    let _ = inner.store.release_lease(LEASE_NAME, &holder);
                })?
        };
        Ok(Self {
            inner,
            stop,
            thread: Some(thread),
        })
    }

    /// Begins to retrain a model.
    pub(crate) fn begin(
        &self,
        champion: ModelId,
        requested_by: &str,
        reason: &str,
    ) -> Result<Job, Refusal> {
        self.inner.begin(champion, requested_by, reason)
    }

    /// Ends the job that is being worked on; false when there is none.
    pub(crate) fn cancel(&self, by: &str) -> Result<bool, RegistryError> {
        self.inner.cancel(by)
    }
}

impl Drop for Retrainer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("the thread that looks after retrainings had stopped unexpectedly");
            }
        }
    }
}

impl Inner {
    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    fn jobs(&self) -> Result<(Jobs, Option<u64>), StoreError> {
        let task = self.store.task(TASK)?;
        let revision = task.as_ref().map(|task| task.revision);
        Ok((Jobs::read(task.as_ref()), revision))
    }

    fn keep(
        &self,
        jobs: &Jobs,
        expected: Option<u64>,
        more: Vec<Write<'_>>,
    ) -> Result<(), RegistryError> {
        let text = serde_json::to_string(jobs).unwrap_or_default();
        let mut more = more;
        more.push(Write::Task {
            key: TASK,
            value: Some(&text),
            expected,
        });
        self.models.commit(ACTOR, self.now(), more)
    }

    fn begin(&self, champion: ModelId, by: &str, reason: &str) -> Result<Job, Refusal> {
        let (mut jobs, revision) = self.jobs()?;
        if let Some(job) = &jobs.current {
            return Err(Refusal::Busy {
                model: job.model.clone(),
            });
        }
        let rules = Rules::read(&*self.store)?.retrain;
        let job = prepare(
            &*self.store,
            &self.models,
            &self.config,
            &rules,
            champion,
            (by, reason),
            self.now(),
        )?;
        jobs.current = Some(job.clone());
        self.keep(&jobs, revision, Vec::new())?;
        tracing::info!(
            model = job.model,
            labels = job.labels,
            reason,
            "a model is being retrained"
        );
        Ok(job)
    }

    fn cancel(&self, by: &str) -> Result<bool, RegistryError> {
        let (mut jobs, revision) = self.jobs()?;
        let Some(job) = jobs.current.clone() else {
            return Ok(false);
        };
        self.end_process();
        jobs.finish(Finished {
            ended_micros: self.now().0,
            made: None,
            failure: Some(format!("ended by {by}")),
            details: Value::Null,
            job: job.clone(),
        });
        self.keep(&jobs, revision, Vec::new())?;
        self.remove(&job.id);
        Ok(true)
    }

    fn turn(&self, holder: &str) -> Result<(), RegistryError> {
        let now = self.now();
        let until = Timestamp(now.0 + LEASE.as_micros() as i64);
        if !self.store.take_lease(LEASE_NAME, holder, now, until)? {
            return Ok(());
        }
        let (jobs, revision) = self.jobs()?;
        let Some(job) = jobs.current.clone() else {
            return self.look_for_reasons(&jobs);
        };
        let folder = self.folder(&job.id);
        // A result that is there is taken in, whatever became of the process.
        if folder.join("result.json").is_file() {
            self.end_process();
            return self.take_in(jobs, revision, &job, &folder);
        }
        match self.process_of(&job) {
            Process::Runs => Ok(()),
            Process::None => self.spawn(jobs, revision, job, &folder),
            Process::Failed(words) => self.fail(
                jobs,
                revision,
                &job,
                &format!("the training failed: {words}"),
            ),
        }
    }

    /// Looks at the process of a job.
    fn process_of(&self, job: &Job) -> Process {
        let mut running = lock(&self.running);
        let Some(Running { job: of, child }) = &mut *running else {
            return Process::None;
        };
        if *of != job.id {
            return Process::None;
        }
        match child.try_wait() {
            Ok(None) => Process::Runs,
            Ok(Some(status)) => {
                *running = None;
                if status.code().is_some_and(|code| code != 0) {
                    Process::Failed(words_of(&self.folder(&job.id)))
                } else {
                    // Killed, or ended without a result: once more.
                    Process::None
                }
            }
            Err(error) => Process::Failed(error.to_string()),
        }
    }

    fn spawn(
        &self,
        mut jobs: Jobs,
        revision: Option<u64>,
        mut job: Job,
        folder: &Path,
    ) -> Result<(), RegistryError> {
        if job.attempts >= MAX_ATTEMPTS {
            let reason = format!("the training was interrupted {MAX_ATTEMPTS} times");
            return self.fail(jobs, revision, &job, &reason);
        }
        job.attempts += 1;
        jobs.current = Some(job.clone());
        self.keep(&jobs, revision, Vec::new())?;
        let threads = Rules::read(&*self.store)?.retrain.threads;
        let started = || -> std::io::Result<Child> {
            let program = match &self.config.program {
                Some(program) => program.clone(),
                None => std::env::current_exe()?,
            };
            let words = std::fs::File::create(folder.join("words.txt"))?;
            Command::new(program)
                .arg("retrain-job")
                .arg(folder)
                .env("RAYON_NUM_THREADS", threads.to_string())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(words)
                .spawn()
        };
        match started() {
            Ok(child) => {
                *lock(&self.running) = Some(Running { job: job.id, child });
                Ok(())
            }
            Err(error) => {
                let (jobs, revision) = self.jobs()?;
                let reason = format!("the process that trains cannot be started: {error}");
                self.fail(jobs, revision, &job, &reason)
            }
        }
    }

    fn fail(
        &self,
        mut jobs: Jobs,
        revision: Option<u64>,
        job: &Job,
        reason: &str,
    ) -> Result<(), RegistryError> {
        tracing::error!(model = job.model, reason, "a retraining has failed");
        jobs.finish(Finished {
            ended_micros: self.now().0,
            made: None,
            failure: Some(reason.to_owned()),
            details: Value::Null,
            job: job.clone(),
        });
        self.keep(&jobs, revision, Vec::new())?;
        self.remove(&job.id);
        Ok(())
    }

    /// Takes the result of a job in: a version that passes becomes a candidate, labels that look odd
    /// wait for a second person. Done again after an interruption, it changes nothing.
    fn take_in(
        &self,
        mut jobs: Jobs,
        revision: Option<u64>,
        job: &Job,
        folder: &Path,
    ) -> Result<(), RegistryError> {
        let read = |name: &str| std::fs::read(folder.join(name));
        let result: Result<JobResult, String> = read("result.json")
            .map_err(|error| error.to_string())
            .and_then(|text| serde_json::from_slice(&text).map_err(|error| error.to_string()));
        let result = match result {
            Ok(result) => result,
            Err(error) => {
                let reason = format!("the result of the training cannot be read: {error}");
                return self.fail(jobs, revision, job, &reason);
            }
        };
        let (mut made, mut failure) = (None, None);
        if result.passes {
            match self.admit(job, folder) {
                Ok(id) => made = Some(id.to_string()),
                Err(error) => failure = Some(chain(&error)),
            }
        } else {
            failure = Some(refusal_of(&result.details));
        }
        let reviews: Vec<Write<'_>> = result
            .outlying
            .iter()
            .map(|(label, reason)| Write::ReviewLabel {
                label: LabelId(*label),
                state: LabelState::Quarantined,
                reason,
            })
            .collect();
        tracing::info!(model = job.model, made, failure, "a retraining has ended");
        jobs.finish(Finished {
            ended_micros: self.now().0,
            made,
            failure,
            details: result.details.clone(),
            job: job.clone(),
        });
        match self.keep(&jobs, revision, reviews) {
            // A label that is gone meanwhile needs no review.
            Err(RegistryError::Store(StoreError::Conflict { what, .. }))
                if what.starts_with("label") =>
            {
                self.keep(&jobs, revision, Vec::new())?;
            }
            outcome => outcome?,
        }
        self.remove(&job.id);
        Ok(())
    }

    fn admit(&self, job: &Job, folder: &Path) -> Result<ModelId, AdmissionError> {
        let read = |name: &str| {
            std::fs::read(folder.join(name)).map_err(|error| AdmissionError::Refused {
                reason: format!("{name} of the job cannot be read: {error}"),
            })
        };
        let offer = Offer {
            bytes: read("challenger.tripline")?,
            file_name: "challenger.tripline".to_owned(),
            uploaded_by: Some(ACTOR.to_owned()),
            parent: job.model_id.parse().ok(),
            origin: Some(Origin::Retrained),
            report: String::from_utf8(read("report.json")?).ok(),
            notes: Some(job.reason.clone()),
            ..Offer::default()
        };
        let id = match self.models.admit(&offer, &AdmissionRules::default()) {
            Ok(version) => version.model.id,
            // Taken in before the interruption.
            Err(AdmissionError::Known { id, .. }) => id,
            Err(error) => return Err(error),
        };
        let version = self.models.version(id)?;
        let rules = Rules::read(self.store.as_ref())?;
        if rules.retrain.into_shadow && version.stage == ModelStage::Candidate {
            let change = Change {
                actor: ACTOR,
                reason: "it passed the gate",
                details: "",
            };
            self.models.set_stage(id, ModelStage::Shadow, change)?;
        }
        Ok(id)
    }

    /// Whether a model is to be trained anew: by the calendar, by labels, by drift.
    fn look_for_reasons(&self, jobs: &Jobs) -> Result<(), RegistryError> {
        let rules = Rules::read(&*self.store)?.retrain;
        if rules.every_days.is_none()
            && rules.new_labels.is_none()
            && rules.drifted_windows.is_none()
        {
            return Ok(());
        }
        let active = self.store.models(&ModelFilter {
            stages: vec![ModelStage::Active],
            ..ModelFilter::default()
        })?;
        for version in active {
            let last = jobs.finished.iter().rev().find(|finished| {
                finished.job.model.split(' ').next() == Some(version.model.name.as_str())
            });
            let last_label = last.map_or(0, |finished| finished.job.last_label);
            let new = labels_after(&*self.store, last_label)?;
            if new < rules.min_labels.max(1) {
                continue;
            }
            let since = last.map_or(version.stage_changed_at.0, |last| last.ended_micros);
            let reason = self.reason(&rules, version.model.id, new, since)?;
            let Some(reason) = reason else {
                continue;
            };
            match self.begin(version.model.id, ACTOR, &reason) {
                Ok(_) => return Ok(()),
                // Models that cannot be trained, or whose rows have no labels, are passed over.
                Err(Refusal::Registry(error)) => return Err(error),
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn reason(
        &self,
        rules: &RetrainRules,
        model: ModelId,
        new: u64,
        since: i64,
    ) -> Result<Option<String>, RegistryError> {
        if rules.new_labels.is_some_and(|wanted| new >= wanted) {
            return Ok(Some(format!("{new} new labels")));
        }
        let days = (self.now().0 - since) as f64 / 86_400e6;
        if rules.every_days.is_some_and(|every| days >= every) {
            return Ok(Some(format!("{days:.1} days since it was trained")));
        }
        let Some(windows) = rules.drifted_windows.filter(|windows| *windows > 0) else {
            return Ok(None);
        };
        let records = self.store.records(
            DRIFT,
            Some(&model.to_string()),
            Timestamp(since),
            Timestamp(i64::MAX),
            windows as usize,
        )?;
        let drifted = records
            .iter()
            .filter(|record| {
                let value: Value = serde_json::from_str(&record.value).unwrap_or_default();
                value["has_drifted"] == json!(true)
            })
            .count();
        Ok((drifted == windows as usize)
            .then(|| format!("the last {windows} windows have drifted")))
    }

    fn folder(&self, id: &str) -> PathBuf {
        self.config.folder.join(id)
    }

    fn remove(&self, id: &str) {
        // Identifiers are UUIDs that this program has made.
        if let Err(error) = std::fs::remove_dir_all(self.folder(id)) {
            tracing::warn!(%error, "the folder of a retraining cannot be removed");
        }
    }

    /// Removes folders of jobs that never came on record, or have ended.
    fn remove_strays(&self) {
        let Ok((jobs, _)) = self.jobs() else { return };
        let Ok(entries) = std::fs::read_dir(&self.config.folder) else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_ours = uuid::Uuid::try_parse(&name).is_ok();
            if is_ours && jobs.current.as_ref().is_none_or(|job| job.id != name) {
                self.remove(&name);
            }
        }
    }

    fn end_process(&self) {
        if let Some(Running { mut child, .. }) = lock(&self.running).take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

enum Process {
    Runs,
    None,
    Failed(String),
}

/// The last words of a process.
fn words_of(folder: &Path) -> String {
    let text = std::fs::read_to_string(folder.join("words.txt")).unwrap_or_default();
    let text = text.trim();
    let start = text
        .char_indices()
        .rev()
        .nth(MAX_WORDS)
        .map_or(0, |(at, _)| at);
    text[start..].to_owned()
}

/// What the gate says against a version.
fn refusal_of(details: &Value) -> String {
    let failed: Vec<String> = details["gate"]["criteria"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|criterion| criterion["holds"] == json!(false))
        .map(|criterion| {
            format!(
                "{}: {} (before {}, limit {})",
                criterion["what"].as_str().unwrap_or_default(),
                criterion["challenger"],
                criterion["champion"],
                criterion["limit"]
            )
        })
        .collect();
    format!("the gate refuses it: {}", failed.join("; "))
}

/// What this mutex guards is changed by single calls that leave it whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
