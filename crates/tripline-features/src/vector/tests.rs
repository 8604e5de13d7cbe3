use proptest::prelude::*;

use super::*;
use crate::schema::{cicflow, nsl_kdd};

fn values() -> impl Strategy<Value = f64> {
    prop_oneof![
        3 => Just(0.0),
        1 => Just(-0.0),
        1 => Just(f64::NAN),
        3 => (0_u32..=u32::MAX).prop_map(f64::from),
        3 => (0_u32..=100).prop_map(|hundredths| f64::from(hundredths) / 100.0),
        1 => (-1000_i32..0).prop_map(f64::from),
        1 => any::<f32>().prop_filter("finite", |value| value.is_finite()).prop_map(f64::from),
        2 => any::<f64>().prop_filter("finite", |value| value.is_finite()),
    ]
}

fn same(left: &[f64], right: &[f64]) -> bool {
    left.len() == right.len()
        && left.iter().zip(right).all(|(left, right)| {
            left.to_bits() == right.to_bits() || left.is_nan() && right.is_nan()
        })
}

proptest! {
    #[test]
    fn decoding_returns_what_was_encoded(values in prop::collection::vec(values(), cicflow().len())) {
        let mut bytes = Vec::new();
        FeatureVector::new(values.clone()).encode(&mut bytes);
        let decoded = FeatureVector::decode(&bytes, cicflow()).unwrap();
        prop_assert!(same(decoded.values(), &values));
    }

    #[test]
    fn damaged_bytes_are_refused_or_finite(bytes in prop::collection::vec(any::<u8>(), 0..120), formatted: bool) {
        let mut bytes = bytes;
        if formatted && !bytes.is_empty() {
            bytes[0] = FORMAT;
        }
        if let Ok(vector) = FeatureVector::decode(&bytes, nsl_kdd()) {
            prop_assert_eq!(vector.values().len(), nsl_kdd().len());
            prop_assert!(vector.values().iter().all(|value| !value.is_infinite()));
        }
    }

    #[test]
    fn cut_off_bytes_are_refused(values in prop::collection::vec(values(), nsl_kdd().len()), cut in 1_usize..20) {
        let mut bytes = Vec::new();
        FeatureVector::new(values).encode(&mut bytes);
        bytes.truncate(bytes.len().saturating_sub(cut));
        prop_assert!(FeatureVector::decode(&bytes, nsl_kdd()).is_err());
    }
}

#[test]
fn other_formats_and_trailing_bytes_are_refused() {
    let mut bytes = Vec::new();
    FeatureVector::missing(nsl_kdd()).encode(&mut bytes);
    assert_eq!(bytes.len(), 1 + 11);
    bytes.push(0);
    assert!(FeatureVector::decode(&bytes, nsl_kdd()).is_err());
    bytes.pop();
    bytes[0] = 2;
    assert!(FeatureVector::decode(&bytes, nsl_kdd()).is_err());
}

#[test]
fn generated_rows_take_less_than_eighty_bytes() {
    for record in crate::synthetic::SyntheticRecords::new(3).take(2000) {
        let mut bytes = Vec::new();
        record.vector.encode(&mut bytes);
        assert!(bytes.len() < 80, "{} bytes", bytes.len());
    }
}

#[test]
fn categories_are_shown_by_name() {
    let schema = nsl_kdd();
    assert_eq!(display_value(schema, 1, 1.0), FeatureValue::Name("tcp"));
    assert_eq!(display_value(schema, 0, 7.0), FeatureValue::Number(7.0));
    for odd in [f64::NAN, -1.0, 0.5, 1e18, f64::INFINITY] {
        assert_eq!(display_value(schema, 1, odd), FeatureValue::Missing);
    }
    assert_eq!(display_value(schema, 99, 0.0), FeatureValue::Missing);
    let json = serde_json::to_string(&[
        FeatureValue::Number(1.5),
        FeatureValue::Name("tcp"),
        FeatureValue::Missing,
    ]);
    assert_eq!(json.unwrap(), r#"[1.5,"tcp",null]"#);
}
