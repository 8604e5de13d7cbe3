//! Generated traffic of which every distribution is known, and a model trained on it.

use std::sync::{Arc, LazyLock};

use tripline_detect::{MadeFor, Model};
use tripline_forest::{SplitMix64, gbdt::GbdtParams};
use tripline_lifecycle::{
    CategoryEncoding, LabelledRows, Learner,
    drift::{Baseline, DriftPolicy, DriftReport, Window},
    judge_alone,
    performance::{Estimate, EstimatePolicy, Estimated},
    recipe::{DetectorRecipe, FeatureChoice, ThresholdRule, Weighting},
    train::{Provenance, train_detector},
};

/// What the model reads: one number that tells attacks, two that tell nothing, a category, a column
/// that is always 0 and one that never has a value.
pub(crate) const FEATURES: [&str; 6] = [
    "duration",
    "src_bytes",
    "same_srv_rate",
    "service",
    "land",
    "hot",
];
/// The standard deviation of `src_bytes`.
pub(crate) const DEVIATION: f64 = 1000.0;
/// Services that training has.
pub(crate) const SERVICES: usize = 5;

pub(crate) struct Laboratory {
    pub(crate) model: Arc<Model>,
    pub(crate) baseline: Baseline,
}

pub(crate) static LABORATORY: LazyLock<Laboratory> = LazyLock::new(|| {
    let recipe = DetectorRecipe {
        name: "drift".to_owned(),
        description: "A detector of the drift tests".to_owned(),
        priority: 1,
        made_for: MadeFor::Rows,
        features: FeatureChoice::named(&FEATURES),
        categories: CategoryEncoding::Native,
        learner: Learner::Gbdt(GbdtParams {
            rounds: 20,
            learning_rate: 0.2,
            max_leaves: 6,
            min_rows_in_leaf: 100,
            seed: 1,
            ..GbdtParams::default()
        }),
        weighting: Weighting::Rows,
        background: None,
        threshold: ThresholdRule::Score(0.5),
        seed: 1,
    };
    let provenance = Provenance {
        command: "test".to_owned(),
        code_version: "0".to_owned(),
        data: Vec::new(),
    };
    let rows = traffic(0, 20_000, 0.4);
    let mut trained = train_detector(&rows, &recipe, &provenance).unwrap();
    let model = Arc::new(Model::from_bytes(&trained.bundle.encode().unwrap()).unwrap());
    Laboratory {
        baseline: Baseline::of(&model),
        model,
    }
});

pub(crate) fn column(feature: &str) -> usize {
    tripline_features::nsl_kdd().index_of(feature).unwrap()
}

pub(crate) fn traffic(seed: u64, rows: usize, attacks: f64) -> LabelledRows {
    changed(seed, rows, attacks, |_, _| {})
}

/// Traffic whose rows are changed one by one.
pub(crate) fn changed(
    seed: u64,
    rows: usize,
    attacks: f64,
    change: impl Fn(&mut [f64], &mut SplitMix64),
) -> LabelledRows {
    let schema = tripline_features::nsl_kdd();
    let mut random = SplitMix64::new(seed);
    let mut traffic = LabelledRows::new(schema);
    for _ in 0..rows {
        let is_attack = random.unit() < attacks;
        let mut values = vec![0.0; schema.len()];
        let level = if is_attack { 1300.0 } else { 1000.0 };
        values[column("duration")] = (level + 100.0 * normal(&mut random)).round();
        values[column("src_bytes")] = (10_000.0 + DEVIATION * normal(&mut random)).round();
        values[column("same_srv_rate")] = random.unit();
        values[column("service")] = random.below(SERVICES) as f64;
        values[column("hot")] = f64::NAN;
        change(&mut values, &mut random);
        traffic.push(&values, if is_attack { "anomaly" } else { "normal" });
    }
    traffic
}

fn normal(random: &mut SplitMix64) -> f64 {
    let radius = (-2.0 * (1.0 - random.unit()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.unit()).cos()
}

pub(crate) fn is_attack(rows: &LabelledRows, row: usize) -> bool {
    rows.label(row) != "normal"
}

pub(crate) fn said(rows: &LabelledRows) -> Vec<(f64, bool)> {
    judge_alone(&LABORATORY.model, rows)
        .unwrap()
        .iter()
        .map(|verdict| {
            let threat = verdict.threat.unwrap();
            (threat.probability, threat.is_threat)
        })
        .collect()
}

pub(crate) fn window(rows: &LabelledRows) -> Window {
    let baseline = &LABORATORY.baseline;
    let mut window = Window::new(baseline);
    for (row, (probability, _)) in said(rows).into_iter().enumerate() {
        window.observe(baseline, rows.row(row), Some(probability), row as i64);
    }
    window
}

pub(crate) fn report(rows: &LabelledRows) -> DriftReport {
    window(rows).report(&LABORATORY.baseline, &DriftPolicy::default())
}

pub(crate) fn estimate(rows: &LabelledRows) -> Estimated {
    let mut estimate = Estimate::default();
    for (probability, is_threat) in said(rows) {
        estimate.observe(probability, is_threat);
    }
    estimate.estimate(&report(rows), &EstimatePolicy::default())
}

/// F1 by the labels.
pub(crate) fn true_f1(rows: &LabelledRows) -> f64 {
    let said = said(rows);
    let count = |threat: bool, attack: bool| {
        (0..rows.len())
            .filter(|row| said[*row].1 == threat && is_attack(rows, *row) == attack)
            .count() as f64
    };
    let hits = count(true, true);
    2.0 * hits / (2.0 * hits + count(true, false) + count(false, true))
}
