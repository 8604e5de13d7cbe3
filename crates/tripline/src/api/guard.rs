//! What every request passes: nobody logs in yet, so a page of another site must not be able to
//! use the browser of somebody who reaches this server.
//!
//! - The `Host` must be an address, a loopback name or a name that the operator allows. Otherwise a
//!   site could point its own name at this server (DNS rebinding) and read its answers.
//! - A request that changes something, or opens a WebSocket, must not come from a page of another
//!   origin.
//!
//! Every answer gets an identifier, and headers that keep browsers from guessing.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use opentelemetry::context::FutureExt;

use super::{
    error::{ApiError, Cause},
    pages::DOCS_POLICY,
    state::AppState,
    traced,
};
use crate::{logs::RequestId, traces::Span};

/// How long an answer may take to begin; an upload has a patience of its own.
const PATIENCE: Duration = Duration::from_mins(1);
/// The path of uploads.
pub(super) const UPLOAD: &str = "/api/v1/upload/csv";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Lets a request pass, or not.
pub(super) async fn guard(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let id: Arc<str> = uuid::Uuid::new_v4().to_string().into();
    let span = traced::begin(&request, &id);
    // What is logged meanwhile is logged with the identifier of the request.
    let context = span.surroundings().with_value(RequestId(Arc::clone(&id)));
    answer(&state, request, next, &id, &span)
        .with_context(context)
        .await
}

async fn answer(
    state: &AppState,
    mut request: Request,
    next: Next,
    id: &str,
    span: &Span,
) -> Response {
    let settings = state.settings();
    // Routes that are no uploads have a limit of their own.
    let limit = usize::try_from(settings.max_upload_bytes).unwrap_or(usize::MAX);
    DefaultBodyLimit::max(limit).apply(&mut request);
    let started = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = match check(&settings.allowed_hosts, &request) {
        Err(error) => error.into_response(),
        Ok(()) if path == UPLOAD => next.run(request).await,
        Ok(()) => match tokio::time::timeout(PATIENCE, next.run(request)).await {
            Ok(response) => response,
            Err(_) => ApiError::new(
                StatusCode::REQUEST_TIMEOUT,
                format!(
                    "the request was not done within {} seconds",
                    PATIENCE.as_secs()
                ),
            )
            .into_response(),
        },
    };
    state
        .metrics()
        .answered(&method, response.status(), started.elapsed());
    traced::end(span, &mut response);
    if let Some(Cause(cause)) = response.extensions().get::<Cause>() {
        tracing::error!(request = id, %method, path, status = response.status().as_u16(), cause);
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, value);
    }
    harden(headers, &path);
    response
}

fn check(allowed_hosts: &[String], request: &Request) -> Result<(), ApiError> {
    let headers = request.headers();
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let host = request
        .uri()
        .authority()
        .map(axum::http::uri::Authority::as_str)
        .or_else(|| text(header::HOST));
    if let Some(host) = host
        && !is_allowed(host, allowed_hosts)
    {
        let shown: String = host.chars().take(80).collect();
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            format!(
                "this server is not called '{shown}'; its operator can allow that name with --allow-host"
            ),
        ));
    }
    // A page of another origin could read a WebSocket, whatever the method is.
    let reads = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    ) && !headers.contains_key(header::UPGRADE);
    if !reads && is_foreign(headers, host) {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "a page of another site must neither change anything here nor listen",
        ));
    }
    Ok(())
}

/// Whether this server may be asked under a name.
fn is_allowed(host: &str, allowed: &[String]) -> bool {
    let name = without_port(host);
    let address = name.trim_start_matches('[').trim_end_matches(']');
    address.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || name.to_ascii_lowercase().ends_with(".localhost")
        || allowed.iter().any(|other| other.eq_ignore_ascii_case(name))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // The last colon of an IPv6 address without a port stands inside its brackets.
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    }
}

/// Whether a browser says that a page of another origin sends the request. Programs that are no
/// browsers say nothing of the kind.
fn is_foreign(headers: &HeaderMap, host: Option<&str>) -> bool {
    let site = headers
        .get("sec-fetch-site")
        .and_then(|value| value.to_str().ok());
    if site.is_some_and(|site| site != "same-origin" && site != "none") {
        return true;
    }
    let Some(origin) = headers.get(header::ORIGIN) else {
        return false;
    };
    let origin = origin.to_str().unwrap_or("null");
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    authority.is_none() || authority != host
}

fn harden(headers: &mut HeaderMap, path: &str) {
    let policy = if path.starts_with("/docs") {
        DOCS_POLICY
    } else {
        "default-src 'none'; frame-ancestors 'none'"
    };
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, policy),
        // Answers are of the moment; files of the dashboard say otherwise themselves.
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        (
            "permissions-policy",
            "camera=(), geolocation=(), microphone=()",
        ),
    ] {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_host(host: &str, expected: bool) {
        assert_eq!(
            is_allowed(host, &["flows.example".to_owned()]),
            expected,
            "{host}"
        );
    }

    #[test]
    fn only_known_names_are_answered() {
        for host in [
            "localhost",
            "localhost:8000",
            "127.0.0.1:8000",
            "10.1.2.3",
            "[::1]:80",
            "[::1]",
        ] {
            check_host(host, true);
        }
        check_host("flows.example:443", true);
        check_host("FLOWS.example", true);
        for host in [
            "evil.example",
            "evil.example:8000",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "",
        ] {
            check_host(host, false);
        }
    }

    #[test]
    fn pages_of_other_sites_are_told_from_this_one() {
        let foreign = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            is_foreign(&headers, Some("localhost:8000"))
        };
        assert!(!is_foreign(&HeaderMap::new(), Some("localhost:8000")));
        assert!(!foreign("origin", "http://localhost:8000"));
        assert!(foreign("origin", "http://localhost:8001"));
        assert!(foreign("origin", "http://evil.example"));
        assert!(foreign("origin", "null"));
        assert!(foreign("sec-fetch-site", "cross-site"));
        assert!(foreign("sec-fetch-site", "same-site"));
        assert!(!foreign("sec-fetch-site", "same-origin"));
    }
}
