//! Workers that are killed in the middle: no message is lost, and none is stored twice.

use std::collections::BTreeSet;

use serde_json::Value;
use tripline_kafka::Compression;

use crate::harness::*;

#[test]
fn kill_9_loses_nothing_and_doubles_nothing() {
    let (count, kills) = (20_000, 4);
    let broker = broker();
    let connection = connection(&broker.address());
    let names = Names::new();
    names.make(&connection, 4);
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let records = records(1000);
    let rows: Vec<_> = records.iter().map(|record| row(record, 0)).collect();
    let producer = producer(&connection, Compression::Zstd);
    let numbered = |number: usize| {
        let mut row = rows[number % rows.len()].clone();
        row.insert("src_bytes".to_owned(), number.into());
        let mut message = message(&names.input, Value::Object(row));
        message.key = Some((number % 64).to_string().into_bytes());
        message
    };
    for first in (0..count).step_by(10_000) {
        let messages: Vec<_> = (first..count.min(first + 10_000)).map(numbered).collect();
        send(&producer, &messages);
    }
    let options = names.options(&broker.address());
    let total = |server: &Server| {
        let stats = server.get("/api/v1/predictions/stats");
        stats["total_predictions"].as_u64().unwrap() as usize
    };
    for kill in 1..=kills {
        let server = Server::start(&data, &shipped_models(), &options);
        let enough = kill * count / (kills + 1);
        until("progress", || total(&server) >= enough);
        server.kill();
    }
    let server = Server::start(&data, &shipped_models(), &options);
    until("every verdict", || total(&server) >= count);
    // Whatever the last kill left uncommitted is read again before everything is settled.
    until("every acknowledgement", || {
        let consumer = &server.health()["checks"]["kafka"]["consumer"];
        consumer["lag"] == 0 && consumer["outstanding"] == 0
    });
    server.books(&names.input);
    server.stop();

    let verdicts = stored(&data);
    assert_eq!(verdicts.len(), count);
    let numbers = numbers(&verdicts);
    assert!(
        numbers.keys().copied().eq(0..count as u64),
        "a message is missing"
    );
    assert!(
        numbers.values().all(|times| *times == 1),
        "a message is there twice"
    );
    let ids: BTreeSet<String> = verdicts
        .iter()
        .map(|verdict| verdict.id.to_string())
        .collect();
    let mut told = BTreeSet::new();
    let mut seen = 0;
    read(&connection, &names.predictions, |messages| {
        for message in &messages[seen..] {
            told.insert(text(message, "verdict-id").to_owned());
        }
        seen = messages.len();
        told.len() >= count
    });
    assert_eq!(told, ids);
}
