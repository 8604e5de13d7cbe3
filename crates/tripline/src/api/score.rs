//! Rows as JSON: judged, stored and answered at once.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Map, Value};
use tripline_features::{FeatureSchema, Notes, schema_by_name, schemas};
use tripline_store::{Source, Timestamp, VerdictId};
use utoipa::ToSchema;

use super::{
    error::{ApiError, ErrorBody},
    judge::STORED_REASONS,
    judged::{Bench, JudgedRow},
    query::Params,
    realtime::NewRow,
    state::AppState,
    verdict_body::VerdictBody,
};
use crate::{
    registry::Serving,
    traces::{self, Span},
};

/// Rows judged in one request.
const MAX_ROWS: usize = 10_000;
/// Reasons that can be asked for.
const MAX_REASONS: u64 = 100;
/// Bodies above this are read and judged on a thread that may block; below, the way there would
/// cost more than the work, some 20 µs.
const SMALL_BODY_BYTES: usize = 16 << 10;

/// The answer to a list of rows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ScoredRows {
    /// The verdicts, in the order of the rows; `row` counts from 1.
    verdicts: Vec<VerdictBody>,
    /// The rows that were not used, and why.
    rejections: Vec<RejectedRow>,
    /// Rows judged.
    rows_scored: u64,
    /// Rows rejected.
    rows_rejected: u64,
    /// Keys that no schema knows; they were not used.
    ignored: Vec<String>,
    /// What the reading policy did to values, for people.
    notes: Vec<String>,
}

/// A row of a list that was not used.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RejectedRow {
    /// Its place in the list, counted from 1.
    row: u64,
    /// Why.
    reason: String,
}

/// The answer to a single row.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ScoredRow {
    #[serde(flatten)]
    verdict: VerdictBody,
    /// Keys that no schema knows; they were not used.
    ignored: Vec<String>,
    /// What the reading policy did to values, for people.
    notes: Vec<String>,
}

/// Judges one row or a list of rows.
///
/// The body is an object of feature names and values (or the same in `features`), or a list of
/// such objects (or the same in `rows`). Any known spelling of a name will do; categories may be
/// names or indices. What is answered is stored, unless `store=false`.
#[utoipa::path(
    post, path = "/api/v1/score", tag = "score",
    params(
        ("schema" = Option<String>, Query, description = "`nsl-kdd` or `cicflow`; by the names when absent"),
        ("reasons" = Option<u64>, Query, description = "reasons per verdict, 0 to 100, 5 when absent"),
        ("store" = Option<bool>, Query, description = "false to judge without storing"),
    ),
    request_body(content = Object, content_type = "application/json"),
    responses(
        (status = 200, description = "a verdict (`ScoredRow`) for an object, `ScoredRows` for a list", body = ScoredRow),
        (status = 400, description = "not JSON, a value that cannot be used, names of no schema, features of no model", body = ErrorBody),
        (status = 413, description = "larger than 16 MiB or more than 10,000 rows", body = ErrorBody),
        (status = 415, description = "not JSON by its content type", body = ErrorBody),
        (status = 503, description = "no model", body = ErrorBody),
    )
)]
pub(crate) async fn score(
    State(state): State<AppState>,
    params: Params,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    params.only(&["schema", "reasons", "store"])?;
    check_content_type(&headers)?;
    let body = body.map_err(|error| ApiError::new(error.status(), error.body_text()))?;
    let task = Task {
        schema: params.text("schema").map(known_schema).transpose()?,
        reasons: params.number("reasons", STORED_REASONS as u64, 0..=MAX_REASONS)? as usize,
        serving: state.registry().serving(),
        created_at: state.now(),
    };
    if task.serving.active().models().is_empty() {
        return Err(ApiError::no_model());
    }
    let stores = params.flag("store", true)?;
    let span = Span::step("judge");
    let judged = if body.len() <= SMALL_BODY_BYTES {
        task.judge_body(&state, &body)?
    } else {
        state
            .blocking(move |state| task.judge_body(state, &body))
            .await?
    };
    span.set("tripline.rows", judged.rows.len() as i64);
    drop(span);
    let mut ids = vec![None; judged.rows.len()];
    if stores {
        let span = traces::storing(state.store(), judged.rows.len());
        let written = state.realtime().write(judged.new_rows()).await;
        let written = written.inspect_err(|error| span.fail(error.status_text()))?;
        ids = written.into_iter().map(Some).collect();
    }
    Ok(judged.into_response(&ids))
}

fn check_content_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let named = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = named
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "expected a body of content type application/json",
    ))
}

fn known_schema(name: &str) -> Result<&'static FeatureSchema, ApiError> {
    schema_by_name(name).ok_or_else(|| {
        let names: Vec<&str> = schemas().iter().map(|schema| schema.name()).collect();
        let shown: String = name.chars().take(40).collect();
        ApiError::bad_request(format!(
            "schema is '{shown}', expected {}",
            names.join(" or ")
        ))
    })
}

/// What a request asks for.
struct Task {
    schema: Option<&'static FeatureSchema>,
    reasons: usize,
    serving: Arc<Serving>,
    created_at: Timestamp,
}

/// The rows of a request with their verdicts.
struct Judged {
    rows: Vec<JudgedRow>,
    rejections: Vec<RejectedRow>,
    ignored: Vec<String>,
    notes: Vec<String>,
    is_list: bool,
    reasons: usize,
    created_at: Timestamp,
}

impl Task {
    fn judge_body(&self, state: &AppState, body: &[u8]) -> Result<Judged, ApiError> {
        let value: Value = serde_json::from_slice(body)
            .map_err(|error| ApiError::bad_request(format!("the body is not JSON: {error}")))?;
        match value {
            Value::Array(rows) => self.judge_list(state, &rows),
            Value::Object(mut object) => match (object.remove("rows"), object.remove("features")) {
                (Some(Value::Array(rows)), None) => self.judge_list(state, &rows),
                (None, Some(Value::Object(features))) => self.judge_one(state, &features),
                (None, None) => self.judge_one(state, &object),
                _ => Err(ApiError::bad_request(
                    "expected 'rows' to be a list of objects, or 'features' to be an object",
                )),
            },
            _ => Err(ApiError::bad_request(
                "expected an object or a list of objects",
            )),
        }
    }

    fn judge_one(&self, state: &AppState, object: &Map<String, Value>) -> Result<Judged, ApiError> {
        let row = self.bench(state).judge_one(self.schema, object)?;
        Ok(Judged {
            ignored: row.record.ignored.clone(),
            notes: row.record.notes.lines(),
            rows: vec![row],
            rejections: Vec::new(),
            is_list: false,
            reasons: self.reasons,
            created_at: self.created_at,
        })
    }

    fn judge_list(&self, state: &AppState, list: &[Value]) -> Result<Judged, ApiError> {
        if list.is_empty() {
            return Err(ApiError::bad_request("the list of rows is empty"));
        }
        if list.len() > MAX_ROWS {
            return Err(ApiError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!(
                    "{} rows are more than {MAX_ROWS}: upload them as a file",
                    list.len()
                ),
            ));
        }
        let mut bench = self.bench(state);
        let (mut rows, mut rejections) = (Vec::with_capacity(list.len()), Vec::new());
        for (value, number) in list.iter().zip(1..) {
            let read = match value {
                Value::Object(object) => {
                    let features = match object.get("features") {
                        Some(Value::Object(features)) => features,
                        _ => object,
                    };
                    bench.read(self.schema, number, features)
                }
                _ => Err(ApiError::bad_request("expected an object")),
            };
            match read {
                Ok(row) => rows.push(row),
                Err(error) if error.is_bad_request() => {
                    rejections.push(RejectedRow {
                        row: number,
                        reason: error.detail().to_owned(),
                    });
                }
                Err(error) => return Err(error),
            }
        }
        let rows = bench.judge_all(rows);
        if let (true, Some(first)) = (rows.is_empty(), rejections.first()) {
            return Err(ApiError::bad_request(format!(
                "none of the {} rows can be used; the first: {}",
                list.len(),
                first.reason
            )));
        }
        let mut ignored: Vec<String> = rows
            .iter()
            .flat_map(|row| row.record.ignored.iter().cloned())
            .collect();
        ignored.sort_unstable();
        ignored.dedup();
        Ok(Judged {
            notes: notes_of(&rows),
            ignored,
            rows,
            rejections,
            is_list: true,
            reasons: self.reasons,
            created_at: self.created_at,
        })
    }

    fn bench<'a>(&'a self, state: &'a AppState) -> Bench<'a> {
        Bench::new(state.scorers(), &self.serving, self.reasons)
    }
}

/// What the reading policy did to all rows, by schema.
fn notes_of(rows: &[JudgedRow]) -> Vec<String> {
    let mut sums: Vec<Notes> = Vec::new();
    for row in rows {
        if !sums.iter_mut().any(|sum| sum.merge(&row.record.notes)) {
            sums.push(row.record.notes.clone());
        }
    }
    sums.iter().flat_map(Notes::lines).collect()
}

impl Judged {
    fn new_rows(&self) -> Vec<NewRow> {
        let rows = self.rows.iter();
        rows.map(|row| row.new_row(self.created_at)).collect()
    }

    fn into_response(self, ids: &[Option<VerdictId>]) -> Response {
        let bodies = self
            .rows
            .iter()
            .zip(ids)
            .map(|(row, id)| self.body(row, *id));
        if self.is_list {
            let verdicts: Vec<VerdictBody> = bodies.collect();
            return Json(ScoredRows {
                rows_scored: verdicts.len() as u64,
                rows_rejected: self.rejections.len() as u64,
                verdicts,
                rejections: self.rejections,
                ignored: self.ignored,
                notes: self.notes,
            })
            .into_response();
        }
        let verdict: Vec<VerdictBody> = bodies.collect();
        let rows = verdict.into_iter().map(|verdict| ScoredRow {
            verdict,
            ignored: self.ignored.clone(),
            notes: self.notes.clone(),
        });
        rows.map(|row| Json(row).into_response())
            .next()
            .unwrap_or_else(|| ApiError::internal("a row without a verdict").into_response())
    }

    fn body(&self, row: &JudgedRow, id: Option<VerdictId>) -> VerdictBody {
        let mut shown = row.row(id, self.created_at, Source::Realtime);
        if !self.is_list {
            shown.number = None;
        }
        shown.verdict(self.reasons)
    }
}
