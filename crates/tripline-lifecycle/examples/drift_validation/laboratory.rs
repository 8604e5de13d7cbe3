//! A detector, the rows it was trained on, and rows of the same kind that it has never seen.

use std::{fs::File, sync::Arc};

use tripline_detect::Model;
use tripline_features::{CsvLimits, CsvRows, FeatureKind, RowBatch, label};
use tripline_lifecycle::{
    LabelledRows,
    drift::{Baseline, DriftPolicy, DriftReport, Window},
    judge_alone,
    performance::{Estimate, EstimatePolicy, Estimated, Measured, Rolling},
    recipe::{
        DetectorRecipe,
        shipped::{self, Shipped},
    },
    split::grouped_folds,
    train::{Provenance, train_detector},
};

/// Seed of everything that is drawn.
pub(crate) const SEED: u64 = 20_260_101;
/// Parts of KDDTrain+: three to train on, one for the peers' reference, one that windows are drawn from.
const PARTS: usize = 5;

pub(crate) struct Laboratory {
    pub(crate) train: LabelledRows,
    /// Rows that peers calibrate on. Tripline does not use them.
    pub(crate) reference: LabelledRows,
    pub(crate) field: LabelledRows,
    pub(crate) judge: Judge,
    deviations: Vec<f64>,
}

/// A model with what it was trained on.
#[derive(Clone)]
pub(crate) struct Judge {
    pub(crate) model: Arc<Model>,
    pub(crate) baseline: Baseline,
    pub(crate) bytes: Vec<u8>,
}

/// The probability and the decision of each row.
pub(crate) type Said = Vec<(f64, bool)>;

/// What is found out about a window.
pub(crate) struct Seen {
    pub(crate) drift: DriftReport,
    pub(crate) estimate: Estimate,
    /// With its labels.
    pub(crate) measured: Measured,
}

impl Seen {
    /// The estimate less the truth; `None` where nothing is said.
    pub(crate) fn error(&self, policy: &EstimatePolicy) -> Option<f64> {
        match self.estimate.estimate(&self.drift, policy) {
            Estimated::Known { f1, .. } => Some(f1 - self.measured.f1.unwrap_or_default()),
            Estimated::Unknown { .. } => None,
        }
    }
}

pub(crate) fn read(folder: &str, name: &str) -> LabelledRows {
    let path = format!("{folder}/nsl-kdd/{name}");
    let file = File::open(path).expect("TRIPLINE_DATA names the folder of the public data sets");
    let decoder = zstd::Decoder::new(file).unwrap();
    read_rows(decoder)
}

pub(crate) fn read_rows(text: impl std::io::Read) -> LabelledRows {
    let mut reader = CsvRows::new(text, CsvLimits::default()).unwrap();
    let mut rows = LabelledRows::new(reader.columns().schema());
    let mut batch = RowBatch::new();
    while reader.read_batch(4096, &mut batch).unwrap() > 0 {
        assert!(batch.rejections.is_empty(), "{:?}", batch.rejections);
        for (values, label) in batch.rows().zip(&batch.labels) {
            rows.push(values, label.as_ref().map_or("", |label| label.as_str()));
        }
    }
    rows
}

pub(crate) fn is_attack(label: &str) -> bool {
    label::is_benign(label) == Some(false)
}

/// Whether a report names these features.
pub(crate) fn names_all(drift: &DriftReport, features: &[&str]) -> bool {
    features
        .iter()
        .all(|feature| drift.drifted.iter().any(|name| name == feature))
}

/// The recipe of the detector that ships.
pub(crate) fn recipe() -> DetectorRecipe {
    shipped::nsl_kdd()
        .into_iter()
        .find_map(|shipped| match shipped {
            Shipped::Detector(recipe) if recipe.name == "nsl-kdd-detector-full" => Some(recipe),
            _ => None,
        })
        .unwrap()
}

impl Judge {
    pub(crate) fn train(rows: &LabelledRows) -> Self {
        Self::train_by(&recipe(), rows)
    }

    pub(crate) fn train_by(recipe: &DetectorRecipe, rows: &LabelledRows) -> Self {
        let provenance = Provenance {
            command: "drift_validation".to_owned(),
            code_version: "0".to_owned(),
            data: Vec::new(),
        };
        let mut trained = train_detector(rows, recipe, &provenance).unwrap();
        Self::from_bytes(trained.bundle.encode().unwrap())
    }

    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Self {
        let model = Arc::new(Model::from_bytes(&bytes).unwrap());
        Self {
            baseline: Baseline::of(&model),
            model,
            bytes,
        }
    }

    pub(crate) fn say(&self, rows: &LabelledRows) -> Said {
        let verdicts = judge_alone(&self.model, rows).unwrap();
        verdicts
            .iter()
            .map(|verdict| {
                let threat = verdict.threat.unwrap();
                (threat.probability, threat.is_threat)
            })
            .collect()
    }

    /// Judges a window and looks at it, without its labels and with them.
    pub(crate) fn look(&self, rows: &LabelledRows) -> Seen {
        self.look_at(rows, &self.say(rows))
    }

    /// The same where the answers are known.
    pub(crate) fn look_at(&self, rows: &LabelledRows, said: &[(f64, bool)]) -> Seen {
        let drift = self.drift(rows, said);
        let (mut estimate, mut rolling) = (Estimate::default(), Rolling::default());
        for (row, (probability, is_threat)) in said.iter().enumerate() {
            estimate.observe(*probability, *is_threat);
            let truth = is_attack(rows.label(row));
            rolling.observe(*probability, *is_threat, truth, row as i64);
        }
        Seen {
            measured: rolling.measure(),
            drift,
            estimate,
        }
    }

    pub(crate) fn drift(&self, rows: &LabelledRows, said: &[(f64, bool)]) -> DriftReport {
        let mut window = Window::new(&self.baseline);
        for (row, (probability, _)) in said.iter().enumerate() {
            let micros = row as i64;
            window.observe(&self.baseline, rows.row(row), Some(*probability), micros);
        }
        window.report(&self.baseline, &DriftPolicy::default())
    }
}

impl Laboratory {
    pub(crate) fn new(rows: &LabelledRows) -> Self {
        let columns: Vec<usize> = (0..rows.schema().len()).collect();
        let groups = rows.groups(&columns);
        let labels: Vec<&str> = (0..rows.len()).map(|row| rows.label(row)).collect();
        let part = grouped_folds(&groups, &labels, PARTS, SEED);
        let select = |wanted: &dyn Fn(usize) -> bool| {
            let chosen: Vec<usize> = (0..rows.len()).filter(|row| wanted(part[*row])).collect();
            rows.select(&chosen)
        };
        let train = select(&|part| part < 3);
        Self {
            reference: select(&|part| part == 3),
            field: select(&|part| part == 4),
            judge: Judge::train(&train),
            deviations: deviations(&train),
            train,
        }
    }

    /// A detector that has never seen an attack of this type.
    pub(crate) fn judge_without(&self, label: &str) -> Judge {
        let others: Vec<usize> = (0..self.train.len())
            .filter(|row| self.train.label(*row) != label)
            .collect();
        Judge::train(&self.train.select(&others))
    }

    pub(crate) fn column(&self, feature: &str) -> usize {
        self.train.schema().index_of(feature).unwrap()
    }

    /// The standard deviation of a column in training.
    pub(crate) fn deviation(&self, column: usize) -> f64 {
        self.deviations[column]
    }

    /// The first service that no row of the training data has.
    pub(crate) fn unseen_service(&self) -> f64 {
        let baselines = &self.judge.model.manifest().baseline;
        let services = baselines
            .iter()
            .find(|baseline| baseline.feature == "service")
            .unwrap();
        let unseen = services.counts.iter().position(|count| *count == 0);
        unseen.expect("a service that training does not have") as f64
    }

    /// A value as the reader would let it in: inside the bounds, whole where only whole numbers are.
    pub(crate) fn allowed(&self, column: usize, value: f64) -> f64 {
        let feature = &self.train.schema().features()[column];
        let value = value.clamp(feature.bounds.min, feature.bounds.max);
        match feature.kind {
            FeatureKind::Real | FeatureKind::Rate => value,
            _ => value.round(),
        }
    }
}

fn deviations(rows: &LabelledRows) -> Vec<f64> {
    let length = rows.len() as f64;
    (0..rows.schema().len())
        .map(|column| {
            let values = || (0..rows.len()).map(|row| rows.row(row)[column]);
            let mean = values().sum::<f64>() / length;
            (values().map(|value| (value - mean).powi(2)).sum::<f64>() / length).sqrt()
        })
        .collect()
}
