//! Traces of messages: what is told of them goes on with the trace that they came with.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use tripline_kafka::{Compression, Header, Outgoing};

use crate::{
    harness::{
        Names, Server, broker, connection, message, producer, read, records, row, send,
        shipped_models, text,
    },
    otlp::{Collector, Manner, attribute, child, hex, is_of},
};

fn parent(trace: u32, span: u32) -> String {
    format!("00-{trace:032x}-{span:016x}-01")
}

fn traced(mut message: Outgoing, parent: &str) -> Outgoing {
    message.headers.push(Header::new("traceparent", parent));
    message
}

#[test]
fn a_batch_is_linked_to_its_messages_and_predictions_go_on_with_their_traces() {
    let broker = broker();
    let connection = connection(&broker.address());
    let names = Names::new();
    names.make(&connection, 1);
    let collector = Collector::start(Manner::Takes);
    let producer = producer(&connection, Compression::None);
    let records = records(5);
    let payload = |number: usize| {
        let record = row(&records[number], number);
        message(&names.input, serde_json::Value::Object(record))
    };
    // Two traces, one message without any, and one whose header is nonsense; then a poisoned one.
    send(
        &producer,
        &[
            traced(payload(0), &parent(0xa1, 1)),
            traced(payload(1), &parent(0xa2, 2)),
            payload(2),
            traced(payload(3), "00-hostile"),
            traced(message(&names.input, "no JSON"), &parent(0xa3, 3)),
        ],
    );
    let data = tempfile::tempdir().unwrap();
    let mut options = names.options(&broker.address());
    options.push(format!("--otlp-endpoint={}", collector.url()));
    let server = Server::start(data.path(), &shipped_models(), &options);
    let told = read(&connection, &names.predictions, |told| told.len() >= 4);
    server.settled_books(&names.input, 5);

    // A batch of which every message is of one trace is a part of it.
    send(&producer, &[traced(payload(4), &parent(0xb1, 9))]);
    let all = read(&connection, &names.predictions, |told| told.len() >= 5);
    server.settled_books(&names.input, 6);
    server.stop();

    let process = format!("process {}", names.input);
    let batch = collector.wait_for(|span| span.name == process && span.links.len() == 3);
    assert!(is_of(&batch, SpanKind::Consumer));
    assert!(batch.parent_span_id.is_empty());
    let links = batch.links.iter();
    let links: Vec<String> = links.map(|link| hex(&link.trace_id)).collect();
    assert_eq!(
        links,
        [0xa1, 0xa2, 0xa3].map(|trace| format!("{trace:032x}"))
    );
    assert_eq!(attribute(&batch, "messaging.system"), "kafka");
    assert_eq!(attribute(&batch, "messaging.batch.message_count"), "5");
    assert_eq!(
        attribute(&batch, "messaging.consumer.group.name"),
        names.group
    );
    assert_eq!(attribute(&batch, "messaging.destination.partition.id"), "0");
    let spans = collector.of_trace(&batch.trace_id);
    child(&spans, &batch, "judge");
    let store = child(&spans, &batch, "store");
    assert_eq!(attribute(store, "db.system.name"), "sqlite");
    assert_eq!(attribute(store, "tripline.rows"), "4");
    let sent = child(&spans, &batch, &format!("send {}", names.predictions));
    assert!(is_of(sent, SpanKind::Producer));
    child(&spans, &batch, &format!("send {}.dead-letter", names.input));

    let mut parents = BTreeMap::<String, usize>::new();
    for told in &told {
        *parents
            .entry(text(told, "traceparent").to_owned())
            .or_default() += 1;
    }
    let of_batch = format!("00-{}-{}-01", hex(&batch.trace_id), hex(&sent.span_id));
    let expected = [(parent(0xa1, 1), 1), (parent(0xa2, 2), 1), (of_batch, 2)];
    assert_eq!(parents, BTreeMap::from(expected));

    let alone = collector.wait_for(|span| span.name == process && span.links.len() == 1);
    assert_eq!(hex(&alone.trace_id), format!("{:032x}", 0xb1));
    assert_eq!(hex(&alone.parent_span_id), format!("{:016x}", 9));
    let spans = collector.of_trace(&alone.trace_id);
    let sent = child(&spans, &alone, &format!("send {}", names.predictions));
    let last = text(all.last().unwrap(), "traceparent");
    assert_eq!(last, format!("00-{:032x}-{}-01", 0xb1, hex(&sent.span_id)));
}
