use std::{collections::BTreeMap, io::Write};

use clap::Parser;
use tripline_kafka::{Secret, sender::SenderPolicy};

use super::*;
use crate::{config::Problems, kafka::KafkaSettings};

#[derive(Debug, Parser)]
struct Typed {
    #[command(flatten)]
    kafka: KafkaArgs,
}

type Found = (KafkaSettings, BTreeMap<String, SenderPolicy>);

fn settings(words: &[&str]) -> Result<Option<Found>, String> {
    let typed = Typed::try_parse_from(std::iter::once(&"tripline").chain(words))
        .map_err(|error| error.to_string())?;
    let mut problems = Problems::default();
    let found = typed.kafka.settings(&mut problems);
    match problems.into_result() {
        Ok(()) => Ok(found),
        Err(problems) => Err(problems.to_string()),
    }
}

fn check_refused(words: &[&str], expected: &str) {
    let error = settings(words).expect_err(&words.join(" "));
    assert!(error.contains(expected), "{error}");
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[test]
fn without_brokers_nothing_is_started() {
    assert!(settings(&[]).unwrap().is_none());
    check_refused(&["--kafka-topic", "a"], "--kafka-brokers");
}

#[test]
fn brokers_alone_read_the_topic_of_the_origin() {
    let (settings, senders) = settings(&["--kafka-brokers", "a:9092, [::1]:9093"])
        .unwrap()
        .unwrap();
    let names: Vec<&str> = settings
        .topics
        .iter()
        .map(|topic| topic.name.as_str())
        .collect();
    assert_eq!(names, ["network-traffic"]);
    assert!(senders.is_empty());
    assert_eq!(
        settings.topics[0].dead_letters,
        "network-traffic.dead-letter"
    );
    assert_eq!(settings.predictions.as_deref(), Some("predictions"));
    assert_eq!(settings.alerts.as_deref(), Some("alerts"));
    assert_eq!(settings.group, "tripline");
}

#[test]
fn senders_are_checked_where_their_topic_is_external() {
    let list = file(
        "# ours\n192.0.2.0/24 # the lab\n\n2001:db8::7 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n",
    );
    let path = list.path().to_str().unwrap();
    let (settings, senders) = settings(&[
        "--kafka-brokers=a:1",
        "--kafka-topic=in",
        "--kafka-external-topic=x,y",
        "--kafka-senders",
        path,
        "--kafka-topic-principal=x=User:lab",
        "--kafka-incarnation=in=2026",
        "--kafka-alerts=",
        "--kafka-require-signed-senders",
    ])
    .unwrap()
    .unwrap();
    assert!(!settings.topics[0].checks_senders);
    assert_eq!(settings.topics[0].incarnation, "2026");
    assert!(settings.topics[1].checks_senders);
    let policy = &senders["x"];
    assert_eq!(policy.allowed.len(), 2);
    assert!(policy.require_signed_senders);
    assert_eq!(policy.topic_principal.as_deref(), Some("User:lab"));
    assert_eq!(senders["y"].topic_principal, None);
    assert_eq!(senders.len(), 2);
    assert_eq!(settings.alerts, None);
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let bad_key = file("192.0.2.7\n192.0.2.8 abc\n");
    let bad_address = file("192.0.2.7/99\n");
    let empty = file("# nobody\n");
    let path = |file: &tempfile::NamedTempFile| file.path().to_str().unwrap().to_owned();
    for (words, expected) in [
        (
            vec!["--kafka-brokers=localhost"],
            "'localhost' is no broker",
        ),
        (vec!["--kafka-brokers=a:1,b:0"], "'b:0' is no broker"),
        (vec!["--kafka-brokers=a:1,"], "'' is no broker"),
        (
            vec!["--kafka-brokers=a:1", "--kafka-group="],
            "--kafka-group is empty",
        ),
        (
            vec!["--kafka-brokers=a:1", "--kafka-topic=a b"],
            "expected a topic",
        ),
        (
            vec!["--kafka-brokers=a:1", "--kafka-topic=a,a"],
            "named twice",
        ),
        (
            vec!["--kafka-brokers=a:1", "--kafka-topic=alerts"],
            "--kafka-alerts: the topic 'alerts' is read",
        ),
        (
            vec![
                "--kafka-brokers=a:1",
                "--kafka-topic=a",
                "--kafka-dead-letters=a",
            ],
            "--kafka-dead-letters",
        ),
        (
            vec!["--kafka-brokers=a:1", "--kafka-external-topic=x"],
            "--kafka-senders",
        ),
        (
            vec![
                "--kafka-brokers=a:1",
                "--kafka-external-topic=x",
                "--kafka-senders=/nowhere",
            ],
            "cannot read /nowhere",
        ),
        (
            vec!["--kafka-brokers=a:1", "--kafka-senders", &path(&bad_key)],
            ":2: 'abc' is no Ed25519 key",
        ),
        (
            vec![
                "--kafka-brokers=a:1",
                "--kafka-senders",
                &path(&bad_address),
            ],
            ":1: '192.0.2.7/99' is no address",
        ),
        (
            vec!["--kafka-brokers=a:1", "--kafka-senders", &path(&empty)],
            "names no sender",
        ),
        (
            vec!["--kafka-brokers=a:1", "--kafka-incarnation=b=2"],
            "'b' is none of those",
        ),
        (
            vec!["--kafka-brokers=a:1", "--kafka-incarnation=b"],
            "expected TOPIC=TEXT",
        ),
        (
            vec!["--kafka-brokers=a:1", "--kafka-ca-file=x"],
            "--kafka-tls",
        ),
        (
            vec![
                "--kafka-brokers=a:1",
                "--kafka-tls",
                "--kafka-ca-file=/nowhere",
            ],
            "--kafka-ca-file: cannot read /nowhere",
        ),
        (
            vec!["--kafka-brokers=a:1", "--kafka-sasl=plain"],
            "--kafka-username",
        ),
        (
            vec![
                "--kafka-brokers=a:1",
                "--kafka-sasl=plain",
                "--kafka-username=me",
            ],
            "TRIPLINE_KAFKA_PASSWORD",
        ),
        (
            vec!["--kafka-brokers=a:1", "--kafka-sasl=md5"],
            "scram-sha-512",
        ),
        (
            vec!["--kafka-brokers=a:1", "--kafka-create-topics=0"],
            "0 is not in 1..=10000",
        ),
    ] {
        check_refused(&words, expected);
    }
}

#[test]
fn a_password_comes_from_a_file_and_is_never_shown() {
    let secret = file("hunter2\n");
    let path = secret.path().to_str().unwrap();
    let words = [
        "--kafka-brokers=a:1",
        "--kafka-sasl=scram-sha-256",
        "--kafka-username=me",
        "--kafka-password-file",
        path,
    ];
    let (settings, _) = settings(&words).unwrap().unwrap();
    let sasl = settings.connection.sasl.as_ref().unwrap();
    assert_eq!(sasl.password, Secret::new("hunter2"));
    assert!(!format!("{settings:?}").contains("hunter2"));
    let empty = file("\n");
    check_refused(
        &[
            "--kafka-brokers=a:1",
            "--kafka-sasl=plain",
            "--kafka-username=me",
            "--kafka-password-file",
            empty.path().to_str().unwrap(),
        ],
        "is empty",
    );
}
