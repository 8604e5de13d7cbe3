//! Feature schemas and the reading of feature rows.
//!
//! Says what every number of a record means ([`nsl_kdd`], [`cicflow`]), finds the schema of a
//! file by its column names, reads rows from CSV ([`CsvRows`]) and JSON ([`vector_from_json`])
//! under one written [`policy`], stores vectors compactly ([`FeatureVector`]), understands the
//! labels of published files ([`label`]) and generates demonstration traffic ([`synthetic`]).
//!
//! It does not compute features from packets, train or score, and it touches neither the
//! network, the clock nor the environment.
//!
//! Invariants:
//! - An accepted value lies within the bounds of its feature or is missing (NaN).
//! - Reading a file takes the same memory whatever the file contains.
//! - The order of columns never changes the values.
//! - Whatever the policy does to a value is counted and told ([`Notes`]).
//!
//! ```
//! use tripline_features::{CsvLimits, CsvRows, RowBatch, display_value, FeatureValue};
//!
//! let file = "flag,src_bytes,service,colour\nSF,215,http,red\nS0,zero,http,blue\n";
//! let mut rows = CsvRows::new(file.as_bytes(), CsvLimits::default())?;
//! let mut batch = RowBatch::new();
//! rows.read_batch(1000, &mut batch)?;
//!
//! let schema = rows.schema();
//! let service = schema.index_of("service").unwrap();
//! assert_eq!(display_value(schema, service, batch.row(0)[service]), FeatureValue::Name("http"));
//! assert_eq!(rows.columns().ignored_columns(), ["colour"]);
//! assert_eq!(batch.rejections[0].line, 3);
//! assert_eq!(batch.rejections[0].reason.to_string(), r#"expected a number, found "zero""#);
//! # Ok::<(), tripline_features::FeatureError>(())
//! ```

mod columns;
pub mod csv_export;
mod csv_rows;
mod error;
mod field;
mod json;
pub mod label;
pub mod live;
mod notes;
pub mod policy;
mod rejection;
mod schema;
pub mod synthetic;
mod vector;
mod windows;

pub use columns::{ColumnMap, match_schema};
pub use csv_rows::{CsvLimits, CsvRows, RowBatch};
pub use error::FeatureError;
pub use json::{JsonReader, JsonRecord, vector_from_json};
pub use label::{LabelText, NslCategory};
pub use notes::Notes;
pub use rejection::{RejectReason, Rejection};
pub use schema::{
    Bounds, FeatureDef, FeatureKind, FeatureSchema, LiveObservability, NegativeMeaning,
    SchemaFingerprint, Unit, cicflow, nsl_kdd, schema_by_name, schemas,
};
pub use vector::{FeatureValue, FeatureVector, display_value, encode_values};
