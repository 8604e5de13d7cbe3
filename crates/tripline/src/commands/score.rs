use std::{
    fs::File,
    io::{Read, Write as _},
    path::Path,
    process::ExitCode,
    time::Instant,
};

use anyhow::Context;
use serde_json::json;
use tripline_features::CsvLimits;

use super::{SOME_REJECTED, processors, progress};
use crate::{
    cli::ScoreArgs,
    data, ingest, model_files,
    output::{self, ScoredRow, Target},
    registry::Serving,
};

/// Rejections that are shown.
const SHOWN: usize = 20;

pub(super) fn run(args: &ScoreArgs) -> anyhow::Result<ExitCode> {
    let models = Serving::plain(model_files::model_set(&args.models.models_dir)?);
    let target = Target::new(args.output.as_deref());
    let format = target.format(args.format)?;
    let input = open_input(&args.file)?;
    let started = Instant::now();
    let opened = ingest::open(input, CsvLimits::default(), &models)
        .with_context(|| args.file.display().to_string())?;
    let pipeline = opened.pipelines()[0].clone();
    let ignored = opened.columns().ignored_columns().to_vec();
    let width = pipeline.schema().len();
    let mut writer = output::writer(format, ScoredRow::COLUMNS, target.open()?)?;
    let mut rejections = ingest::Rejections::new(SHOWN);
    let mut threats = 0_u64;
    let summary = opened
        .judge(processors(), args.reasons, |batch| {
            rejections.extend(&batch.rows.rejections);
            for (index, verdict) in batch.verdicts.iter().enumerate() {
                threats += u64::from(verdict.is_threat());
                if args.threats_only && !verdict.is_threat() {
                    continue;
                }
                let values = &batch.rows.values[index * width..(index + 1) * width];
                let label = batch.rows.labels[index]
                    .as_ref()
                    .map(tripline_features::LabelText::as_str);
                let line = batch.rows.lines[index];
                let row = ScoredRow::new(&pipeline, verdict, values, line, label);
                writer.write(&row.cells())?;
            }
            Ok(())
        })
        .with_context(|| args.file.display().to_string())?;
    writer.finish()?;
    target.finish()?;
    let seconds = started.elapsed().as_secs_f64();
    let mut err = std::io::stderr().lock();
    if args.json {
        let report = json!({
            "rows_read": summary.rows_read, "rows_scored": summary.rows_scored,
            "rows_rejected": summary.rows_rejected, "threats": threats, "seconds": seconds,
            "schema": pipeline.schema().name(),
            "models": pipeline.models().map(|model| json!({
                "role": model.role(), "name": model.manifest().name, "version": model.manifest().version,
            })).collect::<Vec<_>>(),
            "ignored_columns": ignored, "notes": summary.notes, "rejections": rejections.kept(),
        });
        writeln!(err, "{report}")?;
    } else {
        for rejection in rejections.kept() {
            let column = rejection
                .column
                .as_ref()
                .map(|name| format!(", column '{name}'"))
                .unwrap_or_default();
            writeln!(
                err,
                "rejected: line {}{column}: {}",
                rejection.line, rejection.reason
            )?;
        }
        if summary.rows_rejected > SHOWN as u64 {
            writeln!(
                err,
                "rejected: {} more",
                summary.rows_rejected - SHOWN as u64
            )?;
        }
        for note in &summary.notes {
            writeln!(err, "note: {note}")?;
        }
        if !ignored.is_empty() {
            writeln!(
                err,
                "note: columns that no model reads: {}",
                ignored.join(", ")
            )?;
        }
        let names: Vec<&str> = pipeline
            .models()
            .map(|model| model.manifest().name.as_str())
            .collect();
        writeln!(
            err,
            "{} rows in {seconds:.2} s: {} judged by {}, {threats} threats, {} rejected",
            summary.rows_read,
            summary.rows_scored,
            names.join(" and "),
            summary.rows_rejected
        )?;
    }
    Ok(if summary.rows_rejected > 0 {
        ExitCode::from(SOME_REJECTED)
    } else {
        ExitCode::SUCCESS
    })
}

/// The file with a progress bar over its bytes, or standard input.
fn open_input(path: &Path) -> anyhow::Result<Box<dyn Read + Send>> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::stdin()));
    }
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let bar = progress(Some(file.metadata()?.len()), "judging");
    let file = bar.wrap_read(file);
    data::decompressed(path, file)
}
