use std::fmt::Write as _;
use std::net::IpAddr;

use tripline_features::live::cicflow as cicflow_of_flows;
use tripline_features::live::nsl_kdd::Connections;
use tripline_features::live::records::{CICFLOW_CONN, NSL_CONN, RecordFeatures, Records};
use tripline_features::{FeatureSchema, cicflow, nsl_kdd};
use tripline_flow::{
    Connection, ConnectionProtocol, Direction, Event, Flow, FlowKey, Meter, MeterConfig, What,
};
use tripline_records::ZeekReader;
use tripline_traffic::{AttackKind, AttackPlan, PcapWriter, Traffic, TrafficPlan};
use tripline_wire::{CaptureReader, DecodeOptions, Decoder};

const HEADER: &str = "#separator \\x09\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\t\
proto\tduration\torig_bytes\tresp_bytes\tconn_state\thistory\torig_pkts\tresp_pkts\n";

/// What the meter says about generated traffic, ordinary and hostile.
fn events() -> Vec<Event> {
    let mut plan = TrafficPlan::benign(11, 60, 4.0);
    for (turn, kind) in AttackKind::ALL.iter().enumerate() {
        plan.attacks.push(AttackPlan {
            kind: *kind,
            start_micros: turn as i64 * 4_000_000,
            duration_micros: 4_000_000,
            intensity: 0.2,
        });
    }
    let mut traffic = Traffic::new(&plan).unwrap();
    let mut pcap = PcapWriter::new(Vec::new()).unwrap();
    while let Some(packet) = traffic.next_packet() {
        pcap.write(packet.time_micros, packet.frame).unwrap();
    }
    let pcap = pcap.finish().unwrap();
    let mut capture = CaptureReader::new(pcap.as_slice()).unwrap();
    let mut decoder = Decoder::new(DecodeOptions::default());
    let mut packets = Vec::new();
    while let Some(frame) = capture.next_frame().unwrap() {
        packets.extend(decoder.decode(&frame));
    }
    let (mut meter, mut events) = (Meter::new(MeterConfig::default()), Vec::new());
    meter.observe(&packets, &mut events);
    meter.finish(&mut events);
    events
}

/// A line as Zeek writes it: without duration and bytes where everything happened at once.
struct Line {
    key: FlowKey,
    icmp: Option<(u8, u8)>,
    start: i64,
    duration: i64,
    bytes: [i64; 2],
    state: String,
    history: String,
    packets: [u32; 2],
}

impl Line {
    fn features(&self, records: &mut Records) -> RecordFeatures {
        let (proto, ports) = match (self.key.protocol, self.icmp) {
            (6, _) => ("tcp", [self.key.source_port, self.key.destination_port]),
            (17, _) => ("udp", [self.key.source_port, self.key.destination_port]),
            (_, icmp) => {
                let (kind, code) = icmp.unwrap();
                ("icmp", [u16::from(kind), u16::from(code)])
            }
        };
        let seconds = |micros: i64| format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
        let (duration, bytes) = if self.duration == 0 {
            ("-".to_owned(), "-\t-".to_owned())
        } else {
            let bytes = format!("{}\t{}", self.bytes[0], self.bytes[1]);
            (seconds(self.duration), bytes)
        };
        let mut log = HEADER.to_owned();
        let (from, to) = (
            IpAddr::from(self.key.source),
            IpAddr::from(self.key.destination),
        );
        writeln!(
            log,
            "{}\t{from}\t{}\t{to}\t{}\t{proto}\t{duration}\t{bytes}\t{}\t{}\t{}\t{}",
            seconds(self.start),
            ports[0],
            ports[1],
            self.state,
            self.history,
            self.packets[0],
            self.packets[1]
        )
        .unwrap();
        let mut reader = ZeekReader::new(log.as_bytes()).unwrap();
        let record = reader.next_record().unwrap().unwrap().unwrap();
        records.observe(&record, None)
    }
}

/// Nothing is marked as sent again: the line has the bytes of all packets.
fn history(flow: &Flow) -> String {
    let side = |direction: &Direction, data: &str| {
        let has_data = direction.data_packets > 0;
        data.repeat(usize::from(has_data))
    };
    let letters = side(&flow.forward, "D") + &side(&flow.backward, "d");
    match flow.key.protocol {
        6 => format!("S{letters}"),
        17 => letters,
        _ => "-".to_owned(),
    }
}

fn is_equal(one: f64, other: f64) -> bool {
    let tolerance = 1e-9 * one.abs().max(other.abs());
    (one.is_nan() && other.is_nan()) || (one - other).abs() <= tolerance
}

/// Features of which some records know less, with the reason in words.
fn check(
    schema: &'static FeatureSchema,
    found: &[f64],
    known: &[bool],
    expected: &[f64],
    names: &[&str],
    counts: &mut [[u32; 2]],
) {
    for (feature, definition) in schema.features().iter().enumerate() {
        if known[feature] {
            let (found, expected) = (found[feature], expected[feature]);
            assert!(
                is_equal(found, expected),
                "{}: the record says {found}, the packets {expected}",
                definition.name
            );
        }
        if let Some(place) = names.iter().position(|name| *name == definition.name) {
            counts[place][usize::from(known[feature])] += 1;
        }
    }
}

#[test]
fn flows_have_the_same_numbers() {
    let mut counts = [[0; 2]; CICFLOW_CONN.len()];
    for event in events() {
        let What::Ended(flow) = event.what else {
            continue;
        };
        if !matches!(flow.key.protocol, 1 | 6 | 17 | 58) {
            continue;
        }
        let line = Line {
            key: flow.key,
            icmp: flow.icmp,
            start: flow.start_micros,
            duration: flow.duration_micros(),
            bytes: [flow.forward.bytes(), flow.backward.bytes()],
            state: "SF".to_owned(),
            history: history(&flow),
            packets: [flow.forward.packets(), flow.backward.packets()],
        };
        let found = line.features(&mut Records::new()).cicflow;
        let mut expected = Vec::new();
        cicflow_of_flows::vector(&flow, &mut expected);
        check(
            cicflow(),
            &found.values,
            &found.known.marks(cicflow()),
            &expected,
            &CICFLOW_CONN,
            &mut counts,
        );
    }
    // The difference: single packets of UDP floods, of which Zeek writes no bytes.
    for (name, [unknown, known]) in CICFLOW_CONN.iter().zip(counts) {
        assert!(known > unknown, "{name}: {known} known, {unknown} not");
    }
}

fn icmp_of(connection: &Connection) -> Option<(u8, u8)> {
    match connection.protocol() {
        ConnectionProtocol::Icmp(kind, code) | ConnectionProtocol::Icmpv6(kind, code) => {
            Some((kind, code))
        }
        _ => None,
    }
}

#[test]
fn connections_have_the_same_features_and_windows() {
    let mut connections = Connections::new();
    let mut records = Records::new();
    let mut counts = [[0; 2]; NSL_CONN.len()];
    for event in events() {
        let What::Record(record) = event.what else {
            continue;
        };
        let connection = &record.connection;
        connections.observe(&record);
        let icmp = icmp_of(connection);
        let message = i64::from(icmp.is_some());
        let duration = connection.duration_seconds() as i64 * 1_000_000;
        let line = Line {
            key: record.key,
            icmp,
            // The log has the connection at the time when it was complete. A microsecond more
            // than whole seconds: the connection has a duration, as most have.
            start: record.at_micros - duration - 1,
            duration: duration + 1,
            // Behind the header of the message.
            bytes: [
                connection.originator_bytes() as i64 - 8 * message,
                connection.responder_bytes() as i64,
            ],
            state: connection.flag().name().to_owned(),
            history: "ShADad".to_owned(),
            packets: [1, u32::from(icmp.is_none())],
        };
        let found = line.features(&mut records);
        // Without a flow that goes on, nobody remembers the windows of the packets.
        let Some(flow) = record.flow else { continue };
        let mut expected = Vec::new();
        let heading_first = match connection.originator() {
            tripline_flow::Heading::Forward => record.key,
            tripline_flow::Heading::Backward => record.key.reversed(),
        };
        let has_record = connections.write(
            flow,
            &heading_first,
            connection,
            record.at_micros,
            &mut expected,
        );
        assert_eq!(found.nsl_kdd.is_some(), has_record);
        let Some(vector) = found.nsl_kdd else {
            continue;
        };
        check(
            nsl_kdd(),
            &vector.values,
            &vector.known.marks(nsl_kdd()),
            &expected,
            &NSL_CONN,
            &mut counts,
        );
    }
    for (name, [unknown, known]) in NSL_CONN.iter().zip(counts) {
        assert!(
            known > 500 && unknown == 0,
            "{name}: {known} known, {unknown} not"
        );
    }
}
