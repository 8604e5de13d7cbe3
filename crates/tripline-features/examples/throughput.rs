//! Measures how many generated NSL-KDD rows one core reads per second.

use std::error::Error;
use std::io::Write;
use std::time::Instant;

use tripline_features::{CsvLimits, CsvRows, RowBatch, synthetic};

fn main() -> Result<(), Box<dyn Error>> {
    let mut file = Vec::new();
    synthetic::write_csv(1, 200_000, &mut file)?;
    let started = Instant::now();
    let mut rows = CsvRows::new(file.as_slice(), CsvLimits::default())?;
    let mut batch = RowBatch::new();
    while rows.read_batch(4096, &mut batch)? > 0 {}
    let seconds = started.elapsed().as_secs_f64();
    writeln!(
        std::io::stdout(),
        "{:.0} rows/s, {:.0} MB/s",
        rows.rows_accepted() as f64 / seconds,
        file.len() as f64 / seconds / 1e6
    )?;
    Ok(())
}
