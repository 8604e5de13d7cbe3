//! From the names in a header line to the features of a schema.

use crate::error::FeatureError;
use crate::schema::{ColumnRole, FeatureSchema, column_key, nsl_kdd, schemas};

/// Fewer recognised columns than this say nothing about what a file is.
const LEAST_FEATURES: usize = 3;

/// What each column of a file is.
#[derive(Debug, Clone)]
pub struct ColumnMap {
    schema: &'static FeatureSchema,
    names: Vec<String>,
    plan: Vec<ColumnUse>,
    present: Vec<bool>,
    ignored: Vec<String>,
    identity: Vec<String>,
    duplicates: Vec<String>,
    label: Option<usize>,
    remarks: Vec<String>,
}

/// What a reader does with a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnUse {
    Feature(usize),
    Label,
    Skip,
}

/// The schema that covers the most of these columns.
///
/// At least three features must be there, and they must make up half of the file's columns or
/// half of the schema: two stray names prove nothing.
pub fn match_schema<S: AsRef<str>>(header: &[S]) -> Result<&'static FeatureSchema, FeatureError> {
    let mut coverages = schemas().map(|schema| Coverage::of(schema, header));
    // A stable sort, so that a tie always names the same schema.
    coverages.sort_by_key(|coverage| std::cmp::Reverse(coverage.matched));
    let [best, second] = coverages;
    let convincing = best.matched >= LEAST_FEATURES
        && best.matched > second.matched
        && (best.matched >= best.unknown.len() || best.matched * 2 >= best.schema.len());
    if convincing {
        return Ok(best.schema);
    }
    if header.iter().all(|name| name.as_ref().trim().is_empty()) {
        return Err(FeatureError::NoColumns);
    }
    Err(best.into_error())
}

impl ColumnMap {
    /// Assigns the columns of a header line.
    pub fn from_header<S: AsRef<str>>(header: &[S]) -> Result<Self, FeatureError> {
        Ok(Self::for_schema(match_schema(header)?, header))
    }

    /// Assigns the columns of a file of NSL-KDD rows without a header line.
    ///
    /// 41 columns are the features, 42 have the label too, 43 the difficulty as well.
    pub fn for_headerless_nsl_kdd(field_count: usize) -> Result<Self, FeatureError> {
        let schema = nsl_kdd();
        let names = schema.features().iter().map(|feature| feature.name);
        let header: Vec<&str> = names.chain(["label", "difficulty"]).collect();
        if !(schema.len()..=header.len()).contains(&field_count) {
            return Err(FeatureError::NoSchema {
                nearest: schema.name(),
                matched: 0,
                missing: Vec::new(),
                unknown: vec![format!(
                    "{field_count} columns without names (NSL-KDD has 41 to 43)"
                )],
            });
        }
        Ok(Self::for_schema(schema, &header[..field_count]))
    }

    pub(crate) fn for_schema<S: AsRef<str>>(schema: &'static FeatureSchema, header: &[S]) -> Self {
        let mut map = Self {
            schema,
            names: Vec::with_capacity(header.len()),
            plan: Vec::with_capacity(header.len()),
            present: vec![false; schema.len()],
            ignored: Vec::new(),
            identity: Vec::new(),
            duplicates: Vec::new(),
            label: None,
            remarks: Vec::new(),
        };
        for (position, name) in header.iter().enumerate() {
            let name = name.as_ref().trim().to_owned();
            let column_use = map.assign(position, &name);
            map.plan.push(column_use);
            map.names.push(name);
        }
        map.add_remarks();
        map
    }

    fn assign(&mut self, position: usize, name: &str) -> ColumnUse {
        match self.schema.role_of(name) {
            Some(ColumnRole::Feature(index)) if !self.present[index] => {
                self.present[index] = true;
                ColumnUse::Feature(index)
            }
            Some(ColumnRole::Label) if self.label.is_none() => {
                self.label = Some(position);
                ColumnUse::Label
            }
            Some(ColumnRole::Identity) => {
                self.identity.push(name.to_owned());
                ColumnUse::Skip
            }
            Some(_) => {
                self.duplicates.push(name.to_owned());
                ColumnUse::Skip
            }
            None => {
                self.ignored.push(name.to_owned());
                ColumnUse::Skip
            }
        }
    }

    fn add_remarks(&mut self) {
        for name in &self.duplicates {
            let remark = if column_key(name).starts_with("fwdheaderlength") {
                format!("column {name:?} occurs twice: the second is a copy and is not used")
            } else {
                format!("column {name:?} repeats an earlier column: the first one is used")
            };
            self.remarks.push(remark);
        }
        if self.names.iter().any(|name| name == "tot_fwd_pkts") {
            self.remarks.push(
                "the column names are those of the Python cicflowmeter, which measures time in \
                 seconds and whole frames: its values do not mean what the models learned"
                    .to_owned(),
            );
        }
    }

    /// The schema of the file.
    pub fn schema(&self) -> &'static FeatureSchema {
        self.schema
    }

    /// Per feature of the schema: whether the file has it.
    pub fn present(&self) -> &[bool] {
        &self.present
    }

    /// Column names as in the file, trimmed.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Columns that the schema does not know.
    pub fn ignored_columns(&self) -> &[String] {
        &self.ignored
    }

    /// Columns that say who or when: recognised and never used.
    pub fn identity_columns(&self) -> &[String] {
        &self.identity
    }

    /// Columns that repeat an earlier one.
    pub fn duplicate_columns(&self) -> &[String] {
        &self.duplicates
    }

    /// Position of the label column.
    pub fn label_column(&self) -> Option<usize> {
        self.label
    }

    pub(crate) fn plan(&self) -> &[ColumnUse] {
        &self.plan
    }

    pub(crate) fn remarks(&self) -> &[String] {
        &self.remarks
    }
}

struct Coverage {
    schema: &'static FeatureSchema,
    matched: usize,
    missing: Vec<String>,
    unknown: Vec<String>,
}

impl Coverage {
    fn of<S: AsRef<str>>(schema: &'static FeatureSchema, header: &[S]) -> Self {
        let mut found = vec![false; schema.len()];
        let mut unknown = Vec::new();
        for name in header {
            match schema.role_of(name.as_ref()) {
                Some(ColumnRole::Feature(index)) => found[index] = true,
                Some(_) => {}
                None => unknown.push(name.as_ref().trim().to_owned()),
            }
        }
        let missing: Vec<String> = schema
            .features()
            .iter()
            .zip(&found)
            .filter(|(_, found)| !**found)
            .map(|(feature, _)| feature.name.to_owned())
            .collect();
        Self {
            schema,
            matched: schema.len() - missing.len(),
            missing,
            unknown,
        }
    }

    fn into_error(self) -> FeatureError {
        FeatureError::NoSchema {
            nearest: self.schema.name(),
            matched: self.matched,
            missing: self.missing,
            unknown: self.unknown,
        }
    }
}

#[cfg(test)]
mod tests;
