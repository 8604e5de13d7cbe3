use std::{collections::HashMap, ops::Range};

use tripline_detect::Pipeline;
use tripline_features::encode_values;
use tripline_flow::{FlowId, Young};
use tripline_store::{AppendOutcome, NewVerdict, Store, StoreError, Stream, Timestamp};

use super::FlowRecord;
use crate::{
    api::{Judge, reason_bytes},
    sensor::{JudgedFlow, Stage},
};

/// Which place in its stream each flow has. A flow that was told early keeps its place until its
/// final verdict; their number is bounded by that of the flows in the table.
#[derive(Debug, Default)]
pub(crate) struct Places {
    next: u64,
    open: HashMap<FlowId, u64>,
}

impl Places {
    fn of(&mut self, judged: &JudgedFlow) -> u64 {
        let id = judged.flow.id;
        if let Some(&place) = self.open.get(&id) {
            if judged.stage == Stage::Final {
                self.open.remove(&id);
            }
            return place;
        }
        let place = self.next;
        self.next += 1;
        if judged.stage != Stage::Final {
            self.open.insert(id, place);
        }
        place
    }
}

/// Judged flows as rows of the store. Making them and storing them are apart, so that storing can
/// be tried again without giving a flow another place.
#[derive(Debug)]
pub(crate) struct FlowRows {
    judges: Vec<Judge>,
    bytes: Vec<u8>,
    rows: Vec<Prepared>,
}

#[derive(Debug)]
struct Prepared {
    /// Position among the flows that were prepared.
    flow: usize,
    /// Which of its opinions decides, and which models gave it.
    opinion: usize,
    pipeline: usize,
    sequence: u64,
    features: Range<usize>,
    reasons: Range<usize>,
    record: Range<usize>,
}

impl FlowRows {
    /// For flows that these models judge.
    pub(crate) fn new(pipelines: &[Pipeline]) -> Self {
        Self {
            judges: pipelines.iter().cloned().map(Judge::new).collect(),
            bytes: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// The models, by schema.
    pub(crate) fn judges(&self) -> &[Judge] {
        &self.judges
    }

    /// Makes the rows of flows. What no model knows has no row; it returns how many those are.
    pub(crate) fn prepare(
        &mut self,
        flows: &[JudgedFlow],
        places: &mut Places,
    ) -> Result<u64, serde_json::Error> {
        let pipelines: Vec<Pipeline> = self
            .judges
            .iter()
            .map(|judge| judge.pipeline().clone())
            .collect();
        self.bytes.clear();
        self.rows.clear();
        let mut unknown = 0;
        for (at, judged) in flows.iter().enumerate() {
            let Some(deciding) = judged.decision().deciding else {
                unknown += u64::from(judged.stage == Stage::Final);
                continue;
            };
            let opinion = &judged.opinions[deciding];
            let schema = pipelines[opinion.pipeline].schema();
            let start = self.bytes.len();
            encode_values(judged.values(schema).unwrap_or_default(), &mut self.bytes);
            let features = start..self.bytes.len();
            reason_bytes::encode(&opinion.verdict.reasons, &mut self.bytes);
            let reasons = features.end..self.bytes.len();
            FlowRecord::of(judged, &pipelines).encode(&mut self.bytes)?;
            let record = reasons.end..self.bytes.len();
            self.rows.push(Prepared {
                flow: at,
                opinion: deciding,
                pipeline: opinion.pipeline,
                sequence: places.of(judged),
                features,
                reasons,
                record,
            });
        }
        Ok(unknown)
    }

    /// Stores what was prepared of these flows: one transaction for each set of models, each
    /// whole or not at all. Done again it changes nothing.
    pub(crate) fn store(
        &self,
        store: &dyn Store,
        stream: Stream,
        created_at: Timestamp,
        flows: &[JudgedFlow],
    ) -> Result<AppendOutcome, StoreError> {
        let mut sum = AppendOutcome::default();
        for (number, judge) in self.judges.iter().enumerate() {
            let rows: Vec<NewVerdict<'_>> = self
                .rows
                .iter()
                .filter(|row| row.pipeline == number)
                .map(|row| self.verdict(judge, row, &flows[row.flow], created_at))
                .collect();
            if rows.is_empty() {
                continue;
            }
            let outcome = store.append(stream, judge.provenance(), &rows)?;
            sum.inserted += outcome.inserted;
            sum.superseded += outcome.superseded;
            sum.already_present += outcome.already_present;
        }
        Ok(sum)
    }

    fn verdict<'a>(
        &'a self,
        judge: &'a Judge,
        row: &Prepared,
        judged: &'a JudgedFlow,
        created_at: Timestamp,
    ) -> NewVerdict<'a> {
        let verdict = &judged.opinions[row.opinion].verdict;
        NewVerdict {
            sequence: row.sequence,
            stage: match judged.stage {
                Stage::Early(Young::Seen) => tripline_store::Stage::Early,
                Stage::Early(Young::Over) => tripline_store::Stage::Over,
                Stage::Final => tripline_store::Stage::Final,
            },
            created_at,
            row_number: Some(judged.flow.id.first_packet + 1),
            threat: Judge::threat(verdict),
            attack: judge.attack(verdict.attack),
            label: None,
            features: &self.bytes[row.features.clone()],
            reasons: &self.bytes[row.reasons.clone()],
            flow: Some(&self.bytes[row.record.clone()]),
        }
    }
}
