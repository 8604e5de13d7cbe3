pub(super) mod store;

use std::{io::Write, net::IpAddr, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use tokio::{net::TcpListener, time::MissedTickBehavior};
use tripline_detect::signature::TrustList;
use tripline_store::{Backend, RetentionPolicy, Store};

use super::{chain, processors};
use crate::{
    api::{self, AppConfig, AppState},
    cli::ServeArgs,
    clock, holdouts,
    kafka::{KafkaSettings, KafkaWorker, Surroundings},
    model_files,
    monitor::Monitor,
    registry::{AdmissionRules, Models, Unsigned},
    retraining::{RetrainConfig, Retrainer},
    webhooks::{self, WebhookConfig},
};

/// How often old verdicts are deleted.
const RETENTION_INTERVAL: Duration = Duration::from_mins(1);
/// How often the log of writes is copied into the database.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);
/// How often it is asked whether other models are to judge.
const FOLLOW_INTERVAL: Duration = Duration::from_secs(1);
/// How long requests in flight may take to finish at the end.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn run(args: &ServeArgs) -> anyhow::Result<ExitCode> {
    let runtime = runtime()?;
    runtime.block_on(async {
        let tell = |url: &str| writeln!(std::io::stdout(), "listening on {url}");
        let server = Server::start(args, tell).await?;
        server.run(stop_signal()).await
    })?;
    // Work on blocking threads has its own patience; a hanging client must not keep the process.
    runtime.shutdown_timeout(SHUTDOWN_PATIENCE);
    Ok(ExitCode::SUCCESS)
}

/// The threads that answer requests. One processor is left to the thread that writes scores, which
/// all requests wait for.
pub(super) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(processors().saturating_sub(1).max(1))
        .enable_all()
        .build()
}

/// A server that listens but does not answer yet.
pub(super) struct Server {
    /// Where it listens.
    pub(super) url: String,
    listener: TcpListener,
    state: AppState,
    monitor: Monitor,
    kafka: Option<KafkaWorker>,
    /// Ends background work when it is told.
    stop: tokio::sync::watch::Sender<bool>,
}

impl Server {
    /// Makes everything ready. `listens` is told the address when somebody answers there, or will with
    /// the next step.
    pub(super) async fn start(
        args: &ServeArgs,
        listens: impl FnOnce(&str) -> std::io::Result<()>,
    ) -> anyhow::Result<Self> {
        if !is_local(args.listen.ip()) && !args.allow_remote {
            bail!(
                "--listen {}: other machines reach this address and nobody has to log in; \
                 listen on 127.0.0.1 behind a proxy that asks, or say --allow-remote",
                args.listen
            );
        }
        // What was typed wrong is told before anything is made.
        let kafka = args.kafka.settings()?;
        let postgres = store::postgres(&args.database)?;
        std::fs::create_dir_all(&args.data_dir)
            .with_context(|| format!("cannot make the data folder {}", args.data_dir.display()))?;
        let about = || format!("cannot listen on {}", args.listen);
        let listener = std::net::TcpListener::bind(args.listen).with_context(about)?;
        listener.set_nonblocking(true).with_context(about)?;
        let url = format!("http://{}", listener.local_addr()?);
        let mut listens = Some(listens);
        let mut tell = || listens.take().map_or(Ok(()), |listens| listens(&url));
        let store = match postgres {
            None => store::embedded(&args.data_dir)?,
            Some(options) => store::shared(options, &listener, &mut tell).await?,
        };
        // The store may block, which a thread that answers requests must be told.
        let server =
            tokio::task::block_in_place(|| Self::assemble(args, kafka, store, listener, &url))?;
        tell()?;
        Ok(server)
    }

    fn assemble(
        args: &ServeArgs,
        kafka: Option<KafkaSettings>,
        store: Arc<dyn Backend>,
        listener: std::net::TcpListener,
        url: &str,
    ) -> anyhow::Result<Self> {
        let webhooks = webhook_config(args)?;
        let models = Arc::new(open_models(args, Arc::clone(&store), &webhooks)?);
        let config = AppConfig {
            full_list_rows: args.full_list_rows,
            max_upload_bytes: args.max_upload_bytes,
            workers: args.workers.unwrap_or_else(processors).max(1),
            allowed_hosts: args.allow_host.clone(),
            admission: admission_rules(args)?,
        };
        let state = AppState::new(Arc::clone(&store), Arc::clone(&models), config, clock::now)?;
        state.start_sources(args.capture.as_deref())?;
        let (stop, stopped) = tokio::sync::watch::channel(false);
        tokio::spawn(webhooks::run(
            Arc::clone(&store),
            webhooks,
            clock::now,
            stopped.clone(),
        ));
        let retrainer = Arc::new(Retrainer::start(
            Arc::clone(&store),
            Arc::clone(&models),
            RetrainConfig {
                folder: args.data_dir.join("retraining"),
                training_data: args.training_data.clone(),
                holdouts: args.holdout.clone(),
                program: None,
            },
            clock::now,
        )?);
        let state = state.with_retrainer(retrainer);
        let monitor = Monitor::start(Arc::clone(&store), Arc::clone(&models), clock::now)?;
        let kafka = kafka
            .map(|settings| {
                let surroundings = Surroundings {
                    store: store.clone(),
                    models: Arc::clone(&models),
                    clock: clock::now,
                };
                KafkaWorker::start(settings, surroundings)
            })
            .transpose()?;
        let state = match &kafka {
            Some(worker) => state.with_kafka(worker.handle()),
            None => state,
        };
        tokio::spawn(follow_models(models, stopped));
        spawn_checkpoints(store.clone());
        spawn_retention(store, args);
        Ok(Self {
            url: url.to_owned(),
            listener: TcpListener::from_std(listener)?,
            state,
            monitor,
            kafka,
            stop,
        })
    }

    pub(super) async fn run(
        self,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let state = self.state.clone();
        let served = api::serve(self.listener, self.state, stop).await;
        // Nobody may be left to hear it.
        let _ = self.stop.send(true);
        let (monitor, kafka) = (self.monitor, self.kafka);
        tokio::task::spawn_blocking(move || {
            if let Some(kafka) = kafka {
                kafka.stop();
            }
            drop(monitor);
            state.stop_sources();
        })
        .await?;
        served
    }
}

fn is_local(address: IpAddr) -> bool {
    address.is_loopback()
}

/// A damaged bundle is logged and left out; the others serve. Health tells which roles lack a
/// model.
fn open_models(
    args: &ServeArgs,
    store: Arc<dyn Backend>,
    webhooks: &WebhookConfig,
) -> anyhow::Result<Models> {
    let folder = &args.models.models_dir;
    let (files, refused) = model_files::read_folder(folder)?;
    for error in &refused {
        tracing::error!(error = chain(error), "model bundle refused");
    }
    let told = webhooks.targets.iter().map(ToString::to_string).collect();
    let models = Models::open(store, &files, told, clock::now)?;
    models.set_unsigned(args.unsigned_models);
    if models.serving().active().models().is_empty() {
        tracing::error!(folder = %folder.display(), "no model is loaded: nothing can be judged");
    }
    Ok(models)
}

/// Looks whether another worker on the same store has changed which models judge.
async fn follow_models(models: Arc<Models>, mut stop: tokio::sync::watch::Receiver<bool>) {
    let mut interval = tokio::time::interval(FOLLOW_INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = interval.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let models = Arc::clone(&models);
        match tokio::task::spawn_blocking(move || models.follow()).await {
            Ok(Ok(true)) => tracing::info!("the models that judge have changed"),
            Ok(Ok(false)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "it is not known which models are to judge"),
            Err(error) => tracing::error!(%error, "following the models stopped once"),
        }
    }
}

/// Longest list of trusted keys.
const MAX_KEYS_BYTES: u64 = 64 << 10;

fn admission_rules(args: &ServeArgs) -> anyhow::Result<AdmissionRules> {
    let trust = match &args.trusted_keys {
        None => TrustList::default(),
        Some(path) => {
            let about = || format!("list of trusted keys {}", path.display());
            let length = std::fs::metadata(path).with_context(about)?.len();
            if length > MAX_KEYS_BYTES {
                bail!("{}: {length} bytes are more than 64 KiB", about());
            }
            TrustList::parse(&std::fs::read_to_string(path).with_context(about)?)
                .with_context(about)?
        }
    };
    if args.unsigned_models != Unsigned::Allowed && trust.is_empty() {
        bail!("--unsigned-models: nobody is trusted; name a list of keys with --trusted-keys");
    }
    Ok(AdmissionRules {
        holdouts: holdouts::open(&args.holdout)?,
        trust,
        unsigned: args.unsigned_models,
    })
}

/// Longest file that holds a secret.
const MAX_SECRET_BYTES: u64 = 4096;

fn webhook_config(args: &ServeArgs) -> anyhow::Result<WebhookConfig> {
    let secret = match &args.webhook_secret_file {
        None => None,
        Some(path) => {
            let about = || format!("cannot read the webhook secret in {}", path.display());
            let length = std::fs::metadata(path).with_context(about)?.len();
            if length > MAX_SECRET_BYTES {
                bail!(
                    "{} has {length} bytes, expected a secret of at most 64",
                    path.display()
                );
            }
            Some(std::fs::read_to_string(path).with_context(about)?)
        }
    };
    Ok(WebhookConfig::new(
        &args.webhook,
        secret.as_deref(),
        &args.webhook_allow,
    )?)
}

fn spawn_checkpoints(store: Arc<dyn Store>) {
    tokio::spawn(async move {
        let mut interval = tokio::time::interval(CHECKPOINT_INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            let store = Arc::clone(&store);
            match tokio::task::spawn_blocking(move || store.checkpoint()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::warn!(%error, "the log could not be copied into the database");
                }
                Err(error) => tracing::error!(%error, "a checkpoint stopped"),
            }
        }
    });
}

fn spawn_retention(store: Arc<dyn Store>, args: &ServeArgs) {
    let policy = RetentionPolicy {
        max_age_micros: args
            .retain_days
            .map(|days| i64::from(days) * 86_400_000_000),
        max_bytes: args.retain_bytes,
        ..RetentionPolicy::default()
    };
    if policy.max_age_micros.is_none() && policy.max_bytes.is_none() {
        return;
    }
    tokio::spawn(async move {
        let mut interval = tokio::time::interval(RETENTION_INTERVAL);
        loop {
            interval.tick().await;
            let store = Arc::clone(&store);
            let outcome =
                tokio::task::spawn_blocking(move || store.retain(&policy, clock::now())).await;
            match outcome {
                Ok(Ok(outcome)) if outcome.rows_deleted > 0 => {
                    tracing::info!(
                        rows = outcome.rows_deleted,
                        bytes = outcome.bytes_freed,
                        "old verdicts deleted"
                    );
                }
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::warn!(%error, "old verdicts could not be deleted"),
                Err(error) => tracing::error!(%error, "the deletion of old verdicts stopped"),
            }
        }
    });
}

/// Resolves when the process is asked to stop.
pub(super) async fn stop_signal() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
