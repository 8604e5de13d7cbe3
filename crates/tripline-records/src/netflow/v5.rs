//! `NetFlow` v5: a header of 24 bytes and up to thirty records of 48 bytes.

use super::Sink;
use super::bytes::Bytes;
use super::causes::Cause;
use super::exporter::{DomainKey, Exporter};
use crate::protocols;
use crate::record::{FlowRecord, RecordSource, Side, TcpFlagUnion};

pub(super) const HEADER_BYTES: usize = 24;
pub(super) const RECORD_BYTES: usize = 48;

/// The header after the version.
pub(super) struct Header {
    count: u16,
    uptime_millis: u32,
    export_micros: i64,
    sequence: u32,
    engine: u16,
    sampling: u16,
}

impl Header {
    pub(super) fn read(input: &mut Bytes<'_>) -> Option<Self> {
        let count = input.u16()?;
        let uptime_millis = input.u32()?;
        let seconds = i64::from(input.u32()?);
        let nanos = i64::from(input.u32()?);
        Some(Self {
            count,
            uptime_millis,
            export_micros: seconds * 1_000_000 + nanos / 1000,
            sequence: input.u32()?,
            engine: input.u16()?,
            sampling: input.u16()?,
        })
    }

    /// The two upper bits are the mode; an interval of 0 means that nothing is said.
    fn sampling(&self) -> Option<u32> {
        let interval = self.sampling & 0x3fff;
        (interval > 0).then_some(u32::from(interval))
    }
}

/// Microseconds since 1970 of a time that the exporter counts in milliseconds since its boot.
///
/// The counter wraps after 49.7 days, so the nearer of the two possible times counts.
pub(super) fn uptime_micros(export_micros: i64, uptime_millis: u32, millis: u32) -> i64 {
    let ago = uptime_millis.wrapping_sub(millis) as i32;
    export_micros.saturating_sub(i64::from(ago) * 1000)
}

pub(super) fn read(
    header: &Header,
    mut input: Bytes<'_>,
    exporter: &mut Exporter,
    sink: &mut Sink<'_>,
) {
    let key = DomainKey {
        version: 5,
        domain: u32::from(header.engine),
    };
    let (domain, evicted) = exporter.domains.get_or_insert(key, Default::default);
    sink.outcome.causes.add(Cause::DomainEvicted, evicted);
    domain.sequence.follow(
        header.sequence,
        Some(u32::from(header.count)),
        Cause::LostRecord,
        &mut sink.outcome.causes,
    );
    for _ in 0..header.count {
        match read_record(&mut input, header) {
            Some(record) => sink.record(record),
            None => return sink.cause(Cause::Truncated),
        }
    }
    if input.len() > 0 {
        sink.cause(Cause::TrailingBytes);
    }
}

fn read_record(input: &mut Bytes<'_>, header: &Header) -> Option<FlowRecord> {
    let mut record = Bytes(input.take(RECORD_BYTES)?);
    let source = record.array::<4>()?;
    let destination = record.array::<4>()?;
    // Next hop and interfaces.
    record.take(8)?;
    let packets = record.u32()?;
    let octets = record.u32()?;
    let first = record.u32()?;
    let last = record.u32()?;
    let source_port = record.u16()?;
    let destination_port = record.u16()?;
    let _padding = record.u8()?;
    let flags = record.u8()?;
    let protocol = record.u8()?;
    let time = |millis| uptime_micros(header.export_micros, header.uptime_millis, millis);
    let is_icmp = protocols::is_icmp(protocol);
    let port = |port| if is_icmp { 0 } else { port };
    // Exporters keep type and code in the place of the destination port.
    let [kind, code] = destination_port.to_be_bytes();
    Some(FlowRecord {
        source: RecordSource::NetflowV5,
        uid: None,
        community_id: None,
        start_micros: time(first),
        end_micros: Some(time(last)),
        source_address: source.into(),
        destination_address: destination.into(),
        source_port: port(source_port),
        destination_port: port(destination_port),
        protocol,
        icmp: is_icmp.then_some((kind, code)),
        forward: Side {
            packets: Some(u64::from(packets)),
            ip_bytes: Some(u64::from(octets)),
            ..Side::default()
        },
        backward: None,
        zeek_state: None,
        zeek_history: None,
        suricata_state: None,
        service: None,
        tcp_flags: (protocol == protocols::TCP).then_some(TcpFlagUnion {
            forward: Some(flags),
            backward: None,
        }),
        end_reason: None,
        sampling: header.sampling(),
    })
}
