//! From a failure to an answer, in one place.
//!
//! | what went wrong | status |
//! | --- | --- |
//! | the request cannot be understood, a file cannot be read | 400 |
//! | another site's page sent it, it is switched off | 403 |
//! | nothing has this name | 404 |
//! | the identifier is taken, the models of a verdict are gone, something changed meanwhile | 409 |
//! | more bytes than are accepted | 413 |
//! | another content type than the one expected | 415 |
//! | a parameter has a value outside its bounds | 422 |
//! | as many of its kind run already as may | 429 |
//! | anything unforeseen | 500 |
//! | no model, a locked database, too much at a time | 503 |
//! | the client sent nothing for too long | 408 |
//! | no space left | 507 |
//!
//! What a client reads never holds a path or the words of a library; those go to the log, under
//! the identifier of the request, which the answer carries as `x-request-id`.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use tripline_detect::DetectError;
use tripline_features::FeatureError;
use tripline_store::StoreError;
use utoipa::ToSchema;

use crate::ingest::IngestError;

/// The body of every answer that is an error.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct ErrorBody {
    /// What went wrong, for people.
    pub(crate) detail: String,
}

/// A request that is answered with an error.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    status: StatusCode,
    detail: String,
    retry_after_seconds: Option<u32>,
    cause: Option<String>,
}

/// What the log is to say about an answer; rides along in its extensions.
#[derive(Debug, Clone)]
pub(crate) struct Cause(pub(crate) String);

impl ApiError {
    /// An answer with words for the client.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            retry_after_seconds: None,
            cause: None,
        }
    }

    /// The request cannot be understood.
    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// Nothing has this name.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// The same request may succeed a little later.
    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self {
            retry_after_seconds: Some(1),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        }
    }

    /// No model is loaded, which only the operator can change.
    pub(crate) fn no_model() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no model is loaded, so nothing can be judged; see /api/v1/health/detailed",
        )
    }

    /// Something that must not happen.
    pub(crate) fn internal(cause: impl std::fmt::Display) -> Self {
        Self {
            cause: Some(cause.to_string()),
            ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal server error")
        }
    }

    /// The same error with another status, if it has this one.
    pub(crate) fn with_status(self, from: StatusCode, to: StatusCode) -> Self {
        let status = if self.status == from { to } else { self.status };
        Self { status, ..self }
    }

    /// Whether the request is at fault, rather than the server.
    pub(crate) fn is_bad_request(&self) -> bool {
        self.status == StatusCode::BAD_REQUEST
    }

    /// The number of its status, which is the same for all errors of a kind.
    pub(crate) fn status_text(&self) -> String {
        self.status.as_str().to_owned()
    }

    /// What the client reads.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// The same error with other words.
    pub(crate) fn with_detail(self, detail: impl Into<String>) -> Self {
        Self {
            detail: detail.into(),
            ..self
        }
    }

    fn because(self, cause: String) -> Self {
        Self {
            cause: Some(cause),
            ..self
        }
    }
}

/// An error with its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

impl From<&StoreError> for ApiError {
    fn from(error: &StoreError) -> Self {
        let answer = match error {
            StoreError::Busy { .. } | StoreError::InUse { .. } => {
                Self::unavailable("the database is locked by another program; try again")
            }
            StoreError::Unreachable { .. } | StoreError::TimedOut { .. } => {
                Self::unavailable("the database does not answer; try again")
            }
            StoreError::DiskFull { .. } => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "there is no space left in the database",
            ),
            StoreError::UnknownBatch { .. } => return Self::not_found("Batch not found"),
            StoreError::Conflict { .. } | StoreError::Damaged { .. } => {
                return Self::new(StatusCode::CONFLICT, error.to_string());
            }
            StoreError::Invalid { .. } => return Self::bad_request(error.to_string()),
            _ => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal server error"),
        };
        answer.because(chain(error))
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::from(&error)
    }
}

impl From<DetectError> for ApiError {
    fn from(error: DetectError) -> Self {
        match &error {
            DetectError::NoModel { schema } => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("no model is loaded for schema '{schema}'; see /api/v1/health/detailed"),
            ),
            DetectError::MissingFeatures { .. } => Self::bad_request(error.to_string()),
            _ => Self::internal(chain(&error)),
        }
    }
}

impl From<FeatureError> for ApiError {
    fn from(error: FeatureError) -> Self {
        match &error {
            FeatureError::EmptyFile => Self::bad_request("CSV file is empty"),
            // The only reader is the body of a request, and its errors are made for the client.
            FeatureError::Io(source) => Self::bad_request(source.to_string()),
            FeatureError::Encoding { .. } => Self::internal(chain(&error)),
            _ => Self::bad_request(error.to_string()),
        }
    }
}

impl From<IngestError> for ApiError {
    fn from(error: IngestError) -> Self {
        let validation = |error: Self| {
            if error.status == StatusCode::BAD_REQUEST && error.detail != "CSV file is empty" {
                let detail = format!("CSV validation error: {}", error.detail);
                error.with_detail(detail)
            } else {
                error
            }
        };
        match error {
            IngestError::Features(error @ FeatureError::Io(_)) => error.into(),
            IngestError::Features(error) => validation(error.into()),
            IngestError::Models(error) => validation(error.into()),
            IngestError::Receiver(error) => match error.downcast::<StoreError>() {
                Ok(error) => error.into(),
                Err(error) => Self::internal(format!("{error:#}")),
            },
            IngestError::Worker => Self::internal(error),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = ErrorBody {
            detail: self.detail,
        };
        let mut response = (self.status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after_seconds {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(cause) = self.cause {
            response.extensions_mut().insert(Cause(cause));
        }
        response
    }
}
