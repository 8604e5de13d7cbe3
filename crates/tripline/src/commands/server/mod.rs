//! What is asked of a running server: its models, labels, drift and retraining.

pub(super) mod drift;
pub(super) mod labels;
pub(super) mod models;
pub(super) mod retrain;
pub(super) mod text;

use std::{io::Write, time::Duration};

use anyhow::{Context, bail};
use reqwest::{
    Method, Url,
    blocking::{Client, RequestBuilder, Response},
};
use serde_json::{Map, Value};

use crate::cli::{AskerArgs, ServerArg};

/// How long an answer may take: a hold-out of a million rows is judged by two models.
const PATIENCE: Duration = Duration::from_mins(10);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// A running server.
#[derive(Debug)]
pub(super) struct Server {
    base: Url,
    client: Client,
    as_json: bool,
}

impl Server {
    /// Knows where it is; nothing is sent.
    pub(super) fn at(arg: &ServerArg) -> anyhow::Result<Self> {
        let base = Url::parse(&arg.server)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .with_context(|| {
                format!(
                    "--server is '{}', expected something like http://127.0.0.1:8000",
                    arg.server
                )
            })?;
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .connect_timeout(CONNECT)
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            // The address is that of the server, not of something on the way.
            .no_proxy()
            .build()?;
        Ok(Self {
            base,
            client,
            as_json: arg.json,
        })
    }

    /// A request to a path below `/api/v1`, given by its segments.
    pub(super) fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        self.client.request(method, url)
    }

    /// Sends it; an answer that is no success is an error with the server's own words.
    pub(super) fn send(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let answer = request.send().map_err(|error| {
            let what = if error.is_connect() {
                format!(
                    "no server answers at {}; start one with `tripline serve`, or name it with --server",
                    self.base
                )
            } else {
                format!("the connection to {} failed", self.base)
            };
            anyhow::Error::new(error.without_url()).context(what)
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let text = answer.text().unwrap_or_default();
        let detail = serde_json::from_str::<Value>(&text)
            .ok()
            .and_then(|body| body.get("detail").cloned());
        match detail {
            Some(Value::String(detail)) => bail!("{detail} ({status})"),
            Some(detail) => bail!("{detail} ({status})"),
            None => bail!("{} answered {status}, and not as Tripline does", self.base),
        }
    }

    /// Sends it and reads the JSON of the answer.
    pub(super) fn ask(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        self.send(request)?
            .json()
            .with_context(|| format!("the answer of {} is no JSON", self.base))
    }

    /// Reads what lies at a path.
    pub(super) fn get(&self, path: &[&str]) -> anyhow::Result<Value> {
        self.ask(self.request(Method::GET, path))
    }

    /// Sends JSON to a path.
    pub(super) fn post(&self, path: &[&str], body: &Value) -> anyhow::Result<Value> {
        self.ask(self.request(Method::POST, path).json(body))
    }

    /// Prints an answer: as JSON if that is wanted, else as `words` says it.
    pub(super) fn print(
        &self,
        answer: &Value,
        words: impl FnOnce(&Value, &mut dyn Write) -> std::io::Result<()>,
    ) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        if self.as_json {
            writeln!(out, "{}", serde_json::to_string_pretty(answer)?)?;
        } else {
            words(answer, &mut out)?;
        }
        Ok(())
    }

    /// All versions of all models.
    fn versions(&self) -> anyhow::Result<Vec<Value>> {
        let mut list = self.ask(
            self.request(Method::GET, &["models"])
                .query(&[("include_inactive", "true")]),
        )?;
        match list["models"].take() {
            Value::Array(models) => Ok(models),
            _ => bail!("the answer of {} holds no list of models", self.base),
        }
    }

    /// The one version that people mean: by its identifier, by its version or the beginning of one,
    /// or by its name, which means the active version or the only one.
    pub(super) fn version(&self, meant: &str) -> anyhow::Result<Value> {
        let versions = self.versions()?;
        let one_of = |filter: &dyn Fn(&Value) -> bool| -> Vec<Value> {
            versions
                .iter()
                .filter(|version| filter(version))
                .cloned()
                .collect()
        };
        for found in [
            one_of(&|version| version["id"] == meant || version["version"] == meant),
            one_of(&|version| version["name"] == meant && version["is_active"] == true),
            one_of(&|version| version["name"] == meant),
            one_of(&|version| text::of(&version["version"]).starts_with(meant)),
        ] {
            match found.as_slice() {
                [] => {}
                [one] => return Ok(one.clone()),
                several => {
                    let versions: Vec<&str> = several
                        .iter()
                        .map(|version| text::of(&version["version"]))
                        .collect();
                    bail!(
                        "'{meant}' may be any of the versions {}: name one of them",
                        versions.join(", ")
                    )
                }
            }
        }
        bail!(
            "{} has no model '{meant}': `tripline models list` shows what there is",
            self.base
        )
    }

    /// The identifier of the version that people mean.
    pub(super) fn id(&self, meant: &str) -> anyhow::Result<String> {
        Ok(text::of(&self.version(meant)?["id"]).to_owned())
    }
}

/// Who asks and why, as a request says it.
fn asked_by(asker: &AskerArgs) -> Map<String, Value> {
    let mut body = Map::new();
    for (key, value) in [("actor", &asker.by), ("reason", &asker.reason)] {
        if let Some(value) = value {
            body.insert(key.to_owned(), Value::from(value.as_str()));
        }
    }
    body
}
