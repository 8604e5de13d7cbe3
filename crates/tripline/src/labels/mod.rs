//! What people say about flows, taken in: each label is checked, gets what is needed to learn from
//! it, and is stored. Which of them count in a retraining is decided there.

use tripline_features::label;
use tripline_store::{
    Backend, LabelState, NewLabel, Provenance, Step, StoreError, StoredVerdict, Timestamp,
    VerdictId, Write,
};

use crate::registry::model_id;

/// Longest name of an author.
pub(crate) const MAX_AUTHOR: usize = 128;
/// Longest note.
pub(crate) const MAX_NOTE: usize = 4096;
/// Longest name of an attack.
const MAX_ATTACK_TYPE: usize = 64;
/// Labels stored in one transaction.
const GROUP: usize = 1000;

/// What somebody says about one flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    /// The verdict it is about, as it was given.
    pub(crate) verdict: String,
    /// Whether the flow is an attack.
    pub(crate) is_attack: bool,
    /// Which attack.
    pub(crate) attack_type: Option<String>,
    /// Why, in words.
    pub(crate) note: String,
}

/// A statement that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Its place among the statements, from 0.
    pub(crate) index: usize,
    /// The verdict it is about, as it was given.
    pub(crate) verdict: String,
    /// Why.
    pub(crate) reason: String,
}

/// What became of statements.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// Identifier, verdict and state of each label that is stored.
    pub(crate) labels: Vec<(u64, VerdictId, LabelState)>,
    /// Those that were not taken.
    pub(crate) refused: Vec<Refused>,
}

/// Checks a name or a text.
pub(crate) fn check_text(what: &str, text: &str, limit: usize) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err(format!("'{what}' is empty"));
    }
    if text.len() > limit {
        return Err(format!(
            "'{what}' has {} bytes, expected at most {limit}",
            text.len()
        ));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("'{what}' holds control characters"));
    }
    Ok(())
}

/// Stores what an author says. A statement that cannot be used is refused with its reason; the
/// others are stored.
pub(crate) fn take(
    store: &dyn Backend,
    author: &str,
    statements: &[Statement],
    now: Timestamp,
) -> Result<Taken, StoreError> {
    let mut taken = Taken::default();
    for (group, statements) in statements.chunks(GROUP).enumerate() {
        let mut labels = Vec::with_capacity(statements.len());
        for (index, statement) in statements.iter().enumerate() {
            match label_of(store, author, statement)? {
                Ok(label) => labels.push(label),
                Err(reason) => taken.refused.push(Refused {
                    index: group * GROUP + index,
                    verdict: statement.verdict.chars().take(64).collect(),
                    reason,
                }),
            }
        }
        if labels.is_empty() {
            continue;
        }
        let committed = store.commit(&Step {
            at: now,
            actor: author,
            writes: labels.iter().map(Write::AddLabel).collect(),
        })?;
        let stored = committed.labels.iter().zip(&labels);
        taken
            .labels
            .extend(stored.map(|(id, label)| (id.0, label.verdict, label.state)));
    }
    Ok(taken)
}

/// The label that a statement makes, or why it makes none.
fn label_of(
    store: &dyn Backend,
    author: &str,
    statement: &Statement,
) -> Result<Result<NewLabel, String>, StoreError> {
    let Ok(id) = statement.verdict.parse::<VerdictId>() else {
        return Ok(Err("this is no identifier of a verdict".to_owned()));
    };
    if let Err(reason) = check_statement(statement) {
        return Ok(Err(reason));
    }
    Ok(match store.get(id)? {
        Some(verdict) => Ok(label_on(&verdict, author, statement)),
        None => Err(
            "no verdict with this identifier is stored; it may have been deleted by retention"
                .to_owned(),
        ),
    })
}

fn check_statement(statement: &Statement) -> Result<(), String> {
    if statement.note.len() > MAX_NOTE {
        return Err(format!(
            "'note' has {} bytes, expected at most {MAX_NOTE}",
            statement.note.len()
        ));
    }
    let Some(attack_type) = &statement.attack_type else {
        return Ok(());
    };
    check_text("attack_type", attack_type, MAX_ATTACK_TYPE)?;
    match (statement.is_attack, label::is_benign(attack_type)) {
        (false, _) => Err("'attack_type' is given for what is no attack".to_owned()),
        (true, Some(true)) => Err(format!(
            "'attack_type' is '{attack_type}', which is no attack"
        )),
        (true, _) => Ok(()),
    }
}

fn label_on(verdict: &StoredVerdict, author: &str, statement: &Statement) -> NewLabel {
    let provenance: &Provenance = &verdict.provenance;
    let id_of = |model: &Option<tripline_store::ModelRef>| {
        model
            .as_ref()
            .map(|model| model_id(&model.name, &model.version))
    };
    NewLabel {
        verdict: verdict.id,
        is_attack: statement.is_attack,
        attack_type: statement.attack_type.clone(),
        author: author.to_owned(),
        note: statement.note.clone(),
        state: LabelState::Accepted,
        state_reason: String::new(),
        schema: provenance.schema.clone(),
        features: verdict.features.clone(),
        detector: id_of(&provenance.detector),
        classifier: id_of(&provenance.classifier),
        probability: verdict.threat.map(|threat| threat.probability),
        called_threat: verdict.threat.map(|threat| threat.is_threat),
        called_class: verdict.attack.as_ref().map(|attack| attack.class.clone()),
    }
}
