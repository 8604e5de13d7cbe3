use std::fmt;

/// Why a frame gave no packet, or a part of a capture no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Cause {
    /// The frame holds no IP packet: ARP, LLDP, spanning tree and the like.
    NotIp,
    /// The capture holds less of the frame than its headers need.
    Truncated,
    /// A length field contradicts the frame.
    BadLength,
    /// A version or a header length that the protocol does not have.
    BadHeader,
    /// More nested headers than [`MAX_LAYERS`](crate::MAX_LAYERS).
    TooManyLayers,
    /// A link layer that is not decoded.
    UnknownLink,
    /// An encrypted or damaged 802.11 frame, or one without data.
    OpaqueWifi,
    /// A pcapng block that belongs to no known interface.
    UnknownInterface,
    /// A pcapng block longer than [`MAX_RECORD_BYTES`](crate::MAX_RECORD_BYTES); skipped.
    OversizedBlock,
    /// A pcapng block whose inside cannot be read; skipped.
    BadBlock,
    /// A record whose length cannot be true; what follows cannot be found.
    BadRecord,
    /// The capture ends inside a record.
    CutOff,
}

impl Cause {
    /// Every cause, in the order of [`Causes::iter`].
    pub const ALL: [Self; 12] = [
        Self::NotIp,
        Self::Truncated,
        Self::BadLength,
        Self::BadHeader,
        Self::TooManyLayers,
        Self::UnknownLink,
        Self::OpaqueWifi,
        Self::UnknownInterface,
        Self::OversizedBlock,
        Self::BadBlock,
        Self::BadRecord,
        Self::CutOff,
    ];

    /// The name of the counter.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotIp => "not_ip",
            Self::Truncated => "truncated",
            Self::BadLength => "bad_length",
            Self::BadHeader => "bad_header",
            Self::TooManyLayers => "too_many_layers",
            Self::UnknownLink => "unknown_link",
            Self::OpaqueWifi => "opaque_wifi",
            Self::UnknownInterface => "unknown_interface",
            Self::OversizedBlock => "oversized_block",
            Self::BadBlock => "bad_block",
            Self::BadRecord => "bad_record",
            Self::CutOff => "cut_off",
        }
    }

    /// What it means, for people.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::NotIp => "no IP packet inside",
            Self::Truncated => "captured less than the headers need",
            Self::BadLength => "a length field contradicts the frame",
            Self::BadHeader => "a header that its protocol does not have",
            Self::TooManyLayers => "too many nested headers",
            Self::UnknownLink => "a link layer that is not decoded",
            Self::OpaqueWifi => "an encrypted or empty 802.11 frame",
            Self::UnknownInterface => "a packet of an interface that the file does not describe",
            Self::OversizedBlock => "a block longer than the limit",
            Self::BadBlock => "a block that cannot be read",
            Self::BadRecord => "a record length that cannot be true: the rest is unreadable",
            Self::CutOff => "the capture ends inside a record",
        }
    }

    fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.meaning())
    }
}

/// How often each cause occurred.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Causes {
    counts: [u64; Cause::ALL.len()],
}

impl Causes {
    /// Counts one.
    pub fn count(&mut self, cause: Cause) {
        if let Some(count) = self.counts.get_mut(cause.index()) {
            *count = count.saturating_add(1);
        }
    }

    /// Adds what another reader counted.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count = count.saturating_add(more);
        }
    }

    /// How often this one occurred.
    pub fn of(&self, cause: Cause) -> u64 {
        self.counts.get(cause.index()).copied().unwrap_or_default()
    }

    /// How often any occurred.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Those that occurred.
    pub fn iter(&self) -> impl Iterator<Item = (Cause, u64)> {
        Cause::ALL
            .into_iter()
            .zip(self.counts)
            .filter(|(_, count)| *count > 0)
    }
}

impl fmt::Debug for Causes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let occurred = self.iter().map(|(cause, count)| (cause.name(), count));
        formatter.debug_map().entries(occurred).finish()
    }
}
