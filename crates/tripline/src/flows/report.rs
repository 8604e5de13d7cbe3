use std::borrow::Cow;
use std::cell::OnceCell;
use std::net::IpAddr;

use tripline_detect::Pipeline;
use tripline_store::Timestamp;

use super::subject::Subject;
use crate::api::rfc3339;
use crate::output::{Cell, Column, Kind, ReasonText};
use crate::records::JudgedRecord;
use crate::sensor::{Decision, Explainer, JudgedFlow, Opinion};

/// A judged flow with names instead of positions.
#[derive(Debug)]
pub(crate) struct FlowReport<'a> {
    subject: Subject<'a>,
    pipelines: &'a [Pipeline],
    decision: Decision,
    /// Who knows the reasons, where the opinions do not have them.
    explainer: Option<&'a Explainer>,
    /// Put into words when they are asked for.
    reasons: OnceCell<Vec<ReasonText>>,
}

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind }
}

impl<'a> FlowReport<'a> {
    /// The columns, in order.
    pub(crate) const COLUMNS: &'static [Column] = &[
        column("flow_id", Kind::Text),
        column("stage", Kind::Text),
        column("end_reason", Kind::Text),
        column("start", Kind::Text),
        column("duration_seconds", Kind::Real),
        column("src_ip", Kind::Text),
        column("src_port", Kind::Whole),
        column("dst_ip", Kind::Text),
        column("dst_port", Kind::Whole),
        column("protocol", Kind::Text),
        column("service", Kind::Text),
        column("connection", Kind::Text),
        column("packets_forward", Kind::Whole),
        column("packets_backward", Kind::Whole),
        column("bytes_forward", Kind::Whole),
        column("bytes_backward", Kind::Whole),
        column("community_id", Kind::Text),
        column("is_threat", Kind::Flag),
        column("threat_probability", Kind::Real),
        column("attack_class", Kind::Text),
        column("attack_confidence", Kind::Real),
        column("attack_name", Kind::Text),
        column("decided_by", Kind::Text),
        column("cicflow_probability", Kind::Real),
        column("nsl_kdd_probability", Kind::Real),
        column("reasons", Kind::Text),
        column("sensor", Kind::Text),
        column("sensor_flow_id", Kind::Text),
        column("missing_features", Kind::Text),
    ];

    /// Puts names to a judged flow.
    pub(crate) fn new(judged: &'a JudgedFlow, pipelines: &'a [Pipeline]) -> Self {
        Self::of(Subject::Packets(judged), pipelines)
    }

    /// Puts names to a judged record of another sensor.
    pub(crate) fn of_record(judged: &'a JudgedRecord, pipelines: &'a [Pipeline]) -> Self {
        Self::of(Subject::Record(judged), pipelines)
    }

    fn of(subject: Subject<'a>, pipelines: &'a [Pipeline]) -> Self {
        Self {
            subject,
            pipelines,
            decision: subject.decision(),
            explainer: None,
            reasons: OnceCell::new(),
        }
    }

    /// Asks for reasons when they are needed, instead of taking those of the opinions.
    pub(crate) fn explained_by(self, explainer: Option<&'a Explainer>) -> Self {
        Self { explainer, ..self }
    }

    /// Why, in words.
    pub(crate) fn reasons(&self) -> &[ReasonText] {
        self.reasons.get_or_init(|| {
            let (Some(opinion), Some(pipeline)) = (self.opinion(), self.pipeline()) else {
                return Vec::new();
            };
            let values = self.subject.values(pipeline.schema()).unwrap_or_default();
            match self.explainer {
                Some(explainer) => {
                    let verdict = explainer.judge(opinion.pipeline, values);
                    ReasonText::of(pipeline, &verdict, values)
                }
                None => ReasonText::of(pipeline, &opinion.verdict, values),
            }
        })
    }

    /// What it is about.
    pub(crate) fn subject(&self) -> Subject<'a> {
        self.subject
    }

    pub(crate) fn is_threat(&self) -> bool {
        self.decision.is_threat
    }

    /// The opinion that decided.
    pub(crate) fn opinion(&self) -> Option<&'a Opinion> {
        self.subject.opinions().get(self.decision.deciding?)
    }

    /// The models behind it.
    pub(crate) fn pipeline(&self) -> Option<&'a Pipeline> {
        self.pipelines.get(self.opinion()?.pipeline)
    }

    pub(crate) fn probability(&self) -> Option<f64> {
        Some(self.opinion()?.verdict.threat?.probability)
    }

    pub(crate) fn class(&self) -> Option<&'a str> {
        let attack = self.opinion()?.verdict.attack?;
        let classes = &self.pipeline()?.classifier()?.manifest().classes;
        Some(&classes.get(attack.class)?.name)
    }

    pub(crate) fn confidence(&self) -> Option<f64> {
        Some(self.opinion()?.verdict.attack?.confidence)
    }

    /// The attack inside its class.
    pub(crate) fn name(&self) -> Option<&'a str> {
        let named = self.opinion()?.verdict.attack?.named?;
        let classes = &self.pipeline()?.namer()?.manifest().classes;
        Some(&classes.get(named.class)?.name)
    }

    pub(crate) fn service(&self) -> Option<&'static str> {
        self.subject.service()
    }

    pub(crate) fn source(&self) -> IpAddr {
        self.subject.source()
    }

    pub(crate) fn destination(&self) -> IpAddr {
        self.subject.destination()
    }

    pub(crate) fn protocol(&self) -> Cow<'static, str> {
        self.subject.protocol()
    }

    pub(crate) fn flow_id(&self) -> String {
        uuid::Uuid::from_bytes(self.subject.identity())
            .simple()
            .to_string()
    }

    pub(crate) fn start(&self) -> String {
        time_text(self.subject.start_micros())
    }

    /// How sure the models of a schema are that it is a threat.
    fn probability_by(&self, schema: &str) -> Option<f64> {
        let opinion = self
            .subject
            .opinions()
            .iter()
            .find(|opinion| self.pipelines[opinion.pipeline].schema().name() == schema)?;
        Some(opinion.verdict.threat?.probability)
    }

    /// The cells under their names.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        let cells = self.cells();
        let named = Self::COLUMNS.iter().zip(&cells);
        named
            .map(|(column, cell)| (column.name.to_owned(), cell.to_json()))
            .collect()
    }

    /// The cells, in the order of [`COLUMNS`](Self::COLUMNS).
    pub(crate) fn cells(&self) -> Vec<Cell<'_>> {
        let flow = self.subject;
        let whole = |value: Option<i64>| value.map_or(Cell::Missing, Cell::Whole);
        let maybe = |text: Option<String>| text.map_or(Cell::Missing, Cell::owned);
        let [packets_forward, packets_backward] = flow.packets();
        let [bytes_forward, bytes_backward] = flow.payload_bytes();
        vec![
            Cell::owned(self.flow_id()),
            Cell::text(flow.stage()),
            Cell::maybe(flow.end_reason()),
            Cell::owned(self.start()),
            Cell::real(flow.duration_micros().map(|micros| micros as f64 / 1e6)),
            Cell::owned(self.source().to_string()),
            Cell::Whole(i64::from(flow.source_port())),
            Cell::owned(self.destination().to_string()),
            Cell::Whole(i64::from(flow.destination_port())),
            Cell::owned(self.protocol().into_owned()),
            Cell::maybe(self.service()),
            Cell::maybe(flow.connection()),
            whole(packets_forward),
            whole(packets_backward),
            whole(bytes_forward),
            whole(bytes_backward),
            maybe(flow.community_id()),
            Cell::flag(self.opinion().map(|_| self.is_threat())),
            Cell::real(self.probability()),
            Cell::maybe(self.class()),
            Cell::real(self.confidence()),
            Cell::maybe(self.name()),
            Cell::maybe(self.pipeline().map(|pipeline| pipeline.schema().name())),
            Cell::real(self.probability_by("cicflow")),
            Cell::real(self.probability_by("nsl-kdd")),
            Cell::Reasons(self.reasons()),
            Cell::text(flow.sensor()),
            Cell::maybe(flow.sensor_flow_id()),
            maybe(flow.missing_features()),
        ]
    }
}

/// The name of an IP protocol as analysts write it, or its number.
pub(crate) fn protocol_name(protocol: u8) -> Cow<'static, str> {
    Cow::Borrowed(match protocol {
        1 => "icmp",
        2 => "igmp",
        6 => "tcp",
        17 => "udp",
        58 => "icmpv6",
        132 => "sctp",
        0 => "other",
        number => return Cow::Owned(number.to_string()),
    })
}

/// A time of the capture in RFC 3339.
pub(crate) fn time_text(micros: i64) -> String {
    rfc3339(Timestamp(micros))
}
