//! What people say about flows.

use std::{io::Write, process::ExitCode};

use anyhow::Context;
use reqwest::{Method, header};
use serde_json::{Map, Value, json};

use super::{Server, text};
use crate::cli::{LabelArgs, LabelsCommand, ServerArg};

/// Labels asked for at once.
const PAGE: &str = "1000";

pub(crate) fn run(command: &LabelsCommand, server: &ServerArg) -> anyhow::Result<ExitCode> {
    let server = Server::at(server)?;
    match command {
        LabelsCommand::Add(args) => {
            let answer = server.post(&["labels"], &said(args))?;
            return taken(&server, &answer);
        }
        LabelsCommand::Import { file, by } => {
            let content = std::fs::read(file).with_context(|| file.display().to_string())?;
            let answer = server.ask(
                server
                    .request(Method::POST, &["labels", "csv"])
                    .query(&[("author", by)])
                    .header(header::CONTENT_TYPE, "text/csv")
                    .body(content),
            )?;
            return taken(&server, &answer);
        }
        LabelsCommand::List {
            state,
            author,
            conflicting,
        } => {
            let mut query = vec![("limit", PAGE.to_owned())];
            for (key, value) in [("state", state), ("author", author)] {
                if let Some(value) = value {
                    query.push((key, value.clone()));
                }
            }
            if *conflicting {
                query.push(("conflicting", "true".to_owned()));
            }
            let mut labels = Vec::new();
            let mut after = None;
            loop {
                let mut request = server.request(Method::GET, &["labels"]).query(&query);
                if let Some(after) = after {
                    request = request.query(&[("after", after)]);
                }
                let mut page = server.ask(request)?;
                if let Value::Array(list) = page["labels"].take() {
                    labels.extend(list);
                }
                after = page["next"].as_u64();
                if after.is_none() {
                    break;
                }
            }
            server.print(&json!({ "labels": labels }), list)?;
        }
        LabelsCommand::Export => {
            let mut answer = server.send(server.request(Method::GET, &["labels", "export"]))?;
            answer
                .copy_to(&mut std::io::stdout().lock())
                .context("the answer broke off")?;
        }
        LabelsCommand::Review {
            label,
            state,
            reason,
            by,
        } => {
            let answer = server.ask(
                server
                    .request(Method::PATCH, &["labels", &label.to_string()])
                    .json(&json!({"state": state, "actor": by, "reason": reason})),
            )?;
            server.print(&answer, |label, out| {
                writeln!(
                    out,
                    "label {} is {}",
                    label["id"],
                    text::of(&label["state"])
                )
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn said(args: &LabelArgs) -> Value {
    let attack_type = args.attack.as_deref().filter(|name| !name.is_empty());
    let mut body = Map::new();
    body.insert("author".to_owned(), json!(args.by));
    body.insert("is_attack".to_owned(), json!(args.attack.is_some()));
    body.insert("note".to_owned(), json!(args.note));
    if args.verdicts.is_empty() {
        if let Some(name) = attack_type {
            body.insert("attack_type".to_owned(), json!(name));
        }
        let mut filter = Map::new();
        filter.insert("threats_only".to_owned(), json!(args.threats_only));
        for (key, value) in [
            ("batch_id", &args.batch),
            ("source", &args.source),
            ("attack_class", &args.class),
            ("from", &args.from),
            ("to", &args.to),
        ] {
            if let Some(value) = value {
                filter.insert(key.to_owned(), json!(value));
            }
        }
        body.insert("filter".to_owned(), Value::Object(filter));
    } else {
        body.remove("is_attack");
        let labels: Vec<Value> = args
            .verdicts
            .iter()
            .map(|verdict| {
                json!({
                    "verdict_id": verdict,
                    "is_attack": args.attack.is_some(),
                    "attack_type": attack_type,
                })
            })
            .collect();
        body.insert("labels".to_owned(), Value::Array(labels));
    }
    Value::Object(body)
}

/// What was stored, and what was refused: then it was no success.
fn taken(server: &Server, answer: &Value) -> anyhow::Result<ExitCode> {
    let refused = text::list(&answer["refused"]);
    server.print(answer, |answer, out| {
        for label in text::list(&answer["labels"]) {
            writeln!(
                out,
                "label {} on {}: {}",
                label["id"],
                text::of(&label["verdict_id"]),
                text::of(&label["state"])
            )?;
        }
        Ok(())
    })?;
    for label in refused {
        writeln!(
            std::io::stderr(),
            "refused: row {}, {}: {}",
            label["row"],
            text::of(&label["verdict_id"]),
            text::of(&label["reason"])
        )?;
    }
    Ok(ExitCode::from(u8::from(!refused.is_empty())))
}

fn list(answer: &Value, out: &mut dyn Write) -> std::io::Result<()> {
    let rows: Vec<_> = text::list(&answer["labels"])
        .iter()
        .map(|label| {
            [
                label["id"].to_string(),
                text::of(&label["verdict_id"]).to_owned(),
                if label["is_attack"] == true {
                    text::or_dash(&label["attack_type"]).replace('-', "attack")
                } else {
                    "no attack".to_owned()
                },
                text::or_dash(&label["called_class"]).to_owned(),
                text::of(&label["author"]).to_owned(),
                text::time(&label["created_at"]),
                text::of(&label["state"]).to_owned(),
                text::of(&label["note"]).to_owned(),
            ]
        })
        .collect();
    text::table(
        out,
        [
            "LABEL", "VERDICT", "SAID", "CALLED", "BY", "AT", "STATE", "NOTE",
        ],
        &rows,
    )
}
