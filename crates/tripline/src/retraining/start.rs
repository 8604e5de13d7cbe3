//! Puts everything that a job needs into its folder.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tripline_features::{FeatureVector, schema_by_name};
use tripline_lifecycle::retrain::{GatePolicy, LabelPolicy, LabelledFlow};
use tripline_store::{
    Backend, LabelFilter, LabelId, LabelState, Model as Version, ModelId, StoreError, Timestamp,
};

use super::{Job, RetrainConfig, RetrainRules};
use crate::{
    model_files::write_whole,
    registry::{Models, RegistryError, title},
    training_data,
};

/// Labels read at a time.
const PAGE: usize = 1000;
/// Labels that a job is given, the newest.
const MAX_LABELS: usize = 200_000;

/// What a job is given, in `job.json` of its folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    pub(super) recipe: String,
    pub(super) training_data: PathBuf,
    pub(super) holdouts: Vec<PathBuf>,
    pub(super) labels: LabelPolicy,
    pub(super) gate: GatePolicy,
    pub(super) recent_share: f64,
    pub(super) memory_bytes: u64,
}

/// Why a retraining cannot begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// Another one runs.
    #[error("{model} is being retrained already; one at a time")]
    Busy {
        /// Name and version.
        model: String,
    },
    /// The model was not made by a recipe of this program.
    #[error("{model} was not made by a recipe of this program, so it cannot be made anew")]
    NoRecipe {
        /// Name and version.
        model: String,
    },
    /// The original data are not there.
    #[error(
        "the original training data are not there: start the server with --training-data, naming \
         the folder that holds them"
    )]
    NoData,
    /// There is too little to learn from.
    #[error("{found} labels fit {model}, and {needed} are needed")]
    TooFewLabels {
        /// Name and version.
        model: String,
        /// How many there are.
        found: u64,
        /// How many there have to be.
        needed: u64,
    },
    /// The folder cannot be written.
    #[error("the folder of the job cannot be written")]
    Folder(#[from] std::io::Error),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Registry(error.into())
    }
}

/// Prepares the folder of a job. Nothing is on record yet: a folder without a row is removed at the
/// next start.
pub(super) fn prepare(
    store: &dyn Backend,
    models: &Models,
    config: &RetrainConfig,
    rules: &RetrainRules,
    champion: ModelId,
    (requested_by, reason): (&str, &str),
    now: Timestamp,
) -> Result<Job, Refusal> {
    let version = models.version(champion)?;
    let model = title(&version);
    if training_data::of_model(&version.model.name).is_none() {
        return Err(Refusal::NoRecipe { model });
    }
    let data = config.training_data.clone().ok_or(Refusal::NoData)?;
    let champion_bytes = store
        .model_bytes(champion)?
        .ok_or_else(|| RegistryError::NoBytes {
            model: model.clone(),
        })?;
    let ready = models.load(&version)?;
    let labels = labels_for(store, models, &version, ready.columns())?;
    if (labels.len() as u64) < rules.min_labels {
        return Err(Refusal::TooFewLabels {
            model,
            found: labels.len() as u64,
            needed: rules.min_labels,
        });
    }
    let order = Order {
        recipe: version.model.name.clone(),
        training_data: data,
        holdouts: config.holdouts.clone(),
        labels: rules.labels,
        gate: rules.gate,
        recent_share: rules.recent_share,
        memory_bytes: rules.memory_bytes,
    };
    let id = uuid::Uuid::new_v4().to_string();
    let folder = config.folder.join(&id);
    std::fs::create_dir_all(&folder)?;
    write(&folder, "champion.tripline", &champion_bytes)?;
    write(&folder, "labels.json", &json_of(&labels))?;
    // Last: a folder with it is complete.
    write(&folder, "job.json", &json_of(&order))?;
    Ok(Job {
        id,
        model_id: champion.to_string(),
        model,
        reason: reason.to_owned(),
        requested_by: requested_by.to_owned(),
        started_micros: now.0,
        attempts: 0,
        labels: labels.len() as u64,
        last_label: labels.iter().map(|label| label.id).max().unwrap_or(0),
    })
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), std::io::Error> {
    write_whole(&folder.join(name), bytes)
        .map_err(|error| std::io::Error::other(format!("{error:#}")))
}

fn json_of(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// The accepted labels on rows that the model could have judged, measured as its rows are.
fn labels_for(
    store: &dyn Backend,
    models: &Models,
    version: &Version,
    columns: &[usize],
) -> Result<Vec<LabelledFlow>, Refusal> {
    let Some(schema) = schema_by_name(&version.model.schema) else {
        return Ok(Vec::new());
    };
    // Role, schema, whose measurements, features: the third part.
    let made_for = |slot: &str| slot.split('/').nth(2).map(ToOwned::to_owned);
    let wanted = made_for(&version.model.slot);
    let mut filter = LabelFilter {
        state: Some(LabelState::Accepted),
        schema: Some(version.model.schema.clone()),
        ..LabelFilter::default()
    };
    let mut known: std::collections::BTreeMap<ModelId, Option<String>> =
        std::collections::BTreeMap::new();
    let mut labels = Vec::new();
    loop {
        let page = store.labels(&filter, PAGE)?;
        for label in page.labels {
            let said = label.label;
            let measured = said.detector.or(said.classifier).and_then(|id| {
                known
                    .entry(id)
                    .or_insert_with(|| {
                        let judged = models.version(id).ok()?;
                        made_for(&judged.model.slot)
                    })
                    .clone()
            });
            if measured != wanted {
                continue;
            }
            let Ok(vector) = FeatureVector::decode(&said.features, schema) else {
                continue;
            };
            let values = vector.into_values();
            if columns.iter().any(|column| values[*column].is_nan()) {
                continue;
            }
            labels.push(LabelledFlow {
                id: label.id.0,
                flow: said.verdict.to_string(),
                values,
                is_attack: said.is_attack,
                attack_type: said
                    .attack_type
                    .filter(|text| tripline_features::label::is_benign(text) == Some(false)),
                author: said.author,
                micros: label.created_at.0,
                reviewed: label.reviewed.is_some(),
            });
        }
        match page.next {
            Some(next) => filter.after = Some(next),
            None => break,
        }
    }
    let surplus = labels.len().saturating_sub(MAX_LABELS);
    labels.drain(..surplus);
    Ok(labels)
}

/// How many accepted labels came after this one.
pub(super) fn labels_after(store: &dyn Backend, last: u64) -> Result<u64, StoreError> {
    store.count_labels(&LabelFilter {
        state: Some(LabelState::Accepted),
        after: Some(LabelId(last)),
        ..LabelFilter::default()
    })
}
