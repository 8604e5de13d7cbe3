//! The models of a server.

use std::{
    io::{IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context, bail};
use reqwest::{Method, blocking::multipart::Form};
use serde_json::{Value, json};

use super::{Server, asked_by, text};
use crate::cli::{AskerArgs, ModelsCommand, RoleArg, ServerArg, UploadArgs};

pub(crate) fn run(command: &ModelsCommand, server: &ServerArg) -> anyhow::Result<ExitCode> {
    let server = Server::at(server)?;
    match command {
        ModelsCommand::List => {
            let answer = server.ask(
                server
                    .request(Method::GET, &["models"])
                    .query(&[("include_inactive", "true")]),
            )?;
            server.print(&answer, list)?;
        }
        ModelsCommand::Show { model } => {
            let id = server.id(model)?;
            let answer = server.get(&["models", &id])?;
            server.print(&answer, show)?;
        }
        ModelsCommand::Upload(args) => {
            let answer = upload(&server, args)?;
            server.print(&answer, stands)?;
        }
        ModelsCommand::Activate { model, asker } => change(&server, model, "activate", asker)?,
        ModelsCommand::Deactivate { model, asker } => change(&server, model, "deactivate", asker)?,
        ModelsCommand::Rollback { model, asker } => change(&server, model, "rollback", asker)?,
        ModelsCommand::Stage {
            model,
            stage,
            share,
            asker,
        } => {
            let mut body = asked_by(asker);
            body.insert("stage".to_owned(), json!(stage));
            if let Some(share) = share {
                body.insert("share".to_owned(), json!(share));
            }
            let id = server.id(model)?;
            let answer = server.post(&["models", &id, "stage"], &Value::Object(body))?;
            server.print(&answer, stands)?;
        }
        ModelsCommand::History { model } => {
            let answer = match model {
                Some(model) => server.get(&["models", &server.id(model)?, "history"])?,
                None => server.get(&["models", "history"])?,
            };
            server.print(&answer, history)?;
        }
        ModelsCommand::Delete { model, yes } => {
            let version = server.version(model)?;
            if !yes && !confirmed(&version)? {
                bail!("nothing was deleted");
            }
            let answer = server
                .ask(server.request(Method::DELETE, &["models", text::of(&version["id"])]))?;
            server.print(&answer, |answer, out| {
                writeln!(out, "{}", text::of(&answer["message"]))
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn change(server: &Server, model: &str, what: &str, asker: &AskerArgs) -> anyhow::Result<()> {
    let id = server.id(model)?;
    let body = Value::Object(asked_by(asker));
    let answer = server.post(&["models", &id, what], &body)?;
    server.print(&answer, stands)
}

fn upload(server: &Server, args: &UploadArgs) -> anyhow::Result<Value> {
    let place = || args.file.display().to_string();
    let mut form = Form::new()
        .text(
            "model_type",
            match args.role {
                RoleArg::Detector => "threat_detector",
                RoleArg::Classifier => "attack_classifier",
                RoleArg::Namer => "attack_namer",
            },
        )
        .file("file", &args.file)
        .with_context(place)?;
    if let Some(path) = signature_of(args) {
        let signature =
            std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        form = form.text("signature", signature);
    }
    if !args.features.is_empty() {
        let profile = json!({"expected_features": args.features, "class_labels": args.classes});
        form = form.text("profile_config", profile.to_string());
    }
    for (field, value) in [
        ("description", args.description.clone()),
        ("name", args.name.clone()),
        ("threshold", args.threshold.map(|value| value.to_string())),
        ("uploaded_by", args.by.clone()),
    ] {
        if let Some(value) = value {
            form = form.text(field, value);
        }
    }
    server.ask(
        server
            .request(Method::POST, &["models", "upload"])
            .multipart(form),
    )
}

/// The signature that was named, or the one that lies beside the file.
fn signature_of(args: &UploadArgs) -> Option<PathBuf> {
    args.signature.clone().or_else(|| {
        let mut beside = args.file.clone().into_os_string();
        beside.push(".minisig");
        Some(PathBuf::from(beside)).filter(|path| path.is_file())
    })
}

fn confirmed(version: &Value) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("deleting a model needs --yes where nobody can be asked");
    }
    let mut ask = std::io::stderr();
    write!(
        ask,
        "delete the file of {} {}? Its history stays. [y/N] ",
        text::of(&version["name"]),
        text::of(&version["version"])
    )?;
    ask.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn list(answer: &Value, out: &mut dyn Write) -> std::io::Result<()> {
    let rows: Vec<_> = text::list(&answer["models"])
        .iter()
        .map(|model| {
            [
                text::of(&model["name"]).to_owned(),
                text::of(&model["version"]).to_owned(),
                text::of(&model["model_type"]).to_owned(),
                text::of(&model["stage"]).to_owned(),
                text::time(&model["stage_changed_at"]),
                text::of(&model["origin"]).to_owned(),
                signature(model),
            ]
        })
        .collect();
    text::table(
        out,
        [
            "NAME", "VERSION", "TYPE", "STAGE", "SINCE", "ORIGIN", "SIGNED",
        ],
        &rows,
    )
}

fn signature(model: &Value) -> String {
    let signature = &model["signature"];
    match signature["trusted"].as_bool() {
        Some(true) => format!("by {}", text::of(&signature["key_id"])),
        Some(false) => format!("by {}, not trusted", text::of(&signature["key_id"])),
        None => "no".to_owned(),
    }
}

fn show(model: &Value, out: &mut dyn Write) -> std::io::Result<()> {
    stands(model, out)?;
    for (name, value) in [
        ("identifier", text::of(&model["id"]).to_owned()),
        ("type", text::of(&model["model_type"]).to_owned()),
        (
            "file",
            format!(
                "{}, {} bytes, {}",
                text::of(&model["original_filename"]),
                model["file_size_bytes"],
                text::of(&model["file_format"])
            ),
        ),
        ("from", text::of(&model["origin"]).to_owned()),
        ("by", text::or_dash(&model["uploaded_by"]).to_owned()),
        ("parent", text::or_dash(&model["parent_id"]).to_owned()),
        ("signed", signature(model)),
        (
            "description",
            text::or_dash(&model["description"]).to_owned(),
        ),
        ("notes", text::or_dash(&model["notes"]).to_owned()),
        ("tags", joined(&model["tags"])),
        ("classes", joined(&model["class_labels"])),
        ("features", joined(&model["expected_features"])),
    ] {
        writeln!(out, "{name:12} {value}")?;
    }
    writeln!(out, "checks       {:#}", model["validation_results"])
}

fn joined(list: &Value) -> String {
    let names: Vec<&str> = text::list(list).iter().map(text::of).collect();
    if names.is_empty() {
        "-".to_owned()
    } else {
        names.join(", ")
    }
}

/// One line about where a version stands.
fn stands(model: &Value, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(
        out,
        "{} {}: {} since {}",
        text::of(&model["name"]),
        text::of(&model["version"]),
        text::of(&model["stage"]),
        text::time(&model["stage_changed_at"])
    )
}

fn history(answer: &Value, out: &mut dyn Write) -> std::io::Result<()> {
    let rows: Vec<_> = text::list(&answer["events"])
        .iter()
        .map(|event| {
            let way = match (event["from"].as_str(), event["to"].as_str()) {
                (Some(from), Some(to)) => format!("{from} → {to}"),
                (None, Some(to)) => format!("→ {to}"),
                _ => String::new(),
            };
            [
                event["number"].to_string(),
                text::time(&event["at"]),
                text::of(&event["model_id"]).to_owned(),
                text::of(&event["kind"]).to_owned(),
                way,
                text::of(&event["actor"]).to_owned(),
                text::of(&event["reason"]).to_owned(),
            ]
        })
        .collect();
    text::table(
        out,
        ["NUMBER", "AT", "MODEL", "WHAT", "STAGE", "BY", "WHY"],
        &rows,
    )
}
