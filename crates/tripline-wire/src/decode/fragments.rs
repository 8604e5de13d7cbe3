//! A bounded memory of fragmented datagrams.

use std::collections::{BTreeMap, HashMap};

use super::ip::Envelope;
use crate::{Address, Fragment, Packet};

const TIMEOUT_MICROS: i64 = 30_000_000;

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
    /// Fragments that overlap another or end beyond the largest datagram.
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
}

#[derive(Debug)]
struct Known {
    touched: u64,
    last_micros: i64,
    ports: Option<(u16, u16)>,
    /// Begin and end of pieces.
    pieces: Vec<(u32, u32)>,
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

    /// Notes a fragment and says what it is.
    pub(super) fn place(&mut self, datagram: &Datagram, piece: Piece, now: i64) -> Fragment {
        self.counts.fragments += 1;
        let known = self.touch(datagram, now);
        let (begin, end) = (piece.offset, piece.offset.saturating_add(piece.bytes));
        let overlaps = |other: &(u32, u32)| begin < other.1 && other.0 < end;
        let is_bad = end > MAX_DATAGRAM_BYTES || known.pieces.iter().any(overlaps);
        if known.pieces.len() < MAX_PIECES {
            known.pieces.push((begin, end));
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

    /// The ports of the first fragment, if it was seen.
    pub(super) fn header_of(&mut self, datagram: &Datagram) -> Option<(u16, u16)> {
        let ports = self.known.get(datagram).and_then(|known| known.ports);
        if ports.is_none() {
            self.counts.orphans += 1;
        }
        ports
    }

    /// Remembers the ports of a first fragment.
    pub(super) fn remember(&mut self, datagram: &Datagram, packet: &Packet, now: i64) {
        let known = self.touch(datagram, now);
        // The first of two contradicting headers counts, as in most systems.
        known
            .ports
            .get_or_insert((packet.source_port, packet.destination_port));
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
            ports: None,
            pieces: Vec::new(),
        });
        // An identification is used again after a while.
        if now.saturating_sub(known.last_micros) > TIMEOUT_MICROS {
            known.ports = None;
            known.pieces.clear();
        }
        self.order.remove(&known.touched);
        self.order.insert(touches, *datagram);
        known.touched = touches;
        known.last_micros = now;
        known
    }
}
