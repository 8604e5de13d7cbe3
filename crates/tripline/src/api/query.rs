//! Query parameters with words for what is wrong with them.

use std::ops::RangeInclusive;

use axum::{
    extract::{FromRequestParts, Query},
    http::{StatusCode, request::Parts},
};
use tripline_store::Timestamp;

use super::{error::ApiError, time};

/// Rows that a list returns unless it is asked for another number.
pub(crate) const DEFAULT_ROWS: u64 = 100;
/// Rows that a list returns at most.
pub(crate) const MAX_ROWS: u64 = 1000;

/// The parameters of a request, in the order sent.
#[derive(Debug)]
pub(crate) struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Query(pairs) = Query::try_from_uri(&parts.uri)
            .map_err(|_| ApiError::bad_request("the query string cannot be read"))?;
        Ok(Self(pairs))
    }
}

impl Params {
    /// Refuses parameters other than these, and repeated ones. A misspelt filter that is ignored
    /// gives an answer to another question.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), ApiError> {
        for (index, (name, _)) in self.0.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let shown: String = name.chars().take(40).collect();
                return Err(ApiError::bad_request(format!(
                    "unknown parameter '{shown}', expected {}",
                    if known.is_empty() {
                        "none".to_owned()
                    } else {
                        known.join(", ")
                    }
                )));
            }
            if self.0[..index].iter().any(|(other, _)| other == name) {
                return Err(ApiError::bad_request(format!(
                    "parameter '{name}' stands twice"
                )));
            }
        }
        Ok(())
    }

    /// A parameter as it was sent; an empty one counts as absent.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// A whole number within bounds.
    pub(crate) fn number(
        &self,
        name: &str,
        default: u64,
        bounds: RangeInclusive<u64>,
    ) -> Result<u64, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(default);
        };
        text.parse()
            .ok()
            .filter(|number| bounds.contains(number))
            .ok_or_else(|| {
                let expected =
                    format!("a whole number from {} to {}", bounds.start(), bounds.end());
                out_of_bounds(name, text, &expected)
            })
    }

    /// The number of rows asked for.
    pub(crate) fn limit(&self) -> Result<usize, ApiError> {
        Ok(self.number("limit", DEFAULT_ROWS, 1..=MAX_ROWS)? as usize)
    }

    /// A yes or no.
    pub(crate) fn flag(&self, name: &str, default: bool) -> Result<bool, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(default);
        };
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err(out_of_bounds(name, text, "true or false")),
        }
    }

    /// A time.
    pub(crate) fn time(&self, name: &str) -> Result<Option<Timestamp>, ApiError> {
        let read = |text| {
            time::parse(text)
                .ok_or_else(|| out_of_bounds(name, text, "a time such as 2026-01-31T12:00:00Z"))
        };
        self.text(name).map(read).transpose()
    }
}

fn out_of_bounds(name: &str, found: &str, expected: &str) -> ApiError {
    let shown: String = found.chars().take(40).collect();
    ApiError::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        format!("{name} is '{shown}', expected {expected}"),
    )
}
