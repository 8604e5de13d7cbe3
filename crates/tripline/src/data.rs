//! The public data sets, where they are and how they are read.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};
use tripline_detect::DataDigest;
use tripline_features::{CsvLimits, CsvRows, RowBatch, label};
use tripline_lifecycle::LabelledRows;

/// NSL-KDD, to train on.
pub const NSL_TRAIN: &str = "nsl-kdd/KDDTrain+.txt.zst";
/// NSL-KDD, sealed: read by the final evaluation alone.
pub const NSL_TEST: &str = "nsl-kdd/KDDTest+.txt.zst";
/// The harder part of the sealed set.
pub const NSL_TEST_21: &str = "nsl-kdd/KDDTest-21.txt.zst";
/// CICIDS2017 as re-extracted and re-labelled in 2022.
pub const CICIDS: &str = "cicids2017/cicids2017-improved.csv.zst";

/// Rows read at a time.
const BATCH: usize = 4096;

/// Opens a file, decompressing it when its name ends in `.zst`.
pub fn open(path: &Path) -> anyhow::Result<Box<dyn Read + Send>> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    decompressed(path, file)
}

/// Reads the bytes of a file through the decompression that its name asks for.
pub fn decompressed(
    path: &Path,
    bytes: impl Read + Send + 'static,
) -> anyhow::Result<Box<dyn Read + Send>> {
    if path.extension().is_some_and(|extension| extension == "zst") {
        Ok(Box::new(zstd::Decoder::new(bytes)?))
    } else {
        Ok(Box::new(BufReader::with_capacity(1 << 20, bytes)))
    }
}

/// Reads a labelled file for training. A row that cannot be read or has an unknown label is an
/// error here: a training file is not to be half used.
pub fn read_labelled(path: &Path) -> anyhow::Result<(LabelledRows, DataDigest)> {
    let place = || path.display().to_string();
    let mut reader = CsvRows::new(open(path)?, CsvLimits::default()).with_context(place)?;
    let mut rows = LabelledRows::new(reader.columns().schema());
    let mut batch = RowBatch::new();
    while reader.read_batch(BATCH, &mut batch).with_context(place)? > 0 {
        if let Some(rejection) = batch.rejections.first() {
            bail!(
                "{}: line {}: {}",
                path.display(),
                rejection.line,
                rejection.reason
            );
        }
        let width = rows.schema().len();
        for (index, (values, text)) in batch.values.chunks(width).zip(&batch.labels).enumerate() {
            let name = text
                .as_ref()
                .map(tripline_features::LabelText::as_str)
                .unwrap_or_default();
            if label::is_benign(name).is_none() {
                bail!(
                    "{}: line {}: the label '{name}' is not known",
                    path.display(),
                    batch.lines[index]
                );
            }
            rows.push(values, name);
        }
    }
    let digest = DataDigest {
        name: path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default(),
        sha256: file_digest(path)?,
        rows: rows.len() as u64,
    };
    Ok((rows, digest))
}

fn file_digest(path: &Path) -> anyhow::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    std::io::copy(&mut file, &mut hasher)?;
    Ok(format!("{:x}", hasher.finalize()))
}

/// The folder of the public data sets: the given one, else `../shared/data` when it is there.
pub fn data_folder(given: Option<PathBuf>) -> Option<PathBuf> {
    given
        .or_else(|| Some(PathBuf::from("../shared/data")))
        .filter(|folder| folder.join(NSL_TRAIN).is_file() || folder.join(CICIDS).is_file())
}
