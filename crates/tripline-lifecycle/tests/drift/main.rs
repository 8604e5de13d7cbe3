//! What windows of generated traffic are said to be, and what is said of a model without labels.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::float_cmp,
    reason = "tests"
)]

mod estimates;
mod traffic;

use traffic::{
    DEVIATION, FEATURES, LABORATORY, SERVICES, changed, column, is_attack, report, said, traffic,
    window,
};
use tripline_forest::SplitMix64;
use tripline_lifecycle::{
    LabelledRows,
    drift::{Adwin, ColumnDrift, DriftPolicy, DriftReport, Verdict, Window},
};

fn of<'a>(report: &'a DriftReport, feature: &str) -> &'a ColumnDrift {
    let mut columns = report.columns.iter();
    columns.find(|column| column.feature == feature).unwrap()
}

/// Every figure of a report is a number.
fn check_figures(report: &DriftReport) {
    for column in report.columns.iter().chain(&report.score) {
        let figures = [
            column.psi,
            column.psi_beyond_chance,
            column.statistic,
            column.adjusted_p,
            Some(column.missing.0),
            Some(column.missing.1),
            Some(column.unseen),
        ];
        for figure in figures.into_iter().flatten() {
            assert!(figure.is_finite(), "{column:?}");
        }
        let p = column.adjusted_p.unwrap_or(0.0);
        assert!((0.0..=1.0).contains(&p), "{column:?}");
    }
    assert!(report.effective_rows.is_finite());
}

#[test]
fn the_same_distribution_raises_at_most_one_alarm_in_a_hundred() {
    let alarms: Vec<Vec<String>> = (0..200)
        .map(|seed| report(&traffic(1000 + seed, 1000, 0.4)))
        .filter(|report| report.has_drifted)
        .map(|report| report.drifted)
        .collect();
    assert!(alarms.len() <= 2, "{alarms:?}");
}

#[test]
fn a_burst_is_not_as_much_evidence_as_it_has_rows() {
    let alarms = (0..50).filter(|seed| {
        let rows = traffic(2000 + seed, 5000, 0.4);
        let of_kind: [Vec<usize>; 2] = [false, true].map(|kind| {
            (0..5000)
                .filter(|row| is_attack(&rows, *row) == kind)
                .collect()
        });
        let mut random = SplitMix64::new(*seed);
        let mut ordered = Vec::new();
        while ordered.len() < 5000 {
            let kind = &of_kind[usize::from(random.unit() < 0.4)];
            ordered.extend((0..100).map(|_| kind[random.below(kind.len())]));
        }
        let report = report(&rows.select(&ordered));
        assert!(of(&report, "duration").psi.is_some());
        report.has_drifted
    });
    assert!(alarms.count() <= 2);
}

#[test]
fn a_shift_of_half_a_deviation_is_found_and_named_and_nothing_else_is() {
    let src_bytes = column("src_bytes");
    for seed in 0..20 {
        let shifted = |deviations: f64| {
            report(&changed(3000 + seed, 1000, 0.4, |values, _| {
                values[src_bytes] += (deviations * DEVIATION).round();
            }))
        };
        for deviations in [0.5, -0.5] {
            let report = shifted(deviations);
            assert_eq!(report.drifted, ["src_bytes"], "{deviations}");
            assert_eq!(of(&report, "src_bytes").verdict, Verdict::Drifted);
        }
        // A PSI of 0.01: there, but too small to matter.
        assert!(!shifted(0.1).has_drifted);
    }
}

#[test]
fn a_shift_of_what_tells_attacks_is_seen_in_the_probabilities_too() {
    let more = report(&traffic(4000, 2000, 0.8));
    let score = more.score.clone().unwrap();
    assert_eq!(score.verdict, Verdict::Drifted);
    for name in ["score", "duration"] {
        assert!(
            more.drifted.iter().any(|drifted| drifted == name),
            "{more:?}"
        );
    }
    assert_eq!(of(&more, "service").verdict, Verdict::Stable);
}

#[test]
fn categories_that_training_did_not_have_are_told() {
    let service = column("service");
    let rows = changed(5000, 2000, 0.4, |values, random| {
        if random.unit() < 0.03 {
            values[service] = (SERVICES + 3) as f64;
        }
    });
    let report = report(&rows);
    let found = of(&report, "service");
    assert_eq!(found.verdict, Verdict::Unseen);
    assert!((0.015..0.045).contains(&found.unseen), "{found:?}");
    assert_eq!(report.drifted, ["service"]);
}

#[test]
fn a_growing_share_of_missing_values_is_told() {
    let column_of = column("same_srv_rate");
    let rows = changed(6000, 2000, 0.4, |values, random| {
        if random.unit() < 0.1 {
            values[column_of] = f64::NAN;
        }
    });
    let report = report(&rows);
    let found = of(&report, "same_srv_rate");
    assert_eq!(found.verdict, Verdict::Missing);
    assert!((found.missing.1 - 0.1).abs() < 0.03 && found.missing.0 == 0.0);
    assert_eq!(report.drifted, ["same_srv_rate"]);
}

#[test]
fn constant_and_empty_columns_have_defined_results() {
    let usual = report(&traffic(7000, 1000, 0.4));
    check_figures(&usual);
    assert_eq!(of(&usual, "land").verdict, Verdict::Stable);
    assert_eq!(of(&usual, "land").psi, Some(0.0));
    assert_eq!(of(&usual, "hot").verdict, Verdict::Empty);
    assert_eq!(of(&usual, "hot").psi, None);

    let (land, hot, src_bytes) = (column("land"), column("hot"), column("src_bytes"));
    let turned = report(&changed(7001, 1000, 0.4, |values, _| {
        values[land] = 1.0;
        values[hot] = 3.0;
        values[src_bytes] = f64::NAN;
    }));
    check_figures(&turned);
    assert_eq!(of(&turned, "land").verdict, Verdict::Drifted);
    // A column that was empty and is not any more, and the other way round.
    assert_eq!(of(&turned, "hot").verdict, Verdict::Missing);
    assert_eq!(of(&turned, "src_bytes").verdict, Verdict::Missing);
}

#[test]
fn no_traffic_and_little_traffic_say_nothing() {
    let baseline = &LABORATORY.baseline;
    let none = Window::new(baseline).report(baseline, &DriftPolicy::default());
    check_figures(&none);
    assert_eq!(none.silent.as_deref(), Some("no traffic"));
    assert!(!none.has_drifted && none.rows == 0);

    let src_bytes = column("src_bytes");
    let few = report(&changed(8000, 499, 0.4, |values, _| {
        values[src_bytes] = 0.0;
    }));
    check_figures(&few);
    assert_eq!(few.silent.as_deref(), Some("499 rows are fewer than 500"));
    assert!(!few.has_drifted);
    assert!(
        few.columns
            .iter()
            .all(|column| column.verdict == Verdict::TooFew)
    );
}

#[test]
fn the_state_does_not_grow_with_the_traffic() {
    let baseline = &LABORATORY.baseline;
    let mut window = Window::new(baseline);
    let rows = traffic(9000, 1000, 0.4);
    let size = |window: &Window| serde_json::to_string(window).unwrap().len();
    let mut sizes = Vec::new();
    for turn in 0..200 {
        for row in 0..rows.len() {
            // Values that were never there before must not cost memory either.
            let mut values = rows.row(row).to_vec();
            values[column("src_bytes")] += f64::from(turn * 1000);
            window.observe(baseline, &values, Some(0.5), i64::from(turn));
        }
        if turn == 0 || turn == 199 {
            sizes.push(size(&window));
        }
    }
    assert_eq!(window.rows(), 200_000);
    // Numbers have more digits, and that is all.
    assert!(sizes[1] < 2 * sizes[0] && sizes[1] < 32 << 10, "{sizes:?}");
}

#[test]
fn the_order_inside_a_block_does_not_matter() {
    let rows = traffic(10_000, 1000, 0.4);
    let mut order: Vec<usize> = (0..rows.len()).collect();
    for block in order.chunks_mut(100) {
        block.reverse();
    }
    assert_eq!(report(&rows), report(&rows.select(&order)));
}

#[test]
fn a_state_goes_on_after_its_json_and_belongs_to_one_model() {
    let baseline = &LABORATORY.baseline;
    let half = window(&traffic(11_000, 750, 0.4));
    let text = serde_json::to_string(&half).unwrap();
    let mut again: Window = serde_json::from_str(&text).unwrap();
    assert_eq!(again, half);
    again.check(baseline).unwrap();
    again.observe(baseline, traffic(1, 1, 0.4).row(0), Some(0.1), 1);
    assert_eq!(again.rows(), 751);

    let mut foreign: serde_json::Value = serde_json::from_str(&text).unwrap();
    foreign["columns"].as_array_mut().unwrap().pop();
    let foreign: Window = serde_json::from_value(foreign).unwrap();
    assert!(foreign.check(baseline).is_err());
}

#[test]
fn hostile_rows_are_harmless() {
    let baseline = &LABORATORY.baseline;
    let mut window = Window::new(baseline);
    let width = tripline_features::nsl_kdd().len();
    for turn in 0..1000 {
        let value = [f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300, f64::NAN][turn % 5];
        let length = if turn % 7 == 0 { 0 } else { width };
        let micros = [i64::MIN, i64::MAX][turn % 2];
        window.observe(baseline, &vec![value; length], Some(value), micros);
    }
    let report = window.report(baseline, &DriftPolicy::default());
    check_figures(&report);
    assert!(report.has_drifted);
    assert!(
        FEATURES
            .iter()
            .all(|feature| of(&report, feature).missing.1 > 0.0)
    );
}

/// Errors of the model on labelled rows, of which a part is turned round from some row on.
fn observe_errors(adwin: &mut Adwin, rows: &LabelledRows, turned: f64, seed: u64) -> Option<usize> {
    let mut random = SplitMix64::new(seed);
    let mut found = None;
    for (row, (_, is_threat)) in said(rows).into_iter().enumerate() {
        let truth = is_attack(rows, row) != (random.unit() < turned);
        let has_changed = adwin.observe(f64::from(u8::from(is_threat != truth)));
        found = found.or(has_changed.then_some(row));
    }
    found
}

#[test]
fn a_change_of_the_concept_is_seen_in_labelled_errors_and_nowhere_else() {
    for seed in 0..5 {
        let (before, after) = (
            traffic(12_000 + seed, 2000, 0.4),
            traffic(13_000 + seed, 2000, 0.4),
        );
        let mut adwin = Adwin::new(0.002);
        assert_eq!(observe_errors(&mut adwin, &before, 0.0, seed), None);
        let found = observe_errors(&mut adwin, &after, 0.2, seed);
        assert!(found.is_some_and(|row| row < 800), "{found:?}");
        assert!(!report(&after).has_drifted, "no value has changed");
    }
}
