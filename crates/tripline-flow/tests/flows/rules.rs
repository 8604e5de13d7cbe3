//! When a flow begins and ends, by the rules of each program.

use tripline_flow::Profile::{Cicids2017, Fixed, V4};

use crate::check::{check_flows, flows};

const CLOSED: &str = "
    0.00 10.0.0.1:40000 > 10.0.0.2:80 S
    0.01 10.0.0.2:80 > 10.0.0.1:40000 SA
    0.02 10.0.0.1:40000 > 10.0.0.2:80 A
    0.03 10.0.0.1:40000 > 10.0.0.2:80 FA
    0.04 10.0.0.2:80 > 10.0.0.1:40000 FA
    0.05 10.0.0.1:40000 > 10.0.0.2:80 A
";

#[test]
fn closing_from_the_client() {
    check_flows(
        Fixed,
        CLOSED,
        "10.0.0.1:40000 > 10.0.0.2:80 6 4+2 50000us closed",
    );
    // The final ACK is a flow of one packet, which upstream does not write.
    check_flows(
        V4,
        CLOSED,
        "10.0.0.1:40000 > 10.0.0.2:80 6 3+2 40000us closed",
    );
    // The first FIN ends the flow; what follows is an appendix.
    check_flows(
        Cicids2017,
        CLOSED,
        "10.0.0.1:40000 > 10.0.0.2:80 6 3+1 30000us closed
         10.0.0.2:80 > 10.0.0.1:40000 6 1+1 10000us capture_end",
    );
}

#[test]
fn later_fins_of_one_side_are_lost_upstream() {
    let packets = "
        0.0 10.0.0.1:40000 > 10.0.0.2:80 S
        0.1 10.0.0.1:40000 > 10.0.0.2:80 FA
        0.2 10.0.0.1:40000 > 10.0.0.2:80 FA
        0.3 10.0.0.2:80 > 10.0.0.1:40000 A
    ";
    check_flows(
        V4,
        packets,
        "10.0.0.1:40000 > 10.0.0.2:80 6 2+1 300000us capture_end",
    );
    check_flows(
        Fixed,
        packets,
        "10.0.0.1:40000 > 10.0.0.2:80 6 3+1 300000us capture_end",
    );
}

#[test]
fn data_after_a_reset() {
    let packets = "
        0.0 10.0.0.1:40000 > 10.0.0.2:80 S
        0.1 10.0.0.2:80 > 10.0.0.1:40000 RA
        0.2 10.0.0.1:40000 > 10.0.0.2:80 A len=10
        0.3 10.0.0.1:40000 > 10.0.0.2:80 A len=10
        0.4 10.0.0.1:40000 > 10.0.0.2:80 S
    ";
    // The corrected tool ends the flow with the next SYN, upstream with the RST, and the build of
    // 2017 not at all.
    check_flows(
        Fixed,
        packets,
        "10.0.0.1:40000 > 10.0.0.2:80 6 3+1 300000us closed
         10.0.0.1:40000 > 10.0.0.2:80 6 1+0 0us capture_end",
    );
    check_flows(
        V4,
        packets,
        "10.0.0.1:40000 > 10.0.0.2:80 6 1+1 100000us closed
         10.0.0.1:40000 > 10.0.0.2:80 6 3+0 200000us capture_end",
    );
    check_flows(
        Cicids2017,
        packets,
        "10.0.0.1:40000 > 10.0.0.2:80 6 4+1 400000us capture_end",
    );
}

#[test]
fn the_timeout_is_an_age_of_more_than_two_minutes() {
    let at = |second: &str| {
        format!(
            "0 10.0.0.1:5000 > 10.0.0.2:53 udp len=1
             60 10.0.0.2:53 > 10.0.0.1:5000 udp len=1
             {second} 10.0.0.2:53 > 10.0.0.1:5000 udp len=1
             {second} 10.0.0.1:5000 > 10.0.0.2:53 udp len=1"
        )
    };
    for profile in [Fixed, V4, Cicids2017] {
        check_flows(
            profile,
            &at("120.000000"),
            "10.0.0.1:5000 > 10.0.0.2:53 17 2+2 120000000us capture_end",
        );
    }
    check_flows(
        Fixed,
        &at("120.000001"),
        "10.0.0.1:5000 > 10.0.0.2:53 17 1+1 60000000us timeout
         10.0.0.1:5000 > 10.0.0.2:53 17 1+1 0us capture_end",
    );
    // The originals count the packet that continues a flow as forward, whoever sent it.
    for profile in [V4, Cicids2017] {
        check_flows(
            profile,
            &at("120.000001"),
            "10.0.0.1:5000 > 10.0.0.2:53 17 1+1 60000000us timeout
             10.0.0.1:5000 > 10.0.0.2:53 17 2+0 0us capture_end",
        );
    }
}

#[test]
fn a_continuation_keeps_the_time_of_its_connection() {
    let flows = flows(
        Fixed,
        "0 10.0.0.1:40000 > 10.0.0.2:22 A len=1
         100 10.0.0.2:22 > 10.0.0.1:40000 A len=1
         130 10.0.0.2:22 > 10.0.0.1:40000 A len=1
         140 10.0.0.1:40000 > 10.0.0.2:22 A len=1",
    );
    let times: Vec<_> = flows.iter().map(|flow| flow.connection_micros).collect();
    assert_eq!(times, [100_000_000, 140_000_000]);
    assert_eq!(flows[1].key, flows[0].key);
    assert_eq!((flows[0].id.earlier, flows[1].id.earlier), (0, 1));
}

#[test]
fn datagrams_after_a_long_silence_are_another_exchange() {
    let flows = flows(
        Fixed,
        "0 10.0.0.1:5000 > 10.0.0.2:53 udp
         121 10.0.0.2:53 > 10.0.0.1:5000 udp",
    );
    assert_eq!(flows[1].key, flows[0].key.reversed());
    assert_eq!(flows[1].connection_micros, 0);
}

#[test]
fn an_answer_seen_first_is_backward_in_the_corrected_tool() {
    let packets = "
        0.0 10.0.0.2:80 > 10.0.0.1:40000 SA
        0.1 10.0.0.1:40000 > 10.0.0.2:80 A
    ";
    check_flows(
        Fixed,
        packets,
        "10.0.0.1:40000 > 10.0.0.2:80 6 1+1 100000us capture_end",
    );
    for profile in [V4, Cicids2017] {
        check_flows(
            profile,
            packets,
            "10.0.0.2:80 > 10.0.0.1:40000 6 1+1 100000us capture_end",
        );
    }
}

#[test]
fn icmp_is_a_flow_until_type_and_code_change() {
    let packets = "
        0.0 10.0.0.1 > 10.0.0.2 icmp/8/0 len=8
        0.1 10.0.0.2 > 10.0.0.1 icmp/0/0 len=8
        0.2 10.0.0.2 > 10.0.0.1 icmp/3/1 len=8
    ";
    check_flows(
        Fixed,
        packets,
        "10.0.0.1:0 > 10.0.0.2:0 1 1+1 100000us replaced
         10.0.0.2:0 > 10.0.0.1:0 1 1+0 0us capture_end",
    );
    check_flows(
        V4,
        packets,
        "10.0.0.1:0 > 10.0.0.2:0 0 1+2 200000us capture_end",
    );
}

#[test]
fn protocols_that_are_not_told_apart_share_a_flow() {
    let packets = "
        0.0 10.0.0.1 > 10.0.0.2 ip/47 len=8
        0.1 10.0.0.2 > 10.0.0.1 ip/50 len=8
        0.2 10.0.0.1 > 10.0.0.2 ip/2
        0.3 10.0.0.1:7 > 10.0.0.2:9 sctp
        0.4 10.0.0.1:7 > 10.0.0.2:9 sctp
    ";
    check_flows(
        Fixed,
        packets,
        "10.0.0.1:0 > 10.0.0.2:0 0 1+1 100000us capture_end
         10.0.0.1:0 > 10.0.0.2:0 2 1+0 0us capture_end
         10.0.0.1:7 > 10.0.0.2:9 132 2+0 100000us capture_end",
    );
    check_flows(
        Cicids2017,
        packets,
        "10.0.0.1:0 > 10.0.0.2:0 0 4+1 400000us capture_end",
    );
}

#[test]
fn a_host_that_talks_to_itself_has_only_forward_packets() {
    let packets = "
        0.0 127.0.0.1:40000 > 127.0.0.1:80 S
        0.1 127.0.0.1:80 > 127.0.0.1:40000 SA
        0.2 127.0.0.1:40000 > 127.0.0.1:80 A
        0.3 127.0.0.1:80 > 127.0.0.1:40000 A
    ";
    // Addresses alone tell the direction.
    check_flows(
        Fixed,
        packets,
        "127.0.0.1:40000 > 127.0.0.1:80 6 4+0 300000us capture_end",
    );
    check_flows(
        Cicids2017,
        packets,
        "127.0.0.1:40000 > 127.0.0.1:80 6 2+0 200000us capture_end
         127.0.0.1:80 > 127.0.0.1:40000 6 2+0 200000us capture_end",
    );
}

#[test]
fn later_fragments_belong_to_the_flow_of_their_ports() {
    check_flows(
        Fixed,
        "0.0 10.0.0.1:5000 > 10.0.0.2:53 udp len=1472 frag=first
         0.1 10.0.0.1:5000 > 10.0.0.2:53 ip/17 len=100 frag=later
         0.2 10.0.0.1 > 10.0.0.2 icmp/8/0 len=1472 frag=first
         0.3 10.0.0.1 > 10.0.0.2 ip/1 len=100 frag=later",
        "10.0.0.1:5000 > 10.0.0.2:53 17 2+0 100000us capture_end
         10.0.0.1:0 > 10.0.0.2:0 1 2+0 100000us capture_end",
    );
}

#[test]
fn ipv6_is_read_like_ipv4() {
    check_flows(
        Fixed,
        "0.0 [2001:db8::1]:40000 > [2001:db8::2]:80 S
         0.1 [2001:db8::2]:80 > [2001:db8::1]:40000 SA",
        "2001:db8::1:40000 > 2001:db8::2:80 6 1+1 100000us capture_end",
    );
}
