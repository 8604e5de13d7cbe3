//! A place for every row, made of where the row stands and of nothing else, so that a message that
//! comes again gives the same places and its verdicts are the same rows of the store.
//!
//! The store names a verdict by a stream (16 bytes) and a sequence number of 35 bits. The upper 23
//! of these are taken from the offset and the lower 12 are the row's position in its message:
//!
//! ```text
//! segment  = offset >> 23
//! sequence = (offset & (2^23 - 1)) << 12 | row
//! stream   = the first 16 bytes of SHA-256 over
//!            cluster, incarnation, topic, partition and segment
//! ```
//!
//! An offset has 63 bits, so one stream cannot hold a partition for ever: after 8,388,608 offsets
//! it rolls over to the next. At 50,000 messages a second in one partition that is 515 streams a
//! day, of the 268 million that a store can open. A message holds at most [`MAX_ROWS`] rows.
//!
//! A topic that is deleted and made again counts its offsets from zero once more. Kafka does not
//! tell its clients; without a new `incarnation` the rows would be taken for repeats. The name is
//! free, for instance the date on which the topic was made.

use sha2::{Digest, Sha256};

const ROW_BITS: u32 = 12;
const OFFSET_BITS: u32 = 23;

/// How many rows one message may hold.
pub const MAX_ROWS: usize = 1 << ROW_BITS;

/// The partition that a row comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The cluster's identifier, as [`Batch::cluster`](crate::Batch) has it.
    pub cluster: String,
    /// Tells a topic from an earlier one of the same name; empty unless that is needed.
    pub incarnation: String,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
}

/// A place in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// The stream's key: sixteen bytes of a UUID (version 8).
    pub stream: [u8; 16],
    /// Below 2^35.
    pub sequence: u64,
}

impl Place {
    /// Where its message stands in the stream; see [`offset_in_stream`].
    pub fn offset_in_stream(&self) -> u64 {
        self.sequence >> ROW_BITS
    }
}

/// Where the message of an offset stands in its stream.
pub fn offset_in_stream(offset: u64) -> u64 {
    offset & ((1 << OFFSET_BITS) - 1)
}

impl Origin {
    /// The place of a row: by the offset of its message and its position in it. `None` for an
    /// offset below zero and from the row [`MAX_ROWS`] on.
    pub fn place(&self, offset: i64, row: usize) -> Option<Place> {
        let offset = u64::try_from(offset).ok()?;
        if row >= MAX_ROWS {
            return None;
        }
        Some(Place {
            stream: self.stream(offset >> OFFSET_BITS),
            sequence: offset_in_stream(offset) << ROW_BITS | row as u64,
        })
    }

    fn stream(&self, segment: u64) -> [u8; 16] {
        let mut hash = Sha256::new();
        hash.update(b"tripline kafka stream 1");
        for part in [&self.cluster, &self.incarnation, &self.topic] {
            // Lengths keep ("a", "bc") and ("ab", "c") apart.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        hash.update(self.partition.to_be_bytes());
        hash.update(segment.to_be_bytes());
        let mut key = [0; 16];
        key.copy_from_slice(&hash.finalize()[..16]);
        key[6] = 0x80 | key[6] & 0x0f;
        key[8] = 0x80 | key[8] & 0x3f;
        key
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn origin() -> Origin {
        Origin {
            cluster: "c".to_owned(),
            incarnation: String::new(),
            topic: "network-traffic".to_owned(),
            partition: 3,
        }
    }

    #[test]
    fn places_are_for_ever() {
        // These bytes are in stores: a change would double every row that comes again.
        let place = origin().place(5, 7).unwrap();
        let key = u128::from_be_bytes(place.stream);
        assert_eq!(key, 0x2b67_649d_b594_80b7_ad77_d446_9e68_7087);
        assert_eq!(place.sequence, 5 << 12 | 7);
        assert_eq!(place.offset_in_stream(), offset_in_stream(5));
    }

    #[test]
    fn what_differs_gives_another_stream() {
        let first = origin().place(0, 0).unwrap().stream;
        let mut others = vec![
            Origin {
                cluster: "d".to_owned(),
                ..origin()
            },
            Origin {
                incarnation: "2".to_owned(),
                ..origin()
            },
            Origin {
                topic: "network-traffi".to_owned(),
                ..origin()
            },
            Origin {
                partition: 4,
                ..origin()
            },
            Origin {
                cluster: "cn".to_owned(),
                topic: "etwork-traffic".to_owned(),
                ..origin()
            },
        ];
        for other in others.drain(..) {
            assert_ne!(other.place(0, 0).unwrap().stream, first, "{other:?}");
        }
        assert_ne!(origin().place(1 << 23, 0).unwrap().stream, first);
        assert_eq!(origin().place((1 << 23) - 1, 0).unwrap().stream, first);
    }

    proptest! {
        #[test]
        fn no_two_rows_share_a_place(
            first in (0..i64::MAX, 0..MAX_ROWS),
            second in (0..i64::MAX, 0..MAX_ROWS),
        ) {
            let place = |(offset, row)| origin().place(offset, row).unwrap();
            prop_assert!(place(first).sequence < 1 << 35);
            prop_assert_eq!(place(first) == place(second), first == second);
        }
    }

    #[test]
    fn what_has_no_place_has_none() {
        assert_eq!(origin().place(-1, 0), None);
        assert_eq!(origin().place(0, MAX_ROWS), None);
        assert!(origin().place(i64::MAX, MAX_ROWS - 1).is_some());
    }
}
