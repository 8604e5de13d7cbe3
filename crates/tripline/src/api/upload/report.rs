//! What is told of an upload: while it runs, and when it has ended.

use std::collections::BTreeMap;

use serde::Serialize;
use tripline_features::Rejection;
use tripline_flow::EndReason;
use tripline_store::{Batch, BatchStatus, ClassCount, Counts, Progress};
use utoipa::ToSchema;

use crate::{
    api::{state::AppState, time::rfc3339, upload::comparison::Labelled},
    sensor::SensorCounts,
};

/// The work on an upload. It has the identifier of the batch that it fills.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Job)]
pub(crate) struct JobBody {
    /// The same as `batch_id`.
    pub(crate) id: String,
    /// The batch.
    pub(crate) batch_id: String,
    /// The name of the file, as the client gave it, without a path.
    pub(crate) file_name: Option<String>,
    /// `running`, `complete`, `failed` or `interrupted`.
    #[schema(value_type = String)]
    pub(crate) status: &'static str,
    /// Bytes of the file read so far.
    pub(crate) bytes_read: u64,
    /// The size of the request, when the client told it: the file and some hundred bytes of form.
    pub(crate) bytes_total: Option<u64>,
    /// Rows read so far.
    pub(crate) rows_read: u64,
    /// Rows judged and stored so far.
    pub(crate) rows_scored: u64,
    /// Rows rejected so far.
    pub(crate) rows_rejected: u64,
    /// When it was started.
    pub(crate) started_at: String,
    /// When it ended.
    pub(crate) finished_at: Option<String>,
    /// Why it failed.
    pub(crate) error: Option<String>,
}

impl JobBody {
    /// The job of a batch, with the counts of this moment if this process works on it.
    pub(crate) fn of(state: &AppState, batch: &Batch) -> Self {
        let live = state.live(batch.id);
        let progress = match (batch.status, live) {
            (BatchStatus::Running, Some(live)) => live,
            _ => batch.progress,
        };
        Self {
            id: batch.id.to_string(),
            batch_id: batch.id.to_string(),
            file_name: batch.file_name.clone(),
            status: status(state, batch),
            bytes_read: progress.bytes_read,
            bytes_total: batch.bytes_total,
            rows_read: progress.rows_read,
            rows_scored: progress.rows_scored,
            rows_rejected: progress.rows_rejected,
            started_at: rfc3339(batch.created_at),
            finished_at: batch.finished_at.map(rfc3339),
            error: batch.error.clone(),
        }
    }
}

/// How far the work on a batch has come. A batch that nobody works on is not running, whatever
/// its record says: its end could not be written, as on a full disk.
pub(crate) fn status(state: &AppState, batch: &Batch) -> &'static str {
    match batch.status {
        BatchStatus::Running if state.live(batch.id).is_none() => BatchStatus::Interrupted.name(),
        status => status.name(),
    }
}

/// The result of an upload.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = BatchReport)]
pub(crate) struct ReportBody {
    /// The batch.
    pub(crate) batch_id: String,
    /// The name of the file, as the client gave it, without a path.
    pub(crate) file_name: Option<String>,
    /// When the work on it was started.
    pub(crate) uploaded_at: String,
    /// `running`, `complete`, `failed` or `interrupted`.
    #[schema(value_type = String)]
    pub(crate) status: &'static str,
    /// The schema that the columns were matched to.
    pub(crate) schema: Option<String>,
    /// The models that judged.
    pub(crate) models: Vec<ModelName>,
    /// Rows found in the file.
    pub(crate) rows_read: u64,
    /// Rows judged and stored.
    pub(crate) rows_scored: u64,
    /// Rows rejected.
    pub(crate) rows_rejected: u64,
    /// The first rejected rows.
    #[schema(value_type = Vec<RejectionBody>)]
    pub(crate) rejections: Vec<Rejection>,
    /// Columns that no schema knows; they were not used.
    pub(crate) ignored_columns: Vec<String>,
    /// What the reading policy did to values, for people.
    pub(crate) notes: Vec<String>,
    /// Rows that the detector calls threats.
    pub(crate) threats: u64,
    /// Rows by attack class.
    pub(crate) attack_types: BTreeMap<String, u64>,
    /// How long it took from the first byte to the last stored row.
    pub(crate) seconds: Option<f64>,
    /// The comparison with the labels of the file, when it had any.
    pub(crate) labelled: Option<Labelled>,
    /// What became of the frames; only of a capture, whose rows are flows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) capture: Option<CaptureBody>,
}

/// What became of the frames of a capture.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
#[schema(as = CaptureReport)]
pub(crate) struct CaptureBody {
    /// Frames read.
    pub(crate) frames: u64,
    /// Packets found in them.
    pub(crate) packets: u64,
    /// Flows they belong to.
    pub(crate) flows: u64,
    /// What could not be decoded, by cause.
    pub(crate) not_decoded: BTreeMap<&'static str, u64>,
    /// Frames of which the capture holds only the beginning.
    pub(crate) cut_short: u64,
    /// Flows that ended early because the table of flows was full.
    pub(crate) evicted: u64,
    /// IP fragments.
    pub(crate) fragments: FragmentsBody,
}

/// What became of IP fragments.
#[derive(Debug, Clone, Copy, Default, Serialize, ToSchema)]
#[schema(as = FragmentReport)]
pub(crate) struct FragmentsBody {
    /// Fragments seen.
    pub(crate) seen: u64,
    /// Those whose first fragment was not known, so that they have no ports.
    pub(crate) orphans: u64,
    /// Those that overlap another or end beyond the largest datagram.
    pub(crate) overlapping: u64,
}

impl CaptureBody {
    /// The counts of a capture.
    pub(crate) fn of(counts: &SensorCounts) -> Self {
        Self {
            frames: counts.frames,
            packets: counts.meter.packets,
            flows: counts.meter.flows,
            not_decoded: counts
                .causes
                .iter()
                .map(|(cause, count)| (cause.name(), count))
                .collect(),
            cut_short: counts.cut_short,
            evicted: counts.meter.ended_by(EndReason::Evicted),
            fragments: FragmentsBody {
                seen: counts.fragments.fragments,
                orphans: counts.fragments.orphans,
                overlapping: counts.fragments.overlapping,
            },
        }
    }
}

/// A row that was not used, and why.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RejectionBody {
    /// Line in the file where the row starts, counted from 1.
    line: u64,
    /// The column, when the reason concerns one field.
    column: Option<String>,
    /// The reason.
    reason: String,
}

/// A model that judged.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct ModelName {
    /// `detector`, `classifier` or `namer`.
    pub(crate) role: String,
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
}

impl ReportBody {
    /// What is known of a batch that has not ended with a report of its own: it is running, or
    /// the process ended first.
    pub(crate) fn so_far(
        state: &AppState,
        batch: &Batch,
        counts: Counts,
        classes: Vec<ClassCount>,
    ) -> Self {
        let job = JobBody::of(state, batch);
        Self {
            batch_id: job.batch_id,
            file_name: job.file_name,
            uploaded_at: job.started_at,
            status: job.status,
            schema: batch.schema.clone(),
            models: Vec::new(),
            rows_read: job.rows_read.max(counts.total),
            rows_scored: counts.total,
            rows_rejected: job.rows_rejected,
            rejections: Vec::new(),
            ignored_columns: Vec::new(),
            notes: batch.error.iter().cloned().collect(),
            threats: counts.threats,
            attack_types: attack_types(classes),
            seconds: None,
            labelled: None,
            capture: None,
        }
    }

    /// How far the work had come when the report was made.
    pub(crate) fn progress(&self, bytes_read: u64) -> Progress {
        Progress {
            bytes_read,
            rows_read: self.rows_read,
            rows_scored: self.rows_scored,
            rows_rejected: self.rows_rejected,
        }
    }
}

/// Rows by attack class; the class for harmless rows is none.
pub(crate) fn attack_types(classes: Vec<ClassCount>) -> BTreeMap<String, u64> {
    classes
        .into_iter()
        .filter(|count| count.attacks > 0)
        .map(|count| (count.class, count.attacks))
        .collect()
}
