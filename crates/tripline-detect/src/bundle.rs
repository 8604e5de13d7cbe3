//! The file format of a model: safetensors arrays with the manifest in the header.

use std::collections::HashMap;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use sha2::{Digest, Sha256};
use tripline_forest::{
    Ensemble,
    arrays::{Caps, EnsembleArrays},
};

use crate::{DetectError, Manifest};

/// The header's key for the manifest.
const MANIFEST_KEY: &str = "tripline.manifest";
/// Characters of the digest that make a version.
const VERSION_LENGTH: usize = 16;

/// A manifest and its trees, as written to a file.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelBundle {
    /// Everything but the trees.
    pub manifest: Manifest,
    /// The trees.
    pub ensemble: Ensemble,
}

impl ModelBundle {
    /// The largest file that is read.
    pub const MAX_BYTES: usize = 500 << 20;

    /// Writes the bundle and sets the manifest's version to the digest of the content. The same
    /// model gives the same bytes.
    pub fn encode(&mut self) -> Result<Vec<u8>, DetectError> {
        write(&mut self.manifest, &self.ensemble.to_arrays())
    }

    /// Reads a bundle and checks all of it: container, digest, manifest, trees.
    pub fn decode(bytes: &[u8]) -> Result<Self, DetectError> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(not_a_bundle(format!(
                "{} bytes are more than the limit of {}",
                bytes.len(),
                Self::MAX_BYTES
            )));
        }
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(not_a_bundle)?;
        let text = header
            .metadata()
            .as_ref()
            .and_then(|metadata| metadata.get(MANIFEST_KEY))
            .ok_or_else(|| not_a_bundle("the header has no Tripline manifest"))?;
        let manifest: Manifest = serde_json::from_str(text)
            .map_err(|error| not_a_bundle(format!("the manifest cannot be read: {error}")))?;
        let container = SafeTensors::deserialize(bytes).map_err(not_a_bundle)?;
        let arrays = decode_arrays(&container)?;
        let tensors = encode_arrays(&arrays);
        if container.len() != tensors.len() {
            return Err(not_a_bundle(
                "the file holds arrays that are not part of a model",
            ));
        }
        let found = content_version(&manifest, &tensors)?;
        if found != manifest.version {
            return Err(DetectError::Damaged {
                expected: manifest.version,
                found,
            });
        }
        let ensemble =
            Ensemble::from_arrays(&arrays, manifest.link, Caps::default()).map_err(|source| {
                DetectError::Trees {
                    model: manifest.name.clone(),
                    source,
                }
            })?;
        Ok(Self { manifest, ensemble })
    }
}

/// The file of a manifest, whose version is set, and arrays.
fn write(manifest: &mut Manifest, arrays: &EnsembleArrays) -> Result<Vec<u8>, DetectError> {
    let tensors = encode_arrays(arrays);
    manifest.version = content_version(manifest, &tensors)?;
    let views: Vec<(&str, TensorView<'_>)> = tensors
        .iter()
        .map(|tensor| {
            TensorView::new(tensor.dtype, vec![tensor.length], &tensor.bytes)
                .map(|view| (tensor.name, view))
                .map_err(not_a_bundle)
        })
        .collect::<Result<_, _>>()?;
    let text = serde_json::to_string(manifest).map_err(not_a_bundle)?;
    let metadata = HashMap::from([(MANIFEST_KEY.to_owned(), text)]);
    safetensors::serialize(views, Some(metadata)).map_err(not_a_bundle)
}

fn not_a_bundle(reason: impl std::fmt::Display) -> DetectError {
    DetectError::NotABundle {
        reason: reason.to_string(),
    }
}

/// The digest of arrays and manifest, the manifest's own version left out.
fn content_version(manifest: &Manifest, tensors: &[Tensor]) -> Result<String, DetectError> {
    let unversioned = Manifest {
        version: String::new(),
        ..manifest.clone()
    };
    let mut hasher = Sha256::new();
    hasher.update(serde_json::to_vec(&unversioned).map_err(not_a_bundle)?);
    for tensor in tensors {
        hasher.update(tensor.name.as_bytes());
        hasher.update((tensor.bytes.len() as u64).to_le_bytes());
        hasher.update(&tensor.bytes);
    }
    let digest = hasher.finalize();
    Ok(format!("{digest:x}").chars().take(VERSION_LENGTH).collect())
}

struct Tensor {
    name: &'static str,
    dtype: Dtype,
    length: usize,
    bytes: Vec<u8>,
}

macro_rules! array_codec {
    ($($field:ident: $type:ty = $dtype:ident),* $(,)?) => {
        fn encode_arrays(arrays: &EnsembleArrays) -> Vec<Tensor> {
            vec![$(Tensor {
                name: stringify!($field),
                dtype: Dtype::$dtype,
                length: arrays.$field.len(),
                bytes: arrays.$field.iter().flat_map(|value| value.to_le_bytes()).collect(),
            }),*]
        }

        fn decode_arrays(container: &SafeTensors<'_>) -> Result<EnsembleArrays, DetectError> {
            Ok(EnsembleArrays {$(
                $field: {
                    let name = stringify!($field);
                    let view = container
                        .tensor(name)
                        .map_err(|_| not_a_bundle(format!("the array '{name}' is missing")))?;
                    if view.dtype() != Dtype::$dtype || view.shape().len() != 1 {
                        return Err(not_a_bundle(format!(
                            "the array '{name}' is {:?} {:?}, expected one dimension of {:?}",
                            view.dtype(), view.shape(), Dtype::$dtype,
                        )));
                    }
                    let mut values = Vec::with_capacity(view.data().len() / size_of::<$type>());
                    for chunk in view.data().chunks_exact(size_of::<$type>()) {
                        let mut raw = [0; size_of::<$type>()];
                        raw.copy_from_slice(chunk);
                        values.push(<$type>::from_le_bytes(raw));
                    }
                    values
                },
            )*})
        }
    };
}

array_codec! {
    cardinality: u16 = U16,
    base: f64 = F64,
    tree_nodes: u32 = U32,
    tree_output: i32 = I32,
    feature: i32 = I32,
    threshold: f64 = F64,
    category_set: i32 = I32,
    missing_left: u8 = U8,
    left: u32 = U32,
    right: u32 = U32,
    cover: f64 = F64,
    category_words: u64 = U64,
    leaf_values: f64 = F64,
    importances: f64 = F64,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Refuses a bundle whose digest is right although its trees are not, and gives the reason.
    fn refusal(change: impl FnOnce(&mut EnsembleArrays)) -> String {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../models/nsl-kdd-detector-ten-v1.tripline"
        );
        let mut bundle = ModelBundle::decode(&std::fs::read(path).unwrap()).unwrap();
        let mut arrays = bundle.ensemble.to_arrays();
        change(&mut arrays);
        let bytes = write(&mut bundle.manifest, &arrays).unwrap();
        let error = ModelBundle::decode(&bytes).unwrap_err();
        let DetectError::Trees { source, .. } = error else {
            panic!("{error}")
        };
        source.to_string()
    }

    #[test]
    fn trees_that_are_no_trees_are_refused() {
        for (reason, change) in [
            ("forward", (|a| a.left[0] = 0) as fn(&mut EnsembleArrays)),
            ("forward", |a| a.right[0] = u32::MAX),
            ("two parents", |a| a.right[0] = a.left[0]),
            ("feature is out of range", |a| a.feature[0] = i32::MAX),
            ("feature is out of range", |a| a.feature[0] = -2),
            ("output is out of range", |a| a.tree_output[0] = 7),
            ("missing direction", |a| a.missing_left[0] = 2),
            ("finite", |a| a.threshold[0] = f64::NAN),
            ("finite", |a| a.leaf_values[0] = f64::INFINITY),
            ("cover is negative", |a| a.cover[0] = -1.0),
            ("no value", |a| a.leaf_values.truncate(1)),
            ("node covers", |a| a.cover.truncate(1)),
            ("category", |a| a.category_words.clear()),
            ("cap on trees", |a| a.tree_nodes.resize(20_001, 1)),
            ("cap on trees", |a| a.tree_nodes.clear()),
            ("node features", |a| a.tree_nodes[0] = u32::MAX),
        ] {
            let refused = refusal(change);
            assert!(refused.contains(reason), "expected '{reason}': {refused}");
        }
    }
}
