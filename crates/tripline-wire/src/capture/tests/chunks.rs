use proptest::collection::vec;
use proptest::prelude::*;

use crate::testing::{
    MICROSECONDS, MODIFIED, NANOSECONDS, Order, PcapFile, PcapNgFile, Trickle, gzip, read_all, zstd,
};

/// Files that are right, to be broken.
fn file() -> impl Strategy<Value = Vec<u8>> {
    let frames = vec((any::<u32>(), vec(any::<u8>(), 0..80)), 0..8);
    let order = prop_oneof![Just(Order::Little), Just(Order::Big)];
    let magic = prop_oneof![Just(MICROSECONDS), Just(NANOSECONDS), Just(MODIFIED)];
    (frames, order, magic, any::<bool>()).prop_map(|(frames, order, magic, is_pcapng)| {
        if is_pcapng {
            let mut file = PcapNgFile::new(order)
                .interface(1, 64, &[(9, vec![9])])
                .interface(113, 0, &[(14, vec![1; 8])]);
            for (number, data) in frames {
                file = match number % 5 {
                    0 => file.simple(data.len() as u32, &data),
                    1 => file.obsolete(number as u16 & 1, u64::from(number), &data),
                    2 => file.block(number, &data),
                    3 => file.section(order).interface(101, 0, &[]),
                    _ => file.enhanced(number & 1, u64::from(number) << 20, &data),
                };
            }
            file.bytes
        } else {
            let mut file = PcapFile::new(order, magic, 1);
            for (number, data) in frames {
                file = file.record(number, number, &data);
            }
            file.bytes
        }
    })
}

fn broken() -> impl Strategy<Value = Vec<u8>> {
    let changes = vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    (file(), changes, any::<prop::sample::Index>(), any::<bool>()).prop_map(
        |(mut bytes, changes, end, is_cut)| {
            for (at, value) in changes {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            if is_cut {
                bytes.truncate(end.index(bytes.len()));
            }
            bytes
        },
    )
}

/// What files begin with.
const STARTS: &[&[u8]] = &[
    &[0xd4, 0xc3, 0xb2, 0xa1],
    &[0xa1, 0xb2, 0xcd, 0x34],
    &[0x0a, 0x0d, 0x0d, 0x0a],
    &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0],
    &[0x28, 0xb5, 0x2f, 0xfd],
    &[],
];

/// Every advance takes at least the header of a record or of a block.
fn check_progress(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(gave) = read_all(bytes) {
        let steps = gave.frames.len() as u64 + gave.causes.total();
        prop_assert!(steps <= bytes.len() as u64 / 12 + 1);
        prop_assert!(!gave.failed);
        prop_assert!(
            gave.frames
                .iter()
                .all(|frame| frame.data.len() <= bytes.len())
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn chunks_of_the_reader_change_nothing(bytes in broken(), sizes in vec(0_usize..40, 1..8)) {
        let whole = read_all(&bytes[..]);
        let pieces = read_all(Trickle::new(&bytes, &sizes));
        match (whole, pieces) {
            (Ok(whole), Ok(pieces)) => prop_assert_eq!(whole, pieces),
            (Err(whole), Err(pieces)) => prop_assert_eq!(whole.to_string(), pieces.to_string()),
            (whole, pieces) => prop_assert!(false, "{:?} {:?}", whole, pieces),
        }
    }

    #[test]
    fn compression_changes_nothing(bytes in broken(), sizes in vec(0_usize..40, 1..8)) {
        let Ok(plain) = read_all(&bytes[..]) else { return Ok(()) };
        for packed in [gzip(&bytes), zstd(&bytes)] {
            let gave = read_all(Trickle::new(&packed, &sizes));
            prop_assert_eq!(&gave.unwrap(), &plain);
        }
    }

    #[test]
    fn every_read_advances_or_ends(bytes in broken()) {
        check_progress(&bytes)?;
    }

    #[test]
    fn random_bytes_are_read_to_their_end(
        start in prop::sample::select(STARTS),
        random in vec(any::<u8>(), 0..600),
    ) {
        let bytes = [start, &random].concat();
        if start.len() == 4 && start[0] != 0x28 {
            check_progress(&bytes)?;
        } else {
            // What is compressed may be longer.
            _ = read_all(&bytes[..]);
        }
    }
}
