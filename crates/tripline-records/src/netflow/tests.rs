//! Datagrams are put together here field by field, as the RFCs draw them.

mod hostile;
mod import;
mod ipfix;
mod v5;
mod v9;

use std::net::Ipv4Addr;

use super::*;
use crate::record::{RecordSource, Side, TcpFlagUnion};

/// 2024-01-01T00:00:00Z.
const EXPORTED: u32 = 1_704_067_200;
const RECEIVED: i64 = 1_704_067_200_500_000;
const EXPORT_MICROS: i64 = 1_704_067_200_000_000;
const UPTIME: u32 = 3_600_000;
const ROUTER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

/// Bytes in network order.
#[derive(Default, Clone)]
struct Build(Vec<u8>);

impl Build {
    fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    fn u16(mut self, value: u16) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn set(self, id: u16, body: &Build) -> Self {
        self.u16(id).u16(body.0.len() as u16 + 4).bytes(&body.0)
    }
}

fn b() -> Build {
    Build::default()
}

/// A template of fields of the standard.
fn template(id: u16, fields: &[(u16, u16)]) -> Build {
    let start = b().u16(id).u16(fields.len() as u16);
    fields.iter().fold(start, |build, (number, length)| {
        build.u16(*number).u16(*length)
    })
}

fn v9_message(sequence: u32, domain: u32, sets: &Build) -> Vec<u8> {
    let header = b().u16(9).u16(1).u32(UPTIME).u32(EXPORTED);
    header.u32(sequence).u32(domain).bytes(&sets.0).0
}

fn ipfix_message(sequence: u32, domain: u32, sets: &Build) -> Vec<u8> {
    let header = b().u16(10).u16(sets.0.len() as u16 + 16).u32(EXPORTED);
    header.u32(sequence).u32(domain).bytes(&sets.0).0
}

/// The simplest flow: addresses and a time in seconds.
const SIMPLE: [(u16, u16); 3] = [(8, 4), (12, 4), (150, 4)];

fn simple_record(host: u8) -> Build {
    b().bytes(&[10, 0, 0, host])
        .bytes(&[10, 0, 1, host])
        .u32(EXPORTED - 10)
}

fn send(
    collector: &mut FlowCollector,
    exporter: IpAddr,
    datagram: &[u8],
) -> (Vec<FlowRecord>, DatagramOutcome) {
    let mut out = Vec::new();
    let outcome = collector.datagram(exporter, datagram, RECEIVED, &mut out);
    assert_eq!(outcome.records, out.len());
    (out, outcome)
}

fn causes(outcome: &DatagramOutcome) -> Vec<(Cause, u64)> {
    outcome.causes.iter().collect()
}

fn collector() -> FlowCollector {
    FlowCollector::new(CollectorLimits::default())
}

/// A record of which only the addresses, the start and the kind are known.
fn bare(source: RecordSource, host: u8) -> FlowRecord {
    FlowRecord {
        source,
        uid: None,
        community_id: None,
        start_micros: EXPORT_MICROS - 10_000_000,
        end_micros: None,
        source_address: IpAddr::from([10, 0, 0, host]),
        destination_address: IpAddr::from([10, 0, 1, host]),
        source_port: 0,
        destination_port: 0,
        protocol: crate::UNKNOWN_PROTOCOL,
        icmp: None,
        forward: Side::default(),
        backward: None,
        zeek_state: None,
        zeek_history: None,
        suricata_state: None,
        service: None,
        tcp_flags: None,
        end_reason: None,
        sampling: None,
    }
}
