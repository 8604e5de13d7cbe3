//! Training anew.

use std::{io::Write, process::ExitCode, time::Duration};

use anyhow::Context;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Server, asked_by, text};
use crate::cli::{RetrainCommand, ServerArg};

/// How often a retraining is asked about.
const POLL: Duration = Duration::from_secs(1);

pub(crate) fn run(command: &RetrainCommand, server: &ServerArg) -> anyhow::Result<ExitCode> {
    let server = Server::at(server)?;
    match command {
        RetrainCommand::Start { model, wait, asker } => {
            let mut body = asked_by(asker);
            body.insert("model_id".to_owned(), json!(server.id(model)?));
            let job = server.post(&["retraining"], &Value::Object(body))?;
            if !*wait {
                server.print(&job, running)?;
                return Ok(ExitCode::SUCCESS);
            }
            let ended = wait_for(&server, &job["id"])?;
            server.print(&ended, finished)?;
            return Ok(ExitCode::from(u8::from(!ended["failure"].is_null())));
        }
        RetrainCommand::List => {
            let answer = server.get(&["retraining"])?;
            server.print(&answer, |answer, out| {
                if answer["current"].is_null() {
                    writeln!(out, "none runs")?;
                } else {
                    running(&answer["current"], out)?;
                }
                text::list(&answer["finished"])
                    .iter()
                    .try_for_each(|job| finished(job, out))
            })?;
        }
        RetrainCommand::Cancel => {
            server.send(server.request(Method::DELETE, &["retraining", "current"]))?;
            writeln!(std::io::stdout(), "it ends")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn wait_for(server: &Server, id: &Value) -> anyhow::Result<Value> {
    loop {
        let answer = server.get(&["retraining"])?;
        if let Some(job) = text::list(&answer["finished"])
            .iter()
            .find(|job| job["id"] == *id)
        {
            return Ok(job.clone());
        }
        (answer["current"]["id"] == *id)
            .then_some(())
            .context("the retraining is neither running nor finished")?;
        std::thread::sleep(POLL);
    }
}

fn running(job: &Value, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(
        out,
        "{} runs since {}: {}, {} labels, asked by {}: {}",
        text::of(&job["id"]),
        text::time(&job["started_at"]),
        text::of(&job["model"]),
        job["labels"],
        text::of(&job["requested_by"]),
        text::or_dash(&job["reason"])
    )
}

fn finished(job: &Value, out: &mut dyn Write) -> std::io::Result<()> {
    let outcome = match (job["failure"].as_str(), job["made_model_id"].as_str()) {
        (Some(failure), _) => format!("made nothing: {failure}"),
        (None, Some(made)) => format!("made {made}"),
        (None, None) => "made nothing".to_owned(),
    };
    writeln!(
        out,
        "{} ended at {}: {}, {} labels, {outcome}",
        text::of(&job["id"]),
        text::time(&job["ended_at"]),
        text::of(&job["model"]),
        job["labels"]
    )
}
