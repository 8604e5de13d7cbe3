//! What the operator says about traces: one option, and the variables that OpenTelemetry
//! standardizes. A value that cannot be used is an error that names its variable; the libraries
//! would pass over it in silence.

use std::{collections::HashMap, fmt::Display, path::Path, time::Duration};

use axum::http::{HeaderName, HeaderValue};
use opentelemetry_sdk::trace::Sampler;
use reqwest::Url;

use crate::cli::read_capped;

#[cfg(test)]
mod tests;

/// Where a collector is that was asked for without an address.
const DEFAULT_ENDPOINT: &str = "http://localhost:4318";
/// What is added to the address of a collector.
const PATH: &str = "v1/traces";
/// Longest file with certificates or a key.
const MAX_PEM_BYTES: u64 = 256 << 10;

/// How much a span may hold.
const LIMITS: [&str; 3] = [
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_EVENT_COUNT_LIMIT",
    "OTEL_SPAN_LINK_COUNT_LIMIT",
];

/// How traces are exported; checked, ready to be used.
#[derive(Debug)]
pub(super) struct Settings {
    /// Where spans are sent to.
    pub(super) endpoint: Url,
    /// What is sent to the collector beside.
    pub(super) headers: Headers,
    /// How long a collector may take for a batch, tries and pauses included.
    pub(super) timeout: Duration,
    /// Which traces are sent.
    pub(super) sampler: Sampler,
    /// Spans that may wait.
    pub(super) queue: usize,
    /// Spans that are sent together at most.
    pub(super) batch: usize,
    /// How long a span waits for others that go with it.
    pub(super) delay: Duration,
    /// Certificates that a collector's is signed by, instead of those of the system.
    pub(super) authorities: Option<String>,
    /// Our own certificate and its key.
    pub(super) identity: Option<String>,
    /// Whether the service has a name of its own.
    pub(super) is_named: bool,
}

/// Headers for the collector, which are secrets.
#[derive(Default)]
pub(super) struct Headers(pub(super) HashMap<String, String>);

impl std::fmt::Debug for Headers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Headers(…)")
    }
}

/// What cannot be used, and where it stands.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct SettingsError(String);

fn refuse<T>(variable: &str, reason: impl Display) -> Result<T, SettingsError> {
    Err(SettingsError(format!("{variable}: {reason}")))
}

/// A variable and what it says.
type Said<'a> = Option<(&'a str, String)>;

/// Reads variables; one that is set to nothing is not set, as the standard has it.
struct Variables<'a>(&'a dyn Fn(&str) -> Option<String>);

impl Variables<'_> {
    fn get<'n>(&self, name: &'n str) -> Said<'n> {
        let value = (self.0)(name)?;
        let value = value.trim();
        (!value.is_empty()).then(|| (name, value.to_owned()))
    }

    /// What is said of traces goes before what is said of everything.
    fn of_traces<'n>(&self, own: &'n str, general: &'n str) -> Said<'n> {
        self.get(own).or_else(|| self.get(general))
    }

    fn number(&self, name: &str, default: u64, limits: [u64; 2]) -> Result<u64, SettingsError> {
        number(self.get(name), default, limits)
    }
}

fn number(said: Said<'_>, default: u64, [least, most]: [u64; 2]) -> Result<u64, SettingsError> {
    let Some((name, text)) = said else {
        return Ok(default);
    };
    match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => refuse(
            name,
            format!("is '{text}', expected a number from {least} to {most}"),
        ),
    }
}

impl Settings {
    /// What is asked for; `None` where no traces are.
    pub(super) fn read(
        endpoint: Option<&str>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, SettingsError> {
        let variables = Variables(variable);
        if let Some((name, text)) = variables.get("OTEL_SDK_DISABLED") {
            match text.to_ascii_lowercase().as_str() {
                "true" => return Ok(None),
                "false" => {}
                _ => return refuse(name, format!("is '{text}', expected true or false")),
            }
        }
        let default = match variables.get("OTEL_TRACES_EXPORTER") {
            None => None,
            Some((_, text)) if text == "none" => return Ok(None),
            Some((_, text)) if text == "otlp" => Some(DEFAULT_ENDPOINT),
            Some((name, text)) => {
                return refuse(name, format!("is '{text}', expected otlp or none"));
            }
        };
        let own = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
        let general = "--otlp-endpoint (OTEL_EXPORTER_OTLP_ENDPOINT)";
        let endpoint = match variables.get(own) {
            Some((name, text)) => address(name, &text)?,
            None => match endpoint.map(str::trim).filter(|text| !text.is_empty()) {
                Some(text) => below(address(general, text)?),
                None => match default {
                    Some(text) => below(address(general, text)?),
                    None => return Ok(None),
                },
            },
        };
        check_protocol(variables.of_traces(
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
            "OTEL_EXPORTER_OTLP_PROTOCOL",
        ))?;
        // The exporter reads it itself.
        check_compression(variables.of_traces(
            "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
            "OTEL_EXPORTER_OTLP_COMPRESSION",
        ))?;
        let timeout = variables.of_traces(
            "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
            "OTEL_EXPORTER_OTLP_TIMEOUT",
        );
        let millis = |name, default| {
            let millis = variables.number(name, default, [1, 3_600_000])?;
            Ok(Duration::from_millis(millis))
        };
        // The library reads them itself.
        for name in LIMITS {
            variables.number(name, 128, [0, 1 << 16])?;
        }
        let queue = variables.number("OTEL_BSP_MAX_QUEUE_SIZE", 2048, [1, 1 << 20])?;
        let batch_name = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE";
        let batch = variables.number(batch_name, queue.min(512), [1, queue])?;
        Ok(Some(Self {
            endpoint,
            headers: headers(variables.of_traces(
                "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
                "OTEL_EXPORTER_OTLP_HEADERS",
            ))?,
            timeout: Duration::from_millis(number(timeout, 10_000, [1, 600_000])?),
            sampler: sampler(&variables)?,
            queue: queue as usize,
            batch: batch as usize,
            delay: millis("OTEL_BSP_SCHEDULE_DELAY", 5000)?,
            authorities: pem(variables.of_traces(
                "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
                "OTEL_EXPORTER_OTLP_CERTIFICATE",
            ))?,
            identity: identity(&variables)?,
            is_named: variables.get("OTEL_SERVICE_NAME").is_some()
                || variables
                    .get("OTEL_RESOURCE_ATTRIBUTES")
                    .is_some_and(|(_, text)| text.contains("service.name=")),
        }))
    }

    /// The address as it may be shown.
    pub(super) fn shown(&self) -> String {
        let mut shown = self.endpoint.clone();
        shown.set_query(None);
        shown.set_fragment(None);
        shown.to_string()
    }
}

fn address(name: &str, text: &str) -> Result<Url, SettingsError> {
    // An address that cannot be read may hold a secret all the same, so it is not repeated.
    let Ok(url) = Url::parse(text) else {
        return refuse(
            name,
            "cannot be read, expected something like http://127.0.0.1:4318",
        );
    };
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return refuse(
            name,
            "is no address of http or https, such as http://127.0.0.1:4318",
        );
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse(
            name,
            "holds a user name or password; secrets go into OTEL_EXPORTER_OTLP_HEADERS",
        );
    }
    Ok(url)
}

/// The place of traces at a collector's address.
fn below(mut url: Url) -> Url {
    let path = format!("{}/{PATH}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    url
}

fn check_protocol(said: Said<'_>) -> Result<(), SettingsError> {
    match said {
        Some((name, text)) if text != "http/protobuf" => refuse(
            name,
            format!(
                "is '{text}', expected http/protobuf, which collectors take on port 4318; \
                 nothing else is spoken here"
            ),
        ),
        _ => Ok(()),
    }
}

fn check_compression(said: Said<'_>) -> Result<(), SettingsError> {
    match said {
        Some((name, text)) if text != "gzip" && text != "none" => {
            refuse(name, format!("is '{text}', expected gzip or none"))
        }
        _ => Ok(()),
    }
}

/// Headers are a list of `name=value` with percent-encoding.
fn headers(said: Said<'_>) -> Result<Headers, SettingsError> {
    let mut headers = Headers::default();
    let Some((variable, text)) = said else {
        return Ok(headers);
    };
    for (entry, number) in text.split(',').map(str::trim).zip(1..) {
        if entry.is_empty() {
            continue;
        }
        let Some((name, value)) = header(entry) else {
            return refuse(
                variable,
                format!("entry {number} is no header, expected name=value with percent-encoding"),
            );
        };
        headers.0.insert(name, value);
    }
    Ok(headers)
}

fn header(entry: &str) -> Option<(String, String)> {
    let (name, value) = entry.split_once('=')?;
    let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
    let value = String::from_utf8(decoded(value.trim())?).ok()?;
    HeaderValue::from_str(&value).ok()?;
    Some((name.as_str().to_owned(), value))
}

/// Bytes of a text with percent-encoding.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            (digit()? * 16 + digit()?) as u8
        } else {
            byte
        });
    }
    Some(bytes)
}

fn sampler(variables: &Variables<'_>) -> Result<Sampler, SettingsError> {
    let ratio = || match variables.get("OTEL_TRACES_SAMPLER_ARG") {
        None => Ok(Sampler::TraceIdRatioBased(1.0)),
        Some((name, text)) => match text.parse::<f64>() {
            Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(Sampler::TraceIdRatioBased(ratio)),
            _ => refuse(name, format!("is '{text}', expected a share from 0 to 1")),
        },
    };
    let below_parent = |root| Sampler::ParentBased(Box::new(root));
    let Some((name, text)) = variables.get("OTEL_TRACES_SAMPLER") else {
        return Ok(below_parent(Sampler::AlwaysOn));
    };
    Ok(match text.as_str() {
        "always_on" => Sampler::AlwaysOn,
        "always_off" => Sampler::AlwaysOff,
        "traceidratio" => ratio()?,
        "parentbased_always_on" => below_parent(Sampler::AlwaysOn),
        "parentbased_always_off" => below_parent(Sampler::AlwaysOff),
        "parentbased_traceidratio" => below_parent(ratio()?),
        _ => {
            return refuse(
                name,
                format!(
                    "is '{text}', expected always_on, always_off, traceidratio, or one of these \
                     with parentbased_ before it"
                ),
            );
        }
    })
}

fn pem(said: Said<'_>) -> Result<Option<String>, SettingsError> {
    said.map(|(name, path)| {
        read_capped(Path::new(&path), name, MAX_PEM_BYTES)
            .map_err(|error| SettingsError(format!("{error:#}")))
    })
    .transpose()
}

/// Our certificate and its key, one after the other.
fn identity(variables: &Variables<'_>) -> Result<Option<String>, SettingsError> {
    let certificate = variables.of_traces(
        "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
    );
    let key = variables.of_traces(
        "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY",
        "OTEL_EXPORTER_OTLP_CLIENT_KEY",
    );
    match (certificate, key) {
        (None, None) => Ok(None),
        (Some((name, _)), None) => refuse(name, "has no OTEL_EXPORTER_OTLP_CLIENT_KEY beside it"),
        (None, Some((name, _))) => refuse(
            name,
            "has no OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE beside it",
        ),
        (certificate, key) => {
            let parts = [pem(certificate)?, pem(key)?];
            Ok(Some(
                parts.into_iter().flatten().collect::<Vec<_>>().join("\n"),
            ))
        }
    }
}
