use super::*;
use crate::schema::{cicflow, nsl_kdd};

fn read(schema: &FeatureSchema, field: &[u8]) -> String {
    LabelText::read(schema, field).map_or_else(
        || "none".to_owned(),
        |(label, repaired)| format!("{label}{}", if repaired { " (repaired)" } else { "" }),
    )
}

#[test]
fn damaged_dashes_and_trailing_dots_are_repaired() {
    for (field, expected) in [
        (&b"Web Attack \x96 XSS"[..], "Web Attack – XSS (repaired)"),
        (
            b"Web Attack \xef\xbf\xbd XSS",
            "Web Attack – XSS (repaired)",
        ),
        (
            "Web Attack \u{fffd}\u{fffd} XSS".as_bytes(),
            "Web Attack – XSS (repaired)",
        ),
        (
            "Web Attack Â– XSS".as_bytes(),
            "Web Attack – XSS (repaired)",
        ),
        (
            "Web Attack ï¿½ XSS".as_bytes(),
            "Web Attack – XSS (repaired)",
        ),
        ("Web Attack – XSS".as_bytes(), "Web Attack – XSS"),
        (b" BENIGN ", "BENIGN"),
        (b"", "none"),
    ] {
        assert_eq!(read(cicflow(), field), expected);
    }
    assert_eq!(read(nsl_kdd(), b"normal."), "normal");
}

#[test]
fn every_attack_name_has_a_category() {
    let count = |wanted| {
        NSL_ATTACKS
            .iter()
            .filter(|(_, category)| *category == wanted)
            .count()
    };
    assert_eq!(NslCategory::ALL.map(count), [0, 11, 6, 15, 7]);
    for (name, category) in NSL_ATTACKS {
        assert_eq!(
            category_of(&format!(" {}. ", name.to_uppercase())),
            Some(category)
        );
        assert_eq!(nsl_name(&format!("{name}.")), Some(name));
        assert_eq!(is_benign(name), Some(false));
    }
    assert_eq!(category_of("Normal."), Some(NslCategory::Normal));
    assert_eq!(category_of("unheard_of"), None);
}

#[test]
fn flow_labels_of_every_edition_find_their_class() {
    for (index, class) in CICFLOW_CLASSES.iter().enumerate() {
        assert_eq!(cicflow_class(class), Some(index));
    }
    for (label, expected) in [
        ("Botnet", Some("Bot")),
        ("Portscan", Some("PortScan")),
        ("Infiltration - Portscan", Some("PortScan")),
        ("DoS Slowloris", Some("DoS slowloris")),
        (
            "Web Attack - SQL Injection",
            Some("Web Attack – Sql Injection"),
        ),
        (
            "Web Attack \u{fffd} Brute Force",
            Some("Web Attack – Brute Force"),
        ),
        ("Web Attack Â– XSS", Some("Web Attack – XSS")),
        ("DoS Hulk - Attempted", None),
        ("Mirai", None),
    ] {
        assert_eq!(
            cicflow_class(label).map(|class| CICFLOW_CLASSES[class]),
            expected,
            "{label}"
        );
    }
}

#[test]
fn benign_and_threat_words_are_understood() {
    for label in ["normal", "normal.", "BENIGN", "Benign", "0", "0.0"] {
        assert_eq!(is_benign(label), Some(true), "{label}");
    }
    for label in [
        "anomaly",
        "attack",
        "1",
        "1.0",
        "neptune",
        "DDoS",
        "Web Attack – XSS",
        "Probe",
    ] {
        assert_eq!(is_benign(label), Some(false), "{label}");
    }
    for label in ["", "whatever", "DoS Hulk - Attempted"] {
        assert_eq!(is_benign(label), None, "{label}");
    }
}
