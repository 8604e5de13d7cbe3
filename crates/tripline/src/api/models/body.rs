use serde::Serialize;
use serde_json::{Value, json};
use tripline_detect::{Manifest, Role};
use tripline_store::{Model as Version, ModelStage};
use utoipa::ToSchema;

use super::super::{error::ApiError, time::rfc3339};

/// Words of the origin system for the two roles it has, and one for the third.
pub(super) const TYPES: [(Role, &str); 3] = [
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

/// The API's word for a role as the store has it.
pub(super) fn type_of(role: &str) -> &'static str {
    TYPES
        .iter()
        .find(|(known, _)| known.as_str() == role)
        .map_or("unknown", |(_, name)| name)
}

/// Where a role stands in lists.
pub(super) fn type_order(role: &str) -> usize {
    TYPES
        .iter()
        .position(|(known, _)| known.as_str() == role)
        .unwrap_or(TYPES.len())
}

/// The role that a request means.
pub(super) fn role_of(text: &str) -> Result<Role, ApiError> {
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

/// The stage that a request means.
pub(super) fn stage_of(text: &str) -> Result<ModelStage, ApiError> {
    ModelStage::from_name(text).ok_or_else(|| {
        let names: Vec<&str> = ModelStage::ALL.iter().map(|stage| stage.name()).collect();
        let shown: String = text.chars().take(40).collect();
        ApiError::bad_request(format!("stage is '{shown}', expected {}", names.join(", ")))
    })
}

/// A version of a model.
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
    /// The name under which the bundle is kept: its SHA-256.
    file_path: String,
    /// The form it came in: `tripline`, `onnx`, `xgboost` or `lightgbm`.
    file_format: String,
    /// The name of the file it came in.
    original_filename: String,
    /// Whether it judges rows. Several models of a type do, each the rows it fits best.
    is_active: bool,
    /// Name, schema, priority, threshold, how it was trained.
    #[schema(value_type = Object)]
    model_metadata: Value,
    /// The headline figures of its training, and what was checked when it came.
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
    /// When it came.
    created_at: String,
    /// Who brought it; null for what came with the program.
    uploaded_by: Option<String>,
    /// One sentence for people.
    description: String,
    /// The model's name: what it is, without when.
    name: String,
    /// `candidate`, `shadow`, `canary`, `active` or `retired`.
    #[schema(value_type = String)]
    stage: &'static str,
    /// Since when it is in this stage.
    stage_changed_at: String,
    /// `shipped`, `uploaded` or `retrained`.
    #[schema(value_type = String)]
    origin: &'static str,
    /// What it takes the place of: of the versions with one slot, at most one is active.
    slot: String,
    /// The version it is meant to follow.
    parent_id: Option<String>,
    /// Whatever somebody wanted to remember.
    notes: String,
    /// Words to find it by.
    tags: Vec<String>,
    /// Who signed it; null when nobody did.
    signature: Option<SignatureBody>,
    /// Whether its bytes are still there.
    has_bytes: bool,
}

/// Who signed a bundle.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignatureBody {
    /// Identifier of the key, as minisign writes it.
    key_id: String,
    /// Whether the key was on the list of trusted ones when the model came.
    trusted: bool,
    /// The trusted comment inside the signature.
    comment: String,
}

impl ModelBody {
    /// Puts a stored version into the form of the origin system.
    pub(crate) fn of(version: &Version) -> Self {
        let model = &version.model;
        // It was checked before it was stored; another program's row shows what there is.
        let manifest: Option<Manifest> = serde_json::from_str(&model.manifest).ok();
        let checks: Value = serde_json::from_str(&model.checks).unwrap_or_default();
        let mut validation = manifest
            .as_ref()
            .map(|manifest| manifest.metrics.clone())
            .unwrap_or_default();
        if let (Value::Object(figures), false) = (&mut validation, is_empty(&checks)) {
            figures.insert("checks".to_owned(), checks);
        }
        Self {
            id: model.id.to_string(),
            model_type: type_of(&model.role),
            version: model.version.clone(),
            file_path: format!("sha256/{}", version.digest),
            file_format: model.file_format.clone(),
            original_filename: model.original_filename.clone(),
            is_active: version.stage == ModelStage::Active,
            model_metadata: json!({
                "name": model.name,
                "schema": manifest.as_ref().map(|manifest| &manifest.schema),
                "priority": manifest.as_ref().map(|manifest| manifest.priority),
                "made_for": manifest.as_ref().map(|manifest| manifest.made_for),
                "threshold": manifest.as_ref().and_then(|manifest| manifest.threshold.as_ref()),
                "training": manifest.as_ref().map(|manifest| &manifest.training),
            }),
            validation_results: validation,
            file_size_bytes: version.bytes,
            preprocessing_notes: manifest.as_ref().map(notes).unwrap_or_default(),
            class_labels: manifest.as_ref().map(class_labels).unwrap_or_default(),
            expected_features: manifest
                .map(|manifest| manifest.features)
                .unwrap_or_default(),
            created_at: rfc3339(version.created_at),
            uploaded_by: model.uploaded_by.clone(),
            description: model.texts.description.clone(),
            name: model.name.clone(),
            stage: version.stage.name(),
            stage_changed_at: rfc3339(version.stage_changed_at),
            origin: model.origin.name(),
            slot: model.slot.clone(),
            parent_id: model.parent.map(|parent| parent.to_string()),
            notes: model.texts.notes.clone(),
            tags: model.texts.tags.clone(),
            signature: model.signature.as_ref().map(|signature| SignatureBody {
                key_id: signature.key_id.clone(),
                trusted: signature.trusted,
                comment: signature.comment.clone(),
            }),
            has_bytes: version.has_bytes,
        }
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_none_or(serde_json::Map::is_empty)
}

/// How values become a model's input.
pub(super) fn notes(manifest: &Manifest) -> String {
    format!(
        "features of schema {} version {} in their own units, without scaling; categories by name \
         or by index in the sorted vocabulary; missing values are allowed",
        manifest.schema.name, manifest.schema.version
    )
}

/// The classes a model tells apart.
pub(super) fn class_labels(manifest: &Manifest) -> Vec<String> {
    let classes = &manifest.classes;
    classes.iter().map(|class| class.name.clone()).collect()
}
