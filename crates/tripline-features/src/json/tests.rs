use serde_json::json;

use super::*;
use crate::{cicflow, schema::nsl_kdd};

fn read(schema: Option<&'static FeatureSchema>, value: &Value) -> Result<JsonRecord, FeatureError> {
    vector_from_json(schema, value.as_object().unwrap())
}

#[test]
fn names_indices_numbers_and_null_are_read() {
    let record = read(
        None,
        &json!({"service": "http", "Flag": 9, "src_bytes": "215", "land": true, "dst bytes": null, "colour": 1, "class": "normal."}),
    )
    .unwrap();
    assert_eq!(record.schema.name(), "nsl-kdd");
    let get = |name| record.vector.get(nsl_kdd().index_of(name).unwrap());
    assert_eq!(get("service"), Some(24.0));
    assert_eq!(get("flag"), Some(9.0));
    assert_eq!(get("src_bytes"), Some(215.0));
    assert_eq!(get("land"), Some(1.0));
    assert_eq!(get("dst_bytes"), None);
    assert_eq!(record.present.iter().filter(|present| **present).count(), 4);
    assert_eq!(record.ignored, ["colour"]);
    assert_eq!(record.label.unwrap().as_str(), "normal");
}

#[test]
fn a_bad_field_names_its_key() {
    for (object, expected) in [
        (
            json!({"service": [1]}),
            r#""service": expected a number, a name or null, found an array"#,
        ),
        (json!({"count": 600}), r#""count": 600 is outside 0 to 511"#),
        (
            json!({"count": true}),
            r#""count": expected a number, a name or null, found a boolean"#,
        ),
        (
            json!({"flag": 11}),
            r#""flag": index 11 is outside the vocabulary of 11 names (0 to 10)"#,
        ),
        (
            json!({"src_bytes": ""}),
            r#""src_bytes": the field is empty"#,
        ),
    ] {
        assert_eq!(
            read(Some(nsl_kdd()), &object).unwrap_err().to_string(),
            expected
        );
    }
}

#[test]
fn an_object_without_features_is_refused() {
    for schema in [None, Some(nsl_kdd())] {
        for object in [json!({}), json!({"colour": 1})] {
            assert!(read(schema, &object).is_err());
        }
    }
}

#[test]
fn notes_tell_what_the_policy_did() {
    let record = read(
        None,
        &json!({"Flow Duration": 0, "Flow Bytes/s": "Infinity", "Flow Packets/s": -1}),
    )
    .unwrap();
    assert_eq!(
        record.notes.lines(),
        [
            "1 value of \"Flow Bytes/s\" was infinite: read as missing",
            "1 value of \"Flow Packets/s\" was negative, which stands for undefined: read as missing",
        ]
    );
}

#[test]
fn a_reader_tells_other_keys_and_other_schemas_from_those_it_remembers() {
    let objects = [
        json!({"src_bytes": 1, "dst_bytes": 2, "count": 3}),
        json!({"dst_bytes": 2, "src_bytes": 1, "count": 3}),
        json!({"src_bytes": 1, "dst_bytes": 2}),
        json!({"Flow Duration": 5, "Tot Fwd Pkts": 2}),
        json!({"colour": 1}),
    ];
    let mut reader = crate::JsonReader::default();
    // Often enough that layouts are remembered, found again and forgotten.
    for round in 0..3 {
        for object in &objects {
            for schema in [None, Some(nsl_kdd()), Some(cicflow())] {
                let object = object.as_object().unwrap();
                let told = |record: Result<crate::JsonRecord, crate::FeatureError>| match record {
                    Ok(record) => format!(
                        "{} {:?} {:?} {:?}",
                        record.schema.name(),
                        record.vector.values(),
                        record.present,
                        record.ignored
                    ),
                    Err(error) => error.to_string(),
                };
                let fresh = told(crate::vector_from_json(schema, object));
                assert_eq!(told(reader.read(schema, object)), fresh, "round {round}");
            }
        }
    }
}
