//! Requests that change a model. What they ask for is done when they are answered.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use tripline_store::{Model as Version, ModelStage, ModelTexts, Step, Write};
use utoipa::ToSchema;

use super::{
    super::{
        error::{ApiError, ErrorBody},
        query::Params,
        state::AppState,
    },
    body::{ModelBody, stage_of},
    find, parse,
};
use crate::registry::{Change, Models, RegistryError, title};

/// Who changes something when the request does not say.
const SOMEBODY: &str = "api";
/// Longest name of a person.
const MAX_ACTOR: usize = 128;
/// Longest reason.
const MAX_REASON: usize = 1024;

/// Who asks, and why. Everything may be left out.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeRequest {
    /// Who asks; it stands in the history.
    #[serde(default)]
    actor: Option<String>,
    /// Why; it stands in the history.
    #[serde(default)]
    reason: Option<String>,
}

impl ChangeRequest {
    /// The origin system's clients send no body, or an empty object.
    fn parse(body: &Bytes) -> Result<Self, ApiError> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        let request: Self = serde_json::from_slice(body)
            .map_err(|error| ApiError::bad_request(format!("the body cannot be read: {error}")))?;
        check("actor", request.actor.as_deref(), MAX_ACTOR)?;
        check("reason", request.reason.as_deref(), MAX_REASON)?;
        Ok(request)
    }

    fn change(&self) -> Change<'_> {
        Change {
            actor: self.actor.as_deref().unwrap_or(SOMEBODY),
            reason: self.reason.as_deref().unwrap_or("asked for"),
            details: "",
        }
    }
}

fn check(what: &str, text: Option<&str>, limit: usize) -> Result<(), ApiError> {
    match text {
        Some(text) if text.trim().is_empty() => {
            Err(ApiError::bad_request(format!("'{what}' is empty")))
        }
        Some(text) if text.len() > limit => Err(ApiError::bad_request(format!(
            "'{what}' has {} bytes, expected at most {limit}",
            text.len()
        ))),
        _ => Ok(()),
    }
}

async fn change(
    state: AppState,
    id: String,
    body: Bytes,
    change: impl FnOnce(&Models, Version, Change<'_>) -> Result<Version, RegistryError> + Send + 'static,
) -> Result<Json<ModelBody>, ApiError> {
    let request = ChangeRequest::parse(&body)?;
    state
        .blocking(move |state| {
            let version = find(state, &id)?;
            let changed = change(state.registry(), version, request.change())?;
            Ok(Json(ModelBody::of(&changed)))
        })
        .await
}

/// Makes a model the active one of its slot.
///
/// Whatever judged the same rows is retired in the same step, and the next request is judged by the
/// new one. The answer comes when that is so.
#[utoipa::path(
    post, path = "/api/v1/models/{id}/activate", tag = "models",
    params(("id" = String, Path)),
    request_body(content = Option<ChangeRequest>, content_type = "application/json"),
    responses(
        (status = 200, body = ModelBody),
        (status = 400, description = "no such model, or its bundle is not there", body = ErrorBody),
        (status = 409, description = "its bundle was altered or cannot be used", body = ErrorBody),
    )
)]
pub(crate) async fn activate(
    State(state): State<AppState>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<ModelBody>, ApiError> {
    let changed = change(state, id, body, |models, version, change| {
        if !version.has_bytes {
            return Err(RegistryError::NoBytes {
                model: title(&version),
            });
        }
        models.activate(version.model.id, change)
    })
    .await;
    // As the origin system promises it for a missing row or file.
    changed.map_err(|error| error.with_status(StatusCode::NOT_FOUND, StatusCode::BAD_REQUEST))
}

/// The same by PUT, as one document of the origin system has it.
#[utoipa::path(
    put, path = "/api/v1/models/{id}/activate", tag = "models",
    params(("id" = String, Path)),
    request_body(content = Option<ChangeRequest>, content_type = "application/json"),
    responses(
        (status = 200, body = ModelBody),
        (status = 400, description = "no such model, or its bundle is not there", body = ErrorBody),
        (status = 409, description = "its bundle was altered or cannot be used", body = ErrorBody),
    )
)]
pub(crate) async fn reactivate(
    state: State<AppState>,
    id: Path<String>,
    body: Bytes,
) -> Result<Json<ModelBody>, ApiError> {
    activate(state, id, body).await
}

/// Takes a model back to where it judges nothing.
#[utoipa::path(
    post, path = "/api/v1/models/{id}/deactivate", tag = "models",
    params(("id" = String, Path)),
    request_body(content = Option<ChangeRequest>, content_type = "application/json"),
    responses((status = 200, body = ModelBody), (status = 404, body = ErrorBody))
)]
pub(crate) async fn deactivate(
    State(state): State<AppState>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<ModelBody>, ApiError> {
    change(state, id, body, |models, version, change| {
        match version.stage {
            // It judges nothing already.
            ModelStage::Candidate | ModelStage::Retired => Ok(version),
            _ => models.retire(version.model.id, change),
        }
    })
    .await
}

/// Makes the version active again that was active before this one.
#[utoipa::path(
    post, path = "/api/v1/models/{id}/rollback", tag = "models",
    params(("id" = String, Path, description = "the active version that is to go")),
    request_body(content = Option<ChangeRequest>, content_type = "application/json"),
    responses(
        (status = 200, description = "the version that is active now", body = ModelBody),
        (status = 404, body = ErrorBody),
        (status = 409, description = "it is not active, or nothing was active before it", body = ErrorBody),
    )
)]
pub(crate) async fn roll_back(
    State(state): State<AppState>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<ModelBody>, ApiError> {
    change(state, id, body, |models, version, change| {
        models.roll_back(version.model.id, change)
    })
    .await
}

/// The stage that a model is to have.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StageRequest {
    /// `candidate`, `shadow`, `canary`, `active` or `retired`.
    stage: String,
    /// For a canary: the share of flows that it judges, 0 to 1; 0.01 when absent.
    #[serde(default)]
    share: Option<f64>,
    /// Who asks; it stands in the history.
    #[serde(default)]
    actor: Option<String>,
    /// Why; it stands in the history.
    #[serde(default)]
    reason: Option<String>,
}

/// Share of flows that a canary judges unless another is asked for.
const DEFAULT_SHARE: f64 = 0.01;

/// Moves a model to another stage.
#[utoipa::path(
    post, path = "/api/v1/models/{id}/stage", tag = "models",
    params(("id" = String, Path)),
    request_body = StageRequest,
    responses(
        (status = 200, body = ModelBody),
        (status = 400, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 409, description = "not from its stage to this one, or its bundle cannot be used", body = ErrorBody),
    )
)]
pub(crate) async fn stage(
    State(state): State<AppState>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<ModelBody>, ApiError> {
    let request: StageRequest = serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad_request(format!("the body cannot be read: {error}")))?;
    check("actor", request.actor.as_deref(), MAX_ACTOR)?;
    check("reason", request.reason.as_deref(), MAX_REASON)?;
    let to = stage_of(&request.stage)?;
    let share = match (request.share, to) {
        (Some(share), ModelStage::Canary) if (0.0..=1.0).contains(&share) => Some(share),
        (None, ModelStage::Canary) => Some(DEFAULT_SHARE),
        (None, _) => None,
        (Some(_), ModelStage::Canary) => {
            return Err(ApiError::bad_request("'share' is not between 0 and 1"));
        }
        (Some(_), _) => {
            return Err(ApiError::bad_request(
                "'share' belongs to stage canary alone",
            ));
        }
    };
    state
        .blocking(move |state| {
            let version = find(state, &id)?;
            let actor = request.actor.as_deref().unwrap_or(SOMEBODY);
            let change = Change {
                actor,
                reason: request.reason.as_deref().unwrap_or("asked for"),
                details: "",
            };
            if let Some(share) = share {
                state.registry().set_share(version.model.id, share, actor)?;
            }
            let changed = state.registry().set_stage(version.model.id, to, change)?;
            Ok(Json(ModelBody::of(&changed)))
        })
        .await
}

/// What people may change about a model; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TextsRequest {
    /// One sentence for people.
    #[serde(default)]
    description: Option<String>,
    /// Whatever is to be remembered.
    #[serde(default)]
    notes: Option<String>,
    /// Words to find it by.
    #[serde(default)]
    tags: Option<Vec<String>>,
    /// Who asks; it stands in the history.
    #[serde(default)]
    actor: Option<String>,
}

/// Changes description, notes or tags of a model.
#[utoipa::path(
    patch, path = "/api/v1/models/{id}", tag = "models",
    params(("id" = String, Path)),
    request_body = TextsRequest,
    responses(
        (status = 200, body = ModelBody),
        (status = 400, body = ErrorBody),
        (status = 404, body = ErrorBody),
    )
)]
pub(crate) async fn change_texts(
    State(state): State<AppState>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<ModelBody>, ApiError> {
    let request: TextsRequest = serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad_request(format!("the body cannot be read: {error}")))?;
    check("actor", request.actor.as_deref(), MAX_ACTOR)?;
    state
        .blocking(move |state| {
            let version = find(state, &id)?;
            let old = version.model.texts.clone();
            let texts = ModelTexts {
                description: request.description.unwrap_or(old.description),
                notes: request.notes.unwrap_or(old.notes),
                tags: request.tags.unwrap_or(old.tags),
            };
            state.store().commit(&Step {
                at: state.now(),
                actor: request.actor.as_deref().unwrap_or(SOMEBODY),
                writes: vec![Write::Describe {
                    model: version.model.id,
                    texts: &texts,
                }],
            })?;
            let changed = state.registry().version(version.model.id)?;
            Ok(Json(ModelBody::of(&changed)))
        })
        .await
}

/// The answer to a deletion.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Message {
    /// What was done.
    message: String,
}

/// Deletes a model that judges nothing; its history stays.
#[utoipa::path(
    delete, path = "/api/v1/models/{id}", tag = "models",
    params(
        ("id" = String, Path),
        ("delete_file" = Option<bool>, Query, description = "its bytes too, which is so when absent"),
    ),
    responses(
        (status = 200, body = Message),
        (status = 400, description = "it is active, or in shadow, or a canary", body = ErrorBody),
        (status = 404, body = ErrorBody),
    )
)]
pub(crate) async fn delete(
    State(state): State<AppState>,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Message>, ApiError> {
    params.only(&["delete_file"])?;
    let delete_file = params.flag("delete_file", true)?;
    parse(&id)?;
    state
        .blocking(move |state| {
            let version = find(state, &id)?;
            if !matches!(version.stage, ModelStage::Candidate | ModelStage::Retired) {
                return Err(ApiError::bad_request(format!(
                    "Cannot delete a model that is {}; deactivate it first",
                    version.stage.name()
                )));
            }
            let change = Change {
                actor: SOMEBODY,
                reason: "asked for",
                details: "",
            };
            state
                .registry()
                .delete(version.model.id, !delete_file, change)?;
            Ok(Json(Message {
                message: format!("Model {} deleted", title(&version)),
            }))
        })
        .await
}
