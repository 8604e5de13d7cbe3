//! Verdicts as they fall, for whoever listens: over a WebSocket with the origin system's messages, and
//! as server-sent events that can be resumed.
//!
//! One task reads what is new in the store, whichever process has written it, and hands each client the
//! same texts. A client that does not keep up is dropped with the reason; nobody waits for it.

mod sse;
mod tail;
mod websocket;

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use axum::{Json, extract::State, extract::ws::Utf8Bytes};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::{broadcast, watch};
use tripline_store::{Cursor, Source, StoredVerdict, VerdictId};
use utoipa::ToSchema;

pub(super) use self::{
    sse::{__path_events, events},
    websocket::{__path_realtime, realtime},
};
use super::{error::ApiError, row::Row, state::AppState, time::rfc3339};

/// Clients at a time.
const MAX_CLIENTS: usize = 2048;
/// Batches that may wait for a client; one that is further behind is dropped.
const BATCHES_BEHIND: usize = 32;
/// What is told as it falls. Uploads have reports of their own, as in the origin system.
const LIVE: [Source; 4] = [
    Source::Realtime,
    Source::PacketCapture,
    Source::ExternalKafka,
    Source::Generated,
];

/// One message, the same for every client.
#[derive(Debug, Clone)]
struct Event {
    /// Of a verdict: where a client can go on after it.
    place: Option<(Cursor, VerdictId)>,
    kind: &'static str,
    text: Utf8Bytes,
}

impl Event {
    /// A message of the origin system: its kind is its `type`.
    fn new(kind: &'static str, mut message: Value) -> Self {
        message["type"] = json!(kind);
        Self {
            place: None,
            kind,
            text: message.to_string().into(),
        }
    }

    /// A verdict in the origin system's form.
    fn of_verdict(verdict: &StoredVerdict) -> Self {
        let row = Row::stored(verdict);
        let time = rfc3339(verdict.created_at);
        let message = json!({
            "timestamp": time,
            "data": {
                "timestamp": time,
                "traffic_data_id": verdict.id.to_string(),
                "threat_prediction": row.threat_prediction(),
                "attack_prediction": row.attack_prediction(),
                "self_healing_action": row.action(),
                "source": verdict.source.name(),
            },
        });
        Self {
            place: Some((verdict.cursor(), verdict.id)),
            ..Self::new("prediction", message)
        }
    }
}

type Batch = Arc<[Event]>;

/// Those who listen.
#[derive(Debug)]
pub(crate) struct Hub {
    batches: broadcast::Sender<Batch>,
    clients: AtomicUsize,
    too_slow: AtomicU64,
    is_read: Mutex<bool>,
    stop: watch::Sender<bool>,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            batches: broadcast::Sender::new(BATCHES_BEHIND),
            clients: AtomicUsize::new(0),
            too_slow: AtomicU64::new(0),
            is_read: Mutex::new(false),
            stop: watch::Sender::new(false),
        }
    }
}

/// A place among those who listen, given back when it is dropped.
#[derive(Debug)]
struct Client {
    state: AppState,
    batches: broadcast::Receiver<Batch>,
    stop: watch::Receiver<bool>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.state.hub().clients.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Client {
    /// The next messages; the reason why there are no more.
    async fn next(&mut self) -> Result<Batch, Farewell> {
        tokio::select! {
            batch = self.batches.recv() => match batch {
                Ok(batch) => Ok(batch),
                Err(broadcast::error::RecvError::Lagged(_)) => Err(Farewell::TooSlow),
                Err(broadcast::error::RecvError::Closed) => Err(Farewell::Stopping),
            },
            _ = self.stop.wait_for(|stop| *stop) => Err(Farewell::Stopping),
        }
    }

    /// Counts and tells that it is left.
    fn leave(&self, farewell: Farewell) -> &'static str {
        if farewell == Farewell::TooSlow {
            self.state.hub().too_slow.fetch_add(1, Ordering::Relaxed);
        }
        let reason = farewell.reason();
        tracing::info!(reason, "a client that listened is left");
        reason
    }

    /// The first message.
    fn welcome(&self) -> Event {
        Event::new(
            "connected",
            json!({
                "message": "verdicts follow as they fall",
                "connections": self.state.hub().connections(),
            }),
        )
    }
}

/// Why a client is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Farewell {
    TooSlow,
    Silent,
    Stopping,
}

impl Farewell {
    fn reason(self) -> &'static str {
        match self {
            Self::TooSlow => "too slow: messages came faster than they were taken",
            Self::Silent => "no sign of life",
            Self::Stopping => "the server stops",
        }
    }
}

impl Hub {
    /// Clients now.
    pub(crate) fn connections(&self) -> usize {
        self.clients.load(Ordering::Relaxed)
    }

    /// Clients that were dropped because they did not keep up.
    pub(crate) fn too_slow(&self) -> u64 {
        self.too_slow.load(Ordering::Relaxed)
    }

    /// Says goodbye to everybody.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until nobody listens any more.
    pub(crate) async fn emptied(&self) {
        while self.connections() > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Takes a client in, and sees to it that the store is read.
    fn join(&self, state: &AppState) -> Result<Client, ApiError> {
        let taken = self
            .clients
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |clients| {
                (clients < MAX_CLIENTS).then_some(clients + 1)
            });
        if taken.is_err() {
            return Err(ApiError::unavailable(format!(
                "{MAX_CLIENTS} clients listen already; try again later"
            )));
        }
        let client = Client {
            state: state.clone(),
            batches: self.batches.subscribe(),
            stop: self.stop.subscribe(),
        };
        let mut is_read = self.is_read.lock().unwrap_or_else(PoisonError::into_inner);
        if !*is_read {
            *is_read = true;
            tokio::spawn(tail::run(state.clone()));
        }
        Ok(client)
    }

    /// Whether nobody listens; if so, the reader is told to end, and the next client starts another.
    fn may_rest(&self) -> bool {
        let mut is_read = self.is_read.lock().unwrap_or_else(PoisonError::into_inner);
        let may_rest = self.connections() == 0 || *self.stop.borrow();
        *is_read = !may_rest;
        may_rest
    }
}

/// Those who listen.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Connections {
    /// Clients now.
    active_connections: usize,
    /// Clients that were dropped because they did not keep up, since the start.
    dropped_connections: u64,
}

/// How many listen.
#[utoipa::path(
    get, path = "/ws/connections", tag = "stream",
    responses((status = 200, body = Connections))
)]
pub(crate) async fn connections(State(state): State<AppState>) -> Json<Connections> {
    Json(Connections {
        active_connections: state.hub().connections(),
        dropped_connections: state.hub().too_slow(),
    })
}

/// The figures of a `stats_update`.
fn stats(state: &AppState) -> Result<Event, ApiError> {
    let figures = super::predictions::figures(state)?;
    Ok(Event::new("stats_update", json!({ "data": figures })))
}
