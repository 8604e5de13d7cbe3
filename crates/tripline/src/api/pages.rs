//! The dashboard, the page of the API, and what is answered where there is nothing.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Redirect, Response},
};
use serde_json::json;
use tripline_ui::Asset;
use utoipa_swagger_ui::Config;

use super::error::ApiError;

/// Where the document of the API is.
pub(super) const DOCUMENT: &str = "/api/v1/openapi.json";
/// The page of the API brings styles of its own along; its scripts are files like all others.
pub(super) const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; \
     style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The dashboard for browsers; for programs what the origin system says here.
pub(super) async fn root(headers: HeaderMap) -> Response {
    if accepts_html(&headers) {
        return page(&headers, tripline_ui::index());
    }
    Json(json!({
        "message": "Tripline: threat detection on network traffic",
        "docs": "/docs",
        "version": env!("CARGO_PKG_VERSION"),
    }))
    .into_response()
}

/// Files and pages of the dashboard; below `/api` nothing is a page.
pub(super) async fn fallback(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path();
    let is_read = method == Method::GET || method == Method::HEAD;
    if !is_read || path == "/api" || path.starts_with("/api/") {
        return ApiError::not_found("Not Found").into_response();
    }
    match tripline_ui::asset(path) {
        Some(asset) => page(&headers, asset),
        // Addresses such as /verdicts/17 are known to the dashboard alone.
        None if accepts_html(&headers) => page(&headers, tripline_ui::index()),
        None => ApiError::not_found("Not Found").into_response(),
    }
}

/// A known address with a method that it does not have.
pub(super) async fn wrong_method() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
}

/// The page of the API names its files relative to itself, so its address ends in a file.
pub(super) async fn docs() -> Redirect {
    Redirect::temporary("/docs/index.html")
}

/// A file of the page of the API.
pub(super) async fn docs_file(
    State(config): State<Arc<Config<'static>>>,
    Path(name): Path<String>,
) -> Response {
    match utoipa_swagger_ui::serve(&name, config) {
        Ok(Some(file)) => {
            let bytes = file.bytes.into_owned();
            ([(header::CONTENT_TYPE, file.content_type)], bytes).into_response()
        }
        Ok(None) => ApiError::not_found("Not Found").into_response(),
        Err(error) => ApiError::internal(error).into_response(),
    }
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

fn page(headers: &HeaderMap, asset: Asset) -> Response {
    let has_it = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == asset.etag));
    let caching = if asset.immutable {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let mut response = if has_it {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        asset.bytes.into_owned().into_response()
    };
    let answer = response.headers_mut();
    answer.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(asset.content_type),
    );
    answer.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    if let Ok(etag) = HeaderValue::from_str(&asset.etag) {
        answer.insert(header::ETAG, etag);
    }
    answer.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(tripline_ui::CONTENT_SECURITY_POLICY),
    );
    response
}
