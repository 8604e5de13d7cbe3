//! Two models on the same rows: what each is worth, and where they disagree.

use std::sync::Arc;

use serde::Serialize;
use tripline_detect::{Model, Role};

use super::{
    Agreement, Case, Evaluation,
    alone::{cases_of, class_names},
};
use crate::{LabelledRows, LifecycleError, class_of_label};

/// Two models on the same labelled rows.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// Rows that both were asked about.
    pub rows: usize,
    /// What the first is worth.
    pub a: Evaluation,
    /// What the second is worth.
    pub b: Evaluation,
    /// How often they say the same, and who is right where they do not.
    pub agreement: Agreement,
    /// Rows on which they say different things, in the order of the data.
    pub disagreements: Vec<Disagreement>,
}

/// A row of which two models say different things.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Disagreement {
    /// Its place in the data, from 0.
    pub row: usize,
    /// Its label.
    pub label: String,
    /// What the first says.
    pub a: Answer,
    /// What the second says.
    pub b: Answer,
}

/// What a model says of a row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// `threat` or `no threat` of a detector, else the name of the class.
    pub class: String,
    /// A detector's probability of a threat, else the probability of the class.
    pub probability: f64,
}

impl Comparison {
    /// Compares two models of one role and schema. `None` when there is no row that both can be
    /// asked about. At most `shown` disagreements are kept.
    pub fn of(
        name: &str,
        a: &Arc<Model>,
        b: &Arc<Model>,
        rows: &LabelledRows,
        shown: usize,
    ) -> Result<Option<Self>, LifecycleError> {
        let said = [cases_of(a, rows)?, cases_of(b, rows)?];
        let [of_a, of_b] = said;
        let (mut right_a, mut right_b, mut same) = (Vec::new(), Vec::new(), Vec::new());
        let (mut cases_a, mut cases_b) = (Vec::new(), Vec::new());
        let mut disagreements = Vec::new();
        let names = [class_names(a), class_names(b)];
        for (row, cases) in of_a.into_iter().zip(of_b).enumerate() {
            let (Some(case_a), Some(case_b)) = cases else {
                continue;
            };
            let answers = [
                answer(a.role(), &case_a, &names[0]),
                answer(b.role(), &case_b, &names[1]),
            ];
            if let ([Some(one), Some(other)], Some(truth)) =
                (answers, truth(a.role(), rows, row, &case_a))
            {
                right_a.push(one.class == truth);
                right_b.push(other.class == truth);
                same.push(one.class == other.class);
                if one.class != other.class && disagreements.len() < shown {
                    disagreements.push(Disagreement {
                        row,
                        label: rows.label(row).to_owned(),
                        a: one,
                        b: other,
                    });
                }
            }
            cases_a.push(case_a);
            cases_b.push(case_b);
        }
        let classes = |model: &Model, names: &[String]| {
            if model.role() == Role::Detector {
                Vec::new()
            } else {
                names.to_vec()
            }
        };
        Ok((!same.is_empty()).then(|| Self {
            rows: cases_a.len(),
            a: Evaluation::of(name, &cases_a, &classes(a, &names[0])),
            b: Evaluation::of(name, &cases_b, &classes(b, &names[1])),
            agreement: Agreement::of(&right_a, &right_b, &same),
            disagreements,
        }))
    }
}

fn threat_word(is_threat: bool) -> &'static str {
    if is_threat { "threat" } else { "no threat" }
}

fn answer(role: Role, case: &Case, names: &[String]) -> Option<Answer> {
    let (class, probability) = if role == Role::Detector {
        let (probability, is_threat) = case.threat?;
        (threat_word(is_threat).to_owned(), probability)
    } else {
        let (class, probability) = case.class?;
        (names.get(class)?.clone(), probability)
    };
    Some(Answer { class, probability })
}

/// What would have been right; `None` where the label says nothing of it.
fn truth(role: Role, rows: &LabelledRows, row: usize, case: &Case) -> Option<String> {
    match role {
        Role::Detector => Some(threat_word(case.is_attack).to_owned()),
        Role::Namer => Some(case.label.clone()),
        Role::Classifier => class_of_label(rows.schema(), rows.label(row)).map(ToOwned::to_owned),
    }
}
