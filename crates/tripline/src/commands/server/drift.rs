//! How far traffic is from what models were trained on, and what they are worth on it.

use std::{io::Write, process::ExitCode};

use serde_json::{Value, json};

use super::{Server, text};
use crate::cli::ServerArg;

pub(crate) fn run(model: Option<&str>, server: &ServerArg) -> anyhow::Result<ExitCode> {
    let server = Server::at(server)?;
    let id = model.map(|model| server.id(model)).transpose()?;
    let mut overview = server.get(&["monitoring"])?;
    let mut models = match overview["models"].take() {
        Value::Array(models) => models,
        _ => Vec::new(),
    };
    if let Some(id) = &id {
        models.retain(|model| model["model_id"] == id.as_str());
    }
    server.print(&json!({ "models": models }), |answer, out| {
        let models = text::list(&answer["models"]);
        if models.is_empty() {
            writeln!(out, "no verdicts of it were seen yet")?;
        }
        models.iter().try_for_each(|model| watched(model, out))
    })?;
    Ok(ExitCode::SUCCESS)
}

fn watched(model: &Value, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(
        out,
        "{} {} ({}, {})",
        text::of(&model["name"]),
        text::of(&model["version"]),
        text::of(&model["role"]),
        text::of(&model["stage"])
    )?;
    drift(&model["drift"], &model["window_rows"], out)?;
    estimate(&model["estimate"], out)?;
    measured(&model["performance"], out)
}

fn drift(report: &Value, filling: &Value, out: &mut dyn Write) -> std::io::Result<()> {
    if report.is_null() {
        return writeln!(
            out,
            "  drift        no window is full yet; {filling} rows in the one that fills"
        );
    }
    let rows = &report["rows"];
    let at = text::time(&report["at"]);
    if let Some(why) = report["silent"].as_str() {
        return writeln!(out, "  drift        unknown at {at}, {rows} rows: {why}");
    }
    if report["has_drifted"] != true {
        return writeln!(out, "  drift        none at {at}, {rows} rows");
    }
    writeln!(out, "  drift        found at {at}, {rows} rows:")?;
    let columns = text::list(&report["columns"]);
    for name in text::list(&report["drifted"]) {
        let Some(column) = columns
            .iter()
            .chain([&report["score"]])
            .find(|column| column["feature"] == *name)
        else {
            continue;
        };
        writeln!(
            out,
            "    {:30} {:8} PSI {}, adjusted p {}",
            text::of(name),
            text::of(&column["verdict"]),
            text::number(&column["psi"], 3),
            text::p_value(&column["adjusted_p"])
        )?;
    }
    Ok(())
}

fn estimate(estimate: &Value, out: &mut dyn Write) -> std::io::Result<()> {
    match estimate["outcome"].as_str() {
        Some("known") => writeln!(
            out,
            "  estimated    F1 {} ({} to {}), precision {}, recall {}; without labels",
            text::number(&estimate["f1"], 3),
            text::number(&estimate["f1_interval"][0], 3),
            text::number(&estimate["f1_interval"][1], 3),
            text::number(&estimate["precision"], 3),
            text::number(&estimate["recall"], 3)
        ),
        Some(_) => {
            let why: Vec<&str> = text::list(&estimate["because"])
                .iter()
                .map(text::of)
                .collect();
            writeln!(out, "  estimated    unknown: {}", why.join("; "))
        }
        None => Ok(()),
    }
}

fn measured(performance: &Value, out: &mut dyn Write) -> std::io::Result<()> {
    let measured = &performance["measured"];
    if measured["rows"].as_u64().unwrap_or_default() == 0 {
        return writeln!(out, "  measured     no labels yet");
    }
    writeln!(
        out,
        "  measured     F1 {} ({} to {}), precision {}, recall {}; {} labelled rows, {} changes of \
         the error rate",
        text::number(&measured["f1"], 3),
        text::number(&measured["f1_interval"][0], 3),
        text::number(&measured["f1_interval"][1], 3),
        text::number(&measured["precision"], 3),
        text::number(&measured["recall"], 3),
        measured["rows"],
        performance["changes"]
    )
}
