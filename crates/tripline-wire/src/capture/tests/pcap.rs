use super::super::{Cause, MAX_RECORD_BYTES};
use super::check_refused;
use crate::testing::{
    GivenFrame, MICROSECONDS, MODIFIED, NANOSECONDS, Order, PcapFile, causes, read_all,
};

fn frame(time_micros: i64, data: &[u8]) -> GivenFrame {
    GivenFrame {
        time_micros,
        link: 1,
        data: data.to_vec(),
        frame_bytes: data.len() as u32,
    }
}

#[test]
fn every_variant_gives_the_same_frames() {
    for order in Order::BOTH {
        for (magic, fraction) in [
            (MICROSECONDS, 250_001),
            (NANOSECONDS, 250_001_999),
            (MODIFIED, 250_001),
        ] {
            let file = PcapFile::new(order, magic, 1)
                .record(1, fraction, b"first")
                .record(u32::MAX, 0, b"")
                .record(0, 0, b"the clock went back");
            let gave = read_all(&file.bytes[..]).unwrap();
            let expected = [
                frame(1_250_001, b"first"),
                frame(4_294_967_295_000_000, b""),
                frame(0, b"the clock went back"),
            ];
            assert_eq!(gave.frames, expected, "{order:?} {magic:x}");
            assert_eq!((gave.causes.total(), gave.cut_short), (0, 0));
        }
    }
}

#[test]
fn the_link_type_is_without_the_bits_about_the_check_sequence() {
    // Frame check sequences of four bytes are announced in the upper bits.
    let file = PcapFile::new(Order::Big, MICROSECONDS, 0x4400_0071).record(1, 0, b"x");
    assert_eq!(read_all(&file.bytes[..]).unwrap().frames[0].link, 113);
}

#[test]
fn a_frame_can_be_captured_in_part_or_not_at_all() {
    let file = PcapFile::ethernet()
        .record_of([1, 0, 4, 1500], b"part")
        .record_of([2, 0, 0, 60], b"")
        // Less on the wire than in the file: the file is right about itself.
        .record_of([3, 0, 4, 0], b"more");
    let gave = read_all(&file.bytes[..]).unwrap();
    let lengths = gave
        .frames
        .iter()
        .map(|frame| (frame.data.len(), frame.frame_bytes));
    assert_eq!(lengths.collect::<Vec<_>>(), [(4, 1500), (0, 60), (4, 4)]);
    assert_eq!(gave.cut_short, 2);
}

#[test]
fn a_snap_length_of_zero_changes_nothing() {
    let mut file = PcapFile::ethernet().record(1, 0, b"frame");
    file.bytes[16..20].fill(0);
    assert_eq!(
        read_all(&file.bytes[..]).unwrap().frames,
        [frame(1_000_000, b"frame")]
    );
}

#[track_caller]
fn check_end(bytes: &[u8], frames: usize, cause: Option<Cause>) {
    let gave = read_all(bytes).unwrap();
    assert_eq!(gave.frames.len(), frames);
    let expected = cause.map(|cause| (cause, 1));
    assert_eq!(gave.causes, causes(expected.as_slice()));
}

#[test]
fn a_file_may_end_anywhere() {
    let file = PcapFile::ethernet()
        .record(1, 0, b"first")
        .record(2, 0, b"second");
    let first = 24 + 16 + 5;
    for length in 4..file.bytes.len() {
        let cut = &file.bytes[..length];
        match length {
            ..24 => check_refused(
                cut,
                &format!(
                    "the capture ends inside its file header: expected 24 bytes, found {length}"
                ),
            ),
            24 => check_end(cut, 0, None),
            _ if length < first => check_end(cut, 0, Some(Cause::CutOff)),
            _ if length == first => check_end(cut, 1, None),
            _ => check_end(cut, 1, Some(Cause::CutOff)),
        }
    }
    check_end(&file.bytes, 2, None);
}

#[test]
fn a_length_that_cannot_be_true_ends_the_reading() {
    let limit = MAX_RECORD_BYTES as u32;
    for length in [limit + 1, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
        let file = PcapFile::ethernet()
            .record(1, 0, b"good")
            .record_of([2, 0, length, 64], b"bad");
        check_end(&file.bytes, 1, Some(Cause::BadRecord));
    }
    let largest = vec![7; MAX_RECORD_BYTES];
    let file = PcapFile::ethernet()
        .record(1, 0, &largest)
        .record(2, 0, b"next");
    check_end(&file.bytes, 2, None);
    check_end(&file.bytes[..MAX_RECORD_BYTES], 0, Some(Cause::CutOff));
}

#[test]
fn impossible_fractions_do_not_overflow() {
    for magic in [MICROSECONDS, NANOSECONDS] {
        let file = PcapFile::new(Order::Little, magic, 1).record(u32::MAX, u32::MAX, b"x");
        let time = read_all(&file.bytes[..]).unwrap().frames[0].time_micros;
        assert!((4_294_967_295_000_000..4_294_967_295_000_000 + 4_294_967_296).contains(&time));
    }
}
