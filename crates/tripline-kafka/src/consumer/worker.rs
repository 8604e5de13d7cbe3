//! The thread that owns the client.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::Message as _;
use rdkafka::statistics::Statistics;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::ledger::{Position, Shared};
use crate::backoff::Backoff;
use crate::state::{State, lock};
use crate::{Error, Message, Result};

/// How long the thread sleeps at most before it looks at what else there is to do.
const LONGEST_POLL: Duration = Duration::from_millis(100);
/// How long a full budget may keep the thread from polling, before partitions are paused: pausing
/// throws away what was fetched ahead, which a short stall is not worth.
const SHORT_STALL: Duration = Duration::from_secs(1);
/// How long a question to the cluster may take.
const PROBE_LIMIT: Duration = Duration::from_secs(2);
/// How often everything that is acknowledged is committed anew: a commit on its way while the group
/// forms anew can be lost without a word.
const RENEW_EVERY: Duration = Duration::from_secs(10);
/// How many messages are taken before other things get their turn.
const MESSAGES_IN_A_ROW: usize = 1000;

pub(super) type Client = BaseConsumer<Context>;

pub(super) fn client(config: &ClientConfig, shared: &Arc<Shared>) -> Result<Client> {
    let context = Context {
        shared: Arc::clone(shared),
    };
    let client: Client = config
        .create_with_context(context)
        .map_err(|error| Error::client(&error))?;
    let topics: Vec<&str> = shared.config.topics.iter().map(String::as_str).collect();
    client
        .subscribe(&topics)
        .map_err(|error| Error::client(&error))?;
    Ok(client)
}

/// Runs until it is told to end. A client that has failed for good is made anew.
pub(super) fn run(first: Client, config: &ClientConfig, shared: &Arc<Shared>) {
    let connection = &shared.config.connection;
    let mut backoff = Backoff::new(
        connection.first_pause,
        connection.longest_pause,
        connection.seed.wrapping_add(1),
    );
    let mut client = Some(first);
    loop {
        if let Some(client) = client.take() {
            match serve(&client, shared) {
                End::Asked => {
                    finish(&client, shared);
                    // Dropping the client leaves the group.
                    return;
                }
                End::Fatal(reason) => shared.pulse.failed(reason, Instant::now()),
            }
        }
        lock(&shared.ledger).revoke_all();
        let again = Instant::now() + backoff.next();
        let mut ledger = lock(&shared.ledger);
        while ledger.end_at.is_none() {
            let left = again.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            ledger = shared.wait(ledger, left);
        }
        if ledger.end_at.is_some() {
            return;
        }
        drop(ledger);
        match self::client(config, shared) {
            Ok(made) => client = Some(made),
            Err(error) => shared.pulse.failed_again(error.to_string(), Instant::now()),
        }
    }
}

enum End {
    Asked,
    Fatal(String),
}

fn serve(client: &Client, shared: &Shared) -> End {
    let config = &shared.config;
    let mut next_commit = Instant::now() + config.commit_every;
    let mut next_renewal = Instant::now() + RENEW_EVERY;
    let mut full_since = None;
    loop {
        let now = Instant::now();
        if lock(&shared.ledger).end_at.is_some() {
            return End::Asked;
        }
        if shared.pulse.is_due(now) {
            probe(client, shared);
        }
        if now >= next_renewal {
            lock(&shared.ledger).doubt_commits();
            next_renewal = now + RENEW_EVERY;
        }
        if now >= next_commit {
            commit(client, shared, CommitMode::Async);
            next_commit = now + config.commit_every;
        }
        if !mind_the_budget(client, shared, &mut full_since, next_commit) {
            continue;
        }
        let linger = lock(&shared.ledger).hand_out(config.linger, now);
        if lock(&shared.ledger).has_ready() {
            shared.changed.notify_all();
        }
        let mut timeout = shared
            .pulse
            .pause(now, LONGEST_POLL)
            .min(linger.unwrap_or(LONGEST_POLL))
            .min(next_commit.saturating_duration_since(now));
        for _ in 0..MESSAGES_IN_A_ROW {
            match client.poll(timeout) {
                Some(Ok(message)) => {
                    let copy = Message::copied(&message);
                    let mut ledger = lock(&shared.ledger);
                    if ledger.cluster.is_some() {
                        shared.pulse.answered();
                    }
                    ledger.receive(message.topic(), message.partition(), copy, config, now);
                    if ledger.is_full(config) {
                        break;
                    }
                }
                Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                    let told = client.client().fatal_error();
                    let reason = told.map_or_else(|| code.to_string(), |(_, words)| words);
                    return End::Fatal(reason);
                }
                // Other errors were told to the context.
                Some(Err(_)) => {}
                None => break,
            }
            timeout = Duration::ZERO;
        }
    }
}

/// Whether there is to be polled now. With a full budget that is a while later, and then with
/// paused partitions.
fn mind_the_budget(
    client: &Client,
    shared: &Shared,
    full_since: &mut Option<Instant>,
    next_commit: Instant,
) -> bool {
    let config = &shared.config;
    let mut ledger = lock(&shared.ledger);
    if ledger.is_paused {
        if ledger.is_half_free(config) {
            *full_since = None;
            ledger.is_paused = false;
            let partitions = list(ledger.partitions());
            drop(ledger);
            if partitions.count() > 0
                && let Err(error) = client.resume(&partitions)
            {
                shared.pulse.noted(error.to_string());
                lock(&shared.ledger).is_paused = true;
            }
        }
        return true;
    }
    if !ledger.is_full(config) {
        *full_since = None;
        return true;
    }
    let since = *full_since.get_or_insert_with(Instant::now);
    // What was gathered may be all there is to acknowledge.
    ledger.hand_out(Duration::ZERO, Instant::now());
    shared.changed.notify_all();
    let stalled = since.elapsed();
    if stalled < SHORT_STALL && ledger.end_at.is_none() {
        let left = SHORT_STALL
            .saturating_sub(stalled)
            .min(next_commit.saturating_duration_since(Instant::now()))
            .max(Duration::from_millis(1));
        drop(shared.wait(ledger, left));
        return false;
    }
    ledger.is_paused = true;
    let partitions = list(ledger.partitions());
    drop(ledger);
    if partitions.count() > 0
        && let Err(error) = client.pause(&partitions)
    {
        shared.pulse.noted(error.to_string());
        lock(&shared.ledger).is_paused = false;
    }
    true
}

/// Asks the cluster whether it is there, and at first who it is.
fn probe(client: &Client, shared: &Shared) {
    let is_known = lock(&shared.ledger).cluster.is_some();
    if !is_known {
        match client.client().fetch_cluster_id(PROBE_LIMIT) {
            Some(cluster) => lock(&shared.ledger).cluster = Some(cluster.into()),
            None => {
                let reason = unreachable(shared);
                shared.pulse.failed_again(reason, Instant::now());
                return;
            }
        }
    }
    match client.fetch_metadata(None, PROBE_LIMIT) {
        Ok(_) => shared.pulse.answered(),
        Err(error) => {
            let reason = match error {
                KafkaError::MetadataFetch(
                    RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::OperationTimedOut,
                ) => unreachable(shared),
                other => other.to_string(),
            };
            shared.pulse.failed_again(reason, Instant::now());
        }
    }
}

/// The reason that the library gave before is more precise than that there was no answer.
fn unreachable(shared: &Shared) -> String {
    match shared.pulse.state() {
        State::Waiting(waiting) => waiting.reason,
        _ => format!("no answer from {}", shared.config.connection.brokers),
    }
}

fn commit(client: &Client, shared: &Shared, mode: CommitMode) {
    let positions = lock(&shared.ledger).take_commits();
    if positions.is_empty() {
        return;
    }
    if let Err(error) = client.commit(&offsets(&positions), mode) {
        shared.pulse.noted(error.to_string());
        lock(&shared.ledger).doubt_commits();
    }
}

/// The last commit, after what is out was acknowledged or its time is over.
fn finish(client: &Client, shared: &Shared) {
    let partitions = {
        let mut ledger = lock(&shared.ledger);
        ledger.drop_untaken();
        list(ledger.partitions())
    };
    // The group sees a living member until the end; nothing is fetched meanwhile.
    if partitions.count() > 0
        && let Err(error) = client.pause(&partitions)
    {
        shared.pulse.noted(error.to_string());
    }
    loop {
        let ledger = lock(&shared.ledger);
        let left = ledger.end_at.map_or(Duration::ZERO, |end| {
            end.saturating_duration_since(Instant::now())
        });
        if left.is_zero() || !ledger.has_out() {
            break;
        }
        drop(shared.wait(ledger, left.min(LONGEST_POLL)));
        let _ = client.poll(Duration::ZERO);
    }
    if shared.pulse.state().is_running() {
        commit(client, shared, CommitMode::Sync);
    }
    lock(&shared.ledger).revoke_all();
}

fn list<'a>(partitions: impl Iterator<Item = (&'a str, i32)>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for (topic, partition) in partitions {
        list.add_partition(topic, partition);
    }
    list
}

fn offsets(positions: &[Position]) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for position in positions {
        let offset = Offset::Offset(position.offset);
        // Offsets come from the cluster; the library refuses only special values.
        if let Err(error) = list.add_partition_offset(&position.topic, position.partition, offset) {
            tracing::error!(%error, "an offset cannot be committed");
        }
    }
    list
}

/// What the library calls on the thread that polls.
pub(super) struct Context {
    shared: Arc<Shared>,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, words: &str) {
        crate::state::log(level, facility, words);
    }

    fn stats(&self, statistics: Statistics) {
        let mut ledger = lock(&self.shared.ledger);
        // The library goes on telling of partitions that were ours, as they were then.
        let lags = ledger.partitions().filter_map(|(topic, partition)| {
            let partition = statistics.topics.get(topic)?.partitions.get(&partition)?;
            u64::try_from(partition.consumer_lag).ok()
        });
        let lag = lags.fold(None, |sum: Option<u64>, lag| Some(sum.unwrap_or(0) + lag));
        ledger.lag = lag;
    }

    fn error(&self, error: KafkaError, reason: &str) {
        crate::state::tell(&self.shared.pulse, &error, reason);
    }
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, client: &Client, rebalance: &Rebalance<'_>) {
        let Rebalance::Revoke(partitions) = rebalance else {
            return;
        };
        let elements = partitions.elements();
        let going = || elements.iter().map(|one| (one.topic(), one.partition()));
        let is_lost = client.assignment_lost();
        let until = Instant::now() + self.shared.config.revoke_grace;
        let mut ledger = lock(&self.shared.ledger);
        for (topic, partition) in going() {
            ledger.begin_revoke(topic, partition);
        }
        while !is_lost && going().any(|(topic, partition)| ledger.is_out(topic, partition)) {
            let ending = ledger.end_at.is_some_and(|end| end <= Instant::now());
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || ending {
                break;
            }
            ledger = self.shared.wait(ledger, left);
        }
        drop(ledger);
        if !is_lost && self.shared.pulse.state().is_running() {
            commit(client, &self.shared, CommitMode::Sync);
        }
        let mut ledger = lock(&self.shared.ledger);
        for (topic, partition) in going() {
            ledger.end_revoke(topic, partition);
        }
    }

    fn post_rebalance(&self, client: &Client, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(partitions) => {
                let mut ledger = lock(&self.shared.ledger);
                for one in partitions.elements() {
                    ledger.assign(one.topic(), one.partition());
                }
                let is_paused = ledger.is_paused;
                drop(ledger);
                // What comes while there is no room waits like the rest.
                if is_paused && let Err(error) = client.pause(partitions) {
                    self.shared.pulse.noted(error.to_string());
                }
            }
            Rebalance::Revoke(_) => {}
            Rebalance::Error(error) => self.shared.pulse.noted(error.to_string()),
        }
        self.shared.changed.notify_all();
    }

    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        // Some of them may have failed where the whole has not.
        let result = result.and_then(|()| {
            let offsets = offsets.elements();
            offsets
                .iter()
                .try_for_each(rdkafka::topic_partition_list::TopicPartitionListElem::error)
        });
        if let Err(error) = result {
            // Nothing to commit is no failure.
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::NoOffset) {
                self.shared.pulse.noted(error.to_string());
                lock(&self.shared.ledger).doubt_commits();
            }
        }
    }
}
