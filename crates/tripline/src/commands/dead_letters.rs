use std::{io::Write, process::ExitCode, time::Duration};

use anyhow::bail;
use serde_json::json;
use tripline_kafka::{
    Producer, ProducerConfig,
    dead_letter::{self, Replay, Replayed},
};

use crate::{
    cli::{DeadLettersCommand, ReplayArgs},
    config::Problems,
};

pub(super) fn run(command: &DeadLettersCommand) -> anyhow::Result<ExitCode> {
    match command {
        DeadLettersCommand::Replay(args) => replay(args),
    }
}

fn replay(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    let mut problems = Problems::default();
    let connection = args.cluster.connection(&mut problems);
    problems.into_result()?;
    let Some(connection) = connection else {
        bail!("there is no cluster; name its brokers with --kafka-brokers");
    };
    let first = args.topic.first().map_or("", String::as_str);
    let topic = match &args.dead_letters {
        Some(topic) => topic.clone(),
        None => dead_letter::topic_of(first),
    };
    let producer = Producer::start(ProducerConfig::new(connection.clone()))?;
    let replayed = dead_letter::replay(
        &Replay {
            connection,
            topic: topic.clone(),
            group: args.group.clone(),
            allowed_topics: args.topic.clone(),
            most_replays: args.most_replays,
            most_messages: args.limit,
            limit: Duration::from_secs(args.seconds),
        },
        &producer,
    )?;
    let mut out = std::io::stdout();
    if args.json {
        let body = json!({
            "dead_letters": topic,
            "sent": replayed.sent,
            "too_often": replayed.too_often,
            "left": replayed.left,
            "is_complete": replayed.is_complete,
        });
        writeln!(out, "{body:#}")?;
    } else {
        write!(out, "{}", text(&topic, &replayed, args))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn text(topic: &str, replayed: &Replayed, args: &ReplayArgs) -> String {
    let mut text = format!("{topic}: {} sent back\n", replayed.sent);
    if replayed.too_often > 0 {
        text.push_str(&format!(
            "{} left: sent back {} times before\n",
            replayed.too_often, args.most_replays
        ));
    }
    for (reason, count) in &replayed.left {
        text.push_str(&format!("{count} left: {reason}\n"));
    }
    if !replayed.is_complete {
        text.push_str("there are more: the limit was reached\n");
    }
    text
}
