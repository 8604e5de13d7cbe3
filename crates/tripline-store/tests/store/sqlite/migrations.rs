//! Databases of earlier versions: they open with all their rows, and then know of models too.

use rusqlite::Connection;
use tempfile::TempDir;
use tripline_store::{Registry, SqliteStore, Stage, Store, StoreError, VerdictFilter};

use super::{database, open, options, store_in_a_file};
use crate::fixtures::{
    append_kinds, batch, batch_id,
    registry::{active, everything, fill, model_id},
    seconds, stream,
};

const SCRIPTS: [&str; 3] = [
    include_str!("../../../migrations/0001_initial.sql"),
    include_str!("../../../migrations/0002_flows.sql"),
    include_str!("../../../migrations/0003_registry.sql"),
];

/// A batch that had ended, its report, and three rows of it.
const ROWS_OF_1: &str = "
    INSERT INTO names VALUES (1, 'DoS'), (2, 'neptune');
    INSERT INTO provenances VALUES (1, 'p', 'nsl-kdd', 1, 'f', 'detector', '1', 0.4, NULL, NULL,
        NULL, NULL, NULL, NULL);
    INSERT INTO streams (stream, key, source, is_batch, status, file_name, created_at, finished_at,
        rows_read, rows_scored, rows_appended, first_created_at, last_created_at, last_sequence)
        VALUES (1, x'01010101010141018101010101010101', 0, 1, 1, 'old.csv', 5, 9, 3, 3, 3, 7, 9, 2);
    INSERT INTO reports VALUES (1, '{\"rows\":3}');
    INSERT INTO verdicts (id, created_at, source, provenance, row_number, score, is_threat, class,
        class_id, is_attack, confidence, named, named_confidence, label, features, reasons) VALUES
        (1 << 35 | 0, 7, 0, 1, 2, 0.25, 0, NULL, NULL, NULL, NULL, NULL, NULL, 'normal', x'00ff', x'01'),
        (1 << 35 | 1, 8, 0, 1, 3, 0.75, 1, 1, 4, 1, 0.5, 2, 0.9, NULL, x'01', x''),
        (1 << 35 | 2, 9, 0, 1, 4, 1.0, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, x'02', x'');
    INSERT INTO class_counts VALUES (0, 2, 2, 1, 0), (1, 1, 1, 1, 1);
    INSERT INTO stream_counts VALUES (1, 0, 2, 2, 1, 0), (1, 1, 1, 1, 1, 1);
    INSERT INTO period_counts VALUES (60, 0, 0, 2, 2, 1, 0), (60, 0, 1, 1, 1, 1, 1),
        (3600, 0, 0, 2, 2, 1, 0), (3600, 0, 1, 1, 1, 1, 1);";

/// A source, and a flow of it that goes on.
const ROWS_OF_2: &str = "
    INSERT INTO sources VALUES ('packet_capture', x'02020202020242028202020202020202', 1, '{}', 6);
    INSERT INTO streams (stream, key, source, is_batch, status, created_at, rows_appended,
        first_created_at, last_created_at, last_sequence)
        VALUES (2, x'02020202020242028202020202020202', 2, 0, 0, 6, 1, 10, 10, 0);
    INSERT INTO verdicts (id, created_at, source, provenance, score, is_threat, features, reasons,
        stage, flow) VALUES (2 << 35, 10, 2, 1, 0.9, 1, x'03', x'', 0, x'0909');
    UPDATE class_counts SET total = 3, scored = 3, threats = 2 WHERE class = 0;
    INSERT INTO stream_counts VALUES (2, 0, 1, 1, 1, 0);
    UPDATE period_counts SET total = 3, scored = 3, threats = 2 WHERE class = 0;";

/// A database as the program of this version has left it.
fn database_of(version: usize) -> TempDir {
    let folder = TempDir::new().unwrap();
    let direct = Connection::open(database(&folder)).unwrap();
    for script in &SCRIPTS[..version] {
        direct.execute_batch(script).unwrap();
    }
    direct
        .pragma_update(None, "application_id", 0x5472_6970)
        .unwrap();
    direct
        .pragma_update(None, "user_version", version as u32)
        .unwrap();
    direct.execute_batch(ROWS_OF_1).unwrap();
    if version >= 2 {
        direct.execute_batch(ROWS_OF_2).unwrap();
    }
    folder
}

fn check_rows(store: &SqliteStore, version: usize) {
    let listed = store.list(&VerdictFilter::default(), 10).unwrap().verdicts;
    let of_batch: Vec<_> = listed
        .iter()
        .filter(|verdict| verdict.batch == Some(batch_id(1)))
        .collect();
    assert_eq!(of_batch.len(), 3);
    for verdict in &of_batch {
        assert_eq!((verdict.stage, &verdict.flow), (Stage::Final, &None));
        assert_eq!(verdict.provenance.schema, "nsl-kdd");
        let detector = verdict.provenance.detector.as_ref().unwrap();
        assert_eq!(detector.threshold, Some(0.4));
    }
    let attack = of_batch[1].attack.clone().unwrap();
    assert_eq!((attack.class.as_str(), attack.class_id), ("DoS", 4));
    assert_eq!(attack.named.unwrap().label, "neptune");
    assert_eq!(of_batch[2].label.as_deref(), Some("normal"));
    assert_eq!(of_batch[2].features, [0, 255]);
    let ended = store.batch(batch_id(1)).unwrap().unwrap();
    assert_eq!(ended.file_name.as_deref(), Some("old.csv"));
    let report = store.batch_report(batch_id(1)).unwrap();
    assert_eq!(report.as_deref(), Some("{\"rows\":3}"));
    let counts = store.totals().unwrap().counts;
    let flows = u64::from(version >= 2);
    assert_eq!((counts.total, counts.threats), (3 + flows, 2 + flows));
    assert_eq!(listed.len() as u64, counts.total);
    assert_eq!(store.sources().unwrap().len() as u64, flows);
    if version >= 2 {
        assert_eq!(listed[0].stage, Stage::Early);
        assert_eq!(listed[0].flow.as_deref(), Some(&[9, 9][..]));
        assert_eq!(store.sources().unwrap()[0].key, batch_id(2));
    }
}

/// What makes up the tables, whatever is in them.
fn tables(folder: &TempDir) -> Vec<(String, Option<String>)> {
    let direct = Connection::open(database(folder)).unwrap();
    let mut statement = direct
        .prepare("SELECT name, sql FROM sqlite_schema ORDER BY name")
        .unwrap();
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    rows.collect::<rusqlite::Result<_>>().unwrap()
}

#[test]
fn databases_of_earlier_versions_open_with_their_rows_and_learn_of_models() {
    let (fresh, folder_of_fresh) = store_in_a_file();
    let version_now = fresh.health().unwrap().schema_version;
    drop(fresh);
    for version in [1, 2] {
        let folder = database_of(version);
        let store = open(&folder, &options()).unwrap();
        assert_eq!(store.health().unwrap().schema_version, version_now);
        check_rows(&store, version);
        assert_eq!(store.epoch().unwrap(), 0);
        assert_eq!(active(&store), []);
        fill(&store);
        assert_eq!(active(&store), [model_id(1)]);
        let before = everything(&store);
        drop(store);
        assert_eq!(tables(&folder), tables(&folder_of_fresh), "from {version}");

        let store = open(&folder, &options()).unwrap();
        check_rows(&store, version);
        assert_eq!(everything(&store), before);
        // Verdicts are written as ever, a flow that went on included.
        append_kinds(&store, batch(&store, 9), 20, "nd");
        if version >= 2 {
            let live = stream(&store, 2);
            assert_eq!(store.next_sequence(live).unwrap(), 1);
        }
    }
}

#[test]
fn a_migration_to_models_that_fails_leaves_the_rows_as_they_were() {
    for version in [1, 2] {
        let folder = database_of(version);
        let direct = Connection::open(database(&folder)).unwrap();
        // In the way of the third script, behind tables that it makes before.
        direct
            .execute_batch("CREATE TABLE registry_epoch (of_another INTEGER)")
            .unwrap();
        drop(direct);
        for _ in 0..2 {
            let refused = open(&folder, &options());
            assert!(matches!(refused, Err(StoreError::Backend { .. })));
        }
        let names: Vec<_> = tables(&folder).into_iter().map(|table| table.0).collect();
        assert!(!names.iter().any(|name| name == "models"), "{names:?}");
        let direct = Connection::open(database(&folder)).unwrap();
        direct.execute_batch("DROP TABLE registry_epoch").unwrap();
        drop(direct);
        let store = open(&folder, &options()).unwrap();
        check_rows(&store, version);
        fill(&store);
        assert_eq!(
            store.model(model_id(1)).unwrap().unwrap().created_at,
            seconds(1)
        );
    }
}
