use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::WebhookError;

/// Shortest and longest secret in bytes, as Standard Webhooks has it.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;
/// How a secret begins that is written in base64.
const PREFIX: &str = "whsec_";

/// What messages are signed with. It is never shown.
#[derive(Clone)]
pub(crate) struct Secret(Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

impl Secret {
    /// Reads `whsec_` with base64, or plain text of 24 to 64 bytes.
    pub(super) fn parse(text: &str) -> Result<Self, WebhookError> {
        let text = text.trim();
        let bytes = match text.strip_prefix(PREFIX) {
            Some(encoded) => STANDARD.decode(encoded).map_err(|_| WebhookError::Secret {
                reason: "begins with whsec_ but goes on with something that is no base64",
            })?,
            None => text.as_bytes().to_vec(),
        };
        if LENGTHS.contains(&bytes.len()) {
            Ok(Self(bytes))
        } else {
            Err(WebhookError::Secret {
                reason: "has another length than 24 to 64 bytes",
            })
        }
    }

    /// The header `webhook-signature` of a message: HMAC-SHA256 of identifier, time and body.
    pub(super) fn sign(&self, id: &str, seconds: i64, body: &str) -> String {
        // HMAC takes keys of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            return String::new();
        };
        mac.update(format!("{id}.{seconds}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    #[test]
    fn a_known_message_has_the_known_signature() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(
            secret.sign(
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#
            ),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        let secret = Secret::parse("0123456789abcdef01234567").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }
}
