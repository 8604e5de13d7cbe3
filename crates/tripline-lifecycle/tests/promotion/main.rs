//! Candidates in simulated traffic, and states that come and go as JSON.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod simulation;

use simulation::{Outcome, World, better_by, f1, impatient, run, usual};
use tripline_lifecycle::promotion::{Comparison, Decision, Judged, Place, Policy, Said, decide};

/// The same rates, looked at after each of some 5,000 labels.
#[test]
fn without_a_difference_hardly_any_run_ends_in_a_promotion() {
    const RUNS: u64 = 1000;
    let world = World {
        flows: 50_000,
        labelled: 0.1,
        ..usual()
    };
    let policy = impatient();
    let promoted = (0..RUNS)
        .filter(|seed| matches!(run(&world, &policy, 0.0, *seed), Outcome::Promoted { .. }))
        .count();
    assert!(promoted <= 50, "{promoted} of {RUNS}");
}

#[test]
fn a_model_five_points_worse_is_given_up_before_it_saw_two_percent() {
    let base = usual();
    let world = World {
        candidate: better_by(base.attacks, base.champion, -0.05),
        ..base
    };
    for share in [0.0, 0.01] {
        for seed in 0..12 {
            let outcome = run(&world, &impatient(), share, seed);
            let Outcome::GivenUp { judged, .. } = outcome else {
                panic!("{outcome:?}")
            };
            assert!(judged < 0.02, "{judged}");
        }
    }
}

#[test]
fn a_model_two_points_better_is_promoted() {
    let base = usual();
    let world = World {
        labelled: 0.1,
        candidate: better_by(base.attacks, base.champion, 0.02),
        ..base
    };
    assert!(
        (f1(world.attacks, world.candidate) - f1(world.attacks, world.champion) - 0.02).abs()
            < 1e-9
    );
    for seed in 0..8 {
        let outcome = run(&world, &impatient(), 0.0, seed);
        assert!(matches!(outcome, Outcome::Promoted { .. }), "{outcome:?}");
    }
}

fn said(probability: f64) -> Said {
    Said {
        probability,
        is_threat: probability >= 0.5,
        class: Some(u32::from(probability >= 0.5)),
    }
}

#[test]
fn a_state_goes_on_after_its_json_as_if_nothing_had_been() {
    let policy = Policy::default();
    let mut through = Comparison::default();
    let mut interrupted = Comparison::default();
    for row in 0..500_u64 {
        let judged = Judged {
            row: row / 2,
            champion: said((row % 7) as f64 / 7.0),
            candidate: said((row % 5) as f64 / 5.0),
        };
        for state in [&mut through, &mut interrupted] {
            state.observe(&judged, row as i64 * 1000, policy.max_alert_ratio);
            state.time(1000.0 + row as f64, 2000.0, 1);
            if row % 3 == 0 {
                state.label(&judged, row % 2 == 0, policy.margin);
            }
        }
        if row % 50 == 0 {
            let text = serde_json::to_string(&interrupted).unwrap();
            assert!(text.len() < 64 << 10, "{} bytes", text.len());
            interrupted = serde_json::from_str(&text).unwrap();
        }
    }
    assert_eq!(through, interrupted);
    let place = Place {
        share: 0.0,
        since_micros: 0,
        rows_then: 0,
    };
    assert_eq!(
        decide(&through, &policy, place, i64::MAX),
        decide(&interrupted, &policy, place, i64::MAX)
    );
}

#[test]
fn a_state_of_another_version_or_with_unknown_keys_is_refused() {
    let mut value = serde_json::to_value(Comparison::default()).unwrap();
    value["oracle"] = 1.into();
    assert!(serde_json::from_value::<Comparison>(value).is_err());
    assert!(serde_json::from_str::<Policy>(r#"{"oracle":1}"#).is_err());
}

#[test]
fn hostile_numbers_are_harmless() {
    let mut state = Comparison::default();
    for (row, number) in [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        -1e300,
        1e300,
        0.0,
    ]
    .into_iter()
    .enumerate()
    {
        let judged = Judged {
            row: row as u64,
            champion: said(number),
            candidate: said(-number),
        };
        state.observe(&judged, i64::MIN, number);
        state.observe(&judged, i64::MAX, number);
        state.label(&judged, true, number);
        state.time(number, -number, u64::from(u32::MAX));
    }
    let text = serde_json::to_string(&state).unwrap();
    assert!(!text.contains("null,null,null"), "{text}");
    assert_eq!(serde_json::from_str::<Comparison>(&text).unwrap(), state);
    assert!(state.span_micros() >= 0);
    assert!(state.f1_difference().is_none_or(|d| d.value.is_finite()));
}

#[test]
fn a_clock_that_is_set_back_moves_nothing_on() {
    let base = usual();
    let world = World {
        candidate: better_by(base.attacks, base.champion, 0.08),
        labelled: 0.2,
        flows: 60_000,
        ..base
    };
    // Hours of waiting in a world whose whole run is shorter than the wait.
    let policy = Policy {
        min_rows: 0,
        min_micros: i64::MAX,
        ..Policy::default()
    };
    assert_eq!(run(&world, &policy, 0.0, 1), Outcome::Undecided);
    let place = Place {
        share: 0.0,
        since_micros: 1_000,
        rows_then: 0,
    };
    let decision = decide(&Comparison::default(), &impatient(), place, -5);
    assert!(matches!(decision, Decision::Stay { .. }));
}

#[test]
fn twice_the_alerts_end_a_candidate_without_any_label() {
    let policy = Policy::default();
    let mut state = Comparison::default();
    for row in 0..2000_u64 {
        let judged = Judged {
            row,
            champion: said(if row % 20 == 0 { 0.9 } else { 0.1 }),
            candidate: said(if row % 5 == 0 { 0.9 } else { 0.1 }),
        };
        state.observe(&judged, row as i64, policy.max_alert_ratio);
    }
    let place = Place {
        share: 0.01,
        since_micros: 0,
        rows_then: 0,
    };
    let decision = decide(&state, &policy, place, 1);
    assert!(
        matches!(&decision, Decision::GiveUp { because } if because.contains("alerts")),
        "{decision:?}"
    );
    let ratio = state.alert_ratio().unwrap();
    assert!(
        (3.5..4.5).contains(&ratio.value) && ratio.interval.0 > 2.0,
        "{ratio:?}"
    );
}

#[test]
fn policies_are_checked_key_by_key() {
    assert_eq!(Policy::default().check(), Ok(()));
    for (policy, key) in [
        (
            Policy {
                alpha: 0.0,
                ..Policy::default()
            },
            "alpha",
        ),
        (
            Policy {
                alpha: f64::NAN,
                ..Policy::default()
            },
            "alpha",
        ),
        (
            Policy {
                margin: -0.1,
                ..Policy::default()
            },
            "margin",
        ),
        (
            Policy {
                canary_shares: vec![0.5, 0.1],
                ..Policy::default()
            },
            "canary_shares",
        ),
        (
            Policy {
                min_micros: -1,
                ..Policy::default()
            },
            "min_micros",
        ),
        (
            Policy {
                max_alert_ratio: 0.5,
                ..Policy::default()
            },
            "max_alert_ratio",
        ),
        (
            Policy {
                max_latency_ratio: f64::NAN,
                ..Policy::default()
            },
            "max_latency_ratio",
        ),
    ] {
        assert_eq!(policy.check().unwrap_err().key, key);
    }
}
