use ed25519_dalek::{Signer, SigningKey};
use proptest::prelude::*;

use super::*;
use crate::Header;

fn key(seed: u8) -> (SigningKey, SenderKey) {
    let signing = SigningKey::from_bytes(&[seed; 32]);
    let key = SenderKey(signing.verifying_key());
    (signing, key)
}

fn policy(entries: &[&str]) -> SenderPolicy {
    SenderPolicy {
        allowed: entries
            .iter()
            .map(|entry| AllowEntry::new(entry, Vec::new()).unwrap())
            .collect(),
        ..SenderPolicy::default()
    }
}

fn from(address: &str) -> (Message, Reading) {
    let reading = Reading {
        sender: Some(address.to_owned()),
        ..Reading::default()
    };
    let message = Message {
        payload: Some(b"{}".to_vec()),
        ..Message::default()
    };
    (message, reading)
}

fn is_admitted(entry: &str, address: &str) -> bool {
    let (message, reading) = from(address);
    policy(&[entry]).admit(&message, &reading).is_ok()
}

#[test]
fn every_spelling_of_an_address_matches() {
    for (entry, address) in [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7", " 192.0.2.7\n"),
        ("192.0.2.7", "::ffff:192.0.2.7"),
        ("192.0.2.7", "::FFFF:c000:0207"),
        ("192.0.2.7", "0:0:0:0:0:ffff:192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("192.0.2.0/24", "::ffff:192.0.2.255"),
        ("192.0.2.9/24", "192.0.2.1"),
        ("::ffff:192.0.2.0/120", "192.0.2.1"),
        ("2001:db8::1", "2001:0DB8:0:0:0:0:0:1"),
        ("2001:db8::1", "[2001:db8::1]"),
        ("2001:db8::/32", "2001:db8:ffff::1"),
        ("0.0.0.0/0", "203.0.113.9"),
    ] {
        assert!(is_admitted(entry, address), "{entry} {address}");
    }
    for (entry, address) in [
        ("192.0.2.7", "192.0.2.8"),
        ("192.0.2.0/24", "192.0.3.0"),
        ("192.0.2.7", "::192.0.2.7"),
        ("2001:db8::/32", "2001:db9::1"),
        ("0.0.0.0/0", "::1"),
    ] {
        assert!(!is_admitted(entry, address), "{entry} {address}");
    }
}

#[test]
fn what_is_no_address_is_said_so() {
    for text in [
        "",
        "192.0.2.07",
        "192.0.2",
        "192.0.2.7:80",
        "example.org",
        "fe80::1%eth0",
        "0x7f000001",
    ] {
        let (message, reading) = from(text);
        let refusal = policy(&["0.0.0.0/0", "::/0"]).admit(&message, &reading);
        assert!(matches!(refusal, Err(Refusal::NoAddress { .. })), "{text}");
    }
    for text in [
        "",
        "x/8",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/8/8",
        "::/129",
    ] {
        assert!(AllowEntry::new(text, Vec::new()).is_err(), "{text}");
    }
}

#[test]
fn header_and_payload_must_agree() {
    let policy = policy(&["192.0.2.0/24"]);
    let (mut message, reading) = from("::ffff:192.0.2.7");
    message.headers = vec![Header::new(ADDRESS_HEADER, "192.0.2.7")];
    let sender = policy.admit(&message, &reading).unwrap();
    assert_eq!(sender.trust, Trust::SelfAsserted);
    message.headers = vec![Header::new(ADDRESS_HEADER, "192.0.2.8")];
    let refusal = policy.admit(&message, &reading).unwrap_err();
    assert!(matches!(refusal, Refusal::TwoSenders { .. }), "{refusal}");
    let refusal = policy.admit(&Message::default(), &Reading::default());
    assert_eq!(refusal, Err(Refusal::NoSender));
}

#[test]
fn a_signature_vouches_for_address_and_payload() {
    let (signing, public) = key(1);
    let (_, other) = key(2);
    let text = public.to_string();
    assert_eq!(text.parse(), Ok(public.clone()));
    let mut policy = SenderPolicy {
        allowed: vec![AllowEntry::new("192.0.2.7", vec![other, public.clone()]).unwrap()],
        require_signed_senders: true,
        topic_principal: None,
    };
    let (mut message, reading) = from("192.0.2.7");
    let refusal = policy.admit(&message, &reading);
    assert!(matches!(refusal, Err(Refusal::NotSigned { .. })));
    let signature = signing.sign(&signed_bytes("192.0.2.7", b"{}")).to_bytes();
    for value in [signature.to_vec(), STANDARD.encode(signature).into_bytes()] {
        message.headers = vec![Header::new(SIGNATURE_HEADER, value)];
        let sender = policy.admit(&message, &reading).unwrap();
        assert_eq!(sender.trust, Trust::Signed(public.clone()));
    }
    message.payload = Some(b"{ }".to_vec());
    let refusal = policy.admit(&message, &reading);
    assert!(matches!(refusal, Err(Refusal::BadSignature { .. })));
    for junk in ["", "x", "AAAA"] {
        message.headers = vec![Header::new(SIGNATURE_HEADER, junk)];
        let refusal = policy.admit(&message, &reading);
        assert!(matches!(refusal, Err(Refusal::BadSignature { .. })));
    }
    // An entry that names keys is not open to those who leave the signature away.
    message.headers.clear();
    policy.require_signed_senders = false;
    let refusal = policy.admit(&message, &reading);
    assert!(matches!(refusal, Err(Refusal::NotSigned { .. })));
}

#[test]
fn the_only_writer_of_a_topic_is_trusted_and_an_address_alone_is_not() {
    let (message, reading) = from("192.0.2.7");
    let mut policy = policy(&["192.0.2.7"]);
    policy.require_signed_senders = true;
    let refusal = policy.admit(&message, &reading);
    assert!(matches!(refusal, Err(Refusal::NotSigned { .. })));
    policy.topic_principal = Some("User:acme".to_owned());
    let sender = policy.admit(&message, &reading).unwrap();
    assert_eq!(sender.trust, Trust::Topic("User:acme".to_owned()));
    let poison = Poison::from(Refusal::NoSender);
    assert_eq!(poison.cause, Cause::Sender);
}

proptest! {
    #[test]
    fn any_text_is_an_address_or_refused(text in ".{0,60}") {
        let _ = is_admitted("0.0.0.0/0", &text);
        let _ = AllowEntry::new(&text, Vec::new());
    }

    #[test]
    fn an_address_inside_ipv6_is_the_same(bits in any::<u32>(), length in 0_u8..=32) {
        let plain = std::net::Ipv4Addr::from(bits);
        let mapped = plain.to_ipv6_mapped().to_string();
        let entry = format!("{plain}/{length}");
        prop_assert!(is_admitted(&entry, &mapped));
        let inside = format!("{mapped}/{}", length + 96);
        prop_assert!(is_admitted(&inside, &plain.to_string()));
    }
}
