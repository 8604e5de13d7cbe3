//! Exchanging the configuration of a server that runs. All of it is read and checked first; then what
//! can be exchanged is, by one pointer, and the rest is named. What is faulty changes nothing.

use std::{
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};
use tripline_store::Timestamp;

use super::{
    effective::Configuration,
    loader::{Loaded, Loader},
    prepared::Prepared,
    problems::Problems,
};
use crate::{
    api::{AppState, rfc3339},
    cli::Command,
    clock, logs,
};

/// Options that take effect without a restart.
const EXCHANGED: [&str; 13] = [
    "allow-host",
    "full-list-rows",
    "log",
    "max-upload-bytes",
    "no-test-traffic",
    "retain-bytes",
    "retain-days",
    "trusted-keys",
    "unsigned-models",
    "webhook",
    "webhook-allow",
    "webhook-secret-file",
    "workers",
];
/// Options that do so as long as the topics they are about stay the same.
const ABOUT_SENDERS: [&str; 3] = [
    "kafka-require-signed-senders",
    "kafka-senders",
    "kafka-topic-principal",
];

/// Whether an option takes effect without a restart.
pub(crate) fn is_exchanged(name: &str) -> bool {
    EXCHANGED.contains(&name) || ABOUT_SENDERS.contains(&name)
}

/// What has become of reloads, for health and metrics.
#[derive(Debug)]
pub(crate) struct Reloads(Mutex<History>);

/// What has become of reloads.
#[derive(Debug, Clone)]
pub(crate) struct History {
    file: Option<PathBuf>,
    /// When what holds now was read.
    pub(crate) read_at: Timestamp,
    /// Reloads that were done.
    pub(crate) done: u64,
    /// Reloads that were refused.
    pub(crate) refused: u64,
    last: Option<Last>,
    /// Options whose new value waits for a restart.
    pub(crate) needs_restart: Vec<String>,
}

#[derive(Debug, Clone)]
struct Last {
    at: Timestamp,
    changed: Vec<String>,
    problems: usize,
}

impl History {
    /// Whether the last reload was refused.
    pub(crate) fn is_refused(&self) -> bool {
        self.last.as_ref().is_some_and(|last| last.problems > 0)
    }
}

impl Reloads {
    /// For a configuration that was read at this time.
    pub(crate) fn new(read_at: Timestamp) -> Self {
        Self(Mutex::new(History {
            file: None,
            read_at,
            done: 0,
            refused: 0,
            last: None,
            needs_restart: Vec::new(),
        }))
    }

    /// What has become of them.
    pub(crate) fn history(&self) -> History {
        self.lock().clone()
    }

    /// A check of the health. What was wrong is in the log: it may name files.
    pub(crate) fn health(&self) -> Value {
        let history = self.history();
        let last = history.last.as_ref().map(|last| {
            json!({
                "at": rfc3339(last.at),
                "status": if last.problems == 0 { "ok" } else { "refused" },
                "changed": last.changed,
                "problems": last.problems,
            })
        });
        json!({
            "status": if history.is_refused() { "stale" } else { "healthy" },
            "file": history.file,
            "read_at": rfc3339(history.read_at),
            "reloads": history.done,
            "reloads_refused": history.refused,
            "last_reload": last,
            "needs_restart": history.needs_restart,
        })
    }

    fn lock(&self) -> MutexGuard<'_, History> {
        // It is written as a whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the configuration anew for a server that runs.
#[derive(Debug)]
pub(crate) struct Reloader {
    loader: Loader,
    state: AppState,
    /// What the server runs with.
    running: Configuration,
}

impl Reloader {
    /// For a server that was started with this configuration.
    pub(crate) fn new(loader: Loader, running: Configuration, state: AppState) -> Self {
        state.reloads().lock().file.clone_from(&running.file);
        Self {
            loader,
            state,
            running,
        }
    }

    /// Reads, checks and exchanges. It reads files.
    pub(crate) fn reload(&mut self) {
        let Loaded {
            cli,
            configuration,
            mut problems,
        } = self.loader.load();
        let prepared = cli.and_then(|cli| match cli.command {
            Command::Serve(args) => Some((Prepared::new(&args, &mut problems)?, cli.log)),
            _ => None,
        });
        match prepared {
            Some((prepared, log)) if problems.is_empty() => {
                self.exchange(&configuration, prepared, &log);
            }
            _ => self.refuse(&problems),
        }
    }

    fn exchange(&mut self, configuration: &Configuration, prepared: Prepared, log: &str) {
        let live = self.state.live_settings();
        let now = live.now();
        let mut settings = prepared.settings;
        // A list of senders is about certain topics, and which topics are read is decided at the start.
        let same_topics = now.senders.keys().eq(settings.senders.keys());
        if !same_topics {
            settings.senders.clone_from(&now.senders);
        }
        settings.admission.holdouts = now.admission.holdouts.clone();
        let (changed, needs_restart): (Vec<_>, Vec<_>) = self
            .running
            .differences(configuration)
            .into_iter()
            .partition(|name| {
                is_exchanged(name) && (same_topics || !ABOUT_SENDERS.contains(&name.as_str()))
            });
        live.exchange(settings);
        if changed.iter().any(|name| name == "log") {
            logs::filter(log);
        }
        self.running.take(&changed, configuration);
        tracing::info!(
            changed = changed.join(" "),
            "the configuration was read anew"
        );
        if !needs_restart.is_empty() {
            tracing::warn!(
                options = needs_restart.join(" "),
                "the new values of these options need a restart"
            );
        }
        let mut history = self.state.reloads().lock();
        let at = clock::now();
        *history = History {
            file: history.file.clone(),
            read_at: at,
            done: history.done + 1,
            refused: history.refused,
            last: Some(Last {
                at,
                changed,
                problems: 0,
            }),
            needs_restart,
        };
    }

    fn refuse(&self, problems: &Problems) {
        for problem in problems.iter() {
            tracing::error!(problem, "the new configuration has a fault");
        }
        tracing::error!(
            problems = problems.len(),
            "the new configuration is refused, and nothing has changed"
        );
        let mut history = self.state.reloads().lock();
        history.refused += 1;
        history.last = Some(Last {
            at: clock::now(),
            changed: Vec::new(),
            problems: problems.len().max(1),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::arguments::{name, options};

    #[test]
    fn what_is_exchanged_is_an_option() {
        let options = options();
        for exchanged in EXCHANGED.iter().chain(&ABOUT_SENDERS) {
            assert!(
                options.iter().any(|option| name(option) == *exchanged),
                "{exchanged}"
            );
        }
    }
}
