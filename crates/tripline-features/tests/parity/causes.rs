//! Why the originals and we differ.

use tripline_flow::{Flow, Profile};

use crate::capture::Capture;

/// Why flows or cells differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cause {
    FirstByte,
    UnknownLayer,
    IcmpError,
    HighNumber,
    NoTransport,
    ShortIcmp,
    VersionIgnored,
    ForeignLink,
    NoTotalLength,
    Ipv6Inside,
    MixedTunnel,
    Snap,
    CutHeader,
    RawPadding,
    OddLength,
    ClippedPayload,
    Fuzzed,
}

impl Cause {
    pub(crate) const ALL: [Self; 17] = [
        Self::FirstByte,
        Self::UnknownLayer,
        Self::IcmpError,
        Self::HighNumber,
        Self::NoTransport,
        Self::ShortIcmp,
        Self::VersionIgnored,
        Self::ForeignLink,
        Self::NoTotalLength,
        Self::Ipv6Inside,
        Self::MixedTunnel,
        Self::Snap,
        Self::CutHeader,
        Self::RawPadding,
        Self::OddLength,
        Self::ClippedPayload,
        Self::Fuzzed,
    ];

    /// How it is recognised: by the frames themselves, or by the name of the capture.
    pub(crate) fn is_seen_in_frames(self) -> bool {
        self <= Self::NoTransport
    }

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::FirstByte => {
                "A frame in which their decoder finds no IPv4 packet (ARP, IPv6, PPPoE, loopback, …) is \
                 read as if its first byte began an IPv4 header: the \"addresses\" of the flow are \
                 bytes 12 to 19 of the frame. Such a flow is an artefact."
            }
            Self::UnknownLayer => {
                "The packets lie behind a link layer, tag or label that their decoder does not know: \
                 Linux cooked, loopback, PPP, C-HDLC, 802.11, NFLOG, MPLS, PPPoE, NSH, E-Tag. We \
                 read them."
            }
            Self::IcmpError => {
                "Upstream takes the header inside an ICMP error for that of the packet, so that the \
                 error counts as a TCP or UDP packet of the embedded ports. To us it is ICMP. (The \
                 corrected tool looks for ICMP first.)"
            }
            Self::HighNumber => {
                "The corrected tool loses packets with IP protocols or ICMP types from 64 on (PIM, \
                 103, is kept). We count them."
            }
            Self::NoTransport => {
                "Behind the IPv4 header no transport header fits: they count the packet as one of \
                 protocol 0, we count it as a frame that cannot be decoded."
            }
            Self::ShortIcmp => {
                "An ICMP message of fewer than 8 bytes: to them protocol 0, to us ICMP by its type \
                 and code."
            }
            Self::VersionIgnored => {
                "An IPv4 EtherType with a version field that is not 4: they do not look at it, we \
                 count a bad header."
            }
            Self::ForeignLink => "A SLIP capture, which they read as if it were Ethernet.",
            Self::NoTotalLength => {
                "A total length of 0 in the IPv4 header (BIG TCP, segmentation offload): to them a \
                 packet without transport; we take the length from the frame."
            }
            Self::Ipv6Inside => {
                "IPv6 in IPv4: to them the outer packet, of protocol 0; to us the inner one, and \
                 this comparison leaves IPv6 out."
            }
            Self::MixedTunnel => {
                "IPv4 in IPv4 behind two VLAN tags: they mix the outer addresses \
                 with the inner ports."
            }
            Self::Snap => {
                "802.3 with SNAP: they take the datagram for 14 bytes shorter than it is, so that \
                 short segments lose their TCP header."
            }
            Self::CutHeader => {
                "A TCP header with more options than the frame or the fragment holds: they count \
                 what is there or nothing; we count what the header says, and no packet whose \
                 length contradicts it."
            }
            Self::RawPadding => {
                "Trailing bytes behind the datagram on a raw IP link: they count them as payload."
            }
            Self::OddLength => {
                "A frame that claims gigabytes on the wire: they drop it, we read what was captured."
            }
            Self::ClippedPayload => {
                "Their decoder clips a payload: first fragments and cut frames with made-up lengths, \
                 and one NetBIOS datagram. What it takes for its end is not known."
            }
            Self::Fuzzed => {
                "Randomly changed bytes: several of the above in the same flow, not told apart."
            }
        }
    }
}

/// A difference that is declared for one capture.
#[derive(Debug)]
pub(crate) struct Declared {
    capture: &'static str,
    /// How the flow's id begins.
    flow: &'static str,
    cause: Cause,
}

const fn declared(capture: &'static str, flow: &'static str, cause: Cause) -> Declared {
    Declared {
        capture,
        flow,
        cause,
    }
}

pub(crate) const DECLARED: &[Declared] = &[
    declared("nDPI__4in4tunnel.pcap", "10.10.100.25-", Cause::MixedTunnel),
    declared("nDPI__4in4tunnel.pcap", "69.67.35.146-", Cause::MixedTunnel),
    declared("nDPI__fuzz-2006-06-26-2594.pcap", "", Cause::Fuzzed),
    declared("nDPI__fuzz-2006-09-29-28586.pcap", "", Cause::Fuzzed),
    declared(
        "nDPI__fuzz-2021-06-07-c6c72a0a56.pcap",
        "102.110.128.32-",
        Cause::OddLength,
    ),
    declared(
        "tcpdump__bgp-bgp_capabilities_print-oobr-1.pcap",
        "226.219.0.0-",
        Cause::ClippedPayload,
    ),
    declared(
        "tcpdump__bgp-bgp_capabilities_print-oobr-2.pcap",
        "226.219.0.0-",
        Cause::ClippedPayload,
    ),
    declared(
        "tcpdump__bgp_mp_reach_nlri-oobr.pcap",
        "241.0.128.39-",
        Cause::ClippedPayload,
    ),
    declared(
        "tcpdump__bigtcp-ipv4-geneve-ipv4.pcap",
        "10.25.132.11-",
        Cause::NoTotalLength,
    ),
    declared(
        "tcpdump__bigtcp-ipv4-geneve-ipv6.pcap",
        "10.25.132.11-",
        Cause::NoTotalLength,
    ),
    declared(
        "tcpdump__bigtcp-ipv4-vxlan-ipv4.pcap",
        "10.25.132.11-",
        Cause::NoTotalLength,
    ),
    declared(
        "tcpdump__bigtcp-ipv4.pcap",
        "10.25.132.13-",
        Cause::NoTotalLength,
    ),
    declared(
        "tcpdump__bootp_asan.pcap",
        "18.0.0.15-",
        Cause::ClippedPayload,
    ),
    declared(
        "tcpdump__extract_read2_asan.pcap",
        "240.25.0.0-",
        Cause::ShortIcmp,
    ),
    declared(
        "tcpdump__icmp-icmp_print-oobr-1.pcap",
        "22.3.2.0-",
        Cause::ShortIcmp,
    ),
    declared(
        "tcpdump__icmp6_nodeinfo_oobr.pcap",
        "127.0.0.1-",
        Cause::ForeignLink,
    ),
    declared(
        "tcpdump__kday1.pcap",
        "184.170.66.170-",
        Cause::VersionIgnored,
    ),
    declared(
        "tcpdump__kday3.pcap",
        "204.9.51.132-",
        Cause::VersionIgnored,
    ),
    declared(
        "tcpdump__ldp_tlv_print-oobr.pcap",
        "48.48.48.48-",
        Cause::ClippedPayload,
    ),
    declared(
        "tcpdump__lmp-lmp_print_data_link_subobjs-oobr.pcap",
        "17.8.8.255-",
        Cause::ClippedPayload,
    ),
    declared(
        "tcpdump__mptcp-dss-oobr.pcap",
        "127.0.0.1-",
        Cause::CutHeader,
    ),
    declared("tcpdump__scps_invalid.pcap", "182.181.", Cause::RawPadding),
    declared(
        "tcpdump__smb_print_trans-oobr2.pcap",
        "192.168.1.249-",
        Cause::ClippedPayload,
    ),
    declared("zeek__6in4.pcap", "1.2.3.4-", Cause::Ipv6Inside),
    declared(
        "zeek__fragmented-syn.pcap",
        "192.168.1.100-10.0.0.5-12345-80-6",
        Cause::CutHeader,
    ),
    declared("zeek__ping6-in-ipv4.pcap", "10.0.0.1-", Cause::Ipv6Inside),
    declared("zeek__snap-tcp.pcap", "192.168.1.1-", Cause::Snap),
    declared(
        "zeek__truncated-header.pcap",
        "201.186.157.67-",
        Cause::CutHeader,
    ),
];

/// What differs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Difference<'a> {
    /// A flow that only they have, by its id.
    Missing(&'a str),
    /// A flow that only we have.
    Extra(&'a Flow),
    /// Cells of a flow that both have.
    Cells(&'a Flow),
}

/// Finds the cause of a difference; the second is the place in [`DECLARED`].
pub(crate) fn explain(
    name: &str,
    capture: &Capture,
    profile: Profile,
    difference: Difference<'_>,
) -> Option<(Cause, Option<usize>)> {
    let id = match difference {
        Difference::Missing(id) => id.to_owned(),
        Difference::Extra(flow) | Difference::Cells(flow) => flow.key.to_string(),
    };
    let place = DECLARED
        .iter()
        .position(|known| known.capture == name && id.starts_with(known.flow));
    let seen = match difference {
        Difference::Missing(id) if capture.spells(id) => Some(Cause::FirstByte),
        Difference::Extra(flow) if capture.is_hidden(flow) => Some(Cause::UnknownLayer),
        _ if place.is_some() => None,
        _ if profile == Profile::V4 && capture.has_icmp_errors(&id) => Some(Cause::IcmpError),
        Difference::Extra(_) | Difference::Cells(_)
            if profile == Profile::Fixed && capture.has_high_numbers(&id) =>
        {
            Some(Cause::HighNumber)
        }
        _ if capture.lacks_transport(&id) => Some(Cause::NoTransport),
        _ => None,
    };
    match (seen, place) {
        (Some(cause), _) => Some((cause, None)),
        (None, Some(place)) => Some((DECLARED[place].cause, Some(place))),
        (None, None) => None,
    }
}
