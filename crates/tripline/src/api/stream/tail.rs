//! What is new in the store.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::time::MissedTickBehavior;
use tripline_store::{Order, Stage, StoreError, Timestamp, VerdictFilter, VerdictId};

use super::{Event, LIVE, rfc3339, stats};
use crate::api::state::AppState;

/// How often the store is read.
const TICK: Duration = Duration::from_millis(250);
/// How often the figures are told, if they have changed.
const STATS: Duration = Duration::from_secs(2);
/// A verdict is stored after it was given: by up to so many microseconds it may come late.
const LATE: i64 = 2_000_000;
/// Verdicts of one source that are read at a time. Where there are more, a part is left out and told so:
/// nobody can read them as they fall.
const AT_A_TIME: usize = 5_000;

/// Reads until nobody listens.
pub(super) async fn run(state: AppState) {
    let mut tail = Tail::new(state.now());
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_failing = false;
    loop {
        ticks.tick().await;
        if state.hub().may_rest() {
            return;
        }
        let read = state
            .blocking(move |state| {
                let events = tail.read(state);
                Ok((tail, events))
            })
            .await;
        // Only a panic loses it.
        let Ok((kept, events)) = read else {
            tracing::error!("the reading of new verdicts has stopped; it begins anew");
            tail = Tail::new(state.now());
            continue;
        };
        tail = kept;
        match events {
            Ok(events) => {
                is_failing = false;
                if !events.is_empty() {
                    // Whoever has gone meanwhile misses nothing.
                    let _ = state.hub().batches.send(events.into());
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut is_failing, true) {
                    tracing::warn!(%error, "new verdicts cannot be read; it is tried again");
                }
            }
        }
    }
}

struct Tail {
    from: Timestamp,
    /// What was told, with its time, for as long as it may be read again.
    seen: HashMap<(VerdictId, Stage), Timestamp>,
    /// The last figures.
    told: Option<Event>,
    told_at: Instant,
}

impl Tail {
    fn new(from: Timestamp) -> Self {
        Self {
            from,
            seen: HashMap::new(),
            told: None,
            told_at: Instant::now(),
        }
    }

    fn read(&mut self, state: &AppState) -> Result<Vec<Event>, StoreError> {
        let now = state.now();
        // A clock that was set back begins anew from where it is.
        self.from = self.from.min(now);
        let since = Timestamp(self.from.0.saturating_sub(LATE));
        let mut newest = self.from;
        let mut found = Vec::new();
        let mut is_too_much = false;
        for source in LIVE {
            let filter = VerdictFilter {
                source: Some(source),
                created_from: Some(since),
                order: Order::OldestFirst,
                ..VerdictFilter::default()
            };
            let page = state.store().list(&filter, AT_A_TIME)?;
            is_too_much |= page.next.is_some();
            for verdict in &page.verdicts {
                newest = newest.max(verdict.created_at);
                let key = (verdict.id, verdict.stage);
                if self.seen.insert(key, verdict.created_at).is_none() {
                    found.push(Event::of_verdict(verdict));
                }
            }
        }
        found.sort_by_key(|event| event.place);
        if is_too_much {
            found.push(Event::new(
                "skipped",
                json!({
                    "message": "more verdicts fall than can be told; these are left out",
                    "data": { "from": rfc3339(newest), "to": rfc3339(now) },
                }),
            ));
            newest = now;
        }
        self.from = newest.min(now);
        let before = Timestamp(self.from.0.saturating_sub(2 * LATE));
        self.seen.retain(|_, at| *at >= before);
        if self.told.is_none() || self.told_at.elapsed() >= STATS {
            self.told_at = Instant::now();
            if let Ok(event) = stats(state)
                && self
                    .told
                    .as_ref()
                    .is_none_or(|told| told.text != event.text)
            {
                self.told = Some(event.clone());
                found.push(event);
            }
        }
        Ok(found)
    }
}
