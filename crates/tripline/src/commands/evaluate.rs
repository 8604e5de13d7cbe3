mod capture;

use std::{io::Write, process::ExitCode};

use anyhow::{Context, bail};
use tripline_features::{CsvLimits, label};
use tripline_lifecycle::{Case, Evaluation, class_of_label, report};

use super::{SOME_REJECTED, processors};
use crate::{cli::EvaluateArgs, data, ingest, model_files, registry::Serving};

pub(super) fn run(args: &EvaluateArgs) -> anyhow::Result<ExitCode> {
    if let Some(labels) = &args.labels {
        return capture::run(args, labels);
    }
    let models = Serving::plain(model_files::model_set(&args.models.models_dir)?);
    let place = || args.file.display().to_string();
    let opened =
        ingest::open(data::open(&args.file)?, CsvLimits::default(), &models).with_context(place)?;
    if opened.columns().label_column().is_none() {
        bail!(
            "{}: there is no label column, so there is nothing to compare with",
            args.file.display()
        );
    }
    let pipeline = opened.pipelines()[0].clone();
    let classes: Vec<String> = pipeline
        .classifier()
        .map(|model| {
            model
                .manifest()
                .classes
                .iter()
                .map(|class| class.name.clone())
                .collect()
        })
        .unwrap_or_default();
    let benign = pipeline.classifier().and_then(|model| {
        model
            .manifest()
            .classes
            .iter()
            .position(|class| class.benign)
    });
    let mut cases = Vec::new();
    let mut unlabelled = 0_u64;
    let summary = opened
        .judge(processors(), 0, |batch| {
            for (verdict, text) in batch.verdicts.iter().zip(&batch.rows.labels) {
                let known = text.as_ref().and_then(|text| {
                    label::is_benign(text.as_str()).map(|benign| (text.as_str(), benign))
                });
                let Some((text, is_benign)) = known else {
                    unlabelled += 1;
                    continue;
                };
                let class = ingest::class_given(verdict, benign);
                cases.push(Case {
                    label: text.to_owned(),
                    is_attack: !is_benign,
                    threat: verdict
                        .threat
                        .map(|threat| (threat.probability, threat.is_threat)),
                    actual_class: class_of_label(pipeline.schema(), text)
                        .and_then(|name| classes.iter().position(|class| class == name)),
                    class,
                });
            }
            Ok(())
        })
        .with_context(place)?;
    if cases.is_empty() {
        bail!(
            "{}: none of the {} rows has a label that is known",
            args.file.display(),
            summary.rows_scored
        );
    }
    let name = args
        .file
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let evaluation = Evaluation::of(&name, &cases, &classes);
    if let Some(path) = &args.html {
        std::fs::write(path, report::page(&evaluation))
            .with_context(|| path.display().to_string())?;
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&evaluation)?)?;
    } else {
        writeln!(out, "{}", report::evaluation_markdown(&evaluation))?;
    }
    let names: Vec<&str> = pipeline
        .models()
        .map(|model| model.manifest().name.as_str())
        .collect();
    writeln!(
        std::io::stderr(),
        "{} rows judged by {}; {} rejected, {unlabelled} without a known label",
        summary.rows_scored,
        names.join(" and "),
        summary.rows_rejected
    )?;
    Ok(if summary.rows_rejected > 0 {
        ExitCode::from(SOME_REJECTED)
    } else {
        ExitCode::SUCCESS
    })
}
