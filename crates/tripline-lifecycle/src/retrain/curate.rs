use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tripline_features::label;

use super::{Neighbours, neighbours::Neighbour};
use crate::LabelledRows;

/// A flow with what somebody said about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelledFlow {
    /// Identifier of the label.
    pub id: u64,
    /// Identifier of the verdict, so that labels on the same flow are known to be.
    pub flow: String,
    /// The row, in the order of the schema; missing values are `null` in JSON.
    #[serde(with = "missing_as_null")]
    pub values: Vec<f64>,
    /// Whether it is an attack.
    pub is_attack: bool,
    /// Which attack.
    pub attack_type: Option<String>,
    /// Who says so.
    pub author: String,
    /// When, in microseconds.
    pub micros: i64,
    /// Whether a second person has accepted it.
    pub reviewed: bool,
}

mod missing_as_null {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        values: &[f64],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let values: Vec<Option<f64>> = values
            .iter()
            .map(|value| (!value.is_nan()).then_some(*value))
            .collect();
        values.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<f64>, D::Error> {
        let values = Vec::<Option<f64>>::deserialize(deserializer)?;
        Ok(values
            .into_iter()
            .map(|value| value.unwrap_or(f64::NAN))
            .collect())
    }
}

/// Which labels count.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LabelPolicy {
    /// Rows of one author, as a share of the original rows.
    pub max_author_share: f64,
    /// Rows of one author that nobody else has said the same of, as a share of all labels that count;
    /// it binds once there are several authors.
    pub max_author_part: f64,
    /// Labels, as a share of the original rows.
    pub max_label_share: f64,
    /// Nearest original rows that are looked at.
    pub neighbours: usize,
    /// Share of them with the opposite label from which on a label waits for a second person.
    pub opposite: f64,
    /// How near they have to be to count, 0 to 1.
    pub near: f64,
}

impl Default for LabelPolicy {
    fn default() -> Self {
        Self {
            max_author_share: 0.02,
            max_author_part: 0.5,
            max_label_share: 0.2,
            neighbours: 10,
            opposite: 0.7,
            near: 0.08,
        }
    }
}

/// Why a label does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Excluded {
    /// Its row is one that models are measured on.
    Sealed,
    /// Somebody says the opposite of the same flow, or of a flow that looks the same.
    Conflict,
    /// The original data around it say the opposite; a second person has to look.
    Outlying,
    /// Its author has said more than one author may.
    AuthorCap,
    /// There are more labels than may count.
    Cap,
    /// It says the same as another label on the same flow.
    Repeated,
}

/// A label that does not count.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeftOut {
    /// Identifier of the label.
    pub id: u64,
    /// Why.
    pub why: Excluded,
    /// The same for people.
    pub because: String,
}

/// What became of labels.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Curated {
    /// Positions of those that count.
    pub used: Vec<usize>,
    /// Those that do not.
    pub left_out: Vec<LeftOut>,
}

/// Names a row by the columns of a model.
pub fn fingerprint(values: &[f64], columns: &[usize]) -> [u8; 16] {
    let mut hasher = Sha256::new();
    for column in columns {
        let value = values.get(*column).copied().unwrap_or(f64::NAN);
        let bits = if value.is_nan() {
            u64::MAX
        } else {
            // Adding zero makes −0 and 0 the same bits.
            (value + 0.0).to_bits()
        };
        hasher.update(bits.to_le_bytes());
    }
    let mut name = [0; 16];
    name.copy_from_slice(&hasher.finalize()[..16]);
    name
}

/// Decides which labels count. `sealed` names the rows that models are measured on; the order of the
/// labels does not matter.
pub fn curate(
    labels: &[LabelledFlow],
    base: &LabelledRows,
    columns: &[usize],
    sealed: &BTreeSet<[u8; 16]>,
    policy: &LabelPolicy,
) -> Curated {
    let mut curated = Curated::default();
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by_key(|at| labels[*at].id);
    let mut leave = |at: usize, why: Excluded, because: String| {
        curated.left_out.push(LeftOut {
            id: labels[at].id,
            why,
            because,
        });
    };
    let names: Vec<[u8; 16]> = labels
        .iter()
        .map(|label| fingerprint(&label.values, columns))
        .collect();
    order.retain(|at| {
        let is_sealed = sealed.contains(&names[*at]);
        if is_sealed {
            leave(
                *at,
                Excluded::Sealed,
                "the row is one that models are measured on".to_owned(),
            );
        }
        !is_sealed
    });
    // What is said of each flow, and of each row that looks the same.
    let mut opinions: BTreeMap<&[u8; 16], [BTreeSet<&str>; 2]> = BTreeMap::new();
    let mut of_flow: BTreeMap<&str, [bool; 2]> = BTreeMap::new();
    for at in &order {
        let label = &labels[*at];
        opinions.entry(&names[*at]).or_default()[usize::from(label.is_attack)]
            .insert(&label.author);
        of_flow.entry(&label.flow).or_default()[usize::from(label.is_attack)] = true;
    }
    let mut said: BTreeSet<(&str, bool)> = BTreeSet::new();
    order.retain(|at| {
        let label = &labels[*at];
        let others = &opinions[&names[*at]][usize::from(!label.is_attack)];
        if of_flow[label.flow.as_str()] == [true, true] || !others.is_empty() {
            let who: Vec<&str> = others.iter().copied().take(3).collect();
            let because = if who.is_empty() {
                "somebody says the opposite of the same flow".to_owned()
            } else {
                format!(
                    "{} says the opposite of a flow that looks the same",
                    who.join(", ")
                )
            };
            leave(*at, Excluded::Conflict, because);
            return false;
        }
        if !said.insert((&label.flow, label.is_attack)) {
            leave(
                *at,
                Excluded::Repeated,
                "another label says the same of the flow".to_owned(),
            );
            return false;
        }
        true
    });
    let index = Neighbours::new(base, columns);
    order.retain(|at| {
        let label = &labels[*at];
        let agreeing = opinions[&names[*at]][usize::from(label.is_attack)].len();
        if label.reviewed || agreeing > 1 {
            return true;
        }
        match outlying(label, &index, policy) {
            Some(because) => {
                leave(*at, Excluded::Outlying, because);
                false
            }
            None => true,
        }
    });
    let kept = cap(labels, &order, base.len(), policy);
    for at in &order {
        if !kept.contains_key(at) {
            continue;
        }
        if let Some(why) = kept[at] {
            let because = match why {
                Excluded::AuthorCap => {
                    format!("{} has said more than one author may", labels[*at].author)
                }
                _ => "there are more labels than may count".to_owned(),
            };
            leave(*at, why, because);
        }
    }
    curated.used = order
        .into_iter()
        .filter(|at| kept.get(at).is_some_and(Option::is_none))
        .collect();
    curated
        .left_out
        .sort_by_key(|left_out| (left_out.id, left_out.why));
    curated
}

fn outlying(label: &LabelledFlow, index: &Neighbours, policy: &LabelPolicy) -> Option<String> {
    let near: Vec<Neighbour> = index
        .nearest(&label.values, policy.neighbours)
        .into_iter()
        .filter(|neighbour| neighbour.distance <= policy.near)
        .collect();
    let opposite = near
        .iter()
        .filter(|neighbour| (label::is_benign(&neighbour.label) == Some(true)) == label.is_attack)
        .count();
    let share = opposite as f64 / near.len().max(1) as f64;
    // A single row is no neighbourhood.
    (near.len() >= 2 && share >= policy.opposite).then(|| {
        let example = near
            .first()
            .map_or("none", |neighbour| neighbour.label.as_str());
        format!(
            "{opposite} of the {} nearest original rows say the opposite, such as '{example}'",
            near.len()
        )
    })
}

/// Of each author the rows that count, chosen by a hash so that nobody can choose them, and of all
/// together not more than may count.
fn cap(
    labels: &[LabelledFlow],
    order: &[usize],
    base_rows: usize,
    policy: &LabelPolicy,
) -> BTreeMap<usize, Option<Excluded>> {
    let chance = |at: usize| {
        let mut hasher = Sha256::new();
        hasher.update(labels[at].id.to_le_bytes());
        hasher.update(labels[at].author.as_bytes());
        hasher.finalize()
    };
    let mut by_author: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for at in order {
        by_author.entry(&labels[*at].author).or_default().push(*at);
    }
    let limit = (base_rows as f64 * policy.max_author_share) as usize;
    let part = if by_author.len() > 1 {
        (order.len() as f64 * policy.max_author_part).ceil() as usize
    } else {
        usize::MAX
    };
    let mut outcome = BTreeMap::new();
    let mut kept = Vec::new();
    for own in by_author.values_mut() {
        own.sort_by_cached_key(|at| chance(*at));
        for (rank, at) in own.iter().enumerate() {
            if rank < limit.min(part) {
                kept.push(*at);
            } else {
                outcome.insert(*at, Some(Excluded::AuthorCap));
            }
        }
    }
    kept.sort_by_cached_key(|at| chance(*at));
    let limit = (base_rows as f64 * policy.max_label_share) as usize;
    for (rank, at) in kept.into_iter().enumerate() {
        outcome.insert(at, (rank >= limit).then_some(Excluded::Cap));
    }
    outcome
}
