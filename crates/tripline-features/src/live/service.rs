//! The name that NSL-KDD gives the service of a connection.

use tripline_flow::ConnectionProtocol;

/// Responder ports of TCP, by port. The list of AI-IDS/kdd99_feature_extractor, which follows
/// IANA, restricted to each service's own port.
const TCP: &[(u16, &str)] = &[
    (5, "rje"),
    (7, "echo"),
    (9, "discard"),
    (11, "systat"),
    (13, "daytime"),
    (15, "netstat"),
    (20, "ftp_data"),
    (21, "ftp"),
    (22, "ssh"),
    (23, "telnet"),
    (25, "smtp"),
    (37, "time"),
    (42, "name"),
    (43, "whois"),
    (53, "domain"),
    (57, "mtp"),
    (66, "sql_net"),
    (70, "gopher"),
    (71, "remote_job"),
    (72, "remote_job"),
    (73, "remote_job"),
    (74, "remote_job"),
    (77, "rje"),
    (79, "finger"),
    (80, "http"),
    (84, "ctf"),
    (87, "link"),
    (95, "supdup"),
    (101, "hostnames"),
    (102, "iso_tsap"),
    (105, "csnet_ns"),
    (109, "pop_2"),
    (110, "pop_3"),
    (111, "sunrpc"),
    (113, "auth"),
    (117, "uucp_path"),
    (119, "nntp"),
    (137, "netbios_ns"),
    (138, "netbios_dgm"),
    (139, "netbios_ssn"),
    (143, "imap4"),
    (150, "sql_net"),
    (165, "courier"),
    (175, "vmnet"),
    (179, "bgp"),
    (194, "IRC"),
    (210, "Z39_50"),
    (245, "link"),
    (389, "ldap"),
    (433, "nnsp"),
    (443, "http_443"),
    (512, "exec"),
    (513, "login"),
    (514, "shell"),
    (515, "printer"),
    (520, "efs"),
    (530, "courier"),
    (540, "uucp"),
    (543, "klogin"),
    (544, "kshell"),
    (1911, "mtp"),
    (2784, "http_2784"),
    (5190, "aol"),
    (6665, "IRC"),
    (6666, "IRC"),
    (6667, "IRC"),
    (6668, "IRC"),
    (6669, "IRC"),
    (8001, "http_8001"),
];

const FTP_DATA_PORT: u16 = 20;

/// X11 displays 0 to 63.
const X11_PORTS: std::ops::RangeInclusive<u16> = 6000..=6063;

/// Ports below this one need privileges to be opened; KDD calls the unknown ones among them
/// `private` and the others `other`.
const FIRST_FREE_PORT: u16 = 1024;

/// The service in NSL-KDD's spelling; `None` for ICMP messages that its records do not name.
pub fn service_of(
    protocol: ConnectionProtocol,
    originator_port: u16,
    responder_port: u16,
) -> Option<&'static str> {
    let by_privilege = if responder_port < FIRST_FREE_PORT {
        "private"
    } else {
        "other"
    };
    match protocol {
        ConnectionProtocol::Tcp => {
            // Active FTP: the server connects to the client.
            if originator_port == FTP_DATA_PORT {
                return Some("ftp_data");
            }
            if X11_PORTS.contains(&responder_port) {
                return Some("X11");
            }
            let known = TCP.binary_search_by_key(&responder_port, |(port, _)| *port);
            Some(known.map_or(by_privilege, |at| TCP[at].1))
        }
        ConnectionProtocol::Udp => Some(match responder_port {
            53 => "domain_u",
            69 => "tftp_u",
            123 => "ntp_u",
            _ => by_privilege,
        }),
        ConnectionProtocol::Icmp(kind, code) => Some(match (kind, code) {
            (8, _) => "eco_i",
            (0, _) => "ecr_i",
            (3, 1) => "urh_i",
            (3, _) => "urp_i",
            (5, _) => "red_i",
            (11, _) => "tim_i",
            _ => return None,
        }),
        // The messages of version 6 that mean the same.
        ConnectionProtocol::Icmpv6(kind, code) => Some(match (kind, code) {
            (128, _) => "eco_i",
            (129, _) => "ecr_i",
            (1, 3) => "urh_i",
            (1, _) => "urp_i",
            (137, _) => "red_i",
            (3, _) => "tim_i",
            _ => return None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::nsl_kdd;

    #[test]
    fn ports_are_in_order_and_services_in_the_vocabulary() {
        assert!(TCP.is_sorted_by_key(|(port, _)| *port));
        let vocabulary = nsl_kdd().category_index(2).unwrap();
        for (port, service) in TCP {
            assert!(
                vocabulary.find(service.as_bytes()).is_some(),
                "{port} {service}"
            );
        }
    }

    #[test]
    fn services_have_the_names_of_nsl_kdd() {
        use ConnectionProtocol::{Icmp, Icmpv6, Tcp, Udp};
        for (protocol, from, to, expected) in [
            (Tcp, 40_000, 80, Some("http")),
            (Tcp, 40_000, 8080, Some("other")),
            (Tcp, 40_000, 999, Some("private")),
            (Tcp, 20, 40_000, Some("ftp_data")),
            (Tcp, 40_000, 6005, Some("X11")),
            (Udp, 40_000, 53, Some("domain_u")),
            (Udp, 40_000, 161, Some("private")),
            (Udp, 161, 40_000, Some("other")),
            (Icmp(8, 0), 0, 0, Some("eco_i")),
            (Icmp(3, 3), 0, 0, Some("urp_i")),
            (Icmp(3, 1), 0, 0, Some("urh_i")),
            (Icmp(13, 0), 0, 0, None),
            (Icmpv6(128, 0), 0, 0, Some("eco_i")),
            (Icmpv6(135, 0), 0, 0, None),
        ] {
            assert_eq!(
                service_of(protocol, from, to),
                expected,
                "{protocol:?} {from} {to}"
            );
        }
    }
}
