//! A capture file to flows, with hardly any memory for them: no packet gets lost, and how packets
//! are grouped changes nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tripline_flow::{Early, Event, Meter, MeterConfig, Profile, What};
use tripline_fuzz::{options, read_capture};
use tripline_wire::Packet;

fuzz_target!(
    init: {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread();
        pool.build_global().expect("there is no other pool yet");
    },
    |bytes: &[u8]| {
        let choice = bytes.last().copied().unwrap_or_default();
        let mut packets = Vec::new();
        read_capture(bytes, options(choice), |packet| packets.push(packet));
        if packets.is_empty() {
            return;
        }
        let config = config(choice);
        let events = meter(config, &packets, packets.len());
        let pieces = meter(config, &packets, usize::from(choice >> 4) + 1);
        assert!(events == pieces, "events depend on how packets are grouped");
    }
);

fn config(choice: u8) -> MeterConfig {
    let early = Early {
        after_packets: 3,
        after_micros: 1_000_000,
    };
    MeterConfig {
        profile: match choice >> 1 & 3 {
            0 => Profile::V4,
            1 => Profile::Cicids2017,
            _ => Profile::Fixed,
        },
        max_bytes: if choice & 8 == 0 { 16 << 10 } else { 1 << 20 },
        early: (choice & 16 == 0).then_some(early),
        timeline: usize::from(choice >> 5),
        ..MeterConfig::default()
    }
}

/// Meters packets in groups and checks that the books balance.
fn meter(config: MeterConfig, packets: &[Packet], group: usize) -> Vec<Event> {
    let mut meter = Meter::new(config);
    let mut events = Vec::new();
    for some in packets.chunks(group) {
        meter.observe(some, &mut events);
    }
    meter.finish(&mut events);
    let counts = meter.counts();
    assert_eq!(counts.packets, packets.len() as u64);
    assert_eq!(
        counts.packets,
        counts.flow_packets + counts.lone_flows + counts.dropped,
        "every packet is in one flow or one counter"
    );
    assert_eq!(meter.entries(), 0);
    let ended = events
        .iter()
        .filter(|event| matches!(event.what, What::Ended(_)));
    assert_eq!(counts.flows, ended.count() as u64 + counts.lone_flows);
    events
}
