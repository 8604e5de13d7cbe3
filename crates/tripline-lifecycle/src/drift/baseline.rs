use tripline_detect::{FeatureBaseline, Model};
use tripline_features::FeatureKind;

/// What a model's rows were like in training, as its bundle tells.
#[derive(Debug, Clone)]
pub struct Baseline {
    pub(super) columns: Vec<Column>,
    /// Rows per twentieth of the probability; empty when the bundle does not tell.
    pub(super) scores: Vec<u64>,
}

#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) distribution: FeatureBaseline,
    pub(super) is_category: bool,
    /// Position in a row of the schema.
    pub(super) index: usize,
}

impl Baseline {
    /// That of a model.
    pub fn of(model: &Model) -> Self {
        let schema = model.schema();
        let columns = model
            .manifest()
            .baseline
            .iter()
            .filter_map(|distribution| {
                let index = schema.index_of(&distribution.feature)?;
                let kind = &schema.features()[index].kind;
                Some(Column {
                    is_category: matches!(kind, FeatureKind::Category(_)),
                    distribution: distribution.clone(),
                    index,
                })
            })
            .collect();
        Self {
            columns,
            scores: model
                .manifest()
                .scores
                .as_ref()
                .map(|scores| scores.counts.clone())
                .unwrap_or_default(),
        }
    }

    /// Names of the features, in the order of reports.
    pub fn features(&self) -> impl Iterator<Item = &str> {
        self.columns
            .iter()
            .map(|column| column.distribution.feature.as_str())
    }

    /// The bin of a value; `None` when it is missing.
    pub(super) fn bin(column: &Column, value: f64) -> Option<usize> {
        (!value.is_nan()).then(|| {
            let edges = &column.distribution.edges;
            edges.partition_point(|edge| *edge < value)
        })
    }
}
