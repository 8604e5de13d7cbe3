//! Training on generated records: what it keeps apart, what it repeats, what it reports.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test, what fails in a helper fails the test"
)]

use tripline_detect::MadeFor;
use tripline_features::{CsvLimits, CsvRows, RowBatch, synthetic};
use tripline_forest::gbdt::GbdtParams;
use tripline_lifecycle::{
    Case, CategoryEncoding, Evaluation, LabelledRows, Learner,
    recipe::{
        Background, ClassifierRecipe, DetectorRecipe, FeatureChoice, ThresholdRule, Weighting,
    },
    split,
    train::{Provenance, Trained, train_classifier, train_detector},
};

fn generated(count: usize) -> LabelledRows {
    let mut csv = Vec::new();
    synthetic::write_csv(9, count, &mut csv).unwrap();
    let mut reader = CsvRows::new(csv.as_slice(), CsvLimits::default()).unwrap();
    let mut batch = RowBatch::new();
    assert_eq!(reader.read_batch(count, &mut batch).unwrap(), count);
    let mut rows = LabelledRows::new(reader.columns().schema());
    for (values, label) in batch.rows().zip(&batch.labels) {
        rows.push(values, label.as_ref().unwrap().as_str());
    }
    rows
}

fn learner() -> Learner {
    Learner::Gbdt(GbdtParams {
        rounds: 8,
        learning_rate: 0.3,
        max_leaves: 8,
        min_rows_in_leaf: 5,
        seed: 3,
        ..GbdtParams::default()
    })
}

fn detector() -> DetectorRecipe {
    DetectorRecipe {
        name: "test-detector".to_owned(),
        description: "A detector of the tests".to_owned(),
        priority: 1,
        made_for: MadeFor::Rows,
        features: FeatureChoice::AllBut(Vec::new()),
        categories: CategoryEncoding::Native,
        learner: learner(),
        weighting: Weighting::Rows,
        background: Some(Background {
            rows_per_normal: 1.0,
            replaced: (0.1, 0.9),
            weight: 0.05,
        }),
        threshold: ThresholdRule::LeaveOneTypeOut {
            novel_share: 0.5,
            max_false_positive_rate: 0.06,
        },
        seed: 3,
    }
}

fn classifier() -> ClassifierRecipe {
    ClassifierRecipe {
        name: "test-classifier".to_owned(),
        description: "A classifier of the tests".to_owned(),
        priority: 1,
        made_for: MadeFor::Rows,
        features: FeatureChoice::AllBut(Vec::new()),
        categories: CategoryEncoding::Native,
        learner: learner(),
        weighting: Weighting::SquareRoot,
        names_attacks: false,
        seed: 3,
    }
}

fn provenance() -> Provenance {
    Provenance {
        command: "test".to_owned(),
        code_version: "0".to_owned(),
        data: Vec::new(),
    }
}

fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap();
    pool.install(work)
}

#[test]
fn the_same_data_and_seed_give_the_same_bytes_on_any_number_of_threads() {
    let rows = generated(1500);
    let bytes = |trained: Trained| {
        let mut bundle = trained.bundle;
        bundle.encode().unwrap()
    };
    let (one, three) = (
        on_threads(1, || {
            bytes(train_detector(&rows, &detector(), &provenance()).unwrap())
        }),
        on_threads(3, || {
            bytes(train_detector(&rows, &detector(), &provenance()).unwrap())
        }),
    );
    assert!(one == three, "detectors differ");
    let (one, three) = (
        on_threads(1, || {
            bytes(train_classifier(&rows, &classifier(), &provenance()).unwrap())
        }),
        on_threads(3, || {
            bytes(train_classifier(&rows, &classifier(), &provenance()).unwrap())
        }),
    );
    assert!(one == three, "classifiers differ");
}

#[test]
fn a_detector_comes_with_everything_that_its_report_promises() {
    let trained = train_detector(&generated(2500), &detector(), &provenance()).unwrap();
    let manifest = &trained.bundle.manifest;
    let threshold = manifest.threshold.as_ref().unwrap();
    assert!((0.0..=1.0).contains(&threshold.value));
    assert!(threshold.method.contains("6.0 %"), "{}", threshold.method);
    assert_eq!(manifest.baseline.len(), manifest.features.len());
    let report = serde_json::to_value(&trained.report).unwrap();
    for key in [
        "confusion",
        "per_class",
        "roc",
        "pr",
        "calibration",
        "threshold",
        "importances",
        "weaknesses",
    ] {
        assert!(!report[key].is_null(), "{key}");
    }
    assert_eq!(report["task"], "binary");
    assert_eq!(report["version"], manifest.version.as_str());
    let types = report["training"]["types"].as_array().unwrap();
    assert!(!types.is_empty(), "no attack type was left out");
    let error = report["training"]["expected_calibration_error"]
        .as_f64()
        .unwrap();
    assert!(error <= 0.1, "{error}");
    let text = trained.report.to_markdown();
    for heading in [
        "Held-out training rows",
        "Attack types the model never saw",
        "What it is bad at",
    ] {
        assert!(text.contains(heading), "{heading}");
    }
}

#[test]
fn a_classifier_comes_with_everything_that_its_report_promises() {
    let trained = train_classifier(&generated(2500), &classifier(), &provenance()).unwrap();
    let report = serde_json::to_value(&trained.report).unwrap();
    assert_eq!(report["task"], "multi-class");
    let classes = report["confusion"]["classes"].as_array().unwrap().len();
    assert_eq!(
        report["confusion"]["matrix"].as_array().unwrap().len(),
        classes
    );
    assert_eq!(
        report["cross_validation"]["classifier"]["classes"]
            .as_array()
            .unwrap()
            .len(),
        classes
    );
    assert!(trained.bundle.manifest.calibration_given_threat.is_some());
    assert!(
        trained
            .bundle
            .manifest
            .classes
            .iter()
            .any(|class| class.benign)
    );
}

#[test]
fn data_without_both_sides_is_refused() {
    let rows = generated(400);
    let normal: Vec<usize> = (0..rows.len())
        .filter(|row| rows.label(*row) == "normal")
        .collect();
    let Err(error) = train_detector(&rows.select(&normal), &detector(), &provenance()) else {
        panic!("a detector was trained without attacks")
    };
    assert!(error.to_string().contains("0 attack rows"), "{error}");
}

#[test]
fn equal_vectors_stay_on_one_side() {
    let rows = generated(800);
    let doubled: Vec<usize> = (0..rows.len()).chain(0..rows.len()).collect();
    let rows = rows.select(&doubled);
    let columns: Vec<usize> = (0..rows.schema().len()).collect();
    let groups = rows.groups(&columns);
    let labels: Vec<&str> = (0..rows.len()).map(|row| rows.label(row)).collect();
    let folds = split::grouped_folds(&groups, &labels, 5, 1);
    for row in 0..800 {
        assert_eq!(groups[row], groups[row + 800]);
        assert_eq!(folds[row], folds[row + 800]);
    }
    for fold in 0..5 {
        let share = folds.iter().filter(|own| **own == fold).count();
        assert!(
            (160..=480).contains(&share),
            "fold {fold} has {share} of 1600 rows"
        );
    }
}

#[test]
fn an_evaluation_counts_what_happened() {
    let case = |label: &str, probability: f64, class: usize| Case {
        label: label.to_owned(),
        is_attack: label != "normal",
        threat: Some((probability, probability >= 0.5)),
        actual_class: Some(usize::from(label != "normal")),
        class: Some((class, 0.9)),
    };
    let cases = [
        case("normal", 0.1, 0),
        case("normal", 0.6, 1),
        case("neptune", 0.9, 1),
        case("neptune", 0.8, 1),
        case("back", 0.2, 0),
    ];
    let classes = ["normal".to_owned(), "DoS".to_owned()];
    let evaluation = Evaluation::of("rows", &cases, &classes);
    let detector = evaluation.detector.unwrap();
    assert_eq!((detector.true_positive, detector.false_positive), (2, 1));
    assert_eq!((detector.true_negative, detector.false_negative), (1, 1));
    assert!(
        (detector.roc_auc - 5.0 / 6.0).abs() < 1e-12,
        "{}",
        detector.roc_auc
    );
    let classifier = evaluation.classifier.unwrap();
    assert_eq!(classifier.confusion.matrix, [[1, 1], [1, 2]]);
    let back = evaluation
        .by_label
        .iter()
        .find(|row| row.label == "back")
        .unwrap();
    assert_eq!((back.rows, back.called_threat), (1, 0));
}
