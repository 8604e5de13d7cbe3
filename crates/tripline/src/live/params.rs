use serde::Serialize;
use serde_json::{Map, Value};
use tripline_flow::{Early, MeterConfig};
use tripline_wire::DecodeOptions;

use super::{InterfaceConfig, TIMELINE_PACKETS, hash_key, interface::ANY, watch::EARLY};
use crate::sensor::SensorConfig;

/// The kernel's buffer of a configured source.
const KERNEL_BUFFER_MIB: u32 = 16;
/// Longest name of an interface that Linux knows.
const MAX_INTERFACE_NAME: usize = 15;
/// Longest filter that is taken.
const MAX_FILTER: usize = 4096;

/// How the source `packet_capture` is to run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct CaptureParams {
    /// The interface, or `any` for all of them.
    pub(crate) interface: String,
    /// Verdicts that may wait to be stored.
    pub(crate) buffer_size: u64,
    /// Bytes captured of each frame.
    pub(crate) snaplen: u64,
    /// A filter in the language of libpcap.
    pub(crate) bpf: Option<String>,
    /// Whether packets for others are wanted too.
    pub(crate) promiscuous: bool,
    /// A flow that goes on gets a verdict at so many packets.
    pub(crate) early_packets: u64,
    /// And at this age.
    pub(crate) early_seconds: f64,
    /// Memory of the table of flows.
    pub(crate) max_memory_mb: u64,
}

/// A value that cannot be used, or a name that nothing has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParamsError {
    /// No parameter has this name.
    #[error("config_params has no '{name}'; it has {}", known.join(", "))]
    UnknownName {
        /// The name.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// The value is of another kind, or outside its bounds.
    #[error("config_params.{name} is {found}, expected {expected}")]
    Value {
        /// The name.
        name: String,
        /// What was given.
        found: String,
        /// What is accepted.
        expected: &'static str,
    },
}

impl Default for CaptureParams {
    fn default() -> Self {
        Self {
            interface: ANY.to_owned(),
            buffer_size: 1000,
            snaplen: 262_144,
            bpf: None,
            promiscuous: false,
            early_packets: u64::from(EARLY.after_packets),
            early_seconds: EARLY.after_micros as f64 / 1e6,
            max_memory_mb: 128,
        }
    }
}

impl CaptureParams {
    /// The same with the given values in place of its own.
    pub(crate) fn with(mut self, changes: &Map<String, Value>) -> Result<Self, ParamsError> {
        for (name, value) in changes {
            self.set(name, value)?;
        }
        Ok(self)
    }

    fn set(&mut self, name: &str, value: &Value) -> Result<(), ParamsError> {
        let refused = |expected| refused(name, value, expected);
        let whole = |from: u64, to: u64, expected| {
            value
                .as_u64()
                .filter(|number| (from..=to).contains(number))
                .ok_or_else(|| refused(expected))
        };
        match name {
            "interface" => {
                let text = value.as_str().filter(|text| {
                    (1..=MAX_INTERFACE_NAME).contains(&text.len())
                        && !text.contains(|letter: char| letter == '/' || letter.is_control())
                });
                text.ok_or_else(|| refused("the name of an interface, or \"any\""))?
                    .clone_into(&mut self.interface);
            }
            "buffer_size" => {
                self.buffer_size = whole(1, 1_000_000, "a whole number from 1 to 1000000")?;
            }
            "snaplen" => self.snaplen = whole(64, 262_144, "a whole number from 64 to 262144")?,
            "bpf" => {
                self.bpf = match value {
                    Value::Null => None,
                    Value::String(text) if text.trim().is_empty() => None,
                    Value::String(text) if text.len() <= MAX_FILTER => Some(text.clone()),
                    _ => return Err(refused("a filter of libpcap as text, or null")),
                };
            }
            "promiscuous" => {
                self.promiscuous = value.as_bool().ok_or_else(|| refused("true or false"))?;
            }
            "early_packets" => {
                self.early_packets = whole(
                    1,
                    u64::from(u32::MAX),
                    "a whole number from 1 to 4294967295",
                )?;
            }
            "early_seconds" => {
                self.early_seconds = value
                    .as_f64()
                    .filter(|seconds| (0.001..=86_400.0).contains(seconds))
                    .ok_or_else(|| refused("seconds from 0.001 to 86400"))?;
            }
            "max_memory_mb" => {
                self.max_memory_mb = whole(1, 1 << 20, "a whole number from 1 to 1048576")?;
            }
            _ => {
                return Err(ParamsError::UnknownName {
                    name: shown(name),
                    known: self.names(),
                });
            }
        }
        Ok(())
    }

    fn names(&self) -> Vec<String> {
        match serde_json::to_value(self) {
            Ok(Value::Object(map)) => map.into_iter().map(|(name, _)| name).collect(),
            _ => Vec::new(),
        }
    }

    /// The interface as it is to be opened.
    pub(super) fn interface_config(&self) -> InterfaceConfig {
        InterfaceConfig {
            name: self.interface.clone(),
            promiscuous: self.promiscuous,
            snaplen: u32::try_from(self.snaplen).unwrap_or(u32::MAX),
            buffer_mib: KERNEL_BUFFER_MIB,
            bpf: self.bpf.clone(),
        }
    }

    /// How its packets become flows.
    pub(super) fn sensor_config(&self) -> SensorConfig {
        SensorConfig {
            decode: DecodeOptions::default(),
            meter: MeterConfig {
                max_bytes: (self.max_memory_mb as usize).saturating_mul(1 << 20),
                hash_key: hash_key(),
                early: Some(Early {
                    after_packets: u32::try_from(self.early_packets).unwrap_or(u32::MAX),
                    after_micros: (self.early_seconds * 1e6) as i64,
                }),
                timeline: TIMELINE_PACKETS,
                ..MeterConfig::default()
            },
        }
    }
}

/// The error for a value that cannot be used.
pub(crate) fn refused(name: &str, value: &Value, expected: &'static str) -> ParamsError {
    ParamsError::Value {
        name: shown(name),
        found: shown(&value.to_string()),
        expected,
    }
}

/// Text of a stranger, short enough for an answer.
fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(changes: &Value, expected: Result<&CaptureParams, &str>) {
        let found = CaptureParams::default().with(changes.as_object().unwrap());
        match expected {
            Ok(params) => assert_eq!(found.as_ref(), Ok(params)),
            Err(words) => assert_eq!(found.unwrap_err().to_string(), words),
        }
    }

    #[test]
    fn values_take_the_place_of_those_before() {
        let params = CaptureParams::default();
        check(&json!({}), Ok(&params));
        let changed = CaptureParams {
            interface: "eth0".to_owned(),
            bpf: Some("tcp".to_owned()),
            early_seconds: 2.0,
            ..params.clone()
        };
        check(
            &json!({ "interface": "eth0", "bpf": "tcp", "early_seconds": 2 }),
            Ok(&changed),
        );
        check(&json!({ "bpf": "  " }), Ok(&params));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        check(
            &json!({ "interfaces": "eth0" }),
            Err(
                "config_params has no 'interfaces'; it has interface, buffer_size, snaplen, bpf, \
                 promiscuous, early_packets, early_seconds, max_memory_mb",
            ),
        );
        check(
            &json!({ "snaplen": "96" }),
            Err("config_params.snaplen is \"96\", expected a whole number from 64 to 262144"),
        );
        check(
            &json!({ "promiscuous": 1 }),
            Err("config_params.promiscuous is 1, expected true or false"),
        );
        check(
            &json!({ "interface": "../../etc/passwd" }),
            Err(
                "config_params.interface is \"../../etc/passwd\", expected the name of an \
                 interface, or \"any\"",
            ),
        );
        check(
            &json!({ "early_seconds": -1.0 }),
            Err("config_params.early_seconds is -1.0, expected seconds from 0.001 to 86400"),
        );
    }
}
