//! What a reading policy did to the values, for the people who sent them.

use crate::schema::FeatureSchema;

/// Counts of policy applications per feature.
#[derive(Debug, Clone, Default)]
pub struct Notes {
    schema: Option<&'static FeatureSchema>,
    /// For each feature; empty while there is nothing to count, as for most rows.
    counts: Vec<[u64; KINDS]>,
    repaired_labels: u64,
    remarks: Vec<String>,
}

/// One thing that the policy does to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoteKind {
    Infinite,
    NotANumber,
    Empty,
    Undefined,
    Overflow,
    Misordered,
    Zero,
    ForeignName,
    RareState,
}

const KINDS: usize = 9;

const TEXTS: [(NoteKind, &str); KINDS] = [
    (NoteKind::Infinite, "infinite: read as missing"),
    (NoteKind::NotANumber, "NaN: read as missing"),
    (NoteKind::Empty, "empty: read as missing"),
    (
        NoteKind::Undefined,
        "negative, which stands for undefined: read as missing",
    ),
    (
        NoteKind::Overflow,
        "negative (overflow in the tool that wrote the file): read as missing",
    ),
    (
        NoteKind::Misordered,
        "negative (packets out of order): read as missing",
    ),
    (
        NoteKind::Zero,
        "-1, which stands for no TCP window: read as 0",
    ),
    (
        NoteKind::ForeignName,
        "a name outside NSL-KDD that related data sets use: read as missing",
    ),
    (
        NoteKind::RareState,
        "RSTRH or SHR, which NSL-KDD does not have: read as OTH",
    ),
];

impl Notes {
    /// One sentence per feature and policy that was applied, and the remarks about the file.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = self.remarks.clone();
        if let Some(schema) = self.schema {
            for (feature, counts) in schema.features().iter().zip(&self.counts) {
                for (kind, text) in TEXTS {
                    let count = counts[kind as usize];
                    if count > 0 {
                        lines.push(format!(
                            "{} of {:?} {} {text}",
                            plural(count, "value"),
                            feature.name,
                            verb(count)
                        ));
                    }
                }
            }
        }
        if self.repaired_labels > 0 {
            lines.push(format!(
                "{} had a damaged dash: repaired",
                plural(self.repaired_labels, "label")
            ));
        }
        lines
    }

    /// Adds what was done to other values of the same schema; notes of another schema are left
    /// alone and `false` is returned.
    pub fn merge(&mut self, other: &Self) -> bool {
        let same = match (self.schema, other.schema) {
            (Some(one), Some(another)) => one.name() == another.name(),
            (one, another) => one.is_none() && another.is_none(),
        };
        if same {
            if !other.counts.is_empty() {
                self.make_counts();
            }
            for (counts, more) in self.counts.iter_mut().zip(&other.counts) {
                for (count, more) in counts.iter_mut().zip(more) {
                    *count += more;
                }
            }
            self.repaired_labels += other.repaired_labels;
            for remark in &other.remarks {
                if !self.remarks.contains(remark) {
                    self.remarks.push(remark.clone());
                }
            }
        }
        same
    }

    /// True if no policy was applied and there is no remark.
    pub fn is_empty(&self) -> bool {
        self.remarks.is_empty()
            && self.repaired_labels == 0
            && self.counts.iter().flatten().all(|count| *count == 0)
    }

    pub(crate) fn for_schema(schema: &'static FeatureSchema) -> Self {
        Self {
            schema: Some(schema),
            ..Self::default()
        }
    }

    fn make_counts(&mut self) {
        let features = self.schema.map_or(0, FeatureSchema::len);
        self.counts.resize(features, [0; KINDS]);
    }

    pub(crate) fn remark(&mut self, remark: String) {
        self.remarks.push(remark);
    }

    pub(crate) fn count(&mut self, feature: usize, kind: NoteKind) {
        self.make_counts();
        self.counts[feature][kind as usize] += 1;
    }

    pub(crate) fn count_repaired_label(&mut self) {
        self.repaired_labels += 1;
    }
}

/// Policy applications of one row, counted only if the row is accepted.
pub(crate) type RowNotes = Vec<(usize, NoteKind)>;

fn plural(count: u64, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}

fn verb(count: u64) -> &'static str {
    if count == 1 { "was" } else { "were" }
}
