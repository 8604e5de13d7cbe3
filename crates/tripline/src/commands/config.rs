//! Looks at the configuration of a server without starting one.

use std::{io::Write, process::ExitCode};

use anyhow::Context;
use serde_json::{Value, json};

use crate::{
    cli::{Command, ConfigCommand, SECRET_VARIABLES},
    config::{Configuration, Effective, Loader, Origin, Prepared, Values, example, extra_problems},
};

pub(super) fn run(command: &ConfigCommand, loader: Option<&Loader>) -> anyhow::Result<ExitCode> {
    match command {
        ConfigCommand::Example => {
            write!(std::io::stdout(), "{}", example())?;
            Ok(ExitCode::SUCCESS)
        }
        ConfigCommand::Check(args) => {
            let loader = loader.context("this command has no options of a server")?;
            check(loader, args.json)
        }
    }
}

fn check(loader: &Loader, as_json: bool) -> anyhow::Result<ExitCode> {
    let loaded = loader.load();
    let mut problems = loaded.problems;
    if let Some(Command::Config(ConfigCommand::Check(args))) = loaded.cli.map(|cli| cli.command) {
        Prepared::new(&args.serve, &mut problems);
        extra_problems(&args.serve, &mut problems);
    }
    let configuration = &loaded.configuration;
    let mut out = std::io::stdout();
    if as_json {
        let body = json!({
            "ok": problems.is_empty(),
            "file": configuration.file,
            "options": configuration.options.iter().map(body).collect::<Vec<_>>(),
            "secret_variables": secret_variables(),
            "problems": problems.iter().collect::<Vec<_>>(),
        });
        writeln!(out, "{body:#}")?;
    } else {
        write!(out, "{}", table(configuration))?;
        out.flush()?;
        for problem in problems.iter() {
            writeln!(std::io::stderr(), "error: {problem}")?;
        }
        let verdict = match problems.len() {
            0 => "this configuration can be used".to_owned(),
            1 => "1 problem: a server would not start as it is meant".to_owned(),
            count => format!("{count} problems: a server would not start as it is meant"),
        };
        writeln!(std::io::stderr(), "{verdict}")?;
    }
    Ok(if problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Those that are set beside the options.
fn secret_variables() -> Vec<&'static str> {
    let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    SECRET_VARIABLES.into_iter().filter(is_set).collect()
}

fn body(option: &Effective) -> Value {
    let (level, place) = match &option.origin {
        Origin::CommandLine => ("command line", Value::Null),
        Origin::Environment(name) => ("environment", Value::from(name.as_str())),
        Origin::File(path, line) => ("file", Value::from(format!("{}:{line}", path.display()))),
        Origin::Default => ("default", Value::Null),
    };
    let values = match &option.values {
        Values::Shown(values) => json!(values),
        Values::Secret(count, _) => json!(vec!["(set)"; *count]),
    };
    json!({
        "name": option.name,
        "values": values,
        "from": level,
        "place": place,
        "is_secret": matches!(option.values, Values::Secret(..)),
    })
}

fn table(configuration: &Configuration) -> String {
    let rows: Vec<[String; 3]> = configuration
        .options
        .iter()
        .map(|option| {
            [
                option.name.clone(),
                option.values.shown(),
                option.origin.to_string(),
            ]
        })
        .collect();
    let secrets = secret_variables().into_iter();
    let secrets = secrets.map(|name| [name.to_owned(), "(set)".to_owned(), name.to_owned()]);
    let rows: Vec<[String; 3]> = rows.into_iter().chain(secrets).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths = [width(0).unwrap_or(0), width(1).unwrap_or(0)];
    let mut text = String::new();
    for [name, value, origin] in &rows {
        let [first, second] = widths;
        text.push_str(&format!("{name:first$}  {value:second$}  {origin}\n"));
    }
    text
}
