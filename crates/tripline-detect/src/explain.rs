use serde::Serialize;
use tripline_features::FeatureValue;
use tripline_forest::Link;

use crate::{Model, Pipeline, Stage};

/// Every contribution to one verdict.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The models that were asked, in order.
    pub stages: Vec<StageExplanation>,
}

/// How one model came to its margin: `base_value + Σ contributions = margin`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StageExplanation {
    /// The model's role.
    pub stage: Stage,
    /// The model's name.
    pub model: String,
    /// The model's version.
    pub model_version: String,
    /// Unit of margin and contributions: `log-odds` or `probability`.
    pub output: &'static str,
    /// The class that the margin speaks for.
    pub class: String,
    /// The margin expected before any feature is known.
    pub base_value: f64,
    /// The margin of the row.
    pub margin: f64,
    /// The calibrated probability: of being a threat, or that the class is right.
    pub probability: f64,
    /// A detector's decision line.
    pub threshold: Option<f64>,
    /// The contributions that are not zero, strongest first.
    pub contributions: Vec<Contribution>,
}

/// One feature's share of a margin.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Contribution {
    /// The feature's name.
    pub feature: &'static str,
    /// Its value in the row.
    pub value: FeatureValue,
    /// How far it moved the margin.
    pub contribution: f64,
}

impl Explanation {
    /// Explains what a pipeline thinks of a row, given in the order of the schema. `class` is the
    /// classifier's class of the row's verdict with its confidence.
    pub fn of(pipeline: &Pipeline, values: &[f64], class: Option<(usize, f64)>) -> Self {
        let mut stages = Vec::new();
        if let Some(detector) = pipeline.detector() {
            let mut stage = explain_stage(detector, values, Stage::Detector, 0);
            stage.class.clone_from(&detector.manifest().classes[1].name);
            stage.probability = detector.threat_probability(stage.margin);
            stage.threshold = Some(detector.threshold());
            stages.push(stage);
        }
        if let (Some(classifier), Some((class, confidence))) = (pipeline.classifier(), class)
            && class < classifier.manifest().classes.len()
        {
            let outputs = classifier.compiled().ensemble().outputs();
            let mut stage = explain_stage(
                classifier,
                values,
                Stage::Classifier,
                class.min(outputs - 1),
            );
            stage
                .class
                .clone_from(&classifier.manifest().classes[class].name);
            stage.probability = confidence;
            stages.push(stage);
        }
        Self { stages }
    }
}

fn explain_stage(model: &Model, values: &[f64], stage: Stage, output: usize) -> StageExplanation {
    let compiled = model.compiled();
    let mut row = Vec::new();
    model.project(values, &mut row);
    let explained = tripline_forest::shap::explain(compiled.ensemble(), &row, output);
    let mut contributions: Vec<Contribution> = explained
        .contributions
        .iter()
        .zip(model.columns())
        .filter(|(contribution, _)| **contribution != 0.0)
        .map(|(contribution, &index)| Contribution {
            feature: model.schema().features()[index].name,
            value: tripline_features::display_value(model.schema(), index, values[index]),
            contribution: *contribution,
        })
        .collect();
    contributions.sort_by(|a, b| {
        b.contribution
            .abs()
            .total_cmp(&a.contribution.abs())
            .then(a.feature.cmp(b.feature))
    });
    StageExplanation {
        stage,
        model: model.manifest().name.clone(),
        model_version: model.manifest().version.clone(),
        output: match compiled.link() {
            Link::Probability => "probability",
            Link::Logistic | Link::Softmax => "log-odds",
        },
        class: String::new(),
        base_value: explained.base_value,
        margin: compiled.ensemble().margins(&row)[output],
        probability: 0.0,
        threshold: None,
        contributions,
    }
}
