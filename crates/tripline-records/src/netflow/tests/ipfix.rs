use super::*;

const REVERSE: u32 = 29_305;

/// A field with its enterprise; 0 is the standard.
fn fields(id: u16, fields: &[(u32, u16, u16)]) -> Build {
    let start = b().u16(id).u16(fields.len() as u16);
    fields
        .iter()
        .fold(start, |build, (enterprise, number, length)| {
            if *enterprise == 0 {
                build.u16(*number).u16(*length)
            } else {
                build.u16(number | 0x8000).u16(*length).u32(*enterprise)
            }
        })
}

const BIFLOW: [(u32, u16, u16); 19] = [
    (0, 27, 16),
    (0, 28, 16),
    (0, 152, 8),
    (0, 153, 8),
    (0, 7, 2),
    (0, 11, 2),
    (0, 4, 1),
    (0, 1, 3),
    (0, 2, 8),
    (REVERSE, 1, 8),
    (REVERSE, 2, 1),
    (0, 6, 2),
    (REVERSE, 6, 1),
    (0, 136, 1),
    (0, 305, 2),
    (0, 306, 2),
    (0, 96, u16::MAX),
    (12_345, 1, u16::MAX),
    (0, 352, 2),
];

fn biflow_record(name: &[u8]) -> Build {
    let millis = u64::from(EXPORTED) * 1000;
    let addresses = b().bytes(&[0xfd; 16]).bytes(&[0xfe; 16]);
    let times = addresses.u64(millis - 9000).u64(millis - 1000);
    let ports = times
        .u16(5000)
        .u16(80)
        .u8(6)
        .bytes(&[0, 1, 2])
        .u64(3)
        .u64(400)
        .u8(5);
    let flags = ports.u16(0x0118).u8(0x12).u8(3).u16(1).u16(99);
    // A short length, then one of three bytes.
    let names = flags
        .u8(name.len() as u8)
        .bytes(name)
        .u8(255)
        .u16(2)
        .bytes(b"xy");
    names.u16(77)
}

pub(super) fn message() -> Vec<u8> {
    let options = b().u16(300).u16(2).u16(1).u16(149).u16(4).u16(160).u16(8);
    let sets = b().set(2, &fields(256, &BIFLOW)).set(3, &options);
    let boot = u64::from(EXPORTED) * 1000 - 60_000;
    let sets = sets.set(300, &b().u32(1).u64(boot));
    let data = biflow_record(b"").bytes(&biflow_record(b"http").0);
    ipfix_message(0, 1, &sets.set(256, &data))
}

#[test]
fn both_directions_variable_lengths_and_unknown_fields() {
    let (records, outcome) = send(&mut collector(), ROUTER, &message());
    let expected = FlowRecord {
        start_micros: EXPORT_MICROS - 9_000_000,
        end_micros: Some(EXPORT_MICROS - 1_000_000),
        source_address: IpAddr::from([0xfd; 16]),
        destination_address: IpAddr::from([0xfe; 16]),
        source_port: 5000,
        destination_port: 80,
        protocol: 6,
        forward: Side {
            packets: Some(3),
            ip_bytes: Some(258),
            frame_bytes: Some(77),
            payload_bytes: None,
        },
        backward: Some(Side {
            packets: Some(5),
            ip_bytes: Some(400),
            ..Side::default()
        }),
        tcp_flags: Some(TcpFlagUnion {
            forward: Some(0x18),
            backward: Some(0x12),
        }),
        end_reason: Some("end of flow detected".to_owned()),
        sampling: Some(100),
        ..bare(RecordSource::Ipfix, 1)
    };
    assert_eq!(records, [expected.clone(), expected]);
    assert_eq!(outcome.templates, 2);
    assert_eq!(causes(&outcome), [(Cause::OptionsRecord, 1)]);
}

/// The record that these fields and values give.
fn flow(more: &[(u32, u16, u16)], values: &Build) -> (Vec<FlowRecord>, DatagramOutcome) {
    let addresses = [(0, 8, 4), (0, 12, 4)];
    let all: Vec<_> = addresses.iter().chain(more).copied().collect();
    let record = b()
        .bytes(&[10, 0, 0, 1])
        .bytes(&[10, 0, 1, 1])
        .bytes(&values.0);
    let sets = b().set(2, &fields(256, &all)).set(256, &record);
    send(&mut collector(), ROUTER, &ipfix_message(0, 0, &sets))
}

/// Fields, their values, and the start and end expected.
type Case = (&'static [(u32, u16, u16)], Build, (i64, Option<i64>));

#[test]
fn every_way_to_write_a_time() {
    const NTP: u64 = (EXPORTED as u64 + 2_208_988_800) << 32 | 0x8000_0000;
    let times = |start: i64, end: Option<i64>| {
        let exported = |offset| EXPORT_MICROS + offset;
        (exported(start), end.map(exported))
    };
    let millis = u64::from(EXPORTED) * 1000;
    let cases: [Case; 10] = [
        (
            &[(0, 150, 4), (0, 151, 4)],
            b().u32(EXPORTED - 2).u32(EXPORTED),
            times(-2_000_000, Some(0)),
        ),
        (
            &[(0, 154, 8), (0, 155, 8)],
            b().u64(NTP).u64(NTP),
            times(500_000, Some(500_000)),
        ),
        (
            &[(0, 156, 8), (0, 161, 4)],
            b().u64(NTP).u32(3),
            times(500_000, Some(503_000)),
        ),
        (
            &[(0, 158, 4), (0, 159, 4)],
            b().u32(900).u32(100),
            times(-900, Some(-100)),
        ),
        (
            &[(0, 153, 8), (0, 162, 4)],
            b().u64(millis).u32(7),
            times(-7, Some(0)),
        ),
        (&[(0, 323, 8)], b().u64(millis), times(0, None)),
        // The finer clock counts.
        (
            &[(0, 152, 8), (0, 150, 4)],
            b().u64(millis - 1).u32(EXPORTED),
            times(-1000, None),
        ),
        // The boot may stand after the times that count from it.
        (
            &[(0, 22, 4), (0, 160, 8)],
            b().u32(5).u64(millis - 9),
            times(-4000, None),
        ),
        // 0 is no time of NTP; the next era begins in 2036.
        (
            &[(0, 154, 8), (0, 152, 8)],
            b().u64(0).u64(millis),
            (0, None),
        ),
        (
            &[(0, 154, 8)],
            b().u64(1 << 32),
            (2_085_978_497_000_000, None),
        ),
    ];
    for (position, (more, values, expected)) in cases.into_iter().enumerate() {
        let (records, outcome) = flow(more, &values);
        if position == 8 {
            assert_eq!(causes(&outcome), [(Cause::NoTime, 1)]);
            continue;
        }
        let record = &records[0];
        assert_eq!(
            (record.start_micros, record.end_micros),
            expected,
            "{position}"
        );
    }
}

#[test]
fn odd_times_are_kept_and_counted() {
    let (records, outcome) = flow(&[(0, 150, 4), (0, 151, 4)], &b().u32(1000).u32(999));
    assert_eq!(records[0].end_micros, Some(999_000_000));
    assert_eq!(outcome.oddities.end_before_start, 1);
    assert_eq!(outcome.oddities.start_far_off, 1);
    let (records, outcome) = flow(
        &[(0, 152, 8), (0, 153, 8)],
        &b().u64(u64::from(EXPORTED) * 1000).u64(u64::MAX),
    );
    assert_eq!(records[0].end_micros, None);
    assert_eq!(outcome.oddities.time_out_of_range, 1);
}

#[test]
fn what_is_no_flow_is_counted() {
    assert_eq!(
        causes(&flow(&[(0, 1, 4)], &b().u32(1)).1),
        [(Cause::NoTime, 1)]
    );
    let sets = b().set(2, &fields(256, &[(0, 8, 4), (0, 150, 4)]));
    let sets = sets.set(256, &b().u32(1).u32(2));
    let (_, outcome) = send(&mut collector(), ROUTER, &ipfix_message(0, 0, &sets));
    assert_eq!(causes(&outcome), [(Cause::NoAddress, 1)]);
}

#[test]
fn icmp_and_firewall_elements() {
    let time = (0, 150, 4);
    let (records, _) = flow(
        &[time, (0, 4, 1), (0, 139, 2)],
        &b().u32(EXPORTED).u8(58).u16(0x8001),
    );
    assert_eq!(records[0].icmp, Some((128, 1)));
    let apart = [time, (0, 4, 1), (0, 176, 1), (0, 177, 1)];
    let (records, _) = flow(&apart, &b().u32(EXPORTED).u8(1).u8(3).u8(4));
    assert_eq!(records[0].icmp, Some((3, 4)));
    // A Cisco firewall counts payload in both directions.
    let (records, _) = flow(
        &[time, (0, 231, 4), (0, 232, 4)],
        &b().u32(EXPORTED).u32(5).u32(6),
    );
    assert_eq!(records[0].forward.payload_bytes, Some(5));
    assert_eq!(records[0].backward.unwrap().payload_bytes, Some(6));
    assert_eq!(records[0].backward.unwrap().ip_bytes, None);
    // YAF's flags of the first packet and of the others.
    let yaf = [
        time,
        (0, 4, 1),
        (6871, 14, 1),
        (6871, 15, 1),
        (6871, 16_399, 1),
    ];
    let (records, _) = flow(&yaf, &b().u32(EXPORTED).u8(6).u8(2).u8(0x18).u8(0x12));
    let flags = records[0].tcp_flags.unwrap();
    assert_eq!((flags.forward, flags.backward), (Some(0x1a), Some(0x12)));
}

#[test]
fn the_boot_time_of_an_options_record_counts_for_its_domain() {
    let mut collector = collector();
    send(&mut collector, ROUTER, &message());
    let uptime = b().set(2, &template(400, &[(8, 4), (12, 4), (22, 4)]));
    let data = b().bytes(&[10, 0, 0, 1]).bytes(&[10, 0, 1, 1]).u32(10_000);
    let sets = uptime.set(400, &data);
    let (records, _) = send(&mut collector, ROUTER, &ipfix_message(3, 1, &sets));
    assert_eq!(records[0].start_micros, EXPORT_MICROS - 50_000_000);
    let (_, outcome) = send(&mut collector, ROUTER, &ipfix_message(0, 2, &sets));
    assert_eq!(causes(&outcome), [(Cause::NoTime, 1)]);
}

#[test]
fn withdrawn_templates_are_forgotten() {
    let two = template(256, &SIMPLE).bytes(&template(257, &SIMPLE).0);
    let two = b().set(2, &two);
    let data = b().set(256, &simple_record(1)).set(257, &simple_record(2));
    let run = |withdrawals, withdrawal: &Build| {
        let limits = CollectorLimits {
            withdrawals,
            ..CollectorLimits::default()
        };
        let mut collector = FlowCollector::new(limits);
        send(&mut collector, ROUTER, &ipfix_message(0, 1, &two));
        send(&mut collector, ROUTER, &ipfix_message(0, 2, &two));
        let (_, outcome) = send(&mut collector, ROUTER, &ipfix_message(0, 1, withdrawal));
        let (records, _) = send(&mut collector, ROUTER, &ipfix_message(0, 1, &data));
        assert_eq!(
            send(&mut collector, ROUTER, &ipfix_message(0, 2, &data))
                .0
                .len(),
            2
        );
        (causes(&outcome), records.len())
    };
    let one = b().set(2, &b().u16(256).u16(0));
    let all = b().set(2, &b().u16(2).u16(0));
    let options = b().set(3, &b().u16(3).u16(0));
    let obey = Withdrawals::Obey;
    assert_eq!(run(obey, &one), (vec![(Cause::TemplateWithdrawn, 1)], 1));
    assert_eq!(run(obey, &all), (vec![(Cause::TemplateWithdrawn, 2)], 0));
    assert_eq!(run(obey, &options), (vec![], 2));
    let ignored = vec![(Cause::WithdrawalIgnored, 1)];
    assert_eq!(run(Withdrawals::Ignore, &all), (ignored, 2));
}

#[test]
fn sequence_numbers_count_records_that_are_known() {
    let mut collector = collector();
    let sets = b().set(2, &template(256, &SIMPLE));
    let sets = sets.set(256, &simple_record(1).bytes(&simple_record(2).0));
    let unknown = b().set(999, &simple_record(1));
    let mut step = |sequence, sets: &Build| {
        causes(&send(&mut collector, ROUTER, &ipfix_message(sequence, 1, sets)).1)
    };
    assert_eq!(step(10, &sets), []);
    assert_eq!(step(12, &sets), []);
    assert_eq!(
        step(20, &sets),
        [(Cause::SequenceGap, 1), (Cause::LostRecord, 6)]
    );
    // How many records the unknown set holds is unknown, so the next number proves nothing.
    assert_eq!(step(22, &unknown), [(Cause::NoTemplate, 1)]);
    assert_eq!(step(40, &sets), []);
}
