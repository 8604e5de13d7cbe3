//! Every capture, as the product reads it, in every profile: what has to hold whatever is in it.

use tripline_features::live::{cicflow, nsl_kdd::Connections};
use tripline_flow::{Early, Meter, MeterConfig, Profile, What};
use tripline_wire::{CaptureReader, DecodeOptions, Decoder};

use crate::reference::data;

#[test]
fn every_packet_of_every_capture_is_accounted_for() {
    let Some(data) = data() else { return };
    let mut captures = 0;
    for folder in ["attack", "benign", "nasty"] {
        for file in std::fs::read_dir(data.join("captures").join(folder)).unwrap() {
            let path = file.unwrap().path();
            let Ok(mut capture) = CaptureReader::new(std::fs::File::open(&path).unwrap()) else {
                continue;
            };
            let mut decoder = Decoder::new(DecodeOptions::default());
            let mut packets = Vec::new();
            while let Ok(Some(frame)) = capture.next_frame() {
                packets.extend(decoder.decode(&frame).ok());
            }
            captures += 1;
            for profile in Profile::ALL {
                check(&packets, profile, &path.display().to_string());
            }
        }
    }
    assert!(captures > 500, "{captures}");
}

fn check(packets: &[tripline_wire::Packet], profile: Profile, name: &str) {
    let mut meter = Meter::new(MeterConfig {
        profile,
        early: Some(Early {
            after_packets: 10,
            after_micros: 5_000_000,
        }),
        ..MeterConfig::default()
    });
    let mut events = Vec::new();
    meter.observe(packets, &mut events);
    meter.finish(&mut events);
    let mut connections = Connections::new();
    let (mut row, mut told) = (Vec::new(), 0);
    for event in &events {
        let (What::Ended(flow) | What::Young(flow, _)) = &event.what else {
            if let What::Record(record) = &event.what {
                connections.observe(record);
            }
            continue;
        };
        row.clear();
        cicflow::vector(flow, &mut row);
        assert_eq!(row.len(), tripline_features::cicflow().len(), "{name}");
        assert!(!row.iter().any(|value| value.is_infinite()), "{name}");
        if let Some(connection) = &flow.connection {
            let now = connection.last_micros();
            connections.write(flow.id, &flow.key, connection, now, &mut row);
        }
        if flow.end.is_some() {
            connections.forget(flow.id);
            told += flow.packets();
        }
    }
    let counts = meter.counts();
    assert_eq!(counts.packets, packets.len() as u64, "{name}");
    assert_eq!(told, counts.flow_packets, "{name}");
    assert_eq!(
        told + counts.lone_flows + counts.dropped,
        counts.packets,
        "{name} {profile:?}"
    );
    assert_eq!(meter.entries(), 0, "{name}");
}
