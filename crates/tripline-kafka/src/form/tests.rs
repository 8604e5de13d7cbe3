use proptest::prelude::*;
use serde_json::json;

use super::*;

fn rows(text: &str) -> Vec<Row> {
    read(Some(text.as_bytes()), &Limits::default())
        .unwrap_or_else(|poison| panic!("{text}: {poison}"))
        .rows
}

fn check_poison(payload: &[u8], cause: Cause, words: &str) {
    let poison = read(Some(payload), &Limits::default()).unwrap_err();
    assert_eq!(poison.cause, cause, "{poison}");
    assert!(poison.detail.contains(words), "{poison}");
}

#[test]
fn a_flat_object_is_a_row_in_its_order() {
    let rows = rows(r#"{"service":"http","flag":"SF","src_bytes":181,"logged_in":true,"x":null}"#);
    let names: Vec<&String> = rows[0].fields.keys().collect();
    assert_eq!(names, ["service", "flag", "src_bytes", "logged_in", "x"]);
    assert_eq!(rows[0].form, Form::Flat);
    assert_eq!(rows[0].fields["src_bytes"], json!(181));
}

#[test]
fn names_with_leading_spaces_stay_as_they_are() {
    let rows = rows(r#"{" Flow Duration": 3, "Flow Bytes/s": 1.5}"#);
    assert_eq!(rows[0].fields[" Flow Duration"], json!(3));
}

#[test]
fn an_external_message_has_its_values_inside_or_beside() {
    for text in [
        r#"{"sender_ip":"192.0.2.7","timestamp":"2025-12-01T10:00:00Z","features":{"count":1}}"#,
        r#"{"sender_ip":"192.0.2.7","timestamp":1764583200,"count":1}"#,
        "{\n  \"sender_ip\": \"192.0.2.7\",\n  \"timestamp\": \"2025-12-01T10:00:00\",\n  \"count\": 1\n}\n",
    ] {
        let reading = read(Some(text.as_bytes()), &Limits::default()).unwrap();
        assert_eq!(reading.sender.as_deref(), Some("192.0.2.7"));
        assert_eq!(reading.rows[0].form, Form::External);
        assert_eq!(reading.rows[0].event_time, Some(1_764_583_200_000_000));
        let fields = serde_json::to_string(&reading.rows[0].fields).unwrap();
        assert_eq!(fields, r#"{"count":1}"#);
    }
}

#[test]
fn an_envelope_has_one_row_or_many() {
    let many = rows(
        r#"{"schema":"nsl-kdd","schema_version":1,"id":"a","timestamp":"2025-12-01T10:00:00Z","source":"lab",
            "rows":[{"count":1},{"features":{"count":2},"id":"b","timestamp":1.5}]}"#,
    );
    assert_eq!(many.len(), 2);
    assert_eq!(many[0].schema.as_deref(), Some("nsl-kdd"));
    assert_eq!(many[0].schema_version, Some(1));
    assert_eq!(many[0].source.as_deref(), Some("lab"));
    assert_eq!(many[0].id.as_deref(), Some("a"));
    assert_eq!(many[1].id.as_deref(), Some("b"));
    assert_eq!(many[1].event_time, Some(1_500_000));
    assert_eq!(many[1].fields["count"], json!(2));
    let one = rows(r#"{"schema":"cicflow","features":{"Flow Duration":1}}"#);
    assert_eq!(one[0].form, Form::Envelope);
}

#[test]
fn arrays_and_lines_are_batches() {
    assert_eq!(rows(r#"[{"a":1},{"a":2}]"#).len(), 2);
    assert_eq!(rows("{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n").len(), 3);
    assert_eq!(rows("\u{feff}{\"a\":1}").len(), 1);
}

#[test]
fn numbers_that_python_writes_become_texts() {
    let rows = rows(r#"{"a": NaN, "b": -Infinity, "c": Infinity, "d": "NaN \" NaN", "e": 1}"#);
    assert_eq!(
        serde_json::to_string(&rows[0].fields).unwrap(),
        r#"{"a":"NaN","b":"-Infinity","c":"Infinity","d":"NaN \" NaN","e":1}"#
    );
}

#[test]
fn poison_says_what_is_wrong() {
    assert_eq!(
        read(None, &Limits::default()).unwrap_err().cause,
        Cause::Empty
    );
    check_poison(b" \n", Cause::Empty, "no payload");
    check_poison(b"{\"a\":", Cause::NotJson, "EOF");
    check_poison(b"\x00\x01\x02", Cause::NotJson, "expected value");
    check_poison(b"{\"a\":\"\xff\"}", Cause::NotJson, "");
    check_poison(b"{\"a\":1e999}", Cause::NotJson, "out of range");
    check_poison(b"[]", Cause::Shape, "no rows");
    check_poison(b"3", Cause::Shape, "the message is a number");
    check_poison(b"[1]", Cause::Shape, "an item of the array is a number");
    check_poison(b"{}", Cause::Shape, "row 1 has no values");
    check_poison(b"{\"a\":1,\"a\":2}", Cause::Shape, "the name 'a' twice");
    check_poison(b"{\"a\":{\"b\":1}}", Cause::Shape, "'a' is an object");
    check_poison(
        b"{\"features\":3}",
        Cause::Shape,
        "'features' is 3, expected an object",
    );
    check_poison(
        b"{\"schema\":\"x\",\"rows\":[],\"row\":1}",
        Cause::Shape,
        "unknown key 'row'",
    );
    check_poison(
        b"{\"schema\":\"x\",\"rows\":[{\"a\":1}],\"timestamp\":\"noon\"}",
        Cause::Shape,
        "'timestamp' is 'noon'",
    );
    check_poison(
        b"{\"schema\":\"x\",\"schema_version\":-1,\"features\":{}}",
        Cause::Shape,
        "'schema_version' is -1",
    );
    check_poison(
        b"[{\"sender_ip\":\"1.1.1.1\",\"a\":1},{\"sender_ip\":\"2.2.2.2\",\"a\":1}]",
        Cause::Sender,
        "two senders",
    );
}

#[test]
fn headers_that_cannot_be_read_are_poison() {
    let mut message = Message {
        payload: Some(b"{\"a\":1}".to_vec()),
        ..Message::default()
    };
    assert!(read_message(&message, &Limits::default()).is_ok());
    message.has_unreadable_headers = true;
    let poison = read_message(&message, &Limits::default()).unwrap_err();
    assert_eq!(poison.cause, Cause::Headers);
}

#[test]
fn limits_hold() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    check_poison(deep.as_bytes(), Cause::TooLarge, "more than 4 deep");
    let many = format!("[{}]", vec!["{\"a\":1}"; 5000].join(","));
    check_poison(many.as_bytes(), Cause::TooLarge, "more than 4096 items");
    let lines = "{\"a\":1}\n".repeat(5000);
    check_poison(lines.as_bytes(), Cause::TooLarge, "more than 4096");
    let wide: Vec<String> = (0..600).map(|index| format!("\"{index}\":1")).collect();
    let wide = format!("{{{}}}", wide.join(","));
    check_poison(wide.as_bytes(), Cause::TooLarge, "more than 512 values");
    let long = format!("{{\"{}\":1}}", "n".repeat(200));
    check_poison(long.as_bytes(), Cause::TooLarge, "a name of 200 bytes");
    let long = format!("{{\"n\":\"{}\"}}", "t".repeat(2000));
    check_poison(long.as_bytes(), Cause::TooLarge, "a text of 2000 bytes");
    check_poison(
        &vec![b' '; (1 << 20) + 1],
        Cause::TooLarge,
        "at most 1048576",
    );
    let nested = format!("[{}]", vec!["[1,1,1,1]"; 4000].join(","));
    let limits = Limits {
        values: 1000,
        ..Limits::default()
    };
    let poison = read(Some(nested.as_bytes()), &limits).unwrap_err();
    assert!(poison.detail.contains("more than 1000 values"), "{poison}");
}

#[test]
fn times_are_told_by_their_size() {
    let noon = Some(1_764_583_200_000_000);
    for value in [
        json!(1_764_583_200),
        json!(1_764_583_200_000_u64),
        json!(1_764_583_200_000_000_u64),
        json!("1764583200"),
        json!("2025-12-01T10:00:00+00:00"),
        json!("2025-12-01T11:00:00+01:00"),
        json!("2025-12-01 10:00:00"),
    ] {
        assert_eq!(event_time(&value), noon, "{value}");
    }
    for value in [
        json!(-1),
        json!(1e300),
        json!("noon"),
        json!(true),
        json!("NaN"),
    ] {
        assert_eq!(event_time(&value), None, "{value}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z_ ]{0,8}".prop_map(Value::from),
    ];
    let name = prop_oneof![
        "[a-z]{1,4}",
        prop::sample::select(ENVELOPE.to_vec()).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_are_rows_or_poison(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(Some(&bytes), &Limits::default());
    }

    #[test]
    fn any_json_is_rows_of_scalars_or_poison(value in any_json()) {
        let text = serde_json::to_vec(&value).unwrap();
        if let Ok(reading) = read(Some(&text), &Limits::default()) {
            prop_assert!(!reading.rows.is_empty());
            for row in &reading.rows {
                prop_assert!(!row.fields.is_empty());
                prop_assert!(row.fields.values().all(|value| !value.is_array() && !value.is_object()));
            }
        }
    }

    #[test]
    fn a_flat_row_comes_back_as_it_was(fields in prop::collection::vec(("[A-Z][a-z/ ]{0,20}", -1e9..1e9), 1..60)) {
        let fields: Map<String, Value> =
            fields.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
        let text = serde_json::to_vec(&fields).unwrap();
        let reading = read(Some(&text), &Limits::default()).unwrap();
        prop_assert_eq!(&reading.rows[0].fields, &fields);
    }
}
