use super::build::{extension, fragment6, ipv4_piece, ipv6, udp};
use super::*;

const MORE: u16 = 0x2000;

struct Pieces {
    decoder: Decoder,
    now: i64,
}

impl Pieces {
    fn new(options: DecodeOptions) -> Self {
        Self {
            decoder: Decoder::new(options),
            now: 1_000_000,
        }
    }

    fn follow(max_datagrams: usize) -> Self {
        Self::new(DecodeOptions {
            max_datagrams,
            ..DecodeOptions::default()
        })
    }

    fn take(&mut self, bytes: &[u8]) -> Packet {
        let frame = Frame {
            time_micros: self.now,
            ..frame(LinkType::RAW, bytes)
        };
        self.decoder.decode(&frame).unwrap()
    }

    /// The first of an identification: eight bytes of header, eight of payload.
    fn first(&mut self, identification: u16, port: u16) -> Packet {
        let bytes = udp(port, b"12345678");
        self.take(&ipv4_piece(17, identification, MORE, &bytes))
    }

    fn later(&mut self, identification: u16, place: u16, count: usize) -> Packet {
        self.take(&ipv4_piece(17, identification, place, &vec![0; count]))
    }
}

fn what(packet: &Packet) -> (Fragment, u16, u32) {
    (
        packet.fragment,
        packet.destination_port,
        packet.payload_bytes,
    )
}

#[test]
fn later_fragments_follow_the_first() {
    let mut pieces = Pieces::follow(4);
    assert_eq!(what(&pieces.first(1, 53)), (Fragment::First, 53, 8));
    assert_eq!(
        what(&pieces.later(1, MORE | 2, 16)),
        (Fragment::Later, 53, 16)
    );
    let last = pieces.later(1, 4, 5);
    assert_eq!(what(&last), (Fragment::Later, 53, 5));
    assert_eq!(
        (last.source_port, last.protocol, last.header_bytes),
        (1000, 17, 0)
    );
    assert_eq!(last.transport, Transport::Other);
    let counts = FragmentCounts {
        fragments: 3,
        ..FragmentCounts::default()
    };
    assert_eq!(pieces.decoder.fragments(), counts);
}

#[test]
fn a_later_fragment_without_its_first_has_no_ports() {
    let mut pieces = Pieces::follow(4);
    assert_eq!(what(&pieces.later(1, 2, 16)), (Fragment::Later, 0, 16));
    assert_eq!(what(&pieces.first(1, 53)), (Fragment::First, 53, 8));
    assert_eq!(pieces.decoder.fragments().orphans, 1);
    // Another identification, another protocol.
    assert_eq!(what(&pieces.later(2, 2, 16)), (Fragment::Later, 0, 16));
    let other = pieces.take(&ipv4_piece(6, 1, 2, &[0; 16]));
    assert_eq!(what(&other), (Fragment::Later, 0, 16));
    assert_eq!(pieces.decoder.fragments().orphans, 3);
}

#[test]
fn separate_fragments_have_no_ports() {
    let mut pieces = Pieces::new(DecodeOptions {
        fragments: Fragments::Separate,
        ..DecodeOptions::default()
    });
    assert_eq!(what(&pieces.first(1, 53)), (Fragment::First, 53, 8));
    assert_eq!(what(&pieces.later(1, 2, 16)), (Fragment::Later, 0, 16));
}

#[test]
fn fragments_of_ipv6_follow_whatever_extensions_the_first_has() {
    let mut pieces = Pieces::follow(4);
    // What is fragmented begins with another header: later fragments name that one.
    let first = fragment6(60, 0, true, &extension(17, 8, &udp(53, b"12345678")));
    let first = pieces.take(&ipv6(44, &first));
    assert_eq!(
        (what(&first), first.protocol),
        ((Fragment::First, 53, 8), 17)
    );
    let later = pieces.take(&ipv6(44, &fragment6(60, 3, false, b"end")));
    assert_eq!(
        (what(&later), later.protocol),
        ((Fragment::Later, 53, 3), 17)
    );
    // The extension counts in the place that the first fragment takes.
    let overlapping = pieces.take(&ipv6(44, &fragment6(60, 2, true, &[0; 8])));
    assert_eq!(overlapping.fragment, Fragment::Overlapping);
}

#[track_caller]
fn check_places(places: &[(u16, usize, Fragment)]) {
    let mut pieces = Pieces::follow(4);
    let mut overlapping = 0;
    for (place, bytes, expected) in places {
        let packet = if *place == MORE {
            pieces.first(1, 53)
        } else {
            pieces.later(1, *place, *bytes)
        };
        assert_eq!(packet.fragment, *expected, "at {place:#x}");
        overlapping += u64::from(*expected == Fragment::Overlapping);
    }
    assert_eq!(pieces.decoder.fragments().overlapping, overlapping);
}

#[test]
fn overlaps_are_marked() {
    use Fragment::{First, Later, Overlapping};
    // Teardrop: a fragment inside another one.
    check_places(&[(MORE, 16, First), (1, 4, Overlapping)]);
    check_places(&[(MORE, 16, First), (MORE, 16, Overlapping)]);
    check_places(&[
        (MORE | 2, 16, Later),
        (MORE | 3, 16, Overlapping),
        (MORE | 5, 8, Later),
    ]);
    check_places(&[
        (MORE | 4, 8, Later),
        (MORE, 16, First),
        (MORE | 2, 16, Later),
        (5, 1, Later),
    ]);
    check_places(&[(MORE | 1, 8, Later), (MORE, 16, Overlapping)]);
}

#[test]
fn lengths_that_contradict_each_other_are_marked() {
    use Fragment::{First, Later, Overlapping};
    // Behind the end, two different ends, an end before what was there.
    check_places(&[(MORE, 16, First), (2, 8, Later), (MORE | 9, 8, Overlapping)]);
    check_places(&[(MORE, 16, First), (4, 8, Later), (2, 8, Overlapping)]);
    check_places(&[(MORE, 16, First), (MORE | 9, 8, Later), (2, 8, Overlapping)]);
}

#[test]
fn no_datagram_is_longer_than_its_length_could_say() {
    use Fragment::{Later, Overlapping};
    // The highest offset is 65,528.
    check_places(&[(0x1fff, 7, Later)]);
    // Ping of death.
    check_places(&[(0x1fff, 8, Overlapping)]);
    check_places(&[(MORE | 0x1ffe, 1480, Overlapping)]);
    let mut pieces = Pieces::follow(4);
    let bytes = ipv6(44, &fragment6(17, 0x1fff, true, &[0; 1400]));
    assert_eq!(pieces.take(&bytes).fragment, Overlapping);
}

#[test]
fn the_first_of_two_contradicting_headers_counts() {
    let mut pieces = Pieces::follow(4);
    pieces.first(1, 53);
    assert_eq!(what(&pieces.first(1, 80)), (Fragment::Overlapping, 80, 8));
    assert_eq!(what(&pieces.later(1, 2, 8)), (Fragment::Later, 53, 8));
}

#[test]
fn the_datagram_touched_longest_ago_makes_room() {
    let mut pieces = Pieces::follow(2);
    pieces.first(1, 53);
    pieces.first(2, 80);
    // Touched again, so that the second one goes.
    pieces.later(1, MORE | 2, 8);
    pieces.first(3, 123);
    assert_eq!(pieces.decoder.fragments().evicted, 1);
    assert_eq!(what(&pieces.later(1, MORE | 3, 8)).1, 53);
    assert_eq!(what(&pieces.later(3, MORE | 2, 8)).1, 123);
    assert_eq!(what(&pieces.later(2, MORE | 2, 8)).1, 0);
    assert_eq!(pieces.decoder.fragments().evicted, 2);
}

#[test]
fn a_limit_of_zero_works_as_one() {
    let mut pieces = Pieces::follow(0);
    pieces.first(1, 53);
    assert_eq!(what(&pieces.later(1, 2, 8)).1, 53);
}

#[test]
fn an_identification_is_used_again_after_a_while() {
    const SECOND: i64 = 1_000_000;
    for (later, is_forgotten) in [(30, false), (31, true), (-30, false), (-31, true)] {
        let mut pieces = Pieces::follow(4);
        pieces.first(1, 53);
        pieces.now += later * SECOND;
        let expected = if is_forgotten {
            (Fragment::First, 80, 8)
        } else {
            (Fragment::Overlapping, 80, 8)
        };
        assert_eq!(what(&pieces.first(1, 80)), expected);
        let port = if is_forgotten { 80 } else { 53 };
        assert_eq!(
            what(&pieces.later(1, 2, 8)).1,
            port,
            "{later} seconds later"
        );
    }
    let mut pieces = Pieces::follow(4);
    for now in [i64::MIN, i64::MAX, 0, i64::MIN] {
        pieces.now = now;
        assert_eq!(what(&pieces.first(1, 53)), (Fragment::First, 53, 8));
    }
}

#[test]
fn a_flood_of_fragments_stays_within_the_limit() {
    let mut pieces = Pieces::follow(16);
    for number in 0..2000 {
        pieces.first(number, 53);
        pieces.later(number % 7, MORE | (number + 2), 8);
    }
    let counts = pieces.decoder.fragments();
    assert_eq!(counts.fragments, 4000);
    assert!(counts.evicted >= 2000 - 16);
    assert!(pieces.decoder.fragments.len() <= 16);
    // Many pieces of one datagram are only compared with the first ones.
    for number in 0..8000 {
        pieces.later(1, MORE | (number + 2), 8);
    }
    assert!(pieces.decoder.fragments.pieces() <= 16 * 64);
}

#[test]
fn a_first_fragment_without_its_header_is_a_cause() {
    let mut decoder = Decoder::new(DecodeOptions::default());
    // A tiny fragment hides the flags of TCP in the second one.
    let tiny = ipv4_piece(6, 1, MORE, &[0x03, 0xe8, 0, 80, 0, 0, 0, 0]);
    assert_eq!(
        decoder.decode(&frame(LinkType::RAW, &tiny)),
        Err(Cause::Truncated)
    );
    let later = ipv4_piece(6, 1, 1, &[0; 16]);
    let packet = decoder.decode(&frame(LinkType::RAW, &later)).unwrap();
    assert_eq!(what(&packet), (Fragment::Later, 0, 16));
}
