//! The span of a request, by the names that OpenTelemetry has for HTTP.

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue, Method},
    response::Response,
};
use opentelemetry::{KeyValue, trace::SpanKind};

use crate::traces::{self, New, Span};

/// Names the trace of an answer, in the form of `traceparent`.
const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");
/// The name of a span whose method is none of the known ones.
const UNKNOWN: &str = "HTTP";
/// What asks every few seconds and is of no interest to anybody.
const PROBES: [&str; 4] = ["/health", "/live", "/ready", "/metrics"];

/// Begins the span of a request. Its path may name anything, so only the route it matches is told.
pub(super) fn begin(request: &Request, id: &str) -> Span {
    if !traces::is_on() || PROBES.contains(&request.uri().path()) {
        return Span::default();
    }
    let parent = traces::of_headers(request.headers());
    Span::root(parent, || {
        let method = method(request.method());
        let route = request.extensions().get::<MatchedPath>();
        let route = route.map(|route| route.as_str().to_owned());
        let mut attributes = vec![
            KeyValue::new(
                "http.request.method",
                if method == UNKNOWN { "_OTHER" } else { method },
            ),
            KeyValue::new("url.scheme", "http"),
            KeyValue::new("tripline.request_id", id.to_owned()),
        ];
        let name = match route {
            Some(route) => {
                let name = format!("{method} {route}");
                attributes.push(KeyValue::new("http.route", route));
                name.into()
            }
            None => method.into(),
        };
        New {
            name,
            kind: SpanKind::Server,
            attributes,
            ..New::step(method)
        }
    })
}

/// Ends it, and tells the client which trace it is.
pub(super) fn end(span: &Span, response: &mut Response) {
    let Some(context) = span.context() else {
        return;
    };
    let status = response.status();
    span.set("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.fail(status.as_str().to_owned());
    }
    if context.is_sampled()
        && let Ok(value) = HeaderValue::from_str(&traces::traceparent(&context))
    {
        response.headers_mut().insert(TRACERESPONSE, value);
    }
}

/// Whoever asks may invent methods; they are not to become names.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => UNKNOWN,
    }
}
