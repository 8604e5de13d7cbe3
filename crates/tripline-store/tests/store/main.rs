//! Everything that is promised of a store: the suite that every backend has to pass, and what only
//! SQLite can get wrong.

mod conformance;
mod fixtures;
mod killed;
mod model;
mod sqlite;
