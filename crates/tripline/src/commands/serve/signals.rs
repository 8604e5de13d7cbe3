//! What the process is told from outside.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::Reloader;

/// SIGHUP from now on; before, it would have ended the process.
pub(super) fn hangups() -> std::io::Result<Signal> {
    signal(SignalKind::hangup())
}

/// Reads the configuration anew with every SIGHUP. Those that come meanwhile are one.
pub(super) async fn reload_on(mut hangups: Signal, mut reloader: Reloader) {
    while hangups.recv().await.is_some() {
        let done = tokio::task::spawn_blocking(move || {
            reloader.reload();
            reloader
        });
        reloader = match done.await {
            Ok(reloader) => reloader,
            Err(error) => {
                tracing::error!(%error, "reading the configuration anew stopped for good");
                return;
            }
        };
    }
}

/// Resolves when the process is asked to stop.
pub(in crate::commands) async fn stop_signal() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let terminate = async {
        match signal(SignalKind::terminate()) {
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
