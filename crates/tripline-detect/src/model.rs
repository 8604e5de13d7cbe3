use tripline_features::{FeatureKind, FeatureSchema};
use tripline_forest::{ColumnKind, Ensemble, fast::Compiled};

use crate::{DetectError, Manifest, ModelBundle, Role};

/// A bundle made ready to judge rows.
#[derive(Debug)]
pub struct Model {
    manifest: Manifest,
    schema: &'static FeatureSchema,
    columns: Vec<usize>,
    compiled: Compiled,
}

/// The first row of the probe to which the trees give another answer than the recorded one.
fn wrong_answer(manifest: &Manifest, ensemble: &Ensemble) -> Option<usize> {
    manifest.probe.iter().position(|probe| {
        let values: Vec<f64> = probe
            .values
            .iter()
            .map(|value| value.unwrap_or(f64::NAN))
            .collect();
        let margins = ensemble.margins(&values);
        let same = |(one, other): (&f64, &f64)| one.to_bits() == other.to_bits();
        margins.len() != probe.margins.len() || !margins.iter().zip(&probe.margins).all(same)
    })
}

impl Model {
    /// Reads a bundle's bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DetectError> {
        Self::new(ModelBundle::decode(bytes)?)
    }

    /// Checks that manifest, trees and schema fit together.
    pub fn new(bundle: ModelBundle) -> Result<Self, DetectError> {
        let ModelBundle { manifest, ensemble } = bundle;
        let (schema, columns) = manifest.check()?;
        let refuse = |field, reason: String| {
            Err(DetectError::Manifest {
                model: manifest.name.clone(),
                field,
                reason,
            })
        };
        if ensemble.width() != columns.len() {
            return refuse(
                "features",
                format!("{} names for {} columns", columns.len(), ensemble.width()),
            );
        }
        if ensemble.classes() != manifest.classes.len() {
            return refuse(
                "classes",
                format!(
                    "{} names for {} outputs",
                    manifest.classes.len(),
                    ensemble.classes()
                ),
            );
        }
        for (kind, &index) in ensemble.kinds().iter().zip(&columns) {
            let feature = &schema.features()[index];
            let fits = match (kind, &feature.kind) {
                // A category may be read as a number: its index in the sorted vocabulary.
                (ColumnKind::Number, _) => true,
                (ColumnKind::Category { cardinality }, FeatureKind::Category(vocabulary)) => {
                    usize::from(*cardinality) == vocabulary.len()
                }
                (ColumnKind::Category { .. }, _) => false,
            };
            if !fits {
                return refuse(
                    "features",
                    format!("the column of '{}' has another kind", feature.name),
                );
            }
        }
        if let Some(row) = wrong_answer(&manifest, &ensemble) {
            return refuse(
                "probe",
                format!("the trees do not give the recorded answer to row {row}"),
            );
        }
        Ok(Self {
            schema,
            columns,
            compiled: Compiled::new(ensemble),
            manifest,
        })
    }

    /// Everything but the trees.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The definition of its features.
    pub fn schema(&self) -> &'static FeatureSchema {
        self.schema
    }

    /// What it is for.
    pub fn role(&self) -> Role {
        self.manifest.role
    }

    /// The position in the schema of each of its columns.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// The trees.
    pub fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    /// The decision line of a detector; infinite for other roles, which decide on no threat.
    pub fn threshold(&self) -> f64 {
        self.manifest
            .threshold
            .as_ref()
            .map_or(f64::INFINITY, |threshold| threshold.value)
    }

    /// Names of the features it needs that are not present.
    pub fn missing(&self, present: &[bool]) -> Vec<String> {
        self.columns
            .iter()
            .filter(|index| !present.get(**index).copied().unwrap_or(false))
            .map(|index| self.schema.features()[*index].name.to_owned())
            .collect()
    }

    /// Copies its columns out of a row of the schema.
    pub(crate) fn project(&self, values: &[f64], out: &mut Vec<f64>) {
        out.clear();
        out.extend(self.columns.iter().map(|index| values[*index]));
    }

    /// The calibrated probability that a detector's margin stands for.
    pub fn threat_probability(&self, margin: f64) -> f64 {
        let score = self.compiled.link().probabilities(&[margin])[1];
        self.manifest.calibration.apply(score)
    }
}
