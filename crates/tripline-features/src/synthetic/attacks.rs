use super::normal::SERVERS;
use super::traffic::{Connection, Content, Random};

/// A burst of one kind of attack on one victim or one network.
#[derive(Debug, Clone)]
pub(super) struct Campaign {
    kind: &'static Kind,
    victim: u32,
    sent: u32,
    left: u32,
}

#[derive(Debug)]
struct Kind {
    label: &'static str,
    weight: f64,
    /// Fewest and most records of a burst.
    records: (u32, u32),
    /// Mean seconds between records.
    gap: f64,
    /// Share of all records while the burst lasts.
    share: f64,
    draw: fn(&Campaign, &mut Random) -> Connection,
}

#[rustfmt::skip]
static KINDS: [Kind; 13] = [
    Kind { label: "neptune", weight: 0.22, records: (150, 500), gap: 0.008, share: 0.96, draw: neptune },
    Kind { label: "smurf", weight: 0.12, records: (150, 450), gap: 0.004, share: 0.97, draw: smurf },
    Kind { label: "portsweep", weight: 0.11, records: (30, 120), gap: 0.6, share: 0.6, draw: portsweep },
    Kind { label: "satan", weight: 0.11, records: (40, 200), gap: 0.02, share: 0.9, draw: satan },
    Kind { label: "ipsweep", weight: 0.10, records: (30, 150), gap: 0.1, share: 0.7, draw: ipsweep },
    Kind { label: "nmap", weight: 0.06, records: (20, 80), gap: 0.05, share: 0.8, draw: nmap },
    Kind { label: "guess_passwd", weight: 0.07, records: (10, 60), gap: 1.5, share: 0.4, draw: guess_passwd },
    Kind { label: "back", weight: 0.06, records: (30, 120), gap: 0.08, share: 0.7, draw: back },
    Kind { label: "teardrop", weight: 0.04, records: (20, 100), gap: 0.02, share: 0.9, draw: teardrop },
    Kind { label: "pod", weight: 0.03, records: (10, 40), gap: 0.05, share: 0.7, draw: pod },
    Kind { label: "warezclient", weight: 0.04, records: (10, 50), gap: 3.0, share: 0.3, draw: warezclient },
    Kind { label: "buffer_overflow", weight: 0.02, records: (1, 3), gap: 20.0, share: 0.2, draw: buffer_overflow },
    Kind { label: "land", weight: 0.02, records: (1, 4), gap: 0.5, share: 0.3, draw: land },
];

/// Services that a scanner or a flood knocks at.
const TARGETS: [&str; 16] = [
    "ftp", "ssh", "telnet", "smtp", "domain", "finger", "http", "pop_3", "sunrpc", "auth", "imap4",
    "ldap", "exec", "login", "uucp", "whois",
];

impl Campaign {
    pub(super) fn start(random: &mut Random) -> Self {
        let choices: Vec<(f64, &'static Kind)> =
            KINDS.iter().map(|kind| (kind.weight, kind)).collect();
        let kind = random.pick(&choices, &KINDS[0]);
        Self {
            kind,
            victim: SERVERS[random.small(0, 5) as usize],
            sent: 0,
            left: random.small(kind.records.0, kind.records.1),
        }
    }

    pub(super) fn share(&self) -> f64 {
        self.kind.share
    }

    pub(super) fn gap(&self) -> f64 {
        self.kind.gap
    }

    pub(super) fn is_over(&self) -> bool {
        self.left == 0
    }

    pub(super) fn attack(&mut self, random: &mut Random) -> Connection {
        let connection = (self.kind.draw)(self, random);
        self.sent += 1;
        self.left -= 1;
        connection
    }

    fn tcp(&self, random: &mut Random, service: &'static str, flag: &'static str) -> Connection {
        Connection {
            source_port: random.ephemeral_port(),
            destination: self.victim,
            protocol: "tcp",
            service,
            flag,
            label: self.kind.label,
            ..Connection::default()
        }
    }

    fn icmp(&self, destination: u32, service: &'static str, bytes: u64) -> Connection {
        Connection {
            destination,
            protocol: "icmp",
            service,
            flag: "SF",
            src_bytes: bytes,
            label: self.kind.label,
            ..Connection::default()
        }
    }
}

fn target(random: &mut Random) -> &'static str {
    TARGETS[random.small(0, TARGETS.len() as u32 - 1) as usize]
}

fn neptune(campaign: &Campaign, random: &mut Random) -> Connection {
    let service = if random.chance(0.6) {
        "private"
    } else {
        target(random)
    };
    let flag = random.pick(&[(0.85, "S0")], "REJ");
    campaign.tcp(random, service, flag)
}

fn smurf(campaign: &Campaign, random: &mut Random) -> Connection {
    let bytes = random.pick(&[(0.8, 1032)], 520);
    campaign.icmp(campaign.victim, "ecr_i", bytes)
}

fn portsweep(campaign: &Campaign, random: &mut Random) -> Connection {
    let open = target(random);
    let service = random.pick(&[(0.7, "private"), (0.2, "other")], open);
    let flag = random.pick(&[(0.45, "RSTR"), (0.4, "REJ"), (0.1, "RSTOS0")], "S0");
    let mut connection = campaign.tcp(random, service, flag);
    if flag == "RSTR" {
        connection.duration = random.small(0, 5);
    }
    connection
}

fn satan(campaign: &Campaign, random: &mut Random) -> Connection {
    let open = target(random);
    let service = random.pick(&[(0.45, "private"), (0.25, "other")], open);
    let flag = random.pick(&[(0.6, "REJ"), (0.2, "S0"), (0.1, "RSTR")], "SF");
    let mut connection = campaign.tcp(random, service, flag);
    if flag == "SF" {
        connection.src_bytes = random.between(1, 30);
        connection.dst_bytes = random.between(0, 200);
    }
    connection
}

fn ipsweep(campaign: &Campaign, random: &mut Random) -> Connection {
    let bytes = random.pick(&[(0.7, 8)], 18);
    campaign.icmp(100 + campaign.sent % 250, "eco_i", bytes)
}

fn nmap(campaign: &Campaign, random: &mut Random) -> Connection {
    if campaign.sent < 10 {
        return campaign.icmp(100 + campaign.sent, "eco_i", 8);
    }
    if random.chance(0.2) {
        let mut probe = campaign.tcp(random, "private", "SF");
        probe.protocol = "udp";
        probe.src_bytes = random.between(200, 310);
        return probe;
    }
    let open = target(random);
    let service = random.pick(&[(0.7, "private")], open);
    campaign.tcp(random, service, "SH")
}

fn guess_passwd(campaign: &Campaign, random: &mut Random) -> Connection {
    let service = random.pick(&[(0.8, "telnet")], "ftp");
    let flag = random.pick(&[(0.6, "SF"), (0.2, "RSTO")], "S3");
    let mut connection = campaign.tcp(random, service, flag);
    connection.duration = random.small(1, 5);
    connection.src_bytes = random.between(100, 140);
    connection.dst_bytes = random.between(150, 260);
    let many = random.small(2, 5);
    connection.content.num_failed_logins = random.pick(&[(0.9, 1)], many);
    connection.content.hot = u32::from(random.chance(0.4));
    connection
}

fn back(campaign: &Campaign, random: &mut Random) -> Connection {
    let flag = random.pick(&[(0.85, "SF"), (0.1, "RSTR")], "S2");
    let mut connection = campaign.tcp(random, "http", flag);
    connection.src_bytes = random.between(50_000, 56_000);
    connection.dst_bytes = random.between(7500, 8500);
    connection.content = Content {
        logged_in: 1,
        hot: 2,
        num_compromised: 1,
        ..Content::default()
    };
    connection
}

fn teardrop(campaign: &Campaign, random: &mut Random) -> Connection {
    let mut connection = campaign.tcp(random, "private", "SF");
    connection.protocol = "udp";
    connection.src_bytes = 28;
    connection.content.wrong_fragment = random.pick(&[(0.97, 3)], 1);
    connection
}

fn pod(campaign: &Campaign, _random: &mut Random) -> Connection {
    let mut connection = campaign.icmp(campaign.victim, "ecr_i", 1480);
    connection.content.wrong_fragment = 1;
    connection
}

fn warezclient(campaign: &Campaign, random: &mut Random) -> Connection {
    let service = random.pick(&[(0.6, "ftp_data")], "ftp");
    let mut connection = campaign.tcp(random, service, "SF");
    connection.content.logged_in = 1;
    connection.content.is_guest_login = 1;
    if service == "ftp" {
        connection.duration = random.small(5, 1500);
        connection.src_bytes = random.between(200, 1500);
        connection.dst_bytes = random.between(500, 4000);
        connection.content.hot = random.small(10, 30);
    } else {
        connection.source_port = 20;
        connection.src_bytes = random.size(200_000.0, 1.5);
    }
    connection
}

fn buffer_overflow(campaign: &Campaign, random: &mut Random) -> Connection {
    let mut connection = campaign.tcp(random, "telnet", "SF");
    connection.duration = random.small(60, 320);
    connection.src_bytes = random.between(1200, 6500);
    connection.dst_bytes = random.between(2000, 9000);
    connection.content = Content {
        logged_in: 1,
        root_shell: 1,
        hot: random.small(1, 4),
        num_compromised: random.small(1, 3),
        num_file_creations: random.small(1, 4),
        num_shells: random.small(0, 2),
        num_root: random.small(0, 3),
        ..Content::default()
    };
    connection
}

fn land(campaign: &Campaign, random: &mut Random) -> Connection {
    let service = random.pick(&[(0.5, "finger")], "telnet");
    let mut connection = campaign.tcp(random, service, "S0");
    connection.source_port = if service == "finger" { 79 } else { 23 };
    connection.content.land = 1;
    connection
}
