use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwap;
use tripline_kafka::sender::SenderPolicy;
use tripline_store::RetentionPolicy;

use crate::{registry::AdmissionRules, webhooks::WebhookConfig};

/// What the operator decides, and may decide anew while the server runs.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Rows of an upload up to which the answer holds every prediction.
    pub full_list_rows: u64,
    /// Largest upload in bytes, the form around the file included.
    pub max_upload_bytes: u64,
    /// Threads that judge one upload.
    pub workers: usize,
    /// Names under which this server may be asked, besides loopback names and addresses.
    pub allowed_hosts: Vec<String>,
    /// Whether no records may be generated for a test.
    pub refuses_test_traffic: bool,
    /// The name of this machine, where others share the store.
    pub host: Option<String>,
    /// What a model from outside has to bring.
    pub admission: AdmissionRules,
    /// Which verdicts may stay.
    pub retention: RetentionPolicy,
    /// Who is told of changes of models.
    pub webhooks: WebhookConfig,
    /// What is asked of senders, by topic of Kafka.
    pub senders: BTreeMap<String, SenderPolicy>,
}

/// The settings that hold now. All of them are exchanged at once: whoever asks gets those before or
/// those after, and a piece of work keeps what it was given.
#[derive(Debug, Clone, Default)]
pub struct Live(Arc<ArcSwap<Settings>>);

impl Live {
    /// Begins with these.
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(settings)))
    }

    /// What holds now.
    pub fn now(&self) -> Arc<Settings> {
        self.0.load_full()
    }

    /// Lets others hold from now on.
    pub fn exchange(&self, settings: Settings) {
        self.0.store(Arc::new(settings));
    }
}
