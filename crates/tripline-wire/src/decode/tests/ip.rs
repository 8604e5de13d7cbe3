use super::build::{
    DESTINATION_6, SOURCE_6, ethernet, extension, fragment6, ipv4, ipv6, tcp, tcp4, tcp6, udp,
};
use super::*;

const CUT: Cause = Cause::Truncated;

/// A packet with some of its bytes changed.
fn changed(mut bytes: Vec<u8>, changes: &[(usize, u8)]) -> Vec<u8> {
    for (at, value) in changes {
        bytes[*at] = *value;
    }
    bytes
}

#[test]
fn padding_of_short_frames_is_no_payload() {
    let mut bytes = ethernet(0x0800, &tcp4(b""));
    bytes.resize(60, 0);
    let packet = decode(LinkType::ETHERNET, &bytes).unwrap();
    assert_eq!(
        (packet.payload_bytes, packet.captured_payload_bytes),
        (0, 6)
    );
    let packet = decode_with(DecodeOptions::original(), LinkType::ETHERNET, &bytes).unwrap();
    assert_eq!(packet.payload_bytes, 0);

    // The original extractors count the padding behind a tag.
    let mut bytes = ethernet(0x8100, &[0, 5, 0x08, 0x00]);
    bytes.extend(tcp4(b""));
    bytes.resize(60, 0);
    let packet = decode_with(DecodeOptions::original(), LinkType::ETHERNET, &bytes).unwrap();
    assert_eq!(packet.payload_bytes, 2);
}

#[test]
fn padding_is_never_a_header() {
    // The datagram ends before the transport header; what follows in the frame does not count.
    for (protocol, needs) in [(6_u8, 16), (17, 8), (132, 4), (1, 2), (58, 2)] {
        for bytes in 0..needs {
            let mut packet = ipv4(protocol, &vec![0xff; bytes]);
            packet.resize(60, 0);
            check_cause(LinkType::RAW, &packet, CUT);
        }
    }
}

#[test]
fn a_total_length_of_zero_is_that_of_the_frame() {
    let packet = decode(
        LinkType::RAW,
        &changed(tcp4(b"offloaded"), &[(2, 0), (3, 0)]),
    )
    .unwrap();
    assert_eq!((packet.ip_payload_bytes, packet.payload_bytes), (29, 9));
    let packet = decode(
        LinkType::RAW,
        &changed(tcp6(b"offloaded"), &[(4, 0), (5, 0)]),
    )
    .unwrap();
    assert_eq!((packet.ip_payload_bytes, packet.payload_bytes), (29, 9));
}

#[test]
fn nothing_follows_where_the_header_says_so() {
    let packet = decode(LinkType::RAW, &[ipv6(59, &[]), vec![0; 6]].concat()).unwrap();
    assert_eq!((packet.protocol, packet.ip_payload_bytes), (59, 0));
}

#[test]
fn lengths_are_those_of_the_headers_not_of_what_was_captured() {
    for bytes in [tcp4(&[0; 1000]), tcp6(&[0; 1000])] {
        let cut = &bytes[..80];
        let packet = decode(LinkType::RAW, cut).unwrap();
        assert_eq!(packet.payload_bytes, 1000);
        assert!(packet.captured_payload_bytes < 60);
        let packet = decode_with(DecodeOptions::original(), LinkType::RAW, cut).unwrap();
        assert_eq!(packet.payload_bytes, packet.captured_payload_bytes);
    }
}

#[test]
fn header_lengths_that_lie_are_counted() {
    let good = tcp4(b"four");
    for words in 0..5 {
        check_cause(
            LinkType::RAW,
            &changed(good.clone(), &[(0, 0x40 | words)]),
            Cause::BadHeader,
        );
    }
    // Longer than the datagram, and longer than what was captured.
    check_cause(
        LinkType::RAW,
        &changed(good.clone(), &[(0, 0x4f)]),
        Cause::BadLength,
    );
    let long = changed(tcp4(&[0; 40]), &[(0, 0x4f)]);
    check_cause(LinkType::RAW, &long[..50], CUT);
    check_cause(
        LinkType::RAW,
        &changed(good.clone(), &[(3, 19)]),
        Cause::BadLength,
    );
    for length in 0..36 {
        check_cause(LinkType::RAW, &good[..length], CUT);
    }
    let good = tcp6(b"four");
    for length in 0..56 {
        check_cause(LinkType::RAW, &good[..length], CUT);
    }
}

#[test]
fn options_are_skipped() {
    let bytes = changed(
        ipv4(6, &[&[1; 8], &tcp(b"four")[..]].concat()),
        &[(0, 0x47)],
    );
    check_found(LinkType::RAW, &bytes);
}

#[test]
fn addresses_are_those_of_the_version() {
    let packet = decode(LinkType::RAW, &tcp6(b"four")).unwrap();
    assert_eq!(packet.source, Address::v6(SOURCE_6));
    assert_eq!(packet.destination, Address::v6(DESTINATION_6));
    assert_eq!(packet.version, 6);
}

#[test]
fn every_extension_header_is_skipped() {
    // Hop-by-hop, routing, destination, mobility, host identity, shim6.
    for kind in [0, 43, 60, 135, 139, 140] {
        for bytes in [8, 24] {
            let packet = ipv6(kind, &extension(6, bytes, &tcp(b"four")));
            check_found(LinkType::RAW, &packet);
        }
    }
    // The length of an authentication header is in words of four bytes, less two.
    let mut authentication = vec![0; 24];
    authentication[..2].copy_from_slice(&[6, 4]);
    check_found(
        LinkType::RAW,
        &ipv6(51, &[&authentication, &tcp(b"four")[..]].concat()),
    );

    let chain = extension(6, 8, &tcp(b"four"));
    let chain = extension(60, 16, &chain);
    let chain = extension(43, 8, &chain);
    check_found(LinkType::RAW, &ipv6(0, &chain));
    // Encrypted: nothing behind it is known.
    let packet = decode(LinkType::RAW, &ipv6(50, &[0; 32])).unwrap();
    assert_eq!((packet.protocol, packet.transport), (50, Transport::Other));
}

#[test]
fn extension_headers_that_lie_are_counted() {
    let good = ipv6(0, &extension(6, 8, &tcp(b"four")));
    // Longer than the packet.
    check_cause(
        LinkType::RAW,
        &changed(good.clone(), &[(41, 255)]),
        Cause::BadLength,
    );
    // Longer than what was captured.
    let long = ipv6(0, &extension(6, 64, &tcp(b"four")));
    check_cause(LinkType::RAW, &long[..60], CUT);
    check_cause(LinkType::RAW, &good[..41], CUT);
    check_cause(LinkType::RAW, &ipv6(44, &[6, 0, 0, 0]), CUT);

    let endless = ipv6(60, &extension(60, 8, &[]).repeat(8000));
    check_cause(LinkType::RAW, &endless, Cause::TooManyLayers);
}

#[test]
fn an_atomic_fragment_is_whole() {
    let bytes = ipv6(44, &fragment6(6, 0, false, &tcp(b"four")));
    let mut decoder = Decoder::new(DecodeOptions::default());
    let packet = decoder.decode(&frame(LinkType::RAW, &bytes)).unwrap();
    assert_eq!(
        (packet.fragment, packet.payload_bytes),
        (Fragment::Whole, 4)
    );
    assert_eq!(decoder.fragments(), FragmentCounts::default());
}

#[test]
fn other_protocols_have_no_ports() {
    for protocol in [0, 2, 50, 51, 89, 112, 255] {
        let packet = decode(LinkType::RAW, &ipv4(protocol, &udp(53, b"four"))).unwrap();
        let ports = (packet.source_port, packet.destination_port);
        assert_eq!(
            (packet.protocol, ports, packet.header_bytes),
            (protocol, (0, 0), 0)
        );
        assert_eq!(packet.payload_bytes, 12);
    }
}
