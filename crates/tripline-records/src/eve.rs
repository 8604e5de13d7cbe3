//! Suricata's EVE log: flow events of JSON lines.

use std::borrow::Cow;
use std::io::BufRead;

use serde_json::value::RawValue;

use crate::error::RecordError;
use crate::json::{read_line, read_members, scalar};
use crate::lines::{Found, LineReader, MAX_LINE_BYTES};
use crate::protocols;
use crate::record::{FlowRecord, RecordSource, Side, SuricataState, TcpFlagUnion};
use crate::rejection::{Item, Problem, ReadCounts, Refusal, excerpt_bytes};
use crate::text::Field;

/// Reads the flow events of an EVE log; other events are skipped and counted.
#[derive(Debug)]
pub struct EveReader<R> {
    lines: LineReader<R>,
    counts: ReadCounts,
}

const EVENT: [&str; 13] = [
    "event_type",
    "flow_id",
    "community_id",
    "src_ip",
    "src_port",
    "dest_ip",
    "dest_port",
    "proto",
    "app_proto",
    "icmp_type",
    "icmp_code",
    "flow",
    "tcp",
];

const FLOW: [&str; 8] = [
    "start",
    "end",
    "pkts_toserver",
    "pkts_toclient",
    "bytes_toserver",
    "bytes_toclient",
    "state",
    "reason",
];

const TCP: [&str; 3] = ["state", "tcp_flags_ts", "tcp_flags_tc"];

impl<R: BufRead> EveReader<R> {
    /// Takes a reader and looks at the first line, which has to be a JSON object; an empty log is
    /// a log without events.
    pub fn new(reader: R) -> Result<Self, RecordError> {
        let mut lines = LineReader::new(reader);
        let found = lines.advance()?;
        let first = lines.line().trim_ascii_start();
        if found != Found::End && first.first() != Some(&b'{') {
            return Err(RecordError::NotEve {
                found: excerpt_bytes(first),
            });
        }
        lines.keep(found);
        Ok(Self {
            lines,
            counts: ReadCounts::default(),
        })
    }

    /// The next flow event, or a line that cannot be used; `None` at the end.
    pub fn next_record(&mut self) -> Result<Option<Item>, RecordError> {
        loop {
            let result = match self.lines.advance()? {
                Found::End => return Ok(None),
                Found::Line => read_event(self.lines.line()),
                Found::TooLong => Err(Refusal::line(Problem::LineTooLong {
                    limit: MAX_LINE_BYTES,
                })),
            };
            match result.transpose() {
                None => self.counts.skipped += 1,
                Some(result) => return Ok(Some(self.counts.finish(self.lines.number(), result))),
            }
        }
    }

    /// What was read so far.
    pub fn counts(&self) -> &ReadCounts {
        &self.counts
    }
}

/// The record of a flow event; `None` for other events.
fn read_event(line: &[u8]) -> Result<Option<FlowRecord>, Refusal> {
    let [
        event_type,
        flow_id,
        community_id,
        src_ip,
        src_port,
        dest_ip,
        dest_port,
        proto,
        app_proto,
        icmp_type,
        icmp_code,
        flow,
        tcp,
    ] = read_line(line, &EVENT)?;
    let event_type = field("event_type", event_type)?;
    if event_type.require("the type of the event")? != "flow" {
        return Ok(None);
    }
    let proto = field("proto", proto)?;
    let protocol = proto
        .maybe("the name or number of an IP protocol", protocols::number)?
        .ok_or_else(|| Refusal::missing("proto", "the name or number of an IP protocol"))?;
    let (source_port, destination_port) = ports(protocol, src_port, dest_port)?;
    let icmp = field("icmp_type", icmp_type)?.byte()?;
    let icmp = icmp.zip(field("icmp_code", icmp_code)?.byte()?);
    let flow = Flow::read(flow)?;
    let (state, tcp_flags) = read_tcp(tcp)?;
    let state = SuricataState {
        flow: flow.state,
        tcp: state,
    };
    // Suricata's word for traffic whose protocol it did not recognise.
    let service = field("app_proto", app_proto)?.owned()?;
    let service = service.filter(|name| name != "failed");
    Ok(Some(FlowRecord {
        source: RecordSource::SuricataEve,
        uid: field("flow_id", flow_id)?.owned()?,
        community_id: field("community_id", community_id)?.owned()?,
        start_micros: flow.start,
        end_micros: flow.end,
        source_address: field("src_ip", src_ip)?.address()?,
        destination_address: field("dest_ip", dest_ip)?.address()?,
        source_port,
        destination_port,
        protocol,
        icmp,
        forward: flow.forward,
        backward: Some(flow.backward),
        zeek_state: None,
        zeek_history: None,
        suricata_state: (state != SuricataState::default()).then_some(state),
        service,
        tcp_flags,
        end_reason: flow.reason,
        sampling: None,
    }))
}

/// Ports are there for protocols that have some and left out for others.
fn ports(
    protocol: u8,
    source: Option<&RawValue>,
    destination: Option<&RawValue>,
) -> Result<(u16, u16), Refusal> {
    if !protocols::has_ports(protocol) {
        return Ok((0, 0));
    }
    let source = field("src_port", source)?.port()?;
    Ok((source, field("dest_port", destination)?.port()?))
}

/// The member `flow` of a flow event.
struct Flow {
    start: i64,
    end: Option<i64>,
    forward: Side,
    backward: Side,
    state: Option<String>,
    reason: Option<String>,
}

impl Flow {
    fn read(raw: Option<&RawValue>) -> Result<Self, Refusal> {
        const EXPECTED: &str = "a JSON object";
        let raw = raw.ok_or_else(|| Refusal::missing("flow", EXPECTED))?;
        let [
            start,
            end,
            pkts_ts,
            pkts_tc,
            bytes_ts,
            bytes_tc,
            state,
            reason,
        ] = read_members(raw.get(), &FLOW)
            .map_err(|_| Refusal::unexpected("flow", EXPECTED, raw.get()))?;
        let forward = Side {
            packets: field("flow.pkts_toserver", pkts_ts)?.count()?,
            frame_bytes: field("flow.bytes_toserver", bytes_ts)?.count()?,
            ..Side::default()
        };
        let backward = Side {
            packets: field("flow.pkts_toclient", pkts_tc)?.count()?,
            frame_bytes: field("flow.bytes_toclient", bytes_tc)?.count()?,
            ..Side::default()
        };
        Ok(Self {
            start: field("flow.start", start)?.time()?,
            end: field("flow.end", end)?.maybe_time()?,
            forward,
            backward,
            state: field("flow.state", state)?.owned()?,
            reason: field("flow.reason", reason)?.owned()?,
        })
    }
}

fn read_tcp(raw: Option<&RawValue>) -> Result<(Option<String>, Option<TcpFlagUnion>), Refusal> {
    let Some(raw) = raw else {
        return Ok((None, None));
    };
    let [state, forward, backward] = read_members(raw.get(), &TCP)
        .map_err(|_| Refusal::unexpected("tcp", "a JSON object", raw.get()))?;
    let flags = TcpFlagUnion {
        forward: field("tcp.tcp_flags_ts", forward)?.hex_byte()?,
        backward: field("tcp.tcp_flags_tc", backward)?.hex_byte()?,
    };
    let flags = (flags != TcpFlagUnion::default()).then_some(flags);
    Ok((field("tcp.state", state)?.owned()?, flags))
}

fn field<'a>(name: &'static str, raw: Option<&'a RawValue>) -> Result<Field<'a>, Refusal> {
    let text: Option<Cow<'a, str>> = scalar(name, raw)?;
    Ok(Field::new(name, text))
}

#[cfg(test)]
mod tests;
