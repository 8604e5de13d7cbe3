//! Follows what other workers on the same store do to the models: told by the store where it can
//! tell, and asked for each second all the same, since what is told over a connection can be lost
//! with it.

use std::{sync::Arc, thread, time::Duration};

use tokio::{
    sync::{Notify, watch},
    time::MissedTickBehavior,
};

use crate::registry::Models;

/// How often it is asked whether other models are to judge.
const POLL: Duration = Duration::from_secs(1);
/// How long to listen before it is looked whether the connection lives.
const LISTEN: Duration = Duration::from_secs(30);
/// How long to wait before listening begins anew.
const PAUSE: Duration = Duration::from_secs(1);

/// Begins; it ends with the server.
pub(super) fn start(models: Arc<Models>, stop: watch::Receiver<bool>) -> std::io::Result<()> {
    let told = Arc::new(Notify::new());
    let (wake, heard, stopped) = (Arc::clone(&told), Arc::clone(&models), stop.clone());
    // Nobody waits for its end: it only reads, and it may be listening for a while yet.
    thread::Builder::new()
        .name("model-listener".to_owned())
        .spawn(move || listen(&heard, &stopped, &wake))?;
    tokio::spawn(follow(models, stop, told));
    Ok(())
}

/// Wakes whoever follows, each time that somebody tells of a change.
fn listen(models: &Models, stop: &watch::Receiver<bool>, told: &Notify) {
    let mut known = models.epoch();
    let mut is_lost = false;
    // The sender goes with the server.
    while !*stop.borrow() && stop.has_changed().is_ok() {
        match models.hear(known, LISTEN) {
            Ok(None) => return,
            Ok(Some(epoch)) => {
                if is_lost {
                    tracing::info!("the store tells of changed models again");
                }
                is_lost = false;
                if epoch != known {
                    known = epoch;
                    told.notify_one();
                }
            }
            Err(error) => {
                if !is_lost {
                    tracing::warn!(
                        %error,
                        "the store cannot tell of changed models; it is asked each second"
                    );
                }
                is_lost = true;
                thread::sleep(PAUSE);
            }
        }
    }
}

async fn follow(models: Arc<Models>, mut stop: watch::Receiver<bool>, told: Arc<Notify>) {
    let mut interval = tokio::time::interval(POLL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = interval.tick() => {}
            () = told.notified() => {}
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
