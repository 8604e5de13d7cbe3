use super::*;

/// One line per feature of the published alias table: CICIDS2017, short, long, snake case.
const ALIAS_TABLE: &str = include_str!("alias_table.txt");

#[test]
fn every_spelling_of_the_published_table_finds_its_feature() {
    let schema = cicflow();
    let mut lines = 0;
    for line in ALIAS_TABLE.lines() {
        let spellings: Vec<&str> = line
            .split('|')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .collect();
        let roles: Vec<_> = spellings.iter().map(|name| schema.role_of(name)).collect();
        assert!(roles[0].is_some(), "{line}");
        assert!(
            roles.iter().all(|role| *role == roles[0]),
            "{line}: {roles:?}"
        );
        lines += 1;
    }
    assert!(lines > 80);
}

#[test]
fn spellings_do_not_collide() {
    for schema in schemas() {
        for (index, feature) in schema.features().iter().enumerate() {
            for name in std::iter::once(&feature.name).chain(feature.aliases) {
                assert_eq!(schema.index_of(name), Some(index), "{name}");
                assert_eq!(
                    schema.index_of(&format!("  {} ", name.to_uppercase())),
                    Some(index)
                );
            }
        }
    }
}

#[test]
fn the_second_header_length_is_a_copy() {
    let first = cicflow().index_of("Fwd Header Length").unwrap();
    assert_eq!(
        cicflow().role_of("Fwd Header Length.1"),
        Some(ColumnRole::CopyOf(first))
    );
}

#[test]
fn vocabularies_are_sorted_by_bytes_and_fill_their_bounds() {
    for feature in nsl_kdd().features() {
        if let FeatureKind::Category(names) = feature.kind {
            assert!(names.is_sorted(), "{}", feature.name);
            assert_eq!(feature.bounds.max, (names.len() - 1) as f64);
            let index = CategoryIndex::new(names);
            for (position, name) in names.iter().enumerate() {
                assert_eq!(index.find(name.as_bytes()), Some(position));
                assert_eq!(index.find(name.to_uppercase().as_bytes()), Some(position));
            }
        }
    }
    assert_eq!(nsl_kdd().len(), 41);
    let FeatureKind::Category(services) = nsl_kdd().features()[2].kind else {
        panic!("service is a category");
    };
    assert_eq!(services.len(), 70);
}

#[test]
fn fingerprints_are_stable_and_survive_text() {
    for schema in schemas() {
        let text = schema.fingerprint().to_string();
        assert_eq!(
            text.parse::<SchemaFingerprint>().unwrap(),
            *schema.fingerprint()
        );
        assert_eq!(schema.fingerprint().short(), text[..16]);
        assert_eq!(
            schema_by_name(schema.name()).unwrap().fingerprint(),
            schema.fingerprint()
        );
    }
    assert_ne!(nsl_kdd().fingerprint(), cicflow().fingerprint());
    for bad in ["", "12", &"g".repeat(64), &"é".repeat(32)] {
        assert!(bad.parse::<SchemaFingerprint>().is_err());
    }
}

/// Stored vectors and trained models name these: a change needs a new schema version.
#[test]
fn published_fingerprints_do_not_change() {
    assert_eq!(nsl_kdd().fingerprint().short(), "c101526415e9f57d");
    assert_eq!(cicflow().fingerprint().short(), "1bd930664af9b77d");
}
