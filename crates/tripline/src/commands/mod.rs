//! What each command does.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong arguments (by clap), 3 done but some rows were rejected,
//! 4 no model fits.

mod bench;
mod bundle;
mod capture;
mod client;
mod collect;
mod compare;
mod config;
mod dead_letters;
mod demo;
mod evaluate;
mod explain;
mod flows;
mod generate;
mod scan;
mod score;
mod serve;
mod server;
mod store;
mod train;
mod watch;

use std::{ffi::OsString, io::IsTerminal, process::ExitCode, time::Duration};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use tripline_detect::DetectError;

use crate::{
    cli::Command,
    config::{Configuration, Loaded, Loader, read},
    ingest::IngestError,
    logs, retraining,
    sensor::SensorError,
};

/// Done, but some rows were rejected.
const SOME_REJECTED: u8 = 3;
/// No model fits the input.
const NO_MODEL: u8 = 4;

/// Carries out what was typed.
pub fn run(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let (typed, loader) = match read(words.into_iter().collect()) {
        Ok(typed) => typed,
        Err(error) => error.exit(),
    };
    logs::speak(typed.log_json);
    match (typed.command, loader) {
        // It tells what is wrong itself.
        (Command::Config(command), loader) => finish(config::run(&command, loader.as_ref())),
        (command, None) => {
            logs::start(&typed.log, typed.log_json);
            finish(carry_out(command, None))
        }
        (_, Some(loader)) => {
            let Loaded {
                cli,
                configuration,
                problems,
            } = loader.load();
            let outcome = problems.into_result().and_then(|()| {
                let cli = cli.context("the options cannot be used")?;
                logs::start(&cli.log, cli.log_json);
                carry_out(cli.command, Some((loader, configuration)))
            });
            finish(outcome)
        }
    }
}

fn carry_out(
    command: Command,
    configured: Option<(Loader, Configuration)>,
) -> anyhow::Result<ExitCode> {
    match command {
        Command::Score(args) => score::run(&args),
        Command::Scan(args) => scan::run(&args),
        Command::Watch(args) => watch::run(&args),
        Command::Collect(args) => collect::run(&args),
        Command::Flows(args) => flows::run(&args),
        Command::Generate(args) => generate::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Train(args) => train::run(&args),
        Command::RetrainJob { folder } => retraining::run_job(&folder).map(|()| ExitCode::SUCCESS),
        Command::Models { command, server } => server::models::run(&command, &server),
        Command::Labels { command, server } => server::labels::run(&command, &server),
        Command::Drift { model, server } => server::drift::run(model.as_deref(), &server),
        Command::Retrain { command, server } => server::retrain::run(&command, &server),
        Command::Compare(args) => compare::run(&args),
        Command::DeadLetters(command) => dead_letters::run(&command),
        Command::Bundle(command) => bundle::run(&command),
        Command::Serve(args) => {
            let (loader, configuration) = configured.context("serve was not configured")?;
            serve::run(&args, loader, configuration)
        }
        Command::Config(command) => config::run(&command, None),
        Command::Store(command) => store::run(&command),
        Command::Demo(args) => demo::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Completions { shell } => {
            clap_complete::generate(
                shell,
                &mut crate::config::command(),
                "tripline",
                &mut std::io::stdout(),
            );
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Tells an error, and gives the exit code.
fn finish(outcome: anyhow::Result<ExitCode>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        if is_closed_pipe(&error) {
            // Whoever read the output has seen enough, as in `tripline score … | head`.
            return ExitCode::SUCCESS;
        }
        logs::tell_error(&chain(&error));
        ExitCode::from(if is_no_model(&error) { NO_MODEL } else { 1 })
    })
}

/// An error with its causes on one line, each cause once.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if !text.ends_with(&cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
        }
    }
    text
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        if let Some(IngestError::Receiver(error)) = cause.downcast_ref::<IngestError>() {
            return is_closed_pipe(error);
        }
        if let Some(SensorError::Receiver(error)) = cause.downcast_ref::<SensorError>() {
            return is_closed_pipe(error);
        }
        // Two libraries do not name it as their source.
        let kind = if let Some(error) = cause.downcast_ref::<csv::Error>() {
            match error.kind() {
                csv::ErrorKind::Io(error) => Some(error.kind()),
                _ => None,
            }
        } else if let Some(error) = cause.downcast_ref::<serde_json::Error>() {
            error.io_error_kind()
        } else {
            cause.downcast_ref().map(std::io::Error::kind)
        };
        kind == Some(std::io::ErrorKind::BrokenPipe)
    })
}

fn is_no_model(error: &anyhow::Error) -> bool {
    let no_model = |error: &DetectError| {
        matches!(
            error,
            DetectError::NoModel { .. } | DetectError::MissingFeatures { .. }
        )
    };
    error
        .chain()
        .any(|cause| match cause.downcast_ref::<IngestError>() {
            Some(IngestError::Models(error)) => no_model(error),
            _ => cause.downcast_ref::<DetectError>().is_some_and(no_model),
        })
}

/// A progress bar on a terminal, nothing elsewhere. Without a length it counts.
fn progress(length: Option<u64>, what: &'static str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match length {
        Some(length) => (
            ProgressBar::new(length),
            "{msg} [{bar:32}] {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        ),
        None => (ProgressBar::new_spinner(), "{spinner} {msg} {elapsed}"),
    };
    bar.enable_steady_tick(Duration::from_millis(120));
    bar.set_message(what);
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Processors that may be used.
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}
