//! Schemas, texts and plans.

use tripline_store::{
    NewVerdict, Order, PostgresStore, Store, StoreError, StoredSource, VerdictFilter,
};

use super::{DAY, another, options, server, store};
use crate::fixtures::{append_kinds, batch, batch_id, provenance, read_all, row, seconds};

#[test]
fn tables_of_others_are_refused_and_left_alone() {
    let database = server().database().unwrap();
    database
        .sql("CREATE SCHEMA tripline; CREATE TABLE tripline.songs (title text)")
        .unwrap();
    let refused = PostgresStore::open(options(&database.url()), seconds(0)).unwrap_err();
    assert!(
        matches!(&refused, StoreError::ForeignSchema { schema, .. } if schema == "tripline"),
        "{refused}"
    );
    assert!(!refused.is_retryable());
    let tables = "SELECT string_agg(relname, ' ') FROM pg_class \
         WHERE relnamespace = 'tripline'::regnamespace AND relkind = 'r'";
    assert_eq!(database.sql(tables).unwrap(), "songs");

    // Beside them there is room.
    let mut beside = options(&database.url());
    beside.schema = "it's \"flows\"".to_owned();
    let store = PostgresStore::open(beside, seconds(0)).unwrap();
    append_kinds(&store, batch(&store, 1), 0, "nd");
    assert_eq!(store.totals().unwrap().counts.total, 2);
    assert_eq!(database.sql(tables).unwrap(), "songs");
}

#[test]
fn a_newer_schema_is_refused() {
    let (store, database) = store(DAY);
    drop(store);
    database
        .sql("UPDATE tripline.tripline_schema SET version = 999")
        .unwrap();
    let refused = PostgresStore::open(options(&database.url()), seconds(0)).unwrap_err();
    let StoreError::NewerSchema {
        found, supported, ..
    } = refused
    else {
        panic!("{refused}");
    };
    assert_eq!((found, supported), (999, 2));
}

#[test]
fn a_user_without_the_right_to_make_schemas_needs_one_that_is_there() {
    let database = server().database().unwrap();
    let role = format!("narrow_{}", database.name());
    database
        .sql(&format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'narrow'; \
             CREATE SCHEMA tripline AUTHORIZATION {role}"
        ))
        .unwrap();
    let (_, rest) = database.url().split_once('@').map_or_else(
        || panic!("{}", database.url()),
        |(head, rest)| (head.to_owned(), rest.to_owned()),
    );
    let narrow = options(&format!("postgres://{role}:narrow@{rest}"));
    let store = PostgresStore::open(narrow, seconds(0)).unwrap();
    append_kinds(&store, batch(&store, 1), 0, "nd");
    assert_eq!(store.totals().unwrap().counts.total, 2);
    drop(store);
    database
        .sql(&format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}"))
        .unwrap();
}

#[test]
fn texts_with_every_character_come_back() {
    let (store, database) = store(DAY);
    let stream = batch(&store, 1);
    let hostile = "DoS\0'; DROP TABLE verdicts; --\u{10ffff}0";
    let mut verdict = NewVerdict {
        label: Some(hostile),
        ..row('d', 0, seconds(0))
    };
    if let Some(attack) = &mut verdict.attack {
        attack.class = hostile;
    }
    store.append(stream, &provenance(), &[verdict]).unwrap();
    let source = StoredSource {
        name: hostile.to_owned(),
        key: batch_id(1),
        is_enabled: true,
        config: hostile.to_owned(),
        updated_at: seconds(0),
    };
    store.put_source(&source).unwrap();
    // Another one has nothing in memory.
    let other = another(&database);
    let found = other.get(stream.verdict_id(0)).unwrap().unwrap();
    assert_eq!(found.label.as_deref(), Some(hostile));
    assert_eq!(found.attack.unwrap().class, hostile);
    assert_eq!(other.sources().unwrap(), [source]);
    assert_eq!(other.class_counts().unwrap()[0].class, hostile);
    let of_class = VerdictFilter {
        class_names: Some(vec![hostile.to_owned()]),
        ..VerdictFilter::default()
    };
    assert_eq!(other.count(&of_class).unwrap(), 1);
    // Names as long as a B-tree would not take.
    let long = "x".repeat(100_000);
    let mut verdict = row('d', 1, seconds(1));
    if let Some(attack) = &mut verdict.attack {
        attack.class = &long;
    }
    store.append(stream, &provenance(), &[verdict]).unwrap();
    let found = other.get(stream.verdict_id(1)).unwrap().unwrap();
    assert_eq!(found.attack.unwrap().class, long);
}

#[test]
fn a_list_walks_indexes_and_sorts_nothing() {
    let (store, database) = store(DAY);
    // Ten days, so that there is something to leave out.
    let stream = batch(&store, 1);
    for day in 0..10 {
        let rows: Vec<_> = (0..400)
            .map(|at| {
                let kind = if at % 4 == 0 { 'd' } else { 'n' };
                row(kind, day * 400 + at, seconds((day * 86_400 + at) as i64))
            })
            .collect();
        store.append(stream, &provenance(), &rows).unwrap();
    }
    database.sql("ANALYZE").unwrap();
    let all = VerdictFilter::default();
    let threats = VerdictFilter {
        threats_only: true,
        ..all.clone()
    };
    let in_batch = VerdictFilter {
        batch: Some(batch_id(1)),
        ..all.clone()
    };
    let check = |filter: &VerdictFilter, index: &str| {
        for order in [Order::NewestFirst, Order::OldestFirst] {
            let filter = VerdictFilter {
                order,
                ..filter.clone()
            };
            let plan = store.explain_list(&filter, 20).unwrap();
            assert!(plan.iter().any(|line| line.contains(index)), "{plan:#?}");
            assert!(!plan.iter().any(|line| line.contains("Sort")), "{plan:#?}");
            // Walks end at the limit: of all days but one nothing is read.
            let walked = plan
                .iter()
                .filter(|line| line.contains("Scan") && !line.contains("never executed"))
                .count();
            assert_eq!(walked, 1, "{plan:#?}");
        }
    };
    check(&all, "created_at_id_idx");
    check(&threats, "Scan");
    check(&in_batch, "created_at_id_idx");
    let cursor = VerdictFilter {
        cursor: store.list(&all, 10).unwrap().next,
        ..all.clone()
    };
    let plan = store.explain_list(&cursor, 20).unwrap();
    assert!(!plan.iter().any(|line| line.contains("Sort")), "{plan:#?}");
    let attacks = VerdictFilter {
        has_attack: true,
        ..all
    };
    assert_eq!(read_all(&store, &attacks, 300).len(), 1000);
    let plan = store.explain_list(&attacks, 20).unwrap();
    assert!(
        !plan.iter().any(|line| line.contains("Seq Scan")),
        "{plan:#?}"
    );
}

#[test]
fn a_list_of_many_classes_still_finds_everything() {
    let (store, _database) = store(DAY);
    let stream = batch(&store, 1);
    let names: Vec<_> = (0..100).map(|number| format!("class {number}")).collect();
    let rows: Vec<_> = (0..200)
        .map(|sequence| {
            let mut row = row('d', sequence, seconds(sequence as i64));
            if let Some(attack) = &mut row.attack {
                attack.class = &names[sequence as usize % 100];
            }
            row
        })
        .collect();
    store.append(stream, &provenance(), &rows).unwrap();
    append_kinds(&store, stream, 500, "nn");
    let attacks = VerdictFilter {
        has_attack: true,
        ..VerdictFilter::default()
    };
    assert_eq!(read_all(&store, &attacks, 30).len(), 200);
    let some = VerdictFilter {
        class_names: Some(names[..70].to_vec()),
        ..attacks
    };
    assert_eq!(read_all(&store, &some, 30).len(), 140);
    assert_eq!(store.count(&some).unwrap(), 140);
}
