//! What is told before a flow ends, and what makes room.

use tripline_flow::{Early, EndReason, Event, Meter, MeterConfig, Profile, What, Young};
use tripline_wire::Packet;

use crate::check::{check_flows, config, ended, line, run};
use crate::fixture::packets;

const EARLY: Early = Early {
    after_packets: 3,
    after_micros: 10_000_000,
};

fn young(events: &[Event]) -> Vec<(u64, u64, Young)> {
    events
        .iter()
        .filter_map(|event| match &event.what {
            What::Young(flow, why) => Some((event.sequence, flow.packets(), *why)),
            _ => None,
        })
        .collect()
}

fn early() -> MeterConfig {
    MeterConfig {
        early: Some(EARLY),
        ..config(Profile::Fixed)
    }
}

#[test]
fn a_flow_is_told_at_its_packets_and_when_its_connection_is_over() {
    let events = run(
        early(),
        &packets(
            "0.00 10.0.0.1:40000 > 10.0.0.2:80 S
             0.01 10.0.0.2:80 > 10.0.0.1:40000 SA
             0.02 10.0.0.1:40000 > 10.0.0.2:80 A
             0.03 10.0.0.1:40000 > 10.0.0.2:80 PA len=10
             0.04 10.0.0.1:40000 > 10.0.0.2:80 FA
             0.05 10.0.0.2:80 > 10.0.0.1:40000 FA
             0.06 10.0.0.1:40000 > 10.0.0.2:80 A",
        ),
    );
    assert_eq!(young(&events), [(2, 3, Young::Seen), (5, 6, Young::Over)]);
    let names: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.what {
            What::Young(flow, _) | What::Ended(flow) => Some(flow.identity()),
            What::Record(_) => None,
        })
        .collect();
    assert_eq!(
        names, [names[0]; 3],
        "the final verdict replaces the earlier ones"
    );
}

#[test]
fn a_flow_is_told_at_its_age_although_no_packet_comes() {
    let mut meter = Meter::new(early());
    let mut events = Vec::new();
    let exchange = packets(
        "0.0 10.0.0.1:5000 > 10.0.0.2:9 udp
         0.0 10.0.0.2:9 > 10.0.0.1:5000 udp",
    );
    meter.observe(&exchange, &mut events);
    meter.advance(9_000_000, &mut events);
    assert_eq!(young(&events), []);
    meter.advance(10_000_000, &mut events);
    assert_eq!(young(&events), [(2, 2, Young::Seen)]);
    meter.advance(70_000_000, &mut events);
    assert_eq!(young(&events)[1..], [(2, 2, Young::Over)]);
}

#[test]
fn a_datagram_without_an_answer_is_over_as_soon_as_an_attempt_is() {
    let mut meter = Meter::new(early());
    let mut events = Vec::new();
    meter.observe(&packets("0.0 10.0.0.1:5000 > 10.0.0.2:9 udp"), &mut events);
    meter.advance(10_000_000, &mut events);
    assert_eq!(meter.counts().records, 1);
    assert_eq!(young(&events), [(1, 1, Young::Over)]);
}

#[test]
fn an_attempt_is_a_record_after_its_patience_and_the_tolerance() {
    let mut meter = Meter::new(config(Profile::Fixed));
    let mut events = Vec::new();
    let syn = packets("0.0 10.0.0.1:40000 > 10.0.0.2:80 S");
    meter.observe(&syn, &mut events);
    meter.advance(9_999_999, &mut events);
    assert_eq!(meter.counts().records, 0);
    meter.advance(10_000_000, &mut events);
    assert_eq!(meter.counts().records, 1);
    let What::Record(record) = &events[0].what else {
        panic!("{events:?}");
    };
    assert_eq!(
        (record.at_micros, record.connection.flag().name()),
        (5_000_000, "S0")
    );
}

#[test]
fn the_first_packets_are_kept() {
    let meter = MeterConfig {
        timeline: 2,
        ..config(Profile::Fixed)
    };
    let events = run(
        meter,
        &packets(
            "1.0 10.0.0.1:40000 > 10.0.0.2:80 S
             1.5 10.0.0.2:80 > 10.0.0.1:40000 SA len=3
             2.0 10.0.0.1:40000 > 10.0.0.2:80 A",
        ),
    );
    let flow = ended(&events).next().unwrap();
    let moments: Vec<_> = flow
        .timeline
        .iter()
        .map(|moment| (moment.offset_micros, moment.payload_bytes, moment.flags))
        .collect();
    assert_eq!(moments, [(0, 0, 0x02), (500_000, 3, 0x12)]);
}

#[test]
fn what_was_silent_for_longest_makes_room() {
    let small = MeterConfig {
        max_bytes: 1,
        ..config(Profile::V4)
    };
    let mut text = String::new();
    for port in 0..2000 {
        for _ in 0..2 {
            text += &format!("{port} 10.0.0.1:{} > 10.0.0.2:9 udp\n", 1000 + port);
        }
    }
    let packets = packets(&text);
    let (mut meter, mut events) = (Meter::new(small), Vec::new());
    meter.observe(&packets, &mut events);
    let evicted: Vec<u16> = ended(&events)
        .filter(|flow| flow.end == Some(EndReason::Evicted))
        .map(|flow| flow.key.source_port)
        .collect();
    assert!(evicted.len() > 1000, "{}", evicted.len());
    assert_eq!(
        meter.counts().ended_by(EndReason::Evicted),
        evicted.len() as u64
    );
    meter.finish(&mut events);
    let counts = meter.counts();
    assert_eq!(
        counts.flow_packets + counts.lone_flows + counts.dropped,
        4000
    );
    assert_eq!(counts.ended.iter().sum::<u64>(), 2000);
}

#[test]
fn what_is_still_in_use_stays() {
    let mut text = String::new();
    for turn in 0..2000 {
        let millis = format!("{}.{:03}", turn / 1000, turn % 1000);
        text += &format!("{millis} 10.0.0.1:1 > 10.0.0.2:9 udp\n");
        text += &format!("{millis} 10.0.0.3:{} > 10.0.0.2:9 udp\n", 1000 + turn);
    }
    let small = MeterConfig {
        max_bytes: 1,
        ..config(Profile::Fixed)
    };
    let events = run(small, &packets(&text));
    let lines: Vec<_> = ended(&events)
        .filter(|flow| flow.key.source_port == 1)
        .map(line)
        .collect();
    assert_eq!(
        lines,
        ["10.0.0.1:1 > 10.0.0.2:9 17 2000+0 1999000us capture_end"]
    );
}

#[test]
fn end_points_that_were_forgotten_begin_anew() {
    let mut text = String::from("0 10.0.0.1:1 > 10.0.0.2:9 udp\n");
    for turn in 0..600 {
        text += &format!("{} 10.0.0.3:{} > 10.0.0.2:9 udp\n", 1 + turn, 1000 + turn);
    }
    text += "700 10.0.0.1:1 > 10.0.0.2:9 udp\n";
    let small = MeterConfig {
        max_bytes: 1,
        ..config(Profile::Fixed)
    };
    let events = run(small, &packets(&text));
    let lines: Vec<_> = ended(&events)
        .filter(|flow| flow.key.source_port == 1)
        .map(|flow| (line(flow), flow.id.earlier))
        .collect();
    assert_eq!(
        lines,
        [
            // Its age ends it before its turn to make room comes.
            ("10.0.0.1:1 > 10.0.0.2:9 17 1+0 0us timeout".to_owned(), 0),
            (
                "10.0.0.1:1 > 10.0.0.2:9 17 1+0 0us capture_end".to_owned(),
                0
            ),
        ]
    );
}

#[test]
fn a_packet_within_the_tolerance_finds_its_flow() {
    // Others drive the clock to 123 s before the packet of second 119 comes.
    let mut text = String::from("0 10.0.0.1:1 > 10.0.0.2:9 udp\n");
    for turn in 0..100 {
        let second = 23 + turn;
        text += &format!("{second} 10.0.0.3:1000 > 10.0.0.4:9 udp\n");
    }
    for _ in 0..40 {
        text += "123 10.0.0.5:1000 > 10.0.0.4:9 udp\n";
    }
    text += "119 10.0.0.1:1 > 10.0.0.2:9 udp\n";
    let found = run(config(Profile::Fixed), &packets(&text));
    let lines: Vec<_> = ended(&found)
        .filter(|flow| flow.key.source_port == 1)
        .map(line)
        .collect();
    assert_eq!(
        lines,
        ["10.0.0.1:1 > 10.0.0.2:9 17 2+0 119000000us capture_end"]
    );
}

#[test]
fn time_going_backwards_gives_negative_times() {
    check_flows(
        Profile::Fixed,
        "100 10.0.0.1:1 > 10.0.0.2:9 udp
         50 10.0.0.2:9 > 10.0.0.1:1 udp
         -5000000000 10.0.0.1:1 > 10.0.0.2:9 udp
         5000000000 10.0.0.1:1 > 10.0.0.2:9 udp",
        "10.0.0.1:1 > 10.0.0.2:9 17 2+1 -5000000100000000us timeout
         10.0.0.1:1 > 10.0.0.2:9 17 1+0 0us capture_end",
    );
}

#[test]
fn a_first_packet_from_the_future_does_not_stop_the_clock() {
    let mut text = String::from("4000000000 10.0.0.9:1 > 10.0.0.2:9 udp\n");
    text += "0 10.0.0.1:40000 > 10.0.0.2:80 S\n";
    for turn in 0..200 {
        text += &format!("{} 10.0.0.3:1000 > 10.0.0.4:9 udp\n", turn / 4);
    }
    let packets: Vec<Packet> = packets(&text);
    let (mut meter, mut events) = (Meter::new(config(Profile::Fixed)), Vec::new());
    meter.observe(&packets, &mut events);
    assert_eq!(meter.counts().records, 1, "the attempt of second 0 is over");
}
