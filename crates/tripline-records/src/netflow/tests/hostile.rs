//! Templates that lie, lengths that loop, floods, cuts and mutations.

use super::*;
use crate::testing::Random;

fn v9_causes(sets: &Build) -> Vec<(Cause, u64)> {
    causes(&send(&mut collector(), ROUTER, &v9_message(0, 0, sets)).1)
}

fn ipfix_causes(sets: &Build) -> Vec<(Cause, u64)> {
    causes(&send(&mut collector(), ROUTER, &ipfix_message(0, 0, sets)).1)
}

#[test]
fn templates_beyond_the_limits_are_refused_and_the_next_one_is_read() {
    let huge = template(256, &[(8, 60_000), (12, 4)]);
    let many = template(257, &[(8, 4); 129]);
    let good = template(258, &SIMPLE);
    let sets = b()
        .set(0, &huge.bytes(&many.0).bytes(&good.0))
        .set(258, &simple_record(1));
    let (records, outcome) = send(&mut collector(), ROUTER, &v9_message(0, 0, &sets));
    assert_eq!((records.len(), outcome.templates), (1, 1));
    assert_eq!(causes(&outcome), [(Cause::TemplateTooLarge, 2)]);
    // In v9 this length is no variable length.
    let variable = template(256, &[(8, 4), (12, 4), (150, 4), (96, u16::MAX)]);
    assert_eq!(
        v9_causes(&b().set(0, &variable)),
        [(Cause::TemplateTooLarge, 1)]
    );
    assert_eq!(ipfix_causes(&b().set(2, &variable)), []);
}

#[test]
fn a_refused_template_takes_its_predecessor_along() {
    let mut collector = collector();
    let data = b().set(256, &simple_record(1));
    let good = b().set(0, &template(256, &SIMPLE));
    send(&mut collector, ROUTER, &v9_message(0, 0, &good));
    let bad = b().set(0, &template(256, &[(8, 60_000)]));
    send(&mut collector, ROUTER, &v9_message(1, 0, &bad));
    let (_, outcome) = send(&mut collector, ROUTER, &v9_message(2, 0, &data));
    assert_eq!(causes(&outcome), [(Cause::NoTemplate, 1)]);
}

#[test]
fn records_without_bytes_are_no_records() {
    let bad = [(Cause::BadTemplate, 1)];
    let empty = template(256, &[(8, 0), (12, 0)]);
    assert_eq!(v9_causes(&b().set(0, &empty)), bad);
    assert_eq!(ipfix_causes(&b().set(2, &empty)), bad);
    assert_eq!(v9_causes(&b().set(0, &template(256, &[]))), bad);
    assert_eq!(ipfix_causes(&b().set(2, &template(255, &SIMPLE))), bad);
    // One field without bytes among others is just not there.
    let with_zero = template(256, &[(8, 4), (12, 4), (150, 4), (1, 0)]);
    let sets = b().set(2, &with_zero).set(256, &simple_record(1));
    let (records, _) = send(&mut collector(), ROUTER, &ipfix_message(0, 0, &sets));
    assert_eq!(records, [bare(RecordSource::Ipfix, 1)]);
    // Fields that say more than the set holds.
    let cut = b().set(2, &b().u16(256).u16(100).u16(8).u16(4));
    assert_eq!(ipfix_causes(&cut), bad);
}

#[test]
fn sets_that_do_not_advance_end_the_message() {
    for length in 0..4 {
        let sets = b().u16(256).u16(length).bytes(&[1; 64]);
        assert_eq!(v9_causes(&sets), [(Cause::BadSetLength, 1)]);
        assert_eq!(ipfix_causes(&sets), [(Cause::BadSetLength, 1)]);
    }
    assert_eq!(v9_causes(&b().bytes(&[0; 10])), [(Cause::TrailingBytes, 1)]);
    assert_eq!(
        v9_causes(&b().u16(256).u16(65_535)),
        [(Cause::Truncated, 1)]
    );
    assert_eq!(v9_causes(&b().set(77, &b())), [(Cause::ReservedSet, 1)]);
    assert_eq!(ipfix_causes(&b().set(0, &b())), [(Cause::ReservedSet, 1)]);
}

#[test]
fn a_variable_length_beyond_its_set_ends_the_set() {
    let variable = template(256, &[(8, 4), (12, 4), (150, 4), (96, u16::MAX)]);
    let data = simple_record(1).u8(0).bytes(&simple_record(2).u8(200).0);
    let sets = b().set(2, &variable).set(256, &data);
    let (records, outcome) = send(&mut collector(), ROUTER, &ipfix_message(0, 0, &sets));
    assert_eq!(records, [bare(RecordSource::Ipfix, 1)]);
    assert_eq!(causes(&outcome), [(Cause::BadRecord, 1)]);
}

#[test]
fn what_is_no_netflow_takes_no_room() {
    let mut collector = collector();
    for (datagram, cause) in [
        (&b""[..], Cause::Truncated),
        (b"\0", Cause::Truncated),
        (b"\0\x09", Cause::Truncated),
        (b"\0\x0a\0\x04\0\0\0\0\0\0\0\0\0\0\0\0", Cause::Truncated),
        (b"\0\x01\0\0", Cause::UnknownVersion),
        (b"GET / HTTP/1.1", Cause::UnknownVersion),
    ] {
        assert_eq!(
            causes(&send(&mut collector, ROUTER, datagram).1),
            [(cause, 1)]
        );
    }
    assert_eq!(
        (collector.exporters(), collector.counts().datagrams),
        (0, 6)
    );
}

#[test]
fn the_longest_unused_makes_room() {
    let limits = CollectorLimits {
        max_exporters: 2,
        max_domains_per_exporter: 2,
        max_templates_per_exporter: 2,
        ..CollectorLimits::default()
    };
    let mut collector = FlowCollector::new(limits);
    let with = |id| b().set(0, &template(id, &SIMPLE));
    let data = |id| b().set(id, &simple_record(1));
    let mut step = |exporter: u8, domain, sets: &Build| {
        let exporter = IpAddr::from([192, 0, 2, exporter]);
        let (records, outcome) = send(&mut collector, exporter, &v9_message(0, domain, sets));
        let mut causes = causes(&outcome);
        causes
            .retain(|(cause, _)| *cause != Cause::LateDatagram && *cause != Cause::SequenceRestart);
        (records.len(), causes)
    };
    assert_eq!(step(1, 0, &with(256)), (0, vec![]));
    assert_eq!(step(1, 0, &with(257)), (0, vec![]));
    // Use decides, not age.
    assert_eq!(step(1, 0, &data(256)), (1, vec![]));
    assert_eq!(
        step(1, 0, &with(258)),
        (0, vec![(Cause::TemplateEvicted, 1)])
    );
    assert_eq!(step(1, 0, &data(256)), (1, vec![]));
    assert_eq!(step(1, 0, &data(257)), (0, vec![(Cause::NoTemplate, 1)]));
    // Repeating a template evicts nothing.
    assert_eq!(step(1, 0, &with(258)), (0, vec![]));

    assert_eq!(step(1, 1, &b()), (0, vec![]));
    assert_eq!(step(1, 2, &b()), (0, vec![(Cause::DomainEvicted, 1)]));

    assert_eq!(step(2, 0, &with(256)), (0, vec![]));
    assert_eq!(step(1, 0, &data(256)).0, 1);
    assert_eq!(
        step(3, 0, &with(256)),
        (0, vec![(Cause::ExporterEvicted, 1)])
    );
    assert_eq!(step(1, 0, &data(256)).0, 1);
    let lost = vec![(Cause::NoTemplate, 1), (Cause::ExporterEvicted, 1)];
    assert_eq!(step(2, 0, &data(256)), (0, lost));
    assert_eq!(collector.exporters(), 2);
    assert_eq!(collector.counts().causes.of(Cause::ExporterEvicted), 2);
}

#[test]
fn a_flood_of_exporters_and_templates_stays_within_the_limits() {
    let limits = CollectorLimits {
        max_exporters: 8,
        max_templates_per_exporter: 4,
        ..CollectorLimits::default()
    };
    let mut collector = FlowCollector::new(limits);
    let mut random = Random(4);
    for _ in 0..5000 {
        let exporter = IpAddr::from([10, 9, random.next() as u8, random.next() as u8]);
        let templates = (256..270).fold(b(), |build, id| build.bytes(&template(id, &SIMPLE).0));
        let sets = b().set(0, &templates);
        send(
            &mut collector,
            exporter,
            &v9_message(0, random.next() as u32, &sets),
        );
        assert!(collector.exporters() <= 8 && collector.templates() <= 32);
    }
}

fn originals() -> [Vec<u8>; 3] {
    [v5::message(0), v9::messages(), ipfix::message()]
}

#[test]
fn a_datagram_cut_anywhere_gives_what_is_there() {
    for original in originals() {
        let (whole, _) = send(&mut collector(), ROUTER, &original);
        for length in 0..original.len() {
            let (part, _) = send(&mut collector(), ROUTER, &original[..length]);
            assert!(part.len() <= whole.len());
            assert_eq!(part, whole[..part.len()]);
        }
    }
}

#[test]
fn mutated_datagrams_never_panic_and_never_multiply() {
    for (seed, original) in originals().iter().enumerate() {
        let mut random = Random(seed as u64);
        // State survives from datagram to datagram, as it would from a real exporter.
        let mut collector = collector();
        for _ in 0..10_000 {
            let datagram = random.mutate(original);
            let (records, _) = send(&mut collector, ROUTER, &datagram);
            assert!(records.len() <= datagram.len());
        }
        assert!(collector.templates() <= CollectorLimits::default().max_templates_per_exporter);
    }
}
