//! A broker that is away: at the start, and in the middle.

use serde_json::json;
use tripline_kafka::Compression;
use tripline_servers::kafka::{KafkaOptions, KafkaServer};

use crate::harness::*;

#[test]
fn a_broker_that_comes_late_and_dies_once_costs_nothing() {
    let mut broker = KafkaServer::prepare(&KafkaOptions::default()).unwrap();
    let connection = connection(&broker.address());
    let names = Names::new();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut options = names.options(&broker.address());
    // Topics are made by the server, once it finds the broker.
    options.push("--kafka-create-topics=2".to_owned());
    let server = Server::start(&data, &shipped_models(), &options);
    // The server is up and does what it can, and says what is missing.
    let mut health = server.health();
    until("the reason", || {
        health = server.health();
        let state = &health["checks"]["kafka"]["consumer"]["state"];
        state["name"] == "waiting" && state["tries"].as_u64() > Some(1)
    });
    assert_eq!(health["status"], "degraded");
    let kafka = &health["checks"]["kafka"];
    assert_eq!(kafka["status"], "degraded");
    let reason = kafka["message"].as_str().unwrap();
    assert!(
        reason.contains("reading") && reason.contains("127.0.0.1"),
        "{reason}"
    );
    assert_eq!(
        health["checks"]["consumers"]["internal"]["status"],
        "degraded"
    );
    assert_eq!(
        server.get("/api/v1/predictions/stats")["total_predictions"],
        0
    );

    broker.restart().unwrap();
    until("a healthy server", || {
        server.health()["status"] == "healthy"
    });
    let producer = producer(&connection, Compression::Lz4);
    let records = records(100);
    let messages: Vec<_> = (0..4000)
        .map(|number| {
            message(
                &names.input,
                json!(row(&records[number % records.len()], number)),
            )
        })
        .collect();
    send(&producer, &messages[..2000]);
    until("some verdicts", || {
        server.books(&names.input)["scored"].as_u64() > Some(100)
    });
    broker.kill().unwrap();
    until("the loss", || {
        server.health()["checks"]["kafka"]["status"] == "degraded"
    });
    broker.restart().unwrap();
    send(&producer, &messages[2000..]);
    until("every verdict", || {
        let stats = server.get("/api/v1/predictions/stats");
        stats["total_predictions"] == 4000 && server.health()["checks"]["kafka"]["status"] == "ok"
    });
    server.books(&names.input);
    // The end is not waited for without end, although nobody hears the farewell.
    send(
        &producer,
        &[message(&names.input, json!(row(&records[0], 4000)))],
    );
    broker.kill().unwrap();
    until("the loss", || {
        server.health()["checks"]["kafka"]["status"] == "degraded"
    });
    server.stop();
    let mut verdicts = stored(&data);
    // Of the last one it is not known whether it was judged in time.
    verdicts.retain(|verdict| !numbers(std::slice::from_ref(verdict)).contains_key(&4000));
    // A message that the broker took and could not confirm may be there twice, under two offsets;
    // with an idempotent producer it is not.
    assert_eq!(numbers(&verdicts).len(), 4000);
    assert_eq!(verdicts.len(), 4000);
}
