//! An API on a store and the models that ship, and the requests that tests send.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode},
};
use serde_json::Value;
use tower::ServiceExt;
use tower_http::normalize_path::NormalizePath;
use tripline::{
    api::{self, AppState},
    clock,
    config::{Live, Settings},
    model_files,
    registry::{AdmissionRules, HoldOut, Models},
};
use tripline_detect::ModelBundle;
use tripline_features::synthetic::SyntheticRecords;
use tripline_lifecycle::LabelledRows;
use tripline_store::{Backend, SqliteStore};
use tripline_traffic::{AttackKind, AttackPlan, PcapWriter, Traffic, TrafficPlan};

pub(crate) const BOUNDARY: &str = "tripline-test-boundary";

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    pub(crate) fn detail(&self) -> String {
        self.json()["detail"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

/// An API without a socket.
pub(crate) struct Api {
    router: NormalizePath<Router>,
    pub(crate) store: Arc<dyn Backend>,
    pub(crate) models: Arc<Models>,
}

impl Api {
    /// On an empty store in memory with the models that ship.
    pub(crate) fn new() -> Self {
        Self::on(
            Arc::new(SqliteStore::open_in_memory().unwrap()),
            &shipped_models(),
        )
    }

    /// On a store with the models of a folder.
    pub(crate) fn on(store: Arc<dyn Backend>, models_dir: &Path) -> Self {
        Self::with_rules(store, models_dir, AdmissionRules::default())
    }

    /// On an empty store in memory with the models that ship and rules for others.
    pub(crate) fn on_memory(admission: AdmissionRules) -> Self {
        let store = Arc::new(SqliteStore::open_in_memory().unwrap());
        Self::with_rules(store, &shipped_models(), admission)
    }

    /// On an empty store in memory with generated labelled rows to measure models on.
    pub(crate) fn with_holdouts() -> Self {
        let mut rows = LabelledRows::new(tripline_features::nsl_kdd());
        for record in SyntheticRecords::new(99).take(500) {
            rows.push(record.vector.values(), record.label);
        }
        Self::on_memory(AdmissionRules {
            holdouts: Arc::new([HoldOut {
                name: "generated".to_owned(),
                rows,
            }]),
            ..AdmissionRules::default()
        })
    }

    /// The same with rules for models from outside.
    pub(crate) fn with_rules(
        store: Arc<dyn Backend>,
        models_dir: &Path,
        admission: AdmissionRules,
    ) -> Self {
        let (files, refused) = model_files::read_folder(models_dir).unwrap();
        assert!(refused.is_empty(), "{refused:?}");
        let live = Live::new(Settings {
            full_list_rows: 1000,
            max_upload_bytes: 128 << 20,
            workers: 2,
            admission,
            ..Settings::default()
        });
        let models = Models::open(Arc::clone(&store), &files, live.clone(), clock::now).unwrap();
        let models = Arc::new(models);
        let state =
            AppState::new(Arc::clone(&store), Arc::clone(&models), live, clock::now).unwrap();
        Self {
            router: api::app(state),
            store,
            models,
        }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    pub(crate) async fn patch(&self, path: &str, body: &str) -> Answer {
        let request = Request::patch(path)
            .header("content-type", "application/json")
            .body(Body::from(body.to_owned()))
            .unwrap();
        self.send(request).await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        let request = Request::post(path)
            .header("content-type", "application/json")
            .body(Body::from(body.to_owned()))
            .unwrap();
        self.send(request).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Request::delete(path).body(Body::empty()).unwrap())
            .await
    }

    /// A form with a model and what is said about it.
    pub(crate) async fn upload_model(
        &self,
        name: &str,
        content: &[u8],
        fields: &[(&str, &str)],
    ) -> Answer {
        let mut body = Vec::new();
        for (field, value) in fields {
            body.extend_from_slice(
                format!(
                    "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n"
                )
                .as_bytes(),
            );
        }
        body.extend_from_slice(&form(name, content));
        let request = Request::post("/api/v1/models/upload")
            .header(
                "content-type",
                format!("multipart/form-data; boundary={BOUNDARY}"),
            )
            .body(Body::from(body))
            .unwrap();
        self.send(request).await
    }

    pub(crate) async fn score(&self, query: &str, body: &str) -> Answer {
        let request = Request::post(format!("/api/v1/score{query}"))
            .header("content-type", "application/json")
            .body(Body::from(body.to_owned()))
            .unwrap();
        self.send(request).await
    }

    pub(crate) async fn upload(&self, name: &str, content: impl AsRef<[u8]>) -> Answer {
        self.upload_to("/api/v1/upload/csv", name, content).await
    }

    pub(crate) async fn upload_to(
        &self,
        path: &str,
        name: &str,
        content: impl AsRef<[u8]>,
    ) -> Answer {
        let request = Request::post(path)
            .header(
                "content-type",
                format!("multipart/form-data; boundary={BOUNDARY}"),
            )
            .body(Body::from(form(name, content.as_ref())))
            .unwrap();
        self.send(request).await
    }
}

/// A form with one file.
pub(crate) fn form(name: &str, content: &[u8]) -> Vec<u8> {
    let mut body = form_head(name).into_bytes();
    body.extend_from_slice(content);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    body
}

/// What comes before the file's content.
pub(crate) fn form_head(name: &str) -> String {
    format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: text/csv\r\n\r\n"
    )
}

/// A model that ships, changed: another version of the same name.
pub(crate) fn variant(model: &str, change: impl FnOnce(&mut ModelBundle)) -> Vec<u8> {
    let path = shipped_models().join(format!("{model}.tripline"));
    let mut bundle = ModelBundle::decode(&std::fs::read(path).unwrap()).unwrap();
    change(&mut bundle);
    bundle.encode().unwrap()
}

/// The folder of the models that ship.
pub(crate) fn shipped_models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models")
}

/// Generated records with a header and labels.
pub(crate) fn generated(rows: usize) -> String {
    let mut out = Vec::new();
    tripline_features::synthetic::write_csv(7, rows, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// A capture of ordinary sessions and some attacks, with the number of its packets.
pub(crate) fn generated_capture(plan: &TrafficPlan) -> (Vec<u8>, u64) {
    let mut writer = PcapWriter::new(Vec::new()).unwrap();
    let mut traffic = Traffic::new(plan).unwrap();
    let mut packets = 0;
    while let Some(packet) = traffic.next_packet() {
        writer.write(packet.time_micros, packet.frame).unwrap();
        packets += 1;
    }
    (writer.finish().unwrap(), packets)
}

/// Half a minute of an office network with a scan and a flood.
pub(crate) fn small_plan() -> TrafficPlan {
    let attack = |kind| AttackPlan {
        kind,
        start_micros: 5_000_000,
        duration_micros: 5_000_000,
        intensity: 0.3,
    };
    TrafficPlan {
        attacks: vec![attack(AttackKind::PortScan), attack(AttackKind::DosHulk)],
        ..TrafficPlan::benign(7, 30, 4.0)
    }
}

/// The folder of the public data, for tests that need it.
pub(crate) fn public_data(test: &str) -> Option<PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests have no other place for settings"
    )]
    let given = std::env::var("TRIPLINE_DATA").ok().map(PathBuf::from);
    let folder =
        given.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"));
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: {test} needs the public data; set TRIPLINE_DATA to its folder");
    None
}

/// The sorted keys of an object.
pub(crate) fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value
        .as_object()
        .unwrap_or_else(|| panic!("no object: {value}"))
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}
