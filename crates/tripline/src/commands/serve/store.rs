//! The store that a server uses: embedded in a file, or a PostgreSQL that several share.

use std::{path::Path, sync::Arc, time::Duration};

use tokio::{net::TcpListener, sync::watch};
use tripline_store::{Backend, PostgresOptions, PostgresStore, SqliteOptions, SqliteStore, Store};

use super::super::chain;
use crate::{api, clock};

/// Name of the database in the data folder.
pub(in crate::commands) const DATABASE: &str = "tripline.db";
/// How often a database that is away is asked for. The store itself spaces out its attempts.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// Opens the file in the data folder.
pub(super) fn embedded(data_dir: &Path) -> anyhow::Result<Arc<dyn Backend>> {
    let store = SqliteStore::open(
        &data_dir.join(DATABASE),
        &SqliteOptions::default(),
        clock::now(),
    )?;
    Ok(Arc::new(store))
}

/// Opens a PostgreSQL. While it cannot be reached, the listener answers what is waited for; `waits` is
/// called when that begins.
pub(super) async fn shared(
    options: PostgresOptions,
    listener: &std::net::TcpListener,
    waits: impl FnOnce() -> std::io::Result<()>,
) -> anyhow::Result<Arc<dyn Backend>> {
    let store = Arc::new(PostgresStore::open_when_reachable(options, clock::now())?);
    let Some(reason) = ask(&store).await? else {
        return Ok(store);
    };
    tracing::warn!(
        reason,
        "the database cannot be reached; it is tried again, and health tells"
    );
    waits()?;
    let (reasons, reason) = watch::channel(reason);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let listener = TcpListener::from_std(listener.try_clone()?)?;
    let waiting = tokio::spawn(api::serve_waiting(listener, reason, async {
        // Dropped with an error of what comes below.
        let _ = stopped.await;
    }));
    loop {
        tokio::time::sleep(ASK_AGAIN).await;
        match ask(&store).await? {
            Some(reason) => reasons.send_replace(reason),
            None => break,
        };
    }
    drop(stop);
    waiting.await??;
    tracing::info!(database = store.place(), "the database is there");
    Ok(store)
}

/// Why the database cannot be reached; an error when waiting would not help.
async fn ask(store: &Arc<PostgresStore>) -> anyhow::Result<Option<String>> {
    let store = Arc::clone(store);
    match tokio::task::spawn_blocking(move || store.health()).await? {
        Ok(_) => Ok(None),
        Err(error) if error.is_retryable() => Ok(Some(chain(&error.into()))),
        Err(error) => Err(error.into()),
    }
}
