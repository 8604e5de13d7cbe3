//! The way to a collector: the HTTP client, and what went wrong on it in words.

use std::{
    error::Error,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;
use reqwest::{Certificate, Identity, blocking::Client, redirect::Policy};

use super::settings::Settings;

/// How long a collector may take to be connected to.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// What the collector last said or did, which the exporter keeps to itself.
#[derive(Debug, Default)]
pub(super) struct Heard {
    failure: Mutex<Option<String>>,
    rejected: AtomicU64,
}

impl Heard {
    /// Why the last request failed.
    pub(super) fn failure(&self) -> Option<String> {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.take()
    }

    /// How many spans were not taken since this was last asked.
    pub(super) fn rejected(&self) -> u64 {
        self.rejected.swap(0, Ordering::Relaxed)
    }

    fn failed(&self, reason: String) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    }
}

/// Sends what the exporter has encoded.
#[derive(Debug)]
pub(super) struct Collector {
    client: Client,
    timeout: Duration,
    heard: Arc<Heard>,
}

impl Collector {
    /// Must not be made on a thread that answers requests: the client has one of its own.
    pub(super) fn new(settings: &Settings, heard: Arc<Heard>) -> anyhow::Result<Self> {
        // Another part of the process may have chosen it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = Client::builder()
            // Headers are for the collector that was named, and for nobody else.
            .redirect(Policy::none())
            .connect_timeout(CONNECT_PATIENCE.min(settings.timeout))
            .timeout(settings.timeout)
            .user_agent(concat!("tripline/", env!("CARGO_PKG_VERSION")));
        if let Some(pem) = &settings.authorities {
            let about = "OTEL_EXPORTER_OTLP_CERTIFICATE: these are no certificates in PEM";
            let authorities = Certificate::from_pem_bundle(pem.as_bytes()).context(about)?;
            // A file without any would be one that trusts nobody.
            anyhow::ensure!(!authorities.is_empty(), about);
            client = client.tls_certs_only(authorities);
        }
        if let Some(pem) = &settings.identity {
            let about = "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE, OTEL_EXPORTER_OTLP_CLIENT_KEY: \
                         these are no certificate and key in PEM";
            client = client.identity(Identity::from_pem(pem.as_bytes()).context(about)?);
        }
        Ok(Self {
            client: client.build().context("the exporter of traces")?,
            timeout: settings.timeout,
            heard,
        })
    }

    fn words(&self, error: &(dyn Error + 'static)) -> String {
        let of_client = error.downcast_ref::<reqwest::Error>();
        if of_client.is_some_and(reqwest::Error::is_timeout) {
            return format!("it does not answer within {:?}", self.timeout);
        }
        let what = if of_client.is_some_and(reqwest::Error::is_connect) {
            "it cannot be connected to"
        } else {
            "the connection broke off"
        };
        // The outer ones repeat the address.
        let mut cause = error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        format!("{what}: {cause}")
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let response = match self.client.send_bytes(request).await {
            Ok(response) => response,
            Err(error) => {
                self.heard.failed(self.words(&*error));
                return Err(error);
            }
        };
        if !response.status().is_success() {
            self.heard
                .failed(format!("it answers {}", response.status()));
        } else if let Ok(answer) = ExportTraceServiceResponse::decode(response.body().clone())
            && let Some(partial) = answer.partial_success
        {
            let rejected = u64::try_from(partial.rejected_spans).unwrap_or_default();
            self.heard.rejected.fetch_add(rejected, Ordering::Relaxed);
        }
        Ok(response)
    }
}
