//! What the watching of the models has found: drift, quality with and without labels, candidates.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use tripline_store::{Message, ModelFilter, Record, Step, Timestamp, Write};
use utoipa::ToSchema;

use super::{
    error::{ApiError, ErrorBody},
    models::{ModelBody, find},
    query::Params,
    state::AppState,
    time::rfc3339,
};
use crate::{
    monitor::{DRIFT, ESTIMATE, MonitorState, PERFORMANCE, RULES, Rules, TASK, figures},
    webhooks::shown,
};

/// A day, in microseconds.
const DAY: i64 = 86_400_000_000;

/// Where the watching stands, and what it has found last of each model that judges.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Overview {
    /// Verdicts read since the store was made.
    rows_read: u64,
    /// Verdicts left out, because there was no time for them.
    rows_skipped: u64,
    /// Verdicts whose features or models are not known here any more.
    rows_unknown: u64,
    /// Labels read.
    labels_after: u64,
    /// When it wrote down its position last; null before the first time.
    updated_at: Option<String>,
    /// The models that judge or have judged lately.
    models: Vec<WatchedModel>,
    /// Versions that are compared with the model that judges.
    candidates: Vec<CandidateBody>,
}

/// What is known of a model that judges.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WatchedModel {
    /// Its identifier.
    model_id: String,
    /// Its name.
    name: String,
    /// Its version.
    version: String,
    /// `detector`, `classifier` or `namer`.
    role: String,
    /// Its stage.
    #[schema(value_type = String)]
    stage: &'static str,
    /// Rows in the window that is being filled.
    window_rows: u64,
    /// When it judged last.
    last_row_at: Option<String>,
    /// The last window that was full beside the training data.
    #[schema(value_type = Option<Object>)]
    drift: Option<Value>,
    /// What that window says about quality without labels.
    #[schema(value_type = Option<Object>)]
    estimate: Option<Value>,
    /// Quality on labelled rows.
    #[schema(value_type = Object)]
    performance: Value,
}

/// A candidate beside the model that judges.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CandidateBody {
    /// The candidate.
    model_id: String,
    /// What was counted, and what the policy says of it.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    figures: Value,
}

fn state_of(state: &AppState) -> Result<(MonitorState, Option<Timestamp>), ApiError> {
    let task = state.store().task(TASK)?;
    let at = task.as_ref().map(|task| task.updated_at);
    Ok((MonitorState::read(task.as_ref()), at))
}

/// What the watching of the models has found last.
#[utoipa::path(
    get, path = "/api/v1/monitoring", tag = "monitoring",
    responses((status = 200, body = Overview))
)]
pub(crate) async fn overview(State(state): State<AppState>) -> Result<Json<Overview>, ApiError> {
    state
        .blocking(|state| {
            let (watched, at) = state_of(state)?;
            let versions = state.store().models(&ModelFilter::default())?;
            let latest = |kind: &str, id: &str| -> Result<Option<Value>, ApiError> {
                let ever = (Timestamp(i64::MIN), Timestamp(i64::MAX));
                let records = state.store().records(kind, Some(id), ever.0, ever.1, 1)?;
                Ok(records.into_iter().next().map(|record| value_of(&record)))
            };
            let mut models = Vec::new();
            for (id, watch) in &watched.models {
                let Some(version) = versions
                    .iter()
                    .find(|version| version.model.id.to_string() == *id)
                else {
                    continue;
                };
                models.push(WatchedModel {
                    model_id: id.clone(),
                    name: version.model.name.clone(),
                    version: version.model.version.clone(),
                    role: version.model.role.clone(),
                    stage: version.stage.name(),
                    window_rows: watch.window.rows(),
                    last_row_at: (watch.last_micros > i64::MIN)
                        .then(|| rfc3339(Timestamp(watch.last_micros))),
                    drift: latest(DRIFT, id)?,
                    estimate: latest(ESTIMATE, id)?,
                    performance: json!({
                        "measured": watch.rolling.measure(),
                        "error_rate": watch.errors.mean(),
                        "changes": watch.errors.changes(),
                    }),
                });
            }
            models.sort_by(|one, other| one.name.cmp(&other.name));
            Ok(Json(Overview {
                rows_read: watched.rows_read,
                rows_skipped: watched.rows_skipped,
                rows_unknown: watched.rows_unknown,
                labels_after: watched.labels_after,
                updated_at: at.map(rfc3339),
                models,
                candidates: watched
                    .candidates
                    .iter()
                    .map(|(id, watch)| CandidateBody {
                        model_id: id.clone(),
                        figures: figures(watch),
                    })
                    .collect(),
            }))
        })
        .await
}

/// One thing that was measured.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RecordBody {
    /// The model.
    model_id: String,
    /// The time it speaks of: that of the last row of the window, or of the measurement.
    at: String,
    /// The figures.
    #[schema(value_type = Object)]
    value: Value,
}

/// What was measured, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RecordList {
    /// The records.
    records: Vec<RecordBody>,
}

fn value_of(record: &Record) -> Value {
    let mut value: Value = serde_json::from_str(&record.value).unwrap_or_default();
    if let Value::Object(fields) = &mut value {
        fields.insert("at".to_owned(), json!(rfc3339(record.at)));
    }
    value
}

/// What was measured over time.
#[utoipa::path(
    get, path = "/api/v1/monitoring/{kind}", tag = "monitoring",
    params(
        ("kind" = String, Path, description = "`drift`, `estimate` or `performance`"),
        ("model_id" = Option<String>, Query, description = "only of this model"),
        ("from" = Option<String>, Query, description = "a week before `to` when absent"),
        ("to" = Option<String>, Query, description = "now when absent"),
        ("limit" = Option<u64>, Query, description = "the newest so many, 1 to 1000, 100 when absent"),
    ),
    responses(
        (status = 200, body = RecordList),
        (status = 400, body = ErrorBody),
        (status = 404, description = "no such kind", body = ErrorBody),
    )
)]
pub(crate) async fn records(
    State(state): State<AppState>,
    Path(kind): Path<String>,
    params: Params,
) -> Result<Json<RecordList>, ApiError> {
    if ![DRIFT, ESTIMATE, PERFORMANCE].contains(&kind.as_str()) {
        return Err(ApiError::not_found(
            "expected drift, estimate or performance",
        ));
    }
    params.only(&["model_id", "from", "to", "limit"])?;
    let limit = params.limit()?;
    let to = params
        .time("to")?
        .unwrap_or_else(|| Timestamp(state.now().0.saturating_add(1)));
    let from = params
        .time("from")?
        .unwrap_or(Timestamp(to.0.saturating_sub(7 * DAY)));
    let model = params.text("model_id").map(ToOwned::to_owned);
    let records = state
        .ask(move |store| store.records(&kind, model.as_deref(), from, to, limit))
        .await?;
    Ok(Json(RecordList {
        records: records
            .iter()
            .map(|record| RecordBody {
                model_id: record.subject.clone(),
                at: rfc3339(record.at),
                value: serde_json::from_str(&record.value).unwrap_or_default(),
            })
            .collect(),
    }))
}

/// The rules by which models are watched and promoted.
#[utoipa::path(
    get, path = "/api/v1/monitoring/rules", tag = "monitoring",
    responses((status = 200, body = Object))
)]
pub(crate) async fn rules(State(state): State<AppState>) -> Result<Json<Value>, ApiError> {
    state
        .blocking(|state| Ok(Json(json!(Rules::read(state.store())?))))
        .await
}

/// Changes rules; what is left out stays. Unknown keys are refused.
#[utoipa::path(
    patch, path = "/api/v1/monitoring/rules", tag = "monitoring",
    request_body = Object,
    responses(
        (status = 200, body = Object),
        (status = 400, description = "an unknown key, or a value outside its bounds", body = ErrorBody),
        (status = 409, description = "somebody else has changed them meanwhile", body = ErrorBody),
    )
)]
pub(crate) async fn change_rules(
    State(state): State<AppState>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let change: Map<String, Value> = serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad_request(format!("the body cannot be read: {error}")))?;
    state
        .blocking(move |state| {
            let task = state.store().task(RULES)?;
            let mut all = json!(Rules::read(state.store())?);
            merge(&mut all, Value::Object(change));
            let rules: Rules = serde_json::from_value(all)
                .map_err(|error| ApiError::bad_request(error.to_string()))?;
            rules.check().map_err(ApiError::bad_request)?;
            let text = serde_json::to_string(&rules).map_err(ApiError::internal)?;
            state.store().commit(&Step {
                at: state.now(),
                actor: "api",
                writes: vec![Write::Task {
                    key: RULES,
                    value: Some(&text),
                    expected: task.map(|task| task.revision),
                }],
            })?;
            Ok(Json(json!(rules)))
        })
        .await
}

/// Takes every value of the change over, object by object.
fn merge(all: &mut Value, change: Value) {
    match (all, change) {
        (Value::Object(all), Value::Object(change)) => {
            for (key, value) in change {
                merge(all.entry(key).or_insert(Value::Null), value);
            }
        }
        (place, value) => *place = value,
    }
}

/// How a candidate compares with the model that judges, so far.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ComparisonBody {
    /// The candidate.
    candidate: ModelBody,
    /// The model it is compared with.
    champion: ModelBody,
    /// What was counted, and what the policy says of it.
    #[schema(value_type = Object)]
    figures: Value,
}

/// How a version in shadow, a canary, or a new active version compares with the one that judges or
/// has judged before it.
#[utoipa::path(
    get, path = "/api/v1/models/{id}/comparison", tag = "monitoring",
    params(("id" = String, Path)),
    responses(
        (status = 200, body = ComparisonBody),
        (status = 404, description = "no such model, or it is not compared with any", body = ErrorBody),
    )
)]
pub(crate) async fn comparison(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<ComparisonBody>, ApiError> {
    state
        .blocking(move |state| {
            let version = find(state, &id)?;
            let (watched, _) = state_of(state)?;
            let watch = watched.candidates.get(&id).ok_or_else(|| {
                ApiError::not_found(
                    "this model is not compared with another: only versions in shadow, canaries \
                     and new active ones are, once the first rows were judged",
                )
            })?;
            let champion = find(state, &watch.champion)?;
            Ok(Json(ComparisonBody {
                candidate: ModelBody::of(&version),
                champion: ModelBody::of(&champion),
                figures: figures(watch),
            }))
        })
        .await
}

/// A message to another program.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MessageBody {
    /// Its number.
    number: u64,
    /// Where it goes, without what may be secret in the address.
    target: String,
    /// What it is about.
    event: String,
    /// When it was written.
    created_at: String,
    /// `waiting`, `sent` or `given_up`.
    #[schema(value_type = String)]
    state: &'static str,
    /// How often it was tried.
    attempts: u32,
    /// When it is tried next.
    next_at: String,
    /// Why the last try failed.
    last_error: Option<String>,
    /// What it says.
    #[schema(value_type = Object)]
    body: Value,
}

impl MessageBody {
    fn of(message: Message) -> Self {
        Self {
            number: message.number,
            target: shown(&message.target),
            event: message.event,
            created_at: rfc3339(message.created_at),
            state: message.state.name(),
            attempts: message.attempts,
            next_at: rfc3339(message.next_at),
            last_error: message.last_error,
            body: serde_json::from_str(&message.body).unwrap_or_default(),
        }
    }
}

/// Messages, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MessageList {
    /// The messages.
    messages: Vec<MessageBody>,
}

/// What was told to other programs, and what became of it.
#[utoipa::path(
    get, path = "/api/v1/webhooks/messages", tag = "monitoring",
    params(("limit" = Option<u64>, Query, description = "1 to 1000, 100 when absent")),
    responses((status = 200, body = MessageList))
)]
pub(crate) async fn messages(
    State(state): State<AppState>,
    params: Params,
) -> Result<Json<MessageList>, ApiError> {
    params.only(&["limit"])?;
    let limit = params.limit()?;
    let messages = state.ask(move |store| store.recent_messages(limit)).await?;
    Ok(Json(MessageList {
        messages: messages.into_iter().map(MessageBody::of).collect(),
    }))
}
