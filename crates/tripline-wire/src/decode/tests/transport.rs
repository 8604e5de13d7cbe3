use super::build::{ipv4, ipv6, tcp, udp};
use super::*;

fn with(mut header: Vec<u8>, at: usize, value: u8) -> Vec<u8> {
    header[at] = value;
    header
}

#[track_caller]
fn check_lengths(packet: Result<Packet, Cause>, header: u8, payload: u32) {
    let packet = packet.unwrap();
    assert_eq!(
        (packet.header_bytes, packet.payload_bytes),
        (header, payload)
    );
}

#[test]
fn options_of_tcp_are_header() {
    for words in 5..=15_u8 {
        let bytes = with(tcp(&[0; 60]), 12, words << 4);
        let packet = decode(LinkType::RAW, &ipv4(6, &bytes));
        check_lengths(packet, words * 4, 80 - u32::from(words) * 4);
    }
}

#[test]
fn data_offsets_that_lie_are_counted() {
    for words in 0..5 {
        let bytes = with(tcp(b"four"), 12, words << 4 | 0x0f);
        check_cause(LinkType::RAW, &ipv4(6, &bytes), Cause::BadHeader);
        check_cause(LinkType::RAW, &ipv6(6, &bytes), Cause::BadHeader);
    }
    // 20 bytes of header and 4 of payload: seven words are past the end.
    check_lengths(
        decode(LinkType::RAW, &ipv4(6, &with(tcp(b"four"), 12, 0x60))),
        24,
        0,
    );
    for words in 7..=15 {
        let bytes = with(tcp(b"four"), 12, words << 4);
        check_cause(LinkType::RAW, &ipv4(6, &bytes), Cause::BadLength);
    }
}

#[test]
fn every_flag_of_tcp_is_given() {
    for flags in [0, 1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0xff] {
        let bytes = with(tcp(b""), 13, flags);
        let packet = decode(LinkType::RAW, &ipv4(6, &bytes)).unwrap();
        assert_eq!(packet.tcp_flags(), flags);
    }
    assert_eq!(
        decode(LinkType::RAW, &ipv4(17, &udp(53, b"")))
            .unwrap()
            .tcp_flags(),
        0
    );
}

#[track_caller]
fn check_udp(length: u16, payload: u32) {
    let mut bytes = udp(53, b"12345678");
    bytes[4..6].copy_from_slice(&length.to_be_bytes());
    for packet in [ipv4(17, &bytes), ipv6(17, &bytes)] {
        let packet = decode(LinkType::RAW, &packet).unwrap();
        assert_eq!((packet.source_port, packet.destination_port), (1000, 53));
        assert_eq!((packet.header_bytes, packet.payload_bytes), (8, payload));
        assert_eq!(
            (packet.transport, packet.ip_payload_bytes),
            (Transport::Udp, 16)
        );
    }
}

#[test]
fn lengths_of_udp_are_believed_within_the_packet() {
    check_udp(16, 8);
    check_udp(8, 0);
    check_udp(10, 2);
    // Zero is a jumbogram; too long is the first fragment of a longer one.
    check_udp(0, 8);
    check_udp(17, 8);
    check_udp(65_535, 8);
    for length in 1..8 {
        let bytes = with(with(udp(53, b"12345678"), 4, 0), 5, length);
        check_cause(LinkType::RAW, &ipv4(17, &bytes), Cause::BadLength);
    }
}

#[test]
fn icmp_has_type_and_code() {
    for (packet, kind, code) in [
        (ipv4(1, &[3, 1, 0, 0, 0, 0, 0, 0, 9, 9]), 3, 1),
        (ipv6(58, &[128, 0, 0, 0, 0, 0, 0, 0, 9, 9]), 128, 0),
    ] {
        let packet = decode(LinkType::RAW, &packet).unwrap();
        assert_eq!(packet.transport, Transport::Icmp { kind, code });
        assert_eq!((packet.header_bytes, packet.payload_bytes), (8, 2));
        assert_eq!((packet.source_port, packet.destination_port), (0, 0));
    }
    // Shorter than any message should be.
    check_lengths(decode(LinkType::RAW, &ipv4(1, &[8, 0, 0])), 8, 0);
}

#[test]
fn sctp_has_ports() {
    let header = [0x0b, 0x59, 0x0b, 0x5a, 0, 0, 0, 1, 0, 0, 0, 0];
    let bytes = [&header[..], &[0; 20]].concat();
    for packet in [ipv4(132, &bytes), ipv6(132, &bytes)] {
        let packet = decode(LinkType::RAW, &packet).unwrap();
        assert_eq!((packet.source_port, packet.destination_port), (2905, 2906));
        assert_eq!((packet.header_bytes, packet.payload_bytes), (12, 20));
        assert_eq!(packet.transport, Transport::Sctp);
    }
    check_cause(LinkType::RAW, &ipv4(132, &header[..11]), Cause::BadLength);
}

#[test]
fn a_header_may_be_captured_in_part() {
    let bytes = ipv4(6, &with(tcp(&[0; 100]), 12, 0xf0));
    // All that counts of TCP lies in its first 16 bytes.
    check_lengths(decode(LinkType::RAW, &bytes[..36]), 60, 60);
    check_cause(LinkType::RAW, &bytes[..35], Cause::Truncated);
    check_lengths(
        decode(LinkType::RAW, &ipv4(17, &udp(53, &[0; 100]))[..28]),
        8,
        100,
    );
}
