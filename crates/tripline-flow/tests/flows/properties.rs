//! What holds for any packets.

use proptest::prelude::*;
use tripline_flow::{Early, Event, Flow, Meter, MeterConfig, Profile};
use tripline_wire::{Address, Fragment, Packet, Tcp, Transport, protocol};

use crate::check::{ended, run};

/// Packets between few end points, so that they meet.
fn some_packets(steps: &'static [i64]) -> impl Strategy<Value = Vec<Packet>> {
    let packet = (
        0..4_u8,
        0..4_u8,
        0..3_u16,
        0..3_u16,
        0..6_u8,
        any::<u8>(),
        0..2000_u32,
        prop::sample::select(steps),
        any::<u32>(),
    );
    prop::collection::vec(packet, 0..300).prop_map(|seeds| {
        let mut now = 0_i64;
        seeds
            .into_iter()
            .map(
                |(from, to, from_port, to_port, kind, flags, bytes, step, number)| {
                    now = now.saturating_add(step);
                    let tcp = Tcp {
                        flags,
                        window: number as u16,
                        sequence: number % 5000,
                        acknowledgement: 0,
                    };
                    let (number, transport) = match kind {
                        0..=2 => (protocol::TCP, Transport::Tcp(tcp)),
                        3 => (protocol::UDP, Transport::Udp),
                        4 => (
                            protocol::ICMP,
                            Transport::Icmp {
                                kind: flags % 4 * 4,
                                code: flags % 3,
                            },
                        ),
                        _ => (flags, Transport::Other),
                    };
                    let has_ports = kind < 4;
                    Packet {
                        time_micros: now,
                        source: Address::v4([10, 0, 0, from]),
                        destination: Address::v4([10, 0, 0, to]),
                        source_port: if has_ports { from_port } else { 0 },
                        destination_port: if has_ports { to_port } else { 0 },
                        protocol: number,
                        version: 4,
                        header_bytes: 20,
                        payload_bytes: bytes,
                        captured_payload_bytes: bytes,
                        ip_payload_bytes: bytes + 20,
                        frame_bytes: bytes + 54,
                        transport,
                        fragment: match flags % 16 {
                            0 => Fragment::Overlapping,
                            1 => Fragment::Later,
                            _ => Fragment::Whole,
                        },
                    }
                },
            )
            .collect()
    })
}

/// Microseconds between packets: bursts, pauses around every limit, and time going backwards.
const ANY_STEP: &[i64] = &[
    0,
    1,
    500,
    200_000,
    1_000_001,
    5_000_001,
    61_000_000,
    119_000_000,
    301_000_000,
    -3_000_000,
];
const FORWARD: &[i64] = &[
    0,
    1,
    500,
    200_000,
    1_000_001,
    5_000_001,
    61_000_000,
    119_000_000,
];

fn config(profile: Profile, max_bytes: usize) -> MeterConfig {
    MeterConfig {
        profile,
        max_bytes,
        early: Some(Early {
            after_packets: 4,
            after_micros: 3_000_000,
        }),
        timeline: 3,
        ..MeterConfig::default()
    }
}

fn profiles() -> impl Strategy<Value = Profile> {
    prop::sample::select(&Profile::ALL[..])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_packet_is_in_one_flow_or_one_counter(
        packets in some_packets(ANY_STEP),
        profile in profiles(),
        max_bytes in prop::sample::select(&[1_usize, 128 << 20][..]),
    ) {
        let (mut meter, mut events) = (Meter::new(config(profile, max_bytes)), Vec::new());
        meter.observe(&packets, &mut events);
        meter.finish(&mut events);
        let told: u64 = ended(&events).map(Flow::packets).sum();
        let counts = meter.counts();
        prop_assert_eq!(counts.packets, packets.len() as u64);
        prop_assert_eq!(told, counts.flow_packets);
        prop_assert_eq!(told + counts.lone_flows + counts.dropped, counts.packets);
        prop_assert_eq!(ended(&events).count() as u64, counts.ended.iter().sum::<u64>());
        prop_assert_eq!(counts.flows, counts.ended.iter().sum::<u64>() + counts.lone_flows);
        prop_assert_eq!(meter.entries(), 0);
    }

    #[test]
    fn chunks_keys_and_threads_change_nothing(
        packets in some_packets(ANY_STEP),
        profile in profiles(),
        max_bytes in prop::sample::select(&[1_usize, 128 << 20][..]),
        chunk in 1..50_usize,
        hash_key in any::<[u64; 2]>(),
    ) {
        let expected = run(config(profile, max_bytes), &packets);
        for threads in [1, 2, 4] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let found: Vec<Event> = pool.install(|| {
                let keyed = MeterConfig { hash_key, ..config(profile, max_bytes) };
                let (mut meter, mut events) = (Meter::new(keyed), Vec::new());
                for chunk in packets.chunks(chunk) {
                    meter.observe(chunk, &mut events);
                }
                meter.finish(&mut events);
                events
            });
            prop_assert_eq!(&found, &expected);
        }
    }

    #[test]
    fn a_sweep_finds_the_flows_that_arriving_packets_would(
        packets in some_packets(FORWARD),
        profile in profiles(),
    ) {
        let quiet = MeterConfig { early: None, ..config(profile, 128 << 20) };
        let lazy = run(quiet, &packets);
        let (mut meter, mut swept) = (Meter::new(quiet), Vec::new());
        for packet in &packets {
            meter.advance(packet.time_micros, &mut swept);
            meter.observe(std::slice::from_ref(packet), &mut swept);
        }
        meter.finish(&mut swept);
        prop_assert_eq!(plain(&lazy), plain(&swept));
    }
}

/// Flows without what the moment of their end decides.
fn plain(events: &[Event]) -> Vec<Flow> {
    let mut flows: Vec<Flow> = ended(events)
        .map(|flow| {
            let mut flow = flow.clone();
            flow.end = None;
            flow.connection = None;
            flow
        })
        .collect();
    flows.sort_by_key(|flow| flow.id);
    flows
}
