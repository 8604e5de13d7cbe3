//! Verdicts as messages for others.

use std::{net::IpAddr, sync::Arc};

use serde_json::{Map, Value};
use tripline_kafka::{
    Outgoing,
    prediction::{Attack, Model, Prediction, Reason, SCHEMA_VERSION, SchemaRef, SenderRef},
    sender::{Sender, Trust},
};
use tripline_store::Timestamp;

use crate::api::{Row, rfc3339};

/// Names under which rows of flows give the address of the end that began, spaces and case aside.
const SOURCE_NAMES: [&str; 4] = ["src ip", "source ip", "src_ip", "source_ip"];

/// The verdict on a row, as others read it.
pub(super) fn prediction<'a>(row: &Row<'a>) -> Prediction<'a> {
    let provenance = row.provenance;
    let models = [
        ("detector", &provenance.detector),
        ("classifier", &provenance.classifier),
        ("namer", &provenance.namer),
    ];
    let reason = |reason: &tripline_detect::Reason| {
        let index = usize::from(reason.feature);
        let value = row.values.get(index).copied();
        Some(Reason {
            feature: row.schema?.features().get(index)?.name.into(),
            value: value.filter(|value| value.is_finite()),
            contribution: reason.contribution,
            role: match reason.stage {
                tripline_detect::Stage::Detector => "detector",
                tripline_detect::Stage::Classifier => "classifier",
            }
            .into(),
        })
    };
    Prediction {
        version: SCHEMA_VERSION,
        verdict_id: row.id.map(|id| id.to_string().into()).unwrap_or_default(),
        time: rfc3339(row.created_at).into(),
        event_time: None,
        source: row.source.name().into(),
        schema: SchemaRef {
            name: provenance.schema.as_str().into(),
            version: provenance.schema_version,
        },
        models: models
            .into_iter()
            .filter_map(|(role, model)| {
                let model = model.as_ref()?;
                Some(Model {
                    role: role.into(),
                    name: model.name.as_str().into(),
                    version: model.version.as_str().into(),
                })
            })
            .collect(),
        probability: row.threat.map(|threat| threat.probability),
        threshold: provenance
            .detector
            .as_ref()
            .and_then(|model| model.threshold),
        // Where no detector fits the row, the class decides.
        is_threat: match (&row.threat, &row.attack) {
            (Some(threat), _) => threat.is_threat,
            (None, Some(attack)) => attack.is_attack,
            (None, None) => false,
        },
        attack: row.attack.map(|attack| Attack {
            class: attack.class.into(),
            confidence: attack.confidence,
            kind: attack.named.map(|named| named.label.into()),
            type_confidence: attack.named.map(|named| named.confidence),
        }),
        reasons: row.reasons.iter().filter_map(reason).collect(),
        flow: None,
        sender: None,
    }
}

/// What a message says of its rows beside their features.
#[derive(Debug, Clone, Default)]
pub(super) struct Aside {
    pub(super) event_time: Option<i64>,
    pub(super) sender: Option<Arc<SenderRef<'static>>>,
    /// The key of the verdict's message.
    pub(super) key: Vec<u8>,
}

impl Aside {
    /// The messages that tell a verdict: to `predictions`, and a threat also to `alerts`.
    pub(super) fn tell(
        &self,
        mut prediction: Prediction<'_>,
        predictions: Option<&str>,
        alerts: Option<&str>,
    ) -> tripline_kafka::Result<impl Iterator<Item = Outgoing> + use<>> {
        prediction.event_time = self.event_time.map(|time| rfc3339(Timestamp(time)).into());
        prediction.sender = self.sender.as_deref().cloned();
        let alerts = alerts.filter(|_| prediction.is_threat);
        let Some(first) = predictions.or(alerts) else {
            return Ok([None, None].into_iter().flatten());
        };
        let mut message = prediction.message(first)?;
        message.key = Some(self.key.clone());
        let second = alerts.filter(|_| predictions.is_some());
        let second = second.map(|topic| Outgoing {
            topic: topic.to_owned(),
            ..message.clone()
        });
        Ok([Some(message), second].into_iter().flatten())
    }
}

/// A sender as others read it.
pub(super) fn sender_ref(sender: &Sender) -> SenderRef<'static> {
    SenderRef {
        address: sender.address.to_string().into(),
        trust: match sender.trust {
            Trust::Signed(_) => "signed",
            Trust::Topic(_) => "topic",
            Trust::SelfAsserted => "self_asserted",
        }
        .into(),
    }
}

/// What keeps the verdicts about one host in their order: the host, as far as the row or its
/// message tells it, or else the partition that the row came from.
pub(super) fn key(
    fields: &Map<String, Value>,
    sender: Option<&SenderRef<'_>>,
    message_key: Option<&[u8]>,
    partition: (&str, i32),
) -> Vec<u8> {
    let source = fields.iter().find_map(|(name, value)| {
        let name = name.trim();
        if !SOURCE_NAMES
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name))
        {
            return None;
        }
        let address: IpAddr = value.as_str()?.trim().parse().ok()?;
        Some(address.to_canonical().to_string())
    });
    if let Some(host) = source.or_else(|| Some(sender?.address.clone().into_owned())) {
        return host.into_bytes();
    }
    match message_key {
        Some(key) if !key.is_empty() => key.to_vec(),
        _ => format!("{}-{}", partition.0, partition.1).into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_is_the_host_as_far_as_it_is_known() {
        let sender = SenderRef {
            address: "198.51.100.1".into(),
            trust: "signed".into(),
        };
        let check = |fields: &Value, sender, message: Option<&[u8]>, expected: &str| {
            let key = key(fields.as_object().unwrap(), sender, message, ("t", 3));
            assert_eq!(key, expected.as_bytes());
        };
        let row = json!({" Src IP": "::ffff:192.0.2.7", "duration": 1});
        check(&row, Some(&sender), Some(b"k"), "192.0.2.7");
        let row = json!({"Src IP": "somebody"});
        check(&row, Some(&sender), Some(b"k"), "198.51.100.1");
        check(&row, None, Some(b"k"), "k");
        check(&row, None, Some(b""), "t-3");
        check(&row, None, None, "t-3");
    }
}
