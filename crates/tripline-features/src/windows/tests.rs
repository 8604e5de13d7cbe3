use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

fn seen(at_micros: i64, host: u32, service: u8) -> Seen<u32> {
    Seen {
        at_micros,
        host,
        service,
        source_port: 1,
        outcome: Outcome::Fine,
    }
}

const COUNT: usize = 0;
const SRV_COUNT: usize = 1;
const SAME_SRV: usize = 6;
const DIFF_SRV: usize = 7;
const SRV_DIFF_HOST: usize = 8;

#[test]
fn three_connections_to_one_host() {
    let mut windows = Windows::default();
    windows.observe(seen(0, 1, 24));
    windows.observe(seen(500_000, 1, 24));
    let third = windows.observe(seen(1_000_000, 1, 53));
    assert_eq!(
        [
            third[COUNT],
            third[SRV_COUNT],
            third[SAME_SRV],
            third[DIFF_SRV]
        ],
        [3.0, 1.0, 0.33, 0.67]
    );
}

#[test]
fn one_service_on_two_hosts() {
    let mut windows = Windows::default();
    windows.observe(seen(0, 1, 24));
    let second = windows.observe(seen(10, 2, 24));
    assert_eq!(second[SRV_DIFF_HOST], 1.0);
    assert_eq!(second[DIFF_SRV], 0.0);
}

#[test]
fn after_two_seconds_a_record_is_alone() {
    let mut windows = Windows::default();
    windows.observe(seen(0, 1, 24));
    assert_eq!(windows.observe(seen(1_999_999, 1, 24))[COUNT], 2.0);
    assert_eq!(windows.observe(seen(3_999_999, 1, 24))[COUNT], 1.0);
}

#[test]
fn counts_are_saturated() {
    let mut windows = Windows::default();
    let features = (0..2000)
        .map(|_| windows.observe(seen(0, 1, 24)))
        .last()
        .unwrap();
    assert_eq!(features[COUNT], 511.0);
    assert_eq!(features[9], 255.0);
}

/// The definitions, word for word, over the records themselves.
fn by_definition(history: &[Seen<u32>]) -> WindowFeatures {
    let current = history.last().unwrap();
    let window = |limit: usize, micros: i64| -> Vec<Seen<u32>> {
        let start = history.len().saturating_sub(limit);
        history[start..]
            .iter()
            .filter(|seen| seen.at_micros > current.at_micros - micros)
            .copied()
            .collect()
    };
    let rate = |part: usize, whole: usize| (part as f64 / whole as f64 * 100.0).round() / 100.0;
    let describe = |records: &[Seen<u32>]| {
        let of = |keep: &dyn Fn(&Seen<u32>) -> bool| -> Vec<Seen<u32>> {
            records.iter().filter(|seen| keep(seen)).copied().collect()
        };
        let host = of(&|seen| seen.host == current.host);
        let service = of(&|seen| seen.service == current.service);
        let both = of(&|seen| seen.host == current.host && seen.service == current.service);
        let errors = |set: &[Seen<u32>], outcome| {
            rate(
                set.iter().filter(|seen| seen.outcome == outcome).count(),
                set.len(),
            )
        };
        let several = |kinds: usize| if kinds == 1 { 0 } else { kinds };
        let services: HashSet<_> = host.iter().map(|seen| seen.service).collect();
        let hosts: HashSet<_> = service.iter().map(|seen| seen.host).collect();
        let port = host
            .iter()
            .filter(|seen| seen.source_port == current.source_port);
        (
            [host.len() as f64, service.len() as f64],
            [
                errors(&host, Outcome::SynError),
                errors(&service, Outcome::SynError),
                errors(&host, Outcome::RejectError),
                errors(&service, Outcome::RejectError),
            ],
            rate(both.len(), host.len()),
            rate(several(services.len()), host.len()),
            rate(several(hosts.len()), service.len()),
            rate(port.count(), host.len()),
        )
    };
    let (counts, errors, same, diff, hosts, _) = describe(&window(511, 2_000_000));
    let (lcounts, lerrors, lsame, ldiff, lhosts, port) = describe(&window(255, i64::MAX / 2));
    [
        counts[0], counts[1], errors[0], errors[1], errors[2], errors[3], same, diff, hosts,
        lcounts[0], lcounts[1], lsame, ldiff, port, lhosts, lerrors[0], lerrors[1], lerrors[2],
        lerrors[3],
    ]
}

proptest! {
    #[test]
    fn sums_agree_with_the_definitions(
        steps in proptest::collection::vec((0i64..400_000, 0u32..4, 0u8..3, 0u16..3, 0u8..3), 1..700)
    ) {
        let (mut windows, mut history, mut now) = (Windows::default(), Vec::new(), 0);
        for (step, host, service, source_port, outcome) in steps {
            now += step;
            let outcome = [Outcome::Fine, Outcome::SynError, Outcome::RejectError][usize::from(outcome)];
            let seen = Seen { at_micros: now, host, service, source_port, outcome };
            history.push(seen);
            let preview = windows.preview(seen);
            let features = windows.observe(seen);
            prop_assert_eq!(features, by_definition(&history));
            // A full window is one longer while somebody only looks.
            if history.len() < 255 {
                prop_assert_eq!(preview.features(), features);
            }
        }
    }
}
