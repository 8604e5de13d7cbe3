//! Who we are, and whether the broker is who it says.

use tripline_kafka::{Error, Mechanism, Sasl, Secret, State, Tls};
use tripline_servers::kafka::{PASSWORD, USER};

use super::*;

const MECHANISMS: [Mechanism; 3] = [
    Mechanism::Plain,
    Mechanism::ScramSha256,
    Mechanism::ScramSha512,
];

fn sasl(mechanism: Mechanism, password: &str) -> Sasl {
    Sasl {
        mechanism,
        username: USER.to_owned(),
        password: Secret::new(password),
    }
}

fn secured() -> KafkaServer {
    let options = KafkaOptions {
        sasl: true,
        tls: true,
        ..KafkaOptions::default()
    };
    KafkaServer::start(&options).unwrap()
}

fn check(connection: &Connection) {
    let topic = topic(connection, "secured", 1);
    send(&producer(connection), &numbered(&topic, 0..10));
    let consumer = consumer(connection, &unique("g"), &topic);
    assert_eq!(drain(&consumer, 10).len(), 10);
}

fn refusal(connection: &Connection) -> String {
    let consumer = consumer(connection, &unique("g"), "t");
    let producer = producer(connection);
    let mut reason = String::new();
    until("a refusal", || match (consumer.state(), producer.state()) {
        (State::Waiting(one), State::Waiting(two)) if one.tries > 0 && two.tries > 0 => {
            reason = one.reason;
            true
        }
        _ => false,
    });
    reason
}

#[test]
fn names_and_certificates_are_checked_on_both_sides() {
    // A broker of TRIPLINE_TEST_KAFKA may lack what is tested here.
    let shared = broker();
    let own;
    let server = match shared.sasl_tls_address() {
        Some(_) => &*shared,
        None => {
            own = secured();
            &own
        }
    };
    let tls = Tls {
        ca_file: server.ca_file(),
        ..Tls::default()
    };
    for mechanism in MECHANISMS {
        let mut connection = connection(&server.sasl_address().unwrap());
        connection.sasl = Some(sasl(mechanism, PASSWORD));
        check(&connection);
        connection.sasl = Some(sasl(mechanism, "wrong"));
        let reason = refusal(&connection);
        assert!(reason.to_lowercase().contains("authentication"), "{reason}");
        assert!(!reason.contains("wrong"), "{reason}");
    }
    let mut connection = connection(&server.tls_address().unwrap());
    connection.tls = Some(tls.clone());
    check(&connection);
    // The authorities of the system do not know the broker.
    connection.tls = Some(Tls::default());
    let reason = refusal(&connection);
    assert!(reason.contains("certificate"), "{reason}");
    connection.brokers = server.sasl_tls_address().unwrap();
    connection.tls = Some(tls);
    connection.sasl = Some(sasl(Mechanism::ScramSha512, PASSWORD));
    check(&connection);
}

#[test]
fn a_file_that_is_missing_is_an_error_at_once() {
    let mut connection = connection("127.0.0.1:9");
    connection.tls = Some(Tls {
        ca_file: Some("/nowhere/ca.pem".into()),
        ..Tls::default()
    });
    let config = ConsumerConfig::new(connection.clone(), "g", ["t"]);
    let error = Consumer::start(config).unwrap_err();
    assert!(matches!(error, Error::Setting { .. }), "{error}");
    assert!(error.to_string().contains("/nowhere/ca.pem"), "{error}");
    assert!(Producer::start(ProducerConfig::new(connection)).is_err());
}
