//! The models that ship.

mod packets;

use tripline_detect::MadeFor;
use tripline_forest::{
    forest::{Criterion, ForestParams, MaxFeatures, TreeParams},
    gbdt::GbdtParams,
};

use super::{
    Background, ClassifierRecipe, DetectorRecipe, FeatureChoice, ThresholdRule, Weighting,
};
use crate::{CategoryEncoding, Learner};

pub use packets::{cicflow_packets, nsl_kdd_packets};

/// Seed of every shipped model.
const SEED: u64 = 20_090_715;

/// The ten features of the origin system's first clients.
pub const ORIGIN_V1: [&str; 10] = [
    "service",
    "flag",
    "src_bytes",
    "dst_bytes",
    "count",
    "same_srv_rate",
    "diff_srv_rate",
    "dst_host_srv_count",
    "dst_host_same_srv_rate",
    "dst_host_same_src_port_rate",
];

/// The ten features that the origin system's training chose by recursive elimination.
pub const ORIGIN_V2: [&str; 10] = [
    "flag",
    "src_bytes",
    "dst_bytes",
    "count",
    "diff_srv_rate",
    "dst_host_srv_count",
    "dst_host_same_srv_rate",
    "dst_host_diff_srv_rate",
    "dst_host_same_src_port_rate",
    "dst_host_srv_diff_host_rate",
];

/// The ten features of the origin system's third list.
pub const ORIGIN_V3: [&str; 10] = [
    "protocol_type",
    "service",
    "flag",
    "src_bytes",
    "dst_bytes",
    "count",
    "same_srv_rate",
    "diff_srv_rate",
    "dst_host_srv_count",
    "dst_host_same_srv_rate",
];

/// Features of `nsl-kdd` that headers and a two-second window reveal.
pub const NSL_LIVE: [&str; 18] = [
    "duration",
    "protocol_type",
    "service",
    "flag",
    "src_bytes",
    "dst_bytes",
    "land",
    "wrong_fragment",
    "urgent",
    "count",
    "srv_count",
    "serror_rate",
    "srv_serror_rate",
    "rerror_rate",
    "srv_rerror_rate",
    "same_srv_rate",
    "diff_srv_rate",
    "srv_diff_host_rate",
];

/// The 42 columns of the origin system's attack files, less the destination port, under the names
/// of the corrected CICFlowMeter.
pub const ORIGIN_ATTACK: [&str; 41] = [
    "Flow Duration",
    "Total Fwd Packet",
    "Total Length of Fwd Packet",
    "Fwd Packet Length Max",
    "Fwd Packet Length Min",
    "Bwd Packet Length Max",
    "Bwd Packet Length Min",
    "Flow Bytes/s",
    "Flow Packets/s",
    "Flow IAT Mean",
    "Flow IAT Std",
    "Flow IAT Min",
    "Bwd IAT Total",
    "Bwd IAT Std",
    "Fwd PSH Flags",
    "Bwd PSH Flags",
    "Fwd URG Flags",
    "Bwd URG Flags",
    "Fwd Header Length",
    "Bwd Header Length",
    "Bwd Packets/s",
    "Packet Length Min",
    "FIN Flag Count",
    "RST Flag Count",
    "PSH Flag Count",
    "ACK Flag Count",
    "URG Flag Count",
    "Down/Up Ratio",
    "Fwd Bytes/Bulk Avg",
    "Fwd Packet/Bulk Avg",
    "Fwd Bulk Rate Avg",
    "Bwd Bytes/Bulk Avg",
    "Bwd Packet/Bulk Avg",
    "Bwd Bulk Rate Avg",
    "FWD Init Win Bytes",
    "Bwd Init Win Bytes",
    "Fwd Seg Size Min",
    "Active Mean",
    "Active Std",
    "Active Max",
    "Idle Std",
];

/// Columns of `cicflow` that the training file does not have, or has as a constant.
const CICFLOW_UNTRAINED: [&str; 5] = [
    "Bwd Act Data Pkts",
    "Bwd Seg Size Min",
    "Fwd TCP Retrans. Count",
    "Bwd TCP Retrans. Count",
    "Total TCP Retrans. Count",
];

/// A recipe of the collection.
#[derive(Debug, Clone)]
pub enum Shipped {
    /// A threat detector.
    Detector(DetectorRecipe),
    /// A classifier or namer.
    Classifier(ClassifierRecipe),
}

impl Shipped {
    /// The model's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Detector(recipe) => &recipe.name,
            Self::Classifier(recipe) => &recipe.name,
        }
    }
}

/// The models for `nsl-kdd`.
pub fn nsl_kdd() -> Vec<Shipped> {
    let origin = [("v1", &ORIGIN_V1), ("v2", &ORIGIN_V2), ("v3", &ORIGIN_V3)];
    let mut shipped = vec![
        detector(
            "nsl-kdd-detector-full",
            "Threat detector on all 41 NSL-KDD features; the best one where they are all known",
            100,
            FeatureChoice::AllBut(vec!["num_outbound_cmds".to_owned()]),
        ),
        detector(
            "nsl-kdd-detector-live",
            "Threat detector on the NSL-KDD features that can be observed on live traffic",
            90,
            FeatureChoice::named(&NSL_LIVE),
        ),
    ];
    for (index, (list, names)) in origin.into_iter().enumerate() {
        shipped.push(detector(
            &format!("nsl-kdd-detector-ten-{list}"),
            &format!("Threat detector on the origin system's ten-feature list {list}"),
            50 - index as i32,
            FeatureChoice::named(names),
        ));
        shipped.push(Shipped::Detector(DetectorRecipe {
            name: format!("nsl-kdd-detector-origin-{list}"),
            description: format!(
                "The origin system's own recipe on its ten-feature list {list}: a random forest of \
                 100 trees of depth 15, decided at a score of 0.5; kept for comparison"
            ),
            priority: 10 - index as i32,
            made_for: MadeFor::Rows,
            features: FeatureChoice::named(names),
            categories: CategoryEncoding::Index,
            learner: origin_forest(),
            weighting: Weighting::Rows,
            background: None,
            threshold: ThresholdRule::Score(0.5),
            seed: SEED,
        }));
        shipped.push(classifier(
            &format!("nsl-kdd-classifier-ten-{list}"),
            &format!(
                "Attack classifier (five classes) on the origin system's ten-feature list {list}"
            ),
            50 - index as i32,
            FeatureChoice::named(names),
            nsl_classifier_learner(),
        ));
    }
    shipped.push(classifier(
        "nsl-kdd-classifier-full",
        "Attack classifier on all NSL-KDD features: normal, DoS, Probe, R2L, U2R",
        100,
        FeatureChoice::AllBut(vec!["num_outbound_cmds".to_owned()]),
        nsl_classifier_learner(),
    ));
    shipped.push(classifier(
        "nsl-kdd-classifier-live",
        "Attack classifier (five classes) on the NSL-KDD features of live traffic",
        90,
        FeatureChoice::named(&NSL_LIVE),
        nsl_classifier_learner(),
    ));
    shipped.push(Shipped::Classifier(ClassifierRecipe {
        name: "nsl-kdd-namer-full".to_owned(),
        description: "Names the attack inside its class, from all NSL-KDD features".to_owned(),
        priority: 100,
        made_for: MadeFor::Rows,
        features: FeatureChoice::AllBut(vec!["num_outbound_cmds".to_owned()]),
        categories: CategoryEncoding::Native,
        learner: namer_learner(),
        weighting: Weighting::SquareRoot,
        names_attacks: true,
        seed: SEED,
    }));
    shipped
}

/// The models for `cicflow`.
pub fn cicflow() -> Vec<Shipped> {
    let all = || {
        FeatureChoice::AllBut(
            CICFLOW_UNTRAINED
                .iter()
                .map(|name| (*name).to_owned())
                .collect(),
        )
    };
    let mut shipped = vec![
        detector(
            "cicflow-detector-full",
            "Threat detector on the features of the corrected CICFlowMeter, without addresses, ports or time",
            100,
            all(),
        ),
        detector(
            "cicflow-detector-origin-columns",
            "Threat detector on the columns of the origin system's attack files, less the port",
            50,
            FeatureChoice::named(&ORIGIN_ATTACK),
        ),
        classifier(
            "cicflow-classifier-full",
            "Attack classifier on the features of the corrected CICFlowMeter, without addresses, ports or time",
            100,
            all(),
            cicflow_classifier_learner(),
        ),
        classifier(
            "cicflow-classifier-origin-columns",
            "Attack classifier on the columns of the origin system's attack files, less the port",
            50,
            FeatureChoice::named(&ORIGIN_ATTACK),
            cicflow_classifier_learner(),
        ),
    ];
    shipped.push(Shipped::Classifier(ClassifierRecipe {
        name: "cicflow-classifier-origin-tree".to_owned(),
        description:
            "The origin system's own recipe: one decision tree by entropy, depth 12, after \
                      a correlation filter; kept for comparison"
                .to_owned(),
        priority: 10,
        made_for: MadeFor::Rows,
        features: FeatureChoice::Uncorrelated {
            from: Box::new(all()),
            limit: 0.95,
        },
        categories: CategoryEncoding::Index,
        learner: Learner::Forest(ForestParams::decision_tree(
            TreeParams {
                criterion: Criterion::Entropy,
                max_depth: Some(12),
                ..TreeParams::default()
            },
            SEED,
        )),
        weighting: Weighting::Rows,
        names_attacks: false,
        seed: SEED,
    }));
    shipped
}

fn detector(name: &str, description: &str, priority: i32, features: FeatureChoice) -> Shipped {
    Shipped::Detector(DetectorRecipe {
        name: name.to_owned(),
        description: description.to_owned(),
        priority,
        made_for: MadeFor::Rows,
        features,
        categories: CategoryEncoding::Native,
        learner: Learner::Gbdt(GbdtParams {
            rounds: 60,
            learning_rate: 0.2,
            max_leaves: 31,
            min_rows_in_leaf: 20,
            seed: SEED,
            ..GbdtParams::default()
        }),
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
        seed: SEED,
    })
}

fn classifier(
    name: &str,
    description: &str,
    priority: i32,
    features: FeatureChoice,
    learner: Learner,
) -> Shipped {
    Shipped::Classifier(ClassifierRecipe {
        name: name.to_owned(),
        description: description.to_owned(),
        priority,
        made_for: MadeFor::Rows,
        features,
        categories: CategoryEncoding::Native,
        learner,
        weighting: Weighting::SquareRoot,
        names_attacks: false,
        seed: SEED,
    })
}

fn origin_forest() -> Learner {
    let mut params = ForestParams::random_forest(100, SEED);
    params.tree.max_depth = Some(15);
    Learner::Forest(params)
}

fn nsl_classifier_learner() -> Learner {
    Learner::Gbdt(GbdtParams {
        rounds: 60,
        learning_rate: 0.1,
        max_leaves: 24,
        min_rows_in_leaf: 5,
        l2: 1.0,
        feature_fraction: 0.7,
        seed: SEED,
        ..GbdtParams::default()
    })
}

fn cicflow_classifier_learner() -> Learner {
    Learner::Gbdt(GbdtParams {
        rounds: 60,
        learning_rate: 0.12,
        max_leaves: 24,
        min_rows_in_leaf: 3,
        l2: 1.0,
        feature_fraction: 0.5,
        seed: SEED,
        ..GbdtParams::default()
    })
}

fn namer_learner() -> Learner {
    let mut params = ForestParams::extra_trees(30, SEED);
    params.tree.max_depth = Some(12);
    params.tree.max_features = MaxFeatures::Fraction(0.5);
    params.tree.min_samples_leaf = 2;
    Learner::Forest(params)
}
