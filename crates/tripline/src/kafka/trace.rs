//! The trace of a batch of messages.
//!
//! Messages of a batch come from many traces, and a span for each would cost more than judging it.
//! So a batch has one span, linked to the traces of its messages; where all of them are of one trace
//! it is a part of that. What is told of a message goes on with the trace of the message, or else with
//! that of the batch. The names are those of OpenTelemetry for messaging.

use std::{collections::HashMap, sync::Arc};

use opentelemetry::{
    ContextGuard, KeyValue,
    trace::{SpanContext, SpanKind},
};
use tripline_kafka::{
    Batch, Header, Message, Outgoing,
    identity::{Place, offset_in_stream},
};
use tripline_store::Store;

use crate::traces::{self, New, Span, TRACEPARENT, TRACESTATE};

/// Links of a batch; further ones are counted. More than these would be cut off by the exporter.
const MAX_LINKS: usize = 128;

/// The trace of a batch, shared by its chunks; it ends with the last of them.
#[derive(Debug, Clone, Default)]
pub(super) struct BatchTrace(Option<Arc<Traced>>);

#[derive(Debug)]
struct Traced {
    span: Span,
    /// Traces of the messages, by their place in the stream, where they are several.
    own: HashMap<u64, SpanContext>,
}

impl BatchTrace {
    /// Begins with the batch. Where nothing is traced no message is looked at.
    pub(super) fn begin(batch: &Batch, group: &str) -> Self {
        if !traces::is_on() {
            return Self(None);
        }
        let messages = batch.messages.iter();
        let found: Vec<(u64, SpanContext)> = messages
            .filter_map(|message| {
                let offset = u64::try_from(message.offset).ok()?;
                Some((offset_in_stream(offset), context(message)?))
            })
            .collect();
        let parent = found.first().filter(|(_, first)| {
            let is_same = |(_, other): &(u64, SpanContext)| other.trace_id() == first.trace_id();
            found.len() == batch.messages.len() && found.iter().all(is_same)
        });
        let parent = parent.map(|(_, first)| first.clone());
        let new = || {
            let mut attributes = messaging("process", "process", &batch.topic);
            attributes.extend([
                KeyValue::new("messaging.consumer.group.name", group.to_owned()),
                KeyValue::new(
                    "messaging.destination.partition.id",
                    batch.partition.to_string(),
                ),
                KeyValue::new("messaging.batch.message_count", batch.messages.len() as i64),
            ]);
            if let Some(first) = batch.messages.first() {
                attributes.push(KeyValue::new("messaging.kafka.offset", first.offset));
            }
            let left_out = found.len().saturating_sub(MAX_LINKS);
            if left_out > 0 {
                attributes.push(KeyValue::new("tripline.links_left_out", left_out as i64));
            }
            New {
                name: format!("process {}", batch.topic).into(),
                kind: SpanKind::Consumer,
                attributes,
                links: found
                    .iter()
                    .take(MAX_LINKS)
                    .map(|(_, context)| context.clone())
                    .collect(),
                begun: None,
            }
        };
        let span = Span::root(parent.clone(), new).bounded();
        let own = match parent {
            Some(_) => HashMap::new(),
            None => found.into_iter().collect(),
        };
        Self(Some(Arc::new(Traced { span, own })))
    }

    /// Makes it the trace of what is done on this thread.
    pub(super) fn enter(&self) -> Option<ContextGuard> {
        self.0.as_ref()?.span.enter()
    }

    /// The step of reading and judging.
    pub(super) fn judge(&self) -> Span {
        self.child(|| New::step("judge"))
    }

    /// The step of storing.
    pub(super) fn store(&self, store: &dyn Store, rows: usize) -> Span {
        let span = self.child(|| New::step("store"));
        traces::describe_storing(&span, store, rows);
        span
    }

    /// The step of sending messages.
    pub(super) fn send(&self, topic: &str, messages: usize) -> Span {
        if messages == 0 {
            return Span::default();
        }
        self.child(|| {
            let mut attributes = messaging("send", "send", topic);
            let count = KeyValue::new("messaging.batch.message_count", messages as i64);
            attributes.push(count);
            New {
                name: format!("send {topic}").into(),
                kind: SpanKind::Producer,
                attributes,
                links: Vec::new(),
                begun: None,
            }
        })
    }

    /// Lets a message go on with the trace of the one that it tells of.
    pub(super) fn carry(&self, sending: &Span, place: Place, message: &mut Outgoing) {
        let Some(traced) = &self.0 else {
            return;
        };
        let own = traced.own.get(&place.offset_in_stream());
        let context = own.cloned().or_else(|| sending.context());
        let Some(context) = context.or_else(|| traced.span.context()) else {
            return;
        };
        let parent = Header::new(TRACEPARENT, traces::traceparent(&context));
        message.headers.push(parent);
        let state = context.trace_state().header();
        if !state.is_empty() {
            message.headers.push(Header::new(TRACESTATE, state));
        }
    }

    fn child(&self, new: impl FnOnce() -> New) -> Span {
        match &self.0 {
            Some(traced) => traced.span.child(new),
            None => Span::default(),
        }
    }
}

fn messaging(name: &'static str, kind: &'static str, topic: &str) -> Vec<KeyValue> {
    vec![
        KeyValue::new("messaging.system", "kafka"),
        KeyValue::new("messaging.operation.name", name),
        KeyValue::new("messaging.operation.type", kind),
        KeyValue::new("messaging.destination.name", topic.to_owned()),
    ]
}

/// The trace that a message says it belongs to.
fn context(message: &Message) -> Option<SpanContext> {
    traces::parse(message.header(TRACEPARENT)?, message.header(TRACESTATE))
}
