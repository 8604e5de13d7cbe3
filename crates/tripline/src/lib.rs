//! The running system: command line, server, and everything that touches files, clocks and the
//! environment.
//!
//! # What it does
//!
//! It reads configuration ([`cli`], [`config`]) and data ([`data`]), drives rows through the models
//! ([`ingest`]), serves the API ([`api`]) and carries out commands ([`commands`]).
//!
//! # What it deliberately does not do
//!
//! It defines no feature, trains no tree and decides on no row: those are the crates below.
//!
//! # Example
//!
//! ```
//! use clap::Parser;
//! use tripline::cli::{Cli, Command};
//!
//! let cli = Cli::try_parse_from(["tripline", "score", "flows.csv", "--threats-only"]).unwrap();
//! assert!(matches!(cli.command, Command::Score(args) if args.threats_only));
//! ```

pub mod api;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod data;
mod flows;
mod generated;
mod holdouts;
pub mod ingest;
pub mod kafka;
mod labels;
mod live;
mod logs;
pub mod model_files;
pub mod monitor;
mod output;
mod records;
pub mod registry;
pub mod retraining;
mod sensor;
mod traces;
mod training_data;
pub mod webhooks;
