//! Identifiers of the things that the origin system kept in tables of their own and that here are
//! parts of a verdict: made of the verdict's identifier, so that the same part always has the
//! same one and nothing has to be stored for it.

use sha2::{Digest, Sha256};
use tripline_store::VerdictId;
use uuid::{Builder, Uuid};

/// A part of a verdict with an identifier of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The threat prediction.
    Threat,
    /// The attack prediction.
    Attack,
    /// The action.
    Action,
}

/// The identifier of a part of a verdict.
pub(crate) fn of_part(part: Part, verdict: VerdictId) -> Uuid {
    let tag: &[u8] = match part {
        Part::Threat => b"threat prediction",
        Part::Attack => b"attack prediction",
        Part::Action => b"self-healing action",
    };
    derived(&[tag, verdict.as_bytes()])
}

/// A version 8 UUID of the first bytes of a hash.
fn derived(parts: &[&[u8]]) -> Uuid {
    let mut hasher = Sha256::new();
    for part in parts {
        // With its length, so that no two lists of parts are the same bytes.
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let digest = hasher.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_has_its_own_lasting_identifier() {
        let verdict: VerdictId = "00000010-0000-8000-8000-000000000000".parse().unwrap();
        let threat = of_part(Part::Threat, verdict);
        assert_eq!(threat, of_part(Part::Threat, verdict));
        assert_ne!(threat, of_part(Part::Attack, verdict));
        assert_eq!(threat.get_version_num(), 8);
    }
}
