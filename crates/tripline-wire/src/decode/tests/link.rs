use super::build::{ethernet, tag, tcp4, tcp6};
use super::*;

const SNAP: [u8; 6] = [0xaa, 0xaa, 3, 0, 0, 0];

#[track_caller]
fn check_link(link: LinkType, before: &[u8]) {
    check_found(link, &[before, &tcp4(b"four")].concat());
    assert!(link.is_decoded());
    // Every shorter frame is an honest end.
    for length in 0..before.len() {
        let causes = [
            Cause::Truncated,
            Cause::NotIp,
            Cause::BadHeader,
            Cause::BadLength,
        ];
        let cause = decode(link, &before[..length]).unwrap_err();
        assert!(
            causes.contains(&cause) || cause == Cause::OpaqueWifi,
            "{cause:?}"
        );
    }
}

#[test]
fn every_link_type_is_decoded() {
    let ppp = [0x00, 0x21];
    check_link(LinkType::ETHERNET, &ethernet(0x0800, &[]));
    check_link(LinkType::RAW, &[]);
    check_link(LinkType::IPV4, &[]);
    check_link(LinkType::IPV6, &[]);
    check_link(LinkType(12), &[]);
    check_link(LinkType(14), &[]);
    check_link(LinkType::NULL, &[2, 0, 0, 0]);
    check_link(LinkType::NULL, &[0, 0, 0, 2]);
    check_link(LinkType::LOOP, &[0, 0, 0, 2]);
    check_link(LinkType::PPP, &ppp);
    check_link(LinkType::PPP, &[0x21]);
    check_link(LinkType::PPP, &[0xff, 0x03, 0x00, 0x21]);
    check_link(LinkType::PPP_HDLC, &[0xff, 0x03, 0x00, 0x21]);
    check_link(LinkType::PPP_HDLC, &[0x0f, 0x00, 0x08, 0x00]);
    check_link(LinkType::PPP_HDLC, &[0x8f, 0x00, 0x08, 0x00]);
    check_link(LinkType::PPP_ETHER, &[0x11, 0, 0, 1, 0, 46, 0x00, 0x21]);
    check_link(LinkType::C_HDLC, &[0x0f, 0, 0x08, 0]);
    check_link(LinkType::FRELAY, &[0x18, 0x41, 0x03, 0xcc]);
    check_link(
        LinkType::FRELAY,
        &[0x18, 0x41, 0x03, 0x00, 0x80, 0, 0, 0, 0x08, 0x00],
    );
    check_link(
        LinkType::LINUX_SLL,
        &tag(&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0], 0x0800, &[]),
    );
    let mut cooked = vec![0x08, 0x00];
    cooked.extend([0; 18]);
    check_link(LinkType::LINUX_SLL2, &cooked);
    let netfilter = [2, 0, 0, 0, 5, 0, 10, 0, b'x', 0, 0, 0, 48, 0, 9, 0];
    check_link(LinkType::NFLOG, &netfilter);
}

#[test]
fn every_family_of_loopback_is_known() {
    for family in [10, 23, 24, 28, 30] {
        let bytes = [&[family, 0, 0, 0], &tcp6(b"four")[..]].concat();
        check_found(LinkType::NULL, &bytes);
    }
    check_cause(LinkType::NULL, &[7, 0, 0, 0, 0x45], Cause::NotIp);
    check_cause(LinkType::NULL, &[1, 2, 3, 4, 0x45], Cause::BadHeader);
}

#[test]
fn other_link_types_are_unknown() {
    for link in [3, 6, 147, 195, 220, 242, 65_535] {
        check_cause(LinkType(link), &tcp4(b"four"), Cause::UnknownLink);
        assert!(!LinkType(link).is_decoded());
    }
}

#[test]
fn versions_are_those_of_the_packet() {
    check_found(LinkType::RAW, &tcp6(b"four"));
    check_found(LinkType::ETHERNET, &ethernet(0x86dd, &tcp6(b"four")));
    for first in [0x00, 0x15, 0x50, 0x75, 0xf5] {
        check_cause(LinkType::RAW, &[first; 60], Cause::BadHeader);
    }
    check_cause(LinkType::RAW, &[], Cause::Truncated);
}

#[test]
fn tags_and_labels_are_opened() {
    let inside = tcp4(b"four");
    let cases: &[(&str, &[u8])] = &[
        ("VLAN", &[0x81, 0x00, 0x20, 0x05, 0x08, 0x00]),
        ("QinQ", &[0x88, 0xa8, 0, 5, 0x81, 0x00, 0, 6, 0x08, 0x00]),
        (
            "QinQ before 802.1ad",
            &[0x91, 0x00, 0, 5, 0x92, 0x00, 0, 6, 0x08, 0x00],
        ),
        ("E-TAG", &[0x89, 0x3f, 0, 1, 0, 2, 0, 3, 0x08, 0x00]),
        (
            "I-TAG",
            &[
                0x88, 0xe7, 0, 1, 2, 3, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 0x08, 0x00,
            ],
        ),
        ("MPLS", &[0x88, 0x47, 0, 1, 1, 64]),
        ("MPLS multicast", &[0x88, 0x48, 0, 1, 1, 64]),
        (
            "three labels",
            &[0x88, 0x47, 0, 1, 0, 64, 0, 2, 0, 64, 0, 3, 1, 64],
        ),
        (
            "pseudowire",
            &[
                0x88, 0x47, 0, 1, 1, 64, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 0x08, 0x00,
            ],
        ),
        ("PPPoE", &[0x88, 0x64, 0x11, 0, 0, 1, 0, 46, 0, 0x21]),
        (
            "PPPoE in VLAN",
            &[0x81, 0, 0, 5, 0x88, 0x64, 0x11, 0, 0, 1, 0, 46, 0, 0x21],
        ),
        (
            "MPLS in PPP",
            &[0x88, 0x64, 0x11, 0, 0, 1, 0, 50, 2, 0x81, 0, 1, 1, 64],
        ),
        ("SNAP", &[0, 52, 0xaa, 0xaa, 3, 0, 0, 0, 0x08, 0x00]),
        ("NSH", &[0x89, 0x4f, 0x0f, 0xc2, 1, 1, 0, 0, 1, 255]),
        (
            "bridged",
            &[0x65, 0x58, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 0x08, 0x00],
        ),
    ];
    for (name, before) in cases {
        let bytes = [&[0; 12], *before, &inside].concat();
        let packet = decode(LinkType::ETHERNET, &bytes);
        assert_eq!(packet.map(|packet| packet.payload_bytes), Ok(4), "{name}");
        for length in 12..12 + before.len() {
            let cause = decode(LinkType::ETHERNET, &bytes[..length]).unwrap_err();
            assert!(
                matches!(cause, Cause::Truncated | Cause::NotIp | Cause::BadHeader),
                "{name}"
            );
        }
    }
}

#[test]
fn what_carries_no_ip_is_counted_as_such() {
    let cases: &[&[u8]] = &[
        // ARP, LLDP, EAPOL, discovery of PPPoE, loopback test.
        &[0x08, 0x06, 0, 1],
        &[0x88, 0xcc, 2, 7],
        &[0x88, 0x8e, 1, 0],
        &[0x88, 0x63, 0x11, 9],
        &[0x90, 0x00, 0, 0],
        // Spanning tree and NetBEUI: LLC without SNAP, and SNAP of another organisation.
        &[0x00, 38, 0x42, 0x42, 3, 0, 0, 0, 0, 0],
        &[0x00, 38, 0xf0, 0xf0, 3, 0, 0, 0, 0, 0],
        &[0x00, 38, 0xaa, 0xaa, 3, 0, 0, 12, 1, 11],
        // Control protocols of PPP; a label above nothing known.
        &[0x88, 0x64, 0x11, 0, 0, 1, 0, 4, 0xc0, 0x21],
        &[0x88, 0x47, 0, 1, 1, 64, 0x10, 0, 0, 0],
        &[0x89, 0x4f, 0x0f, 0xc2, 1, 4, 0, 0, 1, 255],
    ];
    for before in cases {
        let bytes = [&[0; 12], *before, &[0; 40]].concat();
        check_cause(LinkType::ETHERNET, &bytes, Cause::NotIp);
    }
    check_cause(
        LinkType::FRELAY,
        &[0x18, 0x41, 0x08, 0x02, 0, 0],
        Cause::NotIp,
    );
}

#[test]
fn headers_that_lie_are_counted() {
    let mut pppoe = ethernet(0x8864, &[0x21, 0, 0, 1, 0, 46, 0, 0x21]);
    pppoe.extend(tcp4(b"four"));
    check_cause(LinkType::ETHERNET, &pppoe, Cause::BadHeader);
    // A service header shorter than itself, and one past the end.
    check_cause(
        LinkType::ETHERNET,
        &ethernet(0x894f, &[0, 1, 1, 1, 0, 0]),
        Cause::BadLength,
    );
    check_cause(
        LinkType::ETHERNET,
        &ethernet(0x894f, &[0, 63, 1, 1, 0, 0]),
        Cause::Truncated,
    );
    // Attributes of a netfilter log that stand still, and past the end.
    for length in 0..4 {
        let bytes = [2, 0, 0, 0, length, 0, 1, 0, 0, 0, 0, 0];
        check_cause(LinkType::NFLOG, &bytes, Cause::BadLength);
    }
    check_cause(
        LinkType::NFLOG,
        &[2, 0, 0, 0, 0xff, 0xff, 1, 0],
        Cause::Truncated,
    );
}

/// A data frame with flags, before its SNAP header.
fn wifi(subtype: u8, flags: u8, header_bytes: usize) -> Vec<u8> {
    let mut bytes = vec![0; header_bytes];
    bytes[0] = subtype << 4 | 2 << 2;
    bytes[1] = flags;
    [&bytes, &SNAP[..], &[0x08, 0x00], &tcp4(b"four")].concat()
}

fn radiotap(bytes: &[u8]) -> Vec<u8> {
    [&[0, 0, 12, 0, 0, 0, 0, 0, 1, 2, 3, 4], bytes].concat()
}

#[test]
fn data_frames_of_wifi_are_decoded() {
    let cases = [
        ("to the access point", wifi(0, 0x01, 24)),
        ("from the access point", wifi(0, 0x02, 24)),
        ("between access points", wifi(0, 0x03, 30)),
        ("with quality of service", wifi(8, 0x01, 26)),
        ("with both", wifi(8, 0x03, 32)),
        ("with high throughput control", wifi(8, 0x81, 30)),
        (
            "in strict order, without quality of service",
            wifi(0, 0x81, 24),
        ),
    ];
    for (name, bytes) in cases {
        for (link, bytes) in [
            (LinkType::IEEE802_11, bytes.clone()),
            (LinkType::IEEE802_11_RADIOTAP, radiotap(&bytes)),
        ] {
            let found = decode(link, &bytes).map(|packet| packet.payload_bytes);
            assert_eq!(found, Ok(4), "{name}");
        }
    }
    assert!(LinkType::IEEE802_11.is_decoded());
    assert!(LinkType::IEEE802_11_RADIOTAP.is_decoded());
}

#[test]
fn other_frames_of_wifi_are_counted() {
    let beacon = [0x80, 0, 0, 0];
    let acknowledgement = [0xd4, 0, 0, 0];
    let encrypted = wifi(8, 0x41, 26);
    let without_data = wifi(4, 0x01, 24);
    for bytes in [&beacon[..], &acknowledgement, &encrypted, &without_data] {
        check_cause(LinkType::IEEE802_11, bytes, Cause::OpaqueWifi);
        check_cause(
            LinkType::IEEE802_11_RADIOTAP,
            &radiotap(bytes),
            Cause::OpaqueWifi,
        );
    }
    // Radiotap headers past the end, and shorter than themselves.
    check_cause(
        LinkType::IEEE802_11_RADIOTAP,
        &[0, 0, 0xff, 0xff, 0, 0],
        Cause::Truncated,
    );
    check_cause(
        LinkType::IEEE802_11_RADIOTAP,
        &[0, 0, 0, 0],
        Cause::Truncated,
    );
    check_cause(
        LinkType::IEEE802_11,
        &wifi(8, 0x01, 26)[..30],
        Cause::Truncated,
    );
}

/// Radiotap with flags: alone, behind a time, and behind a second word of presence.
fn radiotap_with(flags: u8, bytes: &[u8]) -> [Vec<u8>; 3] {
    let alone = [&[0, 0, 9, 0, 2, 0, 0, 0, flags], bytes].concat();
    let behind_time = [&[0, 0, 17, 0, 3, 0, 0, 0], &[0x77; 8][..], &[flags], bytes].concat();
    let two_words = [0, 0, 25, 0, 3, 0, 0, 0x80, 2, 0, 0, 0, 0, 0, 0, 0];
    let two_words = [&two_words, &[0x77; 8][..], &[flags], bytes].concat();
    [alone, behind_time, two_words]
}

#[test]
fn flags_of_the_card_count() {
    let link = LinkType::IEEE802_11_RADIOTAP;
    for bytes in radiotap_with(0x40, &wifi(8, 0x01, 26)) {
        check_cause(link, &bytes, Cause::OpaqueWifi);
    }
    let mut padded = wifi(8, 0x01, 28);
    for bytes in radiotap_with(0x20, &padded) {
        check_found(link, &bytes);
    }
    padded.drain(26..28);
    for bytes in radiotap_with(0x10, &padded) {
        check_found(link, &bytes);
    }
    // Words of presence without an end.
    let endless = [&[0, 0, 0xff, 0, 0xff, 0xff, 0xff, 0xff], &[0xff; 247][..]].concat();
    check_found(link, &[&endless, &wifi(0, 0x01, 24)[..]].concat());
}

#[test]
fn ten_thousand_tags_end_the_search() {
    let mut bytes = vec![0; 12];
    for _ in 0..10_000 {
        bytes.extend([0x81, 0, 0, 1]);
    }
    bytes.extend([0x08, 0x00]);
    bytes.extend(tcp4(b"four"));
    check_cause(LinkType::ETHERNET, &bytes, Cause::TooManyLayers);
    let labels = [
        &ethernet(0x8847, &[0, 1, 0, 64].repeat(10_000)),
        &[0, 1, 1, 64, 0x45][..],
    ];
    check_cause(LinkType::ETHERNET, &labels.concat(), Cause::TooManyLayers);
    let bridged = ethernet(0x6558, &[]).repeat(10_000);
    check_cause(LinkType::ETHERNET, &bridged, Cause::TooManyLayers);
}

#[test]
fn as_many_layers_as_the_limit_are_opened() {
    // Ethernet, the type of IP and IP itself are layers too.
    for (tags, is_found) in [(MAX_LAYERS - 3, true), (MAX_LAYERS - 2, false)] {
        let mut bytes = vec![0; 12];
        bytes.extend([0x81, 0, 0, 1].repeat(tags));
        bytes.extend([0x08, 0x00]);
        bytes.extend(tcp4(b"four"));
        assert_eq!(decode(LinkType::ETHERNET, &bytes).is_ok(), is_found);
    }
}
