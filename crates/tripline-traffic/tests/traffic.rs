//! Generated traffic: the same every time, in order, labelled, and valid on the wire.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "in a test, what fails in a helper fails the test"
)]

use std::collections::{BTreeMap, BTreeSet};

use tripline_traffic::adversarial::{Hostile, Shape};
use tripline_traffic::{
    AttackKind, AttackPlan, Label, LabelWriter, PcapWriter, PlanError, Traffic, TrafficPlan,
};
use tripline_wire::{CaptureReader, DecodeOptions, Decoder};

const SECOND: i64 = 1_000_000;

fn capture(plan: &TrafficPlan) -> (Vec<u8>, String) {
    let mut pcap = PcapWriter::new(Vec::new()).unwrap();
    let mut labels = LabelWriter::new(Vec::new()).unwrap();
    let mut traffic = Traffic::new(plan).unwrap();
    while let Some(packet) = traffic.next_packet() {
        pcap.write(packet.time_micros, packet.frame).unwrap();
        labels.observe(&packet);
    }
    let labels = String::from_utf8(labels.finish().unwrap()).unwrap();
    (pcap.finish().unwrap(), labels)
}

#[test]
fn the_same_plan_gives_the_same_bytes() {
    let plan = TrafficPlan {
        duration_micros: 60 * SECOND,
        ..TrafficPlan::demo(5)
    };
    let first = capture(&plan);
    assert_eq!(first, capture(&plan));
    let other = TrafficPlan { seed: 6, ..plan };
    assert_ne!(first.0, capture(&other).0);
}

#[test]
fn packets_come_in_order_and_every_attack_has_its_label() {
    let mut traffic = Traffic::new(&TrafficPlan::demo(7)).unwrap();
    let mut last = i64::MIN;
    let mut packets: BTreeMap<&str, u64> = BTreeMap::new();
    while let Some(packet) = traffic.next_packet() {
        assert!(packet.time_micros >= last);
        last = packet.time_micros;
        *packets.entry(packet.label.name()).or_default() += 1;
    }
    let wanted: BTreeSet<&str> = AttackKind::ALL
        .into_iter()
        .map(AttackKind::name)
        .chain([Label::Benign.name()])
        .collect();
    assert_eq!(packets.keys().copied().collect::<BTreeSet<_>>(), wanted);
    assert_eq!(traffic.open_sessions(), 0);
}

/// The sum of the words of a header with a right checksum (RFC 1071).
fn sum(header: &[u8]) -> u32 {
    let mut sum: u32 = header
        .chunks_exact(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum
}

#[test]
fn every_frame_is_decoded_and_its_lengths_and_checksums_are_right() {
    let plan = TrafficPlan {
        duration_micros: 120 * SECOND,
        ..TrafficPlan::demo(11)
    };
    let (pcap, _) = capture(&plan);
    let mut reader = CaptureReader::new(pcap.as_slice()).unwrap();
    let mut decoder = Decoder::new(DecodeOptions::default());
    let mut frames = 0_u64;
    while let Some(frame) = reader.next_frame().unwrap() {
        frames += 1;
        if frame.data[12..14] == [0x08, 0x00] {
            assert_eq!(sum(&frame.data[14..34]), 0xffff);
        }
        if let Err(cause) = decoder.decode(&frame) {
            // What is generated as a tunnel has nothing inside.
            assert_eq!(frame.data[23], 47, "{cause}");
        }
    }
    assert!(frames > 10_000);
    assert_eq!(reader.causes().total(), 0);
    assert_eq!(reader.cut_short(), 0);
}

#[test]
fn labels_account_for_every_packet() {
    let plan = TrafficPlan {
        duration_micros: 30 * SECOND,
        ..TrafficPlan::demo(3)
    };
    let (pcap, labels) = capture(&plan);
    let mut reader = CaptureReader::new(pcap.as_slice()).unwrap();
    let mut frames = 0_u64;
    while reader.next_frame().unwrap().is_some() {
        frames += 1;
    }
    let labelled: u64 = labels
        .lines()
        .skip(1)
        .map(|line| line.rsplit(',').next().unwrap().parse::<u64>().unwrap())
        .sum();
    assert_eq!(labelled, frames);
}

#[test]
fn the_rate_of_ordinary_sessions_is_that_of_the_plan() {
    let (_, labels) = capture(&TrafficPlan::benign(1, 600, 5.0));
    let sessions = labels.lines().count() as f64 - 1.0;
    assert!((0.6..1.6).contains(&(sessions / 3000.0)), "{sessions}");
}

#[test]
fn hostile_shapes_have_the_packets_asked_for() {
    for shape in [Shape::Syns, Shape::OneFlow, Shape::Concurrent { flows: 10 }] {
        let mut hostile = Hostile::new(shape, 1000);
        let mut frames = 0;
        while hostile.next_frame().is_some() {
            frames += 1;
        }
        assert_eq!(frames, 1000, "{shape:?}");
    }
}

#[test]
fn a_plan_that_cannot_be_carried_out_names_the_field() {
    let refused = |plan: TrafficPlan| Traffic::new(&plan).unwrap_err().to_string();
    assert_eq!(
        refused(TrafficPlan {
            duration_micros: 0,
            ..TrafficPlan::demo(1)
        }),
        "duration_micros is 0, expected 1 microsecond to 366 days"
    );
    let attack = AttackPlan {
        kind: AttackKind::Bot,
        start_micros: 0,
        duration_micros: SECOND,
        intensity: f64::NAN,
    };
    assert_eq!(
        refused(TrafficPlan {
            attacks: vec![attack],
            ..TrafficPlan::demo(1)
        }),
        "attack intensity is NaN, expected 0.001 to 1000"
    );
    assert!(matches!(
        "flood".parse::<AttackKind>(),
        Err(PlanError::UnknownAttack { .. })
    ));
}
