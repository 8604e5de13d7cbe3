//! The command line of Tripline.

use std::process::ExitCode;

use tripline::commands;

fn main() -> ExitCode {
    commands::run(std::env::args_os())
}
