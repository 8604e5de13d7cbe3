//! The cases in which the three programs differ, one by one.
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
use tripline_features::cicflow;
use tripline_features::live::cicflow::write;
use tripline_flow::Profile::{self, Cicids2017, Fixed, V4};
use tripline_flow::{Flow, Meter, MeterConfig, What};

fn flows(profile: Profile, text: &str) -> Vec<Flow> {
    let config = MeterConfig {
        profile,
        ..MeterConfig::default()
    };
    let (mut meter, mut events) = (Meter::new(config), Vec::new());
    meter.observe(&packets(text), &mut events);
    meter.finish(&mut events);
    events
        .into_iter()
        .filter_map(|event| match event.what {
            What::Ended(flow) => Some(*flow),
            _ => None,
        })
        .collect()
}

/// Features of the first flow.
#[track_caller]
fn check<const N: usize>(profile: Profile, text: &str, names: [&str; N], expected: [f64; N]) {
    let mut values = Vec::new();
    write(&flows(profile, text)[0], &mut values);
    let found = names.map(|name| values[cicflow().index_of(name).expect(name)]);
    // As text, so that NaN equals NaN.
    assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{profile:?}");
}

const TWO: &str = "
    0.0 10.0.0.1:40000 > 10.0.0.2:80 S win=100
    0.5 10.0.0.2:80 > 10.0.0.1:40000 PA len=30 win=0
";

#[test]
fn two_packets_have_no_deviation() {
    for profile in Profile::ALL {
        check(
            profile,
            TWO,
            [
                "Flow IAT Mean",
                "Flow IAT Std",
                "Fwd IAT Total",
                "Bwd IAT Max",
                "Bwd Packet Length Std",
            ],
            [500_000.0, 0.0, 0.0, 0.0, 0.0],
        );
    }
}

#[test]
fn rates_without_duration() {
    let text = "
        0 10.0.0.1:5000 > 10.0.0.2:53 udp len=5
        0 10.0.0.1:5000 > 10.0.0.2:53 udp len=5
    ";
    let names = ["Flow Bytes/s", "Flow Packets/s", "Fwd Packets/s"];
    check(Fixed, text, names, [-1.0, -1.0, 0.0]);
    for profile in [V4, Cicids2017] {
        check(profile, text, names, [f64::INFINITY, f64::INFINITY, 0.0]);
        check(
            profile,
            &text.replace("len=5", ""),
            names,
            [f64::NAN, f64::INFINITY, 0.0],
        );
    }
}

#[test]
fn nothing_backward() {
    let text = "
        0 10.0.0.1:40000 > 10.0.0.2:80 A len=10
        1 10.0.0.1:40000 > 10.0.0.2:80 A len=10
    ";
    let names = [
        "Bwd Init Win Bytes",
        "Bwd Packet Length Min",
        "Down/Up Ratio",
        "Bwd Header Length",
    ];
    check(Fixed, text, names, [0.0, 0.0, 0.0, 0.0]);
    check(V4, text, names, [0.0, 0.0, 0.0, 0.0]);
    check(Cicids2017, text, names, [-1.0, 0.0, 0.0, 0.0]);
}

#[test]
fn windows() {
    let text = format!(
        "{TWO} 1.0 10.0.0.2:80 > 10.0.0.1:40000 A win=7\n 1.1 10.0.0.2:80 > 10.0.0.1:40000 A win=9"
    );
    let names = ["FWD Init Win Bytes", "Bwd Init Win Bytes"];
    // The first that is not zero, or the last.
    check(Fixed, &text, names, [100.0, 7.0]);
    check(V4, &text, names, [100.0, 9.0]);
    check(Cicids2017, &text, names, [100.0, 9.0]);
    let udp = "0 10.0.0.1:5000 > 10.0.0.2:53 udp\n1 10.0.0.2:53 > 10.0.0.1:5000 udp";
    check(V4, udp, names, [0.0, 0.0]);
    check(Cicids2017, udp, names, [-1.0, -1.0]);
}

#[test]
fn the_first_payload_counts_twice_in_the_originals() {
    let text = "
        0 10.0.0.1:5000 > 10.0.0.2:53 udp len=30
        1 10.0.0.2:53 > 10.0.0.1:5000 udp len=60
    ";
    let names = [
        "Packet Length Mean",
        "Average Packet Size",
        "Total Length of Fwd Packet",
        "Fwd Act Data Pkts",
    ];
    check(Fixed, text, names, [45.0, 45.0, 30.0, 1.0]);
    for profile in [V4, Cicids2017] {
        check(profile, text, names, [40.0, 60.0, 30.0, 0.0]);
    }
}

#[test]
fn flags() {
    let text = "
        0 10.0.0.1:40000 > 10.0.0.2:80 S
        1 10.0.0.1:40000 > 10.0.0.2:80 PA
        2 10.0.0.2:80 > 10.0.0.1:40000 PAU
    ";
    let names = [
        "SYN Flag Count",
        "PSH Flag Count",
        "ACK Flag Count",
        "Bwd PSH Flags",
        "Bwd URG Flags",
    ];
    check(Fixed, text, names, [1.0, 2.0, 2.0, 1.0, 1.0]);
    check(V4, text, names, [1.0, 2.0, 2.0, 0.0, 0.0]);
    // Of the first packet alone, and under the wrong headers: SYN is found as PSH.
    check(Cicids2017, text, names, [0.0, 1.0, 0.0, 0.0, 0.0]);
    let all = "0 10.0.0.1:40000 > 10.0.0.2:80 RE\n1 10.0.0.1:40000 > 10.0.0.2:80 A";
    check(
        Cicids2017,
        all,
        ["FIN Flag Count", "RST Flag Count", "ECE Flag Count"],
        [1.0, 1.0, 0.0],
    );
}

#[test]
fn a_gap_of_exactly_a_second_is_none() {
    let at = |second: &str| {
        format!(
            "0 10.0.0.1:5000 > 10.0.0.2:53 udp len=10
             {second} 10.0.0.1:5000 > 10.0.0.2:53 udp len=10"
        )
    };
    let names = ["Subflow Fwd Packets", "Subflow Fwd Bytes"];
    check(Fixed, &at("1.000000"), names, [0.0, 0.0]);
    check(Fixed, &at("1.000001"), names, [2.0, 20.0]);
    check(V4, &at("1.000001"), names, [2.0, 20.0]);
    check(Cicids2017, &at("1.000000"), names, [2.0, 20.0]);
}

#[test]
fn a_gap_of_exactly_five_seconds_is_activity() {
    let at = |second: &str| {
        format!(
            "0 10.0.0.1:5000 > 10.0.0.2:53 udp
             1 10.0.0.1:5000 > 10.0.0.2:53 udp
             {second} 10.0.0.1:5000 > 10.0.0.2:53 udp"
        )
    };
    for profile in Profile::ALL {
        let names = ["Active Mean", "Idle Mean"];
        check(profile, &at("6.000000"), names, [0.0, 0.0]);
        check(profile, &at("6.000001"), names, [1_000_000.0, 5_000_001.0]);
    }
}

#[test]
fn bulks() {
    let names = [
        "Fwd Bytes/Bulk Avg",
        "Fwd Packet/Bulk Avg",
        "Fwd Bulk Rate Avg",
        "Bwd Packet/Bulk Avg",
    ];
    let sent = |at: &str| format!("{at} 10.0.0.1:40000 > 10.0.0.2:80 A len=100\n");
    let four: String = ["10.0", "10.1", "10.2", "10.5"].map(sent).concat();
    check(Fixed, &four, names, [400.0, 4.0, 800.0, 0.0]);
    // All packets count as backward upstream, and none in 2017.
    check(V4, &four, names, [0.0, 0.0, 0.0, 4.0]);
    check(Cicids2017, &four, names, [0.0; 4]);
    let three: String = ["10.0", "10.1", "10.2"].map(sent).concat();
    check(Fixed, &three, names, [0.0; 4]);
    // Data from the other side breaks it.
    let broken = sent("10.0")
        + &sent("10.1")
        + "10.15 10.0.0.2:80 > 10.0.0.1:40000 A len=1\n"
        + &sent("10.2")
        + &sent("10.3");
    check(Fixed, &broken, names, [0.0; 4]);
}

#[test]
fn out_of_order() {
    let text = "
        5 10.0.0.1:5000 > 10.0.0.2:53 udp
        3 10.0.0.1:5000 > 10.0.0.2:53 udp
    ";
    for profile in Profile::ALL {
        check(
            profile,
            text,
            ["Flow Duration", "Flow IAT Min", "Fwd Packets/s"],
            [-2e6, -2e6, 0.0],
        );
    }
}

#[test]
fn padding_of_short_frames() {
    let text = "
        0 10.0.0.1:40000 > 10.0.0.2:80 A captured=6
        1 10.0.0.1:40000 > 10.0.0.2:80 A captured=6
    ";
    let names = ["Total Length of Fwd Packet", "Fwd Packet Length Min"];
    check(Fixed, text, names, [0.0, 0.0]);
    check(V4, text, names, [0.0, 0.0]);
    check(Cicids2017, text, names, [12.0, 6.0]);
}

#[test]
fn icmp() {
    let text = "
        0 10.0.0.1 > 10.0.0.2 icmp/8/0 len=56
        1 10.0.0.2 > 10.0.0.1 icmp/0/0 len=56
    ";
    let names = [
        "Protocol",
        "ICMP Type",
        "ICMP Code",
        "Total Length of Fwd Packet",
        "Fwd Header Length",
    ];
    check(Fixed, text, names, [1.0, 8.0, 0.0, 0.0, 0.0]);
    check(
        V4,
        text,
        ["Protocol", "Total Length of Fwd Packet"],
        [0.0, 0.0],
    );
    let tcp = "0 10.0.0.1:40000 > 10.0.0.2:80 S";
    check(Fixed, tcp, ["ICMP Type", "ICMP Code"], [-1.0, -1.0]);
}

#[test]
fn retransmissions_and_connection_time() {
    let text = "
        0 10.0.0.1:40000 > 10.0.0.2:80 A seq=5 len=10
        1 10.0.0.1:40000 > 10.0.0.2:80 A seq=5 len=10
        2 10.0.0.2:80 > 10.0.0.1:40000 A seq=9 len=1
    ";
    check(
        Fixed,
        text,
        [
            "Fwd TCP Retrans. Count",
            "Bwd TCP Retrans. Count",
            "Total Connection Flow Time",
        ],
        [1.0, 0.0, 2e6],
    );
}

#[test]
fn ratios_are_whole_numbers_in_the_originals() {
    let text = "
        0 10.0.0.1:5000 > 10.0.0.2:53 udp
        1 10.0.0.1:5000 > 10.0.0.2:53 udp
        2 10.0.0.2:53 > 10.0.0.1:5000 udp
        3 10.0.0.2:53 > 10.0.0.1:5000 udp
        4 10.0.0.2:53 > 10.0.0.1:5000 udp
    ";
    check(Fixed, text, ["Down/Up Ratio"], [1.5]);
    check(V4, text, ["Down/Up Ratio"], [1.0]);
    check(Cicids2017, text, ["Down/Up Ratio"], [1.0]);
}
