//! Whether the system can do its work, and what stands in the way.

use std::time::Instant;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Value, json};
use tripline_detect::Role;
use utoipa::ToSchema;

use super::{models::type_name, state::AppState, time::rfc3339};
use crate::{
    kafka::{KafkaHandle, KafkaHealth},
    traces,
};

/// Whether the process answers at all.
#[utoipa::path(get, path = "/health", tag = "health", responses((status = 200, body = Object)))]
pub(crate) async fn alive() -> Json<Value> {
    Json(json!({ "status": "healthy" }))
}

/// Whether the process answers at all; a supervisor restarts one that does not.
#[utoipa::path(get, path = "/live", tag = "health", responses((status = 200, body = Object)))]
pub(crate) async fn live() -> Json<Value> {
    Json(json!({ "status": "alive" }))
}

/// Whether requests can be done: the store answers and something can be judged. A load balancer sends
/// nothing to a process that is not ready; restarting it would not help.
#[utoipa::path(
    get, path = "/ready", tag = "health",
    responses(
        (status = 200, body = Object),
        (status = 503, description = "not now, and why", body = Object),
    )
)]
pub(crate) async fn ready(State(state): State<AppState>) -> Response {
    let reason = match state.ask(|store| store.health()).await {
        Err(error) => Some(error.detail().to_owned()),
        Ok(_) if state.models().models().is_empty() => {
            Some("no model is active: nothing can be judged".to_owned())
        }
        Ok(_) => None,
    };
    match reason {
        None => Json(json!({ "status": "ready" })).into_response(),
        Some(reason) => (
            StatusCode::SERVICE_UNAVAILABLE,
            Json(json!({ "status": "not ready", "reason": reason })),
        )
            .into_response(),
    }
}

/// The state of every part.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `healthy`, `degraded` (a kind of row cannot be judged, or a source that is to run does not)
    /// or `unhealthy` (nothing can be judged or stored).
    #[schema(value_type = String)]
    status: &'static str,
    /// Now.
    timestamp: String,
    /// Part by part.
    #[schema(value_type = Object)]
    checks: Value,
}

/// The state of every part.
#[utoipa::path(
    get, path = "/api/v1/health/detailed", tag = "health",
    responses(
        (status = 200, description = "healthy or degraded", body = Health),
        (status = 503, description = "unhealthy, with the same body", body = Health),
    )
)]
pub(crate) async fn detailed(State(state): State<AppState>) -> Response {
    let started = Instant::now();
    let database = state.ask(|store| store.health()).await;
    let latency_ms = started.elapsed().as_secs_f64() * 1000.0;
    let models = state.models();
    let has = |role| models.models().iter().any(|model| model.role() == role);
    let (has_detector, has_classifier) = (has(Role::Detector), has(Role::Classifier));
    let (sources, has_trouble) = super::sources::health(&state).await;
    let kafka = state.kafka().map_or_else(no_kafka, KafkaHandle::health);
    let status = match (&database, has_detector, has_classifier) {
        (Err(_), _, _) | (_, false, false) => "unhealthy",
        (Ok(_), true, true)
            if !has_trouble && !kafka.is_degraded && state.registry().refused().is_empty() =>
        {
            "healthy"
        }
        _ => "degraded",
    };
    let database = match &database {
        Ok(health) => json!({
            "status": "healthy",
            "latency_ms": latency_ms,
            "backend": health.backend,
            "engine_version": health.engine_version,
            "schema_version": health.schema_version,
            "size_bytes": health.size.total_bytes(),
        }),
        Err(error) => {
            json!({ "status": "error", "latency_ms": latency_ms, "message": error.detail() })
        }
    };
    let mut checks = json!({
        "database": database,
        "kafka": kafka.kafka,
        "consumers": kafka.consumers,
        "models": {
            "threat_detector": model_check(&state, Role::Detector),
            "attack_classifier": model_check(&state, Role::Classifier),
        },
        "sources": sources,
        "configuration": state.reloads().health(),
        "test_traffic": super::test_traffic::health(&state),
        "websocket": { "status": "healthy", "connections": state.hub().connections() },
    });
    if let Some((endpoint, counts)) = traces::books() {
        checks["traces"] = traces_check(endpoint, &counts);
    }
    let code = if status == "unhealthy" {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    };
    let body = Health {
        status,
        timestamp: rfc3339(state.now()),
        checks,
    };
    (code, Json(body)).into_response()
}

/// How the exporter of traces is doing. Nothing that this server is for depends on it, so its trouble
/// does not degrade the whole.
fn traces_check(endpoint: &str, counts: &traces::Counts) -> Value {
    json!({
        "status": if counts.trouble.is_some() { "degraded" } else { "healthy" },
        "endpoint": endpoint,
        "message": counts.trouble,
        "exported": counts.exported,
        "dropped": counts.dropped_in_all(),
        "pending": counts.pending,
    })
}

/// The checks of a server without Kafka.
fn no_kafka() -> KafkaHealth {
    let off = |topic: &str| {
        json!({
            "status": "disabled", "running": false, "topic": topic, "enabled": false,
            "message": "this server reads no Kafka topic",
        })
    };
    KafkaHealth {
        is_degraded: false,
        kafka: json!({
            "status": "disabled", "broker_count": 0, "bootstrap_servers": null, "topics": [],
            "message": "this server is not connected to Kafka",
        }),
        consumers: json!({
            "internal": off("network-traffic"), "external": off("external-traffic"),
        }),
    }
}

/// The preferred model of a role, and how many there are.
fn model_check(state: &AppState, role: Role) -> Value {
    let models = state.models();
    let of_role: Vec<_> = models
        .models()
        .iter()
        .filter(|model| model.role() == role)
        .collect();
    let first = of_role.first().map(|model| model.manifest());
    let refused: Vec<Value> = state
        .registry()
        .refused()
        .into_iter()
        .filter(|refused| refused.role == role.as_str())
        .map(|refused| json!({ "model": refused.model, "reason": refused.reason }))
        .collect();
    json!({
        "loaded": first.is_some(),
        "version": first.map(|manifest| &manifest.version),
        "is_real": first.is_some(),
        "model_type": type_name(role),
        "name": first.map(|manifest| &manifest.name),
        "loaded_count": of_role.len(),
        "refused": refused,
    })
}
