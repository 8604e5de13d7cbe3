//! What can be typed.

mod generate;
mod kafka;
mod secret;
mod server;
mod traces;

use std::{
    io::Read,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;
use tripline_store::PostgresOptions;

pub use generate::{AttackText, GenerateArgs, HostileText, Preset};
pub(crate) use kafka::SECRET_VARIABLES;
pub use kafka::{
    CompressionArg, DeadLettersCommand, KafkaArgs, KafkaClusterArgs, ListArgs, ReplayArgs, SaslArg,
    StartArg,
};
pub use secret::SecretText;
pub use server::{
    AskerArgs, CompareArgs, LabelArgs, LabelsCommand, ModelsCommand, RetrainCommand, RoleArg,
    ServerArg, UploadArgs,
};
pub use traces::TraceArgs;

/// Watches network traffic and says, for every flow: is it a threat, which attack, how sure, why.
#[derive(Debug, Parser)]
#[command(name = "tripline", version, about, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What is logged: error, warn, info, debug or trace, and more of a part as in
    /// `info,tripline::webhooks=debug`.
    #[arg(
        long,
        global = true,
        value_name = "FILTER",
        env = "TRIPLINE_LOG",
        default_value = "info",
        value_parser = log_filter
    )]
    pub log: String,
    /// Logs as JSON lines instead of text.
    #[arg(long, global = true, env = "TRIPLINE_LOG_JSON")]
    pub log_json: bool,
}

fn log_filter(text: &str) -> Result<String, String> {
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("a level is one of off, error, warn, info, debug and trace".to_owned()),
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the API and the dashboard. SIGHUP lets it read its configuration anew.
    Serve(ServeArgs),
    /// Look at the configuration of a server without starting one.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Judge the rows of a CSV file.
    Score(ScoreArgs),
    /// Judge the flows of capture files, and those that other sensors recorded.
    Scan(ScanArgs),
    /// Judge the flows of a live interface.
    Watch(WatchArgs),
    /// Listen for NetFlow and IPFIX and judge the flows.
    Collect(CollectArgs),
    /// Write the flows of a capture with their features, as CICFlowMeter does.
    Flows(FlowsArgs),
    /// Write generated, labelled traffic as a capture; nothing is sent.
    Generate(GenerateArgs),
    /// Judge one row of a CSV file and show every contribution.
    Explain(ExplainArgs),
    /// Judge a labelled CSV file or capture and report how good the models are.
    Evaluate(EvaluateArgs),
    /// Train the models that ship from the public data sets.
    Train(TrainArgs),
    /// Do the retraining of a folder; what the server starts in the background.
    #[command(hide = true)]
    RetrainJob {
        /// The folder.
        folder: PathBuf,
    },
    /// The models of a running server: upload, activate, roll back, history.
    Models {
        /// What to do.
        #[command(subcommand)]
        command: ModelsCommand,
        /// Where.
        #[command(flatten)]
        server: ServerArg,
    },
    /// What people say about flows, on a running server.
    Labels {
        /// What to do.
        #[command(subcommand)]
        command: LabelsCommand,
        /// Where.
        #[command(flatten)]
        server: ServerArg,
    },
    /// How far traffic is from what the models of a running server were trained on.
    Drift {
        /// Only this model: identifier, version or name.
        model: Option<String>,
        /// Where.
        #[command(flatten)]
        server: ServerArg,
    },
    /// Train the models of a running server anew.
    Retrain {
        /// What to do.
        #[command(subcommand)]
        command: RetrainCommand,
        /// Where.
        #[command(flatten)]
        server: ServerArg,
    },
    /// Compare two models on the same labelled rows.
    Compare(CompareArgs),
    /// Messages of Kafka that could not be judged.
    #[command(subcommand)]
    DeadLetters(DeadLettersCommand),
    /// List, show and check model bundles, which are files.
    #[command(subcommand)]
    Bundle(BundleCommand),
    /// Move what a server keeps.
    #[command(subcommand)]
    Store(StoreCommand),
    /// Show the whole thing on demo traffic: serve, and upload records.
    Demo(DemoArgs),
    /// Measure this machine and write the result as a Markdown table.
    Bench(BenchArgs),
    /// Write the completions of a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Where the models are.
#[derive(Debug, Clone, Args)]
pub struct ModelsFolder {
    /// Folder of model bundles (`*.tripline`).
    #[arg(
        long,
        value_name = "FOLDER",
        env = "TRIPLINE_MODELS",
        default_value = "models"
    )]
    pub models_dir: PathBuf,
}

/// Options of `serve`: the one definition of what can be typed, set as a variable, and written into the
/// file. Which of them need or exclude each other is checked where they are used, after all levels
/// have come together: clap looks at what was typed only.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// File with options, in TOML: its keys are the names of options. What is typed is stronger than a
    /// variable, a variable stronger than the file, the file stronger than a default.
    #[arg(long, value_name = "FILE", env = "TRIPLINE_CONFIG")]
    pub config: Option<PathBuf>,
    /// Address to listen on; port 0 takes a free one.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "TRIPLINE_LISTEN",
        default_value = "127.0.0.1:8000"
    )]
    pub listen: SocketAddr,
    /// Folder of the database; made when it is not there.
    #[arg(
        long,
        value_name = "FOLDER",
        env = "TRIPLINE_DATA_DIR",
        default_value = "tripline-data"
    )]
    pub data_dir: PathBuf,
    /// The database.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Models.
    #[command(flatten)]
    pub models: ModelsFolder,
    /// Listen on an address that other machines reach, although nobody has to log in.
    #[arg(long, env = "TRIPLINE_ALLOW_REMOTE")]
    pub allow_remote: bool,
    /// A name under which browsers may reach this server, besides addresses and `localhost`; may
    /// be repeated.
    #[arg(
        long,
        value_name = "NAME",
        env = "TRIPLINE_ALLOW_HOST",
        value_delimiter = ','
    )]
    pub allow_host: Vec<String>,
    /// Rows of an upload up to which the answer holds every prediction; a larger one becomes a job.
    #[arg(
        long,
        value_name = "ROWS",
        env = "TRIPLINE_FULL_LIST_ROWS",
        default_value_t = 10_000
    )]
    pub full_list_rows: u64,
    /// Largest upload in bytes.
    #[arg(long, value_name = "BYTES", env = "TRIPLINE_MAX_UPLOAD_BYTES", default_value_t = 16 << 30)]
    pub max_upload_bytes: u64,
    /// Delete verdicts older than this many days.
    #[arg(long, value_name = "DAYS", env = "TRIPLINE_RETAIN_DAYS")]
    pub retain_days: Option<u32>,
    /// Delete the oldest verdicts when the database is larger than this many bytes.
    #[arg(long, value_name = "BYTES", env = "TRIPLINE_RETAIN_BYTES")]
    pub retain_bytes: Option<u64>,
    /// Capture packets on this interface, or on `any`; the same as switching the source
    /// `packet_capture` on, and as lasting.
    #[arg(long, value_name = "INTERFACE", env = "TRIPLINE_CAPTURE")]
    pub capture: Option<String>,
    /// Refuse to generate records for a test (`/api/v1/test/start-stream`, `send-single`).
    #[arg(long, env = "TRIPLINE_NO_TEST_TRAFFIC")]
    pub no_test_traffic: bool,
    /// Threads that judge uploads; by default one per processor.
    #[arg(long, value_name = "THREADS", env = "TRIPLINE_WORKERS")]
    pub workers: Option<usize>,
    /// File with keys of minisign, one a line, whose signatures on models are trusted.
    #[arg(long, value_name = "FILE", env = "TRIPLINE_TRUSTED_KEYS")]
    pub trusted_keys: Option<PathBuf>,
    /// What becomes of uploaded models that nobody trusted has signed.
    #[arg(
        long,
        value_name = "WHAT",
        env = "TRIPLINE_UNSIGNED_MODELS",
        default_value = "allowed"
    )]
    pub unsigned_models: crate::registry::Unsigned,
    /// Folder of the data that the shipped models were trained on (`nsl-kdd/`, `cicids2017/`); without
    /// it no model can be trained anew.
    #[arg(long, value_name = "FOLDER", env = "TRIPLINE_DATA")]
    pub training_data: Option<PathBuf>,
    /// Labelled CSV on which models are measured before they are let in, `.zst` or plain; no model
    /// may have been trained on it; may be repeated.
    #[arg(
        long,
        value_name = "FILE",
        env = "TRIPLINE_HOLDOUT",
        value_delimiter = ','
    )]
    pub holdout: Vec<PathBuf>,
    /// Tell this address of every change of a model's stage; may be repeated.
    #[arg(
        long,
        value_name = "URL",
        env = "TRIPLINE_WEBHOOK",
        hide_env_values = true,
        value_delimiter = ','
    )]
    pub webhook: Vec<SecretText>,
    /// File with the secret that messages are signed with: `whsec_` and base64, or 24 to 64
    /// characters.
    #[arg(long, value_name = "FILE", env = "TRIPLINE_WEBHOOK_SECRET_FILE")]
    pub webhook_secret_file: Option<PathBuf>,
    /// Network of private addresses that messages may go to all the same, such as 10.1.0.0/16; may
    /// be repeated.
    #[arg(
        long,
        value_name = "NETWORK",
        env = "TRIPLINE_WEBHOOK_ALLOW",
        value_delimiter = ','
    )]
    pub webhook_allow: Vec<ipnet::IpNet>,
    /// Kafka.
    #[command(flatten, next_help_heading = "Kafka")]
    pub kafka: KafkaArgs,
    /// Traces.
    #[command(flatten, next_help_heading = "Traces")]
    pub traces: TraceArgs,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Comma-separated values with a header line.
    Csv,
    /// One JSON object per line.
    Jsonl,
    /// Apache Parquet.
    Parquet,
}

/// Options of `score`.
#[derive(Debug, Args)]
pub struct ScoreArgs {
    /// The CSV file; `-` is standard input. `.zst` is decompressed.
    pub file: PathBuf,
    /// Where to write; standard output when absent.
    #[arg(short, long)]
    pub output: Option<PathBuf>,
    /// How to write; by the output's name when absent, else CSV.
    #[arg(short, long)]
    pub format: Option<Format>,
    /// Reasons per verdict.
    #[arg(long, default_value_t = 5)]
    pub reasons: usize,
    /// Only threats.
    #[arg(long)]
    pub threats_only: bool,
    /// Print the summary as JSON.
    #[arg(long)]
    pub json: bool,
    /// Models.
    #[command(flatten)]
    pub models: ModelsFolder,
}

/// How packets become flows.
#[derive(Debug, Clone, Args)]
pub struct MeterArgs {
    /// Memory of the flow table in MiB; flows that were silent for longest make room.
    #[arg(long = "max-memory", value_name = "MIB", default_value_t = 128, value_parser = clap::value_parser!(u64).range(1..1 << 20))]
    pub max_memory_mb: u64,
    /// Also give a verdict on a flow that goes on, at this many packets.
    #[arg(long, value_name = "PACKETS", value_parser = clap::value_parser!(u32).range(1..))]
    pub early_packets: Option<u32>,
    /// Also give a verdict on a flow that goes on, at this age in seconds.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub early_seconds: Option<f64>,
    /// Read packets as the original feature extractors do: tunnels stay closed, later fragments
    /// are flows of their own, and lengths are those of the captured bytes.
    #[arg(long)]
    pub as_original: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.001..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("expected seconds from 0.001 to 86400".to_owned()),
    }
}

/// How flows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FlowFormat {
    /// Comma-separated values with a header line.
    Csv,
    /// One JSON object per line.
    Jsonl,
    /// Apache Parquet.
    Parquet,
    /// Suricata's EVE: `flow` and `alert` events.
    Eve,
}

impl FlowFormat {
    /// The same as a table.
    pub(crate) fn table(self) -> Option<Format> {
        match self {
            Self::Csv => Some(Format::Csv),
            Self::Jsonl => Some(Format::Jsonl),
            Self::Parquet => Some(Format::Parquet),
            Self::Eve => None,
        }
    }
}

/// Options of `scan`.
#[derive(Debug, Args)]
pub struct ScanArgs {
    /// Captures (pcap, pcapng) and records of other sensors (Zeek's conn.log, Suricata's EVE,
    /// messages of NetFlow v5, v9 and IPFIX), by content; plain or compressed with gzip or
    /// Zstandard; `-` is standard input.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Write the flows here instead of only a summary.
    #[arg(short, long)]
    pub output: Option<PathBuf>,
    /// How to write flows; without --output to standard output.
    #[arg(short, long)]
    pub format: Option<FlowFormat>,
    /// Only flows that pass, such as `threat and dst_port in 1-1023 and not src_ip in 10.0.0.0/8`.
    #[arg(long, value_name = "EXPRESSION")]
    pub filter: Option<String>,
    /// Only threats are written.
    #[arg(long)]
    pub threats_only: bool,
    /// Talkers and threats in the summary.
    #[arg(long, default_value_t = 10)]
    pub top: usize,
    /// Reasons per verdict.
    #[arg(long, default_value_t = 5)]
    pub reasons: usize,
    /// Print the summary as JSON.
    #[arg(long)]
    pub json: bool,
    /// Only measure: flows and both feature vectors, but no model is asked.
    #[arg(long, conflicts_with_all = ["threats_only"])]
    pub measure_only: bool,
    /// Packets to flows.
    #[command(flatten)]
    pub meter: MeterArgs,
    /// Models.
    #[command(flatten)]
    pub models: ModelsFolder,
}

/// How verdicts on live flows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WatchFormat {
    /// One JSON object per line.
    Jsonl,
    /// Suricata's EVE: `flow` and `alert` events.
    Eve,
    /// Comma-separated values with a header line.
    Csv,
}

/// How an interface is read.
#[derive(Debug, Clone, Args)]
pub struct InterfaceArgs {
    /// Also take packets that are for others.
    #[arg(long)]
    pub promiscuous: bool,
    /// Bytes to capture of each frame.
    #[arg(long, value_name = "BYTES", default_value_t = 262_144, value_parser = clap::value_parser!(u32).range(64..=262_144))]
    pub snaplen: u32,
    /// Buffer of the kernel in MiB.
    #[arg(long = "buffer", value_name = "MIB", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=2047))]
    pub buffer_mib: u32,
    /// Only frames that pass this filter of libpcap, such as 'tcp and port 80'.
    #[arg(long, value_name = "EXPRESSION")]
    pub bpf: Option<String>,
}

/// Options of `watch`.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// The interface, or `any` for all of them.
    #[arg(required_unless_present = "list_interfaces")]
    pub interface: Option<String>,
    /// List the interfaces of this machine.
    #[arg(long)]
    pub list_interfaces: bool,
    /// The interface.
    #[command(flatten)]
    pub capture: InterfaceArgs,
    /// Only flows that pass; the language is that of `scan --filter`.
    #[arg(long, value_name = "EXPRESSION")]
    pub filter: Option<String>,
    /// Only threats are written.
    #[arg(long)]
    pub threats_only: bool,
    /// How verdicts are written to standard output.
    #[arg(short, long, value_enum, default_value_t = WatchFormat::Jsonl)]
    pub format: WatchFormat,
    /// Reasons per verdict.
    #[arg(long, default_value_t = 5)]
    pub reasons: usize,
    /// Stop after so many seconds.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub duration: Option<f64>,
    /// Stop after so many frames.
    #[arg(long, value_name = "FRAMES", value_parser = clap::value_parser!(u64).range(1..))]
    pub packets: Option<u64>,
    /// Seconds between lines about how it goes, on standard error; 0 for none.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub stats_every: u64,
    /// No verdict before a flow has ended. Without this word a flow that goes on gets one at 20
    /// packets or 10 seconds; --early-packets and --early-seconds say otherwise.
    #[arg(long, conflicts_with_all = ["early_packets", "early_seconds"])]
    pub no_early: bool,
    /// Packets to flows.
    #[command(flatten)]
    pub meter: MeterArgs,
    /// Models.
    #[command(flatten)]
    pub models: ModelsFolder,
}

/// Options of `collect`.
#[derive(Debug, Args)]
pub struct CollectArgs {
    /// Address to listen on for datagrams; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:2055")]
    pub listen: SocketAddr,
    /// Listen on an address that other machines reach, although whoever sends there is believed.
    #[arg(long)]
    pub allow_remote: bool,
    /// Datagrams that may wait; those that find no room are dropped and counted.
    #[arg(long, default_value_t = 8192, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub queue: u32,
    /// Only flows that pass; the language is that of `scan --filter`.
    #[arg(long, value_name = "EXPRESSION")]
    pub filter: Option<String>,
    /// Only threats are written.
    #[arg(long)]
    pub threats_only: bool,
    /// Reasons per verdict.
    #[arg(long, default_value_t = 5)]
    pub reasons: usize,
    /// Models.
    #[command(flatten)]
    pub models: ModelsFolder,
}

/// Whose rules make flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProfileName {
    /// The corrected tool, which made the corrected CICIDS2017.
    Fixed,
    /// Upstream master, version 4.
    V4,
    /// The build that made CICIDS2017 as published.
    Cicids2017,
}

impl ProfileName {
    pub(crate) fn profile(self) -> tripline_flow::Profile {
        match self {
            Self::Fixed => tripline_flow::Profile::Fixed,
            Self::V4 => tripline_flow::Profile::V4,
            Self::Cicids2017 => tripline_flow::Profile::Cicids2017,
        }
    }
}

/// Options of `flows`.
#[derive(Debug, Args)]
pub struct FlowsArgs {
    /// The capture; `-` is standard input.
    pub file: PathBuf,
    /// Where to write; standard output when absent.
    #[arg(short, long)]
    pub output: Option<PathBuf>,
    /// Whose rules make flows and columns.
    #[arg(long, value_enum, default_value_t = ProfileName::Fixed)]
    pub profile: ProfileName,
    /// What goes into the column of labels.
    #[arg(long)]
    pub label: Option<String>,
    /// Packets to flows.
    #[command(flatten)]
    pub meter: MeterArgs,
}

/// Options of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The CSV file; `.zst` is decompressed.
    pub file: PathBuf,
    /// Which row, counted from 1.
    #[arg(long, default_value_t = 1)]
    pub row: u64,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Models.
    #[command(flatten)]
    pub models: ModelsFolder,
}

/// Options of `evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// The labelled CSV file (`.zst` is decompressed), or with --labels a capture.
    pub file: PathBuf,
    /// The labels of a capture, as `tripline generate --labels` writes them.
    #[arg(long, conflicts_with = "html")]
    pub labels: Option<PathBuf>,
    /// Write the report as a page with drawings.
    #[arg(long)]
    pub html: Option<PathBuf>,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
    /// Packets to flows, of a capture.
    #[command(flatten)]
    pub meter: MeterArgs,
    /// Models.
    #[command(flatten)]
    pub models: ModelsFolder,
}

/// Options of `train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// Train every model that ships.
    #[arg(long, required_unless_present = "model")]
    pub all: bool,
    /// Train only the model of this name; may be repeated.
    #[arg(long)]
    pub model: Vec<String>,
    /// Also open the sealed test sets and add what the models do on them to the reports. Once.
    #[arg(long = "final")]
    pub open_sealed: bool,
    /// Where bundles and reports go.
    #[arg(short, long, default_value = "models")]
    pub output: PathBuf,
    /// Folder of the public data sets.
    #[arg(long, env = "TRIPLINE_DATA")]
    pub data: Option<PathBuf>,
}

/// Commands on model bundles.
#[derive(Debug, Subcommand)]
pub enum BundleCommand {
    /// List the bundles of a folder.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// Models.
        #[command(flatten)]
        models: ModelsFolder,
    },
    /// Show the manifest of a bundle.
    Show {
        /// The bundle.
        bundle: PathBuf,
    },
    /// Check a bundle as the server does before it uses one.
    Check {
        /// The bundles.
        #[arg(required = true)]
        bundles: Vec<PathBuf>,
    },
}

/// Commands of `store`.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Copy the file in the data folder into an empty PostgreSQL, all of it or nothing, and count on
    /// both sides. No server may have the file open. The file stays as it is.
    Copy(StoreCopyArgs),
}

/// Options of `store copy`.
#[derive(Debug, Args)]
pub struct StoreCopyArgs {
    /// Folder of the database to be copied.
    #[arg(
        long,
        value_name = "FOLDER",
        env = "TRIPLINE_DATA_DIR",
        default_value = "tripline-data"
    )]
    pub data_dir: PathBuf,
    /// Where to.
    #[command(flatten)]
    pub database: DatabaseArgs,
}

/// Which database verdicts and models lie in.
#[derive(Debug, Clone, Args)]
pub struct DatabaseArgs {
    /// Keep everything in this PostgreSQL, which several servers may share, instead of a file in the
    /// data folder: `postgres://user:password@host:port/name`. Others on this machine can read a
    /// command line: rather use the variable or a file.
    #[arg(
        long,
        value_name = "URL",
        env = "TRIPLINE_DATABASE_URL",
        hide_env_values = true
    )]
    pub database_url: Option<SecretText>,
    /// A file that holds the address.
    #[arg(long, value_name = "FILE", env = "TRIPLINE_DATABASE_URL_FILE")]
    pub database_url_file: Option<PathBuf>,
    /// The schema in it, made when it is not there.
    #[arg(
        long,
        value_name = "NAME",
        env = "TRIPLINE_DATABASE_SCHEMA",
        default_value = "tripline"
    )]
    pub database_schema: String,
}

/// Longest file that holds an address.
const MAX_ADDRESS_BYTES: u64 = 4096;

impl DatabaseArgs {
    /// The PostgreSQL that is named, if one is.
    pub(crate) fn postgres(&self) -> anyhow::Result<Option<PostgresOptions>> {
        let address = match (&self.database_url, &self.database_url_file) {
            (Some(_), Some(_)) => {
                bail!("--database-url and --database-url-file exclude each other");
            }
            // A variable that is set to nothing names nothing.
            (Some(address), None) if address.as_ref().is_empty() => return Ok(None),
            (Some(address), None) => address.as_ref().to_owned(),
            (None, Some(path)) => read_capped(path, "--database-url-file", MAX_ADDRESS_BYTES)?,
            (None, None) => return Ok(None),
        };
        let mut options = PostgresOptions::new(address.trim())?;
        options.schema.clone_from(&self.database_schema);
        Ok(Some(options))
    }
}

/// What can be asked about a configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Read file, environment and what is typed here, check everything that `serve` would, and print
    /// each option with its value and where it comes from.
    Check(Box<ConfigCheckArgs>),
    /// Print a file with every option, commented out.
    Example,
}

/// Options of `config check`.
#[derive(Debug, Args)]
pub struct ConfigCheckArgs {
    /// As they would be given to `serve`.
    #[command(flatten)]
    pub serve: ServeArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Options of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// How to serve.
    #[command(flatten)]
    pub serve: ServeArgs,
    /// Records to show.
    #[arg(long, default_value_t = 5000)]
    pub rows: usize,
    /// Seed of generated records.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Folder of the public data sets; without it the records are generated, and say so.
    #[arg(long, env = "TRIPLINE_DATA")]
    pub data: Option<PathBuf>,
    /// Only write the generated records to this CSV file.
    #[arg(long)]
    pub write_csv: Option<PathBuf>,
}

/// Options of `bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Models.
    #[command(flatten)]
    pub models: ModelsFolder,
    /// Address (`host:port`) of a peer to measure in turn with Tripline; see `benches/README.md`.
    #[arg(long)]
    pub peer: Option<String>,
    /// Process of the peer, for its memory.
    #[arg(long, requires = "peer")]
    pub peer_pid: Option<u32>,
    /// Rows of the large file.
    #[arg(long, default_value_t = 1_000_000)]
    pub rows: usize,
    /// Times each figure is measured; the median is printed.
    #[arg(long, default_value_t = 5)]
    pub repeat: usize,
    /// Where the Markdown goes; standard output when absent.
    #[arg(short, long)]
    pub output: Option<PathBuf>,
}

/// Reads the small file that an option names. No more than the limit is taken into memory, whatever the
/// size of the file is said to be.
pub(crate) fn read_capped(path: &Path, option: &str, limit: u64) -> anyhow::Result<String> {
    let about = || format!("{option}: cannot read {}", path.display());
    let file = std::fs::File::open(path).with_context(about)?;
    let mut bytes = Vec::new();
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .with_context(about)?;
    if bytes.len() as u64 > limit {
        bail!(
            "{option}: {} has more than {limit} bytes, which is the limit",
            path.display()
        );
    }
    String::from_utf8(bytes).map_err(|_| anyhow::anyhow!("{}: it is not UTF-8", about()))
}
