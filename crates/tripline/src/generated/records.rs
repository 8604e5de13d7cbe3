//! Records to try a server with, one after the other and without end.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tripline_features::{FeatureSchema, LiveObservability, Unit, display_value};
use tripline_traffic::{AttackKind, AttackPlan, Label, TrafficPlan};

use super::{Kept, SECOND, draw, flows_of};
use crate::sensor::{JudgedFlow, Stage};

/// Ordinary records kept of each network.
const BENIGN: usize = 140;
/// Records kept of each kind of attack in each network: together about a third of all.
const ATTACKS: usize = 5;

/// Records of generated traffic: packets of ordinary sessions and of every attack, metered as live
/// ones are. When those of one network are used up the next network is generated, so none comes
/// twice.
#[derive(Debug)]
pub(crate) struct Records {
    schema: &'static FeatureSchema,
    seed: u64,
    ready: Vec<Record>,
}

/// A record, and what its flow was generated as.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    /// What headers show of the flow, by the names of the schema.
    pub(crate) fields: Map<String, Value>,
    /// The name of the attack, or that of ordinary traffic.
    pub(crate) label: &'static str,
}

impl Records {
    /// The same schema and seed give the same records.
    pub(crate) fn new(schema: &'static FeatureSchema, seed: u64) -> Self {
        Self {
            schema,
            seed,
            ready: Vec::new(),
        }
    }

    /// The next one; takes a moment when a network has to be generated.
    pub(crate) fn next(&mut self) -> anyhow::Result<Record> {
        loop {
            if let Some(record) = self.ready.pop() {
                return Ok(record);
            }
            self.ready = self.network()?;
            self.seed = self.seed.wrapping_add(1);
        }
    }

    fn network(&self) -> anyhow::Result<Vec<Record>> {
        let mut chance = self.seed;
        let mut kept: BTreeMap<Label, Kept> = BTreeMap::new();
        let mut take = |judged: &JudgedFlow, label: Label| {
            let values = judged.values(self.schema);
            let values = values.filter(|values| self.has_rates(values));
            if let (Some(values), Stage::Final) = (values, judged.stage) {
                let limit = match label {
                    Label::Benign => BENIGN,
                    Label::Attack(_) => ATTACKS,
                };
                let kept = kept.entry(label).or_default();
                kept.offer(values, limit, &mut chance);
            }
        };
        flows_of(&plan(self.seed), &mut take)?;
        let mut records: Vec<Record> = kept
            .iter()
            .flat_map(|(label, kept)| kept.rows.iter().map(|values| self.record(values, *label)))
            .collect();
        // Durstenfeld's shuffle.
        for last in (1..records.len()).rev() {
            let other = draw(&mut chance, last as u64 + 1) as usize;
            records.swap(last, other);
        }
        Ok(records)
    }

    /// A flow of no duration has no rates, and few models take a row without them.
    fn has_rates(&self, values: &[f64]) -> bool {
        let mut features = self.schema.features().iter().zip(values);
        features.all(|(feature, value)| {
            let is_rate = matches!(feature.unit, Unit::BytesPerSecond | Unit::PacketsPerSecond);
            !is_rate || value.is_finite()
        })
    }

    /// What headers show; what a flow does not have, such as the type of an ICMP message, is left out.
    fn record(&self, values: &[f64], label: Label) -> Record {
        let features = self.schema.features().iter().zip(values).enumerate();
        let fields = features
            .filter(|(_, (feature, value))| {
                feature.live == LiveObservability::Observable && value.is_finite()
            })
            .map(|(index, (feature, value))| {
                let shown = display_value(self.schema, index, *value);
                (feature.name.to_owned(), json!(shown))
            });
        Record {
            fields: fields.collect(),
            label: label.name(),
        }
    }
}

/// A minute of a network in which every attack happens once, for a short time.
fn plan(seed: u64) -> TrafficPlan {
    let attack = |(turn, kind): (usize, AttackKind)| AttackPlan {
        kind,
        start_micros: turn as i64 * 4 * SECOND,
        duration_micros: match kind {
            AttackKind::PortScan | AttackKind::Ddos => SECOND / 5,
            AttackKind::DosHulk => SECOND,
            _ => 20 * SECOND,
        },
        intensity: 0.3,
    };
    TrafficPlan {
        attacks: AttackKind::ALL
            .into_iter()
            .enumerate()
            .map(attack)
            .collect(),
        ..TrafficPlan::benign(seed, 60, 5.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn records(schema: &'static FeatureSchema, seed: u64, count: usize) -> Vec<Record> {
        let mut records = Records::new(schema, seed);
        (0..count).map(|_| records.next().unwrap()).collect()
    }

    #[test]
    fn records_are_a_mixture_and_none_is_like_another() {
        for schema in tripline_features::schemas() {
            let all = records(schema, 3, 400);
            assert_eq!(all[..50], records(schema, 3, 50), "the same seed");
            assert_ne!(all[..50], records(schema, 4, 50), "another seed");
            let labels: BTreeSet<&str> = all.iter().map(|record| record.label).collect();
            assert_eq!(labels.len(), 15, "{labels:?}");
            let attacks = all.iter().filter(|one| one.label != "BENIGN").count();
            assert!((80..200).contains(&attacks), "{attacks} of 400");
            let first_attacks = all[..50].iter().filter(|one| one.label != "BENIGN").count();
            assert!(first_attacks > 5, "attacks come late");
            let distinct: BTreeSet<String> = all
                .iter()
                .map(|record| json!(record.fields).to_string())
                .collect();
            // Some sessions look the same in the features of KDD: whole bytes and rates.
            assert!(distinct.len() > 300, "{} of 400", distinct.len());
            for record in &all {
                assert!(record.fields.len() > 15, "{record:?}");
                assert!(record.fields.values().all(|value| !value.is_null()));
            }
        }
    }
}
