use super::FeatureKind::{Category, Count, Flag, Rate};
use super::LiveObservability::{Estimated, Unobservable};
use super::{FeatureDef, Unit};

/// Column names under which labels are published.
pub(super) const LABELS: &[&str] = &[
    "label",
    "labels",
    "class",
    "attack",
    "attack_type",
    "xattack",
    "outcome",
    "target",
];

/// The difficulty column counts how many learners got the record right: it knows the label.
pub(super) const IDENTITY: &[&str] = &["difficulty", "difficulty_level", "level", "id"];

const PROTOCOLS: &[&str] = &["icmp", "tcp", "udp"];

const FLAGS: &[&str] = &[
    "OTH", "REJ", "RSTO", "RSTOS0", "RSTR", "S0", "S1", "S2", "S3", "SF", "SH",
];

/// Byte order, upper case first: clients that label-encode columns number them this way.
const SERVICES: &[&str] = &[
    "IRC",
    "X11",
    "Z39_50",
    "aol",
    "auth",
    "bgp",
    "courier",
    "csnet_ns",
    "ctf",
    "daytime",
    "discard",
    "domain",
    "domain_u",
    "echo",
    "eco_i",
    "ecr_i",
    "efs",
    "exec",
    "finger",
    "ftp",
    "ftp_data",
    "gopher",
    "harvest",
    "hostnames",
    "http",
    "http_2784",
    "http_443",
    "http_8001",
    "imap4",
    "iso_tsap",
    "klogin",
    "kshell",
    "ldap",
    "link",
    "login",
    "mtp",
    "name",
    "netbios_dgm",
    "netbios_ns",
    "netbios_ssn",
    "netstat",
    "nnsp",
    "nntp",
    "ntp_u",
    "other",
    "pm_dump",
    "pop_2",
    "pop_3",
    "printer",
    "private",
    "red_i",
    "remote_job",
    "rje",
    "shell",
    "smtp",
    "sql_net",
    "ssh",
    "sunrpc",
    "supdup",
    "systat",
    "telnet",
    "tftp_u",
    "tim_i",
    "time",
    "urh_i",
    "urp_i",
    "uucp",
    "uucp_path",
    "vmnet",
    "whois",
];

/// Largest integer that a double holds exactly, far above any byte count.
const EXACT: f64 = 9_007_199_254_740_992.0;
const U32: f64 = u32::MAX as f64;

const fn content(name: &'static str, max: f64, description: &'static str) -> FeatureDef {
    FeatureDef::new(name, Count, Unit::Events, max, description)
        .live(Unobservable("needs the payload of the session"))
}

const fn content_flag(name: &'static str, description: &'static str) -> FeatureDef {
    FeatureDef::new(name, Flag, Unit::None, 1.0, description)
        .live(Unobservable("needs the payload of the session"))
}

const fn recent(name: &'static str, description: &'static str) -> FeatureDef {
    FeatureDef::new(name, Rate, Unit::Ratio, 1.0, description)
}

const fn host(name: &'static str, description: &'static str) -> FeatureDef {
    FeatureDef::new(name, Rate, Unit::Ratio, 1.0, description).live(HOST_WINDOW)
}

const HOST_WINDOW: super::LiveObservability = Estimated(
    "the published records were grouped by host before this window was applied, live traffic is not",
);

pub(super) const FEATURES: &[FeatureDef] = &[
    FeatureDef::new(
        "duration",
        Count,
        Unit::Seconds,
        U32,
        "Whole seconds that the connection lasted.",
    ),
    FeatureDef::new(
        "protocol_type",
        Category(PROTOCOLS),
        Unit::None,
        2.0,
        "Transport protocol.",
    )
    .aliases(&["protocol", "proto"]),
    FeatureDef::new(
        "service",
        Category(SERVICES),
        Unit::None,
        69.0,
        "Service of the responder, by port or ICMP type.",
    ),
    FeatureDef::new(
        "flag",
        Category(FLAGS),
        Unit::None,
        10.0,
        "How the connection was opened and closed.",
    ),
    FeatureDef::new(
        "src_bytes",
        Count,
        Unit::Bytes,
        EXACT,
        "Payload bytes from originator to responder.",
    ),
    FeatureDef::new(
        "dst_bytes",
        Count,
        Unit::Bytes,
        EXACT,
        "Payload bytes from responder to originator.",
    ),
    FeatureDef::new(
        "land",
        Flag,
        Unit::None,
        1.0,
        "Same address and port on both ends.",
    ),
    FeatureDef::new(
        "wrong_fragment",
        Count,
        Unit::Packets,
        U32,
        "Overlapping or otherwise bad IP fragments.",
    )
    .aliases(&["wrong_fragments"]),
    FeatureDef::new(
        "urgent",
        Count,
        Unit::Packets,
        U32,
        "Packets with the URG flag.",
    ),
    content(
        "hot",
        U32,
        "Sensitive actions, such as entering system directories or running programs.",
    ),
    content("num_failed_logins", U32, "Failed logins."),
    FeatureDef::new(
        "logged_in",
        Flag,
        Unit::None,
        1.0,
        "Whether a login succeeded.",
    )
    .live(Estimated(
        "exact without payload only for http, smtp and pop_3",
    )),
    content("num_compromised", U32, "Signs of compromise.").aliases(&["lnum_compromised"]),
    content_flag("root_shell", "Whether a root shell was obtained.").aliases(&["lroot_shell"]),
    content(
        "su_attempted",
        2.0,
        "Attempts to become root with su; 2 occurs beside 0 and 1.",
    )
    .aliases(&["lsu_attempted"]),
    content("num_root", U32, "Operations done as root.").aliases(&["lnum_root"]),
    content("num_file_creations", U32, "Files created.").aliases(&["lnum_file_creations"]),
    content("num_shells", U32, "Shell prompts.").aliases(&["lnum_shells"]),
    content(
        "num_access_files",
        U32,
        "Operations on access control files.",
    )
    .aliases(&["lnum_access_files"]),
    content(
        "num_outbound_cmds",
        U32,
        "Outbound commands in an ftp session; 0 in every published record.",
    )
    .aliases(&["lnum_outbound_cmds"]),
    content_flag(
        "is_host_login",
        "Whether the login is root or another administrator.",
    )
    .aliases(&["is_hot_login"]),
    content_flag(
        "is_guest_login",
        "Whether the login is a guest or anonymous.",
    ),
    FeatureDef::new(
        "count",
        Count,
        Unit::Connections,
        511.0,
        "Connections of the last two seconds to the same host, this one included.",
    ),
    FeatureDef::new(
        "srv_count",
        Count,
        Unit::Connections,
        511.0,
        "Connections of the last two seconds to the same service, this one included.",
    ),
    recent(
        "serror_rate",
        "Share of the connections to the same host that were never properly opened or closed (S0 to S3, SH).",
    ),
    recent(
        "srv_serror_rate",
        "Share of the connections to the same service that were never properly opened or closed.",
    ),
    recent(
        "rerror_rate",
        "Share of the connections to the same host that were refused or reset.",
    ),
    recent(
        "srv_rerror_rate",
        "Share of the connections to the same service that were refused or reset.",
    ),
    recent(
        "same_srv_rate",
        "Share of the connections to the same host that went to this service.",
    ),
    recent(
        "diff_srv_rate",
        "Distinct services per connection to the same host, 0 if there is one service.",
    ),
    recent(
        "srv_diff_host_rate",
        "Distinct hosts per connection to the same service, 0 if there is one host.",
    ),
    FeatureDef::new(
        "dst_host_count",
        Count,
        Unit::Connections,
        255.0,
        "Records to the same host among the last 255.",
    )
    .live(HOST_WINDOW),
    FeatureDef::new(
        "dst_host_srv_count",
        Count,
        Unit::Connections,
        255.0,
        "Records to the same service among the last 255.",
    )
    .live(HOST_WINDOW),
    host(
        "dst_host_same_srv_rate",
        "Share of the host's records among the last 255 that went to this service.",
    ),
    host(
        "dst_host_diff_srv_rate",
        "Distinct services per record of the host among the last 255, 0 if there is one.",
    ),
    host(
        "dst_host_same_src_port_rate",
        "Share of the host's records among the last 255 that came from this source port.",
    ),
    host(
        "dst_host_srv_diff_host_rate",
        "Distinct hosts per record of the service among the last 255, 0 if there is one.",
    ),
    host(
        "dst_host_serror_rate",
        "Share of the host's records among the last 255 that were never properly opened or closed.",
    ),
    host(
        "dst_host_srv_serror_rate",
        "Share of the service's records among the last 255 that were never properly opened or closed.",
    ),
    host(
        "dst_host_rerror_rate",
        "Share of the host's records among the last 255 that were refused or reset.",
    ),
    host(
        "dst_host_srv_rerror_rate",
        "Share of the service's records among the last 255 that were refused or reset.",
    ),
];
