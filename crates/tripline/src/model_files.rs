//! Model bundles on disk.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use anyhow::Context;
use tripline_detect::{Model, ModelBundle, ModelSet};

/// Ending of a bundle's file name.
pub const EXTENSION: &str = "tripline";

/// A bundle that was read.
#[derive(Debug, Clone)]
pub struct BundleFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// When the file was last written.
    pub modified: SystemTime,
    /// The model in it.
    pub model: Arc<Model>,
    /// The file's content.
    pub content: Vec<u8>,
    /// The report of its training, where it lies beside it and speaks of the same version.
    pub report: Option<String>,
}

/// Largest report that is read, in bytes.
const MAX_REPORT_BYTES: u64 = 16 << 20;

/// Reads one bundle. Its size is checked before its bytes are read.
pub fn read(path: &Path) -> anyhow::Result<BundleFile> {
    let about = || format!("model bundle {}", path.display());
    let metadata = std::fs::metadata(path).with_context(about)?;
    anyhow::ensure!(
        metadata.len() <= ModelBundle::MAX_BYTES as u64,
        "model bundle {}: {} bytes are more than the limit of {}",
        path.display(),
        metadata.len(),
        ModelBundle::MAX_BYTES
    );
    let bytes = std::fs::read(path).with_context(about)?;
    let model = Model::from_bytes(&bytes).with_context(about)?;
    Ok(BundleFile {
        path: path.to_owned(),
        bytes: metadata.len(),
        modified: metadata.modified().with_context(about)?,
        report: report_of(path, &model),
        model: Arc::new(model),
        content: bytes,
    })
}

/// A report of another version speaks of other trees.
fn report_of(path: &Path, model: &Model) -> Option<String> {
    let path = path.with_extension("report.json");
    if std::fs::metadata(&path).ok()?.len() > MAX_REPORT_BYTES {
        tracing::warn!(path = %path.display(), limit = MAX_REPORT_BYTES, "a report is too long and is left out");
        return None;
    }
    let text = std::fs::read_to_string(&path).ok()?;
    let report: serde_json::Value = serde_json::from_str(&text).ok()?;
    (report["version"].as_str() == Some(model.manifest().version.as_str())).then_some(text)
}

/// Reads every bundle of a folder, in the order of their names. A folder that is not there has
/// none. The second list holds what could not be read, with the reason.
pub fn read_folder(folder: &Path) -> anyhow::Result<(Vec<BundleFile>, Vec<anyhow::Error>)> {
    if !folder.is_dir() {
        return Ok((Vec::new(), Vec::new()));
    }
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .with_context(|| format!("cannot list {}", folder.display()))?
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == EXTENSION)
        })
        .collect();
    paths.sort();
    let (mut files, mut refused) = (Vec::new(), Vec::new());
    for path in paths {
        match read(&path) {
            Ok(file) => files.push(file),
            Err(error) => refused.push(error),
        }
    }
    Ok((files, refused))
}

/// The models of a folder, ready to judge. Every bundle must be readable.
pub fn model_set(folder: &Path) -> anyhow::Result<ModelSet> {
    let (files, refused) = read_folder(folder)?;
    if let Some(error) = refused.into_iter().next() {
        return Err(error);
    }
    anyhow::ensure!(
        !files.is_empty(),
        "{} holds no model bundle (*.{EXTENSION}); make them with `tripline train --all`, or name another folder with --models-dir",
        folder.display()
    );
    Ok(ModelSet::new(
        files.into_iter().map(|file| file.model).collect(),
    )?)
}

/// Writes beside the target and renames, so that a reader never sees half a file.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".part");
    std::fs::write(&temporary, bytes)?;
    std::fs::rename(&temporary, path)?;
    Ok(())
}
