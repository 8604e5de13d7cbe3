//! Where rows come from by themselves: the origin system's switches, made real. They are kept in
//! the database and hold after a restart.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
};
use prometheus_client::metrics::histogram::Histogram;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tripline_store::{BatchId, Store, StoreError, StoredSource, Timestamp};
use utoipa::ToSchema;

use super::{
    error::{ApiError, ErrorBody},
    state::AppState,
    time::rfc3339,
};
use crate::kafka::{KafkaSource, KafkaTopics};
use crate::live::{
    CaptureParams, CaptureSource, LiveError, ParamsError, SourceCounts, SourceHandle, SourceState,
    StartError, Status, Surroundings, refused,
};

const PACKET_CAPTURE: &str = "packet_capture";
const EXTERNAL_KAFKA: &str = "external_kafka";
/// Topics of Kafka are given when the server is started: which of a cluster's topics a worker reads
/// is the same for all workers of its group.
const NO_KAFKA: &str = "it is switched by the server's options: --kafka-brokers, --kafka-topic, --kafka-external-topic";
/// Longest name of a topic that Kafka knows.
const MAX_TOPIC: usize = 249;

/// A source that there can be.
#[derive(Debug)]
struct Definition {
    name: &'static str,
    description: &'static str,
    topic: Option<&'static str>,
}

const DEFINITIONS: [Definition; 3] = [
    Definition {
        name: PACKET_CAPTURE,
        description: "Packets of a network interface of this machine",
        topic: None,
    },
    Definition {
        name: EXTERNAL_KAFKA,
        description: "Rows of external senders, from a Kafka topic",
        topic: Some("external-traffic"),
    },
    Definition {
        name: "internal_kafka",
        description: "Rows of internal senders, from a Kafka topic",
        topic: Some("network-traffic"),
    },
];

impl Definition {
    /// The topics of Kafka that this source stands for, if the server reads any.
    fn kafka(&self, state: &AppState) -> Option<KafkaSource> {
        state.kafka()?.source(match self.name {
            EXTERNAL_KAFKA => KafkaTopics::SendersChecked,
            _ => KafkaTopics::WritersTrusted,
        })
    }

    fn default_config(&self) -> Value {
        match self.topic {
            None => json!(CaptureParams::default()),
            Some(topic) => json!({ "topic": topic }),
        }
    }

    /// What is stored, with the given values in place of its own.
    fn changed(
        &self,
        stored: &StoredSource,
        changes: &Map<String, Value>,
    ) -> Result<Value, ParamsError> {
        if self.topic.is_none() {
            return Ok(json!(capture_params(stored)?.with(changes)?));
        }
        let mut config = config_of(stored);
        for (name, value) in changes {
            if name != "topic" {
                return Err(ParamsError::UnknownName {
                    name: name.chars().take(60).collect(),
                    known: vec!["topic".to_owned()],
                });
            }
            let topic = value
                .as_str()
                .filter(|topic| (1..=MAX_TOPIC).contains(&topic.len()));
            let topic = topic.ok_or_else(|| refused(name, value, "the name of a topic"))?;
            config.insert(name.clone(), json!(topic));
        }
        Ok(Value::Object(config))
    }
}

fn config_of(stored: &StoredSource) -> Map<String, Value> {
    serde_json::from_str(&stored.config).unwrap_or_default()
}

/// Parameters that a later version has added have their default.
fn capture_params(stored: &StoredSource) -> Result<CaptureParams, ParamsError> {
    CaptureParams::default().with(&config_of(stored))
}

/// The sources of a server.
#[derive(Debug)]
pub(crate) struct Sources {
    capture: Mutex<CaptureSource>,
    handle: SourceHandle,
    since: Timestamp,
    /// What is stored of each definition as long as nobody has changed it.
    rows: [StoredSource; DEFINITIONS.len()],
}

impl Sources {
    /// Nothing runs yet. In a store that several machines share, `host` tells whose capture a row is
    /// about: an interface that one of them watches is none of the others.
    pub(crate) fn open(
        store: &dyn Store,
        host: Option<&str>,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let stored = store.sources()?;
        let rows = DEFINITIONS.each_ref().map(|definition| StoredSource {
            name: match (definition.topic, host) {
                (None, Some(host)) => format!("{}@{host}", definition.name),
                _ => definition.name.to_owned(),
            },
            key: BatchId::from_bytes(*uuid::Uuid::new_v4().as_bytes()),
            is_enabled: false,
            config: definition.default_config().to_string(),
            updated_at: now,
        });
        for row in &rows {
            // Machines come and go; what one has not changed is not worth a row.
            let is_kept = host.is_none() || !row.name.starts_with(PACKET_CAPTURE);
            if is_kept && stored.iter().all(|source| source.name != row.name) {
                store.put_source(row)?;
            }
        }
        let capture = CaptureSource::new(now);
        Ok(Self {
            handle: capture.handle(),
            capture: Mutex::new(capture),
            since: now,
            rows,
        })
    }

    /// What the store has of a source.
    fn row<'a>(&'a self, definition: &Definition, stored: &'a [StoredSource]) -> &'a StoredSource {
        let mut all = DEFINITIONS.iter().zip(&self.rows);
        let found = all.find(|(other, _)| other.name == definition.name);
        let fresh = found.map_or(&self.rows[0], |(_, row)| row);
        let kept = stored.iter().find(|source| source.name == fresh.name);
        kept.unwrap_or(fresh)
    }

    /// How the capture is doing.
    pub(crate) fn capture_state(&self) -> SourceState {
        self.handle.state()
    }

    /// Seconds from the traffic that told a flow to its stored verdict.
    pub(crate) fn capture_lag(&self) -> Histogram {
        self.handle.lag()
    }

    fn lock(&self) -> MutexGuard<'_, CaptureSource> {
        // A source is changed by single calls that leave it whole.
        self.capture.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AppState {
    /// Starts what is to run, on `interface` when one is named. One that was named must start; one
    /// that was switched on before is tried again later.
    pub fn start_sources(&self, interface: Option<&str>) -> anyhow::Result<()> {
        let mut capture = self.sources().lock();
        let all = self.store().sources()?;
        let mut stored = self.sources().row(&DEFINITIONS[0], &all).clone();
        let mut params = capture_params(&stored)?;
        if let Some(interface) = interface {
            let change = Map::from_iter([("interface".to_owned(), json!(interface))]);
            params = params.with(&change)?;
            capture.start(&params, &self.surroundings())?;
            stored.is_enabled = true;
            stored.config = json!(params).to_string();
            stored.updated_at = self.now();
            return Ok(self.store().put_source(&stored)?);
        }
        if stored.is_enabled {
            capture.start_or_retry(&params, &self.surroundings())?;
        }
        Ok(())
    }

    /// Ends what runs: every flow gets its last verdict, and all are stored.
    pub fn stop_sources(&self) {
        self.sources().lock().stop(self.clock());
    }

    fn surroundings(&self) -> Surroundings {
        Surroundings {
            store: self.shared_store(),
            models: Arc::clone(self.registry()),
            clock: self.clock(),
        }
    }
}

/// A source, as the origin system gives it, and how it is doing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DataSource)]
pub(crate) struct SourceBody {
    /// Its identifier.
    id: String,
    /// `packet_capture`, `external_kafka` or `internal_kafka`.
    source_name: &'static str,
    /// Whether it is to run.
    is_enabled: bool,
    /// One sentence for people.
    description: &'static str,
    /// How it is to run.
    #[schema(value_type = Object)]
    config_params: Value,
    /// When it was last changed.
    updated_at: String,
    /// How it is doing.
    state: SourceStateBody,
}

/// How a source is doing, and what it has come to since the server was started. Frames are
/// packets, what could not be decoded, what was shed, and for a moment what waits.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DataSourceState)]
pub(crate) struct SourceStateBody {
    /// `running`, `stopped`, `failed` (could not be started) or `retrying` (ended, and is tried
    /// again later).
    #[schema(value_type = String)]
    status: &'static str,
    /// Why, when there is something to say.
    message: Option<String>,
    /// Since when.
    since: String,
    /// Frames taken.
    frames: u64,
    /// Packets metered.
    packets: u64,
    /// Frames that could not be decoded.
    not_decoded: u64,
    /// Flows begun.
    flows: u64,
    /// Verdicts stored; one that superseded another is the same verdict.
    verdicts: u64,
    /// Frames that the kernel had no room for.
    dropped_kernel: u64,
    /// Frames that the interface or its driver lost.
    dropped_interface: u64,
    /// Packets shed because metering or storing did not keep up.
    dropped_queue: u64,
}

impl SourceStateBody {
    fn of(state: SourceState) -> Self {
        let counts = state.counts;
        Self {
            status: state.status.name(),
            message: state.message,
            since: rfc3339(state.since),
            frames: counts.frames,
            packets: counts.packets,
            not_decoded: counts.not_decoded,
            flows: counts.flows,
            verdicts: counts.verdicts,
            dropped_kernel: counts.dropped_kernel,
            dropped_interface: counts.dropped_interface,
            dropped_queue: counts.dropped_queue,
        }
    }
}

impl SourceBody {
    fn of(state: &AppState, definition: &Definition, stored: &StoredSource) -> Self {
        let mut config = config_of(stored);
        let doing = match definition.topic {
            None => state.sources().capture_state(),
            Some(_) => {
                let found = definition.kafka(state);
                if let Some(found) = &found {
                    config.insert("topic".to_owned(), json!(found.topics.join(",")));
                }
                kafka_state(found, state.sources().since)
            }
        };
        Self {
            id: stored.key.to_string(),
            source_name: definition.name,
            is_enabled: match definition.topic {
                None => stored.is_enabled,
                Some(_) => doing.status != Status::Stopped,
            },
            description: definition.description,
            config_params: Value::Object(config),
            updated_at: rfc3339(stored.updated_at),
            state: SourceStateBody::of(doing),
        }
    }
}

fn kafka_state(found: Option<KafkaSource>, since: Timestamp) -> SourceState {
    let Some(found) = found else {
        return SourceState {
            status: Status::Stopped,
            message: Some(NO_KAFKA.to_owned()),
            since,
            counts: SourceCounts::default(),
        };
    };
    SourceState {
        status: match found.trouble {
            None => Status::Running,
            Some(_) => Status::Retrying,
        },
        message: found.trouble,
        since,
        counts: SourceCounts {
            verdicts: found.verdicts,
            ..SourceCounts::default()
        },
    }
}

fn defined(name: &str) -> Result<&'static Definition, ApiError> {
    DEFINITIONS
        .iter()
        .find(|definition| definition.name == name)
        .ok_or_else(unknown)
}

fn unknown() -> ApiError {
    ApiError::not_found("Data source not found")
}

/// Lists the sources.
#[utoipa::path(
    get, path = "/api/v1/config/sources", tag = "config",
    responses((status = 200, body = Vec<SourceBody>))
)]
pub(crate) async fn list(State(state): State<AppState>) -> Result<Json<Vec<SourceBody>>, ApiError> {
    let stored = state.ask(|store| store.sources()).await?;
    let body = |definition: &Definition| {
        let stored = state.sources().row(definition, &stored);
        SourceBody::of(&state, definition, stored)
    };
    Ok(Json(DEFINITIONS.iter().map(body).collect()))
}

/// One source.
#[utoipa::path(
    get, path = "/api/v1/config/sources/{source_name}", tag = "config",
    params(("source_name" = String, Path)),
    responses((status = 200, body = SourceBody), (status = 404, body = ErrorBody))
)]
pub(crate) async fn one(
    State(state): State<AppState>,
    Path(name): Path<String>,
) -> Result<Json<SourceBody>, ApiError> {
    let definition = defined(&name)?;
    let stored = state.ask(|store| store.sources()).await?;
    let stored = state.sources().row(definition, &stored);
    Ok(Json(SourceBody::of(&state, definition, stored)))
}

/// A change of a source.
#[derive(Debug, ToSchema)]
#[schema(as = DataSourceUpdate)]
#[expect(
    dead_code,
    reason = "read by hand, for errors that name the field; this is its document"
)]
pub(crate) struct SourceUpdate {
    /// Whether it is to run.
    is_enabled: bool,
    /// Values that take the place of those there are; the others stay.
    #[schema(value_type = Option<Object>)]
    config_params: Option<Value>,
}

struct Update {
    is_enabled: bool,
    changes: Map<String, Value>,
}

fn read_update(bytes: &[u8]) -> Result<Update, ApiError> {
    let body: Map<String, Value> = serde_json::from_slice(bytes)
        .map_err(|error| ApiError::bad_request(format!("the body is no JSON object: {error}")))?;
    if let Some(name) = body
        .keys()
        .find(|name| !["is_enabled", "config_params"].contains(&name.as_str()))
    {
        let name: String = name.chars().take(60).collect();
        return Err(ApiError::bad_request(format!(
            "a source has no '{name}' that can be changed; it has is_enabled and config_params"
        )));
    }
    let wrong = |words: &str| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, words);
    let is_enabled = body
        .get("is_enabled")
        .and_then(Value::as_bool)
        .ok_or_else(|| wrong("is_enabled is missing or no bool, expected true or false"))?;
    let changes = match body.get("config_params") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(changes)) => changes.clone(),
        Some(_) => return Err(wrong("config_params is no object")),
    };
    Ok(Update {
        is_enabled,
        changes,
    })
}

/// Switches a source on or off, or changes how it runs.
///
/// A capture is started before this is answered, and one that is switched off has stored its last
/// verdicts by then; a change of its values starts it again. When it cannot be started it stays
/// off, with its values as they were.
#[utoipa::path(
    patch, path = "/api/v1/config/sources/{source_name}", tag = "config",
    params(("source_name" = String, Path)),
    request_body = SourceUpdate,
    responses(
        (status = 200, body = SourceBody),
        (status = 400, description = "no such value, interface or filter", body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 409, description = "it cannot be started", body = ErrorBody),
        (status = 422, description = "a value of another kind or outside its bounds", body = ErrorBody),
    )
)]
pub(crate) async fn change(
    State(state): State<AppState>,
    Path(name): Path<String>,
    bytes: Bytes,
) -> Result<Json<SourceBody>, ApiError> {
    let definition = defined(&name)?;
    let update = read_update(&bytes)?;
    state
        .blocking(move |state| {
            // Held until the change is stored: of two changes one is first in everything.
            let mut capture = state.sources().lock();
            let all = state.store().sources()?;
            let mut stored = state.sources().row(definition, &all).clone();
            let config = definition
                .changed(&stored, &update.changes)
                .map_err(|error| refusal(&error))?
                .to_string();
            if definition.topic.is_some()
                && update.is_enabled != SourceBody::of(state, definition, &stored).is_enabled
            {
                return Err(ApiError::new(
                    StatusCode::CONFLICT,
                    format!("{} cannot be switched here: {NO_KAFKA}", definition.name),
                ));
            }
            let is_changed = config != stored.config || update.is_enabled != stored.is_enabled;
            let mut failed = None;
            if definition.topic.is_none() {
                let is_right = capture.is_on() && update.is_enabled && !is_changed;
                if !is_right {
                    capture.stop(state.clock());
                    if update.is_enabled {
                        let params = CaptureParams::default()
                            .with(&serde_json::from_str(&config).map_err(ApiError::internal)?)
                            .map_err(|error| refusal(&error))?;
                        failed = capture.start(&params, &state.surroundings()).err();
                    }
                }
            }
            let now = state.now();
            if failed.is_none() {
                stored.config = config;
            }
            stored.is_enabled = update.is_enabled && failed.is_none();
            if is_changed || failed.is_some() {
                stored.updated_at = now;
                if let Err(error) = state.store().put_source(&stored) {
                    // What is not stored would be gone after a restart.
                    if definition.topic.is_none() {
                        capture.stop(state.clock());
                    }
                    return Err(error.into());
                }
            }
            match failed {
                Some(error) => Err(cannot_start(error)),
                None => Ok(Json(SourceBody::of(state, definition, &stored))),
            }
        })
        .await
}

fn refusal(error: &ParamsError) -> ApiError {
    let status = match error {
        ParamsError::UnknownName { .. } => StatusCode::BAD_REQUEST,
        ParamsError::Value { .. } => StatusCode::UNPROCESSABLE_ENTITY,
    };
    ApiError::new(status, error.to_string())
}

fn cannot_start(error: StartError) -> ApiError {
    match error {
        StartError::Store(error) => error.into(),
        StartError::Live(error) => {
            let status = match error {
                LiveError::Unknown { .. } | LiveError::Filter { .. } => StatusCode::BAD_REQUEST,
                _ => StatusCode::CONFLICT,
            };
            ApiError::new(status, format!("{error}; the source is off"))
        }
    }
}

/// The sources as the health of the system shows them, and whether one that is to run does not.
pub(crate) async fn health(state: &AppState) -> (Value, bool) {
    let stored = state.ask(|store| store.sources()).await.unwrap_or_default();
    let mut has_trouble = false;
    let mut all = Map::new();
    for definition in &DEFINITIONS {
        let stored = state.sources().row(definition, &stored);
        let body = SourceBody::of(state, definition, stored);
        has_trouble |= body.is_enabled && body.state.status != Status::Running.name();
        let mut shown = json!(body.state);
        shown["enabled"] = json!(body.is_enabled);
        all.insert(definition.name.to_owned(), shown);
    }
    (Value::Object(all), has_trouble)
}
