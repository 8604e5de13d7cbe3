use std::fmt;

/// Why a part of a datagram gave no record, or what its exporter lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Cause {
    /// The version is none of 5, 9 and 10.
    UnknownVersion,
    /// The datagram ends before a length or count field says.
    Truncated,
    /// The datagram goes on after the message.
    TrailingBytes,
    /// A set shorter than its own header; what follows cannot be found.
    BadSetLength,
    /// A set with a reserved number.
    ReservedSet,
    /// A data set whose template was not seen.
    NoTemplate,
    /// A template without fields, with no bytes in its records, or with a reserved number.
    BadTemplate,
    /// A template beyond the limits.
    TemplateTooLarge,
    /// A template withdrawn by its exporter.
    TemplateWithdrawn,
    /// A withdrawal that was ignored.
    WithdrawalIgnored,
    /// A template made room for another one.
    TemplateEvicted,
    /// An exporter made room for another one.
    ExporterEvicted,
    /// An observation domain made room for another one.
    DomainEvicted,
    /// An options record, which describes the exporter and no flow.
    OptionsRecord,
    /// A record with a value longer than its set.
    BadRecord,
    /// A record without a source or destination address.
    NoAddress,
    /// A record without a start.
    NoTime,
    /// Sequence numbers jump ahead; how far is in the two causes below.
    SequenceGap,
    /// Datagrams that the sequence numbers of v9 say are missing.
    LostDatagram,
    /// Records that the sequence numbers of v5 and IPFIX say are missing.
    LostRecord,
    /// A datagram that was overtaken or repeated.
    LateDatagram,
    /// Sequence numbers that begin anew.
    SequenceRestart,
}

impl Cause {
    /// Every cause, in the order of [`Causes::iter`].
    pub const ALL: [Self; 22] = [
        Self::UnknownVersion,
        Self::Truncated,
        Self::TrailingBytes,
        Self::BadSetLength,
        Self::ReservedSet,
        Self::NoTemplate,
        Self::BadTemplate,
        Self::TemplateTooLarge,
        Self::TemplateWithdrawn,
        Self::WithdrawalIgnored,
        Self::TemplateEvicted,
        Self::ExporterEvicted,
        Self::DomainEvicted,
        Self::OptionsRecord,
        Self::BadRecord,
        Self::NoAddress,
        Self::NoTime,
        Self::SequenceGap,
        Self::LostDatagram,
        Self::LostRecord,
        Self::LateDatagram,
        Self::SequenceRestart,
    ];

    /// The name of the counter.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnknownVersion => "unknown_version",
            Self::Truncated => "truncated",
            Self::TrailingBytes => "trailing_bytes",
            Self::BadSetLength => "bad_set_length",
            Self::ReservedSet => "reserved_set",
            Self::NoTemplate => "no_template",
            Self::BadTemplate => "bad_template",
            Self::TemplateTooLarge => "template_too_large",
            Self::TemplateWithdrawn => "template_withdrawn",
            Self::WithdrawalIgnored => "withdrawal_ignored",
            Self::TemplateEvicted => "template_evicted",
            Self::ExporterEvicted => "exporter_evicted",
            Self::DomainEvicted => "domain_evicted",
            Self::OptionsRecord => "options_record",
            Self::BadRecord => "bad_record",
            Self::NoAddress => "no_address",
            Self::NoTime => "no_time",
            Self::SequenceGap => "sequence_gap",
            Self::LostDatagram => "lost_datagram",
            Self::LostRecord => "lost_record",
            Self::LateDatagram => "late_datagram",
            Self::SequenceRestart => "sequence_restart",
        }
    }

    /// What it means, for people.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::UnknownVersion => "not NetFlow version 5, 9 or 10",
            Self::Truncated => "the datagram ends before its lengths say",
            Self::TrailingBytes => "the datagram goes on after its message",
            Self::BadSetLength => "a set shorter than its own header",
            Self::ReservedSet => "a set with a reserved number",
            Self::NoTemplate => "data whose template was not seen",
            Self::BadTemplate => "a template that describes nothing",
            Self::TemplateTooLarge => "a template beyond the limits",
            Self::TemplateWithdrawn => "a template withdrawn by its exporter",
            Self::WithdrawalIgnored => "a withdrawal of a template, ignored",
            Self::TemplateEvicted => "a template made room for another one",
            Self::ExporterEvicted => "an exporter made room for another one",
            Self::DomainEvicted => "an observation domain made room for another one",
            Self::OptionsRecord => "a record that describes the exporter",
            Self::BadRecord => "a record with a value longer than its set",
            Self::NoAddress => "a record without addresses",
            Self::NoTime => "a record without a start",
            Self::SequenceGap => "sequence numbers jump ahead",
            Self::LostDatagram => "datagrams missing by the sequence numbers",
            Self::LostRecord => "records missing by the sequence numbers",
            Self::LateDatagram => "a datagram that was overtaken or repeated",
            Self::SequenceRestart => "sequence numbers begin anew",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.meaning())
    }
}

/// How often each cause occurred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Causes {
    counts: [u64; Cause::ALL.len()],
}

impl Causes {
    /// Counts one.
    pub fn count(&mut self, cause: Cause) {
        self.add(cause, 1);
    }

    /// Adds what another collector counted.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count = count.saturating_add(more);
        }
    }

    /// How often this one occurred.
    pub fn of(&self, cause: Cause) -> u64 {
        self.counts.get(cause as usize).copied().unwrap_or_default()
    }

    /// Those that occurred.
    pub fn iter(&self) -> impl Iterator<Item = (Cause, u64)> {
        Cause::ALL
            .into_iter()
            .zip(self.counts)
            .filter(|(_, count)| *count > 0)
    }

    pub(super) fn add(&mut self, cause: Cause, more: u64) {
        if let Some(count) = self.counts.get_mut(cause as usize) {
            *count = count.saturating_add(more);
        }
    }
}
