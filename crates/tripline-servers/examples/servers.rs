//! A real Kafka broker and a real PostgreSQL for measurements: prints where they are as one line of
//! JSON, then takes a word a line (`kafka kill`, `kafka start`, `postgres kill`, `postgres start`,
//! `database NAME`), answers each with a line, and ends everything with its input.

use std::{
    error::Error,
    io::{BufRead, Write, stdin, stdout},
};

use tripline_servers::{
    kafka::{KafkaOptions, KafkaServer},
    postgres::{PostgresOptions, PostgresServer},
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut kafka = KafkaServer::start(&KafkaOptions {
        for_load: true,
        ..KafkaOptions::default()
    })?;
    // A commit waits for the disk, as it does in production.
    let postgres = PostgresServer::start(PostgresOptions {
        durable: true,
        ..PostgresOptions::default()
    })?;
    answer(&format!(
        r#"{{"kafka": "{}", "postgres": "{}"}}"#,
        kafka.address(),
        postgres.url("postgres")
    ))?;
    for line in stdin().lock().lines() {
        let line = line?;
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["kafka", "kill"] => kafka.kill()?,
            ["kafka", "start"] => kafka.restart()?,
            ["postgres", "kill"] => postgres.kill()?,
            ["postgres", "start"] => postgres.restart()?,
            ["database", name] => {
                postgres.sql("postgres", &format!("CREATE DATABASE {name}"))?;
            }
            _ => {
                answer("unknown")?;
                continue;
            }
        }
        answer("done")?;
    }
    Ok(())
}

fn answer(words: &str) -> std::io::Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "{words}")?;
    out.flush()
}
