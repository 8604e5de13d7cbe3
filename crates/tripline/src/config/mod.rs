//! How a server comes to its options: command line over environment over file over default.
//!
//! The options of `tripline serve` are defined once, for clap. A key of the file is the name of one of
//! them, a value of the file is read by the same parser as one that is typed, and it is given to
//! clap as that option's default. `Loader::load` is the one place where the four levels meet; what
//! it finds wrong it collects, so that all of it is told at once.
//!
//! `Prepared` is what the options come to: checked, and with the files read that they name.
//! [`Settings`] is the part of it that may be exchanged while the server runs, behind the one pointer
//! of [`Live`].

mod arguments;
mod effective;
mod example;
mod file;
mod live;
mod loader;
mod prepared;
mod problems;
mod reload;
mod variables;

pub use self::live::{Live, Settings};
pub(crate) use self::{
    arguments::command,
    effective::{Configuration, Effective, Values},
    example::example,
    loader::{Loaded, Loader, Origin, read},
    prepared::{Prepared, extra_problems},
    problems::Problems,
    reload::{Reloader, Reloads},
    variables::unknown_variables,
};
