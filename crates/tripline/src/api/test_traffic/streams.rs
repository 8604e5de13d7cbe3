use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::http::StatusCode;
use serde::Serialize;
use tokio::{sync::watch, time::MissedTickBehavior};
use tripline_store::{Timestamp, VerdictId};
use utoipa::ToSchema;

use super::{
    super::{
        error::ApiError, judge::STORED_REASONS, judged::Bench, realtime::NewRow, state::AppState,
        time::rfc3339,
    },
    books::{Books, Outcome},
    request::{Kind, StreamRequest},
};
use crate::generated::{Record, Records};

/// Streams at a time.
const MAX_STREAMS: usize = 4;
/// How often it is asked at the end whether all streams are gone.
const END_POLL: Duration = Duration::from_millis(20);

/// Streams of this process, and the books of all records it has generated.
#[derive(Debug)]
pub(crate) struct TestTraffic {
    inner: Mutex<Inner>,
    /// One for each [`Kind`]; made when the first record is asked for.
    records: [Mutex<Option<Records>>; 2],
}

#[derive(Debug, Default)]
struct Inner {
    books: Books,
    last_error: Option<String>,
    streams: Vec<Arc<Stream>>,
    last_id: u64,
    /// The server stops.
    is_closed: bool,
}

#[derive(Debug)]
struct Stream {
    id: u64,
    request: StreamRequest,
    started_at: Timestamp,
    done: AtomicU64,
    stop: watch::Sender<bool>,
}

/// A stream that runs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TestStream)]
pub(crate) struct StreamBody {
    /// Its name.
    id: u64,
    /// `threat_detection` or `attack_classification`.
    #[schema(value_type = String)]
    model_type: &'static str,
    /// Records that are to be sent.
    count: u64,
    /// Records of which it is known what became of them.
    done: u64,
    /// Seconds from one to the next.
    interval: f64,
    /// Since when.
    started_at: String,
}

impl Default for TestTraffic {
    fn default() -> Self {
        Self {
            inner: Mutex::default(),
            records: [Mutex::new(None), Mutex::new(None)],
        }
    }
}

impl TestTraffic {
    /// What became of records, and why the last one that failed did.
    pub(crate) fn books(&self) -> (Books, Option<String>) {
        let inner = self.lock();
        (inner.books, inner.last_error.clone())
    }

    /// The streams that run.
    pub(super) fn running(&self) -> Vec<StreamBody> {
        let inner = self.lock();
        let body = |stream: &Arc<Stream>| StreamBody {
            id: stream.id,
            model_type: stream.request.kind.name(),
            count: stream.request.count,
            done: stream.done.load(Ordering::Relaxed),
            interval: stream.request.interval,
            started_at: rfc3339(stream.started_at),
        };
        inner.streams.iter().map(body).collect()
    }

    /// Tells every stream to end; how many there were.
    pub(super) fn stop(&self) -> usize {
        let inner = self.lock();
        for stream in &inner.streams {
            stream.stop.send_replace(true);
        }
        inner.streams.len()
    }

    /// Ends every stream and lets none begin.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.stop();
    }

    /// Waits until no stream runs any more.
    pub(crate) async fn emptied(&self) {
        while !self.lock().streams.is_empty() {
            tokio::time::sleep(END_POLL).await;
        }
    }

    /// Generates; blocks for a moment now and then.
    fn next(&self, kind: Kind) -> Result<Record, ApiError> {
        let place = Kind::ALL.iter().position(|one| *one == kind);
        let records = &self.records[place.unwrap_or_default()];
        // What a panic has left half made is not gone on with.
        let mut records = records.lock().unwrap_or_else(|poisoned| {
            let mut records = poisoned.into_inner();
            *records = None;
            records
        });
        let seed = || u64::from(uuid::Uuid::new_v4().as_fields().0);
        records
            .get_or_insert_with(|| Records::new(kind.schema(), seed()))
            .next()
            .map_err(|error| ApiError::internal(format!("{error:#}")))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // It is whole after every change.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where records go.
#[derive(Debug, Clone)]
pub(super) enum Route {
    /// Into a topic of Kafka.
    Topic(String),
    /// To the models at once.
    Direct,
}

/// The topic that records go to, if they go to Kafka.
pub(super) fn own_topic(state: &AppState) -> Option<String> {
    let topic = state.kafka()?.own_topic()?;
    Some(topic.to_owned())
}

impl Route {
    /// The way of this server.
    pub(super) fn of(state: &AppState) -> Result<Self, ApiError> {
        if let Some(topic) = own_topic(state) {
            return Ok(Self::Topic(topic));
        }
        if state.models().models().is_empty() {
            return Err(ApiError::no_model());
        }
        Ok(Self::Direct)
    }

    pub(super) fn topic(&self) -> Option<String> {
        match self {
            Self::Topic(topic) => Some(topic.clone()),
            Self::Direct => None,
        }
    }

    pub(super) fn words(&self) -> String {
        match self {
            Self::Topic(topic) => format!("to the Kafka topic '{topic}'"),
            Self::Direct => "judged and stored by this server".to_owned(),
        }
    }

    async fn send(&self, state: &AppState, record: Record) -> Sent {
        let moved = record.fields.clone();
        let outcome = match self {
            Self::Topic(topic) => {
                let topic = topic.clone();
                let sent = state
                    .blocking(move |state| to_topic(state, &topic, &moved))
                    .await;
                sent.map(|()| None)
            }
            Self::Direct => match state.blocking(move |state| judge(state, &moved)).await {
                Err(error) => Err(error),
                Ok(row) => {
                    let written = state.realtime().write(vec![row]).await;
                    written.map(|ids| ids.first().copied())
                }
            },
        };
        outcome.map(|verdict| (record, verdict))
    }
}

type Fields = serde_json::Map<String, serde_json::Value>;
type Sent = Result<(Record, Option<VerdictId>), ApiError>;

fn to_topic(state: &AppState, topic: &str, fields: &Fields) -> Result<(), ApiError> {
    let kafka = state
        .kafka()
        .ok_or_else(|| ApiError::internal("no Kafka"))?;
    kafka.send_generated(topic, fields).map_err(|reason| {
        tracing::warn!(topic, reason, "a generated record could not be sent");
        ApiError::unavailable(format!(
            "the Kafka topic '{topic}' did not take the record; see /api/v1/health/detailed"
        ))
    })
}

fn judge(state: &AppState, fields: &Fields) -> Result<NewRow, ApiError> {
    let serving = state.registry().serving();
    let judged = Bench::new(state.scorers(), &serving, STORED_REASONS).judge_one(None, fields)?;
    Ok(judged.new_row(state.now()))
}

/// A record on its way: one that is forgotten counts as dropped.
struct Pending<'a> {
    traffic: &'a TestTraffic,
    outcome: Outcome,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.traffic.lock().books.end(self.outcome);
    }
}

/// Generates a record and sends it.
pub(super) async fn send(state: &AppState, kind: Kind, route: &Route) -> Sent {
    let record = state
        .blocking(move |state| state.test_traffic().next(kind))
        .await?;
    let traffic = state.test_traffic();
    traffic.lock().books.begin();
    let mut pending = Pending {
        traffic,
        outcome: Outcome::Dropped,
    };
    let sent = route.send(state, record).await;
    match (&sent, route) {
        (Ok(_), Route::Topic(_)) => pending.outcome = Outcome::Sent,
        (Ok(_), Route::Direct) => pending.outcome = Outcome::Scored,
        (Err(error), _) => {
            pending.outcome = Outcome::of(error);
            traffic.lock().last_error = Some(error.detail().to_owned());
        }
    }
    sent
}

/// Takes a stream off the list when its task ends, however that is.
struct Listed {
    state: AppState,
    stream: Arc<Stream>,
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut inner = self.state.test_traffic().lock();
        inner.streams.retain(|one| one.id != self.stream.id);
    }
}

/// Starts a stream; its name.
pub(super) fn start(
    state: &AppState,
    request: &StreamRequest,
    route: Route,
) -> Result<u64, ApiError> {
    let mut inner = state.test_traffic().lock();
    if inner.is_closed {
        return Err(ApiError::unavailable("the server stops"));
    }
    if inner.streams.len() >= MAX_STREAMS {
        return Err(ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            format!(
                "{MAX_STREAMS} test streams run already; wait for their end, or stop them with \
                 POST /api/v1/test/stop-stream"
            ),
        ));
    }
    inner.last_id += 1;
    let id = inner.last_id;
    let stream = Arc::new(Stream {
        id,
        request: request.clone(),
        started_at: state.now(),
        done: AtomicU64::new(0),
        stop: watch::Sender::new(false),
    });
    inner.streams.push(Arc::clone(&stream));
    drop(inner);
    let listed = Listed {
        state: state.clone(),
        stream,
    };
    tokio::spawn(async move { run(&listed, &route).await });
    Ok(id)
}

async fn run(listed: &Listed, route: &Route) {
    let Listed { state, stream } = listed;
    let StreamRequest {
        count,
        interval,
        kind,
    } = stream.request;
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(interval));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stopped = stream.stop.subscribe();
    let mut failures = 0_u64;
    for _ in 0..count {
        tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => break,
            _ = ticks.tick() => {}
        }
        // The error is in the books, and shown with them.
        failures += u64::from(send(state, kind, route).await.is_err());
        stream.done.fetch_add(1, Ordering::Relaxed);
    }
    let done = stream.done.load(Ordering::Relaxed);
    tracing::info!(id = stream.id, count, done, failures, "a test stream ended");
}
