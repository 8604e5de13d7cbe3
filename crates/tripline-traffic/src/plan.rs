use std::fmt;
use std::str::FromStr;

const MINUTE: i64 = 60_000_000;

/// An attack, by the name that CICIDS2017 gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AttackKind {
    /// Many short requests over many connections (the tool HULK).
    DosHulk,
    /// A flood from many hosts: of requests, SYNs, datagrams or pings.
    Ddos,
    /// A scan for open ports, in the ways of nmap.
    PortScan,
    /// Guessing passwords over FTP (the tool Patator).
    FtpPatator,
    /// Many connections kept open with pieces of headers.
    DosSlowloris,
    /// Many connections kept open with pieces of bodies.
    DosSlowhttptest,
    /// Guessing passwords over SSH (the tool Patator).
    SshPatator,
    /// Many kept-alive connections with random requests.
    DosGoldenEye,
    /// Guessing passwords in a web form.
    WebBruteForce,
    /// Beacons of an infected host.
    Bot,
    /// Requests that try to place scripts.
    WebXss,
    /// Requests that try to reach the database.
    WebSqlInjection,
    /// A taken host that looks around and copies what it finds.
    Infiltration,
    /// Reading the memory of a TLS server (CVE-2014-0160).
    Heartbleed,
}

impl AttackKind {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::DosHulk,
        Self::Ddos,
        Self::PortScan,
        Self::FtpPatator,
        Self::DosSlowloris,
        Self::DosSlowhttptest,
        Self::SshPatator,
        Self::DosGoldenEye,
        Self::WebBruteForce,
        Self::Bot,
        Self::WebXss,
        Self::WebSqlInjection,
        Self::Infiltration,
        Self::Heartbleed,
    ];

    /// The label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DosHulk => "DoS Hulk",
            Self::Ddos => "DDoS",
            Self::PortScan => "PortScan",
            Self::FtpPatator => "FTP-Patator",
            Self::DosSlowloris => "DoS slowloris",
            Self::DosSlowhttptest => "DoS Slowhttptest",
            Self::SshPatator => "SSH-Patator",
            Self::DosGoldenEye => "DoS GoldenEye",
            Self::WebBruteForce => "Web Attack – Brute Force",
            Self::Bot => "Bot",
            Self::WebXss => "Web Attack – XSS",
            Self::WebSqlInjection => "Web Attack – Sql Injection",
            Self::Infiltration => "Infiltration",
            Self::Heartbleed => "Heartbleed",
        }
    }

    /// The name as it is typed.
    pub const fn id(self) -> &'static str {
        match self {
            Self::DosHulk => "dos-hulk",
            Self::Ddos => "ddos",
            Self::PortScan => "portscan",
            Self::FtpPatator => "ftp-patator",
            Self::DosSlowloris => "slowloris",
            Self::DosSlowhttptest => "slowhttptest",
            Self::SshPatator => "ssh-patator",
            Self::DosGoldenEye => "goldeneye",
            Self::WebBruteForce => "web-brute-force",
            Self::Bot => "bot",
            Self::WebXss => "web-xss",
            Self::WebSqlInjection => "web-sqli",
            Self::Infiltration => "infiltration",
            Self::Heartbleed => "heartbleed",
        }
    }
}

impl FromStr for AttackKind {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, PlanError> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.id() == text)
            .ok_or_else(|| PlanError::UnknownAttack {
                found: text.to_owned(),
            })
    }
}

impl fmt::Display for AttackKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Why a plan cannot be carried out.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A number outside its range.
    #[error("{field} is {found}, expected {expected}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// Its value.
        found: String,
        /// Its range.
        expected: &'static str,
    },
    /// No such attack.
    #[error(
        "'{found}' is no attack, expected one of {}",
        AttackKind::ALL.map(AttackKind::id).join(", ")
    )]
    UnknownAttack {
        /// What was asked for.
        found: String,
    },
}

/// What is generated.
#[derive(Debug, Clone, PartialEq)]
pub struct TrafficPlan {
    /// The same seed gives the same bytes.
    pub seed: u64,
    /// Time of the beginning, in microseconds since 1970.
    pub start_micros: i64,
    /// Sessions begin during this time.
    pub duration_micros: i64,
    /// Ordinary sessions that begin in a second, on average.
    pub benign_sessions_per_second: f64,
    /// Attacks.
    pub attacks: Vec<AttackPlan>,
}

/// One attack of a plan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttackPlan {
    /// Which.
    pub kind: AttackKind,
    /// When it begins, after the beginning of the plan.
    pub start_micros: i64,
    /// How long it goes on.
    pub duration_micros: i64,
    /// How much faster than usual.
    pub intensity: f64,
}

impl TrafficPlan {
    /// 2026-01-05, 09:00 UTC.
    const START: i64 = 1_767_603_600_000_000;

    /// Ten minutes of an office network with a burst of every attack.
    pub fn demo(seed: u64) -> Self {
        let attacks = AttackKind::ALL
            .iter()
            .enumerate()
            .map(|(turn, kind)| AttackPlan {
                kind: *kind,
                start_micros: 20_000_000 + turn as i64 * 38_000_000,
                duration_micros: 30_000_000,
                intensity: 0.3,
            });
        Self {
            attacks: attacks.collect(),
            ..Self::benign(seed, 600, 6.0)
        }
    }

    /// Ordinary sessions only.
    pub fn benign(seed: u64, seconds: u32, sessions_per_second: f64) -> Self {
        Self {
            seed,
            start_micros: Self::START,
            duration_micros: i64::from(seconds) * 1_000_000,
            benign_sessions_per_second: sessions_per_second,
            attacks: Vec::new(),
        }
    }

    /// What speed is measured on: about 1.1 million packets and 240 MB, from 64 bytes to full
    /// frames.
    pub fn benchmark(seed: u64) -> Self {
        let attack = |kind, start_micros, intensity| AttackPlan {
            kind,
            start_micros,
            duration_micros: MINUTE,
            intensity,
        };
        Self {
            attacks: vec![
                attack(AttackKind::PortScan, 0, 2.4),
                attack(AttackKind::Ddos, MINUTE, 1.0),
                attack(AttackKind::DosHulk, 2 * MINUTE, 0.5),
            ],
            ..Self::benign(seed, 180, 14.0)
        }
    }

    pub(crate) fn check(&self) -> Result<(), PlanError> {
        const DAY: i64 = 86_400_000_000;
        let out = |field, found: String, expected| {
            Err(PlanError::OutOfRange {
                field,
                found,
                expected,
            })
        };
        if !(1..=366 * DAY).contains(&self.duration_micros) {
            let found = self.duration_micros.to_string();
            return out("duration_micros", found, "1 microsecond to 366 days");
        }
        if !(0..=1 << 52).contains(&self.start_micros) {
            let found = self.start_micros.to_string();
            return out("start_micros", found, "0 to 2^52");
        }
        if !(0.0..=1e6).contains(&self.benign_sessions_per_second) {
            let found = self.benign_sessions_per_second.to_string();
            return out("benign_sessions_per_second", found, "0 to 1000000");
        }
        for attack in &self.attacks {
            if !(0..=366 * DAY).contains(&attack.start_micros) {
                let found = attack.start_micros.to_string();
                return out("attack start_micros", found, "0 to 366 days");
            }
            if !(1..=366 * DAY).contains(&attack.duration_micros) {
                let found = attack.duration_micros.to_string();
                return out("attack duration_micros", found, "1 microsecond to 366 days");
            }
            if !(1e-3..=1e3).contains(&attack.intensity) {
                let found = attack.intensity.to_string();
                return out("attack intensity", found, "0.001 to 1000");
            }
        }
        Ok(())
    }
}
