//! What cannot be judged, and its way back.

use std::process::Command;

use serde_json::{Value, json};
use tripline_kafka::{Compression, Header, Message};

use crate::harness::*;

const NSL_ONLY: [&str; 2] = ["nsl-kdd-detector-full", "nsl-kdd-classifier-full"];

#[test]
fn poison_is_kept_with_its_bytes_and_comes_back_after_a_fix() {
    let broker = broker();
    let connection = connection(&broker.address());
    let names = Names::new();
    names.make(&connection, 1);
    let folder = tempfile::tempdir().unwrap();
    let records = records(10);
    // No model of the folder judges flows of this schema: that will be put right.
    let unknown = json!({"schema": "cicflow", "schema_version": 1, "features": cicflow_row()});
    let mut negative = Value::Object(row(&records[2], 2));
    negative["src_bytes"] = json!(-5);
    let mut poison = vec![
        (unknown.to_string().into_bytes(), "rejected", "cicflow"),
        (b"\xff\xfe{".to_vec(), "not_json", ""),
        (Vec::new(), "empty", "no payload"),
        (b"[1]".to_vec(), "shape", "expected a JSON object"),
        (
            negative.to_string().into_bytes(),
            "rejected",
            "'src_bytes': ",
        ),
        (
            json!({"schema": "x", "rows": [{"a": 1}]})
                .to_string()
                .into_bytes(),
            "rejected",
            "'x'",
        ),
        (
            json!({"schema": "nsl-kdd", "schema_version": 9, "rows": [{"flag": "SF"}]})
                .to_string()
                .into_bytes(),
            "rejected",
            "is 9, expected 1",
        ),
        // One bad row of two: nothing of the message is stored.
        (
            json!([row(&records[1], 1), negative])
                .to_string()
                .into_bytes(),
            "rejected",
            "row 2 of 2",
        ),
    ];
    let messages: Vec<_> = poison
        .iter()
        .map(|(payload, _, _)| {
            let mut message = message(&names.input, "");
            message.payload = Some(payload.clone());
            message.key = Some(b"k".to_vec());
            message.headers = vec![Header::new("trace", "7")];
            message
        })
        .chain([message(&names.input, Value::Object(row(&records[0], 0)))])
        .collect();
    send(&producer(&connection, Compression::Zstd), &messages);

    let data = folder.path().join("data");
    let options = names.options(&broker.address());
    let some = some_models(folder.path(), &NSL_ONLY);
    let server = Server::start(&data, &some, &options);
    let books = server.settled_books(&names.input, messages.len() as u64);
    assert_eq!(
        (&books["scored"], &books["dead_lettered"]),
        (&json!(1), &json!(poison.len()))
    );
    server.stop();

    let letters_topic = format!("{}.dead-letter", names.input);
    let letters = read(&connection, &letters_topic, |letters| {
        letters.len() >= poison.len()
    });
    for (letter, (offset, (payload, cause, words))) in
        letters.iter().zip(poison.drain(..).enumerate())
    {
        assert_eq!(letter.payload.as_deref().unwrap_or_default(), payload);
        assert_eq!(letter.key.as_deref(), Some(&b"k"[..]));
        assert_eq!(text(letter, "dead-letter-cause"), cause);
        let reason = text(letter, "dead-letter-reason");
        assert!(reason.contains(words), "{reason}");
        assert_eq!(text(letter, "dead-letter-topic"), names.input);
        assert_eq!(text(letter, "dead-letter-offset"), offset.to_string());
        assert_eq!(text(letter, "original.trace"), "7");
    }

    // They can be looked at, which changes nothing: the replay below finds them all.
    let list = |arguments: &[&str]| list(&broker.address(), &names, arguments);
    check_list(&list(&["--json"]), &letters, &names.input);
    let two = list(&["--limit=2"]);
    assert!(two.contains("2 of up to 8 dead letters"), "{two}");
    assert_eq!(two.matches("reason:").count(), 2, "{two}");

    // The fix: all models. The rest is poison still and gets another letter.
    let server = Server::start(&data, &shipped_models(), &options);
    let replay = || {
        let output = Command::new(env!("CARGO_BIN_EXE_tripline"))
            .args(["dead-letters", "replay", "--json", "--most-replays=1"])
            .arg(format!("--kafka-brokers={}", broker.address()))
            .arg(format!("--topic={}", names.input))
            .arg(format!("--group={}-letters", names.group))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let count = letters.len() as u64;
    let replayed = replay();
    assert_eq!(
        (&replayed["sent"], &replayed["is_complete"]),
        (&json!(count), &json!(true))
    );
    let books = server.settled_books(&names.input, count);
    assert_eq!(
        (&books["scored"], &books["dead_lettered"]),
        (&json!(1), &json!(count - 1))
    );
    let listed: Value = serde_json::from_str(&list(&["--json", "--limit=100"])).unwrap();
    let shown = listed["letters"].as_array().unwrap();
    let passed = shown.iter().filter(|one| one["is_passed"] == true).count() as u64;
    assert_eq!((shown.len() as u64, passed), (2 * count - 1, count));
    // They were sent back once, and not again.
    let replayed = replay();
    assert_eq!(
        (&replayed["sent"], &replayed["too_often"]),
        (&json!(0), &json!(count - 1))
    );
    server.stop();
    let schemas: Vec<String> = stored(&data)
        .iter()
        .map(|verdict| verdict.provenance.schema.clone())
        .collect();
    assert_eq!(schemas.len(), 2);
    assert!(schemas.contains(&"cicflow".to_owned()), "{schemas:?}");
}

/// What `dead-letters list` prints.
fn list(brokers: &str, names: &Names, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_tripline"))
        .args(["dead-letters", "list"])
        .arg(format!("--kafka-brokers={brokers}"))
        .arg(format!("--topic={}", names.input))
        .arg(format!("--group={}-letters", names.group))
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Whether a list as JSON says what stands in the letters, of which none was sent back.
fn check_list(listed: &str, letters: &[Message], input: &str) {
    let listed: Value = serde_json::from_str(listed).unwrap();
    assert_eq!(
        (&listed["places"], &listed["is_complete"]),
        (&json!(letters.len()), &json!(true))
    );
    let shown = listed["letters"].as_array().unwrap();
    assert_eq!(shown.len(), letters.len());
    for (shown, letter) in shown.iter().rev().zip(letters) {
        assert_eq!(shown["cause"], text(letter, "dead-letter-cause"));
        assert_eq!(shown["reason"], text(letter, "dead-letter-reason"));
        let original = &shown["original"];
        assert_eq!(original["topic"], input);
        assert_eq!(
            original["offset"].to_string(),
            text(letter, "dead-letter-offset")
        );
        let bytes = letter.payload.as_ref().map_or(0, Vec::len);
        assert_eq!(original["bytes"], bytes);
        assert_eq!(
            (&shown["attempts"], &shown["replayed"], &shown["is_passed"]),
            (&json!(1), &json!(0), &json!(false))
        );
    }
    assert_eq!(shown[shown.len() - 2]["preview"], r"\xff\xfe{");
}

fn cicflow_row() -> Value {
    let schema = tripline_features::cicflow();
    let features = schema.features().iter();
    features
        .map(|feature| (feature.name.to_owned(), json!(1)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
