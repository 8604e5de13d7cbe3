//! Two models on the same labelled rows.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use tripline_lifecycle::Comparison;

use super::server::{Server, text};
use crate::{cli::CompareArgs, data, model_files};

pub(super) fn run(args: &CompareArgs) -> anyhow::Result<ExitCode> {
    let answer = match &args.data {
        Some(data) => of_files(args, data)?,
        None => of_server(args)?,
    };
    let mut out = std::io::stdout().lock();
    if args.server.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&answer)?)?;
    } else {
        write_comparison(&answer, args.show, &mut out)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What a server says of two of its models.
fn of_server(args: &CompareArgs) -> anyhow::Result<Value> {
    let server = Server::at(&args.server)?;
    let (a, b) = (server.id(&args.a)?, server.id(&args.b)?);
    let mut request = server.request(Method::GET, &["models", &a, "compare", &b]);
    if let Some(on) = &args.on {
        request = request.query(&[("data", on)]);
    }
    server.ask(request)
}

/// Two bundles on a file, in the shape in which a server says it.
fn of_files(args: &CompareArgs, path: &Path) -> anyhow::Result<Value> {
    let a = model_files::read(&PathBuf::from(&args.a))?.model;
    let b = model_files::read(&PathBuf::from(&args.b))?.model;
    ensure!(
        a.role() == b.role() && a.schema().fingerprint() == b.schema().fingerprint(),
        "a {} of {} rows and a {} of {} rows answer different questions",
        a.role().as_str(),
        a.schema().name(),
        b.role().as_str(),
        b.schema().name()
    );
    let (rows, _) = data::read_labelled(path)?;
    let place = || path.display().to_string();
    ensure!(
        rows.schema().fingerprint() == a.schema().fingerprint(),
        "{}: its rows are {}, but the models judge {} rows",
        path.display(),
        rows.schema().name(),
        a.schema().name()
    );
    let compared = Comparison::of(&place(), &a, &b, &rows, args.show)?
        .with_context(|| format!("{}: no row that both can be asked about", path.display()))?;
    let about = |model: &tripline_detect::Model| json!({"name": model.manifest().name, "version": model.manifest().version});
    let mut answer = serde_json::to_value(&compared)?;
    answer["data"] = json!(place());
    for (key, model) in [("a", &a), ("b", &b)] {
        let evaluation = answer[key].take();
        answer[key] = about(model);
        answer[key]["evaluation"] = evaluation;
    }
    Ok(answer)
}

fn write_comparison(answer: &Value, show: usize, out: &mut dyn Write) -> std::io::Result<()> {
    let name = |key: &str| {
        format!(
            "{} {}",
            text::of(&answer[key]["name"]),
            text::of(&answer[key]["version"])
        )
    };
    writeln!(
        out,
        "{} rows of {}\nA = {}\nB = {}\n",
        answer["rows"],
        text::of(&answer["data"]),
        name("a"),
        name("b")
    )?;
    let mut rows = Vec::new();
    for (part, figures) in [
        (
            "detector",
            &[
                "f1",
                "precision",
                "recall",
                "false_positive_rate",
                "roc_auc",
                "average_precision",
                "log_loss",
                "brier",
                "expected_calibration_error",
            ][..],
        ),
        (
            "classifier",
            &["accuracy", "macro_f1", "expected_calibration_error"][..],
        ),
    ] {
        let sides = ["a", "b"].map(|key| &answer[key]["evaluation"][part]);
        if sides.iter().any(|side| side.is_null()) {
            continue;
        }
        for figure in figures {
            rows.push(figure_row(
                figure.replace('_', " "),
                &sides[0][*figure],
                &sides[1][*figure],
            ));
        }
        for class in text::list(&sides[0]["per_class"]) {
            let other = text::list(&sides[1]["per_class"])
                .iter()
                .find(|other| other["class"] == class["class"])
                .unwrap_or(&Value::Null);
            rows.push(figure_row(
                format!("F1 of {}", text::of(&class["class"])),
                &class["f1"],
                &other["f1"],
            ));
        }
    }
    text::table(out, ["", "A", "B", "B - A"], &rows)?;
    let agreement = &answer["agreement"];
    writeln!(
        out,
        "\nthey agree on {} of {} rows; only A is right on {}, only B on {}; p {} (McNemar)",
        agreement["agreed"],
        agreement["rows"],
        agreement["only_a_right"],
        agreement["only_b_right"],
        text::p_value(&agreement["p_value"])
    )?;
    let shown: Vec<_> = text::list(&answer["disagreements"])
        .iter()
        .take(show)
        .map(|row| {
            let said = |side: &Value| {
                format!(
                    "{} {}",
                    text::of(&side["class"]),
                    text::number(&side["probability"], 3)
                )
            };
            [
                row["row"].to_string(),
                text::of(&row["label"]).to_owned(),
                said(&row["a"]),
                said(&row["b"]),
            ]
        })
        .collect();
    if !shown.is_empty() {
        writeln!(out)?;
        text::table(out, ["ROW", "LABEL", "A SAYS", "B SAYS"], &shown)?;
    }
    Ok(())
}

fn figure_row(name: String, a: &Value, b: &Value) -> [String; 4] {
    let difference = match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => format!("{:+.4}", b - a),
        _ => "-".to_owned(),
    };
    [name, text::number(a, 4), text::number(b, 4), difference]
}
