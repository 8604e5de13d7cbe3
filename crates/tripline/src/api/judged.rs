//! A row of named values with its verdict: the one way from JSON to models, for the scoring API and
//! for Kafka.

use std::sync::Arc;

use serde_json::{Map, Value};
use tripline_detect::{ModelSet, Scorer, Verdict};
use tripline_features::{FeatureError, FeatureSchema, JsonReader, JsonRecord, LabelText};
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

/// A row that was read, and what is to judge it.
#[derive(Debug)]
pub(crate) struct ReadRow {
    /// Its place among the rows it came with, counted from 1.
    number: u64,
    pub(crate) record: JsonRecord,
    pooled: Arc<Pooled>,
}

/// A row and what the models say of it.
#[derive(Debug)]
pub(crate) struct JudgedRow {
    /// Its place among the rows it came with, counted from 1.
    pub(crate) number: u64,
    pub(crate) record: JsonRecord,
    pub(crate) verdict: Verdict,
    pub(crate) pooled: Arc<Pooled>,
}

/// What reads and judges the rows of a request, or of messages.
#[derive(Debug)]
pub(crate) struct Bench<'a> {
    pool: &'a ScorerPool,
    serving: &'a Serving,
    /// Reasons for each verdict.
    reasons: usize,
    reader: JsonReader,
    /// What was found for the last row; the next one is mostly alike.
    found: Option<Found>,
    /// The scorers that were taken; the rows of a list rarely need more than one.
    scorers: Vec<(Arc<Pooled>, Scorer)>,
}

/// What judges rows of a schema with these features.
#[derive(Debug)]
struct Found {
    models: Arc<ModelSet>,
    schema: &'static FeatureSchema,
    present: Vec<bool>,
    pooled: Arc<Pooled>,
}

impl<'a> Bench<'a> {
    /// For verdicts with so many reasons.
    pub(crate) fn new(pool: &'a ScorerPool, serving: &'a Serving, reasons: usize) -> Self {
        Self {
            pool,
            serving,
            reasons,
            reader: JsonReader::default(),
            found: None,
            scorers: Vec::new(),
        }
    }

    /// Reads an object of feature names and values. Without a schema the names decide.
    pub(crate) fn read(
        &mut self,
        schema: Option<&'static FeatureSchema>,
        number: u64,
        object: &Map<String, Value>,
    ) -> Result<ReadRow, ApiError> {
        let record = self
            .reader
            .read(schema, object)
            .map_err(|error| match error {
                FeatureError::Rejected { column, reason } => {
                    ApiError::bad_request(format!("'{column}': {reason}"))
                }
                FeatureError::NoColumns => ApiError::bad_request("the object names no feature"),
                other => other.into(),
            })?;
        Ok(ReadRow {
            pooled: self.judges_of(&record)?,
            number,
            record,
        })
    }

    fn judges_of(&mut self, record: &JsonRecord) -> Result<Arc<Pooled>, ApiError> {
        let models = self.serving.models_for(|| {
            let mut key = Vec::new();
            record.vector.encode(&mut key);
            key
        });
        if let Some(found) = &self.found
            && Arc::ptr_eq(&found.models, models)
            && std::ptr::eq(found.schema, record.schema)
            && found.present == record.present
        {
            return Ok(Arc::clone(&found.pooled));
        }
        let pooled = self.pool.find(models, record.schema, &record.present)?;
        self.found = Some(Found {
            models: Arc::clone(models),
            schema: record.schema,
            present: record.present.clone(),
            pooled: Arc::clone(&pooled),
        });
        Ok(pooled)
    }

    /// The verdicts on rows, in their order. Many at once cost less than one at a time.
    pub(crate) fn judge(&mut self, rows: &[ReadRow]) -> Vec<Verdict> {
        let mut values: Vec<(Arc<Pooled>, Vec<f64>)> = Vec::new();
        let mut places = Vec::with_capacity(rows.len());
        for row in rows {
            let found = values
                .iter()
                .position(|(pooled, _)| Arc::ptr_eq(pooled, &row.pooled));
            let place = found.unwrap_or_else(|| {
                values.push((Arc::clone(&row.pooled), Vec::new()));
                values.len() - 1
            });
            values[place]
                .1
                .extend_from_slice(row.record.vector.values());
            places.push(place);
        }
        let mut verdicts: Vec<_> = values
            .iter()
            .map(|(pooled, values)| self.scorer(pooled).judge_rows(values).into_iter())
            .collect();
        let verdict = |place: usize| verdicts[place].next().unwrap_or_default();
        places.into_iter().map(verdict).collect()
    }

    fn scorer(&mut self, pooled: &Arc<Pooled>) -> &mut Scorer {
        let found = self
            .scorers
            .iter()
            .position(|(other, _)| Arc::ptr_eq(other, pooled));
        let index = found.unwrap_or_else(|| {
            let scorer = pooled.take(self.reasons);
            self.scorers.push((Arc::clone(pooled), scorer));
            self.scorers.len() - 1
        });
        &mut self.scorers[index].1
    }

    /// The rows with their verdicts, in their order.
    pub(crate) fn judge_all(mut self, rows: Vec<ReadRow>) -> Vec<JudgedRow> {
        let verdicts = self.judge(&rows);
        self.give_back();
        let rows = rows.into_iter().zip(verdicts);
        rows.map(|(row, verdict)| row.with(verdict)).collect()
    }

    /// Reads and judges a single object.
    pub(crate) fn judge_one(
        mut self,
        schema: Option<&'static FeatureSchema>,
        object: &Map<String, Value>,
    ) -> Result<JudgedRow, ApiError> {
        let row = self.read(schema, 1, object)?;
        let verdict = self.judge(std::slice::from_ref(&row)).pop();
        self.give_back();
        Ok(row.with(verdict.unwrap_or_default()))
    }

    /// Drops the scorers: a panic may have left their memory half written.
    pub(crate) fn distrust(&mut self) {
        self.scorers.clear();
    }

    /// Puts the scorers back for the next one.
    pub(crate) fn give_back(self) {
        for (pooled, scorer) in self.scorers {
            pooled.give_back(scorer, self.reasons);
        }
    }
}

impl ReadRow {
    /// With what the models say of it.
    pub(crate) fn with(self, verdict: Verdict) -> JudgedRow {
        JudgedRow {
            number: self.number,
            record: self.record,
            verdict,
            pooled: self.pooled,
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
