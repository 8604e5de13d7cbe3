//! The log: lines for people, or one JSON object a line for programs.
//!
//! A line of JSON has `timestamp` (RFC 3339, UTC), `level`, `target` and `fields` with `message` in
//! it; beside them the `request_id` of the request it was written for, and `trace_id` and `span_id`
//! where that is being traced.

use std::{
    error::Error,
    fmt::{self, Debug, Write as _},
    io::{IsTerminal, Write as _},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use opentelemetry::{Context, trace::TraceContextExt};
use serde::Serialize;
use serde_json::{Map, Value};
use tracing::{Event, Subscriber, field::Visit};
use tracing_log::NormalizeEvent;
use tracing_subscriber::{
    EnvFilter,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
    reload::Handle,
};

use crate::{api::rfc3339, clock};

/// The identifier of the request that work is done for, in the context of that work.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) Arc<str>);

/// Exchanges the filter of the log.
static FILTER: OnceLock<Box<dyn Fn(EnvFilter) + Send + Sync>> = OnceLock::new();
/// Whether programs read the log.
static IS_JSON: AtomicBool = AtomicBool::new(false);

/// Whether errors are to be told to programs, also before the log begins.
pub(crate) fn speak(json: bool) {
    IS_JSON.store(json, Ordering::Relaxed);
}

/// Begins to log to standard error.
pub(crate) fn start(filter: &str, json: bool) {
    fn keep<S: 'static>(handle: Handle<EnvFilter, S>) {
        // The log is started once.
        let _ = FILTER.set(Box::new(move |filter| {
            if let Err(error) = handle.reload(filter) {
                tracing::error!(%error, "the filter of the log could not be exchanged");
            }
        }));
    }
    speak(json);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr);
    if json {
        let builder = builder.event_format(JsonLines).with_filter_reloading();
        keep(builder.reload_handle());
        builder.init();
        std::panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(ToString::to_string);
            let words = panic.payload_as_str().unwrap_or("it said nothing");
            tracing::error!(place, "a thread panicked: {words}");
        }));
    } else {
        let is_terminal = std::io::stderr().is_terminal();
        let builder = builder.with_ansi(is_terminal).with_filter_reloading();
        keep(builder.reload_handle());
        builder.init();
    }
}

/// Logs by another filter from now on.
pub(crate) fn filter(filter: &str) {
    if let Some(exchange) = FILTER.get() {
        exchange(EnvFilter::new(filter));
    }
}

/// Says why a command failed, whatever is filtered.
pub(crate) fn tell_error(words: &str) {
    let line = if IS_JSON.load(Ordering::Relaxed) {
        let fields = Map::from_iter([("message".to_owned(), Value::from(words))]);
        Line::now("ERROR", env!("CARGO_CRATE_NAME"), fields).text()
    } else {
        format!("error: {words}")
    };
    // There is nobody else to tell.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Writes events as JSON.
struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let normalized = event.normalized_metadata();
        let metadata = normalized.as_ref().unwrap_or_else(|| event.metadata());
        let mut fields = Fields::default();
        event.record(&mut fields);
        let line = Line::now(metadata.level().as_str(), metadata.target(), fields.0);
        writer.write_str(&line.text())?;
        writer.write_char('\n')
    }
}

#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    level: &'a str,
    target: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_id: Option<String>,
    fields: Map<String, Value>,
}

impl<'a> Line<'a> {
    fn now(level: &'a str, target: &'a str, fields: Map<String, Value>) -> Self {
        let context = Context::current();
        let span = context.span();
        let traced = Some(span.span_context()).filter(|span| span.is_valid() && span.is_sampled());
        Self {
            timestamp: rfc3339(clock::now()),
            level,
            target,
            request_id: context.get::<RequestId>().map(|id| Arc::clone(&id.0)),
            trace_id: traced.map(|span| span.trace_id().to_string()),
            span_id: traced.map(|span| span.span_id().to_string()),
            fields,
        }
    }

    fn text(&self) -> String {
        // Texts and numbers alone cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The fields of an event.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &tracing::field::Field, value: impl Into<Value>) {
        // Where a record of the older interface came from is in `target`.
        if !field.name().starts_with("log.") {
            self.0.insert(field.name().to_owned(), value.into());
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &tracing::field::Field, value: bool) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &tracing::field::Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &tracing::field::Field, value: u64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &tracing::field::Field, value: f64) {
        match serde_json::Number::from_f64(value) {
            Some(number) => self.put(field, number),
            // JSON has no infinities.
            None => self.put(field, value.to_string()),
        }
    }

    fn record_error(&mut self, field: &tracing::field::Field, value: &(dyn Error + 'static)) {
        let mut words = value.to_string();
        let mut cause = value.source();
        while let Some(deeper) = cause {
            // Writing to a text cannot fail.
            let _ = write!(words, ": {deeper}");
            cause = deeper.source();
        }
        self.put(field, words);
    }
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Mutex};

    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
    use serde_json::json;
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Written {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    /// The one line that `log` writes.
    fn line(log: impl FnOnce()) -> Value {
        let written = Written::default();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(written.clone())
            .event_format(JsonLines)
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let bytes = written.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        let (line, rest) = text.split_once('\n').unwrap();
        assert_eq!(rest, "", "more than a line: {text}");
        serde_json::from_str(line).unwrap()
    }

    #[test]
    fn a_line_is_one_object_whatever_stands_in_it() {
        let hostile = "}\n{\"level\":\"ERROR\"}\r\n\u{1b}[31m\u{2028}\0\"";
        let line = line(|| {
            tracing::warn!(
                text = hostile,
                number = 7,
                ratio = f64::NAN,
                yes = true,
                "{hostile}"
            );
        });
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["target"], "tripline::logs::tests");
        assert_eq!(
            line["fields"],
            json!({"message": hostile, "text": hostile, "number": 7, "ratio": "NaN", "yes": true})
        );
        let time = line["timestamp"].as_str().unwrap();
        assert!(time.ends_with('Z') && time.len() == 27, "{time}");
        assert!(line.get("trace_id").is_none() && line.get("request_id").is_none());
    }

    #[test]
    fn a_line_names_request_trace_and_span() {
        let span = |flags| {
            SpanContext::new(
                TraceId::from(0xab),
                SpanId::from(0xcd),
                flags,
                false,
                TraceState::default(),
            )
        };
        let within = |flags| {
            let context = Context::new()
                .with_value(RequestId("one".into()))
                .with_remote_span_context(span(flags));
            line(|| {
                let _within = context.attach();
                tracing::info!("hello");
            })
        };
        let traced = within(TraceFlags::SAMPLED);
        assert_eq!(traced["trace_id"], format!("{:032x}", 0xab));
        assert_eq!(traced["span_id"], format!("{:016x}", 0xcd));
        assert_eq!(traced["request_id"], "one");
        let other = within(TraceFlags::default());
        assert!(other.get("trace_id").is_none() && other.get("span_id").is_none());
        assert_eq!(other["request_id"], "one");
    }

    #[test]
    fn an_error_comes_with_its_causes() {
        let cause = io::Error::other("the disk is full");
        let error = anyhow::Error::new(cause).context("cannot write");
        let error: &(dyn Error + 'static) = error.as_ref();
        let line = line(|| tracing::error!(error, "it failed"));
        assert_eq!(line["fields"]["error"], "cannot write: the disk is full");
    }
}
