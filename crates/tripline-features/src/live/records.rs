//! Features of flows that another sensor recorded.
//!
//! A record knows less than the packets did. Each vector comes with the set of features that are
//! known ([`KnownSet`]); all others are NaN. What is known by source and record is decided in one
//! place (`facts`), and a table of it is in `docs/flow-records.md`.
//!
//! - `nsl-kdd` follows KDD's rules: of S0, REJ, SH and OTH no bytes count, a TCP connection has a
//!   duration only once a side has closed or reset it, a message of ICMP is a record. The windows
//!   (23 to 31) are counted over records in the order of the log.
//! - `cicflow` has only what `CICFlowMeter` in its corrected version writes for the packets of the
//!   record, in microseconds and bytes of payload. A record of more than 120 seconds is several
//!   flows there and has none of these numbers.
//!
//! Bytes of IP packets or frames never stand in for payload.

mod cicflow;
mod facts;
mod flag;
mod nsl_kdd;

use std::net::IpAddr;

use tripline_records::FlowRecord;

use crate::schema::FeatureSchema;
use crate::windows::{Outcome, Seen, Windows};
use facts::Facts;

/// What a line of Zeek's `conn.log` knows of `nsl-kdd` when it has both sides, the state and the
/// bytes.
pub const NSL_CONN: [&str; 16] = [
    "duration",
    "protocol_type",
    "service",
    "flag",
    "src_bytes",
    "dst_bytes",
    "land",
    "count",
    "srv_count",
    "serror_rate",
    "srv_serror_rate",
    "rerror_rate",
    "srv_rerror_rate",
    "same_srv_rate",
    "diff_srv_rate",
    "srv_diff_host_rate",
];

/// What a flow of Suricata's EVE log knows of `nsl-kdd`: as [`NSL_CONN`], without bytes of payload.
pub const NSL_EVE: [&str; 14] = [
    "duration",
    "protocol_type",
    "service",
    "flag",
    "land",
    "count",
    "srv_count",
    "serror_rate",
    "srv_serror_rate",
    "rerror_rate",
    "srv_rerror_rate",
    "same_srv_rate",
    "diff_srv_rate",
    "srv_diff_host_rate",
];

/// What a line of Zeek's `conn.log` knows of `cicflow` when it has both sides and the bytes.
/// Ports and protocol are known too, and no inputs of models.
pub const CICFLOW_CONN: [&str; 19] = [
    "Flow Duration",
    "Total Fwd Packet",
    "Total Bwd packets",
    "Total Length of Fwd Packet",
    "Total Length of Bwd Packet",
    "Fwd Packet Length Mean",
    "Bwd Packet Length Mean",
    "Flow Bytes/s",
    "Flow Packets/s",
    "Flow IAT Mean",
    "Fwd Packets/s",
    "Bwd Packets/s",
    "Packet Length Mean",
    "Down/Up Ratio",
    "Average Packet Size",
    "Fwd Segment Size Avg",
    "Bwd Segment Size Avg",
    "ICMP Code",
    "ICMP Type",
];

/// What a flow of Suricata's EVE log knows of `cicflow`: as [`CICFLOW_CONN`], without bytes of
/// payload.
pub const CICFLOW_EVE: [&str; 10] = [
    "Flow Duration",
    "Total Fwd Packet",
    "Total Bwd packets",
    "Flow Packets/s",
    "Flow IAT Mean",
    "Fwd Packets/s",
    "Bwd Packets/s",
    "Down/Up Ratio",
    "ICMP Code",
    "ICMP Type",
];

/// A set of features of one schema, by position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct KnownSet(u128);

impl KnownSet {
    /// Whether the feature is in it.
    pub fn contains(self, feature: usize) -> bool {
        feature < 128 && self.0 >> feature & 1 == 1
    }

    /// As [`ModelSet::pipeline_for`] of `tripline-detect` takes it: a mark for each feature of the
    /// schema.
    ///
    /// [`ModelSet::pipeline_for`]: https://docs.rs/tripline-detect
    pub fn marks(self, schema: &FeatureSchema) -> Vec<bool> {
        (0..schema.len())
            .map(|feature| self.contains(feature))
            .collect()
    }

    /// Names of its features.
    pub fn names(self, schema: &FeatureSchema) -> Vec<&'static str> {
        let features = schema.features().iter().enumerate();
        features
            .filter(|(feature, _)| self.contains(*feature))
            .map(|(_, feature)| feature.name)
            .collect()
    }

    fn insert(&mut self, feature: usize) {
        self.0 |= 1_u128.checked_shl(feature as u32).unwrap_or_default();
    }
}

/// Values in the order of a schema.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordVector {
    /// The values; NaN where nothing is known, and where the schema reads a known value as missing.
    pub values: Vec<f64>,
    /// Which of them are known.
    pub known: KnownSet,
}

impl RecordVector {
    fn new(schema: &FeatureSchema) -> Self {
        Self {
            values: vec![f64::NAN; schema.len()],
            known: KnownSet::default(),
        }
    }

    fn set(&mut self, feature: usize, value: impl Into<Option<f64>>) {
        if let (Some(value), Some(slot)) = (value.into(), self.values.get_mut(feature)) {
            *slot = value;
            self.known.insert(feature);
        }
    }
}

/// Both vectors of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordFeatures {
    /// In the `cicflow` schema.
    pub cicflow: RecordVector,
    /// In the `nsl-kdd` schema, if KDD has such a record: it has none of protocols other than TCP,
    /// UDP and ICMP, and none of some messages of ICMP.
    pub nsl_kdd: Option<RecordVector>,
}

/// Computes features of records as they come.
#[derive(Debug, Default)]
pub struct Records {
    windows: Windows<IpAddr>,
}

impl Records {
    /// Nothing has been seen.
    pub fn new() -> Self {
        Self::default()
    }

    /// The features of the next record.
    ///
    /// The windows take it as seen at its end, or at `not_after_micros` if that is earlier: the
    /// time of its arrival, where there is one, so that an exporter with a wrong clock cannot stop
    /// time for all others.
    pub fn observe(
        &mut self,
        record: &FlowRecord,
        not_after_micros: Option<i64>,
    ) -> RecordFeatures {
        let facts = Facts::of(record);
        let nsl_kdd = nsl_kdd::own(&facts).map(|(mut vector, service)| {
            let seen = service.filter(|_| facts.is_counted()).map(|service| Seen {
                at_micros: facts.last_micros.min(not_after_micros.unwrap_or(i64::MAX)),
                host: record.destination_address,
                service,
                source_port: record.source_port,
                outcome: outcome(&facts),
            });
            if let Some(seen) = seen {
                let windows = self.windows.observe(seen);
                // Of several messages in one record each would see another window.
                if !facts.is_several_messages() {
                    nsl_kdd::set_windows(&windows, &mut vector);
                }
            }
            vector
        });
        RecordFeatures {
            cicflow: cicflow::vector(&facts),
            nsl_kdd,
        }
    }
}

fn outcome(facts: &Facts<'_>) -> Outcome {
    match facts.flag {
        None => Outcome::Unknown,
        Some(flag) if flag.is_syn_error() => Outcome::SynError,
        Some(flag) if flag.is_reject_error() => Outcome::RejectError,
        Some(_) => Outcome::Fine,
    }
}

#[cfg(test)]
mod tests;
