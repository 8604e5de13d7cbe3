//! Bundles that are damaged or strange, and verdicts that have to be right, on models that ship.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test, what fails in a helper fails the test"
)]

use std::{path::Path, sync::Arc};

use proptest::prelude::*;
use tripline_detect::{
    DetectError, Explained, Explanation, Model, ModelBundle, ModelSet, Role, Scorer, Stage,
};
use tripline_features::{CsvLimits, CsvRows, RowBatch, nsl_kdd, synthetic};

fn shipped(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    std::fs::read(folder.join(format!("{name}.tripline"))).unwrap()
}

fn set(names: &[&str]) -> ModelSet {
    let models = names
        .iter()
        .map(|name| Arc::new(Model::from_bytes(&shipped(name)).unwrap()));
    ModelSet::new(models.collect()).unwrap()
}

fn generated(rows: usize) -> RowBatch {
    let mut csv = Vec::new();
    synthetic::write_csv(5, rows, &mut csv).unwrap();
    let mut reader = CsvRows::new(csv.as_slice(), CsvLimits::default()).unwrap();
    let mut batch = RowBatch::new();
    assert_eq!(reader.read_batch(rows, &mut batch).unwrap(), rows);
    batch
}

#[test]
fn a_bundle_survives_its_bytes() {
    let bytes = shipped("nsl-kdd-detector-ten-v1");
    let mut bundle = ModelBundle::decode(&bytes).unwrap();
    let version = bundle.manifest.version.clone();
    assert_eq!(bundle.encode().unwrap(), bytes);
    assert_eq!(bundle.manifest.version, version);
}

#[test]
fn a_bundle_that_was_cut_off_is_refused() {
    let bytes = shipped("nsl-kdd-detector-ten-v1");
    let ends = (0..300)
        .chain((300..bytes.len()).step_by(997))
        .chain([bytes.len() - 1]);
    for end in ends {
        assert!(Model::from_bytes(&bytes[..end]).is_err(), "{end} bytes");
    }
    let mut longer = bytes;
    longer.push(0);
    assert!(Model::from_bytes(&longer).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever bit is wrong, the bundle is refused, because its version is the digest of its
    /// content; nothing panics on the way.
    #[test]
    fn a_bundle_with_a_wrong_bit_is_refused(place in 0.0..1.0_f64, bit in 0..8_u32) {
        let mut bytes = shipped("nsl-kdd-detector-ten-v1");
        let at = (place * bytes.len() as f64) as usize;
        bytes[at] ^= 1 << bit;
        prop_assert!(Model::from_bytes(&bytes).is_err(), "bit {bit} of byte {at}");
    }

    #[test]
    fn bytes_that_are_no_bundle_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
        prop_assert!(Model::from_bytes(&bytes).is_err());
    }
}

/// A bundle whose digest is right although its manifest is not.
fn check_manifest(change: impl FnOnce(&mut ModelBundle), expected: &str) {
    let mut bundle = ModelBundle::decode(&shipped("nsl-kdd-detector-ten-v1")).unwrap();
    change(&mut bundle);
    let refused = Model::from_bytes(&bundle.encode().unwrap())
        .unwrap_err()
        .to_string();
    assert!(refused.contains(expected), "{refused}");
}

#[test]
fn a_manifest_is_checked_against_its_schema_and_trees() {
    check_manifest(
        |bundle| bundle.manifest.schema.fingerprint = "0".repeat(64),
        "was made for schema",
    );
    check_manifest(
        |bundle| bundle.manifest.schema.name = "netflow".to_owned(),
        "was made for schema",
    );
    check_manifest(
        |bundle| bundle.manifest.features[0] = "colour".to_owned(),
        "features",
    );
    check_manifest(|bundle| bundle.manifest.features.swap(0, 2), "features");
    check_manifest(
        |bundle| {
            bundle.manifest.features.pop();
            bundle.manifest.probe.clear();
        },
        "features",
    );
    check_manifest(
        |bundle| bundle.manifest.probe[3].margins[0] += 1e-12,
        "row 3",
    );
    check_manifest(
        |bundle| {
            bundle.manifest.probe[0].values.pop();
        },
        "probe",
    );
    check_manifest(|bundle| drop(bundle.manifest.classes.pop()), "classes");
    check_manifest(|bundle| bundle.manifest.threshold = None, "threshold");
    check_manifest(
        |bundle| bundle.manifest.name = "../../etc".to_owned(),
        "name",
    );
    check_manifest(
        |bundle| bundle.manifest.format_version = 99,
        "format_version",
    );
    check_manifest(
        |bundle| bundle.manifest.role = Role::Classifier,
        "threshold",
    );
}

#[test]
fn rows_are_matched_to_the_best_model_that_they_fit() {
    let schema = nsl_kdd();
    let models = set(&[
        "nsl-kdd-detector-ten-v1",
        "nsl-kdd-detector-full",
        "nsl-kdd-classifier-ten-v1",
    ]);
    let all = vec![true; schema.len()];
    let pipeline = models.pipeline_for(schema, &all).unwrap();
    assert_eq!(
        pipeline.detector().unwrap().manifest().name,
        "nsl-kdd-detector-full"
    );
    assert_eq!(
        pipeline.classifier().unwrap().manifest().name,
        "nsl-kdd-classifier-ten-v1"
    );
    let mut fewer = all;
    fewer[schema.index_of("duration").unwrap()] = false;
    let pipeline = models.pipeline_for(schema, &fewer).unwrap();
    assert_eq!(
        pipeline.detector().unwrap().manifest().name,
        "nsl-kdd-detector-ten-v1"
    );
    fewer[schema.index_of("flag").unwrap()] = false;
    let error = models.pipeline_for(schema, &fewer).unwrap_err();
    let DetectError::MissingFeatures { nearest, missing } = &error else {
        panic!("{error}")
    };
    assert!(nearest.contains("ten-v1"), "{nearest}");
    assert_eq!(missing, &["flag"]);
    let none = models.pipeline_for(tripline_features::cicflow(), &[true; 200]);
    assert!(matches!(
        none,
        Err(DetectError::NoModel { schema: "cicflow" })
    ));
    assert!(
        ModelSet::new(vec![
            Arc::clone(&models.models()[0]),
            Arc::clone(&models.models()[0])
        ])
        .is_err()
    );
}

#[test]
fn contributions_add_up_and_decisions_follow_the_threshold() {
    let names = [
        "nsl-kdd-detector-full",
        "nsl-kdd-classifier-full",
        "nsl-kdd-namer-full",
    ];
    let pipeline = set(&names)
        .pipeline_for(nsl_kdd(), &vec![true; nsl_kdd().len()])
        .unwrap();
    let threshold = pipeline.detector().unwrap().threshold();
    let batch = generated(300);
    let mut scorer = Scorer::new(pipeline.clone(), 5);
    let (mut threats, mut named) = (0, 0);
    for row in batch.rows() {
        let verdict = scorer.judge(row);
        let threat = verdict.threat.unwrap();
        assert_eq!(threat.is_threat, threat.probability >= threshold);
        // The classifier speaks only about threats, and then not of normal traffic.
        assert_eq!(verdict.attack.is_some(), threat.is_threat);
        if let Some(attack) = verdict.attack {
            let class = &pipeline.classifier().unwrap().manifest().classes[attack.class];
            assert!(!class.benign, "{}", class.name);
            assert!((0.0..=1.0).contains(&attack.confidence));
            named += usize::from(attack.named.is_some());
        }
        threats += usize::from(threat.is_threat);
        let class = verdict
            .attack
            .map(|attack| (attack.class, attack.confidence));
        let explanation = Explanation::of(&pipeline, row, class);
        for stage in &explanation.stages {
            let sum: f64 = stage
                .contributions
                .iter()
                .map(|part| part.contribution)
                .sum();
            let gap = (stage.base_value + sum - stage.margin).abs();
            assert!(gap < 1e-9, "{}: {gap}", stage.model);
        }
        assert!((explanation.stages[0].probability - threat.probability).abs() < 1e-9);
        // The reasons are the strongest contributions.
        for (reason, part) in verdict
            .reasons
            .iter()
            .zip(&explanation.stages[0].contributions)
        {
            assert_eq!(reason.stage, Stage::Detector);
            assert!((reason.contribution - part.contribution).abs() < 1e-9);
        }
    }
    assert!(threats > 20 && threats < 280, "{threats} of 300");
    assert!(named > 0);
}

#[test]
fn rows_are_judged_alike_alone_and_together() {
    let pipeline = set(&["nsl-kdd-detector-full", "nsl-kdd-classifier-full"])
        .pipeline_for(nsl_kdd(), &vec![true; nsl_kdd().len()])
        .unwrap();
    let batch = generated(700);
    let together = Scorer::new(pipeline.clone(), 5).judge_rows(&batch.values);
    let mut scorer = Scorer::new(pipeline, 5);
    for (row, verdict) in batch.rows().zip(&together) {
        assert_eq!(&scorer.judge(row), verdict);
        // And again, from memory.
        assert_eq!(&scorer.judge(row), verdict);
    }
}

#[test]
fn remembering_changes_no_verdict_and_ordinary_rows_may_go_without_reasons() {
    let pipeline = set(&[
        "nsl-kdd-detector-full",
        "nsl-kdd-classifier-full",
        "nsl-kdd-namer-full",
    ])
    .pipeline_for(nsl_kdd(), &vec![true; nsl_kdd().len()])
    .unwrap();
    let batch = generated(700);
    // More rows than are remembered, most of them again and again.
    let values = batch.values.repeat(9);
    let all = Scorer::new(pipeline.clone(), 5).judge_rows(&values);
    let remembering = Scorer::new(pipeline.clone(), 5)
        .remembering()
        .judge_rows(&values);
    assert_eq!(remembering, all);
    let threats_only = Scorer::new(pipeline, 5)
        .explaining(Explained::Threats)
        .remembering()
        .judge_rows(&values);
    for (verdict, whole) in threats_only.iter().zip(&all) {
        assert_eq!(
            (verdict.threat, verdict.attack),
            (whole.threat, whole.attack)
        );
        if whole.is_threat() {
            assert_eq!(verdict.reasons, whole.reasons);
        } else {
            assert!(verdict.reasons.is_empty());
        }
    }
}
