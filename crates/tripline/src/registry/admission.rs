//! What has to hold before a model from outside is let in. Everything is checked before anything is
//! used, and nothing in the file is executed, followed or trusted.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tripline_detect::{
    DetectError, Manifest, Model, ModelBundle, Role,
    import::{Format, ImportSpec, import, recognise},
    signature::TrustList,
};
use tripline_lifecycle::{Evaluation, LabelledRows};
use tripline_store::{
    Model as Version, ModelFilter, ModelId, ModelStage, ModelTexts, NewModel, Origin, Signature,
    Step, StoreError, Write,
};

use super::{Models, RegistryError, chain, lock, model_id, slot_of};

/// Labelled rows that no model is trained on and labels never reach.
#[derive(Debug, Clone)]
pub struct HoldOut {
    /// What they are.
    pub name: String,
    /// The rows.
    pub rows: LabelledRows,
}

impl HoldOut {
    /// Whether it says something about a model: it has each feature that the model reads.
    pub(crate) fn is_about(&self, model: &Model) -> bool {
        let has =
            |column: &usize| (0..self.rows.len()).any(|row| !self.rows.row(row)[*column].is_nan());
        self.rows.schema().name() == model.schema().name() && model.columns().iter().all(has)
    }
}

/// What becomes of a model that nobody trusted has signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Unsigned {
    /// It is let in like any other.
    #[default]
    Allowed,
    /// It may judge in shadow, and neither as a canary nor as the active version.
    Shadow,
    /// It is refused.
    Refused,
}

/// What a model from outside has to bring.
#[derive(Debug, Clone, Default)]
pub struct AdmissionRules {
    /// Rows on which it is measured.
    pub holdouts: Arc<[HoldOut]>,
    /// Keys whose signatures are trusted.
    pub trust: TrustList,
    /// What becomes of a model without a trusted signature.
    pub unsigned: Unsigned,
}

/// A model that somebody wants to have let in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Offer {
    /// The file.
    pub(crate) bytes: Vec<u8>,
    /// Its name, to be shown.
    pub(crate) file_name: String,
    /// What it is said to be for.
    pub(crate) role: Option<Role>,
    /// Its signature, as minisign writes it beside the file.
    pub(crate) signature: Option<String>,
    /// The model's name, for a file of another program.
    pub(crate) name: Option<String>,
    /// A detector's decision line, for a file of another program.
    pub(crate) threshold: Option<f64>,
    /// One sentence for people.
    pub(crate) description: Option<String>,
    /// The features that it is said to read, in any order.
    pub(crate) features: Vec<String>,
    /// The classes that it is said to tell apart, in any order.
    pub(crate) classes: Vec<String>,
    /// What the uploader says about preparing rows.
    pub(crate) notes: Option<String>,
    /// Who brings it.
    pub(crate) uploaded_by: Option<String>,
    /// The version it is meant to follow.
    pub(crate) parent: Option<ModelId>,
    /// Where it comes from.
    pub(crate) origin: Option<Origin>,
    /// The report of its training, as JSON; one is made of what is measured here when absent.
    pub(crate) report: Option<String>,
}

/// One thing that was checked.
#[derive(Debug, Clone, Serialize)]
struct Check {
    #[serde(rename = "check")]
    what: &'static str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Value::is_null")]
    detail: Value,
}

/// Why a model was not let in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdmissionError {
    /// The file is not one that can be let in.
    #[error("Model validation failed: {reason}")]
    Refused {
        /// Why, for the client.
        reason: String,
    },
    /// The same version is there already.
    #[error("{model} is in the registry already")]
    Known {
        /// Its identifier.
        id: ModelId,
        /// Name and version.
        model: String,
    },
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

fn refused(reason: impl Into<String>) -> AdmissionError {
    AdmissionError::Refused {
        reason: reason.into(),
    }
}

impl Models {
    /// Checks a model and takes it in as a candidate. A refusal leaves no trace.
    pub(crate) fn admit(
        &self,
        offer: &Offer,
        rules: &AdmissionRules,
    ) -> Result<Version, AdmissionError> {
        let mut checks = Vec::new();
        let signature = check_signature(offer, rules, &mut checks)?;
        let Read {
            model,
            bytes,
            format,
        } = read(offer, &mut checks)?;
        let manifest = model.manifest();
        check_claims(offer, manifest, &mut checks)?;
        let evaluations = measure(&model, &rules.holdouts, &mut checks)?;
        let texts = ModelTexts {
            description: offer
                .description
                .clone()
                .unwrap_or_else(|| manifest.description.clone()),
            notes: offer.notes.clone().unwrap_or_default(),
            tags: Vec::new(),
        };
        let new = NewModel {
            id: model_id(&manifest.name, &manifest.version),
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            role: manifest.role.as_str().to_owned(),
            schema: manifest.schema.name.clone(),
            slot: slot_of(manifest),
            stage: ModelStage::Candidate,
            origin: offer.origin.unwrap_or(Origin::Uploaded),
            parent: self.parent_of(offer, manifest)?,
            texts,
            original_filename: offer.file_name.clone(),
            file_format: format.name().to_owned(),
            source_digest: (format != Format::Tripline)
                .then(|| format!("{:x}", Sha256::digest(&offer.bytes))),
            uploaded_by: offer.uploaded_by.clone(),
            manifest: serde_json::to_string(manifest).unwrap_or_default(),
            checks: json!({
                "passed": checks,
                "hold_out": evaluations,
                "sha256": format!("{:x}", Sha256::digest(&offer.bytes)),
            })
            .to_string(),
            signature,
        };
        let made_here = json!({
            "model": manifest.name, "version": manifest.version, "role": manifest.role,
            "schema": manifest.schema.name, "description": manifest.description,
            "command": manifest.training.command, "data": manifest.training.data,
            "test": evaluations,
        })
        .to_string();
        let report = offer.report.as_deref().unwrap_or(&made_here);
        let changing = lock(&self.changing);
        let added = self.store.commit(&Step {
            at: self.now(),
            actor: offer.uploaded_by.as_deref().unwrap_or("api"),
            writes: vec![Write::AddModel {
                model: &new,
                bytes: &bytes,
                report: Some(report),
                reason: if offer.origin == Some(Origin::Retrained) {
                    "retrained"
                } else {
                    "uploaded"
                },
            }],
        });
        match added {
            Ok(_) => {}
            Err(StoreError::Conflict { .. }) => {
                return Err(AdmissionError::Known {
                    id: new.id,
                    model: format!("{} {}", manifest.name, manifest.version),
                });
            }
            Err(error) => return Err(RegistryError::from(error).into()),
        }
        lock(&self.loaded).put(new.id, &model);
        drop(changing);
        Ok(self.version(new.id)?)
    }

    /// The version that a new one follows: the one that is named, else the active one whose place
    /// it would take.
    fn parent_of(
        &self,
        offer: &Offer,
        manifest: &Manifest,
    ) -> Result<Option<ModelId>, AdmissionError> {
        if let Some(parent) = offer.parent {
            return Ok(Some(self.version(parent)?.model.id));
        }
        let active = self
            .store
            .models(&ModelFilter {
                stages: vec![ModelStage::Active],
                ..ModelFilter::default()
            })
            .map_err(RegistryError::from)?;
        let slot = slot_of(manifest);
        let rival = active
            .iter()
            .find(|other| other.model.slot == slot || other.model.name == manifest.name);
        Ok(rival.map(|rival| rival.model.id))
    }
}

/// A model that was read, as the bundle that is kept.
struct Read {
    model: Arc<Model>,
    bytes: Vec<u8>,
    format: Format,
}

fn read(offer: &Offer, checks: &mut Vec<Check>) -> Result<Read, AdmissionError> {
    let refuse = |error: &DetectError| refused(chain(error));
    let format = recognise(&offer.bytes).map_err(|error| refuse(&error))?;
    let (bundle, bytes) = if format == Format::Tripline {
        let bundle = ModelBundle::decode(&offer.bytes).map_err(|error| refuse(&error))?;
        (bundle, offer.bytes.clone())
    } else {
        let mut bundle =
            import(&offer.bytes, format, &spec_of(offer)).map_err(|error| refuse(&error))?;
        let bytes = bundle.encode().map_err(|error| refuse(&error))?;
        (bundle, bytes)
    };
    checks.push(Check {
        what: "container, digest, arrays and trees",
        outcome: "passed",
        detail: json!({ "format": format.name() }),
    });
    let has_probe = !bundle.manifest.probe.is_empty();
    let model = Model::new(bundle).map_err(|error| refuse(&error))?;
    checks.push(Check {
        what: "schema, fingerprint, features and classes",
        outcome: "passed",
        detail: json!(model.manifest().schema),
    });
    checks.push(Check {
        what: "the recorded answers of the probe",
        outcome: if has_probe {
            "passed"
        } else {
            "the file has none"
        },
        detail: Value::Null,
    });
    Ok(Read {
        model: Arc::new(model),
        bytes,
        format,
    })
}

/// Longest part of a file's name that becomes part of a model's name.
const MAX_STEM: usize = 60;

fn spec_of(offer: &Offer) -> ImportSpec {
    // The name of the file, less what a name may not have.
    let stem: String = offer
        .file_name
        .rsplit_once('.')
        .map_or(offer.file_name.as_str(), |(stem, _)| stem)
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(MAX_STEM)
        .collect();
    ImportSpec {
        name: offer
            .name
            .clone()
            .unwrap_or_else(|| format!("imported-{stem}")),
        description: offer
            .description
            .clone()
            .unwrap_or_else(|| format!("imported from {}", offer.file_name)),
        role: offer.role,
        features: offer.features.clone(),
        classes: offer.classes.clone(),
        threshold: offer.threshold,
        ..ImportSpec::default()
    }
}

/// Who signed the file, as far as it matters.
fn check_signature(
    offer: &Offer,
    rules: &AdmissionRules,
    checks: &mut Vec<Check>,
) -> Result<Option<Signature>, AdmissionError> {
    let signed = offer
        .signature
        .as_ref()
        .map(|text| rules.trust.check(&offer.bytes, text))
        .transpose()
        .map_err(|error| refused(error.to_string()))?;
    let is_trusted = signed.as_ref().is_some_and(|signed| signed.trusted);
    let is_ours = matches!(offer.origin, Some(Origin::Retrained));
    if !is_trusted && !is_ours && rules.unsigned == Unsigned::Refused {
        return Err(refused(match &signed {
            None => "it is not signed, and this server takes signed models only; send the \
                     signature of minisign in the field 'signature'"
                .to_owned(),
            Some(signed) => format!(
                "it is signed by the key {}, which is not on the list of trusted ones",
                signed.key_id
            ),
        }));
    }
    checks.push(Check {
        what: "signature",
        outcome: match &signed {
            None => "none",
            Some(signed) if signed.trusted => "by a trusted key",
            Some(_) => "by a key that is not on the list",
        },
        detail: Value::Null,
    });
    Ok(signed.map(|signed| Signature {
        key_id: signed.key_id,
        trusted: signed.trusted,
        comment: signed.comment,
    }))
}

/// What the uploader says has to be what the file says.
fn check_claims(
    offer: &Offer,
    manifest: &Manifest,
    checks: &mut Vec<Check>,
) -> Result<(), AdmissionError> {
    if let Some(role) = offer.role.filter(|role| *role != manifest.role) {
        return Err(refused(format!(
            "the file holds a {}, and it was uploaded as a {}",
            manifest.role.as_str(),
            role.as_str()
        )));
    }
    let sorted = |names: &[String]| {
        let mut names = names.to_vec();
        names.sort_unstable();
        names
    };
    if !offer.features.is_empty() && sorted(&offer.features) != sorted(&manifest.features) {
        let differing = difference(&offer.features, &manifest.features);
        return Err(refused(format!(
            "expected_features are not those of the file: {differing}"
        )));
    }
    let classes: Vec<String> = manifest
        .classes
        .iter()
        .map(|class| class.name.clone())
        .collect();
    if !offer.classes.is_empty() && sorted(&offer.classes) != sorted(&classes) {
        let differing = difference(&offer.classes, &classes);
        return Err(refused(format!(
            "class_labels are not those of the file: {differing}"
        )));
    }
    checks.push(Check {
        what: "what the uploader says of role, features and classes",
        outcome: "passed",
        detail: Value::Null,
    });
    Ok(())
}

/// The first names in which two lists differ.
fn difference(claimed: &[String], found: &[String]) -> String {
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        these
            .iter()
            .filter(|name| !those.contains(name))
            .take(5)
            .map(|name| format!("'{name}'"))
            .collect()
    };
    format!(
        "said and not in it {}; in it and not said {}",
        or_none(&only(claimed, found)),
        or_none(&only(found, claimed))
    )
}

fn or_none(names: &[String]) -> String {
    if names.is_empty() {
        "nothing".to_owned()
    } else {
        names.join(", ")
    }
}

/// What the model is worth on the hold-outs of the registry, measured here and not believed.
fn measure(
    model: &Arc<Model>,
    holdouts: &[HoldOut],
    checks: &mut Vec<Check>,
) -> Result<Vec<Evaluation>, AdmissionError> {
    let mut evaluations = Vec::new();
    for holdout in holdouts {
        if !holdout.is_about(model) {
            continue;
        }
        let evaluation = Evaluation::of_model(&holdout.name, model, &holdout.rows)
            .map_err(|error| refused(chain(&error)))?;
        evaluations.extend(evaluation);
    }
    checks.push(Check {
        what: "figures measured on the hold-outs of the registry",
        outcome: if evaluations.is_empty() {
            "no hold-out has its features"
        } else {
            "measured"
        },
        detail: json!(
            evaluations
                .iter()
                .map(|evaluation| &evaluation.name)
                .collect::<Vec<_>>()
        ),
    });
    Ok(evaluations)
}
