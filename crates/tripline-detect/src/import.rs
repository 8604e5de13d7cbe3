//! Models of other programs as bundles, and what a file is by its content.

use serde_json::json;
use sha2::{Digest, Sha256};
use tripline_features::{
    FeatureKind, FeatureSchema,
    label::{CICFLOW_CLASSES, is_benign},
    schemas,
};
use tripline_forest::{
    ColumnKind,
    calibration::Calibration,
    import::{self, ImportError, Imported},
};

use crate::{
    ClassDef, DataDigest, DetectError, MadeFor, Manifest, ModelBundle, Role, SchemaRef, Threshold,
    Training,
};

/// A form in which models are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Our own bundle.
    Tripline,
    /// A graph of ONNX that is a tree ensemble.
    Onnx,
    /// The JSON of XGBoost.
    Xgboost,
    /// The text of LightGBM.
    Lightgbm,
}

impl Format {
    /// All forms.
    pub const ALL: [Self; 4] = [Self::Tripline, Self::Onnx, Self::Xgboost, Self::Lightgbm];

    /// The name used by the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tripline => "tripline",
            Self::Onnx => "onnx",
            Self::Xgboost => "xgboost",
            Self::Lightgbm => "lightgbm",
        }
    }

    /// The usual ending of a file's name.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Tripline => ".tripline",
            Self::Onnx => ".onnx",
            Self::Xgboost => ".json",
            Self::Lightgbm => ".txt",
        }
    }
}

/// How to make an accepted file of a model of scikit-learn.
const FROM_SKLEARN: &str = "convert it where it was trained: \
    `from skl2onnx import to_onnx; open('model.onnx', 'wb').write(to_onnx(model, X[:1].astype('float32')).SerializeToString())`";
/// The same for XGBoost.
const FROM_XGBOOST: &str =
    "save it as JSON where it was trained: `booster.save_model('model.json')`";

/// Says what a file is by its content; its name does not matter. What could run code when it is read,
/// or is no tree ensemble, is refused with a way to convert it.
pub fn recognise(bytes: &[u8]) -> Result<Format, DetectError> {
    let refuse = |what: &str, instead: &str| {
        Err(DetectError::NotAccepted {
            what: what.to_owned(),
            instead: instead.to_owned(),
        })
    };
    let begins = |magic: &[u8]| bytes.starts_with(magic);
    match bytes {
        [] => return refuse("an empty file", "send the model's file"),
        // Protocols 2 and later say so; older ones begin with an opcode.
        [0x80, 0..=5, ..] => {
            return refuse(
                "a Python pickle, which runs code when it is read",
                FROM_SKLEARN,
            );
        }
        _ => {}
    }
    if begins(b"\x89HDF\r\n\x1a\n") {
        return refuse(
            "an HDF5 file of Keras",
            "only tree ensembles are accepted; a network cannot be explained exactly",
        );
    }
    if begins(b"PK\x03\x04") {
        return refuse(
            "a zip archive, such as PyTorch and Keras write",
            "only tree ensembles are accepted; a network cannot be explained exactly",
        );
    }
    if begins(b"\x1f\x8b") || begins(b"BZh") || begins(b"\xfd7zXZ") || begins(b"\x28\xb5\x2f\xfd") {
        return refuse("a compressed file", "send it as it is, not compressed");
    }
    if bytes.len() > 1 && bytes[0] == 0x78 && matches!(bytes[1], 0x01 | 0x5e | 0x9c | 0xda) {
        return refuse(
            "a compressed pickle of joblib, which runs code when it is read",
            FROM_SKLEARN,
        );
    }
    if begins(b"binf") || begins(b"{L\0\0\0\0\0\0\0\x07learner") {
        return refuse("a binary file of XGBoost", FROM_XGBOOST);
    }
    if is_old_pickle(bytes) {
        return refuse(
            "a Python pickle, which runs code when it is read",
            FROM_SKLEARN,
        );
    }
    // A container begins with the length of its header, and the header with a brace.
    if bytes.len() > 9 && bytes[8] == b'{' {
        return Ok(Format::Tripline);
    }
    let start = &bytes[..bytes.len().min(4096)];
    let text = String::from_utf8_lossy(start);
    let trimmed = text.trim_start();
    if trimmed.starts_with('{') {
        return Ok(Format::Xgboost);
    }
    if begins(b"tree\n") || begins(b"tree\r\n") {
        return Ok(Format::Lightgbm);
    }
    // The version of its format is the first field of a model.
    if matches!(bytes, [0x08, 1..=20, ..]) {
        return Ok(Format::Onnx);
    }
    refuse(
        "a file of an unknown kind",
        "expected a bundle of Tripline, ONNX, the JSON of XGBoost, or the text of LightGBM",
    )
}

/// Protocols 0 and 1 have no magic: they begin with an opcode and end with a full stop.
fn is_old_pickle(bytes: &[u8]) -> bool {
    let ends = bytes.last() == Some(&b'.') || bytes.ends_with(b".\n");
    let begins = bytes.starts_with(b"c")
        && bytes.iter().take(64).filter(|byte| **byte == b'\n').count() >= 2
        || matches!(bytes, [b'(', b'l' | b'd' | b'i' | b'c' | b't', ..])
        || matches!(bytes, [b'}' | b']' | b'(', b'q' | b'.' | b'X', ..]);
    begins && ends
}

/// What a file of another program does not say of itself.
#[derive(Debug, Clone, Default)]
pub struct ImportSpec {
    /// The model's name in the registry.
    pub name: String,
    /// One sentence for people.
    pub description: String,
    /// What it is for.
    pub role: Option<Role>,
    /// The features in the order of its columns; the file's own names when empty.
    pub features: Vec<String>,
    /// The classes in the order of its outputs; the file's own names when empty. A detector has none.
    pub classes: Vec<String>,
    /// A detector's decision line; one half when absent.
    pub threshold: Option<f64>,
    /// Among the models a row fits, the highest priority judges it.
    pub priority: i32,
    /// Whose measurements it judges.
    pub made_for: MadeFor,
}

/// Makes a bundle of a model that another program has trained.
pub fn import(bytes: &[u8], format: Format, spec: &ImportSpec) -> Result<ModelBundle, DetectError> {
    let read = |kinds: &[ColumnKind]| match format {
        Format::Tripline => Err(ImportError::Malformed {
            what: "the file".to_owned(),
            reason: "it is a bundle already".to_owned(),
        }),
        Format::Onnx => import::onnx(bytes),
        Format::Xgboost => import::xgboost(bytes, kinds),
        Format::Lightgbm => import::lightgbm(bytes, kinds),
    };
    let foreign = |source: ImportError| DetectError::Import {
        format: format.name(),
        source,
    };
    // First as if all columns were numbers; where the trees ask for categories, with those of the
    // schema.
    let (imported, schema, columns) = match read(&[]) {
        Ok(imported) => {
            let (schema, columns) = columns_of(&imported, spec)?;
            (imported, schema, columns)
        }
        Err(first) => {
            let names = if spec.features.is_empty() {
                return Err(foreign(first));
            } else {
                &spec.features
            };
            let (schema, columns) = resolve(names)?;
            let kinds = kinds_of(schema, &columns);
            (read(&kinds).map_err(foreign)?, schema, columns)
        }
    };
    let width = imported.ensemble.width();
    if width > columns.len() {
        return Err(refuse(
            spec,
            "features",
            format!("{} names for {width} columns", columns.len()),
        ));
    }
    // The file may not ask for its last columns.
    let columns = &columns[..width];
    let role = spec.role.unwrap_or(Role::Detector);
    let classes = classes_of(&imported, spec, role, schema)?;
    let manifest = Manifest {
        format: Manifest::FORMAT.to_owned(),
        format_version: Manifest::FORMAT_VERSION,
        name: spec.name.clone(),
        version: String::new(),
        description: spec.description.clone(),
        role,
        priority: spec.priority,
        made_for: spec.made_for,
        schema: SchemaRef {
            name: schema.name().to_owned(),
            version: schema.version(),
            fingerprint: schema.fingerprint().to_string(),
        },
        features: columns
            .iter()
            .map(|column| schema.features()[*column].name.to_owned())
            .collect(),
        classes,
        link: imported.ensemble.link(),
        calibration: Calibration::Identity,
        calibration_given_threat: None,
        threshold: (role == Role::Detector).then(|| Threshold {
            value: spec.threshold.unwrap_or(0.5),
            method: if spec.threshold.is_some() {
                "given when it was imported"
            } else {
                "one half, as nothing else was given when it was imported"
            }
            .to_owned(),
        }),
        training: Training {
            command: format!("imported from {}", imported.producer),
            recipe: json!({ "imported": { "format": format.name(), "producer": imported.producer } }),
            seed: 0,
            data: vec![DataDigest {
                name: format!("the {} file", format.name()),
                sha256: format!("{:x}", Sha256::digest(bytes)),
                rows: 0,
            }],
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
        },
        metrics: json!({}),
        baseline: Vec::new(),
        scores: None,
        probe: Vec::new(),
    };
    Ok(ModelBundle {
        manifest,
        ensemble: imported.ensemble,
    })
}

fn refuse(spec: &ImportSpec, field: &'static str, reason: String) -> DetectError {
    DetectError::Manifest {
        model: spec.name.clone(),
        field,
        reason,
    }
}

fn columns_of(
    imported: &Imported,
    spec: &ImportSpec,
) -> Result<(&'static FeatureSchema, Vec<usize>), DetectError> {
    match (&imported.features, spec.features.is_empty()) {
        // Names that only count the columns name nothing.
        (Some(names), _) if !is_counted(names) => {
            let (schema, columns) = resolve(names)?;
            if !spec.features.is_empty() {
                let (_, mut said) = resolve(&spec.features)?;
                let mut own = columns.clone();
                own.sort_unstable();
                said.sort_unstable();
                if own != said {
                    return Err(refuse(
                        spec,
                        "features",
                        "the file names other features than expected_features".to_owned(),
                    ));
                }
            }
            Ok((schema, columns))
        }
        (_, false) => resolve(&spec.features),
        _ => Err(refuse(
            spec,
            "features",
            "the file does not name them: give expected_features in the order of its columns"
                .to_owned(),
        )),
    }
}

/// `f0`, `Column_0`, `x1`: what libraries write where nobody gave names.
fn is_counted(names: &[String]) -> bool {
    names.iter().all(|name| {
        let letters = name.trim_end_matches(|c: char| c.is_ascii_digit());
        letters.len() < name.len() && ["f", "x", "Column_", "feature_", "input_"].contains(&letters)
    })
}

/// The schema that knows all names, and their places in it.
fn resolve(names: &[String]) -> Result<(&'static FeatureSchema, Vec<usize>), DetectError> {
    let mut unknown: Option<(usize, &'static FeatureSchema, Vec<String>)> = None;
    for schema in schemas() {
        let places: Vec<Option<usize>> = names.iter().map(|name| schema.index_of(name)).collect();
        let missing: Vec<String> = names
            .iter()
            .zip(&places)
            .filter(|(_, place)| place.is_none())
            .map(|(name, _)| name.chars().take(60).collect())
            .collect();
        if missing.is_empty() {
            return Ok((schema, places.into_iter().flatten().collect()));
        }
        if unknown
            .as_ref()
            .is_none_or(|(count, ..)| missing.len() < *count)
        {
            unknown = Some((missing.len(), schema, missing));
        }
    }
    let (schema, missing) = unknown.map_or(("any schema", Vec::new()), |(_, schema, missing)| {
        (schema.name(), missing)
    });
    Err(DetectError::UnknownFeatures {
        schema,
        names: missing.into_iter().take(5).collect(),
    })
}

fn kinds_of(schema: &FeatureSchema, columns: &[usize]) -> Vec<ColumnKind> {
    columns
        .iter()
        .map(|column| match &schema.features()[*column].kind {
            FeatureKind::Category(vocabulary) => ColumnKind::Category {
                cardinality: vocabulary.len() as u16,
            },
            _ => ColumnKind::Number,
        })
        .collect()
}

fn classes_of(
    imported: &Imported,
    spec: &ImportSpec,
    role: Role,
    schema: &FeatureSchema,
) -> Result<Vec<ClassDef>, DetectError> {
    let count = imported.ensemble.classes();
    if role == Role::Detector {
        if count != 2 {
            return Err(refuse(
                spec,
                "classes",
                format!("a detector tells two apart, and the file has {count}"),
            ));
        }
        return Ok(["normal", "attack"]
            .into_iter()
            .zip(0..)
            .map(|(name, id)| ClassDef {
                name: name.to_owned(),
                id,
                benign: id == 0,
                group: None,
            })
            .collect());
    }
    let names = match &imported.classes {
        _ if !spec.classes.is_empty() => &spec.classes,
        Some(names) => names,
        None => {
            return Err(refuse(
                spec,
                "classes",
                "the file does not name them: give class_labels in the order of its outputs"
                    .to_owned(),
            ));
        }
    };
    if names.len() != count {
        return Err(refuse(
            spec,
            "classes",
            format!("{} names for {count} outputs", names.len()),
        ));
    }
    Ok(names
        .iter()
        .zip(0..)
        .map(|(name, place)| {
            let known = CICFLOW_CLASSES.iter().position(|class| class == name);
            ClassDef {
                name: name.clone(),
                id: known
                    .filter(|_| schema.name() == "cicflow")
                    .map_or(place, |id| id as u32),
                benign: is_benign(name) == Some(true),
                group: None,
            }
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_run_code_is_known_by_its_content() {
        for (bytes, what) in [
            (b"".as_slice(), "empty"),
            (b"\x80\x04\x95\x10.", "pickle"),
            (b"\x80\x02cposix\nsystem\n.", "pickle"),
            (b"cos\nsystem\n(S'id'\ntR.", "pickle"),
            (b"(dp0\nS'a'\np1\n.", "pickle"),
            (b"\x78\x9c\x4b\x00", "joblib"),
            (b"\x1f\x8b\x08\x00", "compressed"),
            (b"\x89HDF\r\n\x1a\n\0\0", "HDF5"),
            (b"PK\x03\x04rest", "zip"),
            (b"binf\0\0", "XGBoost"),
            (b"{L\0\0\0\0\0\0\0\x07learner", "XGBoost"),
            (b"MZ\x90\0", "unknown kind"),
            (b"#!/bin/sh\n", "unknown kind"),
        ] {
            let error = recognise(bytes).unwrap_err().to_string();
            assert!(error.contains(what), "{bytes:?}: {error}");
        }
        assert_eq!(recognise(b"tree\nversion=v4\n").unwrap(), Format::Lightgbm);
        assert_eq!(recognise(b" {\"learner\":{}}").unwrap(), Format::Xgboost);
        assert_eq!(recognise(b"\x08\x08\x12\x00").unwrap(), Format::Onnx);
    }

    #[test]
    fn counted_names_name_nothing() {
        let names =
            |text: &str| -> Vec<String> { text.split(' ').map(ToOwned::to_owned).collect() };
        assert!(is_counted(&names("f0 f1 f2")));
        assert!(is_counted(&names("Column_0 Column_1")));
        assert!(!is_counted(&names("f0 duration")));
    }
}
