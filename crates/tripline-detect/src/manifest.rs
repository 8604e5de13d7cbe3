use serde::{Deserialize, Serialize};
use tripline_features::{FeatureKind, FeatureSchema, schema_by_name};
use tripline_forest::{Link, calibration::Calibration};

use crate::DetectError;

/// What a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Tells threats from normal traffic.
    Detector,
    /// Tells classes of traffic apart.
    Classifier,
    /// Names the attack inside a class.
    Namer,
}

impl Role {
    /// The name used in files and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Detector => "detector",
            Self::Classifier => "classifier",
            Self::Namer => "namer",
        }
    }
}

/// Whose measurements a model was made for.
///
/// The same feature of the same flow differs with where and by what it was measured; a model that
/// was trained on one origin is only trusted there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MadeFor {
    /// Rows that somebody else measured, as the public data sets have them.
    #[default]
    Rows,
    /// Packets that Tripline measures itself.
    Packets,
}

impl MadeFor {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde asks for a reference"
    )]
    fn is_rows(&self) -> bool {
        *self == Self::Rows
    }
}

/// Which definition of the features a model was made for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaRef {
    /// The schema's name.
    pub name: String,
    /// The schema's version.
    pub version: u32,
    /// The schema's fingerprint, in hexadecimal.
    pub fingerprint: String,
}

/// One class a model tells apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassDef {
    /// The class as it appears in a verdict.
    pub name: String,
    /// The number the class has for clients.
    pub id: u32,
    /// Whether the class is no attack.
    pub benign: bool,
    /// For a namer: the classifier's class that the name belongs to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub group: Option<String>,
}

/// The decision line of a detector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// A probability at or above this is a threat.
    pub value: f64,
    /// How it was chosen.
    pub method: String,
}

/// A file that a model was trained on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataDigest {
    /// The file's name, without a path.
    pub name: String,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// Rows that were read from it.
    pub rows: u64,
}

/// What is needed to make the model again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// The command.
    pub command: String,
    /// The recipe: algorithm and parameters.
    pub recipe: serde_json::Value,
    /// Seed of every random choice.
    pub seed: u64,
    /// The files.
    pub data: Vec<DataDigest>,
    /// Version of the program.
    pub code_version: String,
}

/// The distribution of one feature in the training data, to measure drift against.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureBaseline {
    /// The feature.
    pub feature: String,
    /// Upper edges of the bins, ascending; the last bin has no upper edge.
    pub edges: Vec<f64>,
    /// Rows per bin: one more than edges.
    pub counts: Vec<u64>,
    /// Rows without a value.
    pub missing: u64,
}

/// The distribution of a model's answers in training, to measure drift against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreBaseline {
    /// Rows per twentieth of the calibrated probability – of being a threat, or that the class is
    /// right – by models that had not seen the rows.
    pub counts: Vec<u64>,
}

impl ScoreBaseline {
    /// Number of bins.
    pub const BINS: usize = 20;
}

/// A row with the answer that the model gave when it was made: whoever loads it must get the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// The row, in the order of the features; `null` is missing.
    pub values: Vec<Option<f64>>,
    /// The margin of each output.
    pub margins: Vec<f64>,
}

/// Everything about a model but its trees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Always [`Manifest::FORMAT`].
    pub format: String,
    /// Version of the layout of a bundle.
    pub format_version: u32,
    /// The model's name: what it is, without when.
    pub name: String,
    /// Digest of the bundle's content; empty until the bundle is written.
    pub version: String,
    /// One sentence for people.
    pub description: String,
    /// What the model is for.
    pub role: Role,
    /// Among the models a row fits, the highest priority judges it.
    pub priority: i32,
    /// Whose measurements it judges.
    #[serde(skip_serializing_if = "MadeFor::is_rows", default)]
    pub made_for: MadeFor,
    /// The definition of the features.
    pub schema: SchemaRef,
    /// The features it reads, in the order of its columns.
    pub features: Vec<String>,
    /// The classes, in the order of its outputs; a detector has two.
    pub classes: Vec<ClassDef>,
    /// How sums over trees become scores.
    pub link: Link,
    /// From score to probability. For a detector: of being a threat. For others: that the top
    /// class is the right one.
    pub calibration: Calibration,
    /// For a classifier: the same among attacks alone, used once a detector has found a threat.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub calibration_given_threat: Option<Calibration>,
    /// A detector's decision line.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub threshold: Option<Threshold>,
    /// How to make it again.
    pub training: Training,
    /// Headline figures; the whole report lies beside the bundle.
    pub metrics: serde_json::Value,
    /// Distributions of the features in training.
    pub baseline: Vec<FeatureBaseline>,
    /// Distribution of the answers in training.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub scores: Option<ScoreBaseline>,
    /// Rows with the answers the model gave; at most [`Manifest::MAX_PROBES`].
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub probe: Vec<Probe>,
}

/// Longest text accepted for a name.
const MAX_NAME: usize = 128;

impl Manifest {
    /// The format's name.
    pub const FORMAT: &'static str = "tripline-bundle";
    /// The layout written by this version.
    pub const FORMAT_VERSION: u32 = 1;
    /// Most rows of a probe.
    pub const MAX_PROBES: usize = 64;

    /// Checks every field against the schema and each other, and gives the schema with the
    /// position of each of the model's features in it.
    pub(crate) fn check(&self) -> Result<(&'static FeatureSchema, Vec<usize>), DetectError> {
        let refuse = |field, reason: String| {
            Err(DetectError::Manifest {
                model: self.name.clone(),
                field,
                reason,
            })
        };
        if self.format != Self::FORMAT {
            return Err(DetectError::NotABundle {
                reason: format!("the format is '{}'", self.format),
            });
        }
        if self.format_version != Self::FORMAT_VERSION {
            return refuse(
                "format_version",
                format!(
                    "{} is not supported, only {}",
                    self.format_version,
                    Self::FORMAT_VERSION
                ),
            );
        }
        if self.name.is_empty()
            || self.name.len() > MAX_NAME
            || !self
                .name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        {
            return refuse(
                "name",
                "must be 1 to 128 of letters, digits, '-', '_' and '.'".to_owned(),
            );
        }
        let schema = self.known_schema()?;
        let indices = self.feature_indices(schema)?;
        self.check_classes()?;
        for calibration in [
            Some(&self.calibration),
            self.calibration_given_threat.as_ref(),
        ] {
            if let Some(Err(error)) = calibration.map(Calibration::check) {
                return refuse("calibration", error.to_string());
            }
        }
        match (&self.threshold, self.role) {
            (Some(threshold), Role::Detector) if (0.0..=1.0).contains(&threshold.value) => {}
            (None, Role::Classifier | Role::Namer) => {}
            _ => {
                return refuse(
                    "threshold",
                    "a detector needs one between 0 and 1, others none".to_owned(),
                );
            }
        }
        for baseline in &self.baseline {
            if baseline.counts.len() != baseline.edges.len() + 1
                || !baseline.edges.windows(2).all(|pair| pair[0] < pair[1])
            {
                return refuse(
                    "baseline",
                    format!(
                        "'{}' has edges out of order or a wrong number of counts",
                        baseline.feature
                    ),
                );
            }
        }
        if let Some(scores) = &self.scores
            && scores.counts.len() != ScoreBaseline::BINS
        {
            return refuse(
                "scores",
                format!(
                    "{} bins, expected {}",
                    scores.counts.len(),
                    ScoreBaseline::BINS
                ),
            );
        }
        if self.probe.len() > Self::MAX_PROBES {
            return refuse(
                "probe",
                format!(
                    "{} rows, expected at most {}",
                    self.probe.len(),
                    Self::MAX_PROBES
                ),
            );
        }
        for (row, probe) in self.probe.iter().enumerate() {
            if probe.values.len() != self.features.len()
                || !probe.margins.iter().all(|margin| margin.is_finite())
            {
                return refuse(
                    "probe",
                    format!("row {row} has a wrong number of values or no finite answer"),
                );
            }
        }
        Ok((schema, indices))
    }

    fn known_schema(&self) -> Result<&'static FeatureSchema, DetectError> {
        let known = schema_by_name(&self.schema.name);
        match known {
            Some(schema)
                if schema.version() == self.schema.version
                    && schema.fingerprint().to_string() == self.schema.fingerprint =>
            {
                Ok(schema)
            }
            _ => Err(DetectError::OtherSchema {
                model: self.name.clone(),
                wanted: format!("{} version {}", self.schema.name, self.schema.version),
                wanted_fingerprint: self.schema.fingerprint.clone(),
                known_fingerprint: known
                    .map_or_else(|| "none".to_owned(), |s| s.fingerprint().to_string()),
            }),
        }
    }

    fn feature_indices(&self, schema: &FeatureSchema) -> Result<Vec<usize>, DetectError> {
        let refuse = |reason: String| {
            Err(DetectError::Manifest {
                model: self.name.clone(),
                field: "features",
                reason,
            })
        };
        let mut indices = Vec::with_capacity(self.features.len());
        for name in &self.features {
            let position = schema
                .features()
                .iter()
                .position(|feature| feature.name == name);
            let Some(index) = position else {
                return refuse(format!("'{name}' is not in schema {}", schema.name()));
            };
            if indices.contains(&index) {
                return refuse(format!("'{name}' stands twice"));
            }
            if matches!(schema.features()[index].kind, FeatureKind::Port) {
                return refuse(format!(
                    "'{name}' identifies hosts or services and is never read by a model"
                ));
            }
            indices.push(index);
        }
        if indices.is_empty() {
            refuse("there are none".to_owned())
        } else {
            Ok(indices)
        }
    }

    fn check_classes(&self) -> Result<(), DetectError> {
        let refuse = |reason: String| {
            Err(DetectError::Manifest {
                model: self.name.clone(),
                field: "classes",
                reason,
            })
        };
        if self.classes.len() < 2 || self.classes.len() > 256 {
            return refuse(format!("{} classes, expected 2 to 256", self.classes.len()));
        }
        for (index, class) in self.classes.iter().enumerate() {
            if class.name.is_empty() || class.name.len() > MAX_NAME {
                return refuse(format!("the name of class {index} is empty or too long"));
            }
            if self.classes[..index]
                .iter()
                .any(|other| other.name == class.name)
            {
                return refuse(format!("'{}' stands twice", class.name));
            }
        }
        let benign = self.classes.iter().filter(|class| class.benign).count();
        match self.role {
            Role::Detector if self.classes.len() != 2 || !self.classes[0].benign || benign != 1 => {
                refuse("a detector has a benign class, then an attack class".to_owned())
            }
            Role::Classifier if benign > 1 => refuse("more than one benign class".to_owned()),
            Role::Namer if self.classes.iter().any(|class| class.group.is_none()) => {
                refuse("every name needs the class it belongs to".to_owned())
            }
            _ => Ok(()),
        }
    }
}
