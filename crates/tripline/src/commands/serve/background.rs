//! What a server does beside answering.

use std::{sync::Arc, time::Duration};

use tokio::time::MissedTickBehavior;
use tripline_store::Store;

use crate::{clock, config::Live};

/// How often old verdicts are deleted.
const RETENTION_INTERVAL: Duration = Duration::from_mins(1);
/// How often the log of writes is copied into the database.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);

pub(super) fn spawn_checkpoints(store: Arc<dyn Store>) {
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

/// Deletes what the settings of the moment do not let stay.
pub(super) fn spawn_retention(store: Arc<dyn Store>, live: Live) {
    tokio::spawn(async move {
        let mut interval = tokio::time::interval(RETENTION_INTERVAL);
        loop {
            interval.tick().await;
            let policy = live.now().retention;
            if policy.max_age_micros.is_none() && policy.max_bytes.is_none() {
                continue;
            }
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
