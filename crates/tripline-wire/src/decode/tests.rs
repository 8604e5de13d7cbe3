mod build;
mod fragments;
mod ip;
mod link;
mod properties;
mod transport;
mod tunnel;

use super::*;
use crate::{Address, Fragment, Tcp, Transport};
use build::{ethernet, tcp4};

fn frame(link: LinkType, data: &[u8]) -> Frame<'_> {
    Frame {
        time_micros: 0,
        link,
        data,
        frame_bytes: data.len() as u32,
    }
}

fn decode_with(options: DecodeOptions, link: LinkType, data: &[u8]) -> Result<Packet, Cause> {
    Decoder::new(options).decode(&frame(link, data))
}

fn decode(link: LinkType, data: &[u8]) -> Result<Packet, Cause> {
    decode_with(DecodeOptions::default(), link, data)
}

/// A packet from port 1000 to port 80 with four bytes, as [`tcp4`] builds it, is found.
#[track_caller]
fn check_found(link: LinkType, data: &[u8]) {
    let packet = decode(link, data).unwrap();
    let ports = (packet.source_port, packet.destination_port);
    assert_eq!(
        (ports, packet.protocol, packet.payload_bytes),
        ((1000, 80), 6, 4)
    );
}

#[track_caller]
fn check_cause(link: LinkType, data: &[u8], cause: Cause) {
    assert_eq!(decode(link, data), Err(cause));
}

#[test]
fn packets_and_causes_are_counted() {
    let mut decoder = Decoder::new(DecodeOptions::default());
    let good = ethernet(0x0800, &tcp4(b"four"));
    let arp = ethernet(0x0806, &[0; 28]);
    for data in [&good[..], &arp, &good[..20], &[], &good] {
        _ = decoder.decode(&frame(LinkType::ETHERNET, data));
    }
    assert_eq!(decoder.packets(), 2);
    let causes = [(Cause::NotIp, 1), (Cause::Truncated, 2)];
    assert_eq!(decoder.causes(), &crate::testing::causes(&causes));
}

#[test]
fn a_packet_says_what_the_frame_holds() {
    let frame = Frame {
        time_micros: 77,
        link: LinkType::ETHERNET,
        data: &ethernet(0x0800, &tcp4(b"four")),
        frame_bytes: 1000,
    };
    let packet = Decoder::new(DecodeOptions::default()).decode(&frame);
    let expected = Packet {
        time_micros: 77,
        source: Address::v4([10, 0, 0, 1]),
        destination: Address::v4([10, 0, 0, 2]),
        source_port: 1000,
        destination_port: 80,
        protocol: 6,
        version: 4,
        header_bytes: 20,
        payload_bytes: 4,
        captured_payload_bytes: 4,
        ip_payload_bytes: 24,
        frame_bytes: 1000,
        transport: Transport::Tcp(Tcp {
            flags: 0x18,
            window: 0x2000,
            sequence: 0x0102_0304,
            acknowledgement: 0x0506_0708,
        }),
        fragment: Fragment::Whole,
    };
    assert_eq!(packet, Ok(expected));
}
