//! Files: a CSV or a capture comes in as a form and becomes stored verdicts while it arrives. A
//! small CSV is answered with the origin system's list of predictions, everything else with a job.

pub(super) mod body;
mod capture_job;
mod comparison;
pub(super) mod form;
mod job;
mod report;
mod worker;

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tokio::sync::oneshot;
use tripline_store::BatchId;
use utoipa::ToSchema;

pub(crate) use self::report::{JobBody, RejectionBody, ReportBody, attack_types};
use self::{
    body::{channel, form_error},
    form::{FileKind, clean_name, read_form},
    job::Task,
    report::status,
};
use super::{
    error::{ApiError, ErrorBody},
    origin::CompletePrediction,
    query::Params,
    row::Row,
    state::AppState,
    streaming::streamed,
    time::rfc3339,
};

/// How long a client that asked for a job waits for a small file to be done.
const JOB_PATIENCE: Duration = Duration::from_millis(500);
/// Rows fetched from the store at a time.
const PAGE_ROWS: usize = 1000;
/// Jobs listed.
const LISTED_JOBS: usize = 100;

/// The answer to a small file, as the origin system gives it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UploadAnswer {
    /// `Successfully processed N rows`.
    message: String,
    /// The batch.
    batch_id: String,
    /// Rows judged and stored.
    total_rows: u64,
    /// Every one of them, in the order of the file.
    predictions: Vec<CompletePrediction>,
    /// What became of the whole file, rejected rows included.
    report: ReportBody,
}

/// The answer to a large file, and to `mode=job`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UploadAccepted {
    /// One sentence for people.
    message: String,
    /// The batch.
    batch_id: String,
    /// The job; ask for it at `status_url`.
    job_id: String,
    /// Rows judged and stored so far.
    total_rows: u64,
    /// Where to ask how far the job has come.
    status_url: String,
    /// Where the result is.
    report_url: String,
}

/// Takes a CSV file.
///
/// Rows are judged while the file arrives. A file of at most `--full-list-rows` rows (10,000
/// unless the operator says otherwise) is answered with 200 and all predictions, a larger one
/// with 202 and a job. A row that cannot be read is rejected alone; the report counts it.
#[utoipa::path(
    post, path = "/api/v1/upload/csv", tag = "upload",
    params(
        ("mode" = Option<String>, Query, description = "`job` for an answer without predictions whatever the size"),
        ("batch_id" = Option<String>, Query, description = "a UUID of the client's choice, to follow the job while the file is sent; 409 when it is taken"),
    ),
    request_body(content = String, content_type = "multipart/form-data", description = "a form with the field `file`, whose file name ends in `.csv`"),
    responses(
        (status = 200, description = "all predictions", body = UploadAnswer),
        (status = 202, description = "a job", body = UploadAccepted),
        (status = 400, description = "no file, not a CSV, no row that can be read, columns of no model", body = ErrorBody),
        (status = 409, description = "the batch exists", body = ErrorBody),
        (status = 413, description = "larger than accepted", body = ErrorBody),
        (status = 415, description = "not a form", body = ErrorBody),
        (status = 503, description = "no model, or too many uploads at a time", body = ErrorBody),
        (status = 507, description = "no space left", body = ErrorBody),
    )
)]
pub(crate) async fn csv(
    State(state): State<AppState>,
    params: Params,
    request: Request,
) -> Result<Response, ApiError> {
    take(state, params, request, FileKind::Csv).await
}

/// Takes a capture: pcap or pcapng, plain or compressed with gzip or Zstandard.
///
/// Packets become flows and flows verdicts while the file arrives; the answer is always a job. Of
/// a capture that is damaged or ends in the middle the flows are kept, and the report has the
/// causes. The rows of the report are flows.
#[utoipa::path(
    post, path = "/api/v1/upload/capture", tag = "upload",
    params(
        ("mode" = Option<String>, Query, description = "`job` as for CSV; the answer is the same without it"),
        ("batch_id" = Option<String>, Query, description = "a UUID of the client's choice, to follow the job while the file is sent; 409 when it is taken"),
    ),
    request_body(content = String, content_type = "multipart/form-data", description = "a form with the field `file`, whose file name ends in `.pcap`, `.pcapng` or `.cap`, with `.gz` or `.zst` behind it or not; the content decides"),
    responses(
        (status = 202, description = "a job", body = UploadAccepted),
        (status = 400, description = "no file, or not a capture", body = ErrorBody),
        (status = 409, description = "the batch exists", body = ErrorBody),
        (status = 413, description = "larger than accepted", body = ErrorBody),
        (status = 415, description = "not a form", body = ErrorBody),
        (status = 503, description = "no model, or too many uploads at a time", body = ErrorBody),
        (status = 507, description = "no space left", body = ErrorBody),
    )
)]
pub(crate) async fn capture(
    State(state): State<AppState>,
    params: Params,
    request: Request,
) -> Result<Response, ApiError> {
    take(state, params, request, FileKind::Capture).await
}

async fn take(
    state: AppState,
    params: Params,
    request: Request,
    kind: FileKind,
) -> Result<Response, ApiError> {
    params.only(&["mode", "batch_id"])?;
    let wants_job = match params.text("mode") {
        None => false,
        Some("job") => true,
        Some(_) => return Err(ApiError::bad_request("mode can only be 'job'")),
    };
    let wants_job = wants_job || kind == FileKind::Capture;
    let batch = batch_to_be(&state, &params).await?;
    let bytes_total = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    let mut form = read_form(request).await?;
    let serving = state.registry().serving();
    if serving.active().models().is_empty() {
        return Err(ApiError::no_model());
    }
    let slot = state
        .upload_slots()
        .try_acquire_many_owned(kind.slots())
        .map_err(|_| {
            ApiError::unavailable("too many files are being judged at the moment; try again")
        })?;
    let reservation = state
        .reserve(batch)
        .ok_or_else(|| ApiError::new(StatusCode::CONFLICT, format!("batch {batch} exists")))?;
    while let Some(field) = form
        .next_field()
        .await
        .map_err(|error| form_error(&error))?
    {
        if field.name() != Some("file") {
            continue;
        }
        let file_name = clean_name(field.file_name().unwrap_or_default());
        kind.check_name(&file_name)?;
        let (sender, reader) = channel(std::sync::Arc::clone(reservation.progress()));
        let task = Task {
            reservation,
            serving,
            file_name: Some(file_name),
            bytes_total,
        };
        let (tell_opened, opened) = oneshot::channel();
        let worker = worker::start(&state, kind, (task, slot), reader, tell_opened);
        // The reader learns of a broken form too and gives its own account of it.
        let sent = sender.send_all(field).await;
        return answer(&state, batch, wants_job, sent, opened, worker).await;
    }
    Err(ApiError::bad_request(
        "the form has no file: expected a field named 'file'",
    ))
}

async fn answer(
    state: &AppState,
    batch: BatchId,
    wants_job: bool,
    sent: Result<(), ApiError>,
    opened: oneshot::Receiver<()>,
    mut worker: tokio::task::JoinHandle<Result<ReportBody, ApiError>>,
) -> Result<Response, ApiError> {
    // Without this message the worker has given up, and its outcome says why.
    let is_open = opened.await.is_ok();
    let limit = state.settings().full_list_rows;
    let is_large = || {
        state
            .live(batch)
            .is_some_and(|progress| progress.rows_scored > limit)
    };
    if is_open && sent.is_ok() {
        let patience = if wants_job || is_large() {
            JOB_PATIENCE
        } else {
            Duration::MAX
        };
        let finished = tokio::time::timeout(patience, &mut worker).await;
        let report = match finished {
            Err(_) => return Ok(accepted(state, batch, None)),
            Ok(joined) => joined.map_err(ApiError::internal)??,
        };
        return Ok(if wants_job || report.rows_scored > limit {
            accepted(state, batch, Some(&report))
        } else {
            full_list(state, batch, report)
        });
    }
    let outcome = worker.await.map_err(ApiError::internal)?;
    sent?;
    outcome.map(|report| accepted(state, batch, Some(&report)))
}

fn accepted(state: &AppState, batch: BatchId, report: Option<&ReportBody>) -> Response {
    let total_rows = report.map_or_else(
        || state.live(batch).map_or(0, |progress| progress.rows_scored),
        |report| report.rows_scored,
    );
    let message = match report {
        Some(_) => format!("Successfully processed {total_rows} rows"),
        None => "The file is being processed".to_owned(),
    };
    let body = UploadAccepted {
        message,
        batch_id: batch.to_string(),
        job_id: batch.to_string(),
        total_rows,
        status_url: format!("/api/v1/jobs/{batch}"),
        report_url: format!("/api/v1/upload/batch/{batch}/report"),
    };
    (StatusCode::ACCEPTED, Json(body)).into_response()
}

fn full_list(state: &AppState, batch: BatchId, report: ReportBody) -> Response {
    streamed(state, "application/json", move |state, out| {
        use std::io::Write as _;
        let rows = report.rows_scored;
        write!(out, "{{\"message\":\"Successfully processed {rows} rows\",")?;
        write!(
            out,
            "\"batch_id\":\"{batch}\",\"total_rows\":{rows},\"predictions\":["
        )?;
        write_rows(state, batch, None, u64::MAX, out)?;
        out.write_all(b"],\"report\":")?;
        serde_json::to_writer(&mut *out, &report)?;
        Ok(out.write_all(b"}")?)
    })
}

/// Writes the predictions of a batch with commas between them; returns where to go on when there
/// may be more.
fn write_rows(
    state: &AppState,
    batch: BatchId,
    mut after: Option<u64>,
    limit: u64,
    out: &mut impl std::io::Write,
) -> anyhow::Result<Option<u64>> {
    let mut written = 0;
    loop {
        let wanted = PAGE_ROWS.min(usize::try_from(limit - written).unwrap_or(PAGE_ROWS));
        if wanted == 0 {
            return Ok(after);
        }
        let page = state.store().batch_rows(batch, after, wanted)?;
        for verdict in &page {
            if written > 0 {
                out.write_all(b",")?;
            }
            serde_json::to_writer(&mut *out, &Row::stored(verdict).complete())?;
            written += 1;
            after = Some(verdict.sequence);
        }
        if page.len() < wanted {
            return Ok(None);
        }
    }
}

async fn batch_to_be(state: &AppState, params: &Params) -> Result<BatchId, ApiError> {
    let Some(text) = params.text("batch_id") else {
        return Ok(BatchId::from_random_bytes(*uuid::Uuid::new_v4().as_bytes()));
    };
    let batch = text
        .parse::<BatchId>()
        .map_err(|_| ApiError::bad_request("batch_id is not a UUID"))?;
    match state.ask(move |store| store.batch(batch)).await? {
        None => Ok(batch),
        Some(_) => Err(ApiError::new(
            StatusCode::CONFLICT,
            format!("batch {batch} exists"),
        )),
    }
}

/// One upload in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchItem {
    /// Its identifier.
    batch_id: String,
    /// Rows stored.
    row_count: u64,
    /// When the work on it was started.
    uploaded_at: String,
    /// The name of the file, as the client gave it, without a path.
    file_name: Option<String>,
    /// `running`, `complete`, `failed` or `interrupted`.
    #[schema(value_type = String)]
    status: &'static str,
}

/// A list of uploads.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchList {
    /// Newest first.
    batches: Vec<BatchItem>,
}

/// Lists uploads, newest first.
#[utoipa::path(
    get, path = "/api/v1/upload/batches", tag = "upload",
    params(("limit" = Option<u64>, Query, description = "1 to 1000, 100 when absent")),
    responses((status = 200, body = BatchList), (status = 422, body = ErrorBody))
)]
pub(crate) async fn batches(
    State(state): State<AppState>,
    params: Params,
) -> Result<Json<BatchList>, ApiError> {
    params.only(&["limit"])?;
    let limit = params.limit()?;
    let page = state.ask(move |store| store.batches(None, limit)).await?;
    let batches = page.batches.iter().map(|batch| BatchItem {
        batch_id: batch.id.to_string(),
        row_count: batch.rows_stored,
        uploaded_at: rfc3339(batch.created_at),
        file_name: batch.file_name.clone(),
        status: status(&state, batch),
    });
    Ok(Json(BatchList {
        batches: batches.collect(),
    }))
}

/// The rows of an upload.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchRows {
    /// Its identifier.
    batch_id: String,
    /// Rows stored.
    total_rows: u64,
    /// The rows, in the order of the file.
    predictions: Vec<CompletePrediction>,
    /// The value of `after` for the next part; null at the end.
    next: Option<u64>,
}

/// The rows of an upload, in the order of the file.
#[utoipa::path(
    get, path = "/api/v1/upload/batch/{batch_id}", tag = "upload",
    params(
        ("batch_id" = String, Path),
        ("limit" = Option<u64>, Query, description = "rows at most; `--full-list-rows` when absent, 1,000,000 at most"),
        ("after" = Option<u64>, Query, description = "`next` of the part before"),
    ),
    responses((status = 200, body = BatchRows), (status = 404, body = ErrorBody))
)]
pub(crate) async fn batch(
    State(state): State<AppState>,
    Path(batch_id): Path<String>,
    params: Params,
) -> Result<Response, ApiError> {
    params.only(&["limit", "after"])?;
    let limit = params.number("limit", state.settings().full_list_rows, 1..=1_000_000)?;
    let after = match params.text("after") {
        None => None,
        Some(_) => Some(params.number("after", 0, 0..=u64::MAX >> 1)?),
    };
    let batch = find(&state, &batch_id).await?;
    let total = batch.rows_stored;
    let id = batch.id;
    Ok(streamed(&state, "application/json", move |state, out| {
        use std::io::Write as _;
        write!(
            out,
            "{{\"batch_id\":\"{id}\",\"total_rows\":{total},\"predictions\":["
        )?;
        let next = write_rows(state, id, after, limit, out)?;
        out.write_all(b"],\"next\":")?;
        serde_json::to_writer(&mut *out, &next)?;
        Ok(out.write_all(b"}")?)
    }))
}

/// What became of an upload.
#[utoipa::path(
    get, path = "/api/v1/upload/batch/{batch_id}/report", tag = "upload",
    params(("batch_id" = String, Path)),
    responses((status = 200, body = ReportBody), (status = 404, body = ErrorBody))
)]
pub(crate) async fn batch_report(
    State(state): State<AppState>,
    Path(batch_id): Path<String>,
) -> Result<Response, ApiError> {
    let batch = find(&state, &batch_id).await?;
    let id = batch.id;
    if let Some(report) = state.ask(move |store| store.batch_report(id)).await? {
        return Ok(([(header::CONTENT_TYPE, "application/json")], report).into_response());
    }
    let (counts, classes) = state
        .ask(move |store| Ok((store.batch_counts(id)?, store.batch_class_counts(id)?)))
        .await?;
    Ok(Json(ReportBody::so_far(&state, &batch, counts, classes)).into_response())
}

/// A list of jobs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobList {
    /// The newest hundred, newest first.
    jobs: Vec<JobBody>,
}

/// Lists the work on uploads.
#[utoipa::path(
    get, path = "/api/v1/jobs", tag = "upload",
    responses((status = 200, body = JobList))
)]
pub(crate) async fn jobs(State(state): State<AppState>) -> Result<Json<JobList>, ApiError> {
    let page = state.ask(|store| store.batches(None, LISTED_JOBS)).await?;
    let jobs = page
        .batches
        .iter()
        .map(|batch| JobBody::of(&state, batch))
        .collect();
    Ok(Json(JobList { jobs }))
}

/// How far the work on an upload has come.
#[utoipa::path(
    get, path = "/api/v1/jobs/{job_id}", tag = "upload",
    params(("job_id" = String, Path)),
    responses((status = 200, body = JobBody), (status = 404, body = ErrorBody))
)]
pub(crate) async fn job(
    State(state): State<AppState>,
    Path(job_id): Path<String>,
) -> Result<Json<JobBody>, ApiError> {
    let batch = find(&state, &job_id)
        .await
        .map_err(|error| match error.detail() {
            "Batch not found" => ApiError::not_found("Job not found"),
            _ => error,
        })?;
    Ok(Json(JobBody::of(&state, &batch)))
}

async fn find(state: &AppState, text: &str) -> Result<tripline_store::Batch, ApiError> {
    let unknown = || ApiError::not_found("Batch not found");
    let id: BatchId = text.parse().map_err(|_| unknown())?;
    state
        .ask(move |store| store.batch(id))
        .await?
        .ok_or_else(unknown)
}
