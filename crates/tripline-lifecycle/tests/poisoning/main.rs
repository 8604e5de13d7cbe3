//! Labels that lie: what they do to a retraining on generated records.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod laboratory;

use std::collections::BTreeSet;

use laboratory::{Attack, Laboratory};
use tripline_features::synthetic::SyntheticRecords;
use tripline_lifecycle::{
    LabelledRows,
    retrain::{Curated, Excluded, LabelPolicy, LabelledFlow, Neighbours, curate, fingerprint},
};

fn generated(count: usize) -> LabelledRows {
    let mut rows = LabelledRows::new(tripline_features::nsl_kdd());
    for record in SyntheticRecords::new(5).take(count) {
        rows.push(record.vector.values(), record.label);
    }
    rows
}

#[test]
fn one_author_in_ten_who_lies_does_no_harm() {
    let laboratory = Laboratory::new(&generated(12_000));
    let honest = laboratory.run(Attack::None, 0.0, 1);
    assert!(honest.gate.passes, "{:#?}", honest.gate);
    for attack in [Attack::Targeted, Attack::Backdoor] {
        let outcome = laboratory.run(attack, 0.1, 1);
        assert!(outcome.poisoned_used * 20 < outcome.labels, "{outcome:#?}");
        assert!(outcome.is_harmless(), "{attack:?}: {outcome:#?}");
    }
}

fn flow(id: u64, rows: &LabelledRows, row: usize, is_attack: bool, author: &str) -> LabelledFlow {
    LabelledFlow {
        id,
        flow: format!("flow {id}"),
        values: rows.row(row).to_vec(),
        is_attack,
        attack_type: None,
        author: author.to_owned(),
        micros: id as i64,
        reviewed: false,
    }
}

fn decide(labels: &[LabelledFlow], base: &LabelledRows, sealed: &BTreeSet<[u8; 16]>) -> Curated {
    let columns: Vec<usize> = (0..base.schema().len()).collect();
    curate(labels, base, &columns, sealed, &LabelPolicy::default())
}

fn why(curated: &Curated, id: u64) -> Option<Excluded> {
    let left_out = curated.left_out.iter().find(|label| label.id == id);
    left_out.map(|label| label.why)
}

fn row_of(rows: &LabelledRows, label: &str, nth: usize) -> usize {
    (0..rows.len())
        .filter(|row| rows.label(*row) == label)
        .nth(nth)
        .unwrap()
}

#[test]
fn labels_that_contradict_each_other_are_left_out_and_told() {
    let base = generated(2_000);
    let attack = row_of(&base, "neptune", 0);
    let mut labels = vec![
        flow(1, &base, attack, true, "ada"),
        flow(2, &base, attack, false, "bob"),
        flow(3, &base, row_of(&base, "normal", 3), false, "ada"),
    ];
    labels[1].flow = "flow 1".to_owned();
    let curated = decide(&labels, &base, &BTreeSet::new());
    assert_eq!(why(&curated, 1), Some(Excluded::Conflict));
    assert_eq!(why(&curated, 2), Some(Excluded::Conflict));
    assert_eq!(curated.used, [2]);
}

#[test]
fn what_the_data_around_it_contradict_waits_for_a_second_person() {
    let base = generated(4_000);
    let lie = row_of(&base, "neptune", 5);
    let mut labels = vec![flow(1, &base, lie, false, "mallory")];
    assert_eq!(
        why(&decide(&labels, &base, &BTreeSet::new()), 1),
        Some(Excluded::Outlying)
    );
    labels[0].reviewed = true;
    assert_eq!(decide(&labels, &base, &BTreeSet::new()).used, [0]);
}

#[test]
fn sealed_rows_never_come_in_and_the_order_of_labels_does_not_matter() {
    let base = generated(2_000);
    let columns: Vec<usize> = (0..base.schema().len()).collect();
    let normal = row_of(&base, "normal", 1);
    let sealed = BTreeSet::from([fingerprint(base.row(normal), &columns)]);
    let mut labels: Vec<LabelledFlow> = (1..30)
        .map(|id| {
            flow(
                id,
                &base,
                row_of(&base, "normal", id as usize),
                false,
                "ada",
            )
        })
        .collect();
    let curated = decide(&labels, &base, &sealed);
    assert_eq!(why(&curated, 1), Some(Excluded::Sealed));
    let mut used: Vec<u64> = curated.used.iter().map(|at| labels[*at].id).collect();
    labels.reverse();
    let again = decide(&labels, &base, &sealed);
    let mut other: Vec<u64> = again.used.iter().map(|at| labels[*at].id).collect();
    used.sort_unstable();
    other.sort_unstable();
    assert_eq!(used, other);
    assert_eq!(curated.left_out, again.left_out);
}

#[test]
fn nobody_weighs_more_than_a_share() {
    let base = generated(3_000);
    let mut labels = Vec::new();
    for row in 0..base.len() {
        if base.label(row) == "normal" && labels.len() < 500 {
            labels.push(flow(labels.len() as u64 + 1, &base, row, false, "ada"));
        }
    }
    let curated = decide(&labels, &base, &BTreeSet::new());
    assert!(curated.used.len() <= 60, "{}", curated.used.len());
    assert!(
        curated
            .left_out
            .iter()
            .any(|label| label.why == Excluded::AuthorCap)
    );
}

#[test]
fn the_nearest_rows_are_the_nearest() {
    let base = generated(1_000);
    let columns: Vec<usize> = (0..base.schema().len()).collect();
    let index = Neighbours::new(&base, &columns);
    for row in [0, 17, 500] {
        let found = index.nearest(base.row(row), 5);
        assert_eq!(found.len(), 5);
        assert!(found[0].distance < 1e-12, "{found:?}");
        assert!(
            found
                .windows(2)
                .all(|pair| pair[0].distance <= pair[1].distance)
        );
    }
    let missing = vec![f64::NAN; base.schema().len()];
    assert_eq!(index.nearest(&missing, 3).len(), 3);
    assert!(index.nearest(&[], 0).is_empty());
}
