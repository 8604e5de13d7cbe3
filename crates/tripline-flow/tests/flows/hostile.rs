//! Traffic that is made to hurt.

use tripline_flow::{EndReason, Meter, MeterConfig, Profile};
use tripline_wire::{Address, Packet, Tcp, Transport, tcp_flags};

use crate::check::config;
use crate::fixture::packets;

const BATCH: u32 = 4096;

/// Feeds many packets and counts what comes out without keeping it.
fn feed(meter: &mut Meter, count: u32, packet: impl Fn(u32) -> Packet) -> u64 {
    let (mut batch, mut events, mut told) = (Vec::new(), Vec::new(), 0);
    for begin in (0..count).step_by(BATCH as usize) {
        batch.clear();
        batch.extend((begin..count.min(begin + BATCH)).map(&packet));
        meter.observe(&batch, &mut events);
        told += events.len() as u64;
        events.clear();
        assert!(meter.used_bytes() <= meter.config().max_bytes);
    }
    meter.finish(&mut events);
    told + events.len() as u64
}

fn syn() -> Packet {
    packets("0 10.0.0.1:40000 > 10.0.0.2:80 S")[0]
}

#[test]
fn a_million_syns_from_a_million_sources() {
    const SOURCES: u32 = 1_000_000;
    for profile in [Profile::Fixed, Profile::V4] {
        let mut meter = Meter::new(MeterConfig {
            max_bytes: 24 << 20,
            ..config(profile)
        });
        let first = syn();
        feed(&mut meter, SOURCES, |turn| Packet {
            time_micros: i64::from(turn),
            source: Address::v4(turn.wrapping_mul(2_654_435_761).to_be_bytes()),
            ..first
        });
        let counts = meter.counts();
        assert_eq!(counts.packets, u64::from(SOURCES));
        assert_eq!(counts.flows, u64::from(SOURCES));
        assert_eq!(
            counts.records,
            u64::from(SOURCES),
            "each attempt is a record"
        );
        if profile == Profile::Fixed {
            assert!(counts.ended_by(EndReason::Evicted) > 800_000);
            assert_eq!(counts.flow_packets, u64::from(SOURCES));
        } else {
            assert_eq!(counts.lone_flows, u64::from(SOURCES));
        }
        assert_eq!((meter.entries(), counts.dropped), (0, 0));
    }
}

#[test]
fn one_flow_of_three_million_packets() {
    const PACKETS: u32 = 3_000_000;
    let mut meter = Meter::new(MeterConfig {
        timeline: 64,
        ..config(Profile::Fixed)
    });
    let first = syn();
    let told = feed(&mut meter, PACKETS, |turn| Packet {
        time_micros: i64::from(turn) * 10,
        payload_bytes: 100,
        transport: Transport::Tcp(Tcp {
            flags: tcp_flags::ACK,
            sequence: turn.wrapping_mul(100),
            ..Tcp::default()
        }),
        ..first
    });
    assert_eq!(told, 2, "one flow and one record");
    assert_eq!(meter.counts().flow_packets, u64::from(PACKETS));
}

#[test]
fn every_packet_a_year_later() {
    let mut meter = Meter::new(config(Profile::Fixed));
    let first = syn();
    let told = feed(&mut meter, 20_000, |turn| Packet {
        time_micros: i64::from(turn) * 365 * 86_400 * 1_000_000,
        ..first
    });
    // Each SYN finds the flow of the year before too old, and its attempt over.
    assert_eq!(told, 40_000);
    assert_eq!(meter.counts().flow_packets, 20_000);
}

#[test]
fn times_at_the_ends_of_the_range() {
    let times = [i64::MIN, i64::MAX, 0, -1, i64::MIN, i64::MAX];
    for profile in Profile::ALL {
        let mut meter = Meter::new(config(profile));
        let first = Packet {
            payload_bytes: 10,
            ..syn()
        };
        feed(&mut meter, 600, |turn| Packet {
            time_micros: times[turn as usize % times.len()],
            source_port: (turn % 7) as u16,
            ..first
        });
        let counts = meter.counts();
        assert_eq!(
            counts.flow_packets + counts.lone_flows + counts.dropped,
            600
        );
    }
}
