//! What a Prometheus reads: figures of this process, and of the store that it shares. Names and units
//! are those of docs/metrics.md.

use std::{
    sync::atomic::AtomicU64,
    time::{Duration, Instant},
};

use axum::{
    extract::State,
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use prometheus_client::{
    encoding::text::encode,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

use super::{
    error::{ApiError, ErrorBody},
    state::AppState,
};
use crate::traces;

/// Labels of a figure, by name.
type Labels = Vec<(&'static str, String)>;
type Numbers = Family<Labels, Gauge<f64, AtomicU64>>;

/// What is counted as it happens.
#[derive(Debug)]
pub(crate) struct Metrics {
    requests: Family<Labels, Counter>,
    seconds: Histogram,
    started: Instant,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            // A tenth of a millisecond to half a minute.
            seconds: Histogram::new(exponential_buckets(1e-4, 2.0, 19)),
            started: Instant::now(),
        }
    }
}

impl Metrics {
    /// Counts an answer, and how long it took to begin.
    pub(super) fn answered(&self, method: &Method, status: StatusCode, took: Duration) {
        // Whoever asks may invent methods; they are not to become labels.
        let method = match *method {
            Method::GET | Method::POST | Method::PUT | Method::PATCH | Method::DELETE => {
                method.as_str()
            }
            _ => "other",
        };
        self.requests
            .get_or_create(&vec![
                ("method", method.to_owned()),
                ("code", status.as_str().to_owned()),
            ])
            .inc();
        self.seconds.observe(took.as_secs_f64());
    }
}

/// The figures in the text format of `OpenMetrics`, which Prometheus reads.
#[utoipa::path(
    get, path = "/metrics", tag = "health",
    responses(
        (status = 200, content_type = "application/openmetrics-text", body = String),
        (status = 503, description = "the store does not answer", body = ErrorBody),
    )
)]
pub(crate) async fn metrics(State(state): State<AppState>) -> Result<Response, ApiError> {
    let text = state.blocking(text).await?;
    Ok((
        [(
            header::CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        text,
    )
        .into_response())
}

fn text(state: &AppState) -> Result<String, ApiError> {
    let mut registry = Registry::with_prefix("tripline");
    let own = state.metrics();
    registry.register(
        "http_requests",
        "Answers by method and status code",
        own.requests.clone(),
    );
    registry.register_with_unit(
        "http_request_duration",
        "Time until an answer began",
        Unit::Seconds,
        own.seconds.clone(),
    );
    number(
        &mut registry,
        "uptime",
        "Time since this process was started",
        Some(Unit::Seconds),
        [(vec![], own.started.elapsed().as_secs_f64())],
    );
    store(state, &mut registry)?;
    configuration(state, &mut registry);
    kafka(state, &mut registry);
    test_traffic(state, &mut registry);
    spans(&mut registry);
    capture(state, &mut registry);
    let hub = state.hub();
    number(
        &mut registry,
        "stream_clients",
        "Clients that listen to verdicts as they fall",
        None,
        [(vec![], hub.connections() as f64)],
    );
    let dropped = Counter::<u64>::default();
    dropped.inc_by(hub.too_slow());
    registry.register(
        "stream_clients_dropped",
        "Clients that were dropped because they did not keep up",
        dropped,
    );
    let models = state.models();
    number(
        &mut registry,
        "model",
        "1 for each model that judges",
        None,
        models.models().iter().map(|model| {
            let manifest = model.manifest();
            let labels = vec![
                ("role", manifest.role.as_str().to_owned()),
                ("name", manifest.name.clone()),
                ("version", manifest.version.clone()),
            ];
            (labels, 1.0)
        }),
    );
    let mut text = String::new();
    encode(&mut text, &registry).map_err(ApiError::internal)?;
    Ok(text)
}

fn number(
    registry: &mut Registry,
    name: &str,
    help: &str,
    unit: Option<Unit>,
    values: impl IntoIterator<Item = (Labels, f64)>,
) {
    let numbers = Numbers::default();
    for (labels, value) in values {
        numbers.get_or_create(&labels).set(value);
    }
    match unit {
        Some(unit) => registry.register_with_unit(name, help, unit, numbers),
        None => registry.register(name, help, numbers),
    }
}

/// Of the store, whichever process has written it.
fn store(state: &AppState, registry: &mut Registry) -> Result<(), ApiError> {
    let counts = state.store().totals()?.counts;
    number(
        registry,
        "verdicts_stored",
        "Verdicts in the store",
        None,
        [
            (vec![("kind", "threat".to_owned())], counts.threats as f64),
            (
                vec![("kind", "other".to_owned())],
                (counts.total - counts.threats) as f64,
            ),
        ],
    );
    number(
        registry,
        "store_size",
        "Size of the store",
        Some(Unit::Bytes),
        [(vec![], state.store().size()?.total_bytes() as f64)],
    );
    Ok(())
}

/// What has become of reading the configuration anew.
fn configuration(state: &AppState, registry: &mut Registry) {
    let history = state.reloads().history();
    let reloads = Family::<Labels, Counter>::default();
    for (outcome, count) in [("done", history.done), ("refused", history.refused)] {
        let labels = vec![("outcome", outcome.to_owned())];
        reloads.get_or_create(&labels).inc_by(count);
    }
    registry.register(
        "config_reloads",
        "Times that the configuration was read anew, by what became of it",
        reloads,
    );
    for (name, help, value) in [
        (
            "config_is_stale",
            "1 while the last configuration was refused and the one before it holds",
            f64::from(u8::from(history.is_refused())),
        ),
        (
            "config_options_awaiting_restart",
            "Options whose new value waits for a restart",
            history.needs_restart.len() as f64,
        ),
    ] {
        number(registry, name, help, None, [(vec![], value)]);
    }
    number(
        registry,
        "config_read_timestamp",
        "When the configuration that holds was read, since 1970",
        Some(Unit::Seconds),
        [(vec![], history.read_at.seconds() as f64)],
    );
}

/// The books of each topic: received is the sum of the others.
fn kafka(state: &AppState, registry: &mut Registry) {
    let Some(kafka) = state.kafka() else {
        return;
    };
    let messages = Family::<Labels, Counter>::default();
    let mut pending = Vec::new();
    for book in kafka.books() {
        for (outcome, count) in book.outcomes {
            messages
                .get_or_create(&vec![
                    ("topic", book.topic.clone()),
                    ("outcome", outcome.to_owned()),
                ])
                .inc_by(count);
        }
        pending.push((vec![("topic", book.topic)], book.pending as f64));
    }
    registry.register(
        "kafka_messages",
        "Messages by topic and by what became of them; received is the sum of the others and of those pending",
        messages,
    );
    number(
        registry,
        "kafka_messages_pending",
        "Messages that are being worked on",
        None,
        pending,
    );
}

/// Generated records: those generated are the sum of the others and of those pending.
fn test_traffic(state: &AppState, registry: &mut Registry) {
    let (books, _) = state.test_traffic().books();
    let records = Family::<Labels, Counter>::default();
    for (outcome, count) in books.outcomes() {
        let labels = vec![("outcome", outcome.to_owned())];
        records.get_or_create(&labels).inc_by(count);
    }
    registry.register(
        "test_records",
        "Generated records by what became of them; generated is the sum of the others and of those pending",
        records,
    );
    number(
        registry,
        "test_records_pending",
        "Generated records that are on their way",
        None,
        [(vec![], books.pending as f64)],
    );
}

/// What became of spans, where anything is traced.
fn spans(registry: &mut Registry) {
    let Some((_, counts)) = traces::books() else {
        return;
    };
    let spans = Family::<Labels, Counter>::default();
    let exported = [("exported", counts.exported)];
    for (outcome, count) in exported.into_iter().chain(counts.dropped) {
        spans
            .get_or_create(&vec![("outcome", outcome.to_owned())])
            .inc_by(count);
    }
    registry.register(
        "trace_spans",
        "Spans that ended, by what became of them; queue_full, failed and rejected ones were dropped",
        spans,
    );
    number(
        registry,
        "trace_spans_pending",
        "Spans that wait to be exported",
        None,
        [(vec![], counts.pending as f64)],
    );
}

/// The books of the capture: frames are the sum of the others and of those that wait.
fn capture(state: &AppState, registry: &mut Registry) {
    let sources = state.sources();
    let counts = sources.capture_state().counts;
    let frames = Family::<Labels, Counter>::default();
    for (outcome, count) in [
        ("received", counts.frames),
        ("metered", counts.packets),
        ("not_decoded", counts.not_decoded),
        ("dropped_queue", counts.dropped_queue),
        ("dropped_kernel", counts.dropped_kernel),
        ("dropped_interface", counts.dropped_interface),
    ] {
        frames
            .get_or_create(&vec![("outcome", outcome.to_owned())])
            .inc_by(count);
    }
    registry.register(
        "capture_frames",
        "Frames of the captured interface by what became of them",
        frames,
    );
    for (name, help, count) in [
        ("capture_flows", "Flows begun", counts.flows),
        ("capture_verdicts", "Verdicts stored", counts.verdicts),
    ] {
        let counter = Counter::<u64>::default();
        counter.inc_by(count);
        registry.register(name, help, counter);
    }
    registry.register_with_unit(
        "capture_lag",
        "Time from the traffic that told a flow to its stored verdict",
        Unit::Seconds,
        sources.capture_lag(),
    );
}
