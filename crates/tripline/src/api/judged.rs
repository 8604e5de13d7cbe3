//! A row of named values with its verdict: the one way from JSON to models, for the scoring API and
//! for Kafka.

use std::sync::Arc;

use serde_json::{Map, Value};
use tripline_detect::{Scorer, Verdict};
use tripline_features::{FeatureError, FeatureSchema, JsonRecord, LabelText, vector_from_json};
use tripline_store::{Source, Timestamp, VerdictId};

use super::{
    error::ApiError,
    judge::{Judge, STORED_REASONS},
    realtime::NewRow,
    reason_bytes,
    row::{Row, owned},
    scorers::{Pooled, ScorerPool},
};
use crate::registry::Serving;

/// A row and what the models say of it.
#[derive(Debug)]
pub(crate) struct JudgedRow {
    /// Its place among the rows it came with, counted from 1.
    pub(crate) number: u64,
    pub(crate) record: JsonRecord,
    pub(crate) verdict: Verdict,
    pub(crate) pooled: Arc<Pooled>,
}

/// What judges the rows of a request or of a message.
#[derive(Debug)]
pub(crate) struct Bench<'a> {
    pub(crate) pool: &'a ScorerPool,
    pub(crate) serving: &'a Serving,
    /// Reasons for each verdict.
    pub(crate) reasons: usize,
}

impl Bench<'_> {
    /// Judges an object of feature names and values. Without a schema the names decide.
    pub(crate) fn judge(
        &self,
        scorers: &mut Scorers,
        schema: Option<&'static FeatureSchema>,
        number: u64,
        object: &Map<String, Value>,
    ) -> Result<JudgedRow, ApiError> {
        let record = vector_from_json(schema, object).map_err(|error| match error {
            FeatureError::Rejected { column, reason } => {
                ApiError::bad_request(format!("'{column}': {reason}"))
            }
            FeatureError::NoColumns => ApiError::bad_request("the object names no feature"),
            other => other.into(),
        })?;
        let models = self.serving.models_for(|| {
            let mut key = Vec::new();
            record.vector.encode(&mut key);
            key
        });
        let pooled = self.pool.find(models, record.schema, &record.present)?;
        let verdict = scorers
            .of(&pooled, self.reasons)
            .judge(record.vector.values());
        Ok(JudgedRow {
            number,
            record,
            verdict,
            pooled,
        })
    }
}

/// The scorers that a request has taken; the rows of a list rarely need more than one.
#[derive(Debug, Default)]
pub(crate) struct Scorers(Vec<(Arc<Pooled>, Scorer)>);

impl Scorers {
    fn of(&mut self, pooled: &Arc<Pooled>, reasons: usize) -> &mut Scorer {
        let found = self
            .0
            .iter()
            .position(|(other, _)| Arc::ptr_eq(other, pooled));
        let index = found.unwrap_or_else(|| {
            self.0.push((Arc::clone(pooled), pooled.take(reasons)));
            self.0.len() - 1
        });
        &mut self.0[index].1
    }

    /// Puts them back for the next one.
    pub(crate) fn give_back(self, reasons: usize) {
        for (pooled, scorer) in self.0 {
            pooled.give_back(scorer, reasons);
        }
    }
}

impl JudgedRow {
    /// As it is stored.
    pub(crate) fn new_row(&self, created_at: Timestamp) -> NewRow {
        let (mut features, mut reasons) = (Vec::new(), Vec::new());
        self.record.vector.encode(&mut features);
        let stored = &self.verdict.reasons[..self.verdict.reasons.len().min(STORED_REASONS)];
        reason_bytes::encode(stored, &mut reasons);
        NewRow {
            provenance: Arc::clone(self.pooled.provenance()),
            created_at,
            threat: Judge::threat(&self.verdict),
            attack: self.pooled.judge().attack(self.verdict.attack).map(owned),
            label: self.label().map(ToOwned::to_owned),
            features,
            reasons,
        }
    }

    /// As it is shown.
    pub(crate) fn row(
        &self,
        id: Option<VerdictId>,
        created_at: Timestamp,
        source: Source,
    ) -> Row<'_> {
        Row {
            id,
            created_at,
            source,
            batch: None,
            number: Some(self.number),
            provenance: self.pooled.provenance(),
            schema: Some(self.record.schema),
            values: self.record.vector.values().into(),
            threat: Judge::threat(&self.verdict),
            attack: self.pooled.judge().attack(self.verdict.attack),
            label: self.label(),
            reasons: self.verdict.reasons.as_slice().into(),
            flow: None,
        }
    }

    fn label(&self) -> Option<&str> {
        self.record.label.as_ref().map(LabelText::as_str)
    }
}
