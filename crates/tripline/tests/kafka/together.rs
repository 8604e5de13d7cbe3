//! Two workers, a broker and a PostgreSQL, each of which goes away in the middle: no message is lost, and
//! no verdict is there twice.

use std::{collections::HashSet, path::Path, process::Command, thread, time::Duration};

use serde_json::Value;
use tripline_features::{FeatureVector, nsl_kdd};
use tripline_kafka::{Compression, Connection, Consumer, ConsumerConfig};
use tripline_servers::{
    kafka::{KafkaOptions, KafkaServer},
    postgres::{PostgresOptions as ServerOptions, PostgresServer},
};
use tripline_store::{PostgresOptions, PostgresStore, Store, Timestamp, VerdictFilter};

use crate::{harness::*, network::Host};

/// How long the network is cut, or a server away.
const AWAY: Duration = Duration::from_secs(3);

#[test]
fn whatever_vanishes_nothing_is_lost_and_nothing_is_there_twice() {
    check(40_000, 3);
}

/// Takes minutes; see CONTRIBUTING.md.
#[test]
#[ignore = "a million messages"]
fn a_million_messages_survive_everything() {
    check(1_000_000, 10);
}

/// Where everything is.
struct Place<'a> {
    host: Option<&'a Host>,
    folder: &'a Path,
    options: Vec<String>,
}

impl Place<'_> {
    fn worker(&self, number: usize) -> Server {
        let program = env!("CARGO_BIN_EXE_tripline");
        let (command, listen) = match self.host {
            Some(host) => (host.command(program), format!("{}:0", host.there)),
            None => (Command::new(program), "127.0.0.1:0".to_owned()),
        };
        let data = self.folder.join(format!("worker-{number}"));
        Server::start_by(command, &listen, &data, &shipped_models(), &self.options)
    }
}

fn check(count: usize, kills: usize) {
    let host = Host::new("a worker whose network is cut");
    let here = host.as_ref().map(|host| host.here);
    let mut broker = KafkaServer::start(&KafkaOptions {
        host: here,
        ..KafkaOptions::default()
    })
    .unwrap();
    let postgres = PostgresServer::start(ServerOptions {
        host: here,
        ..ServerOptions::default()
    })
    .unwrap();
    let database = postgres.database().unwrap();
    let connection = connection(&broker.address());
    let names = Names::new();
    names.make(&connection, 6);
    fill(&connection, &names.input, count);

    let folder = tempfile::tempdir().unwrap();
    let mut options = names.options(&broker.address());
    let there = here.map(|here| here.to_string());
    let url = match &there {
        Some(address) => database.url().replace("127.0.0.1", address) + "?sslmode=disable",
        None => database.url(),
    };
    options.push(format!("--database-url={url}"));
    options.push("--allow-remote".to_owned());
    let place = Place {
        host: host.as_ref(),
        folder: folder.path(),
        options,
    };
    // What is stored is asked of the database, since workers come and go. Nobody may answer.
    let total = || -> usize {
        let sql = "SELECT coalesce(sum(total), 0) FROM tripline.class_counts";
        let told = database.sql(sql).unwrap_or_default();
        told.trim().parse().unwrap_or_default()
    };
    let mut workers = [place.worker(0), place.worker(1)];
    let steps = kills + 3;
    for step in 1..=steps {
        let enough = step * count / (steps + 2);
        until("progress", || total() >= enough);
        // The broker, the database and the network go in between the workers.
        if step == steps / 4 + 1 {
            broker.kill().unwrap();
            thread::sleep(AWAY);
            broker.restart().unwrap();
        } else if step == steps / 2 + 1 {
            postgres.kill().unwrap();
            thread::sleep(AWAY);
            postgres.restart().unwrap();
        } else if step == steps * 3 / 4 + 1 {
            if let Some(host) = &host {
                host.cut();
                thread::sleep(AWAY);
                host.mend();
            }
        } else {
            let number = step % 2;
            let [first, second] = workers;
            let (victim, survivor) = if number == 0 {
                (first, second)
            } else {
                (second, first)
            };
            victim.kill();
            let next = place.worker(number);
            workers = if number == 0 {
                [next, survivor]
            } else {
                [survivor, next]
            };
        }
    }
    until("every verdict", || total() >= count);
    // Whatever the last kill left uncommitted is read again before everything is settled.
    until("every acknowledgement", || {
        workers.iter().all(|worker| {
            let health = worker.health();
            let consumer = &health["checks"]["kafka"]["consumer"];
            consumer["outstanding"] == 0
        })
    });
    for worker in workers {
        worker.books(&names.input);
        worker.stop();
    }
    let ids = stored_once(&database.url(), count);
    told(&connection, &names.predictions, &ids);
}

fn fill(connection: &Connection, topic: &str, count: usize) {
    let rows: Vec<_> = records(1000).iter().map(|record| row(record, 0)).collect();
    let producer = producer(connection, Compression::Zstd);
    for first in (0..count).step_by(10_000) {
        let numbered = (first..count.min(first + 10_000)).map(|number| {
            let mut row = rows[number % rows.len()].clone();
            row.insert("src_bytes".to_owned(), number.into());
            let mut message = message(topic, Value::Object(row));
            message.key = Some((number % 64).to_string().into_bytes());
            message
        });
        send(&producer, &numbered.collect::<Vec<_>>());
    }
}

/// Every number is in one verdict; the identifiers of all.
fn stored_once(url: &str, count: usize) -> HashSet<String> {
    let options = PostgresOptions::new(url).unwrap();
    let store = PostgresStore::open(options, Timestamp::from_seconds(0)).unwrap();
    let schema = nsl_kdd();
    let place = schema.index_of("src_bytes").unwrap();
    let mut times = vec![0_u16; count];
    let mut ids = HashSet::with_capacity(count);
    let mut filter = VerdictFilter::default();
    loop {
        let page = store.list(&filter, 5000).unwrap();
        for verdict in &page.verdicts {
            let vector = FeatureVector::decode(&verdict.features, schema).unwrap();
            times[vector.values()[place] as usize] += 1;
            assert!(ids.insert(verdict.id.to_string()), "{} twice", verdict.id);
        }
        match page.next {
            Some(next) => filter.cursor = Some(next),
            None => break,
        }
    }
    let lost = times.iter().filter(|times| **times == 0).count();
    let doubled = times.iter().filter(|times| **times > 1).count();
    eprintln!("{count} messages: {lost} lost, {doubled} there twice");
    assert_eq!((lost, doubled, ids.len()), (0, 0, count));
    ids
}

/// Every verdict was told, and nothing that is none.
fn told(connection: &Connection, topic: &str, ids: &HashSet<String>) {
    let config = ConsumerConfig::new(connection.clone(), Names::new().group, [topic]);
    let consumer = Consumer::start(config).unwrap();
    let mut told = HashSet::with_capacity(ids.len());
    until("every prediction", || {
        if let Some(batch) = consumer.next(Duration::from_millis(100)) {
            for message in &batch.messages {
                let id = text(message, "verdict-id");
                assert!(ids.contains(id), "{id} is told and not stored");
                told.insert(id.to_owned());
            }
            consumer.ack(&batch.ticket);
        }
        told.len() == ids.len()
    });
}
