//! A connection made of the columns that matter, wherever they come from.

use std::borrow::Cow;
use std::net::IpAddr;

use serde_json::value::RawValue;

use crate::json::{read_line, scalar};
use crate::protocols::{self, ICMP, ICMPV6};
use crate::record::{ConnState, FlowRecord, RecordSource, Side, UNKNOWN_PROTOCOL};
use crate::rejection::Refusal;
use crate::text::Field;

/// A column of `conn.log` that is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Ts,
    Uid,
    OrigHost,
    OrigPort,
    RespHost,
    RespPort,
    Proto,
    Service,
    Duration,
    OrigBytes,
    RespBytes,
    ConnState,
    History,
    OrigPackets,
    OrigIpBytes,
    RespPackets,
    RespIpBytes,
    CommunityId,
    IpProto,
}

const NAMES: [&str; Column::COUNT] = [
    "ts",
    "uid",
    "id.orig_h",
    "id.orig_p",
    "id.resp_h",
    "id.resp_p",
    "proto",
    "service",
    "duration",
    "orig_bytes",
    "resp_bytes",
    "conn_state",
    "history",
    "orig_pkts",
    "orig_ip_bytes",
    "resp_pkts",
    "resp_ip_bytes",
    "community_id",
    "ip_proto",
];

/// The names above and one more that tells which log a JSON line belongs to.
const MEMBERS: [&str; Column::COUNT + 1] = {
    let mut names = ["_path"; Column::COUNT + 1];
    let mut position = 0;
    while position < Column::COUNT {
        names[position] = NAMES[position];
        position += 1;
    }
    names
};

impl Column {
    pub(super) const COUNT: usize = 19;

    const ALL: [Self; Self::COUNT] = [
        Self::Ts,
        Self::Uid,
        Self::OrigHost,
        Self::OrigPort,
        Self::RespHost,
        Self::RespPort,
        Self::Proto,
        Self::Service,
        Self::Duration,
        Self::OrigBytes,
        Self::RespBytes,
        Self::ConnState,
        Self::History,
        Self::OrigPackets,
        Self::OrigIpBytes,
        Self::RespPackets,
        Self::RespIpBytes,
        Self::CommunityId,
        Self::IpProto,
    ];

    /// Every `conn.log` has these. The state tells it from other logs with the same addresses.
    const REQUIRED: [Self; 7] = [
        Self::Ts,
        Self::OrigHost,
        Self::OrigPort,
        Self::RespHost,
        Self::RespPort,
        Self::Proto,
        Self::ConnState,
    ];

    pub(super) fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|column| column.name().as_bytes() == name)
    }

    pub(super) fn name(self) -> &'static str {
        NAMES.get(self as usize).copied().unwrap_or_default()
    }

    pub(super) fn first_missing(known: &[bool; Self::COUNT]) -> Option<&'static str> {
        Self::REQUIRED
            .into_iter()
            .find(|column| known.get(*column as usize) != Some(&true))
            .map(Self::name)
    }
}

/// The fields of one line, without those that are unset or empty.
#[derive(Debug, Default)]
pub(super) struct ConnFields<'a> {
    texts: [Option<Cow<'a, str>>; Column::COUNT],
}

impl<'a> ConnFields<'a> {
    pub(super) fn set(&mut self, column: Column, text: Cow<'a, str>) {
        if let Some(slot) = self.texts.get_mut(column as usize) {
            *slot = Some(text);
        }
    }

    /// Several services are written with the separator of sets.
    pub(super) fn normalise_set(&mut self, separator: &str) {
        if let Some(Some(service)) = self.texts.get_mut(Column::Service as usize)
            && !separator.is_empty()
            && service.contains(separator)
        {
            *service = Cow::Owned(service.replace(separator, ","));
        }
    }

    pub(super) fn record(mut self) -> Result<FlowRecord, Refusal> {
        let start = self.take(Column::Ts).time()?;
        let source = self.take(Column::OrigHost).address()?;
        let destination = self.take(Column::RespHost).address()?;
        let source_port = self.take(Column::OrigPort).port()?;
        let destination_port = self.take(Column::RespPort).port()?;
        let protocol = self.protocol(source)?;
        let (icmp, source_port, destination_port) = if protocols::is_icmp(protocol) {
            // Zeek keeps type and code in the places of the ports.
            (icmp(protocol, source_port, destination_port), 0, 0)
        } else {
            (None, source_port, destination_port)
        };
        let duration = self.take(Column::Duration).duration()?;
        let state = self.take(Column::ConnState).maybe(
            "one of Zeek's thirteen connection states",
            ConnState::from_name,
        )?;
        Ok(FlowRecord {
            source: RecordSource::ZeekConn,
            uid: self.take(Column::Uid).owned()?,
            community_id: self.take(Column::CommunityId).owned()?,
            start_micros: start,
            end_micros: duration.map(|duration| start.saturating_add(duration)),
            source_address: source,
            destination_address: destination,
            source_port,
            destination_port,
            protocol,
            icmp,
            forward: Side {
                packets: self.take(Column::OrigPackets).count()?,
                payload_bytes: self.take(Column::OrigBytes).count()?,
                ip_bytes: self.take(Column::OrigIpBytes).count()?,
                frame_bytes: None,
            },
            backward: Some(Side {
                packets: self.take(Column::RespPackets).count()?,
                payload_bytes: self.take(Column::RespBytes).count()?,
                ip_bytes: self.take(Column::RespIpBytes).count()?,
                frame_bytes: None,
            }),
            zeek_state: state,
            zeek_history: self.take(Column::History).owned()?,
            suricata_state: None,
            service: self.take(Column::Service).owned()?,
            tcp_flags: None,
            end_reason: None,
            sampling: None,
        })
    }

    fn take(&mut self, column: Column) -> Field<'a> {
        let slot = self.texts.get_mut(column as usize);
        Field::new(column.name(), slot.and_then(Option::take))
    }

    /// The protocol's number where Zeek writes it, else what the name stands for.
    fn protocol(&mut self, source: IpAddr) -> Result<u8, Refusal> {
        const EXPECTED: &str = "tcp, udp, icmp or unknown_transport";
        let number = self.take(Column::IpProto).byte()?;
        let name = self.take(Column::Proto);
        let named = match name.require(EXPECTED)? {
            "tcp" => protocols::TCP,
            "udp" => protocols::UDP,
            "icmp" if source.is_ipv6() => ICMPV6,
            "icmp" => ICMP,
            "unknown_transport" => UNKNOWN_PROTOCOL,
            other => return Err(Refusal::unexpected(Column::Proto.name(), EXPECTED, other)),
        };
        Ok(number.unwrap_or(named))
    }
}

/// Type and code; for a message that has an answer Zeek writes the type of the answer in place
/// of the code.
fn icmp(protocol: u8, first: u16, second: u16) -> Option<(u8, u8)> {
    let kind = u8::try_from(first).ok()?;
    let answered = if protocol == ICMP {
        matches!(kind, 0 | 8 | 9 | 10 | 13..=18)
    } else {
        matches!(kind, 128..=131 | 133..=136 | 139 | 140 | 144 | 145)
    };
    let code = if answered {
        0
    } else {
        u8::try_from(second).ok()?
    };
    Some((kind, code))
}

/// Whether the line is an event of Suricata.
pub(super) fn is_event(line: &[u8]) -> bool {
    matches!(
        read_line(line, &["event_type", "id.orig_h"]),
        Ok([Some(_), None])
    )
}

/// The connection of a JSON line; `None` for a line that says it belongs to another log.
pub(super) fn read_json(line: &[u8]) -> Result<Option<FlowRecord>, Refusal> {
    let members = read_line(line, &MEMBERS)?;
    if let Some(path) = members.get(Column::COUNT).copied().flatten()
        && scalar("_path", Some(path))?.is_some_and(|path| path != "conn")
    {
        return Ok(None);
    }
    let mut fields = ConnFields::default();
    for (column, raw) in Column::ALL.into_iter().zip(members) {
        let text = match raw {
            Some(raw) if column == Column::Service => service(raw)?,
            raw => scalar(column.name(), raw)?,
        };
        if let Some(text) = text {
            fields.set(column, text);
        }
    }
    fields.record().map(Some)
}

/// One service, or several as an array.
fn service(raw: &RawValue) -> Result<Option<Cow<'_, str>>, Refusal> {
    const EXPECTED: &str = "a name or an array of names";
    if !raw.get().starts_with('[') {
        return scalar(Column::Service.name(), Some(raw));
    }
    match serde_json::from_str::<Vec<String>>(raw.get()) {
        Ok(names) => Ok(Some(names.join(",").into())),
        Err(_) => Err(Refusal::unexpected(
            Column::Service.name(),
            EXPECTED,
            raw.get(),
        )),
    }
}
