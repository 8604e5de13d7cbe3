//! What is answered while the store cannot be reached yet: that the process lives, and what it waits for.

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch};

use super::{health, time::rfc3339};
use crate::clock;

type Reason = watch::Receiver<String>;

/// Answers until `stop` resolves.
pub async fn serve_waiting(
    listener: TcpListener,
    reason: watch::Receiver<String>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let app = Router::new()
        .route("/live", get(health::live))
        .route("/health", get(brief))
        .route("/api/v1/health/detailed", get(detailed))
        .fallback(refuse)
        .with_state(reason);
    axum::serve(listener, app)
        .with_graceful_shutdown(stop)
        .await
}

async fn brief(State(reason): State<Reason>) -> Json<Value> {
    Json(json!({ "status": "degraded", "reason": *reason.borrow() }))
}

async fn detailed(State(reason): State<Reason>) -> Response {
    let body = json!({
        "status": "unhealthy",
        "timestamp": rfc3339(clock::now()),
        "checks": { "database": { "status": "error", "message": *reason.borrow() } },
    });
    (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
}

async fn refuse(State(reason): State<Reason>) -> Response {
    let detail = format!("the server waits for its database: {}", *reason.borrow());
    (
        StatusCode::SERVICE_UNAVAILABLE,
        Json(json!({ "detail": detail, "status": "not ready" })),
    )
        .into_response()
}
