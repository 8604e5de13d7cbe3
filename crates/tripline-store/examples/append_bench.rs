//! How many verdicts a second one thread can store:
//! `cargo run --release -p tripline-store --example append_bench -- --rows 3000000`.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

#[path = "ten_million/rows.rs"]
mod rows;

use std::{error::Error, time::Instant};

use tripline_store::{SqliteOptions, SqliteStore, Store};

fn main() -> Result<(), Box<dyn Error>> {
    let rows = std::env::args().skip_while(|arg| arg != "--rows").nth(1);
    let rows: u64 = rows.as_deref().unwrap_or("3000000").parse()?;
    let folder = tempfile::tempdir()?;
    let options = SqliteOptions::default();
    let store = SqliteStore::open(&folder.path().join("bench.db"), &options, rows::START)?;
    let start = Instant::now();
    rows::fill(&store, rows, 1)?;
    let seconds = start.elapsed().as_secs_f64();
    let bytes = store.size()?.total_bytes();
    println!(
        "rows {rows}, seconds {seconds:.2}, rows per second {:.0}",
        rows as f64 / seconds
    );
    println!("bytes per row {:.0}", bytes as f64 / rows as f64);
    Ok(())
}
