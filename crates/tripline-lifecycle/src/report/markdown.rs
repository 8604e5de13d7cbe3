use std::fmt::Write;

use super::Report;
use crate::{ConfusionTable, Evaluation};

pub(super) fn write(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = compose(report, &mut text);
    text
}

fn compose(report: &Report, out: &mut String) -> std::fmt::Result {
    writeln!(out, "# {}\n\n{}\n", report.model, report.description)?;
    writeln!(out, "| | |\n| --- | --- |")?;
    writeln!(out, "| version | `{}` |", report.version)?;
    writeln!(out, "| role | {} |", report.role.as_str())?;
    writeln!(out, "| schema | {} |", report.schema)?;
    writeln!(out, "| made by | `{}` |", report.command)?;
    for file in &report.data {
        writeln!(
            out,
            "| data | {} ({} rows), SHA-256 `{}` |",
            file.name, file.rows, file.sha256
        )?;
    }
    writeln!(
        out,
        "| trained on | {} rows, {} features |",
        report.rows.train,
        report.features.len()
    )?;
    let size = &report.size;
    writeln!(
        out,
        "| size | {} trees, {} leaves, depth {}, {:.0} KiB |",
        size.trees,
        size.leaves,
        size.depth,
        size.bytes as f64 / 1024.0
    )?;
    if let Some(threshold) = &report.threshold {
        writeln!(
            out,
            "| threshold | {:.4}: {} |",
            threshold.value, threshold.method
        )?;
    }
    for evaluation in &report.test {
        write_evaluation(evaluation, out)?;
    }
    if let Some(figures) = &report.training {
        writeln!(
            out,
            "\n## Held-out training rows\n\nMeasured on {}.\n",
            figures.what
        )?;
        writeln!(
            out,
            "| accuracy | F1 | recall | false positive rate | ROC AUC | calibration error ({}) |",
            figures.calibration_method
        )?;
        writeln!(out, "| --- | --- | --- | --- | --- | --- |")?;
        writeln!(
            out,
            "| {:.4} | {:.4} | {:.4} | {:.4} | {:.4} | {:.4} |",
            figures.accuracy,
            figures.f1,
            figures.recall,
            figures.false_positive_rate,
            figures.roc_auc,
            figures.expected_calibration_error
        )?;
        if !figures.types.is_empty() {
            writeln!(out, "\n### Attack types the model never saw\n")?;
            writeln!(
                out,
                "| left out | rows | called a threat | 95 % interval | ROC AUC |\n| --- | --- | --- | --- | --- |"
            )?;
            for held in &figures.types {
                writeln!(
                    out,
                    "| {} | {} | {:.3} | {:.3}–{:.3} | {:.3} |",
                    held.label,
                    held.rows,
                    held.recall,
                    held.recall_interval.0,
                    held.recall_interval.1,
                    held.roc_auc
                )?;
            }
        }
    }
    if let Some(evaluation) = &report.cross_validation {
        write_evaluation(evaluation, out)?;
    }
    if let Some((all, attacks)) = report.calibration_errors {
        writeln!(
            out,
            "\nExpected calibration error of the confidence on held-out rows: {all:.4}."
        )?;
        if let Some(attacks) = attacks {
            writeln!(
                out,
                "Among attacks alone, once a detector has called them threats: {attacks:.4}."
            )?;
        }
    }
    if !report.calibration.is_empty() {
        writeln!(out, "\n## Calibration curve (held-out training rows)\n")?;
        writeln!(
            out,
            "| mean predicted | observed | rows |\n| --- | --- | --- |"
        )?;
        for bin in &report.calibration {
            writeln!(
                out,
                "| {:.3} | {:.3} | {:.0} |",
                bin.mean_predicted, bin.observed, bin.rows
            )?;
        }
    }
    writeln!(
        out,
        "\n## What it looks at\n\n| feature | share of the split gain |\n| --- | --- |"
    )?;
    for importance in report
        .importances
        .iter()
        .filter(|i| i.importance > 0.0)
        .take(20)
    {
        writeln!(
            out,
            "| `{}` | {:.4} |",
            importance.feature, importance.importance
        )?;
    }
    writeln!(out, "\n## What it is bad at\n")?;
    if report.weaknesses.is_empty() {
        writeln!(out, "Nothing measured here stands out.")?;
    }
    for weakness in &report.weaknesses {
        writeln!(out, "- {weakness}")?;
    }
    Ok(())
}

pub(super) fn write_evaluation(evaluation: &Evaluation, out: &mut String) -> std::fmt::Result {
    writeln!(out, "\n## {} ({} rows)", evaluation.name, evaluation.rows)?;
    if let Some(scores) = &evaluation.detector {
        writeln!(
            out,
            "\n| accuracy | precision | recall | F1 | false positive rate | ROC AUC | average precision | calibration error |"
        )?;
        writeln!(out, "| --- | --- | --- | --- | --- | --- | --- | --- |")?;
        writeln!(
            out,
            "| {:.4} | {:.4} | {:.4} | {:.4} | {:.4} | {:.4} | {:.4} | {:.4} |",
            scores.accuracy,
            scores.precision,
            scores.recall,
            scores.f1,
            scores.false_positive_rate,
            scores.roc_auc,
            scores.average_precision,
            scores.expected_calibration_error
        )?;
        let table = ConfusionTable {
            classes: vec!["normal".to_owned(), "attack".to_owned()],
            matrix: vec![
                vec![scores.true_negative, scores.false_positive],
                vec![scores.false_negative, scores.true_positive],
            ],
        };
        write_confusion(&table, out)?;
        writeln!(
            out,
            "\n| label | rows | called a threat | 95 % interval |\n| --- | --- | --- | --- |"
        )?;
        for row in &evaluation.by_label {
            writeln!(
                out,
                "| {} | {} | {:.3} | {:.3}–{:.3} |",
                row.label,
                row.rows,
                row.called_threat as f64 / row.rows.max(1) as f64,
                row.interval.0,
                row.interval.1
            )?;
        }
    }
    if let Some(scores) = &evaluation.classifier {
        writeln!(
            out,
            "\n| accuracy | macro F1 | macro F1 of classes with 100 rows | calibration error |\n| --- | --- | --- | --- |"
        )?;
        writeln!(
            out,
            "| {:.4} | {:.4} | {:.4} | {:.4} |",
            scores.accuracy,
            scores.macro_f1,
            scores.macro_f1_100,
            scores.expected_calibration_error
        )?;
        writeln!(
            out,
            "\n| class | rows | precision | recall | 95 % interval | F1 |\n| --- | --- | --- | --- | --- | --- |"
        )?;
        for row in scores.per_class.iter().filter(|row| row.support > 0) {
            writeln!(
                out,
                "| {} | {} | {:.4} | {:.4} | {:.3}–{:.3} | {:.4} |",
                row.class,
                row.support,
                row.precision,
                row.recall,
                row.recall_interval.0,
                row.recall_interval.1,
                row.f1
            )?;
        }
        write_confusion(&scores.confusion, out)?;
    }
    Ok(())
}

fn write_confusion(table: &ConfusionTable, out: &mut String) -> std::fmt::Result {
    // Classes that neither occur nor are predicted would only widen the table.
    let used: Vec<usize> = (0..table.classes.len())
        .filter(|&class| {
            table.matrix[class].iter().sum::<u64>()
                + table.matrix.iter().map(|row| row[class]).sum::<u64>()
                > 0
        })
        .collect();
    write!(out, "\n| actual \\ predicted |")?;
    for &class in &used {
        write!(out, " {} |", table.classes[class])?;
    }
    write!(out, "\n| --- |")?;
    for _ in &used {
        write!(out, " --- |")?;
    }
    writeln!(out)?;
    for &class in &used {
        write!(out, "| **{}** |", table.classes[class])?;
        for &predicted in &used {
            write!(out, " {} |", table.matrix[class][predicted])?;
        }
        writeln!(out)?;
    }
    Ok(())
}
