//! The features of NSL-KDD that a record knows.

use std::sync::LazyLock;

use tripline_flow::ConnectionFlag;

use super::RecordVector;
use super::facts::{Facts, Transport};
use crate::live::service_of;
use crate::schema::nsl_kdd;
use crate::windows::WindowFeatures;

const DURATION: usize = 0;
const PROTOCOL: usize = 1;
const SERVICE: usize = 2;
const FLAG: usize = 3;
const SRC_BYTES: usize = 4;
const DST_BYTES: usize = 5;
const LAND: usize = 6;

/// Position of `count`, the first of the features of two seconds.
static FIRST_WINDOW: LazyLock<usize> =
    LazyLock::new(|| nsl_kdd().index_of("count").unwrap_or(usize::MAX));
/// Features of two seconds; those of the last 255 records behind them are estimates.
const RECENT: usize = 9;

/// KDD counts the header of a message, sensors what lies behind it.
const ICMP_HEADER_BYTES: u64 = 8;

/// Features 1 to 22 with the service as a place in the vocabulary, where that is known; `None` if
/// KDD has no such record.
pub(super) fn own(facts: &Facts<'_>) -> Option<(RecordVector, Option<u8>)> {
    let protocol = match facts.transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
        Transport::Icmp(_) | Transport::Icmpv6(_) => "icmp",
        Transport::Other => return None,
    };
    let record = facts.record;
    let service = match facts.connection_protocol() {
        Some(transport) if facts.is_icmp() => Some(service_of(transport, 0, 0)?),
        Some(transport) if facts.is_directed && facts.has_ports => Some(service_of(
            transport,
            record.source_port,
            record.destination_port,
        )?),
        _ => None,
    };
    let service = service.and_then(|name| category(SERVICE, name));
    let mut vector = RecordVector::new(nsl_kdd());
    vector.set(DURATION, duration_seconds(facts));
    vector.set(PROTOCOL, category(PROTOCOL, protocol).map(f64::from));
    vector.set(SERVICE, service.map(f64::from));
    let flag = facts.flag.and_then(|flag| category(FLAG, flag.name()));
    vector.set(FLAG, flag.map(f64::from));
    let [src_bytes, dst_bytes] = bytes(facts);
    vector.set(SRC_BYTES, src_bytes.map(|bytes| bytes as f64));
    vector.set(DST_BYTES, dst_bytes.map(|bytes| bytes as f64));
    if facts.has_ports {
        let is_land = record.source_address == record.destination_address
            && record.source_port == record.destination_port;
        vector.set(LAND, f64::from(u8::from(is_land)));
    }
    Some((vector, service))
}

/// Features 23 to 31.
pub(super) fn set_windows(windows: &WindowFeatures, vector: &mut RecordVector) {
    for (offset, value) in windows.iter().take(RECENT).enumerate() {
        vector.set(
            FIRST_WINDOW.saturating_add(offset),
            Some(*value).filter(|value| !value.is_nan()),
        );
    }
}

fn duration_seconds(facts: &Facts<'_>) -> Option<f64> {
    let counts = match facts.transport {
        Transport::Tcp => !matches!(
            facts.flag?,
            ConnectionFlag::S0 | ConnectionFlag::S1 | ConnectionFlag::Sh | ConnectionFlag::Oth
        ),
        Transport::Udp => true,
        _ => false,
    };
    if counts {
        Some((facts.duration_micros? / 1_000_000) as f64)
    } else {
        Some(0.0)
    }
}

fn bytes(facts: &Facts<'_>) -> [Option<u64>; 2] {
    if facts.is_icmp() {
        // A message has no answer in its own record.
        let payload = facts.payload[0].filter(|_| !facts.is_several_messages());
        return [payload.map(|bytes| bytes + ICMP_HEADER_BYTES), Some(0)];
    }
    match facts.flag {
        Some(
            ConnectionFlag::S0 | ConnectionFlag::Rej | ConnectionFlag::Sh | ConnectionFlag::Oth,
        ) => [Some(0), Some(0)],
        Some(_) if facts.is_directed => facts.payload,
        _ => [None, None],
    }
}

fn category(feature: usize, name: &str) -> Option<u8> {
    let vocabulary = nsl_kdd().category_index(feature)?;
    vocabulary.find(name.as_bytes()).map(|place| place as u8)
}
