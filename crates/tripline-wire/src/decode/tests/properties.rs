use proptest::collection::vec;
use proptest::prelude::*;

use super::build::{ethernet, extension, fragment6, ipv4, ipv4_piece, ipv6, tcp, udp};
use super::*;

const LINKS: &[u32] = &[
    0, 1, 9, 12, 50, 51, 101, 104, 105, 107, 108, 113, 127, 228, 229, 239, 276, 147,
];

/// Frames that are right: to be broken.
fn valid() -> impl Strategy<Value = Vec<u8>> {
    let payload = || vec(any::<u8>(), 0..60);
    let inner = prop_oneof![
        payload().prop_map(|payload| ipv4(6, &tcp(&payload))),
        (any::<u16>(), payload()).prop_map(|(port, payload)| ipv4(17, &udp(port, &payload))),
        (any::<u16>(), any::<u16>(), payload()).prop_map(|(id, place, payload)| ipv4_piece(
            17,
            id & 3,
            place,
            &payload
        )),
        (any::<u8>(), payload()).prop_map(|(protocol, payload)| ipv4(protocol, &payload)),
        payload().prop_map(|payload| ipv6(0, &extension(6, 16, &tcp(&payload)))),
        (any::<u16>(), any::<bool>(), payload())
            .prop_map(|(offset, more, payload)| ipv6(44, &fragment6(60, offset, more, &payload))),
    ];
    let tunnelled = inner.prop_recursive(4, 8, 1, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| ipv4(4, &inner)),
            inner.clone().prop_map(|inner| ipv6(4, &inner)),
            (any::<u8>(), inner.clone())
                .prop_map(|(flags, inner)| { ipv4(47, &[&[flags, 0, 8, 0], &inner[..]].concat()) }),
            inner.prop_map(|inner| {
                let header = [8, 0, 0, 0, 0, 0, 0, 0];
                ipv4(
                    17,
                    &udp(4789, &[&header, &ethernet(0x0800, &inner)[..]].concat()),
                )
            }),
        ]
    });
    tunnelled.prop_map(|inner| ethernet(if inner[0] >> 4 == 4 { 0x0800 } else { 0x86dd }, &inner))
}

fn options() -> impl Strategy<Value = DecodeOptions> {
    (any::<bool>(), 0_usize..3).prop_map(|(is_original, max_datagrams)| DecodeOptions {
        max_datagrams,
        ..if is_original {
            DecodeOptions::original()
        } else {
            DecodeOptions::default()
        }
    })
}

fn check(decoder: &mut Decoder, link: u32, data: &[u8]) -> Result<(), TestCaseError> {
    let frame = frame(LinkType(link), data);
    if let Ok(packet) = decoder.decode(&frame) {
        prop_assert!(packet.version == 4 || packet.version == 6);
        prop_assert!(packet.captured_payload_bytes as usize <= data.len());
        prop_assert!(packet.ip_payload_bytes <= 65_535.max(packet.frame_bytes));
        prop_assert!(matches!(packet.header_bytes, 0 | 8 | 12 | 20..=60));
        if decoder.options.lengths == Lengths::Wire {
            prop_assert!(packet.payload_bytes <= packet.ip_payload_bytes);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn valid_frames_are_packets_or_causes(frames in vec(valid(), 1..4), options in options()) {
        let mut decoder = Decoder::new(options);
        for data in &frames {
            check(&mut decoder, 1, data)?;
        }
        let seen = decoder.packets() + decoder.causes().total();
        prop_assert_eq!(seen, frames.len() as u64);
        prop_assert!(decoder.fragments.len() <= options.max_datagrams.max(1));
    }

    #[test]
    fn flipped_bytes_never_panic(
        data in valid(),
        flips in vec((any::<prop::sample::Index>(), 1_u8..), 1..6),
        end in any::<prop::sample::Index>(),
        options in options(),
    ) {
        let mut decoder = Decoder::new(options);
        let mut broken = data.clone();
        for (at, flip) in flips {
            broken[at.index(data.len())] ^= flip;
        }
        check(&mut decoder, 1, &broken)?;
        check(&mut decoder, 1, &broken[..end.index(broken.len())])?;
    }

    #[test]
    fn random_bytes_never_panic(
        link in prop::sample::select(LINKS),
        data in vec(any::<u8>(), 0..300),
        options in options(),
    ) {
        check(&mut Decoder::new(options), link, &data)?;
    }
}
