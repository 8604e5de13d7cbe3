//! The information elements that are used, by the numbers that `NetFlow` v9 and IPFIX share.

/// RFC 5103: the same elements for the other direction.
const REVERSE: u32 = 29_305;

/// CERT's YAF, which writes the flags of the first packet and of the others apart.
const CERT: u32 = 6_871;

/// What a field of a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    /// Nothing that is used.
    Skip,
    Octets(Way),
    Packets(Way),
    FrameBytes(Way),
    PayloadBytes(Way),
    TcpFlags(Way),
    Protocol,
    SourcePort,
    DestinationPort,
    /// IPv4 or IPv6, by the length of the field.
    SourceAddress,
    DestinationAddress,
    /// Type and code in one number.
    IcmpTypeCode,
    IcmpType,
    IcmpCode,
    Sampling,
    SamplingPackets,
    SamplingSpace,
    EndReason,
    Start(Clock),
    End(Clock),
    Observed(Clock),
    DurationMillis,
    DurationMicros,
    BootMillis,
}

/// Whose side a number belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Forward,
    Backward,
}

/// How a time is written, from the one that is believed least to the one believed most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Clock {
    /// Milliseconds since the exporter's boot.
    Uptime,
    Seconds,
    Millis,
    /// Microseconds before the export.
    DeltaMicros,
    /// Seconds since 1900 and a binary fraction, for micro- and nanoseconds alike.
    Ntp,
}

impl Element {
    /// The element of a number; 0 is the enterprise of the standard.
    pub(super) fn find(enterprise: u32, number: u16) -> Self {
        match enterprise {
            0 => Self::standard(number),
            REVERSE => Self::standard(number).reversed(),
            CERT => match number {
                14 | 15 => Self::TcpFlags(Way::Forward),
                16_398 | 16_399 => Self::TcpFlags(Way::Backward),
                _ => Self::Skip,
            },
            _ => Self::Skip,
        }
    }

    fn standard(number: u16) -> Self {
        match number {
            1 | 85 => Self::Octets(Way::Forward),
            2 | 86 | 298 => Self::Packets(Way::Forward),
            4 => Self::Protocol,
            6 => Self::TcpFlags(Way::Forward),
            7 | 180 | 182 => Self::SourcePort,
            8 | 27 => Self::SourceAddress,
            11 | 181 | 183 => Self::DestinationPort,
            12 | 28 => Self::DestinationAddress,
            21 => Self::End(Clock::Uptime),
            22 => Self::Start(Clock::Uptime),
            32 | 139 => Self::IcmpTypeCode,
            // 50 is the interval of a sampler in v9.
            34 | 50 => Self::Sampling,
            136 => Self::EndReason,
            150 => Self::Start(Clock::Seconds),
            151 => Self::End(Clock::Seconds),
            152 => Self::Start(Clock::Millis),
            153 => Self::End(Clock::Millis),
            154 | 156 => Self::Start(Clock::Ntp),
            155 | 157 => Self::End(Clock::Ntp),
            158 => Self::Start(Clock::DeltaMicros),
            159 => Self::End(Clock::DeltaMicros),
            160 => Self::BootMillis,
            161 => Self::DurationMillis,
            162 => Self::DurationMicros,
            176 | 178 => Self::IcmpType,
            177 | 179 => Self::IcmpCode,
            231 => Self::PayloadBytes(Way::Forward),
            232 => Self::PayloadBytes(Way::Backward),
            299 => Self::Packets(Way::Backward),
            305 => Self::SamplingPackets,
            306 => Self::SamplingSpace,
            322 => Self::Observed(Clock::Seconds),
            323 => Self::Observed(Clock::Millis),
            324 | 325 => Self::Observed(Clock::Ntp),
            352 | 353 => Self::FrameBytes(Way::Forward),
            _ => Self::Skip,
        }
    }

    /// The element in the other direction. Times and addresses have none that is used: the flow
    /// begins with its first packet, whoever sent it.
    fn reversed(self) -> Self {
        match self {
            Self::Octets(Way::Forward) => Self::Octets(Way::Backward),
            Self::Packets(Way::Forward) => Self::Packets(Way::Backward),
            Self::FrameBytes(Way::Forward) => Self::FrameBytes(Way::Backward),
            Self::PayloadBytes(Way::Forward) => Self::PayloadBytes(Way::Backward),
            Self::TcpFlags(Way::Forward) => Self::TcpFlags(Way::Backward),
            _ => Self::Skip,
        }
    }
}
