use std::ops::RangeInclusive;

use axum::http::StatusCode;
use serde_json::{Map, Value};
use tripline_features::{FeatureSchema, cicflow, nsl_kdd};
use utoipa::ToSchema;

use super::super::error::ApiError;

/// Records of one stream.
const COUNT: RangeInclusive<u64> = 1..=10_000;
/// Seconds from one record to the next.
const INTERVAL: RangeInclusive<f64> = 0.01..=60.0;

/// Which models are to judge the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Kind {
    /// Detectors: connections with the features of NSL-KDD.
    Threat,
    /// Classifiers: flows with the features of `CICFlowMeter`.
    #[default]
    Attack,
}

impl Kind {
    pub(super) const ALL: [Self; 2] = [Self::Threat, Self::Attack];

    /// The name that the origin system has for it here.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Threat => "threat_detection",
            Self::Attack => "attack_classification",
        }
    }

    pub(super) fn schema(self) -> &'static FeatureSchema {
        match self {
            Self::Threat => nsl_kdd(),
            Self::Attack => cicflow(),
        }
    }

    /// Takes the name that it has elsewhere too.
    pub(super) fn read(text: &str) -> Result<Self, ApiError> {
        match text {
            "threat_detection" | "threat_detector" => Ok(Self::Threat),
            "attack_classification" | "attack_classifier" => Ok(Self::Attack),
            _ => {
                let shown: String = text.chars().take(40).collect();
                Err(ApiError::bad_request(format!(
                    "model_type is '{shown}', expected threat_detection or attack_classification"
                )))
            }
        }
    }
}

/// What is to be streamed.
#[derive(Debug, Clone, PartialEq, ToSchema)]
#[schema(as = TestStreamRequest)]
pub(crate) struct StreamRequest {
    /// Records, 1 to 10,000; 100 when absent.
    #[schema(value_type = Option<u64>)]
    pub(super) count: u64,
    /// Seconds from one to the next, 0.01 to 60; 1 when absent.
    #[schema(value_type = Option<f64>)]
    pub(super) interval: f64,
    /// `threat_detection` or `attack_classification`, the latter when absent.
    #[schema(value_type = Option<String>, rename = "model_type")]
    pub(super) kind: Kind,
}

impl StreamRequest {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, ApiError> {
        let mut request = Self {
            count: 100,
            interval: 1.0,
            kind: Kind::default(),
        };
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(request);
        }
        let body: Map<String, Value> = serde_json::from_slice(bytes).map_err(|error| {
            ApiError::bad_request(format!("the body is no JSON object: {error}"))
        })?;
        for (name, value) in &body {
            match name.as_str() {
                "count" => {
                    let count = value.as_u64().filter(|count| COUNT.contains(count));
                    request.count = count.ok_or_else(|| {
                        let (least, most) = (COUNT.start(), COUNT.end());
                        refused(
                            name,
                            value,
                            &format!("a whole number from {least} to {most}"),
                        )
                    })?;
                }
                "interval" => {
                    let interval = value.as_f64().filter(|one| INTERVAL.contains(one));
                    request.interval = interval.ok_or_else(|| {
                        let (least, most) = (INTERVAL.start(), INTERVAL.end());
                        refused(name, value, &format!("seconds from {least} to {most}"))
                    })?;
                }
                "model_type" => {
                    let text = value.as_str();
                    let text = text.ok_or_else(|| refused(name, value, "a text"))?;
                    request.kind = Kind::read(text)?;
                }
                _ => {
                    let shown: String = name.chars().take(40).collect();
                    return Err(ApiError::bad_request(format!(
                        "unknown key '{shown}', expected count, interval, model_type"
                    )));
                }
            }
        }
        Ok(request)
    }
}

fn refused(name: &str, value: &Value, expected: &str) -> ApiError {
    let shown: String = value.to_string().chars().take(40).collect();
    ApiError::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        format!("{name} is {shown}, expected {expected}"),
    )
}
