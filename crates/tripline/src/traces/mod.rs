//! Traces: what happened to a request, a file, a batch of messages, from its source to where its
//! verdicts go, exported by OTLP where the operator asks for it.
//!
//! There is one exporter in a process, as there is one log. Where nobody asked for traces every
//! function here returns after looking at one flag. Names of spans and attributes are those of
//! docs/tracing.md; none holds a value of a row, a header or an address with what may be secret.

mod collector;
mod context;
mod export;
mod settings;

use std::{
    borrow::Cow,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};

use anyhow::Context as _;
use opentelemetry::{
    Context, ContextGuard, KeyValue, Value,
    trace::{
        Link, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, Tracer, TracerProvider,
    },
};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider},
};
use tripline_store::Store;

use self::{
    collector::{Collector, Heard},
    export::{Books, Counting, Gate},
    settings::Settings,
};
pub(crate) use self::{
    context::{TRACEPARENT, TRACESTATE, of_headers, parse, traceparent},
    export::Counts,
};
use crate::cli::TraceArgs;

/// How long what waits may take to be sent at the end.
const END_PATIENCE: Duration = Duration::from_secs(5);
/// Steps of a file or a batch that get a span; the others are counted.
const MAX_STEPS: u32 = 64;

/// The exporter, once there is one.
static EXPORTER: OnceLock<Exporter> = OnceLock::new();

#[derive(Debug)]
struct Exporter {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    books: Arc<Books>,
    endpoint: String,
}

/// Whether what is asked for can be used; nothing is begun.
pub(crate) fn check(args: &TraceArgs) -> anyhow::Result<()> {
    read(args).map(|_| ())
}

fn read(args: &TraceArgs) -> anyhow::Result<Option<Settings>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the variables of OpenTelemetry are read"
    )]
    let variable = |name: &str| std::env::var(name).ok();
    Ok(Settings::read(args.otlp_endpoint.as_deref(), &variable)?)
}

/// Begins to export traces, if that is asked for. Not to be called on a thread that answers requests.
pub(crate) fn start(args: &TraceArgs) -> anyhow::Result<()> {
    let Some(settings) = read(args)? else {
        return Ok(());
    };
    let exporter = Exporter::new(&settings)?;
    tracing::info!(
        endpoint = exporter.endpoint,
        "traces are exported by OTLP over HTTP"
    );
    // It is started once.
    let _ = EXPORTER.set(exporter);
    Ok(())
}

/// Sends what waits, for a limited time.
pub(crate) fn stop() {
    let Some(exporter) = EXPORTER.get() else {
        return;
    };
    // Its outcome says less than the books.
    let _ = exporter.provider.shutdown_with_timeout(END_PATIENCE);
    let counts = exporter.books.counts();
    let dropped = counts.dropped_in_all() + counts.pending;
    if dropped > 0 {
        tracing::warn!(exported = counts.exported, dropped, "spans were dropped");
    } else {
        tracing::debug!(exported = counts.exported, "all spans are exported");
    }
}

/// The time, for a span that is begun later; `None` where nothing is traced.
pub(crate) fn now() -> Option<SystemTime> {
    is_on().then(opentelemetry::time::now)
}

/// The step of storing verdicts.
pub(crate) fn storing(store: &dyn Store, rows: usize) -> Span {
    let span = Span::step("store");
    describe_storing(&span, store, rows);
    span
}

/// Says which store takes how many rows.
pub(crate) fn describe_storing(span: &Span, store: &dyn Store, rows: usize) {
    span.set("db.system.name", store.backend());
    span.set("tripline.rows", rows as i64);
}

/// Where traces go and what became of spans; `None` where nothing is traced.
pub(crate) fn books() -> Option<(&'static str, Counts)> {
    let exporter = EXPORTER.get()?;
    Some((&exporter.endpoint, exporter.books.counts()))
}

/// Whether anything is traced.
pub(crate) fn is_on() -> bool {
    EXPORTER.get().is_some()
}

impl Exporter {
    fn new(settings: &Settings) -> anyhow::Result<Self> {
        let books = Arc::new(Books::default());
        let heard = Arc::new(Heard::default());
        let inner = SpanExporter::builder()
            .with_http()
            .with_http_client(Collector::new(settings, Arc::clone(&heard))?)
            .with_endpoint(settings.endpoint.as_str())
            .with_headers(settings.headers.0.clone())
            .with_timeout(settings.timeout)
            .with_protocol(opentelemetry_otlp::Protocol::HttpBinary)
            .build()
            .context("the exporter of traces")?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(settings.queue)
            .with_max_export_batch_size(settings.batch)
            .with_scheduled_delay(settings.delay)
            .build();
        let exporter = Counting {
            inner,
            books: Arc::clone(&books),
            heard,
        };
        let mut resource = Resource::builder().with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", uuid::Uuid::new_v4().to_string()),
        ]);
        if !settings.is_named {
            resource = resource.with_service_name("tripline");
        }
        let provider = SdkTracerProvider::builder()
            .with_sampler(settings.sampler.clone())
            .with_resource(resource.build())
            .with_span_processor(Gate {
                inner: BatchSpanProcessor::new(exporter, batches),
                books: Arc::clone(&books),
                room: settings.queue as u64,
            })
            .build();
        Ok(Self {
            tracer: provider.tracer("tripline"),
            provider,
            books,
            endpoint: settings.shown(),
        })
    }
}

/// What a span is to be.
#[derive(Debug)]
pub(crate) struct New {
    /// Its name, made of few words: never of a path or an identifier.
    pub(crate) name: Cow<'static, str>,
    /// On which side of what it stands.
    pub(crate) kind: SpanKind,
    /// What is known when it begins.
    pub(crate) attributes: Vec<KeyValue>,
    /// Other traces that it belongs to.
    pub(crate) links: Vec<SpanContext>,
    /// When it began, if that was earlier.
    pub(crate) begun: Option<SystemTime>,
}

impl New {
    /// Work inside of the process.
    pub(crate) fn step(name: &'static str) -> Self {
        Self {
            name: Cow::Borrowed(name),
            kind: SpanKind::Internal,
            attributes: Vec::new(),
            links: Vec::new(),
            begun: None,
        }
    }
}

/// A span that ends when this is dropped. Where nothing is traced it is none, and does nothing.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Span {
    context: Option<Context>,
    /// Of one whose steps are bounded.
    steps: Option<Arc<Steps>>,
}

/// How many steps something had, with a span or without.
#[derive(Debug, Default)]
struct Steps(AtomicU32);

impl Span {
    /// A span without a parent in this process; the context of whoever asked is its parent.
    /// `new` is only called when something is traced.
    pub(crate) fn root(parent: Option<SpanContext>, new: impl FnOnce() -> New) -> Self {
        let Some(exporter) = EXPORTER.get() else {
            return Self::default();
        };
        let parent = match parent {
            Some(parent) => Context::new().with_remote_span_context(parent),
            None => Context::new(),
        };
        exporter.begin(new(), &parent)
    }

    /// A step of what goes on on this thread.
    pub(crate) fn step(name: &'static str) -> Self {
        if !is_on() {
            return Self::default();
        }
        Self::below(&Context::current(), || New::step(name))
    }

    /// A step of this.
    pub(crate) fn child(&self, new: impl FnOnce() -> New) -> Self {
        match &self.context {
            Some(context) => Self::below(context, new),
            None => Self::default(),
        }
    }

    fn below(parent: &Context, new: impl FnOnce() -> New) -> Self {
        let exporter = EXPORTER.get();
        exporter.map_or_else(Self::default, |exporter| exporter.below(parent, new))
    }

    /// The same, with a bound on the spans of its steps: those of a file or a batch can be many.
    pub(crate) fn bounded(mut self) -> Self {
        if let Some(context) = self.context.take() {
            let steps = Arc::new(Steps::default());
            self.context = Some(context.with_value(Arc::clone(&steps)));
            self.steps = Some(steps);
        }
        self
    }

    /// Says something about it.
    pub(crate) fn set(&self, key: &'static str, value: impl Into<Value>) {
        if let Some(context) = &self.context {
            context.span().set_attribute(KeyValue::new(key, value));
        }
    }

    /// Says that it failed, in words that are the same for all failures of a kind.
    pub(crate) fn fail(&self, kind: impl Into<Cow<'static, str>>) {
        if let Some(context) = &self.context {
            let span = context.span();
            let kind = kind.into();
            span.set_attribute(KeyValue::new("error.type", kind.to_string()));
            span.set_status(Status::error(kind));
        }
    }

    /// What others need to go on with its trace.
    pub(crate) fn context(&self) -> Option<SpanContext> {
        let context = self.context.as_ref()?;
        Some(context.span().span_context().clone()).filter(SpanContext::is_valid)
    }

    /// Where work belongs that is done for it; where there is none, where this thread's work does.
    pub(crate) fn surroundings(&self) -> Context {
        self.context.clone().unwrap_or_else(Context::current)
    }

    /// Makes it the one that goes on on this thread.
    pub(crate) fn enter(&self) -> Option<ContextGuard> {
        self.context.clone().map(Context::attach)
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        let Some(context) = &self.context else {
            return;
        };
        let span = context.span();
        if let Some(steps) = &self.steps {
            let left_out = steps.0.load(Ordering::Relaxed).saturating_sub(MAX_STEPS);
            if left_out > 0 {
                let left_out = i64::from(left_out);
                span.set_attribute(KeyValue::new("tripline.steps_left_out", left_out));
            }
        }
        // Others may hold its context for longer.
        span.end();
    }
}

impl Exporter {
    fn below(&self, parent: &Context, new: impl FnOnce() -> New) -> Span {
        if !parent.span().span_context().is_sampled() {
            return Span::default();
        }
        let is_one_too_many = parent
            .get::<Arc<Steps>>()
            .is_some_and(|steps| steps.0.fetch_add(1, Ordering::Relaxed) >= MAX_STEPS);
        if is_one_too_many {
            return Span::default();
        }
        self.begin(new(), parent)
    }

    fn begin(&self, new: New, parent: &Context) -> Span {
        let links = new.links.into_iter().map(Link::with_context).collect();
        let mut builder = SpanBuilder::from_name(new.name)
            .with_kind(new.kind)
            .with_attributes(new.attributes)
            .with_links(links);
        builder.start_time = new.begun;
        let span = self.tracer.build_with_context(builder, parent);
        Span {
            context: Some(parent.with_span(span)),
            steps: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use opentelemetry_sdk::{
        error::OTelSdkResult,
        trace::{Sampler, SimpleSpanProcessor, SpanData},
    };

    use super::*;

    #[derive(Debug, Clone, Default)]
    struct Kept(Arc<Mutex<Vec<SpanData>>>);

    impl opentelemetry_sdk::trace::SpanExporter for Kept {
        async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
            self.0.lock().unwrap().append(&mut batch);
            Ok(())
        }
    }

    fn exporter(sampler: Sampler) -> (Exporter, Kept) {
        let kept = Kept::default();
        let provider = SdkTracerProvider::builder()
            .with_sampler(sampler)
            .with_span_processor(SimpleSpanProcessor::new(kept.clone()))
            .build();
        let exporter = Exporter {
            tracer: provider.tracer("test"),
            provider,
            books: Arc::default(),
            endpoint: String::new(),
        };
        (exporter, kept)
    }

    #[test]
    fn the_steps_of_a_batch_are_bounded_and_the_others_counted() {
        let (exporter, kept) = exporter(Sampler::AlwaysOn);
        let batch = exporter
            .begin(New::step("batch"), &Context::new())
            .bounded();
        let context = batch.surroundings();
        for _ in 0..100 {
            drop(exporter.below(&context, || New::step("store")));
        }
        drop(batch);
        // Whoever holds its context for longer does not keep it from ending.
        let spans = kept.0.lock().unwrap();
        assert_eq!(spans.len(), 65);
        let [steps @ .., batch] = spans.as_slice() else {
            panic!("no batch");
        };
        let parent = batch.span_context.span_id();
        assert!(steps.iter().all(|step| step.parent_span_id == parent));
        let left_out = KeyValue::new("tripline.steps_left_out", 36);
        assert_eq!(batch.attributes, [left_out]);
        drop(context);
    }

    #[test]
    fn what_is_not_sampled_has_a_context_and_no_steps() {
        let (exporter, kept) = exporter(Sampler::AlwaysOff);
        let root = exporter.begin(New::step("root"), &Context::new());
        assert!(!root.context().unwrap().is_sampled());
        let step = exporter.below(&root.surroundings(), || {
            panic!("it is not asked what it is")
        });
        assert!(step.context().is_none());
        drop((step, root));
        assert!(kept.0.lock().unwrap().is_empty());
    }
}
