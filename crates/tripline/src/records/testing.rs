//! What several tests need: models that records can know, and datagrams.

use std::sync::{Arc, LazyLock};

use tripline_detect::{Model, ModelSet};
use tripline_features::live::records::NSL_CONN;
use tripline_features::{CsvLimits, CsvRows, RowBatch, synthetic};
use tripline_forest::gbdt::GbdtParams;
use tripline_lifecycle::recipe::{DetectorRecipe, FeatureChoice, ThresholdRule, Weighting};
use tripline_lifecycle::train::{Provenance, train_detector};
use tripline_lifecycle::{CategoryEncoding, LabelledRows, Learner};

/// The bundle of a detector on what Zeek knows, trained on generated rows.
pub(crate) fn detector_bundle() -> &'static [u8] {
    static BUNDLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut csv = Vec::new();
        synthetic::write_csv(9, 1500, &mut csv).unwrap();
        let mut reader = CsvRows::new(csv.as_slice(), CsvLimits::default()).unwrap();
        let mut batch = RowBatch::new();
        reader.read_batch(1500, &mut batch).unwrap();
        let mut rows = LabelledRows::new(reader.columns().schema());
        for (values, label) in batch.rows().zip(&batch.labels) {
            rows.push(values, label.as_ref().unwrap().as_str());
        }
        let recipe = DetectorRecipe {
            name: "test-detector-conn".to_owned(),
            description: "A detector of the tests".to_owned(),
            priority: 1,
            made_for: tripline_detect::MadeFor::Rows,
            features: FeatureChoice::named(&NSL_CONN),
            categories: CategoryEncoding::Native,
            learner: Learner::Gbdt(GbdtParams {
                rounds: 8,
                learning_rate: 0.3,
                max_leaves: 8,
                min_rows_in_leaf: 5,
                seed: 3,
                ..GbdtParams::default()
            }),
            weighting: Weighting::Rows,
            background: None,
            threshold: ThresholdRule::Score(0.5),
            seed: 3,
        };
        let provenance = Provenance {
            command: "test".to_owned(),
            code_version: "0".to_owned(),
            data: Vec::new(),
        };
        let mut trained = train_detector(&rows, &recipe, &provenance).unwrap();
        trained.bundle.encode().unwrap()
    });
    &BUNDLE
}

pub(crate) fn models() -> ModelSet {
    let model = Model::from_bytes(detector_bundle()).unwrap();
    ModelSet::new(vec![Arc::new(model)]).unwrap()
}

/// 2024-01-01T00:00:00Z.
const EXPORTED: u32 = 1_704_067_200;

fn set(id: u16, body: &[u8]) -> Vec<u8> {
    let mut set = Vec::new();
    set.extend(id.to_be_bytes());
    set.extend((body.len() as u16 + 4).to_be_bytes());
    set.extend(body);
    set
}

fn ipfix(sets: &[u8]) -> Vec<u8> {
    let mut message = vec![0, 10];
    message.extend((sets.len() as u16 + 16).to_be_bytes());
    message.extend(EXPORTED.to_be_bytes());
    message.extend([0; 8]);
    message.extend(sets);
    message
}

/// An IPFIX message with a template of both directions.
pub(crate) fn template(id: u16) -> Vec<u8> {
    templates(id..id + 1)
}

/// An IPFIX message with the same template under several numbers.
pub(crate) fn templates(ids: std::ops::Range<u16>) -> Vec<u8> {
    let body: Vec<u8> = ids.flat_map(template_record).collect();
    ipfix(&set(2, &body))
}

fn template_record(id: u16) -> Vec<u8> {
    const REVERSE: u32 = 29_305;
    // Addresses, ports, protocol, start and end, octets of payload, packets and flags, of both.
    let fields: [(u16, u16, Option<u32>); 13] = [
        (8, 4, None),
        (12, 4, None),
        (7, 2, None),
        (11, 2, None),
        (4, 1, None),
        (152, 8, None),
        (153, 8, None),
        (231, 4, None),
        (232, 4, None),
        (298, 4, None),
        (299, 4, None),
        (6, 1, None),
        (6, 1, Some(REVERSE)),
    ];
    let mut body = [id, fields.len() as u16].map(u16::to_be_bytes).concat();
    for (number, length, enterprise) in fields {
        let bit = if enterprise.is_some() { 0x8000 } else { 0 };
        body.extend((number | bit).to_be_bytes());
        body.extend(length.to_be_bytes());
        body.extend(enterprise.map(u32::to_be_bytes).into_iter().flatten());
    }
    body
}

/// An IPFIX message with connections to port 80 from these client ports.
pub(crate) fn data(id: u16, client_ports: &[u16]) -> Vec<u8> {
    let mut body = Vec::new();
    for port in client_ports {
        body.extend([10, 0, 0, 1, 10, 0, 0, 2]);
        body.extend(port.to_be_bytes());
        body.extend(80_u16.to_be_bytes());
        body.push(6);
        let millis = u64::from(EXPORTED) * 1000;
        body.extend((millis - 2000).to_be_bytes());
        body.extend(millis.to_be_bytes());
        for count in [300_u32, 5000, 6, 8] {
            body.extend(count.to_be_bytes());
        }
        body.extend([0x1b, 0x1b]);
    }
    ipfix(&set(id, &body))
}

/// A message of `NetFlow` v5 with one record, which knows one direction.
pub(crate) fn netflow5() -> Vec<u8> {
    let mut message = vec![0, 5, 0, 1];
    message.extend(3_600_000_u32.to_be_bytes());
    message.extend(EXPORTED.to_be_bytes());
    message.extend([0; 12]);
    message.extend([10, 0, 0, 1, 10, 0, 0, 2, 0, 0, 0, 0, 0, 1, 0, 2]);
    for number in [7_u32, 900, 3_590_000, 3_599_000] {
        message.extend(number.to_be_bytes());
    }
    message.extend(40_000_u16.to_be_bytes());
    message.extend(80_u16.to_be_bytes());
    message.extend([0, 0x1b, 6, 0]);
    message.extend([0; 8]);
    message
}
