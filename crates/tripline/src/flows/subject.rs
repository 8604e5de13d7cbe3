//! What a report is about: a flow that was seen as packets, or one that another sensor recorded.

use std::borrow::Cow;
use std::net::IpAddr;

use tripline_features::FeatureSchema;
use tripline_features::live::service_of;
use tripline_flow::Heading;

use super::report::protocol_name;
use crate::records::JudgedRecord;
use crate::sensor::{Decision, JudgedFlow, Opinion, Stage};

/// A flow. What its source does not tell is `None`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// Of our own meter.
    Packets(&'a JudgedFlow),
    /// Of another sensor.
    Record(&'a JudgedRecord),
}

impl<'a> Subject<'a> {
    /// What the opinions on it come to.
    pub(super) fn decision(self) -> Decision {
        match self {
            Self::Packets(judged) => judged.decision(),
            Self::Record(judged) => Decision::of(&judged.opinions),
        }
    }

    pub(super) fn opinions(self) -> &'a [Opinion] {
        match self {
            Self::Packets(judged) => &judged.opinions,
            Self::Record(judged) => &judged.opinions,
        }
    }

    pub(super) fn values(self, schema: &FeatureSchema) -> Option<&'a [f64]> {
        match self {
            Self::Packets(judged) => judged.values(schema),
            Self::Record(judged) => judged.values(schema),
        }
    }

    pub(crate) fn identity(self) -> [u8; 16] {
        match self {
            Self::Packets(judged) => judged.flow.identity(),
            Self::Record(judged) => judged.identity(),
        }
    }

    pub(crate) fn stage(self) -> &'static str {
        match self {
            Self::Packets(judged) if matches!(judged.stage, Stage::Early(_)) => "early",
            _ => "final",
        }
    }

    pub(crate) fn sensor(self) -> &'static str {
        match self {
            Self::Packets(_) => "packets",
            Self::Record(judged) => judged.sensor(),
        }
    }

    pub(crate) fn sensor_flow_id(self) -> Option<&'a str> {
        match self {
            Self::Packets(_) => None,
            Self::Record(judged) => judged.record.uid.as_deref(),
        }
    }

    pub(crate) fn missing_features(self) -> Option<String> {
        match self {
            Self::Packets(_) => None,
            Self::Record(judged) => judged.not_judged_because(),
        }
    }

    pub(crate) fn start_micros(self) -> i64 {
        match self {
            Self::Packets(judged) => judged.flow.start_micros,
            Self::Record(judged) => judged.record.start_micros,
        }
    }

    pub(crate) fn last_micros(self) -> Option<i64> {
        match self {
            Self::Packets(judged) => Some(judged.flow.last_micros),
            Self::Record(judged) => judged.record.end_micros,
        }
    }

    pub(crate) fn duration_micros(self) -> Option<i64> {
        match self {
            Self::Packets(judged) => Some(judged.flow.duration_micros()),
            Self::Record(judged) => {
                let record = &judged.record;
                record.end_micros?.checked_sub(record.start_micros)
            }
        }
    }

    pub(crate) fn source(self) -> IpAddr {
        match self {
            Self::Packets(judged) => judged.flow.key.source.into(),
            Self::Record(judged) => judged.record.source_address,
        }
    }

    pub(crate) fn destination(self) -> IpAddr {
        match self {
            Self::Packets(judged) => judged.flow.key.destination.into(),
            Self::Record(judged) => judged.record.destination_address,
        }
    }

    pub(crate) fn source_port(self) -> u16 {
        match self {
            Self::Packets(judged) => judged.flow.key.source_port,
            Self::Record(judged) => judged.record.source_port,
        }
    }

    pub(crate) fn destination_port(self) -> u16 {
        match self {
            Self::Packets(judged) => judged.flow.key.destination_port,
            Self::Record(judged) => judged.record.destination_port,
        }
    }

    pub(crate) fn protocol(self) -> Cow<'static, str> {
        match self {
            Self::Packets(judged) => protocol_name(judged.flow.key.protocol),
            Self::Record(judged) => match judged.record.protocol {
                tripline_records::UNKNOWN_PROTOCOL => Cow::Borrowed("unknown"),
                number => protocol_name(number),
            },
        }
    }

    pub(crate) fn service(self) -> Option<&'static str> {
        match self {
            Self::Packets(judged) => {
                let flow = &judged.flow;
                let connection = flow.connection?;
                let key = match connection.originator() {
                    Heading::Forward => flow.key,
                    Heading::Backward => flow.key.reversed(),
                };
                service_of(connection.protocol(), key.source_port, key.destination_port)
            }
            Self::Record(judged) => judged.name_of("service"),
        }
    }

    /// How the connection was opened and closed.
    pub(crate) fn connection(self) -> Option<&'static str> {
        match self {
            Self::Packets(judged) => judged
                .flow
                .connection
                .map(|connection| connection.flag().name()),
            Self::Record(judged) => judged.name_of("flag"),
        }
    }

    pub(crate) fn packets(self) -> [Option<i64>; 2] {
        match self {
            Self::Packets(judged) => [&judged.flow.forward, &judged.flow.backward]
                .map(|side| Some(i64::from(side.packets()))),
            Self::Record(judged) => judged.sides().map(|side| whole(side?.packets)),
        }
    }

    pub(crate) fn payload_bytes(self) -> [Option<i64>; 2] {
        match self {
            Self::Packets(judged) => {
                [&judged.flow.forward, &judged.flow.backward].map(|side| Some(side.bytes()))
            }
            Self::Record(judged) => judged.sides().map(|side| whole(side?.payload_bytes)),
        }
    }

    pub(crate) fn frame_bytes(self) -> [Option<i64>; 2] {
        match self {
            Self::Packets(judged) => [&judged.flow.forward, &judged.flow.backward]
                .map(|side| whole(Some(side.frame_bytes))),
            Self::Record(judged) => judged.sides().map(|side| whole(side?.frame_bytes)),
        }
    }

    pub(crate) fn community_id(self) -> Option<String> {
        match self {
            Self::Packets(judged) => Some(judged.flow.community_id()),
            Self::Record(judged) => judged.community_id(),
        }
    }

    pub(crate) fn end_reason(self) -> Option<&'a str> {
        match self {
            Self::Packets(judged) => judged.flow.end.map(tripline_flow::EndReason::name),
            Self::Record(judged) => judged.record.end_reason.as_deref(),
        }
    }
}

fn whole(value: Option<u64>) -> Option<i64> {
    value.and_then(|value| i64::try_from(value).ok())
}
