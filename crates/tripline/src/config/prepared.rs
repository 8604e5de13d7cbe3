//! What the options come to. A start, a reload and `tripline config check` ask here, so that what one
//! of them takes the others take too.

use std::{net::SocketAddr, path::Path};

use tripline_detect::signature::TrustList;
use tripline_store::{PostgresOptions, RetentionPolicy};

use super::{live::Settings, problems::Problems, variables::unknown_variables};
use crate::{
    cli::{ServeArgs, read_capped},
    commands::{chain, processors},
    kafka::KafkaSettings,
    model_files,
    registry::{AdmissionRules, Unsigned},
    traces,
    webhooks::WebhookConfig,
};

/// Longest list of trusted keys.
const MAX_KEYS_BYTES: u64 = 64 << 10;
/// Longest file that holds a secret.
const MAX_SECRET_BYTES: u64 = 4096;
/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// Options that were checked, with the content of the files that they name.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    /// What may be exchanged later, still without rows to measure models on.
    pub(crate) settings: Settings,
    /// The part of Kafka that stays.
    pub(crate) kafka: Option<KafkaSettings>,
    /// The database, if it is no file in the data folder.
    pub(crate) postgres: Option<PostgresOptions>,
}

impl Prepared {
    /// Checks everything that can be checked before anything is made; nothing is listened on, opened
    /// for writing or asked for over a network.
    pub(crate) fn new(args: &ServeArgs, problems: &mut Problems) -> Option<Self> {
        let mut own = Problems::default();
        check_listen(args.listen, args.allow_remote, &mut own);
        check_folders(args, &mut own);
        let kafka = args.kafka.settings(&mut own);
        let postgres = own.keep(args.database.postgres()).flatten();
        let admission = admission_rules(args, &mut own);
        let webhooks = own.keep(webhook_config(args)).unwrap_or_default();
        own.keep(traces::check(&args.traces));
        let is_right = own.is_empty();
        problems.extend(own);
        let (kafka, senders) = kafka.unzip();
        is_right.then(|| Self {
            settings: Settings {
                full_list_rows: args.full_list_rows,
                max_upload_bytes: args.max_upload_bytes,
                workers: args.workers.unwrap_or_else(processors).max(1),
                allowed_hosts: args.allow_host.clone(),
                refuses_test_traffic: args.no_test_traffic,
                host: postgres.is_some().then(host_name),
                admission,
                retention: RetentionPolicy {
                    max_age_micros: args.retain_days.map(|days| i64::from(days) * DAY),
                    max_bytes: args.retain_bytes,
                    ..RetentionPolicy::default()
                },
                webhooks,
                senders: senders.unwrap_or_default(),
            },
            kafka,
            postgres,
        })
    }
}

fn host_name() -> String {
    let system = rustix::system::uname();
    system.nodename().to_string_lossy().into_owned()
}

/// What a start would only log: models that cannot be read, variables that nobody knows.
pub(crate) fn extra_problems(args: &ServeArgs, problems: &mut Problems) {
    let folder = &args.models.models_dir;
    if let Some((files, refused)) = problems.keep(model_files::read_folder(folder)) {
        for error in &refused {
            problems.add(chain(error));
        }
        if files.is_empty() && refused.is_empty() {
            problems.add(format!(
                "--models-dir: {} holds no model bundle (*.{})",
                folder.display(),
                model_files::EXTENSION
            ));
        }
    }
    for text in unknown_variables() {
        problems.add(text);
    }
}

fn check_listen(address: SocketAddr, allow_remote: bool, problems: &mut Problems) {
    if !address.ip().is_loopback() && !allow_remote {
        problems.add(format!(
            "--listen {address}: other machines reach this address and nobody has to log in; \
             listen on 127.0.0.1 behind a proxy that asks, or say --allow-remote"
        ));
    }
}

fn check_folders(args: &ServeArgs, problems: &mut Problems) {
    let mut check = |option: &str, path: &Path, is_right: bool, expected: &str| {
        if !is_right {
            problems.add(format!("{option}: {} is no {expected}", path.display()));
        }
    };
    // It is made when it is not there.
    let data = &args.data_dir;
    check(
        "--data-dir",
        data,
        data.is_dir() || !data.exists(),
        "folder",
    );
    if let Some(folder) = &args.training_data {
        check("--training-data", folder, folder.is_dir(), "folder");
    }
    for file in &args.holdout {
        check("--holdout", file, file.is_file(), "file");
    }
}

fn admission_rules(args: &ServeArgs, problems: &mut Problems) -> AdmissionRules {
    let trust = args.trusted_keys.as_ref().map(|path| {
        let text = read_capped(path, "--trusted-keys", MAX_KEYS_BYTES)?;
        TrustList::parse(&text).map_err(|error| {
            anyhow::Error::new(error).context(format!("--trusted-keys: {}", path.display()))
        })
    });
    let is_read = !matches!(trust, Some(Err(_)));
    let trust = trust
        .and_then(|trust| problems.keep(trust))
        .unwrap_or_default();
    if args.unsigned_models != Unsigned::Allowed && trust.is_empty() && is_read {
        problems
            .add("--unsigned-models: nobody is trusted; name a list of keys with --trusted-keys");
    }
    AdmissionRules {
        trust,
        unsigned: args.unsigned_models,
        ..AdmissionRules::default()
    }
}

fn webhook_config(args: &ServeArgs) -> anyhow::Result<WebhookConfig> {
    let secret = match &args.webhook_secret_file {
        None => None,
        Some(path) => Some(read_capped(
            path,
            "--webhook-secret-file",
            MAX_SECRET_BYTES,
        )?),
    };
    Ok(WebhookConfig::new(
        &args.webhook,
        secret.as_deref(),
        &args.webhook_allow,
    )?)
}
