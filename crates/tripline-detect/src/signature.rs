//! Signatures as minisign makes them (<https://jedisct1.github.io/minisign/>): Ed25519 over the bytes or
//! their `BLAKE2b` digest, with a comment that is signed too.
//!
//! Who is trusted is said beside the files, never inside them.

use minisign_verify::{PublicKey, Signature as Minisign};

use crate::DetectError;

/// Keys that are trusted.
#[derive(Debug, Clone, Default)]
pub struct TrustList {
    keys: Vec<(String, PublicKey)>,
}

/// What a signature says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Identifier of the key, in hexadecimal as minisign shows it.
    pub key_id: String,
    /// Whether the key is on the list, and the signature is right. A key that is not known proves
    /// nothing.
    pub trusted: bool,
    /// The comment that is signed with the bytes.
    pub comment: String,
}

/// Longest list and longest signature, in bytes.
const MAX_TEXT: usize = 64 << 10;

fn bad(what: &'static str, reason: impl std::fmt::Display) -> DetectError {
    DetectError::Signature {
        what,
        reason: reason.to_string(),
    }
}

impl TrustList {
    /// Reads keys, one a line, as minisign prints them; lines that begin with `untrusted comment:` or
    /// `#` are comments.
    pub fn parse(text: &str) -> Result<Self, DetectError> {
        if text.len() > MAX_TEXT {
            return Err(bad("the list of keys", "it is longer than 64 KiB"));
        }
        let mut keys = Vec::new();
        for (line, number) in text.lines().zip(1..) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') || line.starts_with("untrusted comment:") {
                continue;
            }
            let key = PublicKey::from_base64(line)
                .map_err(|error| bad("the list of keys", format!("line {number}: {error}")))?;
            keys.push((key_id(line).unwrap_or_default(), key));
        }
        Ok(Self { keys })
    }

    /// Whether nobody is trusted.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Looks at a signature of bytes. A signature by a trusted key that is wrong is an error; one by a
    /// key that is not known is told as such.
    pub fn check(&self, bytes: &[u8], signature: &str) -> Result<Signed, DetectError> {
        if signature.len() > MAX_TEXT {
            return Err(bad("the signature", "it is longer than 64 KiB"));
        }
        let read = Minisign::decode(signature)
            .map_err(|error| bad("the signature", format!("it cannot be read: {error}")))?;
        let id = signature
            .lines()
            .nth(1)
            .and_then(key_id)
            .ok_or_else(|| bad("the signature", "it names no key"))?;
        let known = self.keys.iter().find(|(known, _)| *known == id);
        if let Some((_, key)) = known {
            key.verify(bytes, &read, true).map_err(|_| {
                bad(
                    "the signature",
                    "the key is trusted, and it is not of these bytes",
                )
            })?;
        }
        Ok(Signed {
            key_id: id,
            trusted: known.is_some(),
            comment: read.trusted_comment().chars().take(1024).collect(),
        })
    }
}

/// The identifier inside a key or a signature: eight bytes after the two of the algorithm, shown as
/// minisign does.
fn key_id(encoded: &str) -> Option<String> {
    let bytes = decode(encoded.trim())?;
    let id: [u8; 8] = bytes.get(2..10)?.try_into().ok()?;
    Some(format!("{:016X}", u64::from_le_bytes(id)))
}

/// The first bytes of a text in base64.
fn decode(text: &str) -> Option<Vec<u8>> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    for group in text.as_bytes().get(..16)?.chunks(4) {
        let mut value = 0_u32;
        for letter in group {
            let place = LETTERS.iter().position(|known| known == letter)?;
            value = value << 6 | place as u32;
        }
        bytes.extend_from_slice(&value.to_be_bytes()[1..]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by minisign 0.11 of Debian: `printf 'a model' > m; minisign -GW; minisign -Sm m -t 'for tests'`.
    const KEY: &str = include_str!("signature/tests/key.pub");
    const SIGNATURE: &str = include_str!("signature/tests/model.minisig");
    const LEGACY: &str = include_str!("signature/tests/legacy.minisig");
    const OTHER_KEY: &str = include_str!("signature/tests/other.pub");
    const BYTES: &[u8] = b"a model";

    #[test]
    fn a_signature_of_minisign_is_known_and_trusted() {
        let list = TrustList::parse(KEY).unwrap();
        for signature in [SIGNATURE, LEGACY] {
            let signed = list.check(BYTES, signature).unwrap();
            assert!(signed.trusted);
            assert_eq!(signed.comment, "for tests");
            assert!(KEY.contains(&signed.key_id), "{signed:?}");
        }
    }

    #[test]
    fn a_key_that_is_not_on_the_list_proves_nothing() {
        for list in [TrustList::default(), TrustList::parse(OTHER_KEY).unwrap()] {
            assert!(!list.check(BYTES, SIGNATURE).unwrap().trusted);
        }
    }

    #[test]
    fn what_was_altered_is_refused() {
        let list = TrustList::parse(KEY).unwrap();
        assert!(list.check(b"another model", SIGNATURE).is_err());
        let comment = SIGNATURE.replace("for tests", "for all");
        assert!(list.check(BYTES, &comment).is_err());
        for cut in 0..SIGNATURE.len() {
            let signature = SIGNATURE.get(..cut).unwrap_or_default();
            assert!(
                list.check(BYTES, signature).is_err() || cut + 3 > SIGNATURE.len(),
                "{cut}"
            );
        }
        assert!(list.check(BYTES, &"x".repeat(100_000)).is_err());
        assert!(TrustList::parse("not a key").is_err());
    }
}
