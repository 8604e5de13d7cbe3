use std::{io::Write, process::ExitCode};

use anyhow::{Context, bail};
use serde_json::json;
use tripline_detect::{Explanation, Scorer};
use tripline_features::{CsvLimits, CsvRows, FeatureValue, RowBatch};

use crate::{cli::ExplainArgs, data, model_files, output::ScoredRow};

/// Contributions shown per stage.
const SHOWN: usize = 15;

pub(super) fn run(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let models = model_files::model_set(&args.models.models_dir)?;
    let place = || args.file.display().to_string();
    let mut reader =
        CsvRows::new(data::open(&args.file)?, CsvLimits::default()).with_context(place)?;
    let schema = reader.columns().schema();
    let pipeline = models
        .pipeline_for(schema, reader.columns().present())
        .with_context(place)?;
    let mut batch = RowBatch::new();
    let mut row = 0;
    while reader.read_batch(1, &mut batch).with_context(place)? > 0 || !batch.rejections.is_empty()
    {
        row += (batch.len() + batch.rejections.len()) as u64;
        if row < args.row {
            continue;
        }
        if let Some(rejection) = batch.rejections.first() {
            bail!(
                "{}: line {}: {}",
                args.file.display(),
                rejection.line,
                rejection.reason
            );
        }
        break;
    }
    if batch.is_empty() {
        bail!("{}: there is no row {}", args.file.display(), args.row);
    }
    let values = batch.row(0);
    let verdict = Scorer::new(pipeline.clone(), usize::MAX).judge(values);
    let class = verdict
        .attack
        .map(|attack| (attack.class, attack.confidence));
    let explanation = Explanation::of(&pipeline, values, class);
    let label = batch.labels[0]
        .as_ref()
        .map(tripline_features::LabelText::as_str);
    let scored = ScoredRow::new(&pipeline, &verdict, values, batch.lines[0], label);
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(
            out,
            "{}",
            serde_json::to_string_pretty(&json!({
                "verdict": scored.to_json(), "stages": explanation.stages,
            }))?
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "{}", sentence(&scored))?;
    for stage in &explanation.stages {
        writeln!(
            out,
            "\n{} {} ({}, for '{}')\n  {:>10.4}  base value",
            stage.model, stage.model_version, stage.output, stage.class, stage.base_value
        )?;
        for item in stage.contributions.iter().take(SHOWN) {
            let value = match item.value {
                FeatureValue::Number(number) => number.to_string(),
                FeatureValue::Name(name) => name.to_owned(),
                FeatureValue::Missing => "missing".to_owned(),
            };
            writeln!(
                out,
                "  {:>+10.4}  {} = {value}",
                item.contribution, item.feature
            )?;
        }
        let rest = stage.contributions.get(SHOWN..).unwrap_or_default();
        if !rest.is_empty() {
            let sum: f64 = rest.iter().map(|item| item.contribution).sum();
            writeln!(out, "  {sum:>+10.4}  {} more features", rest.len())?;
        }
        writeln!(
            out,
            "  {:>10.4}  margin, probability {:.4}",
            stage.margin, stage.probability
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

fn sentence(row: &ScoredRow) -> String {
    let mut text = match (row.is_threat, row.threat_probability, row.threshold) {
        (Some(is_threat), Some(probability), Some(threshold)) => format!(
            "{}: probability {probability:.4}, threshold {threshold:.4}",
            if is_threat { "Threat" } else { "No threat" }
        ),
        _ => "No detector fits these columns".to_owned(),
    };
    if let (Some(class), Some(confidence)) = (&row.attack_class, row.attack_confidence) {
        text += &format!("; class {class}, confidence {confidence:.4}");
    }
    if let Some(name) = &row.attack_name {
        text += &format!(", named {name}");
    }
    if let Some(label) = &row.label {
        text += &format!("; the file says {label}");
    }
    text
}
