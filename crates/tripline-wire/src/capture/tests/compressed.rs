use super::super::{CaptureError, Cause};
use crate::testing::{Order, PcapFile, PcapNgFile, Trickle, gzip, read_all, zstd};

/// Something that does not compress to nothing.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn files() -> [Vec<u8>; 2] {
    let mut pcap = PcapFile::ethernet();
    let mut pcapng = PcapNgFile::new(Order::Big).interface(1, 0, &[]);
    let data = noise(900);
    for second in 0..500 {
        pcap = pcap.record(second, 0, &data);
        pcapng = pcapng.enhanced(0, u64::from(second), &data);
    }
    [pcap.bytes, pcapng.bytes]
}

#[test]
fn compression_changes_nothing() {
    for plain in files() {
        let expected = read_all(&plain[..]).unwrap();
        assert_eq!(expected.frames.len(), 500);
        for packed in [gzip(&plain), zstd(&plain)] {
            assert_eq!(read_all(&packed[..]).unwrap(), expected);
            assert_eq!(read_all(Trickle::new(&packed, &[1])).unwrap(), expected);
        }
        // Compressed parts one after the other are one file.
        let (first, second) = plain.split_at(5000);
        let parts = [gzip(first), gzip(second)].concat();
        assert_eq!(read_all(&parts[..]).unwrap(), expected);
        let parts = [zstd(first), zstd(second)].concat();
        assert_eq!(read_all(&parts[..]).unwrap(), expected);
    }
}

#[test]
fn what_is_cut_off_is_told_and_the_rest_is_read() {
    for plain in files() {
        for packed in [gzip(&plain), zstd(&plain)] {
            let cut = &packed[..packed.len() * 2 / 3];
            let gave = read_all(cut).unwrap();
            assert!((1..500).contains(&gave.frames.len()));
            assert_eq!((gave.causes.total(), gave.causes.of(Cause::CutOff)), (1, 1));
        }
    }
}

#[test]
fn damage_never_fails_the_reading() {
    for plain in files() {
        for packed in [gzip(&plain), zstd(&plain)] {
            for at in (20..packed.len()).step_by(packed.len() / 40) {
                let mut damaged = packed.clone();
                damaged[at] ^= 0xff;
                damaged[at - 1] ^= 0x55;
                match read_all(&damaged[..]) {
                    Ok(gave) => assert!(!gave.failed && gave.frames.len() <= 500),
                    Err(
                        CaptureError::Read { frames: 0, .. } | CaptureError::NotACapture { .. },
                    ) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }
}

#[test]
fn a_checksum_that_is_wrong_is_damage() {
    for plain in files() {
        let mut packed = gzip(&plain);
        let checksum = packed.len() - 8;
        packed[checksum] ^= 1;
        let gave = read_all(&packed[..]).unwrap();
        assert_eq!(gave.causes.of(Cause::BadRecord), 1);
        assert!(!gave.failed);
    }
}

#[test]
fn compressed_things_that_are_no_capture_are_told_apart() {
    for packed in [gzip(b"a,b,c\n1,2,3\n"), zstd(b"a,b,c\n1,2,3\n")] {
        let error = read_all(&packed[..]).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("found the bytes 61 2c 62 2c 63 0a 31 2c"),
            "{error}"
        );
    }
    for packed in [gzip(b""), zstd(b"")] {
        assert!(matches!(read_all(&packed[..]), Err(CaptureError::Empty)));
    }
    // Nothing but the sign of a compression.
    for packed in [&[0x1f, 0x8b][..], &[0x28, 0xb5, 0x2f, 0xfd]] {
        assert!(matches!(
            read_all(packed),
            Err(CaptureError::Read { frames: 0, .. })
        ));
    }
}

#[test]
fn a_bomb_is_read_in_bounded_memory() {
    let mut plain = PcapNgFile::new(Order::Little).interface(1, 0, &[]).bytes;
    plain.extend(0x99_u32.to_le_bytes());
    plain.extend((64_u32 << 20).to_le_bytes());
    plain.extend(vec![0; (64 << 20) - 12]);
    plain.extend((64_u32 << 20).to_le_bytes());
    for packed in [gzip(&plain), zstd(&plain)] {
        let mut capture = super::CaptureReader::new(&packed[..]).unwrap();
        assert!(capture.next_frame().unwrap().is_none());
        assert_eq!(capture.causes().of(Cause::OversizedBlock), 1);
        assert!(capture.buffer.capacity() <= 512 << 10);
    }
}
