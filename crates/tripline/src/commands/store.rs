//! Moves what a server keeps from one database to another.

use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use tripline_store::{PostgresStore, SqliteOptions, SqliteStore};

use super::serve;
use crate::{
    cli::{StoreCommand, StoreCopyArgs},
    clock,
};

pub(super) fn run(command: &StoreCommand) -> anyhow::Result<ExitCode> {
    match command {
        StoreCommand::Copy(args) => copy(args),
    }
}

fn copy(args: &StoreCopyArgs) -> anyhow::Result<ExitCode> {
    let Some(options) = args.database.postgres()? else {
        bail!("where to? Say --database-url, --database-url-file or TRIPLINE_DATABASE_URL");
    };
    let path = args.data_dir.join(serve::store::DATABASE);
    // Opening one that is not there would make it.
    if !path.is_file() {
        bail!("{}: there is no database", path.display());
    }
    let from = SqliteStore::open(&path, &SqliteOptions::default(), clock::now())?;
    let to = PostgresStore::open(options, clock::now())?;
    let bar = bar();
    let copied = to
        .copy_from(&from, |progress| {
            bar.set_message(progress.table);
            bar.set_length(progress.of);
            bar.set_position(progress.rows);
        })
        .with_context(|| format!("nothing of {} was copied", path.display()))?;
    bar.finish_and_clear();
    writeln!(
        std::io::stdout(),
        "copied {} verdicts and {} other rows from {} to {}; both sides count the same",
        copied.verdicts,
        copied.others,
        path.display(),
        to.place()
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Rows of a table on a terminal, nothing elsewhere.
fn bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    let template = "{msg:14} [{bar:32}] {human_pos}/{human_len} {per_sec} {eta}";
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
