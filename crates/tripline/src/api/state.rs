//! What every request shares.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use opentelemetry::Context;
use tokio::sync::Semaphore;
use tripline_detect::ModelSet;
use tripline_store::{Backend, BatchId, NewStream, Progress, Source, Store, StoreError, Timestamp};

use super::{
    error::ApiError, metrics::Metrics, realtime::RealtimeWriter, scorers::ScorerPool,
    sources::Sources, stream::Hub, test_traffic::TestTraffic,
};
use crate::{
    config::{Live, Reloads, Settings},
    kafka::KafkaHandle,
    registry::Models,
    retraining::Retrainer,
};

/// Uploads that are judged at a time; each takes some 30 MB, whatever the size of its file. A
/// capture counts as several of them, for its table of flows.
const CONCURRENT_UPLOADS: usize = 8;

/// What every request shares; clones are the same state.
#[derive(Debug, Clone)]
pub struct AppState(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Arc<dyn Backend>,
    models: Arc<Models>,
    retrainer: OnceLock<Arc<Retrainer>>,
    kafka: OnceLock<KafkaHandle>,
    live: Live,
    reloads: Reloads,
    clock: fn() -> Timestamp,
    scorers: ScorerPool,
    realtime: RealtimeWriter,
    upload_slots: Arc<Semaphore>,
    uploads: Mutex<HashMap<BatchId, Arc<LiveProgress>>>,
    sources: Sources,
    hub: Hub,
    test_traffic: TestTraffic,
    metrics: Metrics,
}

impl AppState {
    /// Opens the stream of single scores and starts the thread that writes it.
    pub fn new(
        store: Arc<dyn Backend>,
        models: Arc<Models>,
        live: Live,
        clock: fn() -> Timestamp,
    ) -> anyhow::Result<Self> {
        let stream = store.open_stream(&NewStream {
            key: BatchId::from_bytes(*uuid::Uuid::new_v4().as_bytes()),
            source: Source::Realtime,
            created_at: clock(),
        })?;
        let sources = Sources::open(&*store, live.now().host.as_deref(), clock())?;
        let realtime = RealtimeWriter::start(store.clone(), stream)?;
        Ok(Self(Arc::new(Shared {
            store,
            models,
            retrainer: OnceLock::new(),
            kafka: OnceLock::new(),
            live,
            reloads: Reloads::new(clock()),
            clock,
            scorers: ScorerPool::default(),
            realtime,
            upload_slots: Arc::new(Semaphore::new(CONCURRENT_UPLOADS)),
            uploads: Mutex::default(),
            sources,
            hub: Hub::default(),
            test_traffic: TestTraffic::default(),
            metrics: Metrics::default(),
        })))
    }

    /// The settings that hold now. A request asks once and keeps the answer.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.0.live.now()
    }

    /// Where settings are exchanged.
    pub(crate) fn live_settings(&self) -> &Live {
        &self.0.live
    }

    /// What has become of exchanging them.
    pub(crate) fn reloads(&self) -> &Reloads {
        &self.0.reloads
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.0.clock)()
    }

    pub(crate) fn clock(&self) -> fn() -> Timestamp {
        self.0.clock
    }

    /// Those who listen to verdicts as they fall.
    pub(crate) fn hub(&self) -> &Hub {
        &self.0.hub
    }

    /// Generated records.
    pub(crate) fn test_traffic(&self) -> &TestTraffic {
        &self.0.test_traffic
    }

    /// What is counted as it happens.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn sources(&self) -> &Sources {
        &self.0.sources
    }

    /// The store, for threads that outlive a request.
    pub(crate) fn shared_store(&self) -> Arc<dyn Store> {
        self.0.store.clone()
    }

    /// The models in use now.
    pub(crate) fn models(&self) -> Arc<ModelSet> {
        Arc::clone(self.0.models.serving().active())
    }

    /// Lets models be trained anew.
    #[must_use]
    pub fn with_retrainer(self, retrainer: Arc<Retrainer>) -> Self {
        // It is given once.
        let _ = self.0.retrainer.set(retrainer);
        self
    }

    pub(crate) fn retrainer(&self) -> Option<Arc<Retrainer>> {
        self.0.retrainer.get().cloned()
    }

    /// Shows how a worker of Kafka is doing.
    #[must_use]
    pub fn with_kafka(self, kafka: KafkaHandle) -> Self {
        // It is given once.
        let _ = self.0.kafka.set(kafka);
        self
    }

    pub(crate) fn kafka(&self) -> Option<&KafkaHandle> {
        self.0.kafka.get()
    }

    /// Every version, and which of them judge.
    pub(crate) fn registry(&self) -> &Arc<Models> {
        &self.0.models
    }

    pub(crate) fn scorers(&self) -> &ScorerPool {
        &self.0.scorers
    }

    pub(crate) fn realtime(&self) -> &RealtimeWriter {
        &self.0.realtime
    }

    pub(crate) fn upload_slots(&self) -> Arc<Semaphore> {
        Arc::clone(&self.0.upload_slots)
    }

    /// The store, for threads that may block.
    pub(crate) fn store(&self) -> &dyn Backend {
        &*self.0.store
    }

    /// Does blocking work away from the threads that answer.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let state = self.clone();
        // The work belongs to the request there too.
        let context = Context::current();
        let work = move || {
            let _within = context.attach();
            work(&state)
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(ApiError::internal)?
    }

    /// Asks the store.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Backend) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ApiError> {
        self.blocking(|state| question(state.store()).map_err(ApiError::from))
            .await
    }

    /// Takes an identifier for an upload for as long as the reservation lives; `None` when
    /// another upload has it.
    pub(crate) fn reserve(&self, batch: BatchId) -> Option<Reservation> {
        let mut uploads = self.uploads();
        if uploads.contains_key(&batch) {
            return None;
        }
        let progress = Arc::new(LiveProgress::default());
        uploads.insert(batch, Arc::clone(&progress));
        drop(uploads);
        Some(Reservation {
            state: self.clone(),
            batch,
            progress,
        })
    }

    /// How far an upload that this process is working on has come.
    pub(crate) fn live(&self, batch: BatchId) -> Option<Progress> {
        self.uploads().get(&batch).map(|progress| progress.read())
    }

    fn uploads(&self) -> MutexGuard<'_, HashMap<BatchId, Arc<LiveProgress>>> {
        // A map of identifiers cannot be left half changed.
        self.0
            .uploads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The progress of an upload between two writes to the store.
#[derive(Debug, Default)]
pub(crate) struct LiveProgress {
    bytes_read: AtomicU64,
    rows_scored: AtomicU64,
    rows_rejected: AtomicU64,
}

impl LiveProgress {
    /// Counts bytes that were read.
    pub(crate) fn add_bytes(&self, bytes: u64) {
        self.bytes_read.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts rows that are stored or rejected.
    pub(crate) fn add_rows(&self, scored: u64, rejected: u64) {
        self.rows_scored.fetch_add(scored, Ordering::Relaxed);
        self.rows_rejected.fetch_add(rejected, Ordering::Relaxed);
    }

    /// The counts now.
    pub(crate) fn read(&self) -> Progress {
        let rows_scored = self.rows_scored.load(Ordering::Relaxed);
        let rows_rejected = self.rows_rejected.load(Ordering::Relaxed);
        Progress {
            bytes_read: self.bytes_read.load(Ordering::Relaxed),
            rows_read: rows_scored + rows_rejected,
            rows_scored,
            rows_rejected,
        }
    }
}

/// An identifier that no other upload can take.
#[derive(Debug)]
pub(crate) struct Reservation {
    state: AppState,
    batch: BatchId,
    progress: Arc<LiveProgress>,
}

impl Reservation {
    /// The identifier.
    pub(crate) fn batch(&self) -> BatchId {
        self.batch
    }

    /// Where progress is counted.
    pub(crate) fn progress(&self) -> &Arc<LiveProgress> {
        &self.progress
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.state.uploads().remove(&self.batch);
    }
}
