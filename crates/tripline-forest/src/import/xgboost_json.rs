use serde_json::Value;

use super::{
    ImportError, Imported,
    walk::{Builder, ForeignNode, below_single},
};
use crate::{ColumnKind, Ensemble, Link, arrays::Caps};

pub(super) fn read(bytes: &[u8], kinds: &[ColumnKind]) -> Result<Imported, ImportError> {
    let file: Value = serde_json::from_slice(bytes)
        .map_err(|error| ImportError::malformed("the file", format!("no JSON: {error}")))?;
    let learner = &file["learner"];
    let objective = text(&learner["objective"]["name"], "learner.objective.name")?;
    let booster = &learner["gradient_booster"];
    let kind = text(&booster["name"], "learner.gradient_booster.name")?;
    if kind != "gbtree" {
        return Err(ImportError::unsupported(
            format!("booster '{kind}'"),
            "only 'gbtree' is a plain sum of trees",
        ));
    }
    let parameters = &learner["learner_model_param"];
    let width = number(&parameters["num_feature"], "num_feature")? as usize;
    let classes = number(&parameters["num_class"], "num_class").unwrap_or(0.0) as usize;
    let base_score = base_scores(&parameters["base_score"])?;
    let (link, outputs) = match objective.as_str() {
        "binary:logistic" | "binary:logitraw" => (Link::Logistic, 1),
        "multi:softprob" | "multi:softmax" if (2..=256).contains(&classes) => {
            (Link::Softmax, classes)
        }
        other => {
            return Err(ImportError::unsupported(
                format!("objective '{other}'"),
                "expected binary:logistic, multi:softprob or multi:softmax",
            ));
        }
    };
    let base = bases(&base_score, &objective, outputs)?;
    let mut builder = Builder::new(width, kinds, base)?;
    let trees = list(&booster["model"]["trees"], "model.trees")?;
    let owners = list(&booster["model"]["tree_info"], "model.tree_info")?;
    if trees.is_empty() || trees.len() != owners.len() {
        return Err(ImportError::malformed(
            "model.tree_info",
            format!("{} entries for {} trees", owners.len(), trees.len()),
        ));
    }
    for (at, (tree, owner)) in trees.iter().zip(owners).enumerate() {
        let output = number(owner, "tree_info")? as usize;
        if output >= outputs {
            return Err(ImportError::malformed(
                format!("tree {at}"),
                format!("it adds to output {output} of {outputs}"),
            ));
        }
        let tree = Tree::read(tree, at)?;
        builder.tree(Some(output), 0, tree.left.len(), |node| {
            tree.node(at, node, kinds)
        })?;
    }
    let ensemble = Ensemble::from_arrays(&builder.finish(), link, Caps::default())?;
    let names = learner["feature_names"]
        .as_array()
        .filter(|names| !names.is_empty());
    let features = names.map(|names| {
        names
            .iter()
            .map(|name| name.as_str().unwrap_or_default().to_owned())
            .collect()
    });
    let version: Vec<String> = file["version"]
        .as_array()
        .into_iter()
        .flatten()
        .map(Value::to_string)
        .collect();
    Ok(Imported {
        ensemble,
        features,
        classes: None,
        producer: format!("XGBoost {}", version.join(".")),
    })
}

/// One number up to version 2, a list in brackets from version 3 on; both as text.
fn base_scores(value: &Value) -> Result<Vec<f64>, ImportError> {
    let text = text(value, "base_score")?;
    text.trim_matches(['[', ']'])
        .split(',')
        .map(|part| {
            part.trim()
                .parse::<f64>()
                .ok()
                .filter(|number| number.is_finite())
                .ok_or_else(|| ImportError::malformed("base_score", format!("'{text}'")))
        })
        .collect()
}

fn bases(scores: &[f64], objective: &str, outputs: usize) -> Result<Vec<f64>, ImportError> {
    let spread: Vec<f64> = match scores {
        [one] => vec![*one; outputs],
        many if many.len() == outputs => many.to_vec(),
        many => {
            return Err(ImportError::malformed(
                "base_score",
                format!("{} numbers for {outputs} outputs", many.len()),
            ));
        }
    };
    if objective != "binary:logistic" {
        return Ok(spread);
    }
    // It is written as a probability.
    spread
        .into_iter()
        .map(|p| {
            if p > 0.0 && p < 1.0 {
                Ok((p / (1.0 - p)).ln())
            } else {
                Err(ImportError::malformed(
                    "base_score",
                    format!("{p}, expected a probability between 0 and 1"),
                ))
            }
        })
        .collect()
}

struct Tree {
    left: Vec<i64>,
    right: Vec<i64>,
    feature: Vec<i64>,
    condition: Vec<f64>,
    default_left: Vec<i64>,
    hessian: Vec<f64>,
    split_type: Vec<i64>,
    categories: Vec<i64>,
    category_nodes: Vec<i64>,
    segments: Vec<i64>,
    sizes: Vec<i64>,
}

impl Tree {
    fn read(tree: &Value, at: usize) -> Result<Self, ImportError> {
        let whole = |name: &str| -> Result<Vec<i64>, ImportError> {
            let place = format!("tree {at}, {name}");
            list(&tree[name], &place)?
                .iter()
                .map(|value| {
                    value
                        .as_i64()
                        .or_else(|| value.as_bool().map(i64::from))
                        .ok_or_else(|| ImportError::malformed(place.clone(), "no whole number"))
                })
                .collect()
        };
        let real = |name: &str| -> Result<Vec<f64>, ImportError> {
            let place = format!("tree {at}, {name}");
            list(&tree[name], &place)?
                .iter()
                .map(|value| {
                    value
                        .as_f64()
                        .ok_or_else(|| ImportError::malformed(place.clone(), "no number"))
                })
                .collect()
        };
        let maybe = |name: &str| -> Result<Vec<i64>, ImportError> {
            if tree[name].is_null() {
                Ok(Vec::new())
            } else {
                whole(name)
            }
        };
        let read = Self {
            left: whole("left_children")?,
            right: whole("right_children")?,
            feature: whole("split_indices")?,
            condition: real("split_conditions")?,
            default_left: whole("default_left")?,
            hessian: real("sum_hessian")?,
            split_type: maybe("split_type")?,
            categories: maybe("categories")?,
            category_nodes: maybe("categories_nodes")?,
            segments: maybe("categories_segments")?,
            sizes: maybe("categories_sizes")?,
        };
        let nodes = read.left.len();
        let same = [
            read.right.len(),
            read.feature.len(),
            read.condition.len(),
            read.default_left.len(),
            read.hessian.len(),
        ];
        if nodes == 0 || same.iter().any(|length| *length != nodes) {
            return Err(ImportError::malformed(
                format!("tree {at}"),
                "its arrays differ in length",
            ));
        }
        Ok(read)
    }

    fn node(
        &self,
        tree: usize,
        node: usize,
        kinds: &[ColumnKind],
    ) -> Result<ForeignNode, ImportError> {
        let bad =
            |reason: String| ImportError::malformed(format!("tree {tree}, node {node}"), reason);
        let (Some(&left), Some(&right)) = (self.left.get(node), self.right.get(node)) else {
            return Err(bad("there is no such node".to_owned()));
        };
        let cover = self.hessian[node];
        if left < 0 && right < 0 {
            return Ok(ForeignNode::Leaf {
                values: vec![f64::from(self.condition[node] as f32)],
                cover,
            });
        }
        let child = |child: i64| {
            usize::try_from(child)
                .ok()
                .filter(|child| *child < self.left.len())
                .ok_or_else(|| bad(format!("child {child} of {} nodes", self.left.len())))
        };
        let (left, right) = (child(left)?, child(right)?);
        let feature = usize::try_from(self.feature[node])
            .map_err(|_| bad(format!("feature {}", self.feature[node])))?;
        let missing_left = self.default_left[node] != 0;
        if self.split_type.get(node).is_none_or(|kind| *kind == 0) {
            let condition = self.condition[node] as f32;
            if !condition.is_finite() {
                return Err(bad(format!("the threshold is {condition}")));
            }
            return Ok(ForeignNode::Number {
                feature,
                threshold: below_single(condition),
                missing_left,
                left,
                right,
                cover,
            });
        }
        let Some(ColumnKind::Category { cardinality }) = kinds.get(feature) else {
            return Err(bad(format!(
                "feature {feature} is asked for its category, and it is a number"
            )));
        };
        let place = self
            .category_nodes
            .iter()
            .position(|known| *known == node as i64)
            .ok_or_else(|| bad("its categories are missing".to_owned()))?;
        let part = |list: &[i64]| {
            list.get(place)
                .and_then(|value| usize::try_from(*value).ok())
                .ok_or_else(|| bad("its categories are missing".to_owned()))
        };
        let (start, size) = (part(&self.segments)?, part(&self.sizes)?);
        let right_codes = start
            .checked_add(size)
            .and_then(|end| self.categories.get(start..end))
            .ok_or_else(|| bad("its categories are out of range".to_owned()))?;
        // The ones that are named go right.
        let left_codes = (0..*cardinality)
            .filter(|code| !right_codes.contains(&i64::from(*code)))
            .map(|code| code as u8)
            .collect();
        Ok(ForeignNode::Category {
            feature,
            left_codes,
            missing_left,
            left,
            right,
            cover,
        })
    }
}

fn text(value: &Value, place: &str) -> Result<String, ImportError> {
    value
        .as_str()
        .map(ToOwned::to_owned)
        .ok_or_else(|| ImportError::malformed(place, "missing, expected text"))
}

fn number(value: &Value, place: &str) -> Result<f64, ImportError> {
    value
        .as_f64()
        .or_else(|| value.as_str()?.parse().ok())
        .filter(|number| (0.0..=1e9).contains(number))
        .ok_or_else(|| ImportError::malformed(place, "missing, expected a number"))
}

fn list<'a>(value: &'a Value, place: &str) -> Result<&'a [Value], ImportError> {
    value
        .as_array()
        .map(Vec::as_slice)
        .ok_or_else(|| ImportError::malformed(place, "missing, expected a list"))
}
