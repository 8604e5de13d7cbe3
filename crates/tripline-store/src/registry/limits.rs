//! What is small enough to be kept; checked before anything is written, for every backend.

use super::{ModelTexts, NewLabel, NewModel, Step, Write};
use crate::{Result, StoreError};

const MAX_BUNDLE_BYTES: usize = 500 << 20;
const MAX_DOCUMENT_BYTES: usize = 16 << 20;
const MAX_NAME_BYTES: usize = 512;
const MAX_DESCRIPTION_BYTES: usize = 1 << 10;
const MAX_NOTES_BYTES: usize = 64 << 10;
const MAX_TAGS: usize = 32;
const MAX_TAG_BYTES: usize = 64;
const MAX_NOTE_BYTES: usize = 4 << 10;
const MAX_REASON_BYTES: usize = 4 << 10;
const MAX_FEATURES_BYTES: usize = 64 << 10;
/// Longest trusted comment that minisign reads.
const MAX_COMMENT_BYTES: usize = 8 << 10;
/// SHA-256 in hexadecimal.
const DIGEST_DIGITS: usize = 64;

impl Step<'_> {
    /// Whether everything in it is small enough to be kept.
    pub(crate) fn check(&self) -> Result<()> {
        name("actor", self.actor)?;
        self.writes.iter().try_for_each(Write::check)
    }
}

impl Write<'_> {
    fn check(&self) -> Result<()> {
        match self {
            Self::AddModel {
                model,
                bytes,
                report,
                reason,
            } => {
                if bytes.len() > MAX_BUNDLE_BYTES {
                    return Err(StoreError::invalid(
                        "size of a model",
                        bytes.len(),
                        "at most 500 MiB",
                    ));
                }
                check_model(model)?;
                document("report", report.unwrap_or_default())?;
                reason_of(reason)
            }
            Self::Stage {
                reason, details, ..
            } => {
                document("details", details)?;
                reason_of(reason)
            }
            Self::Describe { texts, .. } => check_texts(texts),
            Self::DeleteModel { reason, .. } | Self::ReviewLabel { reason, .. } => {
                reason_of(reason)
            }
            Self::AddLabel(label) => check_label(label),
            Self::Task { key, value, .. } => {
                name("task", key)?;
                document("state of a task", value.unwrap_or_default())
            }
            Self::Record(record) => {
                name("kind", &record.kind)?;
                name("subject", &record.subject)?;
                document("record", &record.value)
            }
            Self::Send {
                target,
                event,
                body,
            } => {
                at_most("target", target, 4096, "at most 4096 bytes")?;
                name("event", event)?;
                document("message", body)
            }
            Self::Tried { error, .. } => at_most(
                "error",
                error.unwrap_or_default(),
                MAX_DOCUMENT_BYTES,
                "at most 16 MiB",
            ),
        }
    }

    /// Whether it touches a model's existence or stage.
    pub(crate) fn changes_models(&self) -> bool {
        matches!(
            self,
            Self::AddModel { .. } | Self::Stage { .. } | Self::DeleteModel { .. }
        )
    }
}

fn check_model(model: &NewModel) -> Result<()> {
    for (what, text) in [
        ("name", &model.name),
        ("version", &model.version),
        ("role", &model.role),
        ("schema", &model.schema),
        ("slot", &model.slot),
        ("file format", &model.file_format),
    ] {
        not_empty(what, text)?;
        name(what, text)?;
    }
    at_most(
        "file name",
        &model.original_filename,
        1024,
        "at most 1024 bytes",
    )?;
    if let Some(digest) = &model.source_digest {
        check_digest(digest)?;
    }
    name(
        "name of who uploaded",
        model.uploaded_by.as_deref().unwrap_or_default(),
    )?;
    if let Some(signature) = &model.signature {
        name("key of the signature", &signature.key_id)?;
        at_most(
            "comment of the signature",
            &signature.comment,
            MAX_COMMENT_BYTES,
            "at most 8 KiB",
        )?;
    }
    document("manifest", &model.manifest)?;
    document("checks", &model.checks)?;
    check_texts(&model.texts)
}

fn check_texts(texts: &ModelTexts) -> Result<()> {
    at_most(
        "description",
        &texts.description,
        MAX_DESCRIPTION_BYTES,
        "at most 1024 bytes",
    )?;
    at_most("notes", &texts.notes, MAX_NOTES_BYTES, "at most 64 KiB")?;
    if texts.tags.len() > MAX_TAGS {
        return Err(StoreError::invalid(
            "number of tags",
            texts.tags.len(),
            "at most 32",
        ));
    }
    for tag in &texts.tags {
        if tag.trim().is_empty() || tag.chars().any(char::is_control) {
            return Err(StoreError::invalid(
                "tag",
                "empty or with control characters",
                "a word",
            ));
        }
        at_most("tag", tag, MAX_TAG_BYTES, "at most 64 bytes")?;
    }
    Ok(())
}

fn check_label(label: &NewLabel) -> Result<()> {
    not_empty("author", &label.author)?;
    name("author", &label.author)?;
    at_most("note", &label.note, MAX_NOTE_BYTES, "at most 4 KiB")?;
    name(
        "attack type",
        label.attack_type.as_deref().unwrap_or_default(),
    )?;
    name("schema", &label.schema)?;
    name(
        "class of the verdict",
        label.called_class.as_deref().unwrap_or_default(),
    )?;
    reason_of(&label.state_reason)?;
    // A database may take what is no number for nothing at all.
    if let Some(probability) = label
        .probability
        .filter(|probability| !(0.0..=1.0).contains(probability))
    {
        return Err(StoreError::invalid(
            "probability of the verdict",
            probability,
            "from 0 to 1",
        ));
    }
    if label.features.len() > MAX_FEATURES_BYTES {
        return Err(StoreError::invalid(
            "size of features",
            label.features.len(),
            "at most 64 KiB",
        ));
    }
    Ok(())
}

/// Whether a lease can be kept under these names.
pub(crate) fn check_lease(lease: &str, holder: &str) -> Result<()> {
    for (what, text) in [("name of a lease", lease), ("holder of a lease", holder)] {
        not_empty(what, text)?;
        name(what, text)?;
    }
    Ok(())
}

fn check_digest(digest: &str) -> Result<()> {
    let found = if digest.len() != DIGEST_DIGITS {
        format!("{} bytes long", digest.len())
    } else if !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        "not hexadecimal".to_owned()
    } else {
        return Ok(());
    };
    Err(StoreError::invalid(
        "digest of the source",
        found,
        "64 hexadecimal digits",
    ))
}

fn not_empty(what: &'static str, text: &str) -> Result<()> {
    if text.is_empty() {
        return Err(StoreError::invalid(what, "empty", "some text"));
    }
    Ok(())
}

fn name(what: &'static str, text: &str) -> Result<()> {
    at_most(what, text, MAX_NAME_BYTES, "at most 512 bytes")
}

fn reason_of(reason: &str) -> Result<()> {
    at_most("reason", reason, MAX_REASON_BYTES, "at most 4 KiB")
}

fn document(what: &'static str, text: &str) -> Result<()> {
    at_most(what, text, MAX_DOCUMENT_BYTES, "at most 16 MiB")
}

fn at_most(what: &'static str, text: &str, limit: usize, expected: &'static str) -> Result<()> {
    if text.len() > limit {
        let found = format!("{} bytes long", text.len());
        return Err(StoreError::invalid(what, found, expected));
    }
    Ok(())
}
