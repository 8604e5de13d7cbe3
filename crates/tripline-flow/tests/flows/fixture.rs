//! Packets as lines of text.
//!
//! ```text
//! seconds source > destination what [name=value …]
//! 0.000 10.0.0.1:40000 > 10.0.0.2:443 S
//! 0.010 10.0.0.2:443 > 10.0.0.1:40000 SA win=8192
//! 0.020 10.0.0.1:40000 > 10.0.0.2:443 PA len=100
//! 1.000 10.0.0.1:5000 > 10.0.0.2:53 udp len=30
//! 2.000 10.0.0.1 > 10.0.0.2 icmp/8/0 len=56
//! ```
//!
//! TCP is told by its flags, `.` for none. Values: `len` payload bytes, `win` window, `hdr` header
//! bytes, `seq` sequence number (else what follows the last segment), `captured` payload bytes in
//! the frame, `frag` one of `first`, `later`, `wrong`.

use std::collections::HashMap;
use std::net::IpAddr;

use tripline_wire::{Address, Fragment, Packet, Tcp, Transport, protocol, tcp_flags};

pub(crate) fn packets(text: &str) -> Vec<Packet> {
    let mut sequences = HashMap::new();
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| packet(line, &mut sequences))
        .collect()
}

type Ends = (Address, u16, Address, u16);

fn packet(line: &str, sequences: &mut HashMap<Ends, u32>) -> Packet {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [time, source, ">", destination, what, options @ ..] = words.as_slice() else {
        panic!("{line}: not `time source > destination what …`");
    };
    let options: HashMap<&str, &str> = options
        .iter()
        .map(|option| option.split_once('=').expect(line))
        .collect();
    let option = |name: &str| {
        options
            .get(name)
            .map(|text| text.parse::<u32>().expect(line))
    };
    let (source, source_port) = end(source);
    let (destination, destination_port) = end(destination);
    let payload_bytes = option("len").unwrap_or(0);
    let (number, transport, header) = match *what {
        "udp" => (protocol::UDP, Transport::Udp, 8),
        "sctp" => (protocol::SCTP, Transport::Sctp, 12),
        other if other.starts_with("icmp") => {
            let numbers: Vec<u8> = other
                .split('/')
                .skip(1)
                .map(|number| number.parse().expect(line))
                .collect();
            let number = if other.starts_with("icmp6") {
                protocol::ICMPV6
            } else {
                protocol::ICMP
            };
            let (kind, code) = (numbers[0], numbers[1]);
            (number, Transport::Icmp { kind, code }, 8)
        }
        other if other.starts_with("ip/") => (other[3..].parse().expect(line), Transport::Other, 0),
        flags => {
            let flags = flags.bytes().fold(0, |flags, letter| flags | flag(letter));
            let ends = (source, source_port, destination, destination_port);
            let next = sequences.entry(ends).or_insert(1000);
            let sequence = option("seq").unwrap_or(*next);
            let phantom =
                u32::from(flags & tcp_flags::SYN != 0) + u32::from(flags & tcp_flags::FIN != 0);
            *next = sequence.wrapping_add(payload_bytes).wrapping_add(phantom);
            let tcp = Tcp {
                flags,
                window: option("win").unwrap_or(1024) as u16,
                sequence,
                acknowledgement: 0,
            };
            (protocol::TCP, Transport::Tcp(tcp), 20)
        }
    };
    let header = option("hdr").unwrap_or(header);
    Packet {
        time_micros: micros(time),
        source,
        destination,
        source_port,
        destination_port,
        protocol: number,
        version: if source.v4_octets().is_some() { 4 } else { 6 },
        header_bytes: header as u8,
        payload_bytes,
        captured_payload_bytes: option("captured").unwrap_or(payload_bytes),
        ip_payload_bytes: payload_bytes + header,
        frame_bytes: payload_bytes + header + 34,
        transport,
        fragment: match options.get("frag") {
            None => Fragment::Whole,
            Some(&"first") => Fragment::First,
            Some(&"later") => Fragment::Later,
            Some(&"wrong") => Fragment::Overlapping,
            Some(other) => panic!("{line}: no fragment is {other}"),
        },
    }
}

fn end(text: &str) -> (Address, u16) {
    let (address, port) = match text.rsplit_once(':') {
        Some((address, port)) if text.contains('.') || text.starts_with('[') => {
            (address, port.parse().expect(text))
        }
        _ => (text, 0),
    };
    let address: IpAddr = address.trim_matches(['[', ']']).parse().expect(text);
    (Address::from(address), port)
}

fn flag(letter: u8) -> u8 {
    match letter {
        b'.' => 0,
        b'F' => tcp_flags::FIN,
        b'S' => tcp_flags::SYN,
        b'R' => tcp_flags::RST,
        b'P' => tcp_flags::PSH,
        b'A' => tcp_flags::ACK,
        b'U' => tcp_flags::URG,
        b'E' => tcp_flags::ECE,
        b'C' => tcp_flags::CWR,
        other => panic!("no TCP flag is {}", other as char),
    }
}

/// Exactly, since a microsecond more or less decides about time-outs.
fn micros(text: &str) -> i64 {
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => (-1, text),
        None => (1, text),
    };
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let seconds: i64 = seconds.parse().unwrap();
    let fraction: i64 = format!("{fraction:0<6}").parse().unwrap();
    sign * (seconds * 1_000_000 + fraction)
}
