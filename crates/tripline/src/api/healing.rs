//! Which action answers which attack: the origin system's table, of which nothing is carried out.
//!
//! Every action has the status `logged`. Its targets are left out: the origin system wrote the
//! same service or address into every row (`apache2`, `192.168.1.1`), and a flow's features name
//! neither. The classes of NSL-KDD are families of attacks, too wide for an action without a
//! person, so they alert one.

use serde_json::{Value, json};
use tripline_features::label;

/// What to do about an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Action {
    /// Restart the service under attack.
    RestartService,
    /// Block the attacker's address.
    BlockIp,
    /// Tell a person.
    AlertAdmin,
    /// Nothing beyond this record.
    LogOnly,
}

impl Action {
    /// The action for a class of a classifier.
    pub(crate) fn for_class(class: &str) -> Self {
        let category = label::NslCategory::ALL
            .into_iter()
            .find(|category| category.name() == class);
        if let Some(category) = category {
            let is_normal = category == label::NslCategory::Normal;
            return if is_normal {
                Self::LogOnly
            } else {
                Self::AlertAdmin
            };
        }
        let known = label::cicflow_class(class).map(|index| label::CICFLOW_CLASSES[index]);
        match known {
            Some("DDoS" | "DoS GoldenEye" | "DoS slowloris" | "DoS Slowhttptest") => {
                Self::RestartService
            }
            Some("DoS Hulk" | "FTP-Patator" | "SSH-Patator") => Self::BlockIp,
            None | Some("BENIGN") => Self::LogOnly,
            Some(_) => Self::AlertAdmin,
        }
    }

    /// The name used by the API.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::RestartService => "restart_service",
            Self::BlockIp => "block_ip",
            Self::AlertAdmin => "alert_admin",
            Self::LogOnly => "log_only",
        }
    }

    /// One sentence for people.
    pub(crate) fn description(self, class: &str) -> String {
        match self {
            Self::RestartService => format!("Restart the service attacked by {class}"),
            Self::BlockIp => format!("Block the source of {class}"),
            Self::AlertAdmin => format!("Alert the administrator: {class} detected"),
            Self::LogOnly => format!("Log only: {class}"),
        }
    }

    /// The message of an alert; other actions have no parameter that is known.
    pub(crate) fn params(self, class: &str) -> Option<Value> {
        (self == Self::AlertAdmin).then(|| json!({ "message": format!("{class} detected") }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_origin_system_holds() {
        for (class, action) in [
            ("BENIGN", "log_only"),
            ("DoS Hulk", "block_ip"),
            ("DDoS", "restart_service"),
            ("PortScan", "alert_admin"),
            ("FTP-Patator", "block_ip"),
            ("DoS slowloris", "restart_service"),
            ("DoS Slowhttptest", "restart_service"),
            ("SSH-Patator", "block_ip"),
            ("DoS GoldenEye", "restart_service"),
            ("Web Attack – Brute Force", "alert_admin"),
            ("Bot", "alert_admin"),
            ("Web Attack – XSS", "alert_admin"),
            ("Web Attack – Sql Injection", "alert_admin"),
            ("Infiltration", "alert_admin"),
            ("Heartbleed", "alert_admin"),
            ("normal", "log_only"),
            ("DoS", "alert_admin"),
            ("Probe", "alert_admin"),
            ("R2L", "alert_admin"),
            ("U2R", "alert_admin"),
            ("something new", "log_only"),
        ] {
            assert_eq!(Action::for_class(class).name(), action, "{class}");
        }
    }
}
