//! Builds the dashboard from `ui/` and lays its files out for embedding.
//!
//! `TRIPLINE_UI` chooses what happens when that is not possible:
//!
//! - `auto` (or unset): a warning, and a page that explains replaces the dashboard;
//! - `require`: the build fails, for releases and continuous integration;
//! - `skip`: the dashboard is not built even where it could be.
//!
//! `ui/dist` is shared by all profiles and target folders, so it is built under
//! a file lock and only when the hash of its sources has changed.

mod bundle;
mod mode;
mod node;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

use mode::Mode;

/// A failed build tool prints its whole stack; the beginning says what is wrong.
const WARNING_LINES: usize = 8;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            for line in problem.lines() {
                println!("cargo::error={line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    println!("cargo::rerun-if-env-changed=TRIPLINE_UI");
    let mode = Mode::parse(variable("TRIPLINE_UI").as_deref())?;
    let crate_folder =
        PathBuf::from(variable("CARGO_MANIFEST_DIR").ok_or("cargo sets no CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(variable("OUT_DIR").ok_or("cargo sets no OUT_DIR")?).join("dashboard");
    start_empty(&out).map_err(|error| format!("cannot prepare {}: {error}", out.display()))?;

    if mode == Mode::Skip {
        return Ok(());
    }
    let ui = crate_folder.join("../../ui");
    watch(&ui);
    match bundle::build(&ui, &out) {
        Ok(()) => {
            // A missing file makes cargo run this script every time, so the
            // stamp is watched only once it is there.
            println!(
                "cargo::rerun-if-changed={}",
                bundle::stamp_file(&ui).display()
            );
            Ok(())
        }
        Err(problem) if mode == Mode::Require => Err(format!("TRIPLINE_UI=require, but {problem}")),
        Err(problem) => {
            // A partial copy must not be taken for a dashboard.
            start_empty(&out)
                .map_err(|error| format!("cannot clear {}: {error}", out.display()))?;
            let lines = problem.lines().filter(|line| !line.trim().is_empty());
            for line in lines.take(WARNING_LINES) {
                println!("cargo::warning={line}");
            }
            println!(
                "cargo::warning=the binary is built without the dashboard; the API is complete"
            );
            // Installing Node changes no watched file, but usually the path.
            println!("cargo::rerun-if-env-changed=PATH");
            Ok(())
        }
    }
}

/// Cargo looks at these before it decides to run this script again. The folder
/// `ui` itself is not among them: the build writes into it.
fn watch(ui: &Path) {
    for input in bundle::INPUTS {
        println!("cargo::rerun-if-changed={}", ui.join(input).display());
    }
}

fn start_empty(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir_all(folder)
}

#[expect(
    clippy::disallowed_methods,
    reason = "cargo talks to a build script through the environment only"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
