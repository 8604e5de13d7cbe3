use super::build::{ethernet, ipv4, ipv6, tcp4, tcp6, udp};
use super::*;

const ORIGINAL: fn() -> DecodeOptions = DecodeOptions::original;

/// The packet inside is found; without tunnels it is the one around.
#[track_caller]
fn check_tunnel(name: &str, outer: &[u8], protocol: u8) {
    let packet = decode(LinkType::RAW, outer);
    let found = packet.map(|packet| (packet.destination_port, packet.payload_bytes));
    assert_eq!(found, Ok((80, 4)), "{name}");
    let packet = decode_with(ORIGINAL(), LinkType::RAW, outer);
    assert_eq!(packet.map(|packet| packet.protocol), Ok(protocol), "{name}");
}

/// What looks like a tunnel and is none is the packet around it.
#[track_caller]
fn check_closed(name: &str, outer: &[u8], protocol: u8) {
    let packet = decode(LinkType::RAW, outer).map(|packet| packet.protocol);
    assert_eq!(packet, Ok(protocol), "{name}");
}

fn gre(header: &[u8], inside: &[u8]) -> Vec<u8> {
    ipv4(47, &[header, inside].concat())
}

#[test]
fn ip_in_ip_is_opened_always() {
    for outer in [
        ipv4(4, &tcp4(b"four")),
        ipv4(41, &tcp6(b"four")),
        ipv6(41, &tcp6(b"four")),
        ipv6(4, &tcp4(b"four")),
        ipv4(4, &ipv4(41, &ipv6(4, &tcp4(b"four")))),
    ] {
        check_tunnel("IP in IP", &outer, 6);
    }
}

#[test]
fn every_option_of_gre_is_skipped() {
    let inside = tcp4(b"four");
    for options in 0..8_u8 {
        let (checksum, key, sequence) = (options & 1, options >> 1 & 1, options >> 2);
        let flags = checksum << 7 | key << 5 | sequence << 4;
        let mut header = vec![flags, 0, 0x08, 0x00];
        header.extend(vec![0xff; usize::from(checksum + key + sequence) * 4]);
        check_tunnel("GRE", &gre(&header, &inside), 47);
        check_closed("cut GRE", &gre(&header, &[]), 47);
    }
    check_tunnel(
        "GRE with IPv6",
        &gre(&[0, 0, 0x86, 0xdd], &tcp6(b"four")),
        47,
    );
    check_tunnel(
        "GRE with MPLS",
        &gre(&[0, 0, 0x88, 0x47, 0, 1, 1, 64], &inside),
        47,
    );
    check_tunnel(
        "GRE with Ethernet",
        &gre(&[0, 0, 0x65, 0x58], &ethernet(0x0800, &inside)),
        47,
    );
    // Routing was withdrawn, versions above 1 never were.
    check_closed("GRE with routing", &gre(&[0x40, 0, 0x08, 0], &inside), 47);
    check_closed("GRE of version 2", &gre(&[0, 2, 0x08, 0], &inside), 47);
    check_closed("GRE with a keepalive", &gre(&[0, 0, 0, 0], &[]), 47);
    check_closed(
        "GRE with something else",
        &gre(&[0, 0, 0x88, 0xcc], &inside),
        47,
    );
}

#[test]
fn point_to_point_tunnels_are_opened() {
    let inside = [&[0xff, 0x03, 0x00, 0x21], &tcp4(b"four")[..]].concat();
    let call = [0, 0, 0, 7];
    let header = [&[0x30, 0x01, 0x88, 0x0b], &call[..], &[0, 0, 0, 1]].concat();
    check_tunnel("PPTP", &gre(&header, &inside), 47);
    check_tunnel("PPTP without addresses", &gre(&header, &inside[2..]), 47);
    let header = [
        &[0x30, 0x81, 0x88, 0x0b],
        &call[..],
        &[0, 0, 0, 1, 0, 0, 0, 1],
    ]
    .concat();
    check_tunnel("PPTP with acknowledgement", &gre(&header, &inside), 47);
    let header = [&[0x20, 0x81, 0x88, 0x0b], &call[..], &[0, 0, 0, 1]].concat();
    check_closed("acknowledgement alone", &gre(&header, &[]), 47);
    check_closed(
        "version 1 of another protocol",
        &gre(&[0x30, 1, 8, 0], &inside),
        47,
    );
}

#[test]
fn mirrored_frames_are_opened() {
    let inside = ethernet(0x0800, &tcp4(b"four"));
    check_tunnel("ERSPAN I", &gre(&[0, 0, 0x88, 0xbe], &inside), 47);
    let header = [&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1], &[0x10; 8][..]].concat();
    check_tunnel("ERSPAN II", &gre(&header, &inside), 47);
    let header = [&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1], &[0x20; 12][..]].concat();
    check_tunnel("ERSPAN III", &gre(&header, &inside), 47);
    let header = [&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1], &[0x21; 20][..]].concat();
    check_tunnel("ERSPAN III with a subheader", &gre(&header, &inside), 47);
    check_closed(
        "cut ERSPAN",
        &gre(&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1], &[0x20; 8]),
        47,
    );
}

#[test]
fn overlays_are_opened() {
    let inside = ethernet(0x0800, &tcp4(b"four"));
    let vxlan = |flags: u8| [&[flags, 0, 0, 0, 0, 0, 5, 0], &inside[..]].concat();
    for port in [4789, 8472] {
        check_tunnel("VXLAN", &ipv4(17, &udp(port, &vxlan(0x08))), 17);
        check_tunnel("VXLAN over IPv6", &ipv6(17, &udp(port, &vxlan(0x08))), 17);
        check_closed("no VXLAN", &ipv4(17, &udp(port, &vxlan(0))), 17);
        check_closed("cut VXLAN", &ipv4(17, &udp(port, &[8, 0, 0])), 17);
    }
    check_closed("another port", &ipv4(17, &udp(4790, &vxlan(0x08))), 17);

    let geneve = |words: u8, kind: [u8; 2], inside: &[u8]| {
        let options = vec![0xff; usize::from(words) * 4];
        let header = [words, 0, kind[0], kind[1], 0, 0, 5, 0];
        ipv4(17, &udp(6081, &[&header, &options[..], inside].concat()))
    };
    for words in [0, 1, 63] {
        check_tunnel("GENEVE", &geneve(words, [0x65, 0x58], &inside), 17);
        check_tunnel(
            "GENEVE with IP",
            &geneve(words, [0x08, 0x00], &inside[14..]),
            17,
        );
    }
    check_closed(
        "GENEVE of version 1",
        &geneve(0x40, [0x65, 0x58], &inside),
        17,
    );
    check_closed(
        "options past the end",
        &ipv4(17, &udp(6081, &[63, 0, 8, 0, 0, 0, 5, 0])),
        17,
    );
}

#[test]
fn other_tunnels_are_opened() {
    let inside = tcp4(b"four");
    let labelled = [&[0, 1, 1, 64], &inside[..]].concat();
    check_tunnel("MPLS in IP", &ipv4(137, &labelled), 137);
    let bridged = [&[0x30, 0], &ethernet(0x0800, &inside)[..]].concat();
    check_tunnel("Ethernet in IP", &ipv4(97, &bridged), 97);
}

#[test]
fn a_tunnel_with_rubbish_inside_is_its_outer_packet() {
    for inside in [&[][..], &[0x45], &[0x99; 40], &tcp4(b"four")[..30]] {
        let packet = decode(LinkType::RAW, &gre(&[0, 0, 0x08, 0x00], inside)).unwrap();
        assert_eq!((packet.protocol, packet.transport), (47, Transport::Other));
        assert_eq!(packet.payload_bytes, 4 + inside.len() as u32);
    }
}

#[test]
fn ten_thousand_tunnels_are_one_outer_packet() {
    // Lengths of IPv4 end at 65,535: the outer packets say less than they carry, as they may when
    // the length is left to the network card.
    let mut header = gre(&[0, 0, 0x08, 0x00], &[]);
    header[2..4].fill(0);
    let bytes = [header.repeat(10_000), tcp4(b"four")].concat();
    let packet = decode(LinkType::RAW, &bytes).unwrap();
    assert_eq!(packet.protocol, 47);

    let mut header = ipv4(4, &[]);
    header[2..4].fill(0);
    let packet = decode(LinkType::RAW, &header.repeat(10_000)).unwrap();
    assert_eq!(packet.protocol, 4);
}
