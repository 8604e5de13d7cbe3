//! What there is, what is accepted, and what rows the models expect.

use axum::{
    Json,
    extract::{Path, State},
};
use serde::Serialize;
use serde_json::{Value, json};
use tripline_detect::{Role, import::Format};
use tripline_lifecycle::recipe::shipped::{ORIGIN_ATTACK, ORIGIN_V1};
use tripline_store::{Model as Version, ModelFilter, ModelStage};
use utoipa::ToSchema;

use super::{
    super::{
        error::{ApiError, ErrorBody},
        state::AppState,
    },
    body::{TYPES, class_labels, notes, role_of, type_name, type_of},
};

/// How much room the models take.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StorageStats {
    total_models: usize,
    total_size_bytes: u64,
    total_size_mb: f64,
    /// By type: `count`, `size_bytes`, `active_count`.
    #[schema(value_type = Object)]
    by_type: Value,
    active_models: Vec<ActiveModel>,
}

/// A model in use.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ActiveModel {
    #[schema(value_type = String)]
    model_type: &'static str,
    version: String,
    id: String,
}

/// How much room the models take.
#[utoipa::path(
    get, path = "/api/v1/models/stats/storage", tag = "models",
    responses((status = 200, body = StorageStats))
)]
pub(crate) async fn storage(State(state): State<AppState>) -> Result<Json<StorageStats>, ApiError> {
    let versions = state
        .ask(|store| store.models(&ModelFilter::default()))
        .await?;
    let kept = || versions.iter().filter(|version| version.has_bytes);
    let is_active = |version: &&Version| version.stage == ModelStage::Active;
    let total: u64 = kept().map(|version| version.bytes).sum();
    let mut by_type = serde_json::Map::new();
    for (role, name) in TYPES {
        let of_type = || kept().filter(|version| version.model.role == role.as_str());
        by_type.insert(
            name.to_owned(),
            json!({
                "count": of_type().count(),
                "size_bytes": of_type().map(|version| version.bytes).sum::<u64>(),
                "active_count": of_type().filter(is_active).count(),
            }),
        );
    }
    Ok(Json(StorageStats {
        total_models: versions.len(),
        total_size_bytes: total,
        total_size_mb: (total as f64 / 1_048_576.0 * 100.0).round() / 100.0,
        by_type: Value::Object(by_type),
        active_models: versions
            .iter()
            .filter(is_active)
            .map(|version| ActiveModel {
                model_type: type_of(&version.model.role),
                version: version.model.version.clone(),
                id: version.model.id.to_string(),
            })
            .collect(),
    }))
}

/// Which files are accepted, and what rows the origin system's clients send.
#[utoipa::path(
    get, path = "/api/v1/models/info/supported-formats", tag = "models",
    responses((status = 200, body = Object))
)]
pub(crate) async fn supported_formats() -> Json<Value> {
    Json(json!({
        "supported_formats": Format::ALL.map(Format::ending),
        "not_accepted": {
            "formats": [".pkl", ".joblib", ".h5"],
            "why": "they run code when they are read, or are no tree ensembles; a file is known by its content, and the answer to an upload says how to convert it",
        },
        "supported_model_types": ["threat_detector", "attack_classifier"],
        "model_requirements": {
            "threat_detector": { "input_features": ORIGIN_V1.len(), "feature_names": ORIGIN_V1 },
            "attack_classifier": {
                // The port is accepted and not used.
                "input_features": ORIGIN_ATTACK.len() + 1,
                "note": "the 42 columns of CICFlowMeter that the origin system used, in any known spelling; the destination port is accepted and not used",
            },
        },
    }))
}

/// What the preferred model of a type expects.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProfileAnswer {
    #[schema(value_type = String)]
    model_type: &'static str,
    profile: Profile,
}

/// What a model expects.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Profile {
    expected_features: Vec<String>,
    class_labels: Vec<String>,
    preprocessing_notes: String,
}

/// What the model that the origin system's clients use expects: for `threat_detector` the one for
/// its ten features, for `attack_classifier` the one for its flow columns.
#[utoipa::path(
    get, path = "/api/v1/models/profile/{model_type}", tag = "models",
    params(("model_type" = String, Path)),
    responses(
        (status = 200, body = ProfileAnswer),
        (status = 400, body = ErrorBody),
        (status = 503, description = "no model of the type", body = ErrorBody),
    )
)]
pub(crate) async fn profile(
    State(state): State<AppState>,
    Path(model_type): Path<String>,
) -> Result<Json<ProfileAnswer>, ApiError> {
    let role = role_of(&model_type)?;
    let (schema, columns): (_, &[&str]) = match role {
        Role::Detector => (tripline_features::nsl_kdd(), &ORIGIN_V1),
        Role::Classifier | Role::Namer => (tripline_features::cicflow(), &ORIGIN_ATTACK),
    };
    let mut present = vec![false; schema.len()];
    for index in columns.iter().filter_map(|name| schema.index_of(name)) {
        present[index] = true;
    }
    let models = state.models();
    let pipeline = models
        .pipeline_for(schema, &present)
        .map_err(|_| ApiError::no_model())?;
    let model = match role {
        Role::Detector => pipeline.detector(),
        Role::Classifier => pipeline.classifier(),
        Role::Namer => pipeline.namer(),
    };
    let manifest = model.ok_or_else(ApiError::no_model)?.manifest();
    Ok(Json(ProfileAnswer {
        model_type: type_name(role),
        profile: Profile {
            expected_features: manifest.features.clone(),
            class_labels: class_labels(manifest),
            preprocessing_notes: notes(manifest),
        },
    }))
}
