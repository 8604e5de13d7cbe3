//! Training models anew from labels.

use std::sync::Arc;

use axum::{Json, body::Bytes, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tripline_store::Timestamp;
use utoipa::ToSchema;

use super::{
    error::{ApiError, ErrorBody},
    models::parse,
    state::AppState,
    time::rfc3339,
};
use crate::{
    labels::{MAX_AUTHOR, check_text},
    retraining::{Finished, Job, Jobs, Refusal, Retrainer, TASK},
};

impl From<Refusal> for ApiError {
    fn from(error: Refusal) -> Self {
        match error {
            Refusal::Registry(error) => error.into(),
            Refusal::Folder(_) => Self::internal(crate::registry::chain(&error)),
            Refusal::Busy { .. }
            | Refusal::NoRecipe { .. }
            | Refusal::NoData
            | Refusal::TooFewLabels { .. } => Self::new(StatusCode::CONFLICT, error.to_string()),
        }
    }
}

/// A retraining.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RetrainingJob)]
pub(crate) struct JobBody {
    /// Its identifier.
    id: String,
    /// The version that it is to follow.
    model_id: String,
    /// Name and version of that.
    model: String,
    /// Why.
    reason: String,
    /// Who asked for it.
    requested_by: String,
    /// When.
    started_at: String,
    /// How often its process was begun.
    attempts: u32,
    /// Labels that it was given.
    labels: u64,
}

impl JobBody {
    fn of(job: Job) -> Self {
        Self {
            id: job.id,
            model_id: job.model_id,
            model: job.model,
            reason: job.reason,
            requested_by: job.requested_by,
            started_at: rfc3339(Timestamp(job.started_micros)),
            attempts: job.attempts,
            labels: job.labels,
        }
    }
}

/// A retraining that has ended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FinishedRetraining)]
pub(crate) struct FinishedBody {
    #[serde(flatten)]
    job: JobBody,
    /// When.
    ended_at: String,
    /// The version it made.
    made_model_id: Option<String>,
    /// Why it made none.
    failure: Option<String>,
    /// Record, gate, and labels that did not count.
    #[schema(value_type = Object)]
    details: Value,
}

impl FinishedBody {
    fn of(finished: Finished) -> Self {
        Self {
            job: JobBody::of(finished.job),
            ended_at: rfc3339(Timestamp(finished.ended_micros)),
            made_model_id: finished.made,
            failure: finished.failure,
            details: finished.details,
        }
    }
}

/// What is known of retrainings.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Retrainings {
    /// The one that is being worked on.
    current: Option<JobBody>,
    /// Those that have ended, newest first.
    finished: Vec<FinishedBody>,
}

/// The retraining that runs, and those that have ended.
#[utoipa::path(
    get, path = "/api/v1/retraining", tag = "monitoring",
    responses((status = 200, body = Retrainings))
)]
pub(crate) async fn list(State(state): State<AppState>) -> Result<Json<Retrainings>, ApiError> {
    state
        .blocking(|state| {
            let jobs = Jobs::read(state.store().task(TASK)?.as_ref());
            Ok(Json(Retrainings {
                current: jobs.current.map(JobBody::of),
                finished: jobs
                    .finished
                    .into_iter()
                    .rev()
                    .map(FinishedBody::of)
                    .collect(),
            }))
        })
        .await
}

/// What is to be trained anew.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetrainRequest {
    /// The version that the new one is to follow.
    model_id: String,
    /// Who asks.
    #[serde(default)]
    actor: Option<String>,
    /// Why.
    #[serde(default)]
    reason: Option<String>,
}

/// Begins to train a model anew, from its original data and the labels that count. It runs in the
/// background; a version that passes the gate becomes a candidate.
#[utoipa::path(
    post, path = "/api/v1/retraining", tag = "monitoring",
    request_body = RetrainRequest,
    responses(
        (status = 202, body = JobBody),
        (status = 400, body = ErrorBody),
        (status = 404, description = "no such model", body = ErrorBody),
        (status = 409, description = "one runs already, there are too few labels, the original data are not there, or the model has no recipe", body = ErrorBody),
    )
)]
pub(crate) async fn begin(
    State(state): State<AppState>,
    body: Bytes,
) -> Result<(StatusCode, Json<JobBody>), ApiError> {
    let request: RetrainRequest = serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad_request(format!("the body cannot be read: {error}")))?;
    let actor = request.actor.unwrap_or_else(|| "api".to_owned());
    let reason = request.reason.unwrap_or_else(|| "asked for".to_owned());
    check_text("actor", &actor, MAX_AUTHOR).map_err(ApiError::bad_request)?;
    check_text("reason", &reason, 1024).map_err(ApiError::bad_request)?;
    let model = parse(&request.model_id)?;
    let retrainer = retrainer(&state)?;
    state
        .blocking(move |_| {
            let job = retrainer.begin(model, &actor, &reason)?;
            Ok((StatusCode::ACCEPTED, Json(JobBody::of(job))))
        })
        .await
}

/// Ends the retraining that runs; nothing of it stays.
#[utoipa::path(
    delete, path = "/api/v1/retraining/current", tag = "monitoring",
    responses(
        (status = 204, description = "it has ended"),
        (status = 404, description = "none runs", body = ErrorBody),
    )
)]
pub(crate) async fn cancel(State(state): State<AppState>) -> Result<StatusCode, ApiError> {
    let retrainer = retrainer(&state)?;
    state
        .blocking(move |_| {
            if retrainer.cancel("api")? {
                Ok(StatusCode::NO_CONTENT)
            } else {
                Err(ApiError::not_found("no model is being retrained"))
            }
        })
        .await
}

fn retrainer(state: &AppState) -> Result<Arc<Retrainer>, ApiError> {
    state
        .retrainer()
        .ok_or_else(|| ApiError::unavailable("this server does not retrain models"))
}
