//! What the questions of the dashboard cost on a large database:
//! `cargo run --release -p tripline-store --example ten_million -- --rows 10000000`, and the same
//! with `--postgres` for a PostgreSQL server of its own.
//!
//! Fills a database in a temporary folder with seeded rows and prints a Markdown table: median and
//! slowest of several runs, and the plan of each list.
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

mod rows;

use std::{
    error::Error,
    time::{Duration, Instant},
};

use tripline_servers::postgres::{PostgresOptions as ServerOptions, PostgresServer};
use tripline_store::{
    Order, Page, PostgresOptions, PostgresStore, Result, SqliteOptions, SqliteStore, Store,
    Timestamp, VerdictFilter,
};

const RUNS: usize = 21;

fn main() -> Result<(), Box<dyn Error>> {
    let rows = std::env::args().skip_while(|arg| arg != "--rows").nth(1);
    let rows: u64 = rows.as_deref().unwrap_or("10000000").parse()?;
    if std::env::args().any(|arg| arg == "--postgres") {
        let server = PostgresServer::start(ServerOptions {
            durable: true,
            ..ServerOptions::default()
        })?;
        let database = server.database()?;
        let mut options = PostgresOptions::new(&database.url())?;
        // The rows span less than three hours: this makes twelve partitions of them.
        options.partition = Duration::from_mins(15);
        let store = PostgresStore::open(options, rows::START)?;
        let explain = |filter: &VerdictFilter, limit| {
            let plan = store.explain_list(filter, limit)?;
            Ok(steps(&plan))
        };
        // Autovacuum would do it within a minute.
        let settle = || database.sql("ANALYZE").map(drop).map_err(Into::into);
        return ask(&store, rows, &settle, &explain);
    }
    let folder = tempfile::tempdir()?;
    let options = SqliteOptions::default();
    let store = SqliteStore::open(&folder.path().join("bench.db"), &options, rows::START)?;
    let explain = |filter: &VerdictFilter, limit| Ok(store.explain_list(filter, limit)?.join("; "));
    ask(&store, rows, &|| Ok(()), &explain)
}

/// The steps of a plan of PostgreSQL that were carried out, without the rows they gave.
fn steps(plan: &[String]) -> String {
    let done: Vec<_> = plan
        .iter()
        .filter(|line| line.contains("(actual") && !line.contains("never executed"))
        .filter_map(|line| line.split("  (").next().map(str::trim))
        .map(|line| line.split(" (actual").next().unwrap_or(line))
        .map(|line| line.trim_start_matches("->").trim())
        .collect();
    let mut steps: Vec<(&str, usize)> = Vec::new();
    for step in done {
        match steps.last_mut() {
            Some((last, times)) if *last == step => *times += 1,
            _ => steps.push((step, 1)),
        }
    }
    let steps: Vec<_> = steps
        .into_iter()
        .map(|(step, times)| match times {
            1 => step.to_owned(),
            _ => format!("{step} ({times} times)"),
        })
        .collect();
    steps.join("; ")
}

fn ask(
    store: &dyn Store,
    rows: u64,
    settle: &dyn Fn() -> Result<(), Box<dyn Error>>,
    explain: &dyn Fn(&VerdictFilter, usize) -> Result<String>,
) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let batches = rows::fill(store, rows, 100)?;
    let seconds = start.elapsed().as_secs_f64();
    settle()?;
    let size = store.size()?;
    println!(
        "{rows} rows in 100 batches, stored in {seconds:.1} s ({:.0} rows/s), {:.0} bytes a row\n",
        rows as f64 / seconds,
        size.database_bytes as f64 / rows as f64
    );
    println!("| question | median ms | slowest ms | plan |\n|---|---|---|---|");

    let end = Timestamp(rows::START.0 + rows as i64 * rows::MICROS_PER_ROW);
    let class = |name: &str| VerdictFilter {
        class_names: Some(vec![name.to_owned()]),
        ..VerdictFilter::default()
    };
    let newest = VerdictFilter::default();
    let threats = VerdictFilter {
        threats_only: true,
        ..newest.clone()
    };
    let middle = batches.get(batches.len() / 2).copied();
    let in_batch = VerdictFilter {
        batch: middle,
        ..newest.clone()
    };
    let threats_in_batch = VerdictFilter {
        threats_only: true,
        ..in_batch.clone()
    };
    let attacks = VerdictFilter {
        has_attack: true,
        ..newest.clone()
    };
    let rare_in_batch = VerdictFilter {
        batch: middle,
        ..class("U2R")
    };
    let mut deep = newest.clone();
    deep.created_to = Some(Timestamp(i64::midpoint(rows::START.0, end.0)));
    deep.cursor = store.list(&deep, 1000)?.next;
    let export = VerdictFilter {
        created_from: deep.created_to,
        order: Order::OldestFirst,
        ..newest.clone()
    };
    let lists = [
        ("recent 100", newest.clone(), 100),
        ("recent 1000", newest, 1000),
        ("recent 1000, by cursor in the middle", deep, 1000),
        ("threats 1000", threats, 1000),
        ("attacks of any class 1000", attacks, 1000),
        ("attacks of class DoS 1000", class("DoS"), 1000),
        ("attacks of class U2R 1000", class("U2R"), 1000),
        ("verdicts of a batch 1000", in_batch, 1000),
        ("threats of a batch 1000", threats_in_batch, 1000),
        ("U2R of a batch 1000", rare_in_batch, 1000),
        ("export from the middle 1000", export, 1000),
    ];
    for (name, filter, limit) in lists {
        let plan = explain(&filter, limit)?;
        measure(name, &plan, || {
            store
                .list(&filter, limit)
                .map(|page: Page| page.verdicts.len())
        })?;
    }

    let id = store
        .list(&VerdictFilter::default(), 1)?
        .verdicts
        .first()
        .map(|verdict| verdict.id);
    if let (Some(id), Some(batch)) = (id, middle) {
        measure("verdict by identifier", "row key", || store.get(id))?;
        measure("rows of a batch 1000", "row key", || {
            store.batch_rows(batch, Some(5000), 1000)
        })?;
        measure("counts of a batch", "counters", || {
            store.batch_counts(batch)
        })?;
    }
    measure("batches 100", "index", || store.batches(None, 100))?;
    measure("totals", "counters", || store.totals())?;
    measure("classes", "counters", || store.class_counts())?;
    let hour = Timestamp(end.0 - 3_600_000_000);
    measure("time line of an hour, 60 buckets", "counters", || {
        store.timeline(hour, end, 60)
    })?;
    measure("time line of everything, 100 buckets", "counters", || {
        store.timeline(rows::START, end, 100)
    })?;
    measure("health", "none", || store.health())?;
    Ok(())
}

fn measure<T>(name: &str, plan: &str, ask: impl Fn() -> Result<T>) -> Result<()> {
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let start = Instant::now();
        ask()?;
        times.push(start.elapsed());
    }
    times.sort();
    let milliseconds = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e3);
    println!(
        "| {name} | {:.2} | {:.2} | {plan} |",
        milliseconds(times.get(RUNS / 2)),
        milliseconds(times.last()),
    );
    Ok(())
}
