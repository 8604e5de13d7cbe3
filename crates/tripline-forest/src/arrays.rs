//! A model as flat arrays, and back.
//!
//! Arrays of unknown origin are checked before an [`Ensemble`] exists: child indices point
//! forward and inside their tree (so there is no cycle and every walk ends), each node has one
//! parent, features and categories are in range, and numbers are finite.

use crate::{CategorySet, ColumnKind, Ensemble, ForestError, Link, Node, Split, Tree};

/// Marks a leaf in [`EnsembleArrays::feature`].
pub const LEAF: i32 = -1;

/// Caps that hold for every model, whatever a file says.
#[derive(Debug, Clone, Copy)]
pub struct Caps {
    /// Trees.
    pub trees: usize,
    /// Nodes of all trees.
    pub nodes: usize,
    /// Questions on the longest way to a leaf.
    pub depth: usize,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            trees: 20_000,
            nodes: 20_000_000,
            depth: 512,
        }
    }
}

/// The numbers of an ensemble in the plainest form. Node arrays have one element per node, tree
/// by tree; `left` and `right` count from the tree's first node.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EnsembleArrays {
    /// Per column: 0 for a number, else the number of categories.
    pub cardinality: Vec<u16>,
    /// What is added to the trees' sum, per output.
    pub base: Vec<f64>,
    /// Number of nodes of each tree.
    pub tree_nodes: Vec<u32>,
    /// The output each tree adds to, or −1 when its leaves have a value per output.
    pub tree_output: Vec<i32>,
    /// Per node the feature asked, or [`LEAF`].
    pub feature: Vec<i32>,
    /// Per node the threshold (0 at leaves and category splits).
    pub threshold: Vec<f64>,
    /// Per node the index of its category set, or −1.
    pub category_set: Vec<i32>,
    /// Per node 1 when a missing value goes left.
    pub missing_left: Vec<u8>,
    /// Per node the left child.
    pub left: Vec<u32>,
    /// Per node the right child.
    pub right: Vec<u32>,
    /// Per node the training weight that reached it.
    pub cover: Vec<f64>,
    /// Category sets, four words each.
    pub category_words: Vec<u64>,
    /// Leaf values in node order: one per leaf, or one per leaf and output.
    pub leaf_values: Vec<f64>,
    /// Share of the split gain per column.
    pub importances: Vec<f64>,
}

impl Ensemble {
    /// Takes the ensemble apart.
    pub fn to_arrays(&self) -> EnsembleArrays {
        let mut arrays = EnsembleArrays {
            cardinality: self
                .kinds
                .iter()
                .map(|kind| match kind {
                    ColumnKind::Number => 0,
                    ColumnKind::Category { cardinality } => *cardinality,
                })
                .collect(),
            base: self.base.clone(),
            importances: self.importances.clone(),
            ..EnsembleArrays::default()
        };
        for tree in &self.trees {
            arrays.tree_nodes.push(tree.nodes.len() as u32);
            arrays.tree_output.push(tree.output.map_or(-1, i32::from));
            for node in &tree.nodes {
                arrays.push_node(node, tree, self.outputs());
            }
        }
        arrays
    }

    /// Builds an ensemble after checking that the arrays describe one.
    pub fn from_arrays(
        arrays: &EnsembleArrays,
        link: Link,
        caps: Caps,
    ) -> Result<Self, ForestError> {
        let kinds = arrays.kinds()?;
        arrays.check_lengths(caps)?;
        let mut reader = Reader {
            arrays,
            node: 0,
            value: 0,
            caps,
        };
        let mut trees = Vec::with_capacity(arrays.tree_nodes.len());
        for index in 0..arrays.tree_nodes.len() {
            trees.push(reader.tree(index)?);
        }
        if reader.value != arrays.leaf_values.len() {
            return Err(ForestError::Shape {
                what: "leaf values",
                expected: reader.value,
                found: arrays.leaf_values.len(),
            });
        }
        if link == Link::Logistic && arrays.base.len() != 1 {
            return Err(ForestError::Shape {
                what: "outputs of a logistic model",
                expected: 1,
                found: arrays.base.len(),
            });
        }
        Ok(Self {
            kinds,
            base: arrays.base.clone(),
            link,
            trees,
            importances: arrays.importances.clone(),
        })
    }
}

impl EnsembleArrays {
    fn push_node(&mut self, node: &Node, tree: &Tree, outputs: usize) {
        self.cover.push(node.cover());
        match node {
            Node::Leaf { value, .. } => {
                self.feature.push(LEAF);
                self.threshold.push(0.0);
                self.category_set.push(-1);
                self.missing_left.push(0);
                self.left.push(0);
                self.right.push(0);
                let start = *value as usize;
                let width = if tree.output.is_some() { 1 } else { outputs };
                self.leaf_values
                    .extend_from_slice(&tree.values[start..start + width]);
            }
            Node::Inner {
                feature,
                split,
                missing_left,
                left,
                right,
                ..
            } => {
                self.feature.push(i32::from(*feature));
                self.missing_left.push(u8::from(*missing_left));
                self.left.push(*left);
                self.right.push(*right);
                match split {
                    Split::Threshold(threshold) => {
                        self.threshold.push(*threshold);
                        self.category_set.push(-1);
                    }
                    Split::Categories(set) => {
                        self.threshold.push(0.0);
                        self.category_set
                            .push((self.category_words.len() / 4) as i32);
                        self.category_words.extend_from_slice(&set.0);
                    }
                }
            }
        }
    }

    fn kinds(&self) -> Result<Vec<ColumnKind>, ForestError> {
        if self.cardinality.is_empty() || self.cardinality.len() >= usize::from(u16::MAX) {
            return Err(ForestError::value(
                "columns",
                self.cardinality.len(),
                "1 to 65534",
            ));
        }
        self.cardinality
            .iter()
            .map(|&cardinality| match cardinality {
                0 => Ok(ColumnKind::Number),
                1..=ColumnKind::MAX_CATEGORIES => Ok(ColumnKind::Category { cardinality }),
                _ => Err(ForestError::value(
                    "category cardinality",
                    cardinality,
                    "1 to 255",
                )),
            })
            .collect()
    }

    fn check_lengths(&self, caps: Caps) -> Result<(), ForestError> {
        if self.base.is_empty() || self.base.len() > 1024 {
            return Err(ForestError::value("outputs", self.base.len(), "1 to 1024"));
        }
        let trees = self.tree_nodes.len();
        if trees == 0 || trees > caps.trees {
            return Err(ForestError::value("trees", trees, "1 to the cap on trees"));
        }
        if self.feature.len() > caps.nodes {
            return Err(ForestError::value(
                "nodes",
                self.feature.len(),
                "at most the cap on nodes",
            ));
        }
        let nodes = self
            .tree_nodes
            .iter()
            .map(|&nodes| nodes as usize)
            .sum::<usize>();
        let lengths = [
            ("tree outputs", trees, self.tree_output.len()),
            ("node features", nodes, self.feature.len()),
            ("node thresholds", nodes, self.threshold.len()),
            ("node category sets", nodes, self.category_set.len()),
            ("node missing directions", nodes, self.missing_left.len()),
            ("left children", nodes, self.left.len()),
            ("right children", nodes, self.right.len()),
            ("node covers", nodes, self.cover.len()),
            (
                "importances",
                self.cardinality.len(),
                self.importances.len(),
            ),
            (
                "category words",
                self.category_words.len() / 4 * 4,
                self.category_words.len(),
            ),
        ];
        for (what, expected, found) in lengths {
            if expected != found {
                return Err(ForestError::Shape {
                    what,
                    expected,
                    found,
                });
            }
        }
        for (what, values) in [
            ("a base margin", &self.base),
            ("a threshold", &self.threshold),
            ("a leaf value", &self.leaf_values),
            ("a node cover", &self.cover),
            ("an importance", &self.importances),
        ] {
            if let Some(bad) = values.iter().find(|value| !value.is_finite()) {
                return Err(ForestError::value(what, bad, "finite"));
            }
        }
        Ok(())
    }
}

struct Reader<'a> {
    arrays: &'a EnsembleArrays,
    node: usize,
    value: usize,
    caps: Caps,
}

impl Reader<'_> {
    fn tree(&mut self, tree: usize) -> Result<Tree, ForestError> {
        let arrays = self.arrays;
        let count = arrays.tree_nodes[tree] as usize;
        let refuse = |node: usize, reason| Err(ForestError::Structure { tree, node, reason });
        if count == 0 {
            return refuse(0, "a tree needs at least one node");
        }
        let output = match arrays.tree_output[tree] {
            -1 => None,
            own if own >= 0 && (own as usize) < arrays.base.len() => Some(own as u16),
            _ => return refuse(0, "the tree's output is out of range"),
        };
        let width = if output.is_some() {
            1
        } else {
            arrays.base.len()
        };
        let mut nodes = Vec::with_capacity(count);
        let mut values = Vec::new();
        let mut depths: Vec<Option<usize>> = vec![None; count];
        depths[0] = Some(0);
        for local in 0..count {
            let at = self.node + local;
            let Some(depth) = depths[local] else {
                return refuse(local, "no branch leads to the node");
            };
            if depth > self.caps.depth {
                return refuse(local, "the tree is deeper than the cap");
            }
            let cover = arrays.cover[at];
            if cover < 0.0 {
                return refuse(local, "the cover is negative");
            }
            if arrays.feature[at] == LEAF {
                let Some(leaf) = arrays.leaf_values.get(self.value..self.value + width) else {
                    return refuse(local, "the leaf has no value");
                };
                nodes.push(Node::Leaf {
                    value: values.len() as u32,
                    cover,
                });
                values.extend_from_slice(leaf);
                self.value += width;
                continue;
            }
            for child in [arrays.left[at], arrays.right[at]] {
                let child = child as usize;
                if child <= local || child >= count {
                    return refuse(local, "a child does not point forward inside the tree");
                }
                if depths[child].is_some() {
                    return refuse(local, "a child has two parents");
                }
                depths[child] = Some(depth + 1);
            }
            nodes.push(match self.inner(at, cover) {
                Ok(node) => node,
                Err(reason) => return refuse(local, reason),
            });
        }
        self.node += count;
        Ok(Tree {
            nodes,
            values,
            output,
        })
    }

    fn inner(&self, at: usize, cover: f64) -> Result<Node, &'static str> {
        let arrays = self.arrays;
        let feature = usize::try_from(arrays.feature[at])
            .ok()
            .filter(|feature| *feature < arrays.cardinality.len())
            .ok_or("the feature is out of range")?;
        let categorical = arrays.cardinality[feature] > 0;
        let split = match (arrays.category_set[at], categorical) {
            (-1, false) => Split::Threshold(arrays.threshold[at]),
            (set, true) if set >= 0 => {
                let start = set as usize * 4;
                let words = arrays
                    .category_words
                    .get(start..start + 4)
                    .ok_or("the category set is out of range")?;
                Split::Categories(CategorySet([words[0], words[1], words[2], words[3]]))
            }
            _ => return Err("the split does not fit the kind of its column"),
        };
        let missing_left = match arrays.missing_left[at] {
            0 => false,
            1 => true,
            _ => return Err("the missing direction is neither 0 nor 1"),
        };
        Ok(Node::Inner {
            feature: feature as u16,
            split,
            missing_left,
            left: arrays.left[at],
            right: arrays.right[at],
            cover,
        })
    }
}
