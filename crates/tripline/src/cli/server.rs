//! What can be asked of a running server.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Which server is asked.
#[derive(Debug, Clone, Args)]
pub struct ServerArg {
    /// The server's address.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "TRIPLINE_SERVER",
        default_value = "http://127.0.0.1:8000"
    )]
    pub server: String,
    /// Print the answer as JSON.
    #[arg(long, global = true)]
    pub json: bool,
}

/// Who asks for a change, and why; both stand in the history.
#[derive(Debug, Clone, Args)]
pub struct AskerArgs {
    /// Who asks; by default the name of the user.
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true)]
    pub by: Option<String>,
    /// Why.
    #[arg(long)]
    pub reason: Option<String>,
}

/// What a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RoleArg {
    /// Tells threats from normal traffic.
    Detector,
    /// Tells classes of traffic apart.
    Classifier,
    /// Names the attack inside a class.
    Namer,
}

/// Options of `models upload`.
#[derive(Debug, Args)]
pub struct UploadArgs {
    /// A bundle, ONNX, the JSON of XGBoost, or the text of LightGBM.
    pub file: PathBuf,
    /// What it is for.
    #[arg(long, value_enum)]
    pub role: RoleArg,
    /// The signature beside it; by default the file's name with `.minisig`, where that is there.
    #[arg(long, value_name = "FILE")]
    pub signature: Option<PathBuf>,
    /// One sentence for people.
    #[arg(long)]
    pub description: Option<String>,
    /// The model's name, for a file of another program.
    #[arg(long)]
    pub name: Option<String>,
    /// A detector's decision line, for a file of another program.
    #[arg(long)]
    pub threshold: Option<f64>,
    /// Features in the order of the columns, for a file of another program.
    #[arg(long, value_delimiter = ',', requires = "classes")]
    pub features: Vec<String>,
    /// Classes in the order of the outputs, for a file of another program.
    #[arg(long, value_delimiter = ',', requires = "features")]
    pub classes: Vec<String>,
    /// Who brings it; by default the name of the user.
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true)]
    pub by: Option<String>,
}

/// What can be asked about the models of a server. A model is named by its identifier, by its
/// version or the beginning of one, or by its name, which means the active version.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// List all versions, and where they stand.
    List,
    /// Show everything about one.
    Show {
        /// The model.
        model: String,
    },
    /// Let a model in as a candidate.
    Upload(UploadArgs),
    /// Let it judge, in the place of the one that does.
    Activate {
        /// The model.
        model: String,
        /// Who asks.
        #[command(flatten)]
        asker: AskerArgs,
    },
    /// Take it out of service.
    Deactivate {
        /// The model.
        model: String,
        /// Who asks.
        #[command(flatten)]
        asker: AskerArgs,
    },
    /// Give its place back to the one before it.
    Rollback {
        /// The model.
        model: String,
        /// Who asks.
        #[command(flatten)]
        asker: AskerArgs,
    },
    /// Put it into a stage: candidate, shadow, canary, active or retired.
    Stage {
        /// The model.
        model: String,
        /// The stage.
        stage: String,
        /// Share of flows that a canary judges, 0 to 1.
        #[arg(long)]
        share: Option<f64>,
        /// Who asks.
        #[command(flatten)]
        asker: AskerArgs,
    },
    /// Everything that happened, to one model or to all.
    History {
        /// The model.
        model: Option<String>,
    },
    /// Delete its file; what happened to it stays.
    Delete {
        /// The model.
        model: String,
        /// Do not ask back.
        #[arg(long)]
        yes: bool,
    },
}

/// Options of `labels add`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true))]
pub struct LabelArgs {
    /// Identifiers of the verdicts.
    #[arg(group = "which", value_name = "VERDICT")]
    pub verdicts: Vec<String>,
    /// All verdicts of this upload instead.
    #[arg(long, group = "which", value_name = "ID", conflicts_with = "verdicts")]
    pub batch: Option<String>,
    /// All verdicts from this source instead.
    #[arg(
        long,
        group = "which",
        value_name = "NAME",
        conflicts_with = "verdicts"
    )]
    pub source: Option<String>,
    /// All verdicts of this class instead.
    #[arg(
        long,
        group = "which",
        value_name = "CLASS",
        conflicts_with = "verdicts"
    )]
    pub class: Option<String>,
    /// Of those, only threats.
    #[arg(long, conflicts_with = "verdicts")]
    pub threats_only: bool,
    /// Of those, only from this time on (RFC 3339).
    #[arg(long, value_name = "TIME", conflicts_with = "verdicts")]
    pub from: Option<String>,
    /// Of those, only before this time (RFC 3339).
    #[arg(long, value_name = "TIME", conflicts_with = "verdicts")]
    pub to: Option<String>,
    /// It was an attack, of this type if one is named.
    #[arg(long, value_name = "TYPE", num_args = 0..=1, default_missing_value = "")]
    pub attack: Option<String>,
    /// It was none: on a threat, a false alarm.
    #[arg(long, conflicts_with = "attack", required_unless_present = "attack")]
    pub no_attack: bool,
    /// Why.
    #[arg(long, default_value = "")]
    pub note: String,
    /// Who says so; by default the name of the user.
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true)]
    pub by: String,
}

/// What can be said of flows.
#[derive(Debug, Subcommand)]
pub enum LabelsCommand {
    /// Say what flows were.
    Add(LabelArgs),
    /// List what was said.
    List {
        /// Only accepted, quarantined or rejected ones.
        #[arg(long)]
        state: Option<String>,
        /// Only those of this author.
        #[arg(long)]
        author: Option<String>,
        /// Only where people do not agree.
        #[arg(long)]
        conflicting: bool,
    },
    /// Take labels from a CSV file with the columns `verdict_id`, `is_attack`, `attack_type`,
    /// `note`.
    Import {
        /// The file.
        file: PathBuf,
        /// Who says so; by default the name of the user.
        #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true)]
        by: String,
    },
    /// Write all labels with their rows as CSV.
    Export,
    /// Accept or reject a label of somebody else.
    Review {
        /// The label's number.
        label: u64,
        /// `accepted` or `rejected`.
        state: String,
        /// Why.
        #[arg(long, default_value = "")]
        reason: String,
        /// Who reviews; by default the name of the user.
        #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true)]
        by: String,
    },
}

/// What can be asked about training anew.
#[derive(Debug, Subcommand)]
pub enum RetrainCommand {
    /// Train a model anew, from its original data and the labels that count.
    Start {
        /// The model: identifier, version or name.
        model: String,
        /// Wait for its end.
        #[arg(long)]
        wait: bool,
        /// Who asks.
        #[command(flatten)]
        asker: AskerArgs,
    },
    /// The one that runs, and those that have ended.
    List,
    /// End the one that runs.
    Cancel,
}

/// Options of `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// A model of the server; with `--data`, a bundle.
    pub a: String,
    /// Another of the same role and schema.
    pub b: String,
    /// Compare two bundles on the labelled rows of this CSV file; no server is asked.
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// What the server compares on: the name of a hold-out, or `labels`.
    #[arg(long, value_name = "NAME", conflicts_with = "data")]
    pub on: Option<String>,
    /// Rows on which they disagree that are shown.
    #[arg(long, default_value_t = 10)]
    pub show: usize,
    /// Where.
    #[command(flatten)]
    pub server: ServerArg,
}
