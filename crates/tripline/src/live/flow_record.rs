use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use tripline_detect::Pipeline;
use tripline_features::live::service_of;
use tripline_flow::{EndReason, Flow, Heading, Moment};
use tripline_store::Timestamp;

use crate::sensor::{JudgedFlow, Opinion, Stage};

/// The first packets of a flow that are kept.
pub(crate) const TIMELINE_PACKETS: usize = 32;

/// The first byte of a record. A record of another version is left alone.
const VERSION: u8 = 1;

/// TCP flags by their letters, lowest bit first.
const FLAG_LETTERS: [char; 8] = ['F', 'S', 'R', 'P', 'A', 'U', 'E', 'C'];

/// What is stored of a flow beside its features: a version, then JSON with short names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FlowRecord {
    /// [`Flow::identity`] in hexadecimal.
    #[serde(rename = "id")]
    pub(crate) flow_id: String,
    #[serde(rename = "cid")]
    pub(crate) community_id: String,
    #[serde(rename = "s")]
    pub(crate) source: IpAddr,
    #[serde(rename = "sp")]
    pub(crate) source_port: u16,
    #[serde(rename = "d")]
    pub(crate) destination: IpAddr,
    #[serde(rename = "dp")]
    pub(crate) destination_port: u16,
    #[serde(rename = "p")]
    pub(crate) protocol: u8,
    /// The service by its port, in the spelling of NSL-KDD.
    #[serde(rename = "srv", default, skip_serializing_if = "Option::is_none")]
    pub(crate) service: Option<String>,
    /// The state of the connection, in the spelling of NSL-KDD.
    #[serde(rename = "con", default, skip_serializing_if = "Option::is_none")]
    pub(crate) connection: Option<String>,
    #[serde(rename = "t0")]
    pub(crate) start_micros: i64,
    #[serde(rename = "t1")]
    pub(crate) end_micros: i64,
    /// `None` of a flow that goes on.
    #[serde(rename = "end", default, skip_serializing_if = "Option::is_none")]
    pub(crate) end_reason: Option<String>,
    /// Whether the flow went on when it was judged.
    #[serde(rename = "early", default)]
    pub(crate) is_early: bool,
    #[serde(rename = "pf")]
    pub(crate) packets_forward: u64,
    #[serde(rename = "pb")]
    pub(crate) packets_backward: u64,
    #[serde(rename = "bf")]
    pub(crate) bytes_forward: i64,
    #[serde(rename = "bb")]
    pub(crate) bytes_backward: i64,
    #[serde(rename = "tl", default)]
    pub(crate) timeline: Vec<RecordedMoment>,
    #[serde(rename = "op", default)]
    pub(crate) opinions: Vec<RecordedOpinion>,
}

/// One of the first packets: offset in microseconds, whether it went backward, payload bytes and
/// TCP flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecordedMoment(i64, bool, u32, u8);

/// What the models of one schema thought of the flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RecordedOpinion {
    #[serde(rename = "sc")]
    pub(crate) schema: String,
    #[serde(rename = "pr", default)]
    pub(crate) probability: Option<f64>,
    #[serde(rename = "th", default)]
    pub(crate) is_threat: bool,
    #[serde(rename = "cl", default)]
    pub(crate) class: Option<String>,
    #[serde(rename = "cf", default)]
    pub(crate) confidence: Option<f64>,
    #[serde(rename = "m", default)]
    pub(crate) models: Vec<String>,
}

impl FlowRecord {
    /// What is to be stored of a flow that these models judged.
    pub(crate) fn of(judged: &JudgedFlow, pipelines: &[Pipeline]) -> Self {
        let flow = &*judged.flow;
        let timeline = flow.timeline.iter().take(TIMELINE_PACKETS);
        let opinions = judged.opinions.iter().filter_map(|opinion| {
            let pipeline = pipelines.get(opinion.pipeline)?;
            Some(RecordedOpinion::of(opinion, pipeline))
        });
        Self {
            flow_id: uuid::Uuid::from_bytes(flow.identity()).simple().to_string(),
            community_id: flow.community_id(),
            source: flow.key.source.into(),
            source_port: flow.key.source_port,
            destination: flow.key.destination.into(),
            destination_port: flow.key.destination_port,
            protocol: flow.key.protocol,
            service: service(flow).map(ToOwned::to_owned),
            connection: flow
                .connection
                .map(|connection| connection.flag().name().to_owned()),
            start_micros: flow.start_micros,
            end_micros: flow.last_micros,
            end_reason: flow.end.map(|reason| EndReason::name(reason).to_owned()),
            is_early: judged.stage != Stage::Final,
            packets_forward: u64::from(flow.forward.packets()),
            packets_backward: u64::from(flow.backward.packets()),
            bytes_forward: flow.forward.bytes(),
            bytes_backward: flow.backward.bytes(),
            timeline: timeline.map(RecordedMoment::of).collect(),
            opinions: opinions.collect(),
        }
    }

    /// Appends the bytes that are stored.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        out.push(VERSION);
        serde_json::to_writer(out, self)
    }

    /// Reads stored bytes; those of another version, or damaged ones, are none.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        match bytes.split_first() {
            Some((&VERSION, json)) => serde_json::from_slice(json).ok(),
            _ => None,
        }
    }

    /// When the first packet came.
    pub(crate) fn start(&self) -> Timestamp {
        Timestamp(self.start_micros)
    }

    /// When the last packet came that was seen.
    pub(crate) fn end(&self) -> Timestamp {
        Timestamp(self.end_micros)
    }

    /// From the first packet to the last; negative where packets are out of order.
    pub(crate) fn duration_seconds(&self) -> f64 {
        self.end_micros.saturating_sub(self.start_micros) as f64 / 1e6
    }
}

impl RecordedMoment {
    fn of(moment: &Moment) -> Self {
        Self(
            moment.offset_micros,
            moment.heading == Heading::Backward,
            moment.payload_bytes,
            moment.flags,
        )
    }

    /// Seconds since the first packet.
    pub(crate) fn offset_seconds(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// `forward` or `backward`.
    pub(crate) fn direction(self) -> &'static str {
        if self.1 { "backward" } else { "forward" }
    }

    /// Payload bytes.
    pub(crate) fn payload_bytes(self) -> u32 {
        self.2
    }

    /// TCP flags by their letters, such as `SA`.
    pub(crate) fn flags(self) -> String {
        let set = (0..).zip(FLAG_LETTERS);
        set.filter(|(bit, _)| self.3 >> bit & 1 == 1)
            .map(|(_, letter)| letter)
            .collect()
    }
}

impl RecordedOpinion {
    fn of(opinion: &Opinion, pipeline: &Pipeline) -> Self {
        let attack = opinion.verdict.attack;
        let class = attack.and_then(|attack| {
            let classes = &pipeline.classifier()?.manifest().classes;
            Some(classes.get(attack.class)?.name.clone())
        });
        let model = |model: &std::sync::Arc<tripline_detect::Model>| {
            let manifest = model.manifest();
            format!("{}@{}", manifest.name, manifest.version)
        };
        Self {
            schema: pipeline.schema().name().to_owned(),
            probability: opinion.verdict.threat.map(|threat| threat.probability),
            is_threat: opinion.verdict.is_threat(),
            class,
            confidence: attack.map(|attack| attack.confidence),
            models: pipeline.models().map(model).collect(),
        }
    }
}

/// The service that the connection's responder offers, by its port.
fn service(flow: &Flow) -> Option<&'static str> {
    let connection = flow.connection?;
    let key = match connection.originator() {
        Heading::Forward => flow.key,
        Heading::Backward => flow.key.reversed(),
    };
    service_of(connection.protocol(), key.source_port, key.destination_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> FlowRecord {
        FlowRecord {
            flow_id: "00".repeat(16),
            community_id: "1:abc=".to_owned(),
            source: [192, 0, 2, 1].into(),
            source_port: 40_000,
            destination: "2001:db8::1".parse().unwrap(),
            destination_port: 443,
            protocol: 6,
            service: None,
            connection: Some("SF".to_owned()),
            start_micros: -1,
            end_micros: 1_500_000,
            end_reason: Some("closed".to_owned()),
            is_early: false,
            packets_forward: 1,
            packets_backward: u64::MAX,
            bytes_forward: 0,
            bytes_backward: i64::MAX,
            timeline: vec![
                RecordedMoment(0, false, 0, 2),
                RecordedMoment(9, true, 7, 0x12),
            ],
            opinions: vec![RecordedOpinion {
                schema: "cicflow".to_owned(),
                probability: Some(0.1),
                is_threat: false,
                class: None,
                confidence: None,
                models: vec!["a@1".to_owned()],
            }],
        }
    }

    #[test]
    fn a_record_survives_its_bytes() {
        let mut bytes = Vec::new();
        record().encode(&mut bytes).unwrap();
        assert_eq!(FlowRecord::decode(&bytes), Some(record()));
    }

    #[test]
    fn bytes_that_are_no_record_are_none() {
        let mut bytes = Vec::new();
        record().encode(&mut bytes).unwrap();
        assert_eq!(FlowRecord::decode(&bytes[..bytes.len() - 1]), None);
        assert_eq!(FlowRecord::decode(&bytes[1..]), None);
        bytes[0] = VERSION + 1;
        assert_eq!(FlowRecord::decode(&bytes), None);
        assert_eq!(FlowRecord::decode(&[]), None);
    }

    #[test]
    fn flags_are_told_by_their_letters() {
        let flags = |flags| RecordedMoment(0, false, 0, flags).flags();
        assert_eq!(flags(0), "");
        assert_eq!(flags(0x12), "SA");
        assert_eq!(flags(0xff), "FSRPAUEC");
    }
}
