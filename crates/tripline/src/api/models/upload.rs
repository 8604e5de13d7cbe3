//! A model from outside.

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
};
use serde::Deserialize;

use super::{
    super::{
        error::{ApiError, ErrorBody},
        state::AppState,
        upload::{
            body::form_error,
            form::{clean_name, read_form},
        },
    },
    body::{ModelBody, role_of},
    parse,
};
use crate::registry::{AdmissionError, Offer};

/// Largest file of a model, as the origin system has it.
pub(crate) const MAX_MODEL_BYTES: usize = 500 << 20;
/// Longest field of the form that is no file.
const MAX_FIELD_BYTES: usize = 64 << 10;

impl From<AdmissionError> for ApiError {
    fn from(error: AdmissionError) -> Self {
        match error {
            AdmissionError::Refused { .. } => Self::bad_request(error.to_string()),
            AdmissionError::Known { .. } => Self::new(StatusCode::CONFLICT, error.to_string()),
            AdmissionError::Registry(error) => error.into(),
        }
    }
}

/// What the origin system's clients say about a model.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileConfig {
    expected_features: Vec<String>,
    class_labels: Vec<String>,
    #[serde(default)]
    preprocessing_notes: Option<String>,
}

impl ProfileConfig {
    fn parse(text: &str) -> Result<Self, ApiError> {
        let bad =
            |reason: String| ApiError::bad_request(format!("Invalid profile_config: {reason}"));
        let config: Self = serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
        for (what, names) in [
            ("expected_features", &config.expected_features),
            ("class_labels", &config.class_labels),
        ] {
            if names.is_empty() {
                return Err(bad(format!("'{what}' is empty")));
            }
            for (at, name) in names.iter().enumerate() {
                if name.trim().is_empty() {
                    return Err(bad(format!("'{what}' holds an empty name")));
                }
                if names[..at].contains(name) {
                    let shown: String = name.chars().take(60).collect();
                    return Err(bad(format!("'{shown}' stands twice in '{what}'")));
                }
            }
        }
        Ok(config)
    }
}

/// Takes a model in as a candidate, which judges nothing until it is activated.
///
/// A form with `file`, `model_type` and, if wanted, `description`, `profile_config` (JSON with
/// `expected_features`, `class_labels`, `preprocessing_notes`), `signature` (the content of the
/// `.minisig` file), `uploaded_by` and `parent_id`; for files of other programs also `name` and
/// `threshold`, and the names of features and classes in `profile_config` are in the order of the
/// file's columns and outputs. What the file is, its content says. It is checked before anything of it is used, and nothing in
/// it is executed.
#[utoipa::path(
    post, path = "/api/v1/models/upload", tag = "models",
    request_body(content = Vec<u8>, content_type = "multipart/form-data"),
    responses(
        (status = 200, body = ModelBody),
        (status = 400, description = "the form, the file or what is said about it cannot be accepted; nothing was stored", body = ErrorBody),
        (status = 409, description = "the same version is in the registry already", body = ErrorBody),
        (status = 413, description = "larger than 500 MiB", body = ErrorBody),
    )
)]
pub(crate) async fn upload(
    State(state): State<AppState>,
    request: Request,
) -> Result<Json<ModelBody>, ApiError> {
    let mut form = read_form(request).await?;
    let mut offer = Offer::default();
    let mut has_file = false;
    while let Some(mut field) = form
        .next_field()
        .await
        .map_err(|error| form_error(&error))?
    {
        let name = field.name().unwrap_or_default().to_owned();
        let limit = if name == "file" {
            offer.file_name = clean_name(field.file_name().unwrap_or_default());
            has_file = true;
            MAX_MODEL_BYTES
        } else {
            MAX_FIELD_BYTES
        };
        let mut content = Vec::new();
        while let Some(piece) = field.chunk().await.map_err(|error| form_error(&error))? {
            if content.len() + piece.len() > limit {
                return Err(ApiError::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    format!("the field '{name}' has more than {limit} bytes"),
                ));
            }
            content.extend_from_slice(&piece);
        }
        take_field(&mut offer, &name, content)?;
    }
    if !has_file {
        return Err(ApiError::bad_request(
            "the form has no file: expected a field named 'file'",
        ));
    }
    if offer.role.is_none() {
        return Err(ApiError::bad_request(
            "the form has no 'model_type': expected threat_detector or attack_classifier",
        ));
    }
    state
        .blocking(move |state| {
            let version = state
                .registry()
                .admit(&offer, &state.settings().admission)?;
            Ok(Json(ModelBody::of(&version)))
        })
        .await
}

fn take_field(offer: &mut Offer, name: &str, content: Vec<u8>) -> Result<(), ApiError> {
    if name == "file" {
        offer.bytes = content;
        return Ok(());
    }
    let text = String::from_utf8(content)
        .map_err(|_| ApiError::bad_request(format!("the field '{name}' is no text")))?;
    let given = Some(text.trim()).filter(|text| !text.is_empty());
    match (name, given) {
        ("model_type", Some(text)) => offer.role = Some(role_of(text)?),
        ("profile_config", Some(text)) => {
            let profile = ProfileConfig::parse(text)?;
            offer.features = profile.expected_features;
            offer.classes = profile.class_labels;
            offer.notes = profile.preprocessing_notes;
        }
        ("description", given) => offer.description = given.map(ToOwned::to_owned),
        ("signature", given) => offer.signature = given.map(ToOwned::to_owned),
        ("name", given) => offer.name = given.map(ToOwned::to_owned),
        ("threshold", Some(text)) => {
            let threshold: Option<f64> = text.parse().ok();
            offer.threshold = threshold.filter(|value| (0.0..=1.0).contains(value));
            if offer.threshold.is_none() {
                return Err(ApiError::bad_request(
                    "'threshold' is expected to be a number from 0 to 1",
                ));
            }
        }
        ("uploaded_by", given) => offer.uploaded_by = given.map(ToOwned::to_owned),
        ("parent_id", Some(text)) => offer.parent = Some(parse(text)?),
        ("model_type" | "profile_config" | "parent_id" | "threshold", None) => {}
        (other, _) => {
            let shown: String = other.chars().take(40).collect();
            return Err(ApiError::bad_request(format!(
                "unknown field '{shown}', expected file, model_type, description, \
                 profile_config, signature, name, threshold, uploaded_by or parent_id"
            )));
        }
    }
    Ok(())
}
