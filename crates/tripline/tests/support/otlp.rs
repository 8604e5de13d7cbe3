//! A collector of traces: a small HTTP server that decodes what OTLP sends.

use std::{
    collections::HashMap,
    fmt::Write as _,
    io::{Read, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{Span, span::SpanKind},
};
use prost::Message;

/// Nothing is asserted about time; this is when a test gives up.
const LIMIT: Duration = Duration::from_mins(3);

/// What a collector does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Takes it.
    Takes,
    /// Reads it and never says a word.
    Hangs,
}

/// What has come in.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) spans: Vec<Span>,
    /// What every request said of who sends.
    pub(crate) resource: HashMap<String, String>,
    /// Heads of requests.
    pub(crate) heads: Vec<String>,
}

/// A collector on a port of its own.
#[derive(Debug)]
pub(crate) struct Collector {
    pub(crate) port: u16,
    taken: Arc<Mutex<Taken>>,
}

impl Collector {
    pub(crate) fn start(manner: Manner) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), manner)
    }

    pub(crate) fn on(listener: TcpListener, manner: Manner) -> Self {
        let port = listener.local_addr().unwrap().port();
        let taken = Arc::new(Mutex::new(Taken::default()));
        let told = Arc::clone(&taken);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let told = Arc::clone(&told);
                thread::spawn(move || converse(stream.unwrap(), manner, &told));
            }
        });
        Self { port, taken }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Looks at what has come in.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Taken) -> T) -> T {
        look(&self.taken.lock().unwrap())
    }

    /// Waits for a span that is as it should be.
    pub(crate) fn wait_for(&self, is_it: impl Fn(&Span) -> bool) -> Span {
        let end = Instant::now() + LIMIT;
        loop {
            let found = self.look(|taken| taken.spans.iter().find(|span| is_it(span)).cloned());
            if let Some(span) = found {
                return span;
            }
            assert!(Instant::now() < end, "the span never came: {self:?}");
            thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// The spans of a trace that have come in.
    pub(crate) fn of_trace(&self, trace_id: &[u8]) -> Vec<Span> {
        self.look(|taken| {
            let of_trace = taken.spans.iter().filter(|span| span.trace_id == trace_id);
            of_trace.cloned().collect()
        })
    }
}

fn converse(mut stream: TcpStream, manner: Manner, told: &Mutex<Taken>) {
    let mut bytes = Vec::new();
    let mut piece = [0; 8192];
    loop {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            match stream.read(&mut piece) {
                Ok(0) | Err(_) => return,
                Ok(read) => bytes.extend_from_slice(&piece[..read]),
            }
            continue;
        };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        let length = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let length: usize = length.unwrap().1.parse().unwrap();
        while bytes.len() < end + 4 + length {
            match stream.read(&mut piece) {
                Ok(0) | Err(_) => return,
                Ok(read) => bytes.extend_from_slice(&piece[..read]),
            }
        }
        let body: Vec<u8> = bytes.drain(..end + 4 + length).skip(end + 4).collect();
        {
            let request = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
            let mut told = told.lock().unwrap();
            told.heads.push(head);
            for of_resource in request.resource_spans {
                told.resource = texts(&of_resource.resource.unwrap().attributes);
                let scopes = of_resource.scope_spans.into_iter();
                told.spans.extend(scopes.flat_map(|scope| scope.spans));
            }
        }
        if manner == Manner::Hangs {
            // Until the other end has enough.
            while matches!(stream.read(&mut piece), Ok(read) if read > 0) {}
            return;
        }
        let answer =
            b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
        if stream.write_all(answer).is_err() {
            return;
        }
    }
}

/// Attributes as texts.
pub(crate) fn texts(attributes: &[KeyValue]) -> HashMap<String, String> {
    let text = |attribute: &KeyValue| match attribute
        .value
        .as_ref()
        .and_then(|value| value.value.as_ref())
    {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        Some(Value::BoolValue(is_so)) => is_so.to_string(),
        other => format!("{other:?}"),
    };
    let attributes = attributes.iter();
    attributes
        .map(|attribute| (attribute.key.clone(), text(attribute)))
        .collect()
}

/// An attribute of a span.
pub(crate) fn attribute(span: &Span, key: &str) -> String {
    let mut found = texts(&span.attributes);
    found
        .remove(key)
        .unwrap_or_else(|| panic!("no {key}: {span:?}"))
}

/// Digits as they stand in headers.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

/// The span that stands below another, by its name.
pub(crate) fn child<'a>(spans: &'a [Span], parent: &Span, name: &str) -> &'a Span {
    let is_it = |span: &&Span| span.parent_span_id == parent.span_id && span.name == name;
    let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    let found = spans.iter().find(is_it);
    found.unwrap_or_else(|| panic!("no {name} below {}: {names:?}", parent.name))
}

/// Whether a span is of a kind.
pub(crate) fn is_of(span: &Span, kind: SpanKind) -> bool {
    span.kind == kind as i32
}
