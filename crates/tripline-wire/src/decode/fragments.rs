//! A bounded memory of fragmented datagrams.

use std::collections::{BTreeMap, HashMap};

use super::ip::Envelope;
use crate::{Address, Fragment, Packet};

const TIMEOUT_MICROS: u64 = 30_000_000;

/// Pieces of one datagram that are compared with each other.
const MAX_PIECES: usize = 64;

/// The largest datagram that IP can carry.
const MAX_DATAGRAM_BYTES: u32 = 65_535;

/// What became of fragments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FragmentCounts {
    /// Fragments seen.
    pub fragments: u64,
    /// Later fragments whose first one was not known, so that they have no ports.
    pub orphans: u64,
    /// Fragments that overlap another, contradict the last one, or end beyond the largest
    /// datagram.
    pub overlapping: u64,
    /// Datagrams forgotten to make room.
    pub evicted: u64,
}

/// A datagram, as its fragments name it (RFC 791, 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Datagram {
    source: Address,
    destination: Address,
    identification: u32,
    protocol: u8,
    version: u8,
}

impl Datagram {
    pub(super) fn new(envelope: &Envelope, identification: u32) -> Self {
        Self {
            source: envelope.source,
            destination: envelope.destination,
            identification,
            // Fragments of IPv6 do not agree on the protocol: only the first has the extensions.
            protocol: if envelope.version == 4 {
                envelope.protocol
            } else {
                0
            },
            version: envelope.version,
        }
    }
}

/// Where a fragment lies in its datagram.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub(super) offset: u32,
    pub(super) bytes: u32,
    pub(super) is_last: bool,
}

/// What later fragments need from the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Of IPv6 a later fragment only knows the first of its extension headers.
    pub(super) protocol: u8,
    pub(super) source_port: u16,
    pub(super) destination_port: u16,
}

#[derive(Debug)]
struct Known {
    touched: u64,
    last_micros: i64,
    header: Option<Header>,
    /// Begin and end of pieces.
    pieces: Vec<(u32, u32)>,
    /// Where the datagram ends, by its last fragment.
    end: Option<u32>,
}

#[derive(Debug)]
pub(super) struct FragmentTable {
    /// Keyed by chance, so that nobody can choose colliding datagrams; nothing is ever read from
    /// it in its own order.
    known: HashMap<Datagram, Known>,
    /// By the time of the last touch, for eviction.
    order: BTreeMap<u64, Datagram>,
    touches: u64,
    limit: usize,
    counts: FragmentCounts,
}

impl FragmentTable {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            known: HashMap::new(),
            order: BTreeMap::new(),
            touches: 0,
            limit: limit.max(1),
            counts: FragmentCounts::default(),
        }
    }

    pub(super) fn counts(&self) -> FragmentCounts {
        self.counts
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.known.len(), self.order.len());
        self.known.len()
    }

    #[cfg(test)]
    pub(super) fn pieces(&self) -> usize {
        self.known.values().map(|known| known.pieces.len()).sum()
    }

    /// Notes a fragment and says what it is.
    pub(super) fn place(&mut self, datagram: &Datagram, piece: Piece, now: i64) -> Fragment {
        self.counts.fragments += 1;
        let known = self.touch(datagram, now);
        let (begin, end) = (piece.offset, piece.offset.saturating_add(piece.bytes));
        let overlaps = |other: &(u32, u32)| begin < other.1 && other.0 < end;
        let is_beyond = match known.end {
            Some(last) => end > last || (piece.is_last && end != last),
            None => piece.is_last && known.pieces.iter().any(|other| other.1 > end),
        };
        let is_bad = end > MAX_DATAGRAM_BYTES || is_beyond || known.pieces.iter().any(overlaps);
        if known.pieces.len() < MAX_PIECES {
            known.pieces.push((begin, end));
        }
        if piece.is_last && known.end.is_none() {
            known.end = Some(end);
        }
        if is_bad {
            self.counts.overlapping += 1;
            Fragment::Overlapping
        } else if begin == 0 {
            Fragment::First
        } else {
            Fragment::Later
        }
    }

    /// The header of the first fragment, if it was seen.
    pub(super) fn header_of(&mut self, datagram: &Datagram) -> Option<Header> {
        let header = self.known.get(datagram).and_then(|known| known.header);
        if header.is_none() {
            self.counts.orphans += 1;
        }
        header
    }

    /// Remembers the header of a first fragment.
    pub(super) fn remember(&mut self, datagram: &Datagram, packet: &Packet, now: i64) {
        let known = self.touch(datagram, now);
        // The first of two contradicting headers counts, as in most systems.
        known.header.get_or_insert(Header {
            protocol: packet.protocol,
            source_port: packet.source_port,
            destination_port: packet.destination_port,
        });
    }

    fn touch(&mut self, datagram: &Datagram, now: i64) -> &mut Known {
        self.touches += 1;
        let touches = self.touches;
        if !self.known.contains_key(datagram)
            && self.known.len() >= self.limit
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.known.remove(&oldest);
            self.counts.evicted += 1;
        }
        let known = self.known.entry(*datagram).or_insert_with(|| Known {
            touched: 0,
            last_micros: now,
            header: None,
            pieces: Vec::new(),
            end: None,
        });
        // An identification is used again after a while; a clock that jumps back tells as much.
        if now.abs_diff(known.last_micros) > TIMEOUT_MICROS {
            known.header = None;
            known.pieces.clear();
            known.end = None;
        }
        self.order.remove(&known.touched);
        self.order.insert(touches, *datagram);
        known.touched = touches;
        known.last_micros = now;
        known
    }
}
