//! Flows that other sensors recorded: recognised by content, judged by the models whose features
//! they know, and kept in books that balance.

mod books;
pub(crate) mod collector;
mod judges;
mod source;
#[cfg(test)]
mod testing;

use sha2::{Digest, Sha256};
use tripline_features::live::records::RecordFeatures;
use tripline_features::{FeatureSchema, FeatureValue, display_value, nsl_kdd};
use tripline_flow::FlowKey;
use tripline_records::{FlowRecord, RecordSource, Side, UNKNOWN_PROTOCOL};
use tripline_wire::protocol;

pub(crate) use books::RecordBooks;
pub(crate) use judges::{Missing, RecordJudges};
pub(crate) use source::{Input, recognise};

use crate::sensor::Opinion;

/// A record with its features and what is thought of it.
#[derive(Debug)]
pub(crate) struct JudgedRecord {
    /// The record.
    pub(crate) record: FlowRecord,
    /// Both vectors.
    pub(crate) features: RecordFeatures,
    /// The opinions of the models whose features are known.
    pub(crate) opinions: Vec<Opinion>,
    /// Where there is no opinion: what its models lack, by schema.
    pub(crate) missing: Vec<std::sync::Arc<Missing>>,
}

impl JudgedRecord {
    /// Its values in a schema, if it has any there.
    pub(crate) fn values(&self, schema: &FeatureSchema) -> Option<&[f64]> {
        match schema.name() {
            "cicflow" => Some(&self.features.cicflow.values),
            _ => Some(&self.features.nsl_kdd.as_ref()?.values),
        }
    }

    /// The name behind a category of `nsl-kdd`, where it is known.
    pub(crate) fn name_of(&self, feature: &str) -> Option<&'static str> {
        let vector = self.features.nsl_kdd.as_ref()?;
        let index = nsl_kdd().index_of(feature)?;
        match display_value(nsl_kdd(), index, *vector.values.get(index)?) {
            FeatureValue::Name(name) => Some(name),
            _ => None,
        }
    }

    /// The kind of sensor.
    pub(crate) fn sensor(&self) -> &'static str {
        match self.record.source {
            RecordSource::ZeekConn => "zeek",
            RecordSource::SuricataEve => "suricata",
            RecordSource::NetflowV5 => "netflow5",
            RecordSource::NetflowV9 => "netflow9",
            RecordSource::Ipfix => "ipfix",
            _ => "other",
        }
    }

    /// Both sides, as far as the sensor tells them.
    pub(crate) fn sides(&self) -> [Option<Side>; 2] {
        [Some(self.record.forward), self.record.backward]
    }

    /// Why no model was asked; `None` where one was.
    pub(crate) fn not_judged_because(&self) -> Option<String> {
        let texts: Vec<String> = self.missing.iter().map(ToString::to_string).collect();
        self.opinions.is_empty().then(|| texts.join("; "))
    }

    /// The sensor's Community ID, or the one that follows from the end points.
    pub(crate) fn community_id(&self) -> Option<String> {
        let record = &self.record;
        if record.community_id.is_some() {
            return record.community_id.clone();
        }
        let has_ports = record.source_port != 0 || record.destination_port != 0;
        let is_named = match record.protocol {
            protocol::TCP | protocol::UDP | protocol::SCTP => has_ports,
            protocol::ICMP | protocol::ICMPV6 => record.icmp.is_some(),
            other => other != UNKNOWN_PROTOCOL,
        };
        let key = FlowKey {
            source: record.source_address.into(),
            destination: record.destination_address.into(),
            source_port: record.source_port,
            destination_port: record.destination_port,
            protocol: record.protocol,
        };
        is_named.then(|| key.community_id(0, record.icmp))
    }

    /// The same record has the same identity whenever it is read.
    pub(crate) fn identity(&self) -> [u8; 16] {
        let record = &self.record;
        let text = format!(
            "{} {:?} {} {:?} {} {} {} {} {} {:?}",
            self.sensor(),
            record.uid,
            record.start_micros,
            record.end_micros,
            record.source_address,
            record.source_port,
            record.destination_address,
            record.destination_port,
            record.protocol,
            record.icmp,
        );
        let digest = Sha256::digest(text);
        digest.first_chunk().copied().unwrap_or_default()
    }
}
