//! Realistic NSL-KDD records when there is no data at hand.
//!
//! An office network with web, mail, name, file and login servers is attacked from time to
//! time. Connections are drawn from hand-written distributions and the window features are then
//! counted over the records really generated, so that they obey their definitions: every rate
//! fits the counts, and a scan looks like a scan because there is one. The records show what a
//! product does; they are no substitute for data when a model is judged.

mod attacks;
mod normal;
mod traffic;

use std::io::{self, Write};

use crate::schema::{FeatureKind, nsl_kdd};
use crate::vector::{FeatureValue, FeatureVector, display_value};
use crate::windows::{Outcome, Seen, Windows};
use traffic::{Connection, Traffic};

/// A generated record and what it is.
#[derive(Debug, Clone)]
pub struct SyntheticRecord {
    /// The 41 values of the `nsl-kdd` schema, none missing.
    pub vector: FeatureVector,
    /// `normal` or the name of an attack.
    pub label: &'static str,
}

/// An endless sequence of records that depends on the seed only.
///
/// ```
/// use tripline_features::synthetic::SyntheticRecords;
/// let attacks = SyntheticRecords::new(7).take(1000).filter(|record| record.label != "normal");
/// assert!(attacks.count() > 100);
/// ```
#[derive(Debug, Clone)]
pub struct SyntheticRecords {
    traffic: Traffic,
    windows: Windows<u32>,
}

impl SyntheticRecords {
    /// Starts the sequence of that seed.
    pub fn new(seed: u64) -> Self {
        Self {
            traffic: Traffic::new(seed),
            windows: Windows::default(),
        }
    }
}

impl Iterator for SyntheticRecords {
    type Item = SyntheticRecord;

    fn next(&mut self) -> Option<SyntheticRecord> {
        let connection = self.traffic.next_connection();
        let label = connection.label;
        let mut values = own_values(&connection);
        values.extend(self.windows.observe(seen(&connection)));
        debug_assert_eq!(values.len(), nsl_kdd().len());
        Some(SyntheticRecord {
            vector: FeatureVector::new(values),
            label,
        })
    }
}

/// Writes records as CSV with a header line and a label column.
pub fn write_csv<W: Write>(seed: u64, rows: usize, mut out: W) -> io::Result<()> {
    let schema = nsl_kdd();
    for feature in schema.features() {
        write!(out, "{},", feature.name)?;
    }
    writeln!(out, "label")?;
    for record in SyntheticRecords::new(seed).take(rows) {
        for (index, feature) in schema.features().iter().enumerate() {
            let value = record.vector.values()[index];
            match display_value(schema, index, value) {
                FeatureValue::Name(name) => write!(out, "{name},")?,
                FeatureValue::Number(number) if feature.kind == FeatureKind::Rate => {
                    write!(out, "{number:.2},")?;
                }
                FeatureValue::Number(number) => write!(out, "{number},")?,
                FeatureValue::Missing => write!(out, ",")?,
            }
        }
        writeln!(out, "{}", record.label)?;
    }
    out.flush()
}

/// What the windows need to know of a connection.
fn seen(connection: &Connection) -> Seen<u32> {
    Seen {
        at_micros: (connection.at * 1e6).round() as i64,
        host: connection.destination,
        service: category(2, connection.service) as u8,
        source_port: connection.source_port,
        outcome: match connection.flag {
            "S0" | "S1" | "S2" | "S3" | "SH" => Outcome::SynError,
            "REJ" | "RSTO" | "RSTOS0" | "RSTR" => Outcome::RejectError,
            _ => Outcome::Fine,
        },
    }
}

/// The first 22 features: what the connection itself shows.
fn own_values(connection: &Connection) -> Vec<f64> {
    let mut values = Vec::with_capacity(nsl_kdd().len());
    values.extend([
        f64::from(connection.duration),
        category(1, connection.protocol),
        category(2, connection.service),
        category(3, connection.flag),
        connection.src_bytes as f64,
        connection.dst_bytes as f64,
    ]);
    let content = &connection.content;
    values.extend(
        [
            content.land,
            content.wrong_fragment,
            content.urgent,
            content.hot,
            content.num_failed_logins,
            content.logged_in,
            content.num_compromised,
            content.root_shell,
            content.su_attempted,
            content.num_root,
            content.num_file_creations,
            content.num_shells,
            content.num_access_files,
            0,
            0,
            content.is_guest_login,
        ]
        .map(f64::from),
    );
    values
}

fn category(index: usize, name: &str) -> f64 {
    nsl_kdd()
        .category_index(index)
        .and_then(|vocabulary| vocabulary.find(name.as_bytes()))
        .unwrap_or_default() as f64
}

#[cfg(test)]
mod tests;
