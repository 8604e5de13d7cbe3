//! The models for flows that Tripline measures from packets, and for flows that other sensors
//! recorded. They are trained on the public data and on generated traffic: the public flows come from
//! one laboratory, and what they call ordinary is the traffic of its few hosts.

use tripline_detect::MadeFor;
use tripline_features::live::records;

use super::{
    CICFLOW_UNTRAINED, NSL_LIVE, Shipped, cicflow_classifier_learner, classifier, detector,
    nsl_classifier_learner,
};
use crate::recipe::{FeatureChoice, ThresholdRule, Weighting};

/// Columns of `cicflow` that tell which systems talk and where the sensor stands rather than what
/// happens: initial windows, lengths of headers with their options, and the time of a connection
/// whose beginning may not have been seen.
const CICFLOW_POSITION: [&str; 6] = [
    "Total Connection Flow Time",
    "FWD Init Win Bytes",
    "Bwd Init Win Bytes",
    "Fwd Seg Size Min",
    "Fwd Header Length",
    "Bwd Header Length",
];

/// How much of the held-out rows is of kinds that were left out of the training. Generated traffic
/// is varied on purpose, so that less of what comes is of a new kind than with the public rows alone.
const NOVEL_SHARE: f64 = 0.1;

/// Alarms are read by people: of held-out ordinary flows at most this share may be called threats.
const MAX_FALSE_POSITIVE_RATE: f64 = 0.01;

/// The models for `nsl-kdd`.
pub fn nsl_kdd_packets() -> Vec<Shipped> {
    vec![
        for_packets(detector(
            "nsl-kdd-detector-packets",
            "Threat detector for connections seen as packets, on the NSL-KDD features that headers show",
            90,
            FeatureChoice::named(&NSL_LIVE),
        )),
        for_packets(classifier(
            "nsl-kdd-classifier-packets",
            "Attack classifier (five classes) for connections seen as packets",
            90,
            FeatureChoice::named(&NSL_LIVE),
            nsl_classifier_learner(),
        )),
        on_records("nsl-kdd", "conn", "Zeek", &records::NSL_CONN),
        on_records("nsl-kdd", "eve", "Suricata", &records::NSL_EVE),
    ]
}

/// The models for `cicflow`.
pub fn cicflow_packets() -> Vec<Shipped> {
    let without = CICFLOW_UNTRAINED.iter().chain(&CICFLOW_POSITION);
    let features = FeatureChoice::AllBut(without.map(|name| (*name).to_owned()).collect());
    vec![
        for_packets(detector(
            "cicflow-detector-packets",
            "Threat detector for flows seen as packets, without what tells systems and sensors apart",
            90,
            features.clone(),
        )),
        for_packets(classifier(
            "cicflow-classifier-packets",
            "Attack classifier for flows seen as packets, without what tells systems and sensors apart",
            90,
            features,
            cicflow_classifier_learner(),
        )),
        on_records("cicflow", "conn", "Zeek", &records::CICFLOW_CONN),
        for_traffic(
            classifier(
                "cicflow-classifier-conn",
                "Attack classifier on what Zeek records of a connection",
                40,
                FeatureChoice::named(&records::CICFLOW_CONN),
                cicflow_classifier_learner(),
            ),
            MadeFor::Rows,
        ),
    ]
}

/// The detector on what a kind of sensor records of both sides of a connection.
fn on_records(schema: &str, list: &str, sensor: &str, features: &[&str]) -> Shipped {
    for_traffic(
        detector(
            &format!("{schema}-detector-{list}"),
            &format!("Threat detector on what {sensor} records of a connection"),
            if list == "conn" { 40 } else { 30 },
            FeatureChoice::named(features),
        ),
        MadeFor::Rows,
    )
}

fn for_packets(shipped: Shipped) -> Shipped {
    for_traffic(shipped, MadeFor::Packets)
}

fn for_traffic(mut shipped: Shipped, made_for: MadeFor) -> Shipped {
    match &mut shipped {
        Shipped::Detector(recipe) => {
            recipe.made_for = made_for;
            recipe.weighting = Weighting::AttackTypes;
            if let ThresholdRule::LeaveOneTypeOut {
                max_false_positive_rate,
                novel_share,
            } = &mut recipe.threshold
            {
                *novel_share = NOVEL_SHARE;
                *max_false_positive_rate = MAX_FALSE_POSITIVE_RATE;
            }
        }
        Shipped::Classifier(recipe) => recipe.made_for = made_for,
    }
    shipped
}
