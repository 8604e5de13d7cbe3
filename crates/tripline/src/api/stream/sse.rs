//! The same messages as server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).

use std::{
    collections::{HashSet, VecDeque},
    convert::Infallible,
    time::Duration,
};

use axum::{
    extract::State,
    http::HeaderMap,
    response::sse::{self, KeepAlive, Sse},
};
use futures_util::{Stream, stream};
use serde_json::json;
use tripline_store::{Backend, Cursor, Order, StoreError, VerdictFilter, VerdictId};

use super::{Client, Event, LIVE};
use crate::api::{
    error::{ApiError, ErrorBody},
    state::AppState,
};

/// Verdicts that are told again to a client that was away; where there were more, it is told so.
const MAX_MISSED: usize = 5_000;
/// How often a comment shows that the connection lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

struct Listener {
    client: Client,
    waiting: VecDeque<Event>,
    /// What was told from the past, and may come again.
    told: HashSet<VerdictId>,
    has_ended: bool,
}

/// Verdicts as they fall, as server-sent events: `connected`, `prediction`, `stats_update`, `skipped`,
/// `dropped`, with the JSON that `/ws/realtime` says. Each prediction has an `id`: who comes back with it in
/// `Last-Event-ID` is told first what has fallen meanwhile.
#[utoipa::path(
    get, path = "/api/v1/stream", tag = "stream",
    params(("Last-Event-ID" = Option<String>, Header, description = "the `id` of the last prediction that was seen")),
    responses(
        (status = 200, description = "a stream without an end", content_type = "text/event-stream", body = String),
        (status = 400, description = "`Last-Event-ID` is none", body = ErrorBody),
        (status = 503, description = "too many listen", body = ErrorBody),
    )
)]
pub(crate) async fn events(
    State(state): State<AppState>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, ApiError> {
    let last = headers
        .get("last-event-id")
        .map(|value| {
            value
                .to_str()
                .ok()
                .and_then(|text| text.parse::<Cursor>().ok())
                .ok_or_else(|| {
                    ApiError::bad_request(
                        "'Last-Event-ID' is expected to be the id of an event of this stream",
                    )
                })
        })
        .transpose()?;
    // What falls from now on waits; so nothing is lost between the past and the present.
    let client = state.hub().join(&state)?;
    let mut waiting = VecDeque::from([client.welcome()]);
    if let Some(last) = last {
        waiting.extend(state.ask(move |store| missed(store, last)).await?);
    }
    let told = waiting
        .iter()
        .filter_map(|event| event.place.map(|(_, verdict)| verdict))
        .collect();
    let listener = Listener {
        client,
        waiting,
        told,
        has_ended: false,
    };
    Ok(Sse::new(stream::unfold(listener, next)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

async fn next(mut listener: Listener) -> Option<(Result<sse::Event, Infallible>, Listener)> {
    loop {
        if let Some(event) = listener.waiting.pop_front() {
            let mut sent = sse::Event::default()
                .event(event.kind)
                .data(event.text.as_str());
            if let Some((cursor, _)) = event.place {
                sent = sent.id(cursor.to_string());
            }
            return Some((Ok(sent), listener));
        }
        if listener.has_ended {
            return None;
        }
        match listener.client.next().await {
            Ok(batch) => {
                let told = &mut listener.told;
                let is_new = |event: &&Event| match event.place {
                    Some((_, verdict)) => !told.remove(&verdict),
                    None => true,
                };
                listener
                    .waiting
                    .extend(batch.iter().filter(is_new).cloned());
            }
            Err(farewell) => {
                listener.has_ended = true;
                let reason = listener.client.leave(farewell);
                listener
                    .waiting
                    .push_back(Event::new("dropped", json!({ "message": reason })));
            }
        }
    }
}

/// What has fallen since.
fn missed(store: &dyn Backend, last: Cursor) -> Result<Vec<Event>, StoreError> {
    let mut found = Vec::new();
    let mut is_too_much = false;
    for source in LIVE {
        let filter = VerdictFilter {
            source: Some(source),
            order: Order::OldestFirst,
            cursor: Some(last),
            ..VerdictFilter::default()
        };
        let page = store.list(&filter, MAX_MISSED)?;
        is_too_much |= page.next.is_some();
        found.extend(page.verdicts.iter().map(Event::of_verdict));
    }
    found.sort_by_key(|event| event.place);
    if is_too_much {
        found.push(Event::new(
            "skipped",
            json!({ "message": "more has fallen meanwhile than is told again" }),
        ));
    }
    Ok(found)
}
