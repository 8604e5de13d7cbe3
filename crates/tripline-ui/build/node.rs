//! Node and npm as commands.

use std::path::Path;
use std::process::Command;

/// What the build tools of the dashboard need, in words.
pub(crate) const NEEDED: &str = "Node.js 20.19 or later (22.12 or later in the 22 line) with npm";

/// Whether a `node --version` such as `v20.20.2` is new enough for the build tools.
pub(crate) fn is_new_enough(version: &str) -> bool {
    let mut numbers = version
        .trim()
        .trim_start_matches('v')
        .split('.')
        .map_while(|number| number.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(20), Some(minor)) => minor >= 19,
        (Some(22), Some(minor)) => minor >= 12,
        (Some(major), Some(_)) => major > 22,
        _ => false,
    }
}

/// Refuses a machine without Node, or with one that is too old.
pub(crate) fn check() -> Result<(), String> {
    let output = Command::new("node")
        .arg("--version")
        .output()
        .map_err(|error| {
            format!("the dashboard needs {NEEDED}, and node does not start: {error}")
        })?;
    let version = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && is_new_enough(&version) {
        return Ok(());
    }
    Err(format!(
        "the dashboard needs {NEEDED}, and node says it is {:?}",
        version.trim()
    ))
}

/// Installs exactly what the lock file names, and runs no script of any package.
pub(crate) fn install(ui: &Path) -> Result<(), String> {
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let mut command = Command::new(npm);
    command.args([
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--include=dev",
    ]);
    run(command.current_dir(ui), "npm ci")
}

/// Builds into `ui/dist`.
pub(crate) fn bundle(ui: &Path) -> Result<(), String> {
    let mut command = Command::new("node");
    command.args(["node_modules/vite/bin/vite.js", "build"]);
    // An inherited value would build the development variant of React.
    command.env("NODE_ENV", "production");
    run(command.current_dir(ui), "vite build")
}

/// The output is held back: cargo would take some of its lines for instructions.
fn run(command: &mut Command, name: &str) -> Result<(), String> {
    let output = command
        .output()
        .map_err(|error| format!("{name} does not start: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{name} failed with {}:\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout).trim(),
        String::from_utf8_lossy(&output.stderr).trim()
    ))
}
