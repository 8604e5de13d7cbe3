//! The data that the shipped models are trained on, by the recipes that train them.

use std::path::Path;

use tripline_detect::DataDigest;
use tripline_lifecycle::{
    LabelledRows,
    recipe::shipped::{self, Shipped},
    split,
};

use crate::{data, generated};

/// Parts of the cicflow data, of which one in this many is sealed.
const CICFLOW_PARTS: usize = 10;
/// How many of them are sealed.
const CICFLOW_SEALED: usize = 3;
/// Seed of that split.
const SPLIT_SEED: u64 = 2017;

/// Rows to train on, and rows that only the final evaluation may see.
pub(crate) struct DataSet {
    pub(crate) digests: Vec<DataDigest>,
    pub(crate) train: LabelledRows,
    pub(crate) sealed: Vec<(&'static str, LabelledRows)>,
}

/// Reads a data set from the folder of the public data; the sealed rows only when they are wanted.
pub(crate) type Read = fn(&Path, bool) -> anyhow::Result<DataSet>;

/// All recipes, by the data they are trained on.
pub(crate) fn all() -> [(Vec<Shipped>, Read); 4] {
    [
        (shipped::nsl_kdd(), read_nsl_kdd),
        (shipped::nsl_kdd_packets(), read_nsl_kdd_packets),
        (shipped::cicflow(), read_cicflow),
        (shipped::cicflow_packets(), read_cicflow_packets),
    ]
}

/// The recipe of a model by its name, and how its data are read.
pub(crate) fn of_model(name: &str) -> Option<(Shipped, Read)> {
    all().into_iter().find_map(|(recipes, read)| {
        let recipe = recipes.into_iter().find(|recipe| recipe.name() == name)?;
        Some((recipe, read))
    })
}

fn read_nsl_kdd(folder: &Path, open_sealed: bool) -> anyhow::Result<DataSet> {
    let (train, digest) = data::read_labelled(&folder.join(data::NSL_TRAIN))?;
    let mut sealed = Vec::new();
    if open_sealed {
        for (name, file) in [
            ("KDDTest+", data::NSL_TEST),
            ("KDDTest-21", data::NSL_TEST_21),
        ] {
            sealed.push((name, data::read_labelled(&folder.join(file))?.0));
        }
    }
    Ok(DataSet {
        digests: vec![digest],
        train,
        sealed,
    })
}

fn read_cicflow(folder: &Path, open_sealed: bool) -> anyhow::Result<DataSet> {
    let (rows, digest) = data::read_labelled(&folder.join(data::CICIDS))?;
    let columns: Vec<usize> = (0..rows.schema().len())
        .filter(|index| rows.schema().features()[*index].model_input)
        .collect();
    let labels: Vec<&str> = (0..rows.len()).map(|row| rows.label(row)).collect();
    let parts = split::grouped_folds(&rows.groups(&columns), &labels, CICFLOW_PARTS, SPLIT_SEED);
    let (held, train): (Vec<usize>, Vec<usize>) =
        (0..rows.len()).partition(|row| parts[*row] < CICFLOW_SEALED);
    let sealed = if open_sealed {
        vec![(
            "the held-out 30 % of CICIDS2017 (corrected)",
            rows.select(&held),
        )]
    } else {
        Vec::new()
    };
    Ok(DataSet {
        digests: vec![digest],
        train: rows.select(&train),
        sealed,
    })
}

/// Generated networks to train on beside the public data. Their number was fixed before any
/// capture was looked at with the models.
const GENERATED: generated::Recipe = generated::Recipe {
    seed: 3_000,
    networks: 24,
    benign_rows: 1_200,
    attack_rows: 15,
};

fn read_nsl_kdd_packets(folder: &Path, open_sealed: bool) -> anyhow::Result<DataSet> {
    with_generated(read_nsl_kdd(folder, open_sealed)?)
}

fn read_cicflow_packets(folder: &Path, open_sealed: bool) -> anyhow::Result<DataSet> {
    with_generated(read_cicflow(folder, open_sealed)?)
}

fn with_generated(mut set: DataSet) -> anyhow::Result<DataSet> {
    let rows = generated::rows(set.train.schema(), GENERATED)?;
    set.digests.push(DataDigest {
        name: GENERATED.to_string(),
        sha256: generated::digest(&rows),
        rows: rows.len() as u64,
    });
    for row in 0..rows.len() {
        set.train.push(rows.row(row), rows.label(row));
    }
    Ok(set)
}
