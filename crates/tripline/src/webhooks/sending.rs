use std::{net::SocketAddr, sync::Arc, time::Duration};

use opentelemetry::{KeyValue, trace::SpanKind};
use reqwest::{Client, Url, redirect::Policy};
use tripline_store::{Message, Timestamp};

use super::{WebhookConfig, addresses::is_allowed};
use crate::{
    config::Settings,
    traces::{self, New, Span},
};

/// How long a receiver may take to be connected to.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// How long it may take for everything.
const PATIENCE: Duration = Duration::from_secs(10);

/// How messages are sent.
#[derive(Debug, Clone)]
pub(super) struct Receiver {
    settings: Arc<Settings>,
    patience: Duration,
}

impl Receiver {
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        Self {
            settings,
            patience: PATIENCE,
        }
    }
}

/// Sends a message; the error is for people.
pub(super) async fn send(
    receiver: &Receiver,
    message: &Message,
    now: Timestamp,
) -> Result<(), String> {
    let Receiver { settings, patience } = receiver;
    let config = &settings.webhooks;
    let url = config
        .targets
        .iter()
        .find(|target| target.as_str() == message.target)
        .ok_or("this address is no receiver any more")?;
    let secret = config.secret.as_ref().ok_or("there is no secret")?;
    let (client, address) = tokio::time::timeout(*patience, client_for(url, config, *patience))
        .await
        .map_err(|_| "the name server does not answer".to_owned())??;
    let id = format!("tripline-{}", message.number);
    let seconds = now.seconds();
    let signature = secret.sign(&id, seconds, &message.body);
    let span = begin_span(url, message);
    let mut request = client.post(url.clone());
    if let Some(context) = span.context() {
        request = request.header(traces::TRACEPARENT, traces::traceparent(&context));
    }
    let answer = request
        .header("content-type", "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", seconds)
        .header("webhook-signature", signature)
        .header("tripline-event", &message.event)
        .body(message.body.clone())
        .send()
        .await
        .map_err(|error| {
            span.fail(if error.is_timeout() {
                "timeout"
            } else {
                "connection"
            });
            explain(&error, address, *patience)
        })?;
    let status = answer.status();
    span.set("http.response.status_code", i64::from(status.as_u16()));
    if !status.is_success() {
        span.fail(status.as_str().to_owned());
    }
    if status.is_success() {
        Ok(())
    } else if status.is_redirection() {
        Err(format!(
            "it answers {status}, and redirects are not followed"
        ))
    } else {
        Err(format!("it answers {status}"))
    }
}

/// The span of a message on its way. Path and query of the receiver may be secrets.
fn begin_span(url: &Url, message: &Message) -> Span {
    Span::root(None, || New {
        kind: SpanKind::Client,
        attributes: vec![
            KeyValue::new("http.request.method", "POST"),
            KeyValue::new(
                "server.address",
                url.host_str().unwrap_or_default().to_owned(),
            ),
            KeyValue::new(
                "server.port",
                i64::from(url.port_or_known_default().unwrap_or_default()),
            ),
            KeyValue::new("http.request.resend_count", i64::from(message.attempts)),
            KeyValue::new("tripline.webhook.event", message.event.clone()),
        ],
        ..New::step("POST")
    })
}

/// A client that speaks to one address of the host: the name is resolved here, once, and what is
/// connected to is what was checked.
async fn client_for(
    url: &Url,
    config: &WebhookConfig,
    patience: Duration,
) -> Result<(Client, SocketAddr), String> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(443);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let found: Vec<SocketAddr> = tokio::net::lookup_host((bare, port))
        .await
        .map_err(|error| format!("its name cannot be resolved: {error}"))?
        .collect();
    let address = found
        .iter()
        .copied()
        .find(|address| is_allowed(address.ip(), &config.allowed));
    let Some(address) = address else {
        return Err(match found.first() {
            Some(address) => format!(
                "its address {} is of a private network; the operator can allow it with --webhook-allow",
                address.ip()
            ),
            None => "its name has no address".to_owned(),
        });
    };
    let client = Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_PATIENCE)
        .timeout(patience)
        .resolve(bare, address)
        .user_agent(concat!("tripline/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| error.to_string())?;
    Ok((client, address))
}

fn explain(error: &reqwest::Error, address: SocketAddr, patience: Duration) -> String {
    if error.is_timeout() {
        format!("{address} did not answer in {patience:?}")
    } else if error.is_connect() {
        format!("{address} cannot be connected to")
    } else {
        format!("{address} broke the connection off")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One that takes the connection and never says a word is left, and the message kept.
    #[tokio::test]
    async fn a_receiver_that_hangs_is_left_after_a_while() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = format!("http://{}/", listener.local_addr().unwrap());
        let config = WebhookConfig::new(
            std::slice::from_ref(&target),
            Some("0123456789abcdef01234567"),
            &["127.0.0.0/8".parse().unwrap()],
        )
        .unwrap();
        let receiver = Receiver {
            patience: Duration::from_millis(50),
            ..Receiver::new(Arc::new(Settings {
                webhooks: config,
                ..Settings::default()
            }))
        };
        let message = Message {
            number: 1,
            created_at: Timestamp(0),
            target,
            event: "model.stage".to_owned(),
            body: "{}".to_owned(),
            state: tripline_store::MessageState::Waiting,
            attempts: 0,
            next_at: Timestamp(0),
            last_error: None,
        };
        let error = send(&receiver, &message, Timestamp(0)).await.unwrap_err();
        assert!(error.contains("did not answer in 50ms"), "{error}");
    }
}
