//! The origin system's WebSocket.

use std::time::{Duration, Instant};

use axum::{
    extract::{
        State, WebSocketUpgrade,
        ws::{
            CloseFrame, Message, Utf8Bytes, WebSocket, close_code,
            rejection::WebSocketUpgradeRejection,
        },
    },
    http::StatusCode,
    response::Response,
};
use futures_util::{SinkExt, StreamExt, stream::SplitSink};
use serde::Deserialize;
use serde_json::json;

use super::{Client, Event, Farewell, stats};
use crate::api::{
    error::{ApiError, ErrorBody},
    state::AppState,
    time::rfc3339,
};

/// Longest message of a client, in bytes.
const MAX_MESSAGE: usize = 16 << 10;
/// Bytes that may wait in memory for one client beside what waits in the queue.
const MAX_WAITING: usize = 16 << 20;
/// How long a client may take for what it is sent.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a client is asked whether it is there.
const PING: Duration = Duration::from_secs(30);
/// How long it may be silent.
const SILENCE: Duration = Duration::from_secs(90);

/// What a client may say.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Request {
    Ping,
    RequestStats,
}

type Sink = SplitSink<WebSocket, Message>;

/// Verdicts as they fall. The server says `connected`, `prediction`, `stats_update`, `skipped`; it answers
/// `{"type":"ping"}` with `pong`, and `{"type":"request_stats"}` with `stats_request_received` and the
/// figures. Uploads are not told. A client that does not keep up is dropped with the reason.
#[utoipa::path(
    get, path = "/ws/realtime", tag = "stream",
    responses(
        (status = 101, description = "a WebSocket"),
        (status = 403, description = "a page of another site asks", body = ErrorBody),
        (status = 426, description = "the request is no WebSocket handshake", body = ErrorBody),
        (status = 503, description = "too many listen", body = ErrorBody),
    )
)]
pub(crate) async fn realtime(
    State(state): State<AppState>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let upgrade = upgrade.map_err(|error| {
        ApiError::new(
            StatusCode::UPGRADE_REQUIRED,
            format!("expected the handshake of a WebSocket: {error}"),
        )
    })?;
    let client = state.hub().join(&state)?;
    Ok(upgrade
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE)
        .max_write_buffer_size(MAX_WAITING)
        .on_upgrade(move |socket| talk(socket, client)))
}

async fn talk(socket: WebSocket, mut client: Client) {
    let (mut sink, mut said) = socket.split();
    let welcome = client.welcome();
    let mut heard = Instant::now();
    let mut pings = tokio::time::interval(PING);
    pings.reset();
    let mut outcome = tell(&mut sink, [text(&welcome)]).await;
    while outcome.is_ok() {
        outcome = tokio::select! {
            batch = client.next() => match batch {
                Ok(batch) => tell(&mut sink, batch.iter().map(text)).await,
                Err(farewell) => Err(Some(farewell)),
            },
            message = said.next() => match message {
                Some(Ok(Message::Close(_)) | Err(_)) | None => Err(None),
                Some(Ok(message)) => {
                    heard = Instant::now();
                    answer(&client, &mut sink, &message).await
                }
            },
            _ = pings.tick() => {
                if heard.elapsed() > SILENCE {
                    Err(Some(Farewell::Silent))
                } else {
                    tell(&mut sink, [Message::Ping(Vec::new().into())]).await
                }
            }
        };
    }
    if let Err(Some(farewell)) = outcome {
        let reason = client.leave(farewell);
        let code = match farewell {
            Farewell::TooSlow => close_code::AGAIN,
            Farewell::Silent => close_code::POLICY,
            Farewell::Stopping => close_code::AWAY,
        };
        let close = Message::Close(Some(CloseFrame {
            code,
            reason: Utf8Bytes::from_static(reason),
        }));
        // It may be gone, or still not read.
        let _ = tokio::time::timeout(Duration::from_secs(1), sink.send(close)).await;
    }
}

fn text(event: &Event) -> Message {
    Message::Text(event.text.clone())
}

/// Sends messages with one write, if the client takes them in time.
async fn tell(
    sink: &mut Sink,
    messages: impl IntoIterator<Item = Message>,
) -> Result<(), Option<Farewell>> {
    let sending = async {
        for message in messages {
            sink.feed(message).await?;
        }
        sink.flush().await
    };
    match tokio::time::timeout(PATIENCE, sending).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(None),
        Err(_) => Err(Some(Farewell::TooSlow)),
    }
}

async fn answer(
    client: &Client,
    sink: &mut Sink,
    message: &Message,
) -> Result<(), Option<Farewell>> {
    let Message::Text(said) = message else {
        // Pings are answered by the protocol; bytes mean nothing here.
        return Ok(());
    };
    let state = &client.state;
    let mut answers = Vec::new();
    match serde_json::from_str::<Request>(said) {
        Ok(Request::Ping) => {
            let now = rfc3339(state.now());
            answers.push(Event::new("pong", json!({ "timestamp": now })));
        }
        Ok(Request::RequestStats) => {
            answers.push(Event::new(
                "stats_request_received",
                json!({ "message": "the figures follow" }),
            ));
            match state.blocking(stats).await {
                Ok(event) => answers.push(event),
                Err(error) => answers.push(error_event(error.detail())),
            }
        }
        Err(_) => answers.push(error_event(
            "expected {\"type\":\"ping\"} or {\"type\":\"request_stats\"}",
        )),
    }
    tell(sink, answers.iter().map(text)).await
}

fn error_event(message: &str) -> Event {
    Event::new("error", json!({ "message": message }))
}
