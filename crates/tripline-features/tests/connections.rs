//! Features of KDD'99 from packets: through the flow table and the windows to vectors.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

#[path = "../../tripline-flow/tests/flows/fixture.rs"]
mod fixture;

use fixture::packets;
use tripline_features::live::nsl_kdd::Connections;
use tripline_features::{FeatureKind, LiveObservability, nsl_kdd};
use tripline_flow::{Heading, Meter, MeterConfig, What};

/// The features of one record.
struct Row(Vec<f64>);

impl Row {
    fn number(&self, name: &str) -> f64 {
        self.0[nsl_kdd().index_of(name).unwrap()]
    }

    fn name(&self, feature: &str) -> &'static str {
        let index = nsl_kdd().index_of(feature).unwrap();
        match nsl_kdd().features()[index].kind {
            FeatureKind::Category(names) => names[self.0[index] as usize],
            _ => panic!("{feature} is no category"),
        }
    }

    fn numbers<const N: usize>(&self, names: [&str; N]) -> [f64; N] {
        names.map(|name| self.number(name))
    }
}

/// The records of packets, in the order in which they were complete.
fn rows(text: &str) -> Vec<Row> {
    let (mut meter, mut events) = (Meter::new(MeterConfig::default()), Vec::new());
    meter.observe(&packets(text), &mut events);
    meter.finish(&mut events);
    let mut connections = Connections::new();
    let mut rows = Vec::new();
    for event in &events {
        let What::Record(record) = &event.what else {
            continue;
        };
        connections.observe(record);
        let flow = record.flow.expect("the flow goes on");
        let key = match record.connection.originator() {
            Heading::Forward => record.key,
            Heading::Backward => record.key.reversed(),
        };
        let mut row = Vec::new();
        let is_known =
            connections.write(flow, &key, &record.connection, record.at_micros, &mut row);
        if is_known {
            assert_eq!(row.len(), nsl_kdd().len());
            rows.push(Row(row));
        }
    }
    rows
}

/// Packets of a connection to port 80, as `sender flags [payload bytes]`; 1 is the originator.
fn connection(steps: &str) -> Row {
    let text: Vec<String> = steps
        .split(',')
        .enumerate()
        .map(|(at, step)| {
            let words: Vec<&str> = step.split_whitespace().collect();
            let ends = match words[0] {
                "1" => "10.0.0.1:40000 > 10.0.0.2:80",
                _ => "10.0.0.2:80 > 10.0.0.1:40000",
            };
            let payload = words.get(2).unwrap_or(&"0");
            format!("{at}.0 {ends} {} len={payload}\n", words[1])
        })
        .collect();
    let mut rows = rows(&text.concat());
    assert_eq!(rows.len(), 1, "{steps}");
    rows.remove(0)
}

#[test]
fn flags_of_connections() {
    for (steps, flag) in [
        // The whole life, and each way to leave it.
        ("1 S, 2 SA, 1 A, 1 FA, 2 FA, 1 A", "SF"),
        ("1 S, 2 SA, 1 A, 1 FA, 2 FA", "SF"),
        ("1 S", "S0"),
        ("1 S, 1 S, 1 S", "S0"),
        ("1 S, 2 RA", "REJ"),
        ("1 S, 2 SA", "S1"),
        ("1 S, 2 SA, 1 A, 1 PA 10", "S1"),
        ("1 S, 2 SA, 1 A, 1 FA", "S2"),
        ("1 S, 2 SA, 1 A, 2 FA", "S3"),
        ("1 S, 2 SA, 1 R", "RSTO"),
        ("1 S, 2 SA, 1 A, 2 R", "RSTR"),
        ("1 S, 1 R", "RSTOS0"),
        ("1 S, 1 F", "SH"),
        // Both begin.
        ("1 S, 2 S", "S1"),
        // An empty ACK does not answer a SYN; data does, but it is no opening.
        ("1 S, 2 A", "S0"),
        ("1 S, 2 PA 10", "OTH"),
        // Seen from the middle.
        ("2 SA", "OTH"),
        ("2 SA, 1 A", "OTH"),
        ("1 PA 10, 2 PA 10", "OTH"),
        ("1 PA 10, 1 S", "S0"),
        ("1 PA 10, 2 PA 10, 1 FA, 2 FA", "SF"),
        ("1 FA", "SH"),
        ("1 FA, 2 FA", "SF"),
        ("1 R", "RSTOS0"),
        ("1 R, 2 R", "REJ"),
        ("1 PA 10, 1 R", "RSTOS0"),
        ("1 PA 10, 2 PA 10, 1 R", "RSTOS0"),
        // Bro's RSTRH and SHR, which KDD does not have.
        ("1 PA 10, 2 R", "OTH"),
        ("1 PA 10, 2 FA", "OTH"),
        // A reset of a side that had closed, and what takes it back.
        ("1 S, 2 SA, 1 A, 1 FA, 1 R", "RSTO"),
        ("1 S, 2 SA, 1 A, 1 FA, 1 R, 2 FA", "SF"),
        ("1 S, 2 SA, 1 A, 2 FA, 2 R, 1 FA", "SF"),
        ("1 S, 2 SA, 1 A, 1 FA, 2 FA, 1 R", "SF"),
        ("1 S, 2 SA, 1 A, 1 FA, 2 R", "RSTR"),
        // A FIN with RST is a reset.
        ("1 S, 2 SA, 1 FR", "RSTO"),
        // Two resets without data.
        ("1 S, 1 R, 2 R", "REJ"),
    ] {
        assert_eq!(connection(steps).name("flag"), flag, "{steps}");
    }
}

#[test]
fn bytes_and_duration_by_flag() {
    let bytes_and_duration = ["src_bytes", "dst_bytes", "duration"];
    for (steps, expected) in [
        (
            "1 S, 2 SA, 1 A, 1 PA 100, 2 PA 300, 1 FA, 2 FA",
            [100.0, 300.0, 6.0],
        ),
        // Established and not closed: bytes without duration.
        ("1 S, 2 SA, 1 A, 1 PA 100, 2 PA 300", [100.0, 300.0, 0.0]),
        ("1 S, 2 SA, 1 A, 1 PA 100, 1 R", [100.0, 0.0, 4.0]),
        ("1 S, 1 S, 1 S", [0.0, 0.0, 0.0]),
        ("1 S, 1 F", [0.0, 0.0, 0.0]),
        ("1 PA 10, 2 PA 10", [0.0, 0.0, 0.0]),
        ("1 S, 2 RA", [0.0, 0.0, 1.0]),
    ] {
        assert_eq!(
            connection(steps).numbers(bytes_and_duration),
            expected,
            "{steps}"
        );
    }
}

#[test]
fn bytes_are_counted_by_sequence_numbers() {
    let ends = "10.0.0.1:40000 > 10.0.0.2:80";
    // Sent again, and captured out of order.
    let text = format!(
        "0 {ends} S seq=1000
         1 10.0.0.2:80 > 10.0.0.1:40000 SA
         2 {ends} PA seq=1001 len=100
         3 {ends} PA seq=1001 len=100
         4 {ends} PA seq=1201 len=100
         5 {ends} PA seq=1101 len=100"
    );
    assert_eq!(rows(&text)[0].number("src_bytes"), 300.0);
    // Numbers that jump are no transfer.
    let text = format!("{text}\n6 {ends} PA seq=900000000 len=7");
    assert_eq!(rows(&text)[0].number("src_bytes"), 307.0);
}

#[test]
fn what_comes_after_the_end_is_late_until_a_syn() {
    let found = rows(
        "0 10.0.0.1:40000 > 10.0.0.2:80 S
         1 10.0.0.2:80 > 10.0.0.1:40000 RA
         2 10.0.0.1:40000 > 10.0.0.2:80 A len=10
         3 10.0.0.1:40000 > 10.0.0.2:80 S",
    );
    let flags: Vec<_> = found.iter().map(|row| row.name("flag")).collect();
    assert_eq!(flags, ["REJ", "S0"]);
}

#[test]
fn a_datagram_without_answer_is_complete() {
    let row = &rows("0 10.0.0.1:5000 > 10.0.0.2:53 udp len=48")[0];
    assert_eq!(row.name("flag"), "SF");
    assert_eq!(row.name("service"), "domain_u");
    assert_eq!(row.name("protocol_type"), "udp");
    assert_eq!(
        row.numbers(["src_bytes", "dst_bytes", "duration"]),
        [48.0, 0.0, 0.0]
    );
    let row = &rows(
        "0.0 10.0.0.1:123 > 10.0.0.2:123 udp len=48
         2.5 10.0.0.2:123 > 10.0.0.1:123 udp len=48",
    )[0];
    assert_eq!(row.name("service"), "ntp_u");
    assert_eq!(
        row.numbers(["src_bytes", "dst_bytes", "duration"]),
        [48.0, 48.0, 2.0]
    );
}

#[test]
fn silence_ends_an_exchange_even_when_nothing_else_is_seen() {
    let found = rows(
        "0 10.0.0.1:5000 > 10.0.0.2:53 udp len=10
         600 10.0.0.1:5000 > 10.0.0.2:53 udp len=20",
    );
    let bytes: Vec<_> = found.iter().map(|row| row.number("src_bytes")).collect();
    assert_eq!(bytes, [10.0, 20.0]);
}

#[test]
fn a_flow_that_is_cut_for_its_age_is_one_connection() {
    let mut text =
        String::from("0 10.0.0.1:40000 > 10.0.0.2:22 S\n0 10.0.0.2:22 > 10.0.0.1:40000 SA\n");
    for second in (50..300).step_by(50) {
        text += &format!("{second} 10.0.0.1:40000 > 10.0.0.2:22 PA len=10\n");
    }
    text += "300 10.0.0.1:40000 > 10.0.0.2:22 FA\n301 10.0.0.2:22 > 10.0.0.1:40000 FA\n";
    let found = rows(&text);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].name("flag"), "SF");
    assert_eq!(found[0].numbers(["src_bytes", "duration"]), [50.0, 301.0]);
}

#[test]
fn each_icmp_message_is_a_record() {
    let text: Vec<String> = (0..10)
        .map(|turn| {
            format!(
                "{turn}.0 10.0.0.1 > 10.0.0.2 icmp/8/0 len=56\n{turn}.1 10.0.0.2 > 10.0.0.1 icmp/0/0 len=56\n"
            )
        })
        .collect();
    let found = rows(&text.concat());
    let of = |service| {
        found
            .iter()
            .filter(|row| row.name("service") == service)
            .count()
    };
    assert_eq!((of("eco_i"), of("ecr_i"), found.len()), (10, 10, 20));
    for row in &found {
        assert_eq!(row.name("flag"), "SF");
        assert_eq!(
            row.numbers(["src_bytes", "dst_bytes", "duration"]),
            [64.0, 0.0, 0.0]
        );
    }
}

#[test]
fn land() {
    let row = &rows("0 10.0.0.2:23 > 10.0.0.2:23 S")[0];
    assert_eq!(
        (row.number("land"), row.name("flag"), row.name("service")),
        (1.0, "S0", "telnet")
    );
    let row = &rows("0 10.0.0.2:24 > 10.0.0.2:23 S")[0];
    assert_eq!(row.number("land"), 0.0);
}

#[test]
fn wrong_fragments() {
    // Teardrop: a second fragment inside the first.
    let row = &rows(
        "0.0 10.0.0.1:5000 > 10.0.0.2:31 udp len=28 frag=first
         0.1 10.0.0.1:5000 > 10.0.0.2:31 ip/17 len=4 frag=wrong",
    )[0];
    assert_eq!(row.name("service"), "private");
    assert_eq!(row.numbers(["wrong_fragment", "src_bytes"]), [1.0, 28.0]);
    // Ping of death: the last fragment ends beyond the largest datagram.
    let row = &rows(
        "0.0 10.0.0.1 > 10.0.0.2 icmp/8/0 len=1472 frag=first
         0.1 10.0.0.1 > 10.0.0.2 ip/1 len=1480 frag=later
         0.2 10.0.0.1 > 10.0.0.2 ip/1 len=1480 frag=wrong",
    )[0];
    assert_eq!(row.name("service"), "eco_i");
    assert_eq!(row.numbers(["wrong_fragment", "src_bytes"]), [1.0, 1480.0]);
}

#[test]
fn urgent_packets() {
    let row = connection("1 S, 2 SA, 1 PAU 10, 2 AU, 1 FA, 2 FA");
    assert_eq!(row.number("urgent"), 2.0);
}

#[test]
fn three_connections_to_one_host_within_two_seconds() {
    let one = |at: &str, port: u16, to: &str| {
        format!(
            "{at}0 10.0.0.1:{port} > {to} S\n{at}1 {to} > 10.0.0.1:{port} SA
             {at}2 10.0.0.1:{port} > {to} FA\n{at}3 {to} > 10.0.0.1:{port} FA\n"
        )
    };
    let text = one("0.0", 40000, "10.0.0.2:80")
        + &one("0.5", 40001, "10.0.0.2:80")
        + &one("1.0", 40002, "10.0.0.2:25");
    let found = rows(&text);
    let window = [
        "count",
        "srv_count",
        "same_srv_rate",
        "diff_srv_rate",
        "srv_diff_host_rate",
    ];
    assert_eq!(found[2].numbers(window), [3.0, 1.0, 0.33, 0.67, 0.0]);
    let found = rows(&(one("0.0", 40000, "10.0.0.2:80") + &one("0.5", 40001, "10.0.0.3:80")));
    assert_eq!(found[1].numbers(window), [1.0, 2.0, 1.0, 0.0, 1.0]);
}

#[test]
fn which_flags_count_as_errors() {
    let rates = [
        "serror_rate",
        "srv_serror_rate",
        "rerror_rate",
        "srv_rerror_rate",
    ];
    for (steps, syn, reject) in [
        ("1 S", 1.0, 0.0),
        ("1 S, 2 SA", 1.0, 0.0),
        ("1 S, 2 SA, 1 FA", 1.0, 0.0),
        ("1 S, 2 SA, 2 FA", 1.0, 0.0),
        ("1 S, 1 F", 1.0, 0.0),
        ("1 S, 2 RA", 0.0, 1.0),
        ("1 S, 2 SA, 1 R", 0.0, 1.0),
        ("1 S, 1 R", 0.0, 1.0),
        ("1 S, 2 SA, 1 A, 2 R", 0.0, 1.0),
        ("1 S, 2 SA, 1 FA, 2 FA", 0.0, 0.0),
        ("2 SA", 0.0, 0.0),
    ] {
        assert_eq!(
            connection(steps).numbers(rates),
            [syn, syn, reject, reject],
            "{steps}"
        );
    }
}

#[test]
fn windows_are_saturated() {
    let text: Vec<String> = (0..600)
        .map(|turn| {
            format!(
                "0.{turn:06} 10.0.0.{} > 10.0.1.1 icmp/0/0 len=1024\n",
                turn % 200
            )
        })
        .collect();
    let text = text.concat();
    let found = rows(&text);
    let counts = ["count", "srv_count", "dst_host_count", "dst_host_srv_count"];
    assert_eq!(found[9].numbers(counts), [10.0; 4]);
    assert_eq!(found[299].numbers(counts), [300.0, 300.0, 255.0, 255.0]);
    assert_eq!(found[599].numbers(counts), [511.0, 511.0, 255.0, 255.0]);
    // Two seconds later the first window is empty but for the record, the other is full.
    let found = rows(&format!(
        "{text}3.0 10.0.0.9 > 10.0.1.1 icmp/0/0 len=1024\n"
    ));
    assert_eq!(found[600].numbers(counts), [1.0, 1.0, 255.0, 255.0]);
}

#[test]
fn logins_by_header() {
    let logged_in = |port: u16, sent: u16, answered: u16| {
        let ends = format!("10.0.0.1:40000 > 10.0.0.2:{port}");
        let back = format!("10.0.0.2:{port} > 10.0.0.1:40000");
        let text = format!(
            "0 {ends} S\n1 {back} SA\n2 {ends} PA len={sent}\n3 {back} PA len={answered}
             4 {ends} FA\n5 {back} FA"
        );
        rows(&text)[0].number("logged_in")
    };
    assert_eq!(logged_in(80, 100, 100), 1.0);
    assert_eq!(logged_in(80, 0, 0), 0.0);
    assert_eq!(logged_in(25, 100, 100), 1.0);
    assert_eq!(logged_in(110, 100, 100), 1.0);
    assert_eq!(logged_in(110, 100, 0), 0.0);
    assert_eq!(logged_in(23, 100, 100), 0.0);
}

#[test]
fn what_needs_payload_is_missing_and_marked_so() {
    let row = connection("1 S, 2 SA, 1 PA 100, 2 PA 300, 1 FA, 2 FA");
    for (index, feature) in nsl_kdd().features().iter().enumerate() {
        // Numbers as in the published list, from 1.
        let number = index + 1;
        let expected = match number {
            12 | 32..=41 => "estimated",
            10..=22 => "unobservable",
            _ => "observable",
        };
        let marked = match feature.live {
            LiveObservability::Observable => "observable",
            LiveObservability::Estimated(_) => "estimated",
            LiveObservability::Unobservable(_) => "unobservable",
        };
        assert_eq!(marked, expected, "{number} {}", feature.name);
        assert_eq!(
            row.0[index].is_nan(),
            marked == "unobservable",
            "{}",
            feature.name
        );
    }
}
