use super::super::{Cause, MAX_RECORD_BYTES};
use crate::testing::{Gave, Order, PcapNgFile, causes, read_all};

const TSRESOL: u16 = 9;
const TSOFFSET: u16 = 14;

fn times(gave: &Gave) -> Vec<i64> {
    gave.frames.iter().map(|frame| frame.time_micros).collect()
}

#[track_caller]
fn check_causes(gave: &Gave, frames: usize, expected: &[(Cause, u64)]) {
    assert_eq!(gave.frames.len(), frames);
    assert_eq!(gave.causes, causes(expected));
}

#[test]
fn interfaces_have_their_own_links_and_clocks() {
    for order in Order::BOTH {
        let file = PcapNgFile::new(order)
            .interface(1, 0, &[])
            .interface(113, 96, &[(TSRESOL, vec![9])])
            .interface(
                101,
                0,
                &[(TSRESOL, vec![0x94]), (TSOFFSET, order.i64(-5).to_vec())],
            )
            .enhanced(0, 1_500_000, b"microseconds")
            .enhanced(1, 1_500_000_999, b"nanoseconds")
            .enhanced(2, 7 << 19, b"2^20 a second, five seconds back");
        let gave = read_all(&file.bytes[..]).unwrap();
        assert_eq!(
            times(&gave),
            [1_500_000, 1_500_000, -1_500_000],
            "{order:?}"
        );
        let links: Vec<u32> = gave.frames.iter().map(|frame| frame.link).collect();
        assert_eq!(links, [1, 113, 101]);
        assert_eq!(gave.frames[0].data, b"microseconds");
        assert_eq!(gave.frames[2].data, b"2^20 a second, five seconds back");
        check_causes(&gave, 3, &[]);
    }
}

#[track_caller]
fn check_clock(resolution: u8, offset: i64, ticks: u64, micros: i64) {
    for order in Order::BOTH {
        let options = [
            (TSRESOL, vec![resolution]),
            (TSOFFSET, order.i64(offset).to_vec()),
        ];
        let file = PcapNgFile::new(order)
            .interface(1, 0, &options)
            .enhanced(0, ticks, b"x");
        let gave = read_all(&file.bytes[..]).unwrap();
        assert_eq!(times(&gave), [micros], "resolution {resolution:#x}");
    }
}

#[test]
fn every_resolution_is_exact() {
    check_clock(0, 0, 17, 17_000_000);
    check_clock(3, 0, 17_001, 17_001_000);
    check_clock(6, 0, 17, 17);
    check_clock(9, 1, 17_999, 1_000_017);
    check_clock(19, 0, u64::MAX, 1_844_674);
    check_clock(20, 0, u64::MAX, 184_467);
    check_clock(127, 0, u64::MAX, 0);
    check_clock(0x80, 0, 17, 17_000_000);
    check_clock(0x8a, 0, 1536, 1_500_000);
    check_clock(0xa0, 0, 3 << 31, 1_500_000);
    check_clock(0xbf, 0, 3 << 62, 1_500_000);
    check_clock(0xff, 0, u64::MAX, 0);
}

#[test]
fn impossible_times_do_not_overflow() {
    check_clock(0, 0, u64::MAX, i64::MAX);
    check_clock(6, i64::MAX, u64::MAX, i64::MAX);
    check_clock(6, i64::MIN, 5, i64::MIN + 5);
}

#[test]
fn options_about_time_are_only_read_before_the_end_of_options() {
    let order = Order::Little;
    let options = [
        (TSRESOL, vec![]),
        (TSOFFSET, vec![1, 2, 3]),
        (0, vec![]),
        (TSRESOL, vec![0]),
    ];
    let file = PcapNgFile::new(order)
        .interface(1, 0, &options)
        .enhanced(0, 5, b"x");
    assert_eq!(times(&read_all(&file.bytes[..]).unwrap()), [5]);
}

#[test]
fn simple_packets_are_those_of_the_first_interface_at_the_time_before() {
    for order in Order::BOTH {
        let file = PcapNgFile::new(order)
            .interface(101, 6, &[])
            .interface(1, 0, &[])
            .simple(4, b"four")
            .enhanced(1, 77, b"time")
            .simple(100, b"sixsix");
        let gave = read_all(&file.bytes[..]).unwrap();
        assert_eq!(times(&gave), [0, 77, 77]);
        let simple = [&gave.frames[0], &gave.frames[2]];
        assert_eq!(simple.map(|frame| frame.link), [101, 101]);
        assert_eq!(
            simple.map(|frame| frame.data.as_slice()),
            [&b"four"[..], b"sixsix"]
        );
        assert_eq!(simple.map(|frame| frame.frame_bytes), [4, 100]);
        assert_eq!(gave.cut_short, 1);
    }
}

#[test]
fn obsolete_packets_are_read() {
    for order in Order::BOTH {
        let file = PcapNgFile::new(order)
            .interface(1, 0, &[])
            .interface(108, 0, &[])
            .obsolete(1, 5 << 32, b"obsolete")
            .obsolete(7, 0, b"of no interface");
        let gave = read_all(&file.bytes[..]).unwrap();
        check_causes(&gave, 1, &[(Cause::UnknownInterface, 1)]);
        let frame = &gave.frames[0];
        assert_eq!((frame.time_micros, frame.link), (5 << 32, 108));
        assert_eq!(
            (frame.data.as_slice(), frame.frame_bytes),
            (&b"obsolete"[..], 18)
        );
    }
}

#[test]
fn sections_have_their_own_order_and_interfaces() {
    let file = PcapNgFile::new(Order::Little)
        .interface(1, 0, &[])
        .enhanced(0, 1, b"little")
        .section(Order::Big)
        .enhanced(0, 2, b"of no interface")
        .interface(101, 0, &[])
        .enhanced(0, 3, b"big")
        .section(Order::Little)
        .interface(113, 0, &[])
        .enhanced(0, 4, b"little again");
    let gave = read_all(&file.bytes[..]).unwrap();
    check_causes(&gave, 3, &[(Cause::UnknownInterface, 1)]);
    let links: Vec<u32> = gave.frames.iter().map(|frame| frame.link).collect();
    assert_eq!(links, [1, 101, 113]);
}

#[test]
fn unknown_blocks_are_skipped() {
    for order in Order::BOTH {
        let file = PcapNgFile::new(order)
            .interface(1, 0, &[])
            .block(4, b"names")
            .block(5, b"statistics")
            .block(10, b"secrets")
            .block(0x0bad, b"custom")
            .block(0x0200_0000, b"two, in the other order")
            .block(0x8000_0001, b"")
            .enhanced(0, 1, b"frame");
        check_causes(&read_all(&file.bytes[..]).unwrap(), 1, &[]);
    }
}

#[test]
fn a_packet_of_an_unknown_interface_is_counted() {
    let file = PcapNgFile::new(Order::Little)
        .simple(1, b"x")
        .enhanced(0, 1, b"too early")
        .interface(1, 0, &[])
        .enhanced(1, 1, b"one too far")
        .enhanced(u32::MAX, 1, b"far too far")
        .enhanced(0, 1, b"right");
    check_causes(
        &read_all(&file.bytes[..]).unwrap(),
        1,
        &[(Cause::UnknownInterface, 4)],
    );
}

#[test]
fn interfaces_are_limited() {
    let mut file = PcapNgFile::new(Order::Little);
    for _ in 0..4098 {
        file = file.interface(1, 0, &[]);
    }
    let file = file
        .enhanced(4095, 1, b"known")
        .enhanced(4096, 1, b"unknown");
    check_causes(
        &read_all(&file.bytes[..]).unwrap(),
        1,
        &[(Cause::UnknownInterface, 3)],
    );
}

#[test]
fn oversized_blocks_are_skipped() {
    for kind in [6, 0x99] {
        let file = PcapNgFile::new(Order::Little)
            .interface(1, 0, &[])
            .block(kind, &vec![0x11; 3 * MAX_RECORD_BYTES])
            .enhanced(0, 1, b"after it");
        let gave = read_all(&file.bytes[..]).unwrap();
        check_causes(&gave, 1, &[(Cause::OversizedBlock, 1)]);
        assert_eq!(gave.frames[0].data, b"after it");
    }
}

#[test]
fn an_announced_block_takes_no_memory() {
    let mut file = PcapNgFile::new(Order::Little);
    file.bytes
        .extend([6, 0, 0, 0, 0xfc, 0xff, 0xff, 0xff, 1, 2, 3]);
    let mut capture = super::CaptureReader::new(&file.bytes[..]).unwrap();
    assert!(capture.next_frame().unwrap().is_none());
    assert_eq!(capture.causes(), &causes(&[(Cause::CutOff, 1)]));
    assert!(capture.buffer.capacity() <= 512 << 10);
}

#[test]
fn a_block_that_contradicts_itself_is_skipped() {
    let good = PcapNgFile::new(Order::Little).interface(1, 0, &[]);
    let lying = |at_from_end: usize, value: u8| {
        let mut file = PcapNgFile::new(Order::Little)
            .interface(1, 0, &[])
            .enhanced(0, 1, b"frame");
        let at = file.bytes.len() - at_from_end;
        file.bytes[at] = value;
        file.enhanced(0, 2, b"next")
    };
    // The length behind, and the captured length.
    for file in [lying(4, 0x77), lying(4 + 8 + 8, 200)] {
        let gave = read_all(&file.bytes[..]).unwrap();
        check_causes(&gave, 1, &[(Cause::BadBlock, 1)]);
        assert_eq!(gave.frames[0].data, b"next");
    }
    // Too short for what it is.
    let file = good
        .block(6, &[0; 8])
        .block(2, &[0; 4])
        .block(2, &[0; 16])
        .block(3, &[])
        .block(1, &[0; 4])
        .enhanced(0, 2, b"next");
    check_causes(
        &read_all(&file.bytes[..]).unwrap(),
        1,
        &[(Cause::BadBlock, 5)],
    );
}

#[test]
fn a_length_that_cannot_be_true_ends_the_reading() {
    for length in [0_u32, 1, 11] {
        let mut file = PcapNgFile::new(Order::Little)
            .interface(1, 0, &[])
            .enhanced(0, 1, b"frame");
        file.bytes.extend([6, 0, 0, 0]);
        file.bytes.extend(length.to_le_bytes());
        let file = file.enhanced(0, 2, b"lost");
        check_causes(
            &read_all(&file.bytes[..]).unwrap(),
            1,
            &[(Cause::BadRecord, 1)],
        );
    }
}

#[test]
fn a_section_of_no_byte_order_ends_the_reading() {
    let mut file = PcapNgFile::new(Order::Little)
        .interface(1, 0, &[])
        .enhanced(0, 1, b"frame");
    let at = file.bytes.len() + 8;
    let mut file = {
        file = file.section(Order::Big);
        file
    };
    file.bytes[at] = 0;
    check_causes(
        &read_all(&file.bytes[..]).unwrap(),
        1,
        &[(Cause::BadRecord, 1)],
    );
}

#[test]
fn a_file_may_end_anywhere() {
    let file = PcapNgFile::new(Order::Little)
        .interface(1, 0, &[])
        .enhanced(0, 1, b"frame");
    let boundaries = [28, 28 + 20, file.bytes.len()];
    for length in 4..=file.bytes.len() {
        let gave = read_all(&file.bytes[..length]).unwrap();
        let frames = usize::from(length == file.bytes.len());
        if boundaries.contains(&length) {
            check_causes(&gave, frames, &[]);
        } else {
            check_causes(&gave, 0, &[(Cause::CutOff, 1)]);
        }
    }
}
