mod background;
mod following;
mod signals;
pub(super) mod store;

use std::{io::Write, path::Path, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::net::TcpListener;
use tripline_store::Backend;

pub(super) use self::signals::stop_signal;
use self::{
    background::{spawn_checkpoints, spawn_retention},
    signals::{hangups, reload_on},
};
use super::{chain, processors};
use crate::{
    api::{self, AppState},
    cli::ServeArgs,
    clock,
    config::{
        Configuration, Live, Loader, Prepared, Problems, Reloader, Settings, unknown_variables,
    },
    holdouts,
    kafka::{KafkaSettings, KafkaWorker, Surroundings},
    model_files,
    monitor::Monitor,
    registry::Models,
    retraining::{RetrainConfig, Retrainer},
    traces, webhooks,
};

/// How long requests in flight may take to finish at the end.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(10);

/// Serves until it is told to stop; `loader` is what `configuration` was read with, and will be again.
pub(super) fn run(
    args: &ServeArgs,
    loader: Loader,
    configuration: Configuration,
) -> anyhow::Result<ExitCode> {
    traces::start(&args.traces)?;
    let runtime = runtime()?;
    let served = runtime.block_on(async {
        let hangups = hangups()?;
        let tell = |url: &str| writeln!(std::io::stdout(), "listening on {url}");
        let server = Server::start(args, tell).await?;
        let reloader = Reloader::new(loader, configuration, server.state.clone());
        tokio::spawn(reload_on(hangups, reloader));
        server.run(stop_signal()).await
    });
    // Work on blocking threads has its own patience; a hanging client must not keep the process.
    runtime.shutdown_timeout(SHUTDOWN_PATIENCE);
    traces::stop();
    served?;
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
        for text in unknown_variables() {
            tracing::warn!("{text}");
        }
        // What was typed wrong is told before anything is made, and all of it.
        let mut problems = Problems::default();
        let prepared = Prepared::new(args, &mut problems);
        problems.into_result()?;
        let prepared = prepared.context("the options cannot be used")?;
        std::fs::create_dir_all(&args.data_dir)
            .with_context(|| format!("cannot make the data folder {}", args.data_dir.display()))?;
        let about = || format!("cannot listen on {}", args.listen);
        let listener = std::net::TcpListener::bind(args.listen).with_context(about)?;
        listener.set_nonblocking(true).with_context(about)?;
        let url = format!("http://{}", listener.local_addr()?);
        let mut listens = Some(listens);
        let mut tell = || listens.take().map_or(Ok(()), |listens| listens(&url));
        let store = match prepared.postgres {
            None => store::embedded(&args.data_dir)?,
            Some(options) => store::shared(options, &listener, &mut tell).await?,
        };
        // The store may block, which a thread that answers requests must be told.
        let (settings, kafka) = (prepared.settings, prepared.kafka);
        let server = tokio::task::block_in_place(|| {
            Self::assemble(args, settings, kafka, store, listener, &url)
        })?;
        tell()?;
        Ok(server)
    }

    fn assemble(
        args: &ServeArgs,
        mut settings: Settings,
        kafka: Option<KafkaSettings>,
        store: Arc<dyn Backend>,
        listener: std::net::TcpListener,
        url: &str,
    ) -> anyhow::Result<Self> {
        settings.admission.holdouts = holdouts::open(&args.holdout)?.into();
        let live = Live::new(settings);
        let folder = &args.models.models_dir;
        let models = open_models(folder, Arc::clone(&store), live.clone())?;
        let models = Arc::new(models);
        let state = AppState::new(
            Arc::clone(&store),
            Arc::clone(&models),
            live.clone(),
            clock::now,
        )?;
        state.start_sources(args.capture.as_deref())?;
        let (stop, stopped) = tokio::sync::watch::channel(false);
        tokio::spawn(webhooks::run(
            Arc::clone(&store),
            live.clone(),
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
                    live: live.clone(),
                    clock: clock::now,
                };
                KafkaWorker::start(settings, surroundings)
            })
            .transpose()?;
        let state = match &kafka {
            Some(worker) => state.with_kafka(worker.handle()),
            None => state,
        };
        following::start(models, stopped)?;
        spawn_checkpoints(store.clone());
        spawn_retention(store, live);
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

/// A damaged bundle is logged and left out; the others serve. Health tells which roles lack a
/// model.
fn open_models(folder: &Path, store: Arc<dyn Backend>, live: Live) -> anyhow::Result<Models> {
    let (files, refused) = model_files::read_folder(folder)?;
    for error in &refused {
        tracing::error!(error = chain(error), "model bundle refused");
    }
    let models = Models::open(store, &files, live, clock::now)?;
    if models.serving().active().models().is_empty() {
        tracing::error!(folder = %folder.display(), "no model is loaded: nothing can be judged");
    }
    Ok(models)
}
