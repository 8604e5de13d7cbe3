use proptest::prelude::*;

use super::*;
use crate::schema::{cicflow, nsl_kdd};

/// Reads one field and renders the outcome with the notes it left.
fn outcome(schema: &FeatureSchema, column: &str, text: &str) -> String {
    let index = schema.index_of(column).unwrap();
    let mut notes = RowNotes::new();
    let value = match read_text(schema, index, text.as_bytes(), &mut notes) {
        Ok(value) if value.is_nan() => "missing".to_owned(),
        Ok(value) => value.to_string(),
        Err(reason) => format!("rejected: {reason}"),
    };
    match notes.as_slice() {
        [] => value,
        notes => format!(
            "{value} {:?}",
            notes.iter().map(|note| note.1).collect::<Vec<_>>()
        ),
    }
}

fn check(schema: &FeatureSchema, column: &str, text: &str, expected: &str) {
    let found = outcome(schema, column, text);
    assert!(found.starts_with(expected), "{column} {text:?}: {found}");
}

/// The numbers are the rows of the policy's table.
#[test]
fn the_policy_holds_row_by_row() {
    let (nsl, flow) = (nsl_kdd(), cicflow());
    check(flow, "Flow Duration", "", "missing [Empty]"); // 2
    check(nsl, "src_bytes", " ", "rejected: the field is empty"); // 3
    check(flow, "Flow Bytes/s", "Infinity", "missing [Infinite]"); // 4
    check(flow, "Flow Bytes/s", "-inf", "missing [Infinite]");
    check(flow, "Flow IAT Mean", "NaN", "missing [NotANumber]");
    check(
        nsl,
        "src_bytes",
        "inf",
        "rejected: expected a finite number",
    ); // 5
    check(
        nsl,
        "serror_rate",
        "nan",
        "rejected: expected a finite number",
    );
    check(flow, "Flow Packets/s", "-1", "missing [Undefined]"); // 6
    check(flow, "Flow Packets/s", "-2000000", "missing [Undefined]");
    check(flow, "Fwd Header Length", "-30036", "missing [Overflow]"); // 7
    check(
        flow,
        "min_seg_size_forward",
        "-536870661",
        "missing [Overflow]",
    );
    check(flow, "Flow Duration", "-13", "missing [Misordered]"); // 8
    check(flow, "Init_Win_bytes_backward", "-1", "0 [Zero]"); // 9
    check(
        flow,
        "Init_Win_bytes_backward",
        "-2",
        "rejected: -2 is outside 0 to 65535",
    );
    check(flow, "ICMP Code", "-1", "missing"); // 10
    assert_eq!(outcome(flow, "ICMP Code", "-1"), "missing");
    check(flow, "Flow IAT Max", "1.23E7", "12300000"); // 11
    check(nsl, "count", "512", "rejected: 512 is outside 0 to 511"); // 12
    check(
        nsl,
        "serror_rate",
        "1.01",
        "rejected: 1.01 is outside 0 to 1",
    );
    check(nsl, "src_bytes", "-1", "rejected: -1 is outside 0 to");
    check(nsl, "su_attempted", "2", "2");
    check(nsl, "su_attempted", "3", "rejected: 3 is outside 0 to 2");
    check(
        flow,
        "Dst Port",
        "65536",
        "rejected: 65536 is outside 0 to 65535",
    );
    check(flow, "Flow Duration", "1e999", "rejected: 1797");
    check(
        nsl,
        "count",
        "2.5",
        "rejected: expected a whole number, found 2.5",
    ); // 13
    check(nsl, "count", "3.0", "3");
    check(nsl, "land", "0.5", "rejected: expected a whole number");
    check(
        nsl,
        "count",
        "12a",
        "rejected: expected a number, found \"12a\"",
    ); // 14
    check(flow, "Flow Duration", "1,5", "rejected: expected a number");
    check(nsl, "service", "IRC", "0"); // 15
    check(nsl, "service", "irc", "0");
    check(nsl, "flag", " sf ", "9");
    check(nsl, "protocol_type", "UDP", "2");
    check(nsl, "service", "69", "69"); // 16
    check(nsl, "flag", "2.0", "2");
    check(nsl, "flag", "2.5", "rejected: expected a whole number");
    check(
        nsl,
        "service",
        "70",
        "rejected: index 70 is outside the vocabulary of 70 names (0 to 69)",
    ); // 17
    check(nsl, "service", "oth_i", "missing [ForeignName]"); // 18
    check(nsl, "flag", "RSTRH", "0 [RareState]"); // 19
    check(
        nsl,
        "flag",
        "XX",
        "rejected: unknown name \"XX\", expected one of OTH, REJ",
    ); // 20
    check(nsl, "flag", "nan", "rejected: unknown name");
    check(nsl, "service", "-1", "rejected: unknown name");
}

#[test]
fn negative_zero_becomes_zero() {
    let mut notes = RowNotes::new();
    let value = read_text(nsl_kdd(), 4, b"-0", &mut notes).unwrap();
    assert_eq!(value.to_bits(), 0);
}

proptest! {
    #[test]
    fn numbers_are_read_like_the_standard_library_does(value: f64, decimals in 0_usize..8, large in 0_u64..=u64::MAX) {
        for text in [value.to_string(), format!("{value:e}"), format!("{:.decimals$}", value % 1e9), large.to_string()] {
            let expected: f64 = text.parse().unwrap();
            let found = parse_number(text.as_bytes()).unwrap();
            prop_assert!(found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan(), "{}", text);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(text in prop::collection::vec(any::<u8>(), 0..60), index in 0_usize..41) {
        let mut notes = RowNotes::new();
        for schema in [nsl_kdd(), cicflow()] {
            if let Ok(value) = read_text(schema, index, &text, &mut notes) {
                prop_assert!(value.is_nan() || schema.features()[index].bounds.contains(value));
            }
        }
    }
}
