//! Who sent a message, and whether that sender is admitted.
//!
//! A broker knows the principal of a connection and does not pass it on: a consumer cannot see who
//! wrote a message. What can be trusted is therefore one of:
//!
//! - a **signature**: the header [`SIGNATURE_HEADER`] over the address and the payload, by a key
//!   that the list of allowed senders names for that address;
//! - a **topic of one writer**: where the cluster's rules let one principal write a topic, the
//!   operator says so, and every message of the topic is that principal's;
//! - nothing: the address is **self-asserted**, is marked as such, and is admitted only where the
//!   policy does not ask for more.
//!
//! A signature says who made a payload, not that it is new: whoever may write the topic can write
//! an old message again.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use ipnet::{IpNet, Ipv4Net};
use thiserror::Error;

use crate::form::{Cause, Poison};
use crate::{Message, Reading};

/// Names the sender's address; takes the place of the payload's `sender_ip`.
pub const ADDRESS_HEADER: &str = "sender_ip";
/// Holds an Ed25519 signature: 64 bytes, or those in base64.
pub const SIGNATURE_HEADER: &str = "sender-signature";

/// A sender as far as a message shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The address, in its shortest spelling; an IPv4 address inside IPv6 is IPv4.
    pub address: IpAddr,
    /// What vouches for it.
    pub trust: Trust,
}

/// What vouches for a sender's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// A signature by this key of the list.
    Signed(SenderKey),
    /// The only principal that may write the topic, as the operator says.
    Topic(String),
    /// Nothing.
    SelfAsserted,
}

/// An Ed25519 key, written as 32 bytes in base64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderKey(VerifyingKey);

impl FromStr for SenderKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("'{text}' is no Ed25519 key: expected 32 bytes in base64");
        let bytes = STANDARD.decode(text.trim()).map_err(|_| expected())?;
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| expected())?;
        VerifyingKey::from_bytes(&bytes)
            .map(Self)
            .map_err(|_| expected())
    }
}

impl fmt::Display for SenderKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&STANDARD.encode(self.0.as_bytes()))
    }
}

/// An address or network that may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowEntry {
    network: IpNet,
    keys: Vec<SenderKey>,
}

/// What is wrong with an entry of the list.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("'{text}' is no address and no network in CIDR form, such as 192.0.2.7 or 2001:db8::/32")]
pub struct EntryError {
    /// What was found.
    pub text: String,
}

impl AllowEntry {
    /// Reads an address or a network in CIDR form. With keys, only messages signed by one of them
    /// are this entry's.
    pub fn new(text: &str, keys: Vec<SenderKey>) -> Result<Self, EntryError> {
        let error = || EntryError {
            text: text.to_owned(),
        };
        let network = match text.split_once('/') {
            None => IpNet::from(address(text).ok_or_else(error)?),
            Some((address, length)) => {
                let address = bare(address).parse::<IpAddr>().map_err(|_| error())?;
                let length = length.trim().parse().map_err(|_| error())?;
                canonical(IpNet::new(address, length).map_err(|_| error())?)
            }
        };
        Ok(Self { network, keys })
    }

    /// The network; an address is one of full length.
    pub fn network(&self) -> IpNet {
        self.network
    }
}

/// What a source asks of the senders of its messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SenderPolicy {
    /// Who may send.
    pub allowed: Vec<AllowEntry>,
    /// Whether an address that nothing vouches for is refused.
    pub require_signed_senders: bool,
    /// The only principal that may write the topic, where the cluster sees to that.
    pub topic_principal: Option<String>,
}

/// Why a sender is not admitted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// It does not say who it is.
    #[error(
        "the message names no sender: expected the header or the value 'sender_ip' with its address"
    )]
    NoSender,
    /// It says so in a way that is no address.
    #[error("'{text}' is no address of a sender")]
    NoAddress {
        /// What was found.
        text: String,
    },
    /// Header and payload do not agree.
    #[error("the header says the sender is {header}, the payload says {payload}")]
    TwoSenders {
        /// The address in the header.
        header: IpAddr,
        /// The address in the payload.
        payload: IpAddr,
    },
    /// It is not on the list.
    #[error("{address} is not on the list of allowed senders")]
    NotListed {
        /// The address.
        address: IpAddr,
    },
    /// A signature is asked for.
    #[error("{address} must sign its messages: the header 'sender-signature' is missing")]
    NotSigned {
        /// The address.
        address: IpAddr,
    },
    /// The signature is by no key of the list.
    #[error("the signature of the message is by no key that the list names for {address}")]
    BadSignature {
        /// The address.
        address: IpAddr,
    },
}

impl From<Refusal> for Poison {
    fn from(refusal: Refusal) -> Self {
        Self::new(Cause::Sender, refusal.to_string())
    }
}

impl SenderPolicy {
    /// Who sent a message, if it is admitted.
    pub fn admit(&self, message: &Message, reading: &Reading) -> Result<Sender, Refusal> {
        let (text, address) = claimed(message, reading.sender.as_deref())?;
        let matching: Vec<&AllowEntry> = self
            .allowed
            .iter()
            .filter(|entry| entry.network.contains(&address))
            .collect();
        if matching.is_empty() {
            return Err(Refusal::NotListed { address });
        }
        let is_open = matching.iter().any(|entry| entry.keys.is_empty());
        let trust = match message.header(SIGNATURE_HEADER) {
            Some(signature) if matching.iter().any(|entry| !entry.keys.is_empty()) => {
                let payload = message.payload.as_deref().unwrap_or_default();
                let keys = matching.iter().flat_map(|entry| &entry.keys);
                let key = signed_by(keys, signature, &signed_bytes(&text, payload));
                Trust::Signed(key.ok_or(Refusal::BadSignature { address })?)
            }
            _ => match &self.topic_principal {
                Some(principal) if is_open => Trust::Topic(principal.clone()),
                None if is_open && !self.require_signed_senders => Trust::SelfAsserted,
                _ => return Err(Refusal::NotSigned { address }),
            },
        };
        Ok(Sender { address, trust })
    }
}

/// What a sender signs: its address as it writes it into the message, and the payload.
pub fn signed_bytes(address: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = b"tripline-sender-1\n".to_vec();
    bytes.extend_from_slice(address.as_bytes());
    bytes.push(b'\n');
    bytes.extend_from_slice(payload);
    bytes
}

fn signed_by<'a>(
    mut keys: impl Iterator<Item = &'a SenderKey>,
    signature: &[u8],
    bytes: &[u8],
) -> Option<SenderKey> {
    let signature = match Signature::from_slice(signature) {
        Ok(signature) => signature,
        Err(_) => Signature::from_slice(&STANDARD.decode(signature.trim_ascii()).ok()?).ok()?,
    };
    keys.find(|SenderKey(key)| key.verify_strict(bytes, &signature).is_ok())
        .cloned()
}

/// The address in the header, or else in the payload, as it is written and as it is meant.
fn claimed(message: &Message, payload: Option<&str>) -> Result<(String, IpAddr), Refusal> {
    let read = |text: &str| {
        address(text).ok_or_else(|| Refusal::NoAddress {
            text: text.chars().take(60).collect(),
        })
    };
    let header = message.header(ADDRESS_HEADER).map(String::from_utf8_lossy);
    match (header, payload) {
        (Some(header), None) => Ok((header.to_string(), read(&header)?)),
        (None, Some(payload)) => Ok((payload.to_owned(), read(payload)?)),
        (None, None) => Err(Refusal::NoSender),
        (Some(header), Some(payload)) => {
            let text = header.to_string();
            let (header, payload) = (read(&header)?, read(payload)?);
            if header == payload {
                Ok((text, header))
            } else {
                Err(Refusal::TwoSenders { header, payload })
            }
        }
    }
}

/// Reads an address in any spelling.
fn address(text: &str) -> Option<IpAddr> {
    let address: IpAddr = bare(text).parse().ok()?;
    Some(address.to_canonical())
}

fn bare(text: &str) -> &str {
    let text = text.trim();
    let inside = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    inside.unwrap_or(text)
}

/// A network of IPv4 addresses inside IPv6 is one of IPv4.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(inner) = network else {
        return network.trunc();
    };
    let mapped = inner.addr().to_ipv4_mapped();
    let length = inner.prefix_len().checked_sub(96);
    match (mapped, length) {
        (Some(address), Some(length)) => Ipv4Net::new(address, length)
            .map_or(network, IpNet::V4)
            .trunc(),
        _ => network.trunc(),
    }
}

#[cfg(test)]
mod tests;
