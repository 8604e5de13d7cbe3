//! What becomes of spans that have ended: they wait in a bounded queue, one thread sends them, and
//! each is counted. Nothing waits for a collector; what finds no room or is not taken is dropped.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use opentelemetry::Context;
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{Span, SpanData, SpanExporter, SpanProcessor},
};

use super::collector::Heard;

/// Spans by what became of them: those that ended are the sum.
#[derive(Debug, Default)]
pub(super) struct Books {
    exported: AtomicU64,
    /// That found no room.
    overflown: AtomicU64,
    /// That were sent in vain.
    failed: AtomicU64,
    /// That the collector took and did not want.
    rejected: AtomicU64,
    pending: AtomicU64,
    trouble: Mutex<Option<Trouble>>,
}

/// Spans are being dropped.
#[derive(Debug, Clone)]
struct Trouble {
    reason: String,
    /// Dropped before it began.
    before: u64,
    /// Dropped when a batch was last taken.
    at_last: u64,
}

/// The books at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) exported: u64,
    /// With what became of them.
    pub(crate) dropped: [(&'static str, u64); 3],
    pub(crate) pending: u64,
    /// Why spans are being dropped, if they are.
    pub(crate) trouble: Option<String>,
}

impl Counts {
    /// Spans that were dropped, whatever the reason.
    pub(crate) fn dropped_in_all(&self) -> u64 {
        self.dropped.iter().map(|(_, count)| count).sum()
    }
}

impl Books {
    pub(super) fn counts(&self) -> Counts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            exported: read(&self.exported),
            dropped: [
                ("queue_full", read(&self.overflown)),
                ("failed", read(&self.failed)),
                ("rejected", read(&self.rejected)),
            ],
            pending: read(&self.pending),
            trouble: self.trouble().clone().map(|trouble| trouble.reason),
        }
    }

    fn trouble(&self) -> std::sync::MutexGuard<'_, Option<Trouble>> {
        // It is replaced whole.
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dropped(&self) -> u64 {
        self.counts_of_dropped().iter().sum()
    }

    fn counts_of_dropped(&self) -> [u64; 3] {
        [&self.overflown, &self.failed, &self.rejected].map(|count| count.load(Ordering::Relaxed))
    }

    /// Takes a place in the queue, unless it is full.
    fn enter(&self, room: u64) -> bool {
        let entered = self
            .pending
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |pending| {
                (pending < room).then_some(pending + 1)
            });
        entered.is_ok()
    }

    fn drop_for(&self, cause: &AtomicU64, count: u64, reason: impl FnOnce() -> String) {
        let mut trouble = self.trouble();
        let before = self.dropped();
        cause.fetch_add(count, Ordering::Relaxed);
        if trouble.is_none() {
            let reason = reason();
            tracing::warn!(reason, "spans are dropped; what is traced goes on");
            *trouble = Some(Trouble {
                reason,
                before,
                at_last: before,
            });
        }
    }

    /// A batch was taken. It is over when nothing was dropped since the last one was.
    fn taken(&self, count: u64) {
        self.exported.fetch_add(count, Ordering::Relaxed);
        let mut trouble = self.trouble();
        let Some(current) = &mut *trouble else {
            return;
        };
        let dropped = self.dropped();
        if std::mem::replace(&mut current.at_last, dropped) == dropped {
            let dropped = dropped - current.before;
            tracing::info!(dropped, "spans are exported again");
            *trouble = None;
        }
    }
}

/// Lets spans into a processor for as long as there is room. The processor's own queue is as long,
/// so that none is lost there without being counted.
#[derive(Debug)]
pub(super) struct Gate<P> {
    pub(super) inner: P,
    pub(super) books: Arc<Books>,
    pub(super) room: u64,
}

impl<P: SpanProcessor> SpanProcessor for Gate<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.inner.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.books.enter(self.room) {
            self.inner.on_end(span);
        } else {
            let overflown = &self.books.overflown;
            let reason = || format!("{} spans are waiting already", self.room);
            self.books.drop_for(overflown, 1, reason);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

/// Counts what an exporter does with spans.
#[derive(Debug)]
pub(super) struct Counting<E> {
    pub(super) inner: E,
    pub(super) books: Arc<Books>,
    pub(super) heard: Arc<Heard>,
}

impl<E: SpanExporter> SpanExporter for Counting<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len() as u64;
        let outcome = self.inner.export(batch).await;
        let rejected = self.heard.rejected().min(count);
        let failure = self.heard.failure();
        let books = &self.books;
        match &outcome {
            Ok(()) => {
                if rejected > 0 {
                    let reason = || "the collector rejects spans".to_owned();
                    books.drop_for(&books.rejected, rejected, reason);
                }
                books.taken(count - rejected);
            }
            Err(error) => {
                let reason = || failure.unwrap_or_else(|| words(error));
                books.drop_for(&books.failed, count, reason);
            }
        }
        books.pending.fetch_sub(count, Ordering::Relaxed);
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn shutdown(&self) -> OTelSdkResult {
        self.inner.shutdown()
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

fn words(error: &OTelSdkError) -> String {
    match error {
        OTelSdkError::InternalFailure(words) => words.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use opentelemetry::trace::{Tracer, TracerProvider};
    use opentelemetry_sdk::trace::{
        BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider,
    };

    use super::*;

    /// A collector that answers when the test lets it.
    #[derive(Debug)]
    struct Held {
        answers: Mutex<Receiver<OTelSdkResult>>,
    }

    impl SpanExporter for Held {
        async fn export(&self, _batch: Vec<SpanData>) -> OTelSdkResult {
            self.answers.lock().unwrap().recv().unwrap()
        }
    }

    fn held(
        room: usize,
    ) -> (
        SdkTracerProvider,
        SdkTracer,
        Arc<Books>,
        SyncSender<OTelSdkResult>,
    ) {
        let (answer, answers) = sync_channel(100);
        let books = Arc::new(Books::default());
        let exporter = Counting {
            inner: Held {
                answers: Mutex::new(answers),
            },
            books: Arc::clone(&books),
            heard: Arc::default(),
        };
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(room)
            .with_max_export_batch_size(room)
            .with_scheduled_delay(Duration::from_millis(1))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(Gate {
                inner: BatchSpanProcessor::new(exporter, config),
                books: Arc::clone(&books),
                room: room as u64,
            })
            .build();
        let tracer = provider.tracer("test");
        (provider, tracer, books, answer)
    }

    fn until(books: &Books, is_so: impl Fn(&Counts) -> bool) -> Counts {
        loop {
            let counts = books.counts();
            if is_so(&counts) {
                return counts;
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_collector_that_hangs_costs_spans_and_no_time() {
        let (provider, tracer, books, answer) = held(10);
        for _ in 0..1000 {
            drop(tracer.start("span"));
        }
        let counts = books.counts();
        assert_eq!(counts.pending, 10);
        assert_eq!(counts.dropped[0], ("queue_full", 990));
        assert!(counts.trouble.unwrap().contains("10 spans are waiting"));
        for _ in 0..20 {
            answer.send(Ok(())).unwrap();
        }
        let counts = until(&books, |counts| counts.pending == 0);
        assert_eq!((counts.exported, counts.dropped_in_all()), (10, 990));
        // Two batches without a loss between them, and it is over.
        for _ in 0..2 {
            drop(tracer.start("span"));
            until(&books, |counts| counts.pending == 0);
        }
        assert_eq!(books.counts().trouble, None);
        provider.shutdown().unwrap();
    }

    #[test]
    fn what_fails_is_counted_and_ends() {
        let (provider, tracer, books, answer) = held(10);
        answer
            .send(Err(OTelSdkError::InternalFailure("away".to_owned())))
            .unwrap();
        drop(tracer.start("span"));
        let counts = until(&books, |counts| counts.pending == 0);
        assert_eq!(counts.dropped[1], ("failed", 1));
        assert_eq!(counts.trouble.as_deref(), Some("away"));
        for exported in 1..=2 {
            answer.send(Ok(())).unwrap();
            drop(tracer.start("span"));
            let counts = until(&books, |counts| counts.pending == 0);
            assert_eq!((counts.exported, counts.dropped_in_all()), (exported, 1));
        }
        assert_eq!(books.counts().trouble, None);
        provider.shutdown().unwrap();
    }
}
