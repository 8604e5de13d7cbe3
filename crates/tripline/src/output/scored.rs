use serde_json::Value;
use tripline_detect::{Pipeline, Verdict};

use super::{Cell, Column, Kind, ReasonText};

/// One judged row of a file, ready to be written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ScoredRow {
    /// Line of the file.
    pub(crate) line: u64,
    pub(crate) schema: &'static str,
    pub(crate) threat_probability: Option<f64>,
    pub(crate) is_threat: Option<bool>,
    pub(crate) threshold: Option<f64>,
    pub(crate) attack_class: Option<String>,
    pub(crate) attack_confidence: Option<f64>,
    pub(crate) attack_name: Option<String>,
    pub(crate) label: Option<String>,
    pub(crate) reasons: Vec<ReasonText>,
    pub(crate) detector: Option<String>,
    pub(crate) classifier: Option<String>,
}

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind }
}

impl ScoredRow {
    /// The columns, in order.
    pub(crate) const COLUMNS: &'static [Column] = &[
        column("line", Kind::Whole),
        column("schema", Kind::Text),
        column("threat_probability", Kind::Real),
        column("is_threat", Kind::Flag),
        column("threshold", Kind::Real),
        column("attack_class", Kind::Text),
        column("attack_confidence", Kind::Real),
        column("attack_name", Kind::Text),
        column("label", Kind::Text),
        column("reasons", Kind::Text),
        column("detector", Kind::Text),
        column("classifier", Kind::Text),
    ];

    /// Puts names to a verdict.
    pub(crate) fn new(
        pipeline: &Pipeline,
        verdict: &Verdict,
        values: &[f64],
        line: u64,
        label: Option<&str>,
    ) -> Self {
        let version = |model: &std::sync::Arc<tripline_detect::Model>| {
            format!("{}@{}", model.manifest().name, model.manifest().version)
        };
        let class = |model: Option<&std::sync::Arc<tripline_detect::Model>>, index: usize| {
            model.map(|model| model.manifest().classes[index].name.clone())
        };
        Self {
            line,
            schema: pipeline.schema().name(),
            threat_probability: verdict.threat.map(|threat| threat.probability),
            is_threat: verdict.threat.map(|threat| threat.is_threat),
            threshold: pipeline.detector().map(|model| model.threshold()),
            attack_class: verdict
                .attack
                .and_then(|attack| class(pipeline.classifier(), attack.class)),
            attack_confidence: verdict.attack.map(|attack| attack.confidence),
            attack_name: verdict
                .attack
                .and_then(|attack| attack.named)
                .and_then(|named| class(pipeline.namer(), named.class)),
            label: label.map(ToOwned::to_owned),
            reasons: ReasonText::of(pipeline, verdict, values),
            detector: pipeline.detector().map(version),
            classifier: verdict
                .attack
                .and_then(|_| pipeline.classifier().map(version)),
        }
    }

    /// The cells, in the order of [`COLUMNS`](Self::COLUMNS).
    pub(crate) fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            Cell::Whole(self.line as i64),
            Cell::text(self.schema),
            Cell::real(self.threat_probability),
            Cell::flag(self.is_threat),
            Cell::real(self.threshold),
            Cell::maybe(self.attack_class.as_deref()),
            Cell::real(self.attack_confidence),
            Cell::maybe(self.attack_name.as_deref()),
            Cell::maybe(self.label.as_deref()),
            Cell::Reasons(&self.reasons),
            Cell::maybe(self.detector.as_deref()),
            Cell::maybe(self.classifier.as_deref()),
        ]
    }

    /// The row as a JSON object.
    pub(crate) fn to_json(&self) -> Value {
        let names = Self::COLUMNS.iter().map(|column| column.name.to_owned());
        let cells = self.cells();
        names.zip(cells.iter().map(Cell::to_json)).collect()
    }
}
