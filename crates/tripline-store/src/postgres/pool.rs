//! Connections, handed out one to a call. A database that is away is tried again by whoever calls
//! next, but not more often than a growing, random pause allows: callers hear at once why there is
//! no connection, and a database that comes back is not met by all of them at the same moment.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    batches,
    failure::{Failure, Result},
    migrations,
    names::Known,
    options::PostgresOptions,
    session::Session,
    tls,
};
use crate::Timestamp;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Pool {
    pub(super) options: PostgresOptions,
    tls: TlsConnector,
    /// Names this process to others; see the table `streams`.
    pub(super) owner: i32,
    /// When the store was opened: what others have left running ends then.
    now: Timestamp,
    known: Arc<Mutex<Known>>,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Clone)]
struct TlsConnector(MakeRustlsConnect);

impl std::fmt::Debug for TlsConnector {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("TlsConnector")
    }
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Session>,
    /// Connections that there are, or that are being made.
    open: usize,
    /// Whether the tables were brought up to date.
    is_ready: bool,
    failures: u32,
    next_try: Option<Instant>,
    /// Why the last attempt failed.
    reason: String,
}

impl Pool {
    pub(super) fn new(options: PostgresOptions, now: Timestamp) -> Result<Self> {
        Ok(Self {
            tls: TlsConnector(tls::connector(options.root_certificate.as_deref())?),
            options,
            owner: random() as i32,
            now,
            known: Arc::default(),
            state: Mutex::default(),
            returned: Condvar::new(),
        })
    }

    /// A connection of one's own, until it is dropped.
    pub(super) fn take(&self) -> Result<Taken<'_>> {
        let give_up = Instant::now() + self.options.lock_timeout;
        let mut state = lock(&self.state);
        loop {
            if let Some(mut session) = state.idle.pop() {
                drop(state);
                if !session.notice_end() {
                    return Ok(Taken {
                        session: Some(session),
                        pool: self,
                    });
                }
                drop(session);
                state = lock(&self.state);
                state.open -= 1;
                continue;
            }
            if state.open < self.options.connections.max(1) {
                if state.next_try.is_some_and(|next| Instant::now() < next) {
                    return Err(Failure::Unreachable(state.reason.clone()));
                }
                state.open += 1;
                let is_ready = state.is_ready;
                drop(state);
                return self.connect(is_ready);
            }
            let left = give_up.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Failure::NoConnection);
            }
            state = self
                .returned
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// A connection beside the others, for somebody who keeps it.
    pub(super) fn extra(&self) -> Result<Session> {
        // Makes sure that the tables are there, and heeds the pause.
        drop(self.take()?);
        Session::connect(&self.options, &self.tls.0, &self.known)
    }

    fn connect(&self, is_ready: bool) -> Result<Taken<'_>> {
        // Counted already: goes back also when something panics.
        let mut taken = Taken {
            session: None,
            pool: self,
        };
        let connected = Session::connect(&self.options, &self.tls.0, &self.known)
            .and_then(|session| self.prepare(session, is_ready));
        let mut state = lock(&self.state);
        match connected {
            Ok(session) => {
                state.is_ready = true;
                state.failures = 0;
                state.next_try = None;
                taken.session = Some(session);
                Ok(taken)
            }
            Err(failure) => {
                if failure.is_absence() {
                    state.reason = failure.reason();
                    state.next_try = Some(Instant::now() + pause(state.failures));
                    state.failures = state.failures.saturating_add(1);
                }
                drop(state);
                drop(taken);
                Err(failure)
            }
        }
    }

    fn prepare(&self, mut session: Session, is_ready: bool) -> Result<Session> {
        // It may be another database than the one before.
        *lock(&self.known) = Known::default();
        let partition_seconds = migrations::migrate(&mut session, &self.options)?;
        lock(&self.known).partition_seconds = Some(partition_seconds);
        session.query(
            "SELECT pg_advisory_lock_shared(hashtext(current_schema()), $1)",
            &[&self.owner],
        )?;
        if !is_ready {
            batches::end_abandoned(&mut session, self.owner, self.now)?;
        }
        Ok(session)
    }

    fn give_back(&self, session: Option<Session>) {
        let mut state = lock(&self.state);
        match session {
            Some(session) if session.is_sound() => state.idle.push(session),
            ended => {
                state.open -= 1;
                drop(ended);
            }
        }
        drop(state);
        self.returned.notify_one();
    }
}

/// A connection that goes back when it is dropped.
#[derive(Debug)]
pub(super) struct Taken<'a> {
    session: Option<Session>,
    pool: &'a Pool,
}

impl Taken<'_> {
    pub(super) fn with<T>(&mut self, work: impl FnOnce(&mut Session) -> Result<T>) -> Result<T> {
        match &mut self.session {
            Some(session) => work(session),
            // It is only taken away by `drop`.
            None => Err(Failure::NoConnection),
        }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.pool.give_back(self.session.take());
    }
}

/// Doubles with each failure up to the longest, and is then somewhere between half and all of it.
fn pause(failures: u32) -> Duration {
    let full = FIRST_PAUSE
        .saturating_mul(1 << failures.min(16))
        .min(LONGEST_PAUSE);
    full.mul_f64(0.5 + 0.5 * (random() as f64 / u64::MAX as f64))
}

/// The standard library draws new keys for each of these.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A panic elsewhere leaves what these guard sound: it is only counted and moved.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_differ() {
        for (failures, full) in [(0, 100), (1, 200), (5, 3200), (7, 10_000), (1000, 10_000)] {
            let full = Duration::from_millis(full);
            let drawn: Vec<_> = (0..20).map(|_| pause(failures)).collect();
            assert!(
                drawn
                    .iter()
                    .all(|&pause| pause >= full / 2 && pause <= full),
                "{drawn:?}"
            );
            assert!(drawn.iter().any(|&pause| pause != drawn[0]), "{drawn:?}");
        }
    }
}
