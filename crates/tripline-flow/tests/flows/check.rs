//! Flows as lines of text.

use tripline_flow::{Event, Flow, Meter, MeterConfig, Profile, What};
use tripline_wire::Packet;

use crate::fixture::packets;

pub(crate) fn config(profile: Profile) -> MeterConfig {
    MeterConfig {
        profile,
        ..MeterConfig::default()
    }
}

pub(crate) fn run(config: MeterConfig, packets: &[Packet]) -> Vec<Event> {
    let (mut meter, mut events) = (Meter::new(config), Vec::new());
    meter.observe(packets, &mut events);
    meter.finish(&mut events);
    events
}

pub(crate) fn ended(events: &[Event]) -> impl Iterator<Item = &Flow> {
    events.iter().filter_map(|event| match &event.what {
        What::Ended(flow) => Some(&**flow),
        _ => None,
    })
}

pub(crate) fn flows(profile: Profile, text: &str) -> Vec<Flow> {
    let events = run(config(profile), &packets(text));
    ended(&events).cloned().collect()
}

/// `source > destination protocol forward+backward packets, duration, end reason`.
pub(crate) fn line(flow: &Flow) -> String {
    let key = flow.key;
    let end = |address, port| format!("{}:{port}", std::net::IpAddr::from(address));
    format!(
        "{} > {} {} {}+{} {}us {}",
        end(key.source, key.source_port),
        end(key.destination, key.destination_port),
        key.protocol,
        flow.forward.packets(),
        flow.backward.packets(),
        flow.duration_micros(),
        flow.end.map_or("-", tripline_flow::EndReason::name),
    )
}

/// Compares the flows of packets with lines, in the order in which they end.
#[track_caller]
pub(crate) fn check_flows(profile: Profile, text: &str, expected: &str) {
    let found: Vec<String> = flows(profile, text).iter().map(line).collect();
    let expected: Vec<&str> = expected
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(found, expected, "{profile:?}");
}
