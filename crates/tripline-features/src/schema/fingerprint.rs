use std::fmt::{self, Write};
use std::str::FromStr;

use sha2::{Digest, Sha256};

use super::{FeatureDef, FeatureKind};
use crate::error::FeatureError;

/// Hash of the canonical text of a schema.
///
/// It covers the name, the version, and per feature the name, unit, kind with vocabulary,
/// bounds, meaning of negative values and whether it is a model input. Spellings, descriptions
/// and remarks about live sensors are left out: improving them must not orphan trained models.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SchemaFingerprint([u8; 32]);

impl SchemaFingerprint {
    pub(super) fn of(name: &str, version: u32, features: &[FeatureDef]) -> Self {
        let mut text = format!("{name}\n{version}\n");
        for feature in features {
            let kind = match feature.kind {
                FeatureKind::Category(names) => format!("Category({})", names.join(",")),
                other => format!("{other:?}"),
            };
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "{}|{:?}|{kind}|{}|{}|{:?}|{}",
                feature.name,
                feature.unit,
                feature.bounds.min,
                feature.bounds.max,
                feature.negative,
                feature.model_input
            );
        }
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// The raw hash.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A fingerprint read from storage.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The first 16 hexadecimal digits, enough to tell schemas apart on a screen.
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(16);
        text
    }
}

impl fmt::Display for SchemaFingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for SchemaFingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SchemaFingerprint({self})")
    }
}

impl FromStr for SchemaFingerprint {
    type Err = FeatureError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(FeatureError::Fingerprint);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

fn hex_digit(digit: u8) -> Result<u8, FeatureError> {
    char::from(digit)
        .to_digit(16)
        .map(|value| value as u8)
        .ok_or(FeatureError::Fingerprint)
}
