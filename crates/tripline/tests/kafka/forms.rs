//! Messages of every form in, verdicts in the store and on the topics out.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use serde_json::{Value, json};
use tripline_kafka::{Compression, Header, prediction::Prediction};
use tripline_servers::kafka::{PASSWORD, USER};

use crate::harness::*;

#[test]
fn every_form_is_judged_stored_and_told() {
    let broker = broker();
    let connection = connection(&broker.address());
    let names = Names::new();
    names.make(&connection, 2);
    let folder = tempfile::tempdir().unwrap();
    let senders = folder.path().join("senders");
    std::fs::write(&senders, "192.0.2.0/24\n").unwrap();
    let records = records(400);
    let row = |number: usize| Value::Object(row(&records[number], number));
    let line = |number| row(number).to_string();

    // Each in another form and compression: the numbers 0 to 11, and one that nobody may send.
    let flat = message(&names.input, row(0));
    let list = message(&names.input, json!([row(1), row(2)]));
    let lines = message(&names.input, format!("{}\n{}\n", line(3), line(4)));
    let envelope = message(
        &names.input,
        json!({"schema": "nsl-kdd", "schema_version": 1, "id": "e", "rows": [row(5), row(6)],
               "timestamp": "2025-12-01T10:00:00Z"}),
    );
    let inside = message(
        &names.external,
        json!({"sender_ip": "192.0.2.7", "timestamp": 1_764_583_200, "features": row(7)}),
    );
    let mut beside = row(8);
    beside["sender_ip"] = json!("::ffff:192.0.2.8");
    let beside = message(&names.external, beside);
    let mut by_header = message(&names.external, row(9));
    by_header.headers = vec![Header::new("sender_ip", "192.0.2.9")];
    let mut with_host = row(10);
    with_host["Src IP"] = json!("10.0.0.1");
    let with_host = message(&names.input, with_host);
    let mut keyed = message(&names.input, row(11));
    keyed.key = Some(b"host-a".to_vec());
    let refused = message(
        &names.external,
        json!({"sender_ip": "203.0.113.1", "features": row(12)}),
    );
    let groups = [
        (Compression::None, vec![flat, refused]),
        (Compression::Gzip, vec![list, inside]),
        (Compression::Snappy, vec![lines, beside]),
        (Compression::Lz4, vec![envelope, by_header]),
        (Compression::Zstd, vec![with_host, keyed]),
    ];
    for (compression, messages) in &groups {
        send(&producer(&connection, *compression), messages);
    }

    // Over SASL, with the password in a file.
    let password = folder.path().join("password");
    std::fs::write(&password, PASSWORD).unwrap();
    let mut options = match broker.sasl_address() {
        None => names.options(&broker.address()),
        Some(address) => {
            let mut options = names.options(&address);
            options.push("--kafka-sasl=scram-sha-512".to_owned());
            options.push(format!("--kafka-username={USER}"));
            options.push(format!("--kafka-password-file={}", password.display()));
            options
        }
    };
    options.push(format!("--kafka-external-topic={}", names.external));
    options.push(format!("--kafka-senders={}", senders.display()));
    let data = folder.path().join("data");
    let server = Server::start(&data, &shipped_models(), &options);
    let inside = server.settled_books(&names.input, 6);
    let outside = server.settled_books(&names.external, 4);
    assert_eq!(
        (&inside["scored"], &inside["verdicts"]),
        (&json!(6), &json!(9))
    );
    assert_eq!(
        (&outside["scored"], &outside["verdicts"]),
        (&json!(3), &json!(3))
    );
    assert_eq!(outside["causes"], json!({"sender": 1}));
    until("a healthy server", || {
        server.health()["status"] == "healthy"
    });
    let checks = &server.health()["checks"];
    assert_eq!(checks["kafka"]["status"], "ok", "{checks}");
    assert_eq!(checks["consumers"]["internal"]["topic"], names.input);
    assert_eq!(checks["consumers"]["external"]["topic"], names.external);
    assert_eq!(checks["consumers"]["external"]["partitions"], 2);
    assert!(!checks.to_string().contains(PASSWORD));
    server.stop();

    let verdicts = stored(&data);
    let expected: BTreeMap<u64, usize> = (0..12).map(|number| (number, 1)).collect();
    assert_eq!(numbers(&verdicts), expected);
    check_told(&connection, &names, &verdicts);
    check_again(&connection, &names, &data, &options);
}

/// The messages on `predictions` and `alerts`.
fn check_told(
    connection: &tripline_kafka::Connection,
    names: &Names,
    verdicts: &[tripline_store::StoredVerdict],
) {
    let schema: Value =
        serde_json::from_str(include_str!("../../../../docs/schema/prediction-v1.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let told = read(connection, &names.predictions, |told| {
        told.len() >= verdicts.len()
    });
    let ids: BTreeSet<String> = verdicts
        .iter()
        .map(|verdict| verdict.id.to_string())
        .collect();
    let told_ids: BTreeSet<String> = told
        .iter()
        .map(|message| text(message, "verdict-id").to_owned())
        .collect();
    assert_eq!(told_ids, ids);
    let mut keys = BTreeSet::new();
    for message in &told {
        let body = body(message);
        let errors: Vec<String> = schema
            .iter_errors(&body)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{errors:?} {body}");
        assert_eq!(text(message, "schema"), "prediction/1");
        assert_eq!(text(message, "content-type"), "application/json");
        let prediction: Prediction<'_> = serde_json::from_value(body).unwrap();
        assert_eq!(prediction.verdict_id, text(message, "verdict-id"));
        let verdict = verdicts
            .iter()
            .find(|one| one.id.to_string() == prediction.verdict_id);
        let threat = verdict.unwrap().threat.unwrap();
        assert_eq!(prediction.probability, Some(threat.probability));
        assert_eq!(prediction.is_threat, threat.is_threat);
        assert_eq!(prediction.reasons.len(), 5, "{prediction:?}");
        let trust = prediction
            .sender
            .map(|sender| (sender.address, sender.trust));
        keys.insert((
            String::from_utf8(message.key.clone().unwrap()).unwrap(),
            trust.map(|(_, trust)| trust.into_owned()),
            prediction.event_time.map(Cow::into_owned),
        ));
    }
    let asserted = |address: &str, time: Option<&str>| {
        (
            address.to_owned(),
            Some("self_asserted".to_owned()),
            time.map(ToOwned::to_owned),
        )
    };
    for key in [
        asserted("192.0.2.7", Some("2025-12-01T10:00:00.000000Z")),
        asserted("192.0.2.8", None),
        asserted("192.0.2.9", None),
        ("10.0.0.1".to_owned(), None, None),
        ("host-a".to_owned(), None, None),
    ] {
        assert!(keys.contains(&key), "{key:?} is not among {keys:?}");
    }
    let threats: BTreeSet<String> = verdicts
        .iter()
        .filter(|verdict| verdict.threat.is_some_and(|threat| threat.is_threat))
        .map(|verdict| verdict.id.to_string())
        .collect();
    let alerts = read(connection, &names.alerts, |told| {
        told.len() >= threats.len()
    });
    let alerts: BTreeSet<String> = alerts
        .iter()
        .map(|message| text(message, "verdict-id").to_owned())
        .collect();
    assert_eq!(alerts, threats);
}

/// Another group reads the same messages into the same store: nothing is new, and all is told again.
fn check_again(
    connection: &tripline_kafka::Connection,
    names: &Names,
    data: &std::path::Path,
    options: &[String],
) {
    let before = stored(data);
    let mut options = options.to_vec();
    options.retain(|option| !option.starts_with("--kafka-group="));
    options.push(format!("--kafka-group={}-again", names.group));
    let server = Server::start(data, &shipped_models(), &options);
    let inside = server.settled_books(&names.input, 6);
    let outside = server.settled_books(&names.external, 4);
    assert_eq!(
        (&inside["verdicts"], &inside["repeats"]),
        (&json!(0), &json!(9))
    );
    assert_eq!(
        (&outside["verdicts"], &outside["repeats"]),
        (&json!(0), &json!(3))
    );
    server.stop();
    assert_eq!(stored(data), before);
    let told = read(connection, &names.predictions, |told| told.len() >= 24);
    let mut bodies: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for message in &told {
        let bodies = bodies
            .entry(text(message, "verdict-id").to_owned())
            .or_default();
        bodies.insert(body(message).to_string());
    }
    assert_eq!(bodies.len(), 12);
    for (id, bodies) in bodies {
        assert_eq!(bodies.len(), 1, "{id} was told in two ways: {bodies:?}");
    }
}
