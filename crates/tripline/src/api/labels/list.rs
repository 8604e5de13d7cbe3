use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use tripline_store::{Label, LabelFilter, LabelId, LabelState, Step, Write};
use utoipa::ToSchema;

use super::{
    super::{
        error::{ApiError, ErrorBody},
        query::Params,
        state::AppState,
        time::rfc3339,
    },
    check_author,
};

/// What somebody said about a flow.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Label)]
pub(crate) struct LabelBody {
    /// Its identifier.
    id: u64,
    /// The verdict it is about.
    verdict_id: String,
    /// Whether the flow is an attack.
    is_attack: bool,
    /// Which attack.
    attack_type: Option<String>,
    /// Who says so.
    author: String,
    /// Why, in words.
    note: String,
    /// When it was said.
    created_at: String,
    /// `accepted`, `quarantined` or `rejected`.
    #[schema(value_type = String)]
    state: &'static str,
    /// Why it is in this state.
    state_reason: String,
    /// When its state changed last.
    reviewed_at: Option<String>,
    /// Who changed it.
    reviewed_by: Option<String>,
    /// `true_alarm`, `false_alarm`, `missed_attack` or `rightly_passed`: what the label makes of the
    /// detector's decision; null where no detector judged.
    #[schema(value_type = Option<String>)]
    outcome: Option<&'static str>,
    /// The detector's probability.
    probability: Option<f64>,
    /// The class that the verdict gave.
    called_class: Option<String>,
    /// The detector whose verdict it is about.
    detector_id: Option<String>,
}

impl LabelBody {
    pub(super) fn of(label: &Label) -> Self {
        let said = &label.label;
        Self {
            id: label.id.0,
            verdict_id: said.verdict.to_string(),
            is_attack: said.is_attack,
            attack_type: said.attack_type.clone(),
            author: said.author.clone(),
            note: said.note.clone(),
            created_at: rfc3339(label.created_at),
            state: said.state.name(),
            state_reason: said.state_reason.clone(),
            reviewed_at: label.reviewed.as_ref().map(|(at, _)| rfc3339(*at)),
            reviewed_by: label.reviewed.as_ref().map(|(_, by)| by.clone()),
            outcome: said
                .called_threat
                .map(|called| outcome(called, said.is_attack)),
            probability: said.probability,
            called_class: said.called_class.clone(),
            detector_id: said.detector.map(|id| id.to_string()),
        }
    }
}

/// What a label makes of a decision.
pub(super) fn outcome(called_threat: bool, is_attack: bool) -> &'static str {
    match (called_threat, is_attack) {
        (true, true) => "true_alarm",
        (true, false) => "false_alarm",
        (false, true) => "missed_attack",
        (false, false) => "rightly_passed",
    }
}

/// A part of the list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LabelList {
    /// The labels, in the order in which they came.
    labels: Vec<LabelBody>,
    /// The value of `after` for the next part; null at the end.
    next: Option<u64>,
    /// All that pass, not only this part.
    total_count: u64,
}

/// Lists what was said.
#[utoipa::path(
    get, path = "/api/v1/labels", tag = "labels",
    params(
        ("verdict_id" = Option<String>, Query, description = "only about this verdict"),
        ("author" = Option<String>, Query, description = "only by this author"),
        ("state" = Option<String>, Query, description = "only `accepted`, `quarantined` or `rejected`"),
        ("conflicting" = Option<bool>, Query, description = "only about flows on which authors do not agree"),
        ("after" = Option<u64>, Query, description = "`next` of the part before"),
        ("limit" = Option<u64>, Query, description = "1 to 1000, 100 when absent"),
    ),
    responses((status = 200, body = LabelList), (status = 400, body = ErrorBody))
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    params: Params,
) -> Result<Json<LabelList>, ApiError> {
    params.only(&[
        "verdict_id",
        "author",
        "state",
        "conflicting",
        "after",
        "limit",
    ])?;
    let limit = params.limit()?;
    let mut filter = filter_of(&params)?;
    if params.text("after").is_some() {
        filter.after = Some(LabelId(params.number("after", 0, 0..=u64::MAX)?));
    }
    let (page, total) = state
        .ask(move |store| {
            let everywhere = LabelFilter {
                after: None,
                ..filter.clone()
            };
            Ok((
                store.labels(&filter, limit)?,
                store.count_labels(&everywhere)?,
            ))
        })
        .await?;
    Ok(Json(LabelList {
        labels: page.labels.iter().map(LabelBody::of).collect(),
        next: page.next.map(|id| id.0),
        total_count: total,
    }))
}

/// Which labels a request means.
pub(super) fn filter_of(params: &Params) -> Result<LabelFilter, ApiError> {
    Ok(LabelFilter {
        verdict: match params.text("verdict_id") {
            None => None,
            Some(text) => Some(
                text.parse()
                    .map_err(|_| ApiError::not_found("Traffic data not found"))?,
            ),
        },
        author: params.text("author").map(ToOwned::to_owned),
        state: params.text("state").map(state_of).transpose()?,
        conflicting: params.flag("conflicting", false)?,
        ..LabelFilter::default()
    })
}

fn state_of(text: &str) -> Result<LabelState, ApiError> {
    LabelState::from_name(text).ok_or_else(|| {
        let names: Vec<&str> = LabelState::ALL.iter().map(|state| state.name()).collect();
        let shown: String = text.chars().take(40).collect();
        ApiError::bad_request(format!("state is '{shown}', expected {}", names.join(", ")))
    })
}

/// What a second person says about a label.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReviewRequest {
    /// `accepted`, `quarantined` or `rejected`.
    state: String,
    /// Who says so; an author may only take a label of their own back.
    actor: String,
    /// Why.
    #[serde(default)]
    reason: String,
}

/// Changes whether a label counts.
#[utoipa::path(
    patch, path = "/api/v1/labels/{id}", tag = "labels",
    params(("id" = u64, Path)),
    request_body = ReviewRequest,
    responses(
        (status = 200, body = LabelBody),
        (status = 400, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 409, description = "its author cannot accept it", body = ErrorBody),
    )
)]
pub(crate) async fn review(
    State(state): State<AppState>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<LabelBody>, ApiError> {
    let unknown = || ApiError::not_found("Label not found");
    let id: u64 = id.parse().map_err(|_| unknown())?;
    let request: ReviewRequest = serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad_request(format!("the body cannot be read: {error}")))?;
    check_author(&request.actor)?;
    let to = state_of(&request.state)?;
    state
        .blocking(move |state| {
            let find = || -> Result<Label, ApiError> {
                let just_before = LabelFilter {
                    after: id.checked_sub(1).map(LabelId),
                    ..LabelFilter::default()
                };
                let page = state.store().labels(&just_before, 1)?;
                page.labels
                    .into_iter()
                    .find(|label| label.id.0 == id)
                    .ok_or_else(unknown)
            };
            let label = find()?;
            if label.label.author == request.actor && to != LabelState::Rejected {
                return Err(ApiError::new(
                    StatusCode::CONFLICT,
                    "the author of a label can only take it back; somebody else has to accept it",
                ));
            }
            state.store().commit(&Step {
                at: state.now(),
                actor: &request.actor,
                writes: vec![Write::ReviewLabel {
                    label: label.id,
                    state: to,
                    reason: &request.reason,
                }],
            })?;
            Ok(Json(LabelBody::of(&find()?)))
        })
        .await
}
