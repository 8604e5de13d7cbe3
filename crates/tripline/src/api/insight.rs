//! What a model looks at, what was near a row, and what would have had to be otherwise.

use axum::{
    Json,
    extract::{Path, State},
};
use serde::Serialize;
use tripline_detect::{Model, Pipeline};
use tripline_features::{FeatureSchema, FeatureVector, schema_by_name};
use tripline_lifecycle::{
    LabelledRows,
    insight::{Counterfactual, Dependence, Importance, counterfactual, dependence, importances},
    retrain::Neighbours,
};
use tripline_store::{LabelFilter, LabelState, NewLabel, Order, VerdictFilter};
use utoipa::ToSchema;

use super::{
    error::{ApiError, ErrorBody},
    models::find,
    state::AppState,
};

/// Rows of stored traffic that a model is looked at on.
const TRAFFIC_ROWS: usize = 300;
/// Fewer than these say too little, and the rows of the bundle's probe are taken.
const MIN_TRAFFIC_ROWS: usize = 50;
/// Features whose dependence is shown.
const SHOWN_CURVES: usize = 6;
/// Labels that are looked through for near rows.
const LABELS: usize = 5000;
/// Near rows that are told.
const NEAREST: usize = 5;
/// Seed of what is shuffled.
const SEED: u64 = 20_261_125;

/// What a model looks at.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InsightBody {
    /// What the rows are on which it was looked at.
    rows: String,
    /// Unit of the contributions: `log-odds` or `probability`.
    output: &'static str,
    /// What the permutation importance was measured on; null where nothing is labelled.
    labelled: Option<String>,
    /// How much each feature matters, the most important first.
    #[schema(value_type = Vec<Object>)]
    importances: Vec<Importance>,
    /// What the model thinks on average when one of the most important features has a given value.
    #[schema(value_type = Vec<Object>)]
    dependence: Vec<Dependence>,
}

/// What a model looks at: importances and partial dependence on the latest traffic that it could
/// judge, or on the rows of its probe.
#[utoipa::path(
    get, path = "/api/v1/models/{id}/insight", tag = "models",
    params(("id" = String, Path)),
    responses(
        (status = 200, body = InsightBody),
        (status = 404, body = ErrorBody),
        (status = 409, description = "its bundle cannot be used", body = ErrorBody),
    )
)]
pub(crate) async fn insight(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<InsightBody>, ApiError> {
    state
        .blocking(move |state| {
            let version = find(state, &id)?;
            let model = state.registry().load(&version)?;
            let mut rows = traffic(state, &model)?;
            let mut about = format!(
                "the latest {} rows of traffic that it could judge",
                rows.len()
            );
            if rows.len() < MIN_TRAFFIC_ROWS {
                rows = model
                    .manifest()
                    .probe
                    .iter()
                    .map(|probe| {
                        let values = probe.values.iter();
                        values.map(|value| value.unwrap_or(f64::NAN)).collect()
                    })
                    .collect();
                about = format!("{} training rows that the bundle carries", rows.len());
            }
            let settings = state.settings();
            let mut holdouts = settings.admission.holdouts.iter();
            let holdout = holdouts.find(|holdout| holdout.is_about(&model));
            let importances =
                importances(&model, &rows, holdout.map(|holdout| &holdout.rows), SEED);
            let dependence = importances
                .iter()
                .take(SHOWN_CURVES)
                .filter_map(|importance| dependence(&model, &rows, importance.feature))
                .collect();
            Ok(Json(InsightBody {
                rows: about,
                output: match model.compiled().link() {
                    tripline_forest::Link::Probability => "probability",
                    _ => "log-odds",
                },
                labelled: holdout.map(|holdout| holdout.name.clone()),
                importances,
                dependence,
            }))
        })
        .await
}

/// The latest rows of traffic with all features of a model, in the order of its columns.
fn traffic(state: &AppState, model: &Model) -> Result<Vec<Vec<f64>>, ApiError> {
    let filter = VerdictFilter {
        order: Order::NewestFirst,
        ..VerdictFilter::default()
    };
    let page = state.store().list(&filter, TRAFFIC_ROWS * 4)?;
    let schema = model.schema();
    let mut rows = Vec::new();
    for verdict in &page.verdicts {
        if verdict.provenance.schema != schema.name() || rows.len() == TRAFFIC_ROWS {
            continue;
        }
        let Ok(vector) = FeatureVector::decode(&verdict.features, schema) else {
            continue;
        };
        let row: Vec<f64> = model
            .columns()
            .iter()
            .map(|column| vector.values()[*column])
            .collect();
        if row.iter().all(|value| !value.is_nan()) {
            rows.push(row);
        }
    }
    Ok(rows)
}

/// A labelled row near the one that is explained.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NearRow {
    /// Its label.
    label: String,
    /// Where it comes from: a hold-out, or who has labelled it.
    source: String,
    /// The verdict it is about; null for a row of a hold-out.
    verdict_id: Option<String>,
    /// 0 for the same, 1 for as far as can be: the mean over the detector's features of how far apart
    /// two values stand in the order of the labelled rows.
    distance: f64,
}

/// The rows of traffic that people have labelled, and what they said of each; the latest so many.
pub(super) fn labelled(
    state: &AppState,
    schema: &'static FeatureSchema,
) -> Result<(LabelledRows, Vec<NewLabel>), ApiError> {
    let mut rows = LabelledRows::new(schema);
    let mut kept = Vec::new();
    let filter = LabelFilter {
        state: Some(LabelState::Accepted),
        schema: Some(schema.name().to_owned()),
        ..LabelFilter::default()
    };
    for label in state.store().labels(&filter, LABELS)?.labels {
        let said = label.label;
        let decoded = schema_by_name(&said.schema)
            .and_then(|schema| FeatureVector::decode(&said.features, schema).ok());
        if let Some(vector) = decoded {
            let unnamed = if said.is_attack { "attack" } else { "normal" };
            rows.push(
                vector.values(),
                said.attack_type.as_deref().unwrap_or(unnamed),
            );
            kept.push(said);
        }
    }
    Ok((rows, kept))
}

/// The labelled rows nearest to one, by the features of the detector that judged it.
pub(crate) fn nearest(
    state: &AppState,
    pipeline: &Pipeline,
    values: &[f64],
) -> Result<Vec<NearRow>, ApiError> {
    let Some(detector) = pipeline.detector() else {
        return Ok(Vec::new());
    };
    let schema = pipeline.schema();
    let (mut rows, said) = labelled(state, schema)?;
    let mut sources: Vec<(String, Option<String>)> = said
        .into_iter()
        .map(|said| (said.author, Some(said.verdict.to_string())))
        .collect();
    for holdout in state.settings().admission.holdouts.iter() {
        if holdout.rows.schema().name() == schema.name() {
            for row in 0..holdout.rows.len() {
                rows.push(holdout.rows.row(row), holdout.rows.label(row));
                sources.push((holdout.name.clone(), None));
            }
        }
    }
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let near = Neighbours::new(&rows, detector.columns()).nearest(values, NEAREST);
    Ok(near
        .into_iter()
        .map(|neighbour| {
            let (source, verdict_id) = sources[neighbour.row].clone();
            NearRow {
                label: neighbour.label,
                source,
                verdict_id,
                distance: neighbour.distance,
            }
        })
        .collect())
}

/// What would have had to be otherwise; null without a detector.
pub(crate) fn otherwise(pipeline: &Pipeline, values: &[f64]) -> Option<Counterfactual> {
    counterfactual(pipeline.detector()?, values)
}

/// A small change after which the detector would have decided otherwise.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CounterfactualBody {
    /// What changes; empty when nothing was found.
    changes: Vec<ChangedBody>,
    /// The probability after the change.
    probability: Option<f64>,
    /// Rows that were tried.
    tried: u64,
    /// Whether the search ended before everything was tried; then there may be a smaller change.
    is_bounded: bool,
}

/// One feature that changes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChangedBody {
    /// The feature.
    feature: String,
    /// Its value in the row.
    from: Option<serde_json::Value>,
    /// Its value after the change.
    to: Option<serde_json::Value>,
    /// How far that is, as a share of the training rows that lie between.
    distance: f64,
}
