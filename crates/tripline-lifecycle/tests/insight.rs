//! What would have had to be otherwise, on the models that ship.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{path::Path, sync::Arc};

use tripline_detect::{Model, ModelSet, Scorer};
use tripline_features::{FeatureKind, FeatureValue, synthetic::SyntheticRecords};
use tripline_lifecycle::{
    LabelledRows,
    insight::{counterfactual, dependence, importances},
};

fn shipped(name: &str) -> Arc<Model> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../models")
        .join(format!("{name}.tripline"));
    Arc::new(Model::from_bytes(&std::fs::read(path).unwrap()).unwrap())
}

fn records(count: usize) -> LabelledRows {
    let mut rows = LabelledRows::new(tripline_features::nsl_kdd());
    for record in SyntheticRecords::new(3).take(count) {
        rows.push(record.vector.values(), record.label);
    }
    rows
}

fn number(value: FeatureValue, kind: &FeatureKind) -> f64 {
    match (value, kind) {
        (FeatureValue::Number(number), _) => number,
        (FeatureValue::Name(name), FeatureKind::Category(vocabulary)) => {
            vocabulary.iter().position(|known| *known == name).unwrap() as f64
        }
        (value, _) => panic!("{value:?}"),
    }
}

#[test]
fn a_change_that_is_told_changes_the_decision_and_stays_within_bounds() {
    for name in ["nsl-kdd-detector-ten-v1", "nsl-kdd-detector-full"] {
        let model = shipped(name);
        let set = ModelSet::new(vec![Arc::clone(&model)]).unwrap();
        let schema = model.schema();
        let pipeline = set.pipeline_for(schema, &vec![true; schema.len()]).unwrap();
        let mut scorer = Scorer::new(pipeline, 0);
        let rows = records(60);
        let mut found = 0;
        for row in 0..rows.len() {
            let before = scorer.judge(rows.row(row));
            let told = counterfactual(&model, rows.row(row)).unwrap();
            let mut changed = rows.row(row).to_vec();
            for change in &told.changes {
                let index = schema.index_of(change.feature).unwrap();
                let feature = &schema.features()[index];
                let value = number(change.to, &feature.kind);
                assert!((feature.bounds.min..=feature.bounds.max).contains(&value));
                if matches!(feature.kind, FeatureKind::Count | FeatureKind::Flag) {
                    assert!(value.fract() == 0.0, "{change:?}");
                }
                changed[index] = value;
            }
            if told.changes.is_empty() {
                assert!(told.is_bounded && told.probability.is_none());
                continue;
            }
            found += 1;
            let after = scorer.judge(&changed);
            assert_ne!(
                before.is_threat(),
                after.is_threat(),
                "{name} {row}: {told:?}"
            );
            let probability = after.threat.unwrap().probability;
            assert!((probability - told.probability.unwrap()).abs() < 1e-9);
        }
        assert!(found > 30, "{name}: {found} of 60");
    }
}

#[test]
fn importances_and_dependence_are_of_the_model_and_repeat() {
    let model = shipped("nsl-kdd-detector-ten-v1");
    let rows = records(200);
    let projected: Vec<Vec<f64>> = (0..rows.len())
        .map(|row| {
            model
                .columns()
                .iter()
                .map(|column| rows.row(row)[*column])
                .collect()
        })
        .collect();
    let first = importances(&model, &projected, Some(&rows), 7);
    assert_eq!(first, importances(&model, &projected, Some(&rows), 7));
    assert_eq!(first.len(), 10);
    assert!(first[0].mean_abs_contribution > 0.0);
    assert!(first.iter().all(|one| one.permutation.is_some()));
    assert!(
        first
            .windows(2)
            .all(|pair| pair[0].mean_abs_contribution >= pair[1].mean_abs_contribution)
    );
    let curve = dependence(&model, &projected, "src_bytes").unwrap();
    assert!(curve.points.len() > 2);
    assert!(
        curve
            .points
            .iter()
            .all(|(_, probability)| (0.0..=1.0).contains(probability))
    );
    assert!(dependence(&model, &projected, "oracle").is_none());
    assert!(importances(&model, &[], None, 0).len() == 10);
}
