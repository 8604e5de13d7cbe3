use std::collections::HashMap;

use super::{
    ImportError, Imported,
    protobuf::{Field, Message, Wire},
    walk::{Builder, ForeignNode, at_most_single, below_single},
};
use crate::{Ensemble, Link, arrays::Caps};

/// The operator that is a forest.
const FOREST: &str = "TreeEnsembleClassifier";
/// Operators that change nothing about the answer.
const HARMLESS: [&str; 3] = ["Cast", "Identity", "ZipMap"];
/// Nodes of all trees, at most.
const MAX_NODES: usize = 20_000_000;

/// What an operator is told.
#[derive(Debug, Default)]
struct Attributes<'a> {
    ints: HashMap<&'a str, Vec<i64>>,
    numbers: HashMap<&'a str, Numbers>,
    texts: HashMap<&'a str, Vec<&'a str>>,
}

#[derive(Debug)]
enum Numbers {
    Singles(Vec<f32>),
    Doubles(Vec<f64>),
}

impl Numbers {
    fn len(&self) -> usize {
        match self {
            Self::Singles(values) => values.len(),
            Self::Doubles(values) => values.len(),
        }
    }

    fn get(&self, at: usize) -> Option<f64> {
        match self {
            Self::Singles(values) => values.get(at).map(|value| f64::from(*value)),
            Self::Doubles(values) => values.get(at).copied(),
        }
    }
}

pub(super) fn read(bytes: &[u8]) -> Result<Imported, ImportError> {
    let mut model = Message::new(bytes, "the model");
    let (mut graph, mut producer) = (None, (String::new(), String::new()));
    while let Some(field) = model.next()? {
        match field.number {
            2 => producer.0 = field.text("producer_name")?.into(),
            3 => producer.1 = field.text("producer_version")?.into(),
            7 => graph = Some(field.bytes("graph")?),
            _ => {}
        }
    }
    let graph = graph.ok_or_else(|| ImportError::malformed("the file", "it has no graph"))?;
    let mut forest: Option<Attributes<'_>> = None;
    let mut is_double = false;
    let mut fields = Message::new(graph, "the graph");
    while let Some(field) = fields.next()? {
        match field.number {
            1 => {
                if let Some(attributes) = operator(field.bytes("node")?)? {
                    if forest.is_some() {
                        return Err(ImportError::unsupported(
                            "more than one forest in a graph",
                            "expected exactly one",
                        ));
                    }
                    forest = Some(attributes);
                }
            }
            5 => initializer(field.bytes("initializer")?)?,
            11 => is_double |= input_is_double(field.bytes("input")?)?,
            _ => {}
        }
    }
    let forest =
        forest.ok_or_else(|| ImportError::malformed("the graph", format!("it has no {FOREST}")))?;
    let (ensemble, classes) = Forest::of(&forest, is_double)?.build()?;
    let (name, version) = producer;
    Ok(Imported {
        ensemble,
        features: None,
        classes,
        producer: if name.is_empty() {
            "ONNX".to_owned()
        } else {
            format!("ONNX by {name} {version}").trim().to_owned()
        },
    })
}

/// The attributes of the forest; nothing for an operator that changes nothing.
fn operator(bytes: &[u8]) -> Result<Option<Attributes<'_>>, ImportError> {
    let mut node = Message::new(bytes, "an operator");
    let (mut kind, mut domain, mut attributes) = ("", "", Vec::new());
    while let Some(field) = node.next()? {
        match field.number {
            4 => kind = field.text("op_type")?,
            5 => attributes.push(field.bytes("attribute")?),
            7 => domain = field.text("domain")?,
            _ => {}
        }
    }
    if kind == FOREST && domain == "ai.onnx.ml" {
        let mut read = Attributes::default();
        for bytes in attributes {
            attribute(bytes, &mut read)?;
        }
        return Ok(Some(read));
    }
    if HARMLESS.contains(&kind) {
        return Ok(None);
    }
    let shown: String = kind.chars().take(60).collect();
    Err(ImportError::unsupported(
        format!("operator '{shown}'"),
        format!("expected {FOREST}, with {} around it", HARMLESS.join(", ")),
    ))
}

fn attribute<'a>(bytes: &'a [u8], into: &mut Attributes<'a>) -> Result<(), ImportError> {
    let mut message = Message::new(bytes, "an attribute");
    let mut name = "";
    let (mut ints, mut singles, mut texts, mut doubles) =
        (Vec::new(), Vec::new(), Vec::new(), None);
    while let Some(field) = message.next()? {
        match field.number {
            1 => name = field.text("name")?,
            2 | 7 => field.singles(&mut singles, "floats")?,
            3 | 8 => field.whole(&mut ints, "ints")?,
            4 | 9 => texts.push(field.text("strings")?),
            5 => doubles = tensor(field.bytes("tensor")?)?,
            // A graph inside an attribute could do anything.
            6 | 10 | 11 => {
                return Err(ImportError::unsupported(
                    "a graph inside an operator",
                    "expected numbers and texts",
                ));
            }
            _ => {}
        }
    }
    if !ints.is_empty() {
        into.ints.insert(name, ints);
    }
    if !texts.is_empty() {
        into.texts.insert(name, texts);
    }
    if let Some(doubles) = doubles {
        let name = name.strip_suffix("_as_tensor").unwrap_or(name);
        into.numbers.insert(name, doubles);
    } else if !singles.is_empty() {
        into.numbers.insert(name, Numbers::Singles(singles));
    }
    Ok(())
}

/// Numbers of a tensor that lies in the file itself.
fn tensor(bytes: &[u8]) -> Result<Option<Numbers>, ImportError> {
    let mut message = Message::new(bytes, "a tensor");
    let (mut kind, mut singles, mut doubles, mut raw) = (0, Vec::new(), Vec::new(), None);
    while let Some(field) = message.next()? {
        match field.number {
            2 => kind = first_whole(&field),
            4 => field.singles(&mut singles, "float_data")?,
            9 => raw = Some(field.bytes("raw_data")?),
            10 => field.doubles(&mut doubles, "double_data")?,
            13 => return Err(outside()),
            14 if first_whole(&field) != 0 => return Err(outside()),
            _ => {}
        }
    }
    let bytes = raw.map(|bytes| Field {
        number: 0,
        value: Wire::Bytes(bytes),
    });
    Ok(match (kind, bytes) {
        (1, Some(field)) => {
            field.singles(&mut singles, "raw_data")?;
            Some(Numbers::Singles(singles))
        }
        (11, Some(field)) => {
            field.doubles(&mut doubles, "raw_data")?;
            Some(Numbers::Doubles(doubles))
        }
        (1, None) => Some(Numbers::Singles(singles)),
        (11, None) => Some(Numbers::Doubles(doubles)),
        _ => None,
    })
}

fn first_whole(field: &Field<'_>) -> u64 {
    match field.value {
        Wire::Varint(value) => value,
        _ => u64::MAX,
    }
}

fn outside() -> ImportError {
    ImportError::unsupported(
        "data outside of the file",
        "nothing is read but the file itself",
    )
}

/// Numbers beside the graph are not needed; they may not lie elsewhere either.
fn initializer(bytes: &[u8]) -> Result<(), ImportError> {
    tensor(bytes).map(|_| ())
}

/// Whether an input is of doubles; singles are compared as such.
fn input_is_double(bytes: &[u8]) -> Result<bool, ImportError> {
    let mut value = Message::new(bytes, "an input");
    while let Some(field) = value.next()? {
        if field.number != 2 {
            continue;
        }
        let mut kind = Message::new(field.bytes("type")?, "the type of an input");
        while let Some(field) = kind.next()? {
            if field.number != 1 {
                continue;
            }
            let mut tensor = Message::new(field.bytes("tensor type")?, "the type of an input");
            while let Some(field) = tensor.next()? {
                if field.number == 1 && first_whole(&field) == 11 {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Mode {
    AtMost,
    Below,
    Leaf,
}

/// The forest in the terms of its operator.
struct Forest<'a> {
    attributes: &'a Attributes<'a>,
    is_double: bool,
    modes: Vec<Mode>,
    /// Position of each node by tree and number.
    places: HashMap<(i64, i64), usize>,
    /// Weights of a leaf by its position: class and weight.
    weights: HashMap<usize, Vec<(usize, f64)>>,
    classes: usize,
    /// Whether one class alone has weights, and the other gets what is left.
    is_binary: bool,
}

impl<'a> Forest<'a> {
    fn of(attributes: &'a Attributes<'a>, is_double: bool) -> Result<Self, ImportError> {
        let ints = |name: &str| -> Result<&[i64], ImportError> {
            attributes
                .ints
                .get(name)
                .map(Vec::as_slice)
                .ok_or_else(|| ImportError::malformed(FOREST, format!("'{name}' is missing")))
        };
        let trees = ints("nodes_treeids")?;
        let numbers = ints("nodes_nodeids")?;
        let nodes = trees.len();
        let values = attributes
            .numbers
            .get("nodes_values")
            .ok_or_else(|| ImportError::malformed(FOREST, "'nodes_values' is missing"))?;
        let modes = attributes
            .texts
            .get("nodes_modes")
            .ok_or_else(|| ImportError::malformed(FOREST, "'nodes_modes' is missing"))?;
        let lengths = [
            numbers.len(),
            values.len(),
            modes.len(),
            ints("nodes_featureids")?.len(),
            ints("nodes_truenodeids")?.len(),
            ints("nodes_falsenodeids")?.len(),
        ];
        if nodes == 0 || nodes > MAX_NODES || lengths.iter().any(|length| *length != nodes) {
            return Err(ImportError::malformed(
                FOREST,
                "its arrays differ in length",
            ));
        }
        let modes = modes
            .iter()
            .map(|mode| match *mode {
                "BRANCH_LEQ" => Ok(Mode::AtMost),
                "BRANCH_LT" => Ok(Mode::Below),
                "LEAF" => Ok(Mode::Leaf),
                other => {
                    let shown: String = other.chars().take(40).collect();
                    Err(ImportError::unsupported(
                        format!("node mode '{shown}'"),
                        "expected BRANCH_LEQ, BRANCH_LT or LEAF",
                    ))
                }
            })
            .collect::<Result<_, _>>()?;
        let mut places = HashMap::with_capacity(nodes);
        for (at, key) in trees.iter().zip(numbers).enumerate() {
            if places.insert((*key.0, *key.1), at).is_some() {
                return Err(ImportError::malformed(
                    FOREST,
                    format!("node {} of tree {} stands twice", key.1, key.0),
                ));
            }
        }
        let labels = attributes
            .ints
            .get("classlabels_int64s")
            .map(Vec::len)
            .or_else(|| attributes.texts.get("classlabels_strings").map(Vec::len))
            .ok_or_else(|| ImportError::malformed(FOREST, "it names no classes"))?;
        if !(2..=256).contains(&labels) {
            return Err(ImportError::malformed(
                FOREST,
                format!("{labels} classes, expected 2 to 256"),
            ));
        }
        let mut forest = Self {
            attributes,
            is_double,
            modes,
            places,
            weights: HashMap::new(),
            classes: labels,
            is_binary: false,
        };
        forest.take_weights(
            ints("class_treeids")?,
            ints("class_nodeids")?,
            ints("class_ids")?,
        )?;
        Ok(forest)
    }

    fn take_weights(
        &mut self,
        trees: &[i64],
        nodes: &[i64],
        classes: &[i64],
    ) -> Result<(), ImportError> {
        let weights = self
            .attributes
            .numbers
            .get("class_weights")
            .ok_or_else(|| ImportError::malformed(FOREST, "'class_weights' is missing"))?;
        if trees.len() != nodes.len()
            || nodes.len() != classes.len()
            || classes.len() != weights.len()
        {
            return Err(ImportError::malformed(
                FOREST,
                "the arrays of its classes differ in length",
            ));
        }
        self.is_binary = self.classes == 2 && classes.windows(2).all(|pair| pair[0] == pair[1]);
        for (at, ((tree, node), class)) in trees.iter().zip(nodes).zip(classes).enumerate() {
            let place = self.places.get(&(*tree, *node)).copied();
            let place = place.filter(|place| self.modes[*place] == Mode::Leaf);
            let class = usize::try_from(*class)
                .ok()
                .filter(|class| *class < self.classes);
            let (Some(place), Some(class), Some(weight)) = (place, class, weights.get(at)) else {
                return Err(ImportError::malformed(
                    FOREST,
                    format!("weight {at} is of no leaf or no class"),
                ));
            };
            self.weights.entry(place).or_default().push((class, weight));
        }
        Ok(())
    }

    fn build(&self) -> Result<(Ensemble, Option<Vec<String>>), ImportError> {
        let transform = self
            .attributes
            .texts
            .get("post_transform")
            .and_then(|texts| texts.first())
            .copied()
            .unwrap_or("NONE");
        let (link, outputs) = match (transform, self.is_binary) {
            // Two classes share one output, as in our own models.
            ("NONE", _) if self.classes == 2 => (Link::Probability, 1),
            ("NONE", _) => (Link::Probability, self.classes),
            ("LOGISTIC", true) => (Link::Logistic, 1),
            ("SOFTMAX", false) => (Link::Softmax, self.classes),
            (other, _) => {
                return Err(ImportError::unsupported(
                    format!("post_transform '{other}' with {} classes", self.classes),
                    "expected NONE, LOGISTIC for two classes or SOFTMAX for more",
                ));
            }
        };
        let base = self.base(link, outputs)?;
        let features = self.attributes.ints.get("nodes_featureids");
        let width = features
            .into_iter()
            .flatten()
            .zip(&self.modes)
            .filter(|(_, mode)| **mode != Mode::Leaf)
            .map(|(feature, _)| *feature)
            .max()
            .unwrap_or(0);
        let width = usize::try_from(width)
            .ok()
            .and_then(|width| width.checked_add(1))
            .unwrap_or(usize::MAX);
        let mut builder = Builder::new(width, &[], base)?;
        for (tree, root, count) in self.roots()? {
            builder.tree(None, root, count, |place| self.node(tree, place, outputs))?;
        }
        let ensemble = Ensemble::from_arrays(&builder.finish(), link, Caps::default())?;
        let names = self.attributes.texts.get("classlabels_strings");
        let classes = names.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        Ok((ensemble, classes))
    }

    fn base(&self, link: Link, outputs: usize) -> Result<Vec<f64>, ImportError> {
        let given = self.attributes.numbers.get("base_values");
        let given: Vec<f64> = given
            .map(|values| (0..values.len()).filter_map(|at| values.get(at)).collect())
            .unwrap_or_default();
        if !given.iter().all(|value| value.is_finite()) {
            return Err(ImportError::malformed("base_values", "not all are finite"));
        }
        let wrong = || {
            ImportError::malformed(
                "base_values",
                format!("{} numbers for {outputs} outputs", given.len()),
            )
        };
        if self.is_binary {
            let one = match given.as_slice() {
                [] => 0.0,
                [one] | [_, one] => *one,
                _ => return Err(wrong()),
            };
            return Ok(vec![one]);
        }
        match given.len() {
            2 if link == Link::Probability && outputs == 1 => Ok(vec![given[1]]),
            0 => Ok(vec![0.0; outputs]),
            length if length == outputs => Ok(given),
            _ => Err(wrong()),
        }
    }

    /// The trees in the order of their numbers: number, place of the root, number of nodes.
    fn roots(&self) -> Result<Vec<(i64, usize, usize)>, ImportError> {
        let trees = &self.attributes.ints["nodes_treeids"];
        let mut counts: std::collections::BTreeMap<i64, (usize, usize)> =
            std::collections::BTreeMap::new();
        for (at, tree) in trees.iter().enumerate() {
            // The first node of a tree in the list is its root.
            counts.entry(*tree).or_insert((at, 0)).1 += 1;
        }
        if counts.len() > Caps::default().trees {
            return Err(ImportError::malformed(
                FOREST,
                "there are more trees than a model may have",
            ));
        }
        Ok(counts
            .into_iter()
            .map(|(tree, (root, count))| (tree, root, count))
            .collect())
    }

    fn node(&self, tree: i64, place: usize, outputs: usize) -> Result<ForeignNode, ImportError> {
        let bad = |reason: String| {
            ImportError::malformed(format!("tree {tree}, node at {place}"), reason)
        };
        let mode = self.modes[place];
        if mode == Mode::Leaf {
            let mut values = vec![0.0; outputs];
            for (class, weight) in self.weights.get(&place).into_iter().flatten() {
                match (self.is_binary, outputs, class) {
                    (true, ..) | (false, 1, 1) => values[0] += weight,
                    // The first class has what the second leaves.
                    (false, 1, _) => {}
                    (false, ..) => values[*class] += weight,
                }
            }
            return Ok(ForeignNode::Leaf { values, cover: 1.0 });
        }
        let ints = |name: &str| self.attributes.ints[name][place];
        let child = |number: i64| {
            self.places
                .get(&(tree, number))
                .copied()
                .ok_or_else(|| bad(format!("there is no node {number}")))
        };
        let (left, right) = (
            child(ints("nodes_truenodeids"))?,
            child(ints("nodes_falsenodeids"))?,
        );
        let feature = usize::try_from(ints("nodes_featureids"))
            .map_err(|_| bad("its feature is out of range".to_owned()))?;
        let threshold = match (
            &self.attributes.numbers["nodes_values"],
            self.is_double,
            mode,
        ) {
            (Numbers::Singles(values), false, Mode::AtMost) => at_most_single(values[place]),
            (Numbers::Singles(values), false, _) => below_single(values[place]),
            (values, _, Mode::AtMost) => values.get(place).unwrap_or(f64::NAN),
            (values, _, _) => values.get(place).unwrap_or(f64::NAN).next_down(),
        };
        if !threshold.is_finite() {
            return Err(bad(format!("the threshold is {threshold}")));
        }
        let tracks = self.attributes.ints.get("nodes_missing_value_tracks_true");
        Ok(ForeignNode::Number {
            feature,
            threshold,
            missing_left: tracks
                .and_then(|tracks| tracks.get(place))
                .is_some_and(|one| *one != 0),
            left,
            right,
            cover: 1.0,
        })
    }
}
