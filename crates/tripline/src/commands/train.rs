use std::{collections::BTreeMap, fs, io::Write, path::Path, process::ExitCode};

use anyhow::{Context, bail};
use tripline_detect::Model;
use tripline_lifecycle::{
    Evaluation, Report,
    recipe::shipped::Shipped,
    train::{Provenance, Trained, train_classifier, train_detector},
};

use super::progress;
use crate::{
    cli::TrainArgs,
    data,
    model_files::{EXTENSION, write_whole},
    training_data::{self, DataSet},
};

pub(super) fn run(args: &TrainArgs) -> anyhow::Result<ExitCode> {
    let folder = data::data_folder(args.data.clone()).context(
        "the public data sets are not there: set TRIPLINE_DATA to the folder that holds nsl-kdd/ and cicids2017/",
    )?;
    fs::create_dir_all(&args.output)?;
    let mut trained: BTreeMap<String, Report> = BTreeMap::new();
    for (recipes, read) in training_data::all() {
        let wanted: Vec<&Shipped> = recipes
            .iter()
            .filter(|recipe| args.all || args.model.iter().any(|name| name == recipe.name()))
            .collect();
        if wanted.is_empty() {
            continue;
        }
        let set = read(&folder, args.open_sealed)?;
        for recipe in wanted {
            let report = train_one(recipe, &set, args)?;
            trained.insert(recipe.name().to_owned(), report);
        }
    }
    if let Some(unknown) = args.model.iter().find(|name| !trained.contains_key(*name)) {
        let known: Vec<String> = training_data::all()
            .iter()
            .flat_map(|(recipes, _)| recipes)
            .map(|recipe| recipe.name().to_owned())
            .collect();
        bail!(
            "no shipped model is called '{unknown}'; there are: {}",
            known.join(", ")
        );
    }
    if args.all {
        write_overview(&args.output, &trained, args.open_sealed)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn train_one(recipe: &Shipped, set: &DataSet, args: &TrainArgs) -> anyhow::Result<Report> {
    let bar = progress(None, "training");
    bar.set_message(format!("training {}", recipe.name()));
    let provenance = Provenance {
        command: if args.open_sealed {
            "tripline train --all --final"
        } else {
            "tripline train --all"
        }
        .to_owned(),
        code_version: env!("CARGO_PKG_VERSION").to_owned(),
        data: set.digests.clone(),
    };
    let Trained {
        mut bundle,
        mut report,
    } = match recipe {
        Shipped::Detector(recipe) => train_detector(&set.train, recipe, &provenance)?,
        Shipped::Classifier(recipe) => train_classifier(&set.train, recipe, &provenance)?,
    };
    let bytes = bundle.encode()?;
    let model = std::sync::Arc::new(Model::from_bytes(&bytes)?);
    if args.open_sealed {
        for (name, rows) in &set.sealed {
            if let Some(evaluation) = Evaluation::of_model(name, &model, rows)? {
                report.add_test(evaluation);
            }
        }
    }
    let base = args.output.join(recipe.name());
    write_whole(&base.with_extension(EXTENSION), &bytes)?;
    write_whole(
        &base.with_extension("report.json"),
        &serde_json::to_vec_pretty(&report)?,
    )?;
    write_whole(
        &base.with_extension("report.md"),
        report.to_markdown().as_bytes(),
    )?;
    bar.finish_and_clear();
    writeln!(std::io::stdout(), "{}", headline(&report))?;
    Ok(report)
}

fn headline(report: &Report) -> String {
    let mut text = format!("{} {}", report.model, report.version);
    if let Some(figures) = &report.training {
        text += &format!(
            ": held-out training rows F1 {:.3}, FPR {:.3}, AUC {:.3}, ECE {:.3}",
            figures.f1,
            figures.false_positive_rate,
            figures.roc_auc,
            figures.expected_calibration_error
        );
    }
    if let Some(scores) = report
        .cross_validation
        .as_ref()
        .and_then(|e| e.classifier.as_ref())
    {
        let error = report.calibration_errors.map_or(0.0, |errors| errors.0);
        text += &format!(
            ": held-out training rows accuracy {:.4}, macro F1 {:.3} ({:.3} over classes with 100 rows), ECE {error:.3}",
            scores.accuracy, scores.macro_f1, scores.macro_f1_100
        );
    }
    for evaluation in &report.test {
        if let Some(scores) = &evaluation.detector {
            text += &format!(
                "; {}: accuracy {:.4}, F1 {:.4}, FPR {:.4}, AUC {:.4}",
                evaluation.name,
                scores.accuracy,
                scores.f1,
                scores.false_positive_rate,
                scores.roc_auc
            );
        }
        if let Some(scores) = &evaluation.classifier {
            text += &format!(
                "; {}: accuracy {:.4}, macro F1 {:.3} ({:.3} over classes with 100 rows)",
                evaluation.name, scores.accuracy, scores.macro_f1, scores.macro_f1_100
            );
        }
    }
    text
}

/// What the page over all models says below its table.
const OVERVIEW_NOTES: &str = "
## Which model is used for which rows

`*.tripline` files are model bundles: flat arrays of numbers with a manifest, never code. \
`nsl-kdd-*` models judge rows of the NSL-KDD schema, `cicflow-*` models flows of the corrected \
CICFlowMeter, without addresses, ports or time. Of the models whose features a row has, the one \
of the highest priority is used: a detector first, then a classifier for what it calls a threat, \
then a namer inside the class. `full` models use all features, `live` models those that can be \
observed on live traffic, `ten-v1` to `ten-v3` the origin system's lists of ten features, \
`origin-columns` the columns of its attack files. `origin-v1` to `origin-v3` and `origin-tree` \
are its own recipes, kept for comparison.

`packets` models judge the flows that Tripline itself measures, before all others there; `conn` and \
`eve` models judge what Zeek and Suricata record. These are trained on generated traffic beside the \
public data, so that their figures on held-out rows are those of a harder and more varied mixture; \
`docs/captures.md` has what they do on real captures. Their figures on the sealed rows say little: \
those rows are not measured as theirs are.

`tripline bundle show FILE` prints a manifest: features, classes, threshold and how it was \
chosen, calibration, seed, training command, and the SHA-256 digests of the data. \
`NAME.report.md` and `NAME.report.json` hold the figures of each model.
";

/// One page over all models.
fn write_overview(
    folder: &Path,
    reports: &BTreeMap<String, Report>,
    opened_sealed: bool,
) -> anyhow::Result<()> {
    let made = if opened_sealed {
        "Made by `tripline train --all --final` from the public data sets (`TRIPLINE_DATA`); the \
         sealed sets were opened by that command alone."
    } else {
        "Made by `tripline train --all` from the public data sets (`TRIPLINE_DATA`); the sealed \
         sets were not opened."
    };
    let mut text = format!(
        "# Models that ship\n\n{made} Each model has a report beside it.\n\n\
         | model | role | features | held-out training rows | sealed test rows |\n| --- | --- | --- | --- | --- |\n",
    );
    for (name, report) in reports {
        let training = report.training.as_ref().map_or_else(
            || {
                report
                    .cross_validation
                    .as_ref()
                    .and_then(|e| e.classifier.as_ref())
                    .map_or_else(String::new, |s| {
                        format!("accuracy {:.4}, macro F1 {:.3}", s.accuracy, s.macro_f1)
                    })
            },
            |f| {
                format!(
                    "F1 {:.3}, FPR {:.3}, AUC {:.3}, ECE {:.3}",
                    f.f1, f.false_positive_rate, f.roc_auc, f.expected_calibration_error
                )
            },
        );
        let test: Vec<String> = report
            .test
            .iter()
            .map(|e| match (&e.detector, &e.classifier) {
                (Some(s), _) => format!(
                    "{}: accuracy {:.3}, F1 {:.3}, FPR {:.3}, AUC {:.3}",
                    e.name, s.accuracy, s.f1, s.false_positive_rate, s.roc_auc
                ),
                (None, Some(s)) => format!(
                    "{}: accuracy {:.4}, macro F1 {:.3} ({:.3} over classes with 100 rows)",
                    e.name, s.accuracy, s.macro_f1, s.macro_f1_100
                ),
                (None, None) => String::new(),
            })
            .collect();
        text += &format!(
            "| [{name}]({name}.report.md) | {} | {} | {training} | {} |\n",
            report.role.as_str(),
            report.features.len(),
            test.join("<br>")
        );
    }
    text += OVERVIEW_NOTES;
    write_whole(&folder.join("README.md"), text.as_bytes())
}
