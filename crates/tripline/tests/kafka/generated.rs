//! Generated records go to the topic that the worker reads, and come back as anybody's do.

use serde_json::json;

use crate::harness::*;

#[test]
fn generated_records_go_the_way_of_messages() {
    let broker = broker();
    let connection = connection(&broker.address());
    let names = Names::new();
    names.make(&connection, 1);
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data, &shipped_models(), &names.options(&broker.address()));
    let sent = server.post("/api/v1/test/send-single?model_type=threat_detection", "");
    assert_eq!(
        (&sent["topic"], &sent["traffic_data_id"]),
        (&json!(names.input), &json!(null)),
        "{sent}"
    );
    for kind in ["threat_detection", "attack_classification"] {
        let order = json!({"count": 10, "interval": 0.01, "model_type": kind});
        let started = server.post("/api/v1/test/start-stream", &order.to_string());
        assert_eq!(started["topic"], names.input, "{started}");
    }
    until("the end of the streams", || {
        server.get("/api/v1/test/stream")["streams"] == json!([])
    });
    let own = server.get("/api/v1/test/stream")["books"].clone();
    assert_eq!(
        (&own["generated"], &own["sent"], &own["pending"]),
        (&json!(21), &json!(21), &json!(0)),
        "{own}"
    );
    let books = server.settled_books(&names.input, 21);
    assert_eq!(
        (
            &books["scored"],
            &books["verdicts"],
            &books["dead_lettered"]
        ),
        (&json!(21), &json!(21), &json!(0))
    );
    server.stop();
    let verdicts = stored(&data);
    assert_eq!(verdicts.len(), 21);
    let of = |schema: &str| {
        let of_schema = verdicts
            .iter()
            .filter(|one| one.provenance.schema == schema);
        of_schema.count()
    };
    assert_eq!((of("nsl-kdd"), of("cicflow")), (11, 10));
    let messages = read(&connection, &names.input, |messages| messages.len() >= 21);
    assert_eq!(body(&messages[0]), sent["data"]);
    for message in &messages {
        assert_eq!(text(message, "generated-by"), "tripline");
    }
}
