//! The reasons of a verdict as the few bytes that are stored with it: a version, then for each
//! reason the feature's position with the stage in the top bit, and the contribution as a 32-bit
//! float. Exact contributions are computed again when somebody asks for an explanation.

use tripline_detect::{Reason, Stage};

const VERSION: u8 = 1;
const REASON_BYTES: usize = 6;
const CLASSIFIER_BIT: u16 = 1 << 15;

/// Appends the bytes of reasons.
pub(crate) fn encode(reasons: &[Reason], out: &mut Vec<u8>) {
    out.push(VERSION);
    for reason in reasons {
        let stage = if reason.stage == Stage::Classifier {
            CLASSIFIER_BIT
        } else {
            0
        };
        out.extend_from_slice(&(reason.feature & !CLASSIFIER_BIT | stage).to_le_bytes());
        out.extend_from_slice(&(reason.contribution as f32).to_le_bytes());
    }
}

/// Reads reasons; bytes of another version, or damaged ones, have none.
pub(crate) fn decode(bytes: &[u8]) -> Vec<Reason> {
    let Some((&VERSION, rest)) = bytes.split_first() else {
        return Vec::new();
    };
    let read = |chunk: &[u8]| {
        let feature = u16::from_le_bytes(chunk.get(..2)?.try_into().ok()?);
        let contribution = f32::from_le_bytes(chunk.get(2..)?.try_into().ok()?);
        let stage = if feature & CLASSIFIER_BIT == 0 {
            Stage::Detector
        } else {
            Stage::Classifier
        };
        Some(Reason {
            stage,
            feature: feature & !CLASSIFIER_BIT,
            contribution: shortest(contribution),
        })
    };
    rest.chunks_exact(REASON_BYTES).filter_map(read).collect()
}

/// The double that is written with the same digits as the float: 1.234 rather than
/// 1.2339999675750732.
fn shortest(value: f32) -> f64 {
    value
        .to_string()
        .parse()
        .unwrap_or_else(|_| f64::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_survive_their_bytes() {
        let reasons = [
            Reason {
                stage: Stage::Detector,
                feature: 3,
                contribution: 1.234,
            },
            Reason {
                stage: Stage::Classifier,
                feature: 84,
                contribution: -0.5,
            },
        ];
        let mut bytes = Vec::new();
        encode(&reasons, &mut bytes);
        assert_eq!(decode(&bytes), reasons);
        assert_eq!(decode(&[]), []);
        assert_eq!(decode(&[9, 1, 2, 3]), []);
        assert_eq!(decode(&bytes[..8]).len(), 1);
    }
}
