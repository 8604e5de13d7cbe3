//! Versions of models: what they are, where they stand, and how that changes.

mod body;
mod change;
mod compare;
mod info;
mod upload;

use axum::{
    Json,
    extract::{Path, State},
    http::header,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tripline_store::{Model as Version, ModelEvent, ModelFilter, ModelId, ModelStage};
use utoipa::ToSchema;

use self::body::role_of;
pub(crate) use self::{
    body::{ModelBody, type_name},
    change::{
        __path_activate, __path_change_texts, __path_deactivate, __path_delete, __path_reactivate,
        __path_roll_back, __path_stage, activate, change_texts, deactivate, delete, reactivate,
        roll_back, stage,
    },
    compare::{__path_compare, compare},
    info::{
        __path_profile, __path_storage, __path_supported_formats, profile, storage,
        supported_formats,
    },
    upload::{__path_upload, MAX_MODEL_BYTES, upload},
};
use super::{
    error::{ApiError, ErrorBody},
    query::Params,
    state::AppState,
    time::rfc3339,
};
use crate::registry::RegistryError;

impl From<RegistryError> for ApiError {
    fn from(error: RegistryError) -> Self {
        use axum::http::StatusCode;
        match error {
            RegistryError::Store(error) => error.into(),
            RegistryError::Unknown { .. } => Self::not_found("Model not found"),
            RegistryError::Stage { .. }
            | RegistryError::NoBytes { .. }
            | RegistryError::Unsigned { .. }
            | RegistryError::NoPredecessor { .. } => {
                Self::new(StatusCode::CONFLICT, error.to_string())
            }
            RegistryError::Bundle { .. } | RegistryError::Set(_) => {
                Self::new(StatusCode::CONFLICT, crate::registry::chain(&error))
            }
        }
    }
}

/// The version that a path names.
pub(super) fn parse(id: &str) -> Result<ModelId, ApiError> {
    id.parse()
        .map_err(|_| ApiError::not_found("Model not found"))
}

/// A version that was not deleted.
pub(super) fn find(state: &AppState, id: &str) -> Result<Version, ApiError> {
    let version = state.registry().version(parse(id)?)?;
    if version.deleted_at.is_some() {
        return Err(ApiError::not_found("Model not found"));
    }
    Ok(version)
}

/// A list of models.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelList {
    /// By type and schema; active ones first, then the newest.
    models: Vec<ModelBody>,
    /// How many.
    total_count: usize,
}

/// Lists models.
#[utoipa::path(
    get, path = "/api/v1/models", tag = "models",
    params(
        ("model_type" = Option<String>, Query, description = "only `threat_detector`, `attack_classifier` or `attack_namer`"),
        ("include_inactive" = Option<bool>, Query, description = "those that judge nothing too, which is so when absent"),
        ("stage" = Option<String>, Query, description = "only `candidate`, `shadow`, `canary`, `active` or `retired`"),
        ("name" = Option<String>, Query, description = "only versions of the model with this name"),
        ("tag" = Option<String>, Query, description = "only those with this tag"),
    ),
    responses((status = 200, body = ModelList), (status = 400, body = ErrorBody))
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    params: Params,
) -> Result<Json<ModelList>, ApiError> {
    params.only(&["model_type", "include_inactive", "stage", "name", "tag"])?;
    let role = params.text("model_type").map(role_of).transpose()?;
    let mut stages = Vec::new();
    if !params.flag("include_inactive", true)? {
        stages.push(ModelStage::Active);
    }
    if let Some(name) = params.text("stage") {
        stages = vec![body::stage_of(name)?];
    }
    let filter = ModelFilter {
        role: role.map(|role| role.as_str().to_owned()),
        name: params.text("name").map(ToOwned::to_owned),
        stages,
        ..ModelFilter::default()
    };
    let tag = params.text("tag").map(ToOwned::to_owned);
    let mut versions = state.ask(move |store| store.models(&filter)).await?;
    if let Some(tag) = tag {
        versions.retain(|version| version.model.texts.tags.contains(&tag));
    }
    versions.sort_by_cached_key(|version| {
        (
            body::type_order(&version.model.role),
            version.model.schema.clone(),
            version.stage != ModelStage::Active,
            std::cmp::Reverse(version.created_at),
            version.model.name.clone(),
        )
    });
    Ok(Json(ModelList {
        total_count: versions.len(),
        models: versions.iter().map(ModelBody::of).collect(),
    }))
}

/// One model.
#[utoipa::path(
    get, path = "/api/v1/models/{id}", tag = "models",
    params(("id" = String, Path)),
    responses((status = 200, body = ModelBody), (status = 404, body = ErrorBody))
)]
pub(crate) async fn one(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<ModelBody>, ApiError> {
    state
        .blocking(move |state| Ok(Json(ModelBody::of(&find(state, &id)?))))
        .await
}

/// The report of a model's training: confusion matrix, curves, calibration, importances, what it
/// is bad at.
#[utoipa::path(
    get, path = "/api/v1/models/{id}/report", tag = "models",
    params(("id" = String, Path)),
    responses(
        (status = 200, body = Object),
        (status = 404, description = "no such model, or it has no report", body = ErrorBody),
    )
)]
pub(crate) async fn report(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let text = state
        .blocking(move |state| {
            let version = find(state, &id)?;
            let report = state.store().model_report(version.model.id)?;
            report.ok_or_else(|| ApiError::not_found("this model came without a report"))
        })
        .await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

/// The bundle of a model, byte by byte as it is stored.
#[utoipa::path(
    get, path = "/api/v1/models/{id}/bundle", tag = "models",
    params(("id" = String, Path)),
    responses(
        (status = 200, content_type = "application/octet-stream", body = Vec<u8>),
        (status = 404, body = ErrorBody),
        (status = 409, description = "its bytes were deleted, or altered in the database", body = ErrorBody),
    )
)]
pub(crate) async fn bundle(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let (name, bytes) = state
        .blocking(move |state| {
            let version = find(state, &id)?;
            let bytes = state
                .store()
                .model_bytes(version.model.id)?
                .ok_or_else(|| {
                    ApiError::from(RegistryError::NoBytes {
                        model: crate::registry::title(&version),
                    })
                })?;
            // Both were checked with the bundle: letters, digits, '-', '_' and '.'.
            let name = format!(
                "{}-{}.{}",
                version.model.name,
                version.model.version,
                crate::model_files::EXTENSION
            );
            Ok((name, bytes))
        })
        .await?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
    ];
    Ok((headers, bytes).into_response())
}

/// Something that happened to a model.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ModelEvent)]
pub(crate) struct EventBody {
    /// Ascending over all models; `before` of the next page.
    number: u64,
    /// The model.
    model_id: String,
    /// When.
    at: String,
    /// Who: a person, or the task that decided.
    actor: String,
    /// `added`, `stage`, `described` or `deleted`.
    kind: String,
    /// The stage before, where it changed.
    from: Option<&'static str>,
    /// The stage after, where it changed.
    to: Option<&'static str>,
    /// Why, for people.
    reason: String,
    /// The figures behind it.
    #[schema(value_type = Option<Object>)]
    details: Option<serde_json::Value>,
}

impl EventBody {
    fn of(event: ModelEvent) -> Self {
        Self {
            number: event.number,
            model_id: event.model.to_string(),
            at: rfc3339(event.at),
            actor: event.actor,
            kind: event.kind,
            from: event.from.map(ModelStage::name),
            to: event.to.map(ModelStage::name),
            reason: event.reason,
            details: serde_json::from_str(&event.details).ok(),
        }
    }
}

/// What happened, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelHistory {
    /// The events.
    events: Vec<EventBody>,
}

/// The whole history of a model, deleted or not.
#[utoipa::path(
    get, path = "/api/v1/models/{id}/history", tag = "models",
    params(
        ("id" = String, Path),
        ("limit" = Option<u64>, Query, description = "1 to 1000, 100 when absent"),
        ("before" = Option<u64>, Query, description = "the number of the last event of the part before"),
    ),
    responses((status = 200, body = ModelHistory), (status = 404, body = ErrorBody))
)]
pub(crate) async fn history(
    State(state): State<AppState>,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<ModelHistory>, ApiError> {
    let id = parse(&id)?;
    events(state, Some(id), params).await
}

/// What happened to all models, newest first.
#[utoipa::path(
    get, path = "/api/v1/models/history", tag = "models",
    params(
        ("limit" = Option<u64>, Query, description = "1 to 1000, 100 when absent"),
        ("before" = Option<u64>, Query, description = "the number of the last event of the part before"),
    ),
    responses((status = 200, body = ModelHistory))
)]
pub(crate) async fn all_history(
    State(state): State<AppState>,
    params: Params,
) -> Result<Json<ModelHistory>, ApiError> {
    events(state, None, params).await
}

async fn events(
    state: AppState,
    id: Option<ModelId>,
    params: Params,
) -> Result<Json<ModelHistory>, ApiError> {
    params.only(&["limit", "before"])?;
    let limit = params.limit()?;
    let before = match params.text("before") {
        None => None,
        Some(_) => Some(params.number("before", 0, 0..=u64::MAX)?),
    };
    state
        .blocking(move |state| {
            if let Some(id) = id {
                state.registry().version(id)?;
            }
            let events = state.store().model_events(id, before, limit)?;
            Ok(Json(ModelHistory {
                events: events.into_iter().map(EventBody::of).collect(),
            }))
        })
        .await
}
