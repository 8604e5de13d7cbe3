//! What labels show: changes of the errors, and whether intervals hold.

use tripline_forest::SplitMix64;
use tripline_lifecycle::{
    drift::Adwin,
    performance::{Measured, Rolling},
};

use crate::{
    laboratory::{Laboratory, SEED, is_attack},
    scenarios::{Change, without_replacement},
};

/// As the program has it.
const CHANGE_ALPHA: f64 = 0.002;
const RUNS: u64 = 100;
const BEFORE: usize = 5000;
const AFTER: usize = 5000;

pub(crate) fn print(laboratory: &Laboratory) {
    println!(
        "\n## Concept drift, where labels come in\n\n\
         Where the truth changes and no value does, no look at values can see it: the drift report and the\n\
         estimate above do not. Labels can. ADWIN (`delta` {CHANGE_ALPHA}) watches the errors on {BEFORE} labelled rows as\n\
         they are and then {AFTER} of the changed concept, {RUNS} runs. *Early*: runs with an alarm before the change.\n\n\
         | change | error before | after | early | found | rows until found, median (quartiles) |\n\
         | --- | ---: | ---: | ---: | ---: | ---: |"
    );
    for change in [
        Change::Nothing,
        Change::NormalIsAttack(0.01),
        Change::NormalIsAttack(0.02),
        Change::NormalIsAttack(0.1),
        Change::Harmless("ipsweep"),
        Change::Harmless("neptune"),
    ] {
        concept(laboratory, change);
    }
    intervals(laboratory);
}

fn concept(laboratory: &Laboratory, change: Change) {
    let (mut early, mut delays) = (0, Vec::new());
    let (mut errors_before, mut errors_after) = (0, 0);
    for run in 0..RUNS {
        let mut random = SplitMix64::for_part(SEED, run);
        let before = Change::Nothing.window(laboratory, &mut random, BEFORE);
        let after = change.window(laboratory, &mut random, AFTER);
        let mut adwin = Adwin::new(CHANGE_ALPHA);
        let (mut is_early, mut found) = (false, None);
        for (rows, is_after) in [(before, false), (after, true)] {
            for (row, (_, is_threat)) in laboratory.judge.say(&rows).iter().enumerate() {
                let is_wrong = *is_threat != is_attack(rows.label(row));
                let has_changed = adwin.observe(f64::from(u8::from(is_wrong)));
                if is_after {
                    errors_after += u32::from(is_wrong);
                    found = found.or(has_changed.then_some(row + 1));
                } else {
                    errors_before += u32::from(is_wrong);
                    is_early |= has_changed;
                }
            }
        }
        early += u32::from(is_early);
        delays.extend(found);
    }
    delays.sort_unstable();
    let at = |share: f64| delays[((delays.len() - 1) as f64 * share).round() as usize];
    println!(
        "| {} | {:.2} % | {:.2} % | {early} | {} | {} |",
        change.name(),
        100.0 * f64::from(errors_before) / (RUNS as f64 * BEFORE as f64),
        100.0 * f64::from(errors_after) / (RUNS as f64 * AFTER as f64),
        delays.len(),
        if delays.is_empty() {
            "–".to_owned()
        } else {
            format!("{} ({} to {})", at(0.5), at(0.25), at(0.75))
        },
    );
}

/// Whether the intervals of what is measured hold the figure of the whole field.
fn intervals(laboratory: &Laboratory) {
    const DRAWS: usize = 500;
    println!(
        "\n## Intervals of what labels measure\n\n\
         A noisier field, on which the model errs more often: noise of 0.1 s.d. on 10 features. The figures of\n\
         {DRAWS} draws of so many of its rows, beside the figure of the whole field; how often the 95 % interval\n\
         holds it.\n\n\
         | labelled rows | precision | recall | F1 | ROC AUC |\n| ---: | ---: | ---: | ---: | ---: |"
    );
    let mut random = SplitMix64::new(SEED);
    let change = Change::Noise {
        deviations: 0.1,
        features: 10,
    };
    let field = change.window(laboratory, &mut random, laboratory.field.len());
    let said = laboratory.judge.say(&field);
    let truth: Vec<bool> = (0..field.len())
        .map(|row| is_attack(field.label(row)))
        .collect();
    let counted = |rows: &[usize]| {
        let mut rolling = Rolling::default();
        for row in rows {
            rolling.observe(said[*row].0, said[*row].1, truth[*row], 0);
        }
        rolling.measure()
    };
    let all: Vec<tripline_forest::calibration::Outcome> = said
        .iter()
        .zip(&truth)
        .map(
            |((score, _), positive)| tripline_forest::calibration::Outcome {
                score: *score,
                positive: *positive,
                weight: 1.0,
            },
        )
        .collect();
    let whole = Figures::of(&said, &truth, tripline_forest::metrics::roc_auc(&all));
    for rows in [100, 500, 2000] {
        let mut held = [0_u32; 4];
        for _ in 0..DRAWS {
            let measured = counted(&without_replacement(field.len(), &mut random, rows));
            for (held, is_held) in held.iter_mut().zip(whole.held_by(&measured)) {
                *held += u32::from(is_held);
            }
        }
        let shares = held.map(|held| 100.0 * f64::from(held) / DRAWS as f64);
        println!(
            "| {rows} | {:.1} % | {:.1} % | {:.1} % | {:.1} % |",
            shares[0], shares[1], shares[2], shares[3]
        );
    }
    println!(
        "\nThe field itself: precision {:.4}, recall {:.4}, F1 {:.4}, ROC AUC {:.4}. So close to 1 a Wilson\n\
         interval of recall leaves it out when a single attack is missed, and the interval of the area\n\
         is short where a hundred rows hold few errors.",
        whole.0[0], whole.0[1], whole.0[2], whole.0[3]
    );
}

/// Precision, recall, F1, area under the ROC curve.
struct Figures([f64; 4]);

impl Figures {
    fn of(said: &[(f64, bool)], truth: &[bool], roc_auc: f64) -> Self {
        let count = |threat: bool, attack: bool| {
            let rows = said.iter().zip(truth);
            rows.filter(|((_, is_threat), is_attack)| *is_threat == threat && **is_attack == attack)
                .count() as f64
        };
        let (hits, false_alarms, missed) =
            (count(true, true), count(true, false), count(false, true));
        Self([
            hits / (hits + false_alarms),
            hits / (hits + missed),
            2.0 * hits / (2.0 * hits + false_alarms + missed),
            roc_auc,
        ])
    }

    fn held_by(&self, measured: &Measured) -> [bool; 4] {
        let intervals = [
            measured.precision_interval,
            measured.recall_interval,
            measured.f1_interval,
            measured.roc_auc_interval,
        ];
        let mut held = [false; 4];
        for ((held, interval), figure) in held.iter_mut().zip(intervals).zip(self.0) {
            *held = interval.is_some_and(|(low, high)| low <= figure && figure <= high);
        }
        held
    }
}
