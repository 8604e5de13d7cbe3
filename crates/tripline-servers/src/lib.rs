//! Starts the real servers that tests need: each on a free port of loopback, with its data in a
//! temporary folder, stopped and removed when the value goes.
//!
//! It is a development dependency only and no part of the program. A server that cannot be had is
//! an error that names what is missing and how to get it: a test fails then, and never skips.

pub mod kafka;
pub mod postgres;
