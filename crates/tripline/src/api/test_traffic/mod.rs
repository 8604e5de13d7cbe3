//! Generated records through the real path, to see a server at work: the origin system's test
//! producer. Where the server reads a topic of Kafka whose writers are trusted, records are sent
//! there and come back as anybody's do; else they are judged and stored as single scores are.
//!
//! Streams belong to the process that was asked for them, and end with it.

mod books;
mod request;
mod streams;

use axum::{Json, body::Bytes, extract::State, http::StatusCode};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

pub(super) use self::{books::Books, streams::TestTraffic};
use self::{
    request::{Kind, StreamRequest},
    streams::{Route, StreamBody},
};
use super::{
    error::{ApiError, ErrorBody},
    query::Params,
    state::AppState,
};

/// A stream that was started.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TestStreamStarted {
    /// One sentence for people.
    message: String,
    /// Records that are to be sent.
    count: u64,
    /// Seconds from one to the next.
    interval: f64,
    /// `threat_detection` or `attack_classification`.
    #[schema(value_type = String)]
    model_type: &'static str,
    /// Names the stream in the list of those that run.
    id: u64,
    /// Always true: nobody has seen this traffic.
    generated: bool,
    /// The topic of Kafka that records go to; null where they are judged at once.
    topic: Option<String>,
}

/// A record that was sent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TestRecordSent {
    /// One sentence for people.
    message: String,
    /// `threat_detection` or `attack_classification`.
    #[schema(value_type = String)]
    model_type: &'static str,
    /// The record.
    #[schema(value_type = Object)]
    data: Map<String, Value>,
    /// What it was generated as; the models are not told.
    #[schema(value_type = String)]
    label: &'static str,
    /// Always true: nobody has seen this traffic.
    generated: bool,
    /// The topic of Kafka that it went to; null where it was judged at once.
    topic: Option<String>,
    /// Its verdict, where it was judged at once.
    traffic_data_id: Option<String>,
}

/// Streams that were told to end.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TestStreamsStopped {
    /// One sentence for people.
    message: String,
    /// How many.
    stopped: usize,
}

/// Generated records of this process.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TestTrafficBody {
    /// Whether streams can be started.
    is_enabled: bool,
    /// The topic of Kafka that records go to; null where they are judged at once.
    topic: Option<String>,
    /// Streams that run.
    streams: Vec<StreamBody>,
    /// What became of all records since the process was started.
    books: Books,
    /// Why the last record that was rejected or dropped was.
    last_error: Option<String>,
}

/// Starts a stream of generated records. The body may be left out, and so may each of its values.
#[utoipa::path(
    post, path = "/api/v1/test/start-stream", tag = "test",
    request_body(content = StreamRequest, content_type = "application/json"),
    responses(
        (status = 200, body = TestStreamStarted),
        (status = 400, description = "no JSON object, an unknown key or type of model", body = ErrorBody),
        (status = 403, description = "switched off on this server", body = ErrorBody),
        (status = 422, description = "a value of another kind or outside its bounds", body = ErrorBody),
        (status = 429, description = "4 streams run already", body = ErrorBody),
        (status = 503, description = "no model, or the server stops", body = ErrorBody),
    )
)]
pub(crate) async fn start(
    State(state): State<AppState>,
    bytes: Bytes,
) -> Result<Json<TestStreamStarted>, ApiError> {
    check_enabled(&state)?;
    let request = StreamRequest::read(&bytes)?;
    let route = Route::of(&state)?;
    let id = streams::start(&state, &request, route.clone())?;
    let (count, interval) = (request.count, request.interval);
    let (records, to) = (plural(count, "generated record"), route.words());
    Ok(Json(TestStreamStarted {
        message: format!("Started: {records}, one every {interval} s, {to}"),
        count,
        interval,
        model_type: request.kind.name(),
        id,
        generated: true,
        topic: route.topic(),
    }))
}

/// Sends one generated record.
#[utoipa::path(
    post, path = "/api/v1/test/send-single", tag = "test",
    params(("model_type" = Option<String>, Query, description = "`threat_detection` or `attack_classification`, the latter when absent")),
    responses(
        (status = 200, body = TestRecordSent),
        (status = 400, description = "an unknown type of model", body = ErrorBody),
        (status = 403, description = "switched off on this server", body = ErrorBody),
        (status = 503, description = "no model, or Kafka does not take it", body = ErrorBody),
    )
)]
pub(crate) async fn send_single(
    State(state): State<AppState>,
    params: Params,
) -> Result<Json<TestRecordSent>, ApiError> {
    check_enabled(&state)?;
    params.only(&["model_type"])?;
    let kind = params.text("model_type").map(Kind::read).transpose()?;
    let kind = kind.unwrap_or_default();
    let route = Route::of(&state)?;
    // A client that goes does not end the way of its record.
    let (asked, way) = (state.clone(), route.clone());
    let sending = async move { streams::send(&asked, kind, &way).await };
    let sent = tokio::spawn(sending).await.map_err(ApiError::internal)?;
    let (record, verdict) = sent?;
    Ok(Json(TestRecordSent {
        message: format!("1 generated record, {}", route.words()),
        model_type: kind.name(),
        data: record.fields,
        label: record.label,
        generated: true,
        topic: route.topic(),
        traffic_data_id: verdict.map(|id| id.to_string()),
    }))
}

/// Ends every stream that this process runs.
#[utoipa::path(
    post, path = "/api/v1/test/stop-stream", tag = "test",
    responses((status = 200, body = TestStreamsStopped))
)]
pub(crate) async fn stop(State(state): State<AppState>) -> Json<TestStreamsStopped> {
    let stopped = state.test_traffic().stop();
    let streams = plural(stopped as u64, "stream");
    Json(TestStreamsStopped {
        message: format!("Stopped: {streams} of generated records"),
        stopped,
    })
}

/// The streams that this process runs, and what became of their records.
#[utoipa::path(
    get, path = "/api/v1/test/stream", tag = "test",
    responses((status = 200, body = TestTrafficBody))
)]
pub(crate) async fn status(State(state): State<AppState>) -> Json<TestTrafficBody> {
    let traffic = state.test_traffic();
    let (books, last_error) = traffic.books();
    Json(TestTrafficBody {
        is_enabled: !state.settings().refuses_test_traffic,
        topic: streams::own_topic(&state),
        streams: traffic.running(),
        books,
        last_error,
    })
}

/// Generated records as the health of the system shows them. That one fails says nothing that its
/// path does not say itself.
pub(super) fn health(state: &AppState) -> Value {
    let traffic = state.test_traffic();
    let (books, last_error) = traffic.books();
    json!({
        "enabled": !state.settings().refuses_test_traffic,
        "streams": traffic.running().len(),
        "books": books,
        "last_error": last_error,
    })
}

fn check_enabled(state: &AppState) -> Result<(), ApiError> {
    if !state.settings().refuses_test_traffic {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::FORBIDDEN,
        "this server was started with --no-test-traffic: it generates no records",
    ))
}

fn plural(count: u64, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}
