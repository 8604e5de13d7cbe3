//! The HTTP API: the origin system's paths and shapes, Tripline's own, and the dashboard.
//!
//! Handlers read parameters, ask the store or the models on threads that may block, and give
//! what they found a form; they decide nothing. [`app`] is the whole of it without a socket, so
//! that tests can call it; [`serve`] puts it on one.

mod error;
mod export;
mod flow_body;
mod guard;
mod healing;
mod health;
mod identity;
mod insight;
mod judge;
mod judged;
mod labels;
mod metrics;
mod models;
mod monitoring;
mod origin;
mod pages;
mod predictions;
mod query;
mod realtime;
pub(crate) mod reason_bytes;
mod retraining;
mod row;
mod score;
mod scorers;
mod sources;
mod state;
mod stream;
mod streaming;
mod test_traffic;
mod time;
mod traced;
pub(crate) use time::rfc3339;
mod upload;
mod verdict_body;
mod verdicts;
mod waiting;

use std::{sync::Arc, time::Duration};

use axum::{
    Router, extract::DefaultBodyLimit, http::header, middleware::from_fn_with_state,
    response::IntoResponse, routing::get,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
};
use tower_http::{catch_panic::CatchPanicLayer, normalize_path::NormalizePath};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) use self::{
    judge::{Judge, STORED_REASONS},
    judged::{Bench, JudgedRow, ReadRow},
    realtime::NewRow,
    row::{Row, borrowed},
    scorers::ScorerPool,
};
pub use self::{state::AppState, waiting::serve_waiting};

/// Largest body of a request that is no upload.
const MAX_BODY_BYTES: usize = 16 << 20;
/// Connections at a time; further ones wait to be accepted.
const MAX_CONNECTIONS: usize = 1024;
/// How long a client may take for the head of its request.
const HEAD_PATIENCE: Duration = Duration::from_secs(15);
/// How long answers in flight may take at the end.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait when the system has no more sockets to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tripline",
        description = "Watches network traffic and says, for every flow: is it a threat, which attack is it, how sure, and why. Errors are `{\"detail\": …}`.",
    ),
    tags(
        (name = "upload", description = "files"),
        (name = "score", description = "single rows and lists of rows"),
        (name = "verdicts", description = "verdicts, their reasons, counts over time"),
        (name = "predictions", description = "the lists of the origin system"),
        (name = "models", description = "versions of models, and what judges"),
        (name = "monitoring", description = "drift, quality, candidates, and what was told of them"),
        (name = "labels", description = "what people say about flows"),
        (name = "stream", description = "verdicts as they fall"),
        (name = "export", description = "CSV"),
        (name = "config", description = "where rows come from by themselves"),
        (name = "test", description = "generated records, to see the system at work"),
        (name = "health", description = "the state of the system"),
    ),
    components(schemas(score::ScoredRows, verdicts::StageBody, verdicts::ContributionBody, insight::CounterfactualBody, insight::ChangedBody, upload::RejectionBody, flow_body::FlowBody)),
)]
struct Document;

/// The API without a socket. A slash at the end of a path changes nothing.
pub fn app(state: AppState) -> NormalizePath<Router> {
    let (router, document) = routes().split_for_parts();
    let document: Arc<str> = document.to_json().unwrap_or_default().into();
    let docs = Arc::new(utoipa_swagger_ui::Config::from(pages::DOCUMENT));
    let pages = Router::new()
        .route("/", get(pages::root))
        .route(
            pages::DOCUMENT,
            get(move || async move {
                (
                    [(header::CONTENT_TYPE, "application/json")],
                    document.to_string(),
                )
                    .into_response()
            }),
        )
        .route("/docs", get(pages::docs))
        .route("/redoc", get(pages::docs))
        .route("/docs/{*name}", get(pages::docs_file).with_state(docs))
        .fallback(pages::fallback)
        .method_not_allowed_fallback(pages::wrong_method);
    let router = router
        .merge(pages)
        .method_not_allowed_fallback(pages::wrong_method)
        .layer(CatchPanicLayer::custom(
            |_: Box<dyn std::any::Any + Send>| {
                error::ApiError::internal("a handler panicked").into_response()
            },
        ))
        .layer(from_fn_with_state(state.clone(), guard::guard))
        .with_state(state);
    NormalizePath::trim_trailing_slash(router)
}

/// The document of the API, as JSON: `openapi.json` without a server.
pub fn openapi_json() -> Result<String, serde_json::Error> {
    routes().into_openapi().to_pretty_json()
}

fn routes() -> OpenApiRouter<AppState> {
    // Their limit may change while the server runs: `guard` sets it.
    let uploads = OpenApiRouter::new()
        .routes(routes!(upload::csv))
        .routes(routes!(upload::capture));
    let models = OpenApiRouter::new()
        .routes(routes!(models::upload))
        .layer(DefaultBodyLimit::max(
            models::MAX_MODEL_BYTES + MAX_BODY_BYTES,
        ));
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(upload::batches))
        .routes(routes!(upload::batch))
        .routes(routes!(upload::batch_report))
        .routes(routes!(upload::jobs))
        .routes(routes!(upload::job))
        .routes(routes!(score::score))
        .routes(routes!(verdicts::list))
        .routes(routes!(verdicts::timeline))
        .routes(routes!(verdicts::explain))
        .routes(routes!(predictions::stats))
        .routes(routes!(predictions::recent))
        .routes(routes!(predictions::threats))
        .routes(routes!(predictions::attack_predictions))
        .routes(routes!(predictions::actions))
        .routes(routes!(predictions::attack_distribution))
        .routes(routes!(predictions::action_distribution))
        .routes(routes!(predictions::one))
        .routes(routes!(models::list))
        .routes(routes!(models::all_history))
        .routes(routes!(models::one, models::change_texts, models::delete))
        .routes(routes!(models::report))
        .routes(routes!(models::bundle))
        .routes(routes!(models::history))
        .routes(routes!(models::compare))
        .routes(routes!(insight::insight))
        .routes(routes!(models::activate, models::reactivate))
        .routes(routes!(models::deactivate))
        .routes(routes!(models::roll_back))
        .routes(routes!(models::stage))
        .routes(routes!(models::storage))
        .routes(routes!(models::supported_formats))
        .routes(routes!(models::profile))
        .routes(routes!(monitoring::overview))
        .routes(routes!(monitoring::records))
        .routes(routes!(monitoring::rules, monitoring::change_rules))
        .routes(routes!(monitoring::comparison))
        .routes(routes!(monitoring::messages))
        .routes(routes!(retraining::list, retraining::begin))
        .routes(routes!(retraining::cancel))
        .routes(routes!(labels::create, labels::list))
        .routes(routes!(labels::upload))
        .routes(routes!(labels::export))
        .routes(routes!(labels::review))
        .routes(routes!(export::realtime))
        .routes(routes!(sources::list))
        .routes(routes!(sources::one, sources::change))
        .routes(routes!(test_traffic::start))
        .routes(routes!(test_traffic::send_single))
        .routes(routes!(test_traffic::stop))
        .routes(routes!(test_traffic::status))
        .routes(routes!(stream::realtime))
        .routes(routes!(stream::events))
        .routes(routes!(stream::connections))
        .routes(routes!(health::alive))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(metrics::metrics))
        .routes(routes!(health::detailed))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .merge(uploads)
        .merge(models)
}

/// Answers requests until `stop` resolves, and then those in flight.
pub async fn serve(
    listener: TcpListener,
    state: AppState,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let service = TowerToHyperService::new(app(state.clone()));
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .pipeline_flush(true);
    let stopping = watch::Sender::new(false);
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    tokio::pin!(stop);
    loop {
        let slot = Arc::clone(&slots).acquire_owned().await?;
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        // Small answers are not to wait for an acknowledgement.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        let connection = builder
            .serve_connection(TokioIo::new(stream), service.clone())
            .with_upgrades();
        let mut stopped = stopping.subscribe();
        tokio::spawn(async move {
            tokio::pin!(connection);
            let stopped = async {
                // Without a sender the server has gone too.
                let _ = stopped.wait_for(|stopped| *stopped).await;
            };
            let outcome = tokio::select! {
                outcome = connection.as_mut() => outcome,
                () = stopped => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = outcome {
                tracing::debug!(%error, "a connection ended with an error");
            }
            drop(slot);
        });
    }
    stopping.send_replace(true);
    state.hub().stop();
    state.test_traffic().close();
    // Every connection has given its slot back when all can be had.
    let ended = async {
        let _ = slots.acquire_many(MAX_CONNECTIONS as u32).await;
        state.hub().emptied().await;
        state.test_traffic().emptied().await;
    };
    if tokio::time::timeout(SHUTDOWN_PATIENCE, ended)
        .await
        .is_err()
    {
        tracing::warn!("some requests were not done in time and were cut off");
    }
    Ok(())
}
