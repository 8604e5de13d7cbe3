//! Tripline's own lists: verdicts with their reasons, counts over time, and the whole explanation
//! of one verdict.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::Serialize;
use tripline_detect::{Explanation, Pipeline, Role, Stage, StageExplanation};
use tripline_features::{FeatureValue, display_value};
use tripline_lifecycle::insight::Counterfactual;
use tripline_store::{
    Cursor, MAX_BUCKETS, Provenance, Source, Timestamp, VerdictFilter, VerdictId,
};
use utoipa::ToSchema;

use super::{
    error::{ApiError, ErrorBody},
    flow_body::{FlowBody, MomentBody, OpinionBody},
    insight::{CounterfactualBody, NearRow, nearest, otherwise},
    judge::STORED_REASONS,
    query::Params,
    row::Row,
    state::AppState,
    time::rfc3339,
    verdict_body::VerdictBody,
};

/// A list of verdicts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VerdictPage {
    /// Newest first.
    verdicts: Vec<VerdictBody>,
    /// The value of `before` for the next part; null at the end.
    next: Option<String>,
}

/// Lists verdicts, newest first.
#[utoipa::path(
    get, path = "/api/v1/verdicts", tag = "verdicts",
    params(
        ("limit" = Option<u64>, Query, description = "1 to 1000, 100 when absent"),
        ("threats_only" = Option<bool>, Query, description = "only what a detector calls a threat"),
        ("attack_class" = Option<String>, Query, description = "only this attack class"),
        ("batch_id" = Option<String>, Query, description = "only this upload"),
        ("source" = Option<String>, Query, description = "only rows that came in this way"),
        ("from" = Option<String>, Query, description = "only from this time on"),
        ("to" = Option<String>, Query, description = "only before this time"),
        ("before" = Option<String>, Query, description = "`next` of the part before"),
    ),
    responses(
        (status = 200, body = VerdictPage),
        (status = 400, description = "an unknown parameter or place", body = ErrorBody),
        (status = 422, description = "a parameter outside its bounds", body = ErrorBody),
    )
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    params: Params,
) -> Result<Json<VerdictPage>, ApiError> {
    params.only(&[
        "limit",
        "threats_only",
        "attack_class",
        "batch_id",
        "source",
        "from",
        "to",
        "before",
    ])?;
    let limit = params.limit()?;
    let filter = VerdictFilter {
        threats_only: params.flag("threats_only", false)?,
        class_names: params
            .text("attack_class")
            .map(|name| vec![name.to_owned()]),
        batch: match params.text("batch_id") {
            None => None,
            Some(text) => Some(
                text.parse()
                    .map_err(|_| ApiError::not_found("Batch not found"))?,
            ),
        },
        source: params.text("source").map(source).transpose()?,
        created_from: params.time("from")?,
        created_to: params.time("to")?,
        cursor: match params.text("before") {
            None => None,
            Some(text) => Some(text.parse::<Cursor>().map_err(|_| {
                ApiError::bad_request("before is not the 'next' of a list of verdicts")
            })?),
        },
        ..VerdictFilter::default()
    };
    let page = state.ask(move |store| store.list(&filter, limit)).await?;
    Ok(Json(VerdictPage {
        verdicts: page
            .verdicts
            .iter()
            .map(|verdict| Row::stored(verdict).verdict(STORED_REASONS))
            .collect(),
        next: page.next.map(|cursor| cursor.to_string()),
    }))
}

pub(super) fn source(name: &str) -> Result<Source, ApiError> {
    Source::from_name(name).ok_or_else(|| {
        let names: Vec<&str> = Source::ALL.iter().map(|source| source.name()).collect();
        ApiError::bad_request(format!("source can only be {}", names.join(", ")))
    })
}

/// Counts over time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TimelineBody {
    /// The length of a bucket.
    bucket_seconds: u64,
    /// Every bucket, the empty ones too.
    points: Vec<PointBody>,
}

/// The counts of a bucket.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PointBody {
    /// When it starts.
    start: String,
    /// Verdicts.
    total: u64,
    /// What a detector calls threats.
    threats: u64,
    /// What a classifier calls an attack.
    attacks: u64,
}

/// Counts verdicts over time.
#[utoipa::path(
    get, path = "/api/v1/stats/timeline", tag = "verdicts",
    params(
        ("from" = Option<String>, Query, description = "an hour before `to` when absent"),
        ("to" = Option<String>, Query, description = "now when absent"),
        ("buckets" = Option<u64>, Query, description = "about how many, 1 to 1000, 60 when absent"),
    ),
    responses((status = 200, body = TimelineBody), (status = 422, body = ErrorBody))
)]
pub(crate) async fn timeline(
    State(state): State<AppState>,
    params: Params,
) -> Result<Json<TimelineBody>, ApiError> {
    const HOUR_MICROS: i64 = 3_600_000_000;
    params.only(&["from", "to", "buckets"])?;
    let to = params.time("to")?.unwrap_or_else(|| state.now());
    let from = params
        .time("from")?
        .unwrap_or(Timestamp(to.0.saturating_sub(HOUR_MICROS)));
    let buckets = params.number("buckets", 60, 1..=u64::from(MAX_BUCKETS.min(1000)))? as u32;
    if from > to {
        return Err(ApiError::bad_request("from is later than to"));
    }
    let timeline = state
        .ask(move |store| store.timeline(from, to, buckets))
        .await?;
    let points = timeline.points.iter().map(|point| PointBody {
        start: rfc3339(point.start),
        total: point.total,
        threats: point.threats,
        attacks: point.attacks,
    });
    Ok(Json(TimelineBody {
        bucket_seconds: timeline.bucket_seconds,
        points: points.collect(),
    }))
}

/// Why a row was judged as it was.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Explanation)]
pub(crate) struct ExplanationBody {
    /// The verdict as it is stored.
    verdict: VerdictBody,
    /// All features of the row.
    features: Vec<FeatureBody>,
    /// Each model that was asked, with `base_value + Σ contributions = margin`.
    #[schema(value_type = Vec<StageBody>)]
    stages: Vec<StageExplanation>,
    /// The labelled rows nearest to it.
    neighbours: Vec<NearRow>,
    /// A small change after which the detector would have decided otherwise; null without a detector.
    #[schema(value_type = Option<CounterfactualBody>)]
    counterfactual: Option<Counterfactual>,
    /// The flow; null for a row that is none.
    flow: Option<FlowBody>,
    /// The first packets of the flow, in the order of the capture; null for a row that is none.
    timeline: Option<Vec<MomentBody>>,
    /// What the models of each schema thought of the flow; null for a row that is none.
    opinions: Option<Vec<OpinionBody>>,
}

/// One feature of a row.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Feature)]
pub(crate) struct FeatureBody {
    /// Its name.
    name: &'static str,
    /// Its value: a number, the name of a category, or null.
    #[schema(value_type = Option<serde_json::Value>)]
    value: FeatureValue,
    /// What one unit of it is; null for names, flags and numbers without one.
    unit: Option<String>,
    /// One sentence for people.
    description: &'static str,
}

/// How one model came to its margin.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StageExplanation)]
pub(crate) struct StageBody {
    /// `detector` or `classifier`.
    stage: String,
    /// The model's name.
    model: String,
    /// The model's version.
    model_version: String,
    /// Unit of margin and contributions: `log-odds` or `probability`.
    output: String,
    /// The class that the margin speaks for.
    class: String,
    /// The margin expected before any feature is known.
    base_value: f64,
    /// The margin of the row.
    margin: f64,
    /// The calibrated probability.
    probability: f64,
    /// A detector's decision line, as a probability.
    threshold: Option<f64>,
    /// The contributions that are not zero, strongest first.
    contributions: Vec<ContributionBody>,
}

/// One feature's share of a margin.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Contribution)]
pub(crate) struct ContributionBody {
    /// The feature.
    feature: String,
    /// Its value in the row.
    value: Option<serde_json::Value>,
    /// How far it moved the margin.
    contribution: f64,
}

/// Explains a stored verdict by the models that gave it.
#[utoipa::path(
    get, path = "/api/v1/predictions/{traffic_data_id}/explain", tag = "verdicts",
    params(("traffic_data_id" = String, Path)),
    responses(
        (status = 200, body = ExplanationBody),
        (status = 404, body = ErrorBody),
        (status = 409, description = "the models of the verdict are not in use any more", body = ErrorBody),
    )
)]
pub(crate) async fn explain(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<ExplanationBody>, ApiError> {
    let unknown = || ApiError::not_found("Traffic data not found");
    let id: VerdictId = id.parse().map_err(|_| unknown())?;
    state
        .blocking(move |state| {
            let stored = state.store().get(id)?.ok_or_else(unknown)?;
            explanation(state, &Row::stored(&stored)).map(Json)
        })
        .await
}

fn explanation(state: &AppState, row: &Row<'_>) -> Result<ExplanationBody, ApiError> {
    let gone = |what: &str| {
        ApiError::new(
            StatusCode::CONFLICT,
            format!("{what}; the verdict stands, but it cannot be explained here"),
        )
    };
    let schema = row
        .schema
        .ok_or_else(|| gone("this version has another definition of the features"))?;
    let pipeline = pipeline_of(state, row.provenance, schema)
        .ok_or_else(|| gone("the models that judged this row are not in use any more"))?;
    let class = row.attack.and_then(|attack| {
        let classes = &pipeline.classifier()?.manifest().classes;
        let index = classes
            .iter()
            .position(|class| class.name == attack.class)?;
        Some((index, attack.confidence))
    });
    let explained = Explanation::of(&pipeline, &row.values, class);
    let features = schema
        .features()
        .iter()
        .enumerate()
        .map(|(index, feature)| FeatureBody {
            name: feature.name,
            value: display_value(
                schema,
                index,
                row.values.get(index).copied().unwrap_or(f64::NAN),
            ),
            unit: feature.unit.symbol().map(ToOwned::to_owned),
            description: feature.description,
        });
    // The strongest reasons of the stage that decided, exactly rather than as they are stored.
    let mut verdict = row.verdict(STORED_REASONS);
    verdict.reasons = exact_reasons(&explained, verdict.reasons.len());
    let record = row.flow_record();
    Ok(ExplanationBody {
        verdict,
        features: features.collect(),
        stages: explained.stages,
        neighbours: nearest(state, &pipeline, &row.values)?,
        counterfactual: otherwise(&pipeline, &row.values),
        flow: record.as_ref().map(FlowBody::of),
        timeline: record
            .as_ref()
            .map(|record| record.timeline.iter().map(MomentBody::of).collect()),
        opinions: record
            .as_ref()
            .map(|record| record.opinions.iter().map(OpinionBody::of).collect()),
    })
}

fn exact_reasons(explained: &Explanation, count: usize) -> Vec<super::verdict_body::ReasonBody> {
    let Some(stage) = explained.stages.first() else {
        return Vec::new();
    };
    let name = match stage.stage {
        Stage::Detector => "detector",
        Stage::Classifier => "classifier",
    };
    stage
        .contributions
        .iter()
        .take(count)
        .map(|item| super::verdict_body::ReasonBody {
            stage: name,
            feature: item.feature,
            value: item.value,
            contribution: item.contribution,
        })
        .collect()
}

fn pipeline_of(
    state: &AppState,
    provenance: &Provenance,
    schema: &'static tripline_features::FeatureSchema,
) -> Option<Pipeline> {
    let roles = [
        (Role::Detector, provenance.detector.as_ref()),
        (Role::Classifier, provenance.classifier.as_ref()),
    ];
    let wanted: Vec<(Role, &str, &str)> = roles
        .into_iter()
        .filter_map(|(role, model)| model.map(|m| (role, m.name.as_str(), m.version.as_str())))
        .collect();
    state.registry().pipeline_of(schema, &wanted)
}
