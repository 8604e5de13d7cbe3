//! The models in use, as the origin system lists them, and the reports of their training.

use axum::{
    Json,
    extract::{Path, State},
    http::header,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Value, json};
use tripline_detect::Role;
use tripline_lifecycle::recipe::shipped::{ORIGIN_ATTACK, ORIGIN_V1};
use utoipa::ToSchema;

use super::{
    error::{ApiError, ErrorBody},
    identity,
    query::Params,
    state::{AppState, ModelFile},
    time::rfc3339,
};

/// Largest training report that is read, in bytes.
const MAX_REPORT_BYTES: u64 = 16 << 20;
/// Words of the origin system for the two roles it has, and one for the third.
const TYPES: [(Role, &str); 3] = [
    (Role::Detector, "threat_detector"),
    (Role::Classifier, "attack_classifier"),
    (Role::Namer, "attack_namer"),
];

/// The API's word for a role.
pub(crate) fn type_name(role: Role) -> &'static str {
    TYPES
        .iter()
        .find(|(known, _)| *known == role)
        .map_or("unknown", |(_, name)| name)
}

fn role_of(text: &str) -> Result<Role, ApiError> {
    // Both spellings of the origin system.
    let text = match text {
        "threat_detection" => "threat_detector",
        "attack_classification" => "attack_classifier",
        other => other,
    };
    TYPES
        .iter()
        .find(|(_, name)| *name == text)
        .map(|(role, _)| *role)
        .ok_or_else(|| {
            let names: Vec<&str> = TYPES.iter().map(|(_, name)| *name).collect();
            let shown: String = text.chars().take(40).collect();
            ApiError::bad_request(format!(
                "model type is '{shown}', expected {}",
                names.join(", ")
            ))
        })
}

/// A model.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MLModel)]
pub(crate) struct ModelBody {
    /// Made of name and version.
    id: String,
    /// `threat_detector`, `attack_classifier` or `attack_namer`.
    #[schema(value_type = String)]
    model_type: &'static str,
    /// Digest of the bundle's content.
    version: String,
    /// The bundle's file name; where it lies is nobody's business.
    file_path: String,
    /// Always `tripline`.
    #[schema(value_type = String)]
    file_format: &'static str,
    /// The bundle's file name.
    original_filename: String,
    /// Whether it judges rows. Several models of a type do, each the rows it fits best.
    is_active: bool,
    /// Name, schema, priority, threshold, how it was trained.
    #[schema(value_type = Object)]
    model_metadata: Value,
    /// The headline figures of its training.
    #[schema(value_type = Object)]
    validation_results: Value,
    /// Size of the bundle.
    file_size_bytes: u64,
    /// The features it reads.
    expected_features: Vec<String>,
    /// The classes it tells apart.
    class_labels: Vec<String>,
    /// How values become its input.
    preprocessing_notes: String,
    /// When the bundle was written.
    created_at: String,
    /// Null: bundles are put there by the operator.
    uploaded_by: Option<String>,
    /// One sentence for people.
    description: String,
}

impl ModelBody {
    fn of(file: &ModelFile) -> Self {
        let manifest = file.model.manifest();
        let schema = &manifest.schema;
        Self {
            id: id_of(file),
            model_type: type_name(manifest.role),
            version: manifest.version.clone(),
            file_path: file.path_name.clone(),
            file_format: "tripline",
            original_filename: file.path_name.clone(),
            is_active: true,
            model_metadata: json!({
                "name": manifest.name,
                "schema": schema,
                "priority": manifest.priority,
                "threshold": manifest.threshold,
                "training": manifest.training,
            }),
            validation_results: manifest.metrics.clone(),
            file_size_bytes: file.bytes,
            expected_features: manifest.features.clone(),
            class_labels: class_labels(file),
            preprocessing_notes: notes(file),
            created_at: rfc3339(file.created_at),
            uploaded_by: None,
            description: manifest.description.clone(),
        }
    }
}

fn notes(file: &ModelFile) -> String {
    let schema = &file.model.manifest().schema;
    format!(
        "features of schema {} version {} in their own units, without scaling; categories by name \
         or by index in the sorted vocabulary; missing values are allowed",
        schema.name, schema.version
    )
}

fn class_labels(file: &ModelFile) -> Vec<String> {
    let classes = &file.model.manifest().classes;
    classes.iter().map(|class| class.name.clone()).collect()
}

fn id_of(file: &ModelFile) -> String {
    let manifest = file.model.manifest();
    identity::of_model(&manifest.name, &manifest.version).to_string()
}

fn find<'a>(state: &'a AppState, id: &str) -> Result<&'a ModelFile, ApiError> {
    state
        .model_files()
        .iter()
        .find(|file| id_of(file) == id)
        .ok_or_else(|| ApiError::not_found("Model not found"))
}

/// A list of models.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelList {
    /// By descending priority within a type.
    models: Vec<ModelBody>,
    /// How many.
    total_count: usize,
}

/// Lists the models in use.
#[utoipa::path(
    get, path = "/api/v1/models", tag = "models",
    params(
        ("model_type" = Option<String>, Query, description = "only `threat_detector`, `attack_classifier` or `attack_namer`"),
        ("include_inactive" = Option<bool>, Query, description = "every model listed is in use, so this changes nothing"),
    ),
    responses((status = 200, body = ModelList), (status = 400, body = ErrorBody))
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    params: Params,
) -> Result<Json<ModelList>, ApiError> {
    params.only(&["model_type", "include_inactive"])?;
    params.flag("include_inactive", true)?;
    let role = params.text("model_type").map(role_of).transpose()?;
    let mut files: Vec<&ModelFile> = state
        .model_files()
        .iter()
        .filter(|file| role.is_none_or(|role| file.model.role() == role))
        .collect();
    files.sort_by_key(|file| {
        let manifest = file.model.manifest();
        (
            manifest.role,
            manifest.schema.name.clone(),
            std::cmp::Reverse(manifest.priority),
        )
    });
    let models: Vec<ModelBody> = files.into_iter().map(ModelBody::of).collect();
    Ok(Json(ModelList {
        total_count: models.len(),
        models,
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
    Ok(Json(ModelBody::of(find(&state, &id)?)))
}

/// The report of a model's training: confusion matrix, curves, calibration, importances, what it
/// is bad at.
#[utoipa::path(
    get, path = "/api/v1/models/{id}/report", tag = "models",
    params(("id" = String, Path)),
    responses(
        (status = 200, body = Object),
        (status = 404, description = "no such model, or its report does not lie beside it", body = ErrorBody),
    )
)]
pub(crate) async fn report(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let manifest = find(&state, &id)?.model.manifest();
    let (name, version) = (manifest.name.clone(), manifest.version.clone());
    let text = state
        .blocking(move |state| {
            let missing =
                || ApiError::not_found("the report of this model does not lie beside its bundle");
            // The name was checked with the bundle: letters, digits, '-', '_' and '.'.
            let path = state
                .config()
                .reports_dir
                .join(format!("{name}.report.json"));
            let size = std::fs::metadata(&path).map_err(|_| missing())?.len();
            if size > MAX_REPORT_BYTES {
                return Err(ApiError::internal(format!(
                    "{} has {size} bytes",
                    path.display()
                )));
            }
            let text = std::fs::read_to_string(&path).map_err(ApiError::internal)?;
            let report: Value = serde_json::from_str(&text).map_err(ApiError::internal)?;
            // A report of another version speaks of other trees.
            if report["version"].as_str() != Some(&version) {
                return Err(missing());
            }
            Ok(text)
        })
        .await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

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
pub(crate) async fn storage(State(state): State<AppState>) -> Json<StorageStats> {
    let files = state.model_files();
    let total: u64 = files.iter().map(|file| file.bytes).sum();
    let mut by_type = serde_json::Map::new();
    for (role, name) in TYPES {
        let of_type: Vec<&ModelFile> = files
            .iter()
            .filter(|file| file.model.role() == role)
            .collect();
        let bytes: u64 = of_type.iter().map(|file| file.bytes).sum();
        by_type.insert(
            name.to_owned(),
            json!({ "count": of_type.len(), "size_bytes": bytes, "active_count": of_type.len() }),
        );
    }
    Json(StorageStats {
        total_models: files.len(),
        total_size_bytes: total,
        total_size_mb: (total as f64 / 1_048_576.0 * 100.0).round() / 100.0,
        by_type: Value::Object(by_type),
        active_models: files
            .iter()
            .map(|file| ActiveModel {
                model_type: type_name(file.model.role()),
                version: file.model.manifest().version.clone(),
                id: id_of(file),
            })
            .collect(),
    })
}

/// Which bundles are accepted, and what rows the origin system's clients send.
#[utoipa::path(
    get, path = "/api/v1/models/info/supported-formats", tag = "models",
    responses((status = 200, body = Object))
)]
pub(crate) async fn supported_formats() -> Json<Value> {
    Json(json!({
        "supported_formats": [".tripline"],
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
    let name = &model.ok_or_else(ApiError::no_model)?.manifest().name;
    let file = state
        .model_files()
        .iter()
        .find(|file| &file.model.manifest().name == name)
        .ok_or_else(ApiError::no_model)?;
    let manifest = file.model.manifest();
    Ok(Json(ProfileAnswer {
        model_type: type_name(role),
        profile: Profile {
            expected_features: manifest.features.clone(),
            class_labels: class_labels(file),
            preprocessing_notes: notes(file),
        },
    }))
}
