//! The command line of Tripline.

use std::process::ExitCode;

use clap::Parser;
use tripline::{cli::Cli, commands};

fn main() -> ExitCode {
    commands::run(Cli::parse())
}
