//! Scenarios: what the drift report says of them, and how far the estimate is from the truth.

use tripline_forest::SplitMix64;
use tripline_lifecycle::{
    LabelledRows,
    performance::{EstimatePolicy, Estimated},
};

use crate::{
    laboratory::{Judge, Laboratory, SEED, Seen, names_all},
    scenarios::{Change, SPREAD, all},
};

/// Attack types that a model of their own is trained without.
const NOVEL: [&str; 6] = [
    "neptune",
    "satan",
    "ipsweep",
    "smurf",
    "back",
    "warezclient",
];
/// Windows of a scenario.
const WINDOWS: usize = 20;
/// Rows of a window, as the rules have it.
pub(crate) const ROWS: usize = 5000;
/// How far an estimate of F1 may be from the truth.
const TOLERANCE: f64 = 0.03;

/// A scenario with its windows.
pub(crate) struct Looked {
    name: String,
    /// The features changed on purpose.
    features: Vec<&'static str>,
    pub(crate) seen: Vec<Seen>,
    /// Whether only training rows are in it: those choose the limits.
    is_training: bool,
}

/// Estimates within the tolerance, outside of it, and not given.
#[derive(Default, Clone, Copy)]
struct Tally {
    right: usize,
    wrong: usize,
    unknown: usize,
}

impl Tally {
    fn of(seen: &[Seen], policy: &EstimatePolicy) -> Self {
        let mut tally = Self::default();
        for seen in seen {
            match seen.error(policy) {
                None => tally.unknown += 1,
                Some(error) if error.abs() <= TOLERANCE => tally.right += 1,
                Some(_) => tally.wrong += 1,
            }
        }
        tally
    }

    fn add(&mut self, other: Self) {
        self.right += other.right;
        self.wrong += other.wrong;
        self.unknown += other.unknown;
    }
}

pub(crate) fn look(laboratory: &Laboratory) -> Vec<Looked> {
    let others: Vec<(&str, Judge)> = NOVEL
        .iter()
        .map(|label| (*label, laboratory.judge_without(label)))
        .collect();
    let judge_of = |change: Change| match change {
        Change::Novel { label, .. } => others
            .iter()
            .find(|(other, _)| *other == label)
            .map_or(&laboratory.judge, |(_, judge)| judge),
        _ => &laboratory.judge,
    };
    all(&NOVEL)
        .into_iter()
        .enumerate()
        .map(|(index, change)| {
            let mut random = SplitMix64::for_part(SEED, index as u64);
            let judge = judge_of(change);
            Looked {
                name: change.name(),
                features: change.features(),
                seen: (0..WINDOWS)
                    .map(|_| judge.look(&change.window(laboratory, &mut random, ROWS)))
                    .collect(),
                is_training: true,
            }
        })
        .collect()
}

/// The sealed test set, in windows of the order of the file.
pub(crate) fn look_at_test(laboratory: &Laboratory, test: &LabelledRows) -> Looked {
    let windows = (0..test.len() / ROWS).map(|at| {
        let rows: Vec<usize> = (at * ROWS..(at + 1) * ROWS).collect();
        laboratory.judge.look(&test.select(&rows))
    });
    Looked {
        name: "KDDTest+".to_owned(),
        features: Vec::new(),
        seen: windows.collect(),
        is_training: false,
    }
}

pub(crate) fn print_drift(looked: &[Looked]) {
    println!(
        "## Known shifts\n\n\
         {WINDOWS} windows of {ROWS} rows each, drawn from rows that the model was not trained on. *Found*: windows\n\
         called drifted. *Named*: windows that name all features that were changed. *Others*: how many other\n\
         columns are named, on average; the model's `score` counts among them, and where attacks become\n\
         more, fewer or others, every feature may. *Not named*: of those changed, in the first window; their\n\
         PSI is below the limit, since most of their rows cannot rise. Changed are the first of {}, in this order.\n\n\
         | change | found | named | others | most changed | not named |\n| --- | ---: | ---: | ---: | --- | --- |",
        listed(SPREAD.iter()),
    );
    for looked in looked {
        let count = looked.seen.len();
        let found = looked
            .seen
            .iter()
            .filter(|seen| seen.drift.has_drifted)
            .count();
        let named = looked
            .seen
            .iter()
            .filter(|seen| names_all(&seen.drift, &looked.features))
            .count();
        let others: usize = looked
            .seen
            .iter()
            .flat_map(|seen| &seen.drift.drifted)
            .filter(|name| !looked.features.contains(&name.as_str()))
            .count();
        let first: &[String] = looked.seen.first().map_or(&[], |seen| &seen.drift.drifted);
        let not_named = looked
            .features
            .iter()
            .filter(|feature| !first.iter().any(|name| name == *feature));
        println!(
            "| {} | {found}/{count} | {} | {:.1} | {} | {} |",
            looked.name,
            if looked.features.is_empty() {
                "–".to_owned()
            } else {
                format!("{named}/{count}")
            },
            others as f64 / count as f64,
            listed(first.iter().take(3)),
            listed(not_named),
        );
    }
}

pub(crate) fn print(looked: &[Looked]) {
    let policy = EstimatePolicy::default();
    println!(
        "## Estimates without labels\n\n\
         The same windows. *True F1* needs the labels, the estimate does not see them. *Within*: windows whose\n\
         estimate is at most {:.0} points from the truth; *outside*: the others; *unknown*: windows of which\n\
         nothing is said. *Worst*: the largest error, estimate less truth.\n\n\
         | change | true F1 | estimate | within | outside | unknown | worst |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        100.0 * TOLERANCE
    );
    let (mut sum, mut good, mut covered) = (Tally::default(), 0, (0, 0));
    for looked in looked {
        let tally = Tally::of(&looked.seen, &policy);
        sum.add(tally);
        good += usize::from(tally.wrong == 0);
        let truths = looked.seen.iter().filter_map(|seen| seen.measured.f1);
        let errors: Vec<f64> = looked
            .seen
            .iter()
            .filter_map(|seen| seen.error(&policy))
            .collect();
        let count = looked.seen.len() as f64;
        let truth = truths.sum::<f64>() / count;
        for seen in &looked.seen {
            if let Some(is_inside) = interval_covers(seen, &policy) {
                covered.0 += usize::from(is_inside);
                covered.1 += 1;
            }
        }
        let known: f64 = looked
            .seen
            .iter()
            .filter_map(|seen| Some(seen.error(&policy)? + seen.measured.f1?))
            .sum();
        let worst = errors
            .iter()
            .copied()
            .max_by(|one, other| one.abs().total_cmp(&other.abs()));
        println!(
            "| {} | {truth:.3} | {} | {} | {} | {} | {} |",
            looked.name,
            if errors.is_empty() {
                "unknown".to_owned()
            } else {
                format!("{:.3}", known / errors.len() as f64)
            },
            tally.right,
            tally.wrong,
            tally.unknown,
            worst.map_or_else(|| "–".to_owned(), |worst| format!("{worst:+.3}")),
        );
    }
    let windows = sum.right + sum.wrong + sum.unknown;
    println!(
        "\nOf {windows} windows {:.1} % are within, {:.1} % unknown, {:.1} % outside; of {} scenarios {} ({:.1} %) have no\n\
         window outside. The estimate's own interval, which says what chance alone does, holds the truth in\n\
         {} of {} windows: probabilities are calibrated for a world in which a tenth of the attacks and of\n\
         the normal traffic is of a kind that training did not have, so that on traffic without anything new\n\
         the estimate is about two points too low.",
        100.0 * sum.right as f64 / windows as f64,
        100.0 * sum.unknown as f64 / windows as f64,
        100.0 * sum.wrong as f64 / windows as f64,
        looked.len(),
        good,
        100.0 * good as f64 / looked.len() as f64,
        covered.0,
        covered.1,
    );
}

/// Names in the way of a document.
pub(crate) fn listed<T: std::fmt::Display>(names: impl Iterator<Item = T>) -> String {
    let quoted: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

fn interval_covers(seen: &Seen, policy: &EstimatePolicy) -> Option<bool> {
    match seen.estimate.estimate(&seen.drift, policy) {
        Estimated::Known { f1_interval, .. } => {
            let truth = seen.measured.f1?;
            Some(f1_interval.0 <= truth && truth <= f1_interval.1)
        }
        Estimated::Unknown { .. } => None,
    }
}

/// What other limits would have said.
pub(crate) fn print_limits(looked: &[Looked]) {
    println!(
        "\n## Limits of the estimate\n\n\
         The scenarios of KDDTrain+ under other limits; KDDTest+ has no part in it. The rules' are those from\n\
         which on tighter ones withhold more than they spare.\n\n\
         | `max_psi` | `max_mean_psi` | `max_doubt` | within | unknown | outside | scenarios with none outside |\n\
         | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    );
    let training: Vec<&Looked> = looked.iter().filter(|looked| looked.is_training).collect();
    let usual = EstimatePolicy::default();
    let never = (f64::INFINITY, f64::INFINITY, f64::INFINITY);
    for (max_psi, max_mean_psi, max_doubt) in [
        never,
        (2.0, 0.5, 1.0),
        (1.0, 0.25, 0.5),
        (0.5, 0.1, 0.25),
        (0.25, 0.1, 0.25),
        (0.25, 0.1, 0.2),
        (0.1, 0.1, 0.2),
        (0.1, 0.1, 0.1),
    ] {
        let policy = EstimatePolicy {
            max_psi,
            max_mean_psi,
            max_doubt,
            ..usual
        };
        let mut sum = Tally::default();
        let mut good = 0;
        for looked in &training {
            let tally = Tally::of(&looked.seen, &policy);
            sum.add(tally);
            good += usize::from(tally.wrong == 0);
        }
        let windows = (sum.right + sum.wrong + sum.unknown) as f64;
        let is_usual = policy == usual;
        println!(
            "| {max_psi} | {max_mean_psi} | {max_doubt}{} | {:.1} % | {:.1} % | {:.1} % | {good} of {} |",
            if is_usual { " (the rules)" } else { "" },
            100.0 * sum.right as f64 / windows,
            100.0 * sum.unknown as f64 / windows,
            100.0 * sum.wrong as f64 / windows,
            training.len(),
        );
    }
}
