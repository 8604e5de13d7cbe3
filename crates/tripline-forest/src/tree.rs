/// A set of category codes `0..256`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CategorySet(pub [u64; 4]);

impl CategorySet {
    /// Adds a code.
    pub fn insert(&mut self, code: u8) {
        self.0[usize::from(code >> 6)] |= 1 << (code & 63);
    }

    /// Whether the code is in the set.
    pub fn contains(&self, code: u8) -> bool {
        self.0[usize::from(code >> 6)] >> (code & 63) & 1 == 1
    }
}

/// The question that an inner node asks of one feature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Split {
    /// Left when `value <= threshold`.
    Threshold(f64),
    /// Left when the category is in the set.
    Categories(CategorySet),
}

/// One node of a [`Tree`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Node {
    /// An inner node.
    Inner {
        /// Index of the feature that is asked.
        feature: u16,
        /// The question.
        split: Split,
        /// Where a missing (or, for categories, unknown) value goes.
        missing_left: bool,
        /// Index of the left child.
        left: u32,
        /// Index of the right child.
        right: u32,
        /// Training weight that reached the node.
        cover: f64,
    },
    /// A leaf.
    Leaf {
        /// Index of the first of the leaf's values in [`Tree::values`].
        value: u32,
        /// Training weight that reached the leaf.
        cover: f64,
    },
}

impl Node {
    /// Training weight that reached the node.
    pub fn cover(&self) -> f64 {
        match self {
            Self::Inner { cover, .. } | Self::Leaf { cover, .. } => *cover,
        }
    }
}

/// One binary tree. Node 0 is the root; children always have larger indices than their parent,
/// which is what makes a cycle impossible.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    pub(crate) nodes: Vec<Node>,
    pub(crate) values: Vec<f64>,
    /// The one output this tree adds to, or `None` when each leaf has a value per output.
    pub(crate) output: Option<u16>,
}

impl Tree {
    /// The nodes, root first.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Leaf values: one per leaf, or one per leaf and output.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The output this tree adds to, or `None` when it adds to each.
    pub fn output(&self) -> Option<u16> {
        self.output
    }

    /// Number of leaves.
    pub fn leaves(&self) -> usize {
        self.nodes
            .iter()
            .filter(|node| matches!(node, Node::Leaf { .. }))
            .count()
    }

    /// Number of questions on the longest way from the root to a leaf.
    pub fn depth(&self) -> usize {
        let mut depths = vec![0_usize; self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            if let Node::Inner { left, right, .. } = node {
                depths[*left as usize] = depths[index] + 1;
                depths[*right as usize] = depths[index] + 1;
            }
        }
        depths.into_iter().max().unwrap_or(0)
    }

    /// Index in [`Tree::values`] of the leaf that `row` falls into.
    pub(crate) fn leaf(&self, row: &[f64]) -> usize {
        let mut index = 0_usize;
        loop {
            match &self.nodes[index] {
                Node::Leaf { value, .. } => return *value as usize,
                Node::Inner {
                    feature,
                    split,
                    missing_left,
                    left,
                    right,
                    ..
                } => {
                    let goes_left = goes_left(split, *missing_left, row[usize::from(*feature)]);
                    index = if goes_left { *left } else { *right } as usize;
                }
            }
        }
    }

    /// The value a leaf (given by [`Tree::leaf`]) adds to one output.
    pub(crate) fn value_for(&self, leaf: usize, output: usize) -> f64 {
        match self.output {
            None => self.values[leaf + output],
            Some(own) if usize::from(own) == output => self.values[leaf],
            Some(_) => 0.0,
        }
    }

    pub(crate) fn scale(&mut self, factor: f64) {
        for value in &mut self.values {
            *value *= factor;
        }
    }
}

/// Whether `value` takes the left branch of a split.
pub(crate) fn goes_left(split: &Split, missing_left: bool, value: f64) -> bool {
    match split {
        Split::Threshold(threshold) => {
            if value.is_nan() {
                missing_left
            } else {
                value <= *threshold
            }
        }
        Split::Categories(set) => {
            // A NaN fails both comparisons, so it takes the way of the unknown category.
            if (0.0..256.0).contains(&value) {
                set.contains(value as u8)
            } else {
                missing_left
            }
        }
    }
}
