//! The server on a cluster that asks for a name over TLS, with senders that sign what they send.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use tripline_kafka::{Compression, Header, Outgoing, sender::signed_bytes};
use tripline_servers::kafka::{KafkaOptions, KafkaServer, PASSWORD, USER};

use crate::harness::*;

/// A message of a sender, signed by a key.
fn signed(topic: &str, payload: &Value, key: &SigningKey) -> Outgoing {
    let address = "192.0.2.7";
    let mut message = message(topic, payload);
    let bytes = signed_bytes(address, message.payload.as_ref().unwrap());
    message.headers = vec![
        Header::new("sender_ip", address),
        Header::new(
            "sender-signature",
            STANDARD.encode(key.sign(&bytes).to_bytes()),
        ),
    ];
    message
}

#[test]
fn signed_messages_come_in_over_tls_and_others_do_not() {
    let broker = KafkaServer::start(&KafkaOptions {
        sasl: true,
        tls: true,
        ..KafkaOptions::default()
    })
    .unwrap();
    let connection = connection(&broker.address());
    let names = Names::new();
    names.make(&connection, 2);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let [known, strange] = [1, 2].map(|seed| SigningKey::from_bytes(&[seed; 32]));
    let public = STANDARD.encode(known.verifying_key().as_bytes());
    std::fs::write(path("senders"), format!("192.0.2.0/24 {public}\n")).unwrap();
    std::fs::write(path("password"), PASSWORD).unwrap();

    let records = records(10);
    let payload = |number: usize| json!({ "features": row(&records[number], number) });
    let mut altered = signed(&names.external, &payload(2), &known);
    altered.payload = Some(payload(3).to_string().into_bytes());
    let mut silent = message(&names.external, payload(4));
    silent.headers = vec![Header::new("sender_ip", "192.0.2.7")];
    let messages = [
        signed(&names.external, &payload(0), &known),
        signed(&names.external, &payload(1), &known),
        signed(&names.external, &payload(5), &strange),
        altered,
        silent,
    ];
    send(&producer(&connection, Compression::Zstd), &messages);

    let mut options = names.options(&broker.sasl_tls_address().unwrap());
    let ca_file = broker.ca_file().unwrap();
    options.extend([
        "--kafka-tls".to_owned(),
        format!("--kafka-ca-file={}", ca_file.display()),
        "--kafka-sasl=scram-sha-256".to_owned(),
        format!("--kafka-username={USER}"),
        format!("--kafka-password-file={}", path("password")),
        format!("--kafka-external-topic={}", names.external),
        format!("--kafka-senders={}", path("senders")),
        "--kafka-require-signed-senders".to_owned(),
    ]);
    let data = folder.path().join("data");
    let server = Server::start(&data, &shipped_models(), &options);
    let books = server.settled_books(&names.external, 5);
    assert_eq!(
        (&books["scored"], &books["dead_lettered"]),
        (&json!(2), &json!(3)),
        "{books}"
    );
    assert_eq!(books["causes"], json!({"sender": 3}));
    server.stop();
    let numbers: Vec<u64> = numbers(&stored(&data)).into_keys().collect();
    assert_eq!(numbers, [0, 1]);
    let told = read(&connection, &names.predictions, |told| told.len() >= 2);
    for message in &told {
        let sender = &body(message)["sender"];
        assert_eq!(*sender, json!({"address": "192.0.2.7", "trust": "signed"}));
    }
    let letters = format!("{}.dead-letter", names.external);
    let letters = read(&connection, &letters, |letters| letters.len() >= 3);
    assert!(
        letters
            .iter()
            .all(|letter| text(letter, "dead-letter-reason").contains("192.0.2.7"))
    );
}

#[test]
fn a_broker_whose_certificate_nobody_vouches_for_is_not_spoken_to() {
    let broker = KafkaServer::start(&KafkaOptions {
        sasl: true,
        tls: true,
        ..KafkaOptions::default()
    })
    .unwrap();
    let names = Names::new();
    let folder = tempfile::tempdir().unwrap();
    let mut options = names.options(&broker.tls_address().unwrap());
    // The certificates that the system trusts, among which the broker's is not.
    options.push("--kafka-tls".to_owned());
    let server = Server::start(&folder.path().join("data"), &shipped_models(), &options);
    let mut reason = String::new();
    until("the reason", || {
        let health = server.health();
        reason = health["checks"]["kafka"]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        reason.contains("certificate")
    });
    assert_eq!(server.health()["checks"]["kafka"]["status"], "degraded");
    server.stop();
}
