//! Estimates of quality without labels, and when there is none.

use tripline_lifecycle::performance::{Estimate, EstimatePolicy, Estimated};

use crate::traffic::{DEVIATION, SERVICES, changed, column, estimate, report, traffic, true_f1};

/// Checks that nothing is said, and that the reason has these words.
fn check_unknown(estimated: Estimated, words: &str) {
    match estimated {
        Estimated::Unknown { because } => {
            assert!(
                because.iter().any(|reason| reason.contains(words)),
                "{because:?}"
            );
        }
        known @ Estimated::Known { .. } => panic!("{known:?}"),
    }
}

#[test]
fn on_the_same_traffic_the_estimate_is_close_to_the_truth() {
    for seed in 0..20 {
        let rows = traffic(20_000 + seed, 2000, 0.4);
        let Estimated::Known {
            f1,
            f1_interval,
            rows: counted,
            ..
        } = estimate(&rows)
        else {
            panic!("{:?}", estimate(&rows));
        };
        let truth = true_f1(&rows);
        assert!(truth < 0.97, "a model that errs: {truth}");
        assert!((f1 - truth).abs() < 0.03, "{f1} {truth}");
        assert!(f1_interval.0 < f1 && f1 < f1_interval.1);
        assert_eq!(counted, 2000);
    }
}

#[test]
fn values_far_from_training_make_it_unknown() {
    let src_bytes = column("src_bytes");
    let rows = changed(21_000, 2000, 0.4, |values, _| {
        values[src_bytes] += 2.0 * DEVIATION;
    });
    check_unknown(
        estimate(&rows),
        "'src_bytes' is far from what the model was calibrated on",
    );
}

#[test]
fn new_categories_make_it_unknown() {
    let service = column("service");
    let rows = changed(22_000, 2000, 0.4, |values, random| {
        if random.unit() < 0.05 {
            values[service] = (SERVICES + 1) as f64;
        }
    });
    check_unknown(estimate(&rows), "'service' that training did not have");
}

#[test]
fn missing_values_make_it_unknown() {
    let duration = column("duration");
    let rows = changed(23_000, 2000, 0.4, |values, random| {
        if random.unit() < 0.1 {
            values[duration] = f64::NAN;
        }
    });
    check_unknown(estimate(&rows), "'duration' is missing more or less often");
}

#[test]
fn probabilities_of_another_distribution_make_it_unknown() {
    check_unknown(
        estimate(&traffic(24_000, 2000, 0.9)),
        "the probabilities are distributed otherwise than in training",
    );
}

#[test]
fn few_rows_and_few_threats_make_it_unknown() {
    check_unknown(
        estimate(&traffic(25_000, 300, 0.4)),
        "300 rows are fewer than 500",
    );
    let mut quiet = Estimate::default();
    (0..600).for_each(|_| quiet.observe(0.01, false));
    let drift = report(&traffic(26_000, 600, 0.4));
    check_unknown(
        quiet.estimate(&drift, &EstimatePolicy::default()),
        "0 rows called a threat and 6 attacks expected, fewer than 20",
    );
    check_unknown(
        estimate(&traffic(27_000, 0, 0.4)),
        "0 rows are fewer than 500",
    );
}

/// What no look at values can see is not claimed to be seen: labels are needed (`Adwin`, `Rolling`).
#[test]
fn a_change_of_the_concept_alone_is_not_seen() {
    let rows = traffic(28_000, 2000, 0.4);
    let estimated = estimate(&rows);
    // The truth is turned round for every fifth row; what the model sees stays the same.
    assert!(
        matches!(estimated, Estimated::Known { f1, .. } if f1 > 0.85),
        "{estimated:?}"
    );
}
