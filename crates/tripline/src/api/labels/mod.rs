//! What people say about flows: given one by one, by a filter or as a file; listed, reviewed and
//! exported.

mod file;
mod list;

use axum::{Json, body::Bytes, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use tripline_store::VerdictFilter;
use utoipa::ToSchema;

pub(crate) use self::{
    file::{__path_export, __path_upload, export, upload},
    list::{__path_list, __path_review, list, review},
};
use super::{
    error::{ApiError, ErrorBody},
    state::AppState,
    time, verdicts,
};
use crate::labels::{self, MAX_AUTHOR, Statement, Taken};

/// Labels given in one request.
const MAX_LABELS: usize = 10_000;

/// What an author says. Either `verdict_id`, or `filter`, or `labels` says about which flows.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LabelsRequest {
    /// Who says so.
    author: String,
    /// One flow: the identifier of its verdict.
    #[serde(default)]
    verdict_id: Option<String>,
    /// All flows whose verdicts pass, at most 10,000.
    #[serde(default)]
    filter: Option<FilterRequest>,
    /// Many flows, each with what is said about it.
    #[serde(default)]
    labels: Vec<LabelRequest>,
    /// Whether it is an attack; for `verdict_id` and `filter`. `false` on a threat is a false alarm.
    #[serde(default)]
    is_attack: Option<bool>,
    /// Which attack; for `verdict_id` and `filter`.
    #[serde(default)]
    attack_type: Option<String>,
    /// Why, in words.
    #[serde(default)]
    note: String,
}

/// What is said about one flow.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LabelRequest {
    /// The identifier of its verdict.
    verdict_id: String,
    /// Whether it is an attack.
    is_attack: bool,
    /// Which attack.
    #[serde(default)]
    attack_type: Option<String>,
    /// Why, in words; that of the request when absent.
    #[serde(default)]
    note: Option<String>,
}

/// Which verdicts are meant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FilterRequest {
    /// Only what a detector calls a threat.
    #[serde(default)]
    threats_only: bool,
    /// Only this attack class.
    #[serde(default)]
    attack_class: Option<String>,
    /// Only this upload.
    #[serde(default)]
    batch_id: Option<String>,
    /// Only rows that came in this way.
    #[serde(default)]
    source: Option<String>,
    /// Only from this time on.
    #[serde(default)]
    from: Option<String>,
    /// Only before this time.
    #[serde(default)]
    to: Option<String>,
}

/// What became of labels.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LabelsAnswer {
    /// Those that are stored.
    labels: Vec<StoredLabel>,
    /// Those that were not taken, and why.
    refused: Vec<RefusedLabel>,
}

/// A label that is stored.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StoredLabel {
    /// Its identifier.
    id: u64,
    /// The verdict it is about.
    verdict_id: String,
    /// `accepted`, `quarantined` or `rejected`.
    #[schema(value_type = String)]
    state: &'static str,
}

/// A label that was not taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefusedLabel {
    /// Its place in the request, counted from 1.
    row: u64,
    /// The verdict it is about, as it was given.
    verdict_id: String,
    /// Why.
    reason: String,
}

impl LabelsAnswer {
    /// `first_row` is the number of the first statement.
    fn of(taken: Taken, first_row: u64) -> Self {
        Self {
            labels: taken
                .labels
                .into_iter()
                .map(|(id, verdict, state)| StoredLabel {
                    id,
                    verdict_id: verdict.to_string(),
                    state: state.name(),
                })
                .collect(),
            refused: taken
                .refused
                .into_iter()
                .map(|refused| RefusedLabel {
                    row: refused.index as u64 + first_row,
                    verdict_id: refused.verdict,
                    reason: refused.reason,
                })
                .collect(),
        }
    }
}

/// Checks who speaks.
fn check_author(author: &str) -> Result<(), ApiError> {
    labels::check_text("author", author, MAX_AUTHOR).map_err(ApiError::bad_request)
}

/// Says about flows whether they are attacks.
///
/// The same author's later label on the same flow takes the place of the earlier one. Labels of
/// several authors stand beside each other, even where they do not agree. What cannot be used is
/// refused with its reason; the rest is stored.
#[utoipa::path(
    post, path = "/api/v1/labels", tag = "labels",
    request_body = LabelsRequest,
    responses(
        (status = 200, body = LabelsAnswer),
        (status = 400, description = "it does not say about which flows, or what", body = ErrorBody),
        (status = 404, description = "the one flow asked for is not known", body = ErrorBody),
        (status = 413, description = "more than 10,000 flows", body = ErrorBody),
    )
)]
pub(crate) async fn create(
    State(state): State<AppState>,
    body: Bytes,
) -> Result<Json<LabelsAnswer>, ApiError> {
    let request: LabelsRequest = serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad_request(format!("the body cannot be read: {error}")))?;
    check_author(&request.author)?;
    let what = [
        request.verdict_id.is_some(),
        request.filter.is_some(),
        !request.labels.is_empty(),
    ];
    if what.iter().filter(|given| **given).count() != 1 {
        return Err(ApiError::bad_request(
            "expected exactly one of 'verdict_id', 'filter' and 'labels'",
        ));
    }
    if !request.labels.is_empty() && (request.is_attack.is_some() || request.attack_type.is_some())
    {
        return Err(ApiError::bad_request(
            "'is_attack' and 'attack_type' stand in each of 'labels', not beside them",
        ));
    }
    if request.labels.len() > MAX_LABELS {
        return Err(too_many(request.labels.len() as u64));
    }
    state
        .blocking(move |state| {
            let is_single = request.verdict_id.is_some();
            let statements = statements(state, request.filter.as_ref(), &request)?;
            let taken = labels::take(state.store(), &request.author, &statements, state.now())?;
            if let (true, Some(refused)) = (is_single, taken.refused.first()) {
                let is_unknown = refused.reason.starts_with("no verdict");
                return Err(if is_unknown {
                    ApiError::not_found(refused.reason.clone())
                } else {
                    ApiError::bad_request(refused.reason.clone())
                });
            }
            Ok(Json(LabelsAnswer::of(taken, 1)))
        })
        .await
}

fn too_many(count: u64) -> ApiError {
    ApiError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("{count} flows are more than {MAX_LABELS} in one request"),
    )
}

fn statements(
    state: &AppState,
    filter: Option<&FilterRequest>,
    request: &LabelsRequest,
) -> Result<Vec<Statement>, ApiError> {
    let is_attack = || {
        request
            .is_attack
            .ok_or_else(|| ApiError::bad_request("'is_attack' is missing"))
    };
    let about = |verdict: String| -> Result<Statement, ApiError> {
        Ok(Statement {
            verdict,
            is_attack: is_attack()?,
            attack_type: request.attack_type.clone(),
            note: request.note.clone(),
        })
    };
    if let Some(verdict) = &request.verdict_id {
        return Ok(vec![about(verdict.clone())?]);
    }
    let Some(filter) = filter else {
        return Ok(request
            .labels
            .iter()
            .map(|label| Statement {
                verdict: label.verdict_id.clone(),
                is_attack: label.is_attack,
                attack_type: label.attack_type.clone(),
                note: label.note.clone().unwrap_or_else(|| request.note.clone()),
            })
            .collect());
    };
    is_attack()?;
    let mut filter = filter.verdicts()?;
    let count = state.store().count(&filter)?;
    if count > MAX_LABELS as u64 {
        return Err(too_many(count));
    }
    let mut statements = Vec::new();
    loop {
        let page = state.store().list(&filter, 1000)?;
        for verdict in &page.verdicts {
            statements.push(about(verdict.id.to_string())?);
        }
        match page.next {
            Some(next) if statements.len() < MAX_LABELS => filter.cursor = Some(next),
            _ => return Ok(statements),
        }
    }
}

impl FilterRequest {
    fn verdicts(&self) -> Result<VerdictFilter, ApiError> {
        let time_of = |name: &str, text: &Option<String>| {
            text.as_ref()
                .map(|text| {
                    time::parse(text).ok_or_else(|| {
                        ApiError::bad_request(format!(
                            "'{name}' is not a time such as 2026-11-24T02:40:00Z"
                        ))
                    })
                })
                .transpose()
        };
        let filter = VerdictFilter {
            threats_only: self.threats_only,
            class_names: self.attack_class.clone().map(|name| vec![name]),
            batch: match &self.batch_id {
                None => None,
                Some(text) => Some(
                    text.parse()
                        .map_err(|_| ApiError::not_found("Batch not found"))?,
                ),
            },
            source: self.source.as_deref().map(verdicts::source).transpose()?,
            created_from: time_of("from", &self.from)?,
            created_to: time_of("to", &self.to)?,
            ..VerdictFilter::default()
        };
        if filter == VerdictFilter::default() {
            return Err(ApiError::bad_request(
                "'filter' has no condition, which would mean every flow",
            ));
        }
        Ok(filter)
    }
}
