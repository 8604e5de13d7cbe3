//! Labels of published files: repaired, compared and grouped.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::schema::FeatureSchema;

/// A label as the file means it: trimmed, without KDD's trailing dot, with a readable dash.
///
/// Cloning shares the text: a file has millions of rows and a few dozen labels.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LabelText(Arc<str>);

/// The five categories of the KDD labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NslCategory {
    /// No attack.
    Normal,
    /// Denial of service.
    Dos,
    /// Scans and other reconnaissance.
    Probe,
    /// Access from outside to an account.
    R2l,
    /// From an account to root.
    U2r,
}

/// The flow classes: ids 0 to 13 as existing clients know them, then Heartbleed.
pub const CICFLOW_CLASSES: [&str; 15] = [
    "BENIGN",
    "DoS Hulk",
    "DDoS",
    "PortScan",
    "FTP-Patator",
    "DoS slowloris",
    "DoS Slowhttptest",
    "SSH-Patator",
    "DoS GoldenEye",
    "Web Attack – Brute Force",
    "Bot",
    "Web Attack – XSS",
    "Web Attack – Sql Injection",
    "Infiltration",
    "Heartbleed",
];

/// Every attack name of NSL-KDD with its category.
///
/// Two names are disputed: `worm` is counted as denial of service and `httptunnel` as R2L.
pub const NSL_ATTACKS: [(&str, NslCategory); 39] = {
    use NslCategory::{Dos, Probe, R2l, U2r};
    [
        ("back", Dos),
        ("land", Dos),
        ("neptune", Dos),
        ("pod", Dos),
        ("smurf", Dos),
        ("teardrop", Dos),
        ("apache2", Dos),
        ("mailbomb", Dos),
        ("processtable", Dos),
        ("udpstorm", Dos),
        ("worm", Dos),
        ("ipsweep", Probe),
        ("nmap", Probe),
        ("portsweep", Probe),
        ("satan", Probe),
        ("mscan", Probe),
        ("saint", Probe),
        ("ftp_write", R2l),
        ("guess_passwd", R2l),
        ("imap", R2l),
        ("multihop", R2l),
        ("phf", R2l),
        ("spy", R2l),
        ("warezclient", R2l),
        ("warezmaster", R2l),
        ("httptunnel", R2l),
        ("named", R2l),
        ("sendmail", R2l),
        ("snmpgetattack", R2l),
        ("snmpguess", R2l),
        ("xlock", R2l),
        ("xsnoop", R2l),
        ("buffer_overflow", U2r),
        ("loadmodule", U2r),
        ("perl", U2r),
        ("rootkit", U2r),
        ("ps", U2r),
        ("sqlattack", U2r),
        ("xterm", U2r),
    ]
};

/// Spellings of the flow classes that differ by more than case, spaces and punctuation.
const CICFLOW_SPELLINGS: &[(&str, usize)] = &[
    ("botnet", 10),
    ("infiltrationportscan", 3),
    ("bruteforce", 9),
    ("webbruteforce", 9),
    ("bruteforceweb", 9),
    ("bruteforcexss", 11),
    ("webxss", 11),
    ("xss", 11),
    ("sqlinjection", 12),
    ("websqlinjection", 12),
    ("ftpbruteforce", 4),
    ("sshbruteforce", 7),
    ("infilteration", 13),
    ("dosattackshulk", 1),
    ("dosattacksgoldeneye", 8),
    ("dosattacksslowloris", 5),
    ("dosattacksslowhttptest", 6),
];

/// The category of a KDD label; `None` for names that are not in NSL-KDD.
pub fn category_of(nsl_label: &str) -> Option<NslCategory> {
    let label = nsl_label.trim().trim_end_matches('.');
    if label.eq_ignore_ascii_case("normal") {
        return Some(NslCategory::Normal);
    }
    NSL_ATTACKS
        .iter()
        .find(|(name, _)| label.eq_ignore_ascii_case(name))
        .map(|(_, category)| *category)
}

/// The category of KDD that a flow class of CICIDS2017 falls into: what floods or holds a service is
/// denial of service, what asks around is a probe, what tries to get in or is in is R2L.
pub fn category_of_flow_class(label: &str) -> Option<NslCategory> {
    let class = *CICFLOW_CLASSES.get(cicflow_class(label)?)?;
    Some(match class {
        "BENIGN" => NslCategory::Normal,
        "PortScan" => NslCategory::Probe,
        "DDoS" => NslCategory::Dos,
        name if name.starts_with("DoS") => NslCategory::Dos,
        _ => NslCategory::R2l,
    })
}

/// The canonical spelling of a KDD label.
pub fn nsl_name(label: &str) -> Option<&'static str> {
    let label = label.trim().trim_end_matches('.');
    if label.eq_ignore_ascii_case("normal") {
        return Some("normal");
    }
    NSL_ATTACKS
        .iter()
        .find(|(name, _)| label.eq_ignore_ascii_case(name))
        .map(|(name, _)| *name)
}

/// The index of a flow label in [`CICFLOW_CLASSES`].
///
/// `None` for labels outside the list and for "… - Attempted": such a flow belongs to an attack
/// whose payload never got through, so it counts neither as the attack nor as benign.
pub fn cicflow_class(label: &str) -> Option<usize> {
    let key = label_key(label);
    if key.ends_with("attempted") {
        return None;
    }
    CICFLOW_CLASSES
        .iter()
        .position(|class| label_key(class) == key)
        .or_else(|| {
            CICFLOW_SPELLINGS
                .iter()
                .find(|(spelling, _)| *spelling == key)
                .map(|(_, class)| *class)
        })
}

/// Whether a label says "no attack": `None` if it does not say.
///
/// Understands the labels of both schemas, the words of binary files (normal, benign, anomaly,
/// attack) and 0 or 1.
pub fn is_benign(label: &str) -> Option<bool> {
    let key = label_key(label);
    match key.as_str() {
        "normal" | "benign" | "background" | "legitimate" | "0" | "00" | "false" | "no" => {
            Some(true)
        }
        "anomaly" | "attack" | "malicious" | "abnormal" | "threat" | "intrusion" | "1" | "10"
        | "true" | "yes" | "dos" | "probe" | "r2l" | "u2r" => Some(false),
        _ if category_of(label).is_some() || cicflow_class(label).is_some() => Some(false),
        _ => None,
    }
}

impl NslCategory {
    /// Every category, normal first.
    pub const ALL: [Self; 5] = [Self::Normal, Self::Dos, Self::Probe, Self::R2l, Self::U2r];

    /// The usual spelling.
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Dos => "DoS",
            Self::Probe => "Probe",
            Self::R2l => "R2L",
            Self::U2r => "U2R",
        }
    }
}

impl fmt::Display for NslCategory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl LabelText {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads a label field; the flag tells whether a damaged dash was repaired.
    pub(crate) fn read(schema: &FeatureSchema, field: &[u8]) -> Option<(Self, bool)> {
        let (text, repaired) = repair_dash(field.trim_ascii());
        let mut text = text.trim();
        if schema.name() == "nsl-kdd" {
            text = text.trim_end_matches('.');
        }
        (!text.is_empty()).then(|| (Self(Arc::from(text)), repaired))
    }
}

impl From<&str> for LabelText {
    fn from(text: &str) -> Self {
        Self(Arc::from(text))
    }
}

impl AsRef<str> for LabelText {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LabelText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Serialize for LabelText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// The published web attack labels have a dash in code page 1252, which copies of the files
/// carry as a lone byte, as the replacement character or as a doubly encoded sequence.
fn repair_dash(field: &[u8]) -> (String, bool) {
    let text: String = field
        .utf8_chunks()
        .flat_map(|chunk| {
            let damaged = chunk.invalid().iter().map(|_| '\u{fffd}');
            chunk.valid().chars().chain(damaged).collect::<Vec<_>>()
        })
        .collect();
    let damaged = text.chars().any(|character| {
        matches!(
            character,
            '\u{fffd}' | '\u{96}' | '\u{97}' | 'Â' | 'â' | 'ï'
        )
    });
    if !damaged {
        return (text, false);
    }
    let mut repaired = text;
    for broken in ["ï¿½", "â€“", "Â–", "Â\u{96}", "\u{96}", "\u{97}"] {
        repaired = repaired.replace(broken, "–");
    }
    // A run of replacement characters is one dash that was decoded byte by byte.
    let mut collapsed = String::with_capacity(repaired.len());
    for character in repaired.chars() {
        let character = if character == '\u{fffd}' {
            '–'
        } else {
            character
        };
        if character != '–' || !collapsed.ends_with('–') {
            collapsed.push(character);
        }
    }
    (collapsed, true)
}

/// What tells labels apart: letters and digits, whatever the dash became.
fn label_key(label: &str) -> String {
    label
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|character| character.to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests;
