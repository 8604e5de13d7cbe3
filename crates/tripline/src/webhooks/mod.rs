//! Tells other programs what happens to models: each message is written to the store in the step
//! it tells of and sent afterwards, so that none is lost and none tells of what did not happen.
//!
//! Requests are signed as <https://www.standardwebhooks.com> says. A receiver is asked by name once
//! and spoken to at an address that was checked: addresses of private networks are refused unless
//! the operator names them, redirects are not followed, and one that hangs is left after a while and
//! tried again later.

mod addresses;
mod sending;
mod signature;

use std::{fmt, sync::Arc, time::Duration};

use ipnet::IpNet;
use reqwest::Url;
use tripline_store::{Backend, Message, MessageState, Step, StoreError, Timestamp, Write};

use self::sending::{Receiver, send};
pub(crate) use self::signature::Secret;
use crate::config::Live;

/// How often the store is asked for messages.
const INTERVAL: Duration = Duration::from_secs(1);
/// Name of the lease on sending: each message is sent by one of the processes on a store.
const LEASE_NAME: &str = "webhooks";
/// How long it lasts; longer than the messages of a turn may take.
const LEASE: Duration = Duration::from_secs(30);
/// Messages sent at a time.
const AT_A_TIME: usize = 8;
/// How often a message is tried: for about a day and a half.
const MAX_TRIES: u32 = 12;
/// The first pause before another try; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(15);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_hours(6);
/// Longest address of a receiver.
const MAX_URL: usize = 2048;

/// What the operator says about webhooks.
#[derive(Clone, Default)]
pub struct WebhookConfig {
    /// Where messages go.
    pub targets: Vec<Url>,
    /// What they are signed with.
    pub(crate) secret: Option<Secret>,
    /// Networks that are private and allowed all the same.
    pub allowed: Vec<IpNet>,
}

impl fmt::Debug for WebhookConfig {
    /// Without paths and queries, which may be what a receiver knows us by.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let targets = self.targets.iter().map(|target| shown(target.as_str()));
        formatter
            .debug_struct("WebhookConfig")
            .field("targets", &targets.collect::<Vec<_>>())
            .field("secret", &self.secret)
            .field("allowed", &self.allowed)
            .finish()
    }
}

/// Why a receiver cannot be one.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The address.
    #[error("--webhook: address {number}{shown}: it {reason}")]
    Address {
        /// Which one, counted from 1.
        number: usize,
        /// The host, where it can be read: the rest may be secret.
        shown: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// The secret.
    #[error("--webhook-secret-file: the secret {reason}")]
    Secret {
        /// What is wrong.
        reason: &'static str,
    },
}

impl WebhookConfig {
    /// Checks what the operator says; `secret` is the content of the file that holds it.
    pub fn new(
        targets: &[impl AsRef<str>],
        secret: Option<&str>,
        allowed: &[IpNet],
    ) -> Result<Self, WebhookError> {
        let targets = targets
            .iter()
            .zip(1..)
            .map(|(text, number)| target(text.as_ref(), number))
            .collect::<Result<Vec<_>, _>>()?;
        let secret = secret.map(Secret::parse).transpose()?;
        if secret.is_none() && !targets.is_empty() {
            return Err(WebhookError::Secret {
                reason: "is missing: a message that nobody signed cannot be trusted",
            });
        }
        Ok(Self {
            targets,
            secret,
            allowed: allowed.to_vec(),
        })
    }
}

fn target(text: &str, number: usize) -> Result<Url, WebhookError> {
    let refuse = |reason| {
        let shown = match Url::parse(text) {
            Ok(url) => url
                .host_str()
                .map_or(String::new(), |host| format!(" ({host})")),
            Err(_) => String::new(),
        };
        Err(WebhookError::Address {
            number,
            shown,
            reason,
        })
    };
    if text.len() > MAX_URL {
        return refuse("is longer than 2048 bytes");
    }
    let Ok(url) = Url::parse(text) else {
        return refuse("cannot be read, expected something like https://example.org/hook");
    };
    if !matches!(url.scheme(), "http" | "https") {
        return refuse("is neither http nor https");
    }
    if url.host_str().is_none_or(str::is_empty) {
        return refuse("has no host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("holds a user name or password, which logs would show");
    }
    Ok(url)
}

/// Sends messages until `stop` says so.
pub(crate) async fn run(
    store: Arc<dyn Backend>,
    live: Live,
    clock: fn() -> Timestamp,
    mut stop: tokio::sync::watch::Receiver<bool>,
) {
    // Another part of the process may have chosen it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let holder: Arc<str> = uuid::Uuid::new_v4().to_string().into();
    let mut interval = tokio::time::interval(INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = interval.tick() => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
        let receiver = Receiver::new(live.now());
        if let Err(error) = send_due(&store, &receiver, &holder, clock).await {
            tracing::warn!(%error, "messages cannot be sent because the store does not answer");
        }
    }
    // Otherwise it ends by itself.
    let _ = tokio::task::spawn_blocking(move || store.release_lease(LEASE_NAME, &holder)).await;
}

/// Sends what is due, if this is the process of all on the store that does; what fails is tried again
/// later.
async fn send_due(
    store: &Arc<dyn Backend>,
    receiver: &Receiver,
    holder: &Arc<str>,
    clock: fn() -> Timestamp,
) -> Result<(), StoreError> {
    let due = {
        let (store, holder) = (Arc::clone(store), Arc::clone(holder));
        blocking(move || {
            let now = clock();
            let until = Timestamp(now.0 + LEASE.as_micros() as i64);
            if store.take_lease(LEASE_NAME, &holder, now, until)? {
                store.due_messages(now, AT_A_TIME)
            } else {
                Ok(Vec::new())
            }
        })
        .await?
    };
    let mut tasks = tokio::task::JoinSet::new();
    for message in due {
        let receiver = receiver.clone();
        tasks.spawn(async move {
            let outcome = send(&receiver, &message, clock()).await;
            (message, outcome)
        });
    }
    while let Some(done) = tasks.join_next().await {
        let Ok((message, outcome)) = done else {
            continue;
        };
        let store = Arc::clone(store);
        match blocking(move || record(&*store, &message, outcome.err().as_deref(), clock())).await {
            // Its lease had ended, and another has sent it meanwhile.
            Ok(()) | Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn record(
    store: &dyn Backend,
    message: &Message,
    error: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let tries = message.attempts + 1;
    let state = match error {
        None => MessageState::Sent,
        Some(_) if tries >= MAX_TRIES => MessageState::GivenUp,
        Some(_) => MessageState::Waiting,
    };
    if let Some(error) = error {
        tracing::warn!(
            target = shown(&message.target),
            event = message.event,
            tries,
            error,
            "a webhook message was not taken"
        );
    }
    store
        .commit(&Step {
            at: now,
            actor: "webhooks",
            writes: vec![Write::Tried {
                message: message.number,
                state,
                next_at: Timestamp(now.0 + pause(tries).as_micros() as i64),
                error,
            }],
        })
        .map(|_| ())
}

/// The pause after so many tries.
fn pause(tries: u32) -> Duration {
    FIRST_PAUSE
        .saturating_mul(1 << tries.saturating_sub(1).min(20))
        .min(LONGEST_PAUSE)
}

/// The part of an address that may be shown: path and query may be what a receiver knows us by.
pub(crate) fn shown(target: &str) -> String {
    match Url::parse(target) {
        Ok(url) => {
            let origin = url.origin().ascii_serialization();
            let has_more = url.path().len() > 1 || url.query().is_some();
            format!("{origin}/{}", if has_more { "…" } else { "" })
        }
        Err(_) => "…".to_owned(),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Cancelled: the runtime ends, and this task with it.
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_are_none_are_refused() {
        for (text, reason) in [
            ("", "cannot be read"),
            ("example.org/hook", "cannot be read"),
            ("ftp://example.org/", "neither http nor https"),
            ("file:///etc/passwd", "neither http nor https"),
            ("http://user:secret@example.org/", "user name"),
            (
                &format!("http://example.org/{}", "a".repeat(2100)),
                "longer",
            ),
        ] {
            let error =
                WebhookConfig::new(&[text.to_owned()], Some("0123456789abcdef01234567"), &[])
                    .unwrap_err()
                    .to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn messages_need_a_secret() {
        let targets = ["https://example.org/hook".to_owned()];
        assert!(WebhookConfig::new(&targets, None, &[]).is_err());
        assert!(WebhookConfig::new(&targets, Some("short"), &[]).is_err());
        assert!(WebhookConfig::new(&targets, Some("0123456789abcdef01234567"), &[]).is_ok());
    }

    #[test]
    fn pauses_grow_and_have_an_end() {
        assert_eq!(pause(1), Duration::from_secs(15));
        assert_eq!(pause(2), Duration::from_secs(30));
        assert_eq!(pause(40), LONGEST_PAUSE);
    }

    #[test]
    fn what_may_be_secret_is_not_shown() {
        assert_eq!(
            shown("https://a.example:8443/x?token=1"),
            "https://a.example:8443/…"
        );
        assert_eq!(shown("http://a.example/?token=1"), "http://a.example/…");
        assert_eq!(shown("http://a.example"), "http://a.example/");
        for text in [
            "http://user:hunter2@example.org/",
            "http//hunter2.example.org/hunter2",
            "ftp://example.org/hunter2",
        ] {
            let error = WebhookConfig::new(&[text], Some("0123456789abcdef01234567"), &[]);
            let error = format!("{:?}", error.unwrap_err());
            assert!(!error.contains("hunter2"), "{error}");
        }
        let config = WebhookConfig::new(
            &["https://example.org/hunter2"],
            Some("0123456789abcdef01234567"),
            &[],
        );
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
