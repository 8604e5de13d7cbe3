use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use crate::backoff::Backoff;

/// How a client stands with its cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It was started and has not had an answer yet.
    Connecting,
    /// The cluster answers.
    Running,
    /// It does not, and is tried again.
    Waiting(Waiting),
    /// It was stopped.
    Stopped,
}

/// Why and until when a client waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// What went wrong last.
    pub reason: String,
    /// Since when the cluster does not answer.
    pub since: Instant,
    /// When it is asked next.
    pub next_try: Instant,
    /// How often it was asked in vain.
    pub tries: u32,
}

impl State {
    /// Whether the cluster answers.
    pub fn is_running(&self) -> bool {
        matches!(self, Self::Running)
    }
}

/// A lock whose holder may have panicked: what it guards is valid at every moment.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The state and what decides about it; shared by a client's thread and its callbacks.
#[derive(Debug)]
pub(crate) struct Pulse {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: State,
    backoff: Backoff,
    failures: u64,
    last_error: Option<String>,
}

impl Pulse {
    pub(crate) fn new(backoff: Backoff) -> Self {
        Self {
            inner: Mutex::new(Inner {
                state: State::Connecting,
                backoff,
                failures: 0,
                last_error: None,
            }),
        }
    }

    pub(crate) fn state(&self) -> State {
        lock(&self.inner).state.clone()
    }

    pub(crate) fn failures(&self) -> u64 {
        lock(&self.inner).failures
    }

    pub(crate) fn last_error(&self) -> Option<String> {
        lock(&self.inner).last_error.clone()
    }

    /// The cluster answered.
    pub(crate) fn answered(&self) {
        let mut inner = lock(&self.inner);
        if !matches!(inner.state, State::Running | State::Stopped) {
            tracing::info!("the Kafka cluster answers");
            inner.backoff.reset();
            inner.state = State::Running;
        }
    }

    /// Something failed that may heal by itself, or concerns one request only.
    pub(crate) fn noted(&self, reason: impl Into<String>) {
        let mut inner = lock(&self.inner);
        inner.failures += 1;
        inner.last_error = Some(reason.into());
    }

    /// The cluster does not answer, or says no.
    pub(crate) fn failed(&self, reason: impl Into<String>, now: Instant) {
        let reason = reason.into();
        let mut inner = lock(&self.inner);
        inner.failures += 1;
        inner.last_error = Some(reason.clone());
        match &mut inner.state {
            State::Stopped => {}
            // The next question is settled; only the reason may be newer.
            State::Waiting(waiting) => waiting.reason = reason,
            State::Connecting | State::Running => {
                tracing::warn!(reason, "the Kafka cluster does not answer");
                let next_try = now + inner.backoff.next();
                inner.state = State::Waiting(Waiting {
                    reason,
                    since: now,
                    next_try,
                    tries: 0,
                });
            }
        }
    }

    /// It was asked again in vain.
    pub(crate) fn failed_again(&self, reason: impl Into<String>, now: Instant) {
        self.failed(reason, now);
        let mut inner = lock(&self.inner);
        let next_try = now + inner.backoff.next();
        let tries = inner.backoff.tries();
        if let State::Waiting(waiting) = &mut inner.state {
            waiting.next_try = next_try;
            waiting.tries = tries;
        }
    }

    /// Whether the cluster is to be asked now; it is, until it has answered once.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        match &lock(&self.inner).state {
            State::Connecting => true,
            State::Waiting(waiting) => waiting.next_try <= now,
            State::Running | State::Stopped => false,
        }
    }

    /// How long a thread may sleep before there is something to ask.
    pub(crate) fn pause(&self, now: Instant, longest: Duration) -> Duration {
        match &lock(&self.inner).state {
            State::Waiting(waiting) => waiting.next_try.saturating_duration_since(now).min(longest),
            State::Connecting => Duration::ZERO,
            State::Running | State::Stopped => longest,
        }
    }

    pub(crate) fn stopped(&self) {
        lock(&self.inner).state = State::Stopped;
    }
}

/// Puts a client's error where it belongs: the cluster is away or refuses us, or it is about one
/// request.
pub(crate) fn tell(pulse: &Pulse, error: &KafkaError, reason: &str) {
    use RDKafkaErrorCode as Code;
    let words = if reason.is_empty() {
        error.to_string()
    } else {
        // What follows are times and counts, which differ with each try.
        reason.split(" (after ").next().unwrap_or(reason).to_owned()
    };
    match error.rdkafka_error_code() {
        // It adds nothing to the reason that one of the brokers gave.
        Some(Code::AllBrokersDown) if matches!(pulse.state(), State::Waiting(_)) => {}
        Some(
            Code::AllBrokersDown
            | Code::BrokerTransportFailure
            | Code::Resolve
            | Code::Authentication
            | Code::SSL
            | Code::SaslAuthenticationFailed,
        ) => pulse.failed(words, Instant::now()),
        _ => pulse.noted(words),
    }
}

/// What librdkafka has to say goes to the program's log.
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, words: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(facility, "librdkafka: {words}");
        }
        // The library calls each lost connection an error; the state tells what comes of it.
        RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
            tracing::warn!(facility, "librdkafka: {words}");
        }
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
            tracing::debug!(facility, "librdkafka: {words}");
        }
    }
}
