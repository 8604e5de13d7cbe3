//! The flow behind a verdict, when it is one.

use serde::Serialize;
use utoipa::ToSchema;

use super::time::rfc3339;
use crate::{
    flows::protocol_name,
    live::{FlowRecord, RecordedMoment, RecordedOpinion},
};

/// A flow: what two end points sent each other.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Flow)]
pub(crate) struct FlowBody {
    /// Made of the end points and the time of the first packet: the same wherever the packets
    /// are read.
    flow_id: String,
    /// Community ID, by which other sensors name the same flow.
    community_id: String,
    /// The source: as a rule the end that sent the first packet.
    src_ip: String,
    /// Its port; 0 where the protocol has none.
    src_port: u16,
    /// The other end.
    dst_ip: String,
    /// Its port; 0 where the protocol has none.
    dst_port: u16,
    /// `tcp`, `udp`, `icmp` and the like, or a number.
    protocol: String,
    /// The service by its port, as NSL-KDD spells it.
    service: Option<String>,
    /// The state of the connection, as NSL-KDD spells it: `SF`, `S0`, `REJ` and the like.
    connection: Option<String>,
    /// Time of the first packet.
    start: String,
    /// Time of the last packet that was seen.
    end: String,
    /// From the first packet to the last.
    duration_seconds: f64,
    /// `closed`, `timeout`, `replaced`, `capture_end` or `evicted`; null while it goes on.
    end_reason: Option<String>,
    /// `early` while the flow goes on, `final` after its end.
    #[schema(value_type = String)]
    stage: &'static str,
    /// Packets from source to destination.
    packets_forward: u64,
    /// Packets from destination to source.
    packets_backward: u64,
    /// Payload bytes from source to destination.
    bytes_forward: i64,
    /// Payload bytes from destination to source.
    bytes_backward: i64,
}

/// One of the first packets of a flow.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = FlowMoment)]
pub(crate) struct MomentBody {
    /// Seconds since the first packet.
    offset_seconds: f64,
    /// `forward` or `backward`.
    #[schema(value_type = String)]
    direction: &'static str,
    /// Payload bytes.
    payload_bytes: u32,
    /// TCP flags by their letters, such as `SA`; empty for other protocols.
    flags: String,
}

/// What the models of one schema thought of a flow. The strongest opinion is the verdict.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = FlowOpinion)]
pub(crate) struct OpinionBody {
    /// The definition of the features.
    schema: String,
    /// Calibrated probability of being a threat.
    #[schema(required)]
    probability: Option<f64>,
    /// Whether the probability reaches the threshold.
    is_threat: bool,
    /// The name of the class.
    #[schema(required)]
    class: Option<String>,
    /// Calibrated probability that the class is right.
    #[schema(required)]
    confidence: Option<f64>,
    /// The models, as `name@version`.
    models: Vec<String>,
}

impl FlowBody {
    /// The flow of a record.
    pub(crate) fn of(record: &FlowRecord) -> Self {
        Self {
            flow_id: record.flow_id.clone(),
            community_id: record.community_id.clone(),
            src_ip: record.source.to_string(),
            src_port: record.source_port,
            dst_ip: record.destination.to_string(),
            dst_port: record.destination_port,
            protocol: protocol_name(record.protocol).into_owned(),
            service: record.service.clone(),
            connection: record.connection.clone(),
            start: rfc3339(record.start()),
            end: rfc3339(record.end()),
            duration_seconds: record.duration_seconds(),
            end_reason: record.end_reason.clone(),
            stage: if record.is_early { "early" } else { "final" },
            packets_forward: record.packets_forward,
            packets_backward: record.packets_backward,
            bytes_forward: record.bytes_forward,
            bytes_backward: record.bytes_backward,
        }
    }
}

impl MomentBody {
    /// One of the first packets.
    pub(crate) fn of(moment: &RecordedMoment) -> Self {
        Self {
            offset_seconds: moment.offset_seconds(),
            direction: moment.direction(),
            payload_bytes: moment.payload_bytes(),
            flags: moment.flags(),
        }
    }
}

impl OpinionBody {
    /// One of the opinions.
    pub(crate) fn of(opinion: &RecordedOpinion) -> Self {
        Self {
            schema: opinion.schema.clone(),
            probability: opinion.probability,
            is_threat: opinion.is_threat,
            class: opinion.class.clone(),
            confidence: opinion.confidence,
            models: opinion.models.clone(),
        }
    }
}
