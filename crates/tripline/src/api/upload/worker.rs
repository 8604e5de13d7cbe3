//! The thread that works an upload off, and the span of that work.

use std::io::Read;

use tokio::{
    sync::{OwnedSemaphorePermit, oneshot},
    task::JoinHandle,
};

use super::{
    capture_job,
    form::FileKind,
    job::{self, Task},
    report::ReportBody,
};
use crate::{
    api::{error::ApiError, state::AppState},
    traces::Span,
};

/// Begins the work on a file. `opened` is told once the file was understood and is on record.
pub(super) fn start(
    state: &AppState,
    kind: FileKind,
    (task, slot): (Task, OwnedSemaphorePermit),
    bytes: impl Read + Send + 'static,
    opened: oneshot::Sender<()>,
) -> JoinHandle<Result<ReportBody, ApiError>> {
    let state = state.clone();
    // It belongs to the request that brought the file, and may outlast it.
    let span = Span::step(match kind {
        FileKind::Csv => "upload csv",
        FileKind::Capture => "upload capture",
    });
    let span = span.bounded();
    span.set("tripline.batch_id", task.reservation.batch().to_string());
    let context = span.surroundings();
    tokio::task::spawn_blocking(move || {
        let _within = context.attach();
        let outcome = match kind {
            FileKind::Csv => job::run(&state, &task, bytes, opened),
            FileKind::Capture => capture_job::run(&state, &task, bytes, opened),
        };
        match &outcome {
            Ok(report) => {
                span.set("tripline.rows_scored", report.rows_scored as i64);
                span.set("tripline.rows_rejected", report.rows_rejected as i64);
            }
            Err(error) => span.fail(error.status_text()),
        }
        // Only now may the next upload begin, and the next request see no live job.
        drop((slot, task));
        outcome
    })
}
