//! Feature schemas: what every number of a feature vector means.

mod category;
mod cicflow;
mod fingerprint;
mod nsl_kdd;

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

pub(crate) use category::CategoryIndex;
pub use fingerprint::SchemaFingerprint;

/// The features of one kind of record, in vector order.
#[derive(Debug)]
pub struct FeatureSchema {
    name: &'static str,
    version: u32,
    blanks: BlankPolicy,
    features: &'static [FeatureDef],
    fingerprint: SchemaFingerprint,
    roles: HashMap<String, ColumnRole>,
    categories: Vec<Option<CategoryIndex>>,
}

/// One feature of a schema.
#[derive(Debug, Clone, Copy)]
pub struct FeatureDef {
    /// Canonical name.
    pub name: &'static str,
    /// Other spellings in use; compared without case, spaces and punctuation.
    pub aliases: &'static [&'static str],
    /// What one unit of the value is.
    pub unit: Unit,
    /// Which values are meaningful.
    pub kind: FeatureKind,
    /// Accepted range.
    pub bounds: Bounds,
    /// What a negative value means.
    pub negative: NegativeMeaning,
    /// Whether a live sensor can compute it.
    pub live: LiveObservability,
    /// False for columns that a model must not learn from.
    pub model_input: bool,
    /// One sentence for people.
    pub description: &'static str,
}

/// Which values of a feature are meaningful.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureKind {
    /// A whole number.
    Count,
    /// Any number.
    Real,
    /// A share between 0 and 1.
    Rate,
    /// 0 or 1.
    Flag,
    /// The index of a name in a sorted vocabulary.
    Category(&'static [&'static str]),
    /// A transport port.
    Port,
}

/// What one unit of a feature is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Microseconds.
    Microseconds,
    /// Bytes.
    Bytes,
    /// Square bytes, of a variance.
    SquareBytes,
    /// Packets.
    Packets,
    /// Connections.
    Connections,
    /// Events inside a connection, such as failed logins.
    Events,
    /// Bytes per second.
    BytesPerSecond,
    /// Packets per second.
    PacketsPerSecond,
    /// A share or a ratio.
    Ratio,
    /// A flag, a name, a port or a protocol number: no unit.
    None,
}

impl Unit {
    /// The unit as it is written after a number; `None` where there is nothing to write.
    pub fn symbol(self) -> Option<&'static str> {
        match self {
            Self::Seconds => Some("s"),
            Self::Microseconds => Some("µs"),
            Self::Bytes => Some("bytes"),
            Self::SquareBytes => Some("bytes²"),
            Self::Packets => Some("packets"),
            Self::Connections => Some("connections"),
            Self::Events => Some("events"),
            Self::BytesPerSecond => Some("bytes/s"),
            Self::PacketsPerSecond => Some("packets/s"),
            Self::Ratio | Self::None => None,
        }
    }
}

/// Inclusive range of accepted values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Smallest accepted value.
    pub min: f64,
    /// Largest accepted value.
    pub max: f64,
}

/// What a negative value means where the bounds start at zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NegativeMeaning {
    /// Nothing: the row is rejected.
    Invalid,
    /// The tool's way to say "undefined" (−1), or a rate over a negative duration: missing.
    Undefined,
    /// A 16-bit overflow or a stale value: missing.
    Overflow,
    /// Packets out of order in the capture: missing.
    Misordered,
    /// −1 stands for what the corrected tool writes as 0.
    Zero,
    /// −1 is the regular value when the feature does not apply: missing, not worth a note.
    NotApplicable,
}

/// Whether a live sensor can compute a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiveObservability {
    /// From packet headers and connection state.
    Observable,
    /// Only roughly; the text says why.
    Estimated(&'static str),
    /// Not at all; the text says why.
    Unobservable(&'static str),
}

/// What an empty field or a non-finite number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlankPolicy {
    Missing,
    Reject,
}

/// What a schema knows about a column name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnRole {
    Feature(usize),
    CopyOf(usize),
    Identity,
    Label,
}

/// The 41 connection features of NSL-KDD.
pub fn nsl_kdd() -> &'static FeatureSchema {
    static SCHEMA: LazyLock<FeatureSchema> = LazyLock::new(|| {
        FeatureSchema::new(
            "nsl-kdd",
            1,
            BlankPolicy::Reject,
            nsl_kdd::FEATURES,
            nsl_kdd::LABELS,
            nsl_kdd::IDENTITY,
            &[],
        )
    });
    &SCHEMA
}

/// The flow features of the corrected CICFlowMeter.
pub fn cicflow() -> &'static FeatureSchema {
    static SCHEMA: LazyLock<FeatureSchema> = LazyLock::new(|| {
        FeatureSchema::new(
            "cicflow",
            1,
            BlankPolicy::Missing,
            cicflow::FEATURES,
            cicflow::LABELS,
            cicflow::IDENTITY,
            cicflow::COPIES,
        )
    });
    &SCHEMA
}

/// Every schema.
pub fn schemas() -> [&'static FeatureSchema; 2] {
    [nsl_kdd(), cicflow()]
}

/// The schema of that name.
pub fn schema_by_name(name: &str) -> Option<&'static FeatureSchema> {
    schemas().into_iter().find(|schema| schema.name == name)
}

impl FeatureSchema {
    fn new(
        name: &'static str,
        version: u32,
        blanks: BlankPolicy,
        features: &'static [FeatureDef],
        labels: &[&str],
        identity: &[&str],
        copies: &[(&str, &str)],
    ) -> Self {
        let mut roles = HashMap::new();
        for (index, feature) in features.iter().enumerate() {
            for spelling in std::iter::once(&feature.name).chain(feature.aliases) {
                roles.insert(column_key(spelling), ColumnRole::Feature(index));
            }
        }
        for label in labels {
            roles.insert(column_key(label), ColumnRole::Label);
        }
        for column in identity {
            roles.insert(column_key(column), ColumnRole::Identity);
        }
        for (column, original) in copies {
            if let Some(ColumnRole::Feature(index)) = roles.get(&column_key(original)).copied() {
                roles.insert(column_key(column), ColumnRole::CopyOf(index));
            }
        }
        let categories = features
            .iter()
            .map(|feature| match feature.kind {
                FeatureKind::Category(names) => Some(CategoryIndex::new(names)),
                _ => None,
            })
            .collect();
        Self {
            name,
            version,
            blanks,
            features,
            fingerprint: SchemaFingerprint::of(name, version, features),
            roles,
            categories,
        }
    }

    /// The name, such as `nsl-kdd`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Grows when the meaning of a feature changes.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Identifies the schema by its content.
    pub fn fingerprint(&self) -> &SchemaFingerprint {
        &self.fingerprint
    }

    /// The features in vector order.
    pub fn features(&self) -> &'static [FeatureDef] {
        self.features
    }

    /// How many features a vector has.
    pub fn len(&self) -> usize {
        self.features.len()
    }

    /// Never true for the built-in schemas.
    pub fn is_empty(&self) -> bool {
        self.features.is_empty()
    }

    /// The index of the feature with that canonical name or any of its other spellings.
    pub fn index_of(&self, canonical_or_alias: &str) -> Option<usize> {
        match self.role_of(canonical_or_alias) {
            Some(ColumnRole::Feature(index)) => Some(index),
            _ => None,
        }
    }

    pub(crate) fn role_of(&self, column: &str) -> Option<ColumnRole> {
        self.roles.get(&column_key(column)).copied()
    }

    pub(crate) fn blanks(&self) -> BlankPolicy {
        self.blanks
    }

    pub(crate) fn category_index(&self, index: usize) -> Option<&CategoryIndex> {
        self.categories.get(index).and_then(Option::as_ref)
    }
}

impl FeatureDef {
    const fn new(
        name: &'static str,
        kind: FeatureKind,
        unit: Unit,
        max: f64,
        description: &'static str,
    ) -> Self {
        Self {
            name,
            aliases: &[],
            unit,
            kind,
            bounds: Bounds { min: 0.0, max },
            negative: NegativeMeaning::Invalid,
            live: LiveObservability::Observable,
            model_input: true,
            description,
        }
    }

    const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    const fn live(mut self, live: LiveObservability) -> Self {
        self.live = live;
        self
    }

    const fn negative(mut self, negative: NegativeMeaning) -> Self {
        self.negative = negative;
        self
    }

    const fn not_model_input(mut self) -> Self {
        self.model_input = false;
        self
    }
}

impl Bounds {
    /// Whether the value lies inside; NaN never does.
    pub fn contains(&self, value: f64) -> bool {
        value >= self.min && value <= self.max
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Seconds => "s",
            Self::Microseconds => "µs",
            Self::Bytes => "bytes",
            Self::SquareBytes => "bytes²",
            Self::Packets => "packets",
            Self::Connections => "connections",
            Self::Events => "events",
            Self::BytesPerSecond => "bytes/s",
            Self::PacketsPerSecond => "packets/s",
            Self::Ratio => "ratio",
            Self::None => "",
        })
    }
}

/// The part of a column name that tells columns apart: files differ in spaces, case and
/// punctuation, but no two columns differ only there.
pub(crate) fn column_key(column: &str) -> String {
    column
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|character| character.to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests;
