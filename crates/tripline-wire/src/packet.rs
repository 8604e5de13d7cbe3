use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// TCP flag bits, as in the header (RFC 9293, 3.1).
pub mod tcp_flags {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// Push.
    pub const PSH: u8 = 0x08;
    /// The acknowledgement number counts.
    pub const ACK: u8 = 0x10;
    /// The urgent pointer counts.
    pub const URG: u8 = 0x20;
    /// Congestion was seen (RFC 3168).
    pub const ECE: u8 = 0x40;
    /// The congestion window was reduced (RFC 3168).
    pub const CWR: u8 = 0x80;
}

/// IP protocol numbers that mean something here (IANA).
pub mod protocol {
    /// Internet Control Message Protocol.
    pub const ICMP: u8 = 1;
    /// Internet Group Management Protocol.
    pub const IGMP: u8 = 2;
    /// Transmission Control Protocol.
    pub const TCP: u8 = 6;
    /// User Datagram Protocol.
    pub const UDP: u8 = 17;
    /// ICMP for IPv6.
    pub const ICMPV6: u8 = 58;
    /// Stream Control Transmission Protocol.
    pub const SCTP: u8 = 132;
}

/// An IPv4 or IPv6 address in one size; IPv4 addresses are held mapped (RFC 4291, 2.5.5.2) and
/// told apart by [`Packet::version`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Address([u8; 16]);

impl Address {
    /// An IPv4 address.
    pub const fn v4(octets: [u8; 4]) -> Self {
        let [a, b, c, d] = octets;
        Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d])
    }

    /// An IPv6 address.
    pub const fn v6(octets: [u8; 16]) -> Self {
        Self(octets)
    }

    /// All 16 bytes.
    pub const fn octets(&self) -> &[u8; 16] {
        &self.0
    }

    /// The four bytes of an IPv4 address.
    pub const fn v4_octets(&self) -> Option<[u8; 4]> {
        match self.0 {
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d] => Some([a, b, c, d]),
            _ => None,
        }
    }
}

impl From<Address> for IpAddr {
    fn from(address: Address) -> Self {
        match address.v4_octets() {
            Some(octets) => Self::V4(Ipv4Addr::from(octets)),
            None => Self::V6(Ipv6Addr::from(address.0)),
        }
    }
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::v4(address.octets()),
            IpAddr::V6(address) => Self::v6(address.octets()),
        }
    }
}

/// What a frame carries, as far as flows need to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// Capture time in microseconds since 1970, UTC.
    pub time_micros: i64,
    /// Sender.
    pub source: Address,
    /// Receiver.
    pub destination: Address,
    /// Port of the sender; 0 where the protocol has none.
    pub source_port: u16,
    /// Port of the receiver; 0 where the protocol has none.
    pub destination_port: u16,
    /// IP protocol number of the transport.
    pub protocol: u8,
    /// 4 or 6.
    pub version: u8,
    /// Transport header bytes: 20 to 60 of TCP, 8 of UDP and ICMP, 12 of SCTP, 0 of others.
    pub header_bytes: u8,
    /// Transport payload bytes by the length fields of the headers.
    pub payload_bytes: u32,
    /// Bytes behind the transport header in the captured frame, padding of short frames included.
    pub captured_payload_bytes: u32,
    /// Bytes behind the IP header and its extensions by the length fields.
    pub ip_payload_bytes: u32,
    /// Length of the frame on the wire.
    pub frame_bytes: u32,
    /// Fields of the transport.
    pub transport: Transport,
    /// How the packet was fragmented.
    pub fragment: Fragment,
}

/// Fields that only one transport has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp(Tcp),
    /// UDP.
    Udp,
    /// ICMP of either version.
    Icmp {
        /// Message type.
        kind: u8,
        /// Code of that type.
        code: u8,
    },
    /// SCTP; its ports are in the packet.
    Sctp,
    /// Any other protocol, or a fragment whose first part was not seen.
    Other,
}

/// Fields of a TCP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tcp {
    /// Bits of [`tcp_flags`].
    pub flags: u8,
    /// Window, unscaled.
    pub window: u16,
    /// Sequence number.
    pub sequence: u32,
    /// Acknowledgement number.
    pub acknowledgement: u32,
}

/// How an IP packet was fragmented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fragment {
    /// It was not.
    #[default]
    Whole,
    /// The first fragment, with the transport header.
    First,
    /// A later fragment, without one; ports are those of the first fragment if that was seen.
    Later,
    /// A fragment that overlaps an earlier one or contradicts its length.
    Overlapping,
}

impl Packet {
    /// The TCP flags; 0 for other transports.
    pub fn tcp_flags(&self) -> u8 {
        match self.transport {
            Transport::Tcp(tcp) => tcp.flags,
            _ => 0,
        }
    }
}
