use super::*;

fn header(count: u16, sequence: u32) -> Build {
    let times = b()
        .u16(5)
        .u16(count)
        .u32(UPTIME)
        .u32(EXPORTED)
        .u32(250_000_000);
    // Engine 1.2, sampling mode 1 with one of 100.
    times.u32(sequence).u8(1).u8(2).u16(0x4000 | 0x0064)
}

fn record(protocol: u8, ports: (u16, u16), first: u32, last: u32) -> Build {
    let start = b()
        .bytes(&[10, 0, 0, 1])
        .bytes(&[10, 0, 1, 1])
        .bytes(&[0; 4]);
    let counters = start.u16(1).u16(2).u32(7).u32(900).u32(first).u32(last);
    let fields = counters
        .u16(ports.0)
        .u16(ports.1)
        .u8(0)
        .u8(0x1b)
        .u8(protocol)
        .u8(0);
    fields.bytes(&[0; 8])
}

pub(super) fn message(sequence: u32) -> Vec<u8> {
    let tcp = record(6, (49152, 443), UPTIME - 5000, UPTIME - 1000);
    let icmp = record(1, (0, 0x0301), UPTIME - 5000, UPTIME - 6000);
    header(2, sequence).bytes(&tcp.0).bytes(&icmp.0).0
}

#[test]
fn records_of_a_datagram() {
    let (records, outcome) = send(&mut collector(), ROUTER, &message(0));
    let start = EXPORT_MICROS + 250_000 - 5_000_000;
    let tcp = FlowRecord {
        start_micros: start,
        end_micros: Some(start + 4_000_000),
        source_port: 49152,
        destination_port: 443,
        protocol: 6,
        forward: Side {
            packets: Some(7),
            ip_bytes: Some(900),
            ..Side::default()
        },
        tcp_flags: Some(TcpFlagUnion {
            forward: Some(0x1b),
            backward: None,
        }),
        sampling: Some(100),
        ..bare(RecordSource::NetflowV5, 1)
    };
    assert_eq!(records[0], tcp);
    assert_eq!(records[1].icmp, Some((3, 1)));
    assert_eq!(
        (records[1].destination_port, records[1].tcp_flags),
        (0, None)
    );
    assert_eq!(outcome.oddities.end_before_start, 1);
    assert_eq!(causes(&outcome), []);
}

#[test]
fn the_uptime_may_wrap_between_flow_and_export() {
    let ago = record(17, (1, 2), 1000_u32.wrapping_sub(4000), 500);
    let header = b()
        .u16(5)
        .u16(1)
        .u32(1000)
        .u32(EXPORTED)
        .u32(0)
        .u32(0)
        .u32(0);
    let (records, _) = send(&mut collector(), ROUTER, &header.bytes(&ago.0).0);
    assert_eq!(records[0].start_micros, EXPORT_MICROS - 4_000_000);
    assert_eq!(records[0].end_micros, Some(EXPORT_MICROS - 500_000));
    assert_eq!(records[0].sampling, None);
}

#[test]
fn counts_beyond_and_short_of_the_datagram() {
    let whole = record(17, (1, 2), 0, 0);
    let (records, outcome) = send(&mut collector(), ROUTER, &header(2, 0).bytes(&whole.0).0);
    assert_eq!(
        (records.len(), causes(&outcome)),
        (1, vec![(Cause::Truncated, 1)])
    );
    let (records, outcome) = send(&mut collector(), ROUTER, &header(0, 0).bytes(&whole.0).0);
    assert_eq!(
        (records.len(), causes(&outcome)),
        (0, vec![(Cause::TrailingBytes, 1)])
    );
}

#[test]
fn sequence_numbers_count_flows() {
    let mut collector = collector();
    let mut step = |sequence| causes(&send(&mut collector, ROUTER, &message(sequence)).1);
    assert_eq!(step(u32::MAX - 3), []);
    assert_eq!(step(u32::MAX - 1), []);
    assert_eq!(step(0), []);
    assert_eq!(step(12), [(Cause::SequenceGap, 1), (Cause::LostRecord, 10)]);
    assert_eq!(step(6), [(Cause::LateDatagram, 1)]);
    assert_eq!(step(14), []);
    // Two in a row from the beginning: the exporter was restarted.
    assert_eq!(step(0), [(Cause::LateDatagram, 1)]);
    assert_eq!(step(2), [(Cause::SequenceRestart, 1)]);
    assert_eq!(step(4), []);
    assert_eq!(step(3_000_000_000), [(Cause::SequenceRestart, 1)]);
    assert_eq!(collector.counts().records, 20);
}
