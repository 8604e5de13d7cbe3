use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tripline_lifecycle::{
    drift::{Adwin, Baseline, Window},
    performance::{Estimate, Rolling},
    promotion::{Comparison, Decision, Place},
};

/// Highest probability of seeing a change of the error rate where there is none.
const CHANGE_ALPHA: f64 = 0.002;
/// Models that are watched at a time; the ones that judged last.
const MAX_MODELS: usize = 64;

/// Where the watching stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MonitorState {
    /// The last verdict that was read.
    pub(crate) cursor: Option<String>,
    /// The last label that was read.
    pub(crate) labels_after: u64,
    /// Verdicts read.
    pub(crate) rows_read: u64,
    /// Verdicts skipped, because there was no time for them.
    pub(crate) rows_skipped: u64,
    /// Verdicts whose features or models are not known here any more.
    pub(crate) rows_unknown: u64,
    /// By identifier of the model.
    pub(crate) models: BTreeMap<String, ModelWatch>,
    /// By identifier of the candidate.
    pub(crate) candidates: BTreeMap<String, CandidateWatch>,
}

/// What is counted of a model that judges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelWatch {
    pub(crate) window: Window,
    pub(crate) estimate: Estimate,
    pub(crate) rolling: Rolling,
    pub(crate) errors: Adwin,
    /// When it judged last, by the time of the rows.
    pub(crate) last_micros: i64,
    /// Whether labels came since the last record.
    pub(crate) has_news: bool,
}

/// What is counted of a candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CandidateWatch {
    /// The model it is compared with.
    pub(crate) champion: String,
    /// Whether it is active already and can be taken back.
    pub(crate) on_probation: bool,
    pub(crate) comparison: Comparison,
    pub(crate) place: Place,
    /// What the policy would do, where a person decides.
    #[serde(default)]
    pub(crate) recommends: Option<Decision>,
}

impl ModelWatch {
    pub(crate) fn new(baseline: &Baseline) -> Self {
        Self {
            window: Window::new(baseline),
            estimate: Estimate::default(),
            rolling: Rolling::default(),
            errors: Adwin::new(CHANGE_ALPHA),
            last_micros: i64::MIN,
            has_news: false,
        }
    }
}

impl MonitorState {
    /// What the store keeps. A state that another version has written is told and begun anew.
    pub(crate) fn read(task: Option<&tripline_store::Task>) -> Self {
        let Some(task) = task else {
            return Self::default();
        };
        serde_json::from_str(&task.value).unwrap_or_else(|error| {
            tracing::warn!(%error, "the state of the watching cannot be read; it begins anew");
            Self::default()
        })
    }

    /// Forgets the models that judged longest ago, when there are too many.
    pub(crate) fn bound(&mut self) {
        while self.models.len() > MAX_MODELS {
            let oldest = self
                .models
                .iter()
                .min_by_key(|(_, watch)| watch.last_micros)
                .map(|(id, _)| id.clone());
            match oldest {
                Some(id) => self.models.remove(&id),
                None => return,
            };
        }
    }
}
