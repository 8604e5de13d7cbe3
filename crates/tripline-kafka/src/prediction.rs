//! What goes out: one JSON object for each verdict, by `docs/schema/prediction-v1.json`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{Error, Header, Outgoing, Result};

/// The version of the messages. It changes when a member changes its meaning or goes; a member that
/// comes does not change it, so readers pass over what they do not know.
pub const SCHEMA_VERSION: u32 = 1;
/// Names the verdict: a message that comes twice has the same.
pub const VERDICT_HEADER: &str = "verdict-id";
/// Always `application/json`.
pub const CONTENT_TYPE_HEADER: &str = "content-type";
/// `prediction/1`: which schema the payload has.
pub const SCHEMA_HEADER: &str = "schema";

/// A verdict as it is told.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Prediction<'a> {
    /// [`SCHEMA_VERSION`].
    pub version: u32,
    /// The verdict's identifier, as the API has it.
    pub verdict_id: Cow<'a, str>,
    /// When the verdict was given, by RFC 3339.
    pub time: Cow<'a, str>,
    /// When the traffic was, by RFC 3339, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_time: Option<Cow<'a, str>>,
    /// By which way the row came in, as the API names it.
    pub source: Cow<'a, str>,
    /// The schema of the row.
    pub schema: SchemaRef<'a>,
    /// The models that gave the verdict.
    pub models: Vec<Model<'a>>,
    /// Probability of being a threat, from 0 to 1; null where no detector fits the row.
    pub probability: Option<f64>,
    /// The probability from which on it is a threat.
    pub threshold: Option<f64>,
    /// Whether it is a threat.
    pub is_threat: bool,
    /// Which attack it is, where a classifier had its say.
    pub attack: Option<Attack<'a>>,
    /// What moved the verdict most, strongest first.
    pub reasons: Vec<Reason<'a>>,
    /// The flow, when the row is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<Flow<'a>>,
    /// Who sent the row, when it came from outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<SenderRef<'a>>,
}

/// A schema of rows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SchemaRef<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// Its version.
    pub version: u32,
}

/// A model that had its say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Model<'a> {
    /// What it is for: `detector`, `classifier` or `namer`.
    pub role: Cow<'a, str>,
    /// Its name.
    pub name: Cow<'a, str>,
    /// Its version.
    pub version: Cow<'a, str>,
}

/// An attack.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Attack<'a> {
    /// Name of the class.
    pub class: Cow<'a, str>,
    /// Probability that the class is right, from 0 to 1.
    pub confidence: f64,
    /// The attack inside the class, where it is known.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Cow<'a, str>>,
    /// Probability that this name is right, from 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub type_confidence: Option<f64>,
}

/// A feature that moved a verdict.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Reason<'a> {
    /// The feature.
    pub feature: Cow<'a, str>,
    /// Its value in the row; null where the row has none.
    pub value: Option<f64>,
    /// How far it moved the margin, up when positive.
    pub contribution: f64,
    /// The role of the model that it moved.
    pub role: Cow<'a, str>,
}

/// The ends of a flow.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Flow<'a> {
    /// Address of the end that began.
    pub source_address: Cow<'a, str>,
    /// Its port.
    pub source_port: u16,
    /// Address of the other end.
    pub destination_address: Cow<'a, str>,
    /// Its port.
    pub destination_port: u16,
    /// `tcp`, `udp`, `icmp`, or the protocol's number.
    pub protocol: Cow<'a, str>,
}

/// A sender.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SenderRef<'a> {
    /// Its address.
    pub address: Cow<'a, str>,
    /// What vouches for it: `signed`, `topic` or `self_asserted`.
    pub trust: Cow<'a, str>,
}

impl Prediction<'_> {
    /// The host that the verdict is about, which is the key of its message: the end that began the
    /// flow, or else the sender. Rows without either are keyed by their source.
    pub fn host(&self) -> &str {
        match (&self.flow, &self.sender) {
            (Some(flow), _) => &flow.source_address,
            (None, Some(sender)) => &sender.address,
            (None, None) => &self.source,
        }
    }

    /// The message for a topic. Messages about one host keep their order.
    pub fn message(&self, topic: &str) -> Result<Outgoing> {
        let payload = serde_json::to_vec(self)
            .map_err(|error| Error::setting("prediction", error.to_string()))?;
        Ok(Outgoing {
            topic: topic.to_owned(),
            key: Some(self.host().as_bytes().to_vec()),
            payload: Some(payload),
            headers: vec![
                Header::new(VERDICT_HEADER, self.verdict_id.as_ref()),
                Header::new(CONTENT_TYPE_HEADER, "application/json"),
                Header::new(SCHEMA_HEADER, format!("prediction/{SCHEMA_VERSION}")),
            ],
            timestamp_millis: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn schema() -> jsonschema::Validator {
        let text = include_str!("../../../docs/schema/prediction-v1.json");
        let schema: Value = serde_json::from_str(text).unwrap();
        jsonschema::validator_for(&schema).unwrap()
    }

    fn complete() -> Prediction<'static> {
        Prediction {
            version: SCHEMA_VERSION,
            verdict_id: "0190a3c4-0000-8000-8000-000000000001".into(),
            time: "2025-12-01T10:00:00Z".into(),
            event_time: Some("2025-12-01T09:59:59.5Z".into()),
            source: "packet_capture".into(),
            schema: SchemaRef {
                name: "cicflow".into(),
                version: 1,
            },
            models: vec![Model {
                role: "detector".into(),
                name: "cicflow-detector".into(),
                version: "1".into(),
            }],
            probability: Some(0.97),
            threshold: Some(0.5),
            is_threat: true,
            attack: Some(Attack {
                class: "DoS".into(),
                confidence: 0.9,
                kind: Some("DoS Hulk".into()),
                type_confidence: Some(0.8),
            }),
            reasons: vec![Reason {
                feature: "Flow Duration".into(),
                value: None,
                contribution: -0.4,
                role: "detector".into(),
            }],
            flow: Some(Flow {
                source_address: "192.0.2.7".into(),
                source_port: 40000,
                destination_address: "2001:db8::1".into(),
                destination_port: 443,
                protocol: "tcp".into(),
            }),
            sender: Some(SenderRef {
                address: "198.51.100.1".into(),
                trust: "signed".into(),
            }),
        }
    }

    fn check(prediction: &Prediction<'_>) {
        let value = serde_json::to_value(prediction).unwrap();
        let errors: Vec<String> = schema()
            .iter_errors(&value)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(
            serde_json::from_value::<Prediction<'_>>(value).unwrap(),
            *prediction
        );
    }

    #[test]
    fn messages_keep_to_the_documented_schema() {
        check(&complete());
        check(&Prediction {
            version: 1,
            event_time: None,
            probability: None,
            threshold: None,
            attack: None,
            flow: None,
            sender: None,
            models: Vec::new(),
            reasons: Vec::new(),
            ..complete()
        });
    }

    #[test]
    fn the_schema_names_every_member_and_refuses_what_is_wrong() {
        let schema = schema();
        let good = serde_json::to_value(complete()).unwrap();
        for (member, wrong) in [
            ("version", json!(2)),
            ("probability", json!(1.5)),
            ("is_threat", json!("yes")),
            ("time", json!(5)),
            ("models", json!([{}])),
            ("attack", json!({"class": "DoS"})),
            ("flow", json!({"source_address": "192.0.2.7"})),
            ("sender", json!({"address": "192.0.2.7", "trust": "much"})),
        ] {
            let mut bad = good.clone();
            bad[member] = wrong;
            assert!(!schema.is_valid(&bad), "{member}");
        }
        let text = include_str!("../../../docs/schema/prediction-v1.json");
        let text: Value = serde_json::from_str(text).unwrap();
        for member in good.as_object().unwrap().keys() {
            assert!(text["properties"].get(member).is_some(), "{member}");
        }
    }

    #[test]
    fn a_message_is_keyed_by_host_and_names_its_verdict() {
        let mut prediction = complete();
        let message = prediction.message("predictions").unwrap();
        assert_eq!(message.key.as_deref(), Some(&b"192.0.2.7"[..]));
        let id = Header::new(VERDICT_HEADER, prediction.verdict_id.as_ref());
        assert!(message.headers.contains(&id));
        prediction.flow = None;
        assert_eq!(prediction.host(), "198.51.100.1");
        prediction.sender = None;
        assert_eq!(prediction.host(), "packet_capture");
    }
}
