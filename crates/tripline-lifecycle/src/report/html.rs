//! A page without scripts that draws an evaluation.

use std::fmt::Write;

use crate::{ConfusionTable, Evaluation};

/// Side of a drawn curve, in pixels.
const SIDE: f64 = 260.0;
/// Room for axis labels, in pixels.
const MARGIN: f64 = 36.0;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;\
padding:0 1rem;color:#1b2430}table{border-collapse:collapse;margin:1rem 0}th,td{padding:.25rem .6rem;\
border:1px solid #d5dbe3;text-align:right;font-variant-numeric:tabular-nums}th{background:#f3f5f8}\
td:first-child,th:first-child{text-align:left}figure{display:inline-block;margin:1rem 1rem 0 0}\
figcaption{font-weight:600}svg text{font-size:11px;fill:#54606e}";

/// The evaluation as one HTML page, drawings included as SVG.
pub fn page(evaluation: &Evaluation) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = compose(evaluation, &mut out);
    out
}

fn compose(evaluation: &Evaluation, out: &mut String) -> std::fmt::Result {
    let name = escape(&evaluation.name);
    writeln!(
        out,
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{name}</title><style>{STYLE}</style>"
    )?;
    writeln!(
        out,
        "<h1>{name}</h1><p>{} labelled rows.</p>",
        evaluation.rows
    )?;
    if let Some(scores) = &evaluation.detector {
        writeln!(
            out,
            "<h2>Threat or not</h2><table><tr><th>accuracy<th>precision<th>recall<th>F1<th>false positive rate<th>ROC AUC<th>average precision<th>calibration error</tr>"
        )?;
        writeln!(
            out,
            "<tr><td>{:.4}<td>{:.4}<td>{:.4}<td>{:.4}<td>{:.4}<td>{:.4}<td>{:.4}<td>{:.4}</tr></table>",
            scores.accuracy,
            scores.precision,
            scores.recall,
            scores.f1,
            scores.false_positive_rate,
            scores.roc_auc,
            scores.average_precision,
            scores.expected_calibration_error
        )?;
        confusion(
            &ConfusionTable {
                classes: vec!["normal".to_owned(), "attack".to_owned()],
                matrix: vec![
                    vec![scores.true_negative, scores.false_positive],
                    vec![scores.false_negative, scores.true_positive],
                ],
            },
            out,
        )?;
        curve(
            "ROC",
            "false positive rate",
            "recall",
            &scores.roc,
            true,
            out,
        )?;
        curve(
            "Precision and recall",
            "recall",
            "precision",
            &scores.pr,
            false,
            out,
        )?;
        let calibration: Vec<(f64, f64)> = scores
            .calibration
            .iter()
            .map(|bin| (bin.mean_predicted, bin.observed))
            .collect();
        curve(
            "Calibration",
            "predicted probability",
            "observed share",
            &calibration,
            true,
            out,
        )?;
        writeln!(
            out,
            "<h3>By label</h3><table><tr><th>label<th>rows<th>called a threat<th>95 % interval</tr>"
        )?;
        for row in &evaluation.by_label {
            writeln!(
                out,
                "<tr><td>{}<td>{}<td>{:.3}<td>{:.3}–{:.3}</tr>",
                escape(&row.label),
                row.rows,
                row.called_threat as f64 / row.rows.max(1) as f64,
                row.interval.0,
                row.interval.1
            )?;
        }
        writeln!(out, "</table>")?;
    }
    if let Some(scores) = &evaluation.classifier {
        writeln!(
            out,
            "<h2>Which attack</h2><p>Accuracy {:.4}, macro F1 {:.4}, calibration error of the confidence {:.4}.</p>",
            scores.accuracy, scores.macro_f1, scores.expected_calibration_error
        )?;
        writeln!(
            out,
            "<table><tr><th>class<th>rows<th>precision<th>recall<th>95 % interval<th>F1</tr>"
        )?;
        for row in scores.per_class.iter().filter(|row| row.support > 0) {
            writeln!(
                out,
                "<tr><td>{}<td>{}<td>{:.4}<td>{:.4}<td>{:.3}–{:.3}<td>{:.4}</tr>",
                escape(&row.class),
                row.support,
                row.precision,
                row.recall,
                row.recall_interval.0,
                row.recall_interval.1,
                row.f1
            )?;
        }
        writeln!(out, "</table>")?;
        confusion(&scores.confusion, out)?;
    }
    Ok(())
}

fn confusion(table: &ConfusionTable, out: &mut String) -> std::fmt::Result {
    let used: Vec<usize> = (0..table.classes.len())
        .filter(|&class| {
            table.matrix[class].iter().sum::<u64>()
                + table.matrix.iter().map(|row| row[class]).sum::<u64>()
                > 0
        })
        .collect();
    write!(
        out,
        "<table><caption>Actual by row, predicted by column</caption><tr><th></th>"
    )?;
    for &class in &used {
        write!(out, "<th>{}", escape(&table.classes[class]))?;
    }
    writeln!(out, "</tr>")?;
    for &class in &used {
        let sum: u64 = table.matrix[class].iter().sum();
        write!(out, "<tr><th>{}", escape(&table.classes[class]))?;
        for &predicted in &used {
            let count = table.matrix[class][predicted];
            let share = if sum > 0 {
                count as f64 / sum as f64
            } else {
                0.0
            };
            let colour = if class == predicted {
                "40,130,90"
            } else {
                "200,60,50"
            };
            write!(
                out,
                "<td style=\"background:rgba({colour},{:.2})\">{count}",
                share * 0.6
            )?;
        }
        writeln!(out, "</tr>")?;
    }
    writeln!(out, "</table>")
}

fn curve(
    title: &str,
    x_label: &str,
    y_label: &str,
    points: &[(f64, f64)],
    with_diagonal: bool,
    out: &mut String,
) -> std::fmt::Result {
    let full = SIDE + 2.0 * MARGIN;
    let at = |x: f64, y: f64| (MARGIN + x * SIDE, MARGIN / 2.0 + (1.0 - y) * SIDE);
    writeln!(
        out,
        "<figure><figcaption>{title}</figcaption><svg width=\"{full}\" height=\"{full}\" role=\"img\" aria-label=\"{title}\">"
    )?;
    let (left, top) = at(0.0, 1.0);
    writeln!(
        out,
        "<rect x=\"{left}\" y=\"{top}\" width=\"{SIDE}\" height=\"{SIDE}\" fill=\"none\" stroke=\"#c3cbd6\"/>"
    )?;
    if with_diagonal {
        let ((x0, y0), (x1, y1)) = (at(0.0, 0.0), at(1.0, 1.0));
        writeln!(
            out,
            "<line x1=\"{x0}\" y1=\"{y0}\" x2=\"{x1}\" y2=\"{y1}\" stroke=\"#c3cbd6\" stroke-dasharray=\"4 4\"/>"
        )?;
    }
    write!(
        out,
        "<polyline fill=\"none\" stroke=\"#1f6feb\" stroke-width=\"2\" points=\""
    )?;
    for (x, y) in points {
        let (x, y) = at(*x, *y);
        write!(out, "{x:.1},{y:.1} ")?;
    }
    writeln!(out, "\"/>")?;
    for tick in [0.0, 0.5, 1.0] {
        let (x, y) = at(tick, 0.0);
        writeln!(
            out,
            "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{tick}</text>",
            y + 14.0
        )?;
        let (x, y) = at(0.0, tick);
        writeln!(
            out,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{tick}</text>",
            x - 5.0,
            y + 4.0
        )?;
    }
    let (x, y) = at(0.5, 0.0);
    writeln!(
        out,
        "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{x_label}</text>",
        y + 28.0
    )?;
    let (x, y) = at(0.0, 0.5);
    writeln!(
        out,
        "<text transform=\"translate({} {y}) rotate(-90)\" text-anchor=\"middle\">{y_label}</text>",
        x - 26.0
    )?;
    writeln!(out, "</svg></figure>")
}

/// Text that came with the data is shown as text.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
