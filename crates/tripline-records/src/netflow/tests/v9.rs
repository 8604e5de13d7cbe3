use super::*;

const FULL: [(u16, u16); 12] = [
    (21, 4),
    (22, 4),
    (1, 4),
    (2, 8),
    (7, 2),
    (11, 2),
    (8, 4),
    (12, 4),
    (4, 1),
    (6, 1),
    (34, 4),
    // A vendor's field, and v9 has no enterprise bit.
    (40_000, 3),
];

fn full_record() -> Build {
    let start = b()
        .u32(UPTIME - 1000)
        .u32(UPTIME - 9000)
        .u32(1234)
        .u64(9)
        .u16(5000)
        .u16(80);
    let addresses = start.bytes(&[10, 0, 0, 1]).bytes(&[10, 0, 1, 1]);
    addresses.u8(6).u8(0x12).u32(64).bytes(b"abc")
}

pub(super) fn messages() -> Vec<u8> {
    let templates = b().set(0, &template(256, &FULL).bytes(&template(257, &SIMPLE).0));
    let options = b()
        .u16(300)
        .u16(4)
        .u16(4)
        .u16(1)
        .u16(4)
        .u16(34)
        .u16(4)
        .u16(0);
    let sets = templates.set(1, &options);
    let sets = sets.set(256, &full_record().bytes(&full_record().0).u16(0));
    v9_message(1, 7, &sets.set(300, &b().u32(1).u32(100)))
}

#[test]
fn a_template_and_its_records_in_one_datagram() {
    let mut collector = collector();
    let (records, outcome) = send(&mut collector, ROUTER, &messages());
    let expected = FlowRecord {
        start_micros: EXPORT_MICROS - 9_000_000,
        end_micros: Some(EXPORT_MICROS - 1_000_000),
        source_port: 5000,
        destination_port: 80,
        protocol: 6,
        forward: Side {
            packets: Some(9),
            ip_bytes: Some(1234),
            ..Side::default()
        },
        tcp_flags: Some(TcpFlagUnion {
            forward: Some(0x12),
            backward: None,
        }),
        sampling: Some(64),
        ..bare(RecordSource::NetflowV9, 1)
    };
    assert_eq!(records, [expected.clone(), expected]);
    assert_eq!((outcome.templates, collector.templates()), (3, 3));
    // The sampling of the options record is that of some sampler, perhaps not of these flows.
    assert_eq!(causes(&outcome), [(Cause::OptionsRecord, 1)]);
}

#[test]
fn templates_of_exporters_domains_and_versions_do_not_mix() {
    let mut collector = collector();
    let data = b().set(256, &simple_record(1));
    let with_template = b()
        .set(0, &template(256, &SIMPLE))
        .set(256, &simple_record(1));
    let none = [(Cause::NoTemplate, 1)];
    assert_eq!(
        causes(&send(&mut collector, ROUTER, &v9_message(0, 1, &data)).1),
        none
    );
    let (records, _) = send(&mut collector, ROUTER, &v9_message(1, 1, &with_template));
    assert_eq!(records, [bare(RecordSource::NetflowV9, 1)]);
    assert_eq!(
        send(&mut collector, ROUTER, &v9_message(2, 1, &data))
            .0
            .len(),
        1
    );
    assert_eq!(
        causes(&send(&mut collector, ROUTER, &v9_message(0, 2, &data)).1),
        none
    );
    assert_eq!(
        causes(&send(&mut collector, OTHER, &v9_message(0, 1, &data)).1),
        none
    );
    assert_eq!(
        causes(&send(&mut collector, ROUTER, &ipfix_message(0, 1, &data)).1),
        none
    );

    // Another meaning of the same number elsewhere changes nothing here.
    let swapped = b().set(0, &template(256, &[(12, 4), (8, 4), (150, 4)]));
    send(&mut collector, OTHER, &v9_message(1, 1, &swapped));
    assert_eq!(
        send(&mut collector, ROUTER, &v9_message(3, 1, &data)).0,
        [bare(RecordSource::NetflowV9, 1)]
    );
    let (records, _) = send(&mut collector, OTHER, &v9_message(2, 1, &data));
    assert_eq!(records[0].source_address, IpAddr::from([10, 0, 1, 1]));
    // An IPv4 exporter seen through an IPv6 socket is the same exporter.
    let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
    assert_eq!(
        send(&mut collector, mapped, &v9_message(4, 1, &data))
            .0
            .len(),
        1
    );
}

#[test]
fn icmp_comes_from_its_field_or_from_the_port() {
    let fields = [(8, 4), (12, 4), (150, 4), (4, 1), (32, 2), (7, 2), (11, 2)];
    let sets = |code, port| {
        let record = simple_record(1).u8(1).u16(code).u16(0).u16(port);
        b().set(0, &template(256, &fields)).set(256, &record)
    };
    let (records, _) = send(
        &mut collector(),
        ROUTER,
        &v9_message(0, 0, &sets(0x0800, 9)),
    );
    assert_eq!(
        (records[0].icmp, records[0].destination_port),
        (Some((8, 0)), 0)
    );
    let without = [(8, 4), (12, 4), (150, 4), (4, 1), (11, 2)];
    let sets = b().set(0, &template(256, &without));
    let sets = sets.set(256, &simple_record(1).u8(1).u16(0x0b00));
    let (records, _) = send(&mut collector(), ROUTER, &v9_message(0, 0, &sets));
    assert_eq!(records[0].icmp, Some((11, 0)));
}

#[test]
fn sequence_numbers_count_datagrams_of_a_domain() {
    let mut collector = collector();
    let sets = b().set(0, &template(256, &SIMPLE));
    let mut step = |sequence, domain| {
        causes(&send(&mut collector, ROUTER, &v9_message(sequence, domain, &sets)).1)
    };
    assert_eq!(step(5, 1), []);
    assert_eq!(step(900, 2), []);
    assert_eq!(
        step(9, 1),
        [(Cause::SequenceGap, 1), (Cause::LostDatagram, 3)]
    );
    assert_eq!(step(901, 2), []);
}
